"""``python -m tests.fuzz TARGET``: fuzz for so many seconds, say what was done, keep what broke.

TARGET is ``gate1``, ``walk``, or ``all``, which share the seconds. Exit status: 0 if nothing broke,
1 if something did, 2 without atheris.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuzz import planted, targets

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = tuple(targets.SEEDS)
_GRACE = 120  # seconds beyond its time after which a child is ended
_STUCK = 30  # seconds for one input: a hang
_SHOWN = 40  # lines of a child's output, where something broke


@dataclass(frozen=True)
class Run:
    """What one child did; ``input`` is where the bytes are that broke it."""

    target: str
    executions: int
    edges: int
    seconds: float
    crashes: int
    input: str | None
    output: str

    def __str__(self) -> str:
        return (
            f"fuzz {self.target}: {self.executions:,} executions, {self.edges} edges, "
            f"{self.seconds:.0f} s, crashes {self.crashes}"
        )


def fuzz(name: str, seconds: float, *, seed: int, keep: Path, fault: str = "none") -> Run:
    """Fuzz one target in a child; its corpus and its scratch are gone afterwards."""
    in_memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="safefs-fuzz-", dir=in_memory) as directory:
        place = Path(directory)
        for sub in ("corpus", "broken", "scratch"):
            (place / sub).mkdir()
        for number, content in enumerate(targets.SEEDS[name]()):
            (place / "corpus" / str(number)).write_bytes(content)
        options = (
            f"-max_total_time={max(1, round(seconds))}",
            f"-seed={seed}",
            f"-max_len={targets.LONGEST[name]}",
            f"-timeout={_STUCK}",
            f"-artifact_prefix={place}/broken/",
            "-print_final_stats=1",
            str(place / "corpus"),
        )
        child = [sys.executable, "-m", "tests.fuzz.child", name, f"{place}/scratch", fault]
        began = time.monotonic()
        status, output = _ended([*child, *options], seconds + _GRACE)
        took = time.monotonic() - began
        broken = next(iter((place / "broken").iterdir()), None)
        kept = None if broken is None else _kept(name, broken, keep)
    executions = _last(r"number_of_executed_units: (\d+)", output) or _last(r"#(\d+)\s", output)
    crashes = int(status != 0 or not executions)
    return Run(name, executions, _last(r"cov: (\d+)", output), took, crashes, kept, output)


def _ended(words: list[str], seconds: float) -> tuple[int | None, str]:
    """(the exit status of the child, or None for one that had to be ended; what it printed)."""
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(words, **both, text=True, errors="replace") as child:  # type: ignore[call-overload]
        try:
            output, _ = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            output, _ = child.communicate()
            return None, f"{output}\nit did not end, and was ended after {seconds:.0f} s"
    return child.returncode, output


def _kept(name: str, broken: Path, keep: Path) -> str:
    keep.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(broken.read_bytes()).hexdigest()[:16]
    kept = keep / f"safefs-fuzz-{name}-{digest}"
    shutil.copyfile(broken, kept)
    return str(kept)


def _last(pattern: str, output: str) -> int:
    found = re.findall(pattern, output)
    return int(found[-1]) if found else 0


def repeat(name: str, data: bytes) -> None:
    """Run a target once, plainly, on an input that was kept."""
    with (
        tempfile.TemporaryDirectory(prefix="safefs-fuzz-") as place,
        targets.opened(name, Path(place)) as target,
    ):
        target(data)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", allow_abbrev=False)
    parser.add_argument("target", choices=(*NAMES, "all"))
    parser.add_argument("--seconds", type=float, default=60.0, help="in all (default: 60)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", type=Path, help="leave the counts there")
    parser.add_argument("--keep", metavar="DIRECTORY", type=Path, default=tempfile.gettempdir())
    parser.add_argument("--input", metavar="FILE", type=Path, help="run the target once, on this")
    parser.add_argument("--planted", action="store_true", help="with a fault, to see it found")
    arguments = parser.parse_args(argv)
    if arguments.input is not None:
        if arguments.planted:
            planted.FAULTS[arguments.target]()
        repeat(arguments.target, arguments.input.read_bytes())
        return 0
    if importlib.util.find_spec("atheris") is None:
        print("the fuzzing needs atheris (the extra 'fuzz')", file=sys.stderr)
        return 2
    names = NAMES if arguments.target == "all" else (arguments.target,)
    runs = []
    for name in names:
        share = arguments.seconds / len(names)
        fault = "planted" if arguments.planted else "none"
        run = fuzz(name, share, seed=arguments.seed, keep=Path(arguments.keep), fault=fault)
        runs.append(run)
        print(run, flush=True)
        if run.crashes:
            print("\n".join(run.output.splitlines()[-_SHOWN:]))
        if run.input is not None:
            more = " --planted" if arguments.planted else ""
            print(f"once more: python -m tests.fuzz {name} --input {run.input}{more}")
    if arguments.json is not None:
        counts = [asdict(run) for run in runs]
        for count in counts:
            del count["output"]
        arguments.json.write_text(json.dumps(counts), encoding="utf-8")
    return int(any(run.crashes for run in runs))


if __name__ == "__main__":
    sys.exit(main())
