"""zarr, xarray, numpy and joblib on safefs://: what each does beyond one file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import FsspecStore

from safefs import EscapeError
from tests.libraries import NUMBERS

if TYPE_CHECKING:
    from safefs.integrations.fsspec import SafeFileSystem
    from safefs.testing.scratch import Scratch

pytestmark = [
    pytest.mark.usefixtures("_no_loops"),
    pytest.mark.filterwarnings("ignore:Consolidated metadata:UserWarning:zarr"),
]

URL = "safefs://documents/group.zarr"


def test_a_group_of_zarr_is_written_opened_again_and_consolidated(fs: SafeFileSystem) -> None:
    group = zarr.open_group(URL, mode="w-")
    group.create_array("a", shape=(6,), chunks=(2,), dtype="i4")[:] = range(6)
    group.create_group("deep").create_array("b", data=NUMBERS)
    with pytest.raises(FileExistsError):
        zarr.open_group(URL, mode="w-")
    again: Any = zarr.open_group(URL, mode="r+")
    again["a"][2:4] = 9
    again.attrs["title"] = "ours"
    zarr.consolidate_metadata(URL)
    found: Any = zarr.open_consolidated(URL, mode="r")
    assert found["a"][:].tolist() == [0, 1, 9, 9, 4, 5]
    assert sorted(found["deep"].array_keys()) == ["b"]
    assert found.attrs["title"] == "ours"
    assert "documents/group.zarr/a/c/1" in fs.find("documents/group.zarr")
    zarr.open_group(URL, mode="w")
    assert fs.find("documents/group.zarr") == ["documents/group.zarr/zarr.json"]


def test_each_way_to_a_store_of_zarr_leads_to_the_disk(fs: SafeFileSystem) -> None:
    stores = {
        "url": FsspecStore.from_url("safefs://documents/url"),
        "mapper": FsspecStore.from_mapper(fs.get_mapper("documents/mapper")),
    }
    for name, store in stores.items():
        zarr.open_group(store, mode="w").create_array("n", data=NUMBERS)
        assert fs.exists(f"documents/{name}/n/zarr.json")


def test_a_chunk_that_was_planted_is_refused(fs: SafeFileSystem, scratch: Scratch) -> None:
    """One file of an array is a link to the outside, and so is a whole array."""
    group = zarr.open_group(URL, mode="w")
    group.create_array("n", data=NUMBERS)
    os.remove(scratch.root / "group.zarr" / "n" / "c" / "0")
    (scratch.root / "group.zarr" / "n" / "c" / "0").symlink_to("../../../../outside/secret.txt")
    (scratch.root / "group.zarr" / "up").symlink_to("../../outside")
    array: Any = group["n"]
    with pytest.raises(EscapeError):
        array[:]
    array[:] = 7  # a chunk is replaced as a whole, and the link with it
    assert array[:].tolist() == [7, 7, 7]
    assert [name for name, _ in group.members()] == ["n"]


def test_xarray_writes_adds_to_and_reads_zarr(fs: SafeFileSystem) -> None:
    dataset = xr.Dataset({"n": ("i", NUMBERS)}, coords={"i": [0, 1, 2]})
    dataset.to_zarr(URL)
    dataset.assign_coords(i=[3, 4, 5]).to_zarr(URL, append_dim="i")
    with xr.open_zarr(URL) as found:
        assert found.n.to_numpy().tolist() == [1, 2, 3, 1, 2, 3]
    with xr.open_dataset(URL, engine="zarr") as found:
        assert found.sel(i=4).n == 2


def test_numpy_keeps_many_arrays_and_text(fs: SafeFileSystem) -> None:
    with fs.open("documents/many.npz", "wb") as file:
        np.savez_compressed(file, a=NUMBERS, b=NUMBERS * 2)
    with fs.open("documents/many.npz") as file, np.load(file) as many:
        assert (many["a"] + many["b"]).tolist() == [3, 6, 9]
    with fs.open("documents/t.txt", "w") as file:
        np.savetxt(file, NUMBERS)
    with fs.open("documents/t.txt") as file:
        assert np.loadtxt(file).tolist() == [1, 2, 3]


def test_numpy_maps_an_open_file_and_no_name(fs: SafeFileSystem) -> None:
    """mmap_mode wants a name to open by itself, and memmap takes the open file."""
    with fs.open("documents/n.npy", "wb") as file:
        np.save(file, NUMBERS)
    with pytest.raises(FileNotFoundError):
        np.load("safefs://documents/n.npy", mmap_mode="r")
    with (
        fs.open("documents/n.npy") as file,
        pytest.raises(ValueError, match="existing file handles"),
    ):
        np.load(file, mmap_mode="r")
    with fs.open("documents/n.npy", "r+b") as file:
        assert np.lib.format.read_magic(file) == (1, 0)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        mapped = np.memmap(file, dtype, "r+", file.tell(), shape)
        mapped[0] = 7
        mapped.flush()
        del mapped
    with fs.open("documents/n.npy") as file:
        assert np.load(file).tolist() == [7, 2, 3]


def test_joblib_takes_an_open_file(fs: SafeFileSystem) -> None:
    with fs.open("documents/model.joblib.gz", "wb") as file:
        joblib.dump({"n": NUMBERS}, file, compress=("gzip", 3))
    with fs.open("documents/model.joblib.gz") as file:
        assert joblib.load(file)["n"].tolist() == [1, 2, 3]
    with pytest.raises(FileNotFoundError):
        joblib.dump(NUMBERS, "safefs://documents/model.joblib")
