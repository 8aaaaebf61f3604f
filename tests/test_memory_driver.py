"""A tree in memory and a directory answer alike, step by step; and what only the tree promises."""

from __future__ import annotations

import io
import os
import tempfile
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safefs.disk import Disk
from safefs.drivers.local import LocalDriver
from safefs.drivers.memory import MemoryDriver
from safefs.errors import EscapeError, PolicyError
from safefs.policy import FIELDS, Policy
from safefs.root import Root

if TYPE_CHECKING:
    from collections.abc import Callable

    from safefs.drivers.base import Driver

PROFILE = os.environ.get("SAFEFS_PROFILE", "ci")
EXAMPLES = {"dev": 60, "ci": 300, "prove": 4000}[PROFILE]

# Few names and short paths, so that steps meet; and every odd way to write one.
_names = st.sampled_from(["a", "a", "a", "b", "b", ".d", "..", ".", "", "long" * 64, "a:"])
_paths = st.lists(_names, min_size=1, max_size=4).map("/".join).filter(lambda p: p[:1] != "/")
_data = st.sampled_from([b"", b"one", b"two" * 50])
_modes = st.sampled_from(["rb", "r+b", "wb", "w+b", "ab", "a+b", "xb", "x+b"])
_bits = st.sampled_from([0o600, 0o644, 0o700, 0o4755])

POLICIES = [
    Policy(),
    Policy(portable_names=True),
    Policy(top_level_dot_entries="refuse"),
    Policy(read_only=True),
    Policy(append_only=True),
    Policy(deny=["b"], denied="missing"),
    Policy(allow=["/a/b", "a:"]),
]


def _words(policy: Policy) -> str:
    """Those of its fields that say more than the default does."""
    default = Policy()
    said = {field: getattr(policy, field) for field in FIELDS}
    words = [f"{f}={v!r}" for f, v in said.items() if v != getattr(default, f)]
    return " ".join(words) or "default"


def _rel(path: str) -> Any:
    from safefs.paths import RelPath

    return RelPath.parse(path)


def _edited(driver: Driver, path: str, mode: str, data: bytes) -> object:
    with driver.open(_rel(path), mode) as file:
        read = file.read() if "r" in mode or "+" in mode else b""
        if mode != "rb":
            file.write(data)
            file.seek(1)
            file.truncate()
    return read


@dataclass(frozen=True)
class Step:
    """One call of a driver, and how it prints in a failing example."""

    act: Callable[..., object] = field(repr=False)
    name: str
    values: tuple[Any, ...]

    def outcome(self, driver: Driver) -> object:
        try:
            return self.act(driver, *self.values)
        except OSError as error:
            return type(error), error.errno


def _steps() -> st.SearchStrategy[Step]:
    def step(name: str, act: Callable[..., object], *inputs: Any) -> st.SearchStrategy[Step]:
        return st.tuples(*inputs).map(lambda values: Step(act, name, values))

    flag = st.booleans()
    return st.one_of(
        step("write", lambda d, p, b: d.write(_rel(p), [b]), _paths, _data),
        step("new", lambda d, p, b: d.write(_rel(p), [b], overwrite=False), _paths, _data),
        step("mode", lambda d, p, b, m: d.write(_rel(p), [b], permissions=m), _paths, _data, _bits),
        step("edit", _edited, _paths, _modes, _data),
        step(
            "mkdir",
            lambda d, p, up, ok: d.mkdir(_rel(p), 0o755, parents=up, exist_ok=ok),
            _paths,
            flag,
            flag,
        ),
        step("mkdirs", lambda d, p: d.mkdir(_rel(p), 0o755, parents=True, exist_ok=True), _paths),
        step("remove", lambda d, p: d.remove(_rel(p)), _paths),
        step("rmdir", lambda d, p: d.rmdir(_rel(p)), _paths),
        step("remove_tree", lambda d, p: d.remove_tree(_rel(p)), _paths),
        step(
            "copy", lambda d, p, q, o: d.copy(_rel(p), _rel(q), overwrite=o), _paths, _paths, flag
        ),
        step(
            "rename",
            lambda d, p, q, o: d.rename(_rel(p), _rel(q), overwrite=o),
            _paths,
            _paths,
            flag,
        ),
        step("chmod", lambda d, p, m: d.chmod(_rel(p), lambda _: m), _paths, _bits),
        step("touch", lambda d, p: d.touch(_rel(p)), _paths),
        step("read", lambda d, p: d.read(_rel(p)), _paths),
        step("stat", lambda d, p: _told(d.stat(_rel(p))), _paths),
        step("lstat", lambda d, p: _told(d.lstat(_rel(p))), _paths),
        step("scan", lambda d, p: sorted(name for name, _ in d.scan(_rel(p))), _paths),
        step("walk", lambda d, p: [step[1:] for step in d.walk(_rel(p))], _paths),
        step("narrowed", lambda d, p: _inside(d.narrowed(_rel(p))), _paths),
    )


