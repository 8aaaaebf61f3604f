"""UPath("safefs://…"): the words of pathlib and universal_pathlib, and none of their ways out."""

from __future__ import annotations

import copy
import errno
import os
import pickle
import stat
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from upath import UnsupportedOperation, UPath
from upath.registry import get_upath_class
from upath.types import JoinablePath, ReadablePath, WritablePath

from safefs import Disk, EscapeError, InvalidPathError, Policy, PolicyError, Storage
from safefs.integrations.fsspec import SafeFileSystem
from safefs.integrations.upath import SafePath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs.testing.scratch import Scratch


@pytest.fixture
def storage(scratch: Scratch, tmp_path: Path) -> Iterator[Storage]:
    """``documents`` on the root of the scratch, and ``music`` in memory."""
    with (
        Disk(scratch.root) as documents,
        Storage.fake(disks=["documents", "music"]) as fake,
        Storage("app", disks={"documents": documents, "music": fake["music"]}) as storage,
        storage.register("documents", "music"),
    ):
        yield storage


@pytest.fixture
def documents(storage: Storage) -> Disk:
    return storage["documents"]


@pytest.fixture
def top(storage: Storage) -> SafePath:
    """The disk itself, as a path."""
    path = UPath("safefs://documents")
    assert isinstance(path, SafePath)
    return path


# -- what a path is ----------------------------------------------------------------------------


def test_the_protocol_is_known_by_its_entry_point() -> None:
    """In a process that has imported nothing of it."""
    code = """
from upath import UPath
path = UPath("safefs://documents/a.txt")
assert type(path).__name__ == "SafePath", type(path)
assert str(path / "../b") == "safefs://documents/a.txt/../b"
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
    assert get_upath_class("safefs") is SafePath


def test_importing_safefs_imports_none_of_it() -> None:
    code = """
import sys
import safefs, safefs.storage, safefs.integrations.registry
names = ("upath", "django", "fsspec")
assert not [name for name in names if name in sys.modules]
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_it_is_what_universal_pathlib_calls_a_path(top: SafePath) -> None:
    for kind in (UPath, JoinablePath, ReadablePath, WritablePath):
        assert isinstance(top, kind)
    assert isinstance(top.fs, SafeFileSystem)
    assert top.protocol == "safefs"
    assert dict(top.storage_options) == {}


def test_it_is_no_path_of_this_machine(top: SafePath) -> None:
    assert not isinstance(top, os.PathLike)
    with pytest.raises(TypeError):
        os.stat(top / "a")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("safefs://documents/a/b.txt", "documents/a/b.txt"),
        ("safefs://documents/a/", "documents/a"),
        ("safefs://documents/", "documents"),
        ("safefs://documents/a//./b", "documents/a/b"),
        ("safefs://documents/a/../b", "documents/a/../b"),
        ("safefs://documents/%2e%2e/~", "documents/%2e%2e/~"),
        ("safefs://documents/a#b?c", "documents/a#b?c"),
        ("safefs://documents/a::file:", "documents/a::file:"),
        ("safefs://", ""),
        ("safefs:///", ""),
    ],
)
def test_the_text_is_kept_but_for_what_pathlib_drops(text: str, path: str) -> None:
    made = UPath(text)
    assert made.path == path
    assert str(made) == made.as_uri() == made.as_posix() == f"safefs://{path}"
    assert UPath(str(made)) == made == UPath(path, protocol="safefs") == SafePath(path)
    assert hash(made) == hash(SafePath(path))
    assert SafePath.from_uri(str(made)) == made


