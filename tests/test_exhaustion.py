"""Bounded exhaustion: a deterministic slice here, the whole of it in ``make prove``."""

from __future__ import annotations

import tempfile
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from safefs.kernel import syscalls, walk
from safefs.paths import RelPath
from safefs.testing import exhaustion, operating
from safefs.testing.oracle import Directory, File, Link
from safefs.testing.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.usefixtures("untraced")

_STEP = 117  # of all trees, every so many: each kind of first entry, and all sizes, are among them


@pytest.fixture
def ground() -> Iterator[exhaustion.Ground]:
    with tempfile.TemporaryDirectory(prefix="safefs-exhaustion-") as name:
        made = exhaustion.Ground(Scratch.make(Path(name)))
        yield made
        made.close()


def test_every_small_tree_and_every_short_path_is_enumerated_once() -> None:
    """By the count: a node of n entries is a file or one of 8 links (n = 1), or a directory of n-1;
    a directory of n is two nodes, or none, that share n."""
    shown = [[exhaustion.shown(tree) for tree in exhaustion.trees(n)] for n in range(5)]
    assert [len(lines) for lines in shown] == [1, 20, 140, 680, 4560]
    assert all(len(set(lines)) == len(lines) for lines in shown)
    paths = exhaustion.paths()
    assert len(paths) == len(set(paths)) == 1 + 2 * (4 + 4**2 + 4**3 + 4**4)


def test_a_slice_of_the_exhaustion_has_no_disagreement(
    ground: exhaustion.Ground, counted: Callable[..., None]
) -> None:
    every = chain.from_iterable(exhaustion.trees(n) for n in range(5))
    some = islice(every, 0, None, _STEP)
    tally = exhaustion.resolve_all(some, exhaustion.paths(), ground)
    assert not tally.disagreements, "\n".join(tally.disagreements[:20])
    assert tally.cases >= 30_000
    assert {"file", "link", "directory", "escape", "ENOENT", "ENOTDIR", "ELOOP"} <= set(
        tally.verdicts
    )
    counted(
        "exhaustion, a slice",
        f"{tally.cases:,} cases",
        seconds=tally.seconds,
        disagreements=len(tally.disagreements),
    )


@pytest.mark.parametrize(("paths", "entries", "step"), [(1, 4, 1000), (2, 2, 90)])
def test_a_slice_of_all_operations_ends_as_the_model_says(
    paths: int,
    entries: int,
    step: int,
    ground: exhaustion.Ground,
    counted: Callable[..., None],
) -> None:
    every = chain.from_iterable(exhaustion.trees(n) for n in range(entries + 1))
    some = islice(every, 0, None, step)
    tally = operating.operate_all(some, exhaustion.paths(), ground, paths=paths)
    assert not tally.disagreements, "\n".join(tally.disagreements[:20])
    assert tally.cases >= 5_000
    counted(
        f"operations on {paths} path{'s' * (paths > 1)}, a slice",
        f"{tally.cases:,} cases",
        seconds=tally.seconds,
        disagreements=len(tally.disagreements),
    )


def test_an_operation_that_is_wrong_is_found_out(
    ground: exhaustion.Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong in what it leaves: the permissions that the umask left."""
    monkeypatch.setattr(syscalls, "fchmod", lambda *_: None)
    tree = Directory({"a": File(b"x", 0o666)})
    tally = operating.operate_all([tree], ["a", "b"], ground, paths=2)
    assert any(
        "copy('a', 'b') in [a]: left 'b' as ('file', 420" in said for said in tally.disagreements
    ), tally.disagreements


def test_what_a_path_leads_to_and_how_it_ends_make_a_case() -> None:
    tree = Directory({"a": Directory(), "b": Link("a")})
    some = ["a", "./a", "b/../a", "a/", "b", "b/", "b/.", "a/.", "a/b", "b/b", "x/a", "x/b"]
    assert operating.distinct(tree, some) == ["a", "a/", "b", "b/", "b/.", "a/b", "x/a"]


def test_a_resolver_that_is_wrong_is_found_out(
    ground: exhaustion.Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong on the safe side, as nothing broken runs outside the jail: it follows no link."""
    monkeypatch.setattr(walk, "MAX_LINKS", 0)
    tree = Directory({"a": Link("b"), "b": File()})
    tally = exhaustion.resolve_all([tree], ["b", "a"], ground)
    assert tally.disagreements == ["walk: 'a' in [a => b, b]: ELOOP, and not the file"]


def test_a_change_outside_is_found_out(ground: exhaustion.Ground) -> None:
    (ground.scratch.outside / "secret.txt").write_text("spoilt")
    tally = exhaustion.resolve_all([Directory()], ["a"], ground)
    assert len(tally.disagreements) == 1
    assert "secret.txt" in tally.disagreements[0]


def test_an_object_outside_is_told_from_those_inside(ground: exhaustion.Ground) -> None:
    """What the root holds and the tree does not stands for what no tree holds."""
    ground.lay(Directory())
    (ground.scratch.root / "a").touch()
    with exhaustion.forced("openat2"):
        path = RelPath.parse("a")
        assert ground.reached(path, syscalls.O_PATH) == "an object outside"
