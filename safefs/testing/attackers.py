"""What an attacker does between two system calls: every move is a function with its story.

They strike at ``a/d``, the directory that operations work in, at ``a`` above it and at ``sub``, the
tree in it; at its file ``f``, its link ``l`` and the link ``way`` to it; at the name ``new`` in it;
and at temporary names.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from safefs.testing.moves import (
    Move,
    Place,
    exchange,
    outward,
    remove_tree,
    replace_link,
    swap_for_link,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from safefs.testing.ground import Ground
    from safefs.testing.moves import Act, SecondAct

MOVES: list[Move] = []


def _at(place: Place) -> Callable[[Act], Act]:
    return partial(_add, place)


def _add(place: Place, act: Act) -> Act:
    MOVES.append(Move(act, place))
    return act


# -- links in the place of directories -------------------------------------------------------------


@_at("directory")
def swap_the_upper_directory_for_a_link_out(ground: Ground) -> None:
    """The first directory of the path becomes a link to its like outside (CVE-2021-25741)."""
    swap_for_link(ground, "a", outward("a"))


@_at("directory")
def swap_the_directory_for_a_link_out(ground: Ground) -> None:
    """The directory that is worked in becomes a link to its like outside."""
    swap_for_link(ground, "a/d", outward("a/d"))


@_at("directory")
def swap_a_directory_of_the_tree_for_a_link_out(ground: Ground) -> None:
    """Listed as a directory, it is a link out by the time it is entered (CVE-2022-21658)."""
    swap_for_link(ground, "a/d/sub", outward("a/d/sub"))


@_at("directory")
def swap_the_upper_directory_for_one_call(ground: Ground) -> SecondAct:
    """A link out during exactly one system call, and the old directory again for the next."""
    return swap_for_link(ground, "a", outward("a"))


@_at("directory")
def swap_the_directory_for_one_call(ground: Ground) -> SecondAct:
    """A check before and a check after would both see the directory."""
    return swap_for_link(ground, "a/d", outward("a/d"))


@_at("directory")
def swap_a_directory_of_the_tree_for_one_call(ground: Ground) -> SecondAct:
    """What is listed, what is entered and what is removed are to be three different things."""
    return swap_for_link(ground, "a/d/sub", outward("a/d/sub"))


@_at("directory")
def swap_the_directory_for_an_absolute_link(ground: Ground) -> None:
    """The same with an absolute target, which a resolver may treat in another branch."""
    swap_for_link(ground, "a/d", f"{ground.outside}/a/d")


@_at("directory")
def swap_the_directory_for_a_chain_of_links(ground: Ground) -> None:
    """Three links inside, of which only the last leads out."""
    os.symlink("../way-2", f"{ground.root}/park/way-1")
    os.symlink("../outside/a/d", f"{ground.root}/way-2")
    swap_for_link(ground, "a/d", "../park/way-1")


@_at("directory")
def swap_the_directory_for_a_link_to_the_parent(ground: Ground) -> None:
    """The tree beneath becomes the tree above, for ever."""
    swap_for_link(ground, "a/d", "..")


@_at("directory")
def swap_the_directory_for_a_link_above_the_root(ground: Ground) -> None:
    """As many ``..`` as lead to the directory that holds the root."""
    swap_for_link(ground, "a/d", "../../..")


@_at("directory")
def swap_the_directory_for_another(ground: Ground) -> None:
    """No link at all: another directory inside, with another identity."""
    exchange(f"{ground.root}/a/d", f"{ground.root}/park")


# -- directories that move -------------------------------------------------------------------------


@_at("directory")
def move_the_directory_out(ground: Ground) -> None:
    """Whoever stands in it stands outside; ``..`` from there is not the root any more."""
    os.rename(f"{ground.root}/a/d", f"{ground.elsewhere}/moved-d")


@_at("directory")
def move_the_directory_out_and_put_a_link_there(ground: Ground) -> None:
    """The held descriptor and the name now lead out in two different ways."""
    os.rename(f"{ground.root}/a/d", f"{ground.elsewhere}/moved-d")
    os.symlink(outward("a/d"), f"{ground.root}/a/d")


@_at("directory")
def move_the_upper_directory_out(ground: Ground) -> None:
    """The whole way leaves the root."""
    os.rename(f"{ground.root}/a", f"{ground.elsewhere}/moved-a")


@_at("directory")
def move_a_directory_of_the_tree_out(ground: Ground) -> None:
    """Who goes up from it by ``..`` comes to a directory of someone else's."""
    os.rename(f"{ground.root}/a/d/sub", f"{ground.elsewhere}/moved-sub")


