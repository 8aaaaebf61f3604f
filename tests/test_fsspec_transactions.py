"""with fs.transaction: what is written takes its name at the end, or never."""

# ruff: noqa: PT012  (it is the end of a transaction that raises)

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import fsspec
import pandas as pd
import pytest

from safefs import Disk, EscapeError, PolicyError, Storage
from safefs.integrations.fsspec import SafeFileSystem
from safefs.operations.replace import TEMPORARY, is_temporary, temporary_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """The directory beneath safefs://d."""
    (tmp_path / "m" / "d").mkdir(parents=True)
    return tmp_path / "m" / "d"


@pytest.fixture
def fs(top: Path, resolver: str) -> Iterator[SafeFileSystem]:
    with (
        Disk(top, name="d") as disk,
        Storage("app", disks={"d": disk}) as storage,
        storage.register("d"),
    ):
        yield SafeFileSystem()


@pytest.fixture(params=["local", "memory"])
def single(request: pytest.FixtureRequest, top: Path) -> Iterator[Any]:
    """``Disk.fs`` on either driver."""
    if request.param == "local":
        with Disk(top) as disk:
            yield disk.fs
    else:
        with Storage.fake() as storage:
            yield storage["documents"].fs


def drafts(top: Path) -> list[str]:
    return [name for _, _, names in os.walk(top) for name in names if is_temporary(name)]


def test_all_files_appear_at_the_end_and_none_before(fs: SafeFileSystem, top: Path) -> None:
    fs.pipe("d/old", b"old")
    with fs.transaction:
        with fs.open("d/new", "wb") as file:
            file.write(b"new")
        fs.pipe({"d/old": b"changed", "d/sub/deep": b"deep"})
        fs.touch("d/empty")
        fs.cp_file("d/old", "d/copy")
        assert len(drafts(top)) == 5
        assert fs.find("d") == ["d/old"]
        assert fs.cat("d/old") == b"old"
        assert fs.ls("d", detail=False) == ["d/old", "d/sub"]
        assert fs.glob("d/**") == ["d", "d/old", "d/sub"]
        assert [files for _, _, files in fs.walk("d")] == [["old"], []]
        assert fs.du("d") == 3
        assert not fs.exists("d/new")
    assert {name: fs.cat(name) for name in fs.find("d")} == {
        "d/copy": b"old",
        "d/empty": b"",
        "d/new": b"new",
        "d/old": b"changed",
        "d/sub/deep": b"deep",
    }
    assert drafts(top) == []


def test_an_exception_leaves_everything_as_it_was(fs: SafeFileSystem, top: Path) -> None:
    fs.pipe("d/old", b"old")
    with pytest.raises(ZeroDivisionError), fs.transaction:
        fs.pipe({"d/old": b"changed", "d/new": b"new"})
        with fs.open("d/old", "ab") as file:
            file.write(b" and more")
        raise ZeroDivisionError
    assert os.listdir(top) == ["old"]
    assert (top / "old").read_bytes() == b"old"
    fs.pipe("d/after", b"")  # and it is over
    assert fs.exists("d/after")


def test_each_mode_of_writing_begins_with_what_it_would_in_place(single: Any) -> None:
    single.pipe({"/a": b"one", "/u": b"one", "/w": b"one"})
    with single.transaction:
        with single.open("/a", "ab") as file:
            file.write(b" two")
        with single.open("/u", "r+b") as file:
            assert file.read() == b"one"
            file.seek(0)
            file.write(b"ON")
        with single.open("/w", "wb") as file:
            file.write(b"x")
        with single.open("/n", "ab") as file:
            file.write(b"new")
        with single.open("/t", "w", encoding="utf-8") as text:
            text.write("ä")
        with single.open("/z.gz", "wb", compression="gzip") as packed:
            packed.write(b"packed")
        assert [single.cat(name) for name in ("/a", "/u", "/w")] == [b"one"] * 3
    found = {name: single.cat(name) for name in ("/a", "/u", "/w", "/n")}
    assert found == {"/a": b"one two", "/u": b"ONe", "/w": b"x", "/n": b"new"}
    assert single.read_text("/t", encoding="utf-8") == "ä"
    with single.open("/z.gz", compression="gzip") as packed:
        assert packed.read() == b"packed"


