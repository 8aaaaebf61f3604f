"""An attacker's move before each single system call: every operation, every index, every move."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import closing, nullcontext, suppress
from typing import TYPE_CHECKING

import pytest

from safefs.kernel import syscalls
from safefs.testing import jail
from safefs.testing.attackers import MOVES
from safefs.testing.composites import OPERATIONS, Operation
from safefs.testing.ground import Ground
from safefs.testing.interleaving import RESOLVERS, Survey, scratch_in_memory, survey
from tests.conftest import PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from safefs.testing.moves import Move

pytestmark = pytest.mark.timeout(1800)

DANGEROUS = [each for each in OPERATIONS if each.dangerous]
OTHERS = [each for each in OPERATIONS if not each.dangerous]


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("chosen", RESOLVERS)
def test_no_move_before_any_call_leads_an_operation_out(
    chosen: str, counted: Callable[..., None]
) -> None:
    found = survey(DANGEROUS, resolvers=[chosen], spans=PROFILE == "prove")
    if PROFILE == "prove":
        found += survey(OTHERS, resolvers=[chosen])
    assert not found.escapes, "\n".join(map(str, found.escapes[:20]))
    assert not found.failures, "\n".join(map(str, found.failures[:20]))
    assert found.made.keys() == {move.name for move in MOVES}, "all have been made"
    counted(
        f"interleavings ({chosen})",
        f"{found.triples:,} triples ({len(found.operations)} operations, each call, "
        f"{len(found.moves)} moves), {found.spans:,} with a later undoing",
        seconds=found.seconds,
        escapes=len(found.escapes),
    )


def test_a_survey_is_the_same_each_time() -> None:
    chosen = [each for each in OPERATIONS if each.name == "replace_file"]
    one, other = survey(chosen), survey(chosen)
    assert (one.triples, one.made, one.refused) == (other.triples, other.made, other.refused)


# -- the kit itself --------------------------------------------------------------------------------


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    with closing(Ground(tmp_path)) as made:
        yield made


@pytest.mark.parametrize("move", MOVES, ids=lambda move: move.name)
def test_a_move_can_be_made_and_undone_and_does_not_itself_touch_the_outside(
    move: Move, ground: Ground
) -> None:
    """Or it would be taken for an escape; and one that never can be made would prove nothing."""
    draft = f"{ground.root}/a/d/.safefs-0123456789abcdef.tmp"
    os.mkdir(draft) if "in the draft" in move.name else _write(draft)
    second = move.act(ground)
    if second is not None:
        second()
    assert ground.judge() == []
    assert ground.content_changes() == []
    assert move.story.endswith(".")


def test_moves_bear_names_of_their_own() -> None:
    assert len({move.name for move in MOVES}) == len(MOVES) >= 40


SPOILERS: dict[str, Callable[[Ground], object]] = {
    "read": lambda ground: _read(f"{ground.outside}/a/d/f"),
    "listed": lambda ground: os.listdir(f"{ground.outside}/a/d/sub"),
    "written": lambda ground: _write(f"{ground.outside}/a/d/f"),
    "created": lambda ground: _write(f"{ground.outside}/a/d/new"),
    "beside the root": lambda ground: os.mkdir(f"{ground.root}-2"),
    "beside what was moved": lambda ground: _write(f"{ground.elsewhere}/new"),
    "removed": lambda ground: os.unlink(f"{ground.outside}/a/d/sub/f"),
    "mode": lambda ground: os.chmod(f"{ground.outside}/a/d/f", 0o600),
    "linked": lambda ground: os.link(f"{ground.outside}/a/d/f", f"{ground.root}/a/linked"),
    "copied": lambda ground: _write(f"{ground.root}/a/copy", b"... OUTSIDE-OUTSIDE"),
    "everything": lambda ground: shutil.rmtree(ground.scratch.base),
    "followed": lambda ground: os.stat(f"{ground.outside}/a/d/l"),
    "removed where things are moved to": lambda ground: os.unlink(f"{ground.elsewhere}/f"),
}


def _read(path: str) -> None:
    with open(path, "rb") as file:
        file.read()


def _write(path: str, content: bytes = b"spoilt") -> None:
    with open(path, "wb") as file:
        file.write(content)


@pytest.mark.parametrize("spoiler", SPOILERS)
def test_the_judge_sees_what_was_done_outside(spoiler: str, ground: Ground) -> None:
    SPOILERS[spoiler](ground)
    assert ground.judge()
    assert ground.judge() == [], "the next encounter finds a ground as new"


@pytest.mark.parametrize("of", ["a/d", "a/d/f"])
def test_the_judge_sees_the_outside_in_an_answer(of: str, ground: Ground) -> None:
    outside, inside = f"{ground.outside}/{of}", f"{ground.root}/{of}"
    assert ground.reveals([{"stat": os.stat(outside)}])
    assert not ground.reveals([{"stat": os.stat(inside)}])
    assert ground.reveals(b"some OUTSIDE text")
    assert ground.reveals(("OUTSIDE-name", 1))
    assert ground.reveals(os.stat(f"{ground.outside}/a/d/f").st_size)
    assert not ground.reveals([None, True, "inside", b"inside", 7])


# -- it bites --------------------------------------------------------------------------------------


def _checked(path: str, root: str) -> str:
    """The check that everybody writes."""
    if not os.path.realpath(path).startswith(f"{root}/"):
        raise PermissionError(path)
    return path


def _naive_read(root: str) -> bytes:
    fd = syscalls.open(_checked(f"{root}/a/d/f", root), os.O_RDONLY | os.O_NONBLOCK)
    try:
        return syscalls.read(fd, 1 << 16)
    finally:
        syscalls.close(fd)


_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK


def _naive_write(root: str) -> None:
    fd = syscalls.open(_checked(f"{root}/a/d/f", root), _WRITE)
    try:
        syscalls.write(fd, b"more")
    finally:
        syscalls.close(fd)


def _naive_remove_tree(root: str) -> None:
    _remove_by_path(_checked(f"{root}/a/d", root))


def _remove_by_path(path: str) -> None:
    for name in syscalls.listdir(path):
        child = f"{path}/{name}"
        if stat.S_ISDIR(syscalls.stat(child, follow_symlinks=False).st_mode):
            _remove_by_path(child)
        else:
            syscalls.unlink(child)
    syscalls.rmdir(path)


def _remove_tree_by_dots(root: str) -> None:
    """By descriptor, and following nothing; but back up by ``..``, wherever that is by now."""
    listing = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    here = syscalls.open(f"{root}/a/d", listing)
    way: list[str] = []
    try:
        while (names := sorted(syscalls.listdir(here))) or way:
            if not names:
                above = syscalls.open("..", listing, dir_fd=here)
                syscalls.close(here)
                here = above
                with suppress(FileNotFoundError):
                    syscalls.rmdir(way.pop(), dir_fd=here)
                continue
            name = names[0]
            if stat.S_ISDIR(syscalls.stat(name, dir_fd=here, follow_symlinks=False).st_mode):
                below = syscalls.open(name, listing, dir_fd=here)
                syscalls.close(here)
                here = below
                way.append(name)
            else:
                syscalls.unlink(name, dir_fd=here)
    finally:
        syscalls.close(here)


# What is naive, and moves that must find it out.
NAIVE: dict[Callable[[str], object], set[str]] = {
    _naive_read: {"swap the directory for a link out", "swap the file for one call"},
    _naive_write: {"swap the upper directory for a link out", "swap the file for a link out"},
    _naive_remove_tree: {
        "swap a directory of the tree for a link out",
        "swap the directory for one call",
    },
    _remove_tree_by_dots: {"move a directory of the tree out"},
}


@pytest.mark.skipif(jail.kind() is None, reason="needs a jail")
@pytest.mark.parametrize("naive", NAIVE, ids=lambda naive: naive.__name__.strip("_"))
def test_what_is_naive_is_found_out(naive: Callable[[str], object]) -> None:
    """The same engine and the same moves; in a jail, since here something really is led astray."""
    operation = Operation(naive.__name__, naive, nullcontext)
    expected = NAIVE[naive]
    moves = [move for move in MOVES if move.name in expected]
    with scratch_in_memory() as scratch:

        def attacked() -> Survey:
            return survey([operation], moves, resolvers=["walk"], directory=scratch)

        found = jail.jailed(attacked, scratch=scratch)
    assert {escape.move for escape in found.escapes} == expected, "and unattacked it does no harm"
