"""Members of a zip, read by ``zipfile`` from a file object that is held to its limits."""

from __future__ import annotations

import bz2
import io
import lzma
import stat
import struct
import zipfile
import zlib
from contextlib import closing
from copy import copy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from safefs.archive.limits import CHUNK, DIRECTORY, LONGEST_LINK
from safefs.archive.members import Member
from safefs.archive.zipchecks import PROPERTIES, check_apart, check_end, check_local, next_offsets
from safefs.errors import BudgetError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from safefs.archive.members import Kind
    from safefs.archive.sources import Source

# Of these zipfile decompresses 4 KiB at once, without a bound on what comes of them: a few hundred
# bytes of bzip2 are 600 MiB. So it gives them as they are, and they are decompressed here.
_UNBOUNDED = (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_ENTRY = b"PK\x01\x02"  # begins each entry of the central directory, of 46 bytes and more:
_ENTRY_SIZE = 46
_LENGTHS = struct.Struct("<3H")  # those of its name, its extra field and its comment
_LENGTHS_AT = 28


def members(source: Source, most: int | None = None) -> Iterator[Member]:
    """Each member, as the central directory at the end has it, and in its order.

    ``BudgetError`` where it has more than ``most``, before zipfile makes some 2 KB of each.
    """
    raw = cast("BinaryIO", _Held(source, source.seekable(), most))
    with source.reading():
        archive = zipfile.ZipFile(raw)
        infos = archive.infolist()
        check_end(source, raw, archive)
        check_apart(source, archive, infos)
    behind = next_offsets(archive, infos)
    for info in infos:
        with source.reading():
            check_local(source, raw, info, behind[info.header_offset])
        yield _member(source, archive, info)


def _member(source: Source, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    name = info.orig_filename  # ``filename`` is cut at NUL
    kind, what = _kind(info)
    target = _target(source, archive, info) if kind == "symlink" else ""
    if kind == "directory":
        _check_empty(source, archive, info)
    mode = stat.S_IMODE(info.external_attr >> 16)
    return Member(
        name=name,
        kind=kind,
        mode=mode if info.external_attr >> 16 else None,
        mtime_ns=_nanoseconds(info),
        target=target,
        what=what,
        read=lambda: _content(source, archive, info),
    )


def _kind(info: zipfile.ZipInfo) -> tuple[Kind, str]:
    """By the mode of Unix, whatever system the archive says it was made on, and by the slash."""
    found = stat.S_IFMT(info.external_attr >> 16)
    if found == stat.S_IFLNK:
        return "symlink", ""
    if found not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "other", "a FIFO, a socket or a device"
    is_directory = info.orig_filename.endswith("/")
    if found == stat.S_IFDIR and not is_directory:
        return "other", "a directory with the name of a file"
    return ("directory" if is_directory else "file"), ""


def _check_empty(source: Source, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    """That a directory holds nothing: who goes by the mode, or the slash, would lose it."""
    if info.file_size:
        raise source.error("it is a directory, and has content", info.orig_filename)
    if info.compress_size or info.CRC:  # what nothing is compressed to
        for _ in _content(source, archive, info):
            pass


def _target(source: Source, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    text = bytearray()
    for chunk in _content(source, archive, info):
        text += chunk
        if len(text) > LONGEST_LINK:
            raise source.error("the text of its link is too long", info.orig_filename)
    return text.decode("utf-8", "surrogateescape")


def _content(source: Source, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """The content, held to its CRC and to the length that was said."""
    unbounded = info.compress_type in _UNBOUNDED
    read = _decompressed if unbounded else _stored
    left, crc = info.file_size, 0
    with closing(read(source, archive, info)) as chunks:
        for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                break
            crc = zlib.crc32(chunk, crc)
            yield chunk
    if left:
        raise source.error("it has not the length that was said", info.orig_filename)
    if crc != info.CRC:
        raise source.error("its CRC is wrong", info.orig_filename)


def _stored(
    source: Source, archive: zipfile.ZipFile, info: zipfile.ZipInfo
) -> Generator[bytes, None, None]:
    """What zipfile makes of it, a bounded piece at a time."""
    with source.reading():
        file = archive.open(info)
    with file:
        while True:
            with source.reading():
                chunk = file.read(CHUNK)
            if not chunk:
                return
            yield chunk


def _decompressed(
    source: Source, archive: zipfile.ZipFile, info: zipfile.ZipInfo
) -> Generator[bytes, None, None]:
    raw = copy(info)
    raw.compress_type, raw.file_size = zipfile.ZIP_STORED, info.compress_size
    raw.CRC = cast("int", None)  # zipfile then checks none; that of the content is checked above
    with closing(_stored(source, archive, raw)) as packed:
        given = b""
        if info.compress_type == zipfile.ZIP_LZMA:
            given = next(packed, b"")
            with source.reading():
                stream, given = _lzma(given)
        else:
            stream = bz2.BZ2Decompressor()
        while not stream.eof:
            if not given and stream.needs_input and not (given := next(packed, b"")):
                return
            with source.reading():
                data = stream.decompress(given, CHUNK)
            given = b""
            if data:
                yield data


def _lzma(head: bytes) -> tuple[Any, bytes]:
    """A decompressor by the properties at the beginning, and what comes behind them."""
    if head[2:4] != b"\5\0" or len(head) < PROPERTIES or head[4] >= 9 * 5 * 5:
        raise ValueError("the properties of LZMA are wrong")
    rest, lc = divmod(head[4], 9)
    pb, lp = divmod(rest, 5)
    size = int.from_bytes(head[5:9], "little")
    chain = [{"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb, "dict_size": size}]
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=chain), head[PROPERTIES:]


def _nanoseconds(info: zipfile.ZipInfo) -> int | None:
    """The format has the time of day wherever that was; it is taken for UTC."""
    try:
        return int(datetime(*info.date_time, tzinfo=UTC).timestamp()) * 10**9
    except ValueError:
        return None


class _Held(io.RawIOBase):
    """The file as zipfile sees it: no read is longer than a directory may be.

    zipfile reads the directory in one piece, whose entries are counted before it gets them.
    """

    def __init__(self, source: Source, file: BinaryIO, most: int | None) -> None:
        self._source = source
        self._file = file
        self._most = most

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        if size > DIRECTORY:
            raise self._source.error("its directory is too large to be read")
        data = self._file.read(DIRECTORY if size < 0 else size)
        self._source.packed += len(data)
        if self._most is not None and _in_directory(data) > self._most:
            raise BudgetError(self._source.name, "entries", self._most)
        return data


def _in_directory(data: bytes) -> int:
    """How many entries of a central directory these bytes begin with."""
    count = at = 0
    while data[at : at + 4] == _ENTRY and at + _ENTRY_SIZE <= len(data):
        at += _ENTRY_SIZE + sum(_LENGTHS.unpack_from(data, at + _LENGTHS_AT))
        count += 1
    return count