def test_exclusive_creation_is_checked_at_both_ends(single: Any) -> None:
    single.pipe("/there", b"old")
    with single.transaction:
        with pytest.raises(FileExistsError):
            single.open("/there", "xb")
        with pytest.raises(FileExistsError):
            single.pipe_file("/there", b"", mode="create")
        with pytest.raises(FileNotFoundError):
            single.open("/none", "r+b")
    with pytest.raises(FileExistsError), single.transaction:
        single.open("/late", "xb").close()
        single.pipe_file("/later", b"")
        single.disk.put("late", "was quicker")
    assert single.disk.get("late") == b"was quicker"
    assert not single.exists("/later")
    assert not single._intrans


def test_without_a_transaction_autocommit_leaves_it_to_the_caller(single: Any) -> None:
    kept, dropped = (single.open(name, "wb", autocommit=False) for name in ("/kept", "/dropped"))
    for file in (kept, dropped):
        file.write(b"x")
        file.close()
        assert file.closed
    assert single.find("/") == []
    kept.commit()
    dropped.discard()
    assert single.find("/") == ["/kept"]
    with pytest.raises(ValueError, match="committed or discarded"):
        kept.commit()
    kept.discard()
    assert single.cat("/kept") == b"x"


def test_pandas_takes_part_by_its_url(fs: SafeFileSystem, top: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    with pytest.raises(ZeroDivisionError), fsspec.filesystem("safefs").transaction:
        frame.to_csv("safefs://d/table.csv", index=False)
        raise ZeroDivisionError
    assert os.listdir(top) == []
    with fsspec.filesystem("safefs").transaction:
        frame.to_csv("safefs://d/table.csv", index=False)
        frame.to_json("safefs://d/table.json")
        assert not fs.exists("d/table.csv")
    assert pd.read_csv("safefs://d/table.csv").equals(frame)
    assert fs.ls("d", detail=False) == ["d/table.csv", "d/table.json"]


def test_the_file_system_of_a_disk_is_one_in_its_transaction(top: Path) -> None:
    """``disk.fs`` is asked for again inside the block; another thread has one of its own."""
    with Disk(top) as disk:
        with pytest.raises(ZeroDivisionError), disk.fs.transaction:
            disk.fs.pipe("/a", b"one")
            other = threading.Thread(target=lambda: disk.fs.pipe("/b", b"at once"))
            other.start()
            other.join()
            assert len(drafts(top)) == 1
            assert disk.all_files("") == ["b"]
            raise ZeroDivisionError
        assert disk.all_files() == ["b"]
        disk.fs.pipe("/c", b"")
        assert disk.exists("c")
        held = weakref.ref(disk.fs)
        assert held() is None  # and keeps no disk alive


def test_touching_takes_part(single: Any) -> None:
    single.pipe("/a", b"one")
    before = single.modified("/a")
    with single.transaction:
        single.touch("/a", truncate=False)  # a new time is no content, and is set at once
        assert single.modified("/a") >= before
        single.touch("/new", truncate=False)
        single.touch("/a")
        assert single.find("/") == ["/a"]
        assert single.size("/a") == 3
    assert single.du("/", total=False) == {"/a": 0, "/new": 0}


def test_a_transaction_without_a_block(fs: SafeFileSystem) -> None:
    fs.start_transaction()
    fs.pipe("d/a", b"one")
    assert not fs.exists("d/a")
    fs.end_transaction()
    assert fs.cat("d/a") == b"one"
    fs.pipe("d/b", b"")
    assert fs.exists("d/b")


def test_thousands_of_files_hold_no_descriptor(fs: SafeFileSystem) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with fs.transaction:
        for number in range(300):
            fs.pipe(f"d/{number}", b"")
        assert len(os.listdir("/proc/self/fd")) == before
    assert len(fs.ls("d")) == 300


def test_a_disk_that_fills_up_publishes_nothing(fs: SafeFileSystem, top: Path) -> None:
    """The last bytes of the second file cannot be written: the first is not published either."""
    with pytest.raises(OSError, match="space"), fs.transaction as transaction:
        fs.pipe("d/first", b"")
        file = fs.open("d/second", "wb")

        file.write(b"x")
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, file.fileno())
        os.close(full)
        assert len(transaction.files) == 2
    assert os.listdir(top) == []


