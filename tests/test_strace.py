"""Rule 3, seen from outside the process: strace shows every system call that names a path."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from safefs.testing.scratch import Scratch

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace (make tools)")

BEGIN, END = "/begin-of-the-trace", "/end-of-the-trace"

# Imports are done and the Root is open before BEGIN, so that all in between is about a path.
PROGRAM = """
import os, sys
from safefs import Root, SafefsError
directory, outside, begin, end = sys.argv[1:]
root = Root(directory)
def attempt(call, *arguments):
    try:
        call(*arguments)
    except (SafefsError, OSError):
        return
    raise SystemExit(f"{call.__name__}{arguments} was not refused")
def attack():
    for path in (f"../{name}/secret.txt" for name in ("outside", "missing")):
        for call in (root.read_bytes, root.stat, root.listdir, root.unlink, root.mkdir,
                     root.makedirs, root.readlink, root.remove_tree):
            attempt(call, path)
        attempt(root.write_bytes, path, b"x")
        attempt(root.replace_file, path, b"x")
        attempt(root.rename, "f", path)
        attempt(root.rename, path, "new")
        attempt(root.copy, "f", path)
        attempt(root.chmod, path, 0o777)
        attempt(root.utime, path)
    for link in ("out", "absolute", "dir/up"):
        for call in (root.read_bytes, root.stat, root.listdir, root.makedirs):
            attempt(call, link + "/secret.txt")
        attempt(root.write_bytes, link + "/secret.txt", b"x")
    attempt(root.read_bytes, outside + "/secret.txt")
attack()  # once unseen: what is imported at the first refusal is imported now
os.path.exists(begin)
attack()
list(root.walk()); list(root.find()); list(root.glob("**/*")); root.disk_usage()
root.remove_tree("dir")
os.path.exists(end)
"""


@pytest.mark.parametrize("forced", ["openat2", "walk"])
def test_rule_03_no_system_call_names_anything_outside(forced: str, tmp_path: Path) -> None:
    """Under openat2 the kernel is told to stay beneath; every other call names one component."""
    (tmp_path / "trace").mkdir()
    (tmp_path / "tree").mkdir()
    scratch = Scratch.make(tmp_path / "tree")
    outside = scratch.base / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "secret.txt").write_text("secret")
    scratch.remember()
    (scratch.root / "dir").mkdir()
    (scratch.root / "f").write_text("inside")
    (scratch.root / "out").symlink_to("../outside")
    (scratch.root / "absolute").symlink_to(outside)
    (scratch.root / "dir" / "up").symlink_to("../../outside")
    log = tmp_path / "trace" / "log"
    traced = subprocess.run(
        [
            *("strace", "-f", "-y", "-s", "4096", "-e", "trace=%file,openat2", "-o", str(log)),
            *(sys.executable, "-c", PROGRAM, str(scratch.root), str(outside), BEGIN, END),
        ],
        env={"SAFEFS_RESOLVER": forced},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    if "ptrace" in traced.stderr:
        pytest.skip("needs the right to trace")
    assert traced.returncode == 0, traced.stderr
    calls = _between(log.read_text(errors="replace"))
    assert len(calls) > 50
    naming = [call for call in calls if not _stays(call)]
    assert not naming, "\n".join(naming[:20])
    assert not scratch.changes()


def _between(trace: str) -> list[str]:
    lines = [line for line in trace.splitlines() if "(" in line and "execve(" not in line]
    first = next(number for number, line in enumerate(lines) if BEGIN in line)
    last = next(number for number, line in enumerate(lines) if END in line)
    return lines[first + 1 : last]


def _stays(call: str) -> bool:
    """Whether a call is told to resolve beneath, or names single components only."""
    if "openat2(" in call:
        return "RESOLVE_BENEATH" in call
    called = call.split(" = ")[0].split("(", 1)[1]
    names = re.findall(r'(?:^|, )"((?:[^"\\]|\\.)*)"', called)
    if "readlink" in call:
        names = names[:1]  # the second is the answer, which is text and not yet a name
    return all("/" not in name and name != ".." for name in names) or "/proc/self/fd" in called
