"""Mutants of the bridge."""

# ruff: noqa: E501  (lines of safefs, and names of tests, stand here in full)

from __future__ import annotations

from tests.mutants.mutant import mutant

_SENT = "tests/test_bridge.py::test_what_could_be_read_in_two_ways_is_refused[{}]".format

BRIDGE = (
    mutant(
        "take any key",
        "whoever finds the port is in",
        "safefs/bridge/callers.py",
        "        if compare_digest(_digest(given).reveal(), self._digest.reveal()):\n",
        "        if given is not None:\n",
        "tests/test_bridge.py::test_a_wrong_key_is_slow_and_logged_without_it",
    ),
    mutant(
        "answer a wrong key at once",
        "keys are tried as fast as they can be sent",
        "safefs/bridge/callers.py",
        "            time.sleep(_DELAY)\n",
        "            pass\n",
        "tests/test_bridge.py::test_a_wrong_key_is_slow_and_logged_without_it",
    ),
    mutant(
        "take tokens of any audience",
        "a token that another part of the application was given opens the bridge",
        "safefs/bridge/callers.py",
        "audience=AUDIENCE)",
        "audience=None)",
        "tests/test_bridge.py::test_a_token_that_is_not_for_the_bridge_is_none",
    ),
    mutant(
        "ask nothing of the destination",
        "a token for one folder writes into every other",
        "safefs/bridge/callers.py",
        "            asked += [(words, destination) for words in needs.destination]\n",
        "            pass\n",
        "tests/test_bridge.py::test_a_token_writes_where_it_may",
    ),
    mutant(
        "act on the whole disk for a token",
        "a link leads out of what the token is for",
        "safefs/bridge/callers.py",
        "        if scope is None or not scope.path:\n            return Spot(disk, target.path)\n",
        "        if True:\n            return Spot(disk, target.path)\n",
        "tests/test_bridge.py::test_no_link_leads_out_of_what_a_token_is_for",
    ),
    mutant(
        "answer at any name",
        "a name that is made to lead here makes the bridge a page's own origin",
        "safefs/bridge/browsers.py",
        '        if environ.get("HTTP_HOST", "").lower() not in self.hosts:\n',
        "        if False:\n",
        "tests/test_bridge_words.py::test_another_name_that_leads_here_is_misdirected[evil.example]",
    ),
    mutant(
        "answer any origin",
        "a page of any server that has a key reads the answer",
        "safefs/bridge/browsers.py",
        "        if origin not in self.allowed:\n",
        "        if False:\n",
        "tests/test_bridge_words.py::test_all_else_of_a_browser_is_foreign[said0]",
    ),
    mutant(
        "look at no Sec-Fetch headers",
        "an image or a link of any page sends a request",
        "safefs/bridge/browsers.py",
        "            _refuse_browser(environ)\n            return None\n",
        "            return None\n",
        "tests/test_bridge_words.py::test_all_else_of_a_browser_is_foreign[said7]",
    ),
    mutant(
        "take dot segments for names",
        "what a path names is for each who reads it another thing",
        "safefs/bridge/targets.py",
        '    if raw in (b".", b"..") or b"/" in raw or b"\\0" in raw:\n',
        "    if False:\n",
        "tests/test_bridge_words.py::test_what_names_nothing_is_no_target[/docs/..]",
    ),
    mutant(
        "follow a destination elsewhere",
        "what was meant for another server happens here",
        "safefs/bridge/targets.py",
        '    if scheme.lower() != "https" or host.lower() not in hosts:\n',
        "    if False:\n",
        "tests/test_bridge_words.py::test_a_destination_elsewhere_is_not_followed[https://example.org/docs/a]",
    ),
    mutant(
        "take the end of a connection for the end of an upload",
        "half a file takes the place of a whole one",
        "safefs/bridge/bodies.py",
        '            raise ConnectionAbortedError(ECONNABORTED, "the upload ended before its end")\n',
        "            return\n",
        "tests/test_bridge.py::test_an_upload_that_ends_early_publishes_nothing",
    ),
    mutant(
        "take the end of a connection for the end of chunks",
        "half a file takes the place of a whole one",
        "safefs/bridge/requests.py",
        '        if not piece:\n            raise ConnectionAbortedError(ECONNABORTED, "the upload ended before its end")\n',
        "        if not piece:\n            return piece\n",
        "tests/test_bridge.py::test_chunks_without_their_end_publish_nothing[5\\r\\nabc]",
    ),
    mutant(
        "take the last of two lengths",
        "a request is hidden in the body of another",
        "safefs/bridge/requests.py",
        "        if name in found and name in _ONCE:\n",
        "        if False:\n",
        _SENT("two hosts"),
        _SENT("two keys"),
    ),
    mutant(
        "remove what holds the source",
        "to move a folder's child in its place removes both",
        "safefs/bridge/handling.py",
        "source.contains(target) or target.contains(source)",
        "source.contains(target)",
        "tests/test_bridge.py::test_a_change[MOVE-tree/sub-headers26-403-files26]",
    ),
    mutant(
        "speak any TLS",
        "what is known to be weak is spoken with who asks for it",
        "safefs/bridge/certificate.py",
        "ssl.TLSVersion.TLSv1_3",
        "ssl.TLSVersion.TLSv1_2",
        "tests/test_bridge.py::test_no_tls_below_1_3_is_spoken",
    ),
    mutant(
        "listen anywhere",
        "the disks are served to the network",
        "safefs/bridge/sockets.py",
        '    if not address.is_loopback or getattr(address, "ipv4_mapped", None) is not None:\n',
        "    if False:\n",
        "tests/test_bridge.py::test_no_other_address_is_listened_at[192.0.2.1]",
    ),
)