@_at("directory")
def move_the_directory_out_for_one_call(ground: Ground) -> SecondAct:
    """Out and home again, so that the identity of everything is what it was."""
    os.rename(f"{ground.root}/a/d", f"{ground.elsewhere}/moved-d")
    return lambda: os.rename(f"{ground.elsewhere}/moved-d", f"{ground.root}/a/d")


@_at("directory")
def move_the_directory_deeper(ground: Ground) -> None:
    """Further inside: more ``..`` than were counted."""
    os.makedirs(f"{ground.root}/park/deep/er")
    os.rename(f"{ground.root}/a/d", f"{ground.root}/park/deep/er/d")


@_at("directory")
def move_a_directory_of_the_tree_to_the_top(ground: Ground) -> None:
    """Fewer ``..`` than were counted: one too many leaves the root (CVE-2002-0435)."""
    os.rename(f"{ground.root}/a/d/sub", f"{ground.root}/sub")


@_at("directory")
def move_the_root_and_put_a_link_there(ground: Ground) -> None:
    """The name of the root leads out; the root itself is elsewhere."""
    os.rename(ground.root, f"{ground.elsewhere}/root")
    os.symlink("outside", ground.root)


@_at("directory")
def move_the_root_and_put_a_directory_there(ground: Ground) -> None:
    """Under the root's name stands a fresh directory, where nothing may appear."""
    os.rename(ground.root, f"{ground.elsewhere}/root")
    os.mkdir(ground.root)


# -- directories that go ---------------------------------------------------------------------------


@_at("directory")
def remove_the_directory(ground: Ground) -> None:
    """With all that is in it: what is held is a directory without a name."""
    remove_tree(f"{ground.root}/a/d")


@_at("directory")
def remove_the_directory_and_make_it_anew(ground: Ground) -> None:
    """Under the old name a fresh one, on some file systems with the old inode number."""
    remove_tree(f"{ground.root}/a/d")
    os.mkdir(f"{ground.root}/a/d")


@_at("directory")
def remove_the_directory_and_put_a_link_there(ground: Ground) -> None:
    """What was about to be made again is there already, and leads out."""
    remove_tree(f"{ground.root}/a/d")
    os.symlink(outward("a/d"), f"{ground.root}/a/d")


@_at("directory")
def put_a_file_in_the_place_of_the_directory(ground: Ground) -> None:
    """A component that is no directory any more."""
    exchange(f"{ground.root}/a/d", f"{ground.root}/spare")


# -- files -----------------------------------------------------------------------------------------


@_at("file")
def swap_the_file_for_a_link_out(ground: Ground) -> None:
    """Looked at as a file, opened as a link to a file outside."""
    swap_for_link(ground, "a/d/f", outward("a/d/f"))


@_at("file")
def swap_the_file_for_one_call(ground: Ground) -> SecondAct:
    """A link out during one system call."""
    return swap_for_link(ground, "a/d/f", outward("a/d/f"))


@_at("file")
def swap_a_file_of_the_tree_for_a_link_out(ground: Ground) -> None:
    """The same, further down."""
    swap_for_link(ground, "a/d/sub/f", outward("a/d/sub/f"))


@_at("file")
def swap_the_file_for_a_dangling_link_out(ground: Ground) -> None:
    """Whoever creates through it creates outside."""
    swap_for_link(ground, "a/d/f", outward("a/d/missing"))


@_at("file")
def swap_the_file_for_a_fifo(ground: Ground) -> None:
    """Whoever opens it waits for ever."""
    os.mkfifo(f"{ground.root}/park/fifo")
    exchange(f"{ground.root}/a/d/f", f"{ground.root}/park/fifo")


@_at("file")
def swap_the_file_for_a_directory(ground: Ground) -> None:
    """A directory where a file was seen."""
    exchange(f"{ground.root}/a/d/f", f"{ground.root}/park")


@_at("file")
def remove_the_file(ground: Ground) -> None:
    """What was seen is gone."""
    os.unlink(f"{ground.root}/a/d/f")


# -- links that were inside ------------------------------------------------------------------------


@_at("link")
def turn_the_link_to_a_file_outward(ground: Ground) -> None:
    """Read as a link inside, followed as one out."""
    replace_link(f"{ground.root}/a/d/l", outward("a/d/f"))


@_at("link")
def turn_the_link_to_a_directory_outward(ground: Ground) -> None:
    """A link on the way, which led inside when the path was looked at."""
    replace_link(f"{ground.root}/way", "../outside/a/d")


