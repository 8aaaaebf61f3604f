"""A policy holds at every door: one table of what is refused, and a life of random acts."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path, PurePosixPath
from stat import S_ISLNK, S_ISREG
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import SuspiciousOperation
from hypothesis import given, settings
from hypothesis import strategies as st

from safefs import Disk
from safefs.errors import PolicyError, SafefsError
from safefs.policy import Policy
from tests import layouts
from tests.djangosite.settings import ready
from tests.doors import DOORS, doors

if TYPE_CHECKING:
    from collections.abc import Callable

    from safefs.testing.scratch import Scratch
    from tests.doors import Door

ready()

_REFUSALS: dict[str, tuple[Policy, list[tuple[str, tuple[Any, ...]]]]] = {
    "read_only": (
        Policy(read_only=True),
        [
            *(("write", (path, b"x")) for path in ("new", "f", "d/new")),
            ("append", ("f", b"x")),
            ("delete", ("f",)),
            ("delete_tree", ("d",)),
            ("move", ("f", "new")),
            ("copy", ("f", "new")),
            ("make_directory", ("new",)),
        ],
    ),
    "append_only": (
        Policy(append_only=True),
        [("write", ("f", b"x")), ("delete", ("f",)), ("delete_tree", ("d",)), ("move", ("f", "n"))],
    ),
    "deny": (
        Policy(deny=["secret", "*.key"]),
        [
            *(("read", (path,)) for path in ("secret/s", "a.key", "to-secret", "d/../a.KEY")),
            *(("write", (path, b"x")) for path in ("secret/s", "a.key", "d/new.key")),
            ("append", ("a.key", b"x")),
            ("entries", ("secret",)),
            ("delete", ("a.key",)),
            ("delete_tree", ("secret",)),
            ("move", ("a.key", "plain")),
            ("move", ("f", "new.key")),
            ("copy", ("a.key", "plain")),
            ("make_directory", ("d/secret",)),
        ],
    ),
    "missing": (
        Policy(deny=["secret", "*.key"], denied="missing"),
        [
            ("read", ("secret/s",)),
            ("read", ("to-secret",)),
            ("write", ("new.key", b"x")),
            ("entries", ("secret",)),
        ],
    ),
    "allow": (
        Policy(allow=["/d"]),
        [("read", ("f",)), ("write", ("new", b"x")), ("entries", ("secret",)), ("delete", ("f",))],
    ),
    "hard_links": (
        Policy(hard_links="refuse"),
        [("read", ("hard",)), ("append", ("hard", b"x"))],
    ),
    "symlinks": (Policy(symlinks="never"), [("read", ("to-f",)), ("read", ("to-d/g",))]),
    "portable_names": (Policy(portable_names=True), [("write", ("NUL", b"")), ("read", ("a:b",))]),
    "max_path_length": (
        Policy(max_path_length=8),
        [("write", ("d/new-name", b"")), ("read", ("d/../d/../d/g",))],
    ),
    "max_file_size": (
        Policy(max_file_size=12),
        [("write", (path, b"x" * 13)) for path in ("new", "d/new")],
    ),
}


@pytest.fixture
def top(scratch: Scratch) -> Path:
    root = scratch.root
    for directory in ("d", "secret"):
        (root / directory).mkdir()
    for name in ("f", "a.key", "d/g", "d/b.key", "secret/s", "hard", "a:b"):
        (root / name).write_bytes(f"in {name}".encode())
    os.link(root / "hard", root / "d/hard")
    for name, target in {"to-f": "f", "to-d": "d", "to-secret": "secret/s"}.items():
        os.symlink(target, root / name)
    return root


@pytest.fixture
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file outside of all that is looked after."""
    return tmp_path_factory.mktemp("config") / "safefs.toml"


