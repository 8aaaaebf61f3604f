"""Members of a tar, read by ``tarfile`` from a stream that only goes forward.

It is given no path and no file that can seek: offsets of its own making (a size below zero, a hole
that ends before it begins) would have it read one header for ever, or gigabytes that are not there.
"""

from __future__ import annotations

import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from safefs.archive.limits import CHUNK, GLOBALS, HEADERS, HEADERS_AT_ALL, LONGEST_HEADER
from safefs.archive.members import Member
from safefs.archive.sources import plain
from safefs.errors import BudgetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs.archive.members import Kind
    from safefs.archive.sources import Source

_BLOCK = tarfile.BLOCKSIZE
_LABEL = b"V"  # of a volume, as GNU tar writes it: a name for the whole, and no member
_KINDS: dict[bytes, Kind] = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.GNUTYPE_SPARSE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "link",
}
_OTHERS = {tarfile.FIFOTYPE: "a FIFO", tarfile.CHRTYPE: "a device", tarfile.BLKTYPE: "a device"}
# tarfile of older Pythons looks for numbers in pax records in a way that takes the square of their
# length (CVE-2024-6232); no number in a header is anywhere near this.
_ENDLESS = b"0" * 1000
_AS_DIGITS = bytes(48 if 48 <= byte <= 57 else 0 for byte in range(256))
# utimensat takes 64 bits of seconds; no file system keeps more than these.
_EARLIEST, _LATEST = -(2**31), 2**33


def members(source: Source) -> Iterator[Member]:
    """Each member in order; to the very end, so that an archive that was cut is found out."""
    stream = _Forward(source, plain(source))
    with source.reading():
        tar = tarfile.TarFile.open(
            fileobj=cast("BinaryIO", stream),
            mode="r:",
            encoding="utf-8",
            errors="surrogateescape",
        )
    while True:
        with source.reading():
            info = tar.next()
        if info is None:
            break
        cast("Any", tar).members = []  # it would keep them all
        if len(tar.pax_headers) > GLOBALS:
            raise source.error(f"it has more than {GLOBALS} global headers")
        if info.type == _LABEL:
            continue  # and no entry: there are no more of them than headers may have at all
        stream.found()
        yield _member(source, tar, stream, info)
    stream.check_end()


def _member(
    source: Source, tar: tarfile.TarFile, stream: _Forward, info: tarfile.TarInfo
) -> Member:
    kind = _KINDS.get(info.type, "other")
    if info.size < 0:
        raise source.error("its size is below zero", info.name)
    if info.sparse is not None:
        _check_map(source, info)
    return Member(
        name=info.name,
        kind=kind,
        mode=info.mode,
        mtime_ns=_nanoseconds(info.mtime),
        target=info.linkname if kind in ("symlink", "link") else "",
        what=_OTHERS.get(info.type, f"of the unknown type {info.type!r}"),
        read=lambda: _content(source, tar, stream, info),
    )


def _content(
    source: Source, tar: tarfile.TarFile, stream: _Forward, info: tarfile.TarInfo
) -> Iterator[bytes]:
    with source.reading():
        file = tar.extractfile(info)
    if file is None:
        return
    left = info.size
    while left > 0:
        with source.reading(), stream.within_content():
            chunk = file.read(min(left, CHUNK))
        if not chunk:
            raise source.error("it ends too early", info.name)
        left -= len(chunk)
        yield chunk


def _check_map(source: Source, info: tarfile.TarInfo) -> None:
    """That the pieces of a sparse file come one after another and lie within it."""
    end = 0
    for offset, size in cast("Any", info).sparse:
        if offset < end or size < 0:
            raise source.error("the map of a sparse file is wrong", info.name)
        end = offset + size
    if end > info.size:
        raise source.error("the map of a sparse file is wrong", info.name)


def _nanoseconds(mtime: float) -> int | None:
    """None for what is no moment; pax writes any number, ``nan`` too."""
    if mtime != mtime or not _EARLIEST <= mtime <= _LATEST:
        return None
    whole = int(mtime // 1)
    return whole * 10**9 + round((mtime - whole) * 1e9)


class _Forward:
    """What tarfile reads from: it may go forward, by reading, and nowhere else."""

    def __init__(self, source: Source, read: Callable[[int], bytes]) -> None:
        self._source = source
        self._read = read
        self._at = 0
        self._last = b""
        self._headers = 0  # bytes, and whatever else is no content
        self._before = 0  # of these, how many had been read when the last entry was found
        self._in_content = False
        self.entries = 0

    @contextmanager
    def within_content(self) -> Iterator[None]:
        self._in_content = True
        try:
            yield
        finally:
            self._in_content = False

    def found(self) -> None:
        """That one more entry has been read: what stands before the next is its own."""
        self.entries += 1
        self._before = self._headers

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        return self._at

    def read(self, size: int) -> bytes:
        if not 0 <= size <= LONGEST_HEADER:
            raise self._source.error("it has a header of impossible length")
        parts = []
        while size > 0 and (part := self._read(min(size, CHUNK))):
            parts.append(part)
            size -= len(part)
        data = b"".join(parts)
        self._at += len(data)
        if not self._in_content:
            self._last = data
            self._count(len(data))
            if _ENDLESS in data.translate(_AS_DIGITS):
                raise self._source.error("it has a header with an endless number")
        return data

    def seek(self, position: int, whence: int = 0) -> int:
        if whence or position < self._at:
            raise self._source.error("it has a header that leads back")
        while self._at < position:
            data = self._read(min(position - self._at, CHUNK))
            if not data:
                raise self._source.error("it ends too early")
            self._at += len(data)
            self._count(len(data))
        return self._at

    def _count(self, size: int) -> None:
        """Hold all that is no content to what headers and padding can be."""
        self._headers += size
        most = HEADERS_AT_ALL + HEADERS * self.entries
        if self._headers > most:
            raise BudgetError(self._source.name, "bytes", most)
        if self._headers - self._before > HEADERS_AT_ALL:  # tarfile keeps one entry's in memory
            raise BudgetError(self._source.name, "bytes", HEADERS_AT_ALL)

    def check_end(self) -> None:
        """That the end was marked: tarfile takes a cut or a broken header for one.

        The mark is two blocks of zeros. What stands behind them is read for the sake of the
        checksum that ends what is compressed, and says nothing.
        """
        first, second = self._last, self.read(_BLOCK)
        if first != bytes(_BLOCK) or second != bytes(_BLOCK):
            raise self._source.error("it ends too early, or a header is damaged")
        while data := self._read(CHUNK):
            self._count(len(data))