def test_the_lexical_words_are_those_of_pathlib() -> None:
    path, pure = UPath("safefs://documents/a/b.tar.gz"), PurePosixPath("/a/b.tar.gz")
    for word in ("name", "stem", "suffix", "suffixes"):
        assert getattr(path, word) == getattr(pure, word)
    assert (path.drive, path.root, path.anchor) == ("documents", "", "documents")
    assert path.parts == ("documents", "a", "b.tar.gz")
    assert path.parents[-1].path == path.anchor
    assert SafePath(*path.parts) == path
    assert path.parent == UPath("safefs://documents/a")
    assert list(path.parents) == [UPath("safefs://documents/a"), UPath("safefs://documents")]
    assert path.with_suffix(".zip").name == "b.tar.zip"
    assert path.with_stem("c").name == "c.gz"
    assert path.with_name("c") == path.parent / "c"
    assert path.joinpath("c", PurePosixPath("d/e")) == path / "c/d/e"
    assert path.with_segments("documents", "x") == UPath("safefs://documents/x")
    assert path.match("*.gz")
    assert path.match("a/*")
    assert path.full_match("documents/**/*.gz")
    assert not path.full_match("*.gz")
    assert UPath("safefs://documents/.bashrc").suffix == ""
    assert sorted([path, path.parent]) == [path.parent, path]
    assert path.is_absolute()
    assert path.absolute() is path
    assert path.expanduser() is path


def test_a_disk_is_where_going_up_ends(top: SafePath) -> None:
    assert top.parent == top
    assert (top / "a").parent.parent.parent == top
    assert list(top.parents) == []
    assert (top.name, top.parts) == ("", ("documents",))
    with pytest.raises(ValueError, match="empty name"):
        top.with_name("music")
    disks = UPath("safefs://")
    assert disks.parent == disks
    assert (disks.drive, disks.root, disks.parts, disks.name) == ("", "", (), "")
    assert disks / "documents" == top


def test_a_relative_path_is_one_once_it_is_joined(top: SafePath) -> None:
    path = top / "a" / "b.txt"
    relative = path.relative_to(top)
    assert (str(relative), relative.parts, relative.name) == ("a/b.txt", ("a", "b.txt"), "b.txt")
    assert not relative.is_absolute()
    assert top / relative == path
    assert path.relative_to("safefs://documents") == relative
    assert str(relative / "c") == "a/b.txt/c"
    assert str(relative.with_name("c")) == "a/c"
    assert str(relative.parent) == "a"
    assert [str(each) for each in relative.parents] == ["a", "."]
    assert (relative.drive, relative.root) == ("", "")
    assert str("x" / relative) == "x/a/b.txt"
    assert path.is_relative_to(top)
    assert not path.is_relative_to(SafePath("safefs://music"))
    with pytest.raises(ValueError, match="subpath"):
        path.relative_to(SafePath("safefs://music"))
    for call in (relative.exists, relative.read_bytes, relative.resolve, lambda: relative.path):
        with pytest.raises(UnsupportedOperation):
            call()
    with pytest.raises(ValueError, match="on no disk"):
        SafePath(relative, "c")


def test_a_path_can_be_copied_and_pickled_as_text(top: SafePath, documents: Disk) -> None:
    documents.put("a/b", "hello")
    path = top / "a/b"
    relative = path.relative_to(top)
    for again in (copy.copy, copy.deepcopy, UPath, lambda each: pickle.loads(pickle.dumps(each))):
        assert again(path) == path
        assert again(relative) == relative
        assert again(path).read_bytes() == b"hello"
    assert b"hello" not in pickle.dumps(path)


def test_a_pickle_fails_closed_where_nobody_registered_the_disk(top: SafePath) -> None:
    code = """
import pickle, sys
path = pickle.load(sys.stdin.buffer)
assert not path.exists()
try:
    path.read_bytes()
except FileNotFoundError as error:
    assert "Storage.register" in str(error), error
else:
    raise AssertionError("read")
"""
    subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(top / "a"), check=True, timeout=60
    )


def test_options_of_any_file_system_are_taken_and_others_refused() -> None:
    path = UPath("safefs://documents/a", skip_instance_cache=True)
    assert path == UPath("safefs://documents/a")
    for option in ("root", "path", "target_protocol", "fo", "auto_mkdir"):
        with pytest.raises(TypeError, match=option):
            UPath("safefs://documents/a", **{option: "/"})
    with pytest.raises(TypeError, match="incompatible"):
        SafePath("file:///etc")
    with pytest.raises(TypeError, match="incompatible"):
        UPath("safefs://documents", protocol="file")


# -- ways out ----------------------------------------------------------------------------------

