"""safefs:// for fsspec: the words of fsspec, and none of its ambient authority."""

from __future__ import annotations

import errno
import io
import os
import pickle
import subprocess
import sys
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import fsspec
import fsspec.asyn
import fsspec.config
import pandas as pd
import pytest

from safefs import (
    Disk,
    EscapeError,
    InvalidPathError,
    MissingFolderError,
    SameFileError,
    Storage,
)
from safefs.integrations.fsspec import SafeFileSystem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and no word of the real one."""
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    (home / "Documents").mkdir(parents=True)
    (home / "Music").mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def documents(home: Path) -> Path:
    """The folder beneath safefs://documents."""
    return home / "Documents"


@pytest.fixture
def storage() -> Iterator[Storage]:
    with Storage("app") as storage, storage.register("documents", "music"):
        yield storage


@pytest.fixture
def fs(storage: Storage) -> SafeFileSystem:
    return SafeFileSystem()


@pytest.fixture
def outside(tmp_path: Path, documents: Path) -> Path:
    """A file outside, and links to it from inside."""
    (tmp_path / "home" / "secret.csv").write_text("secret\n1\n")
    (documents / "link.csv").symlink_to("../secret.csv")
    (documents / "up").symlink_to("..")
    return tmp_path / "home" / "secret.csv"


@pytest.fixture
def _own_loop() -> Iterator[None]:
    """fsspec's asynchronous file systems start a loop in a thread, and never end it."""
    yield
    (loop,), (thread,) = fsspec.asyn.loop, fsspec.asyn.iothread
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    fsspec.asyn.loop[0] = fsspec.asyn.iothread[0] = None


# -- the ecosystem -----------------------------------------------------------------------------


def test_pandas_reads_and_writes_a_csv(storage: Storage, documents: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    frame.to_csv("safefs://documents/table.csv", index=False)
    assert (documents / "table.csv").read_text() == "a,b\n1,x\n2,y\n"
    assert pd.read_csv("safefs://documents/table.csv").equals(frame)


def test_pandas_meets_a_link_planted_beside_a_csv(
    storage: Storage, documents: Path, outside: Path
) -> None:
    """The attack: an upload brings ``report.csv`` as a link to another user's file."""
    (documents / "report.csv").symlink_to("../secret.csv")
    with pytest.raises(EscapeError):
        pd.read_csv("safefs://documents/report.csv")
    with pytest.raises(EscapeError):
        pd.DataFrame({"a": [1]}).to_csv("safefs://documents/report.csv")
    assert outside.read_text() == "secret\n1\n"


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # pyarrow leaves them
def test_one_disk_serves_those_that_take_a_file_system(documents: Path, outside: Path) -> None:
    pytest.importorskip("pyarrow")
    dataset = pytest.importorskip("pyarrow.dataset")
    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "x"]})
    with Disk(documents) as disk:
        with disk.fs.transaction:
            frame.to_parquet("/a.parquet", filesystem=disk.fs)
            assert not disk.exists("a.parquet")
        assert pd.read_parquet("/a.parquet", filesystem=disk.fs).equals(frame)
        dataset.write_dataset(
            dataset.dataset("/a.parquet", filesystem=disk.fs).to_table(),
            "/parts",
            filesystem=disk.fs,
            format="parquet",
            partitioning=["b"],
        )
        assert disk.all_files("parts") == ["parts/x/part-0.parquet", "parts/y/part-0.parquet"]
        (documents.parent / "secret.parquet").write_bytes((documents / "a.parquet").read_bytes())
        (documents / "link.parquet").symlink_to("../secret.parquet")
        with pytest.raises(EscapeError):
            pd.read_parquet("/link.parquet", filesystem=disk.fs)
        with pytest.raises(EscapeError):
            dataset.dataset("/link.parquet", filesystem=disk.fs).to_table()


def test_fsspec_knows_the_protocol_by_its_entry_point(storage: Storage) -> None:
    with fsspec.open("safefs://documents/a.txt", "w") as file:
        file.write("hello")
    assert isinstance(fsspec.filesystem("safefs"), SafeFileSystem)
    assert storage["documents"].get("a.txt") == b"hello"


@pytest.mark.usefixtures("_own_loop")
def test_a_directory_of_a_disk_serves_as_a_file_system(fs: SafeFileSystem, outside: Path) -> None:
    sub = fsspec.filesystem("dir", path="documents/sub", fs=fs)
    sub.pipe("a/b.txt", b"hello")
    assert fs.cat("documents/sub/a/b.txt") == b"hello"
    assert sub.find("") == ["a/b.txt"]
    with pytest.raises(EscapeError):
        sub.cat("../../secret.csv")


