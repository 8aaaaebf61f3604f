"""Archives with hostile members, packed in memory from a list that says what they attempt."""

from __future__ import annotations

import io
import stat
import tarfile
import warnings
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from safefs.testing.scratch import filled

if TYPE_CHECKING:
    from safefs.testing.scratch import Scratch

KINDS = ("tar", "zip")
_BLOCK = 512  # of tar

_TYPES = {
    "file": tarfile.REGTYPE,
    "directory": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hard link": tarfile.LNKTYPE,
    "fifo": tarfile.FIFOTYPE,
    "character device": tarfile.CHRTYPE,
    "block device": tarfile.BLKTYPE,
}
_MODES = {
    "file": stat.S_IFREG | 0o644,
    "directory": stat.S_IFDIR | 0o755,
    "symlink": stat.S_IFLNK | 0o777,
}


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive: ``kind`` is a key of the table above, ``target`` that of a link.

    ``lie`` is what its header adds to the true size. Name and target are still to be filled.
    """

    name: str
    kind: str = "file"
    target: str = ""
    content: bytes = b""
    lie: int = 0


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive of ``kind`` "tar" or "zip", and what is in it, in order."""

    kind: str
    members: tuple[Member, ...]

    def pack(self, scratch: Scratch) -> bytes:
        """The bytes of the archive, with every placeholder filled to lead into the scratch."""
        members = [
            Member(
                filled(scratch, member.name),
                member.kind,
                filled(scratch, member.target),
                member.content,
                member.lie,
            )
            for member in self.members
        ]
        return Archive(self.kind, tuple(members)).pack_as_they_are()

    def pack_as_they_are(self) -> bytes:
        """The bytes of the archive, where no name and no target has a placeholder."""
        members = list(self.members)
        return _tar(members) if self.kind == "tar" else _zip(members)


def can_hold(name: str) -> bool:
    """Whether both formats can write this name: UTF-8 without NUL, and not beyond 16 bits."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return bool(name) and "\0" not in name and "{rep:a:70000}" not in name


def _tar(members: list[Member]) -> bytes:
    """Written block by block: tarfile would correct a size that is wrong."""
    parts = [_tar_header(member) + _padded(member.content) for member in members]
    return b"".join(parts) + bytes(2 * _BLOCK)


def _tar_header(member: Member) -> bytes:
    info = tarfile.TarInfo(member.name)
    info.type, info.linkname = _TYPES[member.kind], member.target
    info.size = max(0, len(member.content) + member.lie)
    info.mode = 0o755 if member.kind == "directory" else 0o644
    if "device" in member.kind:
        info.devmajor, info.devminor = 1, 3  # /dev/null, to read and write as one likes
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % _BLOCK)


def _zip(members: list[Member]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # one name twice, on purpose
        for member in members:
            _add_to_zip(archive, member)
    return packed.getvalue()


def _add_to_zip(archive: zipfile.ZipFile, member: Member) -> None:
    info = zipfile.ZipInfo("-")
    info.filename = member.name  # its constructor would make it another
    if member.kind == "directory" and not info.filename.endswith("/"):
        info.filename += "/"
    info.create_system = 3  # Unix: the upper half of external_attr is st_mode
    info.external_attr = _MODES[member.kind] << 16
    is_link = member.kind == "symlink"
    archive.writestr(info, member.target.encode() if is_link else member.content)
    info.file_size = max(0, info.file_size + member.lie)  # as the central directory will have it
