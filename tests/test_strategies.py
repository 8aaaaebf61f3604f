"""The strategies: what they make reaches nothing but the scratch, is small, and safefs holds."""

from __future__ import annotations

import doctest
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from safefs import EscapeError, InvalidPathError, Root, SafefsError
from safefs.paths import RelPath, encode, unportable
from safefs.testing import hostile, strategies
from safefs.testing.archives import Archive, can_hold
from safefs.testing.oracle import Directory, File, Link, nodes, resolve
from safefs.testing.planting import clear, plant
from safefs.testing.scratch import filled
from safefs.testing.strategies import (
    MOST_UPS,
    VOCABULARY,
    Operation,
    archives,
    hostile_paths,
    hostile_text,
    link_targets,
    operations,
    relative_paths,
    trees,
)
from tests.reach import beyond

if TYPE_CHECKING:
    from collections.abc import Callable

    from safefs.testing.scratch import Scratch

# The time is that of the full counts, beside other work.
pytestmark = [pytest.mark.timeout(900), pytest.mark.usefixtures("untraced")]
MANY = settings(max_examples=3 * settings().max_examples)
HALF = MOST_UPS // 2


# That they are safe to give to whatever leaks


@pytest.mark.parametrize(
    "text",
    [
        "/etc/passwd",
        "%2fetc",
        "%252fetc",
        " /etc",
        "\\\\server\\share",
        "C:\\Windows",
        "file:///etc/passwd",
        "http://host/etc",
        "//?/C:/x",
        "\uff0fetc",
        "\u2215etc",
        "\udcc0\udcafetc",
        "$HOME/etc",
        "a\n/etc",
        "{base}/../..{base}er",
        "../" * 9,
        "%2e%2e/" * 9,
        "%252e%252e%5c" * 9,
        "\uff0e\uff0e/" * 9,
        "\u2025/" * 9,
        "\udcc0\udcae\udcc0\udcae/" * 9,
        "{base}er/secret.txt",
    ],
)
def test_the_judge_of_reach_knows_what_leads_beyond(text: str) -> None:
    if "../.." in text and "{base}" in text:
        text = text.replace("/../..", "/.." * 9)
    assert beyond(text.replace("{base}", "/s/base"), "/s/base", MOST_UPS) is not None


@pytest.mark.parametrize("text", ["../a", "/s/base", "C:/s/base/x", "a//etc", "file:///s/base/a"])
def test_the_judge_of_reach_lets_pass_what_stays_in_the_scratch(text: str) -> None:
    assert beyond(text, "/s/base", MOST_UPS) is None


def _assert_harmless(scratch: Scratch, *texts: str) -> None:
    for text in texts:
        reached = beyond(filled(scratch, text), str(scratch.base), HALF)
        assert reached is None, f"{text!r}: {reached}"


def test_every_word_of_the_vocabulary_stays_in_the_scratch(scratch: Scratch) -> None:
    words = [
        word
        for name, table in vars(hostile).items()
        if name.isupper() and name[0] != "_" and name not in ("SEPARATORS", "HOMES", "SCHEME_ENDS")
        for word in table
    ]
    assert len(words) > 150
    _assert_harmless(scratch, *words, *(f"x{end}" for end in hostile.SCHEME_ENDS))


@MANY
@given(text=hostile_text())
def test_no_hostile_text_leads_beyond_the_scratch(scratch: Scratch, text: str) -> None:
    _assert_harmless(scratch, text)


@MANY
@given(path=hostile_paths())
def test_no_hostile_path_leads_beyond_the_scratch(scratch: Scratch, path: str) -> None:
    _assert_harmless(scratch, path)


@given(path=relative_paths())
def test_no_relative_path_is_absolute_or_climbs_far(scratch: Scratch, path: str) -> None:
    _assert_harmless(scratch, path)
    assert not path.startswith("/")


@MANY
@given(operation=operations())
def test_no_operation_leads_beyond_the_scratch(scratch: Scratch, operation: Operation) -> None:
    _assert_harmless(scratch, *operation.paths)


@given(tree=trees())
def test_all_links_of_a_tree_together_climb_less_than_half(
    scratch: Scratch, tree: Directory
) -> None:
    targets = [node.target for _, node in nodes(tree) if isinstance(node, Link)]
    _assert_harmless(scratch, *targets)
    assert sum(target.count("..") for target in targets) <= HALF


