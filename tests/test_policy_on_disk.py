"""What a policy does to a real tree: links, hard links, special files, additions only."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from safefs import Disk, Root
from safefs.errors import EscapeError, PolicyError
from safefs.kernel import procfs, syscalls
from safefs.policy import Policy
from tests import layouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from safefs.testing.scratch import Scratch
    from tests.conftest import Calls

pytestmark = pytest.mark.usefixtures("resolver")


@pytest.fixture
def top(scratch: Scratch) -> Path:
    (scratch.root / "d").mkdir()
    (scratch.root / "f").write_bytes(b"inside")
    (scratch.root / "d" / "g").write_bytes(b"inside too")
    return scratch.root


# -- symlinks="inside_absolute" ------------------------------------------------------------------


@pytest.fixture
def absolute(top: Path, scratch: Scratch) -> Iterator[Root]:
    outside = scratch.outside / "secret"
    outside.write_bytes(b"secret")
    scratch.remember()
    for name, target in {
        "to-g": f"{top}/d/g",
        "to-d": f"{top}/d",
        "slashed": f"{top}//./d/",
        "to-root": str(top),
        "by-dots": f"{top}/d/../f",
        "to-new": f"{top}/new",
        "d/back": f"{top}/f",
        "chained": f"{top}/to-d/back",
        "out": str(outside),
        "beside": f"{top}-beside/f",
        "above": f"{top}/../{top.name}/f",
        "way-out": f"{top}/d/../../{top.name}/f",
    }.items():
        os.symlink(target, top / name)
    with Root(top, policy=Policy(symlinks="inside_absolute")) as root:
        yield root


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("to-g", b"inside too"),
        ("to-d/g", b"inside too"),
        ("slashed/g", b"inside too"),
        ("slashed/../f", b"inside"),
        ("to-root/f", b"inside"),
        ("to-root/to-root/d/g", b"inside too"),
        ("by-dots", b"inside"),
        ("d/back", b"inside"),
        ("chained", b"inside"),
    ],
)
def test_an_absolute_link_that_leads_inside_is_followed(
    path: str, content: bytes, absolute: Root, top: Path
) -> None:
    assert absolute.read_bytes(path) == content
    assert os.path.samestat(absolute.stat(path), os.stat(top / path))
    with Root(top) as plain, pytest.raises(EscapeError):
        plain.read_bytes(path)
    with absolute.subroot(".", policy=Policy()) as narrow, pytest.raises(EscapeError):
        narrow.read_bytes(path)


@pytest.mark.parametrize("path", ["out", "beside", "above", "way-out"])
def test_an_absolute_link_that_leads_out_is_an_escape(path: str, absolute: Root) -> None:
    with pytest.raises(EscapeError) as caught:
        absolute.read_bytes(path)
    assert caught.value.filename == path
    with pytest.raises(EscapeError):
        absolute.write_bytes(path, b"")


def test_what_is_made_through_an_absolute_link_lies_inside(absolute: Root, top: Path) -> None:
    assert absolute.listdir("to-root/d/../to-d") == absolute.listdir("d")
    absolute.write_bytes("to-new", b"new")
    assert (top / "new").read_bytes() == b"new"
    absolute.mkdir("to-d/made")
    assert (top / "d" / "made").is_dir()


def test_an_absolute_link_is_read_as_where_the_root_lies_now(absolute: Root, top: Path) -> None:
    """A root that was moved is not where its old links point; what stands there now is foreign."""
    moved = top.with_name("moved")
    top.rename(moved)
    top.mkdir()
    try:
        with pytest.raises(EscapeError):
            absolute.read_bytes("to-g")
        os.symlink(f"{moved}/d/g", moved / "anew")
        assert absolute.read_bytes("anew") == b"inside too"
    finally:
        top.rmdir()
        moved.rename(top)


def test_without_procfs_an_absolute_link_is_an_escape(
    absolute: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procfs, "proc_fds", lambda: None)
    with pytest.raises(EscapeError):
        absolute.read_bytes("to-g")


def test_the_walk_to_an_absolute_link_names_nothing_outside(
    absolute: Root, calls: Calls, top: Path
) -> None:
    sequences = []
    for path in ("out", "beside"):
        calls.clear()
        with pytest.raises(EscapeError):
            absolute.read_bytes(path)
        named = [arg for _, args, _ in calls for arg in args if isinstance(arg, str | bytes)]
        assert {os.fsencode(name) for name in named} <= {
            os.fsencode(path), b"/proc/self/fd", str(absolute.fileno()).encode(), b"",
                b"CArgObject",  # what is handed to openat2 is the very path
        }  # fmt: skip
        sequences.append([name for name, _, _ in calls])
    assert sequences[0] == sequences[1]


# -- hard_links="refuse" ---------------------------------------------------------------------------

_READING_HARD: dict[str, Callable[[Root, str], object]] = {
    "read_bytes": lambda root, path: root.read_bytes(path),
    "open": lambda root, path: root.open(path),
    "open to update": lambda root, path: root.open(path, "r+"),
    "open to write": lambda root, path: root.open(path, "w"),
    "open to append": lambda root, path: root.open(path, "a"),
    "write_bytes": lambda root, path: root.write_bytes(path, b"new"),
    "truncate": lambda root, path: root.truncate(path, 0),
    "copy": lambda root, path: root.copy(path, "copied"),
    "chmod": lambda root, path: root.chmod(path, 0o600),
    "utime": lambda root, path: root.utime(path, ns=(0, 0)),
    "link": lambda root, path: root.link(path, "linked"),
    "preserving": lambda root, path: root.replace_file(path, b"", preserve=("ownership",)),
}


@pytest.mark.parametrize("act", _READING_HARD.values(), ids=_READING_HARD.keys())
@pytest.mark.parametrize("path", ["hard", "soft", "f"])
def test_a_file_with_two_names_is_neither_read_nor_changed(
    path: str, act: Callable[[Root, str], object], top: Path, scratch: Scratch
) -> None:
    os.link(top / "f", top / "hard")
    os.symlink("hard", top / "soft")
    before = layouts.portrait(str(top))
    with Root(top, policy=Policy(hard_links="refuse")) as root:
        if path == "soft" and act is _READING_HARD["preserving"]:
            return  # it is the link itself that is replaced
        with pytest.raises(PolicyError) as caught:
            act(root, path)
        assert caught.value.rule == "hard_links"
        assert path in (caught.value.filename, caught.value.filename2)
    assert layouts.portrait(str(top)) == before


def test_the_names_of_a_file_with_two_can_be_seen_replaced_and_removed(top: Path) -> None:
    for name in ("one", "two", "three"):
        os.link(top / "f", top / name)
    with Root(top, policy=Policy(hard_links="refuse")) as root:
        assert root.stat("one").st_nlink == 4
        assert "one" in root.listdir()
        root.unlink("one")
        root.rename("two", "d/two")
        root.replace_file("three", b"a file of its own")
        assert root.read_bytes("three") == b"a file of its own"
        root.write_bytes("new", b"1")
        assert root.read_bytes("new") == b"1"
    assert (top / "f").read_bytes() == b"inside"


def test_a_tree_that_holds_a_file_with_two_names_is_not_copied(top: Path) -> None:
    os.link(top / "f", top / "d" / "hard")
    with Disk(top, policy=Policy(hard_links="refuse")) as disk:
        for rehearsed in (False, True):
            with pytest.raises(PolicyError):
                disk.copy_tree("d", "copied", dry_run=rehearsed)
        skipped: list[OSError] = []
        disk.copy_tree("d", "copied", on_error=skipped.append)
        assert [type(error) for error in skipped] == [PolicyError]
        assert disk.all_files("copied") == ["copied/g"]
        with pytest.raises(PolicyError):
            disk.archive("d", "d.zip", format="zip")
        with pytest.raises(PolicyError):
            disk.sync_to(disk / "synced", source="d")
        assert not disk.exists("synced/hard")


# -- special_files="refuse" ------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["read_bytes", "open", "write_bytes", "truncate", "append"])
@pytest.mark.parametrize("path", ["pipe", "to-pipe"])
def test_a_fifo_is_refused_without_being_opened(
    path: str, act: str, top: Path, calls: Calls
) -> None:
    os.mkfifo(top / "pipe")
    os.symlink("pipe", top / "to-pipe")
    acts: dict[str, Callable[[Root], object]] = {
        "read_bytes": lambda root: root.read_bytes(path),
        "open": lambda root: root.open(path),
        "write_bytes": lambda root: root.write_bytes(path, b""),
        "truncate": lambda root: root.truncate(path, 0),
        "append": lambda root: root.open(path, "a"),
    }
    with Root(top, policy=Policy(special_files="refuse")) as root:
        calls.clear()
        with pytest.raises(PolicyError) as caught:
            acts[act](root)
    assert (caught.value.rule, caught.value.filename) == ("special_files", path)
    for _, arguments, _ in calls.named("open"):
        flags = next((arg for arg in arguments if isinstance(arg, int)), 0)
        assert flags & syscalls.O_PATH or arguments[0] in ("/proc/self/fd", os.devnull)


def test_regular_files_are_opened_as_ever_where_special_ones_are_refused(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.symlink("f", top / "l")
    for _ in ("with procfs", "without"):
        with Disk(top, policy=Policy(special_files="refuse")) as disk:
            assert disk.get("l") == b"inside"
            disk.put("new", b"1")
            disk.append("new", b"2")
            disk.append("newer", b"3")
            with disk.open("l", "r+b") as file:
                file.write(b"I")
            assert disk.get("f") == b"Inside"
            with disk.open("f", "wb") as file:
                file.write(b"inside")
            assert (disk.get("new"), disk.get("newer")) == (b"12", b"3")
            disk.copy_tree("d", "copied")
            with pytest.raises(IsADirectoryError):
                disk.get("d")
            with pytest.raises(FileNotFoundError):
                disk.get("missing")
            disk.delete("new", "newer")
            disk.delete_directory("copied")
        monkeypatch.setattr(procfs, "proc_fds", lambda: None)


# -- append_only -----------------------------------------------------------------------------------


def test_under_append_only_what_is_there_stays_as_it_is(root_of_layout: Root, top: Path) -> None:
    from tests.test_rules import EVERY

    before = layouts.portrait(str(top))
    refused: set[tuple[str, str]] = set()
    for name, act in EVERY.items():
        for path in ("f", "d", "l", "d/g"):
            try:
                act(root_of_layout, path)
            except PolicyError as error:
                refused.add((name, error.rule))
            except OSError:
                pass
        after = layouts.portrait(str(top))
        assert [entry for entry in before if entry not in after] == [], name
    assert {rule for _, rule in refused} == {"append_only"}
    changes = {
        "unlink",
        "rename from",
        "rename to",
        "chmod",
        "utime",
        "truncate",
        "remove_tree",
        "rmdir",
    }
    assert changes <= {name for name, _ in refused}


@pytest.fixture
def root_of_layout(top: Path) -> Iterator[Root]:
    os.symlink("f", top / "l")
    with Root(top, policy=Policy(append_only=True)) as root:
        yield root


def test_under_append_only_new_names_are_made_and_files_grow(
    root_of_layout: Root, top: Path
) -> None:
    root = root_of_layout
    root.mkdir("new")
    root.makedirs("new/a/b")
    root.symlink("../f", "new/l")
    root.link("f", "new/hard")
    root.write_bytes("new/w", b"1")
    root.replace_file("new/r", b"2")
    root.copy("f", "new/c")
    with root.open("new/x", "x") as file:
        file.write("3")
        file.seek(0)
        file.write("4")
    with root.open("l", "a") as file:
        file.write(" and more")
        with pytest.raises(PolicyError):
            file.truncate(0)
    with root.open("f", "ab", buffering=0) as raw:
        raw.seek(0)
        raw.write(b"!")
        raw.truncate(32)
    assert (top / "f").read_bytes() == b"inside and more!" + bytes(16)
    assert (top / "new" / "x").read_bytes() == b"4"
    for mode in ("w", "r+", "w+"):
        with pytest.raises(PolicyError):
            root.open("f", mode)
    with pytest.raises(PolicyError):
        root.open("f", "w", atomic=True)
    with pytest.raises(FileExistsError):
        root.open("f", "x")


def test_a_name_taken_meanwhile_is_not_replaced_under_append_only(
    root_of_layout: Root, top: Path
) -> None:
    file = root_of_layout.open("late", "wb", atomic=True)
    file.write(b"mine")
    (top / "late").write_bytes(b"first")
    with pytest.raises((PolicyError, FileExistsError)):
        file.close()
    assert (top / "late").read_bytes() == b"first"
    assert sorted(os.listdir(top)) == ["d", "f", "l", "late"]


def test_an_archive_is_unpacked_where_things_are_only_added(top: Path) -> None:
    with Disk(top) as plain:
        plain.archive("d", "d.tar", format="tar")
    with Disk(top, policy=Policy(append_only=True)) as disk:
        disk.extract("d.tar", "out")
        assert disk.get("out/g") == b"inside too"
        for partial, overwrite in ((False, False), (True, False), (True, True)):
            with pytest.raises((PolicyError, FileExistsError)):
                disk.extract("d.tar", "out", partial=partial, overwrite=overwrite)
        disk.extract("d.tar", "in/part", partial=True)
        assert disk.get("in/part/g") == b"inside too"
