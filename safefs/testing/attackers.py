"""What an attacker does between two system calls: every move is a function with its story.

Moves act by plain ``os`` on names, as another program would that may write in the root. One that
comes too late, because what it would move is gone already, raises ``OSError``. One that has a
second act returns it; it comes before the system call after the next.
"""

from __future__ import annotations

import ctypes
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from safefs.testing.ground import Ground

    SecondAct: TypeAlias = Callable[[], object]
    Act: TypeAlias = Callable[[Ground], SecondAct | None]

_RENAME_EXCHANGE = 2  # renameat2(2)
_AT_FDCWD = -100

_libc = ctypes.CDLL(None, use_errno=True)


class Move:
    """One move: its name, its story, and whether it lays hands on temporary names."""

    __slots__ = ("act", "name", "story", "takes_drafts")

    def __init__(self, act: Act, name: str, *, takes_drafts: bool) -> None:
        self.act = act
        self.name = name
        self.story = " ".join((act.__doc__ or "").split())
        self.takes_drafts = takes_drafts

    def __repr__(self) -> str:
        return f"<Move {self.name}>"


MOVES: list[Move] = []


def _move(act: Act) -> Act:
    words = act.__name__.strip("_").replace("_", " ")
    MOVES.append(Move(act, words, takes_drafts="draft" in act.__name__))
    return act


def exchange(one: str, other: str) -> None:
    """Swap two names in one step (renameat2 with RENAME_EXCHANGE): neither is ever missing."""
    names = os.fsencode(one), os.fsencode(other)
    if _libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), one, None, other)


def _swap_for_link(ground: Ground, name: str, target: str) -> SecondAct:
    """Put a link in the place of a name, which is parked inside; the way back."""
    place, parked = f"{ground.root}/{name}", f"{ground.root}/park/{name.replace('/', '-')}"
    os.symlink(target, parked)
    exchange(place, parked)
    return lambda: exchange(place, parked)


def _outward(name: str) -> str:
    """The target of a link in the place of ``name`` that leads to what it is outside."""
    return "../" * (name.count("/") + 1) + f"outside/{name}"


# -- links in the place of directories -------------------------------------------------------------


@_move
def swap_the_upper_directory_for_a_link_out(ground: Ground) -> None:
    """The first directory of the path becomes a link to its like outside (CVE-2021-25741)."""
    _swap_for_link(ground, "a", _outward("a"))


@_move
def swap_the_directory_for_a_link_out(ground: Ground) -> None:
    """The directory that is worked in becomes a link to its like outside."""
    _swap_for_link(ground, "a/d", _outward("a/d"))


@_move
def swap_a_directory_of_the_tree_for_a_link_out(ground: Ground) -> None:
    """Listed as a directory, it is a link out by the time it is entered (CVE-2022-21658)."""
    _swap_for_link(ground, "a/d/sub", _outward("a/d/sub"))


@_move
def swap_the_upper_directory_for_one_call(ground: Ground) -> SecondAct:
    """A link out during exactly one system call, and the old directory again for the next."""
    return _swap_for_link(ground, "a", _outward("a"))


@_move
def swap_the_directory_for_one_call(ground: Ground) -> SecondAct:
    """A check before and a check after would both see the directory."""
    return _swap_for_link(ground, "a/d", _outward("a/d"))


@_move
def swap_a_directory_of_the_tree_for_one_call(ground: Ground) -> SecondAct:
    """What is listed, what is entered and what is removed are to be three different things."""
    return _swap_for_link(ground, "a/d/sub", _outward("a/d/sub"))


@_move
def swap_the_directory_for_an_absolute_link(ground: Ground) -> None:
    """The same with an absolute target, which a resolver may treat in another branch."""
    _swap_for_link(ground, "a/d", f"{ground.outside}/a/d")


@_move
def swap_the_directory_for_a_chain_of_links(ground: Ground) -> None:
    """Three links inside, of which only the last leads out."""
    os.symlink("../way-2", f"{ground.root}/park/way-1")
    os.symlink("../outside/a/d", f"{ground.root}/way-2")
    _swap_for_link(ground, "a/d", "../park/way-1")


@_move
def swap_the_directory_for_a_link_to_the_parent(ground: Ground) -> None:
    """The tree beneath becomes the tree above, for ever."""
    _swap_for_link(ground, "a/d", "..")


@_move
def swap_the_directory_for_a_link_above_the_root(ground: Ground) -> None:
    """As many ``..`` as lead to the directory that holds the root."""
    _swap_for_link(ground, "a/d", "../../..")


@_move
def swap_the_directory_for_another(ground: Ground) -> None:
    """No link at all: another directory inside, with another identity."""
    exchange(f"{ground.root}/a/d", f"{ground.root}/park")


# -- directories that move -------------------------------------------------------------------------


@_move
def move_the_directory_out(ground: Ground) -> None:
    """Whoever stands in it stands outside; ``..`` from there is not the root any more."""
    os.rename(f"{ground.root}/a/d", f"{ground.elsewhere}/moved-d")


