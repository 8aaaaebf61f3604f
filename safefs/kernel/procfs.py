"""What procfs says of a descriptor of this process, asked only where it really is procfs."""

from __future__ import annotations

import os

from safefs.kernel import syscalls


def proc_fds() -> int | None:
    """A descriptor of this process's own /proc/self/fd, or None where procfs is not to be had."""
    try:
        fd = syscalls.open("/proc/self/fd", syscalls.DIRECTORY)
    except OSError:
        return None
    if syscalls.LINUX and syscalls.on_procfs(fd):
        return fd
    syscalls.close(fd)
    return None


def place_of(fd: int) -> bytes | None:
    """The path at which an open file or directory lies now; None without procfs.

    It may have changed by the time it is used, and says nothing of what lies there then.
    """
    proc = proc_fds()
    if proc is None:
        return None
    try:
        return os.fsencode(syscalls.readlink(str(fd), dir_fd=proc))
    finally:
        syscalls.close(proc)


def reopened(fd: int, flags: int) -> int | None:
    """The very same file in another way: a new descriptor, or None without procfs.

    Raises what open does.
    """
    proc = proc_fds()
    if proc is None:
        return None
    try:
        return syscalls.open(str(fd), flags & ~(os.O_NOFOLLOW | os.O_CREAT), dir_fd=proc)
    finally:
        syscalls.close(proc)


def permits(fd: int, access: int) -> bool | None:
    """Whether the system would let us: the bits are those of access(2). None without procfs.

    Nothing is opened for it: it is asked of the descriptor, also one that is O_PATH.
    """
    proc = proc_fds()
    if proc is None:
        return None
    try:
        return syscalls.access(str(fd), access, dir_fd=proc, effective_ids=True)
    finally:
        syscalls.close(proc)
