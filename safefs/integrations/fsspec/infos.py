"""What fsspec calls an info: a dict about one entry."""

from __future__ import annotations

from datetime import UTC, datetime
from errno import EISDIR
from os import strerror
from stat import S_IFDIR, S_IFMT, S_IFREG
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os

    Info = dict[str, Any]

_TYPES = {S_IFREG: "file", S_IFDIR: "directory"}
_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def type_of(found: os.stat_result) -> str:
    """``file``, ``directory``, or ``other`` for a FIFO, a socket or a device."""
    return _TYPES.get(S_IFMT(found.st_mode), "other")


def info_of(name: str, found: os.stat_result, *, islink: bool = False) -> Info:
    """What fsspec's local file system tells, but for the ``destination`` of a link."""
    mode = found.st_mode
    return {
        "name": name,
        "size": found.st_size,
        "type": _TYPES.get(S_IFMT(mode), "other"),
        "created": found.st_ctime,  # Linux keeps no other; fsspec says the same there
        "islink": islink,
        "mode": mode,
        "uid": found.st_uid,
        "gid": found.st_gid,
        "mtime": found.st_mtime,
        "ino": found.st_ino,
        "nlink": found.st_nlink,
    }


def disk_info(name: str) -> Info:
    """A disk as an entry of the top, without looking at it."""
    return {"name": name, "size": 0, "type": "directory", "islink": False}


def moment(seconds: float) -> datetime:
    """Aware, UTC; anyone may set a time, and one that no datetime can hold is its min or max."""
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return _LATEST if seconds > 0 else _EARLIEST


def is_a_directory(name: str, message: str = "") -> IsADirectoryError:
    """The error of the operating system, about this path."""
    return IsADirectoryError(EISDIR, message or strerror(EISDIR), name)
