"""Patterns as gitignore(5) reads them, for ``safefs.rules``. Pure.

What one part of a pattern matches is pathspec's to say. How parts follow one another is stepped
through here, name by name on the way down a path: so a name costs the same however deep it lies,
the directories that may lead to a match are known, and no pattern takes long on a long path.
"""

from __future__ import annotations

import re
from functools import lru_cache
from warnings import catch_warnings, simplefilter

from safefs.folding import Spelling, cases, folded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Part = Callable[[Spelling], object]

_DEEP = "**"
_EVERYTHING = frozenset({"*", "**", "/*", "/**"})
_MAGIC = re.compile(r"[*?\[\\]")
_ESCAPE_IN_BRACKETS = re.compile(r"(?<!\\)(?:\\\\)*\[[!^]?\]?[^\]]*\\")
_NAMED_CLASS = re.compile(r"\[[^\]]*\[[:.=]")
# Surrogates that stand for no byte, see os.fsdecode.
_ENCODES_NOTHING = re.compile(r"[\ud800-\udc7f\udd00-\udfff]")
# How pathspec writes a star, and the end of a pattern.
_STAR, _END = "[^/]*", "(?:(?P<ps_d>/)|$)"


def checked(field: str, value: object) -> tuple[str, ...]:
    """``value`` as patterns, each of which could match; TypeError or ValueError, with the field."""
    # The last pattern that names a path decides: what has no order says nothing.
    if isinstance(value, str | bytes | set | frozenset) or not hasattr(value, "__iter__"):
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
            lines_of(found)
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
    if _ENCODES_NOTHING.search(pattern):
        return "no name holds half a character"
    if first and pattern[0] == "!":
        return "there is nothing before it that it could take back"
    parts = body.removeprefix("/").removesuffix("/").split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "a path here has no empty part, no '.' and no '..'"
    if _ESCAPE_IN_BRACKETS.search(body):
        return "a backslash within brackets is read differently by every matcher"
    return None


def check_contradiction(deny: tuple[str, ...], allow: tuple[str, ...] | None) -> None:
    """ValueError for an ``allow`` of which ``deny`` visibly leaves nothing."""
    if allow and _denies_everything(deny):
        raise ValueError("allow: deny names everything, and goes before it: allow alone is enough")
    lines = lines_of(deny, fold=True) if deny else None
    alike = {folded(pattern) for pattern in deny}
    for pattern in allow or ():
        both = folded(pattern) in alike
        if both or (lines is not None and _is_plain(pattern) and _is_denied(lines, pattern)):
            raise ValueError(f"allow: {pattern!r} is denied, so that it allows nothing")


def _denies_everything(deny: tuple[str, ...]) -> bool:
    names = [pattern.removesuffix("/") for pattern in deny]
    last = max((at for at, name in enumerate(names) if name in _EVERYTHING), default=None)
    return last is not None and not any(name[0] == "!" for name in names[last:])


def _is_plain(pattern: str) -> bool:
    return pattern[0] != "!" and not _MAGIC.search(pattern)


def _is_denied(lines: Lines, pattern: str) -> bool:
    at = lines.start
    for name in pattern.strip("/").split("/"):
        at = lines.step(at, name)
        if at.included:
            return True
    return False


class At:
    """Where a path has come to in all lines at once.

    ``included``: what was said last of it, or of what it lies in, and ``line`` by which line.
    ``open`` are the places in lines from which a further name may lead to a match.
    """

    __slots__ = ("included", "line", "open")

    def __init__(
        self,
        included: bool,  # noqa: FBT001  (it has no other)
        places: frozenset[int],
        line: int | None = None,
    ) -> None:
        self.included = included
        self.line = line
        self.open = places


