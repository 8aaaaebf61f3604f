"""A writer is killed before each single system call: what it leaves.

    from safefs.testing.kills import survey
    print(survey())

A child does the undertaking and is ended by SIGKILL immediately before the call of an index, index
by index; then its parent looks. What happens within a call is the kernel's affair, and what a crash
of the machine would leave is not shown: all that the child had written is there.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Self

from safefs.disk import Disk
from safefs.testing.interleaving import forced, scratch_in_memory
from safefs.testing.interposing import Interposed, Killed, Undisturbed
from safefs.testing.mounts import fork
from safefs.testing.states import State, state_of, torn
from safefs.testing.undertakings import World, each_resolver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from safefs.testing.undertakings import Undertaking


class Kills:
    """What came of many kills.

    ``left`` counts those that left a temporary name, which ``sweep`` then removed.
    """

    def __init__(self) -> None:
        self.points: dict[str, int] = {}
        self.kills = 0
        self.left = 0
        self.seconds = 0.0
        self.wrong: list[str] = []

    def __iadd__(self, other: Kills) -> Self:
        self.points |= other.points
        self.kills += other.kills
        self.left += other.left
        self.seconds += other.seconds
        self.wrong += other.wrong
        return self

    def __str__(self) -> str:
        return (
            f"{self.kills:,} kills of {len(self.points)} undertakings, {self.left:,} of which left "
            f"temporary names: {len(self.wrong)} wrong"
        )


def survey(
    chosen: Iterable[tuple[Undertaking, str]] | None = None,
    *,
    every: int = 1,
    directory: Path | None = None,
    world: Callable[[str], World] = World,
) -> Kills:
    """Kill each undertaking before every call, or every so many calls (never the same for two).

    ``chosen``: (undertaking, resolver); all, unless it is given. Works in a temporary directory, in
    memory if there is such a place, or beneath ``directory``. ``world``: what is laid out there.
    """
    found = Kills()
    began = time.perf_counter()
    with scratch_in_memory(directory) as place, Interposed() as seam:
        for number, (each, resolver) in enumerate(each_resolver() if chosen is None else chosen):
            with forced(resolver):
                _Course(world(str(place)), seam, each, resolver, found).run(number % every, every)
    found.seconds = time.perf_counter() - began
    return found


class _Course:
    """One undertaking on one resolver."""

    def __init__(
        self, world: World, seam: Interposed, each: Undertaking, resolver: str, found: Kills
    ) -> None:
        self._world = world
        self._seam = seam
        self._each = each
        self._resolver = resolver
        self._found = found

    def run(self, first: int, every: int) -> None:
        self._undisturbed()  # what is looked up once in a process has been
        self._before = self._laid()
        self._undisturbed()
        self._after = self._state()
        count = len(self._seam.calls)
        self._found.points[f"{self._each.name} ({self._resolver})"] = count
        for index in range(first, count, every):
            self._kill(index)

    def _state(self) -> State:
        return state_of(*self._world.paths, content=self._world.content)

    def _laid(self) -> State:
        self._world.lay()
        return self._state()

    def _undisturbed(self) -> None:
        self._world.lay()
        with self._world, self._seam.facing(Undisturbed()):
            self._each.act(self._world)

    def _kill(self, index: int) -> None:
        self._world.lay()
        with self._world:
            child = fork()
            if child == 0:
                self._do_and_die(index)
        status = os.waitpid(child, 0)[1]
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            self._report(index, f"it was not killed, but ended with {status}")
        self._found.kills += 1
        now = self._state()
        self._found.left += bool(now.temporaries)
        for what in self._torn(now):
            self._report(index, what)
        self._sweep(index, now)

    def _do_and_die(self, index: int) -> None:
        try:
            with self._seam.facing(Killed(index)):
                self._each.act(self._world)
        finally:
            os._exit(0)

    def _torn(self, now: State) -> list[str]:
        return torn(now, self._before, self._after, whole=self._each.whole)

    def _sweep(self, index: int, before: State) -> None:
        """Removes all that was left, and nothing else."""
        for path in self._world.paths:
            with Disk(path) as disk:
                disk.sweep(older_than=0)
        now = self._state()
        if now.temporaries:
            self._report(index, f"not swept up: {', '.join(now.temporaries)}")
        if now.things != before.things:
            self._report(index, "sweeping changed what has a name of its own")

    def _report(self, index: int, what: str) -> None:
        where = f"{self._each.name} ({self._resolver}), killed before call {index}"
        self._found.wrong.append(f"{where}: {what}")
