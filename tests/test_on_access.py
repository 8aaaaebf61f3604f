"""on_access: a hook is told of each operation on a disk, by whatever door, and changes nothing."""

from __future__ import annotations

import logging
import os
import threading
from errno import ENOENT
from typing import TYPE_CHECKING, Any

import fsspec
import pytest
from django.core.exceptions import SuspiciousOperation
from hypothesis import given
from upath import UPath

from safefs import Access, Disk, DiskPath, Policy, Storage
from safefs.drivers.local import LocalDriver
from safefs.drivers.memory import MemoryDriver
from safefs.errors import EscapeError, InvalidPathError, PolicyError, SafefsError
from safefs.testing.strategies import hostile_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from safefs.testing.scratch import Scratch


@pytest.fixture
def told() -> list[Access]:
    return []


@pytest.fixture(params=["local", "memory"])
def disk(request: pytest.FixtureRequest, scratch: Scratch, told: list[Access]) -> Iterator[Disk]:
    if request.param == "local":
        driver: LocalDriver | MemoryDriver = LocalDriver.at(os.fspath(scratch.root))
    else:
        driver = MemoryDriver()
    with Disk._over(driver, name="docs", on_access=told.append) as disk:
        disk.put("a/f", b"inside")
        told.clear()
        yield disk


def _short(told: list[Access]) -> list[tuple[str, str, bool | None, str]]:
    return [(each.operation, each.path, each.writes, each.outcome) for each in told]


ACTS: list[tuple[str, Callable[[Disk], object], list[tuple[str, str, bool | None, str]]]] = [
    ("get", lambda d: d.get("a/f"), [("Disk.get", "a/f", False, "done")]),
    ("put", lambda d: d.put("a/f", b"x"), [("Disk.put", "a/f", True, "done")]),
    ("open", lambda d: d.open("a/f").close(), [("Disk.open", "a/f", False, "done")]),
    ("open w", lambda d: d.open("a/f", "r+b").close(), [("Disk.open", "a/f", True, "done")]),
    (
        "open atomic",
        lambda d: d.open("a/f", "w", atomic=True).close(),
        [("Disk.open", "a/f", True, "done")],
    ),
    ("exists", lambda d: d.exists("none"), [("Disk.exists", "none", False, "done")]),
    ("stat", lambda d: d.stat("a/f"), [("Disk.stat", "a/f", False, "done")]),
    ("files", lambda d: d.files("a"), [("Disk.files", "a", False, "done")]),
    ("chmod", lambda d: d.set_visibility("a/f", "private"),
     [("Disk.set_visibility", "a/f", True, "done")]),
    ("delete", lambda d: d.delete("a/f"), [("Disk.delete", "a/f", True, "done")]),
    ("rmtree", lambda d: d.delete_directory("a"), [("Disk.delete_directory", "a", True, "done")]),
    ("mkdir", lambda d: d.make_directory("b"), [("Disk.make_directory", "b", True, "done")]),
    ("explain", lambda d: d.explain("a/f"), [("Disk.explain", "a/f", False, "done")]),
    ("read_text", lambda d: (d / "a/f").read_text(),
     [("DiskPath.read_text", "a/f", False, "done")]),
    ("iterdir", lambda d: list((d / "a").iterdir()), [("DiskPath.iterdir", "a", False, "done")]),
]  # fmt: skip


@pytest.mark.parametrize(("act", "expected"), [each[1:] for each in ACTS], ids=[a[0] for a in ACTS])
def test_each_operation_is_told(
    act: Callable[[Disk], object],
    expected: list[tuple[str, str, bool | None, str]],
    disk: Disk,
    told: list[Access],
) -> None:
    act(disk)
    assert _short(told) == expected
    assert {each.disk for each in told} == {"docs"}


def test_what_goes_from_path_to_path_is_told_with_both(disk: Disk, told: list[Access]) -> None:
    disk.copy("a/f", "a/g")
    disk.move("a/g", "a/h")
    (disk / "a/h").rename("a/i")
    pairs = [(each.operation, each.path, each.target) for each in told if each.target]
    assert pairs == [
        ("Disk.copy", "a/f", "a/g"),
        ("Disk.move", "a/g", "a/h"),
        ("DiskPath.rename", "a/h", "a/i"),
    ]


