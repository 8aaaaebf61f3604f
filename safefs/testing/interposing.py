"""Answering a system call of safefs in the kernel's place: with an error, short, or with the end.

The ``Seam`` stands before each call; this one stands around it. It also meets what a file object
makes in C once it has been handed a descriptor (write, close ...), which never goes through
``kernel/syscalls.py``: meanwhile ``io.FileIO`` is a class of our own.
"""

from __future__ import annotations

import errno
import fcntl
import gc
import io
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, Self

from safefs.testing.seam import Seam

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Real = Callable[..., Any]  # without arguments: as it was asked for

# Made through ctypes: these answer -errno, where all others raise.
ANSWERING = frozenset(
    {
        *("openat2", "rename_noreplace", "rename_exchange", "fchmodat2", "utimensat", "clone"),
        *("make_undumpable", "set_no_new_privs", "landlock_abi", "landlock_create_ruleset"),
        *("landlock_allow_beneath", "landlock_allow_port", "landlock_restrict_self"),
    }
)
# These answer whether it could be done, and say no where it could not.
YES_OR_NO = frozenset({"lock"})
# What they look at cannot fail, or they say the careful thing when it does.
UNFAILING = frozenset({"on_procfs", "mount_id"})
# After an error the descriptor is gone all the same (close(2)).
_ENDING = frozenset({"close", "close written", "file.close"})
_AMBIENT = ("/proc/self/fd", os.devnull)
# The last argument, or the one before an offset, says how much is asked for.
READING = frozenset({"read", "pread", "file.readinto"})
WRITING = frozenset({"write", "file.write"})
COPYING = frozenset({"copy_file_range"})


class Plan(Protocol):
    """What meets the calls of one run."""

    def meet(self, index: int, name: str, real: Real, args: tuple[Any, ...]) -> Any:
        """The answer to the call of this index; ``real`` makes it, as it was asked for."""


class Interposed(Seam):
    """Stands around every call of safefs while it is entered; a plan answers those of one run."""

    def __init__(self) -> None:
        super().__init__()
        self._plan: Plan | None = None

    def __enter__(self) -> Self:
        super().__enter__()
        real, io.FileIO = io.FileIO, _file_class(self)  # type: ignore[misc]
        self._stack.callback(setattr, io, "FileIO", real)
        return self

    @contextmanager
    def facing(self, plan: Plan) -> Iterator[None]:
        """Meanwhile the plan answers; ``calls`` are the names of what was asked, in order.

        No garbage is collected: a file of an earlier run would be closed then, and be counted.
        """
        self.calls = []
        collecting = gc.isenabled()
        gc.disable()
        self._plan = plan
        try:
            yield
        finally:
            self._plan = None
            if collecting:
                gc.enable()

    def met(self, name: str, real: Real, args: tuple[Any, ...] = ()) -> Any:
        if self._plan is None:
            return real()
        self.calls.append(name)
        return self._plan.meet(len(self.calls) - 1, name, real, args)

    def _before(self, name: str) -> None:
        self.met(name, lambda: None)

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **keywords: Any) -> Any:
            if self._plan is None:
                return real(*args, **keywords)
            said = _precisely(name, args)
            # A plan that asks for less gives other arguments.
            return self.met(said, lambda *other: real(*(other or args), **keywords), args)

        return call


def _precisely(name: str, args: tuple[Any, ...]) -> str:
    """The name of a call, and more where errors of it mean something else."""
    if name == "close" and _is_written(args[0]):
        return "close written"
    if name == "flock" and args[1] & fcntl.LOCK_UN:
        return "unlock"  # and the descriptor, which the lock goes with, is closed next
    if name == "open" and args[0] in _AMBIENT:
        return f"open {args[0]}"
    return name


def _is_written(fd: int) -> bool:
    """Whether closing it may have something to say: nothing else is written back.

    What a lock is taken of is open for writing and stays empty.
    """
    try:
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        if flags & os.O_PATH or not flags & os.O_ACCMODE:
            return False
        return os.fstat(fd).st_size > 0
    except OSError:
        return False


