"""What each operation of a Disk on a local directory must come to: over a tree in memory.

It stands on the model of Root's operations (``safefs.testing.model``) and adds what a Disk adds:
directories above that are made where they are missing, lists from the disk's root in which a link
counts as what it leads to, and the words of Laravel. ``DISK_OPERATIONS`` puts each beside its call.
"""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from safefs.testing import model
from safefs.testing.model import Refused
from safefs.testing.operations import Operation
from safefs.testing.oracle import Directory, File, Link, resolve
from safefs.testing.portraits import cloned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs.disk import Disk
    from safefs.drivers.base import Stat
    from safefs.testing.oracle import Node

_KINDS: dict[type, str] = {Directory: "directory", File: "file", Link: "symlink"}


# -- directories above ---------------------------------------------------------------------------


def _with_parents(
    tree: Directory,
    path: str,
    act: Callable[[Directory], object],
    *,
    no_name: str = "EISDIR",
    slashed: str | None = "EISDIR",
    check: Callable[[Node | None, Directory], None] | None = None,
) -> None:
    """Do it; where a directory above is missing, make it and do it again.

    What can be refused of the tree as it stands is refused before one is made; what the making
    itself brings about (``new/../new``) is refused after, and what was made stays.
    """
    try:
        act(tree)
        return
    except Refused as refused:
        bare = path.rstrip("/")
        above, _, name = bare.rpartition("/")
        if refused.words != {"ENOENT"} or not above:
            raise
    wrong = no_name if name in (".", "..") else slashed if bare != path else None
    try:
        entry, here = model.ahead(tree, path)
        if check is not None:
            check(entry, here)
    except Refused as refused:
        if wrong is None or refused.words != {"ENOENT"}:
            raise
        # A directory that is moved is looked for first, and it depends on the path where that ends.
        raise Refused(wrong, *(() if check is None else ("ENOENT", "ENOTDIR"))) from None
    if wrong is not None:
        raise Refused(wrong)
    if slashed is not None and isinstance(entry, Directory):
        raise Refused("EISDIR")
    model.makedirs(tree, above, exist_ok=True)
    act(tree)


def put(tree: Directory, path: str, data: bytes = b"put") -> None:
    _with_parents(tree, path, lambda tree: model.replace_file(tree, path, data))


def append(tree: Directory, path: str, data: bytes = b"+", separator: bytes = b"") -> None:
    def act(tree: Directory) -> None:
        found = resolve(tree, path).node
        held = isinstance(found, File) and found.content
        model.append(tree, path, separator + data if held else data)

    _with_parents(tree, path, act)


def prepend(tree: Directory, path: str, data: bytes = b"-", separator: bytes = b"") -> None:
    _replaced(tree, path, data, lambda held: data + separator + held)


def append_anew(tree: Directory, path: str, data: bytes = b"+", separator: bytes = b"") -> None:
    """``append`` where nothing is written in place: as ``prepend``."""
    _replaced(tree, path, data, lambda held: held + separator + data)


def _replaced(tree: Directory, path: str, data: bytes, joined: Callable[[bytes], bytes]) -> None:
    """The whole file anew; through a link its content is read, and the link is replaced."""
    led_to = _file_or_nothing(tree, path)
    mode = None if led_to is None else led_to.mode & 0o777

    def act(tree: Directory) -> None:
        model.replace_file(cloned(tree), path)  # or is refused before the old content is read
        old = _file_or_nothing(tree, path)
        entry = resolve(tree, path, follow=False).node
        held = b"" if old is None else old.content
        model.replace_file(tree, path, joined(held) if held else data)
        placed = resolve(tree, path, follow=False).node
        assert isinstance(placed, File)
        if mode is not None and not isinstance(entry, File):
            placed.mode = mode

    _with_parents(tree, path, act)


def _file_or_nothing(tree: Directory, path: str) -> File | None:
    try:
        model.read(tree, path)
    except Refused as refused:
        if refused.words != {"ENOENT"}:
            raise
        return None
    found = resolve(tree, path).node
    assert isinstance(found, File)
    return found


def copy(tree: Directory, src: str, dst: str, *, overwrite: bool = True) -> None:
    def act(tree: Directory) -> None:
        model.copy(tree, src, dst, replace=overwrite)

    # What is missing makes no directories for what is not there to come.
    if resolve(tree, src).node is None:
        act(tree)
    else:
        _with_parents(tree, dst, act)


