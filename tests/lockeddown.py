"""Children that lock themselves down: nothing irreversible happens to the tests themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from safefs.kernel import syscalls

HERE = Path(__file__).resolve().parent
NEEDS_LANDLOCK = pytest.mark.skipif(
    syscalls.landlock_abi() < 4, reason="needs Landlock (ABI 4, Linux 6.7)"
)

_PRELUDE = """
import errno, json, os, socket, subprocess, sys, tempfile, threading, time
from safefs import Disk, LockdownUnavailable, LockedDownError, Policy, Storage
top = sys.argv[1]

def storage(**options):
    options.setdefault("disks", {"inside": f"{top}/inside", "other": f"{top}/other"})
    return Storage("acme", **options)

def outcome(act, *arguments, **keywords):
    try:
        act(*arguments, **keywords)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return "done"
"""


def lay_out(top: Path) -> None:
    """Disks ``inside`` and ``other``, a canary ``outside``, and a home for the folder of state."""
    for name in ("home", "inside", "other", "outside", "outside/empty"):
        (top / name).mkdir(mode=0o700)
    (top / "inside" / "a").write_text("a")
    (top / "other" / "o").write_text("o")
    (top / "inside" / "link").symlink_to("../outside/open")
    names = ("open", "write", "append", "os.open", "rename", "moved", "link", "link-in")
    for name in (*names, "truncate", "unlink"):
        (top / "outside" / name).write_text("secret")
    program = top / "outside" / "program"
    program.write_bytes(Path("/bin/true").read_bytes())
    program.chmod(0o755)


def environment(top: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
    return {
        **kept,
        "HOME": f"{top}/home",
        "TMPDIR": f"{top}",
        "PYTHONPATH": str(HERE.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def told(command: list[str], top: Path, *, seconds: float = 60) -> str:
    """What it prints; it has to succeed, and to be silent on stderr."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=seconds,
        env=environment(top),
        cwd=top,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def program(way: str, top: Path, *more: str) -> str:
    """``tests/locked.py``."""
    return told([sys.executable, str(HERE / "locked.py"), way, str(top), *more], top)


def says(code: str, top: Path, *more: str) -> list[str]:
    """The lines that this code prints, with what stands above in scope."""
    command = [sys.executable, "-c", _PRELUDE + dedent(code), str(top), *more]
    return told(command, top).splitlines()
