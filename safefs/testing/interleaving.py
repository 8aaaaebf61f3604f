"""Every operation, with every move of an attacker before each of its system calls.

    from safefs.testing.interleaving import survey
    print(survey(resolvers=["walk"]))

There is no clock and no chance in it: ``kernel/syscalls.py`` is the one seam through which safefs
calls the system, each call through it is counted, and the move is made before the one whose turn it
is. So each triple (operation, index, move) is one run, the same at every run. What one move at the
boundary of a call can do is thereby exhausted; with ``spans`` also what one can do that is undone
before any later call. What takes two unrelated moves, and what happens inside a call of the kernel,
is not shown.
"""

from __future__ import annotations

import gc
import os
import tempfile
import time
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from safefs.errors import SafefsError
from safefs.kernel import probe
from safefs.testing.attackers import MOVES
from safefs.testing.composites import OPERATIONS
from safefs.testing.ground import Ground
from safefs.testing.seam import Seam

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from safefs.testing.composites import Operation
    from safefs.testing.moves import Move, SecondAct

RESOLVERS = ("openat2", "walk")

_DOCUMENTED = (SafefsError, OSError, ValueError)


class Breach:
    """One triple that did not end as promised, and how: enough to run it again."""

    __slots__ = ("call", "index", "move", "operation", "resolver", "what")

    def __init__(
        self, operation: str, resolver: str, index: int, call: str, move: str, what: str
    ) -> None:
        self.operation = operation
        self.resolver = resolver
        self.index = index
        self.call = call
        self.move = move
        self.what = what

    def __str__(self) -> str:
        return (
            f"{self.operation} ({self.resolver}), {self.move} "
            f"before call {self.index} ({self.call}): {self.what}"
        )


class Survey:
    """What came of many triples; surveys can be added up.

    ``spans`` are the runs besides, in which a move was undone more than one call later.
    ``made`` are, by move, the triples in which it could be made: it may come too late or too early.
    ``refused`` are those in which the operation ended in an error. ``escapes`` reached the outside;
    ``failures`` raised what is not documented, leaked a descriptor, or left a temporary name that
    could have been removed. ``spoilt`` are the temporary names that the attacker itself had laid
    hands on and that were left.
    """

    def __init__(self) -> None:
        self.operations: set[str] = set()
        self.moves: set[str] = set()
        self.made: Counter[str] = Counter()
        self.triples = 0
        self.spans = 0
        self.refused = 0
        self.spoilt = 0
        self.seconds = 0.0
        self.escapes: list[Breach] = []
        self.failures: list[Breach] = []

    def __iadd__(self, other: Survey) -> Self:
        self.operations |= other.operations
        self.moves |= other.moves
        self.triples += other.triples
        self.spans += other.spans
        self.made += other.made
        self.refused += other.refused
        self.spoilt += other.spoilt
        self.seconds += other.seconds
        self.escapes += other.escapes
        self.failures += other.failures
        return self

    def __str__(self) -> str:
        return (
            f"{self.triples:,} (operation, index, move) triples of {len(self.operations)} "
            f"operations and {len(self.moves)} moves, and {self.spans:,} with a later undoing; "
            f"{self.made.total():,} moves were made in time, {self.refused:,} runs ended in an "
            "error: "
            f"{len(self.escapes)} escapes, {len(self.failures)} failures"
        )


def survey(
    operations: Iterable[Operation] | None = None,
    moves: Iterable[Move] | None = None,
    *,
    resolvers: Iterable[str] = RESOLVERS,
    spans: bool = False,
    directory: Path | None = None,
) -> Survey:
    """Run every triple; nothing is raised for what goes wrong, it stands in the result.

    ``spans``: where a move can be undone, it is also undone before each later call instead.

    Works in a temporary directory (in memory, where there is a /dev/shm to write) or beneath
    ``directory``. Not for two threads at once: the seam is one, and descriptors are counted.
    """
    found = Survey()
    chosen = list(MOVES if moves is None else moves)
    began = time.perf_counter()
    with scratch_in_memory(directory) as place, closing(Ground(place)) as ground, Seam() as seam:
        for resolver in resolvers:
            with forced(resolver):
                for operation in OPERATIONS if operations is None else operations:
                    _Encounters(ground, seam, operation, resolver, found).run(chosen, spans=spans)
        found.moves |= {move.name for move in chosen}
        for change in [*ground.scratch.changes(), *ground.content_changes()]:
            found.escapes.append(Breach("all", "all", -1, "", "", change))
    found.seconds = time.perf_counter() - began
    return found


