"""The difference between what has been told and what is seen, as steps from one to the other.

Pure: no file system, and the order of the steps is a history that could have been. Whoever takes
them one by one, from what was told before, arrives at what was seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safefs.watch.changes import Change
from safefs.watch.tree import differs, is_beneath, joined, parted, same_entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safefs.drivers.base import Stat
    from safefs.watch.tree import Entries, Tree

    Identity = tuple[object, ...]


def difference(tree: Tree, seen: dict[str, Entries]) -> Iterator[Change]:
    """Make ``tree`` what was seen, and yield each step; take all of them.

    ``seen``: the entries of each directory that was listed. It is closed: it has each directory
    that is an entry in it and was not told before, and of one that is not there any more none that
    lay beneath it. Each of the others is as it was.

    An entry that left one path and came to another was renamed. Its identity shows that, and its
    time: a file system gives the number of what was removed to what is made next.
    """
    return _Difference(tree, seen).steps()


class _Difference:
    def __init__(self, tree: Tree, seen: dict[str, Entries]) -> None:
        self._tree = tree
        self._seen = seen
        self._leaving: dict[Identity, str] = {}  # where in the tree is what has left its path
        self._arriving: dict[Identity, str] = {}  # where it has been seen, if anywhere

    def steps(self) -> Iterator[Change]:
        arrived = self._arrivals()
        self._departures()
        for path, found in arrived:
            yield from self._arrive(path, found)
        for path in self._leftovers():
            yield from self._remove(path)
        yield from self._modifications()

    def _arrivals(self) -> list[tuple[str, Stat]]:
        """Entries under paths where they were not, those above before those below."""
        arrived = []
        for directory, entries in self._seen.items():
            # What lies in a directory that has been replaced goes with that one.
            told = self._tree.directories.get(directory, {}) if self._is_settled(directory) else {}
            for name, found in entries.items():
                old = told.get(name)
                if old is None or not same_entry(old, found):
                    path = joined(directory, name)
                    arrived.append((path, found))
                    if found.identity is not None:
                        self._arriving.setdefault(found.identity, path)
        arrived.sort()
        return arrived

    def _departures(self) -> None:
        if not self._arriving:
            return
        for directory, entries in self._seen.items():
            for name, old in self._tree.directories.get(directory, {}).items():
                found = entries.get(name)
                if found is None or not same_entry(old, found):
                    path = joined(directory, name)
                    self._leave(path, old)
                    if found is None or found.kind != "directory":
                        for below, each in self._tree.beneath(path):
                            self._leave(below, each)

    def _leave(self, path: str, old: Stat) -> None:
        if old.identity in self._arriving:
            self._leaving.setdefault(old.identity, path)

    def _arrive(self, path: str, found: Stat) -> Iterator[Change]:
        old = self._tree.get(path)
        if old is not None and same_entry(old, found):
            return  # it came with the directory above it
        if old is not None:
            yield from self._vacate(path, old, found)
            if self._tree.get(path) is not None:
                return  # replaced where it stands
        source = self._source(path, found)
        if source is None:
            self._tree.put(path, found)
            yield Change("created", path, stat=found)
        else:
            yield self._move(source, path, found)

    def _vacate(self, path: str, old: Stat, found: Stat) -> Iterator[Change]:
        """What stood under a path that another has taken goes where it was seen, if it can."""
        target = self._arriving.get(old.identity) if old.identity is not None else None
        if target is not None and self._can_move(path, target):
            yield self._move(path, target, old)
        elif old.kind == found.kind != "directory":
            self._tree.put(path, found)
            yield Change("modified", path, stat=found)
        else:
            yield from self._remove(path)

    def _source(self, path: str, found: Stat) -> str | None:
        """Whence what has arrived here came, of what has been told."""
        source = self._leaving.get(found.identity) if found.identity is not None else None
        if source is None or not self._can_move(source, path):
            return None
        return source

    def _can_move(self, source: str, target: str) -> bool:
        above, name = parted(target)
        return (
            source != target
            and self._is_one(source, target, self._seen[above][name])
            and self._left(source)
            and self._tree.get(target) is None
            and self._tree.holds(above)
            and self._is_settled(above)
            and not is_beneath(target, source)
        )

    def _is_one(self, source: str, target: str, found: Stat) -> bool:
        """Whether what was told at one path is what was seen at another."""
        old = self._tree.get(source)
        if old is None or not same_entry(old, found):
            return False
        if old.mtime_ns == found.mtime_ns:
            return old.kind == "directory" or old.size == found.size
        if old.kind != "directory":
            return False
        told, seen = self._tree.directories.get(source, {}), self._seen.get(target, {})
        return any(name in told and same_entry(told[name], each) for name, each in seen.items())

    def _left(self, path: str) -> bool:
        """Whether what the tree has there is, by what was seen, not there any more."""
        directory, name = parted(path)
        entries = self._seen.get(directory)
        if entries is None:
            return not self._is_settled(directory)
        old, found = self._tree.get(path), entries.get(name)
        return old is None or found is None or not same_entry(old, found)

    def _is_settled(self, directory: str) -> bool:
        """Whether a directory of the tree stays where it is, and all above it."""
        while directory:
            above, name = parted(directory)
            entries = self._seen.get(above)
            if entries is not None:
                found, old = entries.get(name), self._tree.get(directory)
                if found is None or old is None or not same_entry(found, old):
                    return False
            directory = above
        return True

    def _move(self, source: str, target: str, entry: Stat) -> Change:
        for old, new, each in self._tree.move(source, target):
            if each.identity is not None and self._leaving.get(each.identity) == old:
                self._leaving[each.identity] = new
        return Change("renamed", target, source, stat=entry)

    def _remove(self, path: str) -> Iterator[Change]:
        for each, old in self._tree.remove(path):
            yield Change("removed", each, stat=old)

    def _leftovers(self) -> list[str]:
        return [
            joined(directory, name)
            for directory, entries in sorted(self._seen.items())
            for name in sorted(self._tree.directories.get(directory, {}).keys() - entries.keys())
        ]

    def _modifications(self) -> Iterator[Change]:
        for directory, entries in sorted(self._seen.items()):
            told = self._tree.directories.get(directory)
            if told is None:
                continue
            for name, found in sorted(entries.items()):
                old = told[name]
                if differs(old, found):
                    yield Change("modified", joined(directory, name), stat=found)
                told[name] = found