JOINS: dict[str, Callable[[UPath, Any], object]] = {
    "/": lambda path, other: path / other,
    "joinpath": lambda path, other: path.joinpath("a", other),
    "UPath": lambda path, other: UPath(path, other),
    "UPath, of text": lambda path, other: UPath(str(path), "a", other),
    "with_segments": lambda path, other: path.with_segments(path, other),
    "parser": lambda path, other: path.parser.join(path, other),
}


@pytest.mark.parametrize("join", JOINS.values(), ids=JOINS)
@pytest.mark.parametrize(
    "other",
    [
        "/etc/passwd",
        "//etc/passwd",
        Path("/etc/passwd"),
        "file:///etc/passwd",
        "file:/etc/passwd",
        "local:///etc/passwd",
        "memory://a",
        "safefs://music/a",
        UPath("safefs://music/a"),
        UPath("memory://a"),
        "a\0b",
    ],
    ids=str,
)
def test_nothing_that_is_joined_leaves(join: Callable[[UPath, Any], object], other: Any) -> None:
    with pytest.raises((EscapeError, InvalidPathError)):
        join(UPath("safefs://documents/sub"), other)


@pytest.mark.parametrize("other", [3, b"a", None])
def test_what_is_no_text_is_not_joined(other: Any, top: SafePath) -> None:
    with pytest.raises(TypeError):
        top / other
    with pytest.raises(TypeError):
        top.joinpath(other)


def test_a_path_of_a_disk_is_joined_by_its_text_only(top: SafePath, documents: Disk) -> None:
    with pytest.raises(TypeError):
        top / (documents / "a")  # type: ignore[operator]
    with pytest.raises(TypeError, match="give its url"):
        top.joinpath(documents / "a")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="give its url"):
        UPath(documents / "a", protocol="safefs")  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        "x" / top


@pytest.mark.parametrize(
    "text",
    [
        "safefs:///etc/passwd",
        "safefs://documents//etc/passwd",
        "safefs://documents//",
        "safefs:/etc/passwd",
        "safefs::file:///etc/passwd",
        "safefs://../etc",
        "safefs://./documents",
        "safefs://file:///etc/passwd",
        "safefs://documents/a\0b",
        "safefs://docu\0ments/a",
    ],
)
def test_a_url_that_is_no_path_on_a_disk_is_refused(text: str) -> None:
    with pytest.raises((EscapeError, InvalidPathError)):
        UPath(text)


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "/etc", "../b", "a\0b"])
def test_a_new_name_is_one_component(name: str, top: SafePath) -> None:
    path = top / "a.txt"
    with pytest.raises((EscapeError, InvalidPathError)):
        path.with_name(name)
    with pytest.raises((EscapeError, InvalidPathError)):
        path.with_suffix(f".x/{name}")
    with pytest.raises((EscapeError, InvalidPathError)):
        path.with_stem(f"{name}/x")


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("c", "documents/a/c"),
        ("./c", "documents/a/c"),
        ("../c", "documents/c"),
        ("../../../c", "documents/c"),
        ("/c/d", "documents/c/d"),
        ("/../c", "documents/c"),
        ("", "documents/a/b.txt"),
        ("safefs://documents/x/../y", "documents/y"),
        ("%2e%2e/c", "documents/a/%2e%2e/c"),
    ],
)
def test_joinuri_stays_on_the_disk(uri: str, path: str, top: SafePath) -> None:
    assert (top / "a" / "b.txt").joinuri(uri).path == path


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "local:///etc/passwd",
        "https://evil.example/x",
        "safefs://music/a",
        "safefs://",
        "//music/a",
        "//etc/passwd",
        UPath("safefs://music/a"),
        UPath("memory://a"),
        Path("/etc/passwd"),
        "a\0b",
    ],
    ids=str,
)
def test_joinuri_is_refused_what_would_leave(uri: Any, top: SafePath) -> None:
    if isinstance(uri, Path):
        assert (top / "a").joinuri(uri) == top / "etc/passwd"  # from the root of the disk
        return
    with pytest.raises((EscapeError, InvalidPathError)):
        (top / "a").joinuri(uri)


