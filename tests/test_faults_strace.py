"""The kills and faults once more from outside the process, by strace: what the seam cannot show."""

from __future__ import annotations

import errno
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from safefs import Disk
from safefs.testing.states import state_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace (make tools)")

# Each undertaking between two marks, and after it the names of the calls that the seam has seen.
EVERY = """
import os, sys
from safefs.testing.undertakings import UNDERTAKINGS, World
from safefs.testing.interposing import Interposed, Undisturbed
place = sys.argv[1]
world = World(place)
with Interposed() as seam:
    for each in UNDERTAKINGS:
        for last in (False, True):
            world.lay()
            with world, seam.facing(Undisturbed()):
                if last:
                    try: os.stat("/begin-" + each.name.replace(" ", "-"))
                    except OSError: pass
                each.act(world)
                if last:
                    try: os.stat("/end")
                    except OSError: pass
        print(each.name.replace(" ", "-"), *seam.calls)
"""

# What changes a file system or a file, in the words of the kernel and in those of the seam.
KERNEL = {
    "write": "write",
    "pwrite64": "write",
    "rename": "rename",
    "renameat": "rename",
    "renameat2": "rename",
    "unlink": "unlink",
    "unlinkat": "unlink",
    "mkdir": "mkdir",
    "mkdirat": "mkdir",
    "rmdir": "rmdir",
    "linkat": "link",
    "symlinkat": "symlink",
    "fchmod": "fchmod",
    "fchmodat": "chmod",
    "fchmodat2": "fchmodat2",
    "fchown": "fchown",
    "fchownat": "chown",
    "ftruncate": "ftruncate",
    "fallocate": "fallocate",
    "utimensat": "utime",
    "fsetxattr": "setxattr",
    "fremovexattr": "removexattr",
    "copy_file_range": "copy_file_range",
    "fsync": "fsync",
    "fdatasync": "fdatasync",
    "ioctl": "clone",
    "sendfile": "sendfile",
    "splice": "splice",
}
SEAM = {
    "file.write": "write",
    "rename_noreplace": "rename",
    "rename_exchange": "rename",
    "utimensat": "utime",
}


def test_no_call_that_changes_anything_passes_the_seam_by(tmp_path: Path) -> None:
    """So that to be killed before each call of the seam is to be killed before each change."""
    (tmp_path / "place").mkdir()
    log = tmp_path / "log"
    traced = _traced(["-o", str(log)], EVERY, str(tmp_path / "place"))
    assert traced.returncode == 0, traced.stderr[-2000:]
    seen = {line.split()[0]: line.split()[1:] for line in traced.stdout.splitlines()}
    made = _between(log.read_text(errors="replace"))
    assert made.keys() == seen.keys()
    changing = set(KERNEL.values())
    for name, calls in made.items():
        ours = Counter(SEAM.get(call, call) for call in seen[name])
        ours = Counter({call: count for call, count in ours.items() if call in changing})
        assert calls == ours, name
    assert sum(map(len, made.values())) > 50


def _traced(options: list[str], program: str, *words: str) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        ["strace", "-qq", *options, sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    if "ptrace" in ended.stderr:
        pytest.skip("needs the right to trace")
    return ended


def _between(trace: str) -> dict[str, Counter[str]]:
    made: dict[str, Counter[str]] = {}
    name = ""
    for line in trace.splitlines():
        if begun := re.search(r'"/begin-([^"]*)"', line):
            name = begun[1]
            made[name] = Counter()
        elif '"/end"' in line:
            name = ""
        elif name and (call := _changing(line)):
            made[name][call] += 1
    return made


def _changing(line: str) -> str | None:
    call = line.split("(")[0]
    if call == "unlinkat" and "AT_REMOVEDIR" in line:
        return "rmdir"
    if call == "ioctl" and "FICLONE" not in line:
        return None
    return KERNEL.get(call)


PUT = """
import sys
from safefs import Disk
with Disk(sys.argv[1]) as disk:
    try:
        disk.put("f", b"new" * 50_000, durable=True)
    except OSError as error:
        print(error.errno, error.filename)
        sys.exit(3)
"""
# Calls that a start of Python does not make, so that the first is ours.
INJECTED = ("fchmod", "flock", "fsync:1", "fsync:2", "rename,renameat,renameat2")


def _when(call: str) -> str:
    name, _, number = call.partition(":")
    return f"inject={name}:%s:when={number or 1}"


@pytest.mark.parametrize("call", INJECTED)
def test_a_durable_put_that_is_killed_at_a_call_leaves_the_old_or_the_new(
    call: str, tmp_path: Path
) -> None:
    (tmp_path / "f").write_bytes(b"old")
    how = _when(call) % "signal=SIGKILL"
    ended = _traced(["-o", "/dev/null", "-e", how], PUT, str(tmp_path))
    assert ended.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), ended.stderr
    with Disk(tmp_path) as disk:
        assert disk.get("f") in (b"old", b"new" * 50_000)
        disk.sweep(older_than=0)
    assert [*state_of(str(tmp_path)).things] == [f"{tmp_path}/f"]
    assert not state_of(str(tmp_path)).temporaries


@pytest.mark.parametrize("number", [errno.EIO, errno.EDQUOT, errno.ENOSPC], ids=errno.errorcode.get)
@pytest.mark.parametrize("call", [call for call in INJECTED if call != "flock"])
def test_a_durable_put_that_the_kernel_refuses_a_call_says_so(
    call: str, number: int, tmp_path: Path
) -> None:
    """Only the directory's own fsync comes when the new content stands already."""
    (tmp_path / "f").write_bytes(b"old")
    how = _when(call) % f"error={errno.errorcode[number]}"
    ended = _traced(["-o", "/dev/null", "-e", how], PUT, str(tmp_path))
    assert (ended.returncode, ended.stdout) == (3, f"{number} f\n"), ended.stderr
    found = state_of(str(tmp_path))
    assert not found.temporaries
    content = found.things[f"{tmp_path}/f"][-1]
    assert content == (b"new" * 50_000 if call == "fsync:2" else b"old")
