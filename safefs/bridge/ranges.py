"""The ``Range`` of a request (RFC 9110, 14.2): one range of bytes, or the whole. Pure."""

from __future__ import annotations

from typing import NamedTuple


class UnsatisfiableError(ValueError):
    """No byte of the content lies in it: 416."""


class Span(NamedTuple):
    start: int
    length: int


def span_of(header: str, size: int) -> Span | None:
    """The bytes that are meant; None where the header is to be ignored, as for several ranges.

    ``UnsatisfiableError`` where none lies in the content.
    """
    unit, equals, spec = header.partition("=")
    first, dash, last = (part.strip() for part in spec.partition("-"))
    if unit.strip().lower() != "bytes" or not equals or not dash or not _are_numbers(first, last):
        return None
    if not first:
        return _suffix(int(last), size)
    start, end = int(first), int(last) if last else size - 1
    if last and end < start:
        return None
    if start >= size:
        raise UnsatisfiableError(f"bytes */{size}")
    return Span(start, min(end, size - 1) - start + 1)


def _suffix(count: int, size: int) -> Span:
    if not count or not size:
        raise UnsatisfiableError(f"bytes */{size}")
    return Span(max(size - count, 0), min(count, size))


def _are_numbers(first: str, last: str) -> bool:
    texts = [text for text in (first, last) if text]
    return bool(texts) and all(
        text.isascii() and text.isdecimal() and len(text) < 19 for text in texts
    )
