"""What is being written has no name yet: no listing shows it, and who removes or measures does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from safefs import Disk, Root, Storage
from safefs.drivers.memory import MemoryDriver
from safefs.kernel import probe, syscalls
from safefs.operations import sweeping
from safefs.operations.replace import is_temporary
from safefs.policy import Policy
from tests import layouts
from tests.attackers import in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from safefs.testing.scratch import Scratch

DRAFT = ".safefs-0123456789abcdef.tmp"
DRAFTS = f".safefs-{'f' * 16}.tmp"
ALIKE = ".safefs-0123456789abcdeg.tmp"  # no name that safefs gives
LAYOUT = ("f", ALIKE, DRAFT, f"{DRAFTS}/inner", "d/g", f"d/{DRAFT}", f"d/{DRAFTS}/deep/inner")


@pytest.fixture
def root(scratch: Scratch, resolver: str) -> Iterator[Root]:
    assert resolver
    layouts.lay(LAYOUT, str(scratch.root), scratch)
    with Root(scratch.root) as root:
        yield root


@pytest.fixture(params=["local", "memory"])
def disk(request: pytest.FixtureRequest, scratch: Scratch, resolver: str) -> Iterator[Disk]:
    assert resolver
    with Disk._over(MemoryDriver()) if request.param == "memory" else Disk(scratch.root) as disk:
        for path in LAYOUT:
            disk.put(path, b"1")
        yield disk


LISTING: dict[str, Callable[[Root], Any]] = {
    "listdir": lambda root: [*root.listdir(), *root.listdir("d")],
    "scandir": lambda root: [e.name for at in (".", "d") for e in root.scandir(at)],
    "walk": lambda root: [n for _, *both in root.walk() for names in both for n in names],
    "walk bottom up": lambda root: [
        n for _, *both in root.walk(topdown=False) for names in both for n in names
    ],
    "find": lambda root: [path.rpartition("/")[2] for path in root.find()] + ["d"],
    "glob": lambda root: [path.rpartition("/")[2] for path in root.glob("**/*")],
}


@pytest.mark.parametrize("how", LISTING)
def test_no_listing_of_a_root_shows_a_temporary_name(how: str, root: Root) -> None:
    assert sorted(LISTING[how](root)) == [ALIKE, "d", "f", "g"]


def test_a_pattern_for_them_matches_none_of_them(root: Root) -> None:
    assert list(root.glob(".safefs-*")) == [ALIKE]
    assert list(root.glob(f"*/{DRAFTS[:9]}*/**")) == []


def test_no_list_of_a_disk_shows_a_temporary_name(disk: Disk) -> None:
    assert disk.files() == [ALIKE, "f"]
    assert disk.directories() == ["d"]
    assert disk.all_files() == [ALIKE, "d/g", "f"]
    assert disk.all_directories() == ["d"]
    assert sorted(path.name for path in (disk / "").iterdir()) == [ALIKE, "d", "f"]
    assert sorted(path.name for path in (disk / "").glob("**/*")) == [ALIKE, "d", "f", "g"]
    with disk.scoped("d") as scoped:
        assert scoped.all_files() == ["g"]


def test_fsspec_shows_no_temporary_name(disk: Disk) -> None:
    fs = disk.fs
    assert fs.find("/") == sorted([f"/{ALIKE}", "/d/g", "/f"])
    assert fs.ls("/", detail=False) == sorted([f"/{ALIKE}", "/d", "/f"])
    assert fs.glob("/**/.safefs-*") == [f"/{ALIKE}"]
    assert fs.du("/") == sum(disk.size(path) for path in disk.all_files())


def test_what_is_asked_for_by_name_is_there(disk: Disk) -> None:
    """Hiding is no confinement: whoever knows the name can use it, and may have given it."""
    assert disk.exists(DRAFT)
    assert disk.get(f"{DRAFTS}/inner") == b"1"
    assert disk.all_files(DRAFTS) == [f"{DRAFTS}/inner"]
    disk.move(DRAFT, "kept")
    assert disk.get("kept") == b"1"


def test_a_copy_leaves_them_behind_and_a_removal_takes_them(root: Root, scratch: Scratch) -> None:
    root.copy_tree("d", "copy")
    assert os.listdir(scratch.root / "copy") == ["g"]
    (scratch.root / "d" / "g").unlink()
    assert root.listdir("d") == []
    with pytest.raises(OSError, match="not empty"):
        root.rmdir("d")
    assert root.disk_usage("d") > 0
    root.remove_tree("d")
    assert not (scratch.root / "d").exists()


def test_a_directory_that_holds_only_drafts_is_deleted_with_them(disk: Disk) -> None:
    disk.delete("d/g")
    assert disk.files("d") == disk.directories("d") == []
    disk.delete_directory("d")
    assert disk.missing("d")


def test_the_temporary_folder_of_a_storage_goes_with_what_was_being_written() -> None:
    with Storage("app") as storage:
        disk = storage.disk("temp")
        for path in LAYOUT:
            disk.put(path, b"1")
        (place,) = [
            os.readlink(f"/proc/self/fd/{fd}")
            for fd in os.listdir("/proc/self/fd")
            if _is_same_directory(fd, disk)
        ][:1]
        assert sorted(os.listdir(place)) == sorted({path.split("/")[0] for path in LAYOUT})
    assert not os.path.exists(place)


def _is_same_directory(fd: str, disk: Disk) -> bool:
    try:
        return os.path.samestat(os.stat(int(fd)), os.stat(disk._driver._root.fileno()))  # type: ignore[attr-defined]
    except OSError:
        return False


# -- sweeping ----------------------------------------------------------------------------------


def test_sweeping_without_age_takes_all_that_no_writer_holds(disk: Disk) -> None:
    assert disk.sweep() == []  # a day has not gone by
    assert disk.sweep(older_than=60) == []
    assert disk.sweep("d", older_than=0) == [f"d/{DRAFT}", f"d/{DRAFTS}"]
    assert disk.sweep(older_than=0) == [DRAFT, DRAFTS]
    assert disk.sweep(older_than=0) == []
    assert disk.all_files() == [ALIKE, "d/g", "f"]


def test_sweeping_goes_by_the_time_of_the_last_change(scratch: Scratch, resolver: str) -> None:
    """A draft that is soon a day old may be one that somebody writes to every minute."""
    assert resolver
    (scratch.root / DRAFT).write_text("x")
    with Disk(scratch.root) as disk:
        time.sleep(0.05)
        assert disk.sweep(older_than=30) == []
        assert disk.sweep(older_than=0.02) == [DRAFT]


def test_what_was_changed_in_the_future_is_swept_without_age(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of a server may be ahead of this one."""
    real = time.time
    monkeypatch.setattr(sweeping, "time", lambda: real() - 3600)
    assert disk.sweep("d", older_than=0) == [f"d/{DRAFT}", f"d/{DRAFTS}"]


