"""One run of the tests on one copy of the project, in the jail; the copy is gone afterwards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safefs.testing import jail
from tests.mutants import reporting

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from tests.mutants.mutant import Mutant

PROJECT = Path(__file__).parents[2]
_COPIED = ("safefs", "tests", "docs", "benchmarks", "pyproject.toml", "Makefile", "*.md")
_NOT_COPIED = shutil.ignore_patterns("__pycache__", ".*")
_PLUGIN = "safefs_mutant_reporting"
LONGEST = 60  # seconds for one test that says nothing else
_SPARE = 30  # seconds that the jail may take longer than what runs in it

LATE = "ran out of time"

# Broken beyond its purpose: the tests did not notice it, the interpreter did.
_NO_KILLERS = frozenset({"ImportError", "ModuleNotFoundError", "NameError", "SyntaxError"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """``ending`` is "passed", "failed" or "broken" (then nothing was shown); ``by`` tells which."""

    ending: str
    by: str
    said: str
    seconds: float
    passed: int = 0


def trial(
    mutant: Mutant | None,
    tests: Iterable[str],
    *,
    project: Path = PROJECT,
    left_out: Iterable[str] = (),
    seconds: float,
    longest: float = LONGEST,
) -> Verdict:
    """Run tests on the project as ``mutant`` makes it, up to the first that fails.

    ``seconds`` is the limit of the whole run, ``longest`` that of a test that says nothing else.

    Nothing is started where there is no jail: ``JailUnavailable``.
    """
    if jail.kind() is None:
        raise jail.JailUnavailable("no jail here, so no mutant is run")
    began = time.monotonic()
    with _scratch() as copy:
        lay(project, mutant, copy)
        status, output = _run(copy, tests, left_out, seconds, longest)
        told = _told(copy)
    return _judged(status, output, told, copy, time.monotonic() - began)


def _scratch() -> AbstractContextManager[Path]:
    """In memory where that is to be had: the tests make and remove files all the time."""
    in_memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    return jail.scratch_directory("safefs-mutant-", directory=in_memory)


def lay(project: Path, mutant: Mutant | None, copy: Path) -> None:
    """The project in ``copy``, with the mutant's edits."""
    changed = {} if mutant is None else mutant.applied(project)
    for source in (found for name in _COPIED for found in project.glob(name)):
        if source.is_dir():
            shutil.copytree(source, copy / source.name, ignore=_NOT_COPIED)
        else:
            shutil.copy(source, copy / source.name)
    for name, text in changed.items():
        (copy / name).write_text(text, "utf-8")
    shutil.copy(reporting.__file__, copy / f"{_PLUGIN}.py")
    for name in ("home", "tmp"):
        (copy / name).mkdir()


def _run(
    copy: Path, tests: Iterable[str], left_out: Iterable[str], seconds: float, longest: float
) -> tuple[int, str]:
    """The copy is the jail's scratch, its working directory, and all that its python imports."""
    words = ["-m", "pytest", "-x", "-q", "-p", _PLUGIN, "-p", "no:cacheprovider"]
    words += ["-o", f"timeout={longest}", *tests]
    words += [word for test in left_out for word in ("--deselect", test)]
    inside = {
        "PYTHONPATH": str(copy),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(copy / "home"),
        "TMPDIR": str(copy / "tmp"),
        reporting.FILE: str(copy / "report.json"),
    }
    setting = [f"{name}={value}" for name, value in inside.items()]
    jailed = [sys.executable, "-m", "safefs.testing.jail", "--seconds", str(seconds), str(copy)]
    done = subprocess.run(
        [*jailed, "--", "env", *setting, sys.executable, *words],
        cwd=PROJECT,  # the jail itself is the sound one
        env={**_environment(), "PYTHONPATH": str(PROJECT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        timeout=seconds + _SPARE,
    )
    return done.returncode, done.stdout


def _environment() -> dict[str, str]:
    """Ours without what would lead the tests astray."""
    unwanted = ("SAFEFS_", "PYTEST_", "COV_", "COVERAGE_", "XDG_")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}


def _told(copy: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads((copy / "report.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return told


def _judged(status: int, output: str, told: dict[str, Any], copy: Path, seconds: float) -> Verdict:
    tail = "\n".join(output.splitlines()[-15:])
    if status == 124 and told.get("running"):
        return Verdict("failed", told["running"], LATE, seconds, told["passed"])
    strangers = [file for file in told.get("modules", []) if not Path(file).is_relative_to(copy)]
    if not told.get("modules") or strangers:
        return Verdict("broken", "", f"not the copy was imported: {strangers}\n{tail}", seconds)
    kind, text = told["error"] or ("", "")
    if status == 1 and told["failed"] and kind not in _NO_KILLERS:
        said = f"{kind}: {text.partition(chr(10))[0][:200]}" if kind else "passed, and must not"
        if kind == "Failed" and text.startswith("Timeout"):  # pytest-timeout
            said = LATE
        return Verdict("failed", told["failed"], said, seconds, told["passed"])
    if status == 0 and told["passed"]:
        return Verdict("passed", "", "", seconds, told["passed"])
    return Verdict("broken", told["failed"] or "", f"exit status {status}\n{tail}", seconds)
