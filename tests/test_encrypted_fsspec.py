"""Encrypted disks through fsspec, and no copy in plain on another disk."""

from __future__ import annotations

import io
import pickle
import tempfile
from typing import TYPE_CHECKING, Any

import fsspec
import fsspec.asyn
import pytest
from fsspec.implementations.cached import (
    CachingFileSystem,
    SimpleCacheFileSystem,
    WholeFileCacheFileSystem,
)
from fsspec.implementations.dirfs import DirFileSystem

from safefs import Disk, Storage
from safefs.errors import UnknownDiskError
from tests.sealed import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("_own_loop")

CANARY = b"a canary in plain " * 1000
CACHES = [CachingFileSystem, WholeFileCacheFileSystem, SimpleCacheFileSystem]
PROTOCOLS = ["filecache", "simplecache", "blockcache"]


class World:
    """An encrypted and a plain disk, registered, and all places where a cache may leave things."""

    def __init__(self, tmp_path: Path) -> None:
        self.caches = tmp_path / "caches"
        self.caches.mkdir()
        self.plain = Disk(tmp_path / "m" / "plain", create=True)
        self.disk = self.plain.encrypted(IDENTITY)
        self.disk.put("d/f", CANARY)
        self.storage = Storage("safefs-test", disks={"box": self.disk, "plain": self.plain})

    def left(self) -> bool:
        files = [path for path in self.caches.rglob("*") if path.is_file()]
        return any(CANARY[:18] in path.read_bytes() for path in files)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    _forget_caches()  # and the directories of other tests
    world = World(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(world.caches))
    with world.plain, world.disk, world.storage, world.storage.register("box", "plain"):
        yield world
    vars(world).clear()  # whoever has it still: a closed disk keeps its number until it is let go
    _forget_caches()


def _forget_caches() -> None:
    for kind in (*CACHES, DirFileSystem):
        kind.clear_instance_cache()


def _write(file: Any) -> None:
    with file as opened:
        opened.write(CANARY)


