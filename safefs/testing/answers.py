"""What an answer or an error of a subject holds: texts, numbers, bytes, names of the outside."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice

from safefs.testing.attacks import OUTSIDE
from safefs.testing.stage import MARK, NAMES

MOST_ANSWERS = 10_000  # the tree of a case holds ten names, and what is told of it as many


def taken(value: object) -> tuple[object, bool]:
    """The whole of an answer, that of a generator included, and whether it had an end."""
    if isinstance(value, Iterator):
        value = list(islice(value, MOST_ANSWERS + 1))
    return value, not (isinstance(value, list | tuple) and len(value) > MOST_ANSWERS)


def leaves(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """(key, text or number) of all that an answer holds."""
    if isinstance(value, datetime):
        yield key, value.timestamp()
        yield key, value.replace(tzinfo=UTC).timestamp()  # a naive one may mean either
    elif _is_buffer(value):
        yield key, bytes(value)  # type: ignore[call-overload]
    elif isinstance(value, os.stat_result):
        for name in ("st_size", "st_mtime", "st_ino"):
            yield name, getattr(value, name)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from leaves(name)
            yield from leaves(each, str(name))
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for each in value:
            yield from leaves(each, key)
    elif isinstance(value, os.PathLike):
        yield key, os.fspath(value)
    else:
        yield key, value
        for name, each in _attributes(value).items():
            yield from leaves(each, name)


def _is_buffer(value: object) -> bool:
    """Whether it holds bytes, as bytearray, memoryview, array and mmap do."""
    if isinstance(value, bytes | str):
        return False
    try:
        return bool(memoryview(value).nbytes)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


_PLAIN = (str, bytes, int, float, complex, type(None))


def _attributes(value: object) -> dict[str, object]:
    """What an object of another library says under plain names: texts, numbers, times and bytes.

    No deeper than that: an object may hold the whole of its library.
    """
    if isinstance(value, (*_PLAIN, type)) or callable(value):
        return {}
    found: dict[str, object] = {}
    for name in dir(value):
        if name.startswith("_"):
            continue
        with suppress(Exception):  # a property may raise anything
            each = getattr(value, name)
            if isinstance(each, (*_PLAIN, datetime, bytearray, memoryview)):
                found[name] = each
    return found


# -- errors -------------------------------------------------------------------------------------


def said(error: Exception) -> str:
    """The type of an exception, and the errno if it has one."""
    number = getattr(error, "errno", None)
    return type(error).__name__ + (f" {number}" if isinstance(number, int) else "")


def all_that_is_said(error: BaseException) -> object:
    """Texts and arguments of an exception and of those that it came from, without their frames."""
    held: list[object] = []
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        here = pending.pop()
        if here is None or id(here) in seen:
            continue
        seen.add(id(here))
        names = [getattr(here, name, None) for name in ("filename", "filename2")]
        held += [*here.args, *names, text_of(here)]
        pending += [here.__cause__, None if here.__suppress_context__ else here.__context__]
    return held


def text_of(error: BaseException) -> str:
    """What an exception says, if it can."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001  (its own affair)
        return ""


# -- texts --------------------------------------------------------------------------------------


def content_in(text: str | bytes) -> str:
    """Of which file outside a text holds something, as bytes, as text, or as either is shown."""
    content = text.encode("utf-8", "replace") if isinstance(text, str) else text
    if MARK not in content:
        return ""
    rest = content.partition(MARK)[2]
    return next((name for name in OUTSIDE if rest.startswith(name.encode())), "a file outside")


def outside_names(text: str | bytes) -> set[str]:
    """Names of the outside that a text has among its parts."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return NAMES.intersection(parts(text))


def numbers_in(text: str | bytes) -> Iterator[float]:
    """A number or a time that is told as text."""
    shown = os.fsdecode(text) if isinstance(text, bytes) else text
    if shown.isascii() and shown.isdecimal() and len(shown) < 20:
        yield int(shown)
    elif "-" in shown[:8]:
        with suppress(ValueError):
            for _, number in leaves(datetime.fromisoformat(shown)):
                if isinstance(number, float):
                    yield number


def parts(text: str) -> list[str]:
    """What a path is made of, whatever it is parted by."""
    return re.split(r"[/\\\0]", text)
