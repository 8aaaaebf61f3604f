"""Reading directories: by descriptor, and never through an entry's path.

Temporary names are left out here, for every door at once: what is being written under one has no
name yet. Whoever removes, measures or sweeps reads the directory for itself, and sees them.
"""

from __future__ import annotations

from bisect import bisect_left
from stat import S_ISDIR, S_ISLNK, S_ISREG

from safefs.kernel import open_beneath, syscalls
from safefs.kernel.procfs import place_of
from safefs.operations.parent import Blame
from safefs.operations.replace import TEMPORARY, is_temporary

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from safefs.kernel.handle import Handle
    from safefs.paths import RelPath

    Hidden = Callable[[str, bool], bool]


def open_directory(handle: Handle, path: RelPath) -> int:
    """A directory to read the names of."""
    handle.permit(path, writes=False)
    return open_beneath(handle, path, syscalls.LISTING)


def standing(handle: Handle) -> bytes | None:
    """What stays equal while the root directory is where it was; None once it has been removed.

    It is the path that procfs has for the descriptor, to be compared and never to be used or shown.
    Without procfs it is always the same.
    """
    handle.check_open()
    if not syscalls.fstat(handle.fd).st_nlink:
        return None
    return place_of(handle.fd) or b""


def is_listed(name: str) -> bool:
    """Whether a name is in a listing, whatever the rules of names say."""
    return name[0] != "." or not is_temporary(name)


def without_hidden(
    entries: list[os.DirEntry[str]], hidden: Hidden | None, *, temporary: bool = False
) -> list[os.DirEntry[str]]:
    """Those that the rules of names leave, if there are any; ``temporary``: also temporary ones."""
    if hidden is None:
        return entries
    return [
        entry
        for entry in entries
        if (temporary and is_temporary(entry.name))
        or not hidden(entry.name, entry.is_dir(follow_symlinks=False))
    ]


def read_directory(
    fd: int, *, hidden: Hidden | None = None, temporary: bool = False
) -> list[tuple[str, bool]]:
    """(name, whether it is a directory; a link is none), sorted by name.

    ``temporary``: with what bears a temporary name.
    """
    with syscalls.scandir(fd) as entries:
        found = [
            (name, entry.is_dir(follow_symlinks=False))
            for entry in entries
            if (name := entry.name)[0] != "." or temporary or not is_temporary(name)
        ]
    if hidden is not None:
        found = [
            (name, is_dir)
            for name, is_dir in found
            if (temporary and is_temporary(name)) or not hidden(name, is_dir)
        ]
    found.sort()
    return found


def read_parted(fd: int, *, hidden: Hidden | None = None) -> tuple[list[str], list[str]]:
    """(the directories, all others), sorted, without what bears a temporary name."""
    directories: list[str] = []
    others: list[str] = []
    with syscalls.scandir(fd) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                directories.append(entry.name)
            else:
                others.append(entry.name)
    if hidden is not None:
        directories = [name for name in directories if not hidden(name, True)]
        others = [name for name in others if not hidden(name, False)]
    for names in directories, others:
        names.sort()
        _drop_temporary(names)
    return directories, others


def _drop_temporary(names: list[str]) -> None:
    """Of sorted names: only those that begin like one are asked."""
    at = bisect_left(names, TEMPORARY)
    while at < len(names) and names[at].startswith(TEMPORARY):
        if is_temporary(names[at]):
            del names[at]
        else:
            at += 1


def listdir(handle: Handle, path: RelPath) -> list[str]:
    fd = open_directory(handle, path)
    try:
        with Blame(path):
            names: list[str] = syscalls.listdir(fd)
            names = [name for name in names if name[0] != "." or not is_temporary(name)]
            shown = handle.allowed(fd, names)
            if shown is None:
                shown = [name for name, _ in read_directory(fd, hidden=handle.hidden(fd))]
    finally:
        syscalls.close(fd)
    return shown


class Entry:
    """One entry of a directory and its stat, taken by descriptor while the listing was open.

    All of it is about the entry itself: a link is a link, and is neither followed nor entered.
    """

    __slots__ = ("_stat", "name", "path")

    def __init__(self, name: str, path: str, stat: os.stat_result) -> None:
        self.name = name
        self.path = path
        self._stat = stat

    def stat(self) -> os.stat_result:
        """What ``Root.lstat`` would have said at the time of the listing."""
        return self._stat

    def inode(self) -> int:
        return self._stat.st_ino

    def is_dir(self) -> bool:
        return S_ISDIR(self._stat.st_mode)

    def is_file(self) -> bool:
        return S_ISREG(self._stat.st_mode)

    def is_symlink(self) -> bool:
        return S_ISLNK(self._stat.st_mode)

    def __repr__(self) -> str:
        if not hasattr(self, "path"):  # half made, as a traceback may show it
            return f"<{type(self).__name__}>"
        return f"<Entry {self.path!r}>"


class Listing:
    """An iterator of entries that holds its directory open; close it, or use it in ``with``."""

    __slots__ = ("_entries", "_fd", "_hidden", "_path", "_prefix")

    def __init__(self, handle: Handle, path: RelPath) -> None:
        self._path = path
        self._fd = -1
        self._fd = open_directory(handle, path)
        text = path.text.rstrip("/")
        self._prefix = "" if text in ("", ".") else text + "/"
        with Blame(path):
            self._hidden = handle.hidden(self._fd)
            self._entries = syscalls.scandir(self._fd)

    def fileno(self) -> int:
        """The directory's descriptor, which is this object's; -1 once it is closed."""
        return self._fd

    def __iter__(self) -> Listing:
        return self

    def __next__(self) -> Entry:
        if self._fd < 0:
            raise StopIteration
        try:
            with Blame(self._path):
                return self._next()
        except BaseException:
            self.close()
            raise

    def _next(self) -> Entry:
        while True:
            entry = next(self._entries)
            name = entry.name
            if name[0] != "." or not is_temporary(name):
                hidden = self._hidden
                if hidden is not None and hidden(name, entry.is_dir(follow_symlinks=False)):
                    continue
                try:
                    stat = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # gone since it was read
                return Entry(entry.name, self._prefix + entry.name, stat)

    def close(self) -> None:
        """Close the directory; iteration ends."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            if hasattr(self, "_entries"):
                self._entries.close()
            syscalls.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        try:
            self.close()
        except (AttributeError, OSError, TypeError):
            pass
