"""Everything of safefs works inside the disks: other suites in a process that is locked down."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.lockeddown import HERE, NEEDS_LANDLOCK, environment, lay_out

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = NEEDS_LANDLOCK

# What mounts skips itself there, by name. Secrets and replays: see `make prove`.
ALWAYS = ("test_durability.py",)
PROVE = (*ALWAYS, "test_fsspec.py", "test_secrets.py", "test_replays.py")
SUITES = PROVE if os.environ.get("SAFEFS_PROFILE") == "prove" else ALWAYS


@pytest.mark.timeout(300)
@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_passes_in_a_process_that_is_locked_down(tmp_path: Path, suite: str) -> None:
    lay_out(tmp_path)
    scratch = tmp_path / "scratch"
    scratch.mkdir(mode=0o700)
    words = [str(scratch), str(tmp_path / "outside" / "open")]
    words += ["-q", "--basetemp", str(scratch / "tests"), str(HERE / suite)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.locked_suite", *words],
        cwd=HERE.parent,
        env={**environment(tmp_path), "SAFEFS_PROFILE": "dev"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert " passed" in done.stdout


def test_the_canary_of_those_suites_is_seen_when_it_can_be_opened(tmp_path: Path) -> None:
    lay_out(tmp_path)
    canary = tmp_path / "inside" / "a"  # on the disk that is left
    words = [str(tmp_path / "inside"), str(canary), "--version"]
    command = [sys.executable, "-m", "tests.locked_suite", *words]
    done = subprocess.run(command, cwd=HERE.parent, env=environment(tmp_path), check=False)
    assert done.returncode == 100