@given(target=link_targets())
def test_a_link_climbs_at_its_front_only(target: str) -> None:
    """So that a chain of links, each made by an operation, climbs no higher than its last."""
    parts = target.split("/")
    assert ".." not in parts[parts.count("..") :]


@given(archive=archives())
def test_no_member_of_an_archive_leads_beyond_the_scratch(
    scratch: Scratch, archive: Archive
) -> None:
    _assert_harmless(scratch, *(text for m in archive.members for text in (m.name, m.target)))


# That they shrink to what a person reads at a glance

FINDING = settings(max_examples=5000, derandomize=True, database=None)


@pytest.mark.parametrize(
    ("strategy", "wanted", "smallest"),
    [
        (hostile_text(), lambda text: ".." in text, ".."),
        (hostile_text(), lambda text: "%2e" in text, "%2e%2e"),
        (hostile_text(), lambda text: "outside" in text, "{outside}/secret.txt"),
        (hostile_text(), lambda text: "\0" in text, "\0"),
        (hostile_text(), lambda text: "COM1" in text, "COM1"),
        (hostile_text(), lambda text: "://" in text, "file://{outside}/secret.txt"),
        (hostile_text(), lambda text: text.count("..") > 1 and "\\" in text, "..\\.."),
        (hostile_paths(), lambda path: True, "a"),
        (hostile_paths(), lambda path: path.startswith("a/.."), "a/.."),
        (relative_paths(), lambda path: path.count("/") > 1, "a/a/a"),
        (operations(), lambda op: op.name == "remove_tree", Operation("remove_tree", ("a",))),
        (operations(), lambda op: "\0" in op.paths[-1], Operation("read", ("\0",))),
        (operations(), lambda op: len(op.paths) == 2, Operation("rename", ("a", "a"))),
    ],
)
def test_an_example_shrinks_to_what_is_read_at_a_glance(
    strategy: st.SearchStrategy[Any], wanted: Callable[[Any], bool], smallest: object
) -> None:
    assert find(strategy, wanted, settings=FINDING) == smallest


def test_a_tree_with_a_link_to_the_outside_shrinks_to_that_link() -> None:
    """Nodes are equal only to themselves, so it is compared as printed."""

    def leads_out(tree: Directory) -> bool:
        return any(isinstance(node, Link) and "{" in node.target for _, node in nodes(tree))

    assert str(find(trees(), leads_out, settings=FINDING)) == str(
        Directory({"a": Link("{outside}")})
    )


def test_an_archive_that_writes_through_a_link_shrinks_to_two_members() -> None:
    def writes_through(archive: Archive) -> bool:
        links = {member.name for member in archive.members if member.kind == "symlink"}
        return any(member.name.split("/")[0] in links for member in archive.members[1:])

    members = find(archives(), writes_through, settings=FINDING).members
    assert [member.kind for member in members] == ["symlink", "file"]


# That they make what they promise


def _share(
    strategy: st.SearchStrategy[Any], kind_of: Callable[[Any], object], examples: int = 300
) -> Counter[object]:
    seen: Counter[object] = Counter()

    @settings(max_examples=examples, derandomize=True, database=None, phases=[Phase.generate])
    @given(strategy)
    def count(example: object) -> None:
        seen[kind_of(example)] += 1

    count()
    return seen


def test_every_operation_is_drawn_and_none_that_is_not_asked_for() -> None:
    assert set(_share(operations(), lambda op: op.name)) == set(VOCABULARY)
    reading = operations(vocabulary=("read", "list"))
    assert set(_share(reading, lambda op: op.name)) == {"read", "list"}
    with pytest.raises(ValueError, match="not format"):
        operations(vocabulary=("format",))


def test_the_trees_hold_links_of_every_kind() -> None:
    def verdicts(tree: Directory) -> frozenset[str | None]:
        links = [path for path, node in nodes(tree) if isinstance(node, Link)]
        return frozenset(resolve(tree, path).error for path in links)

    found = set[str | None]().union(*_share(trees(), verdicts))  # type: ignore[arg-type]
    assert {None, "escape", "ENOENT", "ELOOP"} <= found


