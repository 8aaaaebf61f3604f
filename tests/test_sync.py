"""Trees between disks, and sync_to: random trees, what stands in the way, races and links."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safefs import Budget, BudgetError, Disk, PolicyError, Root, Step
from safefs.drivers import trees as trees_of_drivers
from safefs.drivers.local import LocalDriver
from safefs.drivers.memory import MemoryDriver
from safefs.kernel import syscalls
from safefs.operations import sides
from safefs.policy import Policy
from safefs.testing import planting
from safefs.testing.strategies import trees
from tests.attackers import NOBODY, exchanging, in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from safefs.testing.scratch import Scratch

_FEW = settings(suppress_health_check=list(HealthCheck))
_STAMP = 1_234_567_890_123_456_789


def portrait(top: Path, *, links: bool = True) -> dict[str, tuple[object, ...]]:
    """Every path beneath: kind and mode, time (of links only where asked), content or text."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(top.rglob("*")):
        seen = path.lstat()
        if path.is_symlink():
            found[str(path.relative_to(top))] = ("link", os.readlink(path))
            if links:
                found[str(path.relative_to(top))] += (seen.st_mtime_ns,)
            continue
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(top))] = (oct(seen.st_mode), seen.st_mtime_ns, content)
    return found


def _with_odd_modes(top: Path, draw: st.DataObject) -> None:
    """Times of their own too: what is made in one moment has one time."""
    for path in sorted(top.rglob("*"), reverse=True):
        if not path.is_symlink():
            path.chmod(draw.draw(st.sampled_from((0o644, 0o600, 0o755, 0o700))) | 0o100)
        os.utime(path, ns=(_STAMP, draw.draw(st.integers(0, 2**60))), follow_symlinks=False)


