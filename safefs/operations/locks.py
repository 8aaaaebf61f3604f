"""Advisory locks between threads and processes: flock(2) on a file of a directory kept for them.

A lock belongs to the open file that took it, so the system releases it with the last descriptor,
however its process ends. Each taking opens the file anew: two threads of one process exclude each
other as two processes do.
"""

from __future__ import annotations

import os
import threading
from errno import EAGAIN, EDEADLK
from time import monotonic, sleep

from safefs.kernel import open_beneath, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safefs.kernel.handle import Handle
    from safefs.paths import RelPath

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_MODE = 0o600
_NOTE = 64  # bytes; written in one call
# flock(2) waits for ever or not at all, so who waits for a while asks again and again. A thread
# that waits for ever in his stead could not be ended.
_SHORTEST, _LONGEST = 0.001, 0.05  # seconds between two askings

# Entered once more where a draft is given up by what is collected in the middle of it, and a quota
# is told of that.
_guard = threading.RLock()
_held: dict[tuple[int, int], list[Held]] = {}  # by the identity of the lock's file
_waiting: set[int] = set()  # descriptors through which a lock may come at any moment


class Held:
    """A lock that is held by a thread of this process, until ``release``."""

    __slots__ = ("_fd", "_file", "_shared", "_thread")

    def __init__(self, fd: int, file: tuple[int, int], *, shared: bool) -> None:
        self._fd = fd
        self._file = file
        self._shared = shared
        self._thread = threading.get_ident()

    def read(self) -> bytes:
        """What a holder has left in the file."""
        return syscalls.pread(self._fd, _NOTE, 0)

    def write(self, data: bytes) -> None:
        """Leave this there for the next one; of a few dozen bytes."""
        syscalls.pwrite(self._fd, data.ljust(_NOTE), 0)

    def release(self) -> None:
        """Let it go. Harmless in a fork of the holder, which holds nothing, and a second time."""
        with _guard:
            fd, self._fd = self._fd, -1
            if fd < 0:
                return
            holders = _held[self._file]
            holders.remove(self)
            if not holders:
                del _held[self._file]
        try:
            # Closing would do, unless a child of a fork that Python knows nothing of has a copy.
            syscalls.flock(fd, syscalls.LOCK_UN)
        except OSError:
            pass
        finally:
            _close(fd)

    def forget(self) -> None:
        """In a child: the lock is the parent's, and must not outlive that one here."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            _close(fd)

    def stands_against(self, *, shared: bool) -> bool:
        """Whether this very thread would wait for itself."""
        return self._thread == threading.get_ident() and not (shared and self._shared)


def take(handle: Handle, path: RelPath, *, shared: bool, timeout: float | None) -> Held | None:
    """The lock of this name, or None when the time is over; ``timeout`` None waits for ever.

    The file is made where it is missing and stays: to remove a lock's file as one lets it go lets
    two hold it at once. One that somebody else has removed meanwhile is taken anew. EDEADLK where
    this thread holds it already.
    """
    until = None if timeout is None else monotonic() + timeout
    while True:
        fd = open_beneath(handle, path, _FLAGS, _MODE)
        held = None
        # Known before it can hold anything: a child that is forked now would keep it otherwise.
        _waiting.add(fd)
        try:
            found = syscalls.fstat(fd)
            file = found.st_dev, found.st_ino
            if found.st_mode & _MODE != _MODE and found.st_uid == syscalls.geteuid():
                syscalls.fchmod(fd, _MODE)  # a umask had it made so that nobody could open it again
            _refuse_to_wait_for_oneself(file, path, shared=shared)
            if not _wait(fd, shared=shared, until=until):
                return None
            if syscalls.fstat(fd).st_nlink:
                held = Held(fd, file, shared=shared)
                with _guard:
                    _held.setdefault(file, []).append(held)
                return held
        finally:
            _waiting.discard(fd)
            if held is None:
                _close(fd)


def _close(fd: int) -> None:
    try:
        syscalls.close(fd)
    except OSError:
        pass  # nothing was written to it, and the descriptor is gone all the same


def _refuse_to_wait_for_oneself(file: tuple[int, int], path: RelPath, *, shared: bool) -> None:
    with _guard:
        if any(held.stands_against(shared=shared) for held in _held.get(file, ())):
            raise OSError(EDEADLK, os.strerror(EDEADLK), path.shown)


def _wait(fd: int, *, shared: bool, until: float | None) -> bool:
    """Whether it is held now."""
    how = syscalls.LOCK_SH if shared else syscalls.LOCK_EX
    if until is None:
        syscalls.flock(fd, how)
        return True
    pause = _SHORTEST
    while True:
        try:
            syscalls.flock(fd, how | syscalls.LOCK_NB)
        except OSError as error:
            if error.errno != EAGAIN:
                raise
        else:
            return True
        left = until - monotonic()
        if left <= 0:
            return False
        sleep(min(pause, left))
        pause = min(2 * pause, _LONGEST)


def _forget_all() -> None:
    global _guard
    _guard = threading.RLock()
    for holders in _held.values():
        for held in holders:
            held.forget()
    _held.clear()
    for fd in _waiting:
        _close(fd)
    _waiting.clear()


os.register_at_fork(after_in_child=_forget_all)