def test_a_tree_is_told_as_a_whole_on_each_disk_and_no_disk_is_told_of_the_other(
    disk: Disk, told: list[Access]
) -> None:
    theirs: list[Access] = []
    with Disk._over(MemoryDriver(), name="other", on_access=theirs.append) as other:
        disk.copy_tree("a", other / "copied")
        disk.sync_to(other / "mirror", source="a")
        disk.move_tree("a", other / "moved")
        disk.archive(".", other / "all.tar")
        other.extract("all.tar", "out")
    mine = [each for each in told if each.operation in ("Disk.copy_tree", "Disk.move_tree")]
    assert {each.path for each in mine} <= {"a", "a/f", "", "f"}
    whole = {(each.operation, each.path, each.writes) for each in (*told, *theirs)}
    assert whole >= {
        ("Disk.copy_tree", "a", False),
        ("Disk.copy_tree", "copied", True),
        ("Disk.sync_to", "a", False),
        ("Disk.sync_to", "mirror", True),
        ("Disk.move_tree", "a", True),
        ("Disk.move_tree", "moved", True),
        ("Disk.extract", "out", True),
    }
    foreign = ("copied", "mirror", "moved", "all.tar")
    assert not [each for each in told if foreign[0] in each.path or each.target in foreign]
    assert {each.disk for each in theirs} == {"other"}


def test_a_refusal_is_told_with_its_rule_and_a_failure_with_its_errno(
    disk: Disk, told: list[Access]
) -> None:
    with disk.read_only() as narrow, pytest.raises(PolicyError):
        narrow.put("a/f", b"x")
    assert (told[-1].operation, told[-1].outcome, told[-1].rule) == (
        "Disk.put",
        "refused",
        "read_only",
    )
    with pytest.raises(EscapeError):
        disk.get("../x")
    assert (told[-1].path, told[-1].rule) == ("../x", "'..' above the root")
    with pytest.raises(FileNotFoundError):
        disk.get("none")
    assert (told[-1].outcome, told[-1].rule, told[-1].errno) == ("failed", None, ENOENT)


@pytest.mark.parametrize(
    ("act", "operation", "error"),
    [
        (lambda d: d.get("/x"), "Disk.get", EscapeError),
        (lambda d: d.put("a\0", b""), "Disk.put", InvalidPathError),
        (lambda d: d / "a\0", "Disk.__truediv__", InvalidPathError),
        (lambda d: d / "a" / "b\0", "DiskPath.__truediv__", InvalidPathError),
        (lambda d: d.fs.cat_file("//x"), "DiskFileSystem.cat_file", EscapeError),
    ],
)
def test_what_is_refused_for_its_text_is_told_too(
    act: Callable[[Disk], object],
    operation: str,
    error: type[SafefsError],
    disk: Disk,
    told: list[Access],
) -> None:
    with pytest.raises(error):
        act(disk)
    assert [(each.operation, each.outcome, each.writes) for each in told] == [
        (operation, "refused", None)
    ]
    assert told[0].rule is not None


@given(path=hostile_paths(names=("a", "b")))
def test_no_refusal_goes_untold(scratch: Scratch, path: str) -> None:
    told: list[Access] = []
    with Disk(scratch.root, on_access=told.append) as disk:
        for act in (disk.get, disk.files, disk.delete, disk.exists):
            told.clear()
            try:
                act(path)
            except (SafefsError, OSError):
                pass
            assert told
    assert not scratch.changes()


@pytest.fixture
def doors(disk: Disk) -> Iterator[dict[str, Callable[[str], bytes]]]:
    from tests.djangosite.settings import ready

    ready()
    from safefs.integrations.django import SafeStorage

    def by_django(path: str) -> bytes:
        with SafeStorage(disk="docs").open(path) as file:
            return bytes(file.read())

    with Storage("app", disks={"docs": disk}) as storage, storage.register("docs"):
        yield {
            "Disk": disk.get,
            "DiskPath": lambda path: (disk / path).read_bytes(),
            "fsspec": lambda path: bytes(fsspec.filesystem("safefs").cat_file(f"docs/{path}")),
            "Disk.fs": lambda path: bytes(disk.fs.cat_file(f"/{path}")),
            "UPath": lambda path: UPath(f"safefs://docs/{path}").read_bytes(),
            "django": by_django,
        }


@pytest.mark.parametrize("door", ["Disk", "DiskPath", "fsspec", "Disk.fs", "UPath", "django"])
def test_every_door_is_observed(
    door: str, doors: dict[str, Callable[[str], bytes]], told: list[Access]
) -> None:
    told.clear()
    assert doors[door]("a/f") == b"inside"
    assert [each for each in told if each.path.endswith("a/f") and each.outcome == "done"]
    told.clear()
    with pytest.raises((OSError, SuspiciousOperation)):
        doors[door]("a/../../x")
    assert [each.outcome for each in told if each.outcome == "refused"] == ["refused"]