def test_a_mapper_keeps_values_by_key(fs: SafeFileSystem) -> None:
    mapper = fsspec.get_mapper("safefs://documents/store")
    mapper["a/b"] = b"hello"
    assert dict(mapper) == {"a/b": b"hello"}
    del mapper["a/b"]
    assert list(mapper) == []


# -- what it takes and what it does not --------------------------------------------------------


def test_fsspec_s_own_keywords_change_nothing(storage: Storage) -> None:
    fs = SafeFileSystem(
        use_listings_cache=True,
        listings_expiry_time=3600,
        max_paths=10,
        skip_instance_cache=False,
        asynchronous=True,
        loop=None,
        batch_size=4,
    )
    assert fs == SafeFileSystem()
    fs.ls("documents")
    fs.pipe("documents/a", b"")
    assert fs.ls("documents", detail=False) == ["documents/a"]


@pytest.mark.parametrize("options", [{"root": "/"}, {"policy": None}, {"auto_mkdir": True}])
def test_any_other_keyword_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"takes no {next(iter(options))}"):
        fsspec.filesystem("safefs", **options)


def test_a_root_cannot_be_given() -> None:
    with pytest.raises(TypeError):
        SafeFileSystem("/")  # type: ignore[call-arg]


def test_the_environment_cannot_widen_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """fsspec fills in what the caller left out from FSSPEC_SAFEFS_* and from files."""
    monkeypatch.setenv("FSSPEC_SAFEFS_ROOT", "/")
    found: dict[str, Any] = {}
    fsspec.config.set_conf_env(found)
    monkeypatch.setitem(fsspec.config.conf, "safefs", found["safefs"])
    with pytest.raises(TypeError, match="takes no root"):
        fsspec.filesystem("safefs")


def test_instances_are_all_alike_and_hold_nothing(fs: SafeFileSystem, documents: Path) -> None:
    """fsspec shares an instance by how its arguments print: ours have nothing to be told apart by,
    and sharing them is what brings those who open by URL into a transaction.
    """
    assert SafeFileSystem() is fsspec.filesystem("safefs")
    assert SafeFileSystem(loop=1) == SafeFileSystem(loop=object())
    assert hash(SafeFileSystem()) == hash(SafeFileSystem(max_paths=3))
    assert SafeFileSystem() != fsspec.filesystem("memory")
    assert SafeFileSystem().fsid == "safefs"
    held = vars(SafeFileSystem())
    assert not [value for value in held.values() if isinstance(value, Disk | Storage)]


def test_a_pickle_carries_nothing_and_fails_closed_where_nothing_is_registered(
    fs: SafeFileSystem,
) -> None:
    fs.pipe("documents/a", b"hello")
    sent = pickle.dumps(SafeFileSystem(loop=object()))
    assert b"Documents" not in sent
    assert pickle.loads(sent).cat("documents/a") == b"hello"
    code = "import pickle, sys; pickle.load(sys.stdin.buffer).cat('documents/a')"
    other = subprocess.run(
        [sys.executable, "-c", code], input=sent, capture_output=True, timeout=60
    )
    assert other.returncode == 1
    assert b"no disk is named 'documents'" in other.stderr


def test_what_is_unregistered_is_gone_for_instances_that_are_there(storage: Storage) -> None:
    fs = SafeFileSystem()
    with storage.register("cache"):
        fs.pipe("cache/a", b"hello")
        assert fs.exists("cache/a")
    assert not fs.exists("cache/a")
    with pytest.raises(FileNotFoundError, match=r"Storage\.register"):
        fs.cat("cache/a")


def test_importing_safefs_and_registering_does_not_import_fsspec(home: Path) -> None:
    code = (
        "import sys; from safefs import Storage\n"
        "with Storage('app') as s, s.register(): assert 'fsspec' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# -- paths -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "documents/{outside}",
        "safefs://documents/{outside}",
        "{outside}",
        "safefs://{outside}",
        "documents/../secret.csv",
        "documents/link.csv",
        "documents/up/secret.csv",
        "file://{outside}",
        "safefs://file://{outside}",
        "documents/a\0b",
    ],
)
def test_a_path_that_is_not_on_a_disk_is_refused(
    path: str, fs: SafeFileSystem, outside: Path
) -> None:
    path = path.replace("{outside}", str(outside))
    calls: list[Callable[[], object]] = [
        lambda: fs.cat_file(path),
        lambda: fs.info(path),
        lambda: fs.ls(path),
        lambda: fs.open(path),
        lambda: fs.open(path, "wb"),
        lambda: fs.makedirs(path),
    ]
    for call in calls:
        with pytest.raises((EscapeError, InvalidPathError)):
            call()
    assert not fs.exists(path)
    assert not fs.isfile(path)
    assert not fs.isdir(path)
    assert outside.read_text() == "secret\n1\n"


