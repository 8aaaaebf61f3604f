"""Patterns as gitignore(5) reads them, for ``safefs.rules``; matched by pathspec. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

from safefs.folding import folded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Match = Callable[[str], bool]

_DEEP = "**"
_MAGIC = re.compile(r"(?<!\\)[*?\[]")


def checked(field: str, value: object) -> tuple[str, ...]:
    """``value`` as patterns, each of which could match; TypeError or ValueError, with the field."""
    if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
        raise TypeError(f"{field} is a list of patterns, not {value!r}")
    found = tuple(value)
    for at, pattern in enumerate(found):
        if not isinstance(pattern, str):
            raise TypeError(f"{field} holds str, not {pattern!r}")
        problem = _problem(pattern, first=at == 0)
        if problem:
            raise ValueError(f"{field}: {pattern!r} matches nothing: {problem}")
    if found:
        try:
            _spec(found)
        except ValueError as error:
            raise ValueError(f"{field}: {error}") from None
    return found


def _problem(pattern: str, *, first: bool) -> str | None:
    body = pattern.removeprefix("!").strip()
    if not body.strip("/"):
        return "it names nothing"
    if pattern.startswith("#"):
        return "it is a comment; write '\\#' for a name that begins so"
    if body != pattern.removeprefix("!"):
        return "it begins or ends with a space"
    if "\0" in pattern:
        return "a name holds no NUL"
    if first and pattern[0] == "!":
        return "there is nothing before it that it could take back"
    parts = body.removeprefix("/").removesuffix("/").split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "a path here has no empty part, no '.' and no '..'"
    return None


def check_contradiction(deny: tuple[str, ...], allow: tuple[str, ...] | None) -> None:
    """ValueError for an ``allow`` that ``deny`` leaves nothing of."""
    denies = denier(deny) if deny else None
    for pattern in allow or ():
        both = pattern in deny
        if both or (denies is not None and _is_plain(pattern) and _denied(denies, pattern)):
            raise ValueError(f"allow: {pattern!r} is denied, so that it allows nothing")


def _is_plain(pattern: str) -> bool:
    return pattern[0] != "!" and not _MAGIC.search(pattern)


def _denied(denies: Match, pattern: str) -> bool:
    parts = pattern.strip("/").split("/")
    return any(denies("/".join(parts[:end])) for end in range(1, len(parts) + 1))


@lru_cache(maxsize=256)
def denier(lines: tuple[str, ...]) -> Match:
    """Whatever the case and the normalisation: a name that a file system may take for the same."""
    match = _spec(tuple(_folded(_unslashed(line)) for line in lines)).match_file
    return lambda path: bool(match(_folded(path)))


@lru_cache(maxsize=256)
def allower(lines: tuple[str, ...]) -> Callable[[str], bool | None]:
    """True for what is named, False for what is taken back, None for what is neither."""
    if not lines:
        return lambda _: False
    check = _spec(tuple(_unslashed(line) for line in lines)).check_file
    return lambda path: check(path).include


@lru_cache(maxsize=256)
def leader(lines: tuple[str, ...]) -> Match:
    """Whether a directory may have beneath it what is allowed."""
    exact: dict[int, list[str]] = {}
    deep: list[str] = []
    for line in lines:
        if line[0] == "!":
            continue
        if "/" not in _unslashed(line):
            return lambda _: True  # at any depth
        parts = line.strip("/").split("/")
        for depth in range(1, len(parts)):
            if parts[depth - 1] == _DEEP:
                deep.append("/" + "/".join([*parts[: depth - 1], _DEEP]))
                break
            exact.setdefault(depth, []).append("/" + "/".join(parts[:depth]))
    at_depth = {depth: _spec(tuple(some)).match_file for depth, some in exact.items()}
    beneath = _spec(tuple(deep)).match_file if deep else None

    def leads(path: str) -> bool:
        match = at_depth.get(path.count("/") + 1)
        if match is not None and match(path):
            return True
        return beneath is not None and bool(beneath(path))

    return leads


def _unslashed(pattern: str) -> str:
    """A slash at the end would ask what an entry is, before it may be known that there is one."""
    return pattern.removesuffix("/")


def _folded(path: str) -> str:
    return "/".join(map(folded, path.split("/")))


def _spec(lines: tuple[str, ...]) -> Any:
    """ValueError for a line that is no pattern."""
    try:
        from pathspec import GitIgnoreSpec
    except ImportError:
        raise ImportError(
            "deny and allow match by pathspec: install safefs[patterns]", name="pathspec"
        ) from None
    for line in lines:
        try:
            found = GitIgnoreSpec.from_lines([line])
        except (ValueError, re.error) as error:
            raise ValueError(f"{line!r} is no pattern: {error}") from None
        if not any(pattern.regex is not None for pattern in found.patterns):
            raise ValueError(f"{line!r} is no pattern")
    return GitIgnoreSpec.from_lines(lines)