# -- attacks -----------------------------------------------------------------------------------


def test_a_link_in_the_last_place_is_replaced_and_not_followed(
    fs: SafeFileSystem, top: Path
) -> None:
    (top.parent / "secret").write_text("secret")
    (top / "a").symlink_to("../secret")
    with fs.transaction:
        fs.pipe("d/a", b"mine")
        with pytest.raises(EscapeError):
            fs.open("d/a", "ab")  # which begins with a copy of what is there
        with pytest.raises(EscapeError):
            fs.open("d/a", "r+b")
    assert not (top / "a").is_symlink()
    assert fs.cat("d/a") == b"mine"
    assert (top.parent / "secret").read_text() == "secret"
    assert drafts(top) == []


def test_a_directory_that_is_moved_out_meanwhile_gets_nothing(
    fs: SafeFileSystem, top: Path
) -> None:
    """A held descriptor would follow the directory, and publish outside."""
    fs.mkdir("d/sub")
    with pytest.raises(OSError, match="moved"), fs.transaction:
        fs.pipe("d/sub/a", b"mine")
        os.rename(top / "sub", top.parent / "elsewhere")
        (top / "sub").mkdir()
    assert os.listdir(top / "sub") == []
    assert not (top.parent / "elsewhere" / "a").exists()
    with pytest.raises(EscapeError), fs.transaction:
        fs.pipe("d/sub/b", b"mine")
        (top / "sub").rename(top / "other")
        (top / "sub").symlink_to("../elsewhere")
    assert "b" not in os.listdir(top.parent / "elsewhere")


def test_a_draft_that_was_exchanged_is_not_published(fs: SafeFileSystem, top: Path) -> None:
    (top.parent / "secret").write_text("secret")
    with pytest.raises(OSError, match="removed"), fs.transaction:
        fs.pipe("d/a", b"mine")
        (draft,) = drafts(top)
        os.unlink(top / draft)
        os.symlink("../secret", top / draft)
    assert not os.path.lexists(top / "a")


def test_a_read_only_disk_begins_no_draft(top: Path) -> None:
    with Disk(top) as disk, disk.read_only() as view:
        fs = view.fs
        with fs.transaction:
            for mode in ("wb", "xb", "ab"):
                with pytest.raises(PolicyError):
                    fs.open("/a", mode)
    assert os.listdir(top) == []


def test_a_file_that_is_replaced_keeps_its_permissions(fs: SafeFileSystem, top: Path) -> None:
    fs.pipe("d/a", b"")
    os.chmod(top / "a", 0o640)
    with fs.transaction:
        fs.pipe("d/a", b"new")
        (draft,) = drafts(top)
        assert os.stat(top / draft).st_mode & 0o777 == 0o640
    assert os.stat(top / "a").st_mode & 0o777 == 0o640


def test_only_the_process_that_began_it_can_commit(fs: SafeFileSystem, top: Path) -> None:
    file = fs.open("d/a", "wb", autocommit=False)
    file.write(b"x")
    child = os.fork()
    if child == 0:
        try:
            file.commit()
        except ValueError:
            file.discard()
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    file.commit()
    assert fs.cat("d/a") == b"x"


# -- leftovers ---------------------------------------------------------------------------------

WRITER = """
import os, sys, time
from safefs import Disk
fs = Disk(sys.argv[1]).fs
fs.start_transaction()
fs.pipe("/sub/closed", b"x")
file = fs.open("/open", "wb")
file.write(b"x" * 100_000)
print("ready", flush=True)
time.sleep(60)
"""


def test_a_crash_publishes_nothing_and_what_it_leaves_is_swept(top: Path) -> None:
    with (
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(top)], stdout=subprocess.PIPE
        ) as writer,
        Disk(top) as disk,
        ExitStack() as leaving,
    ):
        leaving.callback(writer.kill)  # or a failure here would wait for it
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        assert len(drafts(top)) == 2
        assert disk.sweep() == []  # all of it is young
        (swept,) = disk.sweep(older_than=-60)  # the one that is open is locked
        assert swept.startswith(f"sub/{TEMPORARY}")
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        (swept,) = disk.sweep(older_than=-60)
        assert is_temporary(swept)
        assert disk.all_files() == []
        assert disk.all_directories() == ["sub"]


