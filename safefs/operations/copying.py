"""copy and copy_tree: whole or not at all, and links as links."""

from __future__ import annotations

import os
import sys
from errno import EINVAL, ENOSYS, ENOTSUP, ENXIO, EOPNOTSUPP, EPERM, ESTALE, EXDEV
from stat import S_IMODE, S_ISDIR, S_ISLNK, S_ISREG

from safefs.audit import refused
from safefs.errors import PolicyError, SameFileError
from safefs.kernel import syscalls
from safefs.kernel.trail import MAX_HELD
from safefs.operations.files import open_regular, write_all
from safefs.operations.listing import open_directory
from safefs.operations.names import rename_noreplace
from safefs.operations.parent import Blame, Parent, open_child
from safefs.operations.replace import (
    Draft,
    existing_entry,
    parent_of_file,
    refuse_existing,
    temporary_name,
)
from safefs.operations.tree import Descent, remove_entries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safefs.kernel.handle import Handle
    from safefs.paths import RelPath

_PERMISSIONS = 0o777  # set-id bits stay behind
_SMALL = 1 << 16  # below this, two calls are quicker than asking the kernel to copy
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 30
_CANNOT = frozenset({ENOSYS, EXDEV, EINVAL, EPERM, ENOTSUP, EOPNOTSUPP})


def copy(handle: Handle, src: RelPath, dst: RelPath, *, replace: bool) -> None:
    with Blame(src, dst):
        source = open_regular(handle, src, os.O_RDONLY)
        try:
            _copy(handle, source, src, dst, replace=replace)
        finally:
            syscalls.close(source)


def _copy(handle: Handle, source: int, src: RelPath, dst: RelPath, *, replace: bool) -> None:
    with parent_of_file(handle, dst) as new:
        found = syscalls.fstat(source)
        if not replace:
            refuse_existing(new)
        existing = existing_entry(new)
        if existing is not None and _same(existing, found):
            raise SameFileError(src.shown, dst.shown)
        mode = S_IMODE(found.st_mode) & _PERMISSIONS
        with Draft(new.fd, mode) as draft:
            copy_content(source, draft.fd, found.st_size)
            draft.publish(new.name, replace=replace)


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def copy_content(source: int, target: int, size: int) -> None:
    """All that the source holds from where it stands, in the kernel where that is quicker."""
    if size >= _SMALL and _copy_in_kernel(source, target):
        return
    while chunk := syscalls.read(source, 1 << 20 if size >= _SMALL else _SMALL):
        write_all(target, chunk)


def _copy_in_kernel(source: int, target: int) -> bool:
    """Whether it could; if not, nothing has been copied."""
    if not hasattr(syscalls, "copy_file_range"):
        return False
    copied = 0
    while True:
        try:
            step = syscalls.copy_file_range(source, target, _CHUNK)
        except OSError as error:
            if copied or error.errno not in _CANNOT:
                raise
            return False
        if not step:
            return copied > 0
        copied += step


def copy_tree(handle: Handle, src: RelPath, dst: RelPath) -> None:
    """Filled under a temporary name and renamed at the end, so that it is whole or not there."""
    with Blame(src, dst):
        top = open_directory(handle, src)
        sys.audit("safefs.open", dst.shown, syscalls.LISTING | os.O_CREAT)
        try:
            with Parent(handle, dst, writes=True, owns=True) as new:
                refuse_existing(new)
                _refuse_itself(top, new.fd)
                _fill_and_publish(handle, top, new)
        finally:
            syscalls.close(top)


def _refuse_itself(source: int, target: int) -> None:
    if _same(syscalls.fstat(source), syscalls.fstat(target)):
        raise OSError(EINVAL, "a tree cannot be copied into itself")