def _file_class(seam: Interposed) -> type[io.FileIO]:
    class WatchedFileIO(io.FileIO):
        """The calls that a file object makes in C, one by one."""

        def write(self, data: Any, /) -> int:
            def real(*other: Any) -> int:
                return super(WatchedFileIO, self).write(*(other or (data,)))

            return int(seam.met("file.write", real, (data,)))

        def readinto(self, buffer: Any, /) -> int:
            def real(*other: Any) -> int:
                return super(WatchedFileIO, self).readinto(*(other or (buffer,)))

            return int(seam.met("file.readinto", real, (buffer,)))

        def close(self) -> None:
            if self.closed:
                return
            seam.met("file.close", super().close)

    return WatchedFileIO


# -- plans -----------------------------------------------------------------------------------------


class Undisturbed:
    """Every call is made as it is asked for."""

    def meet(self, index: int, name: str, real: Real, args: tuple[Any, ...]) -> Any:
        return real()


class Killed:
    """The process ends by SIGKILL immediately before the call of this index."""

    def __init__(self, at: int) -> None:
        self._at = at

    def meet(self, index: int, name: str, real: Real, args: tuple[Any, ...]) -> Any:
        if index == self._at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real()


class Struck:
    """A plan that strikes at the call of an index, and, if it lasts, at each later one of its name.

    ``struck`` are the indices that it struck at.
    """

    def __init__(self, at: int, *, lasting: bool = False) -> None:
        self.struck: list[int] = []
        self.done: list[tuple[int, str]] = []  # the calls that were made and answered
        self._at = at
        self._lasting = lasting
        self._name = ""

    def meet(self, index: int, name: str, real: Real, args: tuple[Any, ...]) -> Any:
        if index == self._at:
            self._name = name
        if index == self._at or (self._lasting and name == self._name):
            self.struck.append(index)
            return self.strike(name, real, args)
        answer = real()
        if not (name in ANSWERING and answer < 0):
            self.done.append((index, name))
        return answer

    def strike(self, name: str, real: Real, args: tuple[Any, ...]) -> Any:
        raise NotImplementedError


class Failing(Struck):
    """The call is not made, and answered with an errno in the words of that call.

    But for closing, which is done all the same.
    """

    def __init__(self, at: int, number: int, *, lasting: bool = False) -> None:
        super().__init__(at, lasting=lasting)
        self._number = number

    def strike(self, name: str, real: Real, args: tuple[Any, ...]) -> Any:
        if name in ANSWERING:
            return -self._number
        if name in YES_OR_NO:
            return False
        if name in _ENDING:
            real()
        raise _error(self._number, args)


class Interrupted(BaseException):
    """What the handler of a signal raises: nothing in safefs may expect it."""


class Signalled(Struck):
    """A signal arrives before the call, and its handler raises ``Interrupted``."""

    def strike(self, name: str, real: Real, args: tuple[Any, ...]) -> Any:
        if name in _ENDING:
            real()  # it comes when the descriptor has gone: before, Python would not have let go
        before = signal.signal(signal.SIGUSR1, _interrupt)
        try:
            os.kill(os.getpid(), signal.SIGUSR1)
        finally:
            signal.signal(signal.SIGUSR1, before)
        return None


def _interrupt(*_: object) -> NoReturn:
    raise Interrupted


class Short(Struck):
    """Less is read, written or copied than was asked for: one byte, or if it lasts, a few."""

    _FEW = 4093  # a prime: it divides nothing

    def strike(self, name: str, real: Real, args: tuple[Any, ...]) -> Any:
        most = self._FEW if self._lasting else 1
        if name in WRITING:
            *before, data = args
            return real(*before, memoryview(data).cast("B")[:most])
        if name == "file.readinto":
            return real(memoryview(args[0]).cast("B")[:most])
        if name in READING:
            fd, size, *offset = args
            return real(fd, min(size, most), *offset)
        if name in COPYING:
            source, target, size, *more = args
            return real(source, target, min(size, most), *more)
        return real()


def _error(number: int, args: tuple[Any, ...]) -> OSError:
    """As the system's own: it names the very object it was given, if it was given a name."""
    name = next((each for each in args if isinstance(each, str | bytes)), None)
    if name is None:
        return OSError(number, os.strerror(number))
    return OSError(number, os.strerror(number), name)


def word(number: int) -> str:
    """``28`` as ``ENOSPC``."""
    return errno.errorcode.get(number, str(number))
