"""The reference: resolver and operations in memory, against results written by hand, then Root.

What judges everything else is judged here first, by the table of containment and by small cases
whose results stand beside them; only then is Root, on both resolvers, held against it.
"""

from __future__ import annotations

import os
import posixpath
import shutil
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safefs import Disk
from safefs.kernel import probe
from safefs.root import Root
from safefs.testing import planting
from safefs.testing.disk_model import DISK_OPERATIONS
from safefs.testing.operations import OPERATIONS, Operation, Outcome
from safefs.testing.oracle import Directory, File, Link, Node, nodes, resolve
from safefs.testing.portraits import build_tree, cloned, portrait, portrait_of
from tests import layouts
from tests.conftest import PROFILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from safefs.testing.scratch import Scratch


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def grown(*layout: str) -> Directory:
    """A layout of ``tests.layouts`` as a tree in memory; ``"a == b"`` is one file twice."""
    top = Directory()
    for line in layout:
        name, arrow, target = line.partition(" => ")
        name, same, other = (name, "", "") if arrow else line.partition(" == ")
        name, _, content = (name, "", "") if arrow or same else line.partition(" = ")
        here = top
        *above, last = name.rstrip("/").split("/")
        for part in above:
            below = here.entries.setdefault(part, Directory())
            assert isinstance(below, Directory)
            here = below
        node: Node = Directory() if name.endswith("/") else File(content.encode())
        if arrow:
            node = Link(target.replace("{root}", "/s/root").replace("{outside}", "/s/outside"))
        elif same:
            node = _lexical(top, other) or node
        here.entries.setdefault(last, node)
    return top


def _lexical(top: Directory, path: str) -> Node | None:
    if posixpath.normpath(path) == ".":
        return top
    return dict(nodes(top)).get(posixpath.normpath(path))


# -- the resolver --------------------------------------------------------------------------------


@pytest.mark.parametrize("case", layouts.TABLE, ids=lambda case: case.name)
def test_the_oracle_resolves_each_row_of_the_table_as_the_row_says(case: layouts.Case) -> None:
    tree = grown(*case.layout)
    path = case.path.replace("{root}", "/s/root").replace("{outside}", "/s/outside")
    verdict = resolve(tree, path)
    if isinstance(case.target, layouts.Fails):
        assert verdict.error in case.target.names
    elif (node := _lexical(tree, case.target)) is None:
        assert (verdict.error, verdict.name) == ("ENOENT", posixpath.basename(case.target))
        assert verdict.parent is _lexical(tree, posixpath.dirname(case.target))
    elif case.slash and not isinstance(node, Directory):
        assert verdict.error == "ENOTDIR"
    else:
        assert verdict.node is node
    if case.entry is not None:
        assert resolve(tree, path.rstrip("/"), follow=False).node is _lexical(tree, case.entry)


# -- the operations ------------------------------------------------------------------------------

_TREE = ("f = 1", "g = 2", "h == f", "d/e/x = 3", "d/l => ../f", "empty/", "to-d => d")
_LINKS = ("out => ../outside", "abs => /s/root/f", "new => made", "loop => loop", "deep => no/x")
_NOTHING = ""  # what is left of the tree is what was there

_Case = tuple[str, tuple[str | bytes, ...], object, str]

