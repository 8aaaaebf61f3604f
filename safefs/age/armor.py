"""Reading ASCII armor: an age file as text. Strict, so that each file has one text but for space.

Lines end with LF or CR LF; space may stand before the first and behind the last, at most 1 KiB of
it. Writing it does not exist here.
"""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64
from typing import TYPE_CHECKING

from safefs.age.sources import Source
from safefs.errors import SealedFileError

if TYPE_CHECKING:
    from safefs.age.sources import Readable

_BEGIN, _END = b"-----BEGIN AGE ENCRYPTED FILE-----", b"-----END AGE ENCRYPTED FILE-----"
_COLUMNS = 64
_LONGEST = 256  # of a line, where none longer than 64 is right
_MAX_SPACE = 1024


class ArmorReader:
    """The bytes that are armored in ``stream``, as a stream. SealedFileError of the armor."""

    def __init__(self, stream: Readable) -> None:
        self._source = Source(stream)
        self._decoded = b""
        self._begun = self._short = self._ended = False

    def read(self, size: int, /) -> bytes:
        """Fewer only at the end, which has then been found to be one."""
        pieces = [self._decoded]
        held = len(self._decoded)
        while held < size and not self._ended:
            piece = self._next()
            pieces.append(piece)
            held += len(piece)
        all_of_it = b"".join(pieces)
        self._decoded = all_of_it[size:]
        return all_of_it[:size]

    def _next(self) -> bytes:
        if not self._begun:
            self._begin()
        line = _without_end(self._source.line(_LONGEST))
        if line == _END:
            self._end()
            return b""
        if self._short:
            raise _wrong("a line follows one that is shorter than 64 columns")
        self._short = len(line) < _COLUMNS
        return _decoded(line)

    def _begin(self) -> None:
        space = 0
        line = self._source.line(_LONGEST)
        while line and not line.strip(_SPACE):
            space += len(line)
            if space > _MAX_SPACE:
                raise _wrong("too much space stands before it")
            line = self._source.line(_LONGEST)
        if _without_end(line) != _BEGIN:
            raise _wrong("it does not begin with its first line")
        self._begun = True

    def _end(self) -> None:
        behind = self._source.exactly(_MAX_SPACE + 1)
        if behind.strip(_SPACE) or len(behind) > _MAX_SPACE:
            raise _wrong("something stands behind its last line")
        self._ended = True


_SPACE = b" \t\r\n"


def _without_end(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r") if line[-1:] == b"\n" else line


def _decoded(line: bytes) -> bytes:
    try:
        data = a2b_base64(line)
    except Error:
        data = b""
    if not data or len(line) > _COLUMNS or b2a_base64(data, newline=False) != line:
        raise _wrong("a line is no base 64 of at most 64 columns")
    return data


def _wrong(reason: str) -> SealedFileError:
    return SealedFileError(SealedFileError.ARMOR, reason)
