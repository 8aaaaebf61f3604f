"""Each operation of a Root beside its model: one table for all who compare them.

    expected = operation.expected(tree, "a/b")      # changes the tree in memory
    observed = operation.observed(root, "a/b")      # changes the directory
    assert expected.allows(observed)

Paths come first, then values, which all have defaults.
"""

from __future__ import annotations

from dataclasses import dataclass
from stat import S_IMODE, S_ISDIR, S_ISLNK, S_ISREG
from typing import TYPE_CHECKING, Any

from safefs.errors import SafefsError
from safefs.testing import model
from safefs.testing.oracle import verdict_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from safefs.root import Root
    from safefs.testing.oracle import Directory


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an operation ended: an answer; or, where ``errors`` is not empty, one of those words."""

    answer: object = None
    errors: frozenset[str] = frozenset()

    def allows(self, other: Outcome) -> bool:
        """Whether what was observed is what was expected."""
        if not self.errors:
            return not other.errors and self.answer == other.answer
        return bool(other.errors) and other.errors <= self.errors

    def __str__(self) -> str:
        return " or ".join(sorted(self.errors)) if self.errors else repr(self.answer)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: what it must do to a tree in memory, and the call that does it to a subject.

    ``paths`` is how many of the first arguments are paths; ``changes``, whether it may change the
    tree at all.
    """

    name: str
    model: Callable[..., object]
    act: Callable[..., object]
    paths: int = 1
    changes: bool = False

    def expected(self, tree: Directory, *arguments: Any) -> Outcome:
        """What must come of it; the tree is changed as the directory must be."""
        try:
            return Outcome(self.model(tree, *arguments))
        except model.Refused as refused:
            return Outcome(None, refused.words)

    def observed(self, subject: Any, *arguments: Any) -> Outcome:
        """What comes of it. An error that names another path than those given is no word at all."""
        try:
            return Outcome(self.act(subject, *arguments))
        except (OSError, SafefsError) as error:
            return Outcome(None, frozenset({verdict_of(error) + _misnamed(error, arguments)}))


def _misnamed(error: BaseException, arguments: tuple[object, ...]) -> str:
    named = getattr(error, "filename", None) if isinstance(error, OSError) else arguments[0]
    return "" if named in arguments else f" of {named!r}"


def _facts(seen: os.stat_result) -> tuple[str, int, int | None]:
    mode, size = S_IMODE(seen.st_mode), seen.st_size
    if S_ISDIR(seen.st_mode):
        return "directory", mode, None
    if S_ISREG(seen.st_mode):
        return "file", mode, size
    return "link" if S_ISLNK(seen.st_mode) else "another kind", mode, size


def _append(root: Root, path: str, data: bytes = b"+") -> int:
    with root.open(path, "ab") as file:
        return file.write(data)


def _create(root: Root, path: str, data: bytes = b"created") -> int:
    with root.open(path, "xb") as file:
        return file.write(data)


def _update(root: Root, path: str, data: bytes = b"updated") -> int:
    with root.open(path, "r+b") as file:
        return file.write(data)


def _scandir(root: Root, path: str) -> list[tuple[str, object]]:
    with root.scandir(path) as entries:
        return sorted((entry.name, _facts(entry.stat())) for entry in entries)


def _subroot(root: Root, path: str) -> list[str]:
    with root.subroot(path) as inner:
        return sorted(inner.listdir())


_STAMP = 1_234_567_890_123_456_789


def _utime(root: Root, path: str) -> None:
    root.utime(path, ns=(_STAMP, _STAMP))
    assert root.stat(path).st_mtime_ns == _STAMP


def _replace_file(root: Root, path: str, data: bytes = b"replaced") -> None:
    root.replace_file(path, data)


def _replace_preserving(root: Root, path: str, data: bytes = b"replaced") -> None:
    root.replace_file(path, data, preserve=("ownership", "xattr"))


def _write_atomically(root: Root, path: str, data: bytes = b"replaced") -> None:
    with root.open(path, "wb", atomic=True) as file:
        file.write(data)


