"""``portable_names``: nothing is made beside a name that some systems take for the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from safefs import Disk, Root, Storage
from safefs.errors import PolicyError
from safefs.folding import folded
from safefs.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from safefs.testing.scratch import Scratch

POLICY = Policy(portable_names=True)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a", "A", True),
        ("Stra\u00dfe", "STRASSE", True),
        ("caf\u00e9", "cafe\u0301", True),
        ("a\u200db", "ab", True),
        ("a.", "a", True),
        ("a", "b", False),
        ("...", "..", False),
    ],
)
def test_names_are_folded_as_file_systems_fold_them(one: str, other: str, same: bool) -> None:
    assert (folded(one) == folded(other)) == same


@pytest.fixture(params=["on disk", "in memory"])
def disk(request: pytest.FixtureRequest, scratch: Scratch, resolver: str) -> Iterator[Disk]:
    assert resolver
    if request.param == "on disk":
        with Disk(scratch.root) as disk:
            yield disk
    else:
        with Storage.fake() as storage:
            yield storage.disk("documents")


@pytest.mark.parametrize(
    "act",
    [
        lambda disk: disk.put("README", b"new"),
        lambda disk: disk.append("README", b"new"),
        lambda disk: disk.open("README", "wb"),
        lambda disk: disk.open("README", "xb"),
        lambda disk: disk.open("README", "wb", atomic=True),
        lambda disk: disk.make_directory("README"),
        lambda disk: disk.make_directory("SUB/new"),
        lambda disk: disk.put("SUB/new", b""),
        lambda disk: disk.copy("x", "Readme"),
        lambda disk: disk.move("x", "Readme"),
        lambda disk: disk.copy_tree("sub", "Readme"),
        lambda disk: disk.move_tree("sub", "Readme"),
    ],
)
def test_no_name_is_made_beside_one_much_like_it(act: Callable[[Disk], object], disk: Disk) -> None:
    disk.put("readme", b"old")
    disk.put("x", b"x")
    disk.put("sub/y", b"y")
    before = disk.all_files()
    with disk.with_policy(POLICY) as narrow:
        with pytest.raises(
            PolicyError, match=r"takes? it for '(readme|sub)', which is there"
        ) as said:
            act(narrow)
        assert said.value.rule == "portable_names"
    assert disk.all_files() == before
    assert disk.get("readme") == b"old"


def test_a_name_that_is_there_is_used_and_may_change_its_case(disk: Disk) -> None:
    disk.put("readme", b"old")
    with disk.with_policy(POLICY) as narrow:
        narrow.put("readme", b"new")
        narrow.append("readme", b"er")
        with narrow.open("readme", "wb") as file:
            file.write(b"newest")
        narrow.put("other", b"")
        narrow.move("readme", "README")
        assert narrow.all_files() == ["README", "other"]
        narrow.make_directory("d")
        narrow.move("README", "d/readme")
        narrow.put("README", b"another directory's")


def test_a_tree_that_holds_two_such_names_is_not_taken_over(disk: Disk, tmp_path: Path) -> None:
    disk.put("t/a", b"1")
    disk.put("t/A", b"2")
    disk.put("t/b/c", b"3")
    with disk.with_policy(POLICY) as narrow:
        said = "some systems take it for"
        for dry_run in (True, False):
            with pytest.raises(PolicyError, match=said):
                narrow.copy_tree("t", "copied", dry_run=dry_run)
            with pytest.raises(PolicyError, match=said):
                disk.sync_to(narrow / "synced", source="t", dry_run=dry_run)
        skipped: list[OSError] = []
        narrow.copy_tree("t", "copied", on_error=skipped.append)
        disk.sync_to(narrow / "synced", source="t", on_error=skipped.append)
        assert [type(error) for error in skipped] == [PolicyError] * 2
        for top in ("copied", "synced"):
            assert len(narrow.all_files(top)) == 2


def test_what_cannot_be_listed_is_not_looked_into(scratch: Scratch) -> None:
    (scratch.root / "d").mkdir()
    with Root(scratch.root, policy=POLICY) as root:
        root.write_bytes("d/a", b"")
        with pytest.raises(PolicyError):
            root.symlink("a", "d/A")
        with pytest.raises(PolicyError):
            root.link("d/a", "d/A")
        assert root.listdir("d") == ["a"]
