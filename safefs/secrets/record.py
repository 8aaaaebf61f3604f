"""What an installation remembers of its key, without the key: where it is kept. Pure.

It is what keeps a second key from being made where the first is out of reach: a keyring that is
locked today, a file that was not restored.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from safefs.secrets.keys import SOURCES

if TYPE_CHECKING:
    from safefs.secrets.keys import KeySource

_VERSION = 1
_WORDS = ("recipient", "backend", "account", "reason")


@dataclass(frozen=True, slots=True)
class Record:
    """``recipient``: of the present key; a key that has it neither present nor retired is another.

    ``backend`` and ``account`` say which keyring, and under which name; ``reason`` why it is not
    in one.
    """

    source: KeySource
    recipient: str
    backend: str = ""
    account: str = ""
    reason: str = ""


def encoded(record: Record) -> bytes:
    return json.dumps({"version": _VERSION, **asdict(record)}, indent=2).encode("ascii") + b"\n"


def decoded(data: bytes) -> Record | None:
    """None for what is no record of this version."""
    try:
        found: Any = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or set(found) != {"version", "source", *_WORDS}:
        return None
    if found["version"] != _VERSION or found["source"] not in SOURCES:
        return None
    if not all(isinstance(found[word], str) for word in _WORDS):
        return None
    return Record(**{word: found[word] for word in ("source", *_WORDS)})
