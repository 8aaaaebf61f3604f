"""What thinks in the bridge: paths of URLs, ranges, origins, words of tokens. Nothing is served."""

from __future__ import annotations

import pytest

from safefs.bridge import browsers, callers, targets, verbs
from safefs.bridge.browsers import ForeignError, Origins, checked_origins
from safefs.bridge.ranges import Span, UnsatisfiableError, span_of
from safefs.bridge.targets import BadTargetError, ElsewhereError, Target
from safefs.secrets.grant import Grant
from safefs.secrets.scope import Scope

HOSTS = frozenset({"127.0.0.1:1", "localhost:1"})

GOOD = [
    ("/", Target("", ())),
    ("/docs", Target("docs", ())),
    ("/docs/", Target("docs", (), is_directory=True)),
    ("/docs/a/b", Target("docs", ("a", "b"))),
    ("/docs/a%20b", Target("docs", ("a b",))),
    ("/docs/%252e%252e", Target("docs", ("%2e%2e",))),  # decoded once: a name as any
    ("/docs/%252fetc", Target("docs", ("%2fetc",))),
    ("/docs/a%5cb", Target("docs", ("a\\b",))),  # a letter of a name, here
    ("/docs/...", Target("docs", ("...",))),
    ("/docs/%FF", Target("docs", ("\udcff",))),
    ("/docs/%C3%A4", Target("docs", ("ä",))),
    ("/docs/C:", Target("docs", ("C:",))),
]


@pytest.mark.parametrize(("uri", "target"), GOOD)
def test_a_path_is_taken_apart_first_and_decoded_once(uri: str, target: Target) -> None:
    assert targets.parse(uri) == target


@pytest.mark.parametrize(("uri", "target"), GOOD)
def test_a_target_that_is_encoded_is_parsed_as_itself(uri: str, target: Target) -> None:
    assert targets.parse(targets.encoded(target)).words == target.words
    assert targets.from_text(target.text).words == target.words


BAD = [
    *("", "docs", "../docs", "http://127.0.0.1:1/docs", "https://127.0.0.1:1/docs", "*"),
    *("//docs", "/docs//a", "/docs/a//", "/docs/./a", "/docs/../a", "/..", "/.", "/docs/.."),
    *("/docs/%2e%2e/a", "/docs/.%2e/a", "/docs/%2E%2E", "/docs/%2e", "/%2e%2e/docs"),
    *("/docs/..%2fa", "/docs/a%2fb", "/docs/%2fetc", "/docs/a%2Fb"),
    *("/docs/%00", "/docs/a%00.txt", "/docs/%", "/docs/%4", "/docs/%zz", "/docs/%%32e"),
    *("/docs/..\\a", "\\docs", "/docs\\a", "/docs/a?b", "/docs/a#b", "/docs/a b", "/docs/ä"),
    *("/docs/a\r\nX: y", "/docs/\x7f", "/docs/" + "a" * 9000),
    "/docs/.safefs-0123456789abcdef.tmp",
]


@pytest.mark.parametrize("uri", BAD)
def test_what_names_nothing_is_no_target(uri: str) -> None:
    with pytest.raises(BadTargetError):
        targets.parse(uri)


@pytest.mark.parametrize(
    "header", ["/docs/a", "https://127.0.0.1:1/docs/a", "HTTPS://LOCALHOST:1/docs/a"]
)
def test_a_destination_is_a_path_or_a_url_of_this_server(header: str) -> None:
    assert targets.parse_destination(header, HOSTS) == Target("docs", ("a",))


@pytest.mark.parametrize(
    "header",
    [
        "http://127.0.0.1:1/docs/a",
        "https://127.0.0.1:2/docs/a",
        "https://127.0.0.1/docs/a",
        "https://example.org/docs/a",
        "https://127.0.0.1:1@example.org/docs/a",
        "https://x@127.0.0.1:1/docs/a",
        "https://127.0.0.1:1.example.org/docs/a",
        "file:///docs/a",
    ],
)
def test_a_destination_elsewhere_is_not_followed(header: str) -> None:
    with pytest.raises(ElsewhereError):
        targets.parse_destination(header, HOSTS)


