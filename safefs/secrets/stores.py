"""Where a key can be kept: in a keyring, in a file, or in a file under a passphrase.

Each gives and takes the text of ``keys.text_of`` as a whole.
"""

from __future__ import annotations

from io import BytesIO
from itertools import islice
from secrets import token_hex
from typing import TYPE_CHECKING, Protocol

from safefs.age import ScryptIdentity, ScryptRecipient, decrypt_bytes, encrypt
from safefs.age.hidden import Hidden
from safefs.errors import (
    KeyUnavailableError,
    SealedFileError,
    WrongKeyError,
    WrongPassphraseError,
)
from safefs.secrets.keys import identities_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs.secrets.keyfile import KeyFolder
    from safefs.secrets.keyrings import Keyring
    from safefs.secrets.keys import KeySource

    Ask = Callable[[str], str | bytes]

KEY_FILE = "installation.key"
SEALED_FILE = "installation.key.age"
IN_DOUBT = "keyring-in-doubt"  # a file of names, one a line
_NUMBER = " #"  # between the name of an installation and which of its names it is
_NUMBERED = 16  # so many names, and then random ones: a keyring may refuse at each of many starts
_LOOKED_AT = 4  # of those names, where none is remembered
# Of scrypt: 256 MiB, and a second or so for each passphrase that is tried.
WORK_FACTOR = 18


class Store(Protocol):
    """A place for the key of one installation."""

    @property
    def source(self) -> KeySource: ...

    @property
    def where(self) -> str:
        """For people to read."""

    def load(self) -> Hidden | None:
        """What is kept there; None where there is nothing."""

    def save(self, text: Hidden, *, replace: bool) -> None:
        """Keep this, instead of what is there; FileExistsError unless ``replace``."""

    def keep_beside(self) -> None:
        """Have what is there, and cannot be read, outlive the next ``save``."""


class FileStore:
    """``installation.key``, 0600."""

    source: KeySource = "file"

    def __init__(self, folder: KeyFolder) -> None:
        self._folder = folder
        self.where = folder.path(KEY_FILE)

    def exists(self) -> bool:
        return self._folder.holds(KEY_FILE)

    def load(self) -> Hidden | None:
        return self._folder.read(KEY_FILE)

    def save(self, text: Hidden, *, replace: bool) -> None:
        """KeyFileError where the file system gives what is 0600 to others all the same."""
        self._folder.write(KEY_FILE, text, replace=replace)

    def keep_beside(self) -> None:
        self._folder.keep_beside(KEY_FILE)


class KeyringStore:
    """An entry of a real keyring.

    Nothing is ever written over what is there: the next one gets another name, which is remembered
    once it is seen to be there, and the name before that may be used again. So what is cut short or
    refused takes nothing with it. A name that was written to without a clear answer is in doubt for
    good (``IN_DOUBT``): what the keyring still does with it, however late, meets no other key.
    """

    source: KeySource = "keyring"

    def __init__(self, keyring: Keyring, folder: KeyFolder, *, remembered: bool) -> None:
        self.keyring = keyring
        self.where = keyring.name
        self._folder = folder
        self._remembered = remembered
        self._first = keyring.account
        self._used = {keyring.account} if remembered else set()

    def load(self) -> Hidden | None:
        """What is remembered; where nothing is, all that is there, the most keys first."""
        if self._remembered:
            return self.keyring.get()
        found: list[Hidden] = []
        for keyring in islice(self._names(), _LOOKED_AT):
            text = keyring.get()
            if text is None:
                continue
            self._used.add(keyring.account)
            if not found or len(text) > len(found[0]):
                self.keyring = keyring
                found.insert(0, text)
            else:
                found.append(text)
        good = [text for text in found if identities_of(text)] or found[:1]
        return Hidden(b"\n".join(text.reveal() for text in good)) if good else None

    def save(self, text: Hidden, *, replace: bool) -> None:
        if not replace and self._used:
            raise FileExistsError
        doubt = self._doubt()
        keyring = next(each for each in self._names() if each.account not in self._used | doubt)
        if len(doubt) < _NUMBERED:
            self._put_in_doubt(doubt | {keyring.account})
        keyring.set(text)
        self._put_in_doubt(doubt)
        self.keyring = keyring

    def _names(self) -> Iterator[Keyring]:
        base = self._first.partition(_NUMBER)[0]
        yield self.keyring.under(base)
        for number in range(2, _NUMBERED + 1):
            yield self.keyring.under(f"{base}{_NUMBER}{number}")
        yield self.keyring.under(f"{base}{_NUMBER}{token_hex(16)}")  # which comes but once

    def _doubt(self) -> frozenset[str]:
        kept = self._folder.read(IN_DOUBT)
        text = "" if kept is None else kept.reveal().decode("utf-8", "replace")
        return frozenset(text.splitlines())

    def _put_in_doubt(self, names: frozenset[str]) -> None:
        if names:
            text = "".join(f"{name}\n" for name in sorted(names))
            self._folder.write(IN_DOUBT, Hidden(text.encode()), replace=True)
        elif self._folder.holds(IN_DOUBT):
            self._folder.remove(IN_DOUBT)

    def keep_beside(self) -> None:
        """It is, but for a second ``save``: the next one has another name."""