def test_two_slashes_behind_a_disk_are_no_name_for_it(fs: SafeFileSystem) -> None:
    for path in ("documents//", "safefs://documents//", "documents///"):
        with pytest.raises(EscapeError):
            fs.info(path)
        assert not fs.isdir(path)
    assert fs.isdir("documents/")


def test_two_slashes_before_a_path_of_one_disk_are_no_name_for_it(storage: Storage) -> None:
    """Its top is ``/``, so one slash is no more than that; a second one makes the path absolute."""
    fs = storage.disk("documents").fs
    fs.pipe("/a.csv", b"kept")
    for path in ("//a.csv", "//", "///a.csv"):
        for act in (fs.cat, fs.info, fs.ls, fs.rm, lambda path: fs.pipe(path, b"lost")):
            with pytest.raises(EscapeError):
                act(path)
    assert fs.cat("/a.csv") == b"kept"


@pytest.mark.parametrize("path", ["documents/%2e%2e/secret.csv", "documents/~", "documents/$HOME"])
def test_nothing_is_decoded_or_expanded(path: str, fs: SafeFileSystem, outside: Path) -> None:
    assert not fs.exists(path)
    with pytest.raises(FileNotFoundError):
        fs.cat_file(path)


def test_a_path_is_text(fs: SafeFileSystem, storage: Storage) -> None:
    with pytest.raises(TypeError, match="its url"):
        fs.ls(storage["documents"] / "a")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not bytes"):
        fs.ls(b"documents")  # type: ignore[arg-type]
    fs.pipe((storage["documents"] / "a").url, b"hello")
    assert storage["documents"].exists("a")


# -- looking -----------------------------------------------------------------------------------


def test_the_top_lists_the_disks_and_opens_none(fs: SafeFileSystem, home: Path) -> None:
    (home / "Music").rmdir()
    for top in ("", "/", "safefs://", "safefs:///"):
        assert fs.ls(top, detail=False) == ["documents", "music"]
        assert fs.isdir(top)
        assert fs.lexists(top)
        assert fs.info(top)["type"] == "directory"
    assert [info["type"] for info in fs.ls("")] == ["directory"] * 2
    with pytest.raises(IsADirectoryError):
        fs.open("", "rb")


def test_info_and_ls_say_the_same(fs: SafeFileSystem) -> None:
    fs.pipe({"documents/a/b.txt": b"hello", "documents/c": b""})
    fs.mkdir("documents/a/d")
    assert [fs.info(name) for name in ("documents/a/d", "documents/a/b.txt")] == fs.ls(
        "safefs://documents/a/"
    )
    info = fs.info("documents/a/b.txt")
    assert info["name"] == "documents/a/b.txt"
    assert info["size"] == 5
    assert info["type"] == "file"
    assert info["islink"] is False
    assert fs.modified("documents/c").utcoffset() is not None
    assert fs.ls("documents/c", detail=False) == ["documents/c"]
    assert fs.info("documents")["type"] == "directory"
    assert fs.unstrip_protocol("documents/c") == "safefs://documents/c"


def test_a_link_inside_counts_as_what_it_leads_to(
    fs: SafeFileSystem, documents: Path, outside: Path
) -> None:
    (documents / "a").mkdir()
    (documents / "a" / "f").write_text("hello")
    (documents / "file").symlink_to("a/f")
    (documents / "dir").symlink_to("a")
    (documents / "loop").symlink_to("loop")
    (documents / "gone").symlink_to("nowhere")
    found = {info["name"]: (info["type"], info["islink"]) for info in fs.ls("documents")}
    assert found == {
        "documents/a": ("directory", False),
        "documents/dir": ("directory", True),
        "documents/file": ("file", True),
    }
    assert fs.ls("documents/file") == [fs.info("documents/file")]
    assert fs.lexists("documents/gone")
    assert not fs.exists("documents/gone")
    assert not fs.exists("documents/loop")


def test_walk_and_find_enter_no_link(fs: SafeFileSystem, documents: Path, outside: Path) -> None:
    (documents / "a").mkdir()
    (documents / "a" / "f").write_text("hello")
    (documents / "a" / "parent").symlink_to("..")
    (documents / "a" / "self").symlink_to(".")
    assert list(fs.walk("documents")) == [
        ("documents", ["a"], []),
        ("documents/a", ["parent", "self"], ["f"]),
    ]
    assert fs.find("documents") == ["documents/a/f"]
    assert fs.du("documents") == 5
    assert "documents/a" in fs.find("documents", withdirs=True)


