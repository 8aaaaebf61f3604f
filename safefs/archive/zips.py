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

from safefs.archive.limits import CHUNK, DICTIONARY, DIRECTORY, LONGEST_LINK
from safefs.archive.members import Member

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from safefs.archive.members import Kind
    from safefs.archive.sources import Source

_ENCRYPTED = 0x1
_DESCRIPTOR = 0x8  # sizes and CRC stand behind the content, and not in the local header
_LOCAL = struct.Struct("<4s5H3L2H")
_SIGNATURE = b"PK\x03\x04"
_ELSEWHERE = 0xFFFFFFFF  # zip64: the size stands in the extra field
# Of these zipfile decompresses 4 KiB at once, without a bound on what comes of them: a few hundred
# bytes of bzip2 are 600 MiB. So it gives them as they are, and they are decompressed here.
_UNBOUNDED = (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, *_UNBOUNDED)
_UTF8 = 0x800  # the name is UTF-8, and otherwise that of the first IBM PC
_PROPERTIES = 9  # bytes before LZMA: version (2), length of the properties (2), properties (5)
_END = 22  # bytes of the record at the end, without its comment


def members(source: Source) -> Iterator[Member]:
    """Each member, as the central directory at the end has it, and in its order."""
    file = _Held(source, source.seekable())
    with source.reading():
        archive = zipfile.ZipFile(cast("BinaryIO", file))
        infos = archive.infolist()
        _check_end(source, file, archive)
        _check_apart(source, archive, infos)
    for info in infos:
        with source.reading():
            _check_local(source, file, info)
        yield _member(source, archive, info)


def _member(source: Source, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    name = info.orig_filename  # ``filename`` is cut at NUL
    kind, what = _kind(info)
    target = _target(source, archive, info) if kind == "symlink" else ""
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
    if head[2:4] != b"\5\0" or len(head) < _PROPERTIES or head[4] >= 9 * 5 * 5:
        raise ValueError("the properties of LZMA are wrong")
    rest, lc = divmod(head[4], 9)
    pb, lp = divmod(rest, 5)
    size = int.from_bytes(head[5:9], "little")
    chain = [{"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb, "dict_size": size}]
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=chain), head[_PROPERTIES:]


def _nanoseconds(info: zipfile.ZipInfo) -> int | None:
    """The format has the time of day wherever that was; it is taken for UTC."""
    try:
        return int(datetime(*info.date_time, tzinfo=UTC).timestamp()) * 10**9
    except ValueError:
        return None


def _check_end(source: Source, file: _Held, archive: zipfile.ZipFile) -> None:
    """That the archive ends where it says: zipfile takes one whose comment was cut, or goes on."""
    file.seek(-_END - len(archive.comment), 2)
    end = file.read(_END)
    if end[:4] != b"PK\x05\x06" or int.from_bytes(end[20:22], "little") != len(archive.comment):
        raise source.error("it ends too early, or something stands behind it")


def _check_apart(source: Source, archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo]) -> None:
    """That no two members share bytes, as those of a bomb do that looks small."""
    end, before = 0, None
    ordered = sorted(infos, key=lambda each: each.header_offset)
    if (ordered[0].header_offset if ordered else archive.start_dir) != 0:
        raise source.error("something stands before its first member")
    for info in ordered:
        if info.header_offset < end:
            name = before.orig_filename if before else info.orig_filename
            raise source.error("it overlaps with another member", name)
        end = info.header_offset + _LOCAL.size + info.compress_size
        before = info
    if end > archive.start_dir:
        raise source.error("a member reaches into the directory of the archive")


def _check_local(source: Source, file: _Held, info: zipfile.ZipInfo) -> None:
    """That the header before the content and the directory at the end say the same.

    Programs differ in which of the two they believe, so where they differ someone is deceived.
    """
    name = info.orig_filename
    if info.flag_bits & _ENCRYPTED:
        raise source.error("it is encrypted", name)
    if info.compress_type not in _METHODS:
        raise source.error(f"it is compressed by a method ({info.compress_type}) not known", name)
    file.seek(info.header_offset)
    raw = file.read(_LOCAL.size)
    if len(raw) != _LOCAL.size or raw[:4] != _SIGNATURE:
        raise source.error("it has no header where one should be", name)
    _, _, flags, method, _, _, crc, packed, size, _, extra = _LOCAL.unpack(raw)
    if flags & _ENCRYPTED:
        raise source.error("it is encrypted", name)
    differs = method != info.compress_type
    if not flags & _DESCRIPTOR:
        said = (crc, info.CRC), (packed, info.compress_size), (size, info.file_size)
        differs |= any(one not in (other, _ELSEWHERE) for one, other in said)
    # zipfile compares the names too, but only of what is read, which a directory is not.
    raw_name = file.read(_name_length(raw))
    differs |= raw_name != info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
    if differs:
        raise source.error("its header and the directory of the archive disagree", name)
    if info.compress_type == zipfile.ZIP_LZMA:
        file.seek(info.header_offset + _LOCAL.size + _name_length(raw) + extra)
        head = file.read(_PROPERTIES)
        if int.from_bytes(head[5:9], "little") > DICTIONARY:
            raise source.error("decompressing it takes too much memory", name)


def _name_length(raw: bytes) -> int:
    length: int = _LOCAL.unpack(raw)[9]
    return length


class _Held(io.RawIOBase):
    """The file as zipfile sees it: no read is longer than a directory may be."""

    def __init__(self, source: Source, file: BinaryIO) -> None:
        self._source = source
        self._file = file

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
        return data
