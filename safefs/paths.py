"""Gate 1: untrusted text becomes a ``RelPath`` once, and is never parsed again.

Nothing here touches a file system. What a path means is the kernel's business (gate 2); here it is
only made sure that the text is one the kernel will read as it was written: exactly ``str`` or
``bytes``, encodable, without NUL, and not absolute.
"""

from __future__ import annotations

import os
import sys

from safefs.audit import refused
from safefs.errors import EscapeError, InvalidPathError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    StrOrBytesPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]

_new = object.__new__
# str.encode() is four times as fast as os.fsencode, and the same where the file system speaks
# UTF-8, which is everywhere but under an old-fashioned locale.
_UTF8 = sys.getfilesystemencoding().lower().replace("-", "") == "utf8"


class RelPath:
    """A path beneath some root: bytes for the kernel, and the caller's own spelling for messages.

    Immutable by convention. Components are kept as they came, ``..`` and doubled slashes
    included: only the kernel knows what they mean.
    """

    __slots__ = ("raw", "shown")

    def __init__(self, raw: bytes, shown: str | bytes) -> None:
        self.raw = raw
        self.shown = shown

    @staticmethod
    def parse(path: StrOrBytesPath) -> RelPath:
        """Check untrusted text and coerce it, once.

        Raises ``TypeError`` for anything but str, bytes and os.PathLike (an int is a descriptor to
        ``os``, and not to us); ``InvalidPathError`` for NUL and for text that the file system's
        encoding cannot hold; ``EscapeError`` for an absolute path. A subclass of str or bytes is
        read for its true content: its own methods are never asked.
        """
        if type(path) is str:
            parsed = _new(RelPath)  # not by __init__, which costs half as much again
            parsed.raw = raw_of(path)
            parsed.shown = path
            return parsed
        raw, text = encode(path)
        if raw[:1] == b"/":
            raise refused(EscapeError(text, None, EscapeError.ABSOLUTE_PATH))
        return RelPath(raw, text)

    @classmethod
    def one_name(cls, name: StrOrBytesPath) -> RelPath:
        """Untrusted text that must be exactly one component, else ``InvalidPathError``."""
        path = cls.parse(name)
        if b"/" in path.raw or path.raw in (b"", b".", b".."):
            raise refused(InvalidPathError(path.shown, "the name is not exactly one component"))
        return path

    def __repr__(self) -> str:
        if not hasattr(self, "shown"):  # half made, as a traceback may show it
            return f"<{type(self).__name__}>"
        return f"RelPath({self.shown!r})"

    def __eq__(self, other: object) -> bool:
        return self.raw == other.raw if isinstance(other, RelPath) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.raw)

    @property
    def text(self) -> str:
        """The path as str; bytes that are no text come as surrogate escapes."""
        return os.fsdecode(self.raw)

    @property
    def names(self) -> list[bytes]:
        """The components without the empty ones; ``.`` and ``..`` are kept."""
        return [name for name in self.raw.split(b"/") if name]

    def split(self) -> tuple[bytes, bytes, bool]:
        """(what comes before the last component, the last component, whether a slash follows it).

        >>> RelPath.parse("a/b/c/").split()
        (b'a/b/', b'c', True)
        """
        bare = self.raw.rstrip(b"/")
        cut = bare.rfind(b"/") + 1
        return bare[:cut], bare[cut:], len(bare) != len(self.raw)

    def join(self, name: bytes) -> RelPath:
        """This path with one more component, shown as the caller would have written it."""
        raw = b"/".join((self.raw.rstrip(b"/"), name)) if self.raw not in (b"", b".") else name
        return RelPath(raw, raw if isinstance(self.shown, bytes) else os.fsdecode(raw))

    def decode(self, name: bytes) -> str | bytes:
        """``name`` in the caller's type: bytes for one who gave bytes, as ``os`` does."""
        return name if isinstance(self.shown, bytes) else os.fsdecode(name)


def raw_of(text: str) -> bytes:
    """``RelPath.parse`` of exactly a str, for who makes no RelPath of it: the bytes alone."""
    try:
        raw = text.encode() if _UTF8 else os.fsencode(text)
    except UnicodeEncodeError:
        raw = _encoded(text)
    if "\0" in text:  # in the str: the same question to bytes costs seven times as much
        raise _holds_nul(text)
    if raw[:1] == b"/":
        raise refused(EscapeError(text, None, EscapeError.ABSOLUTE_PATH))
    return raw


def coerced(path: StrOrBytesPath | RelPath) -> RelPath:
    """``RelPath.parse`` of what may be a RelPath already."""
    return path if type(path) is RelPath else RelPath.parse(path)  # type: ignore[arg-type]


