"""How large what is written may become, by every way of writing."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from safefs import Disk, Root
from safefs.drivers.local import LocalDriver
from safefs.drivers.memory import MemoryDriver
from safefs.errors import PolicyError
from safefs.operations.counting import count
from safefs.policy import Policy
from tests import sizes
from tests.sizes import Scene, Way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs.testing.scratch import Scratch

LIMIT = 20
_WAYS = {
    **{("root", name): way for name, way in sizes.ROOT.items()},
    **{("disk", name): way for name, way in sizes.DISK.items()},
    **{("memory", name): way for name, way in sizes.DISK.items()},
    **{("fsspec", name): way for name, way in sizes.FSSPEC.items()},
    **{("elsewhere", name): way for name, way in sizes.ELSEWHERE.items()},
    **{("fsspec of memory", name): way for name, way in sizes.FSSPEC.items()},
}
every_way = pytest.mark.parametrize(
    ("door", "way"),
    [pytest.param(door, way, id=f"{door}: {name}") for (door, name), way in _WAYS.items()],
)


@pytest.fixture
def make(scratch: Scratch) -> Iterator[Callable[[str, Policy], Scene]]:
    """A scene with this policy, by door."""
    with ExitStack() as held:

        def made(door: str, policy: Policy) -> Scene:
            if "memory" in door:
                wide = Disk._over(MemoryDriver())
                other = Disk._over(MemoryDriver())
            else:
                (scratch.root / "top").mkdir()
                (scratch.root / "other").mkdir()
                wide, other = Disk(scratch.root / "top"), Disk(scratch.root / "other")
            disks = held.enter_context(wide), held.enter_context(other)
            return Scene(held.enter_context(wide.with_policy(policy)), *disks)

        yield made


def tree(disk: Disk) -> dict[str, bytes]:
    """All files, and what is in no listing too."""
    return {path: disk.get(path) for path in disk.all_files()}


def no_draft_is_left(scratch: Scratch) -> bool:
    return not [
        name for _, _, names in os.walk(scratch.root) for name in names if ".safefs" in name
    ]


@every_way
@pytest.mark.parametrize("rule", ["max_file_size", "quota_bytes"])
def test_a_file_becomes_as_large_as_it_may_and_no_larger(
    door: str, way: Way, rule: str, make: Callable[[str, Policy], Scene], scratch: Scratch
) -> None:
    scene = make(door, Policy(**{rule: LIMIT}))  # type: ignore[arg-type]
    if way.old is not None:
        scene.disk.put(way.path, way.old)
    if way.sized:
        way.act(scene, LIMIT)
        assert len(scene.disk.get(way.path)) == LIMIT
        assert_counted(scene.disk)
        scene.disk.delete(way.path)
        if "/" in way.path:
            scene.disk.delete_directory(way.path.partition("/")[0])
    if way.old is not None:
        scene.disk.put(way.path, way.old)
    before = tree(scene.wide)
    with pytest.raises(PolicyError) as caught:
        way.act(scene, LIMIT + 1)
    error = caught.value
    assert error.rule == rule
    spelled = way.path if way.spelled is None else way.spelled
    if "fsspec" in door:
        spelled = "/t"
    assert spelled in (error.filename, error.filename2)
    assert no_draft_is_left(scratch)
    if way.whole:
        assert tree(scene.wide) == before
    else:
        assert all(len(content) <= LIMIT for content in tree(scene.wide).values())
    if way.sized:
        assert_counted(scene.disk)
        way.act(make_room(scene, way), LIMIT)
        assert len(scene.disk.get(way.path)) == LIMIT


def make_room(scene: Scene, way: Way) -> Scene:
    """After a refusal, for who must find nothing there, or what was there."""
    if way.old is None:
        scene.disk.delete(way.path, missing_ok=True)
        for directory in scene.disk.directories():
            scene.disk.delete_directory(directory)
    else:
        scene.disk.put(way.path, way.old)
    return scene


@every_way
def test_there_are_as_many_files_as_there_may_be_and_no_more(
    door: str, way: Way, make: Callable[[str, Policy], Scene], scratch: Scratch
) -> None:
    scene = make(door, Policy(quota_files=1))
    if way.old is not None:
        scene.disk.put(way.path, way.old)
        if way.sized:
            way.act(scene, LIMIT)  # what is there is replaced, or written to
            assert len(scene.disk.get(way.path)) == LIMIT
            assert_counted(scene.disk)
        return
    scene.disk.put("full", b"")
    before = tree(scene.wide)
    with pytest.raises(PolicyError) as caught:
        way.act(scene, LIMIT)
    assert caught.value.rule == "quota_files"
    assert tree(scene.wide) == before
    assert no_draft_is_left(scratch)
    assert_counted(scene.disk)
    scene.disk.delete("full")
    for directory in scene.disk.directories():
        scene.disk.delete_directory(directory)
    way.act(scene, LIMIT)
    assert_counted(scene.disk)


def assert_counted(disk: Disk) -> None:
    """What the ledger of a disk says is what is there."""
    if isinstance(disk._driver, LocalDriver):
        meters = disk._driver._root._handle.meters
        assert meters is None or meters.ledgers
        for ledger in () if meters is None else meters.ledgers:
            assert not ledger.pending
            with meters.held():
                assert ledger.known
            assert (ledger.bytes, ledger.files) == count(ledger._handle)[:2]


@pytest.mark.parametrize("door", ["disk", "memory"])
def test_a_file_that_is_too_large_can_be_read_cut_overwritten_and_removed(
    door: str, make: Callable[[str, Policy], Scene]
) -> None:
    scene = make(door, Policy(max_file_size=LIMIT))
    scene.wide.put("large", b"l" * 50)
    scene.wide.put("larger", b"l" * 60)
    disk = scene.disk
    assert disk.get("large") == b"l" * 50
    with disk.open("large", "r+b", buffering=0) as file:
        assert file.write(b"new") == 3
        assert file.truncate(40) == 40
        file.seek(40)
        with pytest.raises(PolicyError):
            file.write(b"!")
        with pytest.raises(PolicyError):
            file.truncate(41)
        file.seek(39)
        assert file.write(b"!") == 1
    disk.move("large", "moved")
    with pytest.raises(PolicyError):
        disk.copy("moved", "copied")
    with disk.open("larger", "wb") as file:
        file.write(b"short")
    disk.put("moved", b"short")
    assert tree(disk) == {"moved": b"short", "larger": b"short"}
    disk.delete("moved", "larger")


@pytest.mark.parametrize("door", ["disk", "memory"])
def test_what_was_written_before_a_refused_write_stays(
    door: str, make: Callable[[str, Policy], Scene]
) -> None:
    scene = make(door, Policy(max_file_size=LIMIT))
    with scene.disk.open("f", "wb", buffering=0) as file:
        assert file.write(b"a" * 15) == 15
        with pytest.raises(PolicyError):
            file.write(b"b" * 6)
        assert file.write(b"c" * 5) == 5
        with pytest.raises(PolicyError):
            file.write(b"d")
        assert file.write(b"") == 0
        file.seek(100)
        assert file.write(b"") == 0
        with pytest.raises(PolicyError):
            file.truncate()
    assert scene.disk.get("f") == b"a" * 15 + b"c" * 5


def test_a_tree_with_a_file_too_large_is_refused_in_a_dry_run_too(
    make: Callable[[str, Policy], Scene],
) -> None:
    scene = make("disk", Policy(max_file_size=LIMIT))
    scene.other.put("tree/large", b"l" * 50)
    scene.other.put("tree/small", b"s")
    with pytest.raises(PolicyError):
        scene.disk.copy_tree(scene.other / "tree", "copied", dry_run=True)
    with pytest.raises(PolicyError):
        scene.other.sync_to(scene.disk / "synced", source="tree", dry_run=True)
    skipped: list[OSError] = []
    scene.disk.copy_tree(scene.other / "tree", "copied", on_error=skipped.append)
    scene.other.sync_to(scene.disk / "synced", source="tree", on_error=skipped.append)
    assert [(type(error), error.filename) for error in skipped] == [
        (PolicyError, "tree/large"),
        (PolicyError, "tree/large"),
    ]
    assert tree(scene.disk) == {"copied/small": b"s", "synced/small": b"s"}


def test_a_source_that_grows_while_it_is_copied_is_held_to_the_limit(
    make: Callable[[str, Policy], Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    from safefs.kernel import syscalls

    scene = make("disk", Policy(max_file_size=LIMIT))
    scene.wide.put("f", b"x" * 10)
    real = syscalls.read

    def read(fd: int, size: int) -> bytes:
        if syscalls.fstat(fd).st_size == 10:
            scene.wide.append("f", b"x" * 20)
        return real(fd, size)

    monkeypatch.setattr(syscalls, "read", read)
    with pytest.raises(PolicyError):
        scene.disk.copy("f", "copied")
    assert scene.disk.all_files() == ["f"]


def test_nothing_is_asked_where_no_size_is_set(scratch: Scratch) -> None:
    import io

    with Root(scratch.root) as root, root.open("f", "wb", 0) as file:
        assert type(file) is io.FileIO
    with (
        Root(scratch.root, policy=Policy(max_file_size=1)) as root,
        root.open("f", "rb", 0) as file,
    ):
        assert type(file) is io.FileIO
