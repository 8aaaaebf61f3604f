"""What attackers of safefs itself have found; each test is a story that must not happen again."""

from __future__ import annotations

import copy
import errno
import gc
import os
import pickle
import stat
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from safefs import audit
from safefs.disk import Disk
from safefs.errors import EscapeError, PolicyError
from safefs.kernel import probe, syscalls
from safefs.kernel.trail import Moved
from safefs.policy import Policy
from safefs.root import Root
from safefs.testing import mounts
from tests import layouts
from tests.attackers import in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs.testing.scratch import Scratch

pytestmark = pytest.mark.usefixtures("resolver")
may_mount = pytest.mark.skipif(not mounts.may_mount(), reason="needs the right to mount")


@pytest.fixture
def root(scratch: Scratch) -> Iterator[Root]:
    layouts.lay(("f = inside", "d/g = too", "l => f"), str(scratch.root), scratch)
    with Root(scratch.root) as opened:
        yield opened


def _drafts(scratch: Scratch) -> list[str]:
    return [
        name for _, dirs, files in os.walk(scratch.root) for name in dirs + files if ".tmp" in name
    ]


# -- the way back up ---------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["find", "walk", "remove_tree"])
def test_a_recycled_inode_number_is_no_way_out(
    operation: str, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond 64 levels a directory is given up. The attacker removes it, and the next directory
    that anyone makes, outside, may get its inode number; a child moved there has it as ``..``."""
    out = scratch.base / "public"
    out.mkdir()
    (scratch.root / "t" / Path(*["x"] * 70)).mkdir(parents=True)
    (scratch.root / "t" / Path(*["x"] * 70) / "leaf").touch()
    given_up = scratch.root / "t" / "x"
    with Root(scratch.root) as root:

        def swap() -> None:
            number = given_up.stat().st_ino
            (given_up / "x").rename(scratch.root / "parked")
            given_up.rmdir()
            for job in range(4000):
                fresh = out / f"job{job}"
                fresh.mkdir()
                if fresh.stat().st_ino == number:
                    break
            else:
                scratch.remember()  # what has changed outside, the attacker has made
                scratch.remember()
                pytest.skip("this kernel's file system gave the inode number to nobody")
            (fresh / "secret").mkdir()
            (fresh / "secret" / "name").touch()
            (scratch.root / "parked").rename(fresh / "x")

        if operation == "remove_tree":
            real = syscalls.unlink

            def swap_first(*args: Any, **keywords: Any) -> None:
                real(*args, **keywords)
                if given_up.exists():
                    swap()

            monkeypatch.setattr(syscalls, "unlink", swap_first)
            with pytest.raises(OSError):
                root.remove_tree("t")
        else:
            found: Iterator[object] = (
                root.find("t") if operation == "find" else root.walk("t", topdown=False)
            )
            next(found)
            swap()
            with pytest.raises(OSError) as caught:
                assert "secret" not in repr(list(found))
            assert caught.value.errno == errno.ESTALE
            assert caught.value.filename == "t"
    assert [path.name for path in out.rglob("name")] == ["name"]
    scratch.remember()  # what has changed outside, the attacker has made


_GOING_THROUGH: dict[str, Callable[[Root], object]] = {
    "remove_tree": lambda root: root.remove_tree("t"),
    "walk": lambda root: list(root.walk("t")),
    "find": lambda root: list(root.find("t")),
    "glob": lambda root: list(root.glob("t/**/*")),
    "disk_usage": lambda root: root.disk_usage("t"),
    "copy_tree": lambda root: _copied(root),
}


def _copied(root: Root) -> list[str]:
    root.copy_tree("t", "new")
    return list(root.find("new"))


@pytest.mark.parametrize("operation", _GOING_THROUGH)
def test_a_directory_moved_out_beside_its_namesakes_is_no_way_out(
    operation: str, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is moved while one stands in it. There ``..`` is outside, and its other directories have
    the very names that are still to be gone through."""
    layouts.lay(("t/d/a/f = 1", "t/d/m/f = 1", "t/d/z/f = 1"), str(scratch.root), scratch)
    public = scratch.base / "public"
    for name in ("a", "z"):
        (public / name).mkdir(parents=True)
        (public / name / "secret").write_text("precious")
    middle = scratch.root / "t" / "d" / "m"
    number = middle.stat().st_ino
    real = syscalls.scandir

    def move_first(directory: int) -> Any:
        if os.fstat(directory).st_ino == number and middle.exists():
            middle.rename(public / "m")
        return real(directory)

    monkeypatch.setattr(syscalls, "scandir", move_first)
    with Root(scratch.root) as root:
        found = _GOING_THROUGH[operation](root)
    assert not middle.exists()
    assert "secret" not in repr(found)
    assert found != 1 + 2 * len("precious")
    assert sorted(path.read_text() for path in public.rglob("secret")) == ["precious"] * 2
    scratch.remember()  # what has changed outside, the attacker has made


def test_a_tree_far_deeper_than_what_is_held_is_gone_through(scratch: Scratch) -> None:
    with Root(scratch.root) as root:
        root.makedirs("/".join(["d"] * 500))
        for depth in (1, 63, 64, 65, 66, 129, 300, 500):
            root.write_bytes("/".join(["d"] * depth + ["f"]), b"")
        found = list(root.find())
        assert sorted(name.count("/") for name in found) == [1, 63, 64, 65, 66, 129, 300, 500]
        assert len(list(root.walk(topdown=False))) == 501
        root.copy_tree("d", "e")
        assert len(list(root.find("e"))) == 8
        root.remove_tree("d")
        assert root.listdir() == ["e"]


def test_moved_survives_pickle_and_copy() -> None:
    for twin in (pickle.loads(pickle.dumps(Moved())), copy.copy(Moved())):
        assert (type(twin), twin.errno, str(twin)) == (Moved, errno.ESTALE, str(Moved()))


# -- ctypes and signals ------------------------------------------------------------------------


def test_an_errno_cleared_by_a_signal_handler_makes_no_descriptor_0(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler runs between the call and the look at its errno; -0 would be stdin."""
    before = os.fstat(0)
    monkeypatch.setattr(syscalls, "_errno", lambda: 0)
    with pytest.raises(OSError):
        root.read_bytes("missing")
    with pytest.raises(OSError):
        root.open("missing/x", "wb")
    with pytest.raises(OSError):
        root.rename("f", "l", replace=False)
    assert syscalls.fchmodat2(10**6, 0o600) < 0
    assert syscalls.utimensat(10**6, None) < 0
    assert os.path.samestat(os.fstat(0), before)
    assert root.read_bytes("f") == b"inside"


# -- mounts ------------------------------------------------------------------------------------


@may_mount
def test_removing_a_mount_point_itself_leaves_what_is_mounted(
    scratch: Scratch, resolver: str
) -> None:
    layouts.lay(("mnt/",), str(scratch.root), scratch)

    def removing() -> tuple[object, list[str]]:
        probe.forced = resolver
        mounts.mount_own(scratch.outside, scratch.root / "mnt")
        with Root(scratch.root, policy=Policy(same_filesystem=True)) as root:
            try:
                root.remove_tree("mnt")
            except OSError as error:
                return error.errno, sorted(os.listdir(scratch.outside))
        return None, []

    said, left = in_child(removing)
    assert said == errno.EXDEV
    assert left == sorted(os.listdir(scratch.outside))
    assert left


@may_mount
def test_a_file_bound_over_another_is_not_copied(scratch: Scratch, resolver: str) -> None:
    layouts.lay(("t/f",), str(scratch.root), scratch)

    def copying() -> tuple[object, bool]:
        probe.forced = resolver
        mounts.mount_own(scratch.outside / "secret.txt", scratch.root / "t" / "f")
        with Root(scratch.root, policy=Policy(same_filesystem=True)) as root:
            try:
                root.copy_tree("t", "new")
            except OSError as error:
                return error.errno, root.exists("new")
        return None, True

    assert in_child(copying) == (errno.EXDEV, False)
    assert not _drafts(scratch)


# -- closing -----------------------------------------------------------------------------------


def test_a_guarded_root_that_is_closed_meanwhile_shows_nothing_hidden(scratch: Scratch) -> None:
    """The descriptor of the root is a dead one by then, and nothing is the same file as that."""
    layouts.lay((".bashrc = key", "a/"), str(scratch.root), scratch)
    for _ in range(200):
        home = Root(scratch.root, policy=Policy(top_level_dot_entries="refuse"))
        seen: list[object] = []

        def look(home: Root = home, seen: list[object] = seen) -> None:
            for act in (
                home.listdir,
                lambda: home.unlink("a/../.bashrc"),
                lambda: home.subroot("."),
            ):
                try:
                    got = act()
                except (ValueError, OSError):
                    continue
                if isinstance(got, Root):
                    seen += got.listdir()
                    got.close()
                else:
                    seen += got or ["removed"]

        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        home.close()
        for thread in threads:
            thread.join()
        assert {".bashrc", "removed"}.isdisjoint(map(str, seen))
    assert (scratch.root / ".bashrc").read_text() == "key"


@pytest.mark.parametrize("name", ["find", "walk", "glob"])
def test_what_is_iterated_after_a_close_is_an_error_and_not_empty(name: str, root: Root) -> None:
    begun: Iterator[object] = getattr(root, name)("*" if name == "glob" else ".")
    root.close()
    with pytest.raises(ValueError, match="closed"):
        list(begun)


@pytest.mark.parametrize("target", ["top", "d/beneath"])
def test_a_root_closed_in_the_middle_of_a_replacement_leaves_no_draft(
    target: str, root: Root, scratch: Scratch
) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"a"
        root.close()
        yield b"b"

    root.replace_file(target, chunks())
    assert (scratch.root / target).read_bytes() == b"ab"
    assert not _drafts(scratch)


# -- drafts ------------------------------------------------------------------------------------


def test_an_atomic_file_does_not_go_out_with_a_directory_that_another_replaces(
    root: Root, scratch: Scratch
) -> None:
    """Its parent is there when it is closed, but is not the one that its draft is in."""
    gone = scratch.base / "gone"
    file = root.open("d/g", "w", atomic=True)
    file.write("never")
    (scratch.root / "d").rename(gone)
    (scratch.root / "d").mkdir()
    with pytest.raises(OSError) as caught:
        file.close()
    assert caught.value.errno == errno.ESTALE
    assert [(path.name, path.read_text()) for path in gone.iterdir()] == [("g", "too")]
    scratch.remember()  # what has changed outside, the attacker has made


def test_a_copied_tree_whose_draft_is_swapped_clears_up_nothing_of_others(
    root: Root, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may write the parent can rename another's full directory, and could not empty it."""
    (scratch.root / "precious").mkdir()
    (scratch.root / "precious" / "file").write_text("precious")
    real = syscalls.mkdir

    def swapping(name: Any, mode: int = 0o777, *, dir_fd: int) -> None:
        real(name, mode, dir_fd=dir_fd)
        if bytes(name).startswith(b".safefs-"):
            os.rename(name, "away", src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
            os.rename("precious", name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)

    monkeypatch.setattr(syscalls, "mkdir", swapping)
    with pytest.raises(OSError) as caught:
        root.copy_tree("d", "new")
    assert caught.value.errno == errno.ESTALE
    assert [path.read_text() for path in scratch.root.rglob("file")] == ["precious"]


def test_a_layer_of_an_atomic_file_closed_beneath_it_leaves_no_draft(
    root: Root, scratch: Scratch
) -> None:
    file: Any = root.open("f", "w", atomic=True)
    file.write("never")
    file.buffer.close()
    file.close()
    assert root.read_bytes("f") == b"inside"
    assert not _drafts(scratch)


def test_a_fork_that_forgets_an_atomic_file_takes_it_from_nobody(
    root: Root, scratch: Scratch
) -> None:
    file = root.open("f", "w", atomic=True)
    file.write("new")
    file.flush()
    child = os.fork()
    if not child:
        del file
        gc.collect()
        os._exit(0)
    os.waitpid(child, 0)
    file.close()
    assert root.read_bytes("f") == b"new"


def test_a_copy_between_disks_leaves_no_draft_in_a_directory_that_is_moved(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made, renamed and cleared up by path, it was not found again: three resolutions of one name,
    and the error of the clearing up hid what had gone wrong."""
    layouts.lay(("f = inside", "d/"), str(scratch.root), scratch)
    real = syscalls.write

    def moved_after(*arguments: Any) -> int:
        (scratch.root / "d").rename(scratch.root / "moved")
        return real(*arguments)

    def taken_after(*arguments: Any) -> int:
        (scratch.root / "moved" / "taken").touch()
        return real(*arguments)

    with Disk(scratch.root) as one, Disk(scratch.root) as other:
        monkeypatch.setattr(syscalls, "write", moved_after)
        one.copy("f", other / "d/new", overwrite=False)
        assert one.all_files() == ["f", "moved/new"]
        monkeypatch.setattr(syscalls, "write", taken_after)
        with pytest.raises(FileExistsError):
            one.copy("f", other / "moved/taken", overwrite=False)
        assert one.size("moved/taken") == 0
    assert not _drafts(scratch)


# -- policies and arguments --------------------------------------------------------------------


def test_no_link_is_made_by_any_door_where_links_are_never(scratch: Scratch) -> None:
    layouts.lay(("s/l => nowhere",), str(scratch.root), scratch)
    with Root(scratch.root, policy=Policy(symlinks="never")) as root:
        acts: tuple[Callable[[], object], ...] = (
            lambda: root.symlink("x", "new"),
            lambda: root.link("s/l", "new"),
            lambda: root.copy_tree("s", "new"),
        )
        for act in acts:
            with pytest.raises(PolicyError):
                act()
        assert root.listdir() == ["s"]
        root.rename("s/l", "moved")


@pytest.mark.parametrize("buffering", [1.5, 2**62, 2**70, -2, "1"])
def test_a_wrong_buffering_truncates_nothing(buffering: Any, root: Root) -> None:
    with pytest.raises((TypeError, ValueError)):
        root.open("f", "w", buffering)
    assert root.read_bytes("f") == b"inside"


def test_numbers_that_the_system_would_cut_are_refused(root: Root) -> None:
    before = root.stat("f")
    for mode in (2**32 + 0o4777, -1, 2**40):
        with pytest.raises(OverflowError):
            root.chmod("f", mode)
        with pytest.raises(OverflowError):
            root.open("new", "w", permissions=mode)
    for ns in ((2**100, 2**100), (0, -(2**100))):
        with pytest.raises(OverflowError):
            root.utime("f", ns=ns)
    for wrong in ((1,), (), (1, 2, 3)):
        with pytest.raises(ValueError, match="unpack"):
            root.utime("f", ns=wrong)  # type: ignore[arg-type]
    assert root.stat("f") == before
    assert not root.exists("new")
    root.chmod("f", before.st_mode)  # the type of file in it is left out, as os.chmod does


def test_a_subroot_with_a_wrong_policy_keeps_no_descriptor(root: Root) -> None:
    held = len(os.listdir("/proc/self/fd"))
    with pytest.raises(TypeError, match="policy is a Policy"):
        root.subroot("d", policy="oops")  # type: ignore[arg-type]
    assert len(os.listdir("/proc/self/fd")) == held


def test_a_refusal_needs_no_logging(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has dropped its rights may not be able to import any more."""
    monkeypatch.setitem(sys.modules, "logging", None)
    assert audit.refused(EscapeError("x")).filename == "x"
    assert not root.exists("../x")


def test_an_error_of_one_path_names_one(root: Root) -> None:
    with pytest.raises(FileExistsError) as caught:
        root.symlink("target", "f")
    assert (caught.value.filename, caught.value.filename2) == ("f", None)


def test_visibility_is_set_on_what_was_looked_at(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at and set by path, one file's set-id bits could be given to another."""
    from safefs.disk import Disk

    layouts.lay(("upload = theirs", "mine = mine"), str(scratch.root), scratch)
    (scratch.root / "upload").chmod(0o4777)
    (scratch.root / "mine").chmod(0o600)
    real = syscalls.fstat

    def swapping(fd: int) -> os.stat_result:
        found = real(fd)
        if stat.S_IMODE(found.st_mode) == 0o4777 and not (scratch.root / "old").exists():
            (scratch.root / "upload").rename(scratch.root / "old")
            (scratch.root / "mine").rename(scratch.root / "upload")
        return found

    monkeypatch.setattr(syscalls, "fstat", swapping)
    with Disk(scratch.root) as disk:
        disk.set_visibility("upload", "public")
    modes = {path.read_text(): path.stat().st_mode & 0o7777 for path in scratch.root.iterdir()}
    assert modes == {"theirs": 0o777, "mine": 0o600}


def test_prepending_behind_a_link_publishes_nothing_private(scratch: Scratch) -> None:
    from safefs.disk import Disk

    layouts.lay(("private = secret", "log => private"), str(scratch.root), scratch)
    (scratch.root / "private").chmod(0o600)
    with Disk(scratch.root) as disk:
        disk.prepend("log", "new ")
        assert disk.get("log") == b"new secret"
        assert (disk.get("private"), disk.visibility("log")) == (b"secret", "private")
        for buffering in (1.5, 2**70, -5):
            with pytest.raises((TypeError, ValueError)):
                disk.open("log", "wb", buffering)  # type: ignore[arg-type]
        assert disk.get("log") == b"new secret"


@pytest.mark.parametrize("path", ["dangling/x/..", "new/../dangling/../..", "new/../f/.."])
def test_makedirs_beneath_what_is_no_directory_says_so_and_not_that_it_exists(
    path: str, resolver: str, scratch: Scratch
) -> None:
    """Found by the model: ``..`` undid a component that had never led anywhere."""
    (scratch.root / "dangling").symlink_to("nowhere")
    (scratch.root / "f").touch()
    with Root(scratch.root) as root:
        for exist_ok in (False, True):
            with pytest.raises((FileNotFoundError, NotADirectoryError)):
                root.makedirs(path, exist_ok=exist_ok)
        assert sorted(root.listdir()) == ["dangling", "f"]


def test_slashes_at_the_end_count_towards_the_longest_path(resolver: str, scratch: Scratch) -> None:
    """Found by the model: lstat took them off before it looked at the length."""
    (scratch.root / "a").mkdir()
    path = "a/../" * 818 + "a"
    with Root(scratch.root) as root:
        root.lstat(path + "/" * (4095 - len(path)))
        for look in (root.lstat, root.stat):
            with pytest.raises(OSError, match="File name too long"):
                look(path + "/" * (4096 - len(path)))


# -- listing -----------------------------------------------------------------------------------


_LISTING: dict[str, Callable[[Root], object]] = {
    "listdir": lambda root: root.listdir("d"),
    "scandir": lambda root: [entry.name for entry in root.scandir("d")],
    "walk": lambda root: next(root.walk("d"))[2],
    "find": lambda root: list(root.find("d")),
    "glob": lambda root: list(root.glob("d/*")),
}


@pytest.mark.parametrize("how", _LISTING)
def test_what_is_listed_is_what_was_opened(
    how: str, root: Root, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As soon as the directory has been opened, its name becomes a link to one outside."""

    def swapping(name: str) -> None:
        real: Callable[[Any], Any] = getattr(syscalls, name)

        def swap_first(directory: Any) -> Any:
            if not (scratch.root / "d").is_symlink():
                (scratch.root / "d").rename(scratch.root / "away")
                (scratch.root / "d").symlink_to("../outside")
            return real(directory)

        monkeypatch.setattr(syscalls, name, swap_first)

    swapping("listdir")
    swapping("scandir")
    found = _LISTING[how](root)
    assert (scratch.root / "d").is_symlink()
    assert found in (["g"], ["d/g"])