def test_nothing_is_joined_to_the_list_of_disks_by_uri() -> None:
    with pytest.raises(EscapeError):
        UPath("safefs://").joinuri("documents/a")


READS: dict[str, Callable[[UPath], object]] = {
    "read_bytes": lambda path: path.read_bytes(),
    "read_text": lambda path: path.read_text(encoding="utf-8"),
    "open": lambda path: path.open("rb"),
    "stat": lambda path: path.stat(),
    "iterdir": lambda path: list(path.iterdir()),
    "copy": lambda path: path.copy("copied"),
    "samefile": lambda path: path.samefile(path),
}
WRITES: dict[str, Callable[[UPath], object]] = {
    "write_bytes": lambda path: path.write_bytes(b"attack"),
    "write_text": lambda path: path.write_text("attack", encoding="utf-8"),
    "open": lambda path: path.open("wb"),
    "touch": lambda path: path.touch(),
    "mkdir": lambda path: path.mkdir(),
    "mkdir with parents": lambda path: (path / "a" / "b").mkdir(parents=True),
    "unlink": lambda path: path.unlink(),
    "rmdir": lambda path: path.rmdir(),
    "rmdir, recursive": lambda path: path.rmdir(recursive=True),
    "rename": lambda path: path.rename("renamed"),
    "replace": lambda path: path.replace("renamed"),
    "move": lambda path: path.move("moved"),
}


@pytest.mark.parametrize("call", [*READS.values(), *WRITES.values()], ids=[*READS, *WRITES])
@pytest.mark.parametrize("text", ["../outside/secret.txt", "d/../../outside/dir", "up/secret.txt"])
def test_two_dots_and_planted_links_lead_nowhere(
    call: Callable[[UPath], object],
    text: str,
    resolver: str,
    top: SafePath,
    documents: Disk,
    scratch: Scratch,
) -> None:
    """``up`` was planted: a link to the directory outside."""
    documents.make_directory("d")
    (scratch.root / "up").symlink_to("../outside")
    path = top / text
    with pytest.raises(EscapeError) as caught:
        call(path)
    assert str(caught.value.filename).startswith(("documents/", text))
    assert not path.exists()
    assert not path.is_file()
    assert not path.is_dir()
    assert not path.is_symlink()


@pytest.mark.parametrize("call", READS.values(), ids=READS)
def test_a_link_planted_beside_the_data_is_not_read(
    call: Callable[[UPath], object], top: SafePath, scratch: Scratch
) -> None:
    (scratch.root / "report.csv").symlink_to("../outside/secret.txt")
    with pytest.raises(EscapeError):
        call(top / "report.csv")


def test_text_names_no_target_on_another_disk(top: SafePath, documents: Disk) -> None:
    documents.put("a", "hello")
    path = top / "a"
    calls: list[Callable[[Any], object]] = [
        path.rename,
        path.replace,
        path.copy,
        path.move,
        path.copy_into,
        path.move_into,
        path.samefile,
    ]
    for call in calls:
        for target in (
            "safefs://music/b",
            "/etc/b",
            "file:///etc/b",
            PurePosixPath("/etc/b"),
            "../b",
            "safefs://documents/../b",
        ):
            with pytest.raises((EscapeError, InvalidPathError)):
                call(target)
    assert documents.all_files() == ["a"]


# -- the words of pathlib ----------------------------------------------------------------------


def test_reading_and_writing(top: SafePath, documents: Disk) -> None:
    path = top / "a.txt"
    assert path.write_text("ä\n", encoding="utf-8") == 2
    assert path.read_text(encoding="utf-8") == "ä\n"
    assert path.read_bytes() == documents.get("a.txt") == b"\xc3\xa4\n"
    assert path.write_bytes(b"hello") == 5
    with path.open("a") as file:
        file.write(", world")
    with path.open() as file:
        assert file.read() == "hello, world"
    with path.open("rb", buffering=0) as raw:
        assert raw.read(5) == b"hello"
    with pytest.raises(FileExistsError):
        path.open("xb")
    with pytest.raises(FileNotFoundError) as caught:
        (top / "none" / "a").write_bytes(b"")
    assert caught.value.filename == "documents/none/a"


