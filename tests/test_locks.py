"""Locks between processes: released by whatever ends a process, and by nothing else."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from safefs import Disk, Lock, LockTimeoutError, PreconditionError, Storage
from safefs.drivers.locking import LockDirectory, LockMemory, holding
from safefs.errors import PolicyError, UnsafeFolderError
from safefs.kernel import syscalls
from safefs.operations import locks, replace
from tests.attackers import in_child
from tests.installations import home as home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from safefs.drivers.locking import Taken


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    (tmp_path / "disk").mkdir()
    with Disk(tmp_path / "disk", locks=tmp_path / "locks") as disk:
        yield disk


@contextmanager
def _child(act: Callable[[], object]) -> Iterator[int]:
    """A process that acts, says so, and waits to be killed."""
    there, said = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            act()
            os.write(said, b"held")
        except BaseException as error:  # (told to the parent)
            os.write(said, repr(error).encode())
        time.sleep(60)
        os._exit(1)
    os.close(said)
    try:
        assert os.read(there, 1000) == b"held"
        yield pid
    finally:
        os.close(there)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _is_free(disk: Disk, name: str, *, shared: bool = False) -> bool:
    try:
        with disk.lock(name, timeout=0, shared=shared):
            return True
    except LockTimeoutError:
        return False


@pytest.mark.usefixtures("resolver")
def test_another_process_waits_and_a_killed_holder_holds_nothing(disk: Disk) -> None:
    with _child(lambda: disk.lock("import").acquire()):
        assert not _is_free(disk, "import")
        assert not _is_free(disk, "import", shared=True)
        assert _is_free(disk, "export")
    assert _is_free(disk, "import")


def test_a_shared_lock_is_shared_with_another_process(disk: Disk) -> None:
    with _child(lambda: disk.lock("read", shared=True).acquire()):
        assert _is_free(disk, "read", shared=True)
        assert not _is_free(disk, "read")


def test_who_waits_is_given_it_when_the_holder_is_killed(disk: Disk) -> None:
    for timeout in (None, 30.0):
        with _child(lambda: disk.lock("import").acquire()) as pid:
            killer = os.fork()
            if not killer:
                time.sleep(0.2)
                os.kill(pid, signal.SIGKILL)
                os._exit(0)
            with disk.lock("import", timeout=timeout):
                pass
            os.waitpid(killer, 0)


def test_a_fork_of_the_holder_holds_nothing_and_lets_nothing_go(disk: Disk) -> None:
    """Nor does the lock live on in the child when the parent has let it go."""
    with disk.lock("import") as lock, _child(lambda: _let_go(lock)):
        with _child(lambda: None):
            assert not _is_free_elsewhere(disk)
        lock.release()
        assert _is_free_elsewhere(disk)
        lock.acquire()


def test_a_holder_that_ends_leaves_its_lock_to_no_child(disk: Disk) -> None:
    """It has let nothing go, and its child has a copy of the descriptor, unless that was closed."""
    told, tell = os.pipe()
    holder = os.fork()
    if not holder:
        lock = disk.lock("import")
        lock.acquire()
        if not os.fork():
            os.close(tell)
            os.read(told, 1)  # until the test is over
        os._exit(0)
    try:
        assert os.waitpid(holder, 0)[1] == 0
        assert _is_free_elsewhere(disk)
    finally:
        os.close(told)
        os.close(tell)


def _let_go(lock: Lock) -> None:
    if lock.held:
        lock.release()


def _is_free_elsewhere(disk: Disk) -> bool:
    """As another process sees it, to which this thread's own lock is a stranger's."""
    pid = os.fork()
    if not pid:
        os._exit(0 if _is_free(disk, "import") else 1)
    return not os.waitpid(pid, 0)[1]


def test_a_fork_while_a_thread_waits_keeps_no_lock(disk: Disk) -> None:
    """The descriptor of who waits is in the child too, and the lock would come to both."""
    holder = disk.lock("import")
    holder.acquire()
    got = threading.Event()

    def wait() -> None:
        with disk.lock("import"):
            got.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    while not locks._waiting:
        time.sleep(0.01)
    with _child(lambda: None):
        holder.release()
        assert got.wait(30)
        waiter.join()
        assert _is_free(disk, "import")


def test_a_child_is_told_that_it_holds_nothing(disk: Disk) -> None:
    with disk.lock("import") as lock:
        pid = os.fork()
        if not pid:
            os._exit(1 if lock.held else 0)
        assert os.waitpid(pid, 0)[1] == 0
        assert lock.held


def test_only_a_missing_target_is_a_failed_condition(tmp_path: Path) -> None:
    """Or a loop that looks again would look for ever."""

    def source() -> Iterator[bytes]:
        yield b"1"
        raise FileNotFoundError

    with Disk(tmp_path / "disk", create=True, locks=tmp_path / "no" / "locks") as disk:
        disk.put("f", b"0")
        tag = disk.etag("f")
        for content in (b"1", source()):
            with pytest.raises(FileNotFoundError):
                disk.put("f", content, if_match=tag)
        for path in ("none", "no/ne"):
            with pytest.raises(PreconditionError):
                disk.put(path, b"1", if_match=tag)


@pytest.mark.parametrize("timeout", [10**400, 1e300, float("inf")], ids=["int", "float", "inf"])
def test_a_time_beyond_all_measure_is_for_ever(disk: Disk, timeout: float) -> None:
    with (
        disk.lock("a", timeout=timeout),
        Storage.fake() as storage,
        storage.disk("documents").lock("a", timeout=timeout),
    ):
        pass


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_anew(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[Path] = []
    real = syscalls.flock

    def flock(fd: int, how: int) -> None:
        if not removed:
            (removed_file,) = (tmp_path / "locks").iterdir()
            removed_file.unlink()
            removed.append(removed_file)
        real(fd, how)

    monkeypatch.setattr(syscalls, "flock", flock)
    with disk.lock("a"):
        assert removed[0].exists()


def test_a_place_for_locks_is_made_at_the_first_one_and_for_its_owner(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    with Disk(tmp_path / "disk", locks=tmp_path / "locks") as disk:
        lock = disk.lock("a")
        assert not (tmp_path / "locks").exists()
        with lock:
            pass
        assert (tmp_path / "locks").stat().st_mode & 0o777 == 0o700
        (file,) = (tmp_path / "locks").iterdir()
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.stat().st_size == 0
        assert "a" not in file.name.split()
        assert not os.listdir(tmp_path / "disk")
    with Disk(tmp_path / "disk", locks=tmp_path / "no" / "locks") as disk:
        with pytest.raises(FileNotFoundError) as caught:
            disk.lock("a").acquire()
        assert not (tmp_path / "no").exists()
        assert caught.value.filename == "a"


def test_a_link_where_the_file_of_a_lock_belongs_is_not_followed(
    disk: Disk, tmp_path: Path
) -> None:
    with disk.lock("a"):
        pass
    (file,) = (tmp_path / "locks").iterdir()
    file.unlink()
    file.symlink_to(tmp_path / "created")
    with pytest.raises(OSError, match="a") as caught:
        disk.lock("a").acquire()
    assert caught.value.errno == errno.ELOOP
    assert not (tmp_path / "created").exists()


def test_what_is_narrower_has_the_same_place(disk: Disk) -> None:
    disk.make_directory("sub")
    with (
        disk.lock("a"),
        disk.read_only() as read_only,
        disk.scoped("sub") as scoped,
        disk.scoped("sub") as again,
    ):
        with pytest.raises(OSError, match="a") as caught:
            read_only.lock("a").acquire()
        assert caught.value.errno == errno.EDEADLK
        with scoped.lock("a"), pytest.raises(OSError, match="a"):
            again.lock("a").acquire()
        with pytest.raises(PolicyError):
            read_only.put("f", b"", if_match="*")


def test_one_version_is_one_by_every_path_and_disk(disk: Disk, tmp_path: Path) -> None:
    disk.put("sub/f", b"0")
    (tmp_path / "disk" / "link").symlink_to("sub")
    with disk.scoped("sub") as scoped:
        tag = disk.etag("sub/f")
        assert {tag} == {disk.etag("link/f"), disk.etag("sub/../link/./f"), scoped.etag("f")}
        held = _files_of_locks(tmp_path)
        scoped.put("f", b"1", if_match=tag)
        disk.put("link/f", b"2", if_match=disk.etag("sub/f"))
        disk.put("sub/f", b"3", if_match=scoped.etag("f"))
    assert len(_files_of_locks(tmp_path) - held) == 1


def _files_of_locks(tmp_path: Path) -> set[str]:
    return set(os.listdir(tmp_path / "locks")) if (tmp_path / "locks").exists() else set()


def test_every_replacement_is_another_version(disk: Disk) -> None:
    """Within one tick of the clock too, in which the number of an inode is given out again.

    Not by every file system, so it is the time alone that has to tell them apart.
    """
    seen, times = set(), set()
    for _ in range(200):
        disk.put("f", b"same size")
        seen.add(disk.etag("f"))
        times.add(disk.stat("f").mtime_ns)
        disk.delete("f")
    assert len(seen) == len(times) == 200


def test_a_version_has_the_time_of_the_fine_clock(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that of the kernel, which before Linux 6.13 goes by ticks."""
    moment = 1_700_000_000_123_456_700
    monkeypatch.setattr(replace, "time_ns", lambda: moment)
    disk.put("f", b"1")
    with disk.open("g", "wb", atomic=True) as file:
        file.write(b"2")
    assert [disk.stat(path).mtime_ns for path in ("f", "g")] == [moment, moment]


