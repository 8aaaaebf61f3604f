"""What stands in a directory, and whether that is what may be left of what was cut short."""

from __future__ import annotations

import os
from stat import S_IMODE, S_ISDIR, S_ISLNK
from typing import TYPE_CHECKING, NamedTuple

from safefs.operations.replace import is_temporary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    # A directory; a link and its target; a file, its permissions, attributes and content.
    Thing: TypeAlias = tuple[str, *tuple[object, ...]]

_DIRECTORY: Thing = ("directory",)


class State(NamedTuple):
    """All that has a name of its own, by path, and the temporary names, not looked into."""

    things: dict[str, Thing]
    temporaries: list[str]

    @property
    def files(self) -> dict[str, Thing]:
        """Without the directories, which are made on the way."""
        return {path: thing for path, thing in self.things.items() if thing != _DIRECTORY}


def state_of(*places: str, content: Callable[[bytes], bytes] = bytes) -> State:
    """What stands beneath these directories now, by plain calls.

    ``content`` makes of what lies in a file what it stands for.
    """
    things: dict[str, Thing] = {}
    temporaries: list[str] = []
    for place in places:
        for path, found in _beneath(place):
            if is_temporary(os.path.basename(path)):
                temporaries.append(path)
            else:
                things[path] = _thing(path, found, content)
    return State(things, temporaries)


def _beneath(place: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(place) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        is_directory = entry.is_dir(follow_symlinks=False)
        yield entry.path, entry.stat(follow_symlinks=False)
        if is_directory and not is_temporary(entry.name):
            yield from _beneath(entry.path)


def _thing(path: str, found: os.stat_result, content: Callable[[bytes], bytes]) -> Thing:
    if S_ISDIR(found.st_mode):
        return _DIRECTORY
    if S_ISLNK(found.st_mode):
        return "link", os.readlink(path)
    with open(path, "rb") as file:
        fd = file.fileno()
        noted = tuple((name, os.getxattr(fd, name)) for name in sorted(os.listxattr(fd)))
        return "file", S_IMODE(found.st_mode), noted, content(file.read())


def torn(now: State, before: State, after: State, *, whole: bool) -> list[str]:
    """What may not be so between ``before`` and ``after``; empty when nothing is wrong.

    Each file is as it was or as it is to be; what is in both, under whatever name, is somewhere at
    any time. ``whole``: that goes for all of them together.
    """
    wrong = []
    for path in sorted(now.things.keys() | before.things.keys() | after.things.keys()):
        found = now.things.get(path)
        if found not in (before.things.get(path), after.things.get(path)):
            wrong.append(f"{path} is neither old nor new: {_said(found)}")
    kept = _contents(before) & _contents(after)
    wrong += sorted(f"lost: {each!r:.80}" for each in kept - _contents(now))
    if whole and not wrong and now.files not in (before.files, after.files):
        wrong.append("some of it is old, and some of it new")
    return wrong


def _contents(state: State) -> set[object]:
    return {thing[-1] for thing in state.files.values()}


def _said(thing: Thing | None) -> str:
    if thing is None:
        return "nothing"
    shown = repr(thing)
    return shown if len(shown) < 100 else f"{shown[:80]} ... ({len(shown)} characters)"
