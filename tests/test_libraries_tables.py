"""pandas, pyarrow, dask, duckdb and polars on safefs://: what each does beyond one file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from dask import dataframe as dd
from pyarrow.fs import FileSelector, FileType, FSSpecHandler, PyFileSystem
from upath import UPath

from tests.libraries import FRAME, ROWS, TABLE, rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from safefs.integrations.fsspec import SafeFileSystem
    from safefs.testing.scratch import Scratch

# pyarrow and duckdb drop what they have opened, and leave the closing to Python.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword:Warning:dask"),
]


# -- pandas ------------------------------------------------------------------------------------


def test_pandas_opens_the_url_of_a_path_and_what_it_opens_but_no_path(fs: SafeFileSystem) -> None:
    fs.pipe("documents/a.csv", b"a\n1\n")
    path: Any = UPath("safefs://documents/a.csv")
    with pytest.raises(ValueError, match="Invalid file path"):
        pd.read_csv(path)
    with path.open("rb") as file:
        assert pd.read_csv(file).equals(pd.read_csv(str(path)))


def test_only_pyarrow_keeps_the_names_of_the_disks_there_are_to_itself(fs: SafeFileSystem) -> None:
    with pytest.raises(FileNotFoundError, match="no disk is named 'nope'"):
        pd.read_csv("safefs://nope/x.csv")
    with pytest.raises(FileNotFoundError):
        pd.read_parquet("safefs://nope/x.parquet")


def test_pandas_reads_a_csv_in_chunks_and_adds_to_one(fs: SafeFileSystem) -> None:
    url = "safefs://documents/table.csv"
    FRAME.to_csv(url, index=False)
    FRAME.to_csv(url, index=False, header=False, mode="a")
    with pd.read_csv(url, chunksize=3) as chunks:
        assert [len(chunk) for chunk in chunks] == [3, 1]
    FRAME.to_csv(f"{url}.gz", index=False)
    assert fs.cat("documents/table.csv.gz")[:2] == b"\x1f\x8b"
    assert rows(pd.read_csv(f"{url}.gz")) == ROWS


def test_pandas_reads_lines_of_json_in_chunks(fs: SafeFileSystem) -> None:
    url = "safefs://documents/table.jsonl"
    FRAME.to_json(url, orient="records", lines=True)
    with pd.read_json(url, lines=True, chunksize=1) as chunks:
        assert [rows(chunk) for chunk in chunks] == [[ROWS[0]], [ROWS[1]]]


def test_pandas_writes_and_reads_parquet_by_partition(fs: SafeFileSystem) -> None:
    FRAME.to_parquet("safefs://documents/parts", partition_cols=["b"])
    assert sorted(fs.ls("documents/parts", detail=False)) == [
        "documents/parts/b=x",
        "documents/parts/b=y",
    ]
    found = pd.read_parquet("safefs://documents/parts", filters=[("b", "=", "y")], columns=["a"])
    assert found["a"].tolist() == [2]


# -- pyarrow -----------------------------------------------------------------------------------


def test_pyarrow_finds_the_partitions_of_a_dataset(fs: SafeFileSystem) -> None:
    def write(behaviour: str) -> None:
        ds.write_dataset(
            TABLE,
            "documents/set",
            filesystem=fs,
            format="parquet",
            partitioning=ds.partitioning(pa.schema([("b", pa.string())]), flavor="hive"),
            existing_data_behavior=behaviour,
        )

    write("error")
    with pytest.raises(pa.ArrowInvalid, match="not empty"):
        write("error")
    write("delete_matching")
    write("overwrite_or_ignore")
    dataset = ds.dataset("documents/set", filesystem=fs, partitioning="hive")
    assert len(dataset.files) == 2
    assert dataset.to_table(filter=ds.field("b") == "y").to_pylist() == [ROWS[1]]
    assert pq.read_table("documents/set", filesystem=fs).num_rows == 2


def test_pyarrow_takes_the_file_system_for_one_of_its_own(fs: SafeFileSystem) -> None:
    arrow = PyFileSystem(FSSpecHandler(fs))
    arrow.create_dir("documents/a/b")
    with arrow.open_output_stream("documents/a/one") as stream:
        stream.write(b"hello")
    arrow.copy_file("documents/a/one", "documents/a/two")
    arrow.move("documents/a/two", "documents/a/b/three")
    found = arrow.get_file_info(FileSelector("documents", recursive=True))
    assert {(info.path, info.type, info.size) for info in found} == {
        ("documents/a", FileType.Directory, None),
        ("documents/a/b", FileType.Directory, None),
        ("documents/a/b/three", FileType.File, 5),
        ("documents/a/one", FileType.File, 5),
    }
    assert arrow.get_file_info("documents/none").type == FileType.NotFound
    arrow.delete_file("documents/a/one")
    arrow.delete_dir_contents("documents/a")
    arrow.delete_dir("documents/a")
    assert fs.ls("documents") == []
    assert arrow == PyFileSystem(FSSpecHandler(fs))


def test_pyarrow_does_not_take_the_url(fs: SafeFileSystem) -> None:
    with pytest.raises(pa.ArrowInvalid, match="Unrecognized filesystem"):
        pq.read_table("safefs://documents/t.parquet")


def test_a_planted_link_is_in_no_dataset(
    fs: SafeFileSystem, scratch: Scratch, tmp_path: Path
) -> None:
    """It is not read along with the files beside it, and the dataset is read without it."""
    pq.write_table(TABLE, "documents/secret.parquet", filesystem=fs)
    os.rename(scratch.root / "secret.parquet", scratch.outside / "secret.parquet")
    scratch.remember()
    fs.mkdir("documents/set")
    pq.write_table(TABLE, "documents/set/mine.parquet", filesystem=fs)
    (scratch.root / "set" / "theirs.parquet").symlink_to("../../outside/secret.parquet")
    (scratch.root / "set" / "b=z").symlink_to("../../outside")
    assert ds.dataset("documents/set", filesystem=fs).files == ["documents/set/mine.parquet"]
    assert len(pd.read_parquet("safefs://documents/set")) == 2
    assert len(dd.read_parquet("safefs://documents/set")) == 2
    with duckdb.connect() as connection:
        connection.register_filesystem(fs)
        found = connection.execute("from 'safefs://documents/set/*.parquet'").fetchall()
        assert len(found) == 2


# -- dask --------------------------------------------------------------------------------------


def test_dask_writes_and_reads_partitions_from_threads(fs: SafeFileSystem) -> None:
    frame: Any = dd.from_pandas(  # type: ignore[no-untyped-call]
        pd.DataFrame({"n": range(20), "b": ["x", "y"] * 10}), npartitions=4
    )
    frame.to_parquet("safefs://documents/set", partition_on=["b"])
    frame.to_csv("safefs://documents/part-*.csv", index=False)
    assert len(fs.glob("documents/part-*.csv")) == 4
    read: Any = dd.read_parquet("safefs://documents/set", filters=[("b", "==", "x")])
    assert read["n"].sum().compute(scheduler="threads") == sum(range(0, 20, 2))
    assert dd.read_csv("safefs://documents/part-*.csv")["n"].sum().compute() == sum(range(20))


def test_two_threads_that_make_one_directory_are_both_content(
    fs: SafeFileSystem, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dask makes the directory of a partition from several; here the other is the quicker."""
    ask = fs.isdir

    def isdir(path: str) -> bool:
        found = ask(path)
        (scratch.root / "made").mkdir(exist_ok=True)
        return found

    monkeypatch.setattr(fs, "isdir", isdir)
    fs.makedirs("documents/made", exist_ok=True)
    monkeypatch.setattr(fs, "isdir", lambda path: False)
    with pytest.raises(FileExistsError):
        fs.makedirs("documents/made", exist_ok=True)


