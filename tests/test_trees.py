"""copy_tree, move_tree and remove_tree: what they keep, count, tell, leave out and refuse."""

from __future__ import annotations

import errno
import gc
import io
import os
import shutil
import socket
from typing import TYPE_CHECKING, Any

import pytest
from fsspec.callbacks import Callback

from safefs import Budget, BudgetError, Disk, PolicyError, Progress, Root, Step
from safefs.kernel import syscalls
from safefs.operations import moving
from safefs.policy import Policy
from tests.attackers import in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from safefs import TreeReport
    from safefs.testing.scratch import Scratch

_STAMP = 1_234_567_890_123_456_789


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A tree ``t`` with files, a directory, links in, out and to nothing, and odd modes."""
    tree = tmp_path / "root" / "t"
    (tree / "d").mkdir(parents=True)
    (tree / "f").write_text("text")
    (tree / "empty").touch()
    (tree / "d" / "large").write_bytes(os.urandom(300_000))
    (tree / "in").symlink_to("d/large")
    (tree / "out").symlink_to("/nowhere/at/all")
    (tree / "f").chmod(0o640)
    (tree / "d" / "large").chmod(0o4755)
    for path in (tree / "f", tree / "d" / "large", tree / "d"):
        os.utime(path, ns=(_STAMP, _STAMP + 1))
    (tree / "d").chmod(0o750)
    os.utime(tree / "in", ns=(_STAMP, _STAMP), follow_symlinks=False)
    return tmp_path / "root"


@pytest.fixture
def root(top: Path) -> Iterator[Root]:
    with Root(top) as opened:
        yield opened


def portrait(top: Path) -> dict[str, tuple[object, ...]]:
    """Every path beneath: kind and mode, times, and content or text."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(top.rglob("*")):
        seen = path.lstat()
        facts: tuple[object, ...] = (oct(seen.st_mode & ~0o7000), seen.st_mtime_ns)
        if path.is_symlink():
            facts += (os.readlink(path),)
        elif path.is_file():
            facts += (path.read_bytes(),)
        found[str(path.relative_to(top))] = facts
    return found


_ALL = ("d", "d/large", "empty", "f", "in", "out")
_KINDS = {"d": "directory", "in": "symlink", "out": "symlink"}
_BYTES = 300_004


def test_a_copy_is_equal_in_content_kind_links_modes_and_times(root: Root, top: Path) -> None:
    report = root.copy_tree("t", "copy")
    assert portrait(top / "copy") == portrait(top / "t")
    assert (top / "copy" / "d" / "large").stat().st_mode & 0o7777 == 0o755
    assert [step.path for step in report.steps] == list(_ALL)
    assert {step.path: step.kind for step in report.steps if step.kind != "file"} == _KINDS
    assert {step.action for step in report.steps} == {"create"}
    assert (report.entries, report.bytes) == (len(_ALL), _BYTES)


@pytest.mark.parametrize("act", ["copy_tree", "move_tree", "remove_tree"])
def test_a_dry_run_says_what_the_real_run_says_and_changes_nothing(
    act: str, root: Root, top: Path
) -> None:
    paths = ("t",) if act == "remove_tree" else ("t", "new")
    before = portrait(top)
    said = getattr(root, act)(*paths, dry_run=True)
    assert portrait(top) == before
    assert getattr(root, act)(*paths) == said
    assert portrait(top) != before
    assert said.steps


@pytest.mark.parametrize("act", ["copy_tree", "move_tree"])
def test_a_dry_run_refuses_what_the_real_run_refuses(act: str, root: Root, top: Path) -> None:
    for source, target in (("t", "t/d/new"), ("t", "t/f"), ("t/f", "new"), ("no", "new")):
        numbers = []
        for dry_run in (True, False):
            with pytest.raises(OSError) as caught:
                getattr(root, act)(source, target, dry_run=dry_run)
            numbers.append(caught.value.errno)
        assert numbers[0] == numbers[1], (source, target)
    assert sorted(os.listdir(top)) == ["t"]


