"""``Disk.fs``: one disk alone as a file system of fsspec, rooted at ``/``."""

from __future__ import annotations

import secrets
import threading
import weakref
from typing import TYPE_CHECKING, Any, NoReturn

from safefs.disk import Disk
from safefs.errors import UnknownDiskError
from safefs.integrations import registry
from safefs.integrations.fsspec.caches import refuse_caches
from safefs.integrations.fsspec.place import Place, text_of
from safefs.integrations.fsspec.transfers import Transfers
from safefs.paths import RelPath

if TYPE_CHECKING:
    from collections.abc import Callable

    from safefs.policy import Policy

    Identity = tuple[object, ...] | None

_SCHEME = "safefs-disk://"
# What a disk is called where fsspec and dask tell file systems apart by text. A disk prints as any
# other with its policy, so each has a number of its own.
_tokens: weakref.WeakKeyDictionary[Disk, str] = weakref.WeakKeyDictionary()


class _Known(threading.local):
    """By the id of its disk, which it keeps alive, each file system that somebody holds."""

    def __init__(self) -> None:
        self.by_disk: weakref.WeakValueDictionary[int, DiskFileSystem] = (
            weakref.WeakValueDictionary()
        )


_known = _Known()


def file_system_of(disk: Disk) -> DiskFileSystem:
    """What ``Disk.fs`` gives: in one thread the same while it is held, as in a transaction."""
    found = _known.by_disk.get(id(disk))
    if found is None:
        found = _known.by_disk[id(disk)] = DiskFileSystem(disk)
    return found


class _Protocol:
    """The name of the protocol, which a cache asks for before it takes a file system."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, fs: DiskFileSystem | None, owner: type) -> str:
        if fs is not None:
            refuse_caches(fs.disk._driver, "/")  # noqa: SLF001  (the door goes to the driver itself)
        return self._name


class DiskFileSystem(Transfers):
    """One disk, and nothing else: its paths begin with ``/``, where the disk itself is.

    It is what ``Disk.fs`` gives, and has the rights of that disk: a read-only view, a scoped disk
    and a policy hold here too. It needs no registration. Two are equal when the disk is the same
    object; instances are not kept by fsspec.

    A pickle carries the name under which this very disk is registered, and its rights, never a
    descriptor. It is a ``TypeError`` where the disk is not registered, and is loaded only where
    the same directory is registered by that name, encrypted where it was (else
    ``UnknownDiskError``), with the rights of both ends and no more. ``to_json`` is a ``TypeError``.

    A cache of fsspec's over an encrypted disk, which would leave what it reads somewhere in plain,
    is ``io.UnsupportedOperation``; here and under ``safefs://``.
    """

    protocol = _Protocol("safefs-disk")
    root_marker = "/"
    cachable = False  # fsspec tells instances apart by how their arguments print

    def __init__(self, disk: Disk) -> None:
        if not isinstance(disk, Disk):
            raise TypeError(f"this file system is made of a Disk, not {type(disk).__name__}")
        super().__init__(use_listings_cache=False)
        self._disk = disk

    @property
    def disk(self) -> Disk:
        """The disk."""
        return self._disk

    @property
    def fsid(self) -> str:
        """fsspec's word for which storage this is; no other disk has the same."""
        return f"{self.protocol}-{self._fs_token}"

    @property
    def _fs_token(self) -> str:
        return _tokens.setdefault(self._disk, secrets.token_hex(16))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DiskFileSystem) and self._disk is other._disk

    def __hash__(self) -> int:
        return hash(self._fs_token)

    def __repr__(self) -> str:
        if not hasattr(self, "_disk"):  # half made, as a traceback may show it
            return f"<{type(self).__name__}>"
        return f"<{type(self).__name__} of {self._disk!r}>"

    def __reduce__(self) -> tuple[Callable[..., DiskFileSystem], tuple[object, ...]]:
        name = registry.name_of(self._disk)
        if name is None:
            raise TypeError(
                "only the file system of a registered disk can be pickled, for it is found by its "
                "name where it is loaded; see Storage.register"
            )
        encrypts = self._disk._driver.encrypts  # noqa: SLF001  (the door goes to the driver itself)
        return _loaded, (name, _identity(self._disk), self._disk.policy, encrypts)

    def to_dict(self, **_: Any) -> NoReturn:
        """Refused: the name of a disk in JSON could be changed into another's."""
        raise TypeError("the file system of one disk has no JSON; send a safefs:// URL")

    def to_json(self, **_: Any) -> NoReturn:
        """Refused, as ``to_dict``."""
        self.to_dict()

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        """``/a/b`` for ``a/b``, ``/a/b`` and ``/a/b/``; but two slashes in front stay."""
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        text = text_of(path).removeprefix(_SCHEME)
        if text[:2] == "//":
            return text
        bare = text.rstrip("/") if text[-1:] == "/" else text
        return bare if bare[:1] == "/" else f"/{bare}"

    def _place(self, path: Any) -> Place:
        name: str = self._strip_protocol(path)
        return Place(self._disk, name, name[1:])


def _identity(disk: Disk) -> Identity:
    """What tells the disk's directory from all others."""
    return disk._driver.stat(RelPath(b"", "/")).identity  # noqa: SLF001


def _loaded(
    name: str,
    identity: Identity,
    policy: Policy,
    encrypts: bool = False,  # noqa: FBT001, FBT002  (an argument of a pickle)
) -> DiskFileSystem:
    """What a pickle stands for, in a process that has the same disk registered by that name."""
    disk = registry.find(name)
    same = identity is not None and _identity(disk) == identity
    if not same or disk._driver.encrypts is not encrypts:  # noqa: SLF001  (as above)
        raise UnknownDiskError(name, registry.names())
    if disk.policy.narrowed(policy) != disk.policy:
        disk = disk.with_policy(policy)
    return DiskFileSystem(disk)