@pytest.mark.parametrize("rule", _REFUSALS)
@pytest.mark.parametrize("name", DOORS)
def test_every_door_refuses_what_the_policy_does(
    name: str, rule: str, top: Path, config: Path
) -> None:
    policy, acts = _REFUSALS[rule]
    before = layouts.portrait(str(top))
    with doors(top, policy, config) as all_doors:
        door = all_doors[name]
        for verb, arguments in acts:
            with pytest.raises((OSError, SafefsError, SuspiciousOperation)):
                getattr(door, verb)(*arguments)
            if rule == "max_file_size":  # an open file is made before it is written to
                assert not (top / arguments[0]).exists() or not (top / arguments[0]).stat().st_size
                (top / arguments[0]).unlink(missing_ok=True)
            assert layouts.portrait(str(top)) == before, (verb, arguments)


def _exists(door: Door, path: str) -> bool:
    try:
        return door.exists(path)
    except SuspiciousOperation:
        return False


@pytest.mark.parametrize("denied", ["refuse", "missing"])
@pytest.mark.parametrize("name", DOORS)
def test_no_door_shows_what_is_denied_and_each_shows_the_rest(
    name: str, denied: Any, top: Path, config: Path
) -> None:
    policy = Policy(deny=["secret", "*.key"], denied=denied)
    with doors(top, policy, config) as all_doors:
        door = all_doors[name]
        listed = {path for each in ("", "d") for path in door.entries(each)}
        found: set[str] = set(door.find(""))
        assert {"f", "d", "d/g", "hard"} <= listed
        assert {"f", "d/g"} <= found
        for path in listed | found:
            assert "secret" not in path.split("/"), path
            assert not path.endswith(".key"), path
        assert door.read("f") == b"in f"
        assert not any(_exists(door, path) for path in ("secret", "a.key", "secret/s"))
        if name not in ("Django", "command line"):  # those tell of the link itself
            assert not door.exists("to-secret")
        assert door.exists("d/g")
        door.write("d/new", b"new")
        assert (top / "d/new").read_bytes() == b"new"


# -- a life of random acts -------------------------------------------------------------------------

PROFILE = os.environ.get("SAFEFS_PROFILE", "ci")
EXAMPLES = {"dev": 15, "ci": 60, "prove": 1000}[PROFILE]

