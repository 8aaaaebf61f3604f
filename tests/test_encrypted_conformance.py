"""Encrypted disks pass the suite of all disks, but for what is declared here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safefs.age import X25519Identity
from safefs.disk import Disk
from safefs.drivers.memory import MemoryDriver
from safefs.testing import DiskConformance

if TYPE_CHECKING:
    from pathlib import Path

KEY = X25519Identity.generate()

IN_PLACE = "what is sealed is not changed where it lies, nor read before it is whole"
REPLACED = "append replaces the file, which a disk that only grows does not allow"
STORED = "sizes and quotas count what is stored, and a header is stored with every file"
DEVIATIONS = {
    "test_open_appends_and_updates": IN_PLACE,
    "test_open_reads_what_it_has_written": IN_PLACE,
    "test_what_is_written_is_there_after_flush": IN_PLACE,
    "test_a_file_may_be_deleted_while_it_is_open[r+b]": IN_PLACE,
    "test_what_is_append_only_refuses_what_would_change_it[cut]": IN_PLACE,
    "test_what_is_append_only_keeps_all_that_it_holds[open to append]": IN_PLACE,
    "test_what_is_append_only_keeps_all_that_it_holds[append]": REPLACED,
    "test_what_is_append_only_grows_at_its_end": REPLACED,
    "test_a_file_grows_to_its_largest_size_and_no_further": STORED,
    "test_there_are_as_many_bytes_as_a_quota_has_and_no_more": STORED,
} | {
    f"test_a_file_opened_atomically_takes_its_name_when_it_is_closed[{mode}-{durable}]": IN_PLACE
    for mode in ("w+", "x+")
    for durable in (False, True)
}


def _deep(tmp_path: Path) -> Path:
    """Hostile paths climb three directories, and there are four to climb."""
    directory = tmp_path / "moat" / "m" / "m" / "disk"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


class TestEncryptedLocalDisk(DiskConformance):
    deviations = DEVIATIONS

    def make_disk(self, tmp_path: Path) -> Disk:
        with Disk(_deep(tmp_path), name="local") as disk:
            return disk.encrypted(KEY)


class TestEncryptedMemoryDisk(DiskConformance):
    deviations = DEVIATIONS

    def make_disk(self, tmp_path: Path) -> Disk:
        with Disk._over(MemoryDriver(), name="memory") as disk:
            return disk.encrypted(KEY)