def test_a_file_is_replaced_as_a_whole(top: SafePath, documents: Disk) -> None:
    documents.put("a", "old")
    with (top / "a").open("rb") as before:
        (top / "a").write_bytes(b"new")
        assert before.read() == b"old"


def test_looking(top: SafePath, documents: Disk, scratch: Scratch) -> None:
    documents.put("d/a", "hello")
    (scratch.root / "link").symlink_to("d/a")
    (scratch.root / "gone").symlink_to("nowhere")
    path = top / "d" / "a"
    assert path.exists()
    assert path.is_file()
    assert not path.is_dir()
    assert (top / "d").is_dir()
    assert path.stat().st_size == 5
    assert stat.S_ISREG(path.stat().st_mode)
    assert path.stat().st_mtime == pytest.approx((scratch.root / "d/a").stat().st_mtime)
    assert path.lstat().st_size == 5
    assert (top / "link").is_file()
    assert not (top / "link").is_file(follow_symlinks=False)
    assert (top / "link").is_symlink()
    assert stat.S_ISLNK((top / "link").lstat().st_mode)
    assert (top / "link").lstat().st_mtime_ns == os.lstat(scratch.root / "link").st_mtime_ns
    assert (top / "link").samefile(path)
    assert (top / "link").samefile("d/a")
    assert not path.samefile(top / "d")
    assert not path.samefile(UPath("memory://a"))
    assert not (top / "gone").exists()
    assert (top / "gone").exists(follow_symlinks=False)
    assert not (top / "none").exists(follow_symlinks=False)
    assert top.exists()
    assert top.is_dir()
    assert stat.S_ISDIR(top.lstat().st_mode)
    for never in ("is_mount", "is_socket", "is_fifo", "is_block_device", "is_char_device"):
        assert getattr(path, never)() is False


def test_info_says_what_a_link_is(top: SafePath, documents: Disk, scratch: Scratch) -> None:
    documents.make_directory("d")
    (scratch.root / "link").symlink_to("d")
    info = (top / "link").info
    assert info.is_symlink()
    assert info.is_dir()
    assert not info.is_dir(follow_symlinks=False)
    assert not info.is_file()
    assert info.exists(follow_symlinks=False)


def test_a_disk_that_is_not_there(top: SafePath) -> None:
    path = UPath("safefs://none/a")
    assert not path.exists()
    assert not path.parent.is_dir()
    with pytest.raises(FileNotFoundError, match=r"Storage\.register"):
        path.read_bytes()
    with pytest.raises(FileNotFoundError):
        path.mkdir(parents=True)


def test_a_disk_is_not_made_by_its_path(top: SafePath) -> None:
    for options in ({}, {"parents": True, "exist_ok": True}):
        with pytest.raises(PermissionError, match="a disk cannot be made"):
            UPath("safefs://new").mkdir(**options)
    with pytest.raises(FileExistsError):
        top.mkdir()
    top.mkdir(exist_ok=True)


def test_the_top_lists_the_disks(top: SafePath, documents: Disk) -> None:
    documents.put("a/b.csv", "")
    disks = UPath("safefs://")
    assert sorted(disks.iterdir()) == [top, UPath("safefs://music")]
    assert disks.is_dir()
    assert disks.exists()
    assert disks.stat().st_mode & stat.S_IFDIR
    with pytest.raises(IsADirectoryError):
        disks.read_bytes()
    with pytest.raises(IsADirectoryError):
        disks.rmdir(recursive=True)


def test_listing_names_every_entry(top: SafePath, documents: Disk, scratch: Scratch) -> None:
    documents.put("a", "")
    documents.put("ab::file:", "")
    (scratch.root / "out").symlink_to("../outside")
    (scratch.root / os.fsdecode(b"\xff")).touch()
    names = {path.name for path in top.iterdir()}
    assert names == set(os.listdir(scratch.root))
    assert all(path.parent == top for path in top.iterdir())
    assert (top / "ab::file:").read_bytes() == b""
    assert (top / "ab::file:").parent == top
    with pytest.raises(NotADirectoryError):
        list((top / "a").iterdir())


