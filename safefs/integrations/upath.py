"""``UPath("safefs://documents/a.txt")``: the words of ``pathlib``, and none of its ways out.

The text of a path never changes its disk. What is joined to a path, given to ``joinuri``, or named
as the target of ``rename``, ``copy`` and ``move`` as text, means something on the disk of that
path, or is refused. Another place is named by a ``UPath`` or ``pathlib.Path`` that someone has made
for it.
"""

# ruff: noqa: SLF001  (a SafePath looks into others of its own class)

from __future__ import annotations

from contextlib import contextmanager
from errno import EACCES, EEXIST, EINVAL, EISDIR, ENOENT, ENOTDIR, EXDEV
from os import strerror
from pathlib import Path, PurePosixPath  # noqa: TID251  (to know one that is given)
from typing import TYPE_CHECKING, Any, cast

from fsspec import register_implementation

try:
    from upath import UnsupportedOperation, UPath
except ModuleNotFoundError as error:
    if error.name != "upath":
        raise
    raise ModuleNotFoundError(
        "SafePath needs universal_pathlib, which the extra 'upath' of safefs brings", name="upath"
    ) from error
from upath.types import PathInfo, StatResultType

from safefs.audit import refused
from safefs.drivers.base import is_absence
from safefs.drivers.content import CHUNK
from safefs.errors import EscapeError, UnknownDiskError
from safefs.integrations import registry
from safefs.integrations.fsspec import SafeFileSystem
from safefs.integrations.upath_text import (
    PROTOCOL,
    SCHEME,
    PureSafePath,
    only_as_it_is,
    split,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Self

    from fsspec.spec import AbstractFileSystem

    from safefs.diskpath import DiskPath

# universal_pathlib asks fsspec for the class, and only for one that has been loaded.
register_implementation(PROTOCOL, SafeFileSystem)


class SafePath(PureSafePath):
    """A path on a disk that this process has registered (``Storage.register``).

    It holds a name and no right: at each use the disk is looked up in this process, so a pickle
    carries text, and fails closed where nobody has registered that disk (``FileNotFoundError``).

    Joining is text alone, as in ``pathlib``: ``.`` and doubled slashes go, ``..`` stays and means
    what the kernel means by it. ``EscapeError`` for an absolute path that is joined,
    ``InvalidPathError`` (a ``ValueError``) for a URL that is, and for text that is no path. The
    disk is the anchor: ``parent`` ends there. ``UPath("safefs://")`` lists the disks.

    Where the words promise something else than those of ``UPath``: ``rmdir`` removes an empty
    directory, unless ``recursive=True``; ``unlink`` a link itself; ``write_text`` and
    ``write_bytes`` replace a file as a whole; ``iterdir`` names every entry; nothing that goes
    through a tree enters a link to a directory. Storage options change nothing: those that fsspec
    hands to any file system are taken and forgotten, others are a ``TypeError``.
    """

    _is_door = True  # for safefs.audit

    __slots__ = ()

    @classmethod
    def _fs_factory(
        cls,
        urlpath: str,  # noqa: ARG003
        protocol: str,  # noqa: ARG003
        storage_options: Mapping[str, Any],  # noqa: ARG003
    ) -> AbstractFileSystem:
        return SafeFileSystem()

    def resolve(self, strict: bool = False) -> Self:  # noqa: FBT001, FBT002  (pathlib's signature)
        """The path without ``..``; links are not replaced by what they lead to.

        What ``..`` means behind a link only the kernel knows: ``UnsupportedOperation``.
        ``EscapeError`` where it leads above the disk. With ``strict`` the path must exist.
        """
        if not self.is_absolute():
            return self.absolute().resolve(strict)
        found: list[str] = []
        for part in self._pure.parts:
            if part != "..":
                found.append(part)
            elif not found:
                raise refused(EscapeError(self.path, part, EscapeError.ABOVE_ROOT))
            elif self._beneath("/".join(found)).is_symlink():
                raise UnsupportedOperation(f"{self}: what '..' means behind a link is the kernel's")
            else:
                found.pop()
        resolved = self._beneath("/".join(found)) if ".." in self._pure.parts else self
        if strict:
            self.stat()
        return resolved

    # On the disk

    @contextmanager
    def _opened(self) -> Iterator[DiskPath]:
        """The path on its disk; what then goes wrong with it carries the name it has here."""
        disk, rest = split(self.path)
        if not disk:
            raise IsADirectoryError(EISDIR, "here are the disks, and no files", SCHEME)
        try:
            found = registry.find(disk)
        except UnknownDiskError as error:
            reason = f"{error}; Storage.register offers a disk to this process"
            raise FileNotFoundError(ENOENT, reason, self.path) from error
        try:
            yield found / rest
        except OSError as error:
            error.filename = self.path
            raise

    def stat(self, *, follow_symlinks: bool = True) -> StatResultType:
        """What fsspec's ``info`` says, with the names of ``os.stat_result``."""
        from upath._stat import UPathStatResult

        if follow_symlinks or not self._pure.parts:
            return UPathStatResult.from_info(self.fs.info(self.path))
        with self._opened() as path:
            found = path.lstat()
        if found.kind != "symlink":
            return UPathStatResult.from_info(self.fs.info(self.path))
        info = {"name": self.path, "size": found.size, "type": "link", "islink": True}
        times = {"mtime": found.st_mtime, "mtime_ns": found.mtime_ns}
        return UPathStatResult.from_info({**info, **times, "mode": found.mode})

    @property
    def info(self) -> PathInfo:
        return _Info(self)

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Whether the path leads to something on its disk; answers as ``Disk.exists`` does."""
        return self._kind(follow=follow_symlinks) is not None

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return self._kind(follow=follow_symlinks) == "file"

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return self._kind(follow=follow_symlinks) == "directory"

    def is_symlink(self) -> bool:
        """Whether the entry itself is a link, wherever it leads."""
        return self._kind(follow=False) == "symlink"

    def _kind(self, *, follow: bool) -> str | None:
        if not split(self.path)[0]:
            return "directory"
        try:
            with self._opened() as path:
                found = path.stat() if follow or not path.parts else path.lstat()
        except (OSError, ValueError) as error:
            if is_absence(error):
                return None
            raise
        return found.kind

    def samefile(self, other_path: Any) -> bool:
        """Whether both are names of one file; another path is a ``UPath``, or text on this disk."""
        other = self._target(other_path)
        if not isinstance(other, SafePath):
            return False
        with self._opened() as path, other._opened() as same:
            return path.stat().is_same_file(same.stat())

    def iterdir(self) -> Iterator[Self]:
        """The entries of a directory, in no order; a link by its own name, wherever it leads."""
        if not split(self.path)[0]:
            yield from map(self._at, registry.names())
            return
        with self._opened() as path:
            yield from self._known_here(path.iterdir())

    def glob(
        self,
        pattern: str,
        *,
        case_sensitive: bool | None = None,
        recurse_symlinks: bool = False,
    ) -> Iterator[Self]:
        """As ``DiskPath.glob``: the path itself is literal, and no link is entered."""
        only_as_it_is(case_sensitive, recurse_symlinks)
        return self._found(lambda path: path.glob(pattern))

    def rglob(
        self,
        pattern: str,
        *,
        case_sensitive: bool | None = None,
        recurse_symlinks: bool = False,
    ) -> Iterator[Self]:
        """As ``glob`` with ``**/`` before the pattern."""
        only_as_it_is(case_sensitive, recurse_symlinks)
        return self._found(lambda path: path.rglob(pattern))

    def _found(self, search: Callable[[DiskPath], Iterator[DiskPath]]) -> Iterator[Self]:
        """What a search gives; what is wrong with its pattern is raised now, and not later."""
        with self._opened() as path:
            return self._known_here(search(path))

    def _known_here(self, found: Iterator[DiskPath]) -> Iterator[Self]:
        with self._opened():
            for each in found:
                yield self._beneath(each)

    def walk(
        self,
        top_down: bool = True,  # noqa: FBT001, FBT002  (pathlib's signature)
        on_error: Any = None,
        follow_symlinks: bool = False,  # noqa: FBT001, FBT002  (pathlib's signature)
    ) -> Iterator[tuple[Self, list[str], list[str]]]:
        """As ``Path.walk``; a link is among the files, wherever it leads, and never entered."""
        only_as_it_is(None, follow_symlinks)
        return super().walk(top_down, on_error)

    def read_bytes(self) -> bytes:
        with self._opened() as path:
            return path.read_bytes()

    def write_bytes(self, data: Any) -> int:
        """Replace the file as a whole, or create it; the number of bytes."""
        with self._opened() as path:
            return path.write_bytes(data)

    def write_text(
        self,
        data: str,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> int:
        """``write_bytes`` of the text, UTF-8 unless said; the number of characters."""
        with self._opened() as path:
            return path.write_text(data, encoding, errors, newline)

    def read_text(
        self, encoding: str | None = None, errors: str | None = None, newline: str | None = None
    ) -> str:
        """The content as text, UTF-8 unless said."""
        with self._opened() as path:
            return path.read_text(encoding, errors, newline)

    def touch(self, mode: int = 0o666, exist_ok: bool = True) -> None:  # noqa: FBT001, FBT002
        with self._opened() as path:
            path.touch(mode, exist_ok)

    def mkdir(
        self,
        mode: int = 0o777,
        parents: bool = False,  # noqa: FBT001, FBT002  (pathlib's signature)
        exist_ok: bool = False,  # noqa: FBT001, FBT002  (pathlib's signature)
    ) -> None:
        """Make a directory, as ``Path.mkdir``; a disk cannot be made: ``PermissionError``."""
        disk, rest = split(self.path)
        if disk and not rest and disk not in registry.names():
            raise PermissionError(EACCES, "a disk cannot be made through safefs://", self.path)
        if disk and not rest and not exist_ok:
            raise FileExistsError(EEXIST, strerror(EEXIST), self.path)
        with self._opened() as path:
            path.mkdir(mode, parents, exist_ok)

    def unlink(self, missing_ok: bool = False) -> None:  # noqa: FBT001, FBT002
        """Remove a file, or a link itself."""
        with self._opened() as path:
            path.unlink(missing_ok)

    def rmdir(self, recursive: bool = False) -> None:  # noqa: FBT001, FBT002
        """Remove an empty directory; with ``recursive`` all that is in it, which UPath's always
        does."""
        with self._opened() as path:
            if recursive:
                path.disk.delete_directory(path)
            else:
                path.rmdir()

    # To another place

    def _target(self, target: Any) -> UPath:
        """A place that someone has named, as it is; text as a path from the root of this disk.

        A ``pathlib.Path``, or a ``UPath`` of another protocol, says itself where it is. A relative
        one of this protocol is on no disk, and so is text.
        """
        if isinstance(target, SafePath):
            if target.is_absolute():
                return target
            target = str(target)
        elif isinstance(target, UPath):
            return target
        elif isinstance(target, Path):
            return UPath(target)
        return self._named(text_of(target), PurePosixPath())

    def rename(self, target: Any, **options: Any) -> Self:
        """Rename, replacing a file or an empty directory; the new path.

        ``target`` is a path of this disk, or text from its root. Onto another disk is EXDEV, as
        from mount to mount; ``move`` goes there.
        """
        if options:
            raise TypeError(f"rename takes no {', '.join(options)}")
        new = self._target(target)
        if not isinstance(new, SafePath):
            raise ValueError(f"{new!r} is of another protocol; move goes there")  # noqa: TRY004
        if new.drive != self.drive:
            raise OSError(EXDEV, strerror(EXDEV), self.path, None, new.path)
        with _pair(self, new) as (path, renamed):
            path.rename(renamed)
        return cast("Self", new)

    def replace(self, target: Any) -> Self:
        """The same as ``rename``."""
        return self.rename(target)

    def copy(self, target: Any, **options: Any) -> Any:
        """Copy a file, or a directory with all it holds, to where nothing is or a file.

        A link to a file is copied as the file; one to a directory is passed over; one that leads
        nowhere or outside is an error. A file on a disk appears whole.

        ``target`` is text, from the root of this disk, or a ``UPath`` or ``pathlib.Path``, which
        says itself where it is: a local one is ambient, with all rights of this process.
        """
        if options.pop("follow_symlinks", True) is not True or options:
            raise UnsupportedOperation("copy follows links, and takes no other options")
        new = self._target(target)
        if new.is_dir():
            raise IsADirectoryError(EISDIR, strerror(EISDIR), str(new))
        if new == self or self in new.parents:
            raise OSError(EINVAL, "a path cannot be copied onto or into itself", str(self))
        if self.is_dir():
            self._refuse_within(new)
        pending: list[tuple[SafePath, UPath]] = [(self, new)]
        while pending:
            here, there = pending.pop()
            if not here.is_dir():
                here._copy_file(there)
                continue
            there.mkdir()
            entries = [each for each in here.iterdir() if not (each.is_symlink() and each.is_dir())]
            pending += [(each, there / each.name) for each in entries]
        return new

    def _refuse_within(self, target: UPath) -> None:
        """What the names do not show: one disk may lie within another, and in a local directory."""
        there = target
        while not there.exists() and there != there.parent:
            there = there.parent
        into = _identity(there)
        pending = [self]
        while pending and into is not None:
            here = pending.pop()
            if _identity(here) == into:
                raise OSError(EINVAL, "a path cannot be copied onto or into itself", str(self))
            entries = here.iterdir()
            pending += [each for each in entries if each.is_dir(follow_symlinks=False)]

    def _copy_file(self, target: UPath) -> None:
        if isinstance(target, SafePath):
            with _pair(self, target) as (path, new):
                path.disk.copy(path, new)
            return
        with self.open("rb") as file, target.open("wb") as new_file:
            while chunk := file.read(CHUNK):
                new_file.write(chunk)

    def move(self, target: Any, **options: Any) -> Any:
        """Rename; or, to another disk or protocol, copy and then remove."""
        new = self._target(target)
        if isinstance(new, SafePath) and new.drive == self.drive and not options:
            if new.is_dir():
                raise IsADirectoryError(EISDIR, strerror(EISDIR), str(new))
            return self.rename(new)
        self.copy(new, **options)
        if self.is_dir(follow_symlinks=False):
            self.rmdir(recursive=True)
        else:
            self.unlink()
        return new

    def copy_into(self, target_dir: Any, **options: Any) -> Any:
        """``copy`` under the same name into a directory, which must exist."""
        return self.copy(self._within(target_dir), **options)

    def move_into(self, target_dir: Any, **options: Any) -> Any:
        """``move`` under the same name into a directory, which must exist."""
        return self.move(self._within(target_dir), **options)

    def _within(self, target_dir: Any) -> UPath:
        if not self.name:
            raise ValueError(f"{self!r} has an empty name")
        directory = self._target(target_dir)
        if not directory.is_dir():
            directory.stat()  # which says what is wrong, if it is anything else
            raise NotADirectoryError(ENOTDIR, strerror(ENOTDIR), str(directory))
        return directory / self.name


class _Info(PathInfo):
    """What universal_pathlib asks of an entry when it goes through a tree."""

    def __init__(self, path: SafePath) -> None:
        self._path = path

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        return self._path.exists(follow_symlinks=follow_symlinks)

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return self._path.is_dir(follow_symlinks=follow_symlinks)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return self._path.is_file(follow_symlinks=follow_symlinks)

    def is_symlink(self) -> bool:
        return self._path.is_symlink()


def _identity(path: UPath) -> tuple[object, ...] | None:
    """What two names of one directory have in common, or None where nothing can tell."""
    if isinstance(path, SafePath):
        with path._opened() as found:
            return found.stat().identity
    if path.protocol not in ("", "file", "local"):
        return None
    seen = Path(path.path).stat()
    return seen.st_dev, seen.st_ino


@contextmanager
def _pair(one: SafePath, other: SafePath) -> Iterator[tuple[DiskPath, DiskPath]]:
    """Two paths on their disks, and in errors between them both their names."""
    with one._opened() as source, other._opened() as target:
        try:
            yield source, target
        except OSError as error:
            error.filename2 = other.path
            raise
