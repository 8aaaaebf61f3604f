"""The difference between two looks at a tree, as steps: pure, so thousands of trees are tried."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safefs import Change, Stat
from safefs.watch.difference import difference
from safefs.watch.tree import Tree, joined
from tests.watching import Mirror, told

if TYPE_CHECKING:
    from safefs.drivers.base import Kind
    from safefs.watch.tree import Entries

MODES = {"file": 0o100644, "directory": 0o040755, "symlink": 0o120777}


def entry(kind: Kind, number: int, size: int = 0) -> Stat:
    return Stat(kind, size, 0, MODES[kind], (kind, number))


def written(**tree: object) -> dict[str, Entries]:
    """``a=1, b={"c": 2}``: a file with the identity 1, a directory that holds one; ``0`` is its."""
    found: dict[str, Entries] = {}

    def write(here: str, inside: dict[str, object]) -> None:
        found[here] = {}
        for name, what in inside.items():
            if isinstance(what, dict):
                number = what.get("0", 1000)
                found[here][name] = entry("directory", number)
                write(joined(here, name), {key: each for key, each in what.items() if key != "0"})
            else:
                assert isinstance(what, int)
                found[here][name] = entry("file", what)

    write("", tree)
    return found


def told_steps(before: dict[str, Entries], after: dict[str, Entries]) -> list[str]:
    tree = Tree()
    for _ in difference(tree, before):
        pass
    return [
        " ".join(filter(None, (change.kind, change.old_path, change.path)))
        for change in difference(tree, after)
    ]


@pytest.mark.parametrize(
    ("before", "after", "steps"),
    [
        ({}, {"a": 1}, ["created a"]),
        ({"a": 1}, {}, ["removed a"]),
        ({"a": 1}, {"b": 1}, ["renamed a b"]),
        ({"a": 1}, {"a": 2}, ["modified a"]),
        ({"a": 1, "t": 2}, {"a": 2}, ["modified a", "removed t"]),
        ({"a": 1}, {"a": 2, "a.1": 1}, ["renamed a a.1", "created a"]),
        ({"a": 1}, {"a": {"0": 5}}, ["removed a", "created a"]),
        ({"d": {"0": 5, "x": 1}}, {"e": {"0": 5, "x": 1}}, ["renamed d e"]),
        ({"d": {"0": 5, "x": 1}}, {"e": {"0": 5, "y": 1}}, ["renamed d e", "renamed e/x e/y"]),
        ({"d": {"0": 5, "x": 1}}, {"x": 1}, ["renamed d/x x", "removed d"]),
        ({"x": 1}, {"d": {"0": 5, "x": 1}}, ["created d", "renamed x d/x"]),
        (
            {"d": {"0": 5, "x": 1}},
            {"d": {"0": 6, "x": 1}},
            ["removed d/x", "removed d", "created d", "created d/x"],
        ),
        (
            {"d": {"0": 5, "x": 1}, "e": {"0": 6}},
            {"d": {"0": 6}, "e": {"0": 5, "x": 1}},
            ["removed d/x", "removed d", "renamed e d", "created e", "created e/x"],
        ),
        (
            {"d": {"0": 5}},
            {"d": {"0": 6, "d": {"0": 5}}},
            ["removed d", "created d", "created d/d"],
        ),
    ],
)
def test_the_steps_are_the_fewest_that_people_would_name(
    before: dict[str, object], after: dict[str, object], steps: list[str]
) -> None:
    assert told_steps(written(**before), written(**after)) == steps


def test_a_number_that_is_given_to_what_is_made_next_is_no_rename() -> None:
    before = {"": {"f": entry("file", 1), "d": entry("directory", 2)}, "d": {}}
    after = {"": {"g": replace(entry("file", 1), mtime_ns=5)}}
    after[""]["e"], after["e"] = replace(entry("directory", 2), mtime_ns=5), {}
    assert told_steps(before, after) == ["created e", "created g", "removed d", "removed f"]


def test_a_directory_that_is_renamed_and_changed_is_known_by_what_is_in_it() -> None:
    before = {"": {"d": entry("directory", 2)}, "d": {"f": entry("file", 1)}}
    after = {"": {"e": replace(entry("directory", 2), mtime_ns=5)}, "e": dict(before["d"])}
    after["e"]["g"] = entry("file", 3)
    assert told_steps(before, after) == ["renamed d e", "created e/g"]


identities = st.integers(0, 6)
names = st.sampled_from("abc")
kinds: st.SearchStrategy[Kind] = st.sampled_from(["file", "file", "symlink"])


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Entries]:
    """Small, so that names and identities meet again; a directory has its identity once."""
    found: dict[str, Entries] = {"": {}}
    times = st.integers(0, 1)
    free = list(range(6))
    pending = [("", 0)]
    while pending:
        here, depth = pending.pop()
        for name in draw(st.sets(names)):
            path = joined(here, name)
            if depth < 3 and free and draw(st.booleans()):
                number = free.pop(draw(st.integers(0, len(free) - 1)))
                found[here][name] = replace(entry("directory", number), mtime_ns=draw(times))
                found[path] = {}
                pending.append((path, depth + 1))
            else:
                size = draw(st.integers(0, 1))
                found[here][name] = replace(
                    entry(draw(kinds), draw(identities), size), mtime_ns=draw(times)
                )
    return found


def flat(tree: dict[str, Entries]) -> dict[str, tuple[object, ...]]:
    return {
        joined(directory, name): told(found)
        for directory, entries in tree.items()
        for name, found in entries.items()
    }


@given(trees(), trees(), st.data())
def test_whoever_takes_the_steps_arrives_at_what_was_seen(
    before: dict[str, Entries], after: dict[str, Entries], data: st.DataObject
) -> None:
    """Hard links are among the files; and a directory that is as it was need not have been seen."""
    tree = Tree()
    for _ in difference(tree, before):
        pass
    mirror = Mirror(flat(before))
    seen = dict(after)
    for directory in sorted(after):
        same = before.get(directory) == after[directory]
        above_same = all(
            before.get(above) == after[above]
            for above in after
            if not above or directory.startswith(above + "/")
        )
        if directory and same and above_same and data.draw(st.booleans()):
            del seen[directory]
    for change in difference(tree, seen):
        mirror.take(change)
    assert mirror.entries == flat(after)
    assert {path: dict(each) for path, each in tree.directories.items()} == after
    assert list(difference(tree, after)) == []


def test_a_change_is_equal_by_what_it_says_and_not_by_what_was_seen() -> None:
    assert Change("created", "a", stat=entry("file", 1)) == Change("created", "a")
