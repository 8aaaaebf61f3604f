"""A scratch directory with a root and an outside, and whether the outside is still as it was.

Between the scratch and the root of the machine lies a moat of nested directories that is deeper
than any chain of ``..`` which the kit ever hands to a subject, so that even a subject without any
containment climbs no higher than the moat.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from safefs.testing.mounts import bind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    Portrait = tuple[object, ...]

MOAT = 24  # directories above the base; no chain of ".." that the kit makes is half as long


class Scratch:
    """A directory under a moat, in which ``root`` is the root and all else is the outside."""

    def __init__(self, top: Path, base: Path) -> None:
        self.top = top
        self.base = base
        self.root = base / "root"
        self.outside = base / "outside"
        self._moat = [str(path) for path in moat(top, base)]
        self._skipped = {str(self.root)}
        self._before: dict[str, Portrait] = {}

    @classmethod
    def under(cls, directory: Path) -> Scratch:
        """Only the moat, beneath an existing directory."""
        top = directory / "moat"
        base = top.joinpath(*("m" * (MOAT - 1)))
        base.mkdir(parents=True)
        return cls(top, base)

    @classmethod
    def make(cls, directory: Path) -> Scratch:
        """A moat, an empty root, and an outside with something to steal and to spoil."""
        made = cls.under(directory)
        made.root.mkdir()
        build(
            made,
            [
                {"type": "file", "path": "outside/secret.txt", "content": "OUTSIDE-SECRET\n"},
                {"type": "file", "path": "outside/victim.txt", "content": "OUTSIDE-VICTIM\n"},
                {"type": "file", "path": "outside/dir/inner.txt", "content": "OUTSIDE-INNER\n"},
                {"type": "dir", "path": "outside/empty"},
                {"type": "symlink", "path": "outside/link", "target": "secret.txt"},
                {"type": "file", "path": "root-evil/secret.txt", "content": "OUTSIDE-EVIL\n"},
            ],
        )
        return made

    def remember(self, *besides: Path) -> None:
        """Take the outside as it is now for how it must stay; ``besides`` is not looked at."""
        self._skipped = {str(path) for path in (self.root, *besides)}
        self._before = self._snapshot()

    def changes(self) -> list[str]:
        """What is different outside since ``remember``, by name."""
        before, after = self._before, self._snapshot()
        if before == after:
            return []
        return [
            f"{name}: {before.get(name)} became {after.get(name)}"
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        ]

    def _snapshot(self) -> dict[str, Portrait]:
        found: dict[str, Portrait] = {}
        for directory in self._moat:
            found[directory] = tuple(sorted(os.listdir(directory)))
        for entry in os.scandir(self.base):
            if entry.path not in self._skipped:
                found.update(snapshot(entry.path))
        return found


def moat(top: Path, base: Path) -> list[Path]:
    """Every directory above the base, in which nothing but the next may stand."""
    return [path for path in base.parents if path.is_relative_to(top.parent)]


def snapshot(path: str | Path) -> dict[str, Portrait]:
    """Names, kinds, modes, owners, link counts, times and bytes of a tree; links not followed.

    The times are of change, to the nanosecond, so that a thing put back as it was shows too. What
    lies deeper than a path can be is looked at by descriptor.
    """
    pending = [str(path)]
    found: dict[str, Portrait] = {}
    while pending:
        here = pending.pop()
        with _named(here) as (name, dir_fd):
            seen = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
            found[here] = _portrait(name, dir_fd, seen)
            if stat.S_ISDIR(seen.st_mode):
                pending += [f"{here}/{each}" for each in _listed(name, dir_fd)]
    return found


_NAMEABLE = 2000  # bytes of a path that surely is none too long; PATH_MAX is 4,096


@contextmanager
def _named(path: str) -> Iterator[tuple[str, int | None]]:
    """(name, descriptor of the directory it is a name in), which serve where the path is too long.

    No link is followed in what is gone down by descriptor.
    """
    if len(os.fsencode(path)) < _NAMEABLE:
        yield path, None
        return
    cut = path.rfind("/", 0, _NAMEABLE // 4)  # characters, of at most four bytes each
    fd = os.open(path[:cut], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        *names, last = path[cut + 1 :].split("/")
        for name in names:
            above, fd = fd, os.open(name, _BENEATH, dir_fd=fd)
            os.close(above)
        yield last, fd
    finally:
        os.close(fd)


_BENEATH = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def _listed(name: str, dir_fd: int | None) -> list[str]:
    if dir_fd is None:
        return os.listdir(name)
    fd = os.open(name, _BENEATH, dir_fd=dir_fd)
    try:
        return os.listdir(fd)
    finally:
        os.close(fd)


def _portrait(name: str, dir_fd: int | None, seen: os.stat_result) -> Portrait:
    content: object = None
    if stat.S_ISLNK(seen.st_mode):
        content = os.readlink(name, dir_fd=dir_fd)
    elif stat.S_ISREG(seen.st_mode):
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
        try:
            content = os.read(fd, seen.st_size + 1)
        finally:
            os.close(fd)
    times = seen.st_mtime_ns, seen.st_ctime_ns
    return seen.st_mode, seen.st_uid, seen.st_gid, seen.st_nlink, *times, content


def build(scratch: Scratch, tree: Iterable[Mapping[str, str]]) -> None:
    """Make the entries of a tree, in order, with parents as needed."""
    for entry in tree:
        path = scratch.base / entry["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        _MAKERS[entry["type"]](scratch, path, entry)


def _make_file(_: Scratch, path: Path, entry: Mapping[str, str]) -> None:
    path.write_text(entry.get("content", ""), "utf-8", newline="")


def _make_symlink(scratch: Scratch, path: Path, entry: Mapping[str, str]) -> None:
    path.symlink_to(filled(scratch, entry["target"]))


def _make_bind(scratch: Scratch, path: Path, entry: Mapping[str, str]) -> None:
    path.mkdir(exist_ok=True)
    bind(scratch.base / entry["target"], path)


_MAKERS: dict[str, Callable[[Scratch, Path, Mapping[str, str]], None]] = {
    "dir": lambda _, path, __: path.mkdir(exist_ok=True),
    "file": _make_file,
    "symlink": _make_symlink,
    "hardlink": lambda scratch, path, entry: path.hardlink_to(scratch.base / entry["target"]),
    "bind": _make_bind,
    "fifo": lambda _, path, __: os.mkfifo(path),
}


def filled(scratch: Scratch, text: str) -> str:
    """``{root}``, ``{outside}``, ``{scratch}`` and ``{rep:c:n}`` in a text, put in full.

    ``{root_rel}`` and ``{outside_rel}`` are without the first slash.

    All of them lead into the scratch: this is how an absolute path stays harmless.
    """
    for name, place in (
        ("{root_rel}", str(scratch.root).lstrip("/")),
        ("{outside_rel}", str(scratch.outside).lstrip("/")),
        ("{root}", str(scratch.root)),
        ("{outside}", str(scratch.outside)),
        ("{scratch}", str(scratch.base)),
    ):
        text = text.replace(name, place)
    while "{rep:" in text:
        before, _, rest = text.partition("{rep:")
        char, _, rest = rest.partition(":")
        count, _, after = rest.partition("}")
        text = before + char * int(count) + after
    return text