# -- duckdb ------------------------------------------------------------------------------------


@pytest.fixture
def database(fs: SafeFileSystem) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that knows safefs://."""
    with duckdb.connect() as connection:
        connection.register_filesystem(fs)
        yield connection


def test_duckdb_reads_patterns_and_writes_partitions(
    database: duckdb.DuckDBPyConnection, fs: SafeFileSystem
) -> None:
    database.execute("create table t as select range as n, range % 2 as parity from range(6)")
    database.execute("copy t to 'safefs://documents/set' (format parquet, partition_by (parity))")
    found = database.execute("from read_parquet('safefs://documents/set/*/*.parquet')").fetchall()
    assert len(found) == 6
    database.execute("copy t to 'safefs://documents/t.csv'")
    assert database.execute("select sum(n) from 'safefs://documents/*.csv'").fetchone() == (15,)


def test_duckdb_can_be_kept_to_one_directory(
    database: duckdb.DuckDBPyConnection, fs: SafeFileSystem, scratch: Scratch
) -> None:
    """With allowed_directories a query reaches safefs://documents, and no file of this machine."""
    fs.pipe("documents/t.csv", b"a\n1\n")
    database.execute("set allowed_directories = ['safefs://documents/']")
    database.execute("set enable_external_access = false")
    assert database.execute("from 'safefs://documents/t.csv'").fetchall() == [(1,)]
    for place in (scratch.outside / "secret.txt", "safefs://documents/../outside/secret.txt"):
        with pytest.raises(duckdb.Error):
            database.execute(f"from read_csv('{place}')")


