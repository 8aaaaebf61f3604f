"""What safefs raises.

Exception
└── SafefsError
    ├── InvalidPathError      ValueError       text that can be no path: NUL, unencodable
    ├── EscapeError           PermissionError  the path leads out of the root
    ├── PolicyError           PermissionError  inside, but the policy of the disk forbids it
    ├── SameFileError         OSError          source and destination are one file
    ├── BudgetError           OSError          a tree or an archive is more than was allowed
    ├── PreconditionError     OSError          what stands there is not the version that was meant
    ├── LockTimeoutError      TimeoutError     another held the lock all the time
    ├── LockUnavailableError  OSError          this disk has no place for locks
    ├── UnknownDiskError      KeyError         no disk of that name
    ├── MissingSecretError    KeyError         no secret of that name
    ├── MissingFolderError    FileNotFoundError  the folder of a disk does not exist
    ├── UnsafeFolderError     PermissionError  the folder of a disk is not one safefs will open
    ├── ArchiveError          ValueError       no archive, a damaged one, or a member refused
    ├── SealedFileError       ValueError       no age file, or one that was damaged or changed
    │   └── WrongKeyError     ValueError       one that none of the keys given opens
    ├── KeyFileError          PermissionError  a file with a key is not one that safefs believes
    ├── KeyUnavailableError   LookupError      the key of an installation is not to be had
    │   └── WrongPassphraseError  LookupError  what was given is not its passphrase
    ├── TokenError            PermissionError  a token that is not to be taken
    ├── LockdownUnavailable   OSError          this system cannot lock down as it was asked to
    ├── LockedDownError       PermissionError  a disk that was left out when this process was
    └── ConfigError           ValueError       safefs.toml, or an argument of Storage, is wrong

Whatever else the operating system raises passes through unchanged: an ``OSError`` with its errno,
and the path that the caller gave as its ``filename``.

Every error survives ``pickle`` and ``copy`` with equal attributes.
"""

from __future__ import annotations

import os
from errno import E2BIG, EACCES, ECANCELED, EINVAL, ENOENT, ENOLCK, ENOTSUP, ETIMEDOUT, EXDEV

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    AnyPath = str | bytes


class SafefsError(Exception):
    """The family: everything that safefs itself refuses."""

    # What the constructor takes, by attribute name, so that a copy is built as the original was.
    _fields: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        fields = {name: getattr(self, name) for name in self._fields}
        return _rebuild, (type(self), fields), self.__dict__ or None


def _rebuild(kind: type[SafefsError], fields: dict[str, Any]) -> SafefsError:
    return kind(**fields)


class InvalidPathError(SafefsError, ValueError):
    """Text that can name no file: it holds NUL, or cannot be encoded for the file system."""

    _fields = ("path", "reason")

    def __init__(self, path: AnyPath, reason: str) -> None:
        super().__init__(f"{reason}: {path!r}")
        self.path = path
        self.reason = reason


class EscapeError(SafefsError, PermissionError):
    """The path leads out of the root.

    ``filename`` is the path as the caller gave it, ``component`` the part of it (or of a link on
    its way) at which it left, or None where the kernel did not say; ``reason`` is one of
    ``ABSOLUTE_PATH``, ``ABSOLUTE_LINK``, ``ABOVE_ROOT``, ``MAGIC_LINK`` and ``OUTSIDE``. None of
    them ever tells anything about what lies outside. errno is EACCES.
    """

    _fields = ("filename", "component", "reason", "filename2")

    ABSOLUTE_PATH = "absolute path"
    ABSOLUTE_LINK = "link with an absolute target"
    ABOVE_ROOT = "'..' above the root"
    MAGIC_LINK = "magic link"
    OUTSIDE = "outside the root"

    def __init__(
        self,
        filename: AnyPath | None,
        component: AnyPath | None = None,
        reason: str = OUTSIDE,
        filename2: AnyPath | None = None,
    ) -> None:
        hint = _hint(component) if reason == self.ABSOLUTE_PATH else ""
        message = f"path leaves the root ({reason}{hint})"
        OSError.__init__(self, EACCES, message, filename, None, filename2)
        self.component = component
        self.reason = reason


def _hint(component: AnyPath | None) -> str:
    """What to do about an absolute path: it begins with a slash, or with the ``component``."""
    if component is None:
        return "; leave out the first '/'"
    return f"; to Windows {component!r} is a drive, or a file with a stream"


class PolicyError(SafefsError, PermissionError):
    """The path stays inside, but the policy of its disk forbids the operation.

    ``rule`` names the field of ``Policy`` that decided. errno is EACCES, but for the rule
    ``"same_filesystem"``: it is what the kernel says of a mount point that is not crossed, EXDEV.
    """

    _fields = ("filename", "rule", "reason", "filename2")

    def __init__(
        self,
        filename: AnyPath | None,
        rule: str,
        reason: str,
        filename2: AnyPath | None = None,
    ) -> None:
        number = EXDEV if rule == "same_filesystem" else EACCES
        OSError.__init__(self, number, f"refused by {rule}: {reason}", filename, None, filename2)
        self.rule = rule
        self.reason = reason