def move(tree: Directory, src: str, dst: str, *, overwrite: bool = True) -> str:
    """rename, but never onto itself, by whatever name."""
    model.admit(src, dst)
    source = model.entry(tree, src)
    try:
        target = model.entry(tree, dst)
    except Refused:
        pass
    else:
        if not overwrite:
            raise Refused("EEXIST")
        if target is source:
            raise Refused("EINVAL")

    def act(tree: Directory) -> None:
        model.rename(tree, src, dst, replace=overwrite)

    def check(entry: Node | None, here: Directory) -> None:
        assert isinstance(source, Directory)
        if entry is not None and not isinstance(entry, Directory):
            raise Refused("ENOTDIR")
        if entry is None and model.holds(source, here):
            raise Refused("EINVAL")

    if isinstance(source, Directory):
        _with_parents(tree, dst, act, no_name="EINVAL", slashed=None, check=check)
    else:
        _with_parents(tree, dst, act, no_name="EINVAL", slashed="ENOTDIR")
    return "renamed"


def copy_tree(tree: Directory, src: str, dst: str) -> None:
    model.admit(src, dst)
    _tree_with_parents(tree, model.directory(tree, src), dst, partial(model.copy_tree, src=src))


def move_tree(tree: Directory, src: str, dst: str) -> None:
    model.admit(src, dst)
    try:
        source = model.entry(tree, src)
        missing = source is None
    except Refused as refused:
        source, missing = None, refused.words != {"ENOTDIR"}
    if isinstance(source, Directory):
        _tree_with_parents(tree, source, dst, partial(model.move_tree, src=src))
        return
    try:
        model.move_tree(tree, src, dst)  # is refused
    except Refused as refused:
        if not missing and "ENOENT" in refused.words:
            raise Refused("ENOTDIR") from None  # nothing is made for what is no directory
        raise


def _tree_with_parents(
    tree: Directory, source: Directory, dst: str, act: Callable[..., object]
) -> None:
    def check(entry: Node | None, here: Directory) -> None:
        if entry is not None and not isinstance(entry, Directory):
            raise Refused("ENOTDIR")
        if entry is None and model.holds(source, here):
            raise Refused("EINVAL")

    act = partial(act, dst=dst)
    _with_parents(tree, dst, act, no_name="EINVAL", slashed=None, check=check)


# -- looking -------------------------------------------------------------------------------------


def stat(tree: Directory, path: str) -> tuple[str, int, int | None]:
    """What it leads to; a link that leads nowhere, or out, is told as the link that it is."""
    try:
        return model.stat(tree, path)
    except Refused:
        try:
            found = model.lstat(tree, path)
        except Refused:
            found = ("", 0, None)
        if found[0] != "link":
            raise
        return ("symlink", *found[1:])


def kind(tree: Directory, path: str) -> tuple[bool, bool, bool]:
    """(exists, file_exists, directory_exists)."""
    node = resolve(tree, path).node
    return node is not None, isinstance(node, File), isinstance(node, Directory)


def size(tree: Directory, path: str) -> int:
    return len(model.read(tree, path))


def checksum(tree: Directory, path: str) -> str:
    return hashlib.sha256(model.read(tree, path)).hexdigest()


def visibility(tree: Directory, path: str) -> str:
    return "public" if model.stat(tree, path)[1] & 0o077 else "private"


def set_visibility(tree: Directory, path: str, wanted: str = "private") -> None:
    mode = model.stat(tree, path)[1]
    reading = 0o055 if mode & 0o100 else 0o044
    private = mode & 0o1700
    model.chmod(tree, path, private if wanted == "private" else mode & 0o1777 | reading)


def _lists(wanted: type[Node], *, deep: bool) -> Callable[[Directory, str], list[str]]:
    def lists(tree: Directory, path: str = "") -> list[str]:
        top, base = model.directory(tree, path), PurePosixPath(path)
        return sorted(_counted(tree, top, base, wanted, deep=deep))

    return lists


def _counted(
    tree: Directory, top: Directory, at: PurePosixPath, wanted: type[Node], *, deep: bool
) -> Iterator[str]:
    """The entries that count as ``wanted``: a link as what it leads to, and none is entered."""
    for name, node in top.entries.items():
        path = at / name
        counts: Node | None = node
        if isinstance(node, Link):
            counts = resolve(tree, str(path)).node
        if isinstance(counts, wanted):
            yield str(path)
        if deep and isinstance(node, Directory):
            yield from _counted(tree, node, path, wanted, deep=True)


# -- beside the calls ----------------------------------------------------------------------------