BY_URL: dict[str, Callable[[str], object]] = {
    "open": lambda url: fsspec.open(f"{url}/d/f", "rb").open().read(),
    "open text": lambda url: fsspec.open(f"{url}/d/f", "r").open().read(),
    "open_files": lambda url: [each.open() for each in fsspec.open_files([f"{url}/d/f"])],
    "open_files in a block": lambda url: fsspec.open_files([f"{url}/d/f"]).__enter__(),
    "open_local": lambda url: fsspec.open_local(f"{url}/d/f"),
    "get_mapper": lambda url: fsspec.get_mapper(f"{url}/d")["f"],
    "write": lambda url: _write(fsspec.open(f"{url}/d/new", "wb")),
    "create": lambda url: _write(fsspec.open(f"{url}/d/new", "xb")),
    "append": lambda url: _write(fsspec.open(f"{url}/d/f", "ab")),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", BY_URL)
def test_a_cache_over_an_encrypted_disk_is_refused_and_leaves_nothing(
    world: World, protocol: str, name: str
) -> None:
    with pytest.raises((io.UnsupportedOperation, ValueError)) as caught:
        BY_URL[name](f"{protocol}::safefs://box")
    if name != "open_local" or protocol in ("filecache", "simplecache"):
        assert "a cache would leave in plain" in str(caught.value)
    assert not world.left()
    assert world.disk.files("d") == ["d/f"]


BY_CACHE: dict[str, Callable[[Any, str], object]] = {
    "open": lambda fs, path: fs.open(path),
    "open compressed": lambda fs, path: fs.open(path, compression="gzip"),
    "cat": lambda fs, path: fs.cat(path),
    "cat_file": lambda fs, path: fs.cat_file(path, 1, 2),
    "cat_ranges": lambda fs, path: fs.cat_ranges([path], [0], [1], on_error="raise"),
    "head": lambda fs, path: fs.head(path),
    "read_block": lambda fs, path: fs.read_block(path, 0, 10),
    "write": lambda fs, path: _write(fs.open(f"{path}2", "wb")),
    "pipe": lambda fs, path: fs.pipe(f"{path}2", CANARY),
    "pipe_file": lambda fs, path: fs.pipe_file(f"{path}2", CANARY),
}
WRITES = {"write", "pipe", "pipe_file"}
# What a cache hands on to the file system below as it is, is no matter of the cache.
HANDED_ON = {"cat_file", "cat_ranges", "head", "read_block", "pipe", "pipe_file"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", BY_CACHE)
def test_no_operation_of_a_cache_over_all_disks_leaves_anything_in_plain(
    world: World, protocol: str, name: str
) -> None:
    fs = fsspec.filesystem(protocol, target_protocol="safefs")
    refused = _refusal(lambda: BY_CACHE[name](fs, "box/d/f"))
    assert not world.left()
    assert "a cache would leave in plain" in refused or name in HANDED_ON


@pytest.mark.parametrize(
    "kind", [CachingFileSystem, WholeFileCacheFileSystem, SimpleCacheFileSystem]
)
def test_no_cache_is_made_over_an_encrypted_disk(world: World, kind: Any) -> None:
    with world.disk.scoped("d") as scoped:
        for each in (kind, type("Own", (kind,), {"cachable": False})):
            for disk in (world.disk, scoped):
                assert "a cache would leave in plain" in _refusal(lambda: each(fs=disk.fs))  # noqa: B023
    assert not world.left()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", BY_CACHE)
def test_nor_is_anything_read_through_a_file_system_in_between(
    world: World, protocol: str, name: str
) -> None:
    """What is written there the disk is not asked for; it is said where that lies."""
    fs = fsspec.filesystem(protocol, fs=DirFileSystem("/d", world.disk.fs))
    notes: list[str] = []
    refused = _refusal(lambda: BY_CACHE[name](fs, "f"), notes)
    if world.left():
        assert name in WRITES
        assert "a cache would leave in plain" in refused
        assert "lies in plain at" in notes[0]
        assert str(world.caches) in notes[0]
    assert world.disk.files("d") == ["d/f"] or name in HANDED_ON


@pytest.mark.parametrize("protocol", ["filecache", "simplecache"])
def test_what_is_written_in_one_block_is_said_to_lie_in_the_cache(
    world: World, protocol: str
) -> None:
    notes: list[str] = []

    def write() -> None:
        with fsspec.open_files([f"{protocol}::safefs://box/d/new"], "wb") as files:
            files[0].write(CANARY)
            files[0].fh.close()  # fsspec does not, where what it was told to do fails

    assert "a cache would leave in plain" in _refusal(write, notes)
    assert "lies in plain at" in notes[0]
    assert world.disk.files("d") == ["d/f"]


def _refusal(act: Callable[[], object], notes: list[str] | None = None) -> str:
    try:
        act()
    except io.UnsupportedOperation as error:
        if notes is not None:
            notes += getattr(error, "__notes__", [])
        return str(error)
    return ""


@pytest.mark.parametrize("protocol", ["filecache", "simplecache"])
def test_a_cache_over_a_plain_disk_is_what_it_was(world: World, protocol: str) -> None:
    world.plain.put("d/plain", CANARY)
    with fsspec.open(f"{protocol}::safefs://plain/d/plain") as file:
        assert file.read() == CANARY
    assert world.left()


def test_what_stays_in_memory_is_read_and_written(world: World) -> None:
    fs = world.disk.fs
    assert fs.cat("/d/f") == CANARY == fs.cat({"/d/f"})["/d/f"]
    assert fs.cat_ranges(["/d/f"], [2], [8]) == [CANARY[2:8]]
    assert fs.head("/d/f", 8) == CANARY[:8]
    assert fs.tail("/d/f", 8) == CANARY[-8:]
    assert fs.read_block("/d/f", 0, 30) == CANARY[:30]
    assert fs.get_mapper("/d")["f"] == CANARY
    fs.pipe({"/d/g": b"1", "/d/h": b"2"})
    assert fs.cat("/d", recursive=True) == {"/d/f": CANARY, "/d/g": b"1", "/d/h": b"2"}
    with fsspec.open("safefs://box/d/z.gz", "wb", compression="gzip") as file:
        file.write(CANARY)
    with fsspec.open("safefs://box/d/z.gz", "rb", compression="infer") as file:
        assert file.read() == CANARY
    fs.cp("/d/f", "/d/copied")
    fs.mv("/d/copied", "/d/moved")
    fs.touch("/d/empty")
    assert (fs.cat("/d/moved"), fs.cat("/d/empty")) == (CANARY, b"")
    world.plain.fs.put(world.disk / "d" / "f", "/out")
    assert world.plain.get("out") == CANARY
    assert not world.left()


def test_a_pickle_of_an_encrypted_disk_is_loaded_where_it_is_encrypted(world: World) -> None:
    """Elsewhere it would read what is sealed as content, and write in plain."""
    sent = pickle.dumps(world.disk.fs)
    assert pickle.loads(sent).cat("/d/f") == CANARY
    world.storage.close()
    plainly = Storage("safefs-test", disks={"box": world.plain})
    with plainly, plainly.register("box"), pytest.raises(UnknownDiskError):
        pickle.loads(sent)
