"""stat and its kin, chmod, utime and extended attributes: all on the object that was reached."""

from __future__ import annotations

import os
from errno import EINVAL, ENOSYS, ENOTSUP, EOPNOTSUPP, EPERM
from stat import S_IMODE, S_ISDIR, S_ISLNK, S_ISREG

from safefs.kernel import leads, open_beneath, open_plainly, syscalls
from safefs.kernel.procfs import proc_fds
from safefs.operations.parent import Blame, blame
from safefs.paths import coerced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from safefs.kernel import AnyPath
    from safefs.kernel.handle import Handle
    from safefs.paths import RelPath

    Result = TypeVar("Result")

_OBJECT = syscalls.O_PATH | os.O_CLOEXEC
_ENTRY = _OBJECT | os.O_NOFOLLOW
_READABLE = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def stat(handle: Handle, path: AnyPath) -> os.stat_result:
    if type(path) is not str:
        path = coerced(path)
    elif "/" in path and not handle.checked_reads:
        fd = open_plainly(handle, path, _OBJECT)
        try:
            return syscalls.fstat(fd)
        except OSError as error:
            blame(error, coerced(path))
            raise
        finally:
            syscalls.close(fd)
    else:
        path = coerced(path)
    if handle.checked_reads:
        handle.permit(path, writes=False)
    if _is_one_name(handle, path):
        found = _stat_name(handle, path)
        if not S_ISLNK(found.st_mode):
            return found
    return _stat_opened(handle, path, _OBJECT)


def exists(handle: Handle, path: AnyPath) -> bool:
    """Whether ``stat`` would find something; what it raises but for FileNotFoundError is raised."""
    if type(path) is str and not handle.checked_reads:
        one_name = "/" not in path
    else:
        path = coerced(path)
        handle.permit(path, writes=False)
        one_name = b"/" not in path.raw
    if not one_name:
        return leads(handle, path)
    try:
        stat(handle, path)
    except FileNotFoundError:
        return False
    return True


def lstat(handle: Handle, path: RelPath) -> os.stat_result:
    handle.permit(path, writes=False)
    if _is_one_name(handle, path):
        return _stat_name(handle, path)
    return _stat_opened(handle, path, _ENTRY)


def look(handle: Handle, path: RelPath) -> tuple[os.stat_result, bool]:
    """The stat of what the path leads to, and whether the entry itself is a link."""
    if handle.checked_reads:
        handle.permit(path, writes=False)
    if _is_one_name(handle, path):
        found = _stat_name(handle, path)
    else:
        found = _stat_opened(handle, path, _ENTRY)
    return (stat(handle, path), True) if S_ISLNK(found.st_mode) else (found, False)


def _is_one_name(handle: Handle, path: RelPath) -> bool:
    """Whether one fstatat without following serves: half the cost of an open, fstat and close."""
    raw = path.raw
    return b"/" not in raw and raw not in (b"", b".", b"..") and handle.plain


def _stat_name(handle: Handle, path: RelPath) -> os.stat_result:
    try:
        return syscalls.stat(path.raw, dir_fd=handle.fd, follow_symlinks=False)
    except OSError as error:
        handle.check_open()
        blame(error, path)
        raise


def _stat_opened(handle: Handle, path: RelPath, flags: int) -> os.stat_result:
    fd = open_beneath(handle, path, flags)
    try:
        return syscalls.fstat(fd)
    except OSError as error:
        blame(error, path)
        raise
    finally:
        syscalls.close(fd)


def chmod(handle: Handle, path: RelPath, mode: int) -> None:
    _on_object(
        handle,
        path,
        direct=lambda fd: syscalls.fchmodat2(fd, mode),
        by_proc=lambda name: syscalls.chmod(name, mode),
        by_fd=lambda fd: syscalls.fchmod(fd, mode),
    )


