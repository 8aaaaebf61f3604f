"""Sealed files as the file objects of a driver: opened as they are read, sealed as written."""

from __future__ import annotations

import io
import os
from errno import ENOTSUP
from threading import Lock, RLock, get_ident
from typing import TYPE_CHECKING, Any, BinaryIO, Self, cast

from safefs.age.reading import SealedReader
from safefs.age.sealing import SealingWriter
from safefs.age.stream import CHUNK
from safefs.errors import SealedFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from _typeshed import ReadableBuffer, WriteableBuffer

    from safefs.age.opening import Key
    from safefs.drivers.base import PendingFile
    from safefs.paths import RelPath

BRAND = b"age-encryption.org/"  # what every age file begins with, of whatever version
_PIECE = 1 << 20

WHY_NOT_IN_PLACE = (
    "a sealed file is written once, from its beginning to its end: two versions of a chunk under "
    "one nonce would give each other away. Replace it as a whole, with put() or mode 'w', or let "
    "append() and prepend() do so"
)
_ONWARDS = "what is sealed is written onwards only, from its beginning to its end"


_NOT_BOTH = (
    "a sealed file is written or read, not both at once: what is written cannot be read before it "
    "is closed, nor changed then. Open it with mode 'w' or 'x', and to read it again with 'r'"
)


def not_in_place(path: RelPath, mode: str) -> io.UnsupportedOperation:
    """The refusal of a mode in which a file would be changed where it lies."""
    why = WHY_NOT_IN_PLACE if "a" in mode or "r" in mode else _NOT_BOTH
    return io.UnsupportedOperation(ENOTSUP, why, path.shown)


class Told:
    """A block whose SealedFileError names the file, as the caller did."""

    __slots__ = ("_path",)

    def __init__(self, path: RelPath) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, SealedFileError) and error.path is None:
            raise error.at(self._path.shown) from None


def is_sealed(raw: io.RawIOBase) -> bool:
    """Whether a file begins as an age file does; its position is its beginning afterwards."""
    begun = b""
    raw.seek(0)
    while len(begun) < len(BRAND) and (more := raw.read(len(BRAND) - len(begun))):
        begun += more
    raw.seek(0)
    return begun == BRAND


def plain_file() -> SealedFileError:
    """The refusal of a file that nobody has sealed."""
    reason = "it is a plain file on an encrypted disk, which reads such with allow_plain=True alone"
    return SealedFileError(SealedFileError.HEADER, reason)


def raw_of(file: BinaryIO) -> io.RawIOBase:
    """What is beneath the buffer of a file object that a driver has opened."""
    return cast("io.RawIOBase", cast("io.BufferedReader", file).raw)


class _Turns:
    """One thread at a time, of the process that made it.

    ValueError in a fork, RuntimeError for whoever has his turn already, as a signal handler may:
    he would wait for himself.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._lock = Lock()
        self._whose: int | None = None

    @property
    def are_here(self) -> bool:
        """Whether this is the process."""
        return os.getpid() == self._process

    def check(self) -> None:
        if not self.are_here:
            raise ValueError("this file was begun in another process, which alone may write to it")

    def __enter__(self) -> None:
        self.check()  # first: in a fork the lock may be that of a thread which is not there
        if self._whose == get_ident():
            raise RuntimeError("reentrant call: this file is being written by the same thread")
        self._lock.acquire()
        self._whose = get_ident()

    def __exit__(self, *_: object) -> None:
        self._whose = None
        self._lock.release()


# Reading


class OpenedRaw(io.RawIOBase):
    """A sealed file beneath a buffer: it reads what is sealed, and opens but the chunks asked for.

    It has no descriptor to give: who read from that would have what lies on the disk.
    """

    mode = "rb"

    def __init__(self, inner: BinaryIO, key: Key, path: RelPath) -> None:
        """Closes ``inner`` when it is closed itself, and not where this raises."""
        self.inner = inner
        self._told = Told(path)
        # Without a buffer nothing else keeps two threads from moving one position.
        self._turn = RLock()
        with self._told:
            self._reader = SealedReader(cast("Any", raw_of(inner)), [key])

    @property
    def content_size(self) -> int:
        return self._reader.content_size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Within one chunk where less than one was asked for: the next may not be wanted."""
        self._check_open()
        view = memoryview(buffer).cast("B")
        wanted = len(view)
        with self._turn, self._told:
            found = self._reader.read1(wanted) if wanted <= CHUNK else self._reader.read(wanted)
        view[: len(found)] = found
        return len(found)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._check_open()
        with self._turn, self._told:
            return self._reader.seek(offset, whence)

    def tell(self) -> int:
        self._check_open()
        return self._reader.tell()

    def close(self) -> None:
        if not self.closed:
            super().close()
            self.inner.close()

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")