def test_walk_as_fsspec_has_it(fs: SafeFileSystem) -> None:
    fs.pipe({"documents/a/b/c": b"", "documents/d/e": b"", "documents/f": b""})
    down = list(fs.walk("documents"))
    assert [path for path, _, _ in down] == [
        "documents",
        "documents/a",
        "documents/a/b",
        "documents/d",
    ]
    up = [path for path, _, _ in fs.walk("documents", topdown=False)]
    assert up.index("documents/a/b") < up.index("documents/a") < up.index("documents")
    assert list(fs.walk("documents", maxdepth=1)) == [("documents", ["a", "d"], ["f"])]
    for _, dirs, _ in (step := fs.walk("documents")):
        dirs[:] = [name for name in dirs if name != "a"]
        assert "documents/a" not in [path for path, _, _ in step]
    ((_, dirs, files), *_) = fs.walk("documents", detail=True)
    assert dirs["a"]["type"] == "directory"
    assert files["f"]["name"] == "documents/f"
    assert fs.find("documents/f") == ["documents/f"]
    assert list(fs.walk("documents/none")) == []
    with pytest.raises(FileNotFoundError):
        list(fs.walk("documents/none", on_error="raise"))
    met: list[OSError] = []
    assert list(fs.walk("documents/none", on_error=met.append)) == []
    assert isinstance(met[0], FileNotFoundError)
    with pytest.raises(ValueError, match="maxdepth"):
        list(fs.walk("documents", maxdepth=0))


def test_walking_from_the_top_passes_over_a_disk_that_cannot_be_opened(
    fs: SafeFileSystem, home: Path
) -> None:
    (home / "Music").rmdir()
    fs.pipe("documents/a", b"")
    assert fs.find("") == ["documents/a"]


def test_glob(fs: SafeFileSystem) -> None:
    fs.pipe({"documents/a.csv": b"", "documents/b/c.csv": b"", "documents/d.txt": b""})
    assert fs.glob("documents/*.csv") == ["documents/a.csv"]
    assert fs.glob("safefs://documents/**/*.csv") == ["documents/a.csv", "documents/b/c.csv"]


def test_a_path_like_is_one_path_to_every_method(fs: SafeFileSystem, tmp_path: Path) -> None:
    paths: list[Any] = [PurePosixPath("documents") / name for name in "abc"]
    a, b, c = paths
    fs.pipe(a, b"one")
    assert fs.cat(a) == fs.cat_file(a) == fs.head(a) == b"one"
    assert fs.cat([a]) == {"documents/a": b"one"}
    fs.copy(a, b)
    fs.mv(b, c)
    fs.get(c, tmp_path / "c")
    fs.put(tmp_path / "c", b)
    assert fs.cat(b) == b"one"
    assert fs.find(a.parent) == fs.glob(a.parent / "*") == [str(a), str(b), str(c)]
    assert [fs.exists(a), fs.isfile(a), fs.size(a)] == [True, True, 3]
    fs.rm(a)
    fs.rm([b, c])
    fs.mkdir(a)
    fs.rmdir(a)
    assert fs.ls(a.parent) == []


def test_pipe_takes_bytes_and_no_text(fs: SafeFileSystem) -> None:
    calls: list[Callable[..., object]] = [fs.pipe_file, fs.pipe, fs.write_bytes]
    for call in calls:
        with pytest.raises(TypeError, match="bytes-like"):
            call("documents/q", "ä")
    with pytest.raises(TypeError, match="bytes-like"):
        fs.pipe({"documents/q": "ä"})
    assert not fs.exists("documents/q")
    fs.pipe({"documents/q": memoryview(b"q")})
    assert fs.cat("documents/q") == b"q"


def test_a_path_that_holds_nul_is_named_as_it_was_given(fs: SafeFileSystem) -> None:
    with pytest.raises(InvalidPathError) as caught:
        fs.cat("documents/a\0")
    assert caught.value.path == "documents/a\0"


# -- reading and writing -----------------------------------------------------------------------


