"""How time and memory grow with the files of a tree, and with its depth.

A directory holds 100 files, or fewer where the tree would otherwise be less deep than it is to be.
The exponent is that of the line of least squares through the logarithms, in each round anew.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.work.trees import copying, count_walk, removing, used
from benchmarks.workload import Exponent, Figure, More, Subject, Workload
from safefs import Root

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.ground import Ground, Scale

    # The subject of safefs and that of plain os, for a tree at a path.
    Pair = tuple[Callable[[Root, str], Any], Callable[[str], Any]]

MOST = 1.05
_GLOB = "**/*.x"
# What they count is compared in whole by the workloads of ``trees``.
LOOKING: dict[str, Pair] = {
    "walk": (lambda root, path: count_walk(root.walk(path)),
             lambda full: count_walk(os.walk(full))),
    "find": (lambda root, path: sum(1 for _ in root.find(path)),
             lambda full: sum(len(names) for _, _, names in os.walk(full))),
    "glob": (lambda root, path: sum(1 for _ in root.glob(f"{path}/{_GLOB}")),
             lambda full: sum(n.endswith(".x") for _, _, names in os.walk(full) for n in names)),
    "disk_usage": (lambda root, path: root.disk_usage(path), used),
}  # fmt: skip
CHANGING = {"copy_tree": copying, "remove_tree": removing}
ITERATED = ("walk", "find")


def workloads(scale: Scale) -> list[Workload]:
    deepest, middle = scale.depths[-1], scale.sizes[-2]
    return [
        *(_with_files(word, scale, depth) for depth in scale.depths for word in LOOKING),
        *(_changing(word, scale, depth) for depth in scale.depths for word in CHANGING),
        *(_with_depth(word, scale, middle) for word in LOOKING if deepest > 1),
    ]


def _with_files(word: str, scale: Scale, depth: int) -> Workload:
    ours = tuple((float(size), f"Root, {size:,}") for size in scale.sizes)
    plain = tuple((float(size), f"os, {size:,}") for size in scale.sizes)
    figures: list[Figure] = [
        Exponent("Root, with files", ours, MOST),
        Exponent("os, with files", plain),
    ]
    if word in ITERATED:
        figures.append(More(ours[-1][1], ours[0][1], most=1.0))
    trees = [(f"{size:,}", size, depth) for size in scale.sizes]
    return Workload(
        "growth", f"{word}, {_sizes(scale)} files, depth {depth}", partial(_looking, word, trees),
        tuple(figures), baseline=plain[-1][1], memory=word in ITERATED, plain=False, like=_size_of,
    )  # fmt: skip


def _with_depth(word: str, scale: Scale, files: int) -> Workload:
    ours = tuple((float(depth), f"Root, depth {depth}") for depth in scale.depths)
    plain = tuple((float(depth), f"os, depth {depth}") for depth in scale.depths)
    figures = (Exponent("Root, with depth", ours), Exponent("os, with depth", plain))
    trees = [(f"depth {depth}", files, depth) for depth in scale.depths]
    title = f"{word}, {files:,} files, depth {scale.depths[0]} to {scale.depths[-1]}"
    return Workload(
        "growth", title, partial(_looking, word, trees), figures,
        baseline=plain[-1][1], plain=False, like=_size_of,
    )  # fmt: skip


def _sizes(scale: Scale) -> str:
    return f"{scale.sizes[0]:,} to {scale.sizes[-1]:,}"


def _size_of(name: str) -> str:
    """Subjects of one size must agree, and no others."""
    return name.partition(", ")[2]


def _looking(word: str, trees: list[tuple[str, int, int]], ground: Ground) -> dict[str, Subject]:
    ours, plain = LOOKING[word]
    root = ground.held(Root(ground.top))
    found = {}
    for label, files, depth in trees:
        path = ground.tree(files, depth)
        found[f"Root, {label}"] = Subject(partial(ours, root, path))
        found[f"os, {label}"] = Subject(partial(plain, f"{ground.top}/{path}"))
    return found


def _changing(word: str, scale: Scale, depth: int) -> Workload:
    ours = tuple((float(size), f"Root, {size:,}") for size in scale.sizes)
    plain = tuple((float(size), f"shutil, {size:,}") for size in scale.sizes)
    figures = (
        Exponent("Root, with files", ours, MOST),
        Exponent("shutil, with files", plain),
    )

    def make(ground: Ground) -> dict[str, Subject]:
        found = {}
        for size in scale.sizes:
            theirs, mine = CHANGING[word](ground, size, depth).values()
            found[f"Root, {size:,}"], found[f"shutil, {size:,}"] = mine, theirs
        return found

    return Workload(
        "growth", f"{word}, {_sizes(scale)} files, depth {depth}", make, figures,
        baseline=plain[-2][1], plain=False, like=_size_of,
    )  # fmt: skip
