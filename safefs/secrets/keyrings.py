"""The keyring of a desktop: which one is trusted, and an answer in time or none.

The library ``keyring`` takes what it finds, and what it is told to take: there may be nothing
behind it, or a plain file. So a backend is believed by name alone (``REAL``). And behind a real one
is another process, which may hang, or wait for a person: it is asked in a thread, and left there
when the time is over. Such a thread ends with the process.

What went wrong comes as text. An exception of the library's holds the frames that it came through,
and one of those the key.
"""

from __future__ import annotations

import os
import threading
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

from safefs.age.hidden import Hidden

if TYPE_CHECKING:
    from collections.abc import Callable

    from keyring.backend import KeyringBackend

T = TypeVar("T")

# By the module and name of the class. What is in none of them keeps nothing, or keeps it in plain
# text, or is not known here: keyring.backends.fail and null, and all of keyrings.alt.
REAL = frozenset(
    {
        "keyring.backends.SecretService.Keyring",
        "keyring.backends.libsecret.Keyring",
        "keyring.backends.kwallet.DBusKeyring",
        "keyring.backends.kwallet.DBusKeyringKWallet4",
        "keyring.backends.macOS.Keyring",
        "keyring.backends.Windows.WinVaultKeyring",
    }
)
LOOK = 5.0  # seconds for finding out whether there is a keyring
USE = 60.0  # seconds for an answer: a person may be asked to unlock it
_SHOWN = 200  # letters of what another says


class NoKeyringError(Exception):
    """There is none, or it does not do what it is asked; said in one line.

    ``uncertain``: it has been given something, and may keep it yet.
    """

    def __init__(self, reason: str, *, uncertain: bool = False) -> None:
        super().__init__(reason)
        self.uncertain = uncertain


class Keyring:
    """A real backend, and the entry in it."""

    def __init__(self, backend: KeyringBackend, service: str, account: str) -> None:
        self._backend = backend
        self._service = service
        self.account = account

    def under(self, account: str) -> Keyring:
        """Another entry in it."""
        return Keyring(self._backend, self._service, account)

    @property
    def name(self) -> str:
        return _name_of(self._backend)

    def get(self) -> Hidden | None:
        """None where it holds no such entry; NoKeyringError where it cannot be asked."""
        return _in_time(USE, self._get)

    def _get(self) -> Hidden | None:
        found = self._backend.get_password(self._service, self.account)
        return None if found is None else Hidden(found.encode("utf-8", "replace"))

    def set(self, text: Hidden) -> None:
        """And see that it is there; NoKeyringError."""
        _in_time(USE, lambda: self._set(text), uncertain=True)
        if self.get() != text:
            raise NoKeyringError(f"{self.name} does not keep what it is given")

    def _set(self, text: Hidden) -> None:
        self._backend.set_password(self._service, self.account, text.reveal().decode("ascii"))


def account_of(place: str) -> str:
    """Under which name: each state folder is an installation of its own."""
    return f"installation {sha256(os.fsencode(place), usedforsecurity=False).hexdigest()[:16]}"


def found(service: str, account: str, backend: str = "") -> Keyring:
    """The keyring that the library would take; or that of this name, where it is among those.

    NoKeyringError where that is no real one.
    """
    _require()
    return Keyring(_in_time(LOOK, lambda: _chosen(backend)), service, account)


def _require() -> None:
    try:
        import keyring  # noqa: F401
    except ImportError:
        raise ImportError(
            "a key is kept in a keyring by the library keyring: install safefs[crypto], or keep "
            "it elsewhere with key_source='file'",
            name="keyring",
        ) from None


def _chosen(wanted: str) -> KeyringBackend:
    import keyring
    from keyring.backends.chainer import ChainerBackend

    taken: KeyringBackend = keyring.get_keyring()
    # A chainer asks one after the other; we ask one of them, and never those behind it.
    all_of_them: list[KeyringBackend] = (
        list(taken.backends) if isinstance(taken, ChainerBackend) else [taken]
    )
    known = {_name_of(each): each for each in reversed(all_of_them)}
    name = wanted or (_name_of(all_of_them[0]) if all_of_them else "")
    if name in known and name in REAL:
        return known[name]
    if wanted:
        there = ", ".join(reversed(known)) or "nothing"
        raise _UntrustedError(f"{wanted} is not there; there is {there}")
    raise _UntrustedError(f"there is no keyring but {name}" if name else "there is no keyring")


class _UntrustedError(Exception):
    pass


def _name_of(backend: KeyringBackend) -> str:
    kind = type(backend)
    return f"{kind.__module__}.{kind.__qualname__}"


def _in_time(seconds: float, call: Callable[[], T], *, uncertain: bool = False) -> T:
    answers: list[T] = []
    reasons: list[str] = []

    def ask() -> None:
        try:
            answers.append(call())
        except BaseException as error:  # noqa: BLE001  (a library's, and its D-Bus's)
            reasons.append(_said(error))

    thread = threading.Thread(target=ask, name="safefs-keyring", daemon=True)
    thread.start()
    thread.join(seconds)
    if answers:
        return answers[0]
    if reasons:
        raise NoKeyringError(reasons[0])
    reason = f"the keyring does not answer within {seconds:g} seconds"
    raise NoKeyringError(reason, uncertain=uncertain)


def _said(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, _UntrustedError):
        return text
    kind = type(error).__name__
    return f"{kind}: {text[:_SHOWN]}" if text and "SECRET-KEY" not in text.upper() else kind
