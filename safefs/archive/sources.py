"""Where the bytes of an archive come from: counted, told by their first bytes, decompressed."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from contextlib import contextmanager
from errno import EINVAL
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from safefs.archive.limits import CHUNK, DICTIONARY, HEADERS_AT_ALL, SPOOL
from safefs.errors import ArchiveError, BudgetError, SafefsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_HEAD = 16  # bytes by which each format is known
_USTAR_AT = 257  # where a tar says that it is one
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


def is_content(data: bytes) -> bool:
    """Whether these bytes are an archive, and not the path of one."""
    head = data.startswith((*_ZIP, *_decompressors()))
    return b"\0" in data and (head or data[_USTAR_AT:].startswith(b"ustar"))


class Source:
    """The file object an archive is read from, and how many of its bytes have been.

    ``name`` is what errors call the archive. Reads ahead nothing but its first bytes, which
    ``read`` gives again.
    """

    def __init__(self, file: BinaryIO, name: str | None) -> None:
        self.name = name
        self._file = file
        self.packed = 0
        self.head = self._first()
        self._pending = self.head

    def _first(self) -> bytes:
        found = b""
        while len(found) < _HEAD and (more := self._take(_HEAD - len(found))):
            found += more
        return found

    def _take(self, size: int) -> bytes:
        data = self._file.read(size)
        if data is None:
            raise BlockingIOError("the archive comes from a stream that does not wait")
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError("an archive is read from a binary file object")
        self.packed += len(data)
        return bytes(data)

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""
        if self._pending:
            data, self._pending = self._pending[:size], self._pending[size:]
            return data
        return self._take(size)

    def error(self, reason: str, member: str | None = None) -> ArchiveError:
        return ArchiveError(self.name, member, reason)

    @property
    def is_zip(self) -> bool:
        return self.head.startswith(_ZIP)

    def seekable(self) -> BinaryIO:
        """The archive from its beginning, for zip, which is read from its end.

        A stream that cannot seek is kept in memory, as far as that goes.
        """
        file = self._file
        if hasattr(file, "seekable") and file.seekable():
            start = file.tell() - len(self.head)
            return cast("BinaryIO", _Window(file, start))
        held = io.BytesIO()
        while chunk := self.read(CHUNK):
            held.write(chunk)
            if held.tell() > SPOOL:
                raise BudgetError(self.name, "bytes", SPOOL)
        held.seek(0)
        return held

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What the standard library says of bytes that are no archive becomes an ArchiveError.

        Errors of the operating system, which have a number, pass: they are the file's.
        """
        try:
            yield
        except SafefsError:
            raise
        except OSError as error:
            if error.errno is not None:
                raise
            raise self.error(f"it is no tar or zip, or damaged: {error}") from error
        except TypeError:
            raise
        except MemoryError as error:
            raise self.error("reading it takes more memory than there is") from error
        except Exception as error:
            # zipfile says "not a zip file" also of one that could not be read. EINVAL is what a
            # seek to before the beginning is answered with.
            cause = error.__context__
            if isinstance(cause, OSError) and cause.errno not in (None, EINVAL):
                try:
                    raise cause from None
                finally:
                    del cause  # or it is a cycle, and keeps what its frames have open
            # zipfile and tarfile let whatever their parsing meets pass: struct.error, KeyError,
            # UnicodeDecodeError, OverflowError, AssertionError and more.
            detail = str(error) or type(error).__name__
            raise self.error(f"it is no tar or zip, or damaged: {detail}") from error


class _Window(io.RawIOBase):
    """A file from where it stood, for a reader that takes its beginning for 0."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file = file
        self._start = start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell() - self._start

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 0:
            if offset < 0:
                raise ValueError("before the beginning")
            offset += self._start
        return self._file.seek(offset, whence) - self._start

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)


def plain(source: Source) -> Callable[[int], bytes]:
    """Reads what is packed in a stream of bytes, by whatever it is compressed with."""
    for magic, make in _decompressors().items():
        if source.head.startswith(magic):
            return _Decompressed(source, make).read
    return source.read


def _decompressors() -> dict[bytes, Callable[[], Any]]:
    known: dict[bytes, Callable[[], Any]] = {
        b"\x1f\x8b": _Gzip,
        b"BZh": bz2.BZ2Decompressor,
        b"\xfd7zXZ\x00": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=DICTIONARY),
    }
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        pass  # before Python 3.14
    else:
        known[b"\x28\xb5\x2f\xfd"] = zstd.ZstdDecompressor
    return known


class _Gzip:
    """zlib's decompressor in the words of the others; it checks the length and the CRC."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    def decompress(self, data: bytes, size: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, size)

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


class _Decompressed:
    """One compressed stream after another, a bounded piece at a time; zeros may stand behind.

    EOF in the middle of one is an error, and so is anything else behind the last.
    """

    def __init__(self, source: Source, make: Callable[[], Any]) -> None:
        self._source = source
        self._make = make
        self._stream: Any = make()
        self._packed = b""

    def read(self, size: int) -> bytes:
        while True:
            if self._stream.eof and not self._next():
                return b""
            if self._packed or not self._stream.needs_input:
                given, self._packed = self._packed, b""
            else:
                given = self._source.read(CHUNK)
                if not given:
                    raise self._source.error("it ends too early")
            with self._source.reading():
                data: bytes = self._stream.decompress(given, size)
            if data:
                return data

    def _next(self) -> bool:
        rest: bytes = self._stream.unused_data.lstrip(b"\0")
        zeros = 0
        while not rest:
            padding = self._source.read(CHUNK)
            if not padding:
                return False
            zeros += len(padding)
            if zeros > HEADERS_AT_ALL:  # a stream of them may have no end
                raise BudgetError(self._source.name, "bytes", HEADERS_AT_ALL)
            rest = padding.lstrip(b"\0")
        self._stream = self._make()
        self._packed = rest
        return True
