"""The figures that have a target, as a plot in SVG: the median, its interval, and the target.

On a logarithmic axis, since half and double are as far from one. Read in light and in dark.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from benchmarks.figures import Verdict
from benchmarks.report import interval, number, said, target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.running import Outcome, Row

WIDTH, LEFT, RIGHT, LINE, TOP, BOTTOM = 1000, 430, 150, 20, 64, 36
LEAST, MOST = 0.01, 100.0  # beyond, the mark stands at the edge and its number tells
_STYLE = """
 .page{fill:#fff} text{font:12px system-ui,sans-serif;fill:#24292f} .soft{fill:#6e7781}
 .title{font-weight:600;font-size:15px} .grid{stroke:#d8dee4} .one{stroke:#6e7781}
 .target{stroke:#24292f;stroke-width:2} .met{fill:#1a7f37;stroke:#1a7f37}
 .missed{fill:#cf222e;stroke:#cf222e} .undecided{fill:#9a6700;stroke:#9a6700}
 @media (prefers-color-scheme:dark){ .page{fill:#0d1117} text{fill:#e6edf3} .soft{fill:#8d96a0}
 .grid{stroke:#30363d} .one{stroke:#8d96a0} .target{stroke:#e6edf3}
 .met{fill:#3fb950;stroke:#3fb950} .missed{fill:#f85149;stroke:#f85149}
 .undecided{fill:#d29922;stroke:#d29922} }
"""


def as_svg(title: str, outcomes: Sequence[Outcome]) -> str:
    """Ratios only: what has another unit stands in the tables."""
    rows = [
        (outcome.title, row)
        for outcome in outcomes
        for row in outcome.rows
        if row.most is not None and " / " in row.name and row.found.median > 0
    ]
    axis = _Axis([row for _, row in rows])
    height = TOP + LINE * len(rows) + BOTTOM
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" aria-label="{_quoted(title)}">'
        ),
        f"<style>{_STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}"/>',
        f'<text class="title" x="16" y="24">{escape(title)}</text>',
        (
            '<text class="soft" x="16" y="42">Dot: median of the rounds; bar: 95 % interval; '
            "upright line: the target; left is quicker. "
            "Green: met; red: missed; amber: undecided, because of noise.</text>"
        ),
        *axis.drawn(height - BOTTOM),
    ]
    for index, (name, row) in enumerate(rows):
        parts += _drawn(name, row, TOP + LINE * index + LINE / 2, axis)
    return "\n".join([*parts, "</svg>"]) + "\n"


class _Axis:
    """From a power of ten or a half of one to another, around all that is shown."""

    def __init__(self, rows: Sequence[Row]) -> None:
        shown = [1.0]
        for row in rows:
            shown += [row.found.median, row.most or 1.0]
        low = min(max(min(shown), LEAST), 0.5)
        high = max(min(max(shown), MOST), 2.0)
        self._low, self._high = math.log10(low) - 0.1, math.log10(high) + 0.1

    def at(self, value: float) -> float:
        part = (math.log10(max(value, 1e-12)) - self._low) / (self._high - self._low)
        return LEFT + min(max(part, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)

    def ticks(self) -> list[float]:
        every = [base * 10.0**power for power in range(-3, 3) for base in (1, 2, 5)]
        return [each for each in every if self._low <= math.log10(each) <= self._high]

    def drawn(self, bottom: float) -> list[str]:
        parts = []
        for tick in self.ticks():
            kind = "one" if tick == 1 else "grid"
            x = self.at(tick)
            parts.append(
                f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}"/>'
            )
            parts.append(
                f'<text class="soft" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">'
                f"{tick:g}</text>"
            )
        return parts


def _drawn(name: str, row: Row, y: float, axis: _Axis) -> list[str]:
    kind = {Verdict.MET: "met", Verdict.MISSED: "missed"}.get(row.verdict, "undecided")
    x, wished = axis.at(row.found.median), axis.at(row.most or 1.0)
    label = _short(f"{name}: {row.name}")
    told = f"{name}: {row.name}: {number(row.found.median)} ({interval(row.found)}), {said(row)}"
    parts = [
        f"<g><title>{escape(told)}</title>",
        f'<text x="{LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{escape(label)}</text>',
        (
            f'<line class="target" x1="{wished:.1f}" x2="{wished:.1f}" '
            f'y1="{y - 7:.1f}" y2="{y + 7:.1f}"/>'
        ),
    ]
    if not math.isnan(row.found.low):
        low, high = axis.at(row.found.low), axis.at(row.found.high)
        parts.append(
            f'<line class="{kind}" stroke-width="3" x1="{low:.1f}" x2="{high:.1f}" '
            f'y1="{y:.1f}" y2="{y:.1f}"/>'
        )
    parts += [
        f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>',
        (
            f'<text x="{WIDTH - RIGHT + 12}" y="{y + 4:.1f}">{number(row.found.median)} '
            f'<tspan class="soft">{escape(target(row))}</tspan></text>'
        ),
        "</g>",
    ]
    return parts


def _short(label: str, most: int = 66) -> str:
    return label if len(label) <= most else label[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _quoted(text: str) -> str:
    return escape(text, {'"': "&quot;"})
