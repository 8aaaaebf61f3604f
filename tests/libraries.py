"""The libraries that people use with fsspec: for each, how it writes and reads one thing.

A function is given a file system and a path on it, so that the same call can be made on safefs and,
to see that it would succeed, on the local file system.
"""

from __future__ import annotations

import json
import pickle
import sqlite3
import tarfile
import zipfile
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import duckdb
import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import xarray as xr
import zarr
from dask import dataframe as dd
from PIL import Image
from pyarrow.fs import FSSpecHandler, PyFileSystem

from safefs import EscapeError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Library:
    """How something is written and read, and what is then read.

    ``refusal`` is what a planted link meets; ``replaces`` says that writing puts something new in
    the place of the link itself.
    """

    write: Callable[[Any, str], object]
    read: Callable[[Any, str], object]
    expected: object
    refusal: type[Exception] = EscapeError
    replaces: bool = False


ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
COLUMNS = {"a": [1, 2], "b": ["x", "y"]}
FRAME = pd.DataFrame(COLUMNS)
TABLE = pa.table(COLUMNS)
NUMBERS = np.array([1, 2, 3])


def url(fs: Any, path: str) -> str:
    """The path as a URL, for the libraries that open those."""
    return str(fs.unstrip_protocol(path))


def rows(frame: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in frame.to_dict("records")]


# Tables


def write_csv(fs: Any, path: str) -> None:
    FRAME.to_csv(url(fs, path), index=False)


def write_parquet(fs: Any, path: str) -> None:
    FRAME.to_parquet(url(fs, path))


def write_json(fs: Any, path: str) -> None:
    FRAME.to_json(url(fs, path), orient="records")


def write_arrow_file(fs: Any, path: str) -> None:
    pq.write_table(TABLE, path, filesystem=fs)


def read_arrow_file(fs: Any, path: str) -> object:
    with fs.open(path) as file, pq.ParquetFile(file) as parquet:
        return parquet.read().to_pylist()


def write_arrow_stream(fs: Any, path: str) -> None:
    with PyFileSystem(FSSpecHandler(fs)).open_output_stream(path) as stream:
        stream.write(b"hello")


def read_arrow_stream(fs: Any, path: str) -> object:
    with PyFileSystem(FSSpecHandler(fs)).open_input_file(path) as stream:
        return stream.read()


def write_dataset(fs: Any, path: str) -> None:
    ds.write_dataset(
        TABLE, path, filesystem=fs, format="parquet", partitioning=["b"], partitioning_flavor="hive"
    )


def read_dataset(fs: Any, path: str) -> object:
    table = ds.dataset(path, filesystem=fs, partitioning="hive").to_table()
    return sorted(table.to_pylist(), key=lambda row: int(row["a"]))


def write_dask(fs: Any, path: str) -> None:
    frame: Any = dd.from_pandas(FRAME, npartitions=1)  # type: ignore[no-untyped-call]
    frame.to_csv(url(fs, path), index=False, single_file=True)


def read_dask(fs: Any, path: str) -> object:
    return rows(dd.read_csv(url(fs, path)).compute(scheduler="threads"))


def write_duckdb(fs: Any, path: str) -> None:
    with duckdb.connect() as connection:
        connection.register_filesystem(fs)
        rows = "select 1 as a, 'x' as b union all select 2, 'y'"
        connection.execute(f"copy ({rows}) to '{url(fs, path)}' (format parquet)")


def read_duckdb(fs: Any, path: str) -> object:
    with duckdb.connect() as connection:
        connection.register_filesystem(fs)
        return rows(connection.execute(f"from read_parquet('{url(fs, path)}')").df())


def write_polars(fs: Any, path: str) -> None:
    with fs.open(path, "wb") as file:
        pl.DataFrame(COLUMNS).write_parquet(file)


def read_polars(fs: Any, path: str) -> object:
    with fs.open(path) as file:
        return pl.read_parquet(file).to_dicts()


def scan_polars(fs: Any, path: str) -> object:
    scanned = pl.scan_pyarrow_dataset(ds.dataset(path, filesystem=fs))
    return scanned.filter(pl.col("a") > 0).collect().to_dicts()


# Arrays


def write_zarr(fs: Any, path: str) -> None:
    zarr.open_group(url(fs, path), mode="w").create_array("n", data=NUMBERS)


def read_zarr(fs: Any, path: str) -> object:
    array: Any = zarr.open_group(url(fs, path), mode="r")["n"]
    return array[:].tolist()


