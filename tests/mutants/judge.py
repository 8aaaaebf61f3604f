"""Whether each mutant is noticed, and by which test."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from tests.mutants.mutant import StaleMutantError
from tests.mutants.trial import LATE, LONGEST, PROJECT, Verdict, trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tests.mutants.mutant import Mutant

_SECONDS = 180  # for the tests that should notice a mutant
_SECONDS_FOR_ALL = 1200  # for all there are
_PATIENCE = 3  # times as long, for one that was late and is asked again with nothing beside it


@dataclass(frozen=True, slots=True)
class Outcome:
    """``ending``: "killed", "SURVIVED" or "ERROR"."""

    name: str
    ending: str
    by: str
    said: str
    seconds: float

    def __str__(self) -> str:
        if self.ending == "killed":
            late = ", which ran out of time" if self.said == LATE else ""
            return f"{self.name}: killed by {self.by} in {self.seconds:.1f} s{late}"
        reason = f"\n    {self.said}".replace("\n", "\n    ") if self.said else ""
        return f"{self.name}: {self.ending}{reason}"


class BaselineError(Exception):
    """A test fails on the sound copy too, so that its failing shows nothing about a mutant."""


@dataclass(frozen=True)
class Court:
    """``everything`` is what a mutant must survive to count as one that survived."""

    everything: Sequence[str]
    left_out: Sequence[str] = ()
    project: Path = PROJECT
    jobs: int = 2
    _sound: set[str] = field(default_factory=set)

    def outcomes(self, mutants: Sequence[Mutant]) -> Iterator[Outcome]:
        """One for each mutant, as they come.

        Before that every test that may notice one must pass on the project as it is; else
        ``BaselineError``.
        """
        self._hear_the_sound_copy({test for mutant in mutants for test in mutant.first}, _SECONDS)
        survived = []
        for mutant, outcome in self._each(mutants, self._by_its_own_tests):
            if outcome is None:
                survived.append(mutant)
            else:
                yield outcome
        if survived:
            self._hear_the_sound_copy(self.everything, _SECONDS_FOR_ALL)
        for _, outcome in self._each(survived, self._by_all_tests):
            assert outcome is not None
            yield outcome

    def _each(
        self, mutants: Sequence[Mutant], ask: Callable[..., Outcome | None]
    ) -> Iterator[tuple[Mutant, Outcome | None]]:
        late = []
        with ThreadPoolExecutor(self.jobs) as pool:
            for mutant, outcome in zip(mutants, pool.map(ask, mutants), strict=True):
                if outcome is not None and outcome.said == LATE:
                    late.append(mutant)
                else:
                    yield mutant, outcome
        for mutant in late:
            yield mutant, _decided(mutant, ask(mutant, patience=_PATIENCE))

    def _hear_the_sound_copy(self, tests: Iterable[str], seconds: float) -> None:
        """File by file, so that there is something for every job."""
        files: dict[str, list[str]] = {}
        for test in sorted(set(tests) - self._sound):
            files.setdefault(test.partition("::")[0], []).append(test)
        run = partial(self._trial, None, seconds=seconds)
        with ThreadPoolExecutor(self.jobs) as pool:
            for verdict in pool.map(run, files.values()):
                if verdict.ending != "passed":
                    raise BaselineError(f"{verdict.by}: {verdict.said}")
        self._sound.update(tests)

    def _by_its_own_tests(self, mutant: Mutant, patience: int = 1) -> Outcome | None:
        return self._judged(mutant, mutant.first, _SECONDS, patience, survives=None)

    def _by_all_tests(self, mutant: Mutant, patience: int = 1) -> Outcome | None:
        survives = Outcome(mutant.name, "SURVIVED", "", mutant.why, 0)
        tests = self.everything
        return self._judged(mutant, tests, _SECONDS_FOR_ALL, patience, survives=survives)

    def _judged(
        self,
        mutant: Mutant,
        tests: Sequence[str],
        seconds: float,
        patience: int,
        *,
        survives: Outcome | None,
    ) -> Outcome | None:
        try:
            verdict = self._trial(mutant, tests, seconds=seconds, patience=patience)
        except StaleMutantError as error:
            return Outcome(mutant.name, "ERROR", "", str(error), 0)
        if verdict.ending == "passed":
            return survives
        ending = "killed" if verdict.ending == "failed" else "ERROR"
        return Outcome(mutant.name, ending, verdict.by, verdict.said, verdict.seconds)

    def _trial(
        self,
        mutant: Mutant | None,
        tests: Sequence[str],
        *,
        seconds: float,
        patience: int = 1,
    ) -> Verdict:
        return trial(
            mutant,
            tests,
            project=self.project,
            left_out=self.left_out,
            seconds=seconds * patience,
            longest=LONGEST * patience,
        )


def _decided(mutant: Mutant, outcome: Outcome | None) -> Outcome | None:
    """A machine that is starved kills all; so being late counts only of one that is to hang."""
    if outcome is None or outcome.said != LATE or mutant.hangs:
        return outcome
    said = f"undecided: {outcome.by} ran out of time twice, and this one is not said to hang"
    return replace(outcome, ending="ERROR", by="", said=said)
