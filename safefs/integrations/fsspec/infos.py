"""What fsspec calls an info: a dict about one entry."""

from __future__ import annotations

from datetime import UTC, datetime
from errno import EISDIR
from os import strerror
from stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_ISDIR, S_ISLNK
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from safefs.operations.survey import Describe

    Info = dict[str, Any]

_TYPES = {S_IFREG: "file", S_IFDIR: "directory"}
_FORMAT = S_IFMT(0o777777)
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


def infos_beneath(prefix: str) -> Describe:
    """What a survey is to find of each entry: its info, the directories' by name, and all others'.

    Most are plain files: for those no call, which would cost as much as all the rest but the stat.
    """

    def describe(
        at: str, stats: Iterable[tuple[str, os.stat_result]]
    ) -> tuple[list[str], list[str], tuple[dict[str, Info], list[Info]]]:
        directories: dict[str, Info] = {}
        files: list[Info] = []
        links: list[str] = []
        below = f"{prefix}{at}/" if at else prefix
        for name, found in stats:
            mode = found.st_mode
            if mode & _FORMAT == S_IFREG:
                files.append(
                    {
                        "name": below + name,
                        "size": found.st_size,
                        "type": "file",
                        "created": found.st_ctime,
                        "islink": False,
                        "mode": mode,
                        "uid": found.st_uid,
                        "gid": found.st_gid,
                        "mtime": found.st_mtime,
                        "ino": found.st_ino,
                        "nlink": found.st_nlink,
                    }
                )
            elif S_ISLNK(mode):
                links.append(name)
            elif S_ISDIR(mode):
                directories[name] = info_of(below + name, found)
            else:
                files.append(info_of(below + name, found))
        return sorted(directories), links, (directories, files)

    return describe


def size_of_files(
    _: str, stats: Iterable[tuple[str, os.stat_result]]
) -> tuple[list[str], list[str], int]:
    """What a survey is to find for ``du``: the bytes of all that is no directory and no link."""
    directories: list[str] = []
    links: list[str] = []
    total = 0
    for name, found in stats:
        mode = found.st_mode & _FORMAT
        if mode == S_IFREG:
            total += known_size(name, found.st_size)
        elif mode == S_IFLNK:
            links.append(name)
        elif mode == S_IFDIR:
            directories.append(name)
        else:
            total += found.st_size
    return directories, links, total


def known_size(name: str, size: int | None) -> int:
    """The size; ValueError where an encrypted disk cannot tell it, and has None."""
    if size is None:
        raise ValueError(
            f"the size of {name!r} cannot be told: ask for its content, which says why"
        )
    return size


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