# (operation, arguments, its answer or the word of its error in "!", what it leaves): "+" are paths
# that are there afterwards and were not, "-" those that are gone, "=" what has changed.
HAND: tuple[_Case, ...] = (
    ("read", ("d/l",), b"1", _NOTHING),
    ("read", ("d",), "!EISDIR", _NOTHING),
    ("read", ("new",), "!ENOENT", _NOTHING),
    ("stat", ("to-d/e/x",), ("file", 0o644, 1), _NOTHING),
    ("lstat", ("to-d",), ("link", 0o777, 1), _NOTHING),
    ("lstat", ("to-d/",), "!ENOTDIR", _NOTHING),
    ("lstat", ("f/",), "!ENOTDIR", _NOTHING),
    ("exists", ("new",), False, _NOTHING),
    ("exists", ("out",), False, _NOTHING),
    ("exists", ("a\0b",), False, _NOTHING),
    ("is_symlink", ("out",), True, _NOTHING),
    ("readlink", ("out",), "../outside", _NOTHING),
    ("readlink", ("out/",), "!ENOTDIR", _NOTHING),
    ("readlink", ("d/",), "!EINVAL", _NOTHING),
    ("listdir", ("to-d/",), ["e", "l"], _NOTHING),
    ("listdir", ("f",), "!ENOTDIR", _NOTHING),
    ("walk", ("d/.",), [("d/.", ["e"], ["l"]), ("d/./e", [], ["x"])], _NOTHING),
    ("find", ("d",), ["d/e/x", "d/l"], _NOTHING),
    ("find", ("..",), "!escape", _NOTHING),
    ("disk_usage", ("d",), 1 + len("../f"), _NOTHING),
    ("write", ("d/l",), 7, "=f =h"),
    ("write", ("new",), 7, "+made"),
    ("write", ("deep",), "!ENOENT", _NOTHING),
    ("write", ("made/",), "!EISDIR", _NOTHING),
    ("write", ("f/",), "!EISDIR", _NOTHING),
    ("write", ("f/x/",), "!ENOTDIR", _NOTHING),
    ("write", ("",), "!EISDIR", _NOTHING),
    ("write", ("out/x",), "!escape", _NOTHING),
    ("write", ("abs",), "!escape", _NOTHING),
    ("write", ("x" * 256,), "!ENAMETOOLONG", _NOTHING),
    ("append", ("g",), 1, "=g"),
    ("create", ("d/x",), 7, "+d/x"),
    ("create", ("new",), "!EEXIST", _NOTHING),
    ("create", ("out",), "!EEXIST", _NOTHING),
    ("create", (".",), "!EEXIST", _NOTHING),
    ("update", ("new",), "!ENOENT", _NOTHING),
    ("update", ("g",), 7, "=g"),
    ("replace_file", ("h",), None, "=f =h"),
    ("replace_file", ("out",), None, "=out"),
    ("replace_file", ("d/..",), "!EISDIR", _NOTHING),
    ("truncate", ("f",), None, "=f =h"),
    ("truncate", ("d/",), "!EISDIR", _NOTHING),
    ("chmod", ("to-d",), None, "=d"),
    ("chmod", (".",), None, "="),
    ("mkdir", ("made/",), None, "+made"),
    ("mkdir", ("new/",), "!EEXIST", _NOTHING),
    ("mkdir", ("d/.",), "!EINVAL", _NOTHING),
    ("mkdir", ("../d",), "!escape", _NOTHING),
    ("makedirs", ("a/b/c/",), None, "+a +a/b +a/b/c"),
    ("makedirs", ("d",), "!EEXIST", _NOTHING),
    ("makedirs", ("a/../../x",), "!escape", _NOTHING),
    ("makedirs", ("a/../d/y",), None, "+a +d/y"),
    ("makedirs", ("a/../f/y",), "!ENOTDIR", _NOTHING),
    ("makedirs", ("a/.",), "!EEXIST", "+a"),
    ("makedirs", ("new/x",), "!ENOENT", _NOTHING),
    ("makedirs", ("a/../new/../x",), "!ENOENT", _NOTHING),
    ("makedirs, exist_ok", ("to-d/e",), None, _NOTHING),
    ("makedirs, exist_ok", ("a/.",), None, "+a"),
    ("makedirs, exist_ok", ("new",), "!EEXIST", _NOTHING),
    ("makedirs, exist_ok", ("f",), "!EEXIST", _NOTHING),
    ("rmdir", ("empty/",), None, "-empty"),
    ("rmdir", ("d",), "!ENOTEMPTY", _NOTHING),
    ("rmdir", ("to-d",), "!ENOTDIR", _NOTHING),
    ("unlink", ("to-d",), None, "-to-d"),
    ("unlink", ("to-d/",), "!ENOTDIR", _NOTHING),
    ("unlink", ("d",), "!EISDIR", _NOTHING),
    ("unlink", ("h",), None, "-h =f"),
    ("remove_tree", ("d/",), None, "-d -d/e -d/e/x -d/l"),
    ("remove_tree", ("to-d",), "!ENOTDIR", _NOTHING),
    ("remove_tree", ("d/..",), "!EINVAL", _NOTHING),
    ("symlink", ("x", "../outside"), None, "+x"),
    ("symlink", ("x/",), "!ENOENT", _NOTHING),
    ("symlink", ("d/",), "!EEXIST", _NOTHING),
    ("rename", ("f", "g"), None, "-f =g =h"),
    ("rename", ("f", "h"), None, _NOTHING),
    ("rename", ("f", "d"), "!EISDIR", _NOTHING),
    ("rename", ("d", "f"), "!ENOTDIR", _NOTHING),
    ("rename", ("d", "d/e/y"), "!EINVAL", _NOTHING),
    ("rename", ("d/e", "d"), "!ENOTEMPTY", _NOTHING),
    ("rename", ("d/e", "empty"), None, "-d/e -d/e/x +empty/x"),
    ("rename", ("empty", "d"), "!ENOTEMPTY", _NOTHING),
    ("rename", ("empty", "to-d/"), "!ENOTDIR", _NOTHING),
    ("rename", ("f/", "g"), "!ENOTDIR", _NOTHING),
    ("rename", ("out", "to-d/e"), "!EISDIR", _NOTHING),
    ("rename", ("x", "/y"), "!escape", _NOTHING),
    ("rename, replacing nothing", ("f", "h"), "!EEXIST", _NOTHING),
    ("rename, replacing nothing", ("empty", "d/e/y"), None, "-empty +d/e/y"),
    ("link", ("g", "d/g"), None, "+d/g =g"),
    ("link", ("d", "x"), "!EPERM", _NOTHING),
    ("link", ("d", "f"), "!EEXIST", _NOTHING),
    ("link", ("out", "x"), None, "+x =out"),
    ("link", ("f", "x/"), "!ENOENT", _NOTHING),
    ("copy", ("d/l", "x"), None, "+x"),
    ("copy", ("f", "h"), "!EINVAL", _NOTHING),
    ("copy", ("g", "to-d"), None, "=to-d"),
    ("copy", ("g", "d"), "!EISDIR", _NOTHING),
    ("copy", ("d", "x"), "!EISDIR", _NOTHING),
    ("copy", ("x", "out/x"), "!ENOENT", _NOTHING),
    ("copy, replacing nothing", ("f", "h"), "!EEXIST", _NOTHING),
    ("copy_tree", ("to-d", "x"), None, "+x +x/e +x/e/x +x/l"),
    ("copy_tree", ("d", "d/e/y"), "!EINVAL", _NOTHING),
    ("copy_tree", (".", "x"), "!EINVAL", _NOTHING),
    ("copy_tree", ("f", "x"), "!ENOTDIR", _NOTHING),
    ("copy_tree", ("d", "empty"), "!EEXIST", _NOTHING),
)  # fmt: skip


