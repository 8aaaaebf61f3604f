"""Mutants of the age format."""

# ruff: noqa: E501  (lines of safefs, and names of tests, stand here in full)

from __future__ import annotations

from tests.mutants.mutant import mutant

_VECTORS = (
    "tests/test_age_vectors.py::test_each_ends_as_it_has_to_and_gives_out_what_it_has_to[{}]".format
)

AGE = (
    mutant(
        "believe a header by its key alone",
        "stanzas can be added to a file, or taken away, by who holds no key",
        "safefs/age/opening.py",
        "            header.check(file_key)\n",
        "",
        _VECTORS("hmac_bad"),
    ),
    mutant(
        "take a passphrase beside other recipients",
        "what a passphrase opens is taken for written by who knows it, and was not",
        "safefs/age/header.py",
        "    if _is_mixed(stanzas):\n        raise wrong_header(",
        "    if False:\n        raise wrong_header(",
        _VECTORS("scrypt_double"),
    ),
    mutant(
        "open a stanza of any length",
        "one body can be made that opens with several passphrases (a partitioning oracle)",
        "safefs/age/x25519.py",
        "    if len(stanza.body) != FILE_KEY + TAG:\n",
        "    if False:\n",
        _VECTORS("scrypt_long_file_key"),
    ),
    mutant(
        "take any spelling of base 64",
        "a file can be changed without notice, in the spare bits of a line",
        "safefs/age/unpadded.py",
        "    return data if encoded(data) == text else None\n",
        "    return data\n",
        _VECTORS("x25519_not_canonical_body"),
    ),
    mutant(
        "do any work that a file asks for",
        "who may put a file there takes all the memory of who opens it",
        "safefs/age/scrypt.py",
        "        if len(text) > 2 or int(text) > self._max_work_factor:\n",
        "        if len(text) > 2 or int(text) > 10 * self._max_work_factor:\n",
        "tests/test_age.py::test_a_file_that_asks_for_more_work_than_is_allowed_is_refused_before_it_is_begun",
    ),
    mutant(
        "take the end of a file for its end",
        "a file can be cut at a chunk, and is taken for whole",
        "safefs/age/stream.py",
        "        if wrong_end:\n",
        "        if False:\n",
        _VECTORS("stream_no_final_full"),
    ),
    mutant(
        "take an empty last chunk",
        "of one content there is more than one sealing by the same key and nonce",
        "safefs/age/stream.py",
        "    if last and number and len(sealed) == TAG:\n",
        "    if False:\n",
        _VECTORS("stream_last_chunk_empty"),
    ),
    mutant(
        "seal each chunk under one number",
        "chunks can be moved, left out and repeated, and one key and nonce seal them all",
        "safefs/age/stream.py",
        '    return number.to_bytes(11, "big") + (_LAST if last else _NOT_LAST)\n',
        "    return bytes(11) + (_LAST if last else _NOT_LAST)\n",
        "tests/test_age_tampering.py::test_no_chunk_can_be_moved_left_out_or_repeated",
        _VECTORS("stream_two_chunks"),
    ),
    mutant(
        "believe an end that was not opened",
        "who seeks to the end of a file that was cut is told it is the end",
        "safefs/age/reading.py",
        "        if whence == os.SEEK_END:\n            self._content.check_end()\n",
        "        if whence == os.SEEK_END:\n",
        "tests/test_age_tampering.py::test_the_end_is_known_to_be_one_when_it_is_met_in_a_read_or_by_a_seek",
    ),
    mutant(
        "seal on after a chunk that did not go out",
        "two chunks under one key and nonce, which give each other away",
        "safefs/age/sealing.py",
        "            self.abandon()\n            raise\n",
        "            self._number -= 1\n            raise\n",
        "tests/test_age_streams.py::test_after_a_chunk_that_did_not_go_out_in_full_no_other_is_sealed_in_its_place",
    ),
    mutant(
        "show what is hidden",
        "a key stands in a log, or in the report of an error",
        "safefs/age/hidden.py",
        '        return "***"\n',
        "        return repr(self.reveal())\n",
        "tests/test_age_keys.py::test_no_error_shows_a_key_nor_does_a_frame_that_it_came_through",
    ),
    mutant(
        "pickle what holds a key",
        "a key travels to another process, or to a cache on the disk",
        "safefs/age/hidden.py",
        '        raise TypeError(f"{type(self).__name__} holds a key, and is neither pickled nor copied")\n',
        "        return super().__reduce_ex__(2)  # type: ignore[misc]\n",
        "tests/test_age_keys.py::test_what_holds_a_key_is_not_pickled_nor_copied",
    ),
)

KEYS = (
    mutant(
        "trust any keyring with a key",
        "the key lies in a plain file of keyrings.alt, or nowhere",
        "safefs/secrets/keyrings.py",
        "    if name in known and name in REAL:\n",
        "    if name in known:\n",
        "tests/test_keyrings.py::test_any_other_is_refused_and_given_nothing[keyrings.alt.file.PlaintextKeyring]",
    ),
    mutant(
        "make another key where the first is gone",
        "what was sealed for the first cannot be opened, and nobody is told why",
        "safefs/secrets/installation.py",
        "            self._remember(folder, store, identities, reason)\n            if reason:\n",
        "            if reason:\n",
        "tests/test_keys.py::test_a_key_that_is_gone_is_an_error_and_no_second_one_is_made[file]",
    ),
    mutant(
        "take whatever key is there",
        "a key that somebody put in its place is used, and he reads what is sealed from then on",
        "safefs/secrets/installation.py",
        "    if not _holds(identities, kept):\n        raise _gone",
        "    if False:\n        raise _gone",
        "tests/test_keys.py::test_another_key_in_its_place_is_an_error",
    ),
    mutant(
        "read a key file that others can read",
        "the key is known to others, and goes on being used",
        "safefs/secrets/keyfile.py",
        "    if mode & _OTHERS:\n",
        "    if False:\n",
        "tests/test_keys.py::test_a_file_that_is_not_its_owners_alone_is_refused[others may read it-installation.key]",
    ),
    mutant(
        "make the first key without a lock",
        "processes that start at once have different keys, or fail",
        "safefs/secrets/installation.py",
        "                with self._lock():\n                    folder.sweep()\n",
        "                if folder:\n                    folder.sweep()\n",
        "tests/test_first_run.py::test_sixteen_processes_at_once_have_one_key_and_leave_nothing_else[keyring]",
    ),
    mutant(
        "retire no key",
        "after a rotation nothing opens that was sealed before it",
        "safefs/secrets/holder.py",
        "    return joined([X25519Identity.generate()], before)\n",
        "    return joined([X25519Identity.generate()], before[:0])\n",
        "tests/test_keys.py::test_after_a_rotation_old_files_open_and_new_ones_are_of_the_new_key[file]",
    ),
    mutant(
        "bind a key to a name on its way to the file",
        "a report of an error that is met there shows the key",
        "safefs/secrets/stores.py",
        "        encrypt(BytesIO(text.reveal()), sealed, [recipient])\n",
        "        plain = text.reveal()\n        encrypt(BytesIO(plain), sealed, [recipient])\n",
        "tests/test_key_traces.py::test_no_call_that_fails_shows_a_key_in_its_error_or_in_a_frame_that_it_came_through[passphrase-fails]",
    ),
)
