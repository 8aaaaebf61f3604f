"""Removing what writers have left behind that are gone."""

from __future__ import annotations

import os
from errno import ENXIO
from stat import S_ISDIR, S_ISLNK, S_ISREG
from time import sleep, time

from safefs.kernel import syscalls
from safefs.operations.denied import refuse_denied
from safefs.operations.listing import open_directory
from safefs.operations.parent import Blame, open_child
from safefs.operations.removing import remove_entries, remove_own
from safefs.operations.replace import is_temporary
from safefs.operations.sizes import forget
from safefs.operations.tree import Descent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safefs.kernel.handle import Handle
    from safefs.paths import RelPath

_LOOK = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_MOMENT = 0.01  # seconds; the clock of a file system may lag by its tick, which is 4 ms or less
_GONE = (FileNotFoundError, NotADirectoryError)


def sweep(handle: Handle, path: RelPath, older_than: float) -> list[str]:
    """Remove each draft that is not locked and has not changed for so many seconds.

    A draft is known by its name alone (``is_temporary``), and is a file, the directory of a tree
    that is being copied, or a link, which has no lock and bears that name for a moment only. Paths
    from the root, of what was removed. No link is entered, and what this process may not remove is
    passed over. With 0 (or less) seconds no time is looked at, which on a network may be another
    clock's.
    """
    handle.permit(path, writes=True)
    before = time() - older_than if older_than > 0 else None
    top = open_directory(handle, path)
    text = path.text.rstrip("/")
    removed: list[str] = []
    try:
        descent = Descent(handle, top)
        try:
            with Blame(path):
                _sweep(handle, descent, "" if text in ("", ".") else f"{text}/", before, removed)
        finally:
            descent.close()
            if removed:
                forget(handle)
    finally:
        syscalls.close(top)
    return removed


def empty(handle: Handle, path: RelPath) -> None:
    """Remove all beneath a directory, what is in no listing too; it may be the root itself."""
    handle.permit(path, writes=True)
    top = open_directory(handle, path)
    try:
        with Blame(path):
            refuse_denied(handle, top, path.shown)
            remove_entries(handle, top)
    finally:
        syscalls.close(top)


def _sweep(
    handle: Handle, descent: Descent, prefix: str, before: float | None, removed: list[str]
) -> None:
    prefixes = [prefix]
    pending = [_directories(handle, descent, prefix, before, removed)]
    while pending:
        name = pending[-1].pop() if pending[-1] else None
        if name is None:
            pending.pop()
            prefixes.pop()
            if pending:
                descent.up()
            continue
        try:
            descent.enter(name)
        except (*_GONE, PermissionError):
            continue
        prefixes.append(f"{prefixes[-1]}{name}/")
        pending.append(_directories(handle, descent, prefixes[-1], before, removed))


def _directories(
    handle: Handle, descent: Descent, prefix: str, before: float | None, removed: list[str]
) -> list[str]:
    """The directories to go into from here, where the drafts have been removed.

    Drafts stand also where dot entries are refused, at the top: they are ours.
    """
    with syscalls.scandir(descent.fd) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    onward = []
    hidden = descent.hidden
    for name, is_dir in found:
        if is_temporary(name):
            if _remove(handle, descent.fd, name, before):
                removed.append(prefix + name)
        elif is_dir and not (hidden is not None and hidden(name, True)):
            onward.append(name)
    return onward


def _remove(handle: Handle, dir_fd: int, name: str, before: float | None) -> bool:
    """Whether it was a draft of a writer that is gone, and is gone itself now."""
    try:
        seen = syscalls.stat(name, dir_fd=dir_fd, follow_symlinks=False)
        if S_ISLNK(seen.st_mode):
            return _remove_link(dir_fd, name, seen, before)
        fd = _opened(handle, dir_fd, name, seen)
    except OSError:
        return False  # a socket, gone, or not ours to open
    try:
        found = syscalls.fstat(fd)
        if before is not None and found.st_ctime > before:
            return False
        if before is None:
            _wait_for_its_lock(found)
        if not syscalls.lock(fd):
            return False
        if S_ISDIR(found.st_mode):
            _remove_tree(handle, dir_fd, name, fd)
        else:
            syscalls.unlink(name, dir_fd=dir_fd)
    except (FileNotFoundError, PermissionError):
        return False  # published or removed meanwhile, or not ours to remove
    finally:
        syscalls.close(fd)
    return True


def _remove_link(dir_fd: int, name: str, seen: os.stat_result, before: float | None) -> bool:
    """Whether it was old enough; what stands there is unlinked, and never followed."""
    if before is not None and seen.st_ctime > before:
        return False
    syscalls.unlink(name, dir_fd=dir_fd)
    return True


def _opened(handle: Handle, dir_fd: int, name: str, found: os.stat_result) -> int:
    """A file or directory, opened in a way that its lock can be asked for.

    NFS asks for the right to write before it gives this lock; a draft has the permissions of the
    file it is to replace, which may be without either right.
    """
    if S_ISDIR(found.st_mode):
        return open_child(handle, dir_fd, name, _LOOK | os.O_DIRECTORY)
    if not S_ISREG(found.st_mode):
        raise OSError(ENXIO, os.strerror(ENXIO))
    for way in (os.O_RDWR, os.O_RDONLY):
        try:
            return open_child(handle, dir_fd, name, _LOOK | way)
        except PermissionError:
            continue
    return open_child(handle, dir_fd, name, _LOOK | os.O_WRONLY)


def _remove_tree(handle: Handle, dir_fd: int, name: str, top: int) -> None:
    remove_own(handle, top)
    syscalls.rmdir(name, dir_fd=dir_fd)


def _wait_for_its_lock(found: os.stat_result) -> None:
    """A writer takes the lock in the call after the one that makes the file: let it."""
    age = time() - found.st_ctime
    if 0 <= age < _MOMENT:
        sleep(_MOMENT - age)
