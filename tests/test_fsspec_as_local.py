"""What fsspec tests of its local file system, of all that can be pointed at another one.

Each test runs on ``LocalFileSystem`` itself, on ``safefs://`` and on ``Disk.fs``, over a tree of
its own: what holds for one holds for all. What differs, and why, is at the end and in
docs/fsspec.md.
"""

from __future__ import annotations

import gzip
import os
import pickle
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import fsspec
import pytest
from fsspec.compression import compr
from fsspec.core import OpenFile, get_fs_token_paths, open_files
from fsspec.implementations.local import LocalFileSystem

from safefs import Disk, Storage
from safefs.integrations.fsspec import SafeFileSystem

if TYPE_CHECKING:
    from collections.abc import Iterator


class Subject(NamedTuple):
    """A file system, what its paths begin with, what its URLs begin with, and the real tree."""

    fs: Any
    top: str
    url: str
    real: Path

    def __call__(self, path: str) -> str:
        return f"{self.top}/{path}"

    def bare(self, found: Any) -> Any:
        """Names without what they begin with, however deep in lists and dicts."""
        if isinstance(found, str):
            assert found == self.top or found.startswith(f"{self.top}/"), found
            return found[len(self.top) :]
        if isinstance(found, dict):
            return {self.bare(name): value for name, value in found.items()}
        return [self.bare(name) for name in found]


def made(kind: str, real: Path) -> Iterator[Subject]:
    real.mkdir()
    if kind == "local":
        yield Subject(LocalFileSystem(auto_mkdir=True), str(real), f"file://{real}", real)
        return
    with (
        Disk(real, name="d") as disk,
        Storage("app", disks={"d": disk}) as storage,
        storage.register("d"),
    ):
        if kind == "safefs":
            yield Subject(SafeFileSystem(), "d", "safefs://d", real)
        else:
            yield Subject(disk.fs, "", "safefs-disk://", real)


@pytest.fixture(params=["local", "safefs", "disk"])
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    yield from made(request.param, tmp_path / "tree")


@pytest.fixture(params=["local", "safefs"])
def by_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """Those that have a URL."""
    yield from made(request.param, tmp_path / "tree")


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Subject, Subject]]:
    """The local file system and ours over trees that are alike."""
    (local,) = made("local", tmp_path / "one")
    maker = made("safefs", tmp_path / "other")
    ours = next(maker)
    for each in (local, ours):
        fill(each.real)
    yield local, ours
    list(maker)


NAMES = [
    "a.csv", "b.csv", ".hidden", "x[1].txt", "sub/a.csv", "sub/deep/c.txt", "sub/deep/er/d",
    "sub2/a.csv", "sp ace/é.csv", "w*ld/q?.csv", ".dir/f",
]  # fmt: skip


def fill(real: Path) -> None:
    for name in NAMES:
        (real / name).parent.mkdir(parents=True, exist_ok=True)
        (real / name).write_text(name)
    (real / "empty").mkdir()


# -- URLs and lazy files -----------------------------------------------------------------------


def test_a_pattern_in_a_url_is_expanded_and_lists_stay(by_url: Subject) -> None:
    names = [f"part-{number}.csv" for number in range(12)]
    for name in names:
        by_url.fs.pipe(by_url(name), b"1,2\n")
    fs, _, paths = get_fs_token_paths(f"{by_url.url}/part-*.csv")
    assert sorted(by_url.bare(paths)) == sorted(f"/{name}" for name in names)
    assert type(fs) is type(by_url.fs)
    _, _, paths = get_fs_token_paths([f"{by_url.url}/{name}" for name in names])
    assert by_url.bare(paths) == [f"/{name}" for name in names]
    _, _, paths = get_fs_token_paths(f"{by_url.url}/new-*.csv", mode="wb", num=2)
    assert by_url.bare(paths) == ["/new-0.csv", "/new-1.csv"]
    with pytest.raises(ValueError, match="Protocol"):
        get_fs_token_paths([f"{by_url.url}/a", "memory://b"])


def test_lazy_files_are_read_and_written(by_url: Subject) -> None:
    with fsspec.open(f"{by_url.url}/new/dir/a.txt", "w", encoding="utf-8") as file:
        file.write("ä")  # which makes the directories
    written = open_files(f"{by_url.url}/*.part", "wb", num=2, compression="gzip")
    for each in written:
        with each as file:
            file.write(b"000")
    assert sorted(os.listdir(by_url.real)) == ["0.part", "1.part", "new"]
    assert gzip.decompress((by_url.real / "0.part").read_bytes()) == b"000"
    for each in open_files(f"{by_url.url}/*.part", "rt", compression="gzip"):
        with each as file:
            assert file.read() == "000"
    with pytest.raises(ValueError, match="not-found"):
        fsspec.open(f"{by_url.url}/0.part", compression="not-found")


