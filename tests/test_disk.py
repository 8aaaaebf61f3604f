"""What a Disk does on a directory of this machine: links, modes, other disks, closing, threads."""

from __future__ import annotations

import errno
import io
import mimetypes
import os
import pickle
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from safefs.disk import Disk
from safefs.drivers import transfer
from safefs.drivers.base import Stat
from safefs.drivers.local import LocalDriver
from safefs.drivers.memory import MemoryDriver
from safefs.errors import EscapeError, PolicyError, SameFileError
from safefs.kernel import probe, syscalls
from safefs.policy import Policy
from safefs.root import Root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from safefs.drivers.base import Driver
    from safefs.drivers.transfer import End


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory under a moat, with something outside that must never be reached."""
    directory = tmp_path / "m" / "m" / "m" / "disk"
    directory.mkdir(parents=True)
    (directory.parent / "secret").write_text("secret")
    return directory


@pytest.fixture
def disk(home: Path) -> Iterator[Disk]:
    with Disk(home, name="home") as disk:
        yield disk


class TestOpening:
    def test_a_missing_directory_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            Disk(tmp_path / "gone")

    def test_create_makes_it_with_those_above(self, tmp_path: Path) -> None:
        for _ in range(2):
            with Disk(os.fsencode(tmp_path / "one" / "two"), create=True) as disk:
                disk.put("f", b"1")
        assert (tmp_path / "one" / "two" / "f").read_bytes() == b"1"

    def test_create_in_the_working_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Disk("here", create=True).close()
        assert (tmp_path / "here").is_dir()

    def test_create_makes_nothing_behind_a_dangling_link(self, tmp_path: Path) -> None:
        (tmp_path / "dangling").symlink_to("gone")
        for path in ("dangling", "dangling/below", "dangling/be/low"):
            with pytest.raises(FileNotFoundError):
                Disk(tmp_path / path, create=True)
        assert not (tmp_path / "gone").exists()

    def test_a_file_is_no_disk(self, tmp_path: Path) -> None:
        (tmp_path / "f").touch()
        for create in (False, True):
            with pytest.raises(NotADirectoryError):
                Disk(tmp_path / "f", create=create)
        with pytest.raises(NotADirectoryError):
            Disk(tmp_path / "f" / "below", create=True)

    @pytest.mark.parametrize(
        ("name", "error"), [("", ValueError), ("a/b", ValueError), (3, TypeError)]
    )
    def test_a_name_is_part_of_a_url(self, tmp_path: Path, name: Any, error: type) -> None:
        with pytest.raises(error):
            Disk(tmp_path / "new", name=name, create=True)
        assert not (tmp_path / "new").exists()

    def test_it_holds_the_directory_and_not_its_name(self, disk: Disk, home: Path) -> None:
        disk.put("f", b"1")
        home.rename(home.parent / "moved")
        home.mkdir()
        assert disk.get("f") == b"1"


class TestLinks:
    """A link inside counts as what it leads to; any other is in no list, and stat says so."""

    @pytest.fixture(autouse=True)
    def _links(self, home: Path) -> None:
        (home / "real").mkdir()
        (home / "real" / "f").write_bytes(b"inside")
        (home / "to_file").symlink_to("real/f")
        (home / "to_dir").symlink_to("real")
        (home / "dangling").symlink_to("gone")
        (home / "loop").symlink_to("loop")
        (home / "out_file").symlink_to("../secret")
        (home / "out_dir").symlink_to("..")
        (home / "absolute").symlink_to(home / "real" / "f")
        (home / "real" / "up").symlink_to("../to_file")

    NOWHERE = ("dangling", "loop", "out_file", "out_dir", "absolute")

    def test_lists_count_a_link_inside_as_what_it_leads_to(self, disk: Disk) -> None:
        assert disk.files() == ["to_file"]
        assert disk.files("to_dir") == ["to_dir/f", "to_dir/up"]
        assert disk.directories() == ["real", "to_dir"]
        assert disk.all_files() == ["real/f", "real/up", "to_file"]
        assert disk.all_directories() == ["real", "to_dir"]

    @pytest.mark.parametrize("name", NOWHERE)
    def test_a_link_that_leads_nowhere_does_not_exist(self, disk: Disk, name: str) -> None:
        assert disk.missing(name)
        assert not disk.exists(name)
        assert not disk.file_exists(name)
        assert not disk.directory_exists(name)

    @pytest.mark.parametrize("name", NOWHERE)
    def test_stat_reports_it_as_what_it_is(self, disk: Disk, name: str) -> None:
        assert disk.stat(name).kind == "symlink"
        with pytest.raises(OSError):
            disk.size(name)
        with pytest.raises(OSError):
            disk.stat(name + "/")

    def test_stat_follows_a_link_inside(self, disk: Disk) -> None:
        assert disk.stat("to_file").kind == "file"
        assert disk.stat("to_dir").kind == "directory"
        assert disk.get("to_file") == disk.get("real/up") == b"inside"

    def test_what_lies_beyond_a_link_outside_is_an_escape(self, disk: Disk) -> None:
        for path in ("out_dir/secret", "out_dir/new"):
            with pytest.raises(EscapeError):
                disk.stat(path)
            with pytest.raises(EscapeError):
                disk.put(path, b"1")
        with pytest.raises(EscapeError):
            disk.files("out_dir")
        with pytest.raises(EscapeError):
            disk.scoped("out_dir")

    @pytest.mark.parametrize("name", [*NOWHERE, "to_file"])
    def test_put_replaces_a_link_and_not_what_it_leads_to(
        self, disk: Disk, home: Path, name: str
    ) -> None:
        disk.put(name, b"new")
        assert not (home / name).is_symlink()
        assert (home / name).read_bytes() == b"new"
        assert (home / "real" / "f").read_bytes() == b"inside"
        assert (home.parent / "secret").read_text() == "secret"

    def test_append_follows_a_link_inside_only(self, disk: Disk, home: Path) -> None:
        disk.append("to_file", b"!")
        assert (home / "real" / "f").read_bytes() == b"inside!"
        with pytest.raises(EscapeError):
            disk.append("out_file", b"!")
        assert (home.parent / "secret").read_text() == "secret"

    def test_prepend_replaces_a_link_by_a_file(self, disk: Disk, home: Path) -> None:
        disk.prepend("to_file", b"!")
        assert (home / "to_file").read_bytes() == b"!inside"
        assert (home / "real" / "f").read_bytes() == b"inside"

    @pytest.mark.parametrize("name", [*NOWHERE, "to_file", "to_dir"])
    def test_delete_removes_the_link_itself(self, disk: Disk, home: Path, name: str) -> None:
        disk.delete(name)
        assert not (home / name).is_symlink()
        assert (home / "real" / "f").exists()

    @pytest.mark.parametrize("name", ["to_dir", "out_dir", "to_dir/", "out_dir/"])
    def test_delete_directory_takes_no_link(self, disk: Disk, home: Path, name: str) -> None:
        with pytest.raises(NotADirectoryError):
            disk.delete_directory(name)
        assert (home / "real" / "f").exists()
        assert (home.parent / "secret").exists()

    def test_move_moves_the_link_itself(self, disk: Disk, home: Path) -> None:
        assert disk.move("out_file", "one/moved") == "renamed"
        assert (home / "one" / "moved").readlink() == type(home)("../secret")

    def test_a_hard_link_is_the_same_file(self, disk: Disk, home: Path) -> None:
        """rename(2) of one onto the other does nothing and says that it did."""
        os.link(home / "real" / "f", home / "hard")
        for act in (disk.copy, disk.move):
            with pytest.raises(SameFileError):
                act("hard", "real/f")
        assert disk.exists("hard")

    def test_copying_a_file_onto_a_link_to_it_replaces_the_link(
        self, disk: Disk, home: Path
    ) -> None:
        disk.copy("real/f", "to_file")
        assert not (home / "to_file").is_symlink()
        assert disk.get("to_file") == disk.get("real/f") == b"inside"

    def test_a_policy_without_links_lists_none(self, home: Path) -> None:
        with Disk(home, policy=Policy(symlinks="never")) as disk:
            assert disk.files() == []
            assert disk.directories() == ["real"]
            assert disk.all_files() == ["real/f"]
            assert disk.stat("to_file").kind == "symlink"
            with pytest.raises(PolicyError):
                disk.get("to_file")

    def test_a_link_to_what_the_policy_refuses_is_in_no_list(self, home: Path) -> None:
        (home / ".ssh").mkdir()
        (home / ".ssh" / "key").write_bytes(b"key")
        (home / "notes").symlink_to(".ssh")
        (home / "key").symlink_to(".ssh/key")
        with Disk(home, policy=Policy(top_level_dot_entries="refuse")) as disk:
            assert disk.directories() == ["real", "to_dir"]
            assert "key" not in disk.files()
            assert disk.stat("notes").kind == "symlink"
            assert disk.missing("key")
            with pytest.raises(PolicyError):
                disk.stat(".ssh")
            with pytest.raises(PolicyError):
                disk.get("key")


class TestOtherThings:
    def test_what_is_neither_file_nor_directory_is_in_no_list(
        self, disk: Disk, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        os.mkfifo(home / "fifo")
        monkeypatch.chdir(home)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket")
            assert disk.files() == disk.directories() == disk.all_files() == []
            for name in ("fifo", "socket"):
                assert disk.stat(name).kind == "other"
                assert disk.exists(name)
                assert not disk.file_exists(name)
                with pytest.raises(OSError) as caught:
                    disk.get(name)
                assert caught.value.errno == errno.ENXIO
        disk.delete("fifo", "socket")

    def test_names_that_are_no_text_are_listed_and_usable(self, disk: Disk, home: Path) -> None:
        (home / os.fsdecode(b"caf\xe9")).write_bytes(b"1")
        (home / "new\nline").write_bytes(b"2")
        assert [disk.get(path) for path in disk.files()] == [b"1", b"2"]
        assert disk.get(b"caf\xe9") == b"1"

    def test_mime_type_asks_the_machine_nothing(
        self, disk: Disk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def asked(*_: object) -> None:
            pytest.fail("the system's table was read")

        monkeypatch.setattr(mimetypes, "inited", False)
        monkeypatch.setattr(mimetypes, "init", asked)
        disk.put("data:text", b"1")
        disk.put("x.html", b"1")
        disk.put("y.svgz", b"1")
        assert disk.mime_type("data:text") is None
        assert disk.mime_type("x.html") == "text/html"
        assert disk.mime_type("y.svgz") == "application/gzip"

    def test_the_text_that_is_open_knows_its_mode(self, disk: Disk) -> None:
        with disk.open("f", "w", 1) as file:
            assert file.mode == "w"
            file.write("line\n")
            assert disk.get("f") == b"line\n"


WRITES: dict[str, Callable[[Disk, str], object]] = {
    "put": lambda disk, path: disk.put(path, b"1"),
    "append": lambda disk, path: disk.append(path, b"1"),
    "prepend": lambda disk, path: disk.prepend(path, b"1"),
    "put_json": lambda disk, path: disk.put_json(path, 1),
    "w": lambda disk, path: disk.open(path, "w").close(),
    "x": lambda disk, path: disk.open(path, "x").close(),
    "a+": lambda disk, path: disk.open(path, "a+").close(),
    "touch": lambda disk, path: (disk / path).touch(),
    "write_bytes": lambda disk, path: (disk / path).write_bytes(b"1"),
}
OVERWRITES = {name: write for name, write in WRITES.items() if name != "x"}


class TestModes:
    @pytest.fixture(autouse=True)
    def _umask(self) -> Iterator[None]:
        before = os.umask(0o022)
        yield
        os.umask(before)

    @pytest.fixture
    def private(self, home: Path) -> Iterator[Disk]:
        driver = LocalDriver(Root(home), file_mode=0o600, directory_mode=0o700)
        with Disk._over(driver, name="private") as disk:
            yield disk

    @pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
    def test_a_new_file_has_the_mode_of_its_disk(
        self, disk: Disk, private: Disk, home: Path, write: Callable[[Disk, str], object]
    ) -> None:
        write(disk, "by_umask")
        write(private, "private")
        assert (home / "by_umask").stat().st_mode & 0o7777 == 0o644
        assert (home / "private").stat().st_mode & 0o7777 == 0o600

    @pytest.mark.parametrize("write", OVERWRITES.values(), ids=OVERWRITES.keys())
    @pytest.mark.parametrize("mode", [0o640, 0o755, 0o664])
    def test_an_old_file_keeps_its_mode(
        self, private: Disk, home: Path, write: Callable[[Disk, str], object], mode: int
    ) -> None:
        (home / "old").touch()
        (home / "old").chmod(mode)
        write(private, "old")
        assert (home / "old").stat().st_mode & 0o7777 == mode

    def test_new_directories_are_as_narrow_all_the_way(
        self, disk: Disk, private: Disk, home: Path
    ) -> None:
        disk.put("pub/lic/f", b"1")
        private.put("pri/vate/f", b"1")
        private.make_directory("one/two")
        (private / "three").mkdir(0o777)
        private.scoped("four/five", create=True).close()
        for path in ("pub", "pub/lic"):
            assert (home / path).stat().st_mode & 0o7777 == 0o755
        for path in ("pri", "pri/vate", "one", "one/two", "three", "four", "four/five"):
            assert (home / path).stat().st_mode & 0o7777 == 0o700

    def test_disks_narrowed_from_it_are_as_private(self, private: Disk, home: Path) -> None:
        with private.scoped("s", create=True) as scoped:
            scoped.put("f", b"1")
        assert (home / "s" / "f").stat().st_mode & 0o7777 == 0o600

    def test_a_copy_from_elsewhere_gets_no_more_than_the_disk_gives(
        self, private: Disk, home: Path
    ) -> None:
        with Disk._over(MemoryDriver()) as memory:
            memory.put("f", b"1")
            memory.set_visibility("f", "public")
            private.copy(memory / "f", "f")
        assert (home / "f").stat().st_mode & 0o7777 == 0o600

    def test_a_file_is_private_from_the_moment_it_exists(
        self, private: Disk, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        modes = []
        real = syscalls.open

        def watching(*args: Any, **keywords: Any) -> int:
            fd = real(*args, **keywords)
            modes.append(os.fstat(fd).st_mode & 0o777)
            return fd

        monkeypatch.setattr(probe, "forced", "walk")
        monkeypatch.setattr(syscalls, "open", watching)
        with private.open("f", "w"):
            pass
        assert modes[-1] == 0o600
        assert (home / "f").stat().st_mode & 0o777 == 0o600

    def test_set_visibility_keeps_the_owners_bits(self, disk: Disk, home: Path) -> None:
        (home / "run").touch()
        for before, private, public in ((0o755, 0o700, 0o755), (0o640, 0o600, 0o644)):
            (home / "run").chmod(before)
            disk.set_visibility("run", "private")
            assert (home / "run").stat().st_mode & 0o7777 == private
            disk.set_visibility("run", "public")
            assert (home / "run").stat().st_mode & 0o7777 == public


class TestBetweenDisks:
    @pytest.fixture(params=["memory", "local"])
    def other(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
        if request.param == "memory":
            made = Disk._over(MemoryDriver(), name="other")
        else:
            made = Disk(tmp_path / "other", create=True, name="other")
        with made as other:
            yield other

    def test_files_go_both_ways(self, disk: Disk, other: Disk) -> None:
        disk.put("f", b"1" * 3_000_000)
        disk.copy("f", other / "a" / "f")
        assert disk.move(other / "a" / "f", "g") == "copied"
        assert disk.checksum("g") == disk.checksum("f")
        assert other.all_files() == []
        assert other.move(disk / "f", "f") == "copied"
        assert disk.files() == ["g"]

    def test_a_link_is_followed_for_the_copy_and_itself_removed(
        self, disk: Disk, other: Disk, home: Path
    ) -> None:
        (home / "real").write_bytes(b"1")
        (home / "link").symlink_to("real")
        (home / "out").symlink_to("../secret")
        assert disk.move("link", other / "f") == "copied"
        assert other.get("f") == b"1"
        assert disk.files() == ["real"]
        for act in (disk.copy, disk.move):
            with pytest.raises(EscapeError):
                act("out", other / "out")
        assert other.missing("out")
        assert (home / "out").is_symlink()

    def test_a_source_that_fails_leaves_the_target(
        self, disk: Disk, other: Disk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other.put("f", b"old")
        disk.put("f", b"new")

        def fails(*_: object) -> bytes:
            raise OSError(errno.EIO, "no")

        monkeypatch.setattr("safefs.drivers.content._bytes", fails)
        for overwrite in (True, False):
            with pytest.raises(OSError):
                disk.move("f", other / "f", overwrite=overwrite)
        assert (disk.get("f"), other.get("f")) == (b"new", b"old")
        assert other.all_files() == ["f"]

    def test_a_name_taken_meanwhile_is_not_overwritten(
        self, disk: Disk, other: Disk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Someone takes it after it was looked at: what decides is the rename."""
        monkeypatch.setattr("safefs.drivers.transfer.refuse_same", lambda *_, **__: None)
        other.put("f", b"old")
        disk.put("f", b"new")
        for act in (disk.copy, disk.move):
            with pytest.raises(FileExistsError):
                act("f", other / "f", overwrite=False)
        assert other.all_files() == ["f"]
        assert (disk.get("f"), other.get("f")) == (b"new", b"old")

    def test_what_was_not_copied_is_not_removed(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two disks over one directory, and the look at whether the files are one comes too early.

        The copy then replaces the source itself; to remove "the source" would remove the copy.
        """
        monkeypatch.setattr("safefs.drivers.transfer.refuse_same", lambda *_, **__: None)
        with Disk(home) as one, Disk(home) as two:
            one.put("f", b"only")
            with pytest.raises(OSError, match="was not removed"):
                one.move("f", two / "f")
            assert one.get("f") == b"only"

    def test_what_was_written_to_the_source_while_it_was_moved_is_not_lost(
        self, disk: Disk, other: Disk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        copy_across = transfer.copy_across

        def overtaken(here: End, there: End, *, overwrite: bool) -> Stat:
            found = copy_across(here, there, overwrite=overwrite)
            disk.append("f", b" and new")
            return found

        monkeypatch.setattr(transfer, "copy_across", overtaken)
        disk.put("f", b"old")
        with pytest.raises(OSError, match="was not removed") as caught:
            disk.move("f", other / "f")
        assert caught.value.errno == errno.ESTALE
        assert (disk.get("f"), other.get("f")) == (b"old and new", b"old")

    def test_a_mount_inside_makes_a_move_a_copy(
        self, disk: Disk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def crosses(*_: object, **__: object) -> None:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

        disk.put("a/f", b"1")
        disk.make_directory("d")
        monkeypatch.setattr(syscalls, "rename", crosses)
        with pytest.raises(OSError) as caught:
            disk.move("d", "e")
        assert caught.value.errno == errno.EXDEV
        monkeypatch.setattr(Root, "rename", crosses)
        monkeypatch.setattr(syscalls, "rename", os.rename)
        assert disk.move("a/f", "b/f") == "copied"
        assert (disk.get("b/f"), disk.all_files()) == (b"1", ["b/f"])


class TestContentOfAnyKind:
    def test_what_gives_nothing_stores_nothing(self, disk: Disk) -> None:
        for path, content in (("a", []), ("b", b""), ("c", io.BytesIO()), ("d", "")):
            disk.put(path, content)
            assert disk.get(path) == b""

    def test_a_view_that_is_not_contiguous_is_read_in_its_order(self, disk: Disk) -> None:
        disk.put("f", memoryview(b"a1b2c3")[::2])
        assert disk.get("f") == b"abc"

    def test_a_large_stream_arrives(self, disk: Disk, tmp_path: Path) -> None:
        (tmp_path / "big").write_bytes(os.urandom(5_000_000))
        with (tmp_path / "big").open("rb") as file:
            disk.put("big", file)
            file.seek(0)
            disk.append("big", file, separator=b"-")
        data = (tmp_path / "big").read_bytes()
        assert disk.get("big") == data + b"-" + data

    def test_an_appended_record_is_one_write(
        self, disk: Disk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two programs that append to one log do not come between the parts of a record."""
        disk.put("log", b"first")
        for size in (10, 100_000):
            with disk.open("log", "rb") as reader:
                held = len(reader.read())
                disk.append("log", b"x" * size, separator=b"\n")
                assert reader.read() == b"\n" + b"x" * size
            assert disk.size("log") == held + 1 + size


@pytest.mark.parametrize("_", range(20))
def test_closing_under_threads_gives_errors_and_nothing_else(home: Path, _: int) -> None:
    disk = Disk(home)
    disk.put("f", b"1")
    begun = threading.Barrier(5)
    wrong: list[object] = []

    def work() -> None:
        begun.wait()
        try:
            while True:
                if disk.get("f") != b"1":
                    wrong.append("another file")
                disk.put("g", b"1")
                disk.files()
        except (ValueError, OSError):
            return
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    begun.wait()
    disk.close()
    for thread in threads:
        thread.join()
    assert not wrong


FORKED = """
import os, sys, threading, time
from safefs.disk import Disk

disk = Disk(sys.argv[1])
held, go = threading.Event(), threading.Event()

def slow():
    yield b"1"
    held.set()
    go.wait()
    yield b"2"

thread = threading.Thread(target=disk.append, args=("parent", slow()))
thread.start()
held.wait()
child = os.fork()
if child == 0:
    disk.append("child", b"1")   # the lock was held in the middle of the fork
    os._exit(0)
code = os.waitpid(child, 0)[1]
go.set()
thread.join()
sys.exit(code)
"""


@pytest.mark.filterwarnings("ignore")
def test_a_fork_in_the_middle_of_an_append_locks_nobody_out(home: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED, str(home)], timeout=60, check=False
    )
    assert run.returncode == 0
    assert (home / "child").read_bytes() == b"1"
    assert (home / "parent").read_bytes() == b"12"


