"""Other processes: those that attack while a test runs, and those in which a test runs.

Every one is forked by a context manager or a call that ends it by its own process id, and asks the
kernel to end it should the test process die first.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import pickle
import resource
import select
import signal
import sys
import traceback
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from safefs.testing.moves import exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Answer = TypeVar("Answer")

NOBODY = 65534

_CAP_MKNOD = 27  # linux/capability.h; root may lack it, as in the jail


def _may(capability: int) -> bool:
    with open("/proc/self/status", encoding="ascii") as status:
        held = next(line.split()[1] for line in status if line.startswith("CapEff:"))
    return bool(int(held, 16) >> capability & 1)


MAY_MAKE_DEVICES = _may(_CAP_MKNOD)

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_READY = b"!"


@contextmanager
def exchanging(one: Path, other: Path) -> Iterator[None]:
    """Meanwhile another process swaps two names without a pause."""

    def attack() -> NoReturn:
        while True:
            try:
                exchange(one, other)
            except OSError:
                pass  # the one under attack has just removed or renamed one of them

    with _meanwhile(attack):
        yield


@contextmanager
def renaming_elsewhere(directory: Path) -> Iterator[None]:
    """Meanwhile another process renames a file to and fro in a directory of its own.

    Any rename on the machine makes openat2 give up a path with ``..`` as EAGAIN.
    """
    (directory / "one").touch()

    def attack() -> NoReturn:
        while True:
            os.rename(directory / "one", directory / "two")
            os.rename(directory / "two", directory / "one")

    with _meanwhile(attack):
        yield


@contextmanager
def leasing(path: Path, kind: int) -> Iterator[None]:
    """Meanwhile another process holds a lease on a file and does not give it up when asked."""

    def attack(ready: Callable[[], None]) -> NoReturn:
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        flags = os.O_RDONLY if kind == fcntl.F_RDLCK else os.O_RDWR
        fcntl.fcntl(os.open(path, flags), fcntl.F_SETLEASE, kind)
        ready()
        while True:
            signal.pause()

    with _meanwhile_once_ready(attack):
        yield


@contextmanager
def _meanwhile(attack: Callable[[], NoReturn]) -> Iterator[None]:
    def at_once(ready: Callable[[], None]) -> NoReturn:
        ready()
        attack()

    with _meanwhile_once_ready(at_once):
        yield


@contextmanager
def _meanwhile_once_ready(attack: Callable[[Callable[[], None]], NoReturn]) -> Iterator[None]:
    read_end, write_end = os.pipe()
    child = fork()
    if child == 0:
        try:
            os.close(read_end)
            attack(lambda: _close_after(write_end, _READY))
        finally:
            os._exit(1)
    try:
        os.close(write_end)
        with open(read_end, "rb") as pipe:
            assert pipe.read() == _READY, "the attacker did not come up"
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _close_after(fd: int, message: bytes) -> None:
    os.write(fd, message)
    os.close(fd)


def in_child(
    function: Callable[[], Answer],
    *,
    uid: int | None = None,
    descriptors: int | None = None,
    seconds: float = 60,
) -> Answer:
    """What ``function`` returns in a forked child, or the AssertionError that tells how it failed.

    The child is not executed anew: under another uid it might not be allowed to read even the
    interpreter. So whatever it needs must have been imported before.
    """
    read_end, write_end = os.pipe()
    child = fork()
    if child == 0:
        try:
            os.close(read_end)
            _report(write_end, lambda: _with_less(function, uid, descriptors))
        finally:
            os._exit(0)
    try:
        os.close(write_end)
        with open(read_end, "rb") as pipe:
            sent = _all_in_time(pipe.fileno(), seconds)
    finally:
        _end(child)
    assert sent, f"the child said nothing in {seconds} s, or died"
    failure, answer = pickle.loads(sent)
    assert failure is None, f"in the child:\n{failure}"
    return answer  # type: ignore[no-any-return]


def _end(child: int) -> None:
    """Without CAP_KILL root may end no other user's process; such a one has ended itself by now."""
    try:
        os.kill(child, signal.SIGKILL)
    except PermissionError:
        pass
    os.waitpid(child, 0)


def _all_in_time(fd: int, seconds: float) -> bytes:
    sent = b""
    while select.select([fd], [], [], seconds)[0]:
        piece = os.read(fd, 1 << 16)
        sent += piece
        if not piece:
            return sent
    return b""


def _report(fd: int, function: Callable[[], object]) -> None:
    result: tuple[str | None, Any]
    try:
        result = None, function()
    except BaseException:
        result = traceback.format_exc(), None
    with open(fd, "wb") as pipe:
        pickle.dump(result, pipe)


def _with_less(function: Callable[[], Answer], uid: int | None, descriptors: int | None) -> Answer:
    os.umask(0o022)
    if descriptors is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    if uid is not None and os.geteuid() == 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    return function()


def fork() -> int:
    """fork(2); the child ends with its parent.

    Python warns of threads in the parent, whose locks the child inherits: numpy's workers are such
    threads, and the children here take none of their locks.
    """
    parent = os.getpid()
    sys.stdout.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    return child
