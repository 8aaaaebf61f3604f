"""The header of an age file: to whom the file key is wrapped, and a MAC by that key.

Parsing is strict: of each header there is one spelling, and what is not it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hmac import compare_digest
from typing import TYPE_CHECKING

from safefs.age import unpadded
from safefs.age.primitives import authenticated, derived
from safefs.errors import SealedFileError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from safefs.age.hidden import Hidden
    from safefs.age.sources import Source

_BRAND = b"age-encryption.org/"
_VERSION = _BRAND + b"v1\n"
_STANZA, _END = b"-> ", b"---"
_COLUMNS = 64
_END_LINE = len(_END) + 1 + 43 + 1  # with the 43 letters of a MAC, and LF

# More than ten thousand recipients. The format has no limit, but a reader of foreign files needs
# one: nothing says where a header ends but the header.
MAX_HEADER = 1 << 20

SCRYPT = "scrypt"


@dataclass(frozen=True)
class Stanza:
    """The file key, wrapped for one recipient: whose kind is the first of ``args``.

    ValueError for what no header can hold.
    """

    args: tuple[str, ...]
    body: bytes

    def __post_init__(self) -> None:
        if not self.args or not all(_is_argument(each) for each in self.args):
            raise ValueError(f"arguments of a stanza are visible ASCII: {self.args!r}")

    def encode(self) -> bytes:
        text = unpadded.encoded(self.body)
        # A last line is shorter than the others: after full ones it is empty.
        lines = [text[at : at + _COLUMNS] for at in range(0, len(text) + 1, _COLUMNS)]
        return b"\n".join([_STANZA + " ".join(self.args).encode("ascii"), *lines, b""])


@dataclass(frozen=True)
class Header:
    """``covered`` are the bytes that ``mac`` is of; ``length`` is that of the whole header."""

    stanzas: tuple[Stanza, ...]
    covered: bytes = field(repr=False)
    mac: bytes = field(repr=False)

    @classmethod
    def made(cls, stanzas: Iterable[Stanza], file_key: Hidden) -> Header:
        """ValueError for none, and for a passphrase beside anything else."""
        all_of_them = tuple(stanzas)
        if not all_of_them:
            raise ValueError("a file is sealed for one recipient at least")
        if _is_mixed(all_of_them):
            raise ValueError("a file that a passphrase opens is sealed for nothing else")
        covered = b"".join([_VERSION, *(each.encode() for each in all_of_them), _END])
        return cls(all_of_them, covered, _mac(file_key, covered))

    @property
    def length(self) -> int:
        return len(self.covered) + _END_LINE - len(_END)

    def encode(self) -> bytes:
        return self.covered + b" " + unpadded.encoded(self.mac) + b"\n"

    def check(self, file_key: Hidden) -> None:
        """SealedFileError, of the MAC, for a header that who has the key did not make."""
        if not compare_digest(_mac(file_key, self.covered), self.mac):
            raise SealedFileError(SealedFileError.MAC, "the header was changed")


def read_header(source: Source) -> Header:
    """The header that ``source`` begins with, and not a byte further; or SealedFileError."""
    lines = _Lines(source)
    _check_version(lines)
    stanzas: list[Stanza] = []
    line = lines.next()
    while line.startswith(_STANZA):
        stanzas.append(Stanza(_arguments(line), _body(lines)))
        line = lines.next()
    if not stanzas:
        raise wrong_header("it has no stanza where the first should be")
    mac = _parsed_mac(line)
    if _is_mixed(stanzas):
        raise wrong_header("a passphrase opens it, and something else does too")
    return Header(tuple(stanzas), b"".join([*lines.taken[:-1], _END]), mac)


def wrong_header(reason: str) -> SealedFileError:
    return SealedFileError(SealedFileError.HEADER, reason)


class _Lines:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = MAX_HEADER
        self.taken: list[bytes] = []

    def take(self, longest: int = MAX_HEADER) -> bytes:
        """With its LF, if it has one."""
        line = self._source.line(min(longest, self._left))
        self._left -= len(line)
        if not self._left:
            raise wrong_header(f"it is longer than {MAX_HEADER} bytes")
        self.taken.append(line)
        return line

    def next(self) -> bytes:
        """Without its LF."""
        line = self.take()
        if not line.endswith(b"\n"):
            raise wrong_header("a line has no end")
        return line[:-1]


def _check_version(lines: _Lines) -> None:
    """Before anything else, and of a few bytes: most files that are no age files end here."""
    if lines.take(len(_VERSION)) != _VERSION:
        raise wrong_header("it is no age file, or one of another version than v1")


def _arguments(line: bytes) -> tuple[str, ...]:
    try:
        args = tuple(line.removeprefix(_STANZA).decode("ascii").split(" "))
    except UnicodeDecodeError:
        args = ()
    if not args or not all(_is_argument(each) for each in args):
        raise wrong_header("the arguments of a stanza are not visible ASCII, a space between two")
    return args


def _is_argument(text: str) -> bool:
    return bool(text) and all("!" <= letter <= "~" for letter in text)


def _body(lines: _Lines) -> bytes:
    pieces: list[bytes] = []
    while True:
        line = lines.next()
        piece = unpadded.decoded(line)
        if piece is None or len(line) > _COLUMNS:
            raise wrong_header("the body of a stanza is not base 64 in lines of 64 columns")
        pieces.append(piece)
        if len(line) < _COLUMNS:
            return b"".join(pieces)


def _parsed_mac(line: bytes) -> bytes:
    mark, space, text = line.partition(b" ")
    mac = unpadded.decoded(text)
    if mark != _END or not space or mac is None or len(mac) != 32:
        raise wrong_header("it ends without a MAC, or a stanza without its last line")
    return mac


def _is_mixed(stanzas: Iterable[Stanza]) -> bool:
    kinds = [each.args[0] for each in stanzas]
    return SCRYPT in kinds and len(kinds) > 1


def _mac(file_key: Hidden, covered: bytes) -> bytes:
    return authenticated(derived(file_key, b"", b"header"), covered)
