"""Storage: the named disks of an application, opened at first use, closed together."""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, NamedTuple

from safefs import config as configuration
from safefs.disk import Disk
from safefs.drivers.local import LocalDriver
from safefs.drivers.locking import FOLDER as LOCKS
from safefs.drivers.locking import LockDirectory
from safefs.drivers.observed import check_hook
from safefs.errors import ConfigError, LockedDownError, MissingFolderError, UnknownDiskError
from safefs.folders import APP, HOME, PRIVATE, STATE, TEMP, TemporaryFolder, make_ours, places
from safefs.policy import Policy
from safefs.root import Root

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import timedelta
    from types import TracebackType
    from typing import Any, Literal, NoReturn, Self

    from safefs.age.hidden import Hidden
    from safefs.bridge.serving import Bridge
    from safefs.config import DiskEntry
    from safefs.drivers.base import Driver
    from safefs.drivers.observed import OnAccess
    from safefs.folders import Place
    from safefs.integrations.registry import Registration
    from safefs.lockdown.report import LockdownReport
    from safefs.secrets.grant import Grant
    from safefs.secrets.holder import Holder
    from safefs.secrets.keys import InstallationKey, KeySource
    from safefs.secrets.named import Secrets
    from safefs.secrets.scope import Scope
    from safefs.secrets.tokens import Tokens
    from safefs.testing.fake import FakeStorage

    Directory = str | os.PathLike[str]
    Seal = Callable[[Driver], Driver]


_SOURCES = ("keyring", "file", "passphrase")  # safefs.secrets.keys, which comes late