def test_going_through_a_tree(top: SafePath, documents: Disk, scratch: Scratch) -> None:
    for name in ("a.csv", "d/b.csv", "d/e/c.csv", "d/e/x.txt"):
        documents.put(name, "")
    (scratch.root / "d" / "up").symlink_to("..")
    (scratch.root / "d" / "out").symlink_to("../../outside")
    assert {p.path for p in top.glob("*.csv")} == {"documents/a.csv"}
    assert {p.name for p in top.rglob("*.csv")} == {"a.csv", "b.csv", "c.csv"}
    assert {p.name for p in (top / "d").glob("**/*.csv")} == {"b.csv", "c.csv"}
    walked = list(top.walk())
    assert [(str(path), sorted(dirs), sorted(files)) for path, dirs, files in walked] == [
        ("safefs://documents", ["d"], ["a.csv"]),
        ("safefs://documents/d", ["e"], ["b.csv", "out", "up"]),
        ("safefs://documents/d/e", [], ["c.csv", "x.txt"]),
    ]
    assert [path.name for path, _, _ in top.walk(top_down=False)] == ["e", "d", ""]
    met: list[Exception] = []
    assert list((top / "none").walk(on_error=met.append)) == []
    assert isinstance(met[0], FileNotFoundError)
    for pattern in ("/etc/*", "../*", "d/../../*", ""):
        for search in (top.glob, top.rglob):
            with pytest.raises((EscapeError, InvalidPathError)):
                search(pattern)
    with pytest.raises(UnsupportedOperation):
        top.walk(follow_symlinks=True)
    for options in ({"case_sensitive": False}, {"recurse_symlinks": True}):
        with pytest.raises(UnsupportedOperation):
            top.glob("*", **options)


def test_a_path_is_literal_where_it_is_globbed(top: SafePath, documents: Disk) -> None:
    """The attack: a directory called ``*``, whose files would be those of all others."""
    documents.put("*/mine.csv", "")
    documents.put("other/theirs.csv", "")
    assert [path.name for path in (top / "*").glob("*.csv")] == ["mine.csv"]
    assert [path.name for path in (top / "*").rglob("*.csv")] == ["mine.csv"]


def test_making_and_removing(top: SafePath, documents: Disk, scratch: Scratch) -> None:
    path = top / "d" / "e"
    with pytest.raises(FileNotFoundError):
        path.mkdir()
    path.mkdir(parents=True, mode=0o700)
    assert stat.S_IMODE((scratch.root / "d/e").stat().st_mode) == 0o700
    with pytest.raises(FileExistsError):
        path.mkdir()
    path.mkdir(exist_ok=True)
    top.mkdir(exist_ok=True)
    (path / "f").touch()
    with pytest.raises(FileExistsError):
        (path / "f").touch(exist_ok=False)
    (scratch.root / "link").symlink_to("d/e/f")
    (scratch.root / "gone").symlink_to("nowhere")
    for name in ("link", "gone"):
        (top / name).unlink()
    assert (path / "f").exists()
    (path / "f").unlink()
    (path / "f").unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        (path / "f").unlink()
    path.rmdir()
    documents.put("d/a/b", "")
    with pytest.raises(OSError, match="not empty"):
        (top / "d").rmdir()
    (top / "d").rmdir(recursive=True)
    assert documents.all_directories() == []
    calls: list[Callable[[], None]] = [top.rmdir, lambda: top.rmdir(recursive=True), top.unlink]
    for call in calls:
        with pytest.raises(OSError, match=r"."):
            call()
    assert top.exists()


def test_renaming(top: SafePath, documents: Disk) -> None:
    documents.put("a", "hello")
    documents.make_directory("d")
    path = (top / "a").rename("d/b")
    assert path == top / "d/b"
    path = path.rename("safefs://documents/c")
    assert path.replace(top / "e") == top / "e"
    assert documents.all_files() == ["e"]
    with pytest.raises(OSError, match="cross-device"):
        (top / "e").rename(UPath("safefs://music/e"))
    with pytest.raises(ValueError, match="another protocol"):
        (top / "e").rename(UPath("memory://e"))
    with pytest.raises(TypeError, match="recursive"):
        (top / "e").rename("f", recursive=True)
    with pytest.raises(FileNotFoundError) as caught:
        (top / "none").rename(top / "x")
    assert (caught.value.filename, caught.value.filename2) == ("documents/none", "documents/x")