def test_each_mode_of_open(fs: SafeFileSystem) -> None:
    with fs.open("documents/a", "xb") as file:
        file.write(b"one")
    with fs.open("documents/a", "ab") as file:
        file.write(b"two")
    with fs.open("documents/a", "r+b") as file:
        file.write(b"ONE")
    with fs.open("documents/a", "rb") as file:
        assert file.read() == b"ONEtwo"
    with fs.open("documents/a", "w", encoding="utf-8", newline="") as file:
        file.write("ä\r\n")
    assert fs.read_text("documents/a", encoding="utf-8", newline="") == "ä\r\n"
    with pytest.raises(FileExistsError):
        fs.open("documents/a", "xb")
    with pytest.raises(IsADirectoryError):
        fs.open("documents", "rb")
    with fsspec.open("safefs://documents/a.gz", "wb", compression="infer") as file:
        file.write(b"hello")
    assert fs.cat("documents/a.gz")[:2] == b"\x1f\x8b"


@pytest.mark.parametrize("start", [None, 0, 2, 9, -2, -9])
@pytest.mark.parametrize("end", [None, 0, 3, 9, -1, -9])
def test_cat_file_slices_as_bytes_do(
    fs: SafeFileSystem, start: int | None, end: int | None
) -> None:
    fs.pipe("documents/a", b"hello")
    assert fs.cat_file("documents/a", start, end) == b"hello"[start:end]


def test_parts_of_files(fs: SafeFileSystem) -> None:
    fs.pipe("documents/a", b"one\ntwo\nthree\n")
    assert fs.read_block("documents/a", 4, 4) == b"two\n"
    assert fs.read_block("documents/a", 1, 4, b"\n") == b"two\n"
    assert fs.read_block("documents/a", 8, None) == b"three\n"
    assert fs.read_block("documents/a", 99, 5) == b""
    assert fs.head("documents/a", 3) == b"one"
    assert fs.tail("documents/a", 6) == b"three\n"
    assert fs.cat_ranges(["documents/a"], [0], [3]) == [b"one"]


def test_pipe_file(fs: SafeFileSystem, documents: Path) -> None:
    fs.pipe_file("documents/new/a", b"one")
    fs.pipe_file("documents/new/a", b"two")
    with pytest.raises(FileExistsError):
        fs.pipe_file("documents/new/a", b"three", mode="create")
    fs.pipe_file("documents/newer/b", b"four", mode="create")
    assert fs.cat(["documents/new/a", "documents/newer/b"]) == {
        "documents/new/a": b"two",
        "documents/newer/b": b"four",
    }


def test_touch(fs: SafeFileSystem, documents: Path) -> None:
    fs.pipe("documents/a", b"hello")
    os.utime(documents / "a", (1, 1))
    fs.touch("documents/a", truncate=False)
    assert fs.cat("documents/a") == b"hello"
    assert fs.info("documents/a")["mtime"] > 1
    fs.touch("documents/a")
    fs.touch("documents/b")
    assert fs.sizes(["documents/a", "documents/b"]) == [0, 0]


def test_put_and_get(fs: SafeFileSystem, tmp_path: Path) -> None:
    (tmp_path / "local" / "sub").mkdir(parents=True)
    (tmp_path / "local" / "a").write_text("one")
    (tmp_path / "local" / "sub" / "b").write_text("two")
    fs.put(str(tmp_path / "local"), "documents/there", recursive=True)
    assert fs.find("documents") == ["documents/there/a", "documents/there/sub/b"]
    fs.get("documents/there", str(tmp_path / "back"), recursive=True)
    assert (tmp_path / "back" / "sub" / "b").read_text() == "two"
    buffer = io.BytesIO()
    fs.get_file("documents/there/a", buffer)
    assert buffer.getvalue() == b"one"


def test_put_file_creates_only_where_there_is_nothing(fs: SafeFileSystem, tmp_path: Path) -> None:
    (tmp_path / "local").write_text("new")
    fs.put_file(str(tmp_path / "local"), "documents/sub/a", mode="create")
    fs.pipe("documents/b", b"old")
    for source in (str(tmp_path / "local"), "safefs://documents/sub/a"):
        with pytest.raises(FileExistsError):
            fs.put_file(source, "documents/b", mode="create")
        fs.put_file(source, f"documents/{len(source)}", mode="create")
        assert fs.cat(f"documents/{len(source)}") == b"new"
    assert fs.cat("documents/b") == b"old"
    assert fs.cat("documents/sub/a") == b"new"


READS: dict[str, Callable[[SafeFileSystem, str], object]] = {
    "info": lambda fs, path: fs.info(path),
    "ls": lambda fs, path: fs.ls(path),
    "walk": lambda fs, path: list(fs.walk(path, on_error="raise")),
    "open": lambda fs, path: fs.open(path),
    "cat_file": lambda fs, path: fs.cat_file(path),
    "cat_file, a slice": lambda fs, path: fs.cat_file(path, 1, 2),
    "read_block": lambda fs, path: fs.read_block(path, 0, 1),
    "mkdir": lambda fs, path: fs.mkdir(f"{path}/sub", create_parents=False),
    "rmdir": lambda fs, path: fs.rmdir(path),
    "rm_file": lambda fs, path: fs.rm_file(path),
    "rm": lambda fs, path: fs.rm(path, recursive=True),
}


