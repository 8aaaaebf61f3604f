"""Reading the directories that may have changed, each beneath the held root and by descriptor."""

from __future__ import annotations

import os
from errno import ELOOP, ENAMETOOLONG, ESTALE, EXDEV
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from safefs.paths import RelPath
from safefs.watch.tree import TOP, differs, joined, parted, same_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from safefs.drivers.base import Driver, Stat
    from safefs.watch.tree import Entries, Tree

    Opened = Callable[[str, int], object]

# What has gone, has become something else or may not be read has nothing in it to be told.
_UNREADABLE = (FileNotFoundError, NotADirectoryError, PermissionError)
_NOWHERE = frozenset({ELOOP, ENAMETOOLONG, ESTALE, EXDEV})


class Seen:
    """What one look found: entries by directory; ``unread`` are those that could not be listed."""

    def __init__(self) -> None:
        self.directories: dict[str, Entries] = {}
        self.unread: set[str] = set()

    def is_as_told(self, tree: Tree, path: str) -> bool:
        """Whether a directory is still the one that the tree has there."""
        if not path:
            return True
        directory, name = parted(path)
        old, entries = tree.get(path), self.directories.get(directory)
        found = old if entries is None else entries.get(name)
        return old is not None and found is not None and same_entry(old, found)


class Looker:
    """Lists directories of a disk, beneath ``top``; paths are from there.

    ``opened`` is told the path of each directory and, where there is one, its descriptor, before
    the first of its names is read.
    """

    def __init__(self, driver: Driver, top: RelPath, *, recursive: bool, opened: Opened) -> None:
        self._driver = driver
        self._top = top
        base = top.text.rstrip("/")
        self._base = "" if base in ("", ".") else base
        self._recursive = recursive
        self._opened = opened

    def path(self, path: str) -> str:
        """The path of the disk."""
        return joined(self._base, path) if path else self._base

    def top(self) -> Stat:
        """The directory that is watched; raises whatever is wrong with it."""
        return self._driver.stat(self._top)

    def look(self, tree: Tree, directories: Iterable[str], unread: set[str], top: Stat) -> Seen:
        """List these, and each beneath them that the tree does not have or that was not read."""
        seen = Seen()
        pending = [each for each in directories if tree.holds(each)]
        heapify(pending)
        asked = set(pending)
        while pending:
            here = heappop(pending)  # those above before those below
            expected = self._expected(tree, seen, here) if here else top
            if expected is None:
                continue  # by what was seen above it, it is not there any more
            entries = self._read(here, expected)
            seen.directories[here] = {} if entries is None else entries
            if entries is None:
                seen.unread.add(here)
            for below in self._below(tree, seen.directories[here], here, unread):
                if below not in asked:
                    asked.add(below)
                    heappush(pending, below)
        return seen

    def _expected(self, tree: Tree, seen: Seen, path: str) -> Stat | None:
        """What the directory is, by the listings that lead there; None if they do not."""
        found: Stat | None = None
        here, same = TOP, True
        for name in path.split("/"):
            entries = seen.directories.get(here)
            if entries is None:
                entries = tree.directories.get(here) if same else None
            found = entries.get(name) if entries is not None else None
            if found is None or found.kind != "directory":
                return None
            here = joined(here, name)
            old = tree.get(here)
            same = same and old is not None and same_entry(old, found)
        return found

    def _below(self, tree: Tree, entries: Entries, here: str, unread: set[str]) -> Iterable[str]:
        if not self._recursive:
            return
        for name, found in entries.items():
            if found.kind == "directory":
                path = joined(here, name)
                old = tree.get(path)
                known = old is not None and same_entry(old, found) and tree.holds(path)
                if old is None or not known or path in unread or differs(old, found):
                    yield path

    def _read(self, path: str, expected: Stat) -> Entries | None:
        try:
            found, entries = self._list(path)
        except _UNREADABLE:
            return None
        except OSError as error:
            if error.errno in _NOWHERE:
                return None
            raise
        # A link on the way, or another directory meanwhile: its own listing will say so.
        return entries if same_entry(found, expected) else None

    def _list(self, path: str) -> tuple[Stat, Entries]:
        text = self.path(path)
        where = RelPath(os.fsencode(text), text) if path else self._top
        found, entries = self._driver.look_into(where, lambda fd: self._opened(path, fd))
        return found, dict(entries)
