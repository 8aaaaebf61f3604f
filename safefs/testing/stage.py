"""Where the cases of a trial are set: a scratch whose outside the kit knows by heart.

Each file outside is told by its content and its size, each object there by its time and its inode.
The stage is used again as long as it is found as it was left; else it is built anew. For a child
process: it changes the working directory and the environment.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from safefs.testing.attacks import INSIDE, OUTSIDE
from safefs.testing.planting import clear, remove
from safefs.testing.scratch import MOAT, Scratch, filled, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from safefs.testing.scratch import Portrait

MARK = b"OUTSIDE:"  # with the name of the file after it, as often as its size takes
_FIRST_TIME = 1_111_111_111  # seconds; the next object's is one later
_ROOT = "root"
_HERE = "here"  # the working directory: for whoever takes a path for relative to that
_HOMES = ("HOME", "USERPROFILE", "APPDATA", "OUTSIDE")  # of whoever expands such names
_DIRECTORY, _FILE = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o644


def _parents(names: Iterable[str]) -> set[str]:
    return {name[:at] for name in names for at, char in enumerate(name) if char == "/"}


# When each object outside was changed last.
TIMES = {
    name: second for second, name in enumerate(sorted({*OUTSIDE, *_parents(OUTSIDE)}), _FIRST_TIME)
}
SIZES = {size: name for name, size in OUTSIDE.items()}
# What no answer has cause to hold. Some names stand inside as well, and "dir" is a common word.
NAMES = {part for name in OUTSIDE for part in name.split("/")} - {
    *(part for name in INSIDE for part in name.split("/")),
    "dir",
}


def content_of(name: str) -> bytes:
    """What stands in a file outside."""
    text = MARK + name.encode() + b"\n"
    size = OUTSIDE[name]
    return (text * (size // len(text) + 1))[:size]


class Stage:
    """A root with a tree in it, and an outside, beneath a moat."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ready()

    @property
    def root(self) -> Path:
        return self.scratch.root

    @property
    def base(self) -> Path:
        return self.scratch.base

    def _ready(self) -> None:
        self.scratch = _scratch_in(self._directory)
        self._above = [str(path) for path in (*_moat(self.scratch), self.base)]
        if not self._is_intact():
            self._build()
        self._build_inside()  # before the outside is looked at: it may hold a link to that
        self.inodes = {(self.base / name).lstat().st_ino: name for name in TIMES}
        self.before = self.outside()
        self._planted: tuple[tuple[str, str], ...] = ()
        os.environ.update(dict.fromkeys(_HOMES, str(self.scratch.outside)))
        os.chdir(self.base / _HERE)

    def _is_intact(self) -> bool:
        """What an earlier trial has left may be anything."""
        try:
            return (
                all(
                    path.lstat().st_mode == _DIRECTORY and len(os.listdir(path)) == 1
                    for path in _moat(self.scratch)
                )
                and self._has_its_outside()
            )
        except OSError:
            return False

    def _has_its_outside(self) -> bool:
        found = {
            os.path.relpath(path, self.base): seen for path, seen in snapshot(self.base).items()
        }
        beside = {name for name in found if name.split("/")[0] != _ROOT}
        return (
            beside == {".", _HERE, *TIMES}
            and all(found[name][4] == second * 10**9 for name, second in TIMES.items())
            and all(found[name][::6] == (_FILE, content_of(name)) for name in OUTSIDE)
            and all(found[name][0] == _DIRECTORY for name in (".", _ROOT, _HERE))
        )

    def _build(self) -> None:
        remove(str(self.scratch.top))
        self.scratch = Scratch.under(self._directory)
        for name in OUTSIDE:
            _make(self.base / name, content_of(name))
        for path in (self.base / _HERE, self.root):
            path.mkdir()
        for path in (*_moat(self.scratch), self.base, self.base / _HERE, self.root):
            path.chmod(_DIRECTORY)
        for name, second in TIMES.items():
            os.utime(self.base / name, (second, second))

    def outside(self) -> dict[str, Portrait]:
        """All but what is beneath the root; of the root, that it is the same directory."""
        found: dict[str, Portrait] = {}
        for place in self._above:
            with suppress(OSError):
                found[place] = tuple(sorted(os.listdir(place)))
        for name in found.get(self._above[-1], ()):
            path = self.base / str(name)
            if name == _ROOT:
                found[str(path)] = stat.S_IFMT(path.lstat().st_mode), path.lstat().st_ino
            else:
                found.update(snapshot(path))
        return found

    def prepare(self, links: Iterable[tuple[str, str]] = ()) -> None:
        """The tree as every case finds it, with the links of this one."""
        if self.outside() != self.before:
            self._ready()
        found = self._inside()
        planted = [path for path, _ in self._planted if found.pop(f"{self.root}/{path}", None)]
        if found == self._tree():  # so the directories that the links are in are directories still
            for path in planted:
                os.unlink(self.root / path)
        else:
            self._build_inside()
        self._planted = tuple(links)
        for place, text in self._planted:
            (self.root / place).symlink_to(filled(self.scratch, text))

    def _inside(self) -> dict[str, object]:
        """Kinds, modes and bytes of all beneath the root: times do not matter there."""
        found = snapshot(self.root)
        return {path: (seen[0], seen[-1]) for path, seen in found.items()}

    def _tree(self) -> dict[str, object]:
        tree: dict[str, object] = {str(self.root): (_DIRECTORY, None)}
        tree |= {f"{self.root}/{name}": (_DIRECTORY, None) for name in _parents(INSIDE)}
        tree |= {f"{self.root}/{name}": (_FILE, data) for name, data in INSIDE.items()}
        return tree

    def _build_inside(self) -> None:
        clear(str(self.root))
        self.root.chmod(_DIRECTORY)
        for name, data in INSIDE.items():
            _make(self.root / name, data)


def _scratch_in(directory: Path) -> Scratch:
    top = directory / "moat"
    return Scratch(top, top.joinpath(*("m" * (MOAT - 1))))


def _moat(scratch: Scratch) -> list[Path]:
    return [path for path in scratch.base.parents if path.is_relative_to(scratch.top)]


def _make(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(_DIRECTORY)
    path.write_bytes(data)
    path.chmod(_FILE)
