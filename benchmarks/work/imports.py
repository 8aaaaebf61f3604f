"""What ``import safefs`` costs a program that starts: CPU and memory, in processes of their own."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.workload import More, RatioOver, Subject, Workload

if TYPE_CHECKING:
    from benchmarks.ground import Ground, Scale

BARE, OURS, THEIRS = "bare Python", "import safefs", "import fsspec"
# What is not used is not loaded: so also what a program begins with.
ROOT, DISK = "from safefs import Root", "from safefs import Disk"
CODE = {BARE: "pass", OURS: OURS, ROOT: ROOT, DISK: DISK, THEIRS: THEIRS}
_PEAK = """
for line in open("/proc/self/status"):
    if line.startswith("VmHWM:"):
        print(int(line.split()[1]) / 1024)
"""


def workloads(_: Scale) -> list[Workload]:
    figures = (
        RatioOver(OURS, THEIRS, BARE, most=0.1, of="cpu"),
        RatioOver(ROOT, THEIRS, BARE, of="cpu"),
        RatioOver(DISK, THEIRS, BARE, of="cpu"),
        More(OURS, BARE, most=2.0),
        More(ROOT, BARE),
    )
    title = "start Python and import"
    return [Workload("imports", title, _make, figures, baseline=BARE, memory=True)]


def _make(_: Ground) -> dict[str, Subject]:
    return {
        name: Subject(partial(_start, code), memory=partial(_memory, code))
        for name, code in CODE.items()
    }


def _start(code: str) -> str:
    """What it prints, which is nothing. What is imported comes from where ours does."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    # What was compiled is kept, as it is wherever a library is installed.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout


def _memory(code: str) -> float:
    return float(_start(code + _PEAK)) if sys.platform == "linux" else math.nan
