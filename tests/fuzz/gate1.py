"""Gate 1 over arbitrary text and bytes: only the documented errors, and never another byte.

Each check is stated anew, by other means than the code it judges.
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from functools import cache
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Any

from safefs.errors import EscapeError, InvalidPathError, SafefsError
from safefs.paths import RelPath, encode, settled, unportable
from safefs.patterns import Pattern, fixed_parts, is_magic, parts_of
from safefs.testing import hostile
from safefs.testing.oracle import Directory, resolve

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 512
_DOTS = (b".", b"..")
_MOST_PARTS = 8  # of a pattern: the judge tries every way


class _Path:
    """An os.PathLike."""

    def __init__(self, text: str | bytes) -> None:
        self.text = text

    def __fspath__(self) -> str | bytes:
        return self.text


class _Deceiving(str):
    """A str whose own methods tell lies, as safefs must never ask them."""

    __slots__ = ()

    def encode(self, encoding: str = "", errors: str = "") -> bytes:
        return b"deceived"

    def startswith(self, *_: object) -> bool:
        return False

    def __contains__(self, _: object) -> bool:
        return False


def _wide(body: bytes) -> str:
    return body[: len(body) // 2 * 2].decode("utf-16-le", "surrogatepass")


_FORMS: tuple[Callable[[bytes], str | bytes], ...] = (
    lambda body: body.decode("utf-8", "surrogateescape"),
    _wide,
    lambda body: body,
    lambda body: body.decode("utf-8", "replace"),
)


def seeds() -> list[bytes]:
    """The vocabulary of hostile paths, as text and as bytes, and a few patterns."""
    words = [word for table in vars(hostile).values() if isinstance(table, tuple) for word in table]
    texts = [b"\0" + word.encode("utf-8", "surrogatepass") for word in words]
    patterns = [b"\0" + pattern for pattern in (b"a*/**\na/b/c", b"**/[a-c]?\nd/ab", b"[!a]\nb")]
    return texts + [b"\2" + text[1:] for text in texts] + patterns


def run(data: bytes) -> None:
    """Every function of gate 1, over the one text that ``data`` means."""
    text = _FORMS[data[0] % len(_FORMS)](data[1 : LONGEST + 1]) if data else ""
    raw = _bytes_of(text)
    _check_encode(text, raw)
    _check_parse(text, raw)
    _check_one_name(text, raw)
    if isinstance(text, str):
        _check_unportable(text)
        _check_patterns(text)


def _bytes_of(text: str | bytes) -> bytes | None:
    """What the kernel must be given, or None where no path can be made of the text."""
    try:
        raw = os.fsencode(text)
    except UnicodeEncodeError:
        return None
    return None if 0 in raw else raw


def _check_encode(text: str | bytes, raw: bytes | None) -> None:
    answer = _tried(encode, text)
    if raw is None:
        assert isinstance(answer, InvalidPathError), "took for a path what is none"
        assert answer.path == text
    else:
        assert answer == (raw, text), "another path"


def _check_parse(text: str | bytes, raw: bytes | None) -> None:
    given = [text, _Path(text), *([_Deceiving(text)] if isinstance(text, str) else [])]
    for one in given:
        answer = _tried(RelPath.parse, one)
        if raw is None:
            assert isinstance(answer, InvalidPathError), "took for a path what is none"
        elif raw.startswith(b"/"):
            assert isinstance(answer, EscapeError), "let an absolute path pass"
            assert answer.reason == EscapeError.ABSOLUTE_PATH
        else:
            assert isinstance(answer, RelPath), "refused what is a path"
            assert answer.raw == raw, "another path"
            assert (type(answer.shown), answer.shown) == (type(text), text)
            _check_parts(answer)


def _tried(function: Callable[[Any], object], given: object) -> object:
    """What a function answers, or the documented error that it raises."""
    try:
        return function(given)
    except (InvalidPathError, EscapeError) as error:
        return error


def _check_parts(path: RelPath) -> None:
    before, last, slash = path.split()
    assert path.raw.rstrip(b"/") == before + last
    assert slash == path.raw.endswith(b"/")
    assert b"/" not in last
    assert before in (b"", before.rstrip(b"/") + b"/" * (len(before) - len(before.rstrip(b"/"))))
    assert path.names == [name for name in path.raw.replace(b"//", b"/").split(b"/") if name]
    assert os.fsencode(path.text) == path.raw
    assert os.fsencode(path.join(b"end").shown) == path.join(b"end").raw
    assert path.join(b"end").names in (
        [*path.names, b"end"],
        *([[b"end"]] if path.raw in (b"", b".") else []),
    )
    _check_settled(path.names)


# a/b, and nothing else: where names settle there are directories, and no links.
_TREE = Directory({"a": Directory({"b": Directory()})})


def _leads(names: list[bytes]) -> bool:
    verdict = resolve(_TREE, os.fsdecode(b"/".join(names)))
    if verdict.error == "escape":
        raise EscapeError(None)
    return verdict.node is not None


def _check_settled(names: list[bytes]) -> None:
    try:
        there, new = settled(names, _leads)
    except EscapeError:
        return
    assert _leads(there)
    assert len(there) + len(new) <= len(names)
    undone = [at for at, name in enumerate(new[1:]) if name in _DOTS and new[at] not in _DOTS]
    assert not undone, "a name to be made before a '..' that undoes it"


def _check_one_name(text: str | bytes, raw: bytes | None) -> None:
    answer = _tried(RelPath.one_name, text)
    if raw is not None and b"/" not in raw and raw not in (b"", *_DOTS):
        assert isinstance(answer, RelPath), "refused what is one name"
        assert answer.raw == raw
    else:
        assert isinstance(answer, SafefsError), "took for one name what is none"


def _check_unportable(text: str) -> None:
    if unportable(text) is not None:
        return
    windows = PureWindowsPath(text)
    assert windows.parts == (text,), "Windows sees more than one name"
    assert windows.drive == ""
    assert len(text.encode("utf-16-le")) <= 510
    assert text[-1] not in ". "


def _check_patterns(text: str) -> None:
    pattern, _, path = text.partition("\n")
    parts = parts_of(pattern)
    names = [name for name in path.split("/") if name]
    assert "" not in parts
    assert not any(map(is_magic, parts[: fixed_parts(parts)]))
    if len(parts) > _MOST_PARTS or len(names) > _MOST_PARTS:
        return
    for is_dir in (True, False):
        wanted = _matches(tuple(parts), tuple(names), is_dir=is_dir)
        assert _stepped(parts, names, is_dir=is_dir) == wanted, f"{pattern!r} on {names}"


def _stepped(parts: list[str], names: list[str], *, is_dir: bool) -> bool:
    pattern = Pattern(parts)
    states = pattern.start()
    ended = pattern.is_end(states) and is_dir
    for at, name in enumerate(names):
        last = at == len(names) - 1
        ended, states = pattern.step(states, name, is_dir=is_dir or not last)
    return ended


@cache
def _matches(parts: tuple[str, ...], names: tuple[str, ...], *, is_dir: bool) -> bool:
    """Every way to share the names out among the parts, tried one after another."""
    if not names:
        return is_dir and all(part == "**" for part in parts)
    if not parts:
        return False
    first, rest = parts[0], parts[1:]
    if first != "**":
        fits = fnmatchcase(names[0], first) if is_magic(first) else names[0] == first
        return fits and _rest(rest, names[1:], is_dir=is_dir)
    return _matches(rest, names, is_dir=is_dir) or any(
        _rest(rest, names[taken:], is_dir=is_dir) for taken in range(1, len(names) + 1)
    )


def _rest(parts: tuple[str, ...], names: tuple[str, ...], *, is_dir: bool) -> bool:
    return not parts if not names and not is_dir else _matches(parts, names, is_dir=is_dir)
