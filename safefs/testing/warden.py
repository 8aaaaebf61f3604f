"""Processes of one's own: a PID namespace, of which nothing is left when what runs in it has ended.

Three processes in a row. The *warden* stays outside, holds the leash and ends as what it watches
has ended. The *init* is the first of the namespace: it takes in what loses its parent, and when it
ends the kernel ends all that is left, detached or not. The third does what there is to do. It is
not the init itself, since the kernel keeps from an init the signals that it would die of.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from safefs.testing.confinement import end_with_parent
from safefs.testing.mounts import check, fork

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4

_libc = ctypes.CDLL(None, use_errno=True)


def watch(work: Callable[[], NoReturn], leash: int, *, kept: Collection[int] = ()) -> NoReturn:
    """Run ``work`` in the PID namespace that this process has unshared, and end as it ends.

    When the other end of ``leash`` is closed, all in the namespace is ended, and so is this
    process. It has ended once nothing of the namespace is left. ``kept`` are the descriptors that
    ``work`` alone is to have.
    """
    told, tell = os.pipe()
    was_dumpable = _hide_from_the_inside()
    init = fork()
    if init == 0:
        try:
            for fd in (told, leash):
                os.close(fd)
            _be_the_init(work, tell, kept, dumpable=was_dumpable)
        finally:
            os._exit(1)
    for fd in (tell, *kept):
        os.close(fd)
    ready = select.select([told, leash], [], [])[0]
    status = os.read(told, 4) if told in ready else b""
    with suppress(ProcessLookupError):
        os.kill(init, signal.SIGKILL)
    os.waitpid(init, 0)  # only when all in the namespace are gone
    _end_as(int.from_bytes(status, "little") if status else signal.SIGKILL)


def _hide_from_the_inside() -> bool:
    """Nobody without CAP_SYS_PTRACE gets at this process by way of /proc; whether it was open."""
    was: int = _libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0)
    check(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))
    return was == 1


def _be_the_init(
    work: Callable[[], NoReturn], tell: int, kept: Collection[int], *, dumpable: bool
) -> NoReturn:
    end_with_parent()
    if dumpable:
        check(_libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0))
    worker = fork()
    if worker == 0:
        try:
            os.close(tell)
            os.setsid()
            work()
        finally:
            os._exit(1)
    for number in signal.valid_signals():  # by default an init is deaf to all that is sent within
        with suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    for fd in kept:
        os.close(fd)
    while True:
        ended, status = os.wait()
        if ended == worker:
            os.write(tell, status.to_bytes(4, "little"))
            os._exit(0)


def _end_as(status: int) -> NoReturn:
    """By the same signal, or with the same exit status."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError, ValueError):  # of SIGKILL
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