def test_lazy_files_can_be_sent(by_url: Subject) -> None:
    by_url.fs.pipe(by_url("a"), b"hello")
    sent = pickle.loads(pickle.dumps(fsspec.open(f"{by_url.url}/a")))
    with sent as file:
        assert file.read() == b"hello"
    assert pickle.loads(pickle.dumps(by_url.fs)) == by_url.fs


@pytest.mark.parametrize("kind", [name for name in compr if name not in (None, "zip")])
def test_each_compression_goes_both_ways(kind: str, at: Subject) -> None:
    content = b"a long line of text that is easily compressed " * 5
    with OpenFile(at.fs, at("a"), "wb", compression=kind) as file:
        file.write(content)
    assert 0 < at.fs.size(at("a")) < len(content)
    with OpenFile(at.fs, at("a"), "rb", compression=kind) as file:
        assert file.read() == content
    with at.fs.open(at("a"), "rt", compression=kind) as text:
        assert text.read() == content.decode()


def test_the_name_tells_the_compression(at: Subject) -> None:
    with at.fs.open(at("a.gz"), "wb", compression="infer") as file:
        file.write(b"x")
    assert gzip.decompress(at.fs.cat(at("a.gz"))) == b"x"


# -- files -------------------------------------------------------------------------------------


def test_a_file_object_is_one(at: Subject) -> None:
    at.fs.pipe(at("a"), b"one\ntwo\nthree")
    with at.fs.open(at("a")) as file:
        assert file.readable()
        assert file.seekable()
        assert not file.closed
        assert file.readline() == b"one\n"
        assert file.tell() == 4
        assert file.seek(-5, os.SEEK_END) == 8
        buffer = bytearray(3)
        assert file.readinto(buffer) == 3
        assert bytes(buffer) == b"thr"
        file.seek(0)
        assert list(file) == [b"one\n", b"two\n", b"three"]
        assert os.fstat(file.fileno()).st_size == 13
    assert file.closed
    with at.fs.open(at("a"), "r", encoding="utf-8") as text:
        assert [line.strip() for line in text] == ["one", "two", "three"]


def test_numpy_reads_and_writes_by_the_file(at: Subject) -> None:
    numpy = pytest.importorskip("numpy")
    numbers = numpy.arange(10, dtype=numpy.int64)
    with at.fs.open(at("a"), "wb") as file:
        numbers.tofile(file)
    with at.fs.open(at("a"), "rb") as file:
        assert (numpy.fromfile(file, dtype=numpy.int64) == numbers).all()


def test_parts_of_files(at: Subject) -> None:
    fs = at.fs
    fs.pipe(at("a"), b"one\ntwo\nthree\n")
    assert fs.head(at("a"), 3) == b"one"
    assert fs.tail(at("a"), 3) == b"ee\n"
    assert fs.read_block(at("a"), 1, 5, b"\n") == b"two\n"
    assert fs.cat_ranges([at("a"), at("a")], [0, 4], [3, 7]) == [b"one", b"two"]
    (error,) = fs.cat_ranges([at("none")], [0], [3])
    assert isinstance(error, FileNotFoundError)
    assert [fs.cat_file(at("a"), start, end) for start, end in ((4, 7), (-6, None), (0, -1))] == [
        b"two", b"three\n", b"one\ntwo\nthree",
    ]  # fmt: skip


def test_what_is_missing_is_not_found(at: Subject) -> None:
    for call in (at.fs.open, at.fs.cat, at.fs.info, at.fs.size, at.fs.ls, at.fs.rm, at.fs.modified):
        with pytest.raises(FileNotFoundError):
            call(at("none"))
    assert not at.fs.exists(at("none"))
    assert not at.fs.isfile(at("none"))
    assert not at.fs.isdir(at("none"))
    assert at.fs.glob(at("none*")) == []
    assert at.fs.find(at("none")) == []
    assert list(at.fs.walk(at("none"))) == []
    assert at.fs.du(at("none")) == 0
    with pytest.raises(FileNotFoundError):
        at.fs.expand_path(at("none*"))


def test_touching(at: Subject) -> None:
    fs = at.fs
    fs.touch(at("new/a"))
    assert fs.size(at("new/a")) == 0
    fs.pipe(at("a"), b"hello")
    os.utime(at.real / "a", (1, 1))
    fs.touch(at("a"), truncate=False)
    assert fs.cat(at("a")) == b"hello"
    assert fs.modified(at("a")) > datetime(2020, 1, 1, tzinfo=UTC)
    assert fs.created(at("a")) > datetime(2020, 1, 1, tzinfo=UTC)
    fs.touch(at("a"), truncate=True)
    assert fs.size(at("a")) == 0


