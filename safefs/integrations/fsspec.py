"""``safefs://disk/path`` for fsspec, and so for pandas, dask, pyarrow and the rest.

A path is the name under which a disk was registered (``Storage.register``), one ``/``, and a path
in the words of the kernel. Nothing is decoded or expanded: ``%2e`` and ``~`` mean themselves, and
``safefs://documents//etc`` is an absolute path, which is an escape.

The file system has no root of its own and takes none. An instance holds no right: at each call the
disk is looked up by name in this process, so a pickle carries nothing, and fails closed where the
disk has not been registered.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import UTC, datetime
from errno import EACCES, EEXIST, EISDIR, ENOENT, ENOTSUP
from io import SEEK_END
from os import strerror
from shutil import copyfileobj
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeVar, cast

from fsspec.spec import AbstractFileSystem
from fsspec.utils import read_block, stringify_path

from safefs.audit import refused
from safefs.diskpath import DiskPath, whereabouts
from safefs.drivers.base import is_absence
from safefs.errors import EscapeError, InvalidPathError, UnknownDiskError
from safefs.integrations import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from safefs.drivers.base import Stat

    Info = dict[str, Any]
    OnError = str | Callable[[OSError], object]

_T = TypeVar("_T")

_SCHEME = "safefs://"
# fsspec's own keywords, which any URL or environment variable may set: taken, and of no effect on
# what may be reached. Listings are never cached: a cache would go on showing what a policy hides.
_INERT = frozenset(
    {
        "asynchronous",
        "batch_size",
        "listings_expiry_time",
        "loop",
        "max_paths",
        "skip_instance_cache",
        "use_listings_cache",
    }
)


class SafeFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec is not typed
    """The disks that this process has registered, under ``safefs://``.

    Besides fsspec's own keywords (which change no right) it takes no argument: ``TypeError``.
    Disks themselves cannot be made, removed or moved here: ``PermissionError``.

    An ``OSError`` names the path as it is known here, ``documents/a.csv``. A file opened to be
    written is written in place, as with fsspec's local file system: others see it half-done, and
    what was there is gone if the writer fails. ``pipe``, ``pipe_file`` and copies replace a
    file as a whole.
    """

    protocol = "safefs"
    root_marker = ""
    # Instances are told apart by how their arguments print; ours are all alike and cost nothing.
    cachable = False

    def __init__(self, **options: Any) -> None:
        unknown = sorted(options.keys() - _INERT)
        if unknown:
            raise TypeError(f"safefs:// takes no {', '.join(unknown)}: disks come from register()")
        super().__init__(use_listings_cache=False)

    def __reduce__(self) -> tuple[type[SafeFileSystem], tuple[()]]:
        return type(self), ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))

    @property
    def fsid(self) -> str:
        """fsspec's word for which storage this is."""
        return self.protocol

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        """``safefs://documents/a/`` as ``documents/a``; but two slashes behind a disk stay."""
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        text = _text(path).removeprefix(_SCHEME)
        bare = text.rstrip("/")
        is_disk = bool(bare) and "/" not in bare
        return f"{bare}//" if is_disk and text.startswith(f"{bare}//") else bare

    # Looking

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:  # noqa: FBT001, FBT002
        """What a directory holds, or the one file; at the top, the disks, none of them opened.

        A link inside counts as what it leads to; one that leads nowhere, or out, is in no list.
        """
        infos = _listing(_place(path))
        return infos if detail else [info["name"] for info in infos]

    def info(self, path: str, **_: Any) -> Info:
        """name, size, type, mtime, mode and islink of what the path leads to."""
        place = _place(path)
        if not place.disk:
            return _disk_info("")
        with place.opened() as found:
            entry = found.lstat() if place.path else found.stat()
            if entry.kind == "symlink":
                return _info(place.name, found.stat(), islink=True)
            return _info(place.name, entry)

    def exists(self, path: str, **_: Any) -> bool:
        """Whether the path leads to something; never outside, nor on a disk there is not."""
        return self._type(path) is not None

    def lexists(self, path: str, **_: Any) -> bool:
        """Whether there is such an entry, be it a link that leads nowhere."""
        return _answer(lambda: _place(path).look()) is not None

    def isfile(self, path: str) -> bool:
        """Whether the path leads to a regular file."""
        return self._type(path) == "file"

    def isdir(self, path: str) -> bool:
        """Whether the path leads to a directory; a disk is one."""
        return self._type(path) == "directory"

    def _type(self, path: str) -> str | None:
        info = _answer(lambda: self.info(path))
        return None if info is None else info["type"]

    def modified(self, path: str) -> datetime:
        """When the content was last changed: aware, UTC."""
        return datetime.fromtimestamp(self.info(path)["mtime"], tz=UTC)

    def walk(
        self,
        path: str,
        maxdepth: int | None = None,
        topdown: bool = True,  # noqa: FBT001, FBT002
        on_error: OnError = "omit",
        *,
        detail: bool = False,
        **_: Any,
    ) -> Iterator[tuple[str, Any, Any]]:
        """(path, directories, files), as fsspec gives them; a link to a directory is not entered.

        fsspec's own enters all that ``ls`` calls a directory, and so goes round with a link to a
        parent.
        """
        if maxdepth is not None and maxdepth < 1:
            raise ValueError("maxdepth must be at least 1")
        steps = self._steps(self._strip_protocol(path), maxdepth, on_error, detail=detail)
        yield from steps if topdown else reversed(list(steps))

    def _steps(
        self, top: str, maxdepth: int | None, on_error: OnError, *, detail: bool
    ) -> Iterator[tuple[str, Any, Any]]:
        pending = [(top, 1)]
        while pending:
            here, depth = pending.pop()
            found = self._found(here, on_error)
            if found is None:
                continue
            dirs = {name: info for name, info in found.items() if info["type"] == "directory"}
            files = {name: info for name, info in found.items() if name not in dirs}
            shown: Iterable[str] = dict(dirs) if detail else list(dirs)
            yield here, shown, files if detail else list(files)
            if maxdepth is None or depth < maxdepth:
                links = {name for name, info in dirs.items() if info["islink"]}
                deeper = [_join(here, name) for name in shown if name not in links]
                pending += [(path, depth + 1) for path in reversed(deeper)]

    def _found(self, path: str, on_error: OnError) -> dict[str, Info] | None:
        """What a directory holds, by name; a file is found under ""."""
        try:
            infos = _listing(_place(path))
        except OSError as error:
            if on_error == "raise":
                raise
            if callable(on_error):
                on_error(error)
            return None
        return {_base(info["name"]) if info["name"] != path else "": info for info in infos}

    def expand_path(
        self,
        path: Any,
        recursive: bool = False,  # noqa: FBT001, FBT002
        maxdepth: int | None = None,
        assume_literal: bool = False,  # noqa: FBT001, FBT002
        **options: Any,
    ) -> list[str]:
        """As fsspec's, but a name that is there is that name and no pattern: ``x*``, for one."""
        found: set[str] = set()
        for each in path if isinstance(path, list | tuple | set) else [path]:
            try:
                if assume_literal or not self._is_pattern(each):
                    found.update(self._literal(each, recursive, maxdepth))
                else:
                    found.update(super().expand_path([each], recursive, maxdepth, **options))
            except FileNotFoundError:
                pass  # as in fsspec's: one pattern may match nothing, but not all of them
        if not found:
            raise FileNotFoundError(ENOENT, strerror(ENOENT), str(path))
        return sorted(found)

    def _literal(self, path: Any, recursive: bool, maxdepth: int | None) -> set[str]:  # noqa: FBT001
        """What fsspec's finds for a path without wildcards; an old one cannot be told of that."""
        name = self._strip_protocol(path)
        if not recursive:
            return {name}
        found = set(self.find(name, maxdepth=maxdepth, withdirs=True, detail=False))
        return found | {name} if self.exists(name) else found

    def _is_pattern(self, path: Any) -> bool:
        return _has_magic(self._strip_protocol(path)) and not self.lexists(path)

    # Reading and writing

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,  # noqa: ARG002
        autocommit: bool = True,  # noqa: FBT001, FBT002
        cache_options: object = None,  # noqa: ARG002
        **_: Any,
    ) -> BinaryIO:
        """A plain binary file object of the disk; block sizes and caches have no use here.

        It writes in place, as fsspec's local file system does: nothing is put off until ``close``,
        and a file that was there is emptied by ``wb`` at once. ``pipe_file`` replaces as a whole.
        """
        if not autocommit and mode != "rb":
            raise OSError(ENOTSUP, "safefs:// has no transactions", path)
        with _place(path).opened() as file:
            return cast("BinaryIO", file.open(mode))

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_: Any
    ) -> bytes:
        """The content, or a slice of it; negative numbers count from the end."""
        if start is None and end is None:
            with _place(path).opened() as found:
                return found.read_bytes()
        with self._open(path) as file:
            first, last, _step = slice(start, end).indices(file.seek(0, SEEK_END))
            file.seek(first)
            return file.read(max(0, last - first))

    def tail(self, path: str, size: int = 1024) -> bytes:
        """The last bytes of a file."""
        return self.cat_file(path, start=-size) if size else b""

    def get_file(self, rpath: str, lpath: Any, *arguments: Any, **options: Any) -> None:
        """Copy one file to a local path, with this process's own rights, or into a file object.

        What is refused or missing here is told before anything is made there.
        """
        self.info(rpath)
        if hasattr(lpath, "write"):
            with self._open(rpath) as file:
                copyfileobj(file, lpath)
        else:
            super().get_file(rpath, lpath, *arguments, **options)

    def read_block(
        self, fn: str, offset: int, length: int | None, delimiter: bytes | None = None
    ) -> bytes:
        """A block of bytes that begins and ends at delimiters, as fsspec's."""
        with self._open(fn) as file:
            rest = max(0, file.seek(0, SEEK_END) - offset)
            wanted = rest if length is None else min(length, rest)
            return cast("bytes", read_block(file, offset, wanted, delimiter))

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        """Replace the file as a whole, making parents; ``create``: only where there is none."""
        with _place(path).opened() as file:
            if mode == "create":
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("xb") as opened:
                    opened.write(value)
            else:
                file.disk.put(file, value)

    def touch(self, path: str, truncate: bool = True, **_: Any) -> None:  # noqa: FBT001, FBT002
        """An empty file, or with ``truncate=False`` a new time for one that is there."""
        if truncate:
            self._open(path, "wb").close()
        else:
            with _place(path).opened() as file:
                file.touch()

    # Directories

    def mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:  # noqa: FBT001, FBT002
        """Make a directory, and those above it; FileExistsError where there is something."""
        place = _place(path)
        if place.disk not in registry.names():
            raise PermissionError(EACCES, "a disk cannot be made through safefs://", place.name)
        if not place.path:
            raise FileExistsError(EEXIST, strerror(EEXIST), place.name)
        with place.opened() as directory:
            directory.mkdir(parents=create_parents)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:  # noqa: FBT001, FBT002
        """As ``mkdir``; with ``exist_ok`` a directory that is there, a disk too, will do."""
        if not (exist_ok and self.isdir(path)):
            self.mkdir(path)

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        with _beneath(path, "removed").opened() as directory:
            directory.rmdir()

    # Removing, copying, moving

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:  # noqa: FBT001, FBT002
        """Remove files, and with ``recursive`` directories.

        A name that is there is that name and no pattern. Nothing is removed where a disk itself is
        among what was named.
        """
        stepwise = recursive and maxdepth is not None
        names = self._beneath_all(path, maxdepth) if stepwise else self.expand_path(path)
        for place in [_beneath(name, "removed") for name in reversed(names)]:
            with place.opened() as target:
                if target.lstat().kind != "directory":
                    target.unlink()
                elif stepwise:
                    target.rmdir()
                elif recursive:
                    target.disk.delete_directory(target)
                else:
                    raise IsADirectoryError(EISDIR, "a directory takes recursive=True", str(target))

    def _beneath_all(self, path: Any, maxdepth: int | None) -> list[str]:
        """What ``path`` names and all beneath, to a depth; a link is itself, and not entered."""
        given = path if isinstance(path, list | tuple | set) else [path]
        literal = {self._strip_protocol(each) for each in given}
        names: set[str] = set()
        for top in self.expand_path(path):
            # A match of a pattern is the first level itself, as fsspec counts.
            depth = None if maxdepth is None else maxdepth - (top not in literal)
            names.add(top)
            if depth != 0 and _is_directory(_place(top)):
                names.update(self.expand_path(top, True, depth, assume_literal=True))
        return sorted(names)

    def rm_file(self, path: str) -> None:
        """Remove one file, or a link itself."""
        with _beneath(path, "removed").opened() as target:
            target.unlink()

    def cp_file(self, path1: str, path2: str, **_: Any) -> None:
        """Copy one file, from disk to disk too; of a directory, only itself is made."""
        place = _place(path1)
        with place.opened() as source:
            is_dir = source.is_dir()
        if is_dir:
            self.makedirs(path2, exist_ok=True)
        else:
            with _pair(place, _beneath(path2, "replaced")) as (source, target):
                source.disk.copy(source, target)

    def copy(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = False,  # noqa: FBT001, FBT002
        maxdepth: int | None = None,
        on_error: str | None = None,
        **options: Any,
    ) -> None:
        """As fsspec's, but a name that is there is that name and no pattern."""
        if isinstance(path1, str) and _has_magic(path1) and self.isfile(path1):
            self.cp_file(path1, self._destination(path1, path2))
        else:
            super().copy(path1, path2, recursive, maxdepth, on_error, **options)

    def mv(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = False,  # noqa: ARG002, FBT001, FBT002
        maxdepth: int | None = None,  # noqa: ARG002
        **_: Any,
    ) -> None:
        """Rename, or between two disks move; a directory goes with all it holds."""
        if isinstance(path2, list):
            pairs = list(zip(path1, path2, strict=True))
        elif isinstance(path1, list) or self._is_pattern(path1):
            into = self._strip_protocol(path2)
            pairs = [(name, _join(into, _base(name))) for name in self.expand_path(path1)]
        else:
            pairs = [(path1, self._destination(path1, path2))]
        for one, other in pairs:
            with _pair(_beneath(one, "moved"), _beneath(other, "replaced")) as (source, target):
                if source != target:
                    source.disk.move(source, target)

    def _destination(self, path1: str, path2: str) -> str:
        """``path2``, or ``path1``'s name within it where it is, or is written as, a directory."""
        into = _text(path2).endswith("/") or self.isdir(path2)
        bare: str = self._strip_protocol(path2)
        return _join(bare, _base(self._strip_protocol(path1))) if into else bare


