"""Removing what writers have left behind that are gone."""

from __future__ import annotations

import os
from stat import S_ISDIR, S_ISREG
from time import time

from safefs.kernel import syscalls
from safefs.operations.listing import open_directory
from safefs.operations.parent import Blame, open_child
from safefs.operations.replace import is_temporary
from safefs.operations.tree import Descent, remove_entries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safefs.kernel.handle import Handle
    from safefs.paths import RelPath

_LOOK = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_GONE = (FileNotFoundError, NotADirectoryError)


def sweep(handle: Handle, path: RelPath, older_than: float) -> list[str]:
    """Remove each draft that is not locked and has not changed for so many seconds.

    A draft is known by its name alone (``is_temporary``), and is a file, or the directory of a tree
    that is being copied. Paths from the root, of what was removed. No link is entered.
    """
    handle.permit(path, writes=True)
    before = time() - older_than
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
    finally:
        syscalls.close(top)
    return removed


def _sweep(
    handle: Handle, descent: Descent, prefix: str, before: float, removed: list[str]
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
    handle: Handle, descent: Descent, prefix: str, before: float, removed: list[str]
) -> list[str]:
    """The directories to go into from here, where the drafts have been removed.

    Drafts stand also where dot entries are refused, at the top: they are ours.
    """
    with syscalls.scandir(descent.fd) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    onward = []
    for name, is_dir in found:
        if is_temporary(name):
            if _remove(handle, descent.fd, name, before):
                removed.append(prefix + name)
        elif is_dir and not (descent.hides_dots and name[0] == "."):
            onward.append(name)
    return onward


def _remove(handle: Handle, dir_fd: int, name: str, before: float) -> bool:
    """Whether it was a draft of a writer that is gone, and is gone itself now."""
    try:
        fd = open_child(handle, dir_fd, name, _LOOK)
    except OSError:
        return False  # a link, gone, a socket, or not ours to read
    try:
        found = syscalls.fstat(fd)
        if found.st_ctime > before or not syscalls.lock(fd):
            return False
        if S_ISREG(found.st_mode):
            syscalls.unlink(name, dir_fd=dir_fd)
        elif S_ISDIR(found.st_mode):
            remove_entries(handle, fd)
            syscalls.rmdir(name, dir_fd=dir_fd)
        else:
            return False
    except FileNotFoundError:
        return False
    finally:
        syscalls.close(fd)
    return True
