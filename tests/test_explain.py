"""Disk.explain foretells what really happens, does nothing, and tells nothing of the outside."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import sys
from errno import EINVAL, EISDIR, ENOENT, ENOTSUP
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safefs import Disk, Explanation, PathStep, Policy, Storage
from safefs.audit import rule_of
from safefs.drivers.memory import MemoryDriver
from safefs.errors import SafefsError
from safefs.explanation import OPERATIONS
from safefs.kernel import syscalls
from safefs.testing import planting
from safefs.testing.strategies import hostile_paths, relative_paths, trees
from tests import layouts
from tests.attackers import NOBODY, in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from safefs.explanation import Operation
    from safefs.testing.scratch import Scratch
    from tests.conftest import Calls


def _read(disk: Disk, path: str) -> None:
    with disk.open(path, "rb") as file:
        file.read()


def _opens(mode: str) -> Callable[[Disk, str], None]:
    def act(disk: Disk, path: str) -> None:
        disk.open(path, mode).close()

    return act


REAL: dict[Operation, Callable[[Disk, str], object]] = {
    "read": _read,
    "write": _opens("wb"),
    "append": _opens("ab"),
    "create": _opens("xb"),
    "put": lambda disk, path: disk.put(path, b""),
    "make_directory": lambda disk, path: disk.make_directory(path),
    "list": lambda disk, path: disk.files(path),
    "remove": lambda disk, path: disk.delete(path),
    "remove_tree": lambda disk, path: disk.delete_directory(path),
}
_NO_DOTS = Policy(top_level_dot_entries="refuse")
POLICIES = [
    Policy(),
    Policy(read_only=True),
    Policy(append_only=True),
    Policy(symlinks="never"),
    Policy(symlinks="inside_absolute"),
    Policy(hard_links="refuse", special_files="refuse", same_filesystem=True),
    _NO_DOTS,
    Policy(portable_names=True, max_path_length=4),
    Policy(portable_names=True),
    Policy(deny=["a/b", "f", "l"]),
    Policy(deny=["b", "/d"], denied="missing"),
    Policy(allow=["a/b", "f", "l*"]),
]


def _foretold(found: Explanation) -> tuple[object, ...]:
    assert bool(found) is found.allowed
    return found.allowed, found.error, found.errno, found.rule, found.reason


def _happens(disk: Disk, operation: Operation, path: str) -> tuple[object, ...]:
    try:
        REAL[operation](disk, path)
    except (OSError, SafefsError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        number = getattr(error, "errno", None)
        return False, type(error).__name__, number, rule_of(error), said
    return True, None, None, None, None


def _disagreement(disk: Disk, operation: Operation, path: str) -> str | None:
    foretold = disk.explain(path, operation)
    happens = _happens(disk, operation, path)
    if _foretold(foretold) == happens:
        return None
    return f"{operation} {path!r}: {happens}, and not\n{foretold}"


@pytest.mark.usefixtures("resolver")
@pytest.mark.parametrize("policy", POLICIES, ids=map(str, range(len(POLICIES))))
def test_every_row_of_the_table_comes_out_as_foretold(policy: Policy, scratch: Scratch) -> None:
    """All operations without a policy; with one, each row has one of them in its turn."""
    wrong = []
    for number, case in enumerate(layouts.TABLE):
        turn = number % len(OPERATIONS)
        for operation in OPERATIONS if policy == Policy() else OPERATIONS[turn : turn + 1]:
            planting.clear(str(scratch.root))
            layouts.lay(case.layout, str(scratch.root), scratch)
            with Disk(scratch.root, policy=policy) as disk:
                wrong.append(_disagreement(disk, operation, layouts.filled(case.path, scratch)))
    assert [said for said in wrong if said] == []


@pytest.mark.usefixtures("resolver")
@given(
    tree=trees(names=("a", "A", "b", ".c")),
    asked=st.lists(
        st.tuples(st.sampled_from(OPERATIONS), relative_paths(names=("a", "A", "b", ".c"))),
        min_size=1,
        max_size=8,
    ),
    policy=st.sampled_from(POLICIES),
)
def test_what_is_foretold_for_any_tree_happens(
    scratch: Scratch, tree: Any, asked: list[tuple[Operation, str]], policy: Policy
) -> None:
    """One after the other: what one has made or removed, the next is foretold with."""
    planting.plant(scratch, tree)
    with Disk(scratch.root, policy=policy) as disk:
        for operation, path in asked:
            before = layouts.portrait(str(scratch.root))
            disk.explain(path, operation)
            assert layouts.portrait(str(scratch.root)) == before
            assert _disagreement(disk, operation, path) is None
    assert not scratch.changes()


@given(path=hostile_paths(names=("a", "b")), operation=st.sampled_from(OPERATIONS))
def test_hostile_text_is_explained_as_it_is_refused(
    scratch: Scratch, path: str, operation: Operation
) -> None:
    with Disk(scratch.root) as disk:
        assert _disagreement(disk, operation, path) is None


@given(
    tree=trees(links=False, names=("a", "A", "b", ".c")),
    asked=st.lists(
        st.tuples(st.sampled_from(OPERATIONS), relative_paths(names=("a", "A", "b", ".c"))),
        min_size=1,
        max_size=8,
    ),
    policy=st.sampled_from(POLICIES),
)
def test_a_disk_in_memory_foretells_too(
    scratch: Scratch, tree: Any, asked: list[tuple[Operation, str]], policy: Policy
) -> None:
    planting.plant(scratch, tree)
    driver = MemoryDriver()
    with Disk(scratch.root) as disk, Disk._over(driver) as memory:
        disk.copy_tree("", memory / "t")
        with memory.scoped("t").with_policy(policy) as narrow:
            for operation, path in asked:
                assert _disagreement(narrow, operation, path) is None


# -- what the steps say --------------------------------------------------------------------------


@pytest.fixture
def disk(scratch: Scratch) -> Iterator[Disk]:
    layout = (
        "releases/3/report.txt",
        "current => releases/3",
        "again => ./current/../../current/report.txt",
        "out => ../outside/secret.txt",
        "away => {outside}/secret.txt",
        "home => {root}/releases",
        "here => .",
        ".ssh/id",
    )
    layouts.lay(layout, str(scratch.root), scratch)
    os.link(scratch.root / "releases" / "3" / "report.txt", scratch.root / "twin")
    os.mkfifo(scratch.root / "pipe")
    with Disk(scratch.root) as disk:
        yield disk


def _told(found: Explanation) -> list[tuple[str, str, str | None]]:
    return [(step.component, step.kind, step.place) for step in found.steps]


def test_the_way_is_told_with_the_links_on_it(disk: Disk) -> None:
    found = disk.explain("current/report.txt")
    assert found.allowed
    assert found.place == "releases/3/report.txt"
    assert found.steps[0] == PathStep("current", "symlink", "releases/3", "releases/3")
    assert _told(found)[1:] == [
        ("releases", "directory", "releases"),
        ("3", "directory", "releases/3"),
        ("report.txt", "file", "releases/3/report.txt"),
    ]
    assert str(found).splitlines()[:2] == [
        "read current/report.txt: allowed",
        "  current: symlink to releases/3 which is releases/3",
    ]


def test_links_in_links_and_dots_are_told_with_where_they_lead(disk: Disk) -> None:
    found = disk.explain("again")
    assert found.place == "releases/3/report.txt"
    assert _told(found) == [
        ("again", "symlink", "releases/3/report.txt"),
        ("current", "symlink", "releases/3"),
        ("releases", "directory", "releases"),
        ("3", "directory", "releases/3"),
        ("..", "directory", "releases"),
        ("..", "directory", ""),
        ("current", "symlink", "releases/3"),
        ("releases", "directory", "releases"),
        ("3", "directory", "releases/3"),
        ("report.txt", "file", "releases/3/report.txt"),
    ]
    assert _told(disk.explain("here", "list")) == [("here", "symlink", "")]
    assert disk.explain("here/here", "list").place == ""
    assert disk.explain("", "list").steps == ()


def test_an_escape_names_the_link_and_its_text_and_nothing_beyond(disk: Disk) -> None:
    found = disk.explain("out")
    assert (found.allowed, found.error, found.rule) == (False, "EscapeError", "'..' above the root")
    assert [step.component for step in found.steps] == ["out", ".."]
    assert found.steps[0].target == "../outside/secret.txt"
    assert found.steps[1].place is None
    found = disk.explain("away")
    assert found.rule == found.steps[-1].rule == "link with an absolute target"
    assert [step.component for step in found.steps] == ["away"]
    assert disk.explain("/etc/x").rule == "absolute path"
    assert disk.explain("a\0b").error == "InvalidPathError"


def test_nothing_tells_whether_the_outside_is_there(disk: Disk, scratch: Scratch) -> None:
    before = [disk.explain(path, each) for path in ("out", "away") for each in OPERATIONS]
    (scratch.outside / "secret.txt").unlink()
    assert [disk.explain(path, each) for path in ("out", "away") for each in OPERATIONS] == before
    (scratch.outside / "secret.txt").write_text("OUTSIDE-SECRET\n")
    scratch.remember()


@pytest.mark.parametrize(
    ("path", "operation", "policy", "rule", "step"),
    [
        ("current/x", "read", Policy(symlinks="never"), "symlinks", "current"),
        (".ssh/id", "read", _NO_DOTS, "top_level_dot_entries", ".ssh"),
        ("here/.ssh", "remove", _NO_DOTS, "top_level_dot_entries", ".ssh"),
        ("twin", "read", Policy(hard_links="refuse"), "hard_links", "twin"),
        ("pipe", "read", Policy(special_files="refuse"), "special_files", "pipe"),
        ("twin", "write", Policy(read_only=True), "read_only", None),
        ("twin", "write", Policy(append_only=True), "append_only", "twin"),
        ("current", "read", Policy(max_path_length=3), "max_path_length", None),
        ("aux", "create", Policy(portable_names=True), "portable_names", None),
    ],
)  # fmt: skip
def test_the_step_at_which_a_rule_decides_says_which(
    path: str, operation: Operation, policy: Policy, rule: str, step: str | None, disk: Disk
) -> None:
    with disk.with_policy(policy) as narrow:
        found = narrow.explain(path, operation)
    assert (found.rule, found.error, found.place) == (rule, "PolicyError", None)
    assert [each.component for each in found.steps if each.rule] == ([step] if step else [])
    assert f"refused by {rule}" in str(found)


def test_an_absolute_link_that_is_followed_says_by_which_rule(scratch: Scratch, disk: Disk) -> None:
    assert disk.explain("home/3", "list").rule == "link with an absolute target"
    with Disk(scratch.root, policy=Policy(symlinks="inside_absolute")) as wide:
        found = wide.explain("home/3", "list")
    assert found.place == "releases/3"
    assert found.steps[0] == PathStep(
        "home", "symlink", "releases", f"{scratch.root}/releases", "symlinks"
    )


def test_what_is_missing_or_of_the_wrong_kind_is_no_rule(disk: Disk) -> None:
    found = disk.explain("releases/none/x")
    assert (found.errno, found.rule) == (ENOENT, None)
    assert _told(found)[-1] == ("none", "missing", None)
    found = disk.explain("twin/x")
    assert _told(found) == [("twin", "not a directory", None)]
    assert disk.explain("releases").errno == EISDIR
    assert "releases: fails" in str(disk.explain("releases"))
    found = disk.explain("releases/new", "write")
    assert (found.allowed, found.place) == (True, "releases/new")
    assert _told(found)[-1] == ("new", "missing", "releases/new")


def test_put_makes_what_is_missing_and_says_what(disk: Disk) -> None:
    for path, place in (("current/new/deep/f", "releases/3/new/deep/f"), ("new/../f", "f")):
        found = disk.explain(path, "put")
        assert (found.allowed, found.place) == (True, place)
        assert found.steps[-1] == PathStep("f", "missing", place)
        assert disk.explain(path, "write").errno == ENOENT
    assert _told(disk.explain("current/new/f", "make_directory"))[-2:] == [
        ("new", "missing", "releases/3/new"),
        ("f", "missing", "releases/3/new/f"),
    ]
    with disk.with_policy(Policy(hard_links="refuse")) as narrow:
        assert not narrow.explain("twin", "write").allowed
        assert narrow.explain("twin", "put").allowed
    found = disk.explain("twin/new/f", "put")
    assert (found.operation, found.error, found.place) == ("put", "NotADirectoryError", None)
    with disk.with_policy(Policy(deny=["secret"])) as narrow:
        found = narrow.explain("new/secret/f", "put")
        assert (found.rule, found.path) == ("deny", "new/secret/f")


@pytest.mark.parametrize("memory", [False, True])
@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ("put", "new/c/../c"),
        ("put", "new/..//new"),
        ("put", "q/../q"),
        ("put", "d/new/../new"),
        ("put", "new/../d/f"),
        ("put", "new/../f"),
        ("put", "new/x.key/../c"),
        ("put", "new/x.key"),
        ("make_directory", "new/x.key/.."),
        ("make_directory", "new/x.key/../c"),
        ("make_directory", "x.key/../d"),
        ("make_directory", "new/c/../c"),
    ],
)
@pytest.mark.parametrize(
    "policy", [Policy(), Policy(append_only=True), Policy(deny=["*.key"])], ids=range(3)
)
@pytest.mark.usefixtures("resolver")
def test_what_is_refused_for_a_directory_on_the_way_makes_none(
    policy: Policy, operation: Operation, path: str, memory: bool
) -> None:
    """Directories that ``..`` leaves again are made too, and may stand where the file is to be."""
    with Storage.fake(memory=memory) as storage:
        whole = storage.disk("documents")
        whole.put("d/f", "")
        before = whole.all_directories(), whole.all_files()
        disk = whole.with_policy(policy)
        foretold = disk.explain(path, operation)
        assert _disagreement(disk, operation, path) is None
        if not foretold.allowed:
            assert (whole.all_directories(), whole.all_files()) == before


def test_a_tree_that_would_be_removed_is_looked_at_for_what_is_denied(disk: Disk) -> None:
    assert disk.explain("releases", "remove_tree").place == "releases"
    assert disk.explain("current", "remove_tree").error == "NotADirectoryError"
    assert disk.explain("", "remove_tree").errno == EINVAL
    with disk.with_policy(Policy(deny=["report.txt"])) as narrow:
        assert narrow.explain("releases", "remove_tree").rule == "deny"


def test_a_line_is_a_line_whatever_a_name_holds(scratch: Scratch, disk: Disk) -> None:
    (scratch.root / "a\nb").mkdir()
    os.symlink("a\nb", scratch.root / "\x1b[1m")
    assert len(str(disk.explain("\x1b[1m", "list")).splitlines()) == 3
    assert str(disk.explain("\x1b[1m", "list")).isascii()
    assert "\x1b" not in str(disk.explain("a\nb\0", "list"))
    assert str(disk.explain("", "list")) == "list the root: allowed"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_nothing_is_opened_but_to_look_at_it(
    operation: Operation, disk: Disk, calls: Calls
) -> None:
    for path in ("pipe", "twin", "current", "new", "out", ""):
        disk.explain(path, operation)
    for name, arguments, _ in calls.named("open", "openat2", "read", "pread", "mkdir", "unlink"):
        assert name in ("open", "openat2"), name
        if name == "open":
            flags = arguments[1]
            assert isinstance(flags, int)
            if operation == "remove_tree":  # whether it is empty decides
                assert flags & (syscalls.O_PATH | os.O_DIRECTORY)
            else:
                assert flags & syscalls.O_PATH
            assert arguments[0] != b"outside"
    opened = [arguments[0] for _, arguments, _ in calls.named("open")]
    assert not {b"outside", b"secret.txt"} & set(opened)


def test_no_refusal_is_reported_and_none_is_opened_for_a_caller(disk: Disk) -> None:
    seen: list[tuple[str, tuple[object, ...]]] = []
    active = True

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if active and event == "safefs.denied":
            seen.append((event, arguments))

    sys.addaudithook(hook)
    for path in ("out/x", "/x", "a\0", ".."):
        for operation in OPERATIONS:
            assert not disk.explain(path, operation).allowed
    assert seen == []
    assert _happens(disk, "read", "out")[0] is False
    active = False
    assert len(seen) == 1


def test_it_is_a_value(disk: Disk) -> None:
    found = disk.explain("again")
    assert found == disk.explain("again")
    assert hash(found) == hash(disk.explain("again"))
    assert pickle.loads(pickle.dumps(found)) == copy.deepcopy(found) == found
    assert found.as_json()["steps"][0]["component"] == "again"
    assert disk.explain("again") != disk.explain("again", "write")
    with pytest.raises(AttributeError):
        found.allowed = False


def test_what_can_be_asked(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="operation is one of read, write"):
        disk.explain("a", "chmod")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        disk.explain(3)  # type: ignore[arg-type]
    assert disk.explain(disk / "twin").allowed
    assert disk.explain(b"twin").path == "twin"
    monkeypatch.setattr(syscalls, "O_PATH", 0)
    with pytest.raises(OSError, match="no O_PATH") as caught:
        disk.explain("twin")
    assert caught.value.errno == ENOTSUP
    disk.close()
    with pytest.raises(ValueError, match="closed"):
        disk.explain("twin")


def test_nothing_stays_open_behind_an_explanation(disk: Disk) -> None:
    """An exception that was kept would keep its frames, and what these have open."""
    gc.disable()
    try:
        before = set(os.listdir("/proc/self/fd"))
        kept = [disk.explain(path, each) for path in ("out", "a/b") for each in OPERATIONS]
        assert set(os.listdir("/proc/self/fd")) == before
        assert len(kept) == 2 * len(OPERATIONS)
    finally:
        gc.enable()


def test_permissions_are_foretold_to_who_is_not_root(shared_root: Path) -> None:
    """Of a file, of the directory that a name is made in or removed from, and of one on the way."""
    for name, mode, above in (
        ("none/f", 0o000, 0o755),
        ("some/r", 0o444, 0o755),
        ("some/w", 0o222, 0o755),
        ("shut/f", 0o644, 0o500),
        ("deaf/f", 0o644, 0o300),
        ("dark/f", 0o644, 0o600),
        ("sticky/f", 0o666, 0o1777),
    ):
        file = shared_root / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("")
        file.chmod(mode)
        file.parent.chmod(above)
        if os.geteuid() == 0:
            os.chown(file, NOBODY, NOBODY)
            os.chown(file.parent, NOBODY, NOBODY)
    (shared_root / "sticky/theirs").touch(0o666)  # of who runs the tests
    (shared_root / "sticky/d").mkdir()
    if os.geteuid() == 0:
        os.chown(shared_root / "sticky", 12345, 12345)
    for name, mode in (("empty", 0o555), ("void", 0o111)):
        (shared_root / name).mkdir(mode)

    def ask() -> list[str]:
        found = []
        with Disk(shared_root) as disk:
            for operation in OPERATIONS:
                for top in ("none", "some", "shut", "deaf", "dark", "sticky", "empty", "void"):
                    names = ("f", "r", "w", "new", "theirs", "d")
                    for path in (top, *(f"{top}/{name}" for name in names)):
                        if (operation, path) == ("remove_tree", "sticky"):
                            continue  # it is what lies beneath that may not be removed
                        found.append(_disagreement(disk, operation, path))
        return [said for said in found if said]

    assert in_child(ask, uid=NOBODY) == []
