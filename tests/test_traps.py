"""What has caught others: storms, sandboxes, leases, deep trees, planted names, hidden entries."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from safefs.errors import EscapeError, PolicyError
from safefs.kernel import open_beneath, openat2, probe, syscalls
from safefs.operations import removing
from safefs.paths import RelPath
from safefs.policy import Policy
from safefs.root import Root
from safefs.testing import mounts
from tests import layouts
from tests.attackers import NOBODY, in_child, leasing, renaming_elsewhere
from tests.conftest import PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs.testing.scratch import Scratch

pytestmark = pytest.mark.usefixtures("resolver")

may_mount = pytest.mark.skipif(not mounts.may_mount(), reason="needs the right to mount")
seccomp = pytest.importorskip("pyseccomp", reason="needs pyseccomp and libseccomp")


@pytest.fixture
def root(scratch: Scratch) -> Iterator[Root]:
    lines = ("f = inside", "d/g = inside too", "l => f", "m => d", "out => ../outside")
    layouts.lay(lines, str(scratch.root), scratch)
    with Root(scratch.root) as opened:
        yield opened


def _said(act: Callable[[], object]) -> object:
    try:
        return act()
    except EscapeError:
        return "escape"
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def _all_said(acts: dict[str, Callable[[Root], object]], root: Root) -> dict[str, object]:
    return {name: _said(partial(act, root)) for name, act in acts.items()}


# -- link/ under O_NOFOLLOW (CVE-2026-39822) ---------------------------------------------------


@pytest.mark.parametrize("flags", [os.O_PATH, os.O_RDONLY, os.O_RDONLY | os.O_DIRECTORY])
def test_a_link_with_a_slash_is_not_followed_by_an_open_that_must_not(
    flags: int, root: Root
) -> None:
    """openat2("link/", O_NOFOLLOW) itself would follow it."""
    for path in ("m/", "out/", "l/", "m//", "d/../out/"):
        with pytest.raises(OSError) as caught:
            os.close(open_beneath(root._handle, RelPath.parse(path), flags | os.O_NOFOLLOW))
        assert caught.value.errno in (errno.ENOTDIR, errno.ELOOP)
        assert not isinstance(caught.value, EscapeError)
    os.close(open_beneath(root._handle, RelPath.parse("d/"), flags | os.O_NOFOLLOW))


# -- a storm of EAGAIN -------------------------------------------------------------------------


@pytest.mark.timeout(900)
def test_renames_elsewhere_cause_no_eagain_and_no_escape(
    root: Root,
    scratch: Scratch,
    resolver: str,
    scaled: Callable[[int], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """openat2 gives up a path with ``..`` whenever anything on the machine is renamed meanwhile."""
    elsewhere = scratch.base / "elsewhere"
    elsewhere.mkdir()
    scratch.remember(elsewhere)
    given_up = 0
    real = syscalls.openat2

    def counting(*args: Any) -> int:
        nonlocal given_up
        fd = real(*args)
        given_up += fd == -errno.EAGAIN
        return fd

    monkeypatch.setattr(syscalls, "openat2", counting)
    rounds, deadline = 0, time.monotonic() + 600
    with renaming_elsewhere(elsewhere):
        while rounds < scaled(20_000) or not (given_up or resolver == "walk"):
            os.close(open_beneath(root._handle, _DOTS, os.O_RDONLY))
            if rounds % 20 == 0:
                with pytest.raises(EscapeError):
                    open_beneath(root._handle, _OUT, os.O_RDONLY)
            rounds += 1
            assert time.monotonic() < deadline, "there was no storm, so this proved nothing"


_DOTS = RelPath.parse("d/../f")
_OUT = RelPath.parse("d/../../outside/secret.txt")


# -- a sandbox that forbids openat2 ------------------------------------------------------------


def _forbid_openat2(number: int) -> None:
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    rules.add_rule(seccomp.ERRNO(number), "openat2")
    rules.load()


_TRIED: dict[str, Callable[[Root], object]] = {
    "read": lambda root: root.read_bytes("d/../f"),
    "follow": lambda root: root.read_bytes("m/g"),
    "write": lambda root: root.write_bytes("d/new", b"new"),
    "list": lambda root: sorted(root.listdir("d")),
    "stat": lambda root: stat.S_ISREG(root.stat("d/g").st_mode),
    "missing": lambda root: root.read_bytes("d/missing"),
    "above": lambda root: root.read_bytes("d/../../outside/secret.txt"),
    "out": lambda root: root.read_bytes("out/secret.txt"),
    "planted": lambda root: root.write_bytes("out/planted", b"no"),
}
_WALKED = {
    "read": b"inside",
    "follow": b"inside too",
    "write": 3,
    "list": ["g", "new"],
    "stat": True,
    "missing": "ENOENT",
    "above": "escape",
    "out": "escape",
    "planted": "escape",
}


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS, errno.EACCES, errno.EINVAL])
def test_openat2_forbidden_after_it_had_worked_leaves_everything_working(
    number: int, root: Root, resolver: str
) -> None:
    def forbidden() -> tuple[object, dict[str, object], int]:
        probe.forced = None if resolver == "openat2" else resolver
        before = root.read_bytes("d/../f")
        _forbid_openat2(number)
        refused = syscalls.openat2(root.fileno(), b".", syscalls.open_how(os.O_PATH, 0, 0))
        return before, _all_said(_TRIED, root), refused

    before, said, refused = in_child(forbidden)
    assert before == b"inside"
    assert refused == -number, "the filter did not bite"
    assert said == _WALKED


def test_a_sandbox_that_says_enoent_before_openat2_ever_worked_is_not_believed(
    root: Root, resolver: str
) -> None:
    def forbidden() -> dict[str, object]:
        probe.forced = None if resolver == "openat2" else resolver
        openat2._has_answered = False  # as in a fresh process
        _forbid_openat2(errno.ENOENT)
        return _all_said(_TRIED, root)

    assert in_child(forbidden) == _WALKED


def test_a_sandbox_that_says_enoent_later_hides_files_and_opens_none(
    root: Root, resolver: str
) -> None:
    def forbidden() -> dict[str, object]:
        probe.forced = None if resolver == "openat2" else resolver
        root.read_bytes("d/g")
        assert _said(lambda: root.read_bytes("d/missing")) == "ENOENT"
        _forbid_openat2(errno.ENOENT)
        return _all_said(_TRIED, root)

    said = in_child(forbidden)
    for name, expected in _WALKED.items():
        assert said[name] in (expected, "ENOENT"), name


def test_with_the_resolver_forced_to_openat2_nothing_else_opens(root: Root, resolver: str) -> None:
    def forbidden() -> object:
        probe.forced = "openat2"
        _forbid_openat2(errno.EPERM)
        return _said(lambda: root.read_bytes("d/g"))

    assert in_child(forbidden) == "EPERM"
    assert resolver


# -- directories that may be searched and not read ---------------------------------------------


def test_a_directory_of_mode_0300_can_be_used_and_not_listed(
    shared_root: Path, resolver: str
) -> None:
    def using() -> dict[str, object]:
        probe.forced = resolver
        (shared_root / "d" / "e").mkdir(parents=True)
        (shared_root / "d" / "f").write_text("inside")
        (shared_root / "d" / "e" / "g").write_text("deeper")
        (shared_root / "d" / "e").chmod(0o300)
        (shared_root / "d").chmod(0o300)
        shared_root.chmod(0o300)
        acts: dict[str, Callable[[Root], object]] = {
            "read": lambda root: root.read_bytes("d/f"),
            "read deeper": lambda root: root.read_bytes("d/e/g"),
            "read by dots": lambda root: root.read_bytes("d/e/../e/../f"),
            "stat": lambda root: stat.S_IMODE(root.stat("d").st_mode),
            "stat the root": lambda root: stat.S_IMODE(root.stat(".").st_mode),
            "write": lambda root: root.write_bytes("d/new", b"new"),
            "replace": lambda root: root.replace_file("d/new", b"newer"),
            "atomic": lambda root: _write_atomically(root, "d/new"),
            "append": lambda root: root.open("d/new", "ab").close(),
            "copy": lambda root: root.copy("d/f", "d/e/f"),
            "rename": lambda root: root.rename("d/e/f", "d/h"),
            "chmod": lambda root: root.chmod("d/h", 0o640),
            "utime": lambda root: root.utime("d/e", ns=(1, 1)),
            "unlink": lambda root: root.unlink("d/h"),
            "mkdir": lambda root: root.makedirs("d/x/y"),
            "rmdir": lambda root: root.rmdir("d/x/y"),
            "symlink": lambda root: root.symlink("f", "d/l"),
            "follow": lambda root: root.read_bytes("d/l"),
            "exists": lambda root: (root.exists("d/f"), root.exists("d/none")),
            "subroot": lambda root: _read_in_subroot(root),
            "list": lambda root: root.listdir("d"),
            "list the root": lambda root: root.listdir(),
            "scan": lambda root: list(root.scandir("d")),
            "walk": lambda root: list(root.walk("d")),
            "remove_tree": lambda root: root.remove_tree("d/e"),
            "copy_tree": lambda root: root.copy_tree("d/e", "e2"),
            "escape": lambda root: root.read_bytes("d/../../outside/secret.txt"),
        }
        with Root(shared_root) as root:
            return _all_said(acts, root)

    said = in_child(using, uid=NOBODY)
    refused = {name for name, answer in said.items() if answer == "EACCES"}
    listing = {"list", "list the root", "scan", "walk", "remove_tree", "copy_tree"}
    assert refused == listing
    assert said["escape"] == "escape"
    assert said["read"] == said["follow"] == said["subroot"] == said["read by dots"] == b"inside"
    assert said["read deeper"] == b"deeper"
    assert said["stat"] == said["stat the root"] == 0o300
    assert said["exists"] == (True, False)
    assert not {name for name, answer in said.items() if answer in ("ENOENT", "EPERM", "EEXIST")}


def _write_atomically(root: Root, path: str) -> None:
    with root.open(path, "w", atomic=True) as file:
        file.write("whole")


def _read_in_subroot(root: Root) -> bytes:
    with root.subroot("d") as inner:
        return inner.read_bytes("f")


def test_a_walk_passes_over_what_may_not_be_read_and_tells_who_asks(
    shared_root: Path, resolver: str
) -> None:
    def walking() -> tuple[list[str], list[tuple[object, object]]]:
        probe.forced = resolver
        for name in ("a", "b/locked", "c"):
            (shared_root / name).mkdir(parents=True)
        (shared_root / "b" / "locked").chmod(0)
        errors: list[tuple[object, object]] = []
        with Root(shared_root) as root:
            steps = root.walk(onerror=lambda error: errors.append((error.errno, error.filename)))
            return [at for at, _, _ in steps], errors

    steps, errors = in_child(walking, uid=NOBODY)
    assert steps == [".", "a", "b", "c"]
    assert errors == [(errno.EACCES, "b/locked")]


# -- leases ------------------------------------------------------------------------------------


@pytest.mark.timeout(30)
@pytest.mark.parametrize("path", ["f", "d/../f", "l", "m/../f"])
def test_a_file_under_anothers_lease_is_blocking_io_and_does_not_block(
    path: str, root: Root, scratch: Scratch
) -> None:
    """Without O_NONBLOCK the open would wait for the lease to be given up, for 45 seconds."""
    with leasing(scratch.root / "f", fcntl.F_WRLCK):
        for act in (root.read_bytes, root.open, lambda p: root.write_bytes(p, b"spoilt")):
            with pytest.raises(BlockingIOError) as caught:
                act(path)
            assert caught.value.filename == path
        with pytest.raises(BlockingIOError):
            root.copy(path, "new")
        assert root.stat(path).st_size == len("inside")
        assert root.exists(path)
    assert root.read_bytes("f") == b"inside"
    assert not root.exists("new")


@pytest.mark.timeout(30)
def test_a_read_lease_stops_writers_and_not_readers(root: Root, scratch: Scratch) -> None:
    with leasing(scratch.root / "f", fcntl.F_RDLCK):
        assert root.read_bytes("f") == b"inside"
        with pytest.raises(BlockingIOError):
            root.open("f", "a")
        with pytest.raises(BlockingIOError):
            root.truncate("f", 0)
    assert root.read_bytes("f") == b"inside"


# -- a deep tree with few descriptors ----------------------------------------------------------

_DEPTH = 5000 if PROFILE == "prove" else 2500  # the time grows with its square


def _dig(top: Path, depth: int) -> None:
    """A chain of directories, made by descriptors: no path to its end could be given."""
    fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir("n", dir_fd=fd)
        below = os.open("n", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open("end", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=fd))
    os.symlink("../end", "link", dir_fd=fd)
    os.close(fd)


@pytest.fixture
def quick() -> Iterator[Path]:
    """A directory in memory where there is one: ext4 takes seconds to remove so many of them."""
    memory = "/dev/shm"
    place = memory if os.access(memory, os.W_OK | os.X_OK) else None
    name = tempfile.mkdtemp(prefix="safefs-tests-", dir=place)
    yield Path(name)
    subprocess.run(["rm", "-rf", "--", name], check=True)  # shutil's recursion is too deep


def test_a_tree_deeper_than_a_path_is_gone_through_with_256_descriptors(
    quick: Path, resolver: str
) -> None:
    def going_through() -> dict[str, object]:
        probe.forced = resolver
        (quick / "t").mkdir()
        _dig(quick / "t", _DEPTH)
        with Root(quick) as root:
            said: dict[str, object] = {}
            root.write_bytes("t/x", b"12345")
            said["walk"] = sum(1 for _ in root.walk("t"))
            said["walk up"] = next(root.walk("t", topdown=False))[0].count("/")
            said["find"] = [(name.count("/"), name[-5:]) for name in root.find("t")]
            said["glob"] = [name.count("/") for name in root.glob("t/**/end")]
            said["disk_usage"] = root.disk_usage("t")
            root.copy_tree("t", "copy")
            said["copied"] = [name.count("/") for name in root.find("copy")]
            root.remove_tree("t")
            root.remove_tree("copy")
            said["left"] = root.listdir()
        return said

    assert in_child(going_through, descriptors=256, seconds=100) == {
        "walk": _DEPTH + 1,
        "walk up": _DEPTH,
        "find": [(_DEPTH + 1, "n/end"), (_DEPTH + 1, "/link"), (1, "t/x")],
        "glob": [_DEPTH + 1],
        "disk_usage": 5 + len("../end"),
        "copied": [_DEPTH + 1, _DEPTH + 1, 1],
        "left": [],
    }


# -- copying a tree into itself ----------------------------------------------------------------


@pytest.mark.parametrize("target", ["t/new", "t/a/new", "t/a/b/new", "k/new", "t/a/../new"])
def test_a_tree_is_not_copied_into_itself(target: str, root: Root, scratch: Scratch) -> None:
    layouts.lay(("t/a/b/f", "k => t/a"), str(scratch.root), scratch)
    before = layouts.portrait(str(scratch.root))
    for source in ("t", "t/", "./t", "t/a/.."):
        with pytest.raises(OSError) as caught:
            root.copy_tree(source, target)
        assert caught.value.errno == errno.EINVAL
    assert layouts.portrait(str(scratch.root)) == before


def test_copying_a_tree_into_a_directory_that_is_moved_out_meanwhile_ends(
    root: Root, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks by ``..`` whether one directory lies in another never comes to the root here.

    Above it lies the outside, which no system call may name, and at its top ``/`` is above ``/``.
    """
    layouts.lay(("t/a/f", "into/the/depth/"), str(scratch.root), scratch)
    away = scratch.base / "away"
    scratch.remember(away)
    real = syscalls.open
    moved: list[int] = []
    climbed: list[tuple[int, int]] = []
    inside = {
        (seen.st_dev, seen.st_ino) for at, _, _ in os.walk(scratch.root) if (seen := os.stat(at))
    }

    def moving(name: Any, *args: Any, **keywords: Any) -> int:
        if name == b"." and not moved:
            moved.append(1)
            (scratch.root / "into").rename(away)
        fd = real(name, *args, **keywords)
        if name == b"..":
            seen = os.fstat(fd)
            climbed.append((seen.st_dev, seen.st_ino))
            assert len(climbed) < 100, "it climbs for ever"
        return fd

    monkeypatch.setattr(syscalls, "open", moving)
    with suppress(OSError):
        root.copy_tree("t", "into/the/depth/new")
    assert set(climbed) <= inside, "it went up into the outside"


