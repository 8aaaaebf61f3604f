"""Which file system a directory lies on, and where to find one of a kind."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.workload import SkippedError
from safefs.testing import mounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GIBIBYTE = 1 << 30
# Sparse; holds the large file, and what is being freed. So large for its inodes: ext4 has one for
# each 16 KiB, and each copy of a tree stays until the end.
IMAGE = 24 * GIBIBYTE
MEMORY = "/dev/shm"


def kind_of(directory: str) -> str:
    """As /proc/self/mountinfo has it (``ext4``, ``tmpfs``), or ``?``."""
    place, best = os.path.realpath(directory), ("", "?")
    with suppress(OSError), open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            left, _, right = line.partition(" - ")
            point = left.split()[4].encode().decode("unicode_escape")
            inside = place == point or place.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= len(best[0]):
                best = (point, right.split()[0])
    return best[1]


def in_memory() -> str:
    """A directory on tmpfs, if there is one to write in; else where temporary files go."""
    usual = tempfile.gettempdir()
    if kind_of(usual) == "tmpfs" or not os.access(MEMORY, os.W_OK | os.X_OK):
        return usual
    return MEMORY if kind_of(MEMORY) == "tmpfs" else usual


@contextmanager
def scratch(directory: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="safefs-bench-", dir=directory) as name:
        yield os.path.realpath(name)


def on_new(kind: str, directory: str, work: Callable[[str], object]) -> object:
    """What ``work`` returns on a new file system of this kind, in an image in the directory.

    It is mounted for a child alone, and gone afterwards. ``SkippedError`` where that cannot be.
    """
    if (reason := mounts.lacking(kind)) is not None:
        raise SkippedError(reason)
    with scratch(directory) as top:
        image, place = Path(top, "image"), Path(top, "mounted")
        place.mkdir()
        told = mounts.in_own_mounts(lambda: _mounted(kind, image, place, work))
    if "failure" in told:
        raise SkippedError(f"on {kind}: {told['failure']}")
    return told["answer"]


def _mounted(
    kind: str, image: Path, place: Path, work: Callable[[str], object]
) -> dict[str, object]:
    maker = mounts.IMAGES[kind][1]
    with open(image, "wb") as file:
        file.truncate(IMAGE)
    mounts._run(*maker, str(image))
    mounts.mount_image(kind, image, place)
    try:
        return {"answer": work(str(place))}
    finally:
        mounts.unmount(kind, place)