# The same for a Disk, on the same tree.
HAND_DISK: tuple[_Case, ...] = (
    ("get", ("d/l",), b"1", _NOTHING),
    ("exists and its kin", ("to-d",), (True, False, True), _NOTHING),
    ("exists and its kin", ("out",), (False, False, False), _NOTHING),
    ("stat", ("new",), ("symlink", 0o777, 4), _NOTHING),
    ("stat", ("d/l",), ("file", 0o644, 1), _NOTHING),
    ("stat", ("x",), "!ENOENT", _NOTHING),
    ("size", ("d",), "!EISDIR", _NOTHING),
    ("visibility", ("f",), "public", _NOTHING),
    ("files", ("",), ["f", "g", "h"], _NOTHING),
    ("files", ("to-d",), ["to-d/l"], _NOTHING),
    ("directories", ("",), ["d", "empty", "to-d"], _NOTHING),
    ("all_files", ("",), ["d/e/x", "d/l", "f", "g", "h"], _NOTHING),
    ("all_directories", ("d/../d",), ["d/../d/e"], _NOTHING),
    ("scoped", ("d",), ["e"], _NOTHING),
    ("put", ("a/b/c", b"x"), None, "+a +a/b +a/b/c"),
    ("put", ("d/l", b"x"), None, "=d/l"),
    ("put", ("a/b/", b"x"), "!EISDIR", _NOTHING),
    ("put", ("a/../../x", b"x"), "!escape", _NOTHING),
    ("put", ("new/x", b"x"), "!ENOENT", _NOTHING),
    ("append", ("d/l", b"2"), None, "=f =h"),
    ("append", ("a/b", b"2"), None, "+a +a/b"),
    ("append", ("out", b"2"), "!escape", _NOTHING),
    ("prepend", ("d/l", b"0"), None, "=d/l"),
    ("prepend", ("h", b"0"), None, "=f =h"),
    ("prepend", ("out", b"0"), "!escape", _NOTHING),
    ("set_visibility", ("d/l", "private"), None, "=f =h"),
    ("make_directory", ("to-d/e/y/z",), None, "+d/e/y +d/e/y/z"),
    ("make_directory", ("f",), "!EEXIST", _NOTHING),
    ("delete", ("out",), None, "-out"),
    ("delete", ("d",), "!EISDIR", _NOTHING),
    ("delete_directory", ("",), "!EINVAL", _NOTHING),
    ("copy", ("d/l", "a/b"), None, "+a +a/b"),
    ("copy", ("x", "a/b"), "!ENOENT", _NOTHING),
    ("copy", ("f", "h"), "!EINVAL", _NOTHING),
    ("copy, overwriting nothing", ("f", "g"), "!EEXIST", _NOTHING),
    ("move", ("d", "a/b"), "renamed", "-d -d/e -d/e/x -d/l +a +a/b +a/b/e +a/b/e/x +a/b/l"),
    ("move", ("d", "d/y/z"), "!EINVAL", _NOTHING),
    ("move", ("f", "h"), "!EINVAL", _NOTHING),
    ("move", ("x", "a/b"), "!ENOENT", _NOTHING),
    ("move, overwriting nothing", ("f", "out"), "!EEXIST", _NOTHING),
    ("copy_tree", ("d/e", "a/b"), None, "+a +a/b +a/b/x"),
    ("copy_tree", ("f", "a/b"), "!ENOTDIR", _NOTHING),
    ("move_tree", ("d/e", "a/b"), None, "-d/e -d/e/x +a +a/b +a/b/x"),
    ("move_tree", ("f", "a/b"), "!ENOTDIR", _NOTHING),
    ("move_tree", ("f/", "a/b"), "!ENOTDIR", _NOTHING),
    ("move_tree", ("to-d/", "a/b"), "!ENOTDIR", _NOTHING),
    ("move_tree", ("x", "a/b"), "!ENOENT", _NOTHING),
)


