"""What a quota counts is what there is: after whatever is done, by whoever does it at once."""

from __future__ import annotations

import os
import random
import threading
import time
from contextlib import ExitStack, suppress
from itertools import count as counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safefs import Disk
from safefs.drivers.local import LocalDriver
from safefs.drivers.memory import MemoryDriver
from safefs.errors import PolicyError
from safefs.operations import ledger
from safefs.operations.counting import count
from safefs.policy import Policy
from tests.sizes import _tar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from safefs.testing.scratch import Scratch

QUOTA = Policy(quota_bytes=60, quota_files=7)
NARROW = Policy(quota_bytes=30, quota_files=4)
NAMES = ["a", "b", "s/a", "s/b", "s/d/a", "s/d/b", "t/a"]
TREES = ["s", "s/d", "t", "s/e", "u"]


class World:
    """A disk with a quota, perhaps one beneath it with a smaller one, one beside; what is open."""

    def __init__(self, top: Path | None, *, scoped: bool) -> None:
        """``top``: where to make them, None for in memory."""
        if top is None:
            self.wide = self.disk = Disk._over(MemoryDriver(QUOTA))
            self.beside = Disk._over(MemoryDriver())
        else:
            for name in ("disk", "beside"):
                (top / name).mkdir()
            self.wide = self.disk = Disk(top / "disk", policy=QUOTA)
            self.beside = Disk(top / "beside")
        self.wide.put("w", b"wide")
        if scoped:
            with self.wide.scoped("scope", create=True) as between:
                self.disk = between.with_policy(NARROW)
        self.beside.put("f", b"b" * 9)
        self.beside.put("tree/x", b"b" * 5)
        self.beside.put("tree/y/z", b"b" * 8)
        self.open: list[Any] = []

    def close(self) -> None:
        while self.open:
            self.end()
        for disk in (self.disk, self.wide, self.beside):
            disk.close()

    def end(self) -> None:
        """Close what was opened first."""
        if self.open:
            file = self.open.pop(0)
            with suppress(PolicyError, OSError):
                file.close()

    @property
    def root(self) -> Any:
        return _root(self.disk)

    def check(self) -> None:
        """What is counted is what is there, and no more than there may be."""
        if isinstance(self.disk._driver, MemoryDriver):
            return
        meters = self.root._handle.meters
        assert len(meters.ledgers) == 1 + (self.disk is not self.wide)
        with meters.held():
            for each in meters.ledgers:
                size, names, drafts = count(each._handle)
                for identity, pending in each.pending.items():
                    if identity in drafts:
                        size -= pending.excess[0]
                        names -= pending.excess[1]
                if each.known:
                    assert (each.bytes, each.files) == (size, names), each.identity
                limits = QUOTA if each in _root(self.wide)._handle.meters.ledgers else NARROW
                assert size <= (limits.quota_bytes or 0), each.identity
                assert names <= (limits.quota_files or 0), each.identity


def _root(disk: Disk) -> Any:
    driver = disk._driver
    assert isinstance(driver, LocalDriver)
    return driver._root


def _put(world: World, one: str, _: str, size: int) -> None:
    world.disk.put(one, b"x" * size)


def _put_in_pieces(world: World, one: str, _: str, size: int) -> None:
    world.disk.put(one, iter([b"x"] * size))


