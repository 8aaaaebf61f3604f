"""How much there is beneath a root, for the quotas of a policy: counted once, then kept.

A ledger belongs to a directory, and all roots of this process that have a quota on it share one.
Whatever changes the numbers is done while the ledger is held: by a lock between threads, and where
there is a place for locks by a file of it between processes. So what is on disk and what the ledger
says are the same whenever nobody holds it, and a recount finds nothing that is under way.

A file that is to take the place of another is charged with what it has more than that one. Until it
does, a recount sees both: those of this process are taken into account, and what another process is
about to replace counts in full, so that it may refuse for a moment what would fit, never the other
way.
"""

from __future__ import annotations

import os
import threading
import weakref
from time import monotonic

from safefs.audit import refused
from safefs.errors import PolicyError
from safefs.kernel import syscalls
from safefs.kernel.handle import Handle
from safefs.kernel.trail import Moved
from safefs.operations.counting import count
from safefs.policy import Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Protocol, Self

    class Taken(Protocol):
        """A lock that is held, with what was written to it last."""

        def read(self) -> bytes: ...

        def write(self, data: bytes) -> None: ...

        def release(self) -> None: ...

    class Place(Protocol):
        """Where there are locks between processes."""

        def take(self, key: str, *, shared: bool, timeout: float | None) -> Taken | None: ...

    class Pending(Protocol):
        """A file that is written, and has not taken its name yet."""

        identity: tuple[int, int]

        @property
        def excess(self) -> tuple[int, int]:
            """(bytes, names) that a recount finds of it and the ledger was not charged with."""


# What others add is in no ledger. So it is counted anew after so many seconds, if it is still in
# use then; and after so many times what counting took, so that it takes no more than a hundredth.
_INTERVAL = 60.0
_SHARE = 100
_ATTEMPTS = 8  # of a count, while directories are moved under it
_UNKNOWN = b"?\n"

_guard = threading.Lock()
_ledgers: weakref.WeakValueDictionary[tuple[int, int], Ledger] = weakref.WeakValueDictionary()


class Ledger:
    """The bytes of the regular files beneath a directory, and the names that are no directories.

    A file with several names has its bytes counted once.
    """

    __slots__ = (
        "__weakref__",
        "_depth",
        "_due",
        "_handle",
        "_lock",
        "_taken",
        "bytes",
        "files",
        "identity",
        "known",
        "pending",
        "place",
    )

    def __init__(self, fd: int, identity: tuple[int, int], *, same_filesystem: bool) -> None:
        own = syscalls.open(b".", syscalls.DIRECTORY, dir_fd=fd)
        try:
            self._handle = Handle(own, Policy(same_filesystem=same_filesystem))
        except BaseException:
            syscalls.close(own)
            raise
        self.identity = identity
        self.bytes = self.files = 0
        self.known = False
        self._due = 0.0
        # By identity: one that went with its directory may leave its number to the next.
        self.pending: dict[tuple[int, int], Pending] = {}
        self.place: Place | None = None
        self._depth = 0
        self._taken: Taken | None = None
        self.renew_lock()

    def renew_lock(self) -> None:
        """In a child of a fork: who held it is not there."""
        self._lock = threading.RLock()
        self._depth = 0
        self._taken = None

    def acquire(self) -> None:
        self._lock.acquire()
        self._depth += 1
        if self._depth > 1:
            return
        try:
            if self.place is not None:
                self._taken = self.place.take(self._key, shared=False, timeout=None)
            if self._taken is not None:
                self._load(self._taken)
            if not self.known or monotonic() >= self._due:
                self.recount()
        except BaseException:
            self.release()
            raise

    @property
    def _key(self) -> str:
        dev, ino = self.identity
        return f"quota-{dev:x}-{ino:x}"

    def _load(self, taken: Taken) -> None:
        """What the last holder left, in whatever process; if it was killed, nobody knows."""
        parts = taken.read().split()
        taken.write(_UNKNOWN)
        if len(parts) == 2 and all(part.isdigit() for part in parts):
            self.bytes, self.files = map(int, parts)
        else:
            self.known = False

    def release(self) -> None:
        self._depth -= 1
        try:
            if not self._depth and self._taken is not None:
                taken, self._taken = self._taken, None
                try:
                    if self.known:
                        taken.write(b"%d %d\n" % (self.bytes, self.files))
                finally:
                    taken.release()
        finally:
            self._lock.release()

    def add(self, size: int, names: int) -> None:
        self.bytes = max(0, self.bytes + size)
        self.files = max(0, self.files + names)

    def recount(self) -> None:
        """Look at everything beneath the directory."""
        self.known = False
        begun = monotonic()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                size, names, drafts = count(self._handle)
                break
            except Moved:
                if attempt == _ATTEMPTS:
                    raise
        for identity, pending in self.pending.items():
            if identity in drafts:  # it may have been removed with its directory
                more, named = pending.excess
                size -= more
                names -= named
        self.bytes, self.files = size, names
        self.known = True
        now = monotonic()
        self._due = now + max(_INTERVAL, _SHARE * (now - begun))


