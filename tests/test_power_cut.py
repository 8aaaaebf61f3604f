"""The power is cut: what had been written to the disk by then is mounted again and read.

A file system on a loop device writes to its image what it would have written to a drive, and keeps
the rest in memory. A copy of the image, taken while it is mounted, is what a machine that comes up
after a power cut finds; mounting it plays the journal back, as that machine would.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from safefs import Disk
from safefs.testing import mounts
from safefs.testing.seam import Seam
from tests.conftest import PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_STEP = 1 if PROFILE == "prove" else 3  # the power goes before every third call
OLD, NEW = b"old " * 30_000, b"new " * 30_000


class _Cuts(Seam):
    """Copies the image before system calls while it is armed."""

    def __init__(self, image: Path) -> None:
        super().__init__()
        self._image = image
        self.taken: list[tuple[Path, str]] = []

    def _before(self, name: str) -> None:
        if self._armed and len(self.calls) % _STEP == 0:
            self.cut(f"before {name}")
        super()._before(name)

    def cut(self, when: str) -> None:
        copy = self._image.with_name(f"cut-{len(self.taken)}")
        mounts.copy_image(self._image, copy)
        self.taken.append((copy, when))


@pytest.mark.parametrize("kind", ["ext4", "btrfs", "xfs"])
def test_whenever_the_power_is_cut_a_durable_write_leaves_the_old_content_or_the_new(
    kind: str, tmp_path: Path, counted: Callable[..., None]
) -> None:
    reason = mounts.lacking(kind)
    if reason is not None:
        pytest.skip(reason)
    began = time.perf_counter()
    place, image = tmp_path / "place", tmp_path / "image"
    place.mkdir()

    def cutting() -> dict[str, Any]:
        mounts.mount_new(kind, image, place)
        with Disk(place) as disk, _Cuts(image) as cuts:
            disk.put("d/f", OLD, durable=True)
            with cuts.armed(-1, -1, None):
                disk.put("d/f", NEW, durable=True)
            cuts.cut("after")
            with cuts.armed(-1, -1, None):
                disk.put("one/two/f", NEW, durable=True)
            cuts.cut("after the second")
            disk.put("three/f", NEW)
            disk.put("d/f", OLD)
            cuts.cut("without durable")
        mounts.unmount(kind, place)
        return {"found": [(when, _found(kind, cut, place)) for cut, when in cuts.taken]}

    told = mounts.in_own_mounts(cutting)
    if "failure" in told:
        pytest.skip(f"{kind} cannot be mounted: {told['failure']}")
    *found, (_, plain) = told["found"]
    assert len(found) > 10
    for when, files in found:
        assert files["d/f"] in ("old", "new"), when
        assert set(files) <= {"d/f", "one/two/f"}, when
        assert files.get("one/two/f", "new") == "new", when
    after = dict(found)
    assert after["after"] == {"d/f": "new"}
    assert after["after the second"] == {"d/f": "new", "one/two/f": "new"}
    lost = sorted({"three/f": "new", "d/f": "old"}.items() - plain.items())
    counted(
        f"power cuts ({kind})",
        f"{len(found)} in two durable puts: old or new; of two puts without durable, "
        f"{len(lost)} lost",
        seconds=time.perf_counter() - began,
    )


def _found(kind: str, image: Path, place: Path) -> dict[str, str]:
    """The files of an image and what is in each; leftovers must be temporary names, and go."""
    mounts.mount_image(kind, image, place)
    try:
        with Disk(place) as disk:
            files = {path: _content(disk.get(path)) for path in disk.all_files()}
            disk.sweep(older_than=0)
            left = [name for _, _, names in os.walk(place) for name in names]
            assert len(left) == len(files), left
    finally:
        mounts.unmount(kind, place)
        image.unlink()
    return files


def _content(data: bytes) -> str:
    return {OLD: "old", NEW: "new", b"": "nothing"}.get(data, "torn")