@pytest.mark.parametrize(
    ("budget", "path", "limit"),
    [
        (Budget(entries=5), "out", "entries"),
        (Budget(bytes=_BYTES - 1), "f", "bytes"),
        (Budget(depth=1), "d/large", "depth"),
        (Budget(path_length=4), "d/large", "path_length"),
    ],
)
@pytest.mark.parametrize("act", ["copy_tree", "move_tree", "remove_tree"])
@pytest.mark.parametrize("dry_run", [False, True])
def test_more_than_the_budget_is_one_error_before_anything_is_changed(
    act: str, dry_run: bool, budget: Budget, path: str, limit: str, root: Root, top: Path
) -> None:
    before = portrait(top)
    paths = ("t",) if act == "remove_tree" else ("t", "new")
    ignored: list[OSError] = []
    with pytest.raises(BudgetError) as caught:
        getattr(root, act)(*paths, budget=budget, dry_run=dry_run, on_error=ignored.append)
    assert caught.value.limit == limit
    assert caught.value.maximum == getattr(budget, limit)
    if act != "remove_tree":  # which goes the other way round
        assert caught.value.path == path
    assert not ignored
    assert portrait(top) == before


def test_a_budget_that_is_just_kept_is_no_error(root: Root, top: Path) -> None:
    budget = Budget(entries=6, bytes=_BYTES, depth=2, path_length=7)
    assert root.copy_tree("t", "copy", budget=budget).entries == 6
    assert root.move_tree("copy", "moved", budget=budget).steps == (
        Step("rename", "", "directory"),
    )
    assert root.remove_tree("moved", budget=budget).entries == 6


