"""What a workload is: subjects that do the same thing, and what is asked of their times."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from benchmarks.ground import Ground

OS = "os"
Values = Mapping[str, float]  # what each subject took in one round


class SkippedError(Exception):
    """Why a subject or a workload cannot be tried here."""


def itself(answer: object) -> object:
    return answer


@dataclass(frozen=True)
class Subject:
    """One way to do it.

    ``shown`` turns the answer into what all subjects must agree on. ``ready`` puts things as they
    were before each call, untimed; such a subject is called once a round. ``within`` is around the
    calls of a round. One call does the thing ``per`` times. What works ``outside`` of this process
    has no CPU time that could be told. ``memory`` tells the peak in MiB in its own way. Where the
    timed call only counts, ``whole`` tells what it counts, and the subjects must agree on that.
    """

    act: Callable[[], Any]
    shown: Callable[[Any], object] = itself
    ready: Callable[[], object] | None = None
    within: Callable[[], AbstractContextManager[object]] = nullcontext
    per: int = 1
    outside: bool = False
    memory: Callable[[], float] | None = None
    whole: Callable[[], object] | None = None


class Figure(Protocol):
    """A number made of one round, and the most that it is wished to be."""

    @property
    def name(self) -> str: ...
    @property
    def most(self) -> float | None: ...
    @property
    def of(self) -> str: ...  # "wall", "cpu", "memory", or "" for the clock of the run
    @property
    def neutral(self) -> float | None: ...  # where nothing differs
    def value(self, took: Values) -> float: ...
    def margin(self, line: float, straying: float) -> float:
        """How near to the line nothing can be said, where two times stray by such a part."""
        ...

    def needs(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Ratio:
    """What a subject takes, as a part of what another takes in the same round."""

    subject: str
    against: str = OS
    most: float | None = None
    of: str = ""
    neutral: float | None = 1.0

    @property
    def name(self) -> str:
        return f"{self.subject} / {self.against}"

    def value(self, took: Values) -> float:
        return took[self.subject] / took[self.against]

    def margin(self, line: float, straying: float) -> float:
        return line * straying

    def needs(self) -> tuple[str, ...]:
        return (self.subject, self.against)


@dataclass(frozen=True)
class RatioOver:
    """The same, of what both take more than ``bare``."""

    subject: str
    against: str
    bare: str
    most: float | None = None
    of: str = ""
    neutral: float | None = 1.0

    @property
    def name(self) -> str:
        return f"{self.subject} / {self.against}, each over {self.bare}"

    def value(self, took: Values) -> float:
        over = took[self.against] - took[self.bare]
        return (took[self.subject] - took[self.bare]) / over if over > 0 else math.nan

    def margin(self, line: float, straying: float) -> float:
        return line * straying

    def needs(self) -> tuple[str, ...]:
        return (self.subject, self.against, self.bare)


@dataclass(frozen=True)
class More:
    """How much more memory a subject takes than another."""

    subject: str
    against: str
    most: float | None = None
    of: str = "memory"
    neutral: float | None = 0.0

    @property
    def name(self) -> str:
        return f"{self.subject} - {self.against} (MiB)"

    def value(self, took: Values) -> float:
        return took[self.subject] - took[self.against]

    def margin(self, line: float, straying: float) -> float:  # noqa: ARG002
        return 0.0  # memory does not depend on who else is busy

    def needs(self) -> tuple[str, ...]:
        return (self.subject, self.against)


@dataclass(frozen=True)
class Exponent:
    """e where the time grows as x ** e: the slope of the line through the logarithms."""

    label: str
    points: tuple[tuple[float, str], ...]
    most: float | None = None
    of: str = ""
    neutral: float | None = None

    @property
    def name(self) -> str:
        return f"exponent, {self.label}"

    def value(self, took: Values) -> float:
        return slope([(math.log(x), math.log(took[name])) for x, name in self.points])

    def margin(self, line: float, straying: float) -> float:  # noqa: ARG002
        sizes = [x for x, _ in self.points]
        return math.log1p(straying) / math.log(max(sizes) / min(sizes))

    def needs(self) -> tuple[str, ...]:
        return tuple(name for _, name in self.points)


def slope(points: list[tuple[float, float]]) -> float:
    """Of the line of least squares."""
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    across = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / across


@dataclass(frozen=True)
class Workload:
    """Subjects by name, made on a ground, and the figures that matter most.

    Every subject that no figure is about gets the ratio to ``baseline`` besides. ``place`` is a
    kind of file system that it needs. ``full_only`` says why the short form leaves it out.
    ``like`` names what must agree with what, where not all do the same (sizes, say).
    """

    group: str
    title: str
    make: Callable[[Ground], dict[str, Subject]]
    figures: tuple[Figure, ...] = ()
    baseline: str = OS
    place: str = ""
    full_only: str = ""
    memory: bool = False
    plain: bool = True  # ratios of all subjects to the baseline are wanted
    like: Callable[[str], object] = field(default=lambda _: None)