class PassphraseStore:
    """``installation.key.age``: an age file, 0600, sealed with a passphrase.

    ``ask`` gets a line to show, and returns the passphrase. It is asked once, or twice where there
    is none yet.
    """

    source: KeySource = "passphrase"

    def __init__(self, folder: KeyFolder, ask: Ask | None, app: str) -> None:
        self._folder = folder
        self._ask = ask
        self._app = app
        self._given: Hidden | None = None
        self.where = folder.path(SEALED_FILE)

    def exists(self) -> bool:
        return self._folder.holds(SEALED_FILE)

    def load(self) -> Hidden | None:
        """WrongPassphraseError; KeyUnavailableError where nobody is to be asked."""
        sealed = self._folder.read(SEALED_FILE)
        if sealed is None:
            return None
        given = self._answer(f"Passphrase for the key of {self._app}: ")
        text = _opened(sealed, given)
        if isinstance(text, WrongKeyError):
            raise WrongPassphraseError
        if isinstance(text, SealedFileError):
            raise text.at(self.where)
        self._given = given
        return text

    def save(self, text: Hidden, *, replace: bool) -> None:
        given = self._given or self._new()
        recipient = ScryptRecipient(given.reveal(), work_factor=WORK_FACTOR)
        sealed = BytesIO()
        encrypt(BytesIO(text.reveal()), sealed, [recipient])
        self._folder.write(SEALED_FILE, Hidden(sealed.getvalue()), replace=replace)

    def keep_beside(self) -> None:
        self._folder.keep_beside(SEALED_FILE)

    def _new(self) -> Hidden:
        given = self._answer(f"New passphrase for the key of {self._app}: ")
        if given != self._answer("The same once more: "):
            raise KeyUnavailableError("passphrase", "the two passphrases differ; nothing was made")
        return given

    def _answer(self, prompt: str) -> Hidden:
        if self._ask is None:
            raise KeyUnavailableError(
                "passphrase", "it takes a passphrase, and Storage has no passphrase= to ask for it"
            )
        return _hidden(self._ask(prompt))


def _opened(sealed: Hidden, passphrase: Hidden) -> Hidden | SealedFileError:
    """An error is returned: its frames may hold a piece of what was opened."""
    try:
        return Hidden(decrypt_bytes(sealed.reveal(), [ScryptIdentity(passphrase.reveal())]))
    except SealedFileError as error:
        return error.with_traceback(None)


def _hidden(answer: object) -> Hidden:
    """Nothing of it is in the error, nor in the frame that this is raised from."""
    hidden = None
    if isinstance(answer, str):
        answer = answer.encode("utf-8", "surrogatepass")
    if isinstance(answer, bytes) and answer:
        hidden = Hidden(answer)
    del answer
    if hidden is None:
        raise KeyUnavailableError("passphrase", "no passphrase was given")
    return hidden