def opened(inner: BinaryIO, key: Key, path: RelPath) -> BinaryIO:
    """A file object to read what ``inner`` has sealed; closes it, and does so where this raises."""
    try:
        return cast("BinaryIO", io.BufferedReader(OpenedRaw(inner, key, path)))
    except BaseException:
        inner.close()
        raise


# Writing


class Flushed:
    """Where sealed chunks go: through a buffer at once, so that no fork has them a second time."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()


class SealingRaw(io.RawIOBase):
    """A file that is sealed on its way, beneath a buffer.

    ``finish`` seals the last chunk, without which nobody takes it for whole; ``close`` does so too,
    unless it was abandoned. A fork of the writer has its key and its place, and would seal another
    chunk under the same nonce: it may not write, which is ValueError. Threads write one after the
    other, for the same reason.
    """

    mode = "wb"

    def __init__(self, target: Any, key: Key, *, close: Callable[[], object] | None = None) -> None:
        """``close`` is called when this is closed, which finishes it then."""
        self._writer = SealingWriter(target, [key.recipient])
        self._turns = _Turns()
        self._close = close
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        with self._turns:
            written = self._writer.write(memoryview(data))
            self._position += written
            return written

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """To where it stands; UnsupportedOperation for any other place."""
        if (offset, whence) in ((self._position, os.SEEK_SET), (0, os.SEEK_CUR), (0, os.SEEK_END)):
            return self._position
        raise io.UnsupportedOperation(_ONWARDS)

    def truncate(self, size: int | None = None, /) -> int:  # noqa: ARG002
        raise io.UnsupportedOperation(_ONWARDS)

    def finish(self) -> None:
        with self._turns:
            self._writer.close()

    def abandon(self) -> None:
        self._writer.abandon()

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        if self._close is None:
            return
        try:
            if self._turns.are_here:
                self.finish()
        finally:
            self._close()


def sealing(inner: BinaryIO, key: Key) -> BinaryIO:
    """A file object to write what ``inner`` is to have sealed; closing it closes that too."""
    try:
        # No buffer there: a fork would have what is in it too, and write it a second time.
        raw = cast("io.BufferedWriter", inner).raw
        return cast("BinaryIO", io.BufferedWriter(SealingRaw(raw, key, close=inner.close)))
    except BaseException:
        inner.close()
        raise


def sealed_chunks(chunks: Iterable[ReadableBuffer], key: Key) -> Iterator[bytes]:
    """Content sealed as it comes; nothing is asked for, and nothing made, before the first is.

    ValueError in a fork, which ``chunks`` may make: it would seal another chunk under one nonce.
    """
    pieces, turns = _Pieces(), _Turns()
    writer = SealingWriter(pieces, [key.recipient])
    for chunk in chunks:
        view = memoryview(chunk).cast("B")
        for at in range(0, len(view), _PIECE):
            turns.check()
            whole = isinstance(chunk, bytes) and len(view) <= _PIECE
            writer.write(chunk if whole else view[at : at + _PIECE])  # type: ignore[arg-type]
            yield from pieces.taken()
    turns.check()
    writer.close()
    yield from pieces.taken()


class _Pieces:
    def __init__(self) -> None:
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._held.append(data)

    def taken(self) -> list[bytes]:
        held, self._held = self._held, []
        return held


class SealedDraft:
    """A ``PendingFile`` over another: sealed as it is written, whole once it is closed."""

    def __init__(self, inner: PendingFile, key: Key) -> None:
        """``inner`` is discarded where this raises."""
        self._inner = inner
        try:
            self._raw = SealingRaw(Flushed(inner), key)
            self._file = io.BufferedWriter(self._raw)
        except BaseException:
            inner.discard()
            raise

    def __getattr__(self, name: str) -> Any:
        if name == "_file":
            raise AttributeError(name)  # __init__ did not get as far
        return getattr(self._file, name)

    @property
    def closed(self) -> bool:
        return self._file.closed

    def write(self, data: ReadableBuffer, /) -> int:
        return self._file.write(data)

    def close(self) -> None:
        """Seal the last chunk; where that fails nothing will be published."""
        if self.closed:
            return
        try:
            self._file.flush()
            self._raw.finish()
            self._file.close()
            self._inner.close()
        except BaseException:
            self.discard()
            raise

    def commit(self) -> None:
        self.close()
        self._inner.commit()

    def discard(self) -> None:
        self._raw.abandon()
        self._inner.discard()
        try:
            self._file.close()
        except (OSError, ValueError):
            pass  # a flush into what is thrown away anyway

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        try:
            self.discard()
        except AttributeError:
            pass  # __init__ did not get as far


class SealedPublication:
    """What becomes of a file that was opened atomically: sealed to its end, then published."""

    def __init__(self, raw: SealingRaw, inner: Any) -> None:
        self._raw = raw
        self._inner = inner

    def publish(self) -> None:
        try:
            self._raw.finish()
        except BaseException:
            self.discard()
            raise
        self._inner.close()

    def discard(self) -> None:
        self._raw.abandon()
        self._inner.discard()