def _in_place(mode: str) -> Callable[[World, str, str, int], None]:
    def act(world: World, one: str, _: str, size: int) -> None:
        with world.disk.open(one, mode, buffering=0) as file:
            file.write(b"x" * (size // 2))
            file.seek(size // 3, os.SEEK_CUR)
            file.write(b"x" * (size // 4))

    return act


def _cut(world: World, one: str, _: str, size: int) -> None:
    with world.disk.open(one, "r+b") as file:
        file.truncate(size)


def _begin(mode: str, **how: Any) -> Callable[[World, str, str, int], None]:
    def act(world: World, one: str, _: str, size: int) -> None:
        file = world.disk.open(one, mode, **how)
        world.open.append(file)
        file.write(b"x" * size)
        file.flush()

    return act


def _transaction(mode: str) -> Callable[[World, str, str, int], None]:
    def act(world: World, one: str, _: str, size: int) -> None:
        with world.disk.fs.transaction, world.disk.fs.open("/" + one, mode) as file:
            file.write(b"x" * size)
            world.check()

    return act


def _reaching(mode: str) -> Callable[[World, str, str, int], None]:
    """A file object that is written to past its end, and ends in the middle of it."""

    def act(world: World, one: str, _: str, size: int) -> None:
        with world.disk.open(one, mode) as file:
            file.seek(size)
            file.write(b"x")
            file.seek(size // 2)
            file.truncate()

    return act


def _extract(world: World, one: str, _: str, size: int) -> None:
    into, even = one.rpartition("/")[0], size % 2 == 0
    world.disk.extract(_tar(size), into, partial=even, overwrite=even)


def _sync(world: World, one: str, other: str, size: int) -> None:
    world.beside.put("tree/x", b"s" * size)
    world.beside.sync_to(world.disk / other, source="tree", delete=size % 2 == 0)


def _over_there(world: World, one: str, other: str, size: int) -> None:
    world.disk.move_tree(other, world.beside / "moved")
    world.beside.delete_directory("moved")


ACTS: dict[str, Callable[[World, str, str, int], object]] = {
    "put": _put,
    "put in pieces": _put_in_pieces,
    "append": lambda w, a, b, n: w.disk.append(a, b"x" * n),
    "prepend": lambda w, a, b, n: w.disk.prepend(a, b"x" * n),
    "open to write": _in_place("wb"),
    "open to update": _in_place("r+b"),
    "open and cut": _reaching("w+b"),
    "open to append": _in_place("ab"),
    "open a new one": _in_place("xb"),
    "cut": _cut,
    "begin in place": _begin("wb"),
    "begin at the end": _begin("ab"),
    "begin atomically": _begin("wb", atomic=True),
    "begin a new one": _begin("xb", atomic=True),
    "end": lambda w, a, b, n: w.end(),
    "transaction": _transaction("wb"),
    "transaction to append": _transaction("ab"),
    "delete": lambda w, a, b, n: w.disk.delete(a),
    "move": lambda w, a, b, n: w.disk.move(a, b),
    "copy": lambda w, a, b, n: w.disk.copy(a, b),
    "copy here": lambda w, a, b, n: w.disk.copy(w.beside / "f", a),
    "move there": lambda w, a, b, n: w.disk.move(a, w.beside / "f"),
    "link": lambda w, a, b, n: w.root.link(a, b),
    "symlink": lambda w, a, b, n: w.root.symlink("nowhere", b),
    "write_bytes": lambda w, a, b, n: w.root.write_bytes(a, b"x" * n),
    "truncate": lambda w, a, b, n: w.root.truncate(a, n),
    "copy_tree": lambda w, a, b, n: w.disk.copy_tree(a, b, hard_links=True),
    "move_tree": lambda w, a, b, n: w.disk.move_tree(a, b),
    "copy a tree here": lambda w, a, b, n: w.disk.copy_tree(w.beside / "tree", b),
    "move a tree there": _over_there,
    "remove a tree": lambda w, a, b, n: w.disk.delete_directory(b),
    "extract": _extract,
    "sync": _sync,
    "sweep": lambda w, a, b, n: w.disk.sweep(),
}
_OF_TREES = {"copy_tree", "move_tree"}
_TO_TREES = {"copy a tree here", "move a tree there", "remove a tree", "sync"}
_steps = st.lists(
    st.tuples(
        st.sampled_from(sorted(ACTS)),
        st.integers(0, len(NAMES) - 1),
        st.integers(0, len(NAMES) - 1),
        st.integers(0, 33),
    ),
    max_size=25,
)
_serial = counter()


def _run(world: World, step: tuple[str, int, int, int]) -> str | None:
    """What refused it, if anything did."""
    name, one, other, size = step
    ones = TREES if name in _OF_TREES else NAMES
    others = TREES if name in _OF_TREES | _TO_TREES else NAMES
    try:
        ACTS[name](world, ones[one % len(ones)], others[other % len(others)], size)
    except PolicyError as error:
        return error.rule
    except OSError:
        return None
    return None


@given(steps=_steps, scoped=st.booleans())
def test_the_ledger_says_what_is_there_after_every_step(
    steps: list[tuple[str, int, int, int]], scoped: bool, scratch: Scratch
) -> None:
    top = scratch.root / f"example-{next(_serial)}"
    top.mkdir()
    world = World(top, scoped=scoped)
    try:
        for step in steps:
            rule = _run(world, step)
            assert rule in (None, "quota_bytes", "quota_files"), step
            world.check()
    finally:
        world.close()


# Left out: what stays open, for a tree in memory goes on counting what is written where the
# directory has gone; and what is not there on both.
_ON_THIS_MACHINE = {"link", "symlink", "write_bytes", "truncate", "copy_tree", "sweep", "end"}


@given(steps=_steps, scoped=st.booleans())
def test_a_disk_in_memory_refuses_what_one_on_this_machine_refuses(
    steps: list[tuple[str, int, int, int]], scoped: bool, scratch: Scratch
) -> None:
    top = scratch.root / f"example-{next(_serial)}"
    top.mkdir()
    here, there = World(top, scoped=scoped), World(None, scoped=scoped)
    try:
        for step in steps:
            if step[0] in _ON_THIS_MACHINE or "begin" in step[0]:
                continue
            assert _run(here, step) == _run(there, step), step
            files = [{p: w.wide.get(p) for p in w.wide.all_files()} for w in (here, there)]
            assert files[0] == files[1], step
    finally:
        here.close()
        there.close()


# -- Many at once ----------------------------------------------------------------------------------

WRITERS, ROOM, SIZE = 4, 50, 3
# What lets a ledger go before all is written down, or leaves something open behind.
_ALONE = {
    *("sweep", "end", "sync", "move there", "move a tree there"),
    *("transaction", "transaction to append"),
}


def test_the_ledger_says_what_is_there_whenever_nobody_holds_it(
    scratch: Scratch, scaled: Callable[[int], int]
) -> None:
    acts = [name for name in sorted(ACTS) if name not in _ALONE and "begin" not in name]
    checks = 0
    for number in range(scaled(20)):
        top = scratch.root / f"round-{number}"
        top.mkdir()
        world = World(top, scoped=number % 2 == 0)

        def work(seed: int, world: World = world) -> None:
            draw = random.Random(seed)
            for _ in range(50):
                one, other, size = (draw.randrange(34) for _ in range(3))
                _run(world, (draw.choice(acts), one, other, size))

        threads = [threading.Thread(target=work, args=(4 * number + n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            world.check()
            checks += 1
            time.sleep(0.001)
        for thread in threads:
            thread.join()
        world.check()
        world.close()
    assert checks


@pytest.mark.parametrize("rule", ["max_file_size", "quota_bytes"])
def test_many_who_add_to_one_file_make_it_as_large_as_it_may_be(rule: str, tmp_path: Path) -> None:
    policy = Policy(**{rule: ROOM * SIZE})  # type: ignore[arg-type]
    with Disk(tmp_path, policy=policy) as disk:

        def work() -> None:
            with disk.open("f", "ab", buffering=0) as file:
                for _ in range(ROOM):
                    with suppress(PolicyError):
                        file.write(b"x" * SIZE)

        threads = [threading.Thread(target=work) for _ in range(2 * WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert disk.size("f") == ROOM * SIZE


def _put_many(disk: Disk, who: int) -> int:
    """How many of too many files there was room for."""
    done = 0
    for number in range(ROOM):
        with suppress(PolicyError):
            disk.put(f"{who}/{number}", b"x" * SIZE)
            done += 1
    return done


def _draft_many(disk: Disk, who: int) -> int:
    names = [f"{who}-{number}" for number in range(ROOM)]
    for name in names:
        with suppress(PolicyError), disk.open(name, "xb", atomic=True) as file:
            file.write(b"x" * SIZE)
    return sum(map(disk.exists, names))


def _append_much(disk: Disk, who: int) -> int:
    """How often a byte more could be written to a file that stays open, in threes."""
    done = 0
    with disk.open(f"{who}", "ab", buffering=0) as file:
        for _ in range(ROOM):
            with suppress(PolicyError):
                file.write(b"x" * SIZE)
                done += 1
    return done


def _replace_much(disk: Disk, who: int) -> int:
    """A file that is replaced again and again by one that is larger."""
    done = 0
    for number in range(1, ROOM + 1):
        with suppress(PolicyError):
            disk.put(f"{who}", b"x" * SIZE * number)
            done = number
    return done


MANY: dict[str, tuple[Policy, Callable[[Disk, int], int]]] = {
    "files": (Policy(quota_files=ROOM), _put_many),
    "bytes": (Policy(quota_bytes=ROOM * SIZE), _put_many),
    "drafts": (Policy(quota_files=ROOM), _draft_many),
    "writes": (Policy(quota_bytes=ROOM * SIZE), _append_much),
}
every_kind = pytest.mark.parametrize(("policy", "work"), MANY.values(), ids=MANY.keys())


def _there(disk: Disk) -> tuple[int, int]:
    found = disk.all_files()
    return sum(disk.size(path) for path in found), len(found)


@every_kind
def test_of_many_threads_exactly_as_many_writes_succeed_as_there_is_room_for(
    policy: Policy, work: Callable[[Disk, int], int], tmp_path: Path
) -> None:
    done: list[int] = []
    with Disk(tmp_path, policy=policy) as disk:
        threads = [
            threading.Thread(target=lambda who=who: done.append(work(disk, who)))
            for who in range(2 * WRITERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(done) == ROOM
        size, files = _there(disk)
        assert size == ROOM * SIZE
        if policy.quota_files is not None:
            assert files == ROOM


def _at_once(work: Callable[[int], int]) -> list[int]:
    """What it comes to in each of several processes, which begin together."""
    gate, opener = os.pipe()
    children = []
    for who in range(WRITERS):
        pid = os.fork()
        if not pid:
            try:
                os.close(opener)
                os.read(gate, 1)
                os._exit(work(who))
            finally:
                os._exit(255)
        children.append(pid)
    os.close(gate)
    os.close(opener)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]


@every_kind
def test_of_many_processes_exactly_as_many_writes_succeed_as_there_is_room_for(
    policy: Policy, work: Callable[[Disk, int], int], tmp_path: Path
) -> None:
    def child(who: int) -> int:
        place = tmp_path / "disk"
        with Disk(place, policy=policy, create=True, locks=tmp_path / "locks") as disk:
            return work(disk, who)

    done = _at_once(child)
    assert 255 not in done
    assert sum(done) == ROOM
    with Disk(tmp_path / "disk") as disk:
        assert _there(disk)[0] == ROOM * SIZE


def test_processes_that_replace_files_never_exceed_the_quota(tmp_path: Path) -> None:
    """What is about to be replaced counts in full for another process, so none has more."""

    def child(who: int) -> int:
        place, policy = tmp_path / "disk", Policy(quota_bytes=ROOM * SIZE)
        with Disk(place, policy=policy, create=True, locks=tmp_path / "locks") as disk:
            return _replace_much(disk, who)

    done = _at_once(child)
    assert 255 not in done
    with Disk(tmp_path / "disk") as disk:
        size, _ = _there(disk)
        assert sum(done) * SIZE == size <= ROOM * SIZE


def test_what_a_killed_process_left_uncounted_is_counted(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    policy = Policy(quota_bytes=10, quota_files=2)
    with Disk(tmp_path / "disk", policy=policy, locks=tmp_path / "locks") as disk:
        disk.put("a", b"1234")
        pid = os.fork()
        if not pid:
            with _root(disk)._handle.meters.held():
                (tmp_path / "disk" / "b").write_bytes(b"12345")
                os._exit(0)
        os.waitpid(pid, 0)
        with pytest.raises(PolicyError, match="quota_bytes"):
            disk.append("a", b"56")
        with pytest.raises(PolicyError, match="quota_files"):
            disk.put("c", b"")
        disk.append("a", b"5")
        assert _there(disk) == (10, 2)


def test_a_child_counts_on_with_its_parent(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    policy = Policy(quota_files=2)
    with Disk(tmp_path / "disk", policy=policy, locks=tmp_path / "locks") as disk:
        disk.put("a", b"")
        pid = os.fork()
        if not pid:
            disk.put("b", b"")
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        with pytest.raises(PolicyError):
            disk.put("c", b"")
        disk.delete("a")
        disk.put("c", b"")


def test_what_an_interrupt_left_uncounted_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safefs.kernel import syscalls

    with Disk(tmp_path, policy=Policy(quota_bytes=10)) as disk:
        disk.put("a", b"1234")
        real = syscalls.unlink

        def interrupted(name: str, *, dir_fd: int) -> None:
            real(name, dir_fd=dir_fd)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(syscalls, "unlink", interrupted)
            with pytest.raises(KeyboardInterrupt):
                disk.delete("a")
        disk.put("b", b"1234567890")
        (ledger_of_it,) = _root(disk)._handle.meters.ledgers
        assert (ledger_of_it.bytes, ledger_of_it.files) == (10, 1)


def test_what_others_removed_is_seen_before_a_write_is_refused(tmp_path: Path) -> None:
    with Disk(tmp_path, policy=Policy(quota_bytes=10, quota_files=2)) as disk:
        disk.put("a", b"12345")
        disk.put("b", b"12345")
        (tmp_path / "a").unlink()
        disk.put("c", b"12345")
        os.truncate(tmp_path / "b", 0)
        disk.append("c", b"12345")
        with pytest.raises(PolicyError):
            disk.append("c", b"1")


def test_what_others_added_is_seen_at_the_next_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Disk(tmp_path, policy=Policy(quota_bytes=10)) as disk:
        disk.put("a", b"123")
        (tmp_path / "b").write_bytes(b"12345")
        disk.append("a", b"4")
        now = time.monotonic()
        monkeypatch.setattr(ledger, "monotonic", lambda: now + 61)
        with pytest.raises(PolicyError):
            disk.append("a", b"56")
        disk.append("a", b"5")


def test_a_disk_that_holds_too_much_already_can_be_emptied(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"x" * 10)
    with Disk(tmp_path, policy=Policy(quota_bytes=10, quota_files=1)) as disk:
        with pytest.raises(PolicyError):
            disk.append("a", b"1")
        with pytest.raises(PolicyError):
            disk.put("d", b"")
        disk.put("a", b"y" * 10)
        disk.put("a", b"y" * 9)
        with pytest.raises(PolicyError):
            disk.append("a", b"1")
        with disk.open("b", "r+b") as file:
            file.write(b"z" * 10)
            file.truncate(5)
        disk.delete("b", "c")
        disk.append("a", b"1")


def test_a_quota_holds_for_what_is_made_from_its_disk(tmp_path: Path) -> None:
    with ExitStack() as held:
        disk = held.enter_context(Disk(tmp_path, policy=Policy(quota_bytes=10)))
        scoped = held.enter_context(disk.scoped("s", create=True))
        own = held.enter_context(scoped.with_policy(Policy(quota_bytes=6, quota_files=2)))
        wider = held.enter_context(own.with_policy(Policy(quota_bytes=100)))
        path = held.enter_context(own.scoped("deep", create=True)) / "f"
        assert [d.policy.quota_bytes for d in (disk, scoped, own, wider)] == [10, 10, 6, 6]
        wider.put("a", b"123456")
        for write in (lambda: own.append("a", b"7"), lambda: path.write_bytes(b"1")):
            with pytest.raises(PolicyError) as caught:
                write()
            assert caught.value.rule == "quota_bytes"
        disk.put("b", b"123")
        with pytest.raises(PolicyError):
            scoped.put("c", b"12")
        disk.close()
        scoped.close()
        with pytest.raises(PolicyError):
            wider.append("a", b"7")
        own.put("a", b"12")
        path.write_bytes(b"1234")
        with pytest.raises(PolicyError) as caught:
            wider.put("third", b"")
        assert caught.value.rule == "quota_files"


def test_hard_links_count_as_names_and_their_bytes_once(tmp_path: Path) -> None:
    with Disk(tmp_path, policy=Policy(quota_bytes=10, quota_files=3)) as disk:
        disk.put("a", b"12345")
        _root(disk).link("a", "b")
        disk.put("c", b"12345")
        with pytest.raises(PolicyError):
            _root(disk).link("a", "d")
        disk.delete("a")
        with pytest.raises(PolicyError):
            disk.append("c", b"6")
        disk.delete("b")
        disk.append("c", b"67890")


def test_a_file_without_a_name_has_to_fit_alone(tmp_path: Path) -> None:
    with Disk(tmp_path, policy=Policy(quota_bytes=10)) as disk:
        disk.put("a", b"12345")
        with disk.open("a", "r+b", buffering=0) as file:
            disk.delete("a")
            file.seek(0, os.SEEK_END)
            file.write(b"67890")
            with pytest.raises(PolicyError):
                file.write(b"1")
        disk.put("b", b"1234567890")


def test_a_tree_that_comes_from_a_disk_with_another_quota_is_copied_and_both_count(
    tmp_path: Path,
) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    with (
        Disk(tmp_path / "one", policy=Policy(quota_bytes=10)) as one,
        Disk(tmp_path / "other", policy=Policy(quota_bytes=20)) as other,
    ):
        one.put("tree/f", b"1234567890")
        other.put("g", b"1234567890!")
        with pytest.raises(PolicyError):
            one.move_tree("tree", other / "tree")
        assert one.all_files() == ["tree/f"]
        other.put("g", b"1234567890")
        one.move_tree("tree", other / "tree")
        with pytest.raises(PolicyError):
            other.append("g", b"!")
        one.put("new", b"1234567890")


def test_what_a_sweep_removes_is_free_again(tmp_path: Path) -> None:
    (tmp_path / ".safefs-0123456789abcdef.tmp").write_bytes(b"12345")
    with Disk(tmp_path, policy=Policy(quota_bytes=10)) as disk:
        with pytest.raises(PolicyError):
            disk.put("a", b"123456")
        assert disk.sweep(older_than=0) == [".safefs-0123456789abcdef.tmp"]
        disk.put("a", b"1234567890")


def test_nothing_is_looked_at_where_there_is_no_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "count", None)
    with Disk(tmp_path, policy=Policy(max_file_size=10)) as disk:
        assert _root(disk)._handle.meters is None
        disk.put("a", b"1")