def change_mode(handle: Handle, path: RelPath, change: Callable[[int], int]) -> None:
    """chmod to what ``change`` makes of the permissions that the very object has.

    Asking and setting by path would be two resolutions, and could give one object the bits of
    another.
    """
    wanted: list[int] = []

    def decided(fd: int) -> int:
        wanted[:] = [change(S_IMODE(syscalls.fstat(fd).st_mode))]
        return wanted[0]

    _on_object(
        handle,
        path,
        direct=lambda fd: syscalls.fchmodat2(fd, decided(fd)),
        by_proc=lambda name: syscalls.chmod(name, wanted[0]),
        by_fd=lambda fd: syscalls.fchmod(fd, decided(fd)),
    )


def utime(handle: Handle, path: RelPath, ns: tuple[int, int] | None) -> None:
    _on_object(
        handle,
        path,
        direct=lambda fd: syscalls.utimensat(fd, ns),
        by_proc=lambda name: syscalls.utime(name, ns=ns) if ns else syscalls.utime(name),
        by_fd=lambda fd: syscalls.utime(fd, ns=ns) if ns else syscalls.utime(fd),
    )


def getxattr(handle: Handle, path: RelPath, attribute: str | bytes) -> bytes:
    return _xattr(handle, path, lambda file: syscalls.getxattr(file, attribute), writes=False)


def setxattr(
    handle: Handle, path: RelPath, attribute: str | bytes, value: bytes, flags: int
) -> None:
    _xattr(handle, path, lambda file: syscalls.setxattr(file, attribute, value, flags), writes=True)


def listxattr(handle: Handle, path: RelPath) -> list[str]:
    return _xattr(handle, path, lambda file: syscalls.listxattr(file), writes=False)


def removexattr(handle: Handle, path: RelPath, attribute: str | bytes) -> None:
    _xattr(handle, path, lambda file: syscalls.removexattr(file, attribute), writes=True)


# What a kernel, a file system or a sandbox without the call answers; EPERM may also be honest, and
# then the next way says so again.
_LACKING = frozenset({ENOSYS, EINVAL, EPERM, ENOTSUP, EOPNOTSUPP})


def _on_object(
    handle: Handle,
    path: RelPath,
    *,
    direct: Callable[[int], int],
    by_proc: Callable[[str], None],
    by_fd: Callable[[int], None],
) -> None:
    """Change the object that was reached: by its descriptor, by /proc/self/fd, or opened to read.

    Never by name. The descriptor is O_PATH: it asks no permission to read and wakes no device.
    """
    fd = _reach(handle, path, writes=True)
    try:
        error = -direct(fd)
        if error in _LACKING:
            with Blame(path):
                _by_proc_or_fd(handle, path, fd, by_proc, by_fd)
        elif error:
            raise OSError(error, os.strerror(error), path.shown)
    finally:
        syscalls.close(fd)


def _xattr(
    handle: Handle, path: RelPath, call: Callable[[str | int], Result], *, writes: bool
) -> Result:
    fd = _reach(handle, path, writes=writes)
    try:
        with Blame(path):
            return _by_proc_or_fd(handle, path, fd, call, call)
    finally:
        syscalls.close(fd)


def _reach(handle: Handle, path: RelPath, *, writes: bool) -> int:
    fd = open_beneath(handle, path, _OBJECT)
    try:
        handle.permit(path, writes=writes)
        if handle.inspects:
            handle.permit_file(path.shown, syscalls.fstat(fd))
        if writes:
            handle.refuse_passable(fd, path.shown)
    except BaseException:
        syscalls.close(fd)
        raise
    return fd


def _by_proc_or_fd(
    handle: Handle,
    path: RelPath,
    fd: int,
    by_proc: Callable[[str], Result],
    by_fd: Callable[[int], Result],
) -> Result:
    proc = proc_fds()
    if proc is not None:
        syscalls.close(proc)
        return by_proc(f"/proc/self/fd/{fd}")
    kind = syscalls.fstat(fd).st_mode
    if not (S_ISREG(kind) or S_ISDIR(kind)):
        raise OSError(ENOTSUP, os.strerror(ENOTSUP))
    readable = open_beneath(handle, path, _READABLE)
    try:
        return by_fd(readable)
    finally:
        syscalls.close(readable)
