"""The folder of an installation's key, and files that are their owner's alone.

Whoever can read such a file has the key, whoever can change it chooses it. So each is looked at on
the descriptor it is read from: a regular file, of the effective user, and of no use to others.
"""

from __future__ import annotations

import os
from contextlib import suppress
from secrets import token_hex
from stat import S_IMODE, S_IRWXG, S_IRWXO, S_ISDIR, S_ISLNK, S_ISREG
from typing import TYPE_CHECKING

from safefs.age.hidden import Hidden
from safefs.errors import KeyFileError, MissingFolderError
from safefs.kernel import syscalls
from safefs.operations import names, sweeping
from safefs.paths import RelPath
from safefs.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from safefs.root import Root

# In an application's state folder, of which the disk ``state`` shows no name that begins with a
# dot: a path that comes from elsewhere cannot ask that disk for the key.
FOLDER = ".keys"
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_OTHERS = S_IRWXG | S_IRWXO
_LONGEST = 1 << 18  # bytes; twice as much as a file of the most keys there may be
_NO_LINKS = Policy(symlinks="never")


def read_private(root: Root, name: str, shown: str) -> Hidden | None:
    """What a file holds that is its owner's alone; None where there is none.

    ``root`` is without links. ``KeyFileError`` for a file that others may read or change, one of
    another user, a link, and what is no file; its name is ``shown``.
    """
    try:
        _refuse(root.lstat(name), shown, is_right=S_ISREG)
        with root.open(name, "rb", buffering=0) as file:
            _refuse(syscalls.fstat(file.fileno()), shown, is_right=S_ISREG)
            content = Hidden(file.read(_LONGEST + 1))
    except FileNotFoundError:
        return None
    except OSError as error:
        error.filename = shown
        raise
    if len(content) > _LONGEST:
        raise KeyFileError(shown, "is too long to be one")
    return content


def write_private(root: Root, name: str, content: Hidden, *, replace: bool = False) -> None:
    """A file of mode 0600, as a whole, once it is on the disk; FileExistsError unless ``replace``.

    ``KeyFileError`` where the file system gives what is 0600 to others all the same. That is seen
    before the file takes its name, so that on any error what bore the name is as it was.

    Through a file object, whose functions are not Python's: a frame of one would hold the content,
    and a traceback show it.
    """
    mode = "wb" if replace else "xb"
    with root.open(name, mode, atomic=True, durable=True, permissions=_FILE_MODE) as file:
        syscalls.fchmod(file.fileno(), _FILE_MODE)
        _refuse(syscalls.fstat(file.fileno()), name, is_right=S_ISREG)
        file.write(content.reveal())


def _refuse(found: os.stat_result, shown: str, *, is_right: Callable[[int], bool]) -> None:
    problem = _problem(found, shown, is_right=is_right)
    if problem:
        raise KeyFileError(shown, problem)


def _problem(found: os.stat_result, shown: str, *, is_right: Callable[[int], bool]) -> str:
    if S_ISLNK(found.st_mode):
        return "is a link"
    if not is_right(found.st_mode):
        return "is no regular file" if is_right is S_ISREG else "is no directory"
    if found.st_uid != syscalls.geteuid():
        return f"belongs to another user (uid {found.st_uid})"
    mode = S_IMODE(found.st_mode)
    if mode & _OTHERS:
        return f"is open to others (mode {mode:04o}); mend it with: chmod go= {shown!r}"
    return ""


class KeyFolder:
    """``.keys`` in the state folder, held open."""

    def __init__(self, root: Root, shown: str) -> None:
        self._root = root
        self.shown = shown

    @classmethod
    def opened(cls, state: Callable[..., Root], shown: str, *, create: bool) -> KeyFolder | None:
        """``state`` opens the folder of the application's state; None where there is no such one.

        Only with ``create`` is either made. ``KeyFileError`` for a folder that is open to others.
        """
        path = os.path.join(shown, FOLDER)
        try:
            opened = state(_NO_LINKS, create=create)
        except MissingFolderError:
            if create:
                raise
            return None
        with opened as root:
            try:
                found = root.lstat(FOLDER)
            except FileNotFoundError:
                if not create:
                    return None
                _make(root)
                found = root.lstat(FOLDER)
            _refuse(found, path, is_right=S_ISDIR)
            folder = root.subroot(FOLDER)
        try:
            _refuse(folder.stat("."), path, is_right=S_ISDIR)
        except BaseException:
            folder.close()
            raise
        return cls(folder, path)

    def path(self, name: str) -> str:
        return os.path.join(self.shown, name)

    def holds(self, name: str) -> bool:
        """Whether anything bears this name."""
        try:
            self._root.lstat(name)
        except FileNotFoundError:
            return False
        return True

    def read(self, name: str) -> Hidden | None:
        """See ``read_private``."""
        return read_private(self._root, name, self.path(name))

    def write(self, name: str, content: Hidden, *, replace: bool = False) -> None:
        """See ``write_private``."""
        try:
            write_private(self._root, name, content, replace=replace)
        except OSError as error:
            error.filename = self.path(name)
            raise

    def keep_beside(self, name: str) -> None:
        """Give what bears this name another one too, which nothing here ever takes again."""
        self._root.link(name, f"{name}.given-up-{token_hex(4)}")

    def remove(self, name: str) -> None:
        self._root.unlink(name)

    def sweep(self) -> None:
        """Remove what writers have left behind that were killed; who is at work keeps his.

        What cannot be removed today is nobody's key, and is removed another day.
        """
        handle = self._root._handle  # noqa: SLF001  (Root has no word for it)
        with suppress(OSError):
            sweeping.sweep(handle, RelPath.parse("."), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._root.close()


def _make(root: Root) -> None:
    """Also the folder is on the disk then, and by no crash gone with the key in it."""
    names.makedirs(
        root._handle,  # noqa: SLF001  (Root has no word for it)
        RelPath.parse(FOLDER),
        _FOLDER_MODE,
        exist_ok=True,
        parents_mode=_FOLDER_MODE,
        durable=True,
    )
    root.chmod(FOLDER, _FOLDER_MODE)  # a umask may have shut the owner out
