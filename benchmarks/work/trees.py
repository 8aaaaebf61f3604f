"""Whole trees: walked, searched, counted, copied and removed. In memory where no place is named."""

from __future__ import annotations

import glob
import os
import shutil
from dataclasses import replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from benchmarks import peers
from benchmarks.ground import KIB
from benchmarks.workload import OS, Ratio, Subject, Workload
from safefs import Root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.ground import Ground, Scale

SORTED = "os.walk, names sorted"
JOINED = "os.walk, os.path.join"


def workloads(scale: Scale) -> list[Workload]:
    return [
        _walking(scale.tree),
        _finding(scale.tree),
        _globbing(scale.tree),
        _usage(scale.tree),
        _copying(scale.many),
        _removing(scale.many),
    ]


def _tree(ground: Ground, files: int) -> tuple[str, str, Root]:
    path = ground.tree(files)
    return path, f"{ground.top}/{path}", ground.held(Root(ground.top))


def count_walk(entries: Iterable[tuple[str, list[str], list[str]]]) -> int:
    return sum(len(names) for _, _, names in entries)


def _walking(files: int) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        path, full, root = _tree(ground, files)
        return {
            OS: _walked(lambda: os.walk(full), len(full)),
            SORTED: _walked(lambda: walk_sorted(full), len(full)),
            "Root.walk": _walked(lambda: root.walk(path), len(path)),
        }

    figures = (Ratio("Root.walk", most=0.95), Ratio("Root.walk", SORTED, most=0.75))
    return Workload("trees", f"walk {files:,} files", make, figures)


def _walked(walk: Callable[[], Iterable[tuple[str, list[str], list[str]]]], top: int) -> Subject:
    """Counted; ``top``: how long the part of each path is that is not told."""
    return Subject(
        lambda: count_walk(walk()),
        whole=lambda: {at[top:]: (set(below), set(names)) for at, below, names in walk()},
    )


def walk_sorted(full: str) -> Iterable[tuple[str, list[str], list[str]]]:
    for at, below, names in os.walk(full):
        below.sort()
        names.sort()
        yield at, below, names


def _finding(files: int) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        path, full, root = _tree(ground, files)
        return {
            OS: found_by(lambda: _found(os.walk(full)), len(full)),
            SORTED: found_by(lambda: _found(walk_sorted(full)), len(full)),
            JOINED: found_by(lambda: _joined(os.walk(full)), len(full)),
            "Root.find": found_by(lambda: root.find(path), len(path)),
            **{
                name: replace(each, shown=len, whole=partial(_portions, each))
                for name, each in peers.subjects(ground, "find", path).items()
            },
        }

    figures = (Ratio("Root.find", most=0.95), Ratio("Root.find", SORTED, most=0.75))
    return Workload("trees", f"find {files:,} files", make, figures)


def found_by(find: Callable[[], Iterable[str]], top: int) -> Subject:
    """Counted, as ``_walked`` is."""
    return Subject(lambda: _count(find()), whole=lambda: {each[top:] for each in find()})


def _portions(peer: Subject) -> set[str]:
    """What a peer finds; its paths are from the tree already."""
    return {f"/{each}" for each in peer.act()}


def _found(entries: Iterable[tuple[str, list[str], list[str]]]) -> Iterable[str]:
    return (f"{at}/{name}" for at, _, names in entries for name in names)


def _joined(entries: Iterable[tuple[str, list[str], list[str]]]) -> Iterable[str]:
    """As most would write it; it takes twice as long."""
    return (os.path.join(at, name) for at, _, names in entries for name in names)


def _count(paths: Iterable[str]) -> int:
    return sum(1 for _ in paths)


def _globbing(files: int) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        path, full, root = _tree(ground, files)
        return {
            "glob.glob": Subject(lambda: set(glob.glob("**/*.x", root_dir=full, recursive=True))),
            "Root.glob": Subject(
                lambda: set(root.glob(f"{path}/**/*.x")),
                lambda found: {each[len(path) + 1 :] for each in found},
            ),
            **peers.subjects(ground, "glob", path),
        }

    figures = (Ratio("Root.glob", "glob.glob", most=0.5),)
    title = f"glob **/*.x in {files:,} files"
    return Workload("trees", title, make, figures, baseline="glob.glob")


