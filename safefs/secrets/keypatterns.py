"""Patterns of the names of variables, as of ``fnmatch`` and whatever their case: pure."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from string import ascii_uppercase, digits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# As fnmatch takes a pattern apart; a bracket that is never closed stands for itself.
_STEP = re.compile(r"\[!?\]?[^\]]*\]|.", re.DOTALL)
_FIRST = ascii_uppercase + "_"
_LATER = _FIRST + digits + ".-"


def key_patterns(word: str, given: Iterable[str]) -> tuple[str, ...]:
    """``TypeError`` for a bare str, ``ValueError`` for a pattern that no name can match."""
    if isinstance(given, str):
        raise TypeError(f"{word} is a list of patterns, not {given!r}")
    made = []
    for text in given:
        if not isinstance(text, str):
            raise TypeError(f"a pattern of {word} is a str, not {type(text).__name__}")
        if not _can_match(text.upper()):
            raise ValueError(f"{text!r} in {word} matches no name that a variable can have")
        made.append(text)
    return tuple(made)


def matches(key: str, pattern: str) -> bool:
    return fnmatchcase(key.upper(), pattern.upper())


def _can_match(pattern: str) -> bool:
    allowed = _FIRST
    for step in _STEP.findall(pattern):
        if step != "*" and not any(fnmatchcase(each, step) for each in allowed):
            return False
        allowed = _LATER
    return pattern != ""
