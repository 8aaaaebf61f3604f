"""A tree in memory and a directory, made into each other and compared.

A portrait is a dict from path (``""`` for the top) to what stands there: ``("directory", mode)``,
``("file", mode, content, names)`` or ``("link", target, names)``, where ``names`` are all the paths
of what has more than one, and empty else. A file that has a further name outside the tree says so
there.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

from safefs.testing.oracle import Directory, File, Link

if TYPE_CHECKING:
    from collections.abc import Callable

    from safefs.testing.oracle import Node

    Change = Callable[[bytes], bytes]

    Portrait = dict[str, tuple[object, ...]]


def portrait(top: Directory) -> Portrait:
    """The portrait of a tree in memory."""
    found: dict[str, Any] = {"": ("directory", top.mode)}
    names: dict[int, list[str]] = {}
    pending = [("", top)]
    while pending:
        prefix, here = pending.pop()
        for name, node in here.entries.items():
            path = prefix + name
            if isinstance(node, Directory):
                found[path] = ("directory", node.mode)
                pending.append((path + "/", node))
                continue
            names.setdefault(id(node), []).append(path)
            if isinstance(node, File):
                found[path] = ("file", node.mode, node.content, ())
            else:
                found[path] = ("link", node.target, ())
    for paths in names.values():
        if len(paths) > 1:
            _name_all(found, paths)
    return found


def _name_all(found: dict[str, Any], paths: list[str], *, elsewhere: int = 0) -> None:
    shared = (*sorted(paths), *([f"and {elsewhere} elsewhere"] if elsewhere else ()))
    for path in paths:
        found[path] = (*found[path][:-1], shared)


def portrait_of(directory: str | os.PathLike[str], content: Change = bytes) -> Portrait:
    """The portrait of a directory, by plain calls of ``os``; no link is followed.

    ``content`` makes of what lies in a file what it stands for.
    """
    at = os.fspath(directory)
    found: dict[str, Any] = {"": ("directory", stat.S_IMODE(os.lstat(at).st_mode))}
    names: dict[tuple[int, int], tuple[int, list[str]]] = {}
    pending = [""]
    while pending:
        prefix = pending.pop()
        with os.scandir(f"{at}/{prefix}") as entries:
            for entry in entries:
                path = prefix + entry.name
                seen = entry.stat(follow_symlinks=False)
                found[path] = _features(entry.path, seen, content)
                if stat.S_ISDIR(seen.st_mode):
                    pending.append(path + "/")
                elif seen.st_nlink > 1:
                    same = names.setdefault((seen.st_dev, seen.st_ino), (seen.st_nlink, []))
                    same[1].append(path)
    for count, paths in names.values():
        _name_all(found, paths, elsewhere=count - len(paths))
    return found


def _features(path: str, seen: os.stat_result, content: Change) -> tuple[object, ...]:
    if stat.S_ISLNK(seen.st_mode):
        return ("link", os.readlink(path), ())
    mode = stat.S_IMODE(seen.st_mode)
    if stat.S_ISDIR(seen.st_mode):
        return ("directory", mode)
    if not stat.S_ISREG(seen.st_mode):
        return ("neither file, directory nor link", seen.st_mode, ())
    if not seen.st_size:
        return ("file", mode, content(b""), ())
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return ("file", mode, content(os.read(fd, seen.st_size + 1)), ())
    finally:
        os.close(fd)


def build_tree(top: Directory, directory: str | os.PathLike[str], stored: Change = bytes) -> None:
    """Make a tree in memory in an empty directory; what has two names is linked hard.

    ``stored`` makes of the content of a file what is to lie there.
    """
    made: dict[int, str] = {}
    _build(top, os.fspath(directory), made, stored)


def _build(top: Directory, at: str, made: dict[int, str], stored: Change) -> None:
    for name, node in top.entries.items():
        path = f"{at}/{name}"
        if isinstance(node, Directory):
            os.mkdir(path)
            _build(node, path, made, stored)
        elif (first := made.setdefault(id(node), path)) is not path:
            os.link(first, path, follow_symlinks=False)
        elif isinstance(node, File):
            _build_file(node, path, stored(node.content))
        else:
            os.symlink(node.target, path)
    os.chmod(at, top.mode)


def _build_file(file: File, path: str, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    fd = os.open(path, flags, file.mode)
    try:
        if content:
            os.write(fd, content)
        if file.mode & 0o022:  # what the umask may have taken
            os.fchmod(fd, file.mode)
    finally:
        os.close(fd)


def cloned(top: Directory) -> Directory:
    """A tree of its own, in which what had two names still has two."""
    copy = _clone(top, {})
    assert isinstance(copy, Directory)
    return copy


def _clone(node: Node, made: dict[int, Node]) -> Node:
    if isinstance(node, Directory):
        entries = {name: _clone(child, made) for name, child in node.entries.items()}
        return Directory(entries, node.mode)
    copy = made.get(id(node))
    if copy is None:
        copy = File(node.content, node.mode) if isinstance(node, File) else Link(node.target)
        made[id(node)] = copy
    return copy
