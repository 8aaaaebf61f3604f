"""Where a key can be kept: in a keyring, in a file, or in a file under a passphrase.

Each gives and takes the text of ``keys.text_of`` as a whole.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Protocol

from safefs.age import ScryptIdentity, ScryptRecipient, decrypt_bytes, encrypt
from safefs.age.hidden import Hidden
from safefs.errors import (
    KeyFileError,
    KeyUnavailableError,
    SealedFileError,
    WrongKeyError,
    WrongPassphraseError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from safefs.secrets.keyfile import KeyFolder
    from safefs.secrets.keyrings import Keyring
    from safefs.secrets.keys import KeySource

    Ask = Callable[[str], str | bytes]

KEY_FILE = "installation.key"
SEALED_FILE = "installation.key.age"
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
        try:
            self.load()
        except KeyFileError:
            self._folder.remove(KEY_FILE)
            raise

    def keep_beside(self) -> None:
        self._folder.keep_beside(KEY_FILE)


class KeyringStore:
    """An entry of a real keyring."""

    source: KeySource = "keyring"

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring
        self.where = keyring.name

    def load(self) -> Hidden | None:
        return self.keyring.get()

    def save(self, text: Hidden, *, replace: bool) -> None:
        if not replace and self.keyring.get() is not None:
            raise FileExistsError
        self.keyring.set(text)

    def keep_beside(self) -> None:
        pass


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