@pytest.fixture
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of another disk, which the scratch does not take for its outside."""
    return tmp_path_factory.mktemp("target")


@_FEW
@given(tree=trees(), data=st.data())
def test_a_copy_of_any_tree_is_equal_here_and_on_another_disk(
    scratch: Scratch, target: Path, tree: Any, data: st.DataObject
) -> None:
    planting.clear(str(target))
    planting.plant(scratch, tree)
    _with_odd_modes(scratch.root, data)
    before = portrait(scratch.root)
    with Disk(scratch.root) as disk, Disk(target) as other, Root(scratch.root) as root:
        said = disk.copy_tree("", other / "across/it", dry_run=True)
        assert disk.copy_tree("", other / "across/it") == said
        assert portrait(target / "across/it") == before
        other.copy_tree("across/it", "again")
        assert portrait(target / "again") == before
        other.move_tree("again", disk / "moved")
        assert portrait(scratch.root / "moved") == before
        assert root.remove_tree("moved").entries == len(before)
    assert not scratch.changes()


@_FEW
@given(one=trees(), other=trees(), data=st.data(), checksum=st.booleans())
def test_a_mirror_of_any_tree_over_any_tree_is_equal_and_a_second_run_does_nothing(
    scratch: Scratch, target: Path, one: Any, other: Any, data: st.DataObject, checksum: bool
) -> None:
    planting.clear(str(target))
    planting.plant(scratch, other)
    with Disk(scratch.root) as disk, Disk(target) as mirror:
        disk.sync_to(mirror)
        planting.plant(scratch, one)
        _with_odd_modes(scratch.root, data)
        before = portrait(scratch.root, links=False)
        if not before:
            return
        said = disk.sync_to(mirror, delete=True, checksum=checksum, dry_run=True)
        assert disk.sync_to(mirror, delete=True, checksum=checksum) == said
        assert portrait(target, links=False) == before
        assert portrait(scratch.root, links=False) == before
        assert disk.sync_to(mirror, delete=True, checksum=checksum).steps == ()
    assert not scratch.changes()
    assert not list(target.rglob(".safefs-*"))


@_FEW
@given(tree=trees(links=False), data=st.data())
def test_a_tree_is_carried_through_memory_and_back(
    scratch: Scratch, target: Path, tree: Any, data: st.DataObject
) -> None:
    planting.clear(str(target))
    planting.plant(scratch, tree)
    _with_odd_modes(scratch.root, data)
    before = portrait(scratch.root)
    with Disk(scratch.root) as disk, Disk(target) as other, Disk._over(MemoryDriver()) as memory:
        disk.copy_tree("", memory / "a/b")
        assert disk.sync_to(memory / "a/b").steps == ()
        memory.move_tree("a/b", "c")
        memory.copy_tree("c", other / "back")
        assert portrait(target / "back") == before
        memory.sync_to(other / "mirror", source="c")
        assert portrait(target / "mirror") == before
        memory.move_tree("c", other / "moved")
        assert portrait(target / "moved") == before
        assert memory.all_files() == memory.directories("a") == []
        if before:
            other.move_tree("moved", memory / "taken")
            assert not (target / "moved").exists()
            memory.copy_tree("taken", other / "returned")
            assert portrait(target / "returned") == before


def test_two_names_of_a_file_are_moved_to_memory(scratch: Scratch) -> None:
    """The first that goes changes the other, which is the same file as before."""
    with Disk(scratch.root) as disk, Disk._over(MemoryDriver()) as memory:
        disk.put("t/a", b"x")
        os.link(scratch.root / "t" / "a", scratch.root / "t" / "b")
        disk.move_tree("t", memory / "t")
        assert disk.missing("t")
        assert memory.files("t") == ["t/a", "t/b"]


@pytest.fixture
def two(scratch: Scratch, target: Path) -> Iterator[tuple[Disk, Disk]]:
    with Disk(scratch.root) as one, Disk(target) as other:
        yield one, other


def _lay(top: Path, **files: str) -> None:
    for name, text in files.items():
        path = top / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_private_disk_keeps_what_is_copied_moved_or_mirrored_to_it_private(
    scratch: Scratch, target: Path
) -> None:
    _lay(scratch.root, t__f="f", t__d__g="g")
    (scratch.root / "t" / "f").chmod(0o755)
    private = Disk._over(LocalDriver(Root(target), file_mode=0o600, directory_mode=0o700))
    with Disk(scratch.root) as disk, private:
        disk.copy_tree("t", private / "copied")
        disk.sync_to(private / "mirrored", source="t")
        assert disk.sync_to(private / "mirrored", source="t").steps == ()
        disk.move_tree("t", private / "moved")
        assert not (scratch.root / "t").exists()
    modes = {oct(path.lstat().st_mode & 0o777) for path in target.rglob("*")}
    assert modes == {"0o600", "0o700"}


def test_the_rules_of_the_target_hold_for_what_is_copied_moved_or_mirrored(
    scratch: Scratch, target: Path
) -> None:
    _lay(scratch.root, t__f="f", n__nul="x")
    (scratch.root / "n" / "nul").rename(scratch.root / "n" / "a:b")
    (scratch.root / "t" / "l").symlink_to("f")
    strict = Policy(symlinks="never", portable_names=True, top_level_dot_entries="refuse")
    _lay(scratch.root, h__x="x")
    (scratch.root / "h" / ".ssh").mkdir()
    with Disk(scratch.root) as disk, Disk(target, policy=strict) as other:
        acts: list[Callable[[str], object]] = [
            lambda at: disk.copy_tree(at, other / "new"),
            lambda at: disk.move_tree(at, other / "new"),
            lambda at: disk.sync_to(other / "new", source=at),
        ]
        for tree, rule in (("t", "symlinks"), ("n", "portable_names")):
            for act in acts:
                with pytest.raises(PolicyError) as caught:
                    act(tree)
                assert caught.value.rule == rule
        with pytest.raises(PolicyError) as caught:
            disk.sync_to(other, source="h")
        assert caught.value.rule == "top_level_dot_entries"
        with disk.read_only() as fixed:
            with pytest.raises(PolicyError, match="read_only"):
                other.sync_to(fixed / "x")
            with pytest.raises(PolicyError, match="read_only"):
                fixed.move_tree("t", other / "x")
    assert os.listdir(target) == []
    assert sorted(os.listdir(scratch.root)) == ["h", "n", "t"]


def test_a_planted_link_is_replaced_and_never_written_through(
    two: tuple[Disk, Disk], scratch: Scratch, target: Path
) -> None:
    _lay(scratch.root, f="new", d__g="new")
    _lay(target, f="old", victim="untouched")
    for name, text in (("f", "victim"), ("d", "elsewhere")):
        (target / name).unlink(missing_ok=True)
        (target / name).symlink_to(text)
    (target / "elsewhere").mkdir()
    report = two[0].sync_to(two[1])
    assert Step("replace", "d", "directory") in report.steps
    assert Step("replace", "f", "file") in report.steps
    assert (target / "victim").read_text() == "untouched"
    assert os.listdir(target / "elsewhere") == []
    assert (target / "d" / "g").read_text() == (target / "f").read_text() == "new"


def test_what_stands_in_the_way_is_removed_last_and_only_where_asked(
    two: tuple[Disk, Disk], scratch: Scratch, target: Path
) -> None:
    _lay(scratch.root, f="new", z="new")
    _lay(target, f__deep__x="old", more="old")
    before = portrait(target)
    with pytest.raises(IsADirectoryError, match="gives way only with delete"):
        two[0].sync_to(two[1])
    assert portrait(target) == before
    errors: list[OSError] = []
    two[0].sync_to(two[1], on_error=errors.append)
    assert [(error.errno, error.filename) for error in errors] == [(errno.EISDIR, "f")]
    assert (target / "z").read_text() == "new"
    assert (target / "f" / "deep" / "x").read_text() == "old"
    steps = two[0].sync_to(two[1], delete=True).steps
    assert steps == (Step("replace", "f", "file"), Step("remove", "more", "file"))
    assert sorted(os.listdir(target)) == ["f", "z"]


def test_nothing_is_removed_where_something_could_not_be_copied(
    two: tuple[Disk, Disk], scratch: Scratch, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _lay(scratch.root, bad="new", good="new")
    _lay(target, more="old")
    real = syscalls.open

    def failing(name: Any, *args: Any, **keywords: Any) -> int:
        if name == "bad":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(name, *args, **keywords)

    monkeypatch.setattr(syscalls, "open", failing)
    with pytest.raises(OSError) as caught:
        two[0].sync_to(two[1], delete=True)
    assert caught.value.errno == errno.EIO
    assert os.listdir(target) == ["more"]
    errors: list[OSError] = []
    two[0].sync_to(two[1], delete=True, on_error=errors.append)
    assert [error.filename for error in errors] == ["bad"]
    assert sorted(os.listdir(target)) == ["good", "more"]


def test_a_special_file_is_left_out_and_is_no_reason_to_remove_nothing(
    two: tuple[Disk, Disk], scratch: Scratch, target: Path
) -> None:
    _lay(scratch.root, good="new")
    os.mkfifo(scratch.root / "fifo")
    _lay(target, more="old")
    with pytest.raises(OSError) as caught:
        two[0].sync_to(two[1], delete=True)
    assert caught.value.errno == errno.ENXIO
    assert os.listdir(target) == ["more"]
    two[0].sync_to(two[1], delete=True, on_error=lambda _: None)
    assert os.listdir(target) == ["good"]


def test_a_mirror_keeps_to_its_budget_before_anything_is_changed(
    two: tuple[Disk, Disk], scratch: Scratch, target: Path
) -> None:
    _lay(scratch.root, a="1", d__b="22", d__c="333")
    for budget in (Budget(entries=3), Budget(bytes=5), Budget(depth=1)):
        with pytest.raises(BudgetError):
            two[0].sync_to(two[1] / "new", budget=budget, on_error=lambda _: None)
    assert os.listdir(target) == []
    assert two[0].sync_to(two[1], budget=Budget(entries=4, bytes=6, depth=2)).entries == 4


def test_a_mode_or_time_alone_is_set_without_a_copy(
    two: tuple[Disk, Disk], scratch: Scratch, target: Path
) -> None:
    _lay(scratch.root, f="f", d__g="g")
    two[0].sync_to(two[1])
    inode = (target / "f").stat().st_ino
    (scratch.root / "f").chmod(0o600)
    os.utime(scratch.root / "d", ns=(_STAMP, _STAMP))
    report = two[0].sync_to(two[1])
    assert report.steps == (Step("update", "d", "directory"), Step("update", "f", "file"))
    assert report.bytes == 0
    assert (target / "f").stat().st_ino == inode
    assert portrait(target) == portrait(scratch.root)


def test_each_file_is_old_or_new_wherever_a_mirror_is_cut_short(
    two: tuple[Disk, Disk], scratch: Scratch, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an exception before each change in turn; the next run makes up for it."""
    _lay(scratch.root, a="new", d__b="new", k="new")
    real = {name: getattr(syscalls, name) for name in ("rename", "mkdir", "write", "utime")}
    turn, left = 0, [0]

    def cut(name: str) -> Callable[..., object]:
        def call(*args: Any, **keywords: Any) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            return real[name](*args, **keywords)

        return call

    for name in real:
        monkeypatch.setattr(syscalls, name, cut(name))
    while True:
        planting.clear(str(target))
        _lay(target, a="old", k__in="old")
        os.utime(target / "a", ns=(_STAMP, _STAMP))
        left[0] = turn
        try:
            two[0].sync_to(two[1], delete=True)
            break
        except KeyboardInterrupt:
            pass
        for path in target.rglob("*"):
            if path.is_file() and not path.name.startswith(".safefs-"):
                assert path.read_text() in ("old", "new")
        assert (target / "a").exists()
        assert (target / "k").exists()
        left[0] = 1000
        two[0].sync_to(two[1], delete=True)
        assert portrait(target) == portrait(scratch.root)
        turn += 1
    assert turn > 8


