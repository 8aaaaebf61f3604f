"""The way back up a tree, with no more descriptors open than a process can spare."""

from __future__ import annotations

import os
from errno import ESTALE

from safefs.kernel import syscalls
from safefs.kernel.reached import entered

MAX_HELD = 64  # a path may have 2,000 components and a tree more, and a process 256 descriptors


class Moved(OSError):  # noqa: N818  (what happened, as FileNotFoundError names it)
    """A directory on the way was moved while more were open than may be held. errno is ESTALE."""

    def __init__(self, *arguments: object) -> None:
        # The arguments are those of a copy or an unpickled one.
        super().__init__(*arguments or (ESTALE, "a directory was moved while its tree was walked"))


class Trail:
    """The directories come through, from beneath the top to where one stands.

    At most ``most`` are open. Of those given up the name and the (device, inode) are kept: the way
    back to one is down from the top again, and believed only if it is the same directory, else
    ``Moved``. Not up by ``..``: that can leave the root with a directory that is moved out, and an
    inode's number is given to the next directory that anyone makes. The top is the caller's and
    stays open; the others are the trail's.
    """

    __slots__ = ("_fds", "_flags", "_given_up", "_most", "_names", "_top")

    def __init__(self, top: int, flags: int, most: int = MAX_HELD) -> None:
        self._top = top
        self._flags = flags | os.O_NOFOLLOW
        self._most = most
        self._fds: list[int] = []  # -1 for one given up; those come first
        self._names: list[str | bytes] = []
        self._given_up: list[tuple[int, int]] = []

    @property
    def fd(self) -> int:
        """Where one stands."""
        return self._fds[-1] if self._fds else self._top

    @property
    def depth(self) -> int:
        """How many directories beneath the top; 0 at the top itself."""
        return len(self._fds)

    @property
    def names(self) -> tuple[str | bytes, ...]:
        """By which names one has come from the top."""
        return tuple(self._names)

    def push(self, fd: int, name: str | bytes) -> None:
        """Stand in this directory, opened by this name beneath the last; the trail closes it."""
        self._fds.append(fd)
        self._names.append(name)
        oldest = len(self._given_up)
        if len(self._fds) - oldest > self._most:
            self._given_up.append(_identity(self._fds[oldest]))
            syscalls.close(self._fds[oldest])
            self._fds[oldest] = -1

    def up(self) -> None:
        """One step back towards the top."""
        if len(self._fds) > 1 and self._fds[-2] < 0:
            self._descend()
        syscalls.close(self._fds.pop())
        self._names.pop()

    def _descend(self) -> None:
        """Reopen what was given up last, and as many above it as may be held."""
        expected = self._given_up
        kept = max(0, len(expected) - self._most + 1)
        here = self._top
        for at, identity in enumerate(expected):
            try:
                opened = syscalls.open(self._names[at], self._flags, dir_fd=here)
                fd = entered(opened, here, self._names[at])
            except (FileNotFoundError, NotADirectoryError):
                raise Moved from None
            finally:
                if 0 < at <= kept:
                    syscalls.close(here)
            here = fd
            if at >= kept:
                self._fds[at] = fd
            if _identity(fd) != identity:
                if at < kept:
                    syscalls.close(fd)
                raise Moved
        del expected[kept:]

    def close(self) -> None:
        """Close all that the trail holds."""
        while self._fds:
            fd = self._fds.pop()
            if fd >= 0:
                syscalls.close(fd)


def _identity(fd: int) -> tuple[int, int]:
    found = syscalls.fstat(fd)
    return found.st_dev, found.st_ino