@pytest.mark.parametrize(
    ("table", "case"),
    [(OPERATIONS, case) for case in HAND] + [(DISK_OPERATIONS, case) for case in HAND_DISK],
    ids=lambda value: str(value[:2])[:60].replace("\0", "NUL") if isinstance(value, tuple) else "",
)
def test_the_model_does_what_is_written_beside_it(table: dict[str, Operation], case: _Case) -> None:
    name, arguments, answer, left = case
    tree = grown(*_TREE, *_LINKS)
    before = portrait(tree)
    outcome = table[name].expected(tree, *arguments)
    if isinstance(answer, str) and answer.startswith("!"):
        assert outcome == Outcome(None, frozenset({answer[1:]}))
    else:
        assert outcome == Outcome(answer)
    after = portrait(tree)
    there, gone = after.keys() - before.keys(), before.keys() - after.keys()
    changed = {path for path in before.keys() & after.keys() if before[path] != after[path]}
    marks = {"+": there, "-": gone, "=": changed}
    found = [mark + path for mark, paths in marks.items() for path in paths]
    assert sorted(found) == sorted(left.split())


def test_a_separator_goes_only_between_two_that_are_there() -> None:
    tree = grown("empty = ", "held = 1")
    for name in ("append", "prepend"):
        for path in ("empty", "held", "new"):
            DISK_OPERATIONS[name].expected(tree, path, b"", b",")
    contents = {path: node.content for path, node in nodes(tree) if isinstance(node, File)}
    assert contents == {"empty": b"", "held": b",1,", "new": b""}


def test_what_has_two_names_is_changed_under_both_and_copied_apart() -> None:
    tree = grown("d/f = 1", "d/g == d/f")
    OPERATIONS["append"].expected(tree, "d/f", b"2")
    OPERATIONS["copy_tree"].expected(tree, "d", "e")
    OPERATIONS["append"].expected(tree, "e/f", b"3")
    contents = {path: node.content for path, node in nodes(tree) if isinstance(node, File)}
    assert contents == {"d/f": b"12", "d/g": b"12", "e/f": b"123", "e/g": b"12"}


# -- trees, in memory and on disk ----------------------------------------------------------------

_NAMES = ("a", "b", "c")
_PATHS = st.builds(
    lambda names, slash: "/".join(names).lstrip("/") + slash * bool("".join(names)),
    st.lists(st.sampled_from((*_NAMES, *_NAMES, "..", ".", "")), max_size=5),
    st.sampled_from(("", "", "/")),
)
_TARGETS = st.one_of(
    _PATHS.filter(bool),
    st.sampled_from(("..", "../..", "../outside", "../outside/secret.txt", "/outside", "a/")),
)
_LEAVES = st.one_of(
    st.builds(File, st.sampled_from((b"", b"1", b"22")), st.sampled_from((0o644, 0o600, 0o777))),
    st.builds(Link, _TARGETS),
)