def test_without_links_a_tree_holds_none() -> None:
    def kinds(tree: Directory) -> frozenset[type]:
        return frozenset(type(node) for _, node in nodes(tree))

    found = set[type]().union(*_share(trees(links=False), kinds))  # type: ignore[arg-type]
    assert found == {Directory, File}


def test_the_homes_of_users_come_only_when_asked_for() -> None:
    def is_home(text: str) -> bool:
        return text in hostile.HOMES

    assert _share(hostile_text(), is_home)[True] == 0
    assert _share(hostile_text(homes=True), is_home)[True] > 0


@given(archive=archives())
def test_an_archive_is_read_back_with_the_members_it_lists(
    scratch: Scratch, archive: Archive
) -> None:
    raw = archive.pack(scratch)
    names = [filled(scratch, member.name) for member in archive.members]
    if archive.kind == "zip":
        with zipfile.ZipFile(io.BytesIO(raw)) as opened:
            found = opened.namelist()
    elif any(member.lie for member in archive.members):
        return  # where a size is wrong, what follows is no more where tarfile looks
    else:
        with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
            found = tar.getnames()
    assert [name.rstrip("/") for name in found] == [name.rstrip("/") for name in names]
    assert len(raw) < 200_000


def test_the_archives_hold_members_of_every_kind() -> None:
    def kinds(archive: Archive) -> frozenset[str]:
        lies = {"lie" for member in archive.members if member.lie}
        return frozenset({f"{archive.kind} {m.kind}" for m in archive.members} | lies)

    # Of 300 archives one or two hold a block device, or none.
    found = set[str]().union(*_share(archives(), kinds, 2000))  # type: ignore[arg-type]
    of_both = {"file", "directory", "symlink"}
    of_tar = {"hard link", "fifo", "character device", "block device"}
    both = {f"{kind} {word}" for kind in ("tar", "zip") for word in of_both}
    assert found == {"lie", *both, *(f"tar {word}" for word in of_tar)}


def test_a_zip_can_hold_no_name_without_an_encoding() -> None:
    assert not can_hold("\ud800")
    assert not can_hold("a\0b")
    assert can_hold("{outside}/secret.txt")


@given(tree=trees())
def test_a_tree_stands_in_the_scratch_as_it_was_planned(scratch: Scratch, tree: Directory) -> None:
    made = plant(scratch, tree)
    on_disk = {}
    for directory, names, files in os.walk(scratch.root):
        for name in names + files:
            path = f"{directory}/{name}"
            on_disk[os.path.relpath(path, scratch.root)] = _kind_on_disk(path)
    assert on_disk == {path: _kind(scratch, node) for path, node in nodes(tree)}
    assert on_disk == {path: _kind(scratch, node) for path, node in nodes(made)}


def _kind_on_disk(path: str) -> object:
    if os.path.islink(path):
        return os.readlink(path)
    if os.path.isdir(path):
        return Directory
    with open(path, "rb") as file:
        return file.read()


def _kind(scratch: Scratch, node: object) -> object:
    if isinstance(node, Link):
        return filled(scratch, node.target)
    return node.content if isinstance(node, File) else Directory


def test_one_file_under_two_names_is_planted_as_a_hard_link(scratch: Scratch) -> None:
    file = File(b"both")
    made = plant(scratch, Directory({"a": file, "b": Directory({"c": file})}))
    assert os.path.samefile(scratch.root / "a", scratch.root / "b" / "c")
    below = made.entries["b"]
    assert isinstance(below, Directory)
    assert made.entries["a"] is below.entries["c"]
    clear(str(scratch.root))
    assert os.listdir(scratch.root) == []


def test_a_tree_deeper_than_calls_can_go_is_cleared(scratch: Scratch) -> None:
    with Root(scratch.root) as root:
        root.makedirs("a/" * 1500)
        root.makedirs("b/c")
        root.symlink(str(scratch.outside), "a/a/out")
        root.write_bytes("a/a/a/f", b"")
        clear(str(scratch.root))
        assert root.listdir() == []


def test_the_examples_in_the_docstring_are_what_comes_out() -> None:
    ran = doctest.testmod(strategies)
    assert ran.attempted >= 3
    assert ran.failed == 0