def write_xarray(fs: Any, path: str) -> None:
    xr.Dataset({"n": ("i", NUMBERS)}).to_zarr(url(fs, path), mode="w", consolidated=False)


def read_xarray(fs: Any, path: str) -> object:
    with xr.open_zarr(url(fs, path), consolidated=False) as dataset:
        return dataset.n.to_numpy().tolist()


def write_numpy(fs: Any, path: str) -> None:
    with fs.open(path, "wb") as file:
        np.save(file, NUMBERS)


def read_numpy(fs: Any, path: str) -> object:
    with fs.open(path) as file:
        return np.load(file).tolist()


def write_joblib(fs: Any, path: str) -> None:
    with fs.open(path, "wb") as file:
        joblib.dump({"n": NUMBERS}, file, compress=3)


def read_joblib(fs: Any, path: str) -> object:
    with fs.open(path) as file:
        return joblib.load(file)["n"].tolist()


# Files


def write_image(fs: Any, path: str) -> None:
    with fs.open(path, "wb") as file:
        Image.new("RGB", (3, 2)).save(file, "PNG")


def read_image(fs: Any, path: str) -> object:
    with fs.open(path) as file, Image.open(file) as image:
        image.load()
        return image.size


def write_zip(fs: Any, path: str) -> None:
    with fs.open(path, "wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("member", "hello")


def read_zip(fs: Any, path: str) -> object:
    with fs.open(path) as file, zipfile.ZipFile(file) as archive:
        return archive.read("member")


def write_tar(fs: Any, path: str) -> None:
    member = tarfile.TarInfo("member")
    member.size = 5
    with fs.open(path, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        archive.addfile(member, BytesIO(b"hello"))


def read_tar(fs: Any, path: str) -> object:
    with fs.open(path) as file, tarfile.open(fileobj=file) as archive:
        member = archive.extractfile("member")
        assert member is not None
        return member.read()


def write_sqlite(fs: Any, path: str) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript("create table t (a); insert into t values (1)")
        fs.pipe_file(path, database.serialize())


def read_sqlite(fs: Any, path: str) -> object:
    with closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(fs.cat_file(path))
        return database.execute("select a from t").fetchall()


def write_plain_json(fs: Any, path: str) -> None:
    with fs.open(path, "w") as file:
        json.dump(ROWS, file)


def read_plain_json(fs: Any, path: str) -> object:
    with fs.open(path) as file:
        return json.load(file)


def write_pickle(fs: Any, path: str) -> None:
    with fs.open(path, "wb") as file:
        pickle.dump(ROWS, file)


def read_pickle(fs: Any, path: str) -> object:
    with fs.open(path) as file:
        return pickle.load(file)


LIBRARIES = {
    "pandas csv": Library(write_csv, lambda fs, path: rows(pd.read_csv(url(fs, path))), ROWS),
    "pandas parquet": Library(
        write_parquet, lambda fs, path: rows(pd.read_parquet(url(fs, path))), ROWS
    ),
    "pandas json": Library(write_json, lambda fs, path: rows(pd.read_json(url(fs, path))), ROWS),
    "pyarrow ParquetFile": Library(write_arrow_file, read_arrow_file, ROWS),
    "pyarrow wrapper": Library(write_arrow_stream, read_arrow_stream, b"hello", OSError),
    "pyarrow dataset": Library(write_dataset, read_dataset, ROWS),
    "dask": Library(write_dask, read_dask, ROWS),
    "duckdb": Library(write_duckdb, read_duckdb, ROWS, duckdb.Error),
    "polars": Library(write_polars, read_polars, ROWS),
    "polars through pyarrow": Library(write_polars, scan_polars, ROWS),
    "zarr": Library(write_zarr, read_zarr, [1, 2, 3], replaces=True),
    "xarray": Library(write_xarray, read_xarray, [1, 2, 3], replaces=True),
    "numpy": Library(write_numpy, read_numpy, [1, 2, 3]),
    "joblib": Library(write_joblib, read_joblib, [1, 2, 3]),
    "Pillow": Library(write_image, read_image, (3, 2)),
    "zipfile": Library(write_zip, read_zip, b"hello"),
    "tarfile": Library(write_tar, read_tar, b"hello"),
    "sqlite3, by a copy": Library(write_sqlite, read_sqlite, [(1,)], replaces=True),
    "json": Library(write_plain_json, read_plain_json, ROWS),
    "pickle": Library(write_pickle, read_pickle, ROWS),
}
