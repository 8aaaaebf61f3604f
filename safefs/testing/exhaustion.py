"""Bounded exhaustion: every small tree, every short path, both resolvers, against the oracle.

The small-scope argument: what goes wrong in resolving a path goes wrong between one component and
the next, or between a link and what follows it, and so shows in a tree of a few entries. How far
that reaches is written up in ``docs/proof.md``.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

from safefs.errors import SafefsError
from safefs.kernel import open_beneath, probe, syscalls
from safefs.paths import RelPath
from safefs.root import Root
from safefs.testing.oracle import Directory, File, Link, Verdict, nodes, resolve, verdict_of
from safefs.testing.scratch import Scratch, filled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from safefs.kernel.handle import Handle
    from safefs.testing.oracle import Node

    Spec = tuple[str, ...] | str  # of one node: a link's target, "file", or a directory's two

NAMES = ("a", "b")
# Names inside, a loop onto itself or the other name, here, above, over the edge by a step, out and
# back in, and absolute: out, and in.
TARGETS = ("a", "b", ".", "..", "../b", "../root/a", "{outside}", "{root}/a")
# A second alphabet for what the first leaves out: slashes and dots at the end of a link, and two
# steps at once.
TARGETS_WITH_ENDS = ("b/", "a/.", "b/..", "./b", "../..", "a/b", "../outside/", "{root}/")
PARTS = (*NAMES, ".", "..")
RESOLVERS = ("openat2", "walk")
DEPTH = 4

_FILE = "file"
_FOLLOW = syscalls.O_PATH | os.O_CLOEXEC
_NO_FOLLOW = _FOLLOW | os.O_NOFOLLOW


# -- what is enumerated ------------------------------------------------------------------------


def paths(depth: int = DEPTH) -> list[str]:
    """Every path of up to ``depth`` components over two names, ``.`` and ``..``, each also with a
    slash behind it; and the empty one."""
    bare = ["/".join(parts) for n in range(1, depth + 1) for parts in product(PARTS, repeat=n)]
    return ["", *(path + end for path in bare for end in ("", "/"))]


def trees(entries: int, targets: tuple[str, ...] = TARGETS) -> Iterator[Directory]:
    """Every tree of exactly so many entries: each a file, a directory, or a link to a target."""
    for spec in _contents(entries, targets):
        yield _made(spec)


@cache
def _contents(entries: int, targets: tuple[str, ...]) -> tuple[tuple[object, object], ...]:
    """What a directory can hold: (under the first name, under the second), None for nothing."""
    return tuple(
        (first, second)
        for share in range(entries + 1)
        for first in _nodes(share, targets)
        for second in _nodes(entries - share, targets)
    )


@cache
def _nodes(entries: int, targets: tuple[str, ...]) -> tuple[object, ...]:
    """Every node that counts so many entries, itself and what is beneath it."""
    if not entries:
        return (None,)
    leaves: tuple[object, ...] = (_FILE, *targets) if entries == 1 else ()
    return (*leaves, *_contents(entries - 1, targets))


def _made(spec: tuple[object, object]) -> Directory:
    made = Directory()
    for name, node in zip(NAMES, spec, strict=True):
        if node is not None:
            made.entries[name] = _node(node)
    return made


def _node(spec: object) -> Node:
    if isinstance(spec, tuple):
        return _made(spec)
    return File(b"inside") if spec == _FILE else Link(str(spec))


# -- where it is tried -------------------------------------------------------------------------


@dataclass(slots=True)
class Tally:
    """What an exhaustion came to. ``disagreements`` are told in words; there must be none."""

    trees: int = 0
    cases: int = 0
    comparisons: int = 0
    seconds: float = 0.0
    verdicts: dict[str, int] = field(default_factory=dict)
    disagreements: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.cases:,} cases ({self.trees:,} trees), {self.comparisons:,} comparisons in "
            f"{self.seconds:.1f} s, {len(self.disagreements)} disagreements"
        )

    def add(self, other: Tally) -> None:
        """Count another one in; its time is not added, as it ran beside this one."""
        self.trees += other.trees
        self.cases += other.cases
        self.comparisons += other.comparisons
        self.seconds = max(self.seconds, other.seconds)
        for word, count in other.verdicts.items():
            self.verdicts[word] = self.verdicts.get(word, 0) + count
        self.disagreements += other.disagreements


class Ground:
    """A root in a scratch, on which one small tree after another is laid."""

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch
        # Beside the root stand the same names: who climbs finds something, and is found out.
        (scratch.base / "a").mkdir()
        (scratch.base / "a" / "a").write_text("OUTSIDE")
        (scratch.base / "b").write_text("OUTSIDE")
        scratch.remember()
        self.fd = os.open(scratch.root, os.O_RDONLY | os.O_DIRECTORY)
        self.root = Root(scratch.root)
        self.handle: Handle = self.root._handle  # noqa: SLF001  (gate 2 takes no less)
        self.objects: dict[tuple[int, int], Node] = {}

    def close(self) -> None:
        self.root.close()
        os.close(self.fd)

    def lay(self, tree: Directory) -> None:
        """Clear the root and make ``tree`` there; the targets of links are filled in, in both."""
        self.clear()
        fd = self.fd
        os.fchmod(fd, tree.mode)
        self.objects = {_identity(os.stat(fd)): tree}
        for path, node in nodes(tree):
            self._make(fd, path, node)
            self.objects[_identity(os.stat(path, dir_fd=fd, follow_symlinks=False))] = node

    def _make(self, fd: int, path: str, node: Node) -> None:
        if isinstance(node, Directory):
            os.mkdir(path, 0o755, dir_fd=fd)
        elif isinstance(node, Link):
            node.target = filled(self.scratch, node.target)
            os.symlink(node.target, path, dir_fd=fd)
        else:
            new = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, node.mode, dir_fd=fd)
            os.write(new, node.content)
            os.fchmod(new, node.mode)  # whatever the umask
            os.close(new)

    def clear(self) -> None:
        """Empty the root by plain calls on descriptors; links go as links."""
        _empty(self.fd)

    def reached(self, path: RelPath, flags: int) -> Node | str:
        """The object that a resolver came to, or the word of its error."""
        try:
            fd = open_beneath(self.handle, path, flags)
        except (SafefsError, OSError) as error:
            return verdict_of(error)
        try:
            return self.objects.get(_identity(os.fstat(fd)), "an object outside")
        finally:
            os.close(fd)


def _empty(fd: int) -> None:
    with os.scandir(fd) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in found:
        if not is_directory:
            os.unlink(name, dir_fd=fd)
            continue
        beneath = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
        try:
            _empty(beneath)
        finally:
            os.close(beneath)
        os.rmdir(name, dir_fd=fd)


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


# -- resolving ---------------------------------------------------------------------------------


def expected(tree: Directory, path: str, *, follow: bool) -> Node | str:
    """What the oracle says: the object, or the word of the error.

    A path that ends in a slash after a link is followed by POSIX in any case. safefs never follows
    it where a link itself was asked for, and says ENOTDIR of it (rule 9).
    """
    if not follow and path.endswith("/"):
        verdict = resolve(tree, path.rstrip("/"), follow=False)
        if verdict.node is not None and not isinstance(verdict.node, Directory):
            return "ENOTDIR"
    else:
        verdict = resolve(tree, path, follow=follow)
    return _word_or_node(verdict)


def _word_or_node(verdict: Verdict) -> Node | str:
    if verdict.node is not None:
        return verdict.node
    assert verdict.error is not None
    return verdict.error


def resolve_all(some_trees: Iterable[Directory], some_paths: list[str], ground: Ground) -> Tally:
    """Resolve every path in every tree on both resolvers, following a last link and not, and
    compare each with the oracle: the same object, or the same error."""
    parsed = [(path, RelPath.parse(path)) for path in some_paths]
    tally, began = Tally(), time.monotonic()
    for tree in some_trees:
        ground.lay(tree)
        _resolve_in(tree, parsed, ground, tally)
        tally.trees += 1
        tally.cases += len(parsed)
    tally.disagreements += ground.scratch.changes()
    tally.seconds = time.monotonic() - began
    return tally


def _resolve_in(
    tree: Directory, parsed: list[tuple[str, RelPath]], ground: Ground, tally: Tally
) -> None:
    wanted = [
        [expected(tree, path, follow=follow) for path, _ in parsed] for follow in (True, False)
    ]
    for resolver in RESOLVERS:
        with forced(resolver):
            for flags, answers in zip((_FOLLOW, _NO_FOLLOW), wanted, strict=True):
                for (path, relative), answer in zip(parsed, answers, strict=True):
                    found = ground.reached(relative, flags)
                    if found is not answer and found != answer:
                        tally.disagreements.append(
                            f"{resolver}: {path!r} in {shown(tree)}: {_said(found)}, and not "
                            f"{_said(answer)}{' (not following)' * (flags == _NO_FOLLOW)}"
                        )
    for answers in wanted:
        tally.comparisons += len(RESOLVERS) * len(answers)
        for answer in answers:
            word = answer if isinstance(answer, str) else type(answer).__name__.lower()
            tally.verdicts[word] = tally.verdicts.get(word, 0) + 1


@contextmanager
def forced(resolver: str) -> Iterator[None]:
    """Every open goes by this resolver meanwhile."""
    before, probe.forced = probe.forced, resolver
    try:
        yield
    finally:
        probe.forced = before


def shown(tree: Directory) -> str:
    """A tree in one line: ``a/, a/b => ../b, b``."""
    lines = [_line(path, node) for path, node in nodes(tree)]
    return f"[{', '.join(lines)}]"


def _line(path: str, node: Node) -> str:
    if isinstance(node, Directory):
        return f"{path}/"
    return f"{path} => {node.target}" if isinstance(node, Link) else path


def _said(found: Node | str) -> str:
    return found if isinstance(found, str) else f"the {type(found).__name__.lower()}"