class Meter:
    """A quota: a ledger, and how much it may say."""

    __slots__ = ("_most_bytes", "_most_files", "ledger")

    def __init__(self, ledger: Ledger, most_bytes: int | None, most_files: int | None) -> None:
        self.ledger = ledger
        self._most_bytes = most_bytes
        self._most_files = most_files

    def narrowed(self, other: Meter) -> Meter:
        """Both, which are of one ledger."""
        return Meter(
            self.ledger,
            _smaller(self._most_bytes, other._most_bytes),
            _smaller(self._most_files, other._most_files),
        )

    def check(self, shown: str | bytes, size: int, names: int) -> None:
        """Refuse what would be too much; what does not grow never is."""
        if self._problem(size, names) is None:
            return
        self.ledger.recount()  # others may have removed something
        problem = self._problem(size, names)
        if problem is not None:
            raise refused(PolicyError(shown, *problem))

    def _problem(self, size: int, names: int) -> tuple[str, str] | None:
        most = self._most_files
        if most is not None and names > 0 and self.ledger.files + names > most:
            return "quota_files", f"there would be more than {most} files on the disk"
        most = self._most_bytes
        if most is not None and size > 0 and self.ledger.bytes + size > most:
            return "quota_bytes", f"there would be more than {most} bytes on the disk"
        return None


class Meters:
    """The quotas that hold for a root: its own, and those of the roots it was made from."""

    __slots__ = ("_each",)

    def __init__(self, each: tuple[Meter, ...]) -> None:
        self._each = each

    @property
    def ledgers(self) -> frozenset[Ledger]:
        return frozenset(meter.ledger for meter in self._each)

    def held(self) -> Books:
        """Their ledgers, for a ``with`` block; within one of the same thread once more."""
        return Books(self._each)

    def count_in(self, place: Place) -> None:
        """Count together with the other processes that have this place for locks."""
        for meter in self._each:
            meter.ledger.place = place

    def with_own(self, fd: int, policy: Policy) -> Meters:
        """These, and what a policy adds that is set on the directory of this descriptor."""
        own = Meter(_ledger_of(fd, policy), policy.quota_bytes, policy.quota_files)
        others = []
        for meter in self._each:
            if meter.ledger is own.ledger:
                own = own.narrowed(meter)
            else:
                others.append(meter)
        # In one order, whoever takes them, so that none waits for another in a circle.
        return Meters(tuple(sorted((*others, own), key=lambda meter: meter.ledger.identity)))


NO_METERS = Meters(())


class Books:
    """Ledgers that are held: what is asked of them is true until they are let go."""

    __slots__ = ("_meters",)

    def __init__(self, meters: tuple[Meter, ...]) -> None:
        self._meters = meters

    def check(self, shown: str | bytes, size: int = 0, names: int = 0) -> None:
        """PolicyError where so much more would be too much."""
        for meter in self._meters:
            meter.check(shown, size, names)

    def add(self, size: int = 0, names: int = 0) -> None:
        """That so much has come, or gone."""
        for meter in self._meters:
            meter.ledger.add(size, names)

    def begin(self, pending: Pending) -> None:
        for meter in self._meters:
            meter.ledger.pending[pending.identity] = pending

    def end(self, pending: Pending) -> None:
        for meter in self._meters:
            if meter.ledger.pending.get(pending.identity) is pending:
                del meter.ledger.pending[pending.identity]

    def forget(self) -> None:
        """That something has gone of which nobody knows what was charged for it."""
        for meter in self._meters:
            meter.ledger.known = False

    def __enter__(self) -> Self:
        held = 0
        try:
            for meter in self._meters:
                meter.ledger.acquire()
                held += 1
        except BaseException:
            for meter in self._meters[:held]:
                meter.ledger.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None and not issubclass(kind, OSError):
            self.forget()  # Ctrl-C, say, between what was done and writing it down
        for meter in reversed(self._meters):
            meter.ledger.release()


def _ledger_of(fd: int, policy: Policy) -> Ledger:
    found = syscalls.fstat(fd)
    identity = found.st_dev, found.st_ino
    with _guard:
        ledger = _ledgers.get(identity)
        if ledger is None:
            ledger = Ledger(fd, identity, same_filesystem=policy.same_filesystem)
            _ledgers[identity] = ledger
        return ledger


def _smaller(one: int | None, other: int | None) -> int | None:
    return min((most for most in (one, other) if most is not None), default=None)


def _renew_locks() -> None:
    global _guard
    _guard = threading.Lock()
    for ledger in list(_ledgers.values()):
        ledger.renew_lock()


os.register_at_fork(after_in_child=_renew_locks)
