"""What came out, as text, as JSON and as a table in Markdown. Pure: text from values."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.figures import Summary
    from benchmarks.running import Outcome, Row

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


def number(value: float) -> str:
    """Three figures of it that matter."""
    if math.isnan(value):
        return "-"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3g}"


def seconds(value: float) -> str:
    if math.isnan(value):
        return "-"
    size, unit = next(((size, unit) for size, unit in _UNITS if value >= size), _UNITS[-1])
    return f"{value / size:.3g} {unit}"


def interval(found: Summary) -> str:
    if math.isnan(found.low):
        return "too few rounds"
    return f"{number(found.low)} to {number(found.high)}"


def said(row: Row) -> str:
    """The conclusion, if there is one."""
    if row.verdict:
        return str(row.verdict)
    return row.compared


def target(row: Row) -> str:
    return "" if row.most is None else f"<= {number(row.most)}"


def text(outcome: Outcome) -> str:
    """A workload and its rows, to be read while the next one runs."""
    if outcome.reason:
        return f"\n{outcome.title}\n  skipped: {outcome.reason}"
    base = outcome.medians[outcome.baseline]["wall"]
    head = (
        f"\n{outcome.title}  ({outcome.baseline}: {seconds(base)}; {outcome.kind}; "
        f"{outcome.rounds} rounds; noise {_percent(outcome.noise)})"
    )
    rows = [
        f"  {row.name:<52}{number(row.found.median):>8}  {interval(row.found):<22}"
        f"{_cpu(row):<12}{target(row):<9}{said(row)}"
        for row in outcome.rows
    ]
    return "\n".join([head, *rows])


def _percent(part: float) -> str:
    return "unknown" if math.isinf(part) or math.isnan(part) else f"{part:.1%}"


def _cpu(row: Row) -> str:
    if row.cpu is None:
        return "" if row.of == "wall" else f"({row.of})"
    return "" if math.isnan(row.cpu.median) else f"cpu {number(row.cpu.median)}"


def conclusion(outcomes: Sequence[Outcome]) -> str:
    """How many targets were met, which were not, and of which nothing can be said."""
    judged = [(outcome, row) for outcome in outcomes for row in outcome.rows if row.verdict]
    counts = Counter(row.verdict for _, row in judged)
    lines = ["", ", ".join(f"{counts[each]} {each}" for each in Verdict if each)]
    for kind in (Verdict.MISSED, Verdict.UNDECIDED, Verdict.TOO_FEW):
        lines += [
            f"  {kind}: {outcome.title}: {row.name} {number(row.found.median)} "
            f"({interval(row.found)}), wished {target(row)}"
            for outcome, row in judged
            if row.verdict is kind
        ]
    lines += [f"  skipped: {each.title}: {each.reason}" for each in outcomes if each.reason]
    lines += [f"  skipped: {name}: {why}" for name, why in absent(outcomes).items()]
    return "\n".join(lines)


def absent(outcomes: Iterable[Outcome]) -> dict[str, str]:
    """The peers that were not there, and why."""
    return {name: why for outcome in outcomes for name, why in outcome.skipped.items()}


def as_json(machine: Mapping[str, Any], outcomes: Sequence[Outcome]) -> str:
    whole = {"machine": dict(machine), "workloads": [asdict(each) for each in outcomes]}
    return json.dumps(_plain(whole), indent=1, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """What JSON has no number for is null."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


SUMMARY = ("workload", "baseline takes", "ratio", "measured", "wished", "", "of the same run")


def as_summary(machine: Mapping[str, Any], outcomes: Sequence[Outcome]) -> str:
    """Only what has a target, and beside it what says most of where it stands."""
    lines = [f"{key}: {value}  " for key, value in machine.items()]
    lines += ["", _line(SUMMARY), "|" + "---|" * len(SUMMARY)]
    for outcome in outcomes:
        base = outcome.medians.get(outcome.baseline, {}).get("wall", math.nan)
        lines += [
            _line((
                outcome.title, seconds(base), f"`{row.name}`", number(row.found.median),
                number(row.most or 0.0), str(row.verdict), _beside(outcome, row),
            ))
            for row in outcome.rows
            if row.verdict
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


# What is told beside a ratio to the baseline: the same calls with nothing around them, and so on.
_TOLD = {
    "bare ctypes calls": "bare calls",
    "the fewest calls": "fewest calls",
    "builtin open": "builtin open",
    "exponent, os, with files": "os",
    "exponent, shutil, with files": "shutil",
}


def _beside(outcome: Outcome, row: Row) -> str:
    ours, _, against = row.name.partition(" / ")
    exponent = row.name.startswith("exponent")
    told = []
    for other in outcome.rows:
        name, _, base = other.name.partition(" / ")
        if name in _TOLD and name != ours and base == against and (base or exponent):
            told.append(f"{_TOLD[name]} {number(other.found.median)}")
    return ", ".join(told)


HEAD = ("workload", "figure", "median", "95 % interval", "CPU", "target", "")


def as_markdown(machine: Mapping[str, Any], outcomes: Sequence[Outcome]) -> str:
    """The machine, a table of all figures, and what was skipped."""
    lines = [f"{key}: {value}  " for key, value in machine.items()]
    lines += ["", _line(HEAD), "|" + "---|" * len(HEAD)]
    for outcome in outcomes:
        lines += [
            _line((
                outcome.title, row.name, f"**{number(row.found.median)}**", interval(row.found),
                _cpu(row).removeprefix("cpu "), target(row), said(row),
            ))
            for row in outcome.rows
        ]  # fmt: skip
    left = [f"- {each.title}: skipped, {each.reason}" for each in outcomes if each.reason]
    left += [f"- {name}: skipped, {why}" for name, why in absent(outcomes).items()]
    return "\n".join([*lines, "", *left]).rstrip() + "\n"


def _line(cells: Iterable[str]) -> str:
    # A star would begin emphasis, and a bar a cell.
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _escaped(cell: str) -> str:
    bold = cell.startswith("**") and cell.endswith("**") and len(cell) > 4
    return cell if bold else cell.replace("|", "\\|").replace("*", "\\*")