def test_a_directory_is_exchanged_where_the_system_cannot_exchange(
    two: tuple[Disk, Disk], scratch: Scratch, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "rename_exchange", lambda *_: -errno.ENOSYS)
    _lay(scratch.root, d__g="new", f="new")
    (scratch.root / "l").symlink_to("f")
    _lay(target, d="old", f__x="old", l__x="old")
    two[0].sync_to(two[1], delete=True)
    assert portrait(target) == portrait(scratch.root)


@pytest.mark.usefixtures("resolver")
@pytest.mark.parametrize("act", ["copy_tree", "sync_to", "move_tree"])
def test_no_racing_link_leads_a_tree_out(
    act: str, scratch: Scratch, target: Path, scaled: Callable[[int], int]
) -> None:
    """A directory of the source, or of the target, is exchanged for a link to the outside."""
    for top in (scratch.root, target):
        _lay(top, t__d__f="inside", t__d__sub__f="inside", t__z="inside")
        (top / "t" / "link").symlink_to(scratch.outside)
    (scratch.outside / "f").write_text("OUTSIDE")
    (scratch.outside / "sub").mkdir()
    (scratch.outside / "sub" / "f").write_text("OUTSIDE")
    scratch.remember()
    seen = set()
    with Disk(scratch.root) as disk, Disk(target) as other:
        source = exchanging(scratch.root / "t/d", scratch.root / "t/link")
        with source, exchanging(target / "t/d", target / "t/link"):
            for turn in range(scaled(150)):
                try:
                    if act == "copy_tree":
                        disk.copy_tree("t", other / "new")
                        other.delete_directory("new")
                    elif act == "move_tree":
                        disk.copy_tree("t", f"s{turn}", on_error=lambda _: None)
                        disk.move_tree(f"s{turn}", other / "new")
                        other.delete_directory("new")
                    else:
                        _lay(scratch.root, t__z=f"inside {turn}")
                        disk.sync_to(other / "t", source="t", delete=bool(turn % 2))
                except OSError as error:
                    seen.add(error.errno)
    assert not seen & {errno.EACCES, errno.EXDEV, errno.ELOOP}
    assert not scratch.changes()
    for path in [*scratch.root.rglob("*"), *target.rglob("*")]:
        if path.is_file() and not path.is_symlink():
            assert "OUTSIDE" not in path.read_text(), path