def test_another_disk_is_no_target_and_the_error_says_how_to_name_one(home: Path) -> None:
    with Disk(home / "1", create=True) as disk, Disk(home / "2", create=True) as other:
        disk.put("a.txt", "a")
        calls: list[Callable[..., object]] = [disk.copy, disk.move]
        for call in calls:
            with pytest.raises(TypeError, match=r'other / "a\.txt"'):
                call("a.txt", other)
        disk.copy("a.txt", other / "a.txt")


def test_what_is_to_be_sent_instead_of_a_disk_is_something_it_has(home: Path) -> None:
    with Disk(home) as disk, pytest.raises(TypeError, match="send the name of its directory"):
        pickle.dumps(disk)
    with Disk(home, name="n") as disk, pytest.raises(TypeError, match="send its name, 'n'"):
        pickle.dumps(disk)


def test_it_says_what_it_is(home: Path) -> None:
    with Disk(home, name="n") as disk:
        assert repr(disk).startswith(f"<Disk 'n' LocalDriver({str(home)!r}) Policy(")
        assert f"LocalDriver('{home}/sub')" in repr(disk.scoped("sub", create=True))
        assert f"LocalDriver('{home}')" in repr(disk.read_only())
    with Disk(home) as disk:
        assert repr(disk / "a") == f"DiskPath('a', disk=LocalDriver('{home}'))"
    with Disk(home, name="n") as disk:
        pass
    assert repr(disk) == "<Disk 'n' closed>"