@_at("link")
def turn_the_link_to_a_directory_outward_for_one_call(ground: Ground) -> SecondAct:
    """And inside again for the next."""
    replace_link(f"{ground.root}/way", "../outside/a/d")
    return lambda: replace_link(f"{ground.root}/way", "a/d")


@_at("link")
def make_the_link_dangle_outside(ground: Ground) -> None:
    """Followed to create, it would create outside."""
    replace_link(f"{ground.root}/a/d/l", outward("a/d/missing"))


# -- what is just being made -----------------------------------------------------------------------


@_at("new name")
def plant_a_link_to_a_directory_at_the_new_name(ground: Ground) -> None:
    """What is about to be made, or was made by the last call, is a link to a directory outside."""
    _plant(ground, outward("a/d"))


@_at("new name")
def plant_a_link_to_a_file_at_the_new_name(ground: Ground) -> None:
    """The same with a file, which would be written or replaced."""
    _plant(ground, outward("a/d/f"))


@_at("new name")
def plant_a_dangling_link_at_the_new_name(ground: Ground) -> None:
    """Creating through it would create outside."""
    _plant(ground, outward("a/d/missing"))


@_at("new name")
def plant_a_link_at_the_new_name_for_one_call(ground: Ground) -> SecondAct:
    """There for one call, and nothing or what was made before for the next."""
    return _plant(ground, outward("a/d"))


@_at("new name")
def plant_a_directory_at_the_new_name(ground: Ground) -> None:
    """Somebody was quicker."""
    os.mkdir(f"{ground.root}/a/d/new")


def _plant(ground: Ground, target: str) -> SecondAct:
    place = f"{ground.root}/a/d/new"
    if os.path.lexists(place):
        return swap_for_link(ground, "a/d/new", target)
    os.symlink(target, place)
    return lambda: os.unlink(place)


# -- drafts: the temporary names -------------------------------------------------------------------


@_at("draft")
def put_a_link_to_a_file_over_the_draft(ground: Ground) -> None:
    """What is renamed into place at the end is then a link, and must not be written through."""
    for draft in _drafts(ground):
        swap_for_link(ground, draft, outward("a/d/f"))


@_at("draft")
def put_a_link_to_a_directory_over_the_draft(ground: Ground) -> None:
    """The half-copied tree becomes a link; filling or clearing it up must not go through it."""
    for draft in _drafts(ground):
        swap_for_link(ground, draft, outward("a/d"))


@_at("draft")
def plant_a_link_to_a_file_in_the_draft(ground: Ground) -> None:
    """Where the half-copied tree is about to have a file: it would be written outside."""
    _plant_in_the_draft(ground, "f", "a/d/f")


@_at("draft")
def plant_a_dangling_link_in_the_draft(ground: Ground) -> None:
    """The same, and it would be created outside."""
    _plant_in_the_draft(ground, "f", "a/d/missing")


@_at("draft")
def plant_a_link_to_a_directory_in_the_draft(ground: Ground) -> None:
    """Where it is about to have a directory: the rest of the tree would be copied outside."""
    _plant_in_the_draft(ground, "deep", "a/d/sub/deep")


@_at("draft")
def put_a_link_over_the_draft_for_one_call(ground: Ground) -> SecondAct:
    """A link out during one system call, and the draft again for the next."""
    back = [swap_for_link(ground, draft, outward("a/d")) for draft in _drafts(ground)]
    return lambda: [undo() for undo in back]


@_at("draft")
def put_a_hard_link_over_the_draft(ground: Ground) -> None:
    """Another file's name; what is done to the draft by name is done to that file."""
    for draft in _drafts(ground):
        os.link(f"{ground.root}/spare", f"{ground.root}/park/hard")
        os.rename(f"{ground.root}/park/hard", f"{ground.root}/{draft}")


@_at("draft")
def put_a_directory_over_the_draft(ground: Ground) -> None:
    """A directory, which no unlink clears up."""
    for draft in _drafts(ground):
        os.mkdir(f"{ground.root}/park/directory")
        exchange(f"{ground.root}/{draft}", f"{ground.root}/park/directory")


@_at("draft")
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


def _plant_in_the_draft(ground: Ground, name: str, outside: str) -> None:
    for draft in _drafts(ground):
        target = "../" * (draft.count("/") + 2) + f"outside/{outside}"
        place = f"{ground.root}/{draft}/{name}"
        if os.path.lexists(place):
            swap_for_link(ground, f"{draft}/{name}", target)
        else:
            os.symlink(target, place)