@st.composite
def trees(draw: st.DrawFn) -> Directory:
    """Up to twelve entries, three deep; some have two names."""
    top = Directory(mode=draw(st.sampled_from((0o755, 0o700))))
    directories, leaves = [(top, 0)], list[File | Link]()
    for _ in range(draw(st.integers(0, 12))):
        here, depth = draw(st.sampled_from(directories))
        name = draw(st.sampled_from(_NAMES))
        kind = draw(st.sampled_from(("leaf", "directory", "again")))
        if name in here.entries:
            continue
        if kind == "directory" and depth < 3:
            here.entries[name] = made = Directory()
            directories.append((made, depth + 1))
        elif kind == "again" and leaves:
            here.entries[name] = draw(st.sampled_from(leaves))
        else:
            here.entries[name] = leaf = draw(_LEAVES)
            leaves.append(leaf)
    return top


@given(tree=trees())
def test_a_tree_made_on_disk_has_the_portrait_of_the_one_in_memory(
    tree: Directory, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("tree")
    build_tree(tree, directory)
    assert portrait_of(directory) == portrait(tree) == portrait(cloned(tree))


def test_a_portrait_tells_of_a_name_outside_the_tree(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "f").write_bytes(b"")
    before = portrait_of(tmp_path / "root")
    (tmp_path / "outside").hardlink_to(tmp_path / "root" / "f")
    assert portrait_of(tmp_path / "root")["f"] != before["f"]


@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("untraced")
@settings(max_examples=4 * settings().max_examples)
@given(name=st.sampled_from(list(OPERATIONS)), tree=trees(), paths=st.tuples(_PATHS, _PATHS))
def test_root_ends_as_the_model_does_on_both_resolvers(
    name: str, tree: Directory, paths: tuple[str, str], scratch: Scratch
) -> None:
    operation = OPERATIONS[name]
    given_paths = paths[: operation.paths]
    after = cloned(tree)
    expected = operation.expected(after, *given_paths)
    for word in ("openat2", "walk"):
        directory = scratch.root / word
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        build_tree(tree, directory)
        with Root(directory) as root:
            observed = _by(word, operation.observed, root, *given_paths)
        assert expected.allows(observed), f"{observed} by {word}, not {expected}"
        assert portrait_of(directory) == portrait(after)


def _by(word: str, call: object, *arguments: object) -> Outcome:
    assert callable(call)
    before, probe.forced = probe.forced, word
    try:
        outcome = call(*arguments)
    finally:
        probe.forced = before
    assert isinstance(outcome, Outcome)
    return outcome


# Of each kind, with a slash at the end and without, and what is missing at each depth.
_ODD = (
    "", ".", "d/..", "f", "f/", "f/y", "h", "d", "d/", "d/e", "d/e/x", "d/e/y/z", "d/l", "d/l/",
    "to-d", "to-d/", "to-d/e", "out", "out/x", "new", "new/", "new/x", "x", "x/", "x/y", "x/y/z",
    "empty", "empty/", "d/../x/y", "x/../y", "loop", "..",
)  # fmt: skip
_EVERY = {"dev": 53, "ci": 13, "prove": 1}[PROFILE]  # so many pairs


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("name", DISK_OPERATIONS)
def test_a_disk_ends_as_the_model_does_for_every_pair_of_odd_paths(
    name: str, scratch: Scratch, resolver: str
) -> None:
    """What a random life comes to once in thousands: a file with a slash, moved beneath nothing."""
    operation, tree = DISK_OPERATIONS[name], grown(*_TREE, *_LINKS)
    asked = list(product(_ODD, repeat=operation.paths))
    for paths in asked[:: _EVERY if operation.paths > 1 else 1]:
        after = cloned(tree)
        expected = operation.expected(after, *paths)
        planting.clear(str(scratch.root))
        build_tree(tree, scratch.root)
        with Disk(scratch.root) as disk:
            observed = operation.observed(disk, *paths)
        assert expected.allows(observed), f"{paths}: {observed}, not {expected}"
        assert portrait_of(scratch.root) == portrait(after), paths
