"""Trees by descriptor: walk, find, disk_usage. No recursion, and no link entered."""

from __future__ import annotations

import os
from errno import ELOOP, ENOTDIR, EXDEV

from safefs.errors import SafefsError
from safefs.kernel import syscalls
from safefs.kernel.reached import place_beneath, place_of_fd
from safefs.kernel.trail import MAX_HELD, Moved, Trail
from safefs.operations.listing import (
    open_directory,
    read_directory,
    read_parted,
    without_hidden,
)
from safefs.operations.parent import Blame, crossing_told, open_child
from safefs.operations.replace import is_temporary
from safefs.paths import RelPath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from safefs.kernel.handle import Handle
    from safefs.operations.listing import Hidden
    from safefs.report import Kind

    Found = TypeVar("Found")

# What a directory that was there a moment ago answers when it is gone, or is something else now.
_VANISHED = (FileNotFoundError, NotADirectoryError)


class Descent:
    """Where one stands in a tree: a trail of listings, and what is checked at each step down."""

    __slots__ = ("_everything", "_handle", "_temporary", "_trail")

    def __init__(
        self,
        handle: Handle,
        top: int,
        most: int = MAX_HELD,
        *,
        temporary: bool = False,
        everything: bool = False,
    ) -> None:
        """``temporary``: what bears a temporary name is read too, by those who remove.

        ``everything``: also what the rules of names would hide; of a draft, which has no place yet.
        """
        self._everything = everything
        self._handle = handle
        self._temporary = temporary
        self._trail = Trail(top, syscalls.LISTING, most)

    @property
    def fd(self) -> int:
        return self._trail.fd

    @property
    def depth(self) -> int:
        return self._trail.depth

    @property
    def hidden(self) -> Hidden | None:
        """Whether a name (and: it is a directory) is to be left out here; None: none is."""
        return None if self._everything else self._handle.hidden(self.fd)

    def read(self) -> list[tuple[str, bool]]:
        """(name, whether it is a directory) of what is here, sorted."""
        return read_directory(self.fd, hidden=self.hidden, temporary=self._temporary)

    def parted(self) -> tuple[list[str], list[str]]:
        """(the names of directories, all others) of what is here, sorted."""
        return read_parted(self.fd, hidden=self.hidden)

    def kinds(self, *, ordered: bool = True) -> list[tuple[str, Kind]]:
        """(name, kind) of what is here, sorted; else as it is stored, the last first."""
        hidden, temporary = self.hidden, self._temporary
        found: list[tuple[str, Kind]]
        with syscalls.scandir(self.fd) as entries:
            found = [
                (name, "file" if entry.is_file(follow_symlinks=False) else _kind(entry))
                for entry in entries
                if (name := entry.name)[0] != "." or temporary or not is_temporary(name)
            ]
        if hidden is not None:
            found = [
                (name, kind)
                for name, kind in found
                if (temporary and is_temporary(name)) or not hidden(name, kind == "directory")
            ]
        if ordered:
            found.sort()
        else:
            found.reverse()
        return found

    def enter(self, name: str | bytes) -> None:
        """Go into a directory; NotADirectoryError for a link."""
        try:
            fd = open_child(self._handle, self.fd, name, syscalls.LISTING)
        except OSError as error:
            if error.errno == ELOOP:  # what some systems say of a link, where Linux says ENOTDIR
                raise OSError(ENOTDIR, os.strerror(ENOTDIR)) from None
            raise
        self._trail.push(fd, name)

    def up(self) -> None:
        self._trail.up()

    def close(self) -> None:
        self._trail.close()


def walk(
    handle: Handle,
    path: RelPath,
    *,
    topdown: bool,
    onerror: Callable[[OSError], object] | None,
) -> Iterator[tuple[str, list[str], list[str]]]:
    at = path.text.rstrip("/") or "."
    return visit(handle, path, _parted, at=at, topdown=topdown, onerror=onerror)


def _parted(descent: Descent, _: str) -> tuple[list[str], list[str]]:
    return descent.parted()


