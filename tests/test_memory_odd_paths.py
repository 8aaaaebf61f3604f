"""A tree in memory and a directory answer alike about every odd path, and every pair of them.

Random steps come to such a pair once in a hundred thousand. Here all are gone through, a share of
them in one run: each operation, in each small tree, under each policy.
"""

from __future__ import annotations

import os
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from safefs.drivers.local import LocalDriver
from safefs.drivers.memory import MemoryDriver
from safefs.paths import RelPath
from safefs.policy import Policy
from safefs.root import Root
from safefs.testing import planting
from tests.conftest import PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs.drivers.base import Driver
    from safefs.testing.scratch import Scratch

    Act = Callable[..., object]

pytestmark = pytest.mark.usefixtures("untraced")

EVERY = {"dev": 499, "ci": 199, "prove": 5}[PROFILE]  # so many cases: primes, to meet all kinds

_LONG = "long" * 64
PATHS = (
    "", ".", "..", "a", "a/", "a/b", "a/b/", "a/b/a", "a/a", "b", "b/", "b/a/a", ".d", ".d/a",
    "a/.d", "a/..", "a/../b", "../a", "a/../../a", "a:", "a/a:", _LONG, f"{_LONG}/", f"a/{_LONG}",
    f"b/{_LONG}", f"{_LONG}/a", f"a/../{_LONG}",
)  # fmt: skip
TREES = (
    "", "a", "a/", "a/b", "a/b/", "a/b/a", "b", "b/ a/b", "b/a a/a", ".d/a a:", ".d a:/ a/.d",
    "b/b/ a/b/b/",
)  # fmt: skip
POLICIES = {
    "none": Policy(),
    "portable": Policy(portable_names=True),
    "no dots": Policy(top_level_dot_entries="refuse"),
    "read only": Policy(read_only=True),
    "append only": Policy(append_only=True),
    "denied": Policy(deny=["b"]),
    "denied, missing": Policy(deny=["b"], denied="missing"),
    "denied as a directory": Policy(deny=["a/"]),
    "allowed": Policy(allow=["/a/b", "a:"]),
    "allowed, missing": Policy(allow=["/a/b", "a:"], denied="missing"),
    "allowed as a directory": Policy(allow=["b/"]),
    "allowed, portable": Policy(allow=["b"], portable_names=True),
    "allowed, append only": Policy(allow=["/a/b"], append_only=True),
}


def _edited(driver: Driver, path: RelPath, mode: str) -> object:
    with driver.open(path, mode) as file:
        read = file.read() if "r" in mode or "+" in mode else b""
        if mode != "rb":
            file.write(b"more")
    return read


def _told(driver: Driver, path: RelPath) -> object:
    """What both can say: a directory of a file system has a size of its own."""
    stat = driver.stat(path)
    return stat.kind, stat.size if stat.kind == "file" else None, stat.permissions


def _scanned(driver: Driver, path: RelPath) -> object:
    return sorted(name for name, _ in driver.scan(path))


def _entered(driver: Driver, path: RelPath) -> object:
    beneath = driver.narrowed(path)
    try:
        return _scanned(beneath, RelPath.parse(""))
    finally:
        beneath.close()


_LOOKS: dict[str, Act] = {
    "read": lambda d, p: d.read(p),
    "stat": _told,
    "lstat": lambda d, p: d.lstat(p).kind,
    "scan": _scanned,
    "walk": lambda d, p: [step[1:] for step in d.walk(p)],
    "narrowed": _entered,
    "open rb": lambda d, p: _edited(d, p, "rb"),
}
_MODES = ("r+b", "wb", "w+b", "ab", "a+b", "xb", "x+b")
_CHANGES: dict[str, Act] = {
    "write": lambda d, p: d.write(p, [b"new"]),
    "write anew": lambda d, p: d.write(p, [b"new"], overwrite=False),
    **{f"open {mode}": lambda d, p, mode=mode: _edited(d, p, mode) for mode in _MODES},
    **{
        f"mkdir, parents={up}, exist_ok={ok}": lambda d, p, up=up, ok=ok: d.mkdir(
            p, 0o755, parents=up, exist_ok=ok
        )
        for up, ok in product((False, True), repeat=2)
    },
    "remove": lambda d, p: d.remove(p),
    "rmdir": lambda d, p: d.rmdir(p),
    "remove_tree": lambda d, p: d.remove_tree(p),
    "chmod": lambda d, p: d.chmod(p, lambda _: 0o700),
    "touch": lambda d, p: d.touch(p),
}
_OF_TWO: dict[str, Act] = {
    "copy": lambda d, p, q: d.copy(p, q, overwrite=True),
    "copy anew": lambda d, p, q: d.copy(p, q, overwrite=False),
    "rename": lambda d, p, q: d.rename(p, q, overwrite=True),
    "rename anew": lambda d, p, q: d.rename(p, q, overwrite=False),
}
_ONES, _PAIRS = list(product(PATHS)), list(product(PATHS, repeat=2))
_CASES: list[tuple[str, Act, str, tuple[str, ...]]] = [
    (name, act, tree, paths)
    for acts, many in ((_LOOKS, _ONES), (_CHANGES, _ONES), (_OF_TWO, _PAIRS))
    for name, act in acts.items()
    for tree in TREES
    for paths in many
]


def _grow(driver: Driver, tree: str) -> None:
    for path in tree.split():
        above = path.rpartition("/")[0]
        if above:
            driver.mkdir(RelPath.parse(above), 0o755, parents=True, exist_ok=True)
        if path[-1] != "/":
            driver.write(RelPath.parse(path), [b"old"])


def _outcome(driver: Driver, act: Act, paths: tuple[str, ...]) -> object:
    try:
        return act(driver, *map(RelPath.parse, paths))
    except OSError as error:
        return type(error).__name__, error.errno


def _all(driver: Driver) -> dict[str, Any]:
    found = {}
    for here, directories, others in driver.walk(RelPath.parse("")):
        for name in [*directories, *others]:
            path = RelPath.parse(f"{here}/{name}" if here else name)
            found[path.text] = _told(driver, path), name in others and driver.read(path)
    return found


@pytest.fixture
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_umask")
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_memory_and_directory_agree_about_every_odd_path(policy: Policy, scratch: Scratch) -> None:
    for name, act, tree, paths in _CASES[::EVERY]:
        planting.clear(str(scratch.root))
        scratch.root.chmod(0o755)
        on_disk, in_memory = LocalDriver(Root(scratch.root)), MemoryDriver()
        answers = []
        for driver in (on_disk, in_memory):
            _grow(driver, tree)
            narrow = driver.narrowed(RelPath.parse(""), policy)
            answers.append((_outcome(narrow, act, paths), name in _LOOKS or _all(driver)))
            narrow.close()
        on_disk.close()
        assert answers[0] == answers[1], f"{name} of {paths} in {tree!r}"
