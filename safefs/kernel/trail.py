"""The way back up a tree, with no more descriptors open than a process can spare."""

from __future__ import annotations

import os
from errno import ESTALE

from safefs.kernel import syscalls

MAX_HELD = 64  # a path may have 2,000 components and a tree more, and a process 256 descriptors


class Moved(OSError):  # noqa: N818  (what happened, as FileNotFoundError names it)
    """A directory on the way was moved while more were open than may be held. errno is ESTALE."""

    def __init__(self) -> None:
        super().__init__(ESTALE, "a directory was moved while its tree was walked")


class Trail:
    """The directories come through, from beneath the top to where one stands.

    At most ``most`` are open. Of those given up the (device, inode) is kept: the way back to one
    is ``..`` of the one below it, and believed only if it is the same directory, else ``Moved``.
    The top is the caller's and stays open; the others are the trail's.
    """

    __slots__ = ("_fds", "_flags", "_given_up", "_most", "_top")

    def __init__(self, top: int, flags: int, most: int = MAX_HELD) -> None:
        self._top = top
        self._flags = flags | os.O_NOFOLLOW
        self._most = most
        self._fds: list[int] = []  # -1 for one given up; those come first
        self._given_up: list[tuple[int, int]] = []

    @property
    def fd(self) -> int:
        """Where one stands."""
        return self._fds[-1] if self._fds else self._top

    @property
    def depth(self) -> int:
        """How many directories beneath the top; 0 at the top itself."""
        return len(self._fds)

    def push(self, fd: int) -> None:
        """Stand in this directory, which was opened beneath the last; the trail closes it."""
        self._fds.append(fd)
        oldest = len(self._given_up)
        if len(self._fds) - oldest > self._most:
            self._given_up.append(_identity(self._fds[oldest]))
            syscalls.close(self._fds[oldest])
            self._fds[oldest] = -1

    def up(self) -> None:
        """One step back towards the top."""
        if len(self._fds) > 1 and self._fds[-2] < 0:
            self._fds[-2] = syscalls.open(b"..", self._flags, dir_fd=self._fds[-1])
            if _identity(self._fds[-2]) != self._given_up.pop():
                raise Moved
        syscalls.close(self._fds.pop())

    def close(self) -> None:
        """Close all that the trail holds."""
        while self._fds:
            fd = self._fds.pop()
            if fd >= 0:
                syscalls.close(fd)


def _identity(fd: int) -> tuple[int, int]:
    found = syscalls.fstat(fd)
    return found.st_dev, found.st_ino
