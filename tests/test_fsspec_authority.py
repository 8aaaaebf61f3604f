"""The doors by which fsspec lets in what nobody was given: each is tried, and is shut.

No hostile path here reaches further than the scratch of its test.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import subprocess
import sys
import threading
import zipfile
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import fsspec
import fsspec.asyn
import fsspec.config
import pytest
from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper
from fsspec.implementations.dirfs import DirFileSystem

from safefs import Disk, EscapeError, InvalidPathError, Policy, PolicyError, Storage
from safefs.errors import UnknownDiskError
from safefs.integrations.fsspec import DiskFileSystem, SafeFileSystem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("_own_loop")


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A directory of a disk deep in the scratch, with a secret above and links to it inside."""
    top = tmp_path / "m" / "m" / "d"
    (top / "sub").mkdir(parents=True)
    (top / "a").write_text("one")
    (top.parent / "secret").write_text("secret")
    (top / "link").symlink_to("../secret")
    (top / "up").symlink_to("..")
    (top / "absolute").symlink_to(top.parent / "secret")
    return top


@pytest.fixture
def disk(top: Path) -> Iterator[Disk]:
    with Disk(top, name="d") as disk:
        yield disk


@pytest.fixture
def fs(disk: Disk) -> Iterator[SafeFileSystem]:
    with Storage("app", disks={"d": disk}) as storage, storage.register("d"):
        yield SafeFileSystem()