# What is refused changes nothing

LONG = "l" * 256
DOTS = Policy(top_level_dot_entries="refuse")
FROM_ELSEWHERE = {"copy", "copy as new", "move"}
PUTS: dict[str, Callable[[Disk, Any, str], object]] = {
    "put": lambda disk, _, path: disk.put(path, b"1"),
    "append": lambda disk, _, path: disk.append(path, b"1"),
    "prepend": lambda disk, _, path: disk.prepend(path, b"1"),
    "copy": lambda disk, source, path: disk.copy(source, path),
    "copy as new": lambda disk, source, path: disk.copy(source, path, overwrite=False),
    "move": lambda disk, source, path: disk.move(source, path),
}


def _driver(kind: str, home: Path, policy: Policy | None, directory_mode: int) -> Driver:
    if kind == "memory":
        return MemoryDriver(policy, directory_mode=directory_mode)
    return LocalDriver(Root(home, policy=policy), directory_mode=directory_mode)


@pytest.mark.parametrize("kind", ["local", "memory"])
@pytest.mark.parametrize("directory_mode", [0o777, 0o700])
@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("put", PUTS)
@pytest.mark.parametrize(
    ("path", "policy", "error"),
    [
        ("e/../..", None, EscapeError),
        ("n/m/../../../x", None, EscapeError),
        ("new/../full/../../../x", None, EscapeError),
        ("q/r/NUL", Policy(portable_names=True), PolicyError),
        ("v/../.hidden", DOTS, PolicyError),
        ("v/../.hidden/x/y", DOTS, PolicyError),
        ("new/..", None, OSError),
        ("new/./..", None, OSError),
        ("a/b/x/", None, OSError),
        ("new/../full", None, OSError),
        ("new/../f/x/y", None, NotADirectoryError),
        (f"a/{LONG}", None, OSError),
        (f"a/{LONG}/x", None, OSError),
    ],
)
def test_a_refusal_leaves_no_directories(
    home: Path,
    kind: str,
    directory_mode: int,
    elsewhere: bool,
    put: str,
    path: str,
    policy: Policy | None,
    error: type[OSError],
) -> None:
    if elsewhere and put not in FROM_ELSEWHERE:
        return
    with Disk._over(_driver(kind, home, policy, directory_mode)) as disk:
        with Disk._over(MemoryDriver()) as other:
            for one in (disk, other):
                one.put("f", b"f")
                one.put("full/f", b"f")
            before = disk.all_directories(), disk.all_files()
            with pytest.raises(error):
                PUTS[put](disk, other / "f" if elsewhere else "f", path)
        assert (disk.all_directories(), disk.all_files()) == before


