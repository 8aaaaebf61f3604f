"""Where the locks of a disk are, and a lock by name."""

from __future__ import annotations

import hashlib
import os
import threading
import weakref
from contextlib import contextmanager
from errno import EDEADLK
from typing import TYPE_CHECKING, Protocol

from safefs.errors import LockTimeoutError, LockUnavailableError, SafefsError
from safefs.folding import folded
from safefs.kernel import syscalls
from safefs.operations import locks
from safefs.paths import RelPath, encode
from safefs.root import Root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Any, Self

    from safefs.root import StrOrBytesPath

# In an application's state folder, of which the disk ``state`` shows no name that begins with a
# dot: who empties that disk removes no lock that is held.
FOLDER = ".locks"
_FOLDER_MODE = 0o700
# How many locks all conditional replacements of an application share. One is held for the moment
# of a rename, so that two files may have the same; and each is a file that stays.
_STRIPES = 256


class Taken(Protocol):
    """A lock that is held, and a few bytes that its holders leave for each other."""

    def read(self) -> bytes: ...

    def write(self, data: bytes) -> None: ...

    def release(self) -> None: ...


class Locks(Protocol):
    """A place for locks."""

    def take(self, key: str, *, shared: bool, timeout: float | None) -> Taken | None:
        """The lock of this key, or None when the time is over; EDEADLK for who holds it already."""

    def close(self) -> None:
        """Give up what is open for taking locks; what is held stays held."""


class LockDirectory:
    """Locks between processes: empty files in a directory that is opened at the first one."""

    def __init__(self, opener: Callable[[], Root]) -> None:
        self._opener = opener
        self._root: Root | None = None
        self._guard = threading.RLock()  # see operations.locks
        _directories.add(self)

    @classmethod
    def at(cls, directory: StrOrBytesPath) -> Self:
        """In this directory, made with mode 0700 where it is missing (not those above it)."""
        raw, text = encode(directory)
        place = os.path.join(os.getcwdb(), raw)  # the working directory may be another by then

        def opener() -> Root:
            try:
                syscalls.mkdir(place, _FOLDER_MODE)
            except FileExistsError:
                pass
            except OSError as error:
                error.filename = text
                raise
            return Root(place)

        return cls(opener)

    def take(self, key: str, *, shared: bool, timeout: float | None) -> Taken | None:
        root = self.opened()
        try:
            return _take(root, key, shared=shared, timeout=timeout)
        except FileNotFoundError:  # somebody has removed the directory; nothing is made in it again
            self._leave(root)
        return _take(self.opened(), key, shared=shared, timeout=timeout)

    def _leave(self, gone: Root) -> None:
        """Not closed: another thread may be at it, and will see for itself."""
        with self._guard:
            if self._root is gone:
                self._root = None

    def opened(self) -> Root:
        """The directory itself, opened now where it was not; this object closes it."""
        with self._guard:
            if self._root is None:
                self._root = self._opener()
            return self._root

    def renew_guard(self) -> None:
        """Forget who holds the guard."""
        self._guard = threading.RLock()  # see operations.locks

    def close(self) -> None:
        with self._guard:
            root, self._root = self._root, None
        if root is not None:
            root.close()


def _take(root: Root, key: str, *, shared: bool, timeout: float | None) -> Taken | None:
    handle = root._handle  # noqa: SLF001  (held here and nowhere else)
    return locks.take(handle, RelPath(key.encode(), key), shared=shared, timeout=timeout)