_NAMES = st.sampled_from(["a", "b", "c.key", "d"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=2).map("/".join)
_DIRECTORIES = st.just("") | _PATHS
_SPELLINGS = st.builds(
    lambda path, way: way.format(path),
    _PATHS,
    st.sampled_from(["{}", "{}", "{}", "a/../{}", "./{}", "{}/../b"]),
)


class Pattern:
    """A pattern, and what it means in other words than pathspec's."""

    def __init__(self, text: str, matches: Callable[[PurePosixPath], bool]) -> None:
        self.text = text
        self.matches = matches

    def __repr__(self) -> str:
        return self.text


_PATTERNS = st.one_of(
    _NAMES.map(lambda name: Pattern(name, lambda path: path.name == name)),
    _PATHS.map(lambda full: Pattern("/" + full, lambda path: str(path) == full)),
    st.just(Pattern("*.key", lambda path: path.suffix == ".key")),
    _NAMES.map(lambda name: Pattern(f"/{name}/*", lambda path: [*path.parts[:-1]] == [name])),
)


def _is_denied(path: str, patterns: list[Pattern]) -> bool:
    here = PurePosixPath(path)
    steps = [here, *list(here.parents)[:-1]]
    return any(pattern.matches(step) for pattern in patterns for step in steps)


_ENTRIES = st.lists(
    st.tuples(_PATHS, st.sampled_from(["file", "file", "file", "link", "hard"]), _PATHS),
    min_size=4,
    max_size=14,
)
_ACTS = st.lists(
    st.tuples(
        st.sampled_from(DOORS[:-1] * 3 + DOORS[-1:]),
        st.sampled_from(
            [
                *("read", "read", "write", "append", "entries", "find", "exists"),
                *("delete", "delete_tree", "move", "copy", "make_directory"),
            ]
        ),
        _SPELLINGS,
        _SPELLINGS,
    ),
    min_size=5,
    max_size=20,
)


def _plant(root: Path, entries: list[tuple[str, str, str]]) -> None:
    for number, (path, kind, other) in enumerate(entries):
        at = root / path
        try:
            at.parent.mkdir(parents=True, exist_ok=True)
            if kind == "file":
                with at.open("x") as file:
                    file.write(f"<<{number}>>")
            elif kind == "link":
                os.symlink(os.path.relpath(other, os.path.dirname(path) or "."), at)
            else:
                os.link(root / other, at, follow_symlinks=False)
        except OSError:
            continue  # its name is taken, or what it leads to is not there


class Truth:
    """What is denied in a tree, and must stay as it is; and the content that must not come back."""

    def __init__(self, root: Path, patterns: list[Pattern]) -> None:
        self.root = root
        self.patterns = patterns
        self.denied = self._denied()
        self.secrets = {content for _, _, content in self.denied.values() if content}

    def _denied(self) -> dict[str, tuple[object, ...]]:
        found: dict[str, tuple[object, ...]] = {}
        for here, directories, files in os.walk(self.root):
            for name in (*directories, *files):
                path = os.path.relpath(os.path.join(here, name), self.root)
                if _is_denied(path, self.patterns):
                    found[path] = self._portrait(path)
        return found

    def _portrait(self, path: str) -> tuple[Any, ...]:
        at = self.root / path
        seen = at.lstat()
        content = at.read_bytes() if S_ISREG(seen.st_mode) else b""
        content = os.fsencode(os.readlink(at)) if S_ISLNK(seen.st_mode) else content
        return (seen.st_dev, seen.st_ino), seen.st_mode, content

    def check_tree(self) -> None:
        assert self._denied() == self.denied

    def check_answer(self, verb: str, answer: object, path: str) -> None:
        if verb == "read":
            assert answer not in self.secrets
        if verb in ("entries", "find") and isinstance(answer, list):
            shown = os.path.realpath(self.root / path)
            for each in answer:
                if each == path:
                    continue  # what is no directory is listed by the name that was given
                name = PurePosixPath(each).name
                for spelled in (self.root / each, Path(shown) / name):
                    true = Path(os.path.realpath(spelled.parent)) / spelled.name
                    if os.path.lexists(true) and true.is_relative_to(self.root):
                        below = str(true.relative_to(self.root))
                        assert verb == "find" or not _is_denied(below, self.patterns), each
                        if spelled == self.root / each:
                            assert not _is_denied(below, self.patterns), each


@pytest.mark.timeout(900)
def test_nothing_of_what_is_denied_comes_back_or_changes(
    resolver: str, counted: Callable[..., None]
) -> None:
    tally = {"lives": 0, "with something denied": 0, "acts": 0, "answers": 0}
    started = time.monotonic()

    @settings(max_examples=EXAMPLES, deadline=None, database=None)
    @given(
        entries=_ENTRIES,
        patterns=st.lists(_PATTERNS, min_size=1, max_size=3),
        denied=st.sampled_from(["refuse", "missing"]),
        acts=_ACTS,
    )
    def live(
        entries: list[tuple[str, str, str]], patterns: list[Pattern], denied: Any, acts: list[Any]
    ) -> None:
        _live(entries, patterns, denied, acts, tally)

    live()
    said = ", ".join(f"{number:,} {what}" for what, number in tally.items())
    counted(
        f"denied by pattern, all doors ({resolver})",
        said,
        seconds=time.monotonic() - started,
        escapes=0,
    )
    assert tally["with something denied"] * 2 > tally["lives"]
    assert tally["answers"]


def _live(
    entries: list[tuple[str, str, str]],
    patterns: list[Pattern],
    denied: Any,
    acts: list[Any],
    tally: dict[str, int],
) -> None:
    base = Path(tempfile.mkdtemp(prefix="safefs-doors-"))
    root = base / "m/m/m/m/root"
    root.mkdir(parents=True)
    try:
        _plant(root, entries)
        truth = Truth(root, patterns)
        tally["lives"] += 1
        tally["with something denied"] += bool(truth.denied)
        policy = Policy(deny=[pattern.text for pattern in patterns], denied=denied)
        with doors(root, policy, base / "safefs.toml") as all_doors:
            for name, verb, path, other in acts:
                tally["acts"] += 1
                tally["answers"] += _act(all_doors[name], verb, path, other, truth)
                truth.check_tree()
    finally:
        shutil.rmtree(base)


def _act(door: Door, verb: str, path: str, other: str, truth: Truth) -> bool:
    """Whether it was answered, and not refused."""
    arguments: dict[str, tuple[Any, ...]] = {
        "write": (path, b"written"),
        "append": (path, b"more"),
        "move": (path, other),
        "copy": (path, other),
    }
    try:
        answer = getattr(door, verb)(*arguments.get(verb, (path,)))
    except (OSError, ValueError):
        return False
    except SuspiciousOperation:  # what Django calls it
        return False
    truth.check_answer(verb, answer, path)
    return True


# -- chains of attenuations ------------------------------------------------------------------------

_PARTS = st.builds(
    lambda read_only, append_only, deny: Policy(
        read_only=read_only, append_only=append_only, deny=[pattern.text for pattern in deny]
    ),
    st.sampled_from([False, False, False, True]),
    st.sampled_from([False, False, False, True]),
    st.lists(_PATTERNS, max_size=2),
)
_STEPS = st.lists(st.tuples(_DIRECTORIES, _PARTS), min_size=1, max_size=4)


def _allows(chain: list[tuple[str, Policy]], path: str, *, changes: bool) -> bool:
    """What each part says of a path from the top: the model that knows nothing of narrowing."""
    for prefix, policy in chain:
        below = os.path.relpath(path, prefix) if prefix else path
        if changes and (policy.read_only or policy.append_only):
            return False
        if policy.rules is not None and policy.rules.denies(below.encode(), directory=False):
            return False
    return True


@pytest.mark.timeout(900)
@settings(max_examples=EXAMPLES, deadline=None, database=None)
@given(steps=_STEPS)
def test_a_chain_of_attenuations_allows_what_each_of_its_parts_does(
    steps: list[tuple[str, Policy]],
) -> None:
    base = Path(tempfile.mkdtemp(prefix="safefs-chain-"))
    root = base / "m/m/m/m/root"
    for first in ("a", "b"):
        for second in ("a", "d"):
            (root / first / second).mkdir(parents=True)
            for name in ("a", "b", "c.key"):
                (root / first / second / name).write_bytes(b"content")
    try:
        with Disk(root) as top:
            _descend(top, root, steps)
    finally:
        shutil.rmtree(base)


def _descend(disk: Disk, root: Path, steps: list[tuple[str, Policy]]) -> None:
    chain: list[tuple[str, Policy]] = []
    at = ""
    for path, policy in steps:
        wanted = f"{at}/{path}" if at and path else path or at
        try:
            disk = disk.scoped(path).with_policy(policy)
        except OSError:
            assert not (root / wanted).is_dir() or not _allows(chain, wanted, changes=False)
            continue
        assert not path or _allows(chain, wanted, changes=False)
        at = wanted
        chain.append((at, policy))
    for each in sorted((root / at).rglob("*")):
        if each.is_file():
            path = str(each.relative_to(root))
            _compare(disk, chain, path, os.path.relpath(path, at or "."))


def _compare(disk: Disk, chain: list[tuple[str, Policy]], path: str, below: str) -> None:
    for changes in (False, True):
        try:
            disk.put(below, b"content") if changes else disk.get(below)
        except PolicyError:
            assert not _allows(chain, path, changes=changes), path
        else:
            assert _allows(chain, path, changes=changes), path