def _told(stat: Any) -> object:
    """What both can say: a directory of a file system has a size of its own."""
    return stat.kind, stat.size if stat.kind == "file" else None, stat.permissions


def _inside(driver: Driver) -> object:
    try:
        return driver.policy, sorted(name for name, _ in driver.scan(_rel("")))
    finally:
        driver.close()


def _all(driver: Driver) -> object:
    """The whole tree. The mode of the root itself is its maker's."""
    found = {}
    for here, directories, others in driver.walk(_rel("")):
        for name in [*directories, *others]:
            path = f"{here}/{name}" if here else name
            told = _told(driver.stat(_rel(path)))
            found[path] = told, driver.read(_rel(path)) if name in others else None
    return found


@pytest.mark.parametrize("policy", POLICIES, ids=_words)
def test_memory_and_directory_agree_step_by_step(policy: Policy) -> None:
    """One differing errno is a program that passes its tests and fails at its user's."""

    @settings(max_examples=EXAMPLES // len(POLICIES), deadline=None, database=None)
    @given(before=st.lists(_steps(), max_size=8), steps=st.lists(_steps(), min_size=1, max_size=25))
    def agree(before: list[Step], steps: list[Step]) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            moat = os.path.join(scratch, "m/m/m/m/disk")
            os.makedirs(moat)
            open_local, open_memory = LocalDriver(Root(moat)), MemoryDriver()
            local = open_local.narrowed(_rel(""), policy)
            memory = open_memory.narrowed(_rel(""), policy)
            try:
                for step in before:
                    assert step.outcome(open_memory) == step.outcome(open_local), step
                for step in steps:
                    assert step.outcome(memory) == step.outcome(local), step
                    assert _all(open_memory) == _all(open_local), step
            finally:
                local.close()
                open_local.close()

    umask = os.umask(0o022)
    try:
        agree()
    finally:
        os.umask(umask)


# What only the tree in memory promises


@pytest.fixture
def driver() -> MemoryDriver:
    return MemoryDriver()


def test_a_scoped_tree_is_shared(driver: MemoryDriver) -> None:
    disk = Disk._over(driver)
    with disk.scoped("a", create=True) as scoped:
        scoped.put("f", b"1")
        assert disk.get("a/f") == b"1"
        disk.move("a", "b")
        scoped.put("f", b"2")
        assert disk.get("b/f") == b"2"


def test_a_directory_made_anew_is_another(driver: MemoryDriver) -> None:
    disk = Disk._over(driver)
    with disk.scoped("a/b", create=True) as scoped:
        scoped.put("f", b"1")
        disk.delete_directory("a")
        disk.make_directory("a/b")
        with pytest.raises(FileNotFoundError):
            scoped.get("f")
        with pytest.raises(FileNotFoundError):
            scoped.put("f", b"2")
        with pytest.raises(FileNotFoundError):
            scoped.make_directory("d")
        with pytest.raises(FileNotFoundError):
            scoped.files()
        with pytest.raises(EscapeError):
            scoped.get("../f")
        assert disk.all_files() == []


def test_the_rule_of_dot_entries_stays_with_the_top(driver: MemoryDriver) -> None:
    Disk._over(driver).put("a/.hidden", b"1")
    Disk._over(driver).put(".hidden/f", b"1")
    home = Disk._over(driver.narrowed(_rel(""), Policy(top_level_dot_entries="refuse")))
    assert home.directories() == ["a"]
    assert home.all_files() == ["a/.hidden"]
    for path in (".hidden", "a/../.hidden/f", ".new"):
        assert home.missing(path)
        with pytest.raises(PolicyError):
            home.put(path, b"2")
    with home.scoped("a") as scoped, home.scoped("a/..") as same:
        assert scoped.get(".hidden") == b"1"
        assert same.missing(".hidden")


def test_its_modes_are_those_it_was_made_with() -> None:
    disk = Disk._over(MemoryDriver(file_mode=0o600, directory_mode=0o700))
    disk.put("a/b/f", b"1")
    disk.append("a/g", b"1")
    assert disk.stat("a/b/f").permissions == disk.stat("a/g").permissions == 0o600
    assert disk.stat("a").permissions == disk.stat("a/b").permissions == 0o700
    with disk.scoped("a") as scoped:
        scoped.put("h", b"1")
        assert scoped.stat("h").permissions == 0o600


def test_a_path_is_as_long_as_the_kernel_takes(driver: MemoryDriver) -> None:
    disk = Disk._over(driver)
    disk.make_directory("/".join(["d" * 200] * 20))
    with pytest.raises(OSError, match="too long"):
        disk.make_directory("/".join(["d" * 200] * 21))


class TestFileObjects:
    """They are the standard library's buffers over a raw file of ours."""

    @pytest.fixture
    def file(self, driver: MemoryDriver) -> Any:
        with driver.open(_rel("f"), "w+b") as file:
            yield file

    def test_what_lies_between_is_zero(self, file: Any) -> None:
        file.seek(3)
        file.write(b"1")
        file.seek(0)
        assert file.read() == b"\0\0\x001"

    def test_truncating_grows_and_shrinks(self, file: Any) -> None:
        file.write(b"123")
        assert file.truncate(5) == 5
        assert file.truncate(1) == 1
        file.seek(0)
        assert file.read() == b"1"
        with pytest.raises(OSError, match="Invalid"):
            file.truncate(-1)

    def test_seeking_before_the_start_is_an_error(self, file: Any) -> None:
        file.write(b"123")
        assert file.seek(-1, io.SEEK_END) == 2
        assert file.seek(-1, io.SEEK_CUR) == 1
        with pytest.raises(OSError, match="Invalid"):
            file.raw.seek(-1)
        with pytest.raises(ValueError, match="whence"):
            file.raw.seek(0, 7)

    def test_it_does_only_what_it_was_opened_for(self, driver: MemoryDriver) -> None:
        with driver.open(_rel("f"), "wb") as file, pytest.raises(io.UnsupportedOperation):
            file.read()
        with driver.open(_rel("f"), "rb") as file, pytest.raises(io.UnsupportedOperation):
            file.write(b"1")
        with driver.open(_rel("f"), "rb") as file, pytest.raises(io.UnsupportedOperation):
            file.raw.write(b"1")  # type: ignore[attr-defined]

    def test_once_closed_it_is_closed(self, file: Any) -> None:
        raw = file.raw
        file.close()
        for act in (file.read, raw.tell, lambda: raw.write(b"1"), lambda: raw.readinto(b"")):
            with pytest.raises(ValueError, match="closed"):
                act()

    def test_there_is_no_descriptor_and_no_name(self, file: Any) -> None:
        with pytest.raises(OSError, match="fileno"):
            file.fileno()
        assert not hasattr(file, "name")

    @pytest.mark.parametrize("mode", ["r", "q", "rwb", "b", "rb+b", ""])
    def test_a_mode_is_binary_and_whole(self, driver: MemoryDriver, mode: str) -> None:
        with pytest.raises(ValueError, match="mode"):
            driver.open(_rel("f"), mode)

    def test_appending_goes_to_the_end_whatever_was_sought(self, driver: MemoryDriver) -> None:
        driver.write(_rel("f"), [b"12"])
        with driver.open(_rel("f"), "a+b") as one, driver.open(_rel("f"), "ab") as other:
            other.write(b"3")
            other.flush()
            one.seek(0)
            one.write(b"4")
            one.flush()
            one.seek(0)
            assert one.read() == b"1234"


def test_threads_may_share_a_tree(driver: MemoryDriver) -> None:
    disk = Disk._over(driver)
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for number in range(50):
                disk.put(f"{name}/{number}/f", b"1")
                disk.move(f"{name}/{number}", f"shared/{name}{number}")
                disk.all_files()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(disk.all_files("shared")) == 200


def test_it_says_what_it_is(driver: MemoryDriver) -> None:
    assert repr(driver) == "MemoryDriver()"