class _Place(NamedTuple):
    """A path taken apart: ``disk`` is "" for the top, ``path`` is "" for the disk itself."""

    disk: str
    path: str

    @property
    def name(self) -> str:
        return f"{self.disk}/{self.path}" if self.path else self.disk

    def open(self) -> DiskPath:
        """The path on its disk, which is opened if it was not."""
        if not self.disk:
            raise IsADirectoryError(EISDIR, strerror(EISDIR), _SCHEME)
        try:
            disk = registry.find(self.disk)
        except UnknownDiskError as error:
            # What fsspec's callers expect of a name that is not there.
            reason = f"{error}; Storage.register offers a disk to this process"
            raise FileNotFoundError(ENOENT, reason, self.name) from error
        with self.naming():
            return disk / (self.path or ".")

    @contextmanager
    def opened(self) -> Iterator[DiskPath]:
        """The path on its disk; what then goes wrong with it carries the name it has here."""
        path = self.open()
        with self.naming():
            yield path

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Errors of the disk with ``documents/a.csv`` where it said ``a.csv``."""
        try:
            yield
        except OSError as error:
            error.filename = self._known_as(error.filename)
            if error.filename2 is not None:
                error.filename2 = self._known_as(error.filename2)
            raise

    def _known_as(self, filename: str | bytes | None) -> str:
        """What the disk calls ``filename``, as it is known here."""
        if filename is None:
            return self.name
        text = os.fsdecode(filename)
        return self.disk if text in ("", ".") else f"{self.disk}/{text}"

    def look(self) -> object:
        """Something, where there is such an entry; None, or what the disk raises, where not."""
        if self.path:
            with self.opened() as path:
                return path.lstat()
        return True if self.disk in ("", *registry.names()) else None


def _text(path: Any) -> str:
    if isinstance(path, DiskPath):
        raise TypeError("a DiskPath is no path of safefs://; give its url")
    text = stringify_path(path)
    if not isinstance(text, str):
        raise TypeError(f"a path of safefs:// is str or os.PathLike, not {type(path).__name__}")
    return str.__str__(text)


def _place(path: Any) -> _Place:
    text = SafeFileSystem._strip_protocol(path)  # noqa: SLF001  (fsspec's name for it)
    if text.startswith("/"):
        raise refused(EscapeError(text, None, EscapeError.ABSOLUTE_PATH))
    disk, _, rest = text.partition("/")
    if ":" in disk:  # file:///etc/passwd and its like
        raise refused(InvalidPathError(text, "this is no path of safefs://"))
    return _Place(disk, rest)


def _beneath(path: Any, done: str) -> _Place:
    place = _place(path)
    if not place.path:
        raise PermissionError(EACCES, f"a disk cannot be {done} through safefs://", place.name)
    return place


@contextmanager
def _pair(one: _Place, other: _Place) -> Iterator[tuple[DiskPath, DiskPath]]:
    """Two paths, and in errors between them both their names."""
    source, target = one.open(), other.open()
    try:
        yield source, target
    except OSError as error:
        error.filename, error.filename2 = one.name, other.name
        raise


def _is_directory(place: _Place) -> bool:
    with place.opened() as path:
        return path.lstat().kind == "directory"


def _has_magic(path: str) -> bool:
    """Whether fsspec would take this for a pattern."""
    return any(char in path for char in "*?[")


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def _listing(place: _Place) -> list[Info]:
    if not place.disk:
        return [_disk_info(name) for name in registry.names()]
    with place.opened() as path:
        seen = path.stat()
        if seen.kind != "directory":
            return [_info(place.name, seen, islink=path.is_symlink())]
        _, driver, rel = whereabouts(path)
        entries = sorted(driver.scan(rel), key=lambda entry: entry[0])
        infos = (_entry_info(place, path, name, entry) for name, entry in entries)
        return [info for info in infos if info is not None]


def _entry_info(place: _Place, parent: DiskPath, name: str, entry: Stat) -> Info | None:
    if entry.kind != "symlink":
        return _info(f"{place.name}/{name}", entry)
    target = _answer((parent / name).stat)
    return None if target is None else _info(f"{place.name}/{name}", target, islink=True)


def _info(name: str, stat: Stat, *, islink: bool = False) -> Info:
    return {
        "name": name,
        "size": stat.size,
        "type": stat.kind,
        "mtime": stat.st_mtime,
        "mode": stat.mode,
        "islink": islink,
    }


def _disk_info(name: str) -> Info:
    """A disk as an entry of the top, without looking at it."""
    return {"name": name, "size": 0, "type": "directory", "islink": False}


def _answer(ask: Callable[[], _T]) -> _T | None:
    """What ``ask`` returns, or None where it says that something is not there."""
    try:
        return ask()
    except (OSError, ValueError) as error:
        if is_absence(error):
            return None
        raise