class Storage:
    """The disks of one application, by name.

    ``appdata``, ``config``, ``cache``, ``state``, ``logs``, ``runtime`` and ``temp`` are the
    application's own: made 0700 at first use, their files 0600. ``home``, ``desktop``,
    ``documents``, ``downloads``, ``music``, ``pictures`` and ``videos`` are the user's, and must
    exist. ``home`` refuses entries that begin with a dot at its top level, which belong to other
    programs, unless ``home_dot_entries`` is true. ``temp`` is new and empty, and gone at close.

    ``disks`` adds others: name -> a directory, or a ``Disk`` (which its maker closes, and which
    takes this name if it has none). So does
    ``safefs.toml`` (see ``safefs.config``), read from ``config``, or else from the application's
    config folder; never from the working directory. ``outside_home`` names the disks that may lie
    outside the home directory, should the environment say so. A disk of which ``safefs.toml`` says
    ``encrypted = true`` is ``Disk.encrypted`` with ``key``. ``on_access`` is that of ``Disk``,
    for each disk that is opened here; a ``Disk`` in ``disks`` has its own, or none.

    ``key_source`` says where the key of this installation is to be kept: ``"keyring"``, ``"file"``
    or ``"passphrase"``, and nowhere else; see ``key``. ``passphrase`` is called with a line to show
    and returns a passphrase, as ``getpass.getpass`` does.

    Where each disk lies is settled here and now; a disk is opened and its folder checked
    (``safefs.folders``) when it is first asked for, so a folder that is missing or not to be
    trusted hurts only its own disk. Threads may share a Storage. It refuses pickle and copy.

    Raises ``ConfigError`` for names that cannot be meant and for a configuration that is wrong.
    """

    def __init__(
        self,
        app: str,
        *,
        author: str | None = None,
        disks: Mapping[str, Directory | Disk] | None = None,
        config: Directory | None = None,
        outside_home: Iterable[str] = (),
        home_dot_entries: bool = False,
        on_access: OnAccess | None = None,
        key_source: KeySource | None = None,
        passphrase: Callable[[str], str | bytes] | None = None,
    ) -> None:
        check_hook(on_access)
        ask, given = (passphrase if callable(passphrase) else None), passphrase is not None
        del passphrase  # it may be one, by mistake, and a traceback shows what a frame holds
        _check_key(key_source, ask is not None, given=given)
        if disks is not None and not hasattr(disks, "items"):
            raise TypeError(
                "disks is a mapping of names to directories, as in {'uploads': '/srv/uploads'}, "
                f"not {type(disks).__name__}"
            )
        found = places(app, author, outside_home=outside_home)
        entries = (
            configuration.find(found["config"]) if config is None else configuration.read(config)
        )
        rights = {name: entry.rights for name, entry in entries.items()}
        if not home_dot_entries:
            _hide_dot_entries(rights, HOME)
        # Where the key of the installation lies: see safefs.secrets.keyfile.
        kept_in = _real(found[STATE])
        for name in APP:
            if _real(found[name]) == kept_in:
                _hide_dot_entries(rights, name)
        locks = LockDirectory(_lock_folder(found[STATE]))
        common = Common(locks, on_access, _seals(entries, weakref.ref(self)))
        slots = {
            name: _found(place, _policy(name, rights), common) for name, place in found.items()
        }
        slots[TEMP] = _temporary(app, _policy(TEMP, rights), common)
        for name, entry in entries.items():
            if entry.path is not None:
                slots[name] = _configured(entry, entry.path, _policy(name, rights), common)
        for name, disk in (disks or {}).items():
            if configuration.check_name(name) in entries:
                raise ConfigError("Storage", "disks", f"{name!r} is in safefs.toml as well")
            slots[name] = _given(name, disk, _policy(name, rights), common)
        state = found[STATE]
        keys = KeyOptions(state.open, state.path or "", key_source, ask)
        self._begin(app, slots, locks, _own(state, locks), keys)

    def _begin(
        self,
        app: str,
        slots: Mapping[str, Slot],
        locks: LockDirectory,
        own: Slot,
        keys: KeyOptions | None = None,
    ) -> None:
        self.app = app
        self._locks = locks
        self._slots = dict(slots)
        self._closed = False
        self._left_out: frozenset[str] = frozenset()
        self._registers = False
        self._own = own
        self._keys = keys
        self._holder: Holder | None = None

    @classmethod
    def fake(
        cls, app: str = "fake", *, memory: bool = True, disks: Iterable[str] = ()
    ) -> FakeStorage:
        """The same disks for tests, empty, in memory or in a temporary directory.

        Nothing of this user is looked at. The disks can ``assert_exists``, ``assert_missing`` and
        ``assert_count``; ``disks`` names further ones.
        """
        from safefs.testing.fake import FakeStorage

        return FakeStorage(app, memory=memory, disks=disks)

    def disk(self, name: str) -> Disk:
        """The disk of this name, opened now if it was not; each time the same object.

        Raises ``UnknownDiskError``; ``MissingFolderError`` and ``UnsafeFolderError`` for its
        folder; ``ValueError`` when the Storage is closed; ``LockedDownError`` where this process
        was locked down without it.
        """
        if name in self._left_out:
            raise LockedDownError(name)
        return self._slot(name).get()

    def __getitem__(self, name: str) -> Disk:
        return self.disk(name)

    def __iter__(self) -> Iterator[str]:
        """The names; opens nothing."""
        return iter(tuple(self._slots))

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, name: object) -> bool:
        return name in self._slots

    def where(self, name: str) -> str:
        """Where this disk lies, or would, for people to read; opens nothing."""
        return self._slot(name).where

    def holds(self, name: str, disk: Disk) -> bool:
        """Whether this very disk is the one of that name, and open."""
        return name in self._slots and self._slots[name].opened is disk

    @property
    def key(self) -> InstallationKey:
        """The key of this installation, made at the first run; each time the same object.

        Kept in the keyring of the desktop; or, where there is none, in a file that only this user
        may read; under a passphrase where that was chosen, or where no such file can be. Where the
        first one was put is remembered, and no other is made. That it is not kept in a keyring is a
        warning of the logger ``safefs.secrets`` when it is made, and told by ``key_source``.
        The disk ``state``, and another that is the same folder, do not show that file; a disk that
        lies above the state folder does, as ``home`` where XDG_STATE_HOME is in plain sight in it.
        Many processes may come here at once, and get one key. Needs ``safefs[crypto]``.

        Raises ``KeyUnavailableError`` where it is not to be had; ``WrongPassphraseError``;
        ``KeyFileError`` for a file that others may read, or a link, or another user's;
        ``ValueError`` when the Storage is closed.
        """
        return self._key_holder().key()

    @property
    def key_source(self) -> KeySource | Literal["memory"]:
        """Where the key is kept, or would be: it makes none, and asks for no passphrase."""
        return self._key_holder().source()

    def rotate_key(self) -> InstallationKey:
        """Make a new key, and keep the old one for what was sealed with it.

        ``key`` is the same object, and seals for the new one from now on. Other processes that run
        meanwhile seal for the old one until they open a Storage anew, issue or meet a token of the
        new one, or meet what is sealed for it. All tokens are void, for these too.
        ``KeyUnavailableError`` where there is none yet.
        """
        key = self._key_holder().rotate()
        self._tokens().key_changed()
        return key

    def export_key(self) -> Hidden:
        """The key and those before it as text, for a safe place: who has it opens all there is.

        In the form of ``age-keygen``; it shows as ``***``, and by ``reveal``.
        """
        return self._key_holder().exported()

    def import_key(
        self, exported: Hidden | str | bytes, *, replace: bool = False, give_up: bool = False
    ) -> InstallationKey:
        """Make an exported key that of this installation.

        ``FileExistsError`` where it has another one, unless ``replace``: that is kept then, as are
        those before it, for what was sealed with it. Where they cannot be read, as with a wrong
        passphrase or a keyring that does not answer, it is the error of ``key``, and nothing is
        changed, unless ``give_up``: then what they sealed can be opened no more. A file that
        was given up stays beside the new one. One that is gone is brought back by itself.
        All tokens are void. ``ValueError`` for what is no exported key.
        """
        from safefs.secrets import texts

        text = texts.exported(exported)
        del exported  # a traceback may show what a frame holds
        key = self._key_holder().adopt(text, replace=replace, give_up=give_up)
        self._tokens().key_changed()
        return key

    def _key_holder(self) -> Holder:
        """Made when it is first asked for; of threads that come at once all get one."""
        self._check_open()
        holder = self._holder
        if holder is None:
            holder = self._holder = self.__dict__.setdefault("_made", self._new_holder())
        try:
            self._check_open()
        except ValueError:  # meanwhile, and who closed it may have found no holder yet
            holder.close()
            raise
        return holder

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("the Storage is closed")

    def _new_holder(self) -> Holder:
        from safefs.secrets.installation import Installation

        assert self._keys is not None
        return Installation(self.app, self._locks, *self._keys)

    def _slot(self, name: str) -> Slot:
        if name not in self._slots:
            raise UnknownDiskError(name, tuple(self._slots))
        return self._slots[name]

    def register(self, *names: str, prefix: str = "") -> Registration:
        """Offer these disks, or all, to this whole process as ``safefs://<prefix><name>``.

        What is registered is open to all code in the process, whoever wrote it: a library that is
        handed a URL, a plugin, a cell of a notebook. Register what such code may use, and no more.

        A disk is opened when it is first used. The result gives the names back at the end of a
        ``with`` block, or by ``close``; a name that was registered several times stays until the
        last of these. Closing the Storage gives all back. Raises ``ValueError`` when
        another Storage holds a name, and then registers nothing.
        """
        from safefs.integrations import registry

        if self._closed:
            raise ValueError("the Storage is closed")
        public = {
            configuration.check_name(f"{prefix}{name}", "register", "prefix"): name
            for name in names or self._slots
            if self._slot(name)
        }
        self._registers = True
        return registry.add(self, public)

    # Secrets, with ``safefs[crypto]`` and the key of this installation

    @property
    def secrets(self) -> Secrets:
        """Small secrets by name, sealed: ``set``, ``get``, ``delete``, ``names``, ``rewrap``.

        ``storage.secrets.get("mail").reveal()``. They lie in the folder of the state, where the
        disk ``state`` does not show them, each as a file in the age format; what that hides and
        what not, ``Secrets`` says.
        """
        from safefs.secrets.named import Secrets

        return Secrets(self._own.get, lambda: self.key)

    def encrypt_text(self, text: str) -> str:
        """``text`` sealed with the key of this installation, in letters, digits, ``-`` and ``_``.

        Each time another result, some 300 characters longer than a third more than the text. How
        long the text is shows. ``TypeError`` and ``ValueError``, without it, for no text.
        """
        from safefs.secrets import texts

        kept = texts.kept(text)
        del text  # a traceback may show what a frame holds
        return texts.encrypted(kept, self.key)

    def decrypt_text(self, token: str) -> str:
        """What ``encrypt_text`` was given. ``SealedFileError`` for anything that it did not return.

        ``WrongKeyError``, which is one, where neither the key of this installation nor one that it
        had before opens it.
        """
        from safefs.secrets import texts

        kept = texts.kept(token)
        del token  # a traceback may show what a frame holds
        return texts.decrypted(kept, self.key)

    @property
    def can_encrypt(self) -> bool:
        """Whether ``encrypt_text`` would work: the extra is there, and a key is or can be made.

        It makes none, and raises nothing.
        """
        from safefs.secrets import texts

        return texts.can_encrypt(self._key_holder)

    def issue_token(
        self,
        scope: Scope,
        ttl: timedelta | float = 900.0,
        *,
        audience: str | None = None,
    ) -> str:
        """A token for ``scope``: who holds it may do that, until it expires or is revoked.

        ``ttl``: for how long, a timedelta or seconds, to the second below: one at least, and less
        than 48 hours (``ValueError``). ``audience``: who is to take it; None is this application.
        ``UnknownDiskError`` for a scope on a disk that is not here.

        A JSON Web Token (HS256), signed with a key derived from that of this installation: with
        another key, after a rotation too, it is void. It is not encrypted.
        """
        return self._tokens().issue(scope, ttl, audience)

    def verify_token(
        self,
        token: str,
        *,
        audience: str | None = None,
        verb: str | None = None,
        disk: str | None = None,
        path: str | bytes | os.PathLike[str] | os.PathLike[bytes] = "",
    ) -> Grant:
        """What a token says, which was issued here for this audience and is good now.

        With ``verb`` and ``disk``, and ``path``: and which allows that; ``TypeError`` for some of
        them without the others. ``TokenError`` for anything
        else, with a ``reason`` and without the token; also for what is no str. There is no leeway:
        a clock that was set back finds tokens of the future, which are refused, and what had
        expired good again, unless it was revoked.
        """
        from safefs.secrets.tokens import hidden_token

        kept = hidden_token(token)
        del token  # a traceback may show what a frame holds
        return self._tokens().verify(kept, audience, verb, disk, path)

    def revoke_token(self, token: str | Grant) -> None:
        """Make one void, by itself or by what ``verify_token`` returned, for all processes.

        One that has expired or was revoked is no error; ``TokenError`` for what was not issued
        here. It holds when this returns, also after a crash of the machine.
        """
        from safefs.secrets.grant import Grant
        from safefs.secrets.tokens import hidden_token

        kept = token if isinstance(token, Grant) else hidden_token(token)
        del token  # a traceback may show what a frame holds
        self._tokens().revoke(kept)

    def revoke_tokens(self) -> None:
        """Make void all that have been issued, for all processes."""
        self._tokens().revoke_all()

    # For other processes, with ``safefs[bridge]``

    def serve(
        self,
        *names: str,
        read_only: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
        socket: str | os.PathLike[str] | None = None,
        origins: Iterable[str] = (),
        max_body: int | None = None,
    ) -> Bridge:
        """Serve these disks to other processes of this machine, in a ``with`` block.

        By WebDAV over TLS, with a certificate and a key that are made for this start, as
        ``https://127.0.0.1:port/name/path``: ``bridge.hand_over(fd)`` tells both to who is to have
        them. Tokens of this Storage for the audience ``"bridge"`` are taken as well, for what they
        allow.

        ``port`` 0 is any. ``socket``: a name to listen at instead, made with mode 0600, for
        processes of this user alone. ``origins``: those whose pages may use the bridge in a
        browser, if they have a key. ``max_body``: the bytes of one upload at most.

        Who has the key may do on these disks whatever this process may. ``ValueError`` for no name,
        and for a ``host`` that is not this machine's own; ``UnknownDiskError``; ``ImportError``
        without the extra.
        """
        from safefs.bridge.serving import bridge_of

        return bridge_of(
            self,
            names,
            read_only=read_only,
            host=host,
            port=port,
            socket=socket,
            origins=origins,
            max_body=max_body,
        )

    def _tokens(self) -> Tokens:
        from safefs.secrets.tokens import Tokens

        return Tokens(self, self._own.get)

    # What the kernel sees to

    def lockdown(
        self,
        *,
        disks: Iterable[str] | None = None,
        network: Literal["deny", "allow"] | Iterable[int] = "deny",
        extra_read: Iterable[Directory] = (),
        extra_write: Iterable[Directory] = (),
        execute: Iterable[Directory] = (),
        strict: bool = True,
    ) -> LockdownReport:
        """From here on this process, and all it starts, can open nothing but these disks. For good.

        ``disks``: by name; None for those that are open. Each is left the rights of its policy as
        far as Linux (Landlock) has words for them, every other one is closed, and asking for it is
        ``LockedDownError``. Left beside them are what Python needs to go on, to be read; the folder
        of the state, for locks and secrets; ``temp``, which ``tempfile`` uses from now on; and
        ``extra_read``, ``extra_write`` (which is also read) and ``execute`` (programs, or
        directories of them, beside which the loader). ``network``: TCP, to be refused, allowed, or
        left on these ports. The report tells all of it, and what is not refused: ``stat`` and
        ``chmod`` among it, UDP, sockets with a name, and what is open already.

        ``LockdownUnavailable`` where it cannot be done, and then nothing is locked: without
        Landlock, on a kernel that would leave files or TCP open, and where other threads run that
        would stay free. With ``strict=False`` what can be done is done, and the report says what
        could not. ``FileNotFoundError`` for a path that is not there; ``ValueError`` for a disk
        that is closed, and for a word that ``network`` does not have.
        """
        from safefs.lockdown.locking import lock_down

        return lock_down(self, disks, network, extra_read, extra_write, execute, strict=strict)

    def run(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        disks: Iterable[str] | None = None,
        network: Literal["deny", "allow"] | Iterable[int] = "deny",
        extra_read: Iterable[Directory] = (),
        extra_write: Iterable[Directory] = (),
        execute: Iterable[Directory] = (),
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        input: bytes | None = None,  # noqa: A002  (the word of subprocess)
        capture_output: bool = False,
        timeout: float | None = None,
        limits: Mapping[str, int] | None = None,
        isolate: bool = False,
        check: bool = False,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program that is locked down before it executes, and wait for it.

        ``disks``, ``network`` and the extra paths as of ``lockdown``; this process stays as it is.
        The program can read and start the programs of the system too, and has a temporary directory
        of its own, which is its HOME and goes afterwards; neither the folder of the state nor
        ``temp`` are left to it. It begins there, or on the disk ``cwd``. Its environment is PATH,
        HOME, TMPDIR and the language, and ``env``; it has no open files but the standard three,
        a session of its own, and never gains rights (no_new_privs). ``command`` is a list of words;
        its first is looked for in PATH. ``input``, ``capture_output``, ``timeout`` and ``check`` as
        of ``subprocess.run``; at the timeout its whole session is ended. ``limits``: as of
        ``resource``, ``{"cpu": 10, "as": 1 << 30}``. ``isolate`` puts namespaces around it besides,
        by bubblewrap: no other processes, and without a network not even loopback.

        ``LockdownUnavailable`` where it cannot be locked down, and then it was not started; what
        starting it says (``FileNotFoundError``, ``PermissionError``); ``subprocess.TimeoutExpired``
        and ``CalledProcessError``.
        """
        from safefs.lockdown import running

        extra = (extra_read, extra_write, execute)
        way = running.Way(env or {}, cwd, limits or {}, timeout, isolate)
        streams = running.Streams(input, capture_output)
        done = running.run(self, command, disks, network, extra, streams, way)
        if check:
            done.check_returncode()
        return done

    def is_open(self, name: str) -> bool:
        """Whether the disk of this name has been opened; opens nothing."""
        return self._slot(name).opened is not None

    def _leave_out(self, names: Iterable[str]) -> None:
        """Close these disks, and give them out no more."""
        self._left_out |= frozenset(names)
        for name in self._left_out:
            self._slots[name].close()

    def close(self) -> None:
        """Close what was opened here, remove ``temp``, unregister. May be called twice."""
        self._closed = True
        with ExitStack() as stack:
            stack.callback(self._locks.close)
            stack.callback(self._own.close)
            if self._holder is not None:
                stack.callback(self._holder.close)
            for slot in self._slots.values():
                stack.callback(slot.close)
            if self._registers:
                from safefs.integrations import registry

                registry.remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if not hasattr(self, "_slots"):  # half made, as a traceback may show it
            return f"<{type(self).__name__}>"
        closed = " closed" if self._closed else ""
        return f"<{type(self).__name__} {self.app!r}{closed}: {', '.join(self._slots)}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a Storage holds open directories: it cannot be pickled or copied; "
            f"send the name of its application, {self.app!r}, and open it there"
        )


class KeyOptions(NamedTuple):
    """What a Storage knows of its key before anyone asks for it."""

    state: Callable[..., Root]
    place: str
    wanted: KeySource | None
    ask: Callable[[str], str | bytes] | None


class Common(NamedTuple):
    """What the disks of one Storage have in common."""

    locks: LockDirectory
    on_access: OnAccess | None
    sealed: Mapping[str, Seal]  # by the names of those that are encrypted


class Opened(NamedTuple):
    """A disk, and what to call when its Storage closes."""

    disk: Disk
    close: Callable[[], object]


class Slot:
    """One name in a Storage: how its disk is opened, and the disk once it is."""

    __slots__ = ("__weakref__", "_lock", "_open", "_opened", "where")

    def __init__(self, where: str, opener: Callable[[], Opened]) -> None:
        self.where = where
        self._open: Callable[[], Opened] | None = opener
        self._opened: Opened | None = None
        self.renew_lock()
        _slots.add(self)

    def renew_lock(self) -> None:
        """Forget who holds the lock."""
        self._lock = threading.Lock()

    def get(self) -> Disk:
        """The disk; the first to ask opens it, and all others wait for that."""
        with self._lock:
            if self._open is None:
                raise ValueError("the Storage is closed")
            if self._opened is None:
                self._opened = self._open()
            return self._opened.disk

    @property
    def opened(self) -> Disk | None:
        """The disk, if it has been opened."""
        opened = self._opened
        return None if opened is None else opened.disk

    def close(self) -> None:
        """Close what was opened, for good."""
        with self._lock:
            self._open = None
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()


# A fork may come while another thread opens a disk, and nobody in the child would free its lock.
_slots: weakref.WeakSet[Slot] = weakref.WeakSet()


def _renew_locks() -> None:
    for slot in list(_slots):
        slot.renew_lock()


os.register_at_fork(after_in_child=_renew_locks)


def modes(name: str) -> dict[str, Any]:
    """What a driver is told of modes: the application's own disks keep their files to it."""
    return {"file_mode": 0o600, "directory_mode": 0o700} if name in PRIVATE else {}


def _policy(name: str, rights: Mapping[str, Mapping[str, Any]]) -> Policy:
    return Policy(**rights.get(name, {}))


def _hide_dot_entries(rights: dict[str, Mapping[str, Any]], name: str) -> None:
    """Unless they are allowed by name."""
    rights[name] = {"top_level_dot_entries": "refuse", **rights.get(name, {})}


def _real(place: Place) -> str | None:
    """By whatever spelling or link it is said, as it stands now."""
    return None if place.path is None else os.path.realpath(place.path)


def _check_key(source: object, is_callable: bool, *, given: bool) -> None:  # noqa: FBT001
    """``passphrase`` itself is not handed on, for the same reason."""
    if source not in (None, "keyring", "file", "passphrase"):
        raise ConfigError(
            "Storage", "key_source", f"{source!r} is none of keyring, file, passphrase"
        )
    if given and not is_callable:
        raise TypeError("passphrase is what is called to ask for it, as getpass.getpass, not it")
    if source == "passphrase" and not given:
        raise ConfigError("Storage", "key_source", "a passphrase needs passphrase= to ask for it")


def _lock_folder(state: Place) -> Callable[[], Root]:
    """The folder for locks, made where it is missing, in that of the application's state."""

    def opener() -> Root:
        with state.open() as root:
            make_ours(root, LOCKS)
            return root.subroot(LOCKS)

    return opener


def _seals(entries: Mapping[str, DiskEntry], owner: weakref.ref[Storage]) -> dict[str, Seal]:
    """What seals the disks that are configured so, with the key, which is found at first use."""
    return {name: _seal(entry, owner) for name, entry in entries.items() if entry.encrypted}


def _seal(entry: DiskEntry, owner: weakref.ref[Storage]) -> Seal:
    def seal(driver: Driver) -> Driver:
        from safefs.drivers.encrypted import encrypted

        storage = owner()
        assert storage is not None  # it is the one who opens the disk
        return encrypted(driver, storage.key, allow_plain=entry.allow_plain)

    return seal


def _disk(name: str | None, driver: Driver, common: Common) -> Opened:
    if name is not None and name in common.sealed:
        with closing(driver):  # what seals has a driver of its own
            driver = common.sealed[name](driver)
    disk = Disk._over(  # noqa: SLF001  (who choose a driver)
        driver, name=name, locks=common.locks, on_access=common.on_access
    )
    return Opened(disk, disk.close)


def _found(place: Place, policy: Policy, common: Common) -> Slot:
    def opener() -> Opened:
        root = place.open(policy)
        driver = LocalDriver(root, where=str(place.path), **modes(place.name))
        return _disk(place.name, driver, common)

    return Slot(f"({place.problem})" if place.problem else str(place.path), opener)


def _own(state: Place, locks: LockDirectory) -> Slot:
    """What safefs keeps for an application in its state: entries that begin with a dot.

    No rights of ``safefs.toml`` hold there, no hook is told, and no disk shows
    it but one that lies above.
    """

    def opener() -> Opened:
        root = state.open(Policy(symlinks="never"))
        driver = LocalDriver(root, where=str(state.path), **modes(STATE))
        return _disk(None, driver, Common(locks, None, {}))

    return Slot(str(state.path), opener)


def _at(name: str, path: str, policy: Policy, common: Common, *, create: bool = False) -> Slot:
    def opener() -> Opened:
        try:
            if create:
                LocalDriver.at(path, create=True).close()
            root = Root(path, policy=policy)
        except FileNotFoundError:
            raise MissingFolderError(name, path) from None
        return _disk(name, LocalDriver(root, where=path, **modes(name)), common)

    return Slot(path, opener)


def _configured(entry: DiskEntry, path: str, policy: Policy, common: Common) -> Slot:
    return _at(entry.name, path, policy, common, create=entry.create)


def _given(name: str, disk: Directory | Disk, policy: Policy, common: Common) -> Slot:
    if isinstance(disk, Disk):
        disk._adopt(name, common.locks)  # noqa: SLF001  (only a Storage names disks of others)
        slot = Slot(repr(disk), lambda: Opened(disk, lambda: None))
        slot.get()
        return slot
    # Joined now: the working directory may be another one at first use.
    return _at(name, os.path.join(os.getcwd(), os.fspath(disk)), policy, common)


def _temporary(app: str, policy: Policy, common: Common) -> Slot:
    def opener() -> Opened:
        folder = TemporaryFolder(app)
        opened = _disk(
            TEMP, LocalDriver(folder.root.subroot(".", policy=policy), **modes(TEMP)), common
        )
        # A disk that is dropped unclosed, or open at exit, leaves nothing behind either.
        remove = weakref.finalize(opened.disk, folder.remove)

        def close() -> None:
            try:
                remove()
            finally:
                opened.close()

        return Opened(opened.disk, close)

    return Slot("(a new directory, removed at close)", opener)
