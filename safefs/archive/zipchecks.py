"""What is asked of a zip beyond what ``zipfile`` asks: that no two programs read it differently.

The header before each member, the record behind it and the directory at the end must say the same,
and nothing may stand between, before or behind them.
"""

from __future__ import annotations

import struct
import zipfile
from typing import TYPE_CHECKING

from safefs.archive.limits import CHUNK, DICTIONARY

if TYPE_CHECKING:
    from typing import BinaryIO

    from safefs.archive.sources import Source

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
PROPERTIES = 9  # bytes before LZMA: version (2), length of the properties (2), properties (5)
_ENCRYPTED = 0x1
_DESCRIPTOR = 0x8  # sizes and CRC stand behind the content, and not in the local header
_LOCAL = struct.Struct("<4s5H3L2H")
_SIGNATURE = b"PK\x03\x04"
_ELSEWHERE = 0xFFFFFFFF  # zip64: the size stands in the extra field
_ZIP64 = 1  # that part of the extra field
_EXTRA = struct.Struct("<2H")  # begins each of its parts: which it is, how long
_LONGEST_DESCRIPTOR = 24
_UTF8 = 0x800  # the name is UTF-8, and otherwise that of the first IBM PC
_END = 22  # bytes of the record at the end, without its comment


def check_end(source: Source, file: BinaryIO, archive: zipfile.ZipFile) -> None:
    """That the archive ends where it says: zipfile takes one whose comment was cut, or goes on."""
    file.seek(-_END - len(archive.comment), 2)
    end = file.read(_END)
    if end[:4] != b"PK\x05\x06" or int.from_bytes(end[20:22], "little") != len(archive.comment):
        raise source.error("it ends too early, or something stands behind it")


def check_apart(source: Source, archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo]) -> None:
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


def next_offsets(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo]) -> dict[int, int]:
    """Where what comes behind each member begins, by where the member does."""
    offsets = sorted(info.header_offset for info in infos)
    return dict(zip(offsets, [*offsets[1:], archive.start_dir], strict=False))


def check_local(source: Source, file: BinaryIO, info: zipfile.ZipInfo, behind: int) -> None:
    """That the header before the content and the directory at the end say the same.

    Programs differ in which of the two they believe, so where they differ someone is deceived.
    ``behind``: where the next header begins, or the directory.
    """
    name = info.orig_filename
    if info.flag_bits & _ENCRYPTED:
        raise source.error("it is encrypted", name)
    if info.compress_type not in METHODS:
        raise source.error(f"it is compressed by a method ({info.compress_type}) not known", name)
    file.seek(info.header_offset)
    raw = file.read(_LOCAL.size)
    if len(raw) != _LOCAL.size or raw[:4] != _SIGNATURE:
        raise source.error("it has no header where one should be", name)
    _, _, flags, method, _, _, crc, packed, size, length, extra = _LOCAL.unpack(raw)
    if flags & _ENCRYPTED:
        raise source.error("it is encrypted", name)
    differs = method != info.compress_type
    # zipfile compares the names too, but only of what is read, which a directory is not.
    raw_name = file.read(length)
    size, packed = _sizes(size, packed, file.read(extra))
    said = (crc, info.CRC), (packed, info.compress_size), (size, info.file_size)
    later = flags & _DESCRIPTOR
    differs |= any(one != other and not (later and one == 0) for one, other in said)
    differs |= raw_name != name.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
    begin = info.header_offset + _LOCAL.size + length + extra
    end = begin + info.compress_size
    if later:
        told = _descriptor(file, info, end, behind)
        # Some give an empty member, of which there is nothing to say, no descriptor.
        differs |= not told and (info.compress_size > 0 or behind > end)
        end += told
    if differs:
        raise source.error("its header and the directory of the archive disagree", name)
    _check_gap(source, file, end, behind, name)
    if info.compress_type == zipfile.ZIP_LZMA:
        file.seek(begin)
        head = file.read(PROPERTIES)
        if int.from_bytes(head[5:9], "little") > DICTIONARY:
            raise source.error("decompressing it takes too much memory", name)


def _sizes(size: int, packed: int, extra: bytes) -> tuple[int, int]:
    """The sizes of a header: where they are too large for it they stand in its extra field."""
    if _ELSEWHERE not in (size, packed):
        return size, packed
    at = 0
    while at + _EXTRA.size <= len(extra):
        kind, length = _EXTRA.unpack_from(extra, at)
        at += _EXTRA.size
        if kind == _ZIP64:
            large = iter(struct.iter_unpack("<Q", extra[at : at + length // 8 * 8]))
            both = length >= 16  # as they should be; others write what is needed
            new_size = next(large, (size,))[0] if both or size == _ELSEWHERE else size
            return new_size, next(large, (packed,))[0] if both or packed == _ELSEWHERE else packed
        at += length
    return size, packed


def _descriptor(file: BinaryIO, info: zipfile.ZipInfo, at: int, behind: int) -> int:
    """The length of the record behind the content that says what it was; 0 where there is none."""
    file.seek(at)
    raw = file.read(max(0, min(behind - at, _LONGEST_DESCRIPTOR)))
    # The signature is optional, and nothing says whether the sizes are those of zip64.
    for signature in (b"PK\x07\x08", b""):
        for sizes in ("<3L", "<L2Q"):
            try:
                said = struct.pack(sizes, info.CRC, info.compress_size, info.file_size)
            except struct.error:
                continue  # too large for one that is not of zip64
            if raw.startswith(signature + said):
                return len(signature + said)
    return 0


def _check_gap(source: Source, file: BinaryIO, at: int, behind: int, name: str) -> None:
    """That no header of a member stands between the members, where some look and others do not."""
    if at > behind:
        raise source.error("it overlaps with what stands behind it", name)
    file.seek(at)
    before = b""
    while at < behind and (data := file.read(min(behind - at, CHUNK))):
        if _SIGNATURE in before + data:
            raise source.error("a member behind it is not in the directory of the archive", name)
        before = data[-3:]
        at += len(data)