def test_what_tells_one_version_from_another(at: Subject) -> None:
    fs = at.fs
    fs.pipe(at("a"), b"one")
    before = fs.ukey(at("a")), fs.checksum(at("a"))
    assert before == (fs.ukey(at("a")), fs.checksum(at("a")))
    fs.pipe(at("a"), b"other")
    assert fs.ukey(at("a")) != before[0]
    assert fs.checksum(at("a")) != before[1]


def test_commit_and_discard(at: Subject) -> None:
    for end in ("commit", "discard"):
        file = at.fs.open(at(end), "wb", autocommit=False)
        file.write(b"x")
        file.close()
        assert not at.fs.exists(at(end))
        getattr(file, end)()
    assert at.fs.find(at.top or "/") == [at("commit")]


def test_a_transaction_in_the_words_of_fsspec(at: Subject) -> None:
    with at.fs.transaction:
        with at.fs.open(at("a"), "wb") as file:
            file.write(b"x")
        assert not at.fs.exists(at("a"))
    assert at.fs.cat(at("a")) == b"x"


def test_signing_is_not_offered(at: Subject) -> None:
    with pytest.raises(NotImplementedError):
        at.fs.sign(at("a"))


# -- directories, copying, moving, removing ----------------------------------------------------


def test_directories_are_made_and_removed(at: Subject) -> None:
    fs = at.fs
    fs.mkdir(at("a/b"))
    with pytest.raises(FileExistsError):
        fs.mkdir(at("a/b"))
    with pytest.raises(FileExistsError):
        fs.makedirs(at("a/b"))
    fs.makedirs(at("a/b"), exist_ok=True)
    with pytest.raises(FileNotFoundError):
        fs.mkdir(at("c/d"), create_parents=False)
    with pytest.raises(OSError, match="not empty"):
        fs.rmdir(at("a"))
    fs.rmdir(at("a/b"))
    assert not fs.exists(at("a/b"))


def test_moving(at: Subject) -> None:
    fs = at.fs
    fs.pipe({at("a/f"): b"f", at("g"): b"g"})
    fs.mkdir(at("empty"))
    fs.mv(at("empty"), at("moved"))
    fs.mv(at("a"), at("b"), recursive=True)
    fs.mv(at("g"), at("h"))
    assert at.bare(fs.find(at.top or "/")) == ["/b/f", "/h"]
    assert fs.isdir(at("moved"))
    assert [fs.exists(at(name)) for name in ("a", "g", "empty")] == [False] * 3


def test_removing(at: Subject) -> None:
    fs = at.fs
    fs.pipe({at("a/f"): b"", at("b"): b"", at("c"): b"", at("d"): b""})
    fs.rm(at("b"))
    fs.rm([at("c"), at("d")])
    fs.rm(at("a"), recursive=True)
    fs.mkdir(at("e"))
    fs.rm(at("e"), recursive=True)
    assert os.listdir(at.real) == []
    with pytest.raises(FileNotFoundError):
        fs.rm_file(at("none"))


def test_trees_go_there_and_come_back(at: Subject, tmp_path: Path) -> None:
    fs, local = at.fs, tmp_path / "local"
    (local / "sub" / "empty").mkdir(parents=True)
    (local / "a").write_text("a")
    (local / "sub" / "b").write_text("b")
    fs.put(str(local), at("t"), recursive=True)
    assert fs.isdir(at("t/sub/empty"))
    fs.copy(at("t"), at("u"), recursive=True)
    fs.get(at("u"), str(tmp_path / "back"), recursive=True)
    back = sorted(str(p.relative_to(tmp_path / "back")) for p in (tmp_path / "back").rglob("*"))
    assert back == ["a", "sub", "sub/b", "sub/empty"]
    fs.get([at("t/a"), at("t/sub/b")], f"{tmp_path / 'two'}/")
    assert sorted(os.listdir(tmp_path / "two")) == ["a", "b"]
    fs.put([str(local / "a"), str(local / "sub" / "b")], at("two/"))
    assert sorted(os.listdir(at.real / "two")) == ["a", "b"]
    fs.copy(at("t/*"), at("v/"), recursive=True)
    assert sorted(os.listdir(at.real / "v")) == ["a", "sub"]


def test_a_path_may_be_a_path_like(at: Subject) -> None:
    at.fs.pipe(at("a"), b"hello")
    assert at.fs.info(PurePosixPath(at("a"))) == at.fs.info(at("a"))


# -- listings, compared entry by entry ---------------------------------------------------------

