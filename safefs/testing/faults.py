"""An error of the operating system at each single call: what it leaves, and what is said of it.

    from safefs.testing.faults import survey
    print(survey())

Each combination (undertaking, call, fault) is one run, the same at every run. A fault is an errno
that is answered in the place of the call, a signal whose handler raises, or less that is read,
written or copied than was asked for. It comes once, or lasts: then it meets each later call of that
name too. After each run these are checked: every file is as it was or as it is to be; before the
change was made, all is as it was; the errno is the one that was given, about a path that the caller
named; no descriptor is left open, and no temporary name but where a later fault met its removal.
"""

from __future__ import annotations

import errno
import gc
import os
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, Self

from safefs.testing.interleaving import forced, scratch_in_memory
from safefs.testing.interposing import (
    COPYING,
    READING,
    UNFAILING,
    WRITING,
    Failing,
    Interposed,
    Interrupted,
    Short,
    Signalled,
    Undisturbed,
    word,
)
from safefs.testing.states import State, state_of, torn
from safefs.testing.undertakings import World, each_resolver

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from safefs.testing.interposing import Struck
    from safefs.testing.undertakings import Undertaking

NUMBERS = (
    errno.ENOSPC,
    errno.EIO,
    errno.ESTALE,
    errno.EDQUOT,
    errno.EMFILE,
    errno.EINTR,
    errno.EROFS,
    errno.ETXTBSY,
)
# What file systems and kernels that lack a call answer it with; safefs then does without.
LACKING: dict[str, tuple[int, ...]] = {
    "copy_file_range": (errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM),
    "rename_noreplace": (errno.ENOSYS, errno.EINVAL),
    "openat2": (errno.ENOSYS, errno.EAGAIN),
}
# An undertaking succeeds though one of these fails, because nothing that it promises needs it.
FORGIVEN = frozenset({"lock", "unlock", "open /proc/self/fd", "open /dev/null", "dup2"})
# A root is closed by these. An exception of a signal's handler in the moment of closing is more
# than Python itself stands.
_LEAVING = frozenset({"close", "open /dev/null", "dup2"})
# By these a change is made; before the first of them has been, all is to be as it was.
_CHANGING = frozenset({"rename", "rename_noreplace", "rename_exchange", "link", "unlink", "rmdir"})
# After EINTR a file object of Python asks again.
_AGAIN = frozenset({"file.write", "file.readinto"})
_CLOSING = frozenset({"close", "close written", "file.close"})


class Fault(NamedTuple):
    """What happens instead of a call: an errno, or 0 for what is no error."""

    name: str
    number: int = 0
    lasting: bool = False

    def plan(self, at: int) -> Struck:
        if self.name.startswith("a signal"):
            return Signalled(at, lasting=self.lasting)
        if self.name.startswith("short"):
            return Short(at, lasting=self.lasting)
        return Failing(at, self.number, lasting=self.lasting)

    def may_meet(self, call: str) -> bool:
        if self.name.startswith("short"):
            return call in READING | WRITING | COPYING
        if call in UNFAILING:
            return False
        if call in _LEAVING and not self.number:
            return False
        if call == "close":
            return False  # of what was not written: there the kernel has no error to tell
        return not self.name.endswith("lacking") or self.number in LACKING.get(call, ())


FAULTS = (
    *(Fault(word(number), number) for number in NUMBERS),
    *(Fault(f"{word(number)} that lasts", number, True) for number in NUMBERS[:4]),
    *(
        Fault(f"{word(number)}, a call that is lacking", number, True)
        for number in sorted({each for numbers in LACKING.values() for each in numbers})
    ),
    Fault("a signal"),
    Fault("short"),
    Fault("short each time", lasting=True),
)


class Faults:
    """What came of many combinations.

    ``by_fault`` counts them, ``met`` also those that were passed over. ``passed``, by call and
    fault, are those that succeeded all the same; ``left`` those in which a temporary name stayed,
    because a further fault met its removal.
    """

    def __init__(self) -> None:
        self.combinations = 0
        self.undertakings: set[str] = set()
        self.met: Counter[str] = Counter()
        self.by_fault: Counter[str] = Counter()
        self.passed: Counter[tuple[str, str]] = Counter()
        self.failed = 0
        self.left = 0
        self.seconds = 0.0
        self.wrong: list[str] = []

    def __iadd__(self, other: Faults) -> Self:
        self.combinations += other.combinations
        self.undertakings |= other.undertakings
        self.met += other.met
        self.by_fault += other.by_fault
        self.passed += other.passed
        self.failed += other.failed
        self.left += other.left
        self.seconds += other.seconds
        self.wrong += other.wrong
        return self

    def __str__(self) -> str:
        return (
            f"{self.combinations:,} combinations of {len(self.undertakings)} undertakings, each "
            f"call and {len(self.by_fault)} faults: {self.failed:,} ended in the error that was "
            f"given, {self.passed.total():,} did without; {len(self.wrong)} wrong"
        )


def survey(
    chosen: Iterable[tuple[Undertaking, str]] | None = None,
    faults: Iterable[Fault] = FAULTS,
    *,
    every: int = 1,
    directory: Path | None = None,
) -> Faults:
    """Run all combinations, or one of every so many; what goes wrong stands in the result.

    Works in a temporary directory, in memory if there is such a place, or beneath ``directory``.
    Not for two threads at once: the seam is one, and descriptors are counted.
    """
    found = Faults()
    all_faults = tuple(faults)
    began = time.perf_counter()
    with scratch_in_memory(directory) as place, quick_collections(), Interposed() as seam:
        for each, resolver in each_resolver() if chosen is None else chosen:
            with forced(resolver):
                world = World(str(place))
                _Course(world, seam, each, resolver, found).run(all_faults, every)
    found.seconds = time.perf_counter() - began
    return found


