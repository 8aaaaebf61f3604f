"""Rights that the owner of an entry gives himself, where its mode keeps them from him."""

from __future__ import annotations

import os
from errno import EINVAL, ENOSYS, ENOTSUP, EOPNOTSUPP, EPERM
from stat import S_IMODE, S_ISDIR, S_ISREG

from safefs.kernel import syscalls
from safefs.kernel.procfs import proc_fds
from safefs.operations.parent import open_child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safefs.kernel.handle import Handle

_ENTRY = syscalls.O_PATH | os.O_NONBLOCK | os.O_CLOEXEC
_LACKING = frozenset({ENOSYS, EINVAL, EPERM, ENOTSUP, EOPNOTSUPP})  # a kernel without fchmodat2


def unlock(fd: int, rights: int) -> int | None:
    """Let the owner do this in an open directory; the mode that it had, or None if that is it."""
    found = syscalls.fstat(fd)
    mode = S_IMODE(found.st_mode)
    if mode & rights == rights or found.st_uid != syscalls.geteuid():
        return None
    syscalls.fchmod(fd, mode | rights)
    return mode


def unlock_entry(handle: Handle, dir_fd: int, name: str | bytes, rights: int) -> bool:
    """Likewise of a file or directory that may not be opened; whether anything was changed.

    By a descriptor that asks for no right, so that what is changed is what was looked at.
    """
    if not syscalls.O_PATH:
        return False
    fd = open_child(handle, dir_fd, name, _ENTRY)
    try:
        found = syscalls.fstat(fd)
        mode = S_IMODE(found.st_mode)
        if mode & rights == rights or found.st_uid != syscalls.geteuid():
            return False
        if not (S_ISREG(found.st_mode) or S_ISDIR(found.st_mode)):
            return False
        if handle.inspects:
            handle.permit_file(os.fsdecode(name), found)
        return _chmod(fd, mode | rights)
    finally:
        syscalls.close(fd)


def _chmod(fd: int, mode: int) -> bool:
    error = -syscalls.fchmodat2(fd, mode)
    if error not in _LACKING:
        return not error
    proc = proc_fds()
    if proc is None:
        return False
    syscalls.close(proc)
    syscalls.chmod(f"/proc/self/fd/{fd}", mode)
    return True