PATTERNS = [
    "*", "*.csv", "**", "**/*.csv", "sub/*", "sub/**", "sub*/*", "**/deep/*", "s?b/*", "[ab].csv",
    "[!a].csv", "**/", "*/", "sub/*/", "*/*/*", ".*", "**/.*", "x[[]1].txt", "w[*]ld/*", "sp */*",
    "empty/*", "empty/**", "none/*", "sub/deep/**/d", "**/d", "a.csv", "sub", "sub/",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("maxdepth", [None, 1, 2])
def test_glob_finds_what_the_local_one_finds(
    pattern: str, maxdepth: int | None, both: tuple[Subject, Subject]
) -> None:
    ours = both[1]
    found = [each.bare(each.fs.glob(each(pattern), maxdepth=maxdepth)) for each in both]
    assert sorted(found[0]) == found[1]
    detailed = ours.fs.glob(ours(pattern), maxdepth=maxdepth, detail=True)
    assert ours.bare(list(detailed)) == found[1]
    assert all(info["name"] == name for name, info in detailed.items())


@pytest.mark.parametrize("maxdepth", [None, 1, 2, 3])
@pytest.mark.parametrize("withdirs", [False, True])
@pytest.mark.parametrize("path", ["", "/sub", "/sub/", "/a.csv", "/empty", "/none"])
def test_find_du_and_walk_say_what_the_local_ones_say(
    path: str, withdirs: bool, maxdepth: int | None, both: tuple[Subject, Subject]
) -> None:
    answers = []
    for each in both:
        options: dict[str, Any] = {"maxdepth": maxdepth, "withdirs": withdirs}
        top = each.top + path
        details = each.fs.find(top, detail=True, **options)
        answers.append(
            [
                each.bare(each.fs.find(top, **options)),
                each.bare(list(details)),
                each.bare({n: i["size"] for n, i in details.items() if i and i["type"] == "file"}),
                {n: s for n, s in each.bare(each.fs.du(top, total=False, **options)).items()
                 if not (each.real / n.strip("/")).is_dir()},
                each.fs.du(top, maxdepth=maxdepth),
                sorted((each.bare(d), sorted(names), sorted(files))
                       for d, names, files in each.fs.walk(top, maxdepth=maxdepth)),
            ]
        )  # fmt: skip
    if path == "/a.csv":  # fsspec's own forgets the info there
        answers[0][2] = answers[1][2]
    assert answers[1] == answers[0]


def test_infos_are_alike_but_for_the_destination(both: tuple[Subject, Subject]) -> None:
    for name in ("a.csv", "sub", "sub/deep/c.txt"):
        for each in both:
            (each.real / "again").unlink(missing_ok=True)
        one, other = (each.fs.info(each(name)) for each in both)
        assert one.keys() == other.keys()
        for key in one.keys() - {"name", "ino", "mtime", "created"}:
            assert one[key] == other[key], key
        assert other["ino"] == os.stat(both[1].real / name).st_ino
    listed = {info["name"]: info for info in both[1].fs.ls("d/sub")}
    assert listed == {name: both[1].fs.info(name) for name in both[1].fs.ls("d/sub", detail=False)}


def test_the_tree_is_drawn_alike(both: tuple[Subject, Subject]) -> None:
    drawn = [each.fs.tree(each.top, recursion_limit=4).splitlines()[1:] for each in both]
    assert drawn[0] == drawn[1]


# -- what differs, and why (docs/fsspec.md) ----------------------------------------------------


def test_links_count_as_what_they_lead_to_and_outside_ones_are_in_no_list(tmp_path: Path) -> None:
    """The local one lists a link to a directory as "other" and tells where links lead."""
    (subject,) = [next(maker := made("safefs", tmp_path / "tree"))]
    real, fs = subject.real, subject.fs
    (tmp_path / "secret").write_text("secret")
    (real / "dir").mkdir()
    (real / "dir" / "f").write_text("hello")
    for name, target in (("file", "dir/f"), ("into", "dir"), ("out", "../secret"), ("gone", "no")):
        (real / name).symlink_to(target)
    assert {i["name"]: (i["type"], i["size"]) for i in fs.ls("d") if i["islink"]} == {
        "d/file": ("file", 5),
        "d/into": ("directory", (real / "dir").stat().st_size),
    }
    assert "destination" not in fs.info("d/file")
    assert fs.isdir("d/into")
    assert fs.isfile("d/file")
    assert not fs.exists("d/gone")
    assert fs.lexists("d/gone")
    assert fs.find("d") == ["d/dir/f", "d/file"]
    assert fs.du("d") == 10
    list(maker)


def test_there_is_no_working_directory_and_no_home(by_url: Subject) -> None:
    if by_url.top == "d":
        for path in ("./a", "~/a", "d/~"):
            assert not by_url.fs.exists(path)


def test_a_directory_is_removed_only_with_recursive(at: Subject) -> None:
    """The local one says ValueError."""
    at.fs.mkdir(at("a"))
    with pytest.raises((ValueError, IsADirectoryError)):
        at.fs.rm(at("a"))
    assert at.fs.isdir(at("a"))