@pytest.mark.parametrize("call", READS.values(), ids=READS)
def test_an_error_names_the_path_as_it_is_known_here(
    call: Callable[[SafeFileSystem, str], object], storage: Storage
) -> None:
    with storage.register("documents", prefix="my-"), pytest.raises(FileNotFoundError) as caught:
        call(SafeFileSystem(), "safefs://my-documents/none.csv")
    assert caught.value.filename in ("my-documents/none.csv", "my-documents/none.csv/sub")


@pytest.mark.parametrize("path", ["documents/link.csv", "documents/../x", "documents//etc/passwd"])
def test_a_refusal_names_the_path_as_it_is_known_here(
    path: str, fs: SafeFileSystem, outside: Path
) -> None:
    calls: list[Callable[[], object]] = [
        lambda: fs.cat_file(path),
        lambda: fs.open(path, "wb"),
        lambda: fs.ls(path),
        lambda: fs.mkdir(f"{path}/a"),
    ]
    for call in calls:
        with pytest.raises(EscapeError) as caught:
            call()
        assert caught.value.filename.startswith(path)
        assert pickle.loads(pickle.dumps(caught.value)).filename == caught.value.filename


def test_an_error_of_two_names_both(fs: SafeFileSystem) -> None:
    fs.pipe("documents/a", b"hello")
    calls: list[tuple[Callable[[], object], str, str]] = [
        (lambda: fs.cp_file("documents/none", "music/b"), "documents/none", "music/b"),
        (lambda: fs.mv("documents/none", "music/b"), "documents/none", "music/b"),
        (lambda: fs.mv("documents/a", "documents/a/b"), "documents/a", "documents/a/b"),
        (lambda: fs.cp_file("documents/a", "documents/a"), "documents/a", "documents/a"),
    ]
    for call, one, other in calls:
        with pytest.raises(OSError) as caught:
            call()
        assert (caught.value.filename, caught.value.filename2) == (one, other)


def test_an_error_of_a_disk_itself_names_the_disk(fs: SafeFileSystem, home: Path) -> None:
    with pytest.raises(IsADirectoryError) as caught:
        fs.open("documents", "rb")
    assert caught.value.filename == "documents"
    (home / "Music").rmdir()
    with pytest.raises(MissingFolderError) as missing:
        fs.ls("music")
    assert missing.value.filename == str(home / "Music")


def test_a_file_object_writes_in_place(fs: SafeFileSystem, documents: Path) -> None:
    fs.pipe("documents/a", b"hello")
    with fs.open("documents/a", "wb") as file:
        assert (documents / "a").read_bytes() == b""
        file.write(b"new")
        file.flush()
        assert (documents / "a").read_bytes() == b"new"


# -- directories, removing, copying, moving ----------------------------------------------------


def test_directories(fs: SafeFileSystem) -> None:
    fs.mkdir("documents/a/b")
    with pytest.raises(FileExistsError):
        fs.mkdir("documents/a")
    with pytest.raises(FileNotFoundError):
        fs.mkdir("documents/c/d", create_parents=False)
    fs.makedirs("documents/a", exist_ok=True)
    fs.makedirs("documents/c/d/e", exist_ok=True)
    with pytest.raises(FileExistsError):
        fs.makedirs("documents/a")
    fs.rmdir("documents/a/b")
    with pytest.raises(OSError, match="not empty"):
        fs.rmdir("documents/c")


def test_disks_themselves_stay_as_they_are(fs: SafeFileSystem, documents: Path) -> None:
    fs.pipe("documents/a", b"hello")
    refused: list[Callable[[], object]] = [
        lambda: fs.rm("documents"),
        lambda: fs.rm("safefs://documents/", recursive=True),
        lambda: fs.rm("*", recursive=True),
        lambda: fs.rm("", recursive=True),
        lambda: fs.rm(["documents/a", "documents"], recursive=True),
        lambda: fs.rm_file("documents"),
        lambda: fs.rmdir("music"),
        lambda: fs.rmdir(""),
        lambda: fs.mv("documents", "music/documents", recursive=True),
        lambda: fs.mv("*", "music", recursive=True),
        lambda: fs.mv("documents/a", "other"),
        lambda: fs.mkdir("other"),
        lambda: fs.mkdir("other/sub"),
        lambda: fs.makedirs("other", exist_ok=True),
        lambda: fs.mkdir(""),
        lambda: fs.cp_file("documents/a", "other"),
    ]
    for number, call in enumerate(refused):
        with pytest.raises(PermissionError):
            call()
        assert fs.cat("documents/a") == b"hello", number
    with pytest.raises(FileExistsError):
        fs.mkdir("documents")
    with pytest.raises(FileExistsError):
        fs.makedirs("documents")
    fs.makedirs("documents", exist_ok=True)