class LockMemory:
    """Locks between the threads of one process, for what is in memory."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holders: dict[str, list[_MemoryHeld]] = {}
        self.notes: dict[str, bytes] = {}

    def take(self, key: str, *, shared: bool, timeout: float | None) -> Taken | None:
        held = _MemoryHeld(self, key, shared=shared)
        with self._changed:
            holders = self._holders.setdefault(key, [])
            if any(other.is_own and not (shared and other.shared) for other in holders):
                raise OSError(EDEADLK, os.strerror(EDEADLK), key)

            def is_free() -> bool:
                return all(shared and other.shared for other in holders)

            if not self._changed.wait_for(is_free, timeout):
                return None
            holders.append(held)
        return held

    def let_go(self, held: _MemoryHeld) -> None:
        with self._changed:
            holders = self._holders[held.key]
            if held in holders:
                holders.remove(held)
            self._changed.notify_all()

    def close(self) -> None:
        pass


class _MemoryHeld:
    def __init__(self, place: LockMemory, key: str, *, shared: bool) -> None:
        self._place = place
        self.key = key
        self.shared = shared
        self._thread = threading.get_ident()

    @property
    def is_own(self) -> bool:
        return self._thread == threading.get_ident()

    def read(self) -> bytes:
        return self._place.notes.get(self.key, b"")

    def write(self, data: bytes) -> None:
        self._place.notes[self.key] = data

    def release(self) -> None:
        self._place.let_go(self)


class Lock:
    """An advisory lock by name, made by ``Disk.lock``; hold it by ``with``, or by its methods.

    Held by a thread: another one waits, also with this same object. It excludes those who ask for
    it by the same name on the same directory with the same place for locks, and nobody else; no
    file is protected by it. A process that ends, however it does, holds nothing any more, and
    neither does a child that is forked meanwhile.
    """

    def __init__(
        self, place: Locks, key: str, name: str, *, timeout: float | None, shared: bool
    ) -> None:
        self.name = name
        self.shared = shared
        self._place = place
        self._key = key
        self._timeout = timeout
        self._taken: dict[int, Taken] = {}
        _locks.add(self)

    @property
    def held(self) -> bool:
        """Whether the calling thread holds it by this object."""
        return threading.get_ident() in self._taken

    def forget(self) -> None:
        """In a child of a fork, which holds nothing."""
        self._taken.clear()

    def acquire(self) -> None:
        """Wait for it and hold it.

        ``LockTimeoutError`` when the time is over; an ``OSError`` with EDEADLK where this thread
        holds it already and would wait for itself. ENOLCK and its like pass: a network file system
        may have no locks.
        """
        try:
            taken = self._place.take(self._key, shared=self.shared, timeout=self._timeout)
        except OSError as error:
            error.filename = self.name
            raise
        if taken is None:
            raise LockTimeoutError(self.name, self._timeout or 0.0)
        self._taken[threading.get_ident()] = taken

    def release(self) -> None:
        """Let it go; ``RuntimeError`` where the calling thread does not hold it."""
        taken = self._taken.pop(threading.get_ident(), None)
        if taken is None:
            raise RuntimeError(f"the lock {self.name!r} is not held by this thread")
        taken.release()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        if not hasattr(self, "_taken"):  # half made, as a traceback may show it
            return f"<{type(self).__name__}>"
        shared = " shared" * self.shared
        return f"<Lock {self.name!r}{shared}{' held' * self.held}>"


def by_name(identity: tuple[Any, ...], name: str) -> str:
    """The key of a name on one directory."""
    return _digest(repr(identity).encode(), os.fsencode(name)).hexdigest()[:40]


def holding(place: Locks) -> Callable[[int, int, bytes], Any]:
    """How a conditional replacement takes the lock of a name in a directory."""

    @contextmanager
    def hold(dev: int, ino: int, name: bytes) -> Iterator[None]:
        stripe = _digest(b"%d %d" % (dev, ino), _folded(name)).digest()[0] % _STRIPES
        try:
            taken = place.take(f"replace-{stripe:02x}", shared=False, timeout=None)
        except SafefsError:
            raise  # it says of itself which folder it is about
        except OSError as error:
            # It will bear the path that is to be replaced, which has nothing wrong with it.
            reason = f"the folder for locks, which if_match needs: {error.strerror}"
            raise OSError(error.errno, reason) from error
        try:
            yield
        finally:
            if taken is not None:
                taken.release()

    return hold


def _folded(name: bytes) -> bytes:
    """The same for all spellings that a file system may take for one name.

    Where it does not, two files have one lock, as those have whose digests begin alike.
    """
    return folded(os.fsdecode(name)).encode("utf-8", "surrogatepass")


def _digest(one: bytes, other: bytes) -> hashlib._Hash:
    return hashlib.sha256(one + b"\0" + other, usedforsecurity=False)


def checked_timeout(timeout: float | None) -> float | None:
    """Seconds, or None for ever; ``TypeError`` or ``ValueError`` for what is neither."""
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise TypeError(f"timeout is a number of seconds or None, not {timeout!r}")
    if timeout != timeout or timeout < 0:  # (NaN)
        raise ValueError(f"timeout is zero or more seconds, not {timeout!r}")
    return None if timeout > threading.TIMEOUT_MAX else float(timeout)


def refuse_without(place: Locks | None, what: str) -> Locks:
    """The place, or ``LockUnavailableError`` where there is none."""
    if place is None:
        raise LockUnavailableError(what)
    return place


# A fork may come while another thread opens a directory, and nobody in the child would free it.
_directories: weakref.WeakSet[LockDirectory] = weakref.WeakSet()
_locks: weakref.WeakSet[Lock] = weakref.WeakSet()


def _renew_guards() -> None:
    for directory in list(_directories):
        directory.renew_guard()
    for lock in list(_locks):
        lock.forget()


os.register_at_fork(after_in_child=_renew_guards)
