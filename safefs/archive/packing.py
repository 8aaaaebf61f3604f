"""Entries become an archive: the same entries give the same bytes, whenever and wherever.

Sorted names, one time for all, no owners, no names of users, nothing of the machine. What the
compressors of another version of zlib or xz make of the same bytes may differ.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from errno import ESTALE
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol, cast

from safefs.errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from safefs.operations.harvesting import Produce

Format = Literal["tar", "tar.gz", "tar.bz2", "tar.xz", "zip"]
FORMATS: dict[str, Format] = {
    ".tar": "tar",
    ".tar.gz": "tar.gz",
    ".tgz": "tar.gz",
    ".tar.bz2": "tar.bz2",
    ".tar.xz": "tar.xz",
    ".zip": "zip",
}
EPOCH = 315_532_800  # 1980-01-01, the first day that zip can say
_LAST = 4_354_819_198  # 2107-12-31, its last
_PERMISSIONS = 0o777
_LINK_MODE = stat.S_IFLNK | 0o777


def format_of(name: str) -> Format:
    """The format that a file's name asks for; ``ValueError`` where it asks for none."""
    for suffix, known in FORMATS.items():
        if name.endswith(suffix) and name != suffix:
            return known
    raise ValueError(f"no archive is called {name!r}: give format=, one of {_known()}")


def checked_format(word: str) -> Format:
    if word not in FORMATS.values():
        raise ValueError(f"format is one of {_known()}; not {word!r}")
    return cast("Format", word)


def _known() -> str:
    return ", ".join(dict.fromkeys(FORMATS.values()))


class Writer(Protocol):
    """An archive that is being written."""

    def add(
        self, name: str, entry: Produce, mtime: int, first: str | None
    ) -> Generator[None, None, int]:
        """Write an entry; ``first`` is the name of the same file that was written before.

        Pauses now and then, so that what has been written can go where it goes; returns the bytes
        of content.
        """


class _TarWriter:
    def __init__(self, tar: tarfile.TarFile, out: _Tellable) -> None:
        self._tar: Any = tar
        self._out = out

    def add(
        self, name: str, entry: Produce, mtime: int, first: str | None
    ) -> Generator[None, None, int]:
        info = tarfile.TarInfo(name)
        info.mode = entry.mode & _PERMISSIONS
        info.mtime = mtime
        if entry.kind == "directory":
            info.type = tarfile.DIRTYPE
        elif entry.kind == "symlink":
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.target, 0o777
        elif first is not None:
            info.type, info.linkname = tarfile.LNKTYPE, first
        else:
            info.size = entry.size
        self._tar.addfile(info)
        self._tar.members = []  # it would keep them all
        yield
        if not info.isreg():
            return 0
        with closing(entry.read()) as chunks:
            yield from self._content(entry, chunks)
        return entry.size

    def _content(self, entry: Produce, chunks: Iterator[bytes]) -> Iterator[None]:
        """The content by hand: the header has said how much it is, and it is held to that."""
        left = entry.size
        for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                break
            self._out.write(chunk)
            yield
        if left:
            raise OSError(ESTALE, "its size changed while it was packed", entry.path)
        padding = -entry.size % tarfile.BLOCKSIZE
        self._out.write(bytes(padding))
        self._tar.offset += entry.size + padding


class _ZipWriter:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def add(
        self, name: str, entry: Produce, mtime: int, first: str | None
    ) -> Generator[None, None, int]:
        del first  # zip has no hard links: each name has the content
        if not _is_text(name):
            raise ArchiveError(None, name, "zip has no way to write this name")
        moment = datetime.fromtimestamp(min(max(mtime, EPOCH), _LAST), tz=UTC)
        info = zipfile.ZipInfo("-", moment.timetuple()[:6])
        info.filename = info.orig_filename = name + ("/" if entry.kind == "directory" else "")
        info.create_system = 3  # Unix: the upper half of external_attr is the mode
        info.compress_type = zipfile.ZIP_DEFLATED
        mode = entry.mode & _PERMISSIONS
        if entry.kind == "file":
            info.external_attr = (stat.S_IFREG | mode) << 16
            info.file_size = entry.size
            return (yield from self._content(info, entry))
        if entry.kind == "symlink":
            info.external_attr = _LINK_MODE << 16
            self._archive.writestr(info, entry.target.encode("utf-8", "surrogateescape"))
        else:
            info.external_attr = (stat.S_IFDIR | mode) << 16 | 0x10  # and MS-DOS's own word for it
            info.compress_type = zipfile.ZIP_STORED
            self._archive.writestr(info, b"")
        yield
        return 0

    def _content(self, info: zipfile.ZipInfo, entry: Produce) -> Generator[None, None, int]:
        written = 0
        with self._archive.open(info, "w") as out, closing(entry.read()) as chunks:
            for chunk in chunks:
                out.write(chunk)
                written += len(chunk)
                yield
        return written


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Out(io.RawIOBase):
    """Where the archive goes: it can be written to, and neither sought in nor read.

    So the same bytes come out whatever it goes to.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def write(self, data: Any) -> int:
        raw = bytes(data)
        self._pieces.append(raw)
        return len(raw)

    def take(self) -> bytes:
        """What has been written since the last time."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


class _Tellable:
    """What tarfile asks of a file it writes to."""

    def __init__(self, out: Any) -> None:
        self._out = out
        self._at = 0

    def tell(self) -> int:
        return self._at

    def write(self, data: bytes) -> int:
        self._out.write(data)
        self._at += len(data)
        return len(data)


def packed(word: Format, fill: Callable[[Writer], Iterator[None]]) -> Generator[bytes, None, None]:
    """The bytes of an archive, piece by piece; ``fill`` writes the entries."""
    out = _Out()
    with ExitStack() as stack:
        for _ in fill(_writer(word, out, stack)):
            if data := out.take():
                yield data
        stack.close()  # writes the end
    yield out.take()


def _writer(word: Format, out: Any, stack: ExitStack) -> Writer:
    """On an error the end is written too, to what nobody takes any more."""
    if word == "zip":
        archive = zipfile.ZipFile(out, "w", strict_timestamps=False)
        stack.push(_ended(archive.close))
        return _ZipWriter(archive)
    make = _COMPRESSORS.get(word)
    compressed = out if make is None else make(out)
    if make is not None:
        stack.push(_ended(compressed.close))
    tellable = _Tellable(compressed)
    tar = tarfile.TarFile(
        fileobj=cast("BinaryIO", tellable),
        mode="w",
        format=tarfile.PAX_FORMAT,
        encoding="utf-8",
        errors="surrogateescape",
    )
    stack.push(_ended(tar.close))
    return _TarWriter(tar, tellable)


_COMPRESSORS: dict[str, Callable[[Any], Any]] = {
    "tar.gz": lambda out: gzip.GzipFile("", "wb", fileobj=out, mtime=0),
    "tar.bz2": lambda out: bz2.BZ2File(out, "wb"),
    "tar.xz": lambda out: lzma.LZMAFile(out, "wb"),  # noqa: SIM115  (closed by the stack)
}


def _ended(close: Callable[[], object]) -> Callable[..., None]:
    def leave(kind: object, *_: object) -> None:
        try:
            close()
        except Exception:
            if kind is None:
                raise
            # What went wrong before is what must be heard: zipfile objects to an open member.

    return leave
