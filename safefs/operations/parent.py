"""The one way in for every operation on a name: resolve the parent, act on one plain component."""

from __future__ import annotations

import os
from errno import EINVAL, ENAMETOOLONG, ENOTDIR, EXDEV
from stat import S_ISDIR

from safefs.audit import refused
from safefs.errors import BudgetError, PolicyError, SafefsError
from safefs.kernel import open_beneath, syscalls
from safefs.kernel.reached import entered, place_beneath, place_of_fd
from safefs.kernel.walk import PATH_MAX
from safefs.operations.collisions import refuse_collision
from safefs.paths import RelPath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from safefs.kernel.handle import Handle

_NO_NAMES = (b"", b".", b"..")


class Parent:
    """The directory that holds the last component of a path, and that component, bare.

    The descriptor is held for one operation only: a directory that is moved out of the root stays
    reachable through it. Raises EINVAL where the last component is no name (``.``, ``..``,
    nothing), unless the path escapes, which is said first. On leaving, an ``OSError`` about the
    component is given the caller's path.
    """

    __slots__ = ("_handle", "_owned", "fd", "name", "path", "slash")

    def __init__(
        self,
        handle: Handle,
        path: RelPath,
        *,
        writes: bool,
        adds: bool = False,
        owns: bool = False,
        directory: bool = False,
        makes: bool | None = None,
        collides: bool = True,
    ) -> None:
        """``adds``: what is written is a new name, and leaves what is there as it is.

        ``directory``: if it is made, that is what it will be. ``makes``: whether it is, not as
        ``adds`` says. ``collides``: whether names are looked at that are much like it.

        ``owns``: the descriptor is its own, also where the parent is the root, so that what is
        begun there can be cleared up when the Root is closed meanwhile.
        """
        head, self.name, self.slash = path.split()
        self.path = path
        self._handle = handle
        if self.name in _NO_NAMES:
            syscalls.close(open_beneath(handle, path, syscalls.DIRECTORY))
            raise self.error(EINVAL)
        if len(path.raw) >= PATH_MAX:
            raise self.error(ENAMETOOLONG)
        self._owned = owns or head != b""
        self.fd = handle.fd
        if self._owned:
            self.fd = open_beneath(handle, RelPath(head, path.shown), syscalls.DIRECTORY)
        try:
            handle.permit(path, writes=writes, adds=adds)
            makes = adds if makes is None else makes
            if makes and collides and handle.checked and handle.policy.portable_names:
                refuse_collision(self)
            if handle.guarded:
                kind = None if directory else self.lstat
                handle.refuse_name(self.place, path.shown, makes=makes, kind=kind)
        except BaseException:
            self.close()
            raise

    @property
    def place(self) -> bytes:
        """The true path of the entry; only where the rules of names have a say."""
        return place_beneath(place_of_fd(self.fd), self.name)

    @property
    def is_root(self) -> bool:
        """Whether the parent is the root itself, by whatever path."""
        return self.fd == self._handle.fd or self._handle.is_root(self.fd)

    def lstat(self) -> os.stat_result:
        """The stat of the entry itself."""
        return syscalls.stat(self.name, dir_fd=self.fd, follow_symlinks=False)

    def demand_directory(self) -> None:
        """What a slash after the name demands; the slash itself reaches no system call."""
        if not S_ISDIR(self.lstat().st_mode):
            raise self.error(ENOTDIR)

    def error(self, number: int) -> OSError:
        """An error of the operating system, about this path."""
        return OSError(number, os.strerror(number), self.path.shown)

    def close(self) -> None:
        if self._owned:
            self._owned = False
            syscalls.close(self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        # The system names the very object it was given; any other name is somebody else's error.
        if isinstance(error, OSError) and error.filename is self.name:
            blame(error, self.path)


class Blame:
    """Gives an ``OSError`` of the block the caller's path or paths."""

    __slots__ = ("_path", "_path2")

    def __init__(self, path: RelPath, path2: RelPath | None = None) -> None:
        self._path = path
        self._path2 = path2

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, OSError):
            blame(error, self._path, self._path2)


def open_child(
    handle: Handle,
    dir_fd: int,
    name: str | bytes,
    flags: int,
    shown: str | bytes | None = None,
) -> int:
    """One name in an open directory, not followed, and on this side of any mount point.

    ``shown``: the path that it is to the caller, where that is known.
    """
    fd = syscalls.open(name, flags | os.O_NOFOLLOW, dir_fd=dir_fd)
    try:
        handle.check_mount(fd, shown)
    except BaseException:
        syscalls.close(fd)
        raise
    return entered(fd, dir_fd, name)


def crossing_told(error: OSError, shown: str | bytes) -> None:
    """Report a mount that is not crossed, now that it is known of which path."""
    if isinstance(error, PolicyError) and error.errno == EXDEV and error.filename is None:
        error.filename = shown
        refused(error)


def blame(error: OSError, path: RelPath, path2: RelPath | None = None) -> None:
    """Say what the caller asked for, where the system names only the component it stumbled over."""
    crossing_told(error, path.shown)
    if isinstance(error, BudgetError):
        return  # it names the entry that was too much
    if path2 is not None:
        error.filename2 = path2.shown
    elif isinstance(error, SafefsError):
        return  # it knows its path
    elif error.filename2 is not None:
        error.filename2 = None  # the system's second name is one of ours
    error.filename = path.shown
