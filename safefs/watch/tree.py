"""What a reader has been told: directories and their entries, by their path from the top."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safefs.drivers.base import Stat

    Entries = dict[str, Stat]

TOP = ""  # the path of the directory that is watched


def joined(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name


def parted(path: str) -> tuple[str, str]:
    directory, _, name = path.rpartition("/")
    return directory, name


def is_beneath(path: str, directory: str) -> bool:
    return directory == TOP or path.startswith(directory + "/")


def same_entry(one: Stat, other: Stat) -> bool:
    """Whether both are of one and the same entry, whatever has become of it."""
    return one.kind == other.kind and one.identity == other.identity


def differs(old: Stat, new: Stat) -> bool:
    """Whether an entry has been modified.

    Size and time of a directory do not count: they say that its entries are others, which is told
    of the entries.
    """
    if new.kind == "directory":
        return old.mode != new.mode
    return old != new or old.identity != new.identity


class Tree:
    """A tree as it was seen. ``directories`` holds the entries of each that has been listed."""

    def __init__(self) -> None:
        self.directories: dict[str, Entries] = {TOP: {}}

    def get(self, path: str) -> Stat | None:
        directory, name = parted(path)
        return self.directories.get(directory, {}).get(name)

    def put(self, path: str, found: Stat) -> None:
        """Needs the directory above; one that is replaced is only noted anew."""
        directory, name = parted(path)
        self.directories[directory][name] = found
        if found.kind == "directory":
            self.directories.setdefault(path, {})

    def holds(self, directory: str) -> bool:
        return directory in self.directories

    def beneath(self, path: str) -> Iterator[tuple[str, Stat]]:
        """All beneath a directory, those above before those below; nothing for what is none."""
        pending = [path]
        while pending:
            here = pending.pop()
            for name, found in sorted(self.directories.get(here, {}).items()):
                entry = joined(here, name)
                yield entry, found
                if found.kind == "directory":
                    pending.append(entry)

    def remove(self, path: str) -> list[tuple[str, Stat]]:
        """Forget an entry and all beneath it; what that was, what lies deeper first."""
        directory, name = parted(path)
        found = self.directories[directory][name]
        gone = [(path, found), *self.beneath(path)]
        del self.directories[directory][name]
        for each, _ in gone:
            self.directories.pop(each, None)
        return sorted(gone, reverse=True)

    def move(self, old: str, new: str) -> list[tuple[str, str, Stat]]:
        """Give an entry another path, with all beneath it: (old path, new path, stat) of each."""
        directory, name = parted(old)
        found = self.directories[directory][name]
        moved = [(old, found), *self.beneath(old)]
        lists = {path: self.directories.pop(path, None) for path, _ in moved}
        del self.directories[directory][name]
        directory, name = parted(new)
        self.directories[directory][name] = found
        told = []
        for path, seen in moved:
            target = new + path[len(old) :]
            entries = lists[path]
            if entries is not None:
                self.directories[target] = entries
            told.append((path, target, seen))
        return told
