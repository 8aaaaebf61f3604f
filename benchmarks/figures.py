"""What many rounds say of one number, and when they say nothing. Pure.

A figure is known as an interval that holds its median with 95 % confidence, whatever the
distribution: the narrowest pair of order statistics around the median (the sign test). It is a fact
about the rounds of this run, so the same baseline, timed twice in each round, says how far the
machine itself strays. A conclusion is drawn only where the interval lies wholly on one side of the
line and the distance to it is greater than that straying.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE = 0.95
LEAST_ROUNDS = 6  # with fewer, not even the least and the greatest hold the median so surely


class Verdict(StrEnum):
    MET = "met"
    MISSED = "missed"
    UNDECIDED = "undecided: noise"
    TOO_FEW = "undecided: too few rounds"
    NONE = ""


@dataclass(frozen=True)
class Summary:
    """The median, the quartiles, and the interval that holds the median; NaN where none does."""

    rounds: int
    median: float
    quartiles: tuple[float, float]
    low: float
    high: float

    @property
    def straying(self) -> float:
        """How far a ratio that should be 1 strays from it, by its interval."""
        return math.inf if math.isnan(self.low) else max(abs(self.low - 1), abs(self.high - 1))


def summary(values: Sequence[float]) -> Summary:
    known = sorted(value for value in values if not math.isnan(value))
    if len(known) < 2:
        middle = known[0] if known else math.nan
        return Summary(len(known), middle, (middle, middle), math.nan, math.nan)
    first, _, third = statistics.quantiles(known, n=4, method="inclusive")
    low, high = math.nan, math.nan
    if (rank := _rank(len(known))) is not None:
        low, high = known[rank], known[-1 - rank]
    return Summary(len(known), statistics.median(known), (first, third), low, high)


def _rank(rounds: int) -> int | None:
    """The greatest rank from both ends between which the median lies with the confidence."""
    missed, rank = 0.0, None
    for candidate in range(rounds // 2):
        missed += 2 * math.comb(rounds, candidate) / 2**rounds
        if missed > 1 - CONFIDENCE:
            break
        rank = candidate
    return rank


def verdict(found: Summary, most: float | None, margin: float) -> Verdict:
    """``margin`` is how far the median must be from the line for anything to be said."""
    if most is None:
        return Verdict.NONE
    if math.isnan(found.low):
        return Verdict.TOO_FEW
    side = _side(found, most, margin)
    if side is None:
        return Verdict.UNDECIDED
    return Verdict.MISSED if side > 0 else Verdict.MET


def _side(found: Summary, line: float, margin: float) -> int | None:
    """-1 or 1 where the figure lies surely below or above the line; None where it cannot be said.

    What lies exactly on the line is below it: a target is the most that is allowed.
    """
    if math.isnan(found.low) or abs(found.median - line) < margin:
        return None
    if found.high <= line:
        return -1
    return 1 if found.low > line else None


def compared(found: Summary, neutral: float | None, margin: float) -> str:
    """``less``, ``more``, or that the noise is larger than the difference."""
    if neutral is None:
        return ""
    if math.isnan(found.low):
        return "too few rounds to tell"
    if found.low <= neutral <= found.high:
        return "no difference beyond noise"
    side = _side(found, neutral, margin)
    return {None: "no difference beyond noise", -1: "less", 1: "more"}[side]