def test_the_example_in_the_document_passes(tmp_path: Path) -> None:
    document = (Path(__file__).parent.parent / "docs" / "testing.md").read_text(encoding="utf-8")
    section = document.partition("\n## Strategies\n")[2].partition("\n## ")[0]
    (tmp_path / "test_mine.py").write_text(
        section.split("```python\n")[1].split("```")[0], encoding="utf-8"
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert "1 passed" in run.stdout, run.stdout


def test_without_hypothesis_it_says_how_to_get_it() -> None:
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "try: import safefs.testing.strategies\n"
        "except ImportError as error: print(error.name, error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True, timeout=60
    )
    assert said.stdout.startswith("hypothesis the strategies need hypothesis")
    assert said.stdout.endswith("pip install hypothesis\n")


# That safefs holds


@MANY
@given(text=hostile_text(homes=True) | st.text() | st.binary())
def test_gate_1_refuses_hostile_text_or_keeps_its_every_byte(text: str | bytes) -> None:
    try:
        path = RelPath.parse(text)
    except EscapeError:
        assert os.fsencode(text).startswith(b"/")
        return
    except InvalidPathError:
        assert "\0" in os.fsdecode(text) or _is_unencodable(text)
        return
    assert path.raw == os.fsencode(text) == encode(text)[0]
    assert path.shown == text
    for name in path.names:
        unportable(os.fsdecode(name))


def _is_unencodable(text: str | bytes) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return True
    return False


_CALLS: dict[str, Callable[[Root, Operation], object]] = {
    "read": lambda root, op: root.read_bytes(op.paths[0]),
    "stat": lambda root, op: root.stat(op.paths[0]),
    "exists": lambda root, op: root.exists(op.paths[0]),
    "list": lambda root, op: root.listdir(op.paths[0]),
    "walk": lambda root, op: list(root.walk(op.paths[0])),
    "write": lambda root, op: root.write_bytes(op.paths[0], op.data),
    "append": lambda root, op: _write(root, op, "ab"),
    "create": lambda root, op: _write(root, op, "xb"),
    "mkdir": lambda root, op: root.mkdir(op.paths[0]),
    "makedirs": lambda root, op: root.makedirs(op.paths[0], exist_ok=True),
    "remove": lambda root, op: root.unlink(op.paths[0]),
    "remove_tree": lambda root, op: root.remove_tree(op.paths[0]),
    "rename": lambda root, op: root.rename(*op.paths),
    "copy": lambda root, op: root.copy(*op.paths),
    "symlink": lambda root, op: root.symlink(*op.paths),
}


def _write(root: Root, operation: Operation, mode: Any) -> None:
    with root.open(operation.paths[0], mode) as file:
        file.write(operation.data)


def test_each_word_of_the_vocabulary_is_done() -> None:
    assert list(_CALLS) == list(VOCABULARY)


@pytest.fixture
def marked(scratch: Scratch) -> Scratch:
    """An outside with a name that nothing inside can have."""
    (scratch.outside / "OUTSIDE-NAME").touch()
    scratch.remember()
    return scratch


def _identities(place: Path) -> set[tuple[int, int]]:
    found = [place, *place.rglob("*")]
    return {(entry.lstat().st_dev, entry.lstat().st_ino) for entry in found}


@settings(max_examples=2 * settings().max_examples)
@given(tree=trees(), todo=st.lists(operations(), min_size=1, max_size=4))
def test_no_operation_with_a_hostile_path_gets_out_of_any_tree(
    resolver: str, marked: Scratch, tree: Directory, todo: list[Operation]
) -> None:
    """Whatever the tree: nothing outside is changed or told of, and all errors are documented."""
    plant(marked, tree)
    outside = _identities(marked.outside)
    with Root(marked.root) as root:
        for given_ in todo:
            paths = tuple(filled(marked, path) for path in given_.paths)
            operation = Operation(given_.name, paths, given_.data)
            answer = _answer(root, operation)
            if isinstance(answer, OSError):
                assert answer.errno is not None, operation
                assert answer.filename in (None, *paths), (operation, answer)
                continue
            assert "OUTSIDE" not in str(answer), operation
            if isinstance(answer, os.stat_result):
                assert (answer.st_dev, answer.st_ino) not in outside, operation
    assert marked.changes() == []


def _answer(root: Root, operation: Operation) -> object:
    """What safefs answers, or the documented error that it raises."""
    try:
        return _CALLS[operation.name](root, operation)
    except (SafefsError, OSError) as error:
        return error