def test_a_name_that_is_there_is_no_pattern(fs: SafeFileSystem) -> None:
    fs.pipe({"documents/x*": b"star", "documents/xy": b"y", "documents/xz": b"z"})
    assert fs.cat("documents/x*") == b"star"
    fs.copy("documents/x*", "documents/copied")
    assert fs.cat("documents/copied") == b"star"
    fs.mv("documents/x*", "documents/moved")
    assert fs.cat("documents/moved") == b"star"
    fs.mv("documents/moved", "documents/x*")
    fs.rm("documents/x*")
    assert fs.ls("documents", detail=False) == ["documents/copied", "documents/xy", "documents/xz"]
    fs.rm("documents/x*")
    assert fs.ls("documents", detail=False) == ["documents/copied"]
    with pytest.raises(FileNotFoundError):
        fs.rm("documents/x*")


def test_rm(fs: SafeFileSystem, documents: Path, outside: Path) -> None:
    fs.pipe({"documents/a/b": b"", "documents/a/c/d": b"", "documents/e": b""})
    with pytest.raises(IsADirectoryError):
        fs.rm("documents/a")
    with pytest.raises(FileNotFoundError):
        fs.rm("documents/none")
    fs.rm(["documents/up", "documents/link.csv"], recursive=True)  # links go, not what they mean
    assert outside.exists()
    with pytest.raises(OSError, match="not empty"):
        fs.rm("documents/a", recursive=True, maxdepth=1)
    assert fs.isfile("documents/a/c/d")
    fs.rm("documents/a", recursive=True, maxdepth=2)
    assert not fs.exists("documents/a")
    fs.pipe("documents/a/c/d", b"")
    fs.rm("documents/a", recursive=True)
    assert fs.ls("documents", detail=False) == ["documents/e"]


@pytest.mark.parametrize("maxdepth", [None, 1, 3])
@pytest.mark.parametrize("path", ["documents/a/..", "documents/a/c/../..", "documents/a/."])
def test_nothing_is_removed_by_a_name_of_dots(
    path: str, maxdepth: int | None, fs: SafeFileSystem
) -> None:
    """Another name for the disk itself, of which a clean-up to a depth would take what it holds."""
    fs.pipe({"documents/a/b": b"", "documents/a/c/d": b""})
    with pytest.raises(OSError, match="Invalid argument"):
        fs.rm(path, recursive=True, maxdepth=maxdepth)
    with pytest.raises(OSError, match="Invalid argument"):
        fs.rm(["documents/a/b", path], recursive=True, maxdepth=maxdepth)
    for call in (fs.rm_file, fs.rmdir, lambda name: fs.mv(name, "music/x")):
        with pytest.raises(OSError, match="Invalid argument"):
            call(path)
    with pytest.raises(EscapeError):
        fs.rm("documents/..", recursive=True, maxdepth=maxdepth)
    assert fs.find("") == ["documents/a/b", "documents/a/c/d"]


def test_rm_of_a_tree_goes_through_no_link(
    fs: SafeFileSystem, documents: Path, outside: Path
) -> None:
    (documents / "a").mkdir()
    (documents / "a" / "up").symlink_to("../..")
    fs.rm("documents/a", recursive=True)
    assert outside.exists()


def test_copy_within_and_between_disks(fs: SafeFileSystem) -> None:
    fs.pipe({"documents/a/b": b"hello", "documents/a/c/d": b"hello"})
    fs.cp_file("documents/a/b", "music/new/b")
    fs.copy("documents/a", "music/all", recursive=True)
    fs.copy("documents/a/*", "music/some/")
    assert fs.find("music") == ["music/all/b", "music/all/c/d", "music/new/b", "music/some/b"]
    assert fs.find("documents") == ["documents/a/b", "documents/a/c/d"]


def test_move_within_and_between_disks(fs: SafeFileSystem) -> None:
    fs.pipe({"documents/a/b": b"hello", "documents/c": b"hello", "documents/d": b""})
    fs.mv("documents/a", "documents/z", recursive=True)
    fs.mv("documents/c", "music")
    fs.mv(["documents/d"], ["documents/e"])
    fs.mv("documents/e", "documents/e")
    fs.mv("documents/e*", "documents/z")
    fs.rename("documents/z/b", "documents/z/renamed")
    assert fs.find("") == ["documents/z/e", "documents/z/renamed", "music/c"]


