"""A life of changes for watchers, lived by a process of its own, and a mirror kept from events.

Run as ``python tests/watching.py ROOT OUTSIDE SEED COUNT``: plain ``os`` on two directories that
the caller made, and a ``Disk`` for what removes trees.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from contextlib import suppress
from stat import S_IMODE, S_ISDIR, S_ISLNK, S_ISREG
from typing import TYPE_CHECKING

from safefs import Disk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from safefs import Change, Stat

Shown = tuple[object, ...]


class Mirror:
    """What a reader knows that has nothing but the changes. An impossible one is an error."""

    def __init__(self, start: dict[str, Shown], below: str = "") -> None:
        self.entries = dict(start)
        self.kinds: Counter[str] = Counter()
        self._below = below

    def take(self, change: Change) -> None:
        self.kinds[change.kind] += 1
        known = self.entries
        if change.kind == "resync":
            return
        assert change.kind in ("created", "modified", "removed", "renamed"), change
        assert change.stat is not None
        above = os.path.dirname(change.path)
        assert above in (self._below, "") or known[above][0] == "directory", change
        if change.kind == "created":
            assert change.path not in known, change
            known[change.path] = told(change.stat)
        elif change.kind == "modified":
            assert change.path in known, change
            known[change.path] = told(change.stat)
        elif change.kind == "removed":
            del known[change.path]
            assert not [path for path in known if path.startswith(change.path + "/")], change
        else:
            self._rename(change.old_path or "", change.path)

    def take_all(self, changes: list[Change]) -> None:
        for change in changes:
            self.take(change)

    def _rename(self, old: str, new: str) -> None:
        known = self.entries
        assert new not in known, (old, new)
        for path in [path for path in known if path == old or path.startswith(old + "/")]:
            known[new + path[len(old) :]] = known.pop(path)


def told(stat: Stat) -> Shown:
    if stat.kind == "directory":
        return (stat.kind, stat.permissions)
    return (stat.kind, stat.permissions, stat.size, stat.mtime_ns)


def portrait(root: Path) -> dict[str, Shown]:
    """The disk as ``told`` would have it, by plain ``os``; no link is followed."""
    found: dict[str, Shown] = {}
    for here, directories, others in os.walk(root):
        for name in directories + others:
            path = os.path.join(here, name)
            seen = os.lstat(path)
            mode = seen.st_mode
            text = os.path.relpath(path, root)
            if S_ISDIR(mode):
                found[text] = ("directory", S_IMODE(mode))
            else:
                kind = "file" if S_ISREG(mode) else "symlink" if S_ISLNK(mode) else "other"
                found[text] = (kind, S_IMODE(mode), seen.st_size, seen.st_mtime_ns)
    return found


class Life:
    """Random changes beneath ``root``, to and from ``outside``."""

    def __init__(self, root: str, outside: str, seed: int) -> None:
        self.root, self.outside = root, outside
        self.random = random.Random(seed)
        self.disk = Disk(root)
        self.deeds: list[Callable[[], object]] = [
            self.create,
            self.create,
            self.write,
            self.replace,
            self.rename_in,
            self.rename_out,
            self.rename_within,
            self.rename_within,
            self.delete,
            self.delete_tree,
            self.burst,
            self.swap_link,
            self.chmod,
            self.write_outside,
        ]

    def live(self, count: int) -> None:
        for number in range(count):
            with suppress(OSError):
                self.random.choice(self.deeds)()
            if number % 10 == 0:
                time.sleep(0.001)  # so that the watcher comes in between, on few cores too

    def name(self) -> str:
        return self.random.choice("abcdef")

    def text(self) -> str:
        return "x" * self.random.randrange(200)

    def path(self) -> str:
        return "/".join(self.name() for _ in range(self.random.choice((1, 1, 2, 2, 3, 4))))

    def inside(self) -> str:
        """A path whose directories are no links: the life itself is to stay inside."""
        names = self.path().split("/")
        here = self.root
        for name in names[:-1]:
            if os.path.isdir(f"{here}/{name}") and not os.path.islink(f"{here}/{name}"):
                here = f"{here}/{name}"
        return f"{here}/{names[-1]}"

    def create(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        fd = os.open(self.inside(), flags)
        os.write(fd, self.text().encode())
        os.close(fd)

    def write(self) -> None:
        fd = os.open(self.inside(), os.O_WRONLY | os.O_NOFOLLOW | os.O_APPEND)
        os.write(fd, self.text().encode())
        os.close(fd)

    def replace(self) -> None:
        self.disk.put(os.path.relpath(self.inside(), self.root), self.text())

    def rename_in(self) -> None:
        names = os.listdir(self.outside) or ["nothing"]
        os.rename(f"{self.outside}/{self.random.choice(names)}", self.inside())

    def rename_out(self) -> None:
        os.rename(self.inside(), f"{self.outside}/{self.random.randrange(20)}")

    def rename_within(self) -> None:
        os.rename(self.inside(), self.inside())

    def delete(self) -> None:
        os.unlink(self.inside())

    def delete_tree(self) -> None:
        self.disk.delete_directory(os.path.relpath(self.inside(), self.root))

    def burst(self) -> None:
        here = self.inside()
        for _ in range(4):
            os.mkdir(here)
            with open(f"{here}/{self.name()}", "w") as file:
                file.write(self.text())
            here += f"/{self.random.choice('ghi')}"

    def swap_link(self) -> None:
        """A directory gives its name to a link that leads out, for a while or for good."""
        path = self.inside()
        os.rename(path, f"{self.root}/swapped")
        os.symlink(self.outside, path)
        if self.random.random() < 0.5:
            os.unlink(path)
            os.rename(f"{self.root}/swapped", path)

    def chmod(self) -> None:
        path = self.inside()
        if not os.path.islink(path):
            os.chmod(path, self.random.choice((0o700, 0o711, 0o755)))

    def write_outside(self) -> None:
        """Into what has been moved out too."""
        for here, _, files in os.walk(self.outside):
            with open(f"{here}/secret-{self.random.randrange(9)}", "a") as file:
                file.write(self.text() + "".join(files[:1]))


if __name__ == "__main__":
    Life(sys.argv[1], sys.argv[2], int(sys.argv[3])).live(int(sys.argv[4]))
