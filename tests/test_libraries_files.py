"""Pillow, zipfile, tarfile, sqlite3 and others on the file objects of safefs://."""

from __future__ import annotations

import csv
import gzip
import pickle
import sqlite3
import tarfile
import zipfile
from contextlib import closing
from io import BytesIO
from typing import TYPE_CHECKING

import fsspec
import pytest
from PIL import Image

from safefs import EscapeError

if TYPE_CHECKING:
    from pathlib import Path

    from safefs.integrations.fsspec import SafeFileSystem
    from safefs.testing.scratch import Scratch

pytestmark = pytest.mark.usefixtures("_no_loops")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "PDF"])
def test_pillow_writes_each_format_to_an_open_file(format: str, fs: SafeFileSystem) -> None:  # noqa: A002
    with fs.open("documents/image", "wb") as file:
        Image.new("RGB", (3, 2), "red").save(file, format)
    if format != "PDF":
        with fs.open("documents/image") as file, Image.open(file) as image:
            assert (image.format, image.size) == (format, (3, 2))
            image.thumbnail((2, 2))


def test_a_zip_grows_and_is_read_by_member(fs: SafeFileSystem) -> None:
    with fs.open("documents/a.zip", "wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("one", "1" * 1000, zipfile.ZIP_DEFLATED)
    with fs.open("documents/a.zip", "r+b") as file, zipfile.ZipFile(file, "a") as archive:
        archive.writestr("d/two", "2")
    with fs.open("documents/a.zip") as file, zipfile.ZipFile(file) as archive:
        assert archive.namelist() == ["one", "d/two"]
        assert archive.testzip() is None
    with fsspec.open("zip://d/two::safefs://documents/a.zip") as member:
        assert member.read() == b"2"
    with pytest.raises(EscapeError):
        fsspec.open("zip://one::safefs://documents/../a.zip").open()


def test_a_tar_is_written_and_read_as_a_stream(fs: SafeFileSystem) -> None:
    member = tarfile.TarInfo("d/one")
    member.size = 5
    path = "documents/a.tar.xz"
    with fs.open(path, "wb") as file, tarfile.open(fileobj=file, mode="w|xz") as archive:
        archive.addfile(member, BytesIO(b"hello"))
    with fs.open(path) as file, tarfile.open(fileobj=file, mode="r|*") as archive:
        assert [member.name for member in archive] == ["d/one"]


def test_the_members_of_an_archive_go_to_the_disk_by_their_names(
    fs: SafeFileSystem, scratch: Scratch
) -> None:
    """The attack: a member whose name leads out; the naive loop that unpacks it is stopped."""
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("good.txt", "hello")
        archive.writestr("../outside/evil.txt", "attack")
    with zipfile.ZipFile(content) as archive:
        fs.pipe("documents/good.txt", archive.read("good.txt"))
        with pytest.raises(EscapeError):
            fs.pipe("documents/../outside/evil.txt", archive.read("../outside/evil.txt"))
    assert fs.find("documents") == ["documents/good.txt"]


def test_what_wants_a_file_object_gets_one(fs: SafeFileSystem) -> None:
    with fs.open("documents/t.csv", "w", newline="") as file:
        csv.writer(file).writerows([["a", "b"], [1, "x, y"]])
    with fs.open("documents/t.csv", "r", newline="") as file:
        assert list(csv.DictReader(file)) == [{"a": "1", "b": "x, y"}]
    with fs.open("documents/t.gz", "wb") as file, gzip.open(file, "wt") as packed:
        packed.write("hello")
    with fsspec.open("safefs://documents/t.gz", "rt", compression="infer") as file:
        assert file.read() == "hello"
    with fs.open("documents/p", "wb") as file:
        pickle.Pickler(file).dump([1])
        pickle.Pickler(file).dump([2])
    with fs.open("documents/p") as file:
        assert [pickle.load(file), pickle.load(file)] == [[1], [2]]


def test_sqlite_opens_no_file_of_a_disk(fs: SafeFileSystem) -> None:
    """It opens by name, and again by name for its journal. A database travels as a copy."""
    for name in ("safefs://documents/a.db", "file:safefs://documents/a.db"):
        with pytest.raises(sqlite3.OperationalError):
            sqlite3.connect(name, uri=name.startswith("file:"))
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript("create table t (a); insert into t values (1)")
        fs.pipe_file("documents/a.db", database.serialize())
    with closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(fs.cat_file("documents/a.db"))
        with database:  # what is not committed is not serialised
            database.execute("update t set a = 2")
        fs.pipe_file("documents/a.db", database.serialize())
    with closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(fs.cat_file("documents/a.db"))
        assert database.execute("select a from t").fetchall() == [(2,)]


def test_a_database_of_sqlite_is_worked_on_elsewhere_and_put_back(
    fs: SafeFileSystem, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """For one that is too large for memory: a copy in a directory of its own."""
    place = tmp_path_factory.mktemp("database") / "a.db"
    with closing(sqlite3.connect(place)) as database, database:
        database.execute("create table t (a)")
    fs.put_file(str(place), "documents/a.db")
    fs.get_file("documents/a.db", str(place))
    with closing(sqlite3.connect(place)) as database:
        assert database.execute("select count(*) from t").fetchone() == (0,)


def test_what_opens_by_name_does_not_reach_a_disk(
    fs: SafeFileSystem, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty: Path = tmp_path_factory.mktemp("empty")
    monkeypatch.chdir(empty)
    for opener in (open, zipfile.ZipFile, tarfile.open, Image.open):
        with pytest.raises(FileNotFoundError):
            opener("safefs://documents/a")
    assert list(empty.iterdir()) == []