def test_copying_and_moving(top: SafePath, storage: Storage, documents: Disk) -> None:
    music = UPath("safefs://music")
    documents.put("d/a", "hello")
    assert (top / "d" / "a").copy("b") == top / "b"
    assert (top / "d").copy(music / "e") == music / "e"
    assert storage["music"].get("e/a") == b"hello"
    assert (top / "b").copy_into(music) == music / "b"
    assert (music / "b").move_into(top / "d") == top / "d" / "b"
    assert (top / "d").move(top / "moved") == top / "moved"
    assert documents.all_files() == ["b", "moved/a", "moved/b"]
    assert (music / "e").move(top / "e") == top / "e"
    assert storage["music"].all_files() == []
    assert not (music / "e").exists()
    with pytest.raises(IsADirectoryError):
        (top / "b").copy(top / "e")
    with pytest.raises(IsADirectoryError):
        (top / "b").move(top / "e")
    with pytest.raises(OSError, match="onto or into itself"):
        (top / "e").copy(top / "e" / "f")
    with pytest.raises(FileNotFoundError):
        (top / "b").copy_into("none")
    with pytest.raises(NotADirectoryError):
        (top / "b").copy_into("moved/a")
    with pytest.raises(ValueError, match="empty name"):
        top.copy_into(music)
    with pytest.raises(UnsupportedOperation):
        (top / "b").copy("c", follow_symlinks=False)


def test_copying_to_and_from_other_protocols(top: SafePath, documents: Disk) -> None:
    memory = UPath("memory:///safefs-test")
    try:
        documents.put("d/e/a", "hello")
        (top / "d").copy(memory)
        assert (memory / "e" / "a").read_bytes() == b"hello"
        (memory / "e" / "a").copy(top / "back")
        memory.copy("safefs://documents/all")
        assert (documents.get("back"), documents.get("all/e/a")) == (b"hello", b"hello")
        (top / "d" / "e" / "a").move(memory / "moved")
        assert documents.all_files() == ["all/e/a", "back"]
    finally:
        MemoryFileSystem.store.clear()
        MemoryFileSystem.pseudo_dirs[:] = [""]