def run(code: str, sent: bytes) -> subprocess.CompletedProcess[bytes]:
    """A worker that has registered nothing but what ``code`` says."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, input=sent, capture_output=True, timeout=60, check=False)


_heard: list[tuple[object, ...]] | None = None


def _hear(event: str, args: tuple[object, ...]) -> None:
    if event == "safefs.denied" and _heard is not None:
        _heard.append(args)


@contextmanager
def denials() -> Iterator[list[tuple[object, ...]]]:
    """The refusals that are reported; the hook itself stays, for none can be taken away."""
    global _heard
    if not _hooked:
        sys.addaudithook(_hear)
        _hooked.append(_hear)
    _heard = []
    try:
        yield _heard
    finally:
        _heard = None


_hooked: list[object] = []


# -- two that look alike -----------------------------------------------------------------------


def test_two_disks_that_print_alike_stay_two(tmp_path: Path) -> None:
    """fsspec keeps instances by md5(str(arguments)): the second would be given the first."""
    with ExitStack() as stack:
        one = stack.enter_context(Disk(tmp_path / "1", create=True))
        os.rename(tmp_path / "1", tmp_path / "2")
        other = stack.enter_context(Disk(tmp_path / "1", create=True))
        assert repr(one) == repr(other)
        one.put("a", "one")
        assert one.fs is not other.fs
        assert one.fs != other.fs
        assert DiskFileSystem(one) == one.fs
        assert hash(one.fs) == hash(one.fs)
        assert one.fs.exists("/a")
        assert not other.fs.exists("/a")
        tokens = {fs.__dask_tokenize__() for fs in (one.fs, other.fs, one.fs)}
        assert len(tokens) == 2  # dask keeps results by these
        assert one.fs.fsid != other.fs.fsid
        assert DiskFileSystem(one) is not DiskFileSystem(one)
        assert not DiskFileSystem._cache


def test_a_read_only_view_is_never_answered_with_the_disk(disk: Disk, top: Path) -> None:
    with disk.read_only() as view:
        written, shown = disk.fs, view.fs
        written.pipe("/b", b"x")
        assert shown != written
        assert shown.__dask_tokenize__() != written.__dask_tokenize__()
        for name, call in CHANGES.items():
            with pytest.raises(PolicyError):
                call(shown, "/b")
            assert shown.cat("/b") == b"x", name
        assert shown.find("/") == ["/a", "/b"]


CHANGES: dict[str, Callable[[Any, str], object]] = {
    "open to write": lambda fs, path: fs.open(path, "wb"),
    "open to append": lambda fs, path: fs.open(path, "ab"),
    "open to update": lambda fs, path: fs.open(path, "r+b"),
    "open to create": lambda fs, path: fs.open(f"{path}2", "xb"),
    "open in a transaction": lambda fs, path: fs.open(path, "wb", autocommit=False),
    "pipe_file": lambda fs, path: fs.pipe_file(path, b""),
    "pipe_file to create": lambda fs, path: fs.pipe_file(f"{path}2", b"", mode="create"),
    "touch": lambda fs, path: fs.touch(path),
    "touch, time": lambda fs, path: fs.touch(path, truncate=False),
    "mkdir": lambda fs, path: fs.mkdir(f"{path}2"),
    "rm": lambda fs, path: fs.rm(path),
    "rm_file": lambda fs, path: fs.rm_file(path),
    "rmdir": lambda fs, path: fs.rmdir(path),
    "cp_file": lambda fs, path: fs.cp_file(path, f"{path}2"),
    "copy": lambda fs, path: fs.copy(path, f"{path}2"),
    "mv": lambda fs, path: fs.mv(path, f"{path}2"),
    "put_file": lambda fs, path: fs.put_file(__file__, path),
    "put": lambda fs, path: fs.put(__file__, path),
}


def test_a_scoped_disk_and_each_policy_hold_in_its_file_system(disk: Disk, top: Path) -> None:
    (top / "sub" / "out").symlink_to("../a")
    (top / ".env").write_text("secret")
    (top / "in").symlink_to("a")
    with disk.scoped("sub") as scoped:
        for path in ("/../a", "/out", "../a", "//a"):
            with pytest.raises(EscapeError):
                scoped.fs.cat(path)
        assert scoped.fs.find("/") == []
    with Disk(top, policy=Policy(top_level_dot_entries="refuse")) as home:
        assert home.fs.find("/") == ["/a", "/in", "/sub/out"]
        assert list(home.fs.find("/", detail=True)) == ["/a", "/in", "/sub/out"]
        assert home.fs.ls("/", detail=False) == ["/a", "/in", "/sub"]
        assert "/.env" not in home.fs.glob("/**") + home.fs.glob("/.*")
        assert home.fs.du("/") == 9
        assert not home.fs.exists("/.env")
        for path in ("/.env", "/sub/../.env"):
            with pytest.raises(PolicyError):
                home.fs.cat(path)
        assert isinstance(home.fs.cat(["/.env", "/a"], on_error="return")["/.env"], PolicyError)
    with Disk(top, policy=Policy(symlinks="never")) as strict:
        assert strict.fs.find("/") == ["/.env", "/a"]
        with pytest.raises(PolicyError):
            strict.fs.cat("/in")
        assert strict.fs.cat(["/a", "/in"], on_error="omit") == {"/a": b"one"}
    with Disk(top, policy=Policy(portable_names=True)) as portable:
        (top / "CON").write_text("x")
        assert portable.fs.cat(["/a", "/CON"], on_error="omit") == {"/a": b"one"}


# -- keywords, variables, files, JSON, pickles -------------------------------------------------


@pytest.mark.parametrize("name", ["root", "disk", "policy", "path", "fo", "target_protocol", "fs"])
def test_no_keyword_of_anyone_widens_anything(
    name: str, fs: SafeFileSystem, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = str(top.parent)
    with pytest.raises(TypeError, match=f"takes no {name}"):
        fsspec.filesystem("safefs", **{name: outside})
    with pytest.raises(TypeError, match=f"takes no {name}"):
        fsspec.open("safefs://d/a", **{name: outside})
    monkeypatch.setenv(f"FSSPEC_SAFEFS_{name.upper()}", outside)
    found: dict[str, Any] = {}
    fsspec.config.set_conf_env(found)
    monkeypatch.setitem(fsspec.config.conf, "safefs", found["safefs"])
    with pytest.raises(TypeError, match=f"takes no {name}"):
        fsspec.filesystem("safefs")


def test_a_configuration_file_widens_nothing(
    fs: SafeFileSystem, top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf.json").write_text(json.dumps({"safefs": {"root": str(top.parent)}}))
    found: dict[str, Any] = {}
    fsspec.config.set_conf_files(str(tmp_path), found)
    monkeypatch.setitem(fsspec.config.conf, "safefs", found["safefs"])
    with pytest.raises(TypeError, match="takes no root"):
        fsspec.filesystem("safefs")


def test_an_edited_json_gives_no_more(fs: SafeFileSystem, disk: Disk, top: Path) -> None:
    sent = json.loads(fs.to_json())
    assert fsspec.AbstractFileSystem.from_json(json.dumps(sent)) == fs
    edits: list[dict[str, Any]] = [
        {"root": str(top.parent)},
        {"args": [str(top.parent)]},
        {"cls": "safefs.integrations.fsspec:DiskFileSystem", "args": [str(top.parent)]},
        {"cls": "safefs.integrations.fsspec:DiskFileSystem", "args": ["d"]},
        {"cls": "safefs.integrations.fsspec:DiskFileSystem"},
    ]
    for edit in edits:
        with pytest.raises(TypeError):
            fsspec.AbstractFileSystem.from_json(json.dumps({**sent, **edit}))
    for call in (disk.fs.to_json, disk.fs.to_dict):
        with pytest.raises(TypeError, match="no JSON"):
            call()


def test_a_pickle_of_one_disk_needs_that_disk_registered(disk: Disk) -> None:
    with pytest.raises(TypeError, match="registered disk"):
        pickle.dumps(disk.fs)
    with Storage("app", disks={"d": disk}) as storage, storage.register("d", prefix="my-"):
        sent = pickle.dumps(disk.fs)
        assert pickle.loads(sent) == disk.fs
        assert pickle.loads(sent).cat("/a") == b"one"
    with pytest.raises(UnknownDiskError):
        pickle.loads(sent)


def test_a_pickle_fails_closed_where_another_disk_bears_the_name(disk: Disk, top: Path) -> None:
    with Storage("app", disks={"d": disk}) as storage, storage.register("d"):
        sent = pickle.dumps(disk.fs)
    (top.parent / "other").mkdir()
    (top.parent / "other" / "a").write_text("another's")
    with (
        Disk(top.parent / "other", name="d") as other,
        Storage("app", disks={"d": other}) as storage,
        storage.register("d"),
        pytest.raises(UnknownDiskError),
    ):
        pickle.loads(sent)
    code = "import pickle, sys; pickle.load(sys.stdin.buffer).cat('/a')"
    worker = run(code, sent)
    assert worker.returncode == 1
    assert b"no disk is named 'd'" in worker.stderr
    assert os.fsencode(top) not in sent


def test_a_pickle_has_the_rights_of_both_ends_and_no_more(disk: Disk) -> None:
    with disk.read_only() as view:
        with Storage("app", disks={"d": view}) as storage, storage.register("d"):
            shown = pickle.dumps(view.fs)
        with Storage("app", disks={"d": disk}) as storage, storage.register("d"):
            written = pickle.dumps(disk.fs)
            narrow = pickle.loads(shown)  # the worker has the wider one
            assert narrow.cat("/a") == b"one"
            with pytest.raises(PolicyError):
                narrow.pipe("/a", b"two")
            narrow.disk.close()
        with (
            Storage("app", disks={"d": view}) as storage,
            storage.register("d"),
            pytest.raises(PolicyError),
        ):
            pickle.loads(written).pipe("/a", b"two")  # the worker has the narrower one
    assert disk.get("a") == b"one"


def test_disks_in_memory_are_sent_to_nobody_else() -> None:
    with Storage.fake() as storage, storage.register("documents"):
        storage["documents"].put("a", "one")
        sent = pickle.dumps(storage["documents"].fs)
        assert pickle.loads(sent).cat("/a") == b"one"
    code = (
        "import pickle, sys; from safefs import Storage\n"
        "s = Storage.fake(); s.register('documents'); pickle.load(sys.stdin.buffer)"
    )
    worker = run(code, sent)
    assert b"UnknownDiskError" in worker.stderr


# -- URLs --------------------------------------------------------------------------------------

CHAINS = [
    "simplecache::safefs://d/../secret",
    "simplecache::safefs://d/link",
    "simplecache::safefs://d/absolute",
    "simplecache::safefs://{outside}/secret",
    "filecache::safefs://d/up/secret",
    "blockcache::safefs://d/link",
    "zip://a::safefs://d/../bad.zip",
    "zip://a::safefs://d/up/bad.zip",
    "safefs://d/up/secret",
    "safefs:///{outside}/secret",
    "safefs://d//{outside}/secret",
    "safefs://file://{outside}/secret",
    "safefs://d/a::file://{outside}/secret",
    "safefs::file://{outside}/secret",
]


@pytest.mark.parametrize("url", CHAINS)
def test_no_chain_of_urls_climbs_out(url: str, fs: SafeFileSystem, top: Path) -> None:
    with zipfile.ZipFile(top.parent / "bad.zip", "w") as archive:
        archive.writestr("a", "secret")
    url = url.replace("{outside}", str(top.parent))
    # fsspec's caches ask whether it exists before they read, and it does not.
    refusals = (EscapeError, InvalidPathError, TypeError, FileNotFoundError)
    with pytest.raises(refusals), fsspec.open(url) as file:
        pytest.fail(f"{url} gave {file.read()!r}")


def test_chains_that_stay_inside_work(fs: SafeFileSystem, top: Path) -> None:
    with zipfile.ZipFile(top / "good.zip", "w") as archive:
        archive.writestr("../../a", "inside the archive")
        archive.writestr("b", "b")
    with fsspec.open("simplecache::safefs://d/a") as file:
        assert file.read() == b"one"
    with fsspec.open("zip://b::safefs://d/good.zip") as file:
        assert file.read() == b"b"
    archive_fs = fsspec.filesystem("zip", fo="safefs://d/good.zip")
    assert archive_fs.cat("b") == b"b"
    archive_fs.zip.close()
    archive_fs.fo.close()


@pytest.mark.parametrize("path", ["../secret", "../../m/secret", "link", "up/secret", "absolute"])
def test_a_directory_file_system_over_it_is_as_shut(path: str, fs: SafeFileSystem) -> None:
    """DirFileSystem joins text; what it is laid over decides."""
    for sub in (DirFileSystem("d", fs), fsspec.filesystem("dir", path="d", fs=fs)):
        for call in (sub.cat, sub.open, sub.info, lambda p, sub=sub: sub.pipe(f"{p}/x", b"")):
            with pytest.raises((EscapeError, NotADirectoryError)):
                call(path)
        assert not sub.exists(path)


# -- names that look like patterns -------------------------------------------------------------

LITERAL = ["x*", "x?", "[x]", "x[", "**", "a*/b?", "[!x]*"]


@pytest.mark.parametrize("name", LITERAL)
def test_a_name_that_is_there_is_no_pattern_to_any_method(
    name: str, disk: Disk, tmp_path: Path
) -> None:
    """``rm("x*")`` must not take what is not called so."""
    fs = disk.fs
    others = {"/xy": b"", "/xz": b"", "/x": b"", "/keep/x": b""}
    fs.pipe({**others, f"/{name}": b"literal"})
    path = f"/{name}"
    assert fs.cat(path) == b"literal"
    assert fs.info(path)["name"] == path
    assert fs.ls(path, detail=False) == [path]
    assert fs.find(path) == [path]
    assert fs.du(path) == 7
    assert fs.expand_path(path) == [path]
    assert fs.head(path, 3) == b"lit"
    assert fs.sizes([path]) == [7]
    fs.get(path, str(tmp_path / "got"))
    assert (tmp_path / "got").read_bytes() == b"literal"
    fs.copy(path, "/copied")
    assert fs.cat("/copied") == b"literal"
    fs.mv(path, "/moved")
    assert not fs.exists(path)
    fs.mv("/moved", path)
    fs.rm(path)
    assert not fs.exists(path)
    assert set(others) <= set(fs.find("/"))


# -- under load --------------------------------------------------------------------------------


def test_the_asynchronous_wrapper_works_from_many_tasks(fs: SafeFileSystem, disk: Disk) -> None:
    async def one(afs: AsyncFileSystemWrapper, number: int) -> None:
        name, content = f"d/load/{number % 10}/{number}", str(number).encode() * 100
        await afs._pipe_file(name, content)
        assert await afs._cat_file(name) == content
        assert (await afs._info(name))["size"] == len(content)
        assert await afs._exists(name)
        with pytest.raises(EscapeError):
            await afs._cat_file("d/link")
        await afs._cp_file(name, f"{name}.copy")
        await afs._rm_file(name)
        assert not await afs._exists(name)

    async def many() -> int:
        afs = AsyncFileSystemWrapper(fs, asynchronous=True)
        await asyncio.gather(*(one(afs, number) for number in range(200)))
        found = await afs._find("d/load")
        assert len(await afs._cat(found)) == len(found)
        return len(found)

    assert asyncio.run(many()) == 200
    assert len(disk.all_files("load")) == 200


def test_threads_share_one(disk: Disk) -> None:
    fs, failures = disk.fs, []

    def work(number: int) -> None:
        try:
            for each in range(50):
                fs.pipe(f"/{number}/{each}", b"x")
                assert fs.cat(f"/{number}/{each}") == b"x"
            assert len(fs.find(f"/{number}")) == 50
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert fs.du("/") >= 400


# -- every method, with a link to the outside planted ------------------------------------------

READS: dict[str, Callable[[Any, str], object]] = {
    "open": lambda fs, path: fs.open(path),
    "open text": lambda fs, path: fs.open(path, "r"),
    "open packed": lambda fs, path: fs.open(path, compression="gzip"),
    "cat_file": lambda fs, path: fs.cat_file(path),
    "cat_file, a part": lambda fs, path: fs.cat_file(path, 1, 2),
    "cat": lambda fs, path: fs.cat(path),
    "cat of many": lambda fs, path: fs.cat([f"{top_of(fs)}a", path]),
    "head": lambda fs, path: fs.head(path),
    "tail": lambda fs, path: fs.tail(path),
    "read_text": lambda fs, path: fs.read_text(path),
    "read_block": lambda fs, path: fs.read_block(path, 0, 3),
    "info": lambda fs, path: fs.info(path),
    "ls": lambda fs, path: fs.ls(path),
    "size": lambda fs, path: fs.size(path),
    "sizes": lambda fs, path: fs.sizes([path]),
    "modified": lambda fs, path: fs.modified(path),
    "created": lambda fs, path: fs.created(path),
    "ukey": lambda fs, path: fs.ukey(path),
    "checksum": lambda fs, path: fs.checksum(path),
    "tree": lambda fs, path: fs.tree(path),
    "find": lambda fs, path: fs.find(path, on_error="raise"),
    "find detail": lambda fs, path: fs.find(path, detail=True, on_error="raise"),
    "walk": lambda fs, path: list(fs.walk(path, on_error="raise")),
    "du": lambda fs, path: fs.du(path, on_error="raise"),
    "get_file": lambda fs, path: fs.get_file(path, "/dev/null"),
    "get": lambda fs, path: fs.get(path, "/dev/null"),
    "cp_file from": lambda fs, path: fs.cp_file(path, f"{top_of(fs)}copied"),
    "copy from": lambda fs, path: fs.copy(path, f"{top_of(fs)}copied"),
    "open to write": lambda fs, path: fs.open(path, "wb"),
    "open to append": lambda fs, path: fs.open(path, "ab"),
    "open to update": lambda fs, path: fs.open(path, "r+b"),
    "touch, time": lambda fs, path: fs.touch(path, truncate=False),
    "touch": lambda fs, path: fs.touch(path),
    "write_text": lambda fs, path: fs.write_text(path, "x"),
    "draft to append": lambda fs, path: fs.open(path, "ab", autocommit=False),
}
BENEATH: dict[str, Callable[[Any, str], object]] = {
    "pipe_file": lambda fs, path: fs.pipe_file(path, b"x"),
    "pipe_file to create": lambda fs, path: fs.pipe_file(path, b"x", mode="create"),
    "draft": lambda fs, path: fs.open(path, "wb", autocommit=False),
    "mkdir": lambda fs, path: fs.mkdir(path),
    "makedirs": lambda fs, path: fs.makedirs(path, exist_ok=True),
    "rmdir": lambda fs, path: fs.rmdir(path),
    "rm": lambda fs, path: fs.rm(path, recursive=True),
    "rm_file": lambda fs, path: fs.rm_file(path),
    "cp_file to": lambda fs, path: fs.cp_file(f"{top_of(fs)}a", path),
    "copy to": lambda fs, path: fs.copy(f"{top_of(fs)}a", path),
    "mv to": lambda fs, path: fs.mv(f"{top_of(fs)}a", path),
    "mv from": lambda fs, path: fs.mv(path, f"{top_of(fs)}moved"),
    "put_file": lambda fs, path: fs.put_file(__file__, path),
    "put": lambda fs, path: fs.put(__file__, path),
}


def top_of(fs: Any) -> str:
    return "/" if isinstance(fs, DiskFileSystem) else "d/"


@pytest.mark.parametrize("call", READS.values(), ids=READS)
@pytest.mark.parametrize("path", ["link", "absolute", "up/secret", "sub/../../secret"])
def test_no_method_follows_a_link_out(
    call: Callable[[Any, str], object], path: str, fs: SafeFileSystem, disk: Disk, top: Path,
    resolver: str,
) -> None:  # fmt: skip
    for each in (fs, disk.fs):
        with pytest.raises(EscapeError):
            call(each, top_of(each) + path)
    assert (top.parent / "secret").read_text() == "secret"
    assert not (top / "copied").exists()


@pytest.mark.parametrize("call", BENEATH.values(), ids=BENEATH)
def test_no_method_makes_or_removes_anything_beyond_a_link(
    call: Callable[[Any, str], object], fs: SafeFileSystem, disk: Disk, top: Path, resolver: str
) -> None:
    before = sorted(os.listdir(top.parent))
    for each in (fs, disk.fs):
        for path in ("up/secret", "up/new", "up/m/new", "sub/../../new"):
            with pytest.raises(EscapeError):
                call(each, top_of(each) + path)
    assert sorted(os.listdir(top.parent)) == before
    assert (top.parent / "secret").read_text() == "secret"
    assert (top / "a").read_text() == "one"


def test_questions_are_answered_with_no(fs: SafeFileSystem, disk: Disk, resolver: str) -> None:
    for each in (fs, disk.fs):
        for path in ("link", "absolute", "up/secret", "../secret", "/x", "a\0b", "n" * 300):
            name = top_of(each) + path
            assert [each.exists(name), each.isfile(name), each.isdir(name)] == [False] * 3
        assert each.find(top_of(each)) == [f"{top_of(each)}a"]
        assert each.glob(f"{top_of(each)}*/secret") == []
        assert each.glob(f"{top_of(each)}**/secret") == []
        assert [each.lexists(f"{top_of(each)}{name}") for name in ("link", "up")] == [True] * 2


_LISTINGS: list[Callable[[Any, str], Any]] = [
    lambda fs, path: fs.find(path),
    lambda fs, path: fs.find(path, detail=True, withdirs=True),
    lambda fs, path: fs.du(path),
    lambda fs, path: fs.du(path, total=False),
    lambda fs, path: list(fs.walk(path)),
    lambda fs, path: list(fs.walk(path, topdown=False, on_error=lambda _: None)),
    lambda fs, path: fs.ls(path),
    lambda fs, path: fs.glob(path),
    lambda fs, path: fs.glob(path, detail=True),
    lambda fs, path: fs.expand_path(path, recursive=True),
    lambda fs, path: fs.glob(f"{path}/*"),
    lambda fs, path: fs.expand_path(f"{path}/*.csv"),
    lambda fs, path: fs.cat(f"{path}/*"),
    lambda fs, path: fs.rm(f"{path}/*", recursive=True),
]


@pytest.mark.parametrize("path", ["..", "../..", "sub/../..", "/x", "up", "up/m"])
def test_a_listing_of_what_leads_out_is_an_escape_told_once_and_never_nothing(
    fs: SafeFileSystem, disk: Disk, path: str, resolver: str
) -> None:
    for each in (fs, disk.fs):
        for number, listing in enumerate(_LISTINGS):
            with denials() as denied, pytest.raises(EscapeError):
                listing(each, top_of(each) + path)
            assert len(denied) == 1, (number, denied)


def test_a_slash_in_front_of_a_disk_is_an_escape_to_a_listing_too(
    fs: SafeFileSystem, tmp_path: Path
) -> None:
    for listing in _LISTINGS:
        with pytest.raises(EscapeError, match="leave out the first"):
            listing(fs, "/d")
    with pytest.raises(EscapeError):
        fsspec.open_files("safefs://d/../*.csv")
    with pytest.raises(EscapeError):
        fs.get("d/../*", str(tmp_path / "got"))
    assert not (tmp_path / "got").exists()


def test_a_listing_of_what_is_not_there_finds_nothing(fs: SafeFileSystem, disk: Disk) -> None:
    for each in (fs, disk.fs):
        for path in ("none", "none/*", "a/b", "sub/../none", "[!a]*/x", "sub/../x*"):
            name = top_of(each) + path
            assert each.glob(name) == []
            assert each.find(name) == list(each.walk(name)) == []
            assert each.du(name) == 0
        assert each.glob(f"{top_of(each)}sub/../a*") == [f"{top_of(each)}sub/../a"]


def test_no_pattern_goes_up_behind_a_wildcard(fs: SafeFileSystem, disk: Disk) -> None:
    for each in (fs, disk.fs):
        for call in (each.glob, each.expand_path, each.cat, each.rm):
            for pattern in ("*/../a", "s?b/../../*", "**/.."):
                with pytest.raises(InvalidPathError, match="behind a wildcard"):
                    call(top_of(each) + pattern)


def test_a_listing_of_what_the_policy_refuses_says_so(top: Path) -> None:
    (top / "inside").symlink_to("sub")
    with Disk(top, policy=Policy(symlinks="never")) as disk:
        for listing in _LISTINGS[:7]:
            with pytest.raises(PolicyError):
                listing(disk.fs, "/inside")
        assert disk.fs.find("/") == ["/a"]


def test_a_listing_of_a_disk_that_nobody_registered_names_those_there_are(
    fs: SafeFileSystem,
) -> None:
    for listing in _LISTINGS:
        with pytest.raises(FileNotFoundError, match=r"no disk is named 'nope' \(there are: d\)"):
            listing(fs, "nope")
    assert not fs.exists("nope/x")
    assert fs.glob("n*") == []


def test_what_is_not_registered_any_more_is_gone_from_a_pickled_lazy_file(
    fs: SafeFileSystem, disk: Disk
) -> None:
    sent = pickle.dumps(fsspec.open("safefs://d/a"))
    with pickle.loads(sent) as file:
        assert file.read() == b"one"
    code = "import pickle, sys\nwith pickle.load(sys.stdin.buffer) as f: print(f.read())"
    worker = run(code, sent)
    assert b"no disk is named 'd'" in worker.stderr


def test_get_of_a_tree_takes_no_link_that_leads_out(
    fs: SafeFileSystem, top: Path, tmp_path: Path
) -> None:
    fs.get("d", str(tmp_path / "got"), recursive=True)
    found = sorted(os.path.relpath(p, tmp_path / "got") for p in (tmp_path / "got").rglob("*"))
    assert found == ["a", "sub"]


def test_a_storm_of_exchanged_links_leaks_nothing(
    fs: SafeFileSystem, disk: Disk, top: Path
) -> None:
    """A name that is a file and a link to the secret, by turns, while it is listed and read."""
    stop = threading.Event()

    os.symlink("../secret", top / "bad")
    (top / "good").write_text("good")

    def exchange() -> None:
        while not stop.is_set():
            for source in ("bad", "good"):
                os.link(top / source, top / "next", follow_symlinks=False)
                os.rename(top / "next", top / "target")

    attacker = threading.Thread(target=exchange)
    attacker.start()
    try:
        for _ in range(150):
            found = disk.fs.cat(["/a", "/target", "/good"], on_error="omit")
            assert set(found.values()) <= {b"one", b"good"}
            assert all(info["size"] in (3, 4) for info in fs.find("d", detail=True).values())
            assert fs.du("d") <= 3 + 4 + 4 + 4  # a, good, target, and next
    finally:
        stop.set()
        attacker.join()


def test_a_storm_of_exchanged_directories_leads_nobody_out(
    disk: Disk, top: Path, resolver: str
) -> None:
    """A directory and a link to one outside change places while trees are listed and read."""
    outside = top.parent / "outside"
    for name in ("b", "c", "deep/e"):
        for real, content in ((top / "x", "good"), (outside, "secret")):
            (real / name).parent.mkdir(parents=True, exist_ok=True)
            (real / name).write_text(content)
    (outside / "only-outside").write_text("secret")
    (top / "y").symlink_to("../outside")
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            os.rename(top / "x", top / "z")
            os.rename(top / "y", top / "x")
            os.rename(top / "x", top / "y")
            os.rename(top / "z", top / "x")

    fs = disk.fs
    names = ["/x/b", "/x/c", "/x/deep/e", "/y/b", "/y/c"]
    attacker = threading.Thread(target=exchange)
    attacker.start()
    try:
        for _ in range(60):
            assert set(fs.cat(names, on_error="omit").values()) <= {b"good"}
            found = [*fs.find("/"), *fs.find("/", detail=True), *fs.glob("/**")]
            with suppress(EscapeError):  # where it was the link just then
                found += fs.glob("/x/*")
                found += [f"{at}/{name}" for at, _, files in fs.walk("/x") for name in files]
            assert not [name for name in found if "only-outside" in name]
            fs.du("/")
            for path in ("/x/new", "/y/new", "/x/deep/new"):
                with suppress(OSError):
                    fs.open(path, "wb").close()
                with suppress(OSError), fs.transaction:
                    fs.open(path, "wb").close()
                with suppress(OSError):
                    fs.rm(path)
    finally:
        stop.set()
        attacker.join()
    assert sorted(os.listdir(outside)) == ["b", "c", "deep", "only-outside"]
    assert os.listdir(outside / "deep") == ["e"]
