"""An attacker swaps a directory for a link that leads out, without a pause, while Root works there.

The story is always the same (CVE-2021-25741, CVE-2022-21658, TestRootRaceRenameDir in Go): a path
is looked at, found to lie inside, and by the time it is used one of its directories is a link. Here
the attacker is another process that exchanges ``d`` and ``link`` in one step, so that neither is
ever missing. Whatever it meets, an operation either works inside or is refused; nothing outside is
read or changed; and both must have been seen, or the race proved nothing.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass
from errno import errorcode
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from safefs.errors import EscapeError
from safefs.root import Root
from tests import layouts
from tests.attackers import exchanging

if TYPE_CHECKING:
    from collections.abc import Callable

    from safefs.testing.scratch import Scratch

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Race:
    """What is done in a loop; ``restore`` puts back what a success has used up.

    ``act`` returns whatever came back, which must hold nothing of the outside. ``calm`` are the
    errors that are fair besides a refusal: what the attacker's link is to that operation.
    """

    name: str
    act: Callable[[Root], object]
    restore: Callable[[Root], object] = lambda _: None
    calm: tuple[type[OSError], ...] = ()


def _opened(root: Root) -> bytes:
    with root.open("d/f", "rb") as file:
        return file.read()


def _walked(root: Root) -> list[object]:
    errors: list[OSError] = []
    steps: list[object] = list(root.walk("d", onerror=errors.append))
    return steps


def _restored(root: Root) -> None:
    """The directory as it was, wherever the attacker has put it just now."""
    for name in ("d", "link"):
        if not root.is_symlink(name):
            root.makedirs(f"{name}/sub/deep", exist_ok=True)
            root.write_bytes(f"{name}/f", b"inside")
            root.write_bytes(f"{name}/sub/f", b"inside")


def _as_it_was(root: Root) -> None:
    for _ in range(10_000):
        try:
            _restored(root)
        except OSError:
            continue  # swapped again in the middle of it
        return
    raise AssertionError("the directory could not be restored")


# As an attack on the top of a tree: the link itself may be met, and is no directory.
_TREE = (NotADirectoryError,)

RACES = (
    Race("open", _opened),
    Race("read", lambda root: root.read_bytes("d/sub/f")),
    Race("read by dots", lambda root: root.read_bytes("d/sub/../f")),
    Race("write", lambda root: root.write_bytes("d/f", b"spoilt")),
    Race("create", lambda root: root.open("d/new", "xb").close(), lambda r: r.unlink("d/new")),
    Race("append", lambda root: root.open("d/f", "ab").close()),
    Race("replace_file", lambda root: root.replace_file("d/f", b"spoilt")),
    Race("truncate", lambda root: root.truncate("d/f", 1)),
    Race("stat", lambda root: root.stat("d/f").st_ino),
    Race("stat of the directory", lambda root: root.stat("d").st_ino),
    Race("lstat", lambda root: root.lstat("d/f").st_ino),
    Race("listdir", lambda root: root.listdir("d")),
    Race("listdir beneath", lambda root: root.listdir("d/sub")),
    Race("scandir", lambda root: [entry.name for entry in root.scandir("d")]),
    Race("walk", _walked),
    Race("find", lambda root: list(root.find("d"))),
    Race("glob", lambda root: list(root.glob("d/*"))),
    Race("mkdir", lambda root: root.mkdir("d/new"), lambda root: root.rmdir("d/new")),
    Race(
        "makedirs",
        lambda root: root.makedirs("d/new/er/est"),
        lambda root: root.remove_tree("d/new"),
    ),
    Race("unlink", lambda root: root.unlink("d/f"), _as_it_was),
    Race("rmdir", lambda root: root.rmdir("d/sub/deep"), _as_it_was),
    Race("remove_tree", lambda root: root.remove_tree("d/sub"), _as_it_was),
    Race(
        "remove_tree of the directory itself", lambda root: root.remove_tree("d"), _as_it_was, _TREE
    ),
    Race("rename within", lambda root: root.rename("d/f", "d/new"), _as_it_was),
    Race("rename into", lambda root: root.rename("spare", "d/new"), _as_it_was),
    Race("rename out of", lambda root: root.rename("d/f", "new"), _as_it_was),
    Race("copy from", lambda root: root.copy("d/f", "new")),
    Race("copy to", lambda root: root.copy("spare", "d/new")),
    Race("copy_tree from", lambda root: root.copy_tree("d", "new"), lambda r: r.remove_tree("new")),
    Race("link", lambda root: root.link("d/f", "new"), lambda root: root.unlink("new")),
    Race("symlink", lambda root: root.symlink("f", "d/new"), lambda root: root.unlink("d/new")),
    Race("chmod", lambda root: root.chmod("d/f", 0o606)),
    Race("chmod of the directory", lambda root: root.chmod("d", 0o707)),
    Race("utime", lambda root: root.utime("d/f", ns=(1, 1))),
    Race("setxattr", lambda root: root.setxattr("d/f", "user.x", b"x")),
    Race("subroot", lambda root: _in_subroot(root)),
)


def _in_subroot(root: Root) -> object:
    with root.subroot("d") as inner:
        return inner.listdir(), inner.read_bytes("f")


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_a_directory_swapped_for_a_link_out_is_used_inside_or_refused(
    race: Race, resolver: str, scratch: Scratch, scaled: Callable[[int], int]
) -> None:
    inside = ("d/f = inside", "d/sub/f = inside", "d/sub/deep/", "link => ../outside", "spare = s")
    layouts.lay(inside, str(scratch.root), scratch)
    outside = ("f = OUTSIDE", "sub/f = OUTSIDE", "sub/deep/", "OUTSIDE-NAME")
    layouts.lay(outside, str(scratch.outside), scratch)
    foreign = {os.lstat(path).st_ino for path in _everything(scratch.outside)}
    scratch.remember()
    seen: Counter[str] = Counter()
    rounds, deadline = 0, time.monotonic() + 600
    with Root(scratch.root) as root, exchanging(scratch.root / "d", scratch.root / "link"):
        while rounds < scaled(3000) or not (seen["inside"] and seen["refused"]):
            outcome = _attempt(race, root, foreign)
            seen[outcome] += 1
            rounds += 1
            if outcome == "inside":
                _put_right(race, root)
            assert time.monotonic() < deadline, f"{resolver} saw only {dict(seen)}"
            if not rounds % 500:
                assert not scratch.changes()
    for path in _everything(scratch.root):
        if path.is_file() and not path.is_symlink():
            assert b"OUTSIDE" not in path.read_bytes(), path


_TREES: dict[str, Callable[[Root], object]] = {
    "walk": lambda root: list(root.walk("t")),
    "find": lambda root: list(root.find("t")),
    "glob": lambda root: list(root.glob("t/**")),
    "disk_usage": lambda root: root.disk_usage("t"),
    "copy_tree": lambda root: root.copy_tree("t", "new"),
    "remove_tree": lambda root: root.remove_tree("t"),
}


@pytest.mark.parametrize("operation", _TREES)
@pytest.mark.usefixtures("resolver")
def test_a_tree_operation_does_not_enter_a_link_swapped_in_for_a_directory_of_the_tree(
    operation: str, scratch: Scratch, scaled: Callable[[int], int]
) -> None:
    """CVE-2022-21658: remove_dir_all listed a directory and removed what a link led to."""
    lines = ("t/a/f", "t/d/f = inside", "t/d/sub/f = inside", "t/link => ../../outside", "t/z/f")
    outside = ("f = OUTSIDE", "sub/f = OUTSIDE", "OUTSIDE-NAME")
    layouts.lay(outside, str(scratch.outside), scratch)
    layouts.lay(lines, str(scratch.root), scratch)
    scratch.remember()
    seen: Counter[str] = Counter()
    with Root(scratch.root) as root, exchanging(scratch.root / "t/d", scratch.root / "t/link"):
        for _ in range(scaled(400)):
            try:
                answer = repr(_TREES[operation](root))
            except OSError as error:  # of what was a directory, or a link, when it was listed
                answer = errorcode[error.errno or 0]
            assert answer not in ("EACCES", "EXDEV", "ELOOP")
            assert "OUTSIDE" not in answer
            seen[answer] += 1
            _anew(operation, root, scratch, lines)
    assert not scratch.changes()
    assert sum(seen.values()) == scaled(400)
    if operation in ("walk", "find", "glob"):
        assert len(seen) > 1, "nothing was swapped, so this proved nothing"


def _anew(operation: str, root: Root, scratch: Scratch, lines: tuple[str, ...]) -> None:
    if operation == "copy_tree" and root.exists("new"):
        assert not any(b"OUTSIDE" in root.read_bytes(name) for name in _files(root, "new"))
        root.remove_tree("new")
    if operation == "remove_tree" and not root.exists("t"):
        layouts.lay(lines, str(scratch.root / "made"), scratch)
        root.rename("made/t", "t")


def _files(root: Root, top: str) -> list[str]:
    return [name for name in root.find(top) if not root.is_symlink(name)]


def _attempt(race: Race, root: Root, foreign: set[int]) -> str:
    try:
        answer = race.act(root)
    except EscapeError:
        return "refused"
    except race.calm:
        return "refused"
    except FileNotFoundError:
        return "missing"  # what the last round used up stands under the other name just now
    except FileExistsError:
        return "taken"
    assert "OUTSIDE" not in repr(answer)
    assert not isinstance(answer, int) or answer not in foreign
    return "inside"


def _put_right(race: Race, root: Root) -> None:
    """Undo, however often the attacker swaps in the middle of it."""
    for _ in range(10_000):
        try:
            race.restore(root)
        except FileNotFoundError:
            return
        except OSError:
            continue
        return
    raise AssertionError("what was done could not be undone")


def _everything(top: Path) -> list[Path]:
    return [Path(at, name) for at, names, others in os.walk(top) for name in (*names, *others, ".")]