def test_sweeping_takes_only_what_bears_the_name(top: Path) -> None:
    names = [
        ".safefs-0123456789abcdef.tmp",
        ".safefs-0123456789abcdeg.tmp",
        ".safefs-0123456789ABCDEF.tmp",
        ".safefs-0123456789abcde.tmp",
        ".safefs-0123456789abcdef0.tmp",
        "safefs-0123456789abcdef.tmp",
        ".safefs-0123456789abcdef.tm",
        ".safefs-.tmp",
    ]
    for name in names:
        (top / name).write_text("x")
    assert [name for name in names if is_temporary(name)] == names[:1]
    assert is_temporary(temporary_name().decode())
    with Disk(top) as disk:
        assert disk.sweep(older_than=-60) == names[:1]
        assert sorted(os.listdir(top)) == sorted(names[1:])
        assert disk.fs.find("/") == sorted(f"/{name}" for name in names[1:])


def test_sweeping_follows_and_enters_no_link(top: Path) -> None:
    outside = top.parent / "outside"
    outside.mkdir()
    draft = ".safefs-0123456789abcdef.tmp"
    (outside / draft).write_text("precious")
    (top / "link").symlink_to("../outside")
    (top / draft).symlink_to("../outside")
    os.mkfifo(top / ".safefs-fedcba9876543210.tmp")
    (top / "tree").mkdir()
    (top / "tree" / draft / "deep").mkdir(parents=True)  # of a tree that was being copied
    (top / "tree" / draft / "deep" / "up").symlink_to("../../../../outside")
    with Disk(top) as disk:
        assert disk.sweep(older_than=60) == []
        assert disk.sweep(older_than=-60) == [draft, f"tree/{draft}"]
        assert disk.sweep("tree", older_than=-60) == []
    assert (outside / draft).read_text() == "precious"


def test_sweeping_reaches_the_drafts_of_a_disk_without_dot_entries(top: Path) -> None:
    from safefs import Policy

    (top / ".ssh").mkdir()
    draft = ".safefs-0123456789abcdef.tmp"
    for name in (draft, f".ssh/{draft}"):
        (top / name).write_text("x")
    with Disk(top, policy=Policy(top_level_dot_entries="refuse")) as disk:
        assert disk.sweep(older_than=-60) == [draft]
        with disk.fs.transaction:
            disk.fs.pipe("/a", b"")
        fs = disk.fs
        with fs.transaction:
            fs.pipe("/b", b"x")
        assert fs.find("/") == ["/a", "/b"]
    assert os.listdir(top / ".ssh") == [draft]


def test_a_read_only_disk_is_not_swept(top: Path) -> None:
    with Disk(top) as disk, disk.read_only() as view, pytest.raises(PolicyError):
        view.sweep()


def test_what_is_old_enough_goes(top: Path) -> None:
    (top / ".safefs-0123456789abcdef.tmp").write_text("x")
    time.sleep(0.02)
    with Disk(top) as disk:
        assert disk.sweep(older_than=3600) == []
        assert disk.sweep(older_than=0.0) == [".safefs-0123456789abcdef.tmp"]


def test_a_transaction_in_a_transaction_is_refused_and_ends_the_outer_one(
    fs: SafeFileSystem, top: Path
) -> None:
    with pytest.raises(RuntimeError, match="begun"), fs.transaction:
        fs.pipe_file("d/first", b"1")
        with fs.transaction:
            fs.pipe_file("d/second", b"2")
    assert os.listdir(top) == []
    with fs.transaction:
        fs.pipe_file("d/after", b"3")
    assert os.listdir(top) == ["after"]


def test_a_fork_that_ends_the_transaction_writes_nothing_into_the_writers_file(
    fs: SafeFileSystem, top: Path
) -> None:
    with fs.transaction as transaction:
        fs.open("d/a", "wb").write(b"once")
        child = os.fork()
        if child == 0:
            try:
                transaction.complete()
            except ValueError:
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (top / "a").read_bytes() == b"once"