def test_duckdb_says_that_an_escape_is_one(
    database: duckdb.DuckDBPyConnection, fs: SafeFileSystem, scratch: Scratch
) -> None:
    (scratch.root / "link.csv").symlink_to("../outside/secret.txt")
    for path in ("link.csv", "../outside/new.csv"):
        with pytest.raises(duckdb.Error, match="EscapeError"):
            database.execute(f"copy (select 1) to 'safefs://documents/{path}'")
        with pytest.raises(duckdb.Error, match="EscapeError"):
            database.execute(f"from read_csv('safefs://documents/{path}')")
    with pytest.raises(duckdb.Error, match="EscapeError"):
        database.execute("from 'safefs://documents/../outside/*.csv'")
    with pytest.raises(duckdb.Error, match="No files found"):
        database.execute("from 'safefs://documents/l*.csv'")
    with pytest.raises(duckdb.Error, match="no disk is named 'nope'"):
        database.execute("from 'safefs://nope/t.csv'")


def test_duckdb_opens_a_database_file_that_is_there(
    database: duckdb.DuckDBPyConnection, fs: SafeFileSystem, scratch: Scratch
) -> None:
    """It makes none: that takes a mode of open that fsspec does not have."""
    with duckdb.connect(str(scratch.root / "there.duckdb")) as other:
        other.execute("create table t as select 7 as n")
    database.execute("attach 'safefs://documents/there.duckdb' as there (read_only)")
    assert database.execute("from there.t").fetchall() == [(7,)]
    with pytest.raises(duckdb.Error, match="FileNotFoundError"):
        database.execute("attach 'safefs://documents/new.duckdb' as new")


# -- polars ------------------------------------------------------------------------------------


def test_the_urls_of_polars_never_reach_fsspec(fs: SafeFileSystem) -> None:
    """It takes the whole URL for the name of a file of this machine, and there is none."""
    with fs.open("documents/t.csv", "wb") as file:
        pl.DataFrame({"a": [1]}).write_csv(file)
    with pytest.raises(FileNotFoundError):
        pl.read_csv("safefs://documents/t.csv")
    with pytest.raises(FileNotFoundError):
        pl.DataFrame({"a": [1]}).write_csv("safefs://documents/new.csv")
    assert fs.ls("documents", detail=False) == ["documents/t.csv"]