def visit(
    handle: Handle,
    path: RelPath,
    read: Callable[[Descent, str], tuple[list[str], Found]],
    *,
    at: str,
    topdown: bool = True,
    depth: int | None = None,
    onerror: Callable[[OSError], object] | None = None,
) -> Iterator[tuple[str, list[str], Found]]:
    """(path, names of directories, what else ``read`` found there) for each directory of a tree.

    ``at`` is what the top is called in these paths; with ``depth`` no more levels than that.
    """
    top = open_directory(handle, path)
    descent = Descent(handle, top)
    pending: list[tuple[str, list[str], Iterator[str], Found]] = []

    def here(at: str) -> tuple[str, list[str], Iterator[str], Found]:
        names, found = read(descent, at)
        goes_on = depth is None or len(pending) + 1 < depth
        return at, names, iter(names if goes_on else ()), found

    try:
        with Blame(path):
            pending.append(here(at))
        if topdown:
            yield at, pending[-1][1], pending[-1][3]
        while pending:
            at, names, left, found = pending[-1]
            name = next(left, None)
            if name is None:
                if not topdown:
                    yield at, names, found
                pending.pop()
                if pending:
                    with Blame(path):
                        descent.up()
                continue
            handle.check_open()  # else whoever kept a walk would look on when a disk is revoked
            beneath = name if at in (".", "") else f"{at}/{name}"
            try:
                descent.enter(_one_name(handle, descent.fd, name))
            except OSError as error:
                if isinstance(error, SafefsError) and error.errno != EXDEV:
                    raise
                _report(error, beneath, onerror)  # a mount that is not entered is passed over
                continue
            try:
                pending.append(here(beneath))
            except OSError as error:
                descent.up()
                _report(error, beneath, onerror)
                continue
            if topdown:
                yield beneath, pending[-1][1], pending[-1][3]
    finally:
        descent.close()
        syscalls.close(top)


def _one_name(handle: Handle, dir_fd: int, name: str) -> bytes:
    """``dirnames`` may be changed by the caller, so what is read from it is untrusted text."""
    path = RelPath.one_name(name)
    if handle.guarded:
        handle.refuse_name(place_beneath(place_of_fd(dir_fd), path.raw), path.shown)
    return path.raw


def _report(error: OSError, path: str, onerror: Callable[[OSError], object] | None) -> None:
    try:
        if onerror is not None:
            crossing_told(error, path)
            error.filename = path
            onerror(error)
    finally:
        del error  # raised from there it would be a cycle, and keep what its frames have open


def find(handle: Handle, path: RelPath) -> Iterator[str]:
    top = open_directory(handle, path)
    descent = Descent(handle, top)
    text = path.text.rstrip("/")
    prefixes = ["" if text in ("", ".") else text + "/"]
    try:
        with Blame(path):
            directories, others = descent.parted()
        pending = [iter(sorted(directories + others))]
        entered = [set(directories)]
        while pending:
            prefix, to_enter = prefixes[-1], entered[-1]
            for name in pending[-1]:
                if name not in to_enter:
                    yield prefix + name
                    continue
                handle.check_open()
                try:
                    descent.enter(name)
                    directories, others = descent.parted()
                except _VANISHED:
                    continue
                except OSError as error:
                    crossing_told(error, prefix + name)
                    error.filename = prefix + name
                    raise
                below = f"{prefix}{name}/"
                if not directories:  # most have none
                    yield from map(below.__add__, others)
                    with Blame(path):
                        descent.up()
                    continue
                pending.append(iter(sorted(directories + others)))
                entered.append(set(directories))
                prefixes.append(below)
                break
            else:
                pending.pop()
                entered.pop()
                prefixes.pop()
                if pending:
                    with Blame(path):
                        descent.up()
    finally:
        descent.close()
        syscalls.close(top)


def disk_usage(handle: Handle, path: RelPath) -> int:
    """The sum of the sizes of all that is no directory, each hard-linked file once.

    What bears a temporary name takes its room too, and is in no other listing.
    """
    top = open_directory(handle, path)
    descent = Descent(handle, top)
    total = 0
    seen: set[tuple[int, int]] = set()
    try:
        with Blame(path):
            total, names = _sizes(descent, seen)
            pending = [iter(names)]
            while pending:
                name = next(pending[-1], None)
                if name is None:
                    pending.pop()
                    if pending:
                        descent.up()
                    continue
                try:
                    descent.enter(name)
                except _VANISHED:
                    continue
                size, names = _sizes(descent, seen)
                total += size
                pending.append(iter(names))
    finally:
        descent.close()
        syscalls.close(top)
    return total


def _sizes(descent: Descent, seen: set[tuple[int, int]]) -> tuple[int, list[str]]:
    """(the bytes of what is here, the names of the directories here)."""
    total = 0
    directories = []
    with syscalls.scandir(descent.fd) as entries:
        for entry in without_hidden(list(entries), descent.hidden, temporary=True):
            if entry.is_dir(follow_symlinks=False):
                directories.append(entry.name)
                continue
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if found.st_nlink > 1:
                identity = found.st_dev, found.st_ino
                if identity in seen:
                    continue
                seen.add(identity)
            total += found.st_size
    return total, directories


def _kind(entry: os.DirEntry[str]) -> Kind:
    if entry.is_dir(follow_symlinks=False):
        return "directory"
    return "symlink" if entry.is_symlink() else "other"


__all__ = [
    "Descent",
    "Moved",
    "disk_usage",
    "find",
    "visit",
    "walk",
]
