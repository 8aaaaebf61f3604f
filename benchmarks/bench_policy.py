"""``python -m benchmarks policy``: what a policy costs, against the same call without one.

``read_only``, and ``deny`` with 20 patterns of which none matches, at the paths of an ordinary
tree, asked again and again: what the rules say of a path is cached by then. All subjects of a
workload run interleaved and shuffled in each round; printed is the median of the ratios to the disk
without a policy in the same round. What it does not show: the first look at a path, which asks the
patterns, a path through a link or ``..``, which goes to the walk, and a file with more than one
name.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from safefs import Disk, Policy, Root

if TYPE_CHECKING:
    from benchmarks.__main__ import Subject

PLAIN = "without"
PATTERNS = [
    *(".env", ".env.*", ".git", ".ssh", ".aws", ".npmrc", ".pypirc", ".netrc", "*.pem", "*.key"),
    *("id_rsa*", "secrets", "/conf/private", "**/credentials.json", "*.kdbx", "*.p12", "*.pfx"),
    *("/var/**/token", "node_modules/.cache", "*.sqlite-journal"),
]
POLICIES = {
    PLAIN: Policy(),
    "read_only": Policy(read_only=True),
    "deny, 20 patterns": Policy(deny=PATTERNS),
    "deny, missing": Policy(deny=PATTERNS, denied="missing"),
    "allow, 2 patterns": Policy(allow=["/d", "/many"]),
    "hard_links": Policy(hard_links="refuse"),
    "max_file_size": Policy(max_file_size=1 << 30),
}
READS_ONLY = {"read_only"}


def workloads(top: str, depth: int) -> dict[str, dict[str, Subject]]:
    assert len(PATTERNS) == 20
    path = "/".join(["d"] * (depth - 1) + ["f"])
    full = Path(top, path)
    full.parent.mkdir(parents=True, exist_ok=True)
    full.write_bytes(b"x" * 1024)
    many = Path(top, "many")
    many.mkdir(exist_ok=True)
    for number in range(1000):
        (many / f"{number:04}.txt").touch()
    roots = {name: Root(top, policy=policy) for name, policy in POLICIES.items()}
    disks = {name: Disk(top, policy=policy) for name, policy in POLICIES.items()}
    data = b"y" * 1024
    writes = {name for name in POLICIES if name not in READS_ONLY}
    return {
        f"Root.read_bytes 1 KiB, depth {depth}": {
            name: lambda root=root: root.read_bytes(path) for name, root in roots.items()
        },
        f"Root.open and close, depth {depth}": {
            name: lambda root=root: root.open(path, "rb").close() for name, root in roots.items()
        },
        f"Root.stat, depth {depth}": {
            name: lambda root=root: root.stat(path) for name, root in roots.items()
        },
        f"Root.exists of what is missing, depth {depth}": {
            name: lambda root=root: root.exists(f"{path}-not") for name, root in roots.items()
        },
        f"Disk.get 1 KiB, depth {depth}": {
            name: lambda disk=disk: disk.get(path) for name, disk in disks.items()
        },
        f"Disk.put 1 KiB, depth {depth}": {
            name: lambda disk=disks[name]: disk.put(path, data) for name in writes
        },
        "Root.listdir of 1,000": {
            name: lambda root=root: root.listdir("many") for name, root in roots.items()
        },
        "Disk.files of 1,000": {
            name: lambda disk=disk: disk.files("many") for name, disk in disks.items()
        },
    }


def main(argv: list[str]) -> None:
    from benchmarks.__main__ import ratios

    parser = argparse.ArgumentParser(prog="python -m benchmarks policy", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=1000, help="per subject and round")
    parser.add_argument("--depth", type=int, default=4)
    given = parser.parse_args(argv)
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} CPUs")
    print(f"median of {given.rounds} interleaved rounds, against the same call without a policy")
    with tempfile.TemporaryDirectory() as top:
        for title, subjects in workloads(os.path.realpath(top), given.depth).items():
            calls = max(1, given.calls // (100 if "1,000" in title else 1))
            print(f"\n{title}")
            for name, ratio in ratios(subjects, given.rounds, calls, PLAIN).items():
                if name != PLAIN:
                    print(f"  {name:<24}{ratio:6.3f}")
