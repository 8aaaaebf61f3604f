"""A forked child that is held until it has ended, and ended in time."""

from __future__ import annotations

import os
import select
import signal
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Self

from safefs.testing.mounts import fork

if TYPE_CHECKING:
    from collections.abc import Callable


class Child(NamedTuple):
    """A child, and what it is held by: if that is closed, a ``warden`` in it ends all."""

    pid: int
    leash: int
    warden: bool

    @classmethod
    def started(cls, work: Callable[[int], NoReturn], *, warden: bool) -> Self:
        """A child that does this, given the end of the leash by which it is held."""
        end, leash = os.pipe()
        pid = fork()
        if pid == 0:
            work(end)
        os.close(end)
        return cls(pid, leash, warden)

    def ends(self, deadline: float) -> bool:
        """Whether it ends by itself in time (monotonic); it is still to be waited for."""
        pidfd = os.pidfd_open(self.pid)
        try:
            left = max(0, deadline - time.monotonic())
            return bool(select.select([pidfd], [], [], left)[0])
        finally:
            os.close(pidfd)

    def end(self) -> int:
        """End the child and what it has started; its status. Once."""
        os.close(self.leash)
        for end in () if self.warden else (os.killpg, os.kill):
            try:
                end(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass  # gone, or, seen from within a jail, another user's that is about to go
        return os.waitpid(self.pid, 0)[1]


def close_all_but(*kept: int) -> None:
    """The standard three and these stay open; a directory among the three does not."""
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    below = 3
    for number in (*sorted(kept), highest + 1):
        os.closerange(below, number)
        below = number + 1
    for fd in range(3):
        with suppress(OSError):
            if stat.S_ISDIR(os.fstat(fd).st_mode):  # it would lead out
                os.dup2(os.open(os.devnull, os.O_RDWR), fd)
