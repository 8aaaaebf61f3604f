"""The key of this installation: found where it is kept, or made at the first run.

The order is that of where a thief has the most to do: a keyring, which the system opens for the
user who is logged in; a file that only this user can read; a file under a passphrase, which is
asked for each time. Where the first key was put is remembered (``record``), and from then on it is
there or nowhere.

Each step that makes something holds a lock between processes, and each file takes its name once it
is whole. The key is written first and the record after it. Who is killed between the two has given
nobody the key yet, and the next one finds it and goes on.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from safefs.age.hidden import Hidden
from safefs.age.x25519 import X25519Identity
from safefs.drivers.locking import Lock
from safefs.errors import KeyFileError, KeyUnavailableError, SafefsError, SealedFileError
from safefs.secrets import keyrings, record
from safefs.secrets.holder import Holder, imported, is_present, joined, refuse_unless, rotated
from safefs.secrets.keyfile import KeyFolder
from safefs.secrets.keyrings import Keyring, NoKeyringError, account_of
from safefs.secrets.keys import identities_of, text_of
from safefs.secrets.record import Record
from safefs.secrets.stores import FileStore, KeyringStore, PassphraseStore

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator

    from safefs.drivers.locking import Locks
    from safefs.root import Root
    from safefs.secrets.holder import Identities, Source
    from safefs.secrets.keys import InstallationKey, KeySource
    from safefs.secrets.stores import Ask, Store


RECORD = "source.json"
_LOCK = "installation-key"
# Seconds: whoever holds the lock may wait for an answer of the keyring, and then for another.
_PATIENCE = 3 * keyrings.USE


class Words(NamedTuple):
    """What may become of a key that is there: see ``Storage.import_key``."""

    replace: bool = False
    give_up: bool = False

    @property
    def any(self) -> bool:
        return self.replace or self.give_up


_NO_WORDS = Words()


class Installation(Holder):
    """Where one installation of an application has its key.

    ``state`` opens the folder of its state, which lies at ``place``. ``wanted`` is where the key is
    to be kept, or None for the order above; ``ask`` is asked for a passphrase.
    """

    def __init__(
        self,
        app: str,
        locks: Locks,
        state: Callable[..., Root],
        place: str,
        wanted: KeySource | None = None,
        ask: Ask | None = None,
    ) -> None:
        super().__init__()
        self._app = app
        self._state = state
        self._place = place
        self._locks = locks
        self._wanted = wanted
        self._ask = ask

    # What a Storage asks for

    def source(self) -> KeySource:
        """Where the key is kept, or would be; makes nothing."""
        kept = self.remembered()
        if kept is not None:
            return kept.source
        if self._wanted is not None:
            return self._wanted
        try:
            self._keyring()
        except NoKeyringError:
            return "file"
        return "keyring"

    def is_new(self) -> bool:
        return self._key is None and self.remembered() is None

    def at_hand(self) -> bool:
        kept = self.remembered()
        if kept is None and self._wanted == "keyring":
            self._keyring()
        if kept is not None and kept.source != "passphrase":
            self.key()
        return kept is None or kept.source != "passphrase" or self._ask is not None

    def remembered(self) -> Record | None:
        """What is remembered of the key; None before the first run."""
        folder = KeyFolder.opened(self._state, self._place, create=False)
        if folder is None:
            return None
        with folder:
            return self._record(folder)

    def rotate(self) -> InstallationKey:
        """Make a new present key and keep those before it, which go on opening what they sealed.

        ``KeyUnavailableError`` where there is no key yet, or it is not to be had.
        """
        with self._changing() as folder:
            kept, store = self._kept(folder)
            return self._become(*self._save(folder, kept, store, rotated(_load(store, kept))))

    def exported(self) -> Hidden:
        """All keys as text, as ``age`` reads it; as of ``rotate`` where there is none."""
        with self._guard, self._folder() as folder:
            kept, store = self._kept(folder)
            return text_of(_load(store, kept))

    def adopt(
        self, text: Hidden, *, replace: bool = False, give_up: bool = False
    ) -> InstallationKey:
        """Make an exported key that of this installation; see ``Storage.import_key``."""
        given, words = imported(text), Words(replace, give_up)
        with self._changing() as folder:
            kept = self._record(folder)
            if kept is None:
                return self._become(*self._begin(folder, given, words))
            return self._become(*self._adopt(folder, kept, given, words))

    # Finding it, and making it at the first run

    def _find(self) -> tuple[Identities, Source]:
        with self._folder() as folder:
            if self._record(folder) is None:
                with self._lock():
                    folder.sweep()
                    if self._record(folder) is None:  # nor has another process been first
                        return self._begin(folder)
            else:
                folder.sweep()
            kept, store = self._kept(folder)
            return _load(store, kept), kept.source

    def _again(self) -> bool:
        """It costs a look at what is remembered; a passphrase is not asked for once more.

        A folder that cannot be looked at any more, as after a lock-down, says nothing new; nor does
        a key that is out of reach by now: what was asked goes by the keys that are held.
        """
        try:
            kept = self.remembered()
        except (SafefsError, OSError):
            return False
        with self._guard:
            if self._key is None or kept is None or kept.source == "passphrase":
                return False
            if kept.recipient == str(self._key.recipient):
                return False
            try:
                found = self._find()
            except (SafefsError, OSError):
                return False
            self._become(*found)
            return True

    def _begin(
        self, folder: KeyFolder, given: Identities = (), words: Words = _NO_WORDS
    ) -> tuple[Identities, KeySource]:
        """Keep this key, or a new one, in the first place that takes it; and remember which.

        A key that is there already was made by who did not get as far as to remember it, or its
        memory was lost. It stays one of the keys, and the present one where none is given.
        """
        reason = ""
        for store in self._places(folder):
            if isinstance(store, str):
                reason = store
                continue
            try:
                identities = _settled(store, given, words)
            except (NoKeyringError, KeyFileError) as error:
                reason = self._passed_over(store, error)
                continue
            self._remember(folder, store, identities, reason)
            if reason:
                _logger().warning("the key of %s is kept in %s: %s", self._app, store.where, reason)
            return identities, store.source
        raise KeyUnavailableError(self._wanted or "file", reason)

    def _places(self, folder: KeyFolder) -> Iterator[Store | str]:
        """Where to keep a key, in order, or why it is not kept there."""
        file = FileStore(folder)
        sealed = PassphraseStore(folder, self._ask, self._app)
        begun = next((each for each in (file, sealed) if each.exists()), None)
        if begun is not None:
            self._refuse_other(begun.source)
            yield begun
            return
        if self._wanted in (None, "keyring"):
            try:
                yield KeyringStore(self._keyring(), folder, remembered=False)
            except NoKeyringError as error:
                yield str(error)
        if self._wanted in (None, "file"):
            yield file
        if self._wanted == "passphrase" or (self._wanted is None and self._ask is not None):
            yield sealed

    def _passed_over(self, store: Store, error: NoKeyringError | KeyFileError) -> str:
        """Why it is kept elsewhere; or the error, where there is no elsewhere."""
        if isinstance(error, KeyFileError):
            if self._ask is None or self._wanted is not None or store.source != "file":
                raise error
            return error.reason
        if self._wanted is not None or error.uncertain:
            raise KeyUnavailableError(store.source, str(error))
        return str(error)

    # What is kept already

    def _record(self, folder: KeyFolder) -> Record | None:
        data = folder.read(RECORD)
        if data is None:
            return None
        kept = record.decoded(data.reveal())
        if kept is None:
            raise KeyFileError(folder.path(RECORD), "is not as safefs writes it")
        self._refuse_other(kept.source)
        return kept

    def _refuse_other(self, source: KeySource) -> None:
        if self._wanted not in (None, source):
            raise KeyUnavailableError(source, f"it is kept there, and not in the {self._wanted}")

    def _kept(self, folder: KeyFolder) -> tuple[Record, Store]:
        kept = self._record(folder)
        if kept is None:
            raise KeyUnavailableError(self._wanted or "none", "there is none yet")
        return kept, self._store_of(folder, kept)

    def _store_of(self, folder: KeyFolder, kept: Record) -> Store:
        if kept.source == "file":
            return FileStore(folder)
        if kept.source == "passphrase":
            return PassphraseStore(folder, self._ask, self._app)
        try:
            return KeyringStore(self._keyring(kept), folder, remembered=True)
        except NoKeyringError as error:
            raise _gone(kept, str(error)) from None

    def _keyring(self, kept: Record | None = None) -> Keyring:
        account = kept.account if kept else account_of(self._place)
        return keyrings.found(f"safefs/{self._app}", account, kept.backend if kept else "")

    # Changing it

    def _adopt(
        self, folder: KeyFolder, kept: Record, given: Identities, words: Words
    ) -> tuple[Identities, Source]:
        try:
            store = self._store_of(folder, kept)
        except KeyUnavailableError:
            if not words.give_up:
                raise
            folder.keep_beside(RECORD)
            return self._begin(folder, given, words)
        before = _readable(store, words, kept)
        if not words.give_up and not _holds(given, kept):
            _refuse_missing(store, kept, before)
        refuse_unless(words.any or not before or is_present(given, before))
        return self._save(folder, kept, store, joined(given, before))

    def _save(
        self, folder: KeyFolder, kept: Record, store: Store, identities: Identities
    ) -> tuple[Identities, Source]:
        try:
            store.save(text_of(identities), replace=True)
        except NoKeyringError as error:
            raise _gone(kept, str(error)) from None
        self._remember(folder, store, identities, kept.reason)
        return identities, store.source

    def _remember(
        self, folder: KeyFolder, store: Store, identities: Identities, reason: str
    ) -> None:
        keyring = store.keyring if isinstance(store, KeyringStore) else None
        made = Record(
            store.source,
            str(identities[0].recipient),
            keyring.name if keyring else "",
            keyring.account if keyring else "",
            reason,
        )
        folder.write(RECORD, Hidden(record.encoded(made)), replace=True)

    # What it stands on

    def _folder(self) -> KeyFolder:
        folder = KeyFolder.opened(self._state, self._place, create=True)
        assert folder is not None
        return folder

    def _lock(self) -> Lock:
        what = "the key of an installation"
        return Lock(self._locks, _LOCK, what, timeout=_PATIENCE, shared=False)

    @contextmanager
    def _changing(self) -> Iterator[KeyFolder]:
        with self._guard, self._folder() as folder, self._lock():
            folder.sweep()
            yield folder


def _load(store: Store, kept: Record) -> Identities:
    """The key that is remembered, and no other."""
    try:
        identities = _there(store)
    except NoKeyringError as error:
        raise _gone(kept, str(error)) from None
    _refuse_missing(store, kept, identities)
    return identities


def _refuse_missing(store: Store, kept: Record, identities: Identities) -> None:
    if not identities:
        raise _gone(kept, f"it is gone from {store.where}")
    if not _holds(identities, kept):
        raise _gone(kept, f"in {store.where} is another one than {kept.recipient}")


def _holds(identities: Identities, kept: Record) -> bool:
    return kept.recipient in {str(each.recipient) for each in identities}


def _settled(store: Store, given: Identities, words: Words) -> Identities:
    """What this place holds from now on."""
    there = _readable(store, words)
    if there and (not given or is_present(given, there)):
        return there
    refuse_unless(words.any or not there)
    identities = joined(given or [X25519Identity.generate()], there)
    store.save(text_of(identities), replace=words.any)
    return identities


def _readable(store: Store, words: Words, kept: Record | None = None) -> Identities:
    """What is there, whether it is what is remembered or not; so that nothing of it is lost.

    What cannot be read is an error; or none, and kept beside, if it is to be given up.
    """
    try:
        return _there(store)
    except NoKeyringError as error:
        if kept is None:
            raise
        if not words.give_up:
            raise _gone(kept, str(error)) from None
    except (KeyUnavailableError, SealedFileError):
        if not words.give_up:
            raise
    store.keep_beside()
    return ()


def _there(store: Store) -> Identities:
    """All that is there; nothing where there is none."""
    text = store.load()
    if text is None:
        return ()
    found = identities_of(text)
    if found is None:
        raise KeyUnavailableError(store.source, f"what is in {store.where} is no key of safefs")
    return found


def _gone(kept: Record, reason: str) -> KeyUnavailableError:
    return KeyUnavailableError(
        kept.source,
        f"{reason}; no other is made. If it was exported, import it; another one takes its place "
        "by import_key(..., give_up=True) alone",
    )


def _logger() -> logging.Logger:
    import logging

    return logging.getLogger("safefs.secrets")
