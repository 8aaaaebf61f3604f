"""Disk: one directory with the words of Laravel's Storage."""

from __future__ import annotations

import hashlib
import io
import json
import mimetypes
import os
import secrets
import threading
import weakref
from contextlib import ExitStack, nullcontext, suppress
from errno import EINVAL, EISDIR, ENOTSUP
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

from safefs.diskpath import DiskPath, whereabouts
from safefs.drivers import transfer, trees
from safefs.drivers.base import is_absence
from safefs.drivers.content import CHUNK, Body, before, behind, check_file, encoded, harmless_suffix
from safefs.drivers.fileobjects import as_text, binary, buffered
from safefs.drivers.local import LocalDriver
from safefs.drivers.locking import (
    Lock,
    LockDirectory,
    by_name,
    checked_timeout,
    holding,
    refuse_without,
)
from safefs.drivers.observed import Whole, check_hook, observed, teller
from safefs.drivers.transfer import End
from safefs.errors import EscapeError, InvalidPathError
from safefs.operations.atomic import check_atomic
from safefs.operations.conditions import Condition, algorithm_of, digest_tag
from safefs.operations.files import Mode, check_arguments
from safefs.operations.job import Job
from safefs.operations.parent import Blame
from safefs.operations.preserving import checked_words
from safefs.paths import RelPath
from safefs.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from types import TracebackType
    from typing import IO, Any, NoReturn, Self, TextIO, overload

    from _typeshed import ReadableBuffer

    from safefs.age import Key
    from safefs.budget import Budget
    from safefs.drivers.base import Driver, Kind, Stat
    from safefs.drivers.content import Content
    from safefs.drivers.locking import Locks
    from safefs.drivers.observed import OnAccess
    from safefs.explanation import Explanation, Operation
    from safefs.integrations.fsspec import DiskFileSystem
    from safefs.operations.job import OnError
    from safefs.progress import Listener
    from safefs.report import TreeReport
    from safefs.root import BinaryMode, StrOrBytesPath, TextMode
    from safefs.secrets.exportreport import ExportReport
    from safefs.watch import Change, Watcher

    AnyPath = StrOrBytesPath | DiskPath
Visibility = Literal["private", "public"]
Moved = Literal["renamed", "copied"]

_NAME_BYTES = 20  # 160 bits: nobody guesses a generated name, and none comes twice