def test_source_and_target_that_lie_in_each_other_are_refused(scratch: Scratch) -> None:
    _lay(scratch.root, a__b__f="f", a__g="g")
    before = portrait(scratch.root)
    with Disk(scratch.root / "a") as outer, Disk(scratch.root / "a/b") as inner:
        for one, other in ((outer, inner), (inner, outer), (outer, outer)):
            for dry_run in (True, False):
                with pytest.raises(OSError, match="lie in each other") as caught:
                    one.sync_to(other, delete=True, dry_run=dry_run)
                assert caught.value.errno == errno.EINVAL
    assert portrait(scratch.root) == before


def test_a_target_that_would_come_to_lie_in_the_source_is_refused(scratch: Scratch) -> None:
    _lay(scratch.root, a__b__f="f", a__g="g")
    before = portrait(scratch.root)
    with Disk(scratch.root / "a") as outer, Disk(scratch.root / "a/b") as inner:
        for one, other in (
            (outer, outer / "new"),
            (outer, outer / "b/x/y"),
            (outer, inner / "new"),
        ):
            for dry_run in (True, False):
                with pytest.raises(OSError, match=r"lie|Invalid") as caught:
                    one.sync_to(other, dry_run=dry_run)
                assert caught.value.errno == errno.EINVAL
    assert portrait(scratch.root) == before