def test_a_change_while_the_source_is_read_is_noticed(disk: Disk) -> None:
    def source() -> Iterator[bytes]:
        yield b"mine"
        disk.put("f", b"another's")

    disk.put("f", b"0")
    with pytest.raises(PreconditionError):
        disk.put("f", source(), if_match=disk.etag("f"))
    assert disk.get("f") == b"another's"


@pytest.mark.parametrize(
    ("one", "other"), [("report", "REPORT"), ("\u00e9", "e\u0301"), ("stra\u00dfe", "STRASSE")]
)
def test_two_spellings_that_some_take_for_one_name_have_one_lock(one: str, other: str) -> None:
    """In a directory that ignores case they are one file, of which an update could be lost."""
    taken: list[str] = []

    class Place(LockMemory):
        def take(self, key: str, *, shared: bool, timeout: float | None) -> Taken | None:
            taken.append(key)
            return super().take(key, shared=shared, timeout=timeout)

    hold = holding(Place())
    for name in (one, other, *(f"another {number}" for number in range(20))):
        with hold(1, 2, os.fsencode(name)):
            pass
    assert taken[0] == taken[1]
    assert len(set(taken)) > 10


def test_a_folder_for_locks_that_cannot_be_used_is_told_from_the_file(tmp_path: Path) -> None:
    with Disk(tmp_path / "disk", create=True, locks=tmp_path / "none" / "locks") as disk:
        disk.put("a", "old")
        version = disk.etag("a")
        with pytest.raises(FileNotFoundError, match="folder for locks, which if_match needs"):
            disk.put("a", "new", if_match=version)
        assert disk.get("a") == b"old"
        assert disk.sweep(older_than=-60) == []


