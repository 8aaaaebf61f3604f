"""What random lives have in common: the ground, the paths, and what must hold after each step.

A tree in memory and two directories on disk live the same life, one resolved by openat2 and the
other by the walk. After each step the three must have ended alike and look alike, and a foreign
directory beside them, full of what is worth stealing, must be as it was: names, bytes, modes,
owners, link counts and times.

Every hostile path made up here leads, where nothing refused it, no further than its own scratch:
absolute ones point into it, and no chain of ``..`` is half as long as the moat around it is deep.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from safefs.kernel import probe, syscalls
from safefs.root import Root
from safefs.testing.oracle import Directory, File, Link, nodes
from safefs.testing.portraits import build_tree, portrait, portrait_of
from safefs.testing.scratch import Scratch, filled

if TYPE_CHECKING:
    from collections.abc import Callable

    from safefs.testing.operations import Operation, Outcome
    from safefs.testing.oracle import Node
    from safefs.testing.portraits import Portrait

NAMES = ("a", "b", "c", "d", "..e", "\udcff", "f f", "e\u0301")
HOSTILE = (
    "..", "../", "../outside", "../outside/secret.txt", "../outside/dir/", "../outside/new",
    "../..", "../root", "../twin/a", "../root-evil/secret.txt", "a/../../outside/victim.txt",
    "./..", "{outside}", "{outside}/victim.txt", "{outside}/new", "{root}/a",
    "%2e%2e/outside", "..\\outside", "\uff0e\uff0e/outside", "C:\\a", "NUL",
    "a\0b", "\0", "\ud800", "", ".", "./", "./.", "x" * 255, "x" * 256, "a/" * 2100,
    "../" * 9 + "a",
)  # fmt: skip
TARGETS = (
    ".", "..", "../", "../..", "../outside", "../outside/secret.txt", "../../outside/victim.txt",
    "../outside/new", "../../../outside/dir", "../outside/link", "../root/a", "{outside}",
    "{outside}/victim.txt", "{outside}/new", "{root}/a", "made", "no/where", "a/../b", "./a", "b/.",
    "a/", "c//d", "../a", "../b/c", "..e", "a\0b", "",
)  # fmt: skip


class _Large(bytes):
    """More than what is read and copied in one piece, and yet told in one line."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{bytes(self[:1])!r} * {len(self)}"


CONTENTS = st.sampled_from(
    (b"1", b"", b"more\n", b"\0" * 3, bytes(range(256)), _Large(b"x" * 70_000))
)
MODES = st.sampled_from((0o600, 0o644, 0o700, 0o755, 0o777, 0o750))


@st.composite
def _one_of_the_known(draw: st.DrawFn, *, directories: bool = False) -> str:
    machine: Life = draw(_MACHINE)
    found = machine.directories if directories else machine.known
    return found[draw(st.integers(0, len(found) - 1))]


@st.composite
def _paths(draw: st.DrawFn) -> str:
    """What is there, spelled in some way; names and dots at random; or one of the hostile ones."""
    machine: Life = draw(_MACHINE)
    way = draw(_UP_TO_7)
    if way == 0:
        return "/".join(draw(SPELLED))
    at, name = draw(known), draw(_NAMES)
    if way <= 3 or not at:
        hostile = machine.filled(draw(_HOSTILE))
        return f"{at}/{hostile}" if way == 3 and at else hostile
    return (f"{at}/{name}", f"{at}/", f"{at}/../{name}", f"./{at}//./")[way - 4]


# Strategies are made once: to make one costs as much as a step.
_MACHINE = st.runner()
_UP_TO_7 = st.integers(0, 7)
_NAMES = st.sampled_from(NAMES)
_HOSTILE = st.sampled_from(HOSTILE)
_TARGETS = st.sampled_from(TARGETS)
SPELLED = st.lists(st.sampled_from((*NAMES[:4], "..", ".")), min_size=1, max_size=5)
known = _one_of_the_known()
known_directories = _one_of_the_known(directories=True)
_PATHS = _paths()


@st.composite
def _mostly(draw: st.DrawFn, usual: st.SearchStrategy[str]) -> str:
    return draw(_PATHS if draw(_UP_TO_7) > 5 else usual)


@st.composite
def _in_a_directory(draw: st.DrawFn) -> str:
    at, name = draw(known_directories), draw(_NAMES)
    return f"{at}/{name}" if at else name


@st.composite
def _targets(draw: st.DrawFn) -> str:
    """The text of a link: into the tree from some depth, out of it, absolute, to nothing."""
    way = draw(_UP_TO_7)
    if way < 4:
        return "../" * way + draw(known)
    machine: Life = draw(_MACHINE)
    return machine.filled(draw(_TARGETS if way < 7 else _NAMES))


existing = _mostly(known)
places = _mostly(_in_a_directory())
directories = _mostly(known_directories)
targets = _targets()
anywhere = _PATHS | existing
taken_or_free = places | existing


@cache
def _ground() -> Scratch:
    """The scratch of all lives of a process, one after the other; a new one when it was spoilt."""
    base = tempfile.mkdtemp(prefix="safefs-machine-")
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    return Scratch.make(Path(base))


