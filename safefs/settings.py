"""A file of settings in TOML, and the line at which a key of it stands.

``tomllib`` gives no lines. They are found when there is something to complain of, by reading parts
of the file again: the whole lines up to which it can be read, and whether they hold the key.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

from safefs.errors import ConfigError

_AT_LINE = re.compile(r" \(at line ([0-9]+), column ([0-9]+)\)$")
_AT_END = " (at end of document)"
_MOST_READINGS = 500  # of parts of a file, in search of a line: an array may have any number


class Settings:
    """What a file says, as ``data``. ``source`` is its name, for messages.

    ``ConfigError`` for what is no TOML.
    """

    def __init__(self, content: bytes, source: str) -> None:
        self.source = source
        self._left = 0
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise ConfigError(source, "", f"is no TOML: {error.reason}", line) from error
        self._lines = text.split("\n")
        try:
            self.data: dict[str, Any] = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            reason, at = _where(str(error), text)
            raise ConfigError(source, "", f"is no TOML: {reason}", at) from error

    def mistake(self, key: tuple[str, ...], reason: str) -> ConfigError:
        """The error, to be raised, of what is wrong with this key, or with its absence."""
        there = next(
            (key[:length] for length in range(len(key), 0, -1) if _holds(self.data, key[:length])),
            None,
        )
        line = None if there is None else self._line_of(there)
        return ConfigError(self.source, ".".join(key), reason, line)

    def _line_of(self, key: tuple[str, ...]) -> int | None:
        """The line on which what gives a value to this key begins.

        What can be read ends where a statement does, so the first readable part that has the key
        ends with its statement, and the one before that where the statement begins.
        """
        self._left = _MOST_READINGS
        without, having = 0, len(self._lines)
        while (middle := self._readable(without, having)) is not None:
            if _holds(self._read(middle), key):
                having = middle
            else:
                without = middle
        return without + 1 if self._left > 0 else None

    def _readable(self, low: int, high: int) -> int | None:
        """A number of lines between these two that can be read, as near to their middle as any."""
        middle = (low + high) // 2
        between = (*range(middle, low, -1), *range(middle + 1, high))
        return next((count for count in between if self._read(count) is not None), None)

    def _read(self, count: int) -> dict[str, Any] | None:
        self._left -= 1
        if self._left < 0:
            return None
        try:
            return tomllib.loads("\n".join(self._lines[:count]))
        except (ValueError, RecursionError):
            return None


def _holds(data: dict[str, Any] | None, key: tuple[str, ...]) -> bool:
    found: Any = data
    for word in key:
        if not isinstance(found, dict) or word not in found:
            return False
        found = found[word]
    return True


def _where(said: str, text: str) -> tuple[str, int | None]:
    """What tomllib says without the place that it names, and the line of that place."""
    place = _AT_LINE.search(said)
    if place is not None:
        return f"{said[: place.start()]} (column {place[2]})", int(place[1])
    if said.endswith(_AT_END):
        return said.removesuffix(_AT_END), text.count("\n") + 1
    return said, None