@pytest.mark.parametrize("kind", ["local", "memory"])
@pytest.mark.parametrize("directory_mode", [0o777, 0o700])
@pytest.mark.parametrize(
    ("path", "policy"),
    [
        ("n/m/../../../x", None),
        ("v/../.hidden", DOTS),
        ("v/../.hidden/x", DOTS),
        ("new/../f", None),
        ("new/../f/x", None),
        (f"a/{LONG}", None),
        (f"a/{LONG}/x", None),
    ],
)
def test_a_directory_that_is_refused_leaves_none_above(
    home: Path, kind: str, directory_mode: int, path: str, policy: Policy | None
) -> None:
    with Disk._over(_driver(kind, home, policy, directory_mode)) as disk:
        disk.put("f", b"f")
        for make in (
            disk.make_directory,
            lambda path: disk.put_file_as(path, io.BytesIO(b"1"), "name"),
        ):
            with pytest.raises(OSError):
                make(path)
            assert disk.all_directories() == []


@pytest.mark.parametrize("kind", ["local", "memory"])
@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("tree/x/y", errno.EINVAL),
        ("tree/sub/../x/y", errno.EINVAL),
        ("new/../f", errno.ENOTDIR),
        ("new/..", errno.EINVAL),
    ],
)
def test_a_directory_that_cannot_move_there_makes_none(
    home: Path, kind: str, path: str, number: int
) -> None:
    with Disk._over(_driver(kind, home, None, 0o777)) as disk:
        disk.put("f", b"f")
        disk.make_directory("tree/sub")
        with pytest.raises(OSError) as caught:
            disk.move("tree", path)
        assert caught.value.errno == number
        assert (caught.value.filename, caught.value.filename2) == ("tree", path)
        assert disk.all_directories() == ["tree", "tree/sub"]
        assert disk.move("tree", "deep/er/tree/") == "renamed"


