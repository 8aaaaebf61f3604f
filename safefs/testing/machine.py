"""A random life of a root, step by step against the model: ``RootMachine``.

A tree in memory (``safefs.testing.model``) and two directories on disk live the same life: one is
resolved by openat2, the other by the walk. After each step the three must have ended alike and look
alike, and a foreign directory beside them, full of what is worth stealing, must be as it was:
names, bytes, modes, owners, link counts and times.

    class TestMyRoot(RootMachine.TestCase):
        settings = hypothesis.settings(max_examples=200, stateful_step_count=50)

To test a subclass of Root, say how one is opened::

    class MyMachine(RootMachine):
        def make_root(self, directory):
            return MyRoot(directory)

    TestMyRoot = MyMachine.TestCase

Every hostile path it makes up leads, where nothing refused it, no further than its own scratch.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from safefs.kernel import probe, syscalls
from safefs.root import Root
from safefs.testing.operations import OPERATIONS
from safefs.testing.oracle import Directory, File, Link, nodes
from safefs.testing.portraits import build_tree, portrait, portrait_of
from safefs.testing.scratch import Scratch, filled

if TYPE_CHECKING:
    from safefs.testing.operations import Operation, Outcome
    from safefs.testing.oracle import Node
    from safefs.testing.portraits import Portrait

_MOST = 60  # nodes; copy_tree, which can double them, waits while there are more
NAMES = ("a", "b", "c", "d", "..e", "\udcff", "f f", "e\u0301")
HOSTILE = (
    "..", "../", "../outside", "../outside/secret.txt", "../outside/dir/", "../outside/new",
    "../..", "../root", "../twin/a", "../root-evil/secret.txt", "a/../../outside/victim.txt",
    "./..", "{outside}", "{outside}/victim.txt", "{outside}/new", "{root}/a",
    "%2e%2e/outside", "..\\outside", "\uff0e\uff0e/outside", "file:///a", "C:\\a", "NUL", "~",
    "a\0b", "\0", "\ud800", "", ".", "./", "./.", "x" * 255, "x" * 256, "a/" * 2100,
    "../" * 9 + "a",
)  # fmt: skip
TARGETS = (
    ".", "..", "../", "../..", "../outside", "../outside/secret.txt", "../../outside/victim.txt",
    "../outside/new", "../../../outside/dir", "../outside/link", "../root/a", "{outside}",
    "{outside}/victim.txt", "{outside}/new", "{root}/a", "made", "no/where", "a/../b", "./a", "b/.",
    "a/", "c//d", "../a", "../b/c", "..e", "a\0b", "",
)  # fmt: skip
_CONTENTS = st.sampled_from((b"1", b"", b"more\n", b"\0" * 3, bytes(range(256)), b"x" * 70_000))
_MODES = st.sampled_from((0o600, 0o644, 0o700, 0o755, 0o777, 0o750))


@st.composite
def _one_of_the_known(draw: st.DrawFn, *, directories: bool = False) -> str:
    machine: RootMachine = draw(_MACHINE)
    known = machine.directories if directories else machine.known
    return known[draw(st.integers(0, len(known) - 1))]


@st.composite
def _paths(draw: st.DrawFn) -> str:
    """What is there, spelled in some way; names and dots at random; or one of the hostile ones."""
    machine: RootMachine = draw(_MACHINE)
    way = draw(_UP_TO_7)
    if way == 0:
        return "/".join(draw(_SPELLED))
    at, name = draw(_KNOWN), draw(_NAMES)
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
_SPELLED = st.lists(st.sampled_from((*NAMES[:4], "..", ".")), min_size=1, max_size=5)
_KNOWN = _one_of_the_known()
_KNOWN_DIRECTORIES = _one_of_the_known(directories=True)
_PATHS = _paths()


@st.composite
def _mostly(draw: st.DrawFn, usual: st.SearchStrategy[str]) -> str:
    return draw(_PATHS if draw(_UP_TO_7) > 5 else usual)


@st.composite
def _in_a_directory(draw: st.DrawFn) -> str:
    at, name = draw(_KNOWN_DIRECTORIES), draw(_NAMES)
    return f"{at}/{name}" if at else name


@st.composite
def _targets(draw: st.DrawFn) -> str:
    """The text of a link: into the tree from some depth, out of it, absolute, to nothing."""
    way = draw(_UP_TO_7)
    if way < 4:
        return "../" * way + draw(_KNOWN)
    machine: RootMachine = draw(_MACHINE)
    return machine.filled(draw(_TARGETS if way < 7 else _NAMES))


existing = _mostly(_KNOWN)
places = _mostly(_in_a_directory())
directories = _mostly(_KNOWN_DIRECTORIES)
targets = _targets()
anywhere = _PATHS | existing
taken_or_free = places | existing
_LOOKS = sorted(
    {name for name, operation in OPERATIONS.items() if not operation.changes} | {"utime"}
)


@cache
def _ground() -> Scratch:
    """The scratch of all lives of a process, one after the other; a new one when it was spoilt."""
    base = tempfile.mkdtemp(prefix="safefs-machine-")
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    return Scratch.make(Path(base))


class RootMachine(RuleBasedStateMachine):
    """The random life of a Root; the module says how it is used.

    Linux, with openat2 and the walk; where openat2 is missing, the walk alone.
    """

    #: How many steps have been made, by all machines of this process.
    steps: ClassVar[int] = 0

    def make_root(self, directory: Path) -> Root:
        """The subject: override it to test a Root of one's own."""
        return Root(directory)

    def __init__(self) -> None:
        super().__init__()
        self._umask = os.umask(0o022)
        self.scratch = _ground()
        self.tree = Directory()
        self._learn()
        self._roots: dict[str, tuple[Path, Root]] = {}
        for word, name in (("openat2", "root"), ("walk", "twin")):
            directory = self.scratch.base / name
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
            if word == "walk" or _has_openat2(directory):
                self._roots[word] = directory, self.make_root(directory)
        self.scratch.remember(self.scratch.base / "twin")

    def teardown(self) -> None:
        """Close what is open, and remove the scratch."""
        for _, root in self._roots.values():
            root.close()
        self._roots.clear()
        if self.scratch.changes():
            _ground.cache_clear()
        os.umask(self._umask)
        super().teardown()

    def filled(self, text: str) -> str:
        """``{outside}`` and ``{root}`` as the absolute paths that they are, in the scratch."""
        return filled(self.scratch, text)

    # -- one step --------------------------------------------------------------------------------

    def step(self, name: str, *arguments: object) -> None:
        """Do one operation to all three, and compare how it ended."""
        operation = OPERATIONS[name]
        expected = operation.expected(self.tree, *arguments)
        for word, (_, root) in self._roots.items():
            self._compare(expected, word, operation, root, arguments)
        self._count(operation)

    def _compare(
        self,
        expected: Outcome,
        word: str,
        operation: Operation,
        root: Root,
        arguments: tuple[object, ...],
    ) -> None:
        before, probe.forced = probe.forced, word
        try:
            observed = operation.observed(root, *arguments)
        finally:
            probe.forced = before
        assert expected.allows(observed), (
            f"{operation.name}{arguments!r} by {word}: {observed}, and not {expected}"
        )

    def _count(self, operation: Operation) -> None:
        RootMachine.steps += 1
        if operation.changes:
            self._learn()

    def _learn(self) -> None:
        """The paths that there are; the root's own only where there is no other."""
        found = list(nodes(self.tree))
        self.known = [path for path, _ in found] or [""]
        self.directories = [path for path, node in found if isinstance(node, Directory)] + [""]

    @invariant()
    def all_look_alike(self) -> None:
        """The directories are what the model says."""
        expected = portrait(self.tree)
        for word, (directory, _) in self._roots.items():
            found = portrait_of(directory)
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
        for directory, _ in self._roots.values():
            build_tree(self.tree, directory)
        self._learn()

    @rule(how=st.sampled_from(_LOOKS), path=anywhere)
    def look(self, how: str, path: str) -> None:
        self.step(how, path)

    @rule()
    def look_at_everything(self) -> None:
        """Every path that there is, by the operations that tell most."""
        for path in self.known:
            for how in ("read", "lstat", "readlink", "exists"):
                self.step(how, path)

    @rule(path=taken_or_free, data=_CONTENTS)
    def write(self, path: str, data: bytes) -> None:
        self.step("write", path, data)

    @rule(how=st.sampled_from(("append", "update")), path=taken_or_free, data=_CONTENTS)
    def write_more(self, how: str, path: str, data: bytes) -> None:
        self.step(how, path, data[:300])

    @rule(path=places, data=_CONTENTS)
    def create(self, path: str, data: bytes) -> None:
        self.step("create", path, data)

    @rule(how=st.sampled_from(("replace_file", "write atomically")), path=places, data=_CONTENTS)
    def replace(self, how: str, path: str, data: bytes) -> None:
        self.step(how, path, data)

    @rule(path=existing, length=st.sampled_from((0, 1, 5, 4096)))
    def truncate(self, path: str, length: int) -> None:
        self.step("truncate", path, length)

    @rule(path=existing, mode=_MODES)
    def chmod(self, path: str, mode: int) -> None:
        # Only root may still enter what says that nobody may; the model knows no permissions.
        self.step("chmod", path, mode if os.geteuid() == 0 else mode | 0o700)

    @rule(path=places)
    def mkdir(self, path: str) -> None:
        self.step("mkdir", path)

    @rule(how=st.sampled_from(("makedirs", "makedirs, exist_ok")), path=existing, more=_SPELLED)
    def makedirs(self, how: str, path: str, more: list[str]) -> None:
        self.step(how, "/".join([path, *more]) if path else "/".join(more))

    @rule(path=existing)
    def unlink(self, path: str) -> None:
        self.step("unlink", path)

    @rule(how=st.sampled_from(("remove_tree", "rmdir")), path=directories)
    def remove_directory(self, how: str, path: str) -> None:
        self.step(how, path)

    @rule(path=places, text=targets)
    def symlink(self, path: str, text: str) -> None:
        self.step("symlink", path, text)

    @rule(src=existing, dst=places)
    def link(self, src: str, dst: str) -> None:
        self.step("link", src, dst)

    @rule(
        how=st.sampled_from(("rename", "rename, replacing nothing")),
        src=existing,
        dst=taken_or_free,
    )
    def rename(self, how: str, src: str, dst: str) -> None:
        self.step(how, src, dst)

    @rule(
        how=st.sampled_from(("copy", "copy, replacing nothing")),
        src=existing,
        dst=taken_or_free,
    )
    def copy(self, how: str, src: str, dst: str) -> None:
        self.step(how, src, dst)

    @precondition(lambda self: len(self.known) <= _MOST)
    @rule(src=directories, dst=places)
    def copy_tree(self, src: str, dst: str) -> None:
        self.step("copy_tree", src, dst)

    @rule(
        top=directories,
        how=st.sampled_from(sorted(OPERATIONS)),
        src=anywhere,
        dst=places,
    )
    def beneath_a_subroot(self, top: str, how: str, src: str, dst: str) -> None:
        """A directory held as a root of its own: what is inside the root may be outside it."""
        operation = OPERATIONS[how]
        if operation.name == "copy_tree" and len(self.known) > _MOST:
            return
        node = dict(nodes(self.tree)).get(top, self.tree)
        if not isinstance(node, Directory):
            return
        given = (src, dst)[: operation.paths]
        expected = operation.expected(node, *given)
        for word, (_, root) in self._roots.items():
            with root.subroot(top if node is not self.tree else ".") as sub:
                self._compare(expected, word, operation, sub, given)
        self._count(operation)

    @rule()
    def close_and_open_again(self) -> None:
        """A closed Root says so, and another finds everything as it was."""
        for word, (directory, root) in list(self._roots.items()):
            root.close()
            try:
                root.listdir()
            except ValueError:
                self._roots[word] = directory, self.make_root(directory)
            else:
                raise AssertionError("a closed Root answered")
        RootMachine.steps += 1


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
