"""The disks that safefs ships pass its own suite."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from safefs.disk import Disk
from safefs.drivers.local import LocalDriver
from safefs.drivers.memory import MemoryDriver
from safefs.policy import Policy
from safefs.root import Root
from safefs.testing import DiskConformance

if TYPE_CHECKING:
    from pathlib import Path


def _deep(tmp_path: Path) -> Path:
    """Hostile paths climb three directories, and there are four to climb."""
    directory = tmp_path / "moat" / "m" / "m" / "disk"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


class TestLocalDisk(DiskConformance):
    def make_disk(self, tmp_path: Path) -> Disk:
        return Disk(_deep(tmp_path), name="local")


class TestLocalDiskThatFollowsNoLinks(DiskConformance):
    def make_disk(self, tmp_path: Path) -> Disk:
        return Disk(_deep(tmp_path), policy=Policy(symlinks="never", same_filesystem=True))


class TestPrivateLocalDisk(DiskConformance):
    def make_disk(self, tmp_path: Path) -> Disk:
        driver = LocalDriver(Root(_deep(tmp_path)), file_mode=0o600, directory_mode=0o700)
        return Disk._over(driver, name="private")


class TestScopedDisk(DiskConformance):
    def make_disk(self, tmp_path: Path) -> Disk:
        with Disk(_deep(tmp_path)) as disk:
            return disk.scoped("a/b", create=True)


class TestMemoryDisk(DiskConformance):
    def make_disk(self, tmp_path: Path) -> Disk:
        return Disk._over(MemoryDriver(), name="memory")


class TestScopedMemoryDisk(DiskConformance):
    def make_disk(self, tmp_path: Path) -> Disk:
        with Disk._over(MemoryDriver()) as disk:
            return disk.scoped("a/b", create=True)


class TestReadOnlyDisk(DiskConformance):
    read_only = True

    def make_disk(self, tmp_path: Path) -> Disk:
        return Disk(_deep(tmp_path), policy=Policy(read_only=True))

    def make_twin(self, disk: Disk, tmp_path: Path) -> Disk:
        return Disk(_deep(tmp_path))


class TestReadOnlyMemoryDisk(DiskConformance):
    read_only = True

    def make_disk(self, tmp_path: Path) -> Disk:
        self.writable_twin = Disk._over(MemoryDriver())
        return self.writable_twin.read_only()

    def make_twin(self, disk: Disk, tmp_path: Path) -> Disk:
        return self.writable_twin


DEVIATING = """
from safefs.disk import Disk
from safefs.drivers.memory import MemoryDriver
from safefs.testing import DiskConformance

class TestUpperCase(DiskConformance):
    deviations = {
        "test_get_gives_the_content": "it shouts",
        "test_size_counts_the_bytes[a.txt]": "it was thought to be longer, and is not",
        "test_of_nothing": "there is no such test",
    }

    def make_disk(self, tmp_path):
        class Shouting(Disk):
            def get(self, path):
                return super().get(path).upper() + b"!"

        return Shouting._over(MemoryDriver())
"""


def test_a_declared_deviation_must_be_one(tmp_path: Path) -> None:
    (tmp_path / "test_deviating.py").write_text(DEVIATING)
    names = "test_get_gives or test_size_counts or test_every_deviation"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rA", "-k", names, "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "5 xfailed" in run.stdout, run.stdout
    assert "[XPASS(strict)] it was thought to be longer" in run.stdout, run.stdout
    assert "FAILED test_deviating.py::TestUpperCase::test_every_deviation" in run.stdout, run.stdout
    assert "2 failed, 4 passed" in run.stdout, run.stdout
