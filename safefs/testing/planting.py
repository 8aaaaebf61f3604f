"""The trees of ``safefs.testing.oracle``, put into a scratch and taken out again."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from safefs.testing.oracle import Directory, File, Link, Node
from safefs.testing.scratch import filled

if TYPE_CHECKING:
    from safefs.testing.scratch import Scratch


def plant(scratch: Scratch, tree: Directory) -> Directory:
    """Empty the root of the scratch and make this tree in it; the tree as made, links filled.

    A file under several names is made once and linked, there as here.
    """
    clear(str(scratch.root))
    made: dict[int, tuple[Node, str]] = {}
    return _planted(scratch, tree, str(scratch.root), made)


def _planted(
    scratch: Scratch, tree: Directory, place: str, made: dict[int, tuple[Node, str]]
) -> Directory:
    top = Directory(mode=tree.mode)
    for name, node in tree.entries.items():
        path = f"{place}/{name}"
        if id(node) in made:
            copy, first = made[id(node)]
            os.link(first, path, follow_symlinks=False)
            top.entries[name] = copy
            continue
        if isinstance(node, Directory):
            os.mkdir(path)
            top.entries[name] = _planted(scratch, node, path, made)
        elif isinstance(node, File):
            with open(path, "wb", buffering=0) as file:
                file.write(node.content)
            made[id(node)] = File(node.content, node.mode), path
            top.entries[name] = made[id(node)][0]
        else:
            target = filled(scratch, node.target)
            os.symlink(target, path)
            top.entries[name] = Link(target)
    return top


def clear(directory: str) -> None:
    """Remove all that a directory of the scratch holds, by descriptor, following no link.

    What lies deeper is moved up and removed from there: a tree may be deeper than there are
    descriptors, or calls to be had. Directories that may not be entered are opened up first.
    """
    fd = _opened(directory)
    try:
        while names := os.listdir(fd):
            for name in names:
                if not _unlinked(fd, name):
                    _raise(fd, name)
                    os.rmdir(name, dir_fd=fd)
    finally:
        os.close(fd)


def remove(path: str) -> None:
    """Remove whatever is there, if anything is: a directory with all that it holds (``clear``)."""
    try:
        clear(path)
        os.rmdir(path)
    except FileNotFoundError:
        pass
    except NotADirectoryError:
        os.unlink(path)


_BENEATH = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def _unlinked(fd: int, name: str) -> bool:
    """Whether that was no directory, and is gone."""
    if stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
        return False
    os.unlink(name, dir_fd=fd)
    return True


def _raise(fd: int, name: str) -> None:
    """Empty a directory: what it holds of directories stands beside it then, under other names."""
    below = _opened(name, fd)
    try:
        for number, inner in enumerate(os.listdir(below)):
            if not _unlinked(below, inner):
                os.close(_opened(inner, below))  # who may not write in it may not move it either
                risen = f".cleared {os.fstat(below).st_ino} {number}"
                os.rename(inner, risen, src_dir_fd=below, dst_dir_fd=fd)
    finally:
        os.close(below)


def _opened(name: str, fd: int | None = None) -> int:
    """A directory in which one may list and remove; if need be it is made so."""
    try:
        opened = os.open(name, _BENEATH, dir_fd=fd)
    except PermissionError:
        _open_up(name, fd)
        opened = os.open(name, _BENEATH, dir_fd=fd)
    if os.geteuid() != 0 and os.fstat(opened).st_mode & 0o700 != 0o700:
        os.fchmod(opened, 0o700)
    return opened


def _open_up(name: str, fd: int | None) -> None:
    """chmod of what may not even be opened, and of nothing that a link leads to (Linux)."""
    here = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    try:
        os.chmod(f"/proc/self/fd/{here}", 0o700)
    finally:
        os.close(here)
