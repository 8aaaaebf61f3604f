"""What was counted, as rows of one table."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

COUNTS = os.environ.get("SAFEFS_COUNTS")  # a file that a run of the tests leaves its counts in

_HEAD = ("what", "how many", "how long", "escapes", "disagreements")


class Count(NamedTuple):
    """One row; None where the question does not arise."""

    what: str
    how_many: str
    seconds: float
    escapes: int | None = None
    disagreements: int | None = None


def table(counts: Iterable[Count]) -> list[str]:
    """The rows under a head, in columns."""
    rows = [_HEAD, *map(_cells, counts)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _cells(count: Count) -> tuple[str, ...]:
    asked = ("-" if number is None else f"{number:,}" for number in count[3:])
    return (count.what, count.how_many, duration(count.seconds), *asked)


def duration(seconds: float) -> str:
    """``75`` as ``1 min 15 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