class SameFileError(SafefsError, OSError):
    """Source and destination are the same file; nothing was changed. errno is EINVAL."""

    _fields = ("filename", "filename2")

    def __init__(self, filename: AnyPath | None, filename2: AnyPath | None = None) -> None:
        OSError.__init__(
            self, EINVAL, "source and destination are the same file", filename, None, filename2
        )


class BudgetError(SafefsError, OSError):
    """A tree or an archive is more than its ``Budget`` allows.

    ``limit`` names the field of ``Budget`` that was passed, ``maximum`` is what it allows and
    ``path`` the entry at which. errno is E2BIG, which no system gives for a file: nothing here is
    full.
    """

    _fields = ("path", "limit", "maximum")

    def __init__(self, path: AnyPath | None, limit: str, maximum: float) -> None:
        OSError.__init__(self, E2BIG, f"more than the budget of {maximum} ({limit})", path)
        self.path = path
        self.limit = limit
        self.maximum = maximum


class PreconditionError(SafefsError, OSError):
    """What stands under the path is not the version that was to be replaced; nothing was changed.

    ``expected`` is the etag that was given, ``found`` that of what is there, or None where there is
    nothing. This is HTTP's 412 (RFC 9110, 15.5.13). errno is ECANCELED.
    """

    _fields = ("path", "expected", "found")

    def __init__(self, path: AnyPath | None, expected: str, found: str | None) -> None:
        there = "there is no file" if found is None else "it has been changed"
        OSError.__init__(self, ECANCELED, f"not the version that was to be replaced: {there}", path)
        self.path = path
        self.expected = expected
        self.found = found


class LockTimeoutError(SafefsError, TimeoutError):
    """Another held the lock ``name`` for all of ``timeout`` seconds. errno is ETIMEDOUT."""

    _fields = ("name", "timeout")

    def __init__(self, name: str, timeout: float) -> None:
        OSError.__init__(self, ETIMEDOUT, f"another held the lock for {timeout:g} seconds", name)
        self.name = name
        self.timeout = timeout


class LockUnavailableError(SafefsError, OSError):
    """This disk has no place for locks, which ``wanted`` needs. errno is ENOLCK."""

    _fields = ("wanted",)

    def __init__(self, wanted: str) -> None:
        OSError.__init__(
            self,
            ENOLCK,
            f"{wanted} needs a place for locks: take the disk from a Storage, which keeps them in "
            "its state folder, or give Disk(..., locks=DIRECTORY)",
        )
        self.wanted = wanted


class UnknownDiskError(SafefsError, KeyError):
    """No disk of that name; ``known`` are the names there are."""

    _fields = ("name", "known")

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name)
        self.name = name
        self.known = known

    def __str__(self) -> str:
        known = ", ".join(self.known) or "none"
        return f"no disk is named {self.name!r} (there are: {known})"


class MissingSecretError(SafefsError, KeyError):
    """No secret of that name."""

    _fields = ("name",)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"no secret is named {self.name!r}"


class MissingFolderError(SafefsError, FileNotFoundError):
    """The folder that a disk stands on does not exist. errno is ENOENT."""

    _fields = ("disk", "filename")

    def __init__(self, disk: str, filename: AnyPath | None) -> None:
        shown = os.fsdecode(filename or "")
        message = f"the folder of disk {disk!r} does not exist; create it with: mkdir -p {shown!r}"
        OSError.__init__(self, ENOENT, message, filename)
        self.disk = disk


class UnsafeFolderError(SafefsError, PermissionError):
    """The folder that a disk would stand on is not one that safefs opens. errno is EACCES."""

    _fields = ("disk", "filename", "reason")

    def __init__(self, disk: str, filename: AnyPath | None, reason: str) -> None:
        OSError.__init__(self, EACCES, f"the folder of disk {disk!r} {reason}", filename)
        self.disk = disk
        self.reason = reason


class ConfigError(SafefsError, ValueError):
    """A configuration that cannot be meant; ``source`` is the file, ``key`` the place in it.

    ``line`` is that of the key in the file, counted from 1, or None where there is none.
    """

    _fields = ("source", "key", "reason", "line")

    def __init__(self, source: str, key: str, reason: str, line: int | None = None) -> None:
        where = source if line is None else f"{source}:{line}"
        super().__init__(f"{where}: {key}: {reason}" if key else f"{where}: {reason}")
        self.source = source
        self.key = key
        self.reason = reason
        self.line = line


