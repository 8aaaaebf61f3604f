"""``safefs://`` against fsspec's own file systems, on one tree.

``LocalFileSystem`` is the baseline; ``DirFileSystem`` over it is what people use to stay within a
directory (it checks no link).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks import peers
from benchmarks.ground import KIB, write
from benchmarks.workload import Ratio, Subject, Workload
from safefs import Disk, Storage

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.ground import Ground, Scale

    Call = Callable[[Any, str], object]

BASELINE = "LocalFileSystem"
SAFE = "safefs://"
DEEP = "deep/b/c/file"


def workloads(scale: Scale) -> list[Workload]:
    files, many = scale.tree, scale.many
    return [
        _workload("cat_file, 1 KiB deep", 0.25, lambda fs, t: fs.cat_file(f"{t}{DEEP}")),
        _workload("info", 0.95, lambda fs, t: fs.info(f"{t}{DEEP}"), lambda found: found["size"]),
        _workload("exists", 0.40, lambda fs, t: fs.exists(f"{t}{DEEP}")),
        _workload(
            "open and read, 1 KiB", 0.50, lambda fs, t: peers.read_opened(fs.open(f"{t}{DEEP}"))
        ),
        _workload(
            f"ls of {many:,}, detail", 0.60, lambda fs, t: fs.ls(f"{t}{_flat(many)}", detail=True),
            lambda found: {each["name"].rpartition("/")[2]: each["size"] for each in found},
        ),
        _workload(
            f"cat of {many:,} files", 0.25, partial(_cat, many),
            lambda found: {path.rpartition("/")[2]: data for path, data in found.items()},
        ),
        _workload(
            f"find of {files:,}", 0.10, lambda fs, t: fs.find(f"{t}{_tree(files)}"),
            partial(_beneath, _tree(files)),
        ),
        _workload(
            f"find of {files:,}, detail", 0.55,
            lambda fs, t: fs.find(f"{t}{_tree(files)}", detail=True),
            lambda found: sum(each["size"] for each in found.values()),
        ),
        _workload(
            f"walk of {files:,}", 0.10,
            lambda fs, t: list(fs.walk(f"{t}{_tree(files)}")),
            lambda found: {(_after(_tree(files), at), *sorted(names)) for at, _, names in found},
        ),
        _workload(
            f"glob ** of {files:,}", 0.10, lambda fs, t: fs.glob(f"{t}{_tree(files)}/**"),
            partial(_beneath, _tree(files)),
        ),
        _workload(f"du of {files:,}", 0.20, lambda fs, t: fs.du(f"{t}{_tree(files)}")),
    ]  # fmt: skip


def _after(tree: str, path: str) -> str:
    """What comes after the tree's own name."""
    return path.partition(tree)[2].rstrip("/")


def _beneath(tree: str, found: Any) -> set[str]:
    return {_after(tree, each) for each in found}


def _flat(files: int) -> str:
    return f"flat-{files}"


def _tree(files: int) -> str:
    return f"tree-{files}-2-0"


def _cat(many: int, fs: Any, top: str) -> Any:
    return fs.cat([f"{top}{_flat(many)}/{number:05}" for number in range(many)])


def _workload(
    title: str, most: float, call: Call, shown: Callable[[Any], object] = lambda answer: answer
) -> Workload:
    figures = (Ratio(SAFE, BASELINE, most=most),)
    make = partial(_make, call=call, shown=shown)
    return Workload("fsspec", f"fsspec: {title}", make, figures, baseline=BASELINE)


def _make(ground: Ground, call: Call, shown: Callable[[Any], object]) -> dict[str, Subject]:
    from fsspec.implementations.dirfs import DirFileSystem
    from fsspec.implementations.local import LocalFileSystem

    from safefs.integrations.fsspec import SafeFileSystem

    write(f"{ground.top}/{DEEP}", KIB)
    ground.flat(ground.scale.many)
    ground.tree(ground.scale.tree)
    disk = ground.held(Disk(ground.top))
    storage = ground.held(Storage("benchmark", disks={"bench": disk}))
    ground.held(storage.register("bench"))
    systems: dict[str, tuple[Any, str]] = {
        BASELINE: (LocalFileSystem(), f"{ground.top}/"),
        "DirFileSystem": (DirFileSystem(ground.top, LocalFileSystem()), ""),
        SAFE: (SafeFileSystem(), "bench/"),
        "Disk.fs": (disk.fs, ""),
    }
    return {name: Subject(partial(call, fs, top), shown) for name, (fs, top) in systems.items()}