def test_a_link_that_leads_nowhere_on_the_way_leaves_no_directories(disk: Disk, home: Path) -> None:
    (home / "dangling").symlink_to("gone")
    with pytest.raises(FileNotFoundError):
        disk.put("new/../dangling/x", b"1")
    with pytest.raises(FileExistsError):
        disk.make_directory("new/../dangling")
    assert disk.all_directories() == []


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_dots_among_directories_that_are_made_lead_where_they_will(home: Path, kind: str) -> None:
    with Disk._over(_driver(kind, home, None, 0o700)) as disk:
        disk.put("new/../old/f", b"1")
        disk.put("newer/../old/f", b"2")
        disk.make_directory("newest/..")
        assert disk.get("old/f") == b"2"
        assert disk.directories() == ["new", "newer", "newest", "old"]
        assert all(disk.stat(name).permissions == 0o700 for name in disk.directories())


def test_a_move_takes_what_it_opened_and_removes_nothing_else(
    disk: Disk, home: Path, tmp_path: Path
) -> None:
    """Swapped between open and stat, another file was removed that had never been copied."""
    driver = disk._driver
    (home / "source").write_bytes(b"what is read")

    class Swapped(LocalDriver):
        def open(self, path: Any, mode: str, *, permissions: int | None = None) -> Any:
            file = super().open(path, mode, permissions=permissions)
            (home / "other").write_bytes(b"never copied")
            (home / "other").replace(home / "source")
            return file

    driver.close()
    disk._driver = Swapped(Root(home))
    with Disk(tmp_path / "there", create=True) as there:
        with pytest.raises(OSError) as caught:
            disk.move("source", there / "target")
        assert caught.value.errno == errno.ESTALE
        assert there.get("target") == b"what is read"
    assert disk.get("source") == b"never copied"


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_an_open_file_is_what_was_opened(home: Path, kind: str) -> None:
    driver = _driver(kind, home, None, 0o777)
    with Disk._over(driver) as disk:
        disk.put("f", b"1")
        before = disk.stat("f")
        with disk.read_stream("f") as file:
            disk.put("f", b"another")
            assert driver.stat_open(file).is_same_file(before)
            assert driver.stat_open(file).size == 1


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_a_source_may_itself_add_to_the_file(home: Path, kind: str) -> None:
    """The lock was held while the source was read, and this hung for good."""

    def source(add: Callable[[str, bytes], None]) -> Iterator[bytes]:
        yield b"(first"
        worker = threading.Thread(target=add, args=("f", b"[inner]"), daemon=True)
        worker.start()
        worker.join(10)
        assert not worker.is_alive()
        add("f", b"[own]")
        yield b"last)"

    with Disk._over(_driver(kind, home, None, 0o777)) as disk:
        disk.append("f", source(disk.append))
        assert disk.get("f") == b"[inner][own](firstlast)"
        disk.delete("f")
        disk.prepend("f", source(disk.prepend))
        assert disk.get("f") == b"(firstlast)[own][inner]"


