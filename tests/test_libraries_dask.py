"""dask on safefs:// with processes, and with workers of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safefs.testing.scratch import Scratch

DOCUMENT = Path(__file__).parent.parent / "docs" / "libraries.md"

SCRIPT = """
import multiprocessing

import dask
import pandas as pd
from dask import dataframe as dd
from distributed import Client, LocalCluster

import disks

URL = "safefs://uploads/set"
TOTAL = sum(range(100))

def fails_closed(compute):
    try:
        compute()
    except FileNotFoundError as error:
        assert "Storage.register" in str(error), error
    else:
        raise AssertionError("read where no disk was registered")

def processes():
    total = dd.read_parquet(URL)["n"].sum()
    with dask.config.set({"multiprocessing.initializer": disks.register}):
        assert total.compute(scheduler="processes", num_workers=2) == TOTAL
    fails_closed(lambda: total.compute(scheduler="processes", num_workers=1))

def workers():
    local = {"host": "127.0.0.1", "dashboard_address": None}
    with (
        LocalCluster(n_workers=3, threads_per_worker=1, processes=True, **local) as cluster,
        Client(cluster) as client,
    ):
        *registered, other = client.scheduler_info()["workers"]
        assert len(registered) == 2
        client.run(disks.register, workers=registered)
        total = dd.read_parquet(URL)["n"].sum()
        assert client.compute(total, workers=registered).result() == TOTAL
        frame = dd.from_pandas(pd.DataFrame({"n": range(100)}), npartitions=4)
        written = frame.to_parquet("safefs://uploads/written", compute=False)
        client.compute(written, workers=registered).result()
        assert dd.read_parquet("safefs://uploads/written")["n"].sum().compute(
            scheduler="threads"
        ) == TOTAL
        fails_closed(lambda: client.compute(total, workers=[other]).result())

        def used(path):
            import fsspec
            with fsspec.open(path) as file:
                return file.read()

        for path in ("uploads/link", "uploads/../outside/secret.txt"):
            try:
                client.submit(used, f"safefs://{path}", workers=registered).result()
            except PermissionError as error:
                assert type(error).__name__ == "EscapeError"
            else:
                raise AssertionError(f"read: {path}")

if __name__ == "__main__":
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["dask.dataframe", "distributed"])
    disks.register()
    frame = dd.from_pandas(pd.DataFrame({"n": range(100)}), npartitions=4)
    frame.to_parquet(URL)
    processes()
    workers()
    exec(open("cluster.py").read())
"""


def test_workers_reach_the_disks_that_they_have_registered_and_no_others(scratch: Scratch) -> None:
    """What travels to a worker is a name; a worker that has not registered it reads nothing."""
    text = DOCUMENT.read_text(encoding="utf-8")
    (scratch.root / "link").symlink_to("../outside/secret.txt")
    place = scratch.root / "project"
    place.mkdir()
    disks, cluster = [part.split("```")[0] for part in text.split("```python\n")[-2:]]
    disks = disks.replace("/srv/uploads", str(scratch.root))
    for name, code in {"disks.py": disks, "cluster.py": cluster, "script.py": SCRIPT}.items():
        (place / name).write_text(code, encoding="utf-8")
    (scratch.root / "numbers.csv").write_text("n\n" + "".join(f"{n}\n" for n in range(10)))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    paths = [str(place), *filter(None, [kept.get("PYTHONPATH")])]
    run = subprocess.run(
        [sys.executable, str(place / "script.py")],
        env=kept
        | {
            "HOME": str(place),
            "PYTHONPATH": os.pathsep.join(paths),
            # Processes that import all of this once, and not each for itself.
            "DASK_MULTIPROCESSING__CONTEXT": "forkserver",
            "DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD": "forkserver",
        },
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == f"{sum(range(10))}\n"
