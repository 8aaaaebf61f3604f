"""A large file copied on a file system that can share its blocks."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.workload import Ratio, Subject, Workload
from safefs import Root

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.ground import Ground, Scale

MEBIBYTE = 1 << 20
ORIGINAL = "shutil.copyfile"


def workloads(scale: Scale) -> list[Workload]:
    return [_copying(kind, scale.large) for kind in ("btrfs", "xfs")]


def _copying(kind: str, size: int) -> Workload:
    name = f"{size // MEBIBYTE:,} MiB" if size >= MEBIBYTE else f"{size:,} bytes"
    figures = (Ratio("Root.copy", ORIGINAL, most=1 / 1000),)
    reason = "it writes 1 GiB again and again, and a small file says little"
    return Workload(
        "copies", f"copy of {name}, {kind}", partial(_make, size=size), figures,
        baseline=ORIGINAL, place=kind, full_only=reason,
    )  # fmt: skip


def _make(ground: Ground, size: int) -> dict[str, Subject]:
    large = f"{ground.top}/large"
    with open(large, "wb") as file:
        file.writelines(
            os.urandom(min(MEBIBYTE, size - begin)) for begin in range(0, size, MEBIBYTE)
        )
    os.sync()
    root = ground.held(Root(ground.top))

    def remove(name: str) -> Callable[[], None]:
        return lambda: Path(ground.top, name).unlink(missing_ok=True)

    def same(name: str) -> Callable[[object], object]:
        return lambda _: _equal(large, f"{ground.top}/{name}")

    return {
        ORIGINAL: Subject(
            lambda: shutil.copyfile(large, f"{ground.top}/theirs"), same("theirs"), remove("theirs")
        ),
        "Root.copy": Subject(lambda: root.copy("large", "ours"), same("ours"), remove("ours")),
    }


def _equal(one: str, other: str) -> bool:
    if os.stat(one).st_size != os.stat(other).st_size:
        return False
    with open(one, "rb") as first, open(other, "rb") as second:
        while data := first.read(MEBIBYTE):
            if data != second.read(MEBIBYTE):
                return False
    return True
