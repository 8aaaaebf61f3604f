"""Glob patterns, matched name by name as a tree is walked; pure.

``*``, ``?`` and ``[...]`` stand for what they do in ``fnmatch``, always within one name and told
apart by case; a part that is ``**`` stands for any number of directories, and at the end of a
pattern for the directory it is applied to and everything beneath. Dot entries match like any other.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Matcher = Callable[[str], object]

_DEEP = "**"


def parts_of(text: str) -> list[str]:
    """The parts of a pattern, without what names no step: empty ones and ``.``."""
    return [part for part in text.split("/") if part not in ("", ".")]


def fixed_parts(parts: list[str]) -> int:
    """How many parts stand before the first wildcard."""
    return next((at for at, part in enumerate(parts) if is_magic(part)), len(parts))


def is_magic(part: str) -> bool:
    """Whether a part stands for more than its own letters."""
    return "*" in part or "?" in part or "[" in part


class Pattern:
    """Where in a pattern one stands: a set of states, state n being "the first n parts matched"."""

    __slots__ = ("_last", "_matchers")

    def __init__(self, parts: list[str]) -> None:
        self._matchers = [_matcher(part) for part in parts]
        self._last = len(parts)

    def start(self) -> set[int]:
        return self._closed({0})

    def is_end(self, states: set[int]) -> bool:
        """Whether the pattern may end here."""
        return self._last in states

    def step(self, states: set[int], name: str, *, is_dir: bool) -> tuple[bool, set[int]]:
        """(whether the pattern ends in this name, the states beneath it)."""
        if not is_dir:
            ends = self.of_files(states)
            return ends is not None and bool(ends(name)), set()
        stays = {at for at in states if at < self._last and self._matchers[at] is None}
        goes = {at + 1 for at in states - stays if self._accepts(at, name)}
        onward = self._closed(stays | goes)
        return self.is_end(onward), onward

    def of_files(self, states: set[int]) -> Matcher | None:
        """What tells whether the pattern ends in the name of a file; None: in none of them.

        No "**" may follow that stands for nothing; of one that the file lies beneath it may end.
        """
        at = self._last - 1
        if at not in states:
            return None
        return self._matchers[at] or bool  # behind "**" in all of them

    def _accepts(self, at: int, name: str) -> bool:
        matcher = self._matchers[at] if at < self._last else None
        return matcher is not None and bool(matcher(name))

    def _closed(self, states: set[int]) -> set[int]:
        """With each ``**`` comes what follows it: it may stand for no directory at all."""
        for at, matcher in enumerate(self._matchers):
            if matcher is None and at in states:
                states.add(at + 1)
        return states


def _matcher(part: str) -> Matcher | None:
    """What tells whether a name matches; None stands for ``**``."""
    if part == _DEEP:
        return None
    if part == "*":
        return bool
    if not is_magic(part):
        return part.__eq__
    # Imported here: both cost more at import than the whole core.
    import fnmatch
    import re

    return re.compile(fnmatch.translate(part)).match