def test_a_tree_that_grows_while_it_is_copied_is_held_to_its_budget(
    root: Root, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = syscalls.mkdir

    def growing(*args: Any, **keywords: Any) -> None:
        (top / "t" / "f").write_text("much more")
        real(*args, **keywords)

    monkeypatch.setattr(syscalls, "mkdir", growing)
    with pytest.raises(BudgetError) as caught:
        root.copy_tree("t", "copy", budget=Budget(bytes=_BYTES))
    assert caught.value.path == "f"
    assert os.listdir(top) == ["t"]


def test_a_file_that_grows_while_it_is_read_is_held_to_the_budget(
    root: Root, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size has been believed by then, and it may never end."""
    real = syscalls.read

    def endless(fd: int, size: int) -> bytes:
        return real(fd, size) or b"more"

    monkeypatch.setattr(syscalls, "read", endless)
    with pytest.raises(BudgetError, match="bytes"):
        root.copy_tree("t", "copy", budget=Budget(bytes=_BYTES + 1000))
    assert os.listdir(top) == ["t"]


def test_progress_is_told_with_what_there_is_to_do(root: Root) -> None:
    told: list[Progress] = []
    root.copy_tree("t", "copy", progress=told.append)
    assert [each.path for each in told if each.path != "d/large"] == [
        path for path in _ALL if path != "d/large"
    ]
    assert {(each.total_entries, each.total_bytes) for each in told} == {(6, _BYTES)}
    assert (told[-1].entries, told[-1].bytes) == (6, _BYTES)
    assert [each.bytes for each in told] == sorted(each.bytes for each in told)


def test_progress_is_told_to_a_callback_of_fsspec(root: Root) -> None:
    callback = Callback()
    root.copy_tree("t", "copy", progress=callback)
    assert (callback.size, callback.value) == (6, 6)
    callback = Callback()
    root.remove_tree("t", progress=callback)
    assert (callback.size, callback.value) == (6, 6)


def test_what_progress_raises_ends_the_copy_and_leaves_nothing(root: Root, top: Path) -> None:
    def stop(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        root.copy_tree("t", "copy", progress=stop)
    assert os.listdir(top) == ["t"]


def _special(top: Path) -> None:
    os.mkfifo(top / "t" / "d" / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(top / "t")  # the path of a socket is short
        try:
            listener.bind("socket")
        finally:
            os.chdir(here)


@pytest.mark.parametrize("dry_run", [False, True])
def test_special_files_are_an_error_or_left_out(dry_run: bool, root: Root, top: Path) -> None:
    _special(top)
    before = portrait(top)
    with pytest.raises(OSError) as caught:
        root.copy_tree("t", "copy", dry_run=dry_run)
    assert (caught.value.errno, caught.value.filename) == (errno.ENXIO, "t")
    assert portrait(top) == before
    errors: list[OSError] = []
    report = root.copy_tree("t", "copy", on_error=errors.append, dry_run=dry_run)
    assert [(each.errno, each.filename) for each in errors] == [
        (errno.ENXIO, "t/d/fifo"),
        (errno.ENXIO, "t/socket"),
    ]
    assert Step("skip", "d/fifo", "other") in report.steps
    assert report.entries == 6
    if not dry_run:
        assert sorted(portrait(top / "copy")) == sorted(_ALL)


def test_what_on_error_raises_ends_the_copy_and_leaves_nothing(root: Root, top: Path) -> None:
    _special(top)

    def strict(error: OSError) -> None:
        raise ValueError(error.filename)

    with pytest.raises(ValueError, match="t/d/fifo"):
        root.copy_tree("t", "copy", on_error=strict)
    assert os.listdir(top) == ["t"]


def _failing(monkeypatch: pytest.MonkeyPatch, call: str, name: str) -> None:
    real = getattr(syscalls, call)

    def fail(given: Any, *args: Any, **keywords: Any) -> Any:
        if given == name:
            raise OSError(errno.EIO, os.strerror(errno.EIO), given)
        return real(given, *args, **keywords)

    monkeypatch.setattr(syscalls, call, fail)


@pytest.mark.parametrize(
    ("call", "name", "gone"),
    [
        ("open", "f", {"f"}),
        ("open", "d", {"d", "d/large"}),
        ("readlink", "in", {"in"}),
        ("mkdir", "d", {"d", "d/large"}),
        ("symlink", "/nowhere/at/all", {"out"}),
    ],
)
def test_what_cannot_be_copied_is_told_and_left_out(
    call: str, name: str, gone: set[str], root: Root, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _failing(monkeypatch, call, name)
    errors: list[OSError] = []
    report = root.copy_tree("t", "copy", on_error=errors.append)
    assert [each.errno for each in errors] == [errno.EIO]
    assert {path for path in _ALL if not os.path.lexists(top / "copy" / path)} == gone
    assert report.entries == 6 - len(gone)
    with pytest.raises(OSError) as caught:
        root.copy_tree("t", "whole")
    assert (caught.value.errno, caught.value.filename, caught.value.filename2) == (
        errno.EIO,
        "t",
        "whole",
    )
    assert sorted(os.listdir(top)) == ["copy", "t"]


def test_a_copy_that_fails_in_the_middle_of_a_file_leaves_no_half_of_it(
    root: Root, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(syscalls, "copy_file_range", full)
    errors: list[OSError] = []
    root.copy_tree("t", "copy", on_error=errors.append)
    assert [(each.errno, each.filename) for each in errors] == [(errno.ENOSPC, "t/d/large")]
    assert sorted(os.listdir(top / "copy" / "d")) == []


def test_hard_links_are_kept_where_asked(root: Root, top: Path) -> None:
    os.link(top / "t" / "f", top / "t" / "d" / "g")
    os.link(top / "t" / "f", top / "outside the tree")
    for hard_links in (False, True):
        report = root.copy_tree("t", "copy", hard_links=hard_links)
        names = {(top / "copy" / path).stat().st_ino for path in ("f", "d/g")}
        assert len(names) == 2 - hard_links
        assert (Step("create", "f", "link") in report.steps) == hard_links
        assert report.bytes == _BYTES + (0 if hard_links else 4)
        assert portrait(top / "copy") == portrait(top / "t")
        assert report == root.copy_tree("t", "again", hard_links=hard_links, dry_run=True)
        shutil.rmtree(top / "copy")


def test_a_hard_link_to_what_was_put_in_the_place_of_its_copy_is_not_kept(
    root: Root, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may write the draft would have a file of his choice in the copy by another name."""
    os.link(top / "t" / "d" / "large", top / "t" / "f2")
    real = syscalls.link

    def swapping(src: Any, dst: Any, **keywords: Any) -> None:
        draft = next(top.glob(".safefs-*.tmp"))
        (draft / "d" / "large").unlink()
        (draft / "d" / "large").write_text("another")
        real(src, dst, **keywords)

    monkeypatch.setattr(syscalls, "link", swapping)
    with pytest.raises(OSError) as caught:
        root.copy_tree("t", "copy", hard_links=True)
    assert caught.value.errno == errno.ESTALE
    assert sorted(os.listdir(top)) == ["t"]


def test_holes_are_not_filled(root: Root, top: Path) -> None:
    def sparse(name: str, *stretches: tuple[int, bytes], size: int) -> None:
        with (top / "t" / name).open("wb") as file:
            for at, data in stretches:
                file.seek(at)
                file.write(data)
            file.truncate(size)

    sparse("hole in the middle", (0, b"a"), (8 << 20, b"z"), size=(8 << 20) + 1)
    sparse("hole at the ends", (4 << 20, b"m" * 70_000), size=9 << 20)
    sparse("nothing but a hole", size=8 << 20)
    told: list[Progress] = []
    root.copy_tree("t", "copy", progress=told.append)
    assert portrait(top / "copy") == portrait(top / "t")
    for name in ("hole in the middle", "hole at the ends", "nothing but a hole"):
        assert (top / "copy" / name).stat().st_blocks * 512 < 1 << 20, name
    root.copy("t/hole in the middle", "single")
    assert (top / "single").stat().st_blocks * 512 < 1 << 20
    assert told[-1].bytes == told[-1].total_bytes


@pytest.mark.parametrize("cut", [100, 1 << 20, (5 << 20) + 3])
@pytest.mark.parametrize("moment", ["SEEK_DATA", "SEEK_HOLE"])
def test_a_file_with_holes_that_is_cut_short_meanwhile_is_not_filled_up_with_zeros(
    root: Root, top: Path, monkeypatch: pytest.MonkeyPatch, cut: int, moment: str
) -> None:
    with (top / "t" / "sparse").open("wb") as file:
        file.write(b"a")
        for at in (4 << 20, 8 << 20):
            file.seek(at)
            file.write(b"m" * (2 << 20))
    real = syscalls.lseek

    def cutting(fd: int, at: int, how: int) -> int:
        if how == getattr(os, moment) and at >= 4 << 20:
            os.truncate(top / "t" / "sparse", cut)
        return real(fd, at, how)

    monkeypatch.setattr(syscalls, "lseek", cutting)
    monkeypatch.setattr(syscalls, "clone", lambda *_: -errno.EOPNOTSUPP)
    root.copy("t/sparse", "single")
    assert (top / "t" / "sparse").stat().st_size == cut
    # What was copied before it was cut stays; beyond that there is nothing.
    assert (top / "single").stat().st_size in (cut, 4096, 6 << 20)
    assert (top / "single").read_bytes()[:cut] == (top / "t" / "sparse").read_bytes()


def test_a_policy_without_links_refuses_a_tree_with_one_or_leaves_it_out(top: Path) -> None:
    with Root(top, policy=Policy(symlinks="never")) as root:
        with pytest.raises(PolicyError):
            root.copy_tree("t", "copy")
        assert os.listdir(top) == ["t"]
        errors: list[OSError] = []
        root.copy_tree("t", "copy", on_error=errors.append)
        assert [error.filename for error in errors] == ["t/in", "t/out"]
        assert sorted(os.listdir(top / "copy")) == ["d", "empty", "f"]


def test_drafts_of_writers_are_not_copied_but_removed(root: Root, top: Path) -> None:
    draft = ".safefs-0123456789abcdef.tmp"
    (top / "t" / "d" / draft).write_text("half")
    report = root.copy_tree("t", "copy")
    assert [step.path for step in report.steps] == list(_ALL)
    assert sorted(os.listdir(top / "copy" / "d")) == ["large"]
    assert f"d/{draft}" in [step.path for step in root.remove_tree("t").steps]
    assert os.listdir(top) == ["copy"]


def test_removing_goes_on_where_asked(
    root: Root, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _failing(monkeypatch, "unlink", "large")
    errors: list[OSError] = []
    report = root.remove_tree("t", on_error=errors.append)
    assert [(each.errno, each.filename) for each in errors] == [(errno.EIO, "t/d/large")]
    assert sorted(portrait(top)) == ["t", "t/d", "t/d/large"]
    assert sorted(step.path for step in report.steps if step.action == "remove") == [
        "empty", "f", "in", "out",
    ]  # fmt: skip


def test_what_is_no_callable_is_refused_before_anything_is_changed(root: Root, top: Path) -> None:
    before = portrait(top)
    options: list[dict[str, Any]] = [{"on_error": 1}, {"progress": "loud"}, {"budget": 7}]
    for bad in options:
        with pytest.raises(TypeError):
            root.remove_tree("t", **bad)
        with pytest.raises(TypeError):
            root.copy_tree("t", "copy", **bad)
    assert portrait(top) == before


# -- moving -------------------------------------------------------------------------------------


def test_a_move_on_one_file_system_is_one_rename(root: Root, top: Path) -> None:
    before = portrait(top / "t")
    inode = (top / "t").stat().st_ino
    assert root.move_tree("t", "moved").steps == (Step("rename", "", "directory"),)
    assert portrait(top / "moved") == before
    assert (top / "moved").stat().st_ino == inode


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every two directories lay on two file systems, but for the publishing of a draft."""

    def crossing(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(moving, "rename_noreplace", crossing)


@pytest.mark.usefixtures("apart")
def test_a_move_between_file_systems_is_a_copy_and_a_removal(root: Root, top: Path) -> None:
    before = portrait(top / "t")
    report = root.move_tree("t", "moved")
    assert portrait(top / "moved") == before
    assert os.listdir(top) == ["moved"]
    assert [step.action for step in report.steps] == ["create"] * 6 + ["remove"] * 6


def _moved_while(root: Root, top: Path, change: Any, monkeypatch: pytest.MonkeyPatch) -> OSError:
    """The error of a move, where something changes between the copy and the removal."""
    real = moving._remove_copied

    def changed_first(*args: Any) -> None:
        change(top / "t")
        real(*args)

    monkeypatch.setattr(moving, "_remove_copied", changed_first)
    with pytest.raises(OSError) as caught:
        root.move_tree("t", "moved")
    return caught.value


def _put_back(tree: Path) -> None:
    (tree / "f").write_text("TEXT")
    os.utime(tree / "f", ns=(_STAMP, _STAMP + 1))


def _replace(tree: Path) -> None:
    (tree / "f").unlink()
    (tree / "f").write_text("newer")


def _exchange(tree: Path) -> None:
    (tree / "d").rename(tree.parent / "away")
    (tree / "d").mkdir()
    (tree / "d" / "newer").write_text("newer")


_CHANGES: dict[str, Callable[[Path], object]] = {
    "written": lambda tree: (tree / "d" / "large").write_text("newer"),
    "written, with its time put back": _put_back,
    "replaced": _replace,
    "a new file": lambda tree: (tree / "d" / "late").write_text("newer"),
    "a new link": lambda tree: (tree / "late").symlink_to("f"),
    "another directory": _exchange,
}


@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize("change", _CHANGES)
def test_what_changes_after_it_was_copied_is_not_removed(
    change: str, root: Root, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = portrait(top / "t")
    changed: dict[str, Any] = {}

    def act(tree: Path) -> None:
        _CHANGES[change](tree)
        changed.update(portrait(tree))

    error = _moved_while(root, top, act, monkeypatch)
    assert error.errno == errno.ESTALE
    assert "copied whole" in str(error)
    assert (error.filename, error.filename2) == ("t", "moved")
    assert portrait(top / "moved") == before
    after = portrait(top / "t")
    for path, facts in changed.items():
        if before.get(path) != facts and path != "d":
            assert after[path] == facts, path


@pytest.mark.usefixtures("apart")
def test_what_could_not_be_copied_is_not_removed(root: Root, top: Path) -> None:
    os.mkfifo(top / "t" / "d" / "fifo")
    errors: list[OSError] = []
    root.move_tree("t", "moved", on_error=errors.append)
    assert [error.filename for error in errors] == ["t/d/fifo"]
    assert sorted(str(path.relative_to(top)) for path in (top / "t").rglob("*")) == [
        "t/d", "t/d/fifo",
    ]  # fmt: skip
    assert sorted(portrait(top / "moved")) == sorted(_ALL)


@pytest.mark.usefixtures("apart")
def test_two_names_of_one_file_are_both_removed_after_the_copy(root: Root, top: Path) -> None:
    """Removing the one changes the other's ctime."""
    os.link(top / "t" / "f", top / "t" / "d" / "g")
    root.move_tree("t", "moved", hard_links=True)
    assert os.listdir(top) == ["moved"]
    assert (top / "moved" / "f").stat().st_ino == (top / "moved" / "d" / "g").stat().st_ino


def test_a_report_is_the_same_value_on_every_run(root: Root) -> None:
    reports: list[TreeReport] = [root.copy_tree("t", f"copy {turn}") for turn in range(2)]
    assert reports[0] == reports[1]
    assert hash(reports[0]) == hash(reports[1])


def test_an_error_keeps_nothing_open_until_garbage_is_collected(scratch: Scratch) -> None:
    """A frame that holds the error it raises is a cycle, and holds the descriptors of its Root."""
    (scratch.root / "d").mkdir()
    os.mkfifo(scratch.root / "d/fifo")
    (scratch.root / "none.zip").write_bytes(b"PK\x03\x04")
    acts: list[Callable[[Disk], object]] = [
        lambda disk: disk.copy_tree("d", "new"),
        lambda disk: disk.sync_to(disk / "new", source="d"),
        lambda disk: disk.archive("d", io.BytesIO(), format="tar"),
        lambda disk: disk.extract("none.zip", "new"),
        lambda disk: disk.all_files("none"),
    ]
    gc.collect()  # what other tests have left is theirs
    before = len(os.listdir("/proc/self/fd"))
    gc.disable()
    try:
        for number, act in enumerate(acts):
            assert _fails(act, scratch.root)
            assert len(os.listdir("/proc/self/fd")) == before, number
    finally:
        gc.enable()


def _fails(act: Callable[[Disk], object], directory: Path) -> bool:
    with Disk(directory) as disk:
        try:
            act(disk)
        except (OSError, ValueError):
            return True
    return False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_copy_that_fails_leaves_no_directory_that_nobody_may_write_to(scratch: Scratch) -> None:
    """A directory has the mode of its source when it is complete, which is before the end."""
    for path in (scratch.root, *scratch.root.parents):
        if len(path.parts) < 3:
            break
        if path.stat().st_mode & 0o055 != 0o055:
            path.chmod(path.stat().st_mode | 0o055)
    scratch.root.chmod(0o777)

    def copying() -> tuple[int | None, list[str]]:
        with Disk(scratch.root) as disk:
            disk.put("t/done/deep/f", b"1")
            os.chmod(scratch.root / "t/done/deep", 0o555)
            os.chmod(scratch.root / "t/done", 0o555)
            os.mkfifo(scratch.root / "t/pipe")
            with pytest.raises(OSError) as caught:
                disk.copy_tree("t", "copy")
            return caught.value.errno, os.listdir(scratch.root)

    assert in_child(copying, uid=65534) == (errno.ENXIO, ["t"])
