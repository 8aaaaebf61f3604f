"""Bounded exhaustion of the operations: each, once for every distinct case of every small tree.

A case is (tree, what the path leads to, where its last component stands, which component that is,
whether a slash follows): paths that agree in all of these are one to everything behind the
resolver, and the resolver itself is run on every path (``safefs.testing.exhaustion``).
"""

from __future__ import annotations

import os
import time
from itertools import product
from typing import TYPE_CHECKING

from safefs.testing.exhaustion import RESOLVERS, Ground, Tally, forced, shown
from safefs.testing.model import UMASK
from safefs.testing.operations import OPERATIONS
from safefs.testing.oracle import Directory, resolve
from safefs.testing.portraits import cloned, portrait, portrait_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from safefs.testing.operations import Operation
    from safefs.testing.portraits import Portrait

_DOTS = ("", ".", "..")


def distinct(tree: Directory, some_paths: Iterable[str]) -> list[str]:
    """One path, the first, for each distinct case in this tree."""
    found: dict[tuple[object, ...], str] = {}
    for path in some_paths:
        found.setdefault(_case(tree, path), path)
    return list(found.values())


def _case(tree: Directory, path: str) -> tuple[object, ...]:
    head, _, last = path.rstrip("/").rpartition("/")
    place, reached = resolve(tree, head), resolve(tree, path)
    if place.node is None and last not in _DOTS:
        last = "a name"  # of a parent that is not there: which one makes no difference
    return (
        reached.error if reached.node is None else id(reached.node),
        # What is missing at the end of a link would be made elsewhere than under this name.
        (id(reached.parent), reached.name),
        place.error if place.node is None else id(place.node),
        last,
        path.endswith("/"),
    )


class _Trial:
    """One tree, laid out, on which each operation is tried and undone."""

    def __init__(self, tree: Directory, ground: Ground, tally: Tally) -> None:
        self.tree = tree
        self.ground = ground
        self.tally = tally
        ground.lay(tree)
        self.before = portrait(tree)

    def run(self, operation: Operation, resolver: str, *paths: str) -> None:
        tree = cloned(self.tree) if operation.changes else self.tree
        expected = operation.expected(tree, *paths)
        observed = operation.observed(self.ground.root, *paths)
        self.tally.comparisons += 1
        wrong = [] if expected.allows(observed) else [f"{observed}, and not {expected}"]
        if operation.changes:
            after = portrait(tree)
            found = portrait_of(self.ground.scratch.root)
            if found != after:
                wrong.append(f"left {_differing(found, after)}")
            if found != self.before:
                self.ground.lay(self.tree)
        for words in wrong:
            said = f"{resolver}: {operation.name}{paths} in {shown(self.tree)}"
            self.tally.disagreements.append(f"{said}: {words}")


def _differing(found: Portrait, wanted: Portrait) -> str:
    names = sorted(found.keys() | wanted.keys())
    told = (
        f"{name!r} as {found.get(name)}, and not {wanted.get(name)}"
        for name in names
        if found.get(name) != wanted.get(name)
    )
    return "; ".join(told)


def operate_all(
    some_trees: Iterable[Directory],
    some_paths: list[str],
    ground: Ground,
    *,
    paths: int,
    in_turns: bool = False,
) -> Tally:
    """Try every operation of so many ``paths`` in every distinct case of every tree, on both
    resolvers, and compare answer and tree with the model.

    ``in_turns``: only what changes something, one tree on the one resolver and the next on the
    other. ``cases`` counts (tree, operation, distinct path or pair of them).
    """
    chosen = [
        operation
        for operation in OPERATIONS.values()
        if operation.paths == paths and (operation.changes or not in_turns)
    ]
    tally, began = Tally(), time.monotonic()
    umask = os.umask(UMASK)
    try:
        for tree in some_trees:
            trial = _Trial(tree, ground, tally)
            arguments = list(product(distinct(tree, some_paths), repeat=paths))
            for resolver in (RESOLVERS[tally.trees % 2],) if in_turns else RESOLVERS:
                with forced(resolver):
                    for operation, given in product(chosen, arguments):
                        trial.run(operation, resolver, *given)
            tally.trees += 1
            tally.cases += len(chosen) * len(arguments)
    finally:
        os.umask(umask)
    tally.disagreements += ground.scratch.changes()
    tally.seconds = time.monotonic() - began
    return tally
