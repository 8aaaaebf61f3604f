"""Real shortages: a disk that is full, no more descriptors, a file system that turns read-only.

What the system itself says, beside what is said in its place (``faults``). Each shortage is met in
every amount: with room for nothing, for a page, for two ..., until there is enough.
"""

from __future__ import annotations

import errno
import gc
import os
import resource
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from safefs.disk import Disk
from safefs.testing.faults import Ending, Faults, descriptors, is_about, quick_collections
from safefs.testing.interleaving import forced
from safefs.testing.interposing import Interposed, Undisturbed
from safefs.testing.mounts import mount_small, remount
from safefs.testing.states import State, state_of, torn
from safefs.testing.undertakings import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from safefs.testing.interposing import Real
    from safefs.testing.undertakings import Undertaking

    Chosen = Iterable[tuple[Undertaking, str]]
    Shortage = Callable[[World, int], AbstractContextManager[object]]

SIZE, INODES = 2 << 20, 200
# To look into the draft of an archive takes descriptors, and there are none: it is left to sweep.
_LATER = {
    (errno.EMFILE, name) for name in ("extract", "extract a zip", "extract to where something is")
}
_MOST = 300  # of whatever is short: more than any undertaking needs


def full_of_bytes(place: Path, chosen: Chosen, every: int = 1) -> Faults:
    """ENOSPC, with every so many pages left; for a child with mounts of its own."""
    mount_small(place, size=SIZE, inodes=INODES)
    return _survey(place, chosen, errno.ENOSPC, _with_bytes_left, every)


def full_of_inodes(place: Path, chosen: Chosen, every: int = 1) -> Faults:
    """ENOSPC, with room for so many more files and directories; likewise."""
    mount_small(place, size=SIZE, inodes=INODES)
    return _survey(place, chosen, errno.ENOSPC, _with_inodes_left, every)


def out_of_descriptors(place: Path, chosen: Chosen, every: int = 1) -> Faults:
    """EMFILE, with so many more numbers to be had."""
    return _survey(place, chosen, errno.EMFILE, _with_descriptors_left, every)


def turned_read_only(place: Path, chosen: Chosen, every: int = 1) -> Faults:
    """EROFS, from before every so many calls on; for a child with mounts of its own.

    The system refuses to turn while something is open for writing, so that is where it does not.
    """
    mount_small(place, size=SIZE, inodes=INODES)
    found = Faults()
    began = time.perf_counter()
    with quick_collections(), Interposed() as seam:
        for each, resolver in chosen:
            with forced(resolver):
                course = _Course(World(str(place)), each, errno.EROFS, found)
                for index in range(0, _calls(seam, each, course.world), every):
                    course.meet(_turning(seam, place, index), f"EROFS from call {index} on")
    found.seconds = time.perf_counter() - began
    return found


def _calls(seam: Interposed, each: Undertaking, world: World) -> int:
    world.lay()
    with world, seam.facing(Undisturbed()):
        each.act(world)
    return len(seam.calls)


@contextmanager
def _turning(seam: Interposed, place: Path, index: int) -> Iterator[None]:
    try:
        with seam.facing(_Turning(place, index)):
            yield
    finally:
        remount(place, read_only=False)


class _Turning:
    """The file system turns read-only before the call of this index, if it can then."""

    def __init__(self, place: Path, at: int) -> None:
        self._place = place
        self._at = at

    def meet(self, index: int, name: str, real: Real, args: tuple[Any, ...]) -> Any:
        if index == self._at:
            with suppress(OSError):
                remount(self._place, read_only=True)
        return real()


def _survey(place: Path, chosen: Chosen, number: int, shortage: Shortage, every: int) -> Faults:
    found = Faults()
    began = time.perf_counter()
    with quick_collections():
        for each, resolver in chosen:
            with forced(resolver):
                course = _Course(World(str(place)), each, number, found)
                for amount in range(0, _MOST, every):
                    left = f"{errno.errorcode[number]} with {amount} left"
                    if course.meet(shortage(course.world, amount), left):
                        break
    found.seconds = time.perf_counter() - began
    return found


class _Course:
    """One undertaking in want of something."""

    def __init__(self, world: World, each: Undertaking, number: int, found: Faults) -> None:
        self.world = world
        self._each = each
        self._number = number
        self._found = found
        found.undertakings.add(each.name)
        world.lay()
        self._before = self._state()
        with world:
            each.act(world)
        self._after = self._state()
        gc.collect()
        self._held = descriptors()

    def _state(self) -> State:
        return state_of(*self.world.paths)

    def meet(self, shortage: AbstractContextManager[object], name: str) -> bool:
        """One run; whether it succeeded."""
        self.world.lay()
        with self.world, shortage:
            ending = Ending.of(self._each, self.world)
        if descriptors() > self._held:
            gc.collect()
        more = descriptors() - self._held
        self._held += max(more, 0)
        found = self._found
        found.combinations += 1
        found.by_fault[errno.errorcode[self._number]] += 1
        found.failed += bool(ending.kind)
        found.passed["", name] += not ending.kind
        wrong = [*self._judged(ending), *([f"{more} more descriptors"] if more > 0 else [])]
        found.wrong += [f"{self._each.name}, {name}: {what}" for what in wrong]
        return not ending.kind

    def _judged(self, ending: Ending) -> Iterator[str]:
        now = self._state()
        if not ending.kind:
            if now.things != self._after.things:
                yield "it succeeded, and did not do what it does"
            if now.temporaries and not self._each.tidies:
                yield f"it succeeded, and left behind: {', '.join(now.temporaries)}"
            return
        if ending.number != self._number:
            yield f"it raised {ending.said}"
        elif ending.path is not None and not any(
            is_about(ending.path, path) for path in self._each.paths
        ):
            yield f"the error is about {ending.path!r}"
        yield from torn(now, self._before, self._after, whole=self._each.whole)
        if now.temporaries:
            yield from self._left(now)

    def _left(self, now: State) -> Iterator[str]:
        """Only where nothing can be removed any more may something be left, for a sweep."""
        self._found.left += 1
        if self._number != errno.EROFS and (self._number, self._each.name) not in _LATER:
            yield f"left behind: {', '.join(now.temporaries)}"
        for path in self.world.paths:
            with Disk(path) as disk:
                disk.sweep(older_than=0)
        if self._state() != State(now.things, []):
            yield "not swept up, or more than that"


@contextmanager
def _with_bytes_left(world: World, pages: int) -> Iterator[None]:
    found = os.statvfs(world.place)
    ballast = f"{world.place}/ballast"
    fd = os.open(ballast, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        if found.f_bavail > pages:
            os.posix_fallocate(fd, 0, (found.f_bavail - pages) * found.f_frsize)
    finally:
        os.close(fd)
    try:
        yield
    finally:
        os.unlink(ballast)


@contextmanager
def _with_inodes_left(world: World, inodes: int) -> Iterator[None]:
    names = [
        f"{world.place}/ballast{number}"
        for number in range(max(0, os.statvfs(world.place).f_favail - inodes))
    ]
    for name in names:
        os.symlink("nowhere", name)  # takes an inode, and no page
    try:
        yield
    finally:
        for name in names:
            os.unlink(name)


@contextmanager
def _with_descriptors_left(_: World, count: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = {int(name) for name in os.listdir("/proc/self/fd")}
    free = (number for number in range(before[0]) if not _is_held(number, held))
    limit = next(number for at, number in enumerate(free) if at == count)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def _is_held(number: int, listed: set[int]) -> bool:
    """The one by which they were listed is among them, and is free again."""
    if number not in listed:
        return False
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