@pytest.mark.parametrize("header", ["", "a", "//docs/a", "/docs/../a", "/docs/%2e%2e", "docs/a"])
def test_a_destination_that_names_nothing_is_none(header: str) -> None:
    with pytest.raises(BadTargetError):
        targets.parse_destination(header, HOSTS)


@pytest.mark.parametrize(
    ("above", "below", "is_within"),
    [
        ("/docs/a", "/docs/a", True),
        ("/docs/a", "/docs/a/b", True),
        ("/docs/a", "/docs/ab", False),
        ("/docs/a/b", "/docs/a", False),
        ("/docs", "/docs/a", True),
        ("/docs/a", "/other/a", False),
    ],
)
def test_what_lies_within_is_told_by_names(above: str, below: str, is_within: bool) -> None:
    assert targets.parse(above).contains(targets.parse(below)) is is_within


RANGES = [
    ("bytes=0-4", Span(0, 5)),
    ("bytes=5-", Span(5, 5)),
    ("bytes=-3", Span(7, 3)),
    ("bytes=-30", Span(0, 10)),
    ("bytes=8-99", Span(8, 2)),
    ("Bytes = 0-0", Span(0, 1)),
    ("bytes=0-1,3-4", None),  # the whole is as good an answer
    ("bytes=4-2", None),
    ("bytes=-", None),
    ("bytes=a-b", None),
    ("bytes=1-²", None),
    ("items=0-1", None),
    ("bytes 0-1", None),
    ("bytes=0-" + "9" * 50, None),
]


@pytest.mark.parametrize(("header", "span"), RANGES)
def test_a_range_of_ten_bytes(header: str, span: Span | None) -> None:
    assert span_of(header, 10) == span


@pytest.mark.parametrize(("header", "size"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0)])
def test_a_range_beyond_the_end_is_not_satisfied(header: str, size: int) -> None:
    with pytest.raises(UnsatisfiableError, match=rf"bytes \*/{size}"):
        span_of(header, size)


ORIGINS = Origins(HOSTS, frozenset({"https://app.example"}))
FETCH = {"HTTP_SEC_FETCH_MODE": "cors", "HTTP_SEC_FETCH_DEST": "empty"}


@pytest.mark.parametrize(
    ("said", "origin"),
    [
        ({}, None),
        ({"HTTP_HOST": "LOCALHOST:1"}, None),
        ({"HTTP_ORIGIN": "https://app.example"}, "https://app.example"),
        ({"HTTP_ORIGIN": "https://app.example", **FETCH}, "https://app.example"),
    ],
)
def test_a_client_and_a_listed_page_may_ask(said: dict[str, str], origin: str | None) -> None:
    assert ORIGINS.check({"HTTP_HOST": "127.0.0.1:1", **said}) == origin


@pytest.mark.parametrize(
    "said",
    [
        {"HTTP_ORIGIN": "https://evil.example"},
        {"HTTP_ORIGIN": "null"},  # a file, a sandboxed frame
        {"HTTP_ORIGIN": ""},
        {"HTTP_ORIGIN": "https://app.example.evil.example"},
        {"HTTP_ORIGIN": "http://app.example"},
        {"HTTP_ORIGIN": "https://APP.example"},
        {"HTTP_ORIGIN": "https://127.0.0.1:1"},  # a page that the bridge itself has served
        {"HTTP_SEC_FETCH_SITE": "cross-site"},  # an image, a link
        {"HTTP_SEC_FETCH_SITE": "none"},  # the line where addresses are typed
        {"HTTP_SEC_FETCH_SITE": "same-origin"},
        {"HTTP_SERVICE_WORKER": "script"},
        {"HTTP_ORIGIN": "https://app.example", "HTTP_SEC_FETCH_MODE": "navigate"},
        {"HTTP_ORIGIN": "https://app.example", "HTTP_SEC_FETCH_MODE": "no-cors"},
        {"HTTP_ORIGIN": "https://app.example", "HTTP_SEC_FETCH_DEST": "document"},
    ],
)
def test_all_else_of_a_browser_is_foreign(said: dict[str, str]) -> None:
    with pytest.raises(ForeignError) as refused:
        ORIGINS.check({"HTTP_HOST": "127.0.0.1:1", **said})
    assert refused.value.status == 403


