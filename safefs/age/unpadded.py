"""Base 64 as age has it: the standard letters, no padding, one spelling for each value. Pure."""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64


def encoded(data: bytes) -> bytes:
    return b2a_base64(data, newline=False).rstrip(b"=")


def decoded(text: bytes) -> bytes | None:
    """None for anything that ``encoded`` would have spelled otherwise."""
    try:
        data = a2b_base64(text + b"=" * (-len(text) % 4))
    except Error:
        return None
    return data if encoded(data) == text else None