@_move
def move_the_directory_out_and_put_a_link_there(ground: Ground) -> None:
    """The held descriptor and the name now lead out in two different ways."""
    os.rename(f"{ground.root}/a/d", f"{ground.elsewhere}/moved-d")
    os.symlink(_outward("a/d"), f"{ground.root}/a/d")


@_move
def move_the_upper_directory_out(ground: Ground) -> None:
    """The whole way leaves the root."""
    os.rename(f"{ground.root}/a", f"{ground.elsewhere}/moved-a")


@_move
def move_a_directory_of_the_tree_out(ground: Ground) -> None:
    """Who goes up from it by ``..`` comes to a directory of someone else's."""
    os.rename(f"{ground.root}/a/d/sub", f"{ground.elsewhere}/moved-sub")


@_move
def move_the_directory_out_for_one_call(ground: Ground) -> SecondAct:
    """Out and home again, so that the identity of everything is what it was."""
    os.rename(f"{ground.root}/a/d", f"{ground.elsewhere}/moved-d")
    return lambda: os.rename(f"{ground.elsewhere}/moved-d", f"{ground.root}/a/d")


@_move
def move_the_directory_deeper(ground: Ground) -> None:
    """Further inside: more ``..`` than were counted."""
    os.makedirs(f"{ground.root}/park/deep/er")
    os.rename(f"{ground.root}/a/d", f"{ground.root}/park/deep/er/d")


@_move
def move_a_directory_of_the_tree_to_the_top(ground: Ground) -> None:
    """Fewer ``..`` than were counted: one too many leaves the root (CVE-2002-0435)."""
    os.rename(f"{ground.root}/a/d/sub", f"{ground.root}/sub")


@_move
def move_the_root_and_put_a_link_there(ground: Ground) -> None:
    """The name of the root leads out; the root itself is elsewhere."""
    os.rename(ground.root, f"{ground.elsewhere}/root")
    os.symlink("outside", ground.root)


@_move
def move_the_root_and_put_a_directory_there(ground: Ground) -> None:
    """Under the root's name stands a fresh directory, where nothing may appear."""
    os.rename(ground.root, f"{ground.elsewhere}/root")
    os.mkdir(ground.root)


# -- directories that go ---------------------------------------------------------------------------


@_move
def remove_the_directory(ground: Ground) -> None:
    """With all that is in it: what is held is a directory without a name."""
    _remove_tree(f"{ground.root}/a/d")


@_move
def remove_the_directory_and_make_it_anew(ground: Ground) -> None:
    """Under the old name a fresh one, on some file systems with the old inode number."""
    _remove_tree(f"{ground.root}/a/d")
    os.mkdir(f"{ground.root}/a/d")


@_move
def remove_the_directory_and_put_a_link_there(ground: Ground) -> None:
    """What was about to be made again is there already, and leads out."""
    _remove_tree(f"{ground.root}/a/d")
    os.symlink(_outward("a/d"), f"{ground.root}/a/d")


@_move
def put_a_file_in_the_place_of_the_directory(ground: Ground) -> None:
    """A component that is no directory any more."""
    exchange(f"{ground.root}/a/d", f"{ground.root}/spare")


def _remove_tree(path: str) -> None:
    for here, directories, files in os.walk(path, topdown=False):
        for name in files:
            os.unlink(f"{here}/{name}")
        for name in directories:
            name = f"{here}/{name}"
            (os.unlink if stat.S_ISLNK(os.lstat(name).st_mode) else os.rmdir)(name)
    os.rmdir(path)


# -- files -----------------------------------------------------------------------------------------


@_move
def swap_the_file_for_a_link_out(ground: Ground) -> None:
    """Looked at as a file, opened as a link to a file outside."""
    _swap_for_link(ground, "a/d/f", _outward("a/d/f"))


@_move
def swap_the_file_for_one_call(ground: Ground) -> SecondAct:
    """A link out during one system call."""
    return _swap_for_link(ground, "a/d/f", _outward("a/d/f"))


@_move
def swap_a_file_of_the_tree_for_a_link_out(ground: Ground) -> None:
    """The same, further down."""
    _swap_for_link(ground, "a/d/sub/f", _outward("a/d/sub/f"))


@_move
def swap_the_file_for_a_dangling_link_out(ground: Ground) -> None:
    """Whoever creates through it creates outside."""
    _swap_for_link(ground, "a/d/f", _outward("a/d/missing"))


@_move
def swap_the_file_for_a_fifo(ground: Ground) -> None:
    """Whoever opens it waits for ever."""
    os.mkfifo(f"{ground.root}/park/fifo")
    exchange(f"{ground.root}/a/d/f", f"{ground.root}/park/fifo")


@_move
def swap_the_file_for_a_directory(ground: Ground) -> None:
    """A directory where a file was seen."""
    exchange(f"{ground.root}/a/d/f", f"{ground.root}/park")