def test_a_path_of_this_machine_is_a_target_where_it_says_it_is(
    top: SafePath,
    documents: Disk,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A ``Path`` and a ``UPath`` have been made by someone; only text means the disk."""
    here = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(here)
    a = top / "a"
    a.write_text("a")
    targets: list[Any] = [Path("1"), here / "2", UPath("3"), UPath(here / "4")]
    for number, target in enumerate(targets, 1):
        copied = a.copy(target)
        assert (here / str(number)).read_text() == "a"
        assert copied == UPath(target)
    (top / "b").write_text("b")
    (top / "b").move(Path("b"))
    assert (here / "b").read_text() == "b"
    (top / "d").mkdir()
    (top / "d" / "e").write_text("e")
    (top / "d").copy_into(here)
    assert (here / "d" / "e").read_text() == "e"
    assert not a.samefile(here / "2")
    with pytest.raises(ValueError, match="move goes there"):
        a.rename(here / "a")
    assert documents.all_files() == ["a", "d/e"]
    a.copy("out")
    a.copy(PurePosixPath("pure"))
    a.copy((top / "rel").relative_to(top))
    assert [documents.get_text(name) for name in ("out", "pure", "rel")] == ["a"] * 3
    assert not (here / "out").exists()


def test_a_copy_enters_no_link_and_does_not_go_round(
    top: SafePath, documents: Disk, scratch: Scratch
) -> None:
    documents.put("d/a", "hello")
    (scratch.root / "d" / "loop").symlink_to(".")
    (scratch.root / "d" / "up").symlink_to("..")
    (scratch.root / "d" / "link").symlink_to("a")
    (top / "d").copy("copied")
    assert sorted(os.listdir(scratch.root / "copied")) == ["a", "link"]
    assert not (scratch.root / "copied" / "link").is_symlink()
    (scratch.root / "d" / "out").symlink_to("../../outside/secret.txt")
    with pytest.raises(EscapeError):
        (top / "d").copy("again")


def test_resolving_takes_two_dots_out_where_that_is_sure(
    top: SafePath, documents: Disk, scratch: Scratch
) -> None:
    documents.put("d/a", "")
    assert (top / "d" / ".." / "d" / "a").resolve() == top / "d" / "a"
    assert (top / "d").resolve(strict=True) == top / "d"
    with pytest.raises(FileNotFoundError):
        (top / "none").resolve(strict=True)
    (scratch.root / "link").symlink_to("d")
    with pytest.raises(UnsupportedOperation):
        (top / "link" / ".." / "a").resolve()
    with pytest.raises(EscapeError):
        (top / "d" / ".." / ".." / "music").resolve()


def test_what_a_disk_does_not_have_is_said(top: SafePath) -> None:
    path = top / "a"
    for call in (
        lambda: path.symlink_to("b"),
        lambda: path.hardlink_to("b"),
        path.readlink,
        lambda: path.chmod(0o600),
        path.owner,
        path.group,
        SafePath.cwd,
        SafePath.home,
    ):
        with pytest.raises(UnsupportedOperation):
            call()


@pytest.mark.filterwarnings("ignore:Could not find default:UserWarning:upath")
@pytest.mark.parametrize("url", ["simplecache::safefs://{}", "zip://a::safefs://{}"])
def test_a_chain_of_others_over_a_disk_climbs_no_further(
    url: str, top: SafePath, documents: Disk, scratch: Scratch
) -> None:
    with zipfile.ZipFile(scratch.root / "good.zip", "w") as archive:
        archive.writestr("a", "hello")
    documents.copy("good.zip", "d/a.zip")
    good = UPath(url.format("documents/d/a.zip"))
    assert len(good.read_bytes()) > 4
    os.rename(scratch.root / "good.zip", scratch.outside / "a.zip")
    (scratch.root / "up").symlink_to("../outside")
    scratch.remember()
    for path in ("documents/../outside/a.zip", "documents/up/a.zip", "documents//etc/a.zip"):
        with pytest.raises((EscapeError, FileNotFoundError)):
            UPath(url.format(path)).read_bytes()
    if url.startswith("simplecache"):
        with pytest.raises((EscapeError, FileNotFoundError)):
            (good / "../../../outside/a.zip").read_bytes()


def test_the_policy_of_a_disk_holds_here_too(scratch: Scratch) -> None:
    (scratch.root / "a").write_text("hello")
    with (
        Disk(scratch.root, policy=Policy(read_only=True)) as disk,
        Storage("app", disks={"readable": disk}) as storage,
        storage.register("readable"),
    ):
        top = UPath("safefs://readable")
        assert (top / "a").read_bytes() == b"hello"
        for call in WRITES.values():
            with pytest.raises((PolicyError, FileNotFoundError, IsADirectoryError)):
                call(top / "b")
        for name in ("write_bytes", "open", "unlink", "touch", "rename", "move"):
            with pytest.raises(PolicyError):
                WRITES[name](top / "a")


@pytest.mark.parametrize("way", ["copy", "move"])
@pytest.mark.parametrize("local", [False, True])
def test_a_tree_goes_into_no_disk_or_directory_that_lies_within_it(
    way: str, local: bool, tmp_path: Path
) -> None:
    """By their names nothing is within anything; it copied itself into itself without end."""
    inner = tmp_path / "d" / "s" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "d" / "s" / "f").write_text("kept")
    disks: dict[str, Disk | Path] = {"outer": tmp_path / "d", "within": inner}
    with Storage("nested", disks=disks) as storage, storage.register("outer", "within"):
        target = UPath(inner / "q") if local else UPath("safefs://within/q")
        with pytest.raises(OSError) as caught:
            getattr(UPath("safefs://outer/s"), way)(target)
    assert caught.value.errno == errno.EINVAL
    assert list(inner.iterdir()) == []
    assert (tmp_path / "d" / "s" / "f").read_text() == "kept"