def test_a_writer_that_has_only_just_made_its_file_is_left_alone(
    scratch: Scratch, resolver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the making of a draft and the taking of its lock lies one moment."""
    assert resolver
    with Disk(scratch.root) as disk:
        held: list[int] = []

        def meanwhile(_seconds: float) -> None:
            held.append(os.open(scratch.root / DRAFT, os.O_WRONLY))
            assert syscalls.lock(held[0])

        monkeypatch.setattr(sweeping, "sleep", meanwhile)
        monkeypatch.setattr(sweeping, "_MOMENT", 3600)  # however slow this machine is
        (scratch.root / DRAFT).write_text("x")
        assert disk.sweep(older_than=0) == []
        os.close(held[0])
        monkeypatch.undo()
        assert disk.sweep(older_than=0) == [DRAFT]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("mode", [0o444, 0o222, 0o000])
def test_sweeping_needs_the_rights_of_an_owner_and_no_more(
    mode: int, scratch: Scratch, resolver: str
) -> None:
    """A draft has the mode of what it is to replace, and a directory may be finished already."""
    for path in (scratch.root, *scratch.root.parents):
        if len(path.parts) < 3:
            break
        path.chmod(path.stat().st_mode | 0o055)
    scratch.root.chmod(0o777)

    def sweeping() -> list[str]:
        probe.forced = resolver
        with Disk(scratch.root) as disk:
            disk.put(DRAFT, b"1")
            disk.put(f"{DRAFTS}/one/two/f", b"1")
            os.chmod(scratch.root / DRAFT, mode)
            for below in ("one/two", "one", ""):
                os.chmod(scratch.root / DRAFTS / below, 0o555)
            return disk.sweep(older_than=0)

    expected = [DRAFT, DRAFTS] if mode else [DRAFTS]  # 0 cannot be opened, so nobody knows
    assert in_child(sweeping, uid=65534) == expected


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_another_may_not_remove_does_not_stop_the_sweep(
    scratch: Scratch, resolver: str
) -> None:
    """In a directory such as /tmp each removes what is his."""
    for path in (scratch.root, *scratch.root.parents):
        if len(path.parts) < 3:
            break
        path.chmod(path.stat().st_mode | 0o055)
    scratch.root.chmod(0o1777)
    (scratch.root / DRAFT).write_text("root's")
    (scratch.root / DRAFT).chmod(0o666)
    (scratch.root / DRAFTS).write_text("mine")
    os.chown(scratch.root / DRAFTS, 65534, 65534)

    def sweeping() -> list[str]:
        probe.forced = resolver
        with Disk(scratch.root) as disk:
            return disk.sweep(older_than=0)

    assert in_child(sweeping, uid=65534) == [DRAFTS]
    assert os.listdir(scratch.root) == [DRAFT]


def test_a_fifo_is_not_opened_and_not_swept_and_a_link_is_swept_itself(
    scratch: Scratch, resolver: str
) -> None:
    assert resolver
    os.mkfifo(scratch.root / DRAFT)
    (scratch.root / DRAFTS).symlink_to("../outside")
    with Disk(scratch.root) as disk:
        assert disk.sweep(older_than=0) == [DRAFTS]
    assert os.listdir(scratch.root) == [DRAFT]


KILLED = """
import os, sys
from safefs import Disk
def chunks():
    yield b"half"
    print("ready", flush=True)
    sys.stdin.read()
disk = Disk(sys.argv[1])
disk.put("sub/new", chunks(), durable=True)
"""


def test_right_after_a_kill_everything_that_is_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    with (
        subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path)],
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
        ) as writer,
        Disk(tmp_path) as disk,
    ):
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        assert disk.all_files() == []
        assert disk.sweep(older_than=0) == []  # its writer lives
        (left,) = os.listdir(tmp_path / "sub")
        assert is_temporary(left)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        assert disk.sweep(older_than=0) == [f"sub/{left}"]
        assert os.listdir(tmp_path / "sub") == []


def test_sweeping_a_disk_that_refuses_dot_entries_takes_its_drafts(
    scratch: Scratch, resolver: str
) -> None:
    assert resolver
    layouts.lay(LAYOUT, str(scratch.root), scratch)
    policy = Policy(top_level_dot_entries="refuse")
    with Disk(scratch.root, policy=policy) as disk:
        assert disk.files() == ["f"]
        assert disk.all_files() == ["d/g", "f"]
        swept = disk.sweep(older_than=0)
        assert swept == sorted([DRAFT, DRAFTS, f"d/{DRAFT}", f"d/{DRAFTS}"])