# -- a tree that changes while it is gone through ----------------------------------------------


def _before(
    monkeypatch: pytest.MonkeyPatch, call: str, names: tuple[str, ...], change: Callable[[], object]
) -> None:
    """Make a change just before the first such call on one of these names."""
    real: Callable[..., object] = getattr(syscalls, call)
    done: list[int] = []

    def change_first(name: Any, *args: object, **keywords: object) -> object:
        if not done and name in names:
            done.append(1)
            change()
        return real(name, *args, **keywords)

    monkeypatch.setattr(syscalls, call, change_first)


def _replace(path: Path, kind: str) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if kind == "directory":
        path.mkdir()
        (path / "x").write_text("x")
    elif kind == "link":
        path.symlink_to("../../outside")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "file":
        path.write_text("changed")


@pytest.mark.parametrize("kind", ["directory", "link", "fifo", "file", "nothing"])
@pytest.mark.parametrize(("call", "name"), [("unlink", "f"), ("open", "a"), ("rmdir", "a")])
def test_what_changes_its_kind_while_a_tree_is_removed_is_removed_as_what_it_is(
    call: str,
    name: str,
    kind: str,
    root: Root,
    scratch: Scratch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layouts.lay(("t/a/b", "t/f", "t/z/y/x"), str(scratch.root), scratch)
    _before(monkeypatch, call, (name,), lambda: _replace(scratch.root / "t" / name, kind))
    root.remove_tree("t")
    assert not root.exists("t")


def test_a_tree_that_someone_keeps_filling_is_given_up_in_the_end(
    root: Root, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    layouts.lay(("t/a/f",), str(scratch.root), scratch)
    real = syscalls.rmdir

    def fill_first(name: Any, **keywords: Any) -> None:
        (scratch.root / "t" / "a" / "late").write_text("late")
        real(name, **keywords)

    monkeypatch.setattr(removing, "_RESCANS", 5)
    monkeypatch.setattr(syscalls, "rmdir", fill_first)
    with pytest.raises(OSError) as caught:
        root.remove_tree("t")
    assert caught.value.errno == errno.ENOTEMPTY
    assert caught.value.filename == "t"


@pytest.mark.parametrize("kind", ["directory", "link", "fifo", "nothing"])
@pytest.mark.parametrize("call", ["stat", "open", "readlink"])
def test_what_changes_its_kind_while_a_tree_is_copied_leaves_all_or_nothing(
    call: str, kind: str, root: Root, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    layouts.lay(("t/a/b", "t/f = text", "t/k => f"), str(scratch.root), scratch)
    name = "k" if call == "readlink" else "f"
    _before(monkeypatch, call, (name,), lambda: _replace(scratch.root / "t" / name, kind))
    said = _said(lambda: root.copy_tree("t", "copy") and None)
    if said is None:
        assert sorted(root.listdir("copy")) == ["a", "f", "k"]
        assert not [name for name in root.find("copy") if "secret" in name]
    else:
        assert not root.exists("copy")
    assert not list(scratch.root.glob(".safefs-*"))


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_a_directory_in_the_depth_that_cannot_be_read_is_told_with_its_path(
    number: int, root: Root, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    layouts.lay(("t/a/f", "t/bad/f", "t/c/f"), str(scratch.root), scratch)
    real = syscalls.scandir

    def failing(fd: Any) -> Any:
        if os.readlink(f"/proc/self/fd/{fd}").endswith("/bad"):
            raise OSError(number, os.strerror(number))
        return real(fd)

    monkeypatch.setattr(syscalls, "scandir", failing)
    errors: list[OSError] = []
    assert [at for at, _, _ in root.walk("t", onerror=errors.append)] == ["t", "t/a", "t/c"]
    assert [at for at, _, _ in root.walk("t", topdown=False)] == ["t/a", "t/c", "t"]
    assert [(error.errno, error.filename) for error in errors] == [(number, "t/bad")]
    found = root.find("t")
    assert next(found) == "t/a/f"
    with pytest.raises(OSError) as caught:
        next(found)
    assert (caught.value.errno, caught.value.filename) == (number, "t/bad")
    with pytest.raises(OSError):
        root.disk_usage("t")
    with pytest.raises(OSError):
        root.copy_tree("t", "copy")
    assert not root.exists("copy")


def test_another_mount_in_the_depth_is_not_entered_under_same_filesystem(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch, resolver: str
) -> None:
    """As the kernel would tell it, without the right to mount."""
    layouts.lay(("t/a/f", "t/mnt/f", "t/z/f"), str(scratch.root), scratch)
    real = syscalls.mount_id

    def another(fd: int) -> tuple[str, int]:
        kind, number = real(fd)
        return kind, number + os.readlink(f"/proc/self/fd/{fd}").endswith("/mnt")

    monkeypatch.setattr(syscalls, "mount_id", another)
    with Root(scratch.root, policy=Policy(same_filesystem=True)) as root:
        assert [at for at, _, _ in root.walk("t")] == ["t", "t/a", "t/z"]
        acts: list[Callable[[], object]] = [lambda: list(root.find("t"))]
        acts += [lambda: root.disk_usage("t"), lambda: root.remove_tree("t/mnt/../../t")]
        acts += [lambda: root.copy_tree("t", "copy")]
        for act in acts:
            assert _said(act) == "EXDEV"
        if resolver == "walk":
            assert _said(lambda: root.read_bytes("t/mnt/f")) == "EXDEV"
    assert (scratch.root / "t/mnt/f").exists()


# -- temporary names ---------------------------------------------------------------------------


@pytest.fixture
def foreseen(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """The next names an attacker has foreseen, with links out planted under all of them."""
    from safefs.operations import replace

    def plant(count: int) -> None:
        numbers = iter(range(count))
        real = os.urandom

        def urandom(size: int) -> bytes:
            number = next(numbers, None)
            return real(size) if number is None else number.to_bytes(size, "big")

        monkeypatch.setattr(syscalls, "urandom", urandom)
        for _ in range(count):
            (scratch.root / os.fsdecode(replace.temporary_name())).symlink_to(
                "../outside/victim.txt"
            )
        numbers = iter(range(count))

    return plant


_REPLACING: dict[str, Callable[[Root], object]] = {
    "replace_file": lambda root: root.replace_file("f", b"new"),
    "open": lambda root: _write_atomically(root, "f"),
    "copy": lambda root: root.copy("d/g", "f"),
    "copy_tree": lambda root: root.copy_tree("d", "e"),
}


@pytest.mark.parametrize("act", ["replace_file", "open", "copy"])
def test_a_planted_temporary_name_is_passed_by(
    act: str, root: Root, foreseen: Callable[[int], None], scratch: Scratch
) -> None:
    foreseen(3)
    _REPLACING[act](root)
    assert root.read_bytes("f") != b"inside"
    assert len(list(scratch.root.glob(".safefs-*"))) == 3


@pytest.mark.parametrize("act", _REPLACING)
def test_an_attacker_who_foresees_every_temporary_name_gets_an_error_and_nothing_else(
    act: str, root: Root, foreseen: Callable[[int], None], scratch: Scratch
) -> None:
    foreseen(100)
    before = layouts.portrait(str(scratch.root))
    with pytest.raises(FileExistsError):
        _REPLACING[act](root)
    assert layouts.portrait(str(scratch.root)) == before


@pytest.mark.parametrize("act", _REPLACING)
@pytest.mark.parametrize("call", ["rename", "write", "fchmod", "copy_file_range"])
def test_an_error_half_way_leaves_neither_a_change_nor_a_temporary_name(
    act: str, call: str, root: Root, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = layouts.portrait(str(scratch.root))
    monkeypatch.setattr(syscalls, call, failing)
    monkeypatch.setattr(syscalls, "rename_noreplace", lambda *_: -errno.ENOSPC)
    if _said(lambda: _REPLACING[act](root)) is not None:  # not every one makes every call
        assert _said(lambda: _REPLACING[act](root)) == "ENOSPC"
        assert layouts.portrait(str(scratch.root)) == before
    assert not list(scratch.root.glob("**/.safefs-*"))


# -- modes and the umask -----------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000, 0o027])
def test_what_is_made_has_the_mode_that_the_umask_leaves(
    umask: int, root: Root, scratch: Scratch, resolver: str
) -> None:
    def making() -> dict[str, int]:
        probe.forced = resolver
        os.umask(umask)
        root.write_bytes("written", b"")
        root.open("opened", "x").close()
        root.replace_file("replaced", b"")
        _write_atomically(root, "whole")
        root.mkdir("made")
        root.mkdir("private", 0o700)
        root.makedirs("one/two")
        return {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in root.scandir()}

    modes = in_child(making)
    for name in ("written", "opened", "replaced", "whole"):
        assert modes[name] == 0o666 & ~umask, name
    for name in ("made", "one"):
        assert modes[name] == 0o777 & ~umask, name
    assert modes["private"] == 0o700 & ~umask
    assert scratch


def test_replacing_a_file_keeps_its_permissions_and_not_its_set_id_bits(
    root: Root, scratch: Scratch
) -> None:
    (scratch.root / "f").chmod(0o4751)
    root.replace_file("f", b"new")
    assert stat.S_IMODE(root.stat("f").st_mode) == 0o751
    root.replace_file("f", b"new", mode=0o600)
    assert stat.S_IMODE(root.stat("f").st_mode) == 0o600
    _write_atomically(root, "f")
    assert stat.S_IMODE(root.stat("f").st_mode) == 0o600
    (scratch.root / "f").chmod(0o6711)
    root.copy("f", "g")
    assert stat.S_IMODE(root.stat("g").st_mode) == 0o711


# -- mounts ------------------------------------------------------------------------------------


@may_mount
@pytest.mark.parametrize("operation", ["remove_tree", "copy_tree", "find", "disk_usage", "glob"])
def test_no_tree_operation_goes_into_a_mount_under_same_filesystem(
    operation: str, scratch: Scratch, resolver: str
) -> None:
    layouts.lay(("t/mnt/", "t/a/f"), str(scratch.root), scratch)

    def trying() -> tuple[object, list[str]]:
        probe.forced = resolver
        mounts.mount_own(scratch.outside, scratch.root / "t" / "mnt")
        with Root(scratch.root, policy=Policy(same_filesystem=True)) as root:
            acts: dict[str, Callable[[], object]] = {
                "remove_tree": lambda: root.remove_tree("t"),
                "copy_tree": lambda: root.copy_tree("t", "new"),
                "find": lambda: list(root.find("t")),
                "disk_usage": lambda: root.disk_usage("t"),
                "glob": lambda: list(root.glob("**/secret.txt")),
            }
            return _said(acts[operation]), sorted(os.listdir(scratch.outside))

    said, left = in_child(trying)
    assert said == "EXDEV" or (operation == "glob" and said == [])
    assert left == sorted(os.listdir(scratch.outside))
    assert len(left) == 5
    assert not (scratch.root / "new").exists()


# -- procfs ------------------------------------------------------------------------------------


def test_a_root_on_procfs_reads_what_is_there_and_follows_no_magic_link() -> None:
    """Read-only: nothing is written, made or removed there."""
    with Root("/proc/self") as root:
        assert root.read_text("comm")
        assert b"VmRSS" in root.read_bytes("status")
        assert "0" in root.listdir("fd")
        assert root.is_symlink("fd/0")
        assert not root.exists("cwd/x")
        for path in ("root", "cwd", "exe", "fd/0"):
            with pytest.raises(EscapeError):
                root.read_bytes(path)
        for path in ("root", "cwd", "fd", "task"):
            assert "x" not in (name for name in _names_of(root, path))


def _names_of(root: Root, path: str) -> list[str]:
    try:
        return root.listdir(path)
    except EscapeError:
        return []


def test_a_file_that_answers_short_is_read_to_its_end() -> None:
    """procfs gives a page at a time, and so may any file system: a short answer is no end."""
    with Root("/proc/self") as root, root.open("smaps", "rb") as file:
        whole = file.read().count(b"VmFlags:")
        assert root.read_bytes("smaps").count(b"VmFlags:") >= whole // 2


# -- the rule of dot entries -------------------------------------------------------------------

_HIDDEN = Policy(top_level_dot_entries="refuse")


@pytest.fixture
def home(scratch: Scratch) -> Iterator[Root]:
    lines = (".ssh/id = secret", ".bashrc = secret", "notes => .ssh", "d/.kept = kept", "d/f")
    more = ("rc => ./.bashrc", "deep/l => ../.ssh/id", "up => d/../.ssh", "dot => .", "..a", "f")
    layouts.lay((*lines, *more, f".ssh/big = {'x' * 5000}"), str(scratch.root), scratch)
    with Root(scratch.root, policy=_HIDDEN) as opened:
        yield opened


@pytest.mark.parametrize(
    "path",
    [".ssh", ".ssh/id", ".bashrc", "./.ssh/id", "d/../.ssh/id", "notes/id", "rc", "deep/l"]
    + [
        "up/id",
        "dot/.ssh/id",
        "dot/notes/id",
        ".ssh/",
        ".ssh/../f",
        ".missing",
        "..a",
        "notes/../f",
    ],
)
def test_a_dot_entry_at_the_top_is_refused_by_whatever_path_it_is_reached(
    path: str, home: Root
) -> None:
    acts: list[Callable[[str], object]] = [home.read_bytes, home.open, home.stat, home.listdir]
    acts += [home.subroot, lambda p: list(home.walk(p)), lambda p: home.chmod(p, 0o777)]
    acts += [lambda p: home.write_bytes(p, b"spoilt"), lambda p: home.copy(p, "new")]
    for act in acts:
        with pytest.raises(PolicyError) as caught:
            act(path)
        assert caught.value.rule == "top_level_dot_entries"
        assert path in (caught.value.filename, caught.value.filename2)
    assert not home.exists(path)


@pytest.mark.parametrize(
    "path", [".ssh", ".new", "./.new", "d/../.new", "dot/.new", ".ssh/", "..a"]
)
def test_no_dot_entry_is_made_changed_or_removed_at_the_top(
    path: str, home: Root, scratch: Scratch
) -> None:
    before = layouts.portrait(str(scratch.root))
    acts: list[Callable[[], object]] = [
        lambda: home.unlink(path),
        lambda: home.rmdir(path),
        lambda: home.remove_tree(path),
        lambda: home.mkdir(path),
        lambda: home.makedirs(path, exist_ok=True),
        lambda: home.makedirs(f"{path.rstrip('/')}/x"),
        lambda: home.symlink("f", path),
        lambda: home.link("f", path),
        lambda: home.link(path, "new"),
        lambda: home.rename("f", path),
        lambda: home.rename(path, "new"),
        lambda: home.copy("f", path),
        lambda: home.copy_tree("d", path),
        lambda: home.copy_tree(path, "new"),
        lambda: home.replace_file(path, b""),
        lambda: home.open(path, "x"),
        lambda: home.open(path, "w", atomic=True),
        lambda: home.readlink(path),
        lambda: home.lstat(path),
    ]
    for number, act in enumerate(acts):
        with pytest.raises(OSError) as caught:
            act()
        assert isinstance(caught.value, PolicyError) or path.endswith("/"), number
    assert layouts.portrait(str(scratch.root)) == before


def test_dot_entries_at_the_top_are_in_no_listing(home: Root) -> None:
    shown = ["d", "deep", "dot", "f", "notes", "rc", "up"]
    assert sorted(home.listdir()) == shown
    assert sorted(home.listdir("d/..")) == shown
    assert sorted(home.listdir("dot")) == shown
    assert sorted(entry.name for entry in home.scandir()) == shown
    assert sorted(home.glob("*")) == shown
    assert not [name for name in home.glob("**") if name.startswith(".") and name != "."]
    assert not list(home.glob(".*"))
    assert not [name for name in home.find() if name.startswith(".")]
    assert next(home.walk())[1] == ["d", "deep"]
    assert home.disk_usage() < 5000  # without what lies in .ssh
    with home.subroot(".") as again:
        assert sorted(again.listdir()) == shown
        assert not again.exists(".bashrc")
    assert sorted(home.listdir("d")) == [".kept", "f"]
    assert home.read_bytes("d/.kept") == b"kept"
    with home.subroot("d") as inner:
        assert inner.read_bytes(".kept") == b"kept"


# -- threads -----------------------------------------------------------------------------------


def test_threads_may_share_a_root(root: Root) -> None:
    wrong: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(50):
                root.makedirs(f"w/{number}/{turn}", exist_ok=True)
                root.replace_file(f"w/{number}/{turn}/x", b"x" * turn)
                assert root.read_bytes(f"w/{number}/{turn}/x") == b"x" * turn
                root.remove_tree(f"w/{number}/{turn}")
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert sorted(root.listdir("w")) == ["0", "1", "2", "3"]