class ArchiveError(SafefsError, ValueError):
    """No archive, or not a whole one; or a member that is refused for what it is.

    ``archive`` is the path of the archive as it was given, or None for a file object; ``member``
    the name of the member as the archive has it, or None where the archive as a whole is wrong.
    A member that leaves the place it is unpacked to is ``EscapeError`` instead.
    """

    _fields = ("archive", "member", "reason")

    def __init__(self, archive: str | None, member: str | None, reason: str) -> None:
        what = "the archive" if archive is None else f"the archive {archive!r}"
        whom = "" if member is None else f", member {member!r}"
        super().__init__(f"{what}{whom}: {reason}")
        self.archive = archive
        self.member = member
        self.reason = reason


class SealedFileError(SafefsError, ValueError):
    """No age file, or one that is not as it was sealed.

    ``part`` is where that was noticed: ``ARMOR``, ``HEADER``, ``MAC`` (of the header), ``KEY`` or
    ``PAYLOAD``. ``path`` is the file as the caller named it, or None where it has no name.
    """

    _fields: tuple[str, ...] = ("part", "reason", "path")

    ARMOR = "armor"
    HEADER = "header"
    MAC = "MAC"
    KEY = "key"
    PAYLOAD = "payload"

    def __init__(self, part: str, reason: str, path: AnyPath | None = None) -> None:
        whom = "the sealed file" if path is None else f"the sealed file {path!r}"
        super().__init__(f"{whom}, its {part}: {reason}")
        self.part = part
        self.reason = reason
        self.path = path

    def at(self, path: AnyPath) -> SealedFileError:
        """The same, of the file at ``path``: who reads the bytes does not know where they lie."""
        fields = {name: getattr(self, name) for name in self._fields}
        return type(self)(**{**fields, "path": path})


class WrongKeyError(SealedFileError):
    """It may be as it was sealed, but for none of the keys given: it takes ``wanted``."""

    _fields = ("wanted", "path")

    def __init__(self, wanted: str, path: AnyPath | None = None) -> None:
        super().__init__(self.KEY, f"none of those given opens it; it is sealed for {wanted}", path)
        self.wanted = wanted


class KeyFileError(SafefsError, PermissionError):
    """A file that holds a key, or says where it is, is not one to be believed. errno is EACCES."""

    _fields = ("filename", "reason")

    def __init__(self, filename: AnyPath | None, reason: str) -> None:
        OSError.__init__(self, EACCES, f"this file of keys {reason}", filename)
        self.reason = reason


class KeyUnavailableError(SafefsError, LookupError):
    """The key of an installation cannot be had from ``source``, where it is or was to be kept.

    No other key is made in its stead: what is sealed for it could not be opened with that.
    """

    _fields: tuple[str, ...] = ("source", "reason")

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"the key of this installation ({source}): {reason}")
        self.source = source
        self.reason = reason


class WrongPassphraseError(KeyUnavailableError):
    """What was given for a passphrase does not open the key of the installation."""

    _fields = ()

    def __init__(self) -> None:
        super().__init__("passphrase", "the passphrase is wrong")


class TokenError(SafefsError, PermissionError):
    """A token that is not to be taken; nothing of it is in the message. errno is EACCES.

    ``reason`` is the first that was found of ``MALFORMED`` (no token, or none that is made here),
    ``SIGNATURE`` (another key's or another algorithm's, or changed), ``EARLY`` (issued in what is
    the future by this clock), ``EXPIRED``, ``AUDIENCE``, ``REVOKED`` and ``SCOPE``.
    """

    _fields = ("reason", "detail")

    MALFORMED = "malformed"
    SIGNATURE = "signature"
    EARLY = "early"
    EXPIRED = "expired"
    AUDIENCE = "audience"
    REVOKED = "revoked"
    SCOPE = "scope"

    def __init__(self, reason: str, detail: str) -> None:
        OSError.__init__(self, EACCES, f"the token is refused ({reason}): {detail}")
        self.reason = reason
        self.detail = detail


class LockdownUnavailable(SafefsError, OSError):  # noqa: N818  (what is the case, as BrokenPipe)
    """A process cannot be locked down here as it was asked to, and nothing of it was done.

    Unless ``reason`` says so: that no program gains rights any more may have been set by then.
    errno is ENOTSUP.
    """

    _fields = ("reason",)

    def __init__(self, reason: str) -> None:
        OSError.__init__(self, ENOTSUP, f"no lock-down: {reason}")
        self.reason = reason


class LockedDownError(SafefsError, PermissionError):
    """This process was locked down, and ``disk`` left out of it. errno is EACCES."""

    _fields = ("disk",)

    def __init__(self, disk: str) -> None:
        OSError.__init__(
            self, EACCES, f"the disk {disk!r} was left out when this process was locked down"
        )
        self.disk = disk