def encode(path: StrOrBytesPath) -> tuple[bytes, str | bytes]:
    """(the bytes for the kernel, the exact str or bytes they came as); absolute paths too.

    ctypes and the kernel end a string at NUL, so this check is what stands between ``a.txt`` and
    ``a.txt\\0.png``. Raises as ``RelPath.parse`` does.
    """
    text = _exactly(path)
    raw = _encoded(text) if isinstance(text, str) else text
    if b"\0" in raw:
        raise _holds_nul(text)
    return raw, text


def _holds_nul(text: str | bytes) -> InvalidPathError:
    return refused(InvalidPathError(text, "a path holds no NUL"))


def _exactly(path: StrOrBytesPath) -> str | bytes:
    text = os.fspath(path)
    if isinstance(text, str):
        return str.__str__(text)
    return bytes.__getitem__(text, slice(None))


def _encoded(text: str) -> bytes:
    try:
        return text.encode() if _UTF8 else os.fsencode(text)
    except UnicodeEncodeError:
        pass
    try:
        return os.fsencode(text)
    except UnicodeEncodeError:
        raise refused(
            InvalidPathError(text, "the file system's encoding cannot hold this text")
        ) from None


def settled(
    names: list[bytes], leads: Callable[[list[bytes]], bool]
) -> tuple[list[bytes], list[bytes]]:
    """(the names that lead to what exists, the names still to be made there).

    Among directories still to be made, which are no links, each ``..`` undoes the name before it;
    elsewhere only the kernel knows. So ``leads`` is asked there whether names lead to something; it
    raises where they may not, and is asked of a name that is too long wherever it stands.

    >>> settled([b"new", b"..", b"old", b"newer"], lambda names: names == [b"old"])
    ([b'old'], [b'newer'])
    """
    there, new, _ = _settled(names, leads)
    return there, new


def made_and_left(
    names: list[bytes], leads: Callable[[list[bytes]], bool]
) -> list[tuple[list[bytes], list[bytes]]]:
    """Of the directories that are made for these names, each by itself, those that ``..`` leaves.

    Each as ``settled`` gives it: (what there is, the names made in it).

    >>> made_and_left([b"new", b"..", b"old", b"newer"], lambda names: names == [b"old"])
    [([], [b'new'])]
    """
    there, new, made = _settled(names, leads)
    return [(base, below) for base, below in made if base != there or below != new[: len(below)]]


def _settled(
    names: list[bytes], leads: Callable[[list[bytes]], bool]
) -> tuple[list[bytes], list[bytes], list[tuple[list[bytes], list[bytes]]]]:
    """And third, whatever is made on the way, in this order."""
    deepest = _deepest(names, leads)
    there = names[:deepest]
    new: list[bytes] = []
    made = []
    for name in names[deepest:]:
        if new and name in (b".", b".."):
            new = new[:-1] if name == b".." else new
        elif new and len(name) <= _LONGEST_IN_BYTES:
            new.append(name)
            made.append((list(there), list(new)))
        elif leads([*there, name]) and not new:
            there.append(name)
        else:
            new.append(name)
            made.append((list(there), list(new)))
    return there, new, made


def _deepest(names: list[bytes], leads: Callable[[list[bytes]], bool]) -> int:
    """How many of the names lead to something, in few questions: each costs the whole way."""
    least, most = 0, len(names)
    while least < most:
        middle = (least + most + 1) // 2
        if leads(names[:middle]):
            least = middle
        else:
            most = middle - 1
    return least


_LONGEST_IN_BYTES = 255  # what every file system takes, and most no more
_RESERVED = frozenset('<>:"/\\|?*') | frozenset(map(chr, range(32)))
_DIGITS = "0123456789\u00b9\u00b2\u00b3"  # Windows reads the superscripts as digits here
_DEVICES = frozenset({"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}) | {
    port + digit for port in ("COM", "LPT") for digit in _DIGITS
}
_LONGEST = 255  # UTF-16 code units: NTFS, APFS and exFAT


def unportable(name: str) -> str | None:
    """Why Windows or macOS would refuse or change this one name, or None where neither would.

    From Microsoft's "Naming Files, Paths, and Namespaces": reserved characters, a trailing dot or
    space, and the names of devices, which stand in every directory and keep their meaning with any
    extension (``NUL.txt``) and with spaces before it.
    """
    if name in ("", ".", ".."):
        return "it is no name"
    for char in name:
        if char in _RESERVED:
            return f"it holds {char!r}"
        if "\ud800" <= char <= "\udfff":
            return "it is no Unicode text"
    if name[-1] in ". ":
        return "it ends in a dot or a space"
    if name.split(".", 1)[0].rstrip(" ").upper() in _DEVICES:
        return "it is the name of a device"
    if len(name.encode("utf-16-le")) > 2 * _LONGEST:
        return f"it is longer than {_LONGEST} UTF-16 units"
    return None