def test_a_condition_holds_for_no_link(disk: Disk, tmp_path: Path) -> None:
    disk.put("f", b"0")
    (tmp_path / "disk" / "link").symlink_to("f")
    assert disk.etag("link") == disk.etag("f")
    with pytest.raises(OSError, match="link") as caught:
        disk.put("link", b"1", if_match=disk.etag("link"))
    assert caught.value.errno == errno.ELOOP
    assert disk.get("f") == b"0"


def test_a_storage_keeps_the_locks_of_its_disks_in_its_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    (tmp_path / "home" / "Documents").mkdir(parents=True)
    (tmp_path / "plain").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with (
        Disk(tmp_path / "plain") as plain,
        Storage("app", disks={"plain": plain}) as storage,
        Storage("app") as same,
        Storage("another") as another,
    ):
        storage.disk("documents").put("f", b"0")
        with storage.disk("documents").lock("a"), plain.lock("a"), storage.disk("temp").lock("a"):
            with pytest.raises(OSError, match="a"):
                same.disk("documents").lock("a").acquire()
            with another.disk("documents").lock("a"):
                pass
        assert [path.name for path in (tmp_path / "home" / "Documents").iterdir()] == ["f"]
        assert len(os.listdir(tmp_path / "home/.local/state/app/.locks")) == 3