def _fill_and_publish(handle: Handle, top: int, new: Parent) -> None:
    name = temporary_name()
    syscalls.mkdir(name, 0o700, dir_fd=new.fd)
    draft = -1
    try:
        draft = syscalls.open(name, syscalls.LISTING | os.O_NOFOLLOW, dir_fd=new.fd)
        syscalls.lock(draft)
        _check_ours(draft)
        _fill(handle, top, draft, new.fd)
        rename_noreplace(new.fd, name, new.fd, new.name)
    except _Replaced:
        raise  # what stands there now is another's, and not ours to clear up
    except BaseException:
        _discard(handle, new.fd, name, draft)
        raise
    finally:
        if draft >= 0:
            syscalls.close(draft)


class _Replaced(OSError):  # noqa: N818  (what happened)
    """A directory that was just made is another one by now. errno is ESTALE."""


def _check_ours(made: int) -> None:
    """That what was made and what was opened are one: ours, and empty."""
    if syscalls.fstat(made).st_uid != syscalls.geteuid() or syscalls.listdir(made):
        raise _Replaced(ESTALE, "a directory was replaced in the moment it was made")


def _discard(handle: Handle, dir_fd: int, name: bytes, draft: int) -> None:
    try:
        if draft >= 0:
            remove_entries(handle, draft)
        syscalls.rmdir(name, dir_fd=dir_fd)
    except OSError:
        pass  # what went wrong before is what the caller must hear


def _fill(handle: Handle, source: int, target: int, place: int) -> None:
    """Copy a tree's entries; a directory gets its mode and times when it is complete.

    ``place`` holds the target, which bears a temporary name and so is not among the entries.
    """
    old = Descent(handle, source, MAX_HELD // 2)
    new = Descent(handle, target, MAX_HELD // 2)
    try:
        pending = [iter(old.read())]
        while pending:
            name, is_dir = next(pending[-1], ("", False))
            if not name:
                _finish(old.fd, new.fd)
                pending.pop()
                if pending:
                    old.up()
                    new.up()
            elif is_dir:
                old.enter(name)
                # Met only where the copy lies within its source. Looking for it from the other end,
                # up from the target, could leave the root when a directory is moved meanwhile.
                _refuse_itself(old.fd, place)
                syscalls.mkdir(name, 0o700, dir_fd=new.fd)
                new.enter(name)
                _check_ours(new.fd)
                pending.append(iter(old.read()))
            else:
                _copy_entry(handle, old.fd, new.fd, name)
    finally:
        old.close()
        new.close()


def _finish(source: int, target: int) -> None:
    found = syscalls.fstat(source)
    syscalls.fchmod(target, S_IMODE(found.st_mode) & _PERMISSIONS)
    syscalls.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def _copy_entry(handle: Handle, source: int, target: int, name: str) -> None:
    """One file or link, as it stands; ENXIO for a FIFO, a socket or a device."""
    found = syscalls.stat(name, dir_fd=source, follow_symlinks=False)
    if S_ISLNK(found.st_mode):
        if handle.policy.symlinks == "never":
            raise refused(PolicyError(name, "symlinks", "links are not made here"))
        syscalls.symlink(_link_text(source, name), name, dir_fd=target)
    elif S_ISREG(found.st_mode):
        _copy_file(handle, source, target, name)
    elif S_ISDIR(found.st_mode):
        raise _changed(name)
    else:
        raise OSError(ENXIO, f"not a file, directory or link: {name!r}")


def _link_text(dir_fd: int, name: str) -> str:
    try:
        return syscalls.readlink(name, dir_fd=dir_fd)
    except OSError as error:
        if error.errno == EINVAL:
            raise _changed(name) from None
        raise


def _changed(name: str) -> OSError:
    return OSError(ESTALE, f"{name!r} became something else while its tree was copied")


def _copy_file(handle: Handle, source: int, target: int, name: str) -> None:
    old = open_child(handle, source, name, _READ)
    try:
        found = syscalls.fstat(old)
        if not S_ISREG(found.st_mode):
            raise OSError(ENXIO, f"not a regular file: {name!r}")
        new = syscalls.open(name, _NEW, 0o600, dir_fd=target)
        try:
            copy_content(old, new, found.st_size)
            _finish(old, new)
        finally:
            syscalls.close(new)
    finally:
        syscalls.close(old)
