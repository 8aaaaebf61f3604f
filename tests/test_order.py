"""The order of a durable write, as strace shows it, on the file systems that people have.

What is promised across a crash rests on three calls in this order: the content is synchronised
before it has the name, and the directory after. Seen from outside the process, so that no seam
of ours can say what the kernel was not told.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from safefs.testing import mounts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace (make tools)")

RESOLVERS = ("openat2", "walk")

PROGRAM = """
import io, sys
from safefs import Disk, Root
place = sys.argv[1]
with Disk(place) as disk, Root(place) as root:
    disk.put("d/old", b"old")
    disk.put("warm", b"1", durable=True)
    def opened():
        with disk.open("d/old", "w", atomic=True, durable=True) as file:
            file.write("new")
    def opened_by_root():
        with root.open("d/old", "wb", atomic=True, durable=True) as file:
            file.write(b"new")
    acts = {
        "put": lambda: disk.put("d/old", b"new", durable=True),
        "put of a new file": lambda: disk.put("d/new", b"new", durable=True),
        "put of much": lambda: disk.put("d/old", [b"x" * 100_000] * 3, durable=True),
        "put_json": lambda: disk.put_json("d/old", 1, durable=True),
        "write_stream": lambda: disk.write_stream("d/old", io.BytesIO(b"new"), durable=True),
        "put_file_as": lambda: disk.put_file_as("d", io.BytesIO(b"new"), "old", durable=True),
        "preserving": lambda: disk.put("d/old", b"1", durable=True, preserve=("ownership",)),
        "replace_file": lambda: root.replace_file("d/old", b"new", durable=True),
        "Disk.open": opened,
        "Root.open": opened_by_root,
        "put with parents": lambda: disk.put("one/two/new", b"new", durable=True),
        "put that is not durable": lambda: disk.put("d/old", b"new"),
    }
    for name, act in acts.items():
        print(f"begin {name}", flush=True)
        act()
    print("begin nothing", flush=True)
"""
STEPS = ["write file", "fsync file", "rename", "fsync directory"]
MADE = ["mkdir", "fsync directory"]


def _of(name: str) -> list[str]:
    if name == "put with parents":
        return [*MADE, *MADE, *STEPS]
    return ["write file", "rename"] if "not durable" in name else STEPS


@pytest.mark.parametrize("kind", ["tmpfs", "ext4", "btrfs", "xfs"])
def test_a_durable_write_is_synchronised_renamed_and_synchronised(
    kind: str, tmp_path: Path, counted: Callable[..., None]
) -> None:
    reason = mounts.lacking(kind)
    if reason is not None:
        pytest.skip(reason)
    began = time.perf_counter()
    place = tmp_path / "place"
    place.mkdir()

    def traced() -> dict[str, Any]:
        mounts.mount_new(kind, tmp_path / "image", place)
        return {chosen: _traced(place / chosen, chosen) for chosen in RESOLVERS}

    told = mounts.in_own_mounts(traced)
    if "failure" in told:
        pytest.skip(f"{kind} cannot be mounted: {told['failure']}")
    for chosen in RESOLVERS:
        if "ptrace" in told[chosen]["error"]:
            pytest.skip("needs the right to trace")
        assert told[chosen]["code"] == 0, told[chosen]["error"]
        acts = _acts(told[chosen]["trace"], str(place / chosen))
        assert len(acts) == 12
        assert acts == {name: _of(name) for name in acts}
    counted(
        f"order of a durable write ({kind})",
        f"{12 * len(RESOLVERS)} traces of 12 ways to write, on both resolvers",
        seconds=time.perf_counter() - began,
    )
    assert not os.listdir(place), "what was mounted has gone with the child"


def _traced(place: Path, chosen: str) -> dict[str, Any]:
    place.mkdir()
    log = place.parent / f"trace-{chosen}"
    calls = "trace=write,fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat"
    done = subprocess.run(
        [
            *("strace", "-f", "--seccomp-bpf", "-y", "-s", "64", "-e", calls, "-o", str(log)),
            *(sys.executable, "-c", PROGRAM, str(place)),
        ],
        env={**os.environ, "SAFEFS_RESOLVER": chosen},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    trace = log.read_text(errors="replace") if log.exists() else ""
    return {"code": done.returncode, "error": done.stderr, "trace": trace}


def _acts(trace: str, root: str) -> dict[str, list[str]]:
    """What each act did beneath the root: its calls, where many writes in a row are one."""
    acts: dict[str, list[str]] = {}
    now: list[str] = []
    for line in trace.splitlines():
        begun = re.search(r'write\(1<[^"]*"begin ([^"\\]*)', line)
        if begun:
            now = acts.setdefault(begun[1], [])
            now.clear()
        elif root in line:
            step = _step(line, root)
            if step != "write file" or now[-1:] != [step]:
                now.append(step)
    acts.pop("nothing")
    return acts


def _step(line: str, root: str) -> str:
    """Refuses any call that does not succeed, and any write but to a temporary name."""
    assert re.search(r"\) = \d+$", line), line
    call = re.sub(r"^\d+\s+", "", line).split("(")[0]
    on = re.search(r"\(\d+<([^>]*)>", line)
    what = "file" if on and re.search(r"/\.safefs-[0-9a-f]{16}\.tmp$", on[1]) else "directory"
    if call.startswith("rename"):
        assert '".safefs-' in line, line
        return "rename"
    if call.startswith("mkdir"):
        return "mkdir"
    if call == "write":
        assert what == "file", line
    assert on is not None
    assert on[1].startswith(root), line
    return f"{call} {what}"
