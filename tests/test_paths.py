"""Gate 1: text becomes a RelPath once, or is refused; no file system is asked."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safefs.errors import EscapeError, InvalidPathError, SafefsError
from safefs.paths import RelPath, unportable

_NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
_SURROGATES = [chr(0xD800), "a/" + chr(0xDFFF) + chr(0xD800), chr(0xDC7F)]
_BYTES = st.binary().filter(lambda raw: b"\0" not in raw and raw[:1] != b"/")


class LyingStr(str):
    """A str whose every method says something harmless."""

    __slots__ = ()

    def __str__(self) -> str:
        return "harmless"

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"harmless"

    def startswith(self, *_: object) -> bool:
        return False

    def __getitem__(self, key: object) -> str:
        return "h"

    def __contains__(self, key: object) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


class LyingBytes(bytes):
    """The same for bytes."""

    def __bytes__(self) -> bytes:
        return b"harmless"

    def __getitem__(self, key: object) -> bytes:  # type: ignore[override]
        return b"h"

    def __contains__(self, key: object) -> bool:
        return False

    def startswith(self, *_: object) -> bool:
        return False


class Gives:
    """An os.PathLike that gives whatever it was made with."""

    def __init__(self, given: object) -> None:
        self.given = given

    def __fspath__(self) -> str:
        return self.given  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("a/b", b"a/b"),
        (b"a/b", b"a/b"),
        (PurePosixPath("a/b"), b"a/b"),
        ("", b""),
        (".", b"."),
        ("a/../b", b"a/../b"),
        ("a//b/", b"a//b/"),
        ("\u00e9", b"\xc3\xa9"),
        ("\udcff", b"\xff"),
        (b"\xff\xfe", b"\xff\xfe"),
        ("a\nb", b"a\nb"),
    ],
)
def test_a_path_is_kept_byte_for_byte(path: str | bytes, raw: bytes) -> None:
    assert RelPath.parse(path).raw == raw


@pytest.mark.parametrize(
    "path", [0, 3, -1, True, None, 1.5, [], ["a"], {"a"}, object(), bytearray(b"a")]
)
def test_what_is_no_path_is_a_type_error(path: object) -> None:
    with pytest.raises(TypeError):
        RelPath.parse(path)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [0, None, ["a"], bytearray(b"a"), PurePosixPath("a")])
def test_a_pathlike_that_gives_no_text_is_a_type_error(given: object) -> None:
    with pytest.raises(TypeError):
        RelPath.parse(Gives(given))


def test_a_class_that_only_looks_like_a_str_is_a_type_error() -> None:
    class NoStr:
        def __str__(self) -> str:
            return "a"

        def encode(self) -> bytes:
            return b"a"

    with pytest.raises(TypeError):
        RelPath.parse(NoStr())  # type: ignore[arg-type]


def test_a_lying_str_is_read_for_its_true_content() -> None:
    path = RelPath.parse(LyingStr("a/b"))
    assert path.raw == b"a/b"
    assert type(path.shown) is str
    assert path.shown == "a/b"


def test_lying_bytes_are_read_for_their_true_content() -> None:
    path = RelPath.parse(LyingBytes(b"a/b"))
    assert path.raw == b"a/b"
    assert type(path.raw) is bytes
    assert type(path.shown) is bytes


@pytest.mark.parametrize("kind", [str, LyingStr, lambda text: LyingBytes(text.encode()), Gives])
def test_no_liar_gets_an_absolute_path_past_the_gate(kind: type[str]) -> None:
    with pytest.raises(EscapeError):
        RelPath.parse(kind("/outside"))


@pytest.mark.parametrize("kind", [str, LyingStr, lambda text: LyingBytes(text.encode()), Gives])
def test_no_liar_gets_a_nul_past_the_gate(kind: type[str]) -> None:
    with pytest.raises(InvalidPathError):
        RelPath.parse(kind("a\0b"))


def test_a_pathlike_is_asked_once() -> None:
    class Changing:
        def __init__(self) -> None:
            self.answers = ["a", "/outside"]

        def __fspath__(self) -> str:
            return self.answers.pop(0)

    assert RelPath.parse(Changing()).raw == b"a"


@pytest.mark.parametrize("path", ["a\0", "\0", "a.txt\0.png", b"a\0b", "a\0/../../outside"])
def test_a_nul_is_an_invalid_path(path: str | bytes) -> None:
    with pytest.raises(InvalidPathError) as caught:
        RelPath.parse(path)
    assert isinstance(caught.value, ValueError)
    assert not isinstance(caught.value, OSError)
    assert caught.value.path == path


@pytest.mark.parametrize("path", _SURROGATES)
def test_text_that_cannot_be_encoded_is_an_invalid_path(path: str) -> None:
    with pytest.raises(InvalidPathError) as caught:
        RelPath.parse(path)
    assert caught.value.path == path
    assert "encod" in caught.value.reason


@pytest.mark.parametrize("path", ["/", "//", "/a", "//a", "///", b"/", b"/a", PurePosixPath("/a")])
def test_an_absolute_path_is_an_escape_and_told_how_to_mend_it(path: str | bytes) -> None:
    with pytest.raises(EscapeError, match="leave out the first '/'") as caught:
        RelPath.parse(path)
    assert caught.value.reason == EscapeError.ABSOLUTE_PATH
    assert caught.value.filename == os.fspath(path)


def test_a_nul_in_an_absolute_path_is_told_first() -> None:
    with pytest.raises(InvalidPathError):
        RelPath.parse("/a\0")


@given(path=_BYTES)
def test_any_bytes_go_through_as_they_are(path: bytes) -> None:
    parsed = RelPath.parse(path)
    assert parsed.raw == path
    assert os.fsencode(parsed.text) == path
    assert RelPath.parse(parsed.text) == parsed
    assert hash(RelPath.parse(parsed.text)) == hash(parsed)


@given(path=st.text(st.characters(codec=None)))
def test_any_text_is_parsed_or_refused_and_never_changed(path: str) -> None:
    try:
        parsed = RelPath.parse(path)
    except SafefsError:
        assert path.startswith("/") or "\0" in path or any("\ud800" <= c <= "\udfff" for c in path)
    else:
        assert os.fsdecode(parsed.raw) == path
        assert parsed.shown == path


@given(names=st.lists(_NAMES, max_size=5), slashes=st.integers(0, 3))
def test_split_gives_the_parent_the_last_name_and_the_slash(names: list[str], slashes: int) -> None:
    raw = "/".join(names).encode() + b"/" * slashes
    if raw[:1] == b"/":
        raw = b"." + raw
    parent, last, slash = RelPath(raw, raw).split()
    assert b"/" not in last
    assert parent == b"" or parent.endswith(b"/")
    assert slash == raw.endswith(b"/")
    assert parent + last == raw.rstrip(b"/")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"a", (b"", b"a", False)),
        (b"a/b", (b"a/", b"b", False)),
        (b"a//b", (b"a//", b"b", False)),
        (b"a/b/c/", (b"a/b/", b"c", True)),
        (b"a///", (b"", b"a", True)),
        (b"..", (b"", b"..", False)),
        (b"a/.", (b"a/", b".", False)),
        (b"", (b"", b"", False)),
    ],
)
def test_split(raw: bytes, expected: tuple[bytes, bytes, bool]) -> None:
    assert RelPath(raw, raw).split() == expected


@pytest.mark.parametrize(
    ("path", "joined"), [("", b"x"), (".", b"x"), ("a", b"a/x"), ("a/", b"a/x"), ("a//", b"a/x")]
)
def test_join_adds_one_name(path: str, joined: bytes) -> None:
    assert RelPath.parse(path).join(b"x").raw == joined
    assert RelPath.parse(path).join(b"x").shown == joined.decode()
    assert RelPath.parse(path.encode()).join(b"x").shown == joined


def test_names_are_the_components_with_their_dots() -> None:
    assert RelPath.parse("./a//../b/").names == [b".", b"a", b"..", b"b"]
    assert RelPath.parse("").names == []


def test_answers_come_in_the_type_of_the_question() -> None:
    assert RelPath.parse("a").decode(b"\xff") == "\udcff"
    assert RelPath.parse(b"a").decode(b"\xff") == b"\xff"


def test_a_path_shows_and_compares_itself() -> None:
    assert repr(RelPath.parse("a b")) == "RelPath('a b')"
    assert RelPath.parse("a") == RelPath.parse(b"a")
    assert RelPath.parse("a") != RelPath.parse("a/")
    assert RelPath.parse("a") != "a"


def test_an_old_fashioned_locale_encodes_as_the_file_system_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from safefs import paths

    monkeypatch.setattr(paths, "_UTF8", False)
    assert RelPath.parse("\u00e9").raw == os.fsencode("\u00e9")
    assert RelPath.parse("\udcff").raw == b"\xff"
    with pytest.raises(InvalidPathError):
        RelPath.parse("\ud800")


_PORTS = [f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789\u00b9\u00b2\u00b3"]
_DEVICES = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", *_PORTS]


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_dots_are_no_portable_name(name: str) -> None:
    assert unportable(name)


@pytest.mark.parametrize("char", [*'<>:"/\\|?*', *map(chr, range(32))])
def test_a_reserved_character_is_not_portable(char: str) -> None:
    assert unportable(f"a{char}b")
    assert unportable(char)


@pytest.mark.parametrize("name", ["a.", "a ", "a. ", "a .", "...", " ", ". ", "a.txt."])
def test_a_dot_or_space_at_the_end_is_not_portable(name: str) -> None:
    assert unportable(name)


@pytest.mark.parametrize("device", _DEVICES)
def test_a_device_is_not_portable_in_any_case_or_with_any_extension(device: str) -> None:
    for name in (device, device.lower(), device.title(), f"{device}.txt", f"{device}.tar.gz"):
        assert unportable(name), name
    assert unportable(f"{device} .txt")


@pytest.mark.parametrize(
    "name",
    ["CONS", "NULL", "COM", "COM10", "LPT", "XCON", "CON-1", "a.CON", "CON1.txt", "COM\u2074"],
)
def test_what_only_resembles_a_device_is_portable(name: str) -> None:
    assert unportable(name) is None


@pytest.mark.parametrize("name", [*_SURROGATES, os.fsdecode(b"\xff")])
def test_a_lone_surrogate_is_not_portable(name: str) -> None:
    assert unportable(name)


@pytest.mark.parametrize(
    ("name", "portable"),
    [
        ("n" * 255, True),
        ("n" * 256, False),
        ("\u00e9" * 255, True),
        ("\U0001f600" * 127, True),  # two UTF-16 units each
        ("\U0001f600" * 128, False),
    ],
)
def test_a_portable_name_has_at_most_255_utf16_units(name: str, portable: bool) -> None:
    assert (unportable(name) is None) == portable


@pytest.mark.parametrize("name", ["a", "a.b", ".a", "a b", " a", "\u00e9", "a~1", "#", "-rf", "~"])
def test_an_ordinary_name_is_portable(name: str) -> None:
    assert unportable(name) is None


@given(name=_NAMES)
def test_a_portable_name_holds_nothing_that_windows_would_strip(name: str) -> None:
    if unportable(name) is None:
        assert name == name.rstrip(". ")
        assert not set(name) & set('<>:"/\\|?*')
        assert name.split(".")[0].upper() not in _DEVICES