def _told(found: Stat) -> tuple[str, int, int | None]:
    return found.kind, found.permissions, None if found.kind == "directory" else found.size


def _append(disk: Disk, path: str, data: bytes = b"+", separator: bytes = b"") -> None:
    disk.append(path, data, separator=separator)


def _prepend(disk: Disk, path: str, data: bytes = b"-", separator: bytes = b"") -> None:
    disk.prepend(path, data, separator=separator)


def _open_atomically(disk: Disk, path: str, data: bytes = b"replaced") -> None:
    with disk.open(path, "wb", atomic=True) as file:
        file.write(data)


def _kinds(disk: Disk, path: str) -> tuple[bool, bool, bool]:
    there = disk.exists(path)
    assert disk.missing(path) is not there
    return there, disk.file_exists(path), disk.directory_exists(path)


def _scoped(disk: Disk, path: str) -> list[str]:
    with disk.scoped(path) as inner:
        return inner.files() + inner.directories()


def _scoped_lists(tree: Directory, path: str) -> list[str]:
    inner = model.directory(tree, path)
    return _lists(File, deep=False)(inner, "") + _lists(Directory, deep=False)(inner, "")


def _without_overwriting(act: Callable[..., object]) -> Callable[..., object]:
    return lambda tree, src, dst: act(tree, src, dst, overwrite=False)


def _operation(name: str, expected: Callable[..., object], act: Callable[..., Any]) -> Operation:
    return Operation(name, expected, act)


def _change(
    name: str, expected: Callable[..., object], act: Callable[..., Any], paths: int = 1
) -> Operation:
    return Operation(name, expected, act, paths=paths, changes=True)


def _silently(act: Callable[..., object], *paths: str) -> None:
    """Without the report, which ``tests/test_trees.py`` looks at."""
    act(*paths)


DISK_OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        _operation("get", model.read, lambda disk, path: disk.get(path)),
        _operation("exists and its kin", kind, _kinds),
        _operation("stat", stat, lambda disk, path: _told(disk.stat(path))),
        _operation("size", size, lambda disk, path: disk.size(path)),
        _operation("checksum", checksum, lambda disk, path: disk.checksum(path)),
        _operation("visibility", visibility, lambda disk, path: disk.visibility(path)),
        _operation("files", _lists(File, deep=False), lambda disk, path: disk.files(path)),
        _operation(
            "directories", _lists(Directory, deep=False), lambda disk, path: disk.directories(path)
        ),
        _operation("all_files", _lists(File, deep=True), lambda disk, path: disk.all_files(path)),
        _operation(
            "all_directories",
            _lists(Directory, deep=True),
            lambda disk, path: disk.all_directories(path),
        ),
        _operation("scoped", _scoped_lists, _scoped),
        _change("put", put, lambda disk, path, data=b"put": disk.put(path, data)),
        _change("open atomically", model.replace_file, _open_atomically),
        _change("append", append, _append),
        _change("prepend", prepend, _prepend),
        _change(
            "set_visibility",
            set_visibility,
            lambda disk, path, wanted="private": disk.set_visibility(path, wanted),
        ),
        _change(
            "make_directory",
            lambda tree, path: model.makedirs(tree, path, exist_ok=True),
            lambda disk, path: disk.make_directory(path),
        ),
        _change("delete", model.unlink, lambda disk, path: disk.delete(path)),
        _change(
            "delete_directory",
            model.remove_tree,
            lambda disk, path: _silently(disk.delete_directory, path),
        ),
        _change(
            "copy_tree",
            copy_tree,
            lambda disk, src, dst: _silently(disk.copy_tree, src, dst),
            paths=2,
        ),
        _change(
            "move_tree",
            move_tree,
            lambda disk, src, dst: _silently(disk.move_tree, src, dst),
            paths=2,
        ),
        _change("copy", copy, lambda disk, src, dst: disk.copy(src, dst), paths=2),
        _change(
            "copy, overwriting nothing",
            _without_overwriting(copy),
            lambda disk, src, dst: disk.copy(src, dst, overwrite=False),
            paths=2,
        ),
        _change("move", move, lambda disk, src, dst: disk.move(src, dst), paths=2),
        _change(
            "move, overwriting nothing",
            _without_overwriting(move),
            lambda disk, src, dst: disk.move(src, dst, overwrite=False),
            paths=2,
        ),
    )
}

# Of an encrypted disk, on which files are only ever replaced.
ENCRYPTED_OPERATIONS = {**DISK_OPERATIONS, "append": _change("append", append_anew, _append)}
