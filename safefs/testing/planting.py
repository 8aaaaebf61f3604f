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
    """Remove all that a directory of the scratch holds, by descriptor, following no link."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _clear(fd)
    finally:
        os.close(fd)


def _clear(fd: int) -> None:
    for name in os.listdir(fd):
        if not stat.S_ISDIR(os.lstat(name, dir_fd=fd).st_mode):
            os.unlink(name, dir_fd=fd)
            continue
        below = os.open(
            name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd
        )
        try:
            _clear(below)
        finally:
            os.close(below)
        os.rmdir(name, dir_fd=fd)
