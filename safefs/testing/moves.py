"""What a move of an attacker is, and what moves are made of.

Moves act by plain ``os`` on names, as another program would that may write in the root. One that
comes too late, because what it would move is gone already, raises ``OSError``. One that has a
second act, which undoes it, returns that.
"""

from __future__ import annotations

import ctypes
import os
import stat
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeAlias

    from safefs.testing.ground import Ground

    SecondAct: TypeAlias = Callable[[], object]
    Act: TypeAlias = Callable[[Ground], SecondAct | None]

Place = Literal["directory", "file", "link", "new name", "draft"]

_RENAME_EXCHANGE = 2  # renameat2(2)
_AT_FDCWD = -100

_libc = ctypes.CDLL(None, use_errno=True)


class Move:
    """One move: its name, its story, and what it strikes at."""

    __slots__ = ("act", "name", "place", "story")

    def __init__(self, act: Act, place: Place) -> None:
        self.act = act
        self.name = act.__name__.replace("_", " ")
        self.place = place
        self.story = " ".join((act.__doc__ or "").split())

    def __repr__(self) -> str:
        return f"<Move {self.name}>"


def exchange(one: str | Path, other: str | Path) -> None:
    """Swap two names in one step (renameat2 with RENAME_EXCHANGE): neither is ever missing."""
    names = os.fsencode(one), os.fsencode(other)
    if _libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one), None, str(other))


def swap_for_link(ground: Ground, name: str, target: str) -> SecondAct:
    """Put a link in the place of a name, which is parked inside; the way back."""
    place, parked = f"{ground.root}/{name}", f"{ground.root}/park/{name.replace('/', '-')}"
    os.symlink(target, parked)
    exchange(place, parked)
    return lambda: exchange(place, parked)


def outward(name: str) -> str:
    """The target of a link in the place of ``name`` that leads to what it is outside."""
    return "../" * (name.count("/") + 1) + f"outside/{name}"


def replace_link(path: str, target: str) -> None:
    os.lstat(path)  # a move that comes too late makes nothing
    os.symlink(target, f"{path}-next")
    os.rename(f"{path}-next", path)


def remove_tree(path: str) -> None:
    for here, directories, files in os.walk(path, topdown=False):
        for name in files:
            os.unlink(f"{here}/{name}")
        for name in directories:
            name = f"{here}/{name}"
            (os.unlink if stat.S_ISLNK(os.lstat(name).st_mode) else os.rmdir)(name)
    os.rmdir(path)
