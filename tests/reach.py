"""How far a text could lead, whatever a careless reader makes of it before it opens anything."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    Reading = Callable[[str], str]

_ROUNDS = 4  # one reading upon another
_SLASHES = str.maketrans(dict.fromkeys("\\\u2044\u2215\u29f8\u2216\u29f5\uff0f\uff3c", "/"))
_DOTS = str.maketrans(dict.fromkeys("\uff0e\u2024", ".") | {"\u2025": ".."})
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\u00ad\ufeff]")
_ESCAPED = re.compile(r"[\\%]u([0-9a-fA-F]{4})")
_VARIABLE = re.compile(r"\$\{?\w+\}?|%\w+%")


def _overlong(text: str) -> str:
    raw = text.encode("utf-8", "surrogatepass")
    for of_dot, of_slash in ((b"\xc0\xae", b"\xc0\xaf"), (b"\xe0\x80\xae", b"\xe0\x80\xaf")):
        for byte, overlong in ((b".", of_dot), (b"/", of_slash)):
            escaped = overlong.decode("ascii", "surrogateescape")
            raw = raw.replace(overlong, byte)
            raw = raw.replace(escaped.encode("utf-8", "surrogatepass"), byte)
    return raw.decode("utf-8", "surrogatepass")


def _path_of_url(text: str) -> str:
    try:
        return urlsplit(text).path
    except ValueError:
        return text


READINGS: dict[str, Reading] = {
    "percent": lambda text: unquote(text, errors="surrogateescape"),
    "percent, as latin-1": lambda text: unquote(text, encoding="latin-1"),
    "compatible": lambda text: unicodedata.normalize("NFKC", text),
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "slashes": lambda text: text.translate(_SLASHES),
    "dots": lambda text: text.translate(_DOTS),
    "invisible": lambda text: _INVISIBLE.sub("", text),
    "overlong": _overlong,
    "entities": html.unescape,
    "escapes": lambda text: _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text),
    "variables": lambda text: _VARIABLE.sub("", text),
    "trimmed": lambda text: text.strip(" \t\r\n\ufeff\u200b\"'"),
    "to NUL": lambda text: text.partition("\0")[0],
    "first line": lambda text: text.partition("\n")[0],
    "last line": lambda text: text.rpartition("\n")[2],
    "after the scheme": lambda text: text.partition(":")[2] if ":" in text else text,
    "after a drive": lambda text: text[2:] if text[1:2] in (":", "|") else text,
    "after ://": lambda text: text.partition("://")[2] if "://" in text else text,
    "after the host": _path_of_url,
}


def readings_of(text: str) -> dict[str, str]:
    """Every text that up to four readings make of this one, and by which way."""
    found = {text: "as it is"}
    newest = [text]
    for _ in range(_ROUNDS):
        made: dict[str, str] = {}
        for one in newest:
            for name, read in READINGS.items():
                if name != "after the host" or name not in found[one]:  # a URL is parsed once
                    made.setdefault(read(one), f"{found[one]}, {name}")
        newest = [one for one in made if one not in found]
        found |= {one: made[one] for one in newest}
    return found


def ups_in(text: str) -> int:
    """How many directories a text could climb: one for each run of dots.

    However long: a filter that takes ``..`` out of ``....`` once leaves one.
    """
    return len(re.findall(r"\.{2,}", text))


def beyond(text: str, base: str, most_ups: int) -> str | None:
    """Why some reading of a filled text could lead beyond ``base``, or None."""
    for read, way in readings_of(text).items():
        if ups_in(read) > most_ups:
            return f"{way}: climbs {ups_in(read)}: {read[:200]!r}"
        plain = re.sub(r"/(\./)+|/+", "/", re.sub(r"/+", "/", read))
        if plain.startswith("/") and not f"{plain}/".startswith((f"{base}/", f"{base} ")):
            return f"{way}: is absolute: {read[:200]!r}"
    return None