class Lines:
    """Patterns, ready to be stepped through.

    Of those that match a path the last decides on it; where none does, it is as what it lies in.
    ``fold``: they match a name whatever its case and its normalisation; but for what is taken back
    with ``!``, which is what is spelled so and nothing else.
    """

    __slots__ = ("_ends", "_fold", "_included", "_lines", "_parts", "start")

    def __init__(self, patterns: tuple[str, ...], *, fold: bool) -> None:
        self._fold = fold
        self._parts: list[Part | None] = []  # None stands for any number of directories
        self._ends: dict[int, int] = {}  # a place at which a line is at its end: which line
        self._lines: list[int] = []  # of each place
        self._included = [pattern[0] != "!" for pattern in patterns]
        starts = [self._add(number, pattern) for number, pattern in enumerate(patterns)]
        self.start = At(False, frozenset().union(*map(self._closure, starts)))

    def _add(self, number: int, pattern: str) -> int:
        start = len(self._parts)
        parts = _parts(pattern.removeprefix("!"))
        fold = self._fold and self._included[number]
        for part in (*parts, ""):
            self._lines.append(number)
            self._parts.append(None if part == _DEEP else _part(part, fold=fold))
        self._ends[len(self._parts) - 1] = number
        return start

    def _closure(self, place: int) -> set[int]:
        """The place, and those after it that may be passed over."""
        found = {place}
        while self._parts[place] is None:
            place += 1
            found.add(place)
        return found

    def step(self, at: At, name: str) -> At:
        """One name further down."""
        spelling = Spelling(name)
        places: set[int] = set()
        for place in at.open:
            part = self._parts[place]
            if part is None:
                places.add(place)
                places.add(place + 1)
            elif part(spelling):
                places |= self._closure(place + 1)
        ended = [self._ends[place] for place in places if place in self._ends]
        line = max(ended, default=at.line)
        included = at.included if line is None else self._included[line]
        return At(included, frozenset(place for place in places if place not in self._ends), line)

    def leads(self, at: At) -> bool:
        """Whether something beneath may be included."""
        return any(self._included[self._lines[place]] for place in at.open)


def _parts(pattern: str) -> list[str]:
    """The names that a path has to have; a pattern without a slash is one of any directory."""
    body = pattern.removesuffix("/")
    parts = body.removeprefix("/").split("/")
    if len(parts) == 1 and body[0] != "/":
        parts = [_DEEP, "*" if parts[0] == _DEEP else parts[0]]
    elif parts[-1] == _DEEP:
        parts.append("*")  # all within, and not the directory itself
    return [part for at, part in enumerate(parts) if part != _DEEP or parts[at - 1 : at] != [_DEEP]]


@lru_cache(maxsize=1024)
def _part(text: str, *, fold: bool) -> Part:
    """What says whether a name is one that this part of a pattern names."""
    if not _MAGIC.search(text):
        wanted = folded(text) if fold else text
        return (lambda name: name.folded == wanted) if fold else (lambda name: name.exact == wanted)
    match = _compiled(text).match
    if not fold:
        return lambda name: match(name.exact)
    matches: list[Callable[[str], object]] = [match, *_folding(text)]
    return lambda name: any(match(each) for each in name.alike for match in matches)


def _folding(text: str) -> list[Callable[[str], object]]:
    """The same part, for names without their case."""
    found: list[Callable[[str], object]] = []
    for each in dict.fromkeys(cases(text)):
        if each == text:
            continue
        try:
            found.append(_compiled(each).match)
        except ValueError:  # a range of which the letters have changed places
            found.append(re.compile(_compiled(text).pattern, re.IGNORECASE).match)
    return found


def _compiled(text: str) -> re.Pattern[str]:
    """ValueError for what is no pattern."""
    try:
        from pathspec import GitIgnoreSpec
    except ImportError:
        raise ImportError(
            "patterns are matched by pathspec: install safefs[patterns]", name="pathspec"
        ) from None
    if _NAMED_CLASS.search(text):
        raise ValueError(f"{text!r} is no pattern: classes have no names here, as in [[:upper:]]")
    with catch_warnings():
        simplefilter("ignore", FutureWarning)  # of "[[a]", which may mean more to re one day
        try:
            found: Any = [each.regex for each in GitIgnoreSpec.from_lines([f"/{text}"]).patterns]
        except (ValueError, re.error) as error:
            raise ValueError(f"{text!r} is no pattern: {error}") from None
        if len(found) != 1 or not isinstance(found[0], re.Pattern):
            raise ValueError(f"{text!r} is no pattern")
        return _without_return(found[0])


def _without_return(found: re.Pattern[str]) -> re.Pattern[str]:
    """The same for a name, in time that grows with the pattern and the name, and no faster.

    What stands between two stars has one length. So the first place where it matches is the best,
    and none that comes after it need be tried: else six stars take a name of 255 dashes hours.
    """
    body = found.pattern.removesuffix(_END)
    if len(body) == len(found.pattern):
        raise ValueError(f"pathspec has written {found.pattern!r}, which is not known here")
    first, *others = body.split(_STAR)
    if not others:
        return re.compile(rf"{first}\Z", found.flags)
    last = others.pop()
    between = "".join(f"(?>{_STAR}?{each})" for each in others if each)
    return re.compile(rf"{first}{between}{_STAR}{last}\Z", found.flags)


@lru_cache(maxsize=256)
def lines_of(patterns: tuple[str, ...], *, fold: bool = False) -> Lines:
    """The lines of these patterns; ``fold``: whatever the case and the normalisation of names."""
    _compiled("*")  # say at once, and not at the first star, what is missing
    return Lines(patterns, fold=fold)