def test_a_source_that_fails_adds_nothing(disk: Disk) -> None:
    def source() -> Iterator[bytes]:
        yield b"1"
        raise RuntimeError("no more")

    for add in (disk.append, disk.prepend):
        with pytest.raises(RuntimeError):
            add("f", source())
        assert disk.missing("f")


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_touch_makes_the_file_with_its_mode(
    home: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It changed the mode by name afterwards, and so that of whatever stood there by then."""
    driver = _driver(kind, home, None, 0o777)
    monkeypatch.setattr(type(driver), "chmod", None)
    with Disk._over(driver) as disk:
        (disk / "f").touch(0o600)
        assert disk.stat("f").permissions == 0o600
        (disk / "f").touch(0o640)
        assert disk.stat("f").permissions == 0o600


@pytest.mark.parametrize("seconds", [10**11 * 3, -(10**11)])
def test_a_time_that_no_datetime_holds_is_the_last_that_it_does(seconds: int) -> None:
    found = Stat("file", 0, seconds * 10**9, 0o100644)
    assert found.modified.year in (1, 9999)
    assert found.modified.utcoffset() is not None


def test_create_goes_as_deep_as_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        with Disk("d/" * 1500, create=True) as disk:
            disk.put("f", b"1")
    finally:
        with Root(tmp_path) as root:
            root.remove_tree("d")  # shutil.rmtree, which pytest clears up with, does not get there


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_an_error_of_two_paths_names_both(home: Path, kind: str) -> None:
    with Disk._over(_driver(kind, home, None, 0o777)) as disk:
        disk.put("f", b"1")
        disk.make_directory("d")
        calls: list[Callable[[], object]] = [
            lambda: disk.copy("f", "d"),
            lambda: disk.copy("gone", "g"),
            lambda: disk.copy("f", "f/x"),
            lambda: disk.move("f", "f/x"),
            lambda: disk.copy("f", "../x"),
        ]
        for call in calls:
            with pytest.raises(OSError) as caught:
                call()
            assert caught.value.filename is not None
            assert caught.value.filename2 is not None


def test_json_that_cannot_be_read_is_a_value_error(disk: Disk) -> None:
    for content in (b"\xff\xfe\xff", b'"\xff"', b"[" * 100_000, b"{"):
        disk.put("f", content)
        with pytest.raises(ValueError):
            disk.json("f")


def test_a_dict_is_told_of_put_json(disk: Disk) -> None:
    for value in ({"a": 1}, {}, 3):
        with pytest.raises(TypeError, match="put_json"):
            disk.put("f", value)  # type: ignore[arg-type]
    assert disk.missing("f")


def test_a_policy_is_a_policy(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="Policy"):
        Disk(tmp_path / "new", policy={"read_only": True}, create=True)  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


def test_the_root_that_is_not_deleted_says_what_it_is(disk: Disk) -> None:
    for path in ("", ".", "./."):
        with pytest.raises(OSError, match="root of the disk") as caught:
            disk.delete_directory(path)
        assert caught.value.errno == errno.EINVAL