def test_what_changes_in_memory_after_it_was_copied_is_not_removed(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = trees_of_drivers._remove_copied
    with Disk._over(MemoryDriver()) as memory, Disk(target) as other:
        memory.put("t/a", "a")
        memory.put("t/d/b", "b")

        def changed_first(*args: Any) -> None:
            memory.put("t/d/b", "newer")
            real(*args)

        monkeypatch.setattr(trees_of_drivers, "_remove_copied", changed_first)
        with pytest.raises(OSError, match="copied whole") as caught:
            memory.move_tree("t", other / "moved")
        assert caught.value.errno == errno.ESTALE
        assert memory.get("t/d/b") == b"newer"
        assert other.get("moved/d/b") == b"b"
        with pytest.raises(OSError) as caught:
            memory.move_tree("", other / "all")
        assert caught.value.errno == errno.EINVAL


def test_a_link_is_not_carried_to_where_there_are_none(scratch: Scratch) -> None:
    _lay(scratch.root, f="f")
    (scratch.root / "l").symlink_to("f")
    with Disk(scratch.root) as disk, Disk._over(MemoryDriver()) as memory:
        with pytest.raises(OSError) as caught:
            disk.copy_tree("", memory / "new")
        assert caught.value.errno == errno.ENOTSUP
        assert memory.directories() == []
        errors: list[OSError] = []
        disk.copy_tree("", memory / "new", on_error=errors.append)
        assert [error.filename for error in errors] == ["l"]
        assert memory.all_files() == ["new/f"]


def test_what_is_no_disk_is_a_type_error(two: tuple[Disk, Disk]) -> None:
    for wrong in ("path", b"path", None, 3):
        with pytest.raises(TypeError):
            two[0].sync_to(wrong)  # type: ignore[arg-type]


def test_a_file_that_changes_between_plan_and_copy_is_copied_as_it_is_then(
    two: tuple[Disk, Disk], scratch: Scratch, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _lay(scratch.root, f="old")
    real = sides.open_file  # type: ignore[attr-defined]

    def late(handle: Any, dir_fd: int, name: str) -> int:
        (scratch.root / "f").write_text("newer and longer")
        return real(handle, dir_fd, name)

    monkeypatch.setattr(sides, "open_file", late)
    report = two[0].sync_to(two[1])
    assert (target / "f").read_text() == "newer and longer"
    assert report.bytes == len("newer and longer")
    monkeypatch.setattr(sides, "open_file", real)
    assert two[0].sync_to(two[1]).steps == ()


def test_what_cannot_be_compared_leaves_nothing_open(
    two: tuple[Disk, Disk], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[BinaryIO] = []
    real = sides.LocalFolder.open

    def once(self: sides.LocalFolder, name: str) -> tuple[BinaryIO, sides.Info]:
        if opened:
            raise PermissionError(errno.EACCES, "not this one")
        file, info = real(self, name)
        opened.append(file)
        return file, info

    for each in two:
        each.put("f", b"1")
    monkeypatch.setattr(sides.LocalFolder, "open", once)
    with pytest.raises(PermissionError):
        two[0].sync_to(two[1], checksum=True)
    assert [file.closed for file in opened] == [True]


# -- as a user whom permissions stop ---------------------------------------------------------------


@pytest.fixture
def given_up(scratch: Scratch) -> Iterator[Path]:
    """A directory for somebody who is not root, and may be reached by him."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    for path in (scratch.root, *scratch.root.parents):
        if len(path.parts) < 3:
            break
        if path.stat().st_mode & 0o055 != 0o055:
            path.chmod(path.stat().st_mode | 0o055)
    scratch.root.chmod(0o777)
    yield scratch.root
    for path in sorted(scratch.root.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)


def _mirrored(top: Path, prepare: Callable[[], None], **keywords: Any) -> list[tuple[str, ...]]:
    """The steps of two runs after the first, each as another user; asserts that both are alike."""

    def mirroring() -> list[tuple[str, ...]]:
        with Disk(top / "one", create=True) as one, Disk(top / "other", create=True) as other:
            for name in ("d/f", "d/gone", "e/deep/er/f"):
                one.put(name, name)
            one.sync_to(other)
            prepare()
            first = one.sync_to(other, delete=True, **keywords)
            assert one.sync_to(other, delete=True, **keywords).steps == ()
            assert not list((top / "other").rglob(".safefs-*"))
            assert portrait(top / "other", links=False) == portrait(top / "one", links=False)
            return [tuple(step) for step in first.steps]

    return in_child(mirroring, uid=NOBODY)


@pytest.mark.parametrize("checksum", [False, True])
def test_a_target_that_nobody_may_read_gets_its_mode_again(given_up: Path, checksum: bool) -> None:
    def prepare() -> None:
        (given_up / "other/d/f").chmod(0)

    step = ("replace" if checksum else "update", "d/f", "file")
    assert _mirrored(given_up, prepare, checksum=checksum) == [step]


def test_a_target_directory_that_may_not_be_written_to_is_worked_in(given_up: Path) -> None:
    def prepare() -> None:
        (given_up / "one/d/gone").unlink()
        (given_up / "one/d/new").write_text("new")
        for side in ("one", "other"):
            (given_up / side / "d").chmod(0o555)

    steps = [("create", "d/new", "file"), ("remove", "d/gone", "file")]
    assert [step for step in _mirrored(given_up, prepare) if step[1] != "d"] == steps


def test_a_directory_that_holds_one_that_may_not_be_written_to_gives_way(given_up: Path) -> None:
    def prepare() -> None:
        (given_up / "one/e/deep/er/f").unlink()
        for name in ("e/deep/er", "e/deep", "e"):
            (given_up / "one" / name).rmdir()
        (given_up / "one/e").write_text("a file now")
        (given_up / "other/e/deep/er").chmod(0o555)
        (given_up / "other/e/deep").chmod(0o555)

    assert _mirrored(given_up, prepare) == [("replace", "e", "file")]


def test_a_directory_that_may_not_even_be_read_gives_way(given_up: Path) -> None:
    def prepare() -> None:
        (given_up / "one/e/deep/er/f").unlink()
        for name in ("e/deep/er", "e/deep", "e"):
            (given_up / "one" / name).rmdir()
        (given_up / "one/e").symlink_to("d")
        for name in ("e/deep/er", "e/deep", "e"):
            (given_up / "other" / name).chmod(0)

    assert _mirrored(given_up, prepare) == [("replace", "e", "symlink")]


def test_the_mode_of_a_directory_is_as_it_was_where_the_work_in_it_failed(given_up: Path) -> None:
    def failing() -> tuple[int | None, str]:
        with (
            Disk(given_up / "one", create=True) as one,
            Disk(given_up / "other", create=True) as other,
        ):
            one.put("d/f", "f")
            one.sync_to(other)
            one.put("d/new", "new")
            (given_up / "other/d").chmod(0o555)
            (given_up / "one/d/new").chmod(0)
            with pytest.raises(PermissionError) as caught:
                one.sync_to(other)
            return caught.value.errno, oct((given_up / "other/d").stat().st_mode)

    assert in_child(failing, uid=NOBODY) == (errno.EACCES, "0o40555")


def test_what_of_a_directory_cannot_go_keeps_its_name(given_up: Path) -> None:
    """Somebody else's files in a directory of his: nobody but root can remove those."""
    (given_up / "other/e/theirs").mkdir(parents=True)
    (given_up / "other/e/theirs/f").write_text("f")
    for path in ("other", "other/e"):
        os.chown(given_up / path, NOBODY, NOBODY)

    def failing() -> tuple[int | None, list[str], list[str]]:
        with Disk(given_up / "one", create=True) as one, Disk(given_up / "other") as other:
            one.put("e", "a file")
            with pytest.raises(PermissionError) as caught:
                one.sync_to(other, delete=True)
            left = sorted(os.listdir(given_up / "other")), os.listdir(given_up / "other/e")
            return caught.value.errno, *left

    assert in_child(failing, uid=NOBODY) == (errno.EACCES, ["e"], ["theirs"])