def test_all_that_is_derived_tells_the_same_hook(disk: Disk, told: list[Access]) -> None:
    with disk.scoped("a") as scoped, scoped.with_policy(Policy()).read_only() as narrow:
        told.clear()
        assert narrow.get("f") == b"inside"
        assert (narrow / "f").exists()
    assert [(each.operation, each.path) for each in told] == [
        ("Disk.get", "f"),
        ("DiskPath.exists", "f"),
    ]


def test_a_source_that_reads_the_disk_while_it_is_written_is_told(
    disk: Disk, told: list[Access]
) -> None:
    """Or what is handed a disk could read unseen, from within a put of its own."""
    disk.put("copied", map(disk.get, ["a/f"]))
    assert [(each.path, each.writes) for each in told] == [("a/f", False), ("copied", True)]


def test_what_the_hook_raises_is_logged_and_changes_nothing(
    scratch: Scratch, caplog: pytest.LogCaptureFixture
) -> None:
    def hook(_: Access) -> None:
        raise RuntimeError("the hook is broken")

    with caplog.at_level(logging.ERROR, "safefs.audit"), Disk(scratch.root, on_access=hook) as disk:
        disk.put("f", b"inside")
        assert disk.get("f") == b"inside"
        with pytest.raises(FileNotFoundError):
            disk.get("none")
    assert len(caplog.records) == 3
    assert "the hook is broken" in str(caplog.text)


def test_a_hook_may_use_the_disk_itself(scratch: Scratch) -> None:
    seen: list[str] = []

    def hook(access: Access) -> None:
        opened.append("log", f"{access.operation} {access.path}\n")
        seen.append(access.path)

    with Disk(scratch.root, on_access=hook) as opened:
        opened.put("f", b"inside")
        assert opened.get("log") == b"Disk.put f\n"
    assert seen == ["f", "log"]


def test_a_hook_in_one_thread_hides_nothing_of_another(scratch: Scratch) -> None:
    told: list[str] = []
    asked = threading.Event()

    def hook(access: Access) -> None:
        told.append(access.path)
        if access.path == "slow":
            assert asked.wait(10)

    with Disk(scratch.root, on_access=hook) as disk:
        other = threading.Thread(target=disk.exists, args=("slow",))
        other.start()
        while "slow" not in told:
            pass
        disk.exists("quick")
        asked.set()
        other.join()
    assert told == ["slow", "quick"]


def test_a_listing_that_is_left_or_fails_is_told_once_and_leaves_nothing_open(
    disk: Disk, told: list[Access]
) -> None:
    disk.put("a/g", b"")
    told.clear()
    before = set(os.listdir("/proc/self/fd"))
    found = disk._driver.scan(disk._path("a"))
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert set(os.listdir("/proc/self/fd")) == before
    assert [(each.operation, each.outcome) for each in told] == [("scan", "done")]
    told.clear()
    with pytest.raises(NotADirectoryError):
        disk.files("a/f")
    assert [(each.operation, each.outcome) for each in told] == [("Disk.files", "failed")]


def test_the_disks_of_a_storage_tell_its_hook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[Access]
) -> None:
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "extra").mkdir()
    with (
        Disk(tmp_path / "extra") as own,
        Storage(
            "app", on_access=told.append, disks={"own": own, "extra": tmp_path / "extra"}
        ) as storage,
    ):
        for name in ("appdata", "temp", "extra", "own"):
            storage.disk(name).put("f", b"")
    assert [each.disk for each in told] == ["appdata", "temp", "extra"]


def test_without_a_hook_nothing_stands_between(scratch: Scratch) -> None:
    with Disk(scratch.root) as disk:
        assert type(disk._driver) is LocalDriver
    with Disk(scratch.root, on_access=print) as disk:
        assert isinstance(disk._driver, LocalDriver)
        assert repr(disk).startswith("<Disk LocalDriver(")


@pytest.mark.parametrize("make", [Disk, Storage])
def test_a_hook_is_a_callable(make: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="on_access is a callable, not str"):
        make("x", on_access="print")


def test_every_operation_of_a_driver_is_wrapped(disk: Disk) -> None:
    """What is new in the protocol is decided here: it is told, or it touches no path."""
    from safefs.drivers.base import Driver
    from safefs.drivers.observed import Observed

    untold = {"policy", "stat_open", "standing", "kept_mode", "stored_size", "count_in", "close"}
    operations = {name for name in vars(Driver) if name[0] != "_"} - untold
    assert operations <= set(vars(Observed))
    assert isinstance(disk / "a", DiskPath)


def test_a_path_that_is_no_path_of_a_folder_is_an_error_of_ours() -> None:
    """A refusal before there is a disk to name."""
    with pytest.raises(InvalidPathError):
        Disk("a\0b")