class Life(RuleBasedStateMachine):
    """A tree in memory and two directories, each under a subject, and what must hold of them.

    One subject is resolved by openat2, the other by the walk; where openat2 is missing there is
    only the second.
    """

    #: How many operations have been made and compared, by all lives of this class.
    steps: ClassVar[int] = 0

    def open_subject(self, directory: Path) -> Any:
        """What is tested, with its root at ``directory``; it has ``close``."""
        raise NotImplementedError

    def stored(self, content: bytes) -> bytes:
        """What lies in a file of this content, as somebody puts it there before the life begins."""
        return content

    def content(self, stored: bytes) -> bytes:
        """The content of a file in which this lies."""
        return stored

    def beneath(self, subject: Any, path: str) -> Any:
        """A subject of its own on a directory of this one, as a context manager."""
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self._umask = os.umask(0o022)
        self.scratch = _ground()
        self.tree = Directory()
        self.learn()
        self.subjects: dict[str, tuple[Path, Any]] = {}
        for word, name in (("openat2", "root"), ("walk", "twin")):
            directory = self.scratch.base / name
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
            if word == "walk" or _has_openat2(directory):
                self.subjects[word] = directory, self.open_subject(directory)
        self.scratch.remember(self.scratch.base / "twin")

    def teardown(self) -> None:
        """Close what is open."""
        for _, subject in self.subjects.values():
            subject.close()
        self.subjects.clear()
        if self.scratch.changes():
            _ground.cache_clear()
        os.umask(self._umask)
        super().teardown()

    def filled(self, text: str) -> str:
        """``{outside}`` and ``{root}`` as the absolute paths that they are, in the scratch."""
        return filled(self.scratch, text)

    # -- one step --------------------------------------------------------------------------------

    def step(self, operation: Operation, *arguments: object) -> None:
        """Do one operation to all three, and compare how it ended."""
        expected = operation.expected(self.tree, *arguments)
        for word, (_, subject) in self.subjects.items():
            self._compare(expected, word, operation, subject, arguments)
        self._done(operation)

    def step_beneath(self, top: str, operation: Operation, *arguments: object) -> None:
        """The same with a directory as the root: what is inside the tree may now be outside."""
        node = dict(nodes(self.tree)).get(top, self.tree)
        if not isinstance(node, Directory):
            return
        expected = operation.expected(node, *arguments)
        for word, (_, subject) in self.subjects.items():
            with self.beneath(subject, top if node is not self.tree else "") as inner:
                self._compare(expected, word, operation, inner, arguments)
        self._done(operation)

    def _compare(
        self,
        expected: Outcome,
        word: str,
        operation: Operation,
        subject: Any,
        arguments: tuple[object, ...],
    ) -> None:
        before, probe.forced = probe.forced, word
        try:
            observed = operation.observed(subject, *arguments)
        finally:
            probe.forced = before
        assert expected.allows(observed), (
            f"{operation.name}{arguments!r} by {word}: {observed}, and not {expected}"
        )

    def _done(self, operation: Operation) -> None:
        type(self).steps += 1
        if operation.changes:
            self.learn()

    def reopen(self, closed: Callable[[Any], object]) -> None:
        """Close and open again; ``closed``, asked of what is closed, must be ValueError."""
        for word, (directory, subject) in list(self.subjects.items()):
            subject.close()
            try:
                closed(subject)
            except ValueError:
                self.subjects[word] = directory, self.open_subject(directory)
            else:
                raise AssertionError("what was closed has answered")
        type(self).steps += 1

    def learn(self) -> None:
        """The paths that there are; the root's own only where there is no other."""
        found = list(nodes(self.tree))
        self.known = [path for path, _ in found] or [""]
        self.directories = [path for path, node in found if isinstance(node, Directory)] + [""]

    @invariant()
    def all_look_alike(self) -> None:
        """The directories are what the model says."""
        expected = portrait(self.tree)
        for word, (directory, _) in self.subjects.items():
            found = portrait_of(directory, self.content)
            assert found == expected, f"by {word}: {_difference(found, expected)}"

    @invariant()
    def the_outside_is_as_it_was(self) -> None:
        changes = self.scratch.changes()
        assert not changes, f"changed outside the root: {changes}"

    # -- the rules -------------------------------------------------------------------------------

    @initialize(something=st.sampled_from((False, True, True, True)))
    def begin(self, something: bool) -> None:  # noqa: FBT001
        """With nothing, or with a little of everything."""
        if not something:
            return
        shared, program = File(b"shared", 0o600), File(b"program", 0o755)
        inner: dict[str, Node] = {"b": shared, "c": Link("../../outside"), "..e": Link("..")}
        self.tree.entries |= {
            "a": Directory({"d": Directory(mode=0o700), "a": program, **inner}),
            "b": shared,
            "c": Link("a"),
            "d": Link("../outside/secret.txt"),
            "..e": Link("made"),
            "f f": Link("a/a"),
            "loop": Link("loop"),
            "abs": Link(str(self.scratch.outside / "victim.txt")),
        }
        for directory, _ in self.subjects.values():
            build_tree(self.tree, directory, self.stored)
        self.learn()


def _has_openat2(directory: Path) -> bool:
    before, probe.forced = probe.forced, "openat2"
    try:
        Root(directory).listdir()
    except OSError:
        return False
    finally:
        probe.forced = before
    return syscalls.LINUX


def _difference(found: Portrait, expected: Portrait) -> str:
    return "; ".join(
        f"{path!r} is {found.get(path)} and not {expected.get(path)}"
        for path in sorted(found.keys() | expected.keys())
        if found.get(path) != expected.get(path)
    )
