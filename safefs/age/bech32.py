"""Bech32 (BIP 173), without its limit of length. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {letter: value for value, letter in enumerate(_LETTERS)}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM = 6  # letters


def encoded(prefix: str, data: bytes) -> str:
    """``prefix``, in small letters, with the data and a checksum."""
    values, rest, bits = _regrouped(data, 8, 5)
    if bits:
        values.append(rest << 5 - bits)
    check = _remainder([*_expanded(prefix), *values, *[0] * _CHECKSUM]) ^ 1
    values += [check >> 5 * (_CHECKSUM - 1 - at) & 31 for at in range(_CHECKSUM)]
    return f"{prefix}1{''.join(_LETTERS[value] for value in values)}"


def decoded(text: object) -> tuple[str, bytes] | None:
    """The prefix as it is spelled, and the data; None for what is no Bech32.

    It raises nothing: the text may be a key, which a traceback would show.
    """
    if not isinstance(text, str) or not text.isascii() or text not in (text.lower(), text.upper()):
        return None
    prefix, _, tail = text.rpartition("1")
    values = [_VALUES.get(letter, -1) for letter in tail.lower()]
    if not prefix or len(values) < _CHECKSUM or -1 in values:
        return None
    if not all("!" <= letter <= "~" for letter in prefix):
        return None
    if _remainder([*_expanded(prefix.lower()), *values]) != 1:
        return None
    data, rest, bits = _regrouped(values[:-_CHECKSUM], 5, 8)
    if rest or bits > 4:  # what pads is zero, and less than a letter
        return None
    return prefix, bytes(data)


def _expanded(prefix: str) -> list[int]:
    codes = prefix.encode("ascii")
    return [*(code >> 5 for code in codes), 0, *(code & 31 for code in codes)]


def _remainder(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for at, term in enumerate(_GENERATOR):
            if top >> at & 1:
                check ^= term
    return check


def _regrouped(values: Iterable[int], have: int, want: int) -> tuple[list[int], int, int]:
    """Groups of ``have`` bits as such of ``want``; what is left over, and how many bits it is."""
    found: list[int] = []
    held = bits = 0
    for value in values:
        held = held << have | value
        bits += have
        while bits >= want:
            bits -= want
            found.append(held >> bits)
            held &= (1 << bits) - 1
    return found, held, bits
