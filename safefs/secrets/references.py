"""What the values of environment files may mean, once the references in them are followed: pure.

Which file is read first, and by whom, is not known. So a reference may mean what any of the files
gives its name, wherever it stands, and its default or its alternative as well.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# $NAME, ${NAME} and all that a shell makes of it: ${NAME:-or this}, ${#NAME}, ${!NAME}.
REFERENCE = re.compile(r"\$\{?[!#]?([A-Za-z_][A-Za-z0-9_.]*)")
_BARE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_BRACED = re.compile(r"([!#]?)([A-Za-z_][A-Za-z0-9_.]*)")
_MOST = 1 << 20  # characters of all meanings: references to references grow without end
_MOST_MEANINGS = 100
_DEEPEST = 50  # names that lead to each other


class TooMuchError(ValueError):
    """There are too many meanings, or they are too long. It holds none of them."""


class Meanings:
    """What each text may mean where these are all the assignments there are."""

    __slots__ = ("_known", "_written")

    def __init__(self, assignments: Iterable[tuple[str, str]]) -> None:
        self._written: dict[str, set[str]] = {}
        self._known: dict[str, set[str]] = {}
        for name, value in assignments:
            self._written.setdefault(name.upper(), set()).add(value)

    def of(self, text: str, depth: int = 0) -> set[str]:
        """``TooMuchError`` for what would be without end; a name that leads to itself is empty."""
        found = {""}
        for options in self._parts(text, depth):
            total = sum(map(len, found)) * len(options) + sum(map(len, options)) * len(found)
            if total > _MOST or len(found) * len(options) > _MOST_MEANINGS:
                raise TooMuchError
            found = {before + after for before in found for after in options}
        return found

    def _parts(self, text: str, depth: int) -> Iterator[set[str]]:
        """What stands for itself, and each reference, in their order."""
        at = 0
        while (sign := text.find("$", at)) >= 0:
            yield {text[at:sign]}
            bare = _BARE.match(text, sign)
            if bare is not None:
                at = bare.end()
                yield self._named(bare.group(1), depth) or {""}
            elif (end := _closing(text, sign)) is not None:
                at = end + 1
                yield self._braced(text[sign + 2 : end], depth) or {""}
            else:
                at = sign + 1
                yield {"$"}
        yield {text[at:]}

    def _braced(self, inner: str, depth: int) -> set[str]:
        found = _BRACED.match(inner)
        if found is None:
            return set()
        sign, name = found.groups()
        means = self._named(name, depth) | self._named(inner.partition(":-")[0], depth)
        if sign == "!":  # the value is a name
            means |= {value for each in set(means) for value in self._named(each, depth)}
        word = inner[found.end() :].lstrip(":-+=?")
        return means | self.of(word, depth + 1) if word else means

    def _named(self, name: str, depth: int) -> set[str]:
        name = name.upper()
        if name not in self._written:
            return set()
        if name not in self._known:
            if depth > _DEEPEST:
                raise TooMuchError
            self._known[name] = set()  # where it leads back to itself
            self._known[name] = {
                means for value in self._written[name] for means in self.of(value, depth + 1)
            }
        return self._known[name]


def _closing(text: str, sign: int) -> int | None:
    """Where the brace that follows the sign is closed."""
    if not text.startswith("{", sign + 1):
        return None
    open_ = 0
    for at in range(sign + 1, len(text)):
        open_ += {"{": 1, "}": -1}.get(text[at], 0)
        if not open_:
            return at
    return None
