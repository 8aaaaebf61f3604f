"""Any part of a sealed file: only the chunks that it lies in are read and opened."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Protocol

from safefs.age.header import read_header
from safefs.age.opening import chunks_of, file_key_of
from safefs.age.sources import Source
from safefs.age.stream import CHUNK, NONCE, SEALED, last_chunk, plaintext_size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from safefs.age.opening import Identity

    # The bytes at an offset, so many of them; fewer only at the end.
    ReadAt = Callable[[int, int], bytes]


_PEEKED = 1024  # bytes, each time a line is looked for in them


class SeekableFile(Protocol):
    def read(self, size: int, /) -> bytes | None: ...
    def seek(self, offset: int, whence: int = ..., /) -> int: ...


class _FromHere:
    """A stream of what ``read_at`` finds."""

    def __init__(self, read_at: ReadAt) -> None:
        self._read_at = read_at
        self._offset = 0

    def read(self, size: int) -> bytes:
        found = self._read_at(self._offset, size)
        self._offset += len(found)
        return found


def content_size(file: SeekableFile) -> int:
    """The size of what is sealed in ``file``, by its header's length and its own: without a key.

    So it is not authenticated, and whoever may write the file may make it anything:
    ``SealedContent.check_end`` says whether it is true. SealedFileError for what has no such
    header, or a length that no age file has.
    """
    file.seek(0)
    header = read_header(Source(file))
    return plaintext_size(file.seek(0, os.SEEK_END) - header.length)


class SealedContent:
    """What is sealed in a file of ``length`` bytes, to which ``read_at`` leads.

    ``size`` is computed of lengths, and true once the last chunk was opened: by ``check_end``, or
    by a ``read`` that comes to the end or begins behind it. Nothing is kept but the chunk that was
    opened last; one object is for one thread at a time.
    """

    def __init__(self, read_at: ReadAt, length: int, identities: Sequence[Identity]) -> None:
        """SealedFileError for no age file, or a length that none has; WrongKeyError."""
        self._read_at = read_at
        source = Source(_FromHere(read_at))
        header = read_header(source)
        self._chunks = chunks_of(source, file_key_of(header, identities))
        payload = length - header.length
        self._begin = header.length + NONCE
        self._length = length
        self._last = last_chunk(payload)
        self.size = plaintext_size(payload)
        self._opened: tuple[int, bytes] | None = None

    def check_end(self) -> None:
        """SealedFileError where the file was cut, or added to: opens the last chunk."""
        self._chunk(self._last)

    def read(self, offset: int, size: int) -> bytes:
        """Fewer only at the end, which is then known to be the end; or SealedFileError."""
        if offset < 0 or size < 0:
            raise ValueError(f"no bytes lie at {offset}, {size} of them")
        end = min(offset + size, self.size)
        if offset >= self.size:
            self.check_end()
            return b""
        if end <= offset:
            return b""
        first, last = offset // CHUNK, (end - 1) // CHUNK
        pieces = [self._chunk(number) for number in range(first, last + 1)]
        pieces[-1] = pieces[-1][: end - last * CHUNK]
        pieces[0] = pieces[0][offset - first * CHUNK :]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _chunk(self, number: int) -> bytes:
        if self._opened is not None and self._opened[0] == number:
            return self._opened[1]
        at = self._begin + number * SEALED
        sealed = self._read_at(at, min(SEALED, self._length - at))
        data = self._chunks.open(number, sealed, last=number == self._last)
        self._opened = number, data
        return data


class SealedReader(io.BufferedIOBase):
    """A sealed file, to be read like a plain one, from anywhere; it cannot be written to.

    ``file`` is at this reader's disposal until it is closed, and then left open, unless
    ``close_file``. To seek from the end opens the last chunk first, for where the end is is
    otherwise not known.
    """

    def __init__(
        self, file: SeekableFile, identities: Sequence[Identity], *, close_file: bool = False
    ) -> None:
        self._file = file
        self._close_file = close_file
        self._position = 0
        length = file.seek(0, os.SEEK_END)
        self._content = SealedContent(self._read_at, length, identities)

    def _read_at(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        return Source(self._file).exactly(size)

    @property
    def content_size(self) -> int:
        """Of what is sealed; see ``SealedContent.size``."""
        return self._content.size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        self._check_open()
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """SealedFileError, from the end, where the file was cut or added to."""
        self._check_open()
        if whence == os.SEEK_END:
            self._content.check_end()
            offset += self._content.size
        elif whence == os.SEEK_CUR:
            offset += self._position
        elif whence != os.SEEK_SET:
            raise ValueError(f"invalid whence ({whence}, should be 0, 1 or 2)")
        if offset < 0:
            raise ValueError(f"negative seek position {offset}")
        self._position = offset
        return offset

    def read(self, size: int | None = -1, /) -> bytes:
        self._check_open()
        if size is None or size < 0:
            size = max(0, self._content.size - self._position) + 1
        found = self._content.read(self._position, size)
        self._position += len(found)
        return found

    def read1(self, size: int = -1, /) -> bytes:
        """To the end of the chunk, at most."""
        self._check_open()
        within = CHUNK - self._position % CHUNK
        return self.read(within if size < 0 else min(size, within))

    def peek(self, size: int = 0, /) -> bytes:  # noqa: ARG002  (as io.BufferedReader has it)
        """What comes next, without moving: ``readline`` finds the end of a line in it."""
        self._check_open()
        return self._content.read(self._position, min(_PEEKED, CHUNK - self._position % CHUNK))

    def close(self) -> None:
        if not self.closed:
            super().close()
            if self._close_file and hasattr(self._file, "close"):
                self._file.close()

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")