def _usage(files: int) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        path, full, root = _tree(ground, files)
        return {
            OS: Subject(lambda: used(full)),
            "Root.disk_usage": Subject(partial(root.disk_usage, path)),
            **peers.subjects(ground, "usage", path),
        }

    figures = (Ratio("Root.disk_usage", most=1.05),)
    return Workload("trees", f"disk_usage of {files:,} files", make, figures)


def used(full: str) -> int:
    """``os.walk`` and a look at each."""
    return sum(os.lstat(path).st_size for path in _found(os.walk(full)))


def portrait(full: str) -> list[tuple[str, int]]:
    """Every file beneath, by its path from there, and its size."""
    found = _found(os.walk(full))
    return sorted((path[len(full) :], os.lstat(path).st_size) for path in found)


def gone(full: str) -> None:
    if os.path.exists(full):
        shutil.rmtree(full)


def copying(ground: Ground, files: int, depth: int = 2) -> dict[str, Subject]:
    """``Root.copy_tree`` and ``shutil.copytree``, each into a place of its own, emptied before."""
    path = ground.tree(files, depth, KIB)
    source, root = f"{ground.top}/{path}", ground.held(Root(ground.top))
    theirs, ours = f"{ground.top}/theirs", f"{ground.top}/ours"
    return {
        "shutil.copytree": Subject(
            lambda: shutil.copytree(source, theirs, symlinks=True),
            lambda _: portrait(theirs),
            lambda: gone(theirs),
        ),
        "Root.copy_tree": Subject(
            lambda: root.copy_tree(path, "ours"), lambda _: portrait(ours), lambda: gone(ours)
        ),
    }


def copying_anew(ground: Ground, files: int) -> dict[str, Subject]:
    """The same, each copy beside those before it, and nothing removed meanwhile.

    For some minutes after files were removed, ext4 goes past each of their inodes whenever one is
    made (``recently_deleted`` in its ialloc.c), which took five times what the copy takes.
    """
    path = ground.tree(files, content=KIB)
    source, root = f"{ground.top}/{path}", ground.held(Root(ground.top))
    numbers = count()

    def theirs() -> str:
        return str(shutil.copytree(source, f"{ground.top}/copy-{next(numbers)}", symlinks=True))

    def ours() -> str:
        name = f"copy-{next(numbers)}"
        root.copy_tree(path, name)
        return f"{ground.top}/{name}"

    return {"shutil.copytree": Subject(theirs, portrait), "Root.copy_tree": Subject(ours, portrait)}


def removing(ground: Ground, files: int, depth: int = 2) -> dict[str, Subject]:
    """``Root.remove_tree`` and ``shutil.rmtree``, each of a copy of its own, laid before."""
    source = f"{ground.top}/{ground.tree(files, depth, KIB)}"
    root = ground.held(Root(ground.top))

    def laid(name: str) -> Callable[[], object]:
        def lay() -> None:
            gone(f"{ground.top}/{name}")
            shutil.copytree(source, f"{ground.top}/{name}")

        return lay

    def left(name: str) -> Callable[[Any], object]:
        return lambda _: os.path.lexists(f"{ground.top}/{name}")

    return {
        "shutil.rmtree": Subject(
            lambda: shutil.rmtree(f"{ground.top}/theirs"), left("theirs"), laid("theirs")
        ),
        "Root.remove_tree": Subject(lambda: root.remove_tree("ours"), left("ours"), laid("ours")),
    }


def _copying(files: int) -> Workload:
    figures = (Ratio("Root.copy_tree", "shutil.copytree", most=0.55),)
    make = partial(copying_anew, files=files)
    title = f"copy_tree of {files:,} files, ext4"
    baseline = "shutil.copytree"
    return Workload("trees", title, make, figures, baseline=baseline, place="ext4")


def _removing(files: int) -> Workload:
    figures = (Ratio("Root.remove_tree", "shutil.rmtree", most=1.0),)
    make = partial(removing, files=files)
    title = f"remove_tree of {files:,} files"
    return Workload("trees", title, make, figures, baseline="shutil.rmtree")