@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:1", "127.0.0.1", "127.0.0.1:2", "127.0.0.1:1."]
)
def test_another_name_that_leads_here_is_misdirected(host: str) -> None:
    with pytest.raises(ForeignError) as refused:
        ORIGINS.check({"HTTP_HOST": host})
    assert refused.value.status == 421


@pytest.mark.parametrize(
    "origin", ["https://a.example", "http://localhost:5173", "tauri://localhost"]
)
def test_an_origin_is_listed_as_browsers_spell_it(origin: str) -> None:
    assert checked_origins([origin]) == {origin}


@pytest.mark.parametrize(
    "origin",
    [
        *("*", "null", "https://*", "https://a.example/", "https://a.example/x", "a.example"),
        *("https://A.example", "file://", "file://x", "https://", "://a", "https://a, https://b"),
        *("https://u@a.example", ""),
    ],
)
def test_the_origin_of_anybody_is_not_listed(origin: str) -> None:
    with pytest.raises(ValueError, match="as browsers spell it"):
        checked_origins([origin])


def test_origins_are_a_list() -> None:
    with pytest.raises(TypeError):
        checked_origins("https://a.example")


def test_every_method_that_is_answered_says_what_it_needs() -> None:
    assert set(browsers._METHODS.split(", ")) == set(verbs.NEEDS)


def grant(*words: str, path: str = "a") -> Grant:
    scope = Scope("docs", path, verbs=words)
    return Grant("id", scope, callers.AUDIENCE, 0, 1, "generation")


MAY = [
    ("GET", ("get",), True),
    ("GET", ("read",), True),
    ("GET", ("files", "write"), False),
    ("HEAD", ("read",), True),
    ("PROPFIND", ("files",), True),
    ("PROPFIND", ("get",), False),
    ("PUT", ("put",), True),
    ("PUT", ("read",), False),
    ("DELETE", ("put",), False),
    ("DELETE", ("delete",), True),
    ("MKCOL", ("make_directory",), True),
    ("MKCOL", ("put",), False),
    ("LOCK", ("read",), False),
    ("UNLOCK", ("write",), True),
    ("PROPPATCH", ("read",), False),
    ("COPY", ("read",), False),
    ("COPY", ("read", "put"), False),  # what stands there is removed for it
    ("COPY", ("read", "write"), True),
    ("MOVE", ("read", "put"), False),
    ("MOVE", ("read", "write"), True),
]


@pytest.mark.parametrize(("method", "words", "is_allowed"), MAY)
def test_a_token_is_good_for_its_words(
    method: str, words: tuple[str, ...], is_allowed: bool
) -> None:
    caller = callers.Caller({}, grant(*words))
    there = targets.parse("/docs/a/there") if verbs.NEEDS[method].destination else None
    assert caller.may(method, targets.parse("/docs/a/b"), there) is is_allowed


@pytest.mark.parametrize("uri", ["/", "/docs", "/docs/b", "/docs/ab", "/other/a", "/docs/A"])
def test_a_token_is_good_beneath_its_path(uri: str) -> None:
    caller = callers.Caller({}, grant("read", "write"))
    assert not caller.may("GET", targets.parse(uri), None)
    assert not caller.may("COPY", targets.parse("/docs/a"), targets.parse(uri))
    assert not caller.may("COPY", targets.parse(uri), targets.parse("/docs/a"))