def _silently(act: Callable[..., object], *paths: str) -> None:
    """Without the report, which ``tests/test_trees.py`` looks at."""
    act(*paths)


OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation("read", model.read, lambda root, path: root.read_bytes(path)),
        Operation("stat", model.stat, lambda root, path: _facts(root.stat(path))),
        Operation("lstat", model.lstat, lambda root, path: _facts(root.lstat(path))),
        Operation("exists", model.exists, lambda root, path: root.exists(path)),
        Operation("is_symlink", model.is_symlink, lambda root, path: root.is_symlink(path)),
        Operation("readlink", model.readlink, lambda root, path: root.readlink(path)),
        Operation("listdir", model.listdir, lambda root, path: sorted(root.listdir(path))),
        Operation("scandir", model.scandir, _scandir),
        Operation("walk", model.walk, lambda root, path: list(root.walk(path))),
        Operation("find", model.find, lambda root, path: list(root.find(path))),
        Operation("disk_usage", model.disk_usage, lambda root, path: root.disk_usage(path)),
        Operation("subroot", model.subroot, _subroot),
        Operation(
            "write",
            model.write,
            lambda root, path, data=b"written": root.write_bytes(path, data),
            changes=True,
        ),
        Operation("append", model.append, _append, changes=True),
        Operation("create", model.create, _create, changes=True),
        Operation("update", model.update, _update, changes=True),
        Operation("replace_file", model.replace_file, _replace_file, changes=True),
        Operation("replace_file preserving", model.replace_file, _replace_preserving, changes=True),
        Operation("write atomically", model.replace_file, _write_atomically, changes=True),
        Operation(
            "truncate",
            model.truncate,
            lambda root, path, length=3: root.truncate(path, length),
            changes=True,
        ),
        Operation(
            "chmod",
            model.chmod,
            lambda root, path, mode=0o700: root.chmod(path, mode),
            changes=True,
        ),
        Operation("utime", model.utime, _utime, changes=True),
        Operation("mkdir", model.mkdir, lambda root, path: root.mkdir(path), changes=True),
        Operation("makedirs", model.makedirs, lambda root, path: root.makedirs(path), changes=True),
        Operation(
            "makedirs, exist_ok",
            lambda tree, path: model.makedirs(tree, path, exist_ok=True),
            lambda root, path: root.makedirs(path, exist_ok=True),
            changes=True,
        ),
        Operation("rmdir", model.rmdir, lambda root, path: root.rmdir(path), changes=True),
        Operation("unlink", model.unlink, lambda root, path: root.unlink(path), changes=True),
        Operation(
            "remove_tree",
            model.remove_tree,
            lambda root, path: _silently(root.remove_tree, path),
            changes=True,
        ),
        Operation(
            "symlink",
            model.symlink,
            lambda root, path, target="a": root.symlink(target, path),
            changes=True,
        ),
        Operation(
            "rename",
            model.rename,
            lambda root, src, dst: root.rename(src, dst),
            paths=2,
            changes=True,
        ),
        Operation(
            "rename, replacing nothing",
            lambda tree, src, dst: model.rename(tree, src, dst, replace=False),
            lambda root, src, dst: root.rename(src, dst, replace=False),
            paths=2,
            changes=True,
        ),
        Operation(
            "link", model.link, lambda root, src, dst: root.link(src, dst), paths=2, changes=True
        ),
        Operation(
            "copy", model.copy, lambda root, src, dst: root.copy(src, dst), paths=2, changes=True
        ),
        Operation(
            "copy, replacing nothing",
            lambda tree, src, dst: model.copy(tree, src, dst, replace=False),
            lambda root, src, dst: root.copy(src, dst, replace=False),
            paths=2,
            changes=True,
        ),
        Operation(
            "copy_tree",
            model.copy_tree,
            lambda root, src, dst: _silently(root.copy_tree, src, dst),
            paths=2,
            changes=True,
        ),
        Operation(
            "move_tree",
            model.move_tree,
            lambda root, src, dst: _silently(root.move_tree, src, dst),
            paths=2,
            changes=True,
        ),
    )
}
