"""One workload run: its subjects made, held to the same answer, timed, and judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, cast

from benchmarks import clock, places
from benchmarks.figures import LEAST_ROUNDS, Summary, Verdict, compared, summary, verdict
from benchmarks.ground import Ground
from benchmarks.workload import Figure, Ratio, SkippedError, Subject, Workload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.ground import Scale

AGAIN = "the baseline again"
Rounds = list[dict[str, float]]  # of each round: what each subject took


class DisagreementError(Exception):
    """Subjects that do not do the same thing must not be compared."""


@dataclass(frozen=True)
class Row:
    """One figure: by the clock that decides, and what the processor's says beside it."""

    name: str
    of: str
    found: Summary
    cpu: Summary | None
    most: float | None
    verdict: Verdict
    compared: str


@dataclass(frozen=True)
class Outcome:
    """What a workload came to; ``reason`` where it was left out as a whole."""

    group: str
    title: str
    baseline: str
    kind: str = ""
    reason: str = ""
    rounds: int = 0
    noise: float = 0.0
    rows: tuple[Row, ...] = ()
    medians: dict[str, dict[str, float]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Manner:
    """``by`` is the clock that decides where a figure names none: ``wall`` or ``cpu``.

    ``memory`` and ``disk`` are directories, the first on tmpfs if there is one.
    """

    scale: Scale
    memory: str
    disk: str
    by: str = clock.WALL
    profiles: bool = False


def run(work: Workload, manner: Manner) -> Outcome:
    """Raises DisagreementError; what cannot be tried here is an outcome with its reason."""
    try:
        if work.full_only and manner.scale.name == "quick":
            raise SkippedError(f"full form only: {work.full_only}")
        return _placed(work, manner)
    except SkippedError as reason:
        return Outcome(work.group, work.title, work.baseline, reason=str(reason))


def _placed(work: Workload, manner: Manner) -> Outcome:
    """Where a kind of file system is named, on a new one: what an old one went through tells.

    On the one there is, where no new one can be mounted and that one is of the kind.
    """
    if not work.place:
        with places.scratch(manner.memory) as top:
            return _on(work, manner, top)
    try:
        told = places.on_new(work.place, manner.disk, partial(_told, work, manner))
    except SkippedError:
        if places.kind_of(manner.disk) != work.place:
            raise
        with places.scratch(manner.disk) as top:
            return _on(work, manner, top)
    if isinstance(told, Exception):
        raise told
    return cast("Outcome", told)


def _told(work: Workload, manner: Manner, top: str) -> Outcome | Exception:
    """For a child: what goes wrong in the workload is no reason to take it for one that skips."""
    try:
        return _on(work, manner, top)
    except Exception as error:  # noqa: BLE001  (raised again by the parent)
        return error


def _on(work: Workload, manner: Manner, top: str) -> Outcome:
    with Ground(top, manner.scale) as ground:
        subjects = work.make(ground)
        agree(work, subjects)
        with clock.settled():
            measured = measure(work, subjects, ground)
        outcome = judged(work, subjects, measured, manner.by, ground)
        if manner.profiles:
            _profiles(outcome, work, subjects)
        return outcome


def _profiles(outcome: Outcome, work: Workload, subjects: Mapping[str, Subject]) -> None:
    """Of what has missed its target."""
    missed = {row.name for row in outcome.rows if row.verdict is Verdict.MISSED}
    for name in {figure.needs()[0] for figure in work.figures if figure.name in missed}:
        clock.profile(f"{work.title}: {name}", subjects[name])


def agree(work: Workload, subjects: Mapping[str, Subject]) -> None:
    """Call each once and compare; this also warms what is to be warm."""
    said: dict[object, tuple[str, object]] = {}
    for name, subject in subjects.items():
        if subject.ready is not None:
            subject.ready()
        with subject.within():
            answer = subject.act()
        shown = subject.shown(answer)
        if subject.whole is not None:
            with subject.within():
                shown = (shown, subject.whole())
        first, expected = said.setdefault(work.like(name), (name, shown))
        if shown != expected:
            raise DisagreementError(
                f"{work.title}: {name} came to {shown!r:.200}, and {first} to {expected!r:.200}"
            )


def measure(work: Workload, subjects: dict[str, Subject], ground: Ground) -> dict[str, Rounds]:
    """For each quantity, round by round, what each subject took."""
    scale = ground.scale
    timed = subjects | {AGAIN: subjects[work.baseline]}
    calls = {name: clock.calls_for(each, scale.slice) for name, each in timed.items()}
    least, most = scale.rounds
    wall: Rounds = []
    cpu: Rounds = []
    began = perf_counter()
    while len(wall) < least or (len(wall) < most and perf_counter() - began < scale.budget):
        took = clock.one_round(timed, calls, ground.chance)
        wall.append({name: each[clock.WALL] for name, each in took.items()})
        cpu.append({name: each[clock.CPU] for name, each in took.items()})
    memory: Rounds = []
    if work.memory:
        memory = [
            {name: clock.peak(each) for name, each in subjects.items()}
            for _ in range(min(least, LEAST_ROUNDS))  # they differ little from one another
        ]
    return {clock.WALL: wall, clock.CPU: cpu, clock.MEMORY: memory}


def judged(
    work: Workload,
    subjects: Mapping[str, Subject],
    measured: Mapping[str, Rounds],
    by: str,
    ground: Ground,
) -> Outcome:
    noise = {
        of: summary([took[AGAIN] / took[work.baseline] for took in measured[of]]).straying
        for of in (clock.WALL, clock.CPU)
    }
    noise[clock.MEMORY] = 0.0
    rows = [
        _row(figure, measured, figure.of or by, noise)
        for figure in _figures(work, subjects)
        if all(name in subjects for name in figure.needs())
    ]
    return Outcome(
        group=work.group,
        title=work.title,
        baseline=work.baseline,
        kind=places.kind_of(ground.top),
        rounds=len(measured[clock.WALL]),
        noise=noise[by],
        rows=tuple(rows),
        medians=_medians(subjects, measured),
        skipped=dict(ground.skipped),
    )


def _figures(work: Workload, subjects: Mapping[str, Subject]) -> Sequence[Figure]:
    """Those of the workload, and the plain ratio of whatever it has none of."""
    told = {figure.name for figure in work.figures}
    if not work.plain:
        return work.figures
    more = [Ratio(name, work.baseline) for name in subjects if name != work.baseline]
    return [*work.figures, *(figure for figure in more if figure.name not in told)]


def _row(
    figure: Figure, measured: Mapping[str, Rounds], of: str, noise: Mapping[str, float]
) -> Row:
    found = summary([figure.value(took) for took in measured[of]])
    line = figure.neutral
    beside = None
    if of == clock.WALL:
        beside = summary([figure.value(took) for took in measured[clock.CPU]])
    return Row(
        name=figure.name,
        of=of,
        found=found,
        cpu=beside,
        most=figure.most,
        verdict=verdict(found, figure.most, figure.margin(figure.most or 0.0, noise[of])),
        compared=compared(found, line, figure.margin(line or 0.0, noise[of])),
    )


def _medians(
    subjects: Mapping[str, Subject], measured: Mapping[str, Rounds]
) -> dict[str, dict[str, float]]:
    return {
        name: {
            of: summary([took[name] for took in rounds]).median
            for of, rounds in measured.items()
            if rounds
        }
        for name in subjects
    }
