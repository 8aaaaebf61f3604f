"""scrypt: a file sealed with a passphrase."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from safefs.age import unpadded
from safefs.age.header import SCRYPT, Stanza, wrong_header
from safefs.age.hidden import Hidden, Unpickled
from safefs.age.primitives import stretched, unwrapped, wrapped
from safefs.age.x25519 import check_length

if TYPE_CHECKING:
    from collections.abc import Sequence

_LABEL = b"age-encryption.org/v1/scrypt"
_SALT = 16  # bytes

# As the age command has it: a second or so, and 256 MiB.
WORK_FACTOR = 18
# 1 GiB, and some seconds. It is the file that says how much: who may put a file there could ask
# for all the memory that there is.
MAX_WORK_FACTOR = 20


class _Passphrase(Unpickled):
    __slots__ = ("_passphrase",)

    def __init__(self, passphrase: Hidden | None) -> None:
        if passphrase is None:
            raise ValueError("a passphrase is str or bytes, not empty, and can be encoded")
        self._passphrase = passphrase

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"


class ScryptRecipient(_Passphrase):
    """A passphrase that opens a file, and nothing else does.

    ``work_factor``: the logarithm of how much work it is to try one passphrase.
    """

    __slots__ = ("_work_factor",)

    def __init__(self, passphrase: str | bytes, *, work_factor: int = WORK_FACTOR) -> None:
        hidden = _hidden(passphrase)
        del passphrase  # a traceback may show what a frame holds
        super().__init__(hidden)
        self._work_factor = _checked(work_factor)

    def wrap(self, file_key: Hidden) -> Stanza:
        salt = os.urandom(_SALT)
        key = stretched(self._passphrase, _LABEL + salt, self._work_factor)
        args = (SCRYPT, unpadded.encoded(salt).decode("ascii"), str(self._work_factor))
        return Stanza(args, wrapped(key, file_key))


class ScryptIdentity(_Passphrase):
    """A passphrase to open files with.

    ``max_work_factor``: a file that asks for more is refused before the work is begun, which
    takes 1 KiB of memory times two to the power of it.
    """

    __slots__ = ("_max_work_factor",)

    def __init__(self, passphrase: str | bytes, *, max_work_factor: int = MAX_WORK_FACTOR) -> None:
        hidden = _hidden(passphrase)
        del passphrase  # a traceback may show what a frame holds
        super().__init__(hidden)
        self._max_work_factor = _checked(max_work_factor)

    def unwrap(self, stanzas: Sequence[Stanza]) -> Hidden | None:
        """The file key; None where it is another passphrase's, or nobody's.

        SealedFileError for a stanza that is not as the format has it, or that asks for too much.
        """
        for stanza in stanzas:
            if stanza.args[0] == SCRYPT:
                return self._unwrapped(stanza)
        return None

    def _unwrapped(self, stanza: Stanza) -> Hidden | None:
        if len(stanza.args) != 3:
            raise wrong_header("a stanza of scrypt has a salt and a work factor, and nothing else")
        salt = unpadded.decoded(stanza.args[1].encode("ascii"))
        if salt is None or len(salt) != _SALT:
            raise wrong_header("a stanza of scrypt has a salt of another length")
        check_length(stanza)
        work_factor = self._allowed(stanza.args[2])
        return unwrapped(stretched(self._passphrase, _LABEL + salt, work_factor), stanza.body)

    def _allowed(self, text: str) -> int:
        if not text.isdigit() or text[0] == "0":  # ASCII, as all arguments
            raise wrong_header("a stanza of scrypt has a work factor that is no number")
        if len(text) > 2 or int(text) > self._max_work_factor:
            raise wrong_header(
                f"its passphrase takes more work than 2 ** {self._max_work_factor}, which is "
                "max_work_factor"
            )
        return int(text)


def _hidden(passphrase: object) -> Hidden | None:
    """None for what can be no passphrase; it raises nothing, for what is raised is shown."""
    if isinstance(passphrase, str):
        try:
            passphrase = passphrase.encode()
        except UnicodeEncodeError:  # it holds the text
            return None
    return Hidden(passphrase) if isinstance(passphrase, bytes) and passphrase else None


def _checked(work_factor: int) -> int:
    if not 1 <= work_factor <= 30:
        raise ValueError(f"a work factor is 1 to 30, not {work_factor}")
    return work_factor
