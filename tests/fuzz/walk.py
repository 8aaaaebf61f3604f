"""The walk, openat2 and the oracle over one tree and some paths: all three must agree.

An input is a tree of up to seven entries and up to three paths with the flags to open them by. Each
is opened on both resolvers: the object reached, or the error, must be what the oracle says, no
descriptor may be left over, and nothing outside may have been touched.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from safefs.errors import SafefsError
from safefs.kernel import open_beneath, trail
from safefs.paths import RelPath
from safefs.testing.exhaustion import RESOLVERS, Ground, expected, forced, shown
from safefs.testing.oracle import Directory, File, Link, Node, nodes, resolve, verdict_of
from safefs.testing.scratch import Scratch
from safefs.testing.strategies import MOST_UPS
from tests.fuzz.reading import Choices

LONGEST = 256
HELD = 3  # descriptors that the walk may hold, so that a small tree is too deep for them

if TYPE_CHECKING:
    from pathlib import Path

_NAMES = ("a", "b", "c")
_PARTS = (
    *_NAMES,
    *("..", ".", ".."),
    *("", "a", "secret.txt", "outside", "root", "a\n", "\udcff"),
    "n" * 255,
    "n" * 256,
)
_LEADS = ("", "", "", "", "", "{outside}/", "{root}/", "{scratch}/")
_TIMES = (1, 1, 1, 1, 1, 2, 41, 1400)  # a path of 41 links, and one beyond PATH_MAX
_UPS = MOST_UPS // 2  # of the tree, and again of each path
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_FLAGS = (
    os.O_PATH,
    os.O_PATH | os.O_NOFOLLOW,
    os.O_PATH | os.O_DIRECTORY,
    os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY,
    os.O_RDONLY,
    os.O_RDONLY | os.O_NOFOLLOW,
    os.O_RDONLY | os.O_DIRECTORY,
    os.O_WRONLY,
    os.O_RDWR | os.O_NOFOLLOW,
    os.O_RDWR | os.O_TRUNC,
    os.O_WRONLY | os.O_CREAT,
    os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
)


class Made(NamedTuple):
    """A new file, by its path from the root."""

    path: str


Outcome = Node | Made | str


class DisagreementError(AssertionError):
    """One of the three said something else."""


class Target:
    """A scratch with a root on which one input after another is laid."""

    def __init__(self, place: Path) -> None:
        self._held, trail.Trail.__init__.__defaults__ = trail.Trail.__init__.__defaults__, (HELD,)
        self.ground = Ground(Scratch.make(place))

    def run(self, data: bytes) -> None:
        choices = Choices(data)
        tree = _tree(choices)
        self.ground.lay(tree)
        free, written = _lowest_free(), False
        for _ in range(1 + choices.below(3)):
            flags, path = choices.of(_FLAGS), _path(choices)
            self._agree(tree, path, flags)
            written = written or bool(flags & _WRITES)
        assert _lowest_free() == free, "a descriptor is left over"
        if written:
            assert not self.ground.scratch.changes(), self.ground.scratch.changes()

    def close(self) -> None:
        """Let the scratch go, and the walk hold as much as ever."""
        self.ground.close()
        trail.Trail.__init__.__defaults__ = self._held

    def _agree(self, tree: Directory, path: str, flags: int) -> None:
        answers: dict[str, Outcome] = {
            resolver: self._opened(tree, path, flags, resolver) for resolver in RESOLVERS
        }
        wanted = _wanted(tree, path, flags)
        if wanted is not None:
            answers["the oracle"] = wanted
        first, *others = answers.values()
        if any(other is not first and other != first for other in others):
            told = ", ".join(f"{who} says {_said(what)}" for who, what in answers.items())
            raise DisagreementError(f"{path[:300]!r} by {flags:#o} in {shown(tree)}: {told}")

    def _opened(self, tree: Directory, path: str, flags: int, resolver: str) -> Outcome:
        try:
            with forced(resolver):
                fd = open_beneath(self.ground.handle, RelPath.parse(path), flags, 0o600)
        except (SafefsError, OSError) as error:
            return verdict_of(error)
        try:
            found = os.fstat(fd)
            node = self.ground.objects.get((found.st_dev, found.st_ino))
            return node if node is not None else self._made(fd)
        finally:
            os.close(fd)

    def _made(self, fd: int) -> Outcome:
        """Where the object stands that is not of the tree; a new one beneath the root goes."""
        place, root = os.readlink(f"/proc/self/fd/{fd}"), f"{self.ground.scratch.root}/"
        if not place.startswith(root):
            return f"an object outside: {place}"
        made = Made(place[len(root) :])
        os.unlink(made.path, dir_fd=self.ground.fd)
        return made


def _lowest_free() -> int:
    fd = os.dup(0)
    os.close(fd)
    return fd


def _said(outcome: Outcome) -> str:
    return repr(outcome) if isinstance(outcome, Made | str) else f"the {type(outcome).__name__}"


# -- what an input means -------------------------------------------------------------------------


def _tree(choices: Choices) -> Directory:
    top = Directory()
    directories: tuple[Directory, ...] = (top,)
    ups = _UPS
    for _ in range(choices.below(8)):
        where, name, kind = choices.of(directories), choices.of(_NAMES), choices.below(4)
        node: Node = File(b"inside") if kind == 1 else Directory()
        if kind > 1:
            target, ups = _target(choices, ups)
            node = Link(target)
        if name not in where.entries:
            where.entries[name] = node
            directories += (node,) if isinstance(node, Directory) else ()
    return top


def _target(choices: Choices, ups: int) -> tuple[str, int]:
    lead = choices.of(_LEADS)
    parts, ups = _parts(choices, ups)
    return lead + ("/".join(parts).lstrip("/") or "."), ups


def _path(choices: Choices) -> str:
    parts, left = _parts(choices, _UPS)
    times = choices.of(_TIMES) if left == _UPS else 1
    path = "/".join(parts * times).lstrip("/")
    return path + choices.of(("", "", "", "/")) if path else ""


def _parts(choices: Choices, ups: int) -> tuple[list[str], int]:
    """Up to 15 components, among which no more than ``ups`` climb; and how many are left."""
    parts = [choices.of(_PARTS) for _ in range(choices.below(16))]
    for at, part in enumerate(parts):
        if part == "..":
            parts[at], ups = (part, ups - 1) if ups else (".", ups)
    return parts, ups


# -- what the oracle says ------------------------------------------------------------------------


def _wanted(tree: Directory, path: str, flags: int) -> Outcome | None:
    """The outcome by the oracle, or None where it has nothing to say."""
    if flags & os.O_CREAT:
        return _wanted_of_new(tree, path, flags)
    found = expected(tree, path, follow=not flags & os.O_NOFOLLOW)
    if isinstance(found, str):
        return found
    if flags & os.O_DIRECTORY and not isinstance(found, Directory):
        return "ENOTDIR"
    if flags & os.O_PATH:
        return found
    if isinstance(found, Link):
        return "ELOOP"
    return "EISDIR" if isinstance(found, Directory) and flags & _WRITES else found


def _wanted_of_new(tree: Directory, path: str, flags: int) -> Outcome | None:
    verdict = resolve(tree, path, follow=not flags & os.O_EXCL)
    if path.endswith("/") or verdict.slash:
        return None  # EISDIR at once, or what comes first on the way
    if verdict.error == "ENOENT" and verdict.parent is not None:
        paths: dict[int, str] = {id(tree): ""}
        paths |= {id(node): f"{at}/" for at, node in nodes(tree)}
        return Made(f"{paths[id(verdict.parent)]}{verdict.name}")
    if verdict.node is None:
        return verdict.error
    if flags & os.O_EXCL:
        return "EEXIST"
    return "EISDIR" if isinstance(verdict.node, Directory) else verdict.node


def seeds() -> list[bytes]:
    """A few trees with a path each, spelt in choices."""
    plain = bytes((2, 0, 0, 0, 1, 1, 1, 0, 0, 2, 0, 1, 0, 0))
    link = bytes((2, 0, 0, 0, 0, 1, 2, 0, 2, 3, 1, 0, 10, 2, 1, 0, 0, 0))
    loop = bytes((1, 0, 0, 2, 0, 1, 0, 0, 0, 1, 0, 0, 0))
    here = bytes((1, 0, 0, 2, 0, 1, 4, 0, 0, 1, 0, 6, 0))  # a => ., and 41 times a
    deep = bytes((5, 0, 0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 4, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 3, 3, 3))
    long_name = bytes((0, 0, 0, 1, 14, 0, 0))
    long_path = bytes((0, 0, 0, 2, 0, 1, 7, 0))
    return [plain, link, loop, here, deep, long_name, long_path]
