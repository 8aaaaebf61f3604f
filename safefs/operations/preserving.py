"""What a new file takes over from the file whose place it takes, where that is asked for."""

from __future__ import annotations

import os
from errno import ENODATA, ENOTSUP
from stat import S_ISREG

from safefs.kernel import syscalls
from safefs.kernel.procfs import proc_fds
from safefs.operations.parent import open_child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from safefs.kernel.handle import Handle
    from safefs.operations.parent import Parent

WORDS = ("ownership", "xattr")  # those of cp --preserve; the mode is kept without a word

# A capability is a right like the set-id bits, which new content does not inherit; the other two
# vouch for the old content.
_LEFT_BEHIND = frozenset({"security.capability", "security.ima", "security.evm"})
_LABEL = "security."  # a label is given to every file, and taken from none
_READABLE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def checked_words(preserve: Iterable[str]) -> tuple[str, ...]:
    """The words, each once; TypeError for a bare str, which is an iterable of letters."""
    if preserve == ():
        return ()
    if isinstance(preserve, str):
        raise TypeError(f"preserve takes words, as in preserve=({preserve!r},)")
    if not hasattr(preserve, "__iter__"):
        raise TypeError(f"preserve takes words, as in preserve={WORDS!r}, not {preserve!r}")
    words = tuple(dict.fromkeys(preserve))
    for word in words:
        if word not in WORDS:
            raise ValueError(f"preserve knows {' and '.join(map(repr, WORDS))}, not {word!r}")
    return words


class Preserved:
    """The owner and the extended attributes of a file, each None where it was not asked for.

    ``permissions`` are those of the same file, without set-id bits.
    """

    __slots__ = ("_attributes", "_owner", "permissions")

    def __init__(
        self,
        permissions: int,
        owner: tuple[int, int] | None,
        attributes: dict[str, bytes] | None,
    ) -> None:
        self.permissions = permissions & 0o777
        self._owner = owner
        self._attributes = attributes

    def give(self, fd: int) -> None:
        """Give them to a new, still empty file that only its owner may open.

        The error of what cannot be given passes with a note. The mode comes after: a list of access
        rights (which is an attribute) must stand before others may open the file, and chmod then
        changes nothing of it, for the mode is that of the file which had the list.
        """
        if self._owner is not None:
            _give_owner(fd, *self._owner)
        if self._attributes is not None:
            _give_attributes(fd, self._attributes)


def preserved(handle: Handle, parent: Parent, words: tuple[str, ...]) -> Preserved | None:
    """Of the regular file under the name; None where there is none. All of one and the same."""
    if not words:
        return None
    if "xattr" in words and not hasattr(syscalls, "listxattr"):
        raise OSError(ENOTSUP, "extended attributes can be kept on Linux only")
    try:
        if not S_ISREG(parent.lstat().st_mode):
            return None
        fd = open_child(
            handle, parent.fd, parent.name, _READABLE | syscalls.O_PATH, parent.path.shown
        )
    except FileNotFoundError:
        return None
    try:
        found = syscalls.fstat(fd)
        if not S_ISREG(found.st_mode):
            return None
        handle.permit_file(parent.path.shown, found)
        owner = (found.st_uid, found.st_gid) if "ownership" in words else None
        attributes = _attributes(handle, parent, fd) if "xattr" in words else None
        return Preserved(found.st_mode, owner, attributes)
    finally:
        syscalls.close(fd)


def _attributes(handle: Handle, parent: Parent, fd: int) -> dict[str, bytes]:
    """By /proc/self/fd, which asks no permission to read the file, or else opened to read."""
    proc = proc_fds()
    if proc is not None:
        syscalls.close(proc)
        return _all(f"/proc/self/fd/{fd}")
    readable = open_child(handle, parent.fd, parent.name, _READABLE, parent.path.shown)
    try:
        return _all(readable)
    finally:
        syscalls.close(readable)


def _all(file: str | int) -> dict[str, bytes]:
    found = {}
    for name in _names(file):
        value = _value(file, name)
        if value is not None and name not in _LEFT_BEHIND:
            found[name] = value
    return found


def _names(file: str | int) -> list[str]:
    try:
        names: list[str] = syscalls.listxattr(file)
    except OSError as error:
        if error.errno == ENOTSUP:
            return []  # where there are none, none can be lost
        raise
    return names


def _value(file: str | int, name: str) -> bytes | None:
    try:
        value: bytes = syscalls.getxattr(file, name)
    except OSError as error:
        if error.errno == ENODATA:
            return None
        raise
    return value


def _give_owner(fd: int, uid: int, gid: int) -> None:
    """Only what differs is asked for: a group one is in may be given without being root."""
    has = syscalls.fstat(fd)
    wanted = (-1 if has.st_uid == uid else uid, -1 if has.st_gid == gid else gid)
    if wanted == (-1, -1):
        return
    try:
        syscalls.fchown(fd, *wanted)
    except OSError as error:
        error.add_note(f"the owner {uid}:{gid} of the file could not be kept")
        raise


def _last_rights(name: str) -> bool:
    """A list of access rights may take from the owner the right to set the other attributes."""
    return name.startswith("system.")


def _give_attributes(fd: int, wanted: dict[str, bytes]) -> None:
    """What the directory has given the new file, and the old one has not, is taken away."""
    has = _names(fd)
    name = ""
    try:
        for name in has:
            if name not in wanted and not name.startswith(_LABEL):
                syscalls.removexattr(fd, name)
        for name in sorted(wanted, key=_last_rights):
            if name not in has or _value(fd, name) != wanted[name]:
                syscalls.setxattr(fd, name, wanted[name])
    except OSError as error:
        error.add_note(f"the attribute {name!r} of the file could not be kept")
        raise
