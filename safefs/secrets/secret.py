"""A value that is shown as ``***`` wherever something is shown, and is had by ``reveal`` alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safefs.age.hidden import Hidden, Unpickled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_SHOWN = "***"


class Secret(Unpickled):
    """A secret, str or bytes, that goes through a program without being shown by it.

    ``str``, ``repr``, ``format``, logs, tracebacks with their variables, and what prints an object
    with all its attributes show ``***``. Pickle, copy, ``dataclasses.asdict`` and JSON are refused
    with a TypeError, and so is a hash, which tells of what it was made from. Two are equal if their
    values are, which is found out in a time that tells nothing of them; one is equal to nothing
    else, nor to its own value.

    Not promised: that nobody finds it who reads the memory of the process or calls ``reveal``. A
    value that was revealed is a str or bytes as any, and shown as these are.

    >>> key = Secret("sk-live-1")
    >>> print(key, f"{key:>5}", [key])
    ***   *** [***]
    >>> key.reveal()
    'sk-live-1'
    """

    __slots__ = ("_hidden", "_is_text")

    def __init__(self, value: str | bytes) -> None:
        """``TypeError`` or ``ValueError``, without the value, for what is no secret."""
        kept = hidden_of(value)
        self._is_text = isinstance(value, str)
        del value  # a traceback may show what a frame holds
        if not isinstance(kept, Hidden):
            raise kept
        self._hidden = kept

    def reveal(self) -> Any:
        """The value: the str or the bytes that it was made of."""
        return self._hidden.reveal().decode() if self._is_text else self._hidden.reveal()

    @property
    def is_text(self) -> bool:
        """Whether it is a str."""
        return self._is_text

    @property
    def hidden(self) -> Hidden:
        """Its bytes, for who seals them."""
        return self._hidden

    def __repr__(self) -> str:
        return _SHOWN

    def __format__(self, spec: str) -> str:
        return format(_SHOWN, spec)

    def __rich_repr__(self) -> Iterator[str]:
        yield _SHOWN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return (self._hidden == other._hidden) & (self._is_text is other._is_text)

    __hash__ = None  # type: ignore[assignment]  # see above


def secret_of(value: object) -> Secret | TypeError | ValueError:
    """A Secret of it; or the error to be raised by who has let go of ``value``."""
    if isinstance(value, Secret):
        return value
    kept = hidden_of(value)
    return Secret(value) if isinstance(kept, Hidden) else kept  # type: ignore[arg-type]


def hidden_of(value: object) -> Hidden | TypeError | ValueError:
    """The bytes of a str or of bytes; or the error to be raised by who has let go of ``value``."""
    if isinstance(value, str):
        try:
            return Hidden(value.encode())
        except UnicodeEncodeError:  # it holds the text
            return ValueError("this text cannot be encoded: half of a surrogate pair is in it")
    if isinstance(value, bytes):
        return Hidden(bytes(value))
    return TypeError(f"this is str or bytes, not {type(value).__name__}")
