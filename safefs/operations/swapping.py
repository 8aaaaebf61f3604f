"""A file put in the place of one certain other: what was replaced is looked at afterwards."""

from __future__ import annotations

import os
from errno import EINVAL, ENOSYS

from safefs.kernel import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Meant = Callable[[os.stat_result], None]  # raises for another than was meant

_ATTEMPTS = 16  # at a name that is given to yet another file each time


def swap(dir_fd: int, draft: bytes, name: bytes, meant: Meant) -> None:
    """Give the draft the name of another file, which goes; or raise what ``meant`` raises.

    Then what had the name has it again, or what has taken it since. Both names are there all the
    time; for a moment the draft has the name, also where it is taken back.
    Where the kernel, or the file system, cannot exchange two names, it is a plain rename.
    """
    error = -syscalls.rename_exchange(dir_fd, draft, name)
    if error in (ENOSYS, EINVAL):
        syscalls.rename(draft, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
        return
    if error:
        raise OSError(error, os.strerror(error))
    try:
        meant(_entry(dir_fd, draft))
    except BaseException:
        _take_back(dir_fd, draft, name)
        raise
    syscalls.unlink(draft, dir_fd=dir_fd)


def _take_back(dir_fd: int, draft: bytes, name: bytes) -> None:
    """Until what comes back is what was put there: else it is newer, and has the better right."""
    ours, theirs = _facts(_entry(dir_fd, name)), _facts(_entry(dir_fd, draft))
    for _ in range(_ATTEMPTS):
        if syscalls.rename_exchange(dir_fd, draft, name):
            return  # the name has gone, by one who came later than whom it was taken from
        found = _facts(_entry(dir_fd, draft))
        if found == ours:
            return
        ours, theirs = theirs, found


def _entry(dir_fd: int, name: bytes) -> os.stat_result:
    return syscalls.stat(name, dir_fd=dir_fd, follow_symlinks=False)


def _facts(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