class Disk:
    """A directory beneath which every path is resolved and none beyond, for applications.

    Opening it is the one ambient act: ``directory`` is looked up once, and made first where
    ``create`` says so. From then on a path can only mean something beneath. A path is a str, bytes,
    ``os.PathLike`` or a ``DiskPath`` of this disk (``disk / "a" / "b"``); one of another disk is a
    ``TypeError`` except as source or destination of ``copy`` and ``move``. ``""`` is the disk's
    root.

    All methods raise ``EscapeError`` where a path leaves the disk, ``InvalidPathError`` for text
    that is no path, ``PolicyError`` where ``policy`` forbids it, ``OSError`` as ``os`` does with
    the caller's path, ``TypeError`` for what is no path, and ``ValueError`` on a closed disk.
    Only ``exists`` and its kin answer False for an error; each says for which.

    Threads may share a Disk. After ``fork`` both processes have it. It refuses pickle and copy.
    """

    _is_door = True  # for safefs.audit
    _name: str | None = None  # until it is known, for safefs.audit

    def __init__(
        self,
        directory: StrOrBytesPath,
        *,
        name: str | None = None,
        policy: Policy | None = None,
        create: bool = False,
        locks: StrOrBytesPath | None = None,
        on_access: OnAccess | None = None,
    ) -> None:
        """``locks``: a directory of the application's own for the files of ``lock`` and of
        ``put(if_match=)``; made with mode 0700 when the first is taken, those above it not.

        ``on_access`` is called with an ``Access`` after each operation on this disk and on all that
        are derived from it, by whatever door, in the thread that asked for it. One call may be
        several operations: ``put`` into a directory that is missing asks, makes it, and writes. It
        is an observer: what it raises is logged to ``safefs.audit`` and changes nothing. What is
        done with a file once it is open is not told, nor what the hook itself does on the disk.
        """
        _check_name(name)
        check_hook(on_access)
        self._name = name
        if not isinstance(policy, Policy | None):
            raise TypeError(f"policy is a Policy, not {type(policy).__name__}")
        place = None if locks is None else LockDirectory.at(locks)
        driver = LocalDriver.at(directory, policy=policy, create=create)
        self._begin(driver, name, place, on_access)
        self._closes_locks = True

    @classmethod
    def _over(
        cls,
        driver: Driver,
        *,
        name: str | None = None,
        locks: Locks | None = None,
        on_access: OnAccess | None = None,
    ) -> Self:
        """A disk on any driver, which it owns from here on and closes.

        The modes of new files and directories are the driver's (see ``LocalDriver``). ``locks`` is
        another's, who closes it.
        """
        _check_name(name)
        disk = cls.__new__(cls)
        disk._begin(driver, name, locks, on_access)  # noqa: SLF001  (its own class)
        return disk

    def _begin(
        self,
        driver: Driver,
        name: str | None,
        locks: Locks | None,
        on_access: OnAccess | None,
    ) -> None:
        if on_access is not None:
            driver = observed(driver, on_access)
        self._driver = driver
        self._locks = locks or driver.locks
        if self._locks is not None:
            driver.count_in(self._locks)
        self._closes_locks = False
        self._name = driver._disk_name = name  # noqa: SLF001  (it is the disk's own)
        self._closed = self._revoked = False
        self._derived: dict[int, weakref.ref[Disk | Watcher]] = {}
        self._remember: tuple[Callable[[Disk | Watcher], None], ...] = (
            _remembering(self._derived),
        )
        self._renew_lock()
        _disks.add(self)

    def _adopt(self, name: str, locks: Locks) -> None:
        """What a Storage gives a disk that has been made without."""
        if self._name is None:
            _check_name(name)
            self._name = self._driver._disk_name = name  # noqa: SLF001  (it is the disk's own)
        if self._locks is None:
            self._locks = locks
            self._driver.count_in(locks)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()

    # The disk itself

    @property
    def name(self) -> str | None:
        """What the disk is called, or None. A Storage that is given one without a name names it."""
        return self._name

    @property
    def _disk_name(self) -> str | None:
        return self._name

    @property
    def _teller(self) -> Callable[..., None] | None:
        return teller(getattr(self, "_driver", None))  # none yet: its directory is being opened

    @property
    def policy(self) -> Policy:
        """What is allowed on this disk."""
        return self._driver.policy

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Give the directory up; open file objects stay open. May be called twice."""
        self._closed = True
        self._driver.close()
        if self._closes_locks and self._locks is not None:
            self._locks.close()

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if not hasattr(self, "_revoked"):  # half made, as a traceback may show it
            return f"<{type(self).__name__}>"
        named = f" {self._name!r}" if self._name is not None else ""
        if self._closed:
            how = "revoked" if self._revoked else "closed"
            return f"<{type(self).__name__}{named} {how}>"
        return f"<{type(self).__name__}{named} {self._driver!r} {self.policy!r}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        named = "the name of its directory" if self._name is None else f"its name, {self._name!r}"
        raise TypeError(
            "a Disk holds an open directory: it cannot be pickled or copied; "
            f"send {named}, and open it there"
        )

    def __truediv__(self, path: str | os.PathLike[str]) -> DiskPath:
        """``disk / "a" / "b"``: a path of this disk. Looks at nothing."""
        return DiskPath(self, self._driver, PurePosixPath()) / path

    def scoped(self, path: AnyPath, *, create: bool = False) -> Self:
        """A disk without a name on a directory of this one, and under no wider policy.

        It holds the directory itself: renaming that changes nothing, and closing this disk neither.
        """
        where = self._path(path)
        if create:
            self._driver.mkdir(where, 0o777, parents=True, exist_ok=True)
        return self._derive(self._driver.narrowed(where), None)

    def read_only(self) -> Self:
        """The same disk by the same name, through which nothing can be changed."""
        return self.with_policy(Policy(read_only=True))

    def append_only(self) -> Self:
        """The same disk by the same name, where new names are made and files grow at their end.

        What is there is not overwritten, cut, replaced, renamed or removed.
        """
        return self.with_policy(Policy(append_only=True))

    def with_policy(self, policy: Policy) -> Self:
        """The same disk by the same name, which allows what this one does and ``policy`` does too.

        Never more than either. There is no way back to this disk from the one that is returned.
        """
        if not isinstance(policy, Policy):
            raise TypeError(f"policy is a Policy, not {type(policy).__name__}")
        return self._derive(self._driver.narrowed(self._path(""), policy), self._name)

    def encrypted(self, key: Key, *, allow_plain: bool = False) -> Self:
        """The same disk by the same name, with the content of its files sealed for ``key``.

        Not hidden are the names of files and directories, how large the files are, when they were
        changed, what their permissions are and where links lead. Nor is it noticed when somebody
        who may write here puts an older version of a file back, one file in the place of another
        that is sealed for the same key, or takes files away.

        Each file is one of the age format (https://age-encryption.org/v1), which the command
        ``age`` opens with the same key; what was changed in it, or cut off, is SealedFileError
        before anything wrong is given out. ``key`` is ``Storage.key``, or an
        ``age.X25519Identity``. Sizes and checksums are of the content; that of a size is known by
        lengths alone, and true once the end has been read. The policy, and what is counted by its
        sizes and quotas, is of what is stored: at most 32 bytes for each 64 KiB more, and a header.

        A file is only ever written as a whole. To ``open`` one to append, to update or to read what
        is being written (``a``, ``r+``, ``w+``, ``x+``) is ``io.UnsupportedOperation``; what is
        written is there once it is closed, and ``append`` and ``prepend`` replace the file, which
        an append_only policy does not allow. A fork may not go on writing a file.

        A file that is no age file is listed, moved and deleted; to read it, or ask for its size, is
        SealedFileError. ``allow_plain``: it is read as it is; then somebody who may write here can
        put files of his own in the place of sealed ones. What is written is sealed either way.

        ValueError where the disk is encrypted already, TypeError for what is no key.
        """
        from safefs.drivers.encrypted import encrypted

        self._check_open()
        return self._derive(encrypted(self._driver, key, allow_plain=allow_plain), self._name)

    def rewrap(
        self, path: AnyPath = "", *, on_error: Callable[[Exception], object] | None = None
    ) -> TreeReport:
        """Seal the headers of a file, or of all beneath a directory, for the present key.

        For after a rotation: what was sealed for an earlier key, which ``key`` still opens, needs
        it no more. Of contents the end alone is opened: a file that is not whole, as while
        somebody writes it where it lies, is damaged. Each is replaced as a whole and durably, with
        its permissions, owner, attributes and time of change. Who writes meanwhile wins; but who
        opens a file with mode "w", and not ``atomic``, in the very moment it is replaced writes
        into the old one. Where the file system cannot exchange two names, a ``put`` without
        ``if_match`` in that moment is lost, too. It can be done again, and done twice does no harm.
        No link is followed, and two names of one file become two files.

        It shuts nobody out who had the earlier key and could read here: for that, what is there has
        to be put anew. ``on_error`` is given what is wrong with single files (an ``OSError``, or
        ``SealedFileError`` for what is plain, damaged or another's), which are left as they are;
        without it the first is raised. ValueError for a disk that is not encrypted.
        """
        from safefs.drivers.rewrapping import rewrap

        where = self._path(path)
        hold = None if self._locks is None else holding(self._locks)
        with Whole((self._driver, where, True)):
            return rewrap(self._driver, where, on_error, hold)

    def _derive(self, driver: Driver, name: str | None) -> Self:
        disk = self._over(driver, name=name, locks=self._locks)
        # Those above are told too: what lies between may be gone by the time they revoke.
        disk._remember += self._remember  # noqa: SLF001  (its own class)
        for remember in self._remember:
            remember(disk)
        if self._revoked:  # meanwhile, in another thread
            disk._end_revoked()  # noqa: SLF001  (its own class)
        return disk

    def revoke(self) -> None:
        """End every disk that was made from this one, and all that was made from those.

        By ``scoped``, ``read_only``, ``with_policy`` and their like; then their every method, and
        every path and file system on them, raises ``ValueError``, and their watchers are stopped.
        This disk goes on, and what is derived from it afterwards too. File objects that are open
        stay open, as descriptors do: what somebody holds already, nobody can take from them.
        """
        self._check_open()
        for reference in list(self._derived.values()):
            derived = reference()
            if derived is not None:
                derived._end_revoked()  # noqa: SLF001  (its own class, or a watcher of one)

    def _end_revoked(self) -> None:
        self._revoked = True
        self.close()

    def lock(self, name: str, *, timeout: float | None = None, shared: bool = False) -> Lock:
        """An advisory lock by this name, to be held by ``with disk.lock("import"):``.

        It excludes everybody who takes the lock of that name on this directory through a Storage of
        the same application, or through a Disk with the same ``locks``: other threads, and other
        processes of this machine. No file is protected by it, and ``name`` need be no file's. It
        lies in the application's state folder, so that nothing is left in the disk's own; one empty
        file for each name stays there. A process that ends, killed too, holds nothing any more.
        It is not fair: who waits longest need not be the next.

        ``timeout``: the seconds to wait at most, 0 to ask once, None to wait for ever.
        ``shared``: any number may hold it so at once, but not beside one who does not.
        Two applications on one directory do not exclude each other, nor does a disk that is scoped
        exclude the wider one: its directory is another. flock(2) is what holds it; on NFS it
        excludes other machines only where the server and the mount have locks.

        Taking it raises ``LockTimeoutError``, EDEADLK where this thread holds it already,
        ``LockUnavailableError`` (at once) where the disk has no place for locks;
        ``InvalidPathError`` for what is not one plain name, ``ValueError`` for a negative time.
        """
        self._check_open()
        if not isinstance(name, str):
            raise TypeError(f"the name of a lock is a str, not {type(name).__name__}")
        plain, seconds = RelPath.one_name(name).text, checked_timeout(timeout)
        place = refuse_without(self._locks, "lock()")
        identity = self._driver.stat(RelPath(b".", ".")).identity
        key = by_name(identity or (), plain)
        return Lock(place, key, plain, timeout=seconds, shared=bool(shared))

    def watch(
        self,
        path: AnyPath = "",
        *,
        recursive: bool = True,
        callback: Callable[[Change], object] | None = None,
        polling: bool = False,
        debounce: float = 0.05,
        interval: float = 1.0,
        limit: int = 1000,
    ) -> Watcher:
        """The changes in a directory and, where ``recursive``, all beneath it, as they come.

        Iterate over it, also with ``async for``; or give it a ``callback``, which a thread of its
        own calls. Told is what differs from what was there before this returned, found by
        comparison: steps in between may be missing, never the outcome. What the disk does not list
        is not told, no link is followed, and nothing outside is looked at.

        ``polling``: look everywhere every ``interval`` seconds, instead of where inotify hints.
        It comes to that by itself where inotify is not to be had or at its limit;
        ``Watcher.mode`` and ``reason`` say so. ``debounce``: the seconds without a hint after which
        it looks, at most ten times as many with hints. ``limit``: how many directories may wait to
        be looked at; with more, or when the kernel drops hints, a ``Resync`` is told and everything
        compared.

        ``NotADirectoryError`` for what is no directory, ``ValueError`` for numbers that cannot be.
        """
        from safefs.watch import Watcher

        watcher = Watcher(
            self._driver,
            self._path(path),
            recursive=recursive,
            polling=polling,
            debounce=debounce,
            interval=interval,
            limit=limit,
            callback=callback,
        )
        for remember in self._remember[1:]:  # of those that may revoke this disk
            remember(watcher)
        if self._revoked:  # meanwhile, in another thread
            watcher._end_revoked()  # noqa: SLF001  (it is the disk's own)
        return watcher

    @property
    def fs(self) -> DiskFileSystem:
        """This disk alone as a file system of fsspec, whose paths begin with ``/``.

        It has the rights of this disk, and in one thread is the same as long as somebody holds it,
        as a transaction does. For libraries that take a file system:
        ``pd.read_parquet("/a.parquet", filesystem=disk.fs)``.
        """
        from safefs.integrations.fsspec import file_system_of

        return file_system_of(self)

    def explain(self, path: AnyPath, operation: Operation = "read") -> Explanation:
        """What would become of an operation, step by step, and which rule decides.

        Nothing is done for it, no content is read, nothing beyond the disk is looked at or named,
        and no refusal is reported to ``safefs.audit``. ``operation`` is one of ``"read"``
        (``get``), ``"write"``, ``"append"`` and ``"create"`` (``open`` in the modes ``"w"``,
        ``"a"`` and ``"x"``, in place), ``"put"``, ``"make_directory"``, ``"list"`` (``files``),
        ``"remove"`` (``delete``) and ``"remove_tree"`` (``delete_directory``, which has a dry run
        for what lies beneath).

        It is what would be now: what others change meanwhile, it cannot know. Nor what only the
        attempt can tell, as that the device is full or its medium bad, a quota used up, that
        another holds a lease, or that something is mounted on what is to be replaced or removed.

        OSError (ENOTSUP) on a system without O_PATH, ``ValueError`` for another operation.
        """
        from safefs.explanation import OPERATIONS
        from safefs.operations.explaining import explained

        if operation not in OPERATIONS:
            raise ValueError(f"operation is one of {', '.join(OPERATIONS)}; not {operation!r}")
        try:
            where = self._path(path)
        except EscapeError as error:
            return explained(error.filename, operation, error)
        except InvalidPathError as error:
            return explained(error.path, operation, error)
        found = self._driver.explain(where, operation)
        if operation == "remove_tree" and found.errno == EINVAL and _is_root(where):
            return explained(where.shown, operation, _the_root(where), found.steps)
        return found

    # Reading

    def get(self, path: AnyPath) -> bytes:
        """The whole content of a file."""
        return self._driver.read(self._path(path))

    def get_text(self, path: AnyPath, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The whole content as text, with its line ends as they are."""
        return self.get(path).decode(encoding, errors)

    def json(self, path: AnyPath) -> Any:
        """The value of a JSON file in UTF-8, -16 or -32.

        ``ValueError`` for any other content: ``json.JSONDecodeError`` for what is no JSON,
        ``UnicodeDecodeError`` for what is no text, and itself for what is nested too deep to read.
        """
        try:
            return json.loads(self.get(path))
        except RecursionError:
            raise ValueError(f"the JSON in {path!r} is nested too deep") from None

    def read_stream(self, path: AnyPath) -> BinaryIO:
        """A binary file object to read from; the caller closes it."""
        return self._driver.open(self._path(path), "rb")

    if TYPE_CHECKING:

        @overload
        def open(
            self,
            path: AnyPath,
            mode: TextMode = "r",
            buffering: int = -1,
            encoding: str | None = None,
            errors: str | None = None,
            newline: str | None = None,
            *,
            atomic: bool = False,
            durable: bool = False,
        ) -> TextIO: ...

        @overload
        def open(
            self,
            path: AnyPath,
            mode: BinaryMode,
            buffering: int = -1,
            *,
            atomic: bool = False,
            durable: bool = False,
        ) -> BinaryIO: ...

        @overload
        def open(
            self,
            path: AnyPath,
            mode: str,
            buffering: int = -1,
            encoding: str | None = None,
            errors: str | None = None,
            newline: str | None = None,
            *,
            atomic: bool = False,
            durable: bool = False,
        ) -> IO[Any]: ...

    def open(
        self,
        path: AnyPath,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        *,
        atomic: bool = False,
        durable: bool = False,
    ) -> IO[Any]:
        """A file object as of the builtin ``open``; text is UTF-8 unless ``encoding`` says other.

        Writes in place, follows a link inside and makes no parents, ``atomic`` or not; ``put`` does
        otherwise. What is no regular file is refused and never waited for.

        ``atomic``, with ``"w"`` or ``"x"``: what is written takes its name when the file is closed,
        as a whole, and replaces a link in the last place. A ``with`` block that is left by an
        exception, a write that fails and a file that is never closed leave everything as it was.
        ``durable``, with ``atomic``: closing synchronises, as in ``put``.
        """
        where = self._path(path)
        wanted = Mode(mode)
        check_arguments(wanted, buffering, encoding, errors, newline)
        check_atomic(wanted, atomic=atomic, durable=durable)
        if not wanted.binary:
            # Lets the text layer judge its arguments while nothing has been opened or truncated.
            as_text(io.BytesIO(), mode, buffering, encoding, errors, newline)
        if atomic:
            if not wanted.binary:
                encoding = encoding or "utf-8"
            return self._driver.open_atomic(
                where, wanted, buffering, encoding, errors, newline, durable=durable
            )
        if wanted.binary:
            return buffered(self._driver.open(where, binary(wanted)), buffering)
        file = self._driver.open(where, binary(wanted))
        return as_text(buffered(file, buffering), mode, buffering, encoding, errors, newline)

    # Looking

    def exists(self, path: AnyPath) -> bool:
        """Whether the path leads to something on this disk.

        False for what is not found, a loop of links, an escape, what the policy refuses, a name
        that is too long and text that is no path. ``TypeError`` for what is no path is raised, and
        so are errors such as EACCES and EIO.
        """
        try:
            return self._driver.exists(self._path(path))
        except (OSError, InvalidPathError) as error:
            if is_absence(error):
                return False
            raise

    def missing(self, path: AnyPath) -> bool:
        """The reverse of ``exists``."""
        return not self.exists(path)

    def file_exists(self, path: AnyPath) -> bool:
        """Whether the path leads to a regular file; answers as ``exists`` does."""
        return self._kind(path) == "file"

    def directory_exists(self, path: AnyPath) -> bool:
        """Whether the path leads to a directory; answers as ``exists`` does."""
        return self._kind(path) == "directory"

    def stat(self, path: AnyPath) -> Stat:
        """What the path leads to; a link that leads nowhere or outside is reported as a link."""
        where = self._path(path)
        try:
            return self._driver.stat(where)
        except OSError as error:
            found = self._unfollowed(where) if is_absence(error) else None
            if found is None:
                raise
            return found

    def size(self, path: AnyPath) -> int:
        """The bytes of a file; ``IsADirectoryError`` for a directory."""
        return self._stat_file(path).size

    def last_modified(self, path: AnyPath) -> datetime:
        """When the content was last changed: aware, UTC; see ``Stat.modified``."""
        return self._driver.stat(self._path(path)).modified

    def mime_type(self, path: AnyPath) -> str | None:
        """The MIME type that the name of a file suggests, or None for an unknown suffix.

        From Python's own table, the same on every machine; the content is not looked at. A
        compressed file has the type of its compression. ``FileNotFoundError`` when there is no such
        file, ``IsADirectoryError`` for a directory.
        """
        self._stat_file(path)
        guessed, encoding = _mime_types().guess_type(f"/{_name_of(self._path(path))}")
        return guessed if encoding is None else _COMPRESSED.get(encoding)

    def checksum(self, path: AnyPath, algorithm: str = "sha256") -> str:
        """The digest of a file in hexadecimal, read piece by piece.

        ``ValueError`` for an algorithm that ``hashlib`` does not have, or whose digest has no
        length of its own.
        """
        digest = hashlib.new(algorithm, usedforsecurity=False)
        if not digest.digest_size:
            raise ValueError(f"the digest of {algorithm} has no length of its own")
        with self.read_stream(path) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    def etag(self, path: AnyPath, *, checksum: str | None = None) -> str:
        """What tells this version of a file from every other, for ``put(if_match=)``.

        Ask for it before you read: then what you read is this version, or ``put`` will say no.

        By the file's device, inode number, size and time of change: good as long as the disk stays
        mounted, and where the times of its file system are finer than the writers are quick. What
        is written in place in the same size within one tick of the kernel's clock (4 ms, before
        Linux 6.13) may go unnoticed; what safefs replaces as a whole does not.
        ``checksum``: by the content alone, read whole here and when it is compared; an algorithm of
        ``checksum``. Compare etags for equality and nothing else.
        """
        if checksum is not None:
            return digest_tag(checksum, self.checksum(path, checksum))
        tag = self._stat_file(path).etag
        if tag is None:
            raise OSError(ENOTSUP, "this storage tells no versions apart", self._path(path).shown)
        return tag

    def visibility(self, path: AnyPath) -> Visibility:
        """``"private"`` if no permission is given to group or others, else ``"public"``."""
        found = self._driver.stat(self._path(path))
        return "public" if found.permissions & 0o077 else "private"

    # Listing

    def files(self, directory: AnyPath = "") -> list[str]:
        """The files in a directory.

        Sorted paths from the disk's root, as for all lists; a link that leads to a file of this
        disk is one, and a link that leads elsewhere is in no list.
        """
        return self._in(directory, "file")

    def directories(self, directory: AnyPath = "") -> list[str]:
        """The directories in a directory; a link that leads to one is one."""
        return self._in(directory, "directory")

    def all_files(self, directory: AnyPath = "") -> list[str]:
        """The files in a directory and all beneath it; no link is entered."""
        return sorted(self._beneath(directory, "file"))

    def all_directories(self, directory: AnyPath = "") -> list[str]:
        """The directories beneath a directory; a link to one is listed and not entered."""
        return sorted(self._beneath(directory, "directory"))

    # Writing

    def put(
        self,
        path: AnyPath,
        content: Content,
        *,
        durable: bool = False,
        preserve: Iterable[str] = (),
        if_match: str | None = None,
        if_none_match: Literal["*"] | None = None,
    ) -> None:
        """Replace a file as a whole, or create it and the directories above it.

        ``content``: bytes and their like, str (UTF-8, newlines untouched), a binary file object
        (from where it stands), or an iterable of bytes. A text file object is a ``TypeError``:
        whoever opened it has chosen an encoding already. On any error the old content stands. A
        file that is replaced keeps its permissions; a link in the last place is replaced, not
        followed.

        Whoever reads meanwhile finds the old content or the new, whole. So does who looks after the
        process was killed. For a crash of the machine that is promised with ``durable=True``, and
        then what this has returned from holds: the file is synchronised before it gets its name,
        its directory after it, and those that had to be made for it before.
        An error of the last of these steps, which says so in a note, leaves the new content.

        ``preserve``: what is kept of a file that is replaced beside its permissions, of the words
        ``"ownership"`` and ``"xattr"`` (ACLs are among these). What cannot be kept is an error, and
        nothing has changed; see ``Root.replace_file``. Another word is a ``ValueError``.

        ``if_match``: an etag (see ``etag``), or ``"*"`` for any file there is. Replaced is that
        version and no other: ``PreconditionError`` where another stands there, or none, and nothing
        has changed. Comparing and replacing are one step for all who say ``if_match``: none of
        them loses what another has written. Who writes without it does not wait for that step. It
        needs a place for locks (``LockUnavailableError``, see ``lock``), makes no directories, and
        a link in the last place is ELOOP.
        ``if_none_match="*"``: ``FileExistsError`` where the name is taken; of all who say so one
        creates the file. These are RFC 9110, 13.1.1 and 13.1.2.
        """
        words = checked_words(preserve)
        condition = self._condition(if_match, if_none_match)
        where, body = self._path(path), Body(content)
        transfer.write(
            self._driver,
            where,
            body,
            overwrite=if_none_match is None,
            durable=durable,
            preserve=words,
            condition=condition,
        )

    def put_json(
        self,
        path: AnyPath,
        value: object,
        *,
        indent: int | None = None,
        durable: bool = False,
        if_match: str | None = None,
        if_none_match: Literal["*"] | None = None,
    ) -> None:
        """``put`` of a value as JSON in UTF-8.

        ``TypeError`` for a value that JSON has no word for, ``ValueError`` for NaN and infinities;
        then nothing has changed.
        """
        text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
        self.put(path, text, durable=durable, if_match=if_match, if_none_match=if_none_match)

    def write_stream(
        self,
        path: AnyPath,
        stream: BinaryIO | Iterable[ReadableBuffer],
        *,
        durable: bool = False,
        if_match: str | None = None,
        if_none_match: Literal["*"] | None = None,
    ) -> None:
        """``put`` from a binary file object or an iterable of bytes."""
        if isinstance(stream, str | bytes | bytearray | memoryview):
            raise TypeError("write_stream takes a file object or an iterable; put takes a value")
        self.put(path, stream, durable=durable, if_match=if_match, if_none_match=if_none_match)

    def put_file(
        self, directory: AnyPath, file: BinaryIO | DiskPath, *, durable: bool = False
    ) -> str:
        """Store a file under a generated name, and return its path.

        The name has 160 random bits, and behind them the extension of ``file.name`` (or
        ``filename``) where that is short and plain letters and digits; nothing else of that name is
        used, and nothing is promised of the content.

        ``file`` is a binary file object or a DiskPath of any disk. A str is a ``TypeError``: taken
        as a path it would reach for whatever this process may read.
        """
        name = secrets.token_hex(_NAME_BYTES) + harmless_suffix(file)
        return self.put_file_as(directory, file, name, durable=durable)

    def put_file_as(
        self,
        directory: AnyPath,
        file: BinaryIO | DiskPath,
        name: str,
        *,
        durable: bool = False,
    ) -> str:
        """``put_file`` under this name, which is exactly one component (``InvalidPathError``)."""
        where, plain = self._path(directory), RelPath.one_name(name).raw
        with _opened(file) as stream:
            transfer.write(self._driver, where.join(plain), Body(stream), durable=durable)
        return str(PurePosixPath(where.text) / os.fsdecode(plain))

    def append(self, path: AnyPath, data: Content, *, separator: bytes | str = b"") -> None:
        """Add to the end of a file, or create it and the directories above it.

        ``separator`` goes between content that is there and what is new. Written in place, in one
        write and through a link inside too; threads that share this Disk do not come between. A
        source is read to its end first, into memory; one that fails adds nothing. What is too much
        for that goes piece by piece into ``open(path, "ab")``.

        On an encrypted disk the file is replaced as a whole, as by ``prepend``.
        """
        where, between = self._path(path), encoded(separator)
        # Read without the lock: what a source does is not ours to know, and it may append here too.
        new = b"".join(Body(data))
        self._driver.policy.check_size(where.shown, len(new))  # before a file is made for it
        if not self._driver.in_place:
            self._replace_longer(where, between, new)
            return
        with self._lock, self._appending(where) as file:
            file.write(between + new if file.seek(0, os.SEEK_END) else new)

    def _replace_longer(self, where: RelPath, between: bytes, new: bytes) -> None:
        with self._lock, ExitStack() as held:
            permissions, body = None, Body(new)
            with suppress(FileNotFoundError):
                file = held.enter_context(self._driver.open(where, "rb"))
                permissions = self._driver.stat_open(file).permissions
                body = Body(before(between, file, new))
            transfer.write(self._driver, where, body, permissions)

    def prepend(self, path: AnyPath, data: Content, *, separator: bytes | str = b"") -> None:
        """Add to the beginning of a file, or create it and the directories above it.

        ``separator`` goes between what is new and content that is there. The file is replaced as a
        whole, as by ``put``; what someone else than this Disk writes meanwhile is lost.
        """
        where, content, between = self._path(path), Body(data), encoded(separator)
        permissions = None
        # What cannot be read asks for no content; and what was private stays so behind a link.
        with suppress(FileNotFoundError), self._driver.open(where, "rb") as file, Blame(where):
            permissions = self._driver.stat_open(file).permissions
        with ExitStack() as held:

            def chunks() -> Iterator[bytes]:
                yield from content
                # Not before: what a source does is not ours to know, and it may prepend here too.
                held.enter_context(self._lock)
                try:
                    file = held.enter_context(self._driver.open(where, "rb"))
                except FileNotFoundError:
                    return
                yield from behind(between, file)

            transfer.write(self._driver, where, Body(chunks()), permissions)

    def set_visibility(self, path: AnyPath, visibility: Visibility) -> None:
        """Take all permissions from group and others, or let them read what the owner may use.

        ``"public"`` gives reading, and executing (or entering a directory) where the owner has it;
        never writing. Set-id bits are taken away.
        """
        if visibility not in ("private", "public"):
            raise ValueError(f"visibility is 'private' or 'public', not {visibility!r}")
        self._driver.chmod(self._path(path), _private if visibility == "private" else _public)

    def make_directory(self, path: AnyPath) -> None:
        """Make a directory and those above it; one that exists is no error, a file is."""
        self._driver.mkdir(self._path(path), 0o777, parents=True, exist_ok=True)

    # Removing

    def delete(self, *paths: AnyPath | Sequence[AnyPath], missing_ok: bool = False) -> None:
        """Remove files, or links themselves: one, several, or one list or tuple of them.

        Names are literal: ``*`` is a character. All are parsed before the first is removed; they
        are removed in order, and what fails ends it. A missing one is ``FileNotFoundError`` unless
        ``missing_ok``, a directory ``IsADirectoryError``.
        """
        given = paths[0] if len(paths) == 1 and isinstance(paths[0], list | tuple) else paths
        for where in [self._path(cast("AnyPath", path)) for path in given]:
            try:
                self._driver.remove(where)
            except FileNotFoundError:
                if not missing_ok:
                    raise

    def delete_directory(
        self,
        path: AnyPath,
        *,
        missing_ok: bool = False,
        on_error: OnError | None = None,
        progress: Listener | None = None,
        budget: Budget | None = None,
        dry_run: bool = False,
    ) -> TreeReport:
        """Remove a directory and all beneath it; the disk's root is refused (EINVAL), as is a link.

        What fails is raised at once, and what has been removed by then is gone; or it goes to
        ``on_error``, with the entry's path, and the rest is removed. ``progress``, ``budget`` and
        ``dry_run``: see ``copy_tree``.
        """
        where = self._path(path)
        job = Job(on_error=on_error, progress=progress, budget=budget, dry_run=dry_run)
        try:
            self._driver.remove_tree(where, job)
        except FileNotFoundError:
            if not missing_ok:
                raise
        except OSError as error:
            if error.errno == EINVAL and _is_root(where):
                raise _the_root(where) from None
            raise
        return job.report()

    def sweep(self, directory: AnyPath = "", *, older_than: float = 86400.0) -> list[str]:
        """Remove what writers have left behind that are gone; the paths that were removed, sorted.

        A file that is replaced as a whole, or written in a transaction, is first written under the
        name ``.safefs-<16 hex digits>.tmp`` beside it, and so is a tree that is copied; a crash
        leaves that. No list shows such a name, whoever has given it; it takes room, and keeps its
        directory from being empty.

        Removed is what bears it, has not changed for ``older_than`` seconds (0: whenever), and is
        not open in a process that writes it (which holds a lock): so nothing on a file system that
        has no locks, nor what this process may not remove. A transaction that lasts longer than
        that loses what it has written and closed, and says so when it ends.
        """
        return sorted(self._driver.sweep(self._path(directory), older_than))

    # Copying

    def copy(self, source: AnyPath, target: AnyPath, *, overwrite: bool = True) -> None:
        """Copy a file and its permissions; makes the directories above ``target``.

        Either may be a DiskPath of another disk; between disks, a file that is replaced keeps its
        own permissions, and a disk that keeps its files to itself goes on to. ``target`` appears
        whole; a link there is replaced, not followed. Onto itself is ``SameFileError``; a
        directory on either side ``IsADirectoryError``; what exists ``FileExistsError`` where
        ``overwrite`` is false.
        """
        transfer.copy(self._end(source), self._end(target), overwrite=overwrite)

    def move(self, source: AnyPath, target: AnyPath, *, overwrite: bool = True) -> Moved:
        """Move a file, or on one disk a directory or a link; makes the directories above.

        Returns ``"renamed"``, or ``"copied"`` when it had to be a copy and a removal: between two
        disks, where either path may be a DiskPath of another, and between two mounts inside one.
        Only files can be; a link is followed for the copy, and itself removed. Should the removal
        fail, the error says so and the copy stays; so too (ESTALE) where the source is not as it
        was when it was read, for then what was written to it meanwhile is in the source alone.

        Onto itself, by whatever name, is ``SameFileError``; for the rest as ``copy`` and rename(2).
        """
        return transfer.move(self._end(source), self._end(target), overwrite=overwrite)

    # Trees

    def copy_tree(
        self,
        source: AnyPath,
        target: AnyPath,
        *,
        on_error: OnError | None = None,
        progress: Listener | None = None,
        budget: Budget | None = None,
        dry_run: bool = False,
        hard_links: bool = False,
    ) -> TreeReport:
        """Copy a directory and all beneath it to where nothing stands, here or on another disk.

        Either path may be a DiskPath of another disk; the directories above ``target`` are made.
        Content, permissions and modification times are kept, links as links that are never
        followed, sparse files with their holes. ``target`` appears whole or not at all, and under
        the rules of its own disk. What exists there is ``FileExistsError``, a tree into itself
        EINVAL, a FIFO, socket or device ENXIO, and a link ``PolicyError`` on a disk without links.
        A ``target`` that ends in no name, as the disk itself, is EINVAL: ``sync_to`` fills it.

        on_error
            Is given the ``OSError`` of each entry that cannot be copied, with its path; the entry
            is left out and the rest goes on. Without it the first one is raised.
        progress
            A callable that is given a ``Progress`` after each entry, or a callback of fsspec.
        budget
            What goes beyond is one ``BudgetError``, before anything is changed, or with nothing
            copied where the tree has grown meanwhile. None is no limit (``extract`` has some).
        dry_run
            Changes nothing; the report is that of the real run, as far as looking can tell.
        hard_links
            Two names of one file in the tree are two names of one copy, and not two copies; on
            this machine, not between disks of other kinds.
        """
        job = Job(
            on_error=on_error,
            progress=progress,
            budget=budget,
            dry_run=dry_run,
            hard_links=hard_links,
        )
        here, there = self._end(source), self._end(target)
        with Whole((here.driver, here.path, False), (there.driver, there.path, True)):
            trees.copy_tree(here, there, job)
        return job.report()

    def move_tree(
        self,
        source: AnyPath,
        target: AnyPath,
        *,
        on_error: OnError | None = None,
        progress: Listener | None = None,
        budget: Budget | None = None,
        dry_run: bool = False,
        hard_links: bool = False,
    ) -> TreeReport:
        """Move a directory and all beneath it to where nothing stands, here or on another disk.

        A rename where both lie on one file system and the target's disk asks nothing of what comes
        to it; then the only step of the report is ``"rename"``. Else a copy as by ``copy_tree``,
        and the removal of what was copied and is still as it was: what has changed meanwhile is not
        removed (ESTALE). Should the removal fail, the error says that the target is whole.
        Keywords as those of ``copy_tree``.
        """
        job = Job(
            on_error=on_error,
            progress=progress,
            budget=budget,
            dry_run=dry_run,
            hard_links=hard_links,
        )
        here, there = self._end(source), self._end(target)
        with Whole((here.driver, here.path, True), (there.driver, there.path, True)):
            trees.move_tree(here, there, job)
        return job.report()

    def sync_to(
        self,
        other: Disk | DiskPath,
        *,
        source: AnyPath = "",
        delete: bool = False,
        checksum: bool = False,
        on_error: OnError | None = None,
        progress: Listener | None = None,
        budget: Budget | None = None,
        dry_run: bool = False,
    ) -> TreeReport:
        """Make another disk, or a directory of one, like this disk or ``source`` on it.

        Copied is what the target lacks, and each file whose size or modification time differs, or
        with ``checksum`` whose content does; each is replaced in one step. Where only the mode or
        time differs, that is set. So a second run does nothing, and one that was cut short is made
        up for by the next. Links are made as links, and what stands in a target's place that is
        none is replaced and never written through.

        ``delete``: what is not in the source is removed, last and only if all else has succeeded;
        without it a directory where the source has a file is IsADirectoryError. A source that is
        missing is FileNotFoundError, and one that is empty where something would be removed EINVAL:
        it may not be mounted. Source and target that lie in each other are EINVAL. Both before
        anything is changed, as is more than the ``budget``, which the whole source is held to.

        Two names of one file are two files in the target. Keywords as those of ``copy_tree``.
        """
        job = Job(
            on_error=on_error,
            progress=progress,
            budget=budget,
            dry_run=dry_run,
            checksum=checksum,
        )
        if not isinstance(other, Disk | DiskPath):
            raise TypeError(f"give a Disk or a DiskPath to sync to, not {type(other).__name__}")
        target = other / "" if isinstance(other, Disk) else other
        here, there = self._end(source), self._end(target)
        with Whole((here.driver, here.path, False), (there.driver, there.path, True)):
            trees.sync(here, there, job, delete=delete)
        return job.report()

    # Archives

    def extract(
        self,
        archive: AnyPath | BinaryIO,
        into: AnyPath = "",
        *,
        budget: Budget | None = None,
        partial: bool = False,
        overwrite: bool = False,
        duplicates: Literal["refuse", "last"] = "refuse",
        progress: Listener | None = None,
        dry_run: bool = False,
        on_error: Callable[[OSError | ValueError], object] | None = None,
    ) -> TreeReport:
        """Unpack a tar, also a compressed one, or a zip into a directory, whole or not at all.

        ``archive`` is a path on this disk, a DiskPath of any, or a binary file object, which need
        not seek. The format is told by the content. ``into`` is the boundary: a member that would
        leave it, by its name or by a link on the way, is ``EscapeError`` with that name as its
        ``filename``; what is no archive, is cut or damaged, or holds a member that is refused for
        what it is (a device, a name with a backslash, a hard link to what the archive does not
        hold) is ``ArchiveError``; more than ``budget`` is ``BudgetError``. None is a default
        (``safefs.archive.limits``), ``Budget()`` no limit. Permissions are kept less the umask,
        without set-id bits; owners are not.

        A missing ``into`` appears in one step, with all in it and those above it. Where it exists,
        what lies at the top of the archive is renamed into it, name by name, and a name that is
        taken is FileExistsError; on any error nothing has changed. A process that is killed between
        these renames leaves the first of them done. With ``partial`` each member is put in its
        place at once, into directories that exist too, and what fails leaves those before it;
        ``overwrite`` then replaces files and links.

        Two members of one name are ArchiveError, unless ``duplicates="last"``. ``on_error`` is
        given the errors of single members, which are left out. ``dry_run`` judges all of it in a
        hidden draft, without content, which it removes: so it asks for the right to write.
        """
        from safefs.archive.sources import is_content
        from safefs.drivers.archives import extract

        if isinstance(archive, bytes) and is_content(archive):
            raise TypeError("bytes are a path here; give what an archive holds as io.BytesIO(...)")
        is_path = isinstance(archive, str | bytes | os.PathLike | DiskPath | Disk)
        source = self._end(cast("AnyPath", archive)) if is_path else cast("BinaryIO", archive)
        where = self._path(into)
        with Whole((self._driver, where, True)):
            return extract(
                source,
                self._driver,
                where,
                budget=budget,
                partial=partial,
                overwrite=overwrite,
                duplicates=duplicates,
                progress=progress,
                dry_run=dry_run,
                on_error=on_error,
            )

    def archive(
        self,
        paths: AnyPath | Sequence[AnyPath],
        to: AnyPath | BinaryIO,
        *,
        format: str | None = None,  # noqa: A002  (as shutil.make_archive calls it)
        mtime: int | None = 315_532_800,
        hard_links: bool = False,
        overwrite: bool = True,
        budget: Budget | None = None,
        progress: Listener | None = None,
    ) -> TreeReport:
        """Pack a directory, or a list of paths, into a tar or zip: the same bytes for the same.

        Of one path that is a directory, what lies in it is packed, by names from there; a list of
        paths by their names from the disk's root. ``to`` is a path on this disk or a DiskPath of
        any, where it appears as a whole and is never in itself, or a binary file object.
        ``format`` is "tar", "tar.gz", "tar.bz2", "tar.xz" or "zip", and otherwise told by the name.

        Names are sorted, owners are 0, and every time is ``mtime``, in seconds; None keeps that of
        each file. A link is packed as a link, wherever it leads (``extract`` refuses one that
        leaves), and hard links as such where ``hard_links`` asks for it and the format has them.
        A FIFO, a socket or a device is OSError (ENXIO), an empty list ValueError, and nothing has
        changed on the disk.
        """
        from safefs.drivers.archives import pack

        self._check_open()
        is_path = isinstance(to, str | bytes | os.PathLike | DiskPath | Disk)
        several = isinstance(paths, list | tuple)
        given = cast("Sequence[AnyPath]", paths if several else [paths])
        if not given:
            raise ValueError("there is nothing to pack: the list of paths is empty")
        sources = [self._path(path) for path in given]
        within = not several and self._driver.lstat(sources[0]).kind == "directory"
        return pack(
            self._driver,
            sources,
            self._end(cast("AnyPath", to)) if is_path else cast("BinaryIO", to),
            within=within,
            word=format,
            mtime=mtime,
            hard_links=hard_links,
            overwrite=overwrite,
            budget=budget,
            progress=progress,
        )

    # Exports

    def export(
        self,
        destination: Disk | DiskPath | StrOrBytesPath,
        path: AnyPath = "",
        *,
        redact: Iterable[str] = (),
        keep: Iterable[str] | None = None,
        exclude: Iterable[str] = (),
        include: Iterable[str] = (),
        env_files: Iterable[str] = (".env", ".env.*", "*.env"),
        budget: Budget | None = None,
        progress: Listener | None = None,
        dry_run: bool = False,
    ) -> ExportReport:
        """Copy a tree to where others will see it, without what must not travel; a report.

        ``destination`` is a Disk or a DiskPath, or, as for ``Disk(directory, create=True)``, a
        directory of this machine: new, or empty. Where a new one is called as an archive is
        (``.zip``, ``.tar.gz`` …), it is made one. All of it appears in the end, or nothing: what
        stops an export leaves the destination as it was. This disk is only read. What an encrypted
        disk holds is exported as plain text, unless the destination is an encrypted disk too.

        env_files
            Files of these names are environments. They are read by a parser and written anew
            without the keys that ``redact`` names and, if given, without all that ``keep`` does
            not: see ``safefs.secrets.redaction.redact_env``. Without both they are left out. One
            that cannot be read for certain is ``RedactionError``, and nothing is exported. No
            other file is looked into: what is secret in it travels.
        exclude
            Is left out, besides ``safefs.secrets.selection.LEFT_OUT``: ``.git``, keys, and where
            tools keep their passwords. ``include`` takes back some of the latter. A pattern
            without a slash is of a name, one with a slash of a path from the top, one that ends in
            a slash of directories alone; case tells nothing apart.

        A link is never followed; it is copied as a link where what it leads to is exported too,
        and is left out otherwise. What is no file, directory or link is left out. Another name of
        a file that is left out, or is an environment, is treated as that one, and so is what a link
        of such a name leads to; but not a hard link to a file in a directory that is left out.
        Permissions are kept less the umask and set-id bits, and the times of files; owners,
        extended attributes and holes are not.

        ``FileExistsError`` or ENOTEMPTY where something is at the destination, EINVAL where it lies
        in what is exported, ESTALE for what is replaced meanwhile, ``ImportError`` without
        ``safefs[crypto]`` where there is an environment. ``budget`` and ``progress``: see
        ``copy_tree``. ``dry_run`` changes nothing and tells the same, but for what only the
        destination's own rules refuse.
        """
        from safefs.secrets.exporting import export

        return export(
            End(self._driver, self._path(path)),
            destination,
            redact=redact,
            keep=keep,
            exclude=exclude,
            include=include,
            env_files=env_files,
            budget=budget,
            progress=progress,
            dry_run=dry_run,
        )

    # How a path comes in

    def _check_open(self) -> None:
        if self._closed:
            how = "revoked" if self._revoked else "closed"
            raise ValueError(f"operation on a {how} Disk")

    def _path(self, path: AnyPath) -> RelPath:
        """The one place where text becomes a path of this disk."""
        self._check_open()
        if isinstance(path, Disk):
            raise TypeError('a Disk is no path; give a path on it, as in: other / "a.txt"')
        if not isinstance(path, DiskPath):
            return RelPath.parse(path)
        disk, _, where = whereabouts(path)
        if disk is not self:
            raise TypeError(f"{path!r} is a path of another disk")
        return where

    def _end(self, path: AnyPath) -> End:
        """One end of a copy or move, on whichever disk it is."""
        self._check_open()
        if isinstance(path, DiskPath):
            return End(*whereabouts(path)[1:])
        return End(self._driver, self._path(path))

    def _condition(self, if_match: str | None, if_none_match: str | None) -> Condition | None:
        if if_none_match not in (None, "*"):
            raise ValueError(f"if_none_match is '*', not {if_none_match!r}")
        if if_match is None:
            return None
        if not isinstance(if_match, str):
            raise TypeError(f"if_match is an etag, a str, not {type(if_match).__name__}")
        if if_none_match is not None:
            raise ValueError("if_match and if_none_match: a file cannot be there and not be there")
        algorithm = algorithm_of(if_match)
        if algorithm is not None:
            hashlib.new(algorithm, usedforsecurity=False)  # or the ValueError that there is none
        place = refuse_without(self._locks, "if_match")
        return Condition(if_match, holding(place))

    # What the methods above share

    def _kind(self, path: AnyPath) -> Kind | None:
        try:
            return self._driver.stat(self._path(path)).kind
        except (OSError, InvalidPathError) as error:
            if is_absence(error):
                return None
            raise

    def _stat_file(self, path: AnyPath) -> Stat:
        where = self._path(path)
        found = self._driver.stat(where)
        if found.kind == "directory":
            raise _is_a_directory(where)
        return found

    def _unfollowed(self, where: RelPath) -> Stat | None:
        try:
            found = self._driver.lstat(where)
        except OSError:
            return None
        return found if found.kind == "symlink" else None

    def _in(self, directory: AnyPath, wanted: Kind) -> list[str]:
        where = self._path(directory)
        base = PurePosixPath(where.text)
        return sorted(
            str(base / name)
            for name, found in self._driver.scan(where)
            if (found.kind if found.kind != "symlink" else self._reached(base / name)) == wanted
        )

    def _beneath(self, directory: AnyPath, wanted: Kind) -> Iterator[str]:
        for here, directories, others in self._driver.walk(self._path(directory)):
            base = PurePosixPath(here)
            if wanted == "directory":
                yield from (str(base / name) for name in directories)
            paths = (base / name for name in others)
            yield from (str(path) for path in paths if self._reached(path) == wanted)

    def _reached(self, path: PurePosixPath) -> Kind | None:
        """What an entry counts as; None where it leads nowhere that counts."""
        text = str(path)
        try:
            return self._driver.stat(RelPath(os.fsencode(text), text)).kind
        except OSError as error:
            if is_absence(error):
                return None
            raise

    def _appending(self, where: RelPath) -> BinaryIO:
        try:
            return self._driver.open(where, "ab")
        except FileNotFoundError:
            if not transfer.make_parent(self._driver, where):
                raise
            return self._driver.open(where, "ab")


# A fork may come while another thread holds a disk's lock, which nobody in the child would release.
_disks: weakref.WeakSet[Disk] = weakref.WeakSet()


def _renew_locks() -> None:
    for disk in list(_disks):
        disk._renew_lock()  # noqa: SLF001  (the module's own class)


os.register_at_fork(after_in_child=_renew_locks)


def _remembering(
    derived: dict[int, weakref.ref[Disk | Watcher]],
) -> Callable[[Disk | Watcher], None]:
    """A function and no object that could be asked: what is derived has no way back.

    A dict, for a WeakSet cannot be read while another thread adds to it.
    """

    def forget(reference: weakref.ref[Disk | Watcher]) -> None:
        derived.pop(id(reference), None)

    def remember(made: Disk | Watcher) -> None:
        reference = weakref.ref(made, forget)
        derived[id(reference)] = reference

    return remember


def _is_root(where: RelPath) -> bool:
    """Whether a path has no name in it."""
    return set(where.names) <= {b"."}


def _the_root(where: RelPath) -> OSError:
    return OSError(EINVAL, "this is the root of the disk", where.shown)


def _check_name(name: str | None) -> None:
    if name is None:
        return
    if not isinstance(name, str):
        raise TypeError(f"the name of a disk is a str, not {type(name).__name__}")
    if not name or "/" in name or "::" in name:
        raise ValueError(f"{name!r} cannot be the name of a disk: it is part of a URL")


def _opened(file: BinaryIO | DiskPath) -> AbstractContextManager[BinaryIO]:
    """What is to be read; a file object that was given stays open after it."""
    if isinstance(file, DiskPath):
        return file.open("rb")
    check_file(file)
    return nullcontext(file)


def _name_of(where: RelPath) -> str:
    return os.fsdecode(where.split()[1])


def _is_a_directory(where: RelPath) -> OSError:
    return IsADirectoryError(EISDIR, os.strerror(EISDIR), where.shown)


# Permissions


def _private(permissions: int) -> int:
    return permissions & 0o1700


def _public(permissions: int) -> int:
    return permissions & 0o1777 | (0o055 if permissions & 0o100 else 0o044)


# MIME types


class _OwnTypes(mimetypes.MimeTypes):
    """Python's own table, and nothing of the machine's.

    ``MimeTypes.__init__`` reads the system's ``mime.types`` for the module's global table, which
    is another answer on every machine, and an error where a sandbox forbids it.
    """

    def __init__(self) -> None:
        own: dict[str, dict[str, str]] = vars(mimetypes)
        self.encodings_map = dict(own["_encodings_map_default"])
        self.suffix_map = dict(own["_suffix_map_default"])
        self.types_map = (dict(own["_common_types_default"]), dict(own["_types_map_default"]))


@cache
def _mime_types() -> _OwnTypes:
    return _OwnTypes()


# By the names that mimetypes gives them. Who serves such a file serves what it is compressed with.
_COMPRESSED = {
    "br": "application/x-brotli",
    "bzip2": "application/x-bzip2",
    "compress": "application/x-compress",
    "gzip": "application/gzip",
    "xz": "application/x-xz",
}