@contextmanager
def scratch_in_memory(directory: Path | None = None) -> Iterator[Path]:
    """A temporary directory beneath ``directory``, or where it is quickest; gone afterwards."""
    memory = "/dev/shm"  # noqa: S108  (a fresh directory of our own in it)
    fast = memory if directory is None and os.access(memory, os.W_OK) else directory
    with tempfile.TemporaryDirectory(prefix="safefs-interleaving-", dir=fast) as name:
        os.chmod(name, 0o755)  # noqa: S103  (a jail may give up root)
        yield Path(name)


@contextmanager
def forced(resolver: str) -> Iterator[None]:
    """Meanwhile every path is resolved by this one."""
    before, probe.forced = probe.forced, resolver
    try:
        yield
    finally:
        probe.forced = before


class _Encounters:
    """One operation on one resolver, with all that can come between its calls."""

    def __init__(
        self, ground: Ground, seam: Seam, operation: Operation, resolver: str, found: Survey
    ) -> None:
        self._ground = ground
        self._seam = seam
        self._operation = operation
        self._resolver = resolver
        self._found = found
        self._index = self._until = -1
        self._has_second = False
        self._move: Move | None = None
        self._descriptors = os.listdir("/proc/self/fd")

    def run(self, moves: Iterable[Move], *, spans: bool) -> None:
        """Unattacked first: that it then succeeds, and how many calls it makes."""
        self._found.operations.add(self._operation.name)
        self._meet()  # what is looked up once in a process, such as a first ENOENT, has been
        if self._meet():
            self._report(self._found.failures, "it fails even where nobody attacks")
        count = len(self._seam.calls)
        meets = self._operation.meets
        for self._index in range(count):
            for self._move in moves:
                if meets is not None and self._move.place not in meets:
                    continue
                self._attacked(self._index + 1)
                self._found.triples += 1
                if spans and self._has_second:
                    for until in range(self._index + 2, count):
                        self._attacked(until)
                        self._found.spans += 1

    def _attacked(self, until: int) -> None:
        self._until, self._has_second = until, False
        self._found.refused += self._meet()

    def _meet(self) -> bool:
        """One run; whether it ended in an error."""
        ground, operation = self._ground, self._operation
        if operation.deepen is not None:
            operation.deepen(ground.root)
        refused = False
        answer: object = None
        with operation.opener(ground.root) as subject, self._armed():
            try:
                answer = operation.act(subject)
            except Exception as error:  # noqa: BLE001  (to be judged)
                # No more than its text is kept: the frames of it and of those it came from hold
                # descriptors.
                refused, answer = True, str(error)
                if not isinstance(error, _DOCUMENTED):
                    self._report(self._found.failures, f"it raised {error!r}")
        del subject
        self._judge(answer)
        self._count_descriptors()
        return refused

    def _armed(self) -> AbstractContextManager[None]:
        return self._seam.armed(self._index, self._until, self._strike)

    def _strike(self) -> SecondAct | None:
        assert self._move is not None
        try:
            second = self._move.act(self._ground)
        except OSError:
            return None  # too late, or too early
        self._found.made[self._move.name] += 1
        self._has_second = second is not None
        return second

    def _judge(self, answer: object) -> None:
        ground, found = self._ground, self._found
        if revealed := ground.reveals(answer):
            self._report(found.escapes, revealed)
        for wrong in ground.judge():
            self._report(found.escapes, wrong)
        if ground.drafts and not self._operation.finds_drafts:
            if self._move is not None and self._move.place == "draft":
                found.spoilt += 1
            else:
                self._report(found.failures, f"left behind: {', '.join(ground.drafts)}")

    def _count_descriptors(self) -> None:
        before = self._descriptors
        if os.listdir("/proc/self/fd") == before:
            return
        gc.collect()
        self._descriptors = os.listdir("/proc/self/fd")
        if self._descriptors != before:
            self._report(self._found.failures, f"descriptors {before} became {self._descriptors}")

    def _report(self, breaches: list[Breach], what: str) -> None:
        calls = self._seam.calls
        call = calls[self._index] if 0 <= self._index < len(calls) else ""
        move = self._move.name if self._move is not None else "no move"
        breaches.append(Breach(self._operation.name, self._resolver, self._index, call, move, what))