def test_an_unknown_disk_is_not_there(fs: SafeFileSystem) -> None:
    assert not fs.exists("other")
    assert not fs.lexists("other/a")
    for call in (fs.ls, fs.info, fs.cat_file, fs.rm):
        with pytest.raises(FileNotFoundError):
            call("other/a")


@pytest.mark.parametrize(
    ("path", "maxdepth", "left"),
    [
        ("documents/scratch/*", 1, ["keep/precious", "scratch/sub/g"]),
        ("documents/scratch/*", 2, ["keep/precious"]),
        ("documents/scratch/link", 1, ["keep/precious", "scratch/f", "scratch/sub/g"]),
        ("documents/scratch/link", 5, ["keep/precious", "scratch/f", "scratch/sub/g"]),
        ("documents/scratch", 3, ["keep/precious"]),
    ],
)
def test_removing_to_a_depth_enters_no_link(
    path: str, maxdepth: int, left: list[str], fs: SafeFileSystem, storage: Storage, documents: Path
) -> None:
    """Whoever plants a link in a scratch folder must not choose what a clean-up job deletes."""
    disk = storage["documents"]
    for name in ("keep/precious", "scratch/f", "scratch/sub/g"):
        disk.put(name, "x")
    (documents / "scratch" / "link").symlink_to("../keep")
    try:
        fs.rm(path, recursive=True, maxdepth=maxdepth)
    except OSError:  # a directory deeper than maxdepth is not empty
        assert maxdepth == 1
    assert set(left) <= set(disk.all_files()) <= {*left, "scratch/f"}
    assert not (documents / "scratch" / "link").is_symlink() or maxdepth == 1


def test_a_path_has_the_url_that_its_disk_is_registered_by(documents: Path, home: Path) -> None:
    """The read-only view of a disk must not hand out the URL of the disk that can be written."""
    inner = Disk(documents, name="docs")
    with inner, Storage("q", disks={"docs": inner, "public": inner.read_only()}) as storage:
        public = storage["public"] / "p"
        assert public.url == "safefs://docs/p"
        with storage.register("docs"), pytest.raises(ValueError, match="another disk"):
            _ = public.url
        with storage.register("docs", "public"):
            assert public.url == "safefs://public/p"
            assert (inner / "p").url == "safefs://docs/p"
        with storage.register("docs", prefix="q-"):
            assert (storage["docs"] / "p").url == "safefs://q-docs/p"


def test_a_name_that_fsspec_would_read_as_a_chain_names_no_disk(documents: Path) -> None:
    with pytest.raises(ValueError, match="URL"):
        Disk(documents, name="x::file:")


def test_a_refused_get_makes_nothing_on_the_other_side(
    fs: SafeFileSystem, outside: Path, tmp_path: Path
) -> None:
    for path in ("documents/link.csv", "documents/../secret.csv", "documents/none"):
        with pytest.raises(OSError):
            fs.get_file(path, str(tmp_path / "made" / "by" / "x"))
    assert not (tmp_path / "made").exists()


def test_a_file_that_is_got_onto_itself_is_refused_and_keeps_its_content(
    fs: SafeFileSystem, documents: Path
) -> None:
    (documents / "a").write_bytes(b"kept")
    (documents / "same").hardlink_to(documents / "a")
    for target in ("a", "same"):
        for get in (fs.get, fs.get_file):
            with pytest.raises(SameFileError):
                get("documents/a", str(documents / target))
            assert (documents / "a").read_bytes() == b"kept"


@pytest.mark.parametrize("target", ["inner/new", "inner/a/b", "inner/sub/new"])
def test_a_directory_is_not_moved_into_a_disk_that_lies_in_it(tmp_path: Path, target: str) -> None:
    inner = tmp_path / "outer" / "tree" / "inner"
    (inner / "sub").mkdir(parents=True)
    (inner / "file").write_bytes(b"kept")
    with (
        Disk(tmp_path / "outer") as outer,
        Disk(inner) as disk,
        Storage("app", disks={"outer": outer, "inner": disk}) as storage,
        storage.register("outer", "inner"),
        pytest.raises(OSError, match="Invalid argument") as caught,
    ):
        SafeFileSystem().mv("outer/tree", target)
    assert caught.value.errno == errno.EINVAL
    assert sorted(os.listdir(inner)) == ["file", "sub"]
    assert os.listdir(inner / "sub") == []