def test_a_state_folder_that_is_not_to_be_trusted_has_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "state" / "app").mkdir(parents=True)
    (tmp_path / "state" / "app").chmod(0o777)
    (tmp_path / "Documents").mkdir()
    with Storage("app") as storage, pytest.raises(UnsafeFolderError):
        storage.disk("documents").lock("a").acquire()


@pytest.mark.parametrize("memory", [True, False])
def test_a_fake_storage_has_locks_and_versions(memory: bool) -> None:
    with Storage.fake(memory=memory) as storage:
        disk = storage.disk("documents")
        with disk.lock("a"), pytest.raises(OSError, match="a"):
            disk.lock("a").acquire()
        disk.put("f", b"0")
        disk.put("f", b"1", if_match=disk.etag("f"))


def test_closing_gives_the_place_up_and_the_next_lock_opens_it_again(tmp_path: Path) -> None:
    place = LockDirectory.at(tmp_path / "locks")
    taken = place.take("a", shared=False, timeout=None)
    place.close()
    assert taken is not None
    taken.release()
    again = place.take("a", shared=False, timeout=0)
    assert again is not None
    again.release()
    again.release()
    place.close()


def test_a_folder_of_locks_that_was_removed_is_made_anew_by_who_had_it_open(
    tmp_path: Path,
) -> None:
    place = LockDirectory.at(tmp_path / "locks")
    other = LockDirectory.at(tmp_path / "locks")
    for _ in range(2):
        for each in (place, other):
            taken = each.take("a", shared=False, timeout=0)
            assert taken is not None
            taken.release()
        shutil.rmtree(tmp_path / "locks")
    taken = place.take("a", shared=False, timeout=0)
    assert taken is not None
    with pytest.raises(OSError, match="avoided"):  # it is the very same
        other.take("a", shared=False, timeout=0)
    taken.release()
    place.close()
    other.close()


def test_who_empties_the_disk_of_the_state_removes_no_lock(
    home: Path,
) -> None:
    with Storage("acme") as storage, Storage("acme") as other:
        state = storage.disk("state")
        with state.lock("a"):
            assert state.all_directories() == state.all_files() == []
            with pytest.raises(PolicyError):
                state.delete_directory(".locks")
            with pytest.raises(OSError, match="avoided"):  # it is still the very same
                other.disk("state").lock("a", timeout=0).acquire()
    assert [path.name for path in (home / ".local/state/acme").iterdir()] == [".locks"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is another user by turns")
@pytest.mark.parametrize("mask", [0o777, 0o700, 0o200])
def test_a_umask_that_shuts_the_owner_out_spoils_nothing_for_good(
    shared_root: Path, monkeypatch: pytest.MonkeyPatch, mask: int
) -> None:
    monkeypatch.setenv("HOME", str(shared_root))

    def run(umask: int) -> str:
        os.umask(umask)
        with Storage("acme") as storage:
            with storage.disk("state").lock("a", timeout=1):
                storage.disk("state").put("f", str(umask))
            storage.disk("temp").put("f", "")
            return storage.disk("state").get_text("f")

    with Storage("acme"):
        pass  # what the library is loaded with at first use is not for that user to read
    for umask in (mask, mask, 0o022):
        assert in_child(lambda umask=umask: run(umask), uid=65534) == str(umask)  # type: ignore[misc]
    for path in (shared_root / ".local").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)