class _Course:
    """One undertaking on one resolver, and each fault at each of its calls."""

    def __init__(
        self, world: World, seam: Interposed, each: Undertaking, resolver: str, found: Faults
    ) -> None:
        self._world = world
        self._seam = seam
        self._each = each
        self._resolver = resolver
        self._found = found

    def run(self, faults: tuple[Fault, ...], every: int) -> None:
        self._found.undertakings.add(self._each.name)
        self._undisturbed()  # what is looked up once in a process has been
        self._world.lay()
        self._before = self._state()
        self._undisturbed()
        self._after = self._state()
        gc.collect()
        self._descriptors = descriptors()
        for index, call in enumerate(list(self._seam.calls)):
            for fault in faults:
                if fault.may_meet(call):
                    if self._found.met[fault.name] % every == 0:
                        self._strike(index, call, fault)
                    self._found.met[fault.name] += 1

    def _state(self) -> State:
        return state_of(*self._world.paths)

    def _undisturbed(self) -> None:
        self._world.lay()
        with self._world, self._seam.facing(Undisturbed()):
            self._each.act(self._world)

    def _strike(self, index: int, call: str, fault: Fault) -> None:
        self._world.lay()
        plan = fault.plan(index)
        with self._world:
            error = self._ending(plan)
            calls = self._seam.calls
        self._found.combinations += 1
        self._found.by_fault[fault.name] += 1
        where = f"{self._each.name} ({self._resolver}), {fault.name} at call {index} ({call})"
        for what in self._judged(plan, fault, error, calls):
            self._found.wrong.append(f"{where}: {what}")

    def _ending(self, plan: Struck) -> Ending:
        with self._seam.facing(plan):
            return Ending.of(self._each, self._world)

    def _judged(
        self, plan: Struck, fault: Fault, ending: Ending, calls: list[str]
    ) -> Iterable[str]:
        now = self._state()
        if ending.kind:
            self._found.failed += 1
            yield from self._error(fault, ending, calls[plan.struck[0]])
            yield from self._after_error(plan, now)
        else:
            self._found.passed[calls[plan.struck[0]], fault.name] += 1
            yield from self._after_success(plan, fault, now, calls)
        later = [calls[index] for index in plan.struck[1:]]
        hit = calls[plan.struck[0]] in self._each.tidies or not all(
            each in _CLOSING for each in later
        )
        if now.temporaries and not hit:
            yield f"left behind: {', '.join(now.temporaries)}"
        self._found.left += bool(now.temporaries)
        yield from self._leaks()

    def _error(self, fault: Fault, ending: Ending, call: str) -> Iterable[str]:
        if not fault.number:
            if ending.kind != "Interrupted":
                yield f"it raised {ending.said}"
            return
        if ending.number != fault.number:
            yield f"it raised {ending.said}"
        elif call.startswith("file.") and ending.path is None:
            pass  # a file object has no path to tell, here as in the builtin's
        elif not any(is_about(ending.path, path) for path in self._each.paths):
            yield f"the error is about {ending.path!r}: {ending.said}"

    def _after_error(self, plan: Struck, now: State) -> Iterable[str]:
        wrong = torn(now, self._before, self._after, whole=self._each.whole)
        yield from wrong
        first = plan.struck[0]
        changed = any(index < first and name in _CHANGING for index, name in plan.done)
        if wrong or now.files == self._before.files:
            return
        if not changed:
            yield "it raised, and yet something was changed"
        elif self._each.restores and len(plan.struck) == 1 and now.files != self._after.files:
            yield "it raised, and did not restore what it had changed"

    def _after_success(
        self, plan: Struck, fault: Fault, now: State, calls: list[str]
    ) -> Iterable[str]:
        if now.things != self._after.things:
            yield "it succeeded, and did not do what it does"
        call = calls[plan.struck[0]]
        harmless = (
            not fault.number
            or fault.number in LACKING.get(call, ())
            or call in FORGIVEN
            or call in self._each.tidies
            or (fault.number == errno.EINTR and call in _AGAIN)
        )
        if not harmless:
            yield "it succeeded, and told nobody of the error"

    def _leaks(self) -> Iterable[str]:
        if descriptors() == self._descriptors:
            return
        gc.collect()
        now = descriptors()
        if now != self._descriptors:
            yield f"{self._descriptors} descriptors became {now}"
            self._descriptors = now


class Ending(NamedTuple):
    """How a run ended: nothing, or what is known of an error, as plain values."""

    kind: str
    number: int | None = None
    path: object = None
    said: str = ""

    @classmethod
    def of(cls, each: Undertaking, world: World) -> Ending:
        try:
            each.act(world)
        except (Exception, Interrupted) as error:  # noqa: BLE001  (to be judged)
            # No more is kept: its frames hold descriptors.
            number, path = getattr(error, "errno", None), getattr(error, "filename", None)
            return cls(type(error).__name__, number, path, repr(error))
        return cls("")


@contextmanager
def quick_collections() -> Iterator[None]:
    """Meanwhile a collection of garbage looks only at what has been made since."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def is_about(said: object, path: str) -> bool:
    return isinstance(said, str) and (said == path or said.startswith(f"{path}/" if path else ""))