@_move
def remove_the_file(ground: Ground) -> None:
    """What was seen is gone."""
    os.unlink(f"{ground.root}/a/d/f")


# -- links that were inside ------------------------------------------------------------------------


@_move
def turn_the_link_to_a_file_outward(ground: Ground) -> None:
    """Read as a link inside, followed as one out."""
    _replace_link(f"{ground.root}/a/d/l", _outward("a/d/f"))


@_move
def turn_the_link_to_a_directory_outward(ground: Ground) -> None:
    """A link on the way, which led inside when the path was looked at."""
    _replace_link(f"{ground.root}/way", "../outside/a/d")


@_move
def turn_the_link_to_a_directory_outward_for_one_call(ground: Ground) -> SecondAct:
    """And inside again for the next."""
    _replace_link(f"{ground.root}/way", "../outside/a/d")
    return lambda: _replace_link(f"{ground.root}/way", "a/d")


@_move
def make_the_link_dangle_outside(ground: Ground) -> None:
    """Followed to create, it would create outside."""
    _replace_link(f"{ground.root}/a/d/l", _outward("a/d/missing"))


def _replace_link(path: str, target: str) -> None:
    os.lstat(path)  # a move that comes too late makes nothing
    os.symlink(target, f"{path}-next")
    os.rename(f"{path}-next", path)


# -- what is just being made -----------------------------------------------------------------------


@_move
def plant_a_link_to_a_directory_at_the_new_name(ground: Ground) -> None:
    """What is about to be made, or was made by the last call, is a link to a directory outside."""
    _plant(ground, _outward("a/d"))


@_move
def plant_a_link_to_a_file_at_the_new_name(ground: Ground) -> None:
    """The same with a file, which would be written or replaced."""
    _plant(ground, _outward("a/d/f"))


@_move
def plant_a_dangling_link_at_the_new_name(ground: Ground) -> None:
    """Creating through it would create outside."""
    _plant(ground, _outward("a/d/missing"))


@_move
def plant_a_link_at_the_new_name_for_one_call(ground: Ground) -> SecondAct:
    """There for one call, and nothing or what was made before for the next."""
    return _plant(ground, _outward("a/d"))


@_move
def plant_a_directory_at_the_new_name(ground: Ground) -> None:
    """Somebody was quicker."""
    os.mkdir(f"{ground.root}/a/d/new")


def _plant(ground: Ground, target: str) -> SecondAct:
    place = f"{ground.root}/a/d/new"
    if os.path.lexists(place):
        return _swap_for_link(ground, "a/d/new", target)
    os.symlink(target, place)
    return lambda: os.unlink(place)


# -- drafts: the temporary names -------------------------------------------------------------------


@_move
def put_a_link_to_a_file_over_the_draft(ground: Ground) -> None:
    """What is renamed into place at the end is then a link, and must not be written through."""
    for draft in _drafts(ground):
        _swap_for_link(ground, draft, _outward("a/d/f"))


@_move
def put_a_link_to_a_directory_over_the_draft(ground: Ground) -> None:
    """The half-copied tree becomes a link; filling or clearing it up must not go through it."""
    for draft in _drafts(ground):
        _swap_for_link(ground, draft, _outward("a/d"))


@_move
def put_a_link_over_the_draft_for_one_call(ground: Ground) -> SecondAct:
    """A link out during one system call, and the draft again for the next."""
    back = [_swap_for_link(ground, draft, _outward("a/d")) for draft in _drafts(ground)]
    return lambda: [undo() for undo in back]


@_move
def put_a_hard_link_over_the_draft(ground: Ground) -> None:
    """Another file's name; what is done to the draft by name is done to that file."""
    for draft in _drafts(ground):
        os.link(f"{ground.root}/spare", f"{ground.root}/park/hard")
        os.rename(f"{ground.root}/park/hard", f"{ground.root}/{draft}")


@_move
def put_a_directory_over_the_draft(ground: Ground) -> None:
    """A directory, which no unlink clears up."""
    for draft in _drafts(ground):
        os.mkdir(f"{ground.root}/park/directory")
        exchange(f"{ground.root}/{draft}", f"{ground.root}/park/directory")


@_move
def take_the_draft_out(ground: Ground) -> None:
    """The half-written content leaves the root."""
    for draft in _drafts(ground):
        os.rename(f"{ground.root}/{draft}", f"{ground.elsewhere}/moved-draft")


def _drafts(ground: Ground) -> list[str]:
    """The attacker lists where it knows that drafts appear; FileNotFoundError where there is none.

    Seen from the root, as all names of moves are.
    """
    found = [
        f"{directory}/{name}"
        for directory in ("a", "a/d")
        if os.path.isdir(f"{ground.root}/{directory}")
        for name in os.listdir(f"{ground.root}/{directory}")
        if name.endswith(".tmp")
    ]
    if not found:
        raise FileNotFoundError
    return found
