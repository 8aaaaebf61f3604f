"""DiskPath: a path on a disk, in the words of ``pathlib``."""

# ruff: noqa: SLF001  (a DiskPath looks into others of its own class)

from __future__ import annotations

import io
from operator import itemgetter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from safefs.audit import refused
from safefs.drivers.base import is_absence
from safefs.drivers.observed import teller
from safefs.errors import InvalidPathError
from safefs.paths import RelPath
from safefs.patterns import Pattern, fixed_parts, parts_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from typing import IO, Any, BinaryIO, NoReturn, Self, TextIO, overload

    from safefs.disk import Disk
    from safefs.drivers.base import Driver, Stat
    from safefs.root import BinaryMode, TextMode

    StrPath = str | os.PathLike[str]

_NOT_THERE = (FileNotFoundError, NotADirectoryError)


class DiskPath:
    """A path on one disk, made by ``disk / "a" / "b"``; the words are those of ``pathlib.Path``.

    Immutable, hashable, ordered; equal when the disk is the same object and the path is the same.
    Joining is text alone, as in ``pathlib``: ``.`` and doubled slashes go, ``..`` stays and means
    what the kernel means by it. An absolute path joined to it is an ``EscapeError``, and another
    DiskPath a ``TypeError``. What a path may reach is decided when it is used, by the disk.

    It is no ``os.PathLike``: the builtin ``open()`` refuses it, which would otherwise look for the
    same text somewhere else. ``str()`` gives the text, and text has no root.

    Where the words promise something else than ``pathlib``'s: text is UTF-8 unless said otherwise;
    ``write_text`` and ``write_bytes`` replace the file as a whole, and a link with it; ``stat``
    gives the ``Stat`` of safefs; ``rename`` and ``replace`` take text from the disk's root;
    ``relative_to`` gives a ``PurePosixPath``; nothing that lists enters a link.
    """

    __slots__ = ("__weakref__", "_disk", "_driver", "_pure", "_rel")
    _is_door = True  # for safefs.audit

    def __init__(self, disk: Disk, driver: Driver, pure: PurePosixPath) -> None:
        self._disk = disk
        self._driver = driver
        self._pure = pure
        self._rel = RelPath.parse(str(pure))

    def _with(self, pure: PurePosixPath) -> Self:
        return type(self)(self._disk, self._driver, pure)

    def __repr__(self) -> str:
        if not hasattr(self, "_pure"):  # half made, as a traceback may show it
            return f"<{type(self).__name__}>"
        disk = self._driver if self._disk.name is None else self._disk.name
        return f"DiskPath({self.as_posix()!r}, disk={disk!r})"

    def __str__(self) -> str:
        return str(self._pure)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DiskPath):
            return NotImplemented
        return self._disk is other._disk and self._pure == other._pure

    def __hash__(self) -> int:
        return hash((id(self._disk), self._pure))

    def __lt__(self, other: DiskPath) -> bool:
        return self._pure < other._pure if self._is_comparable(other) else NotImplemented

    def __le__(self, other: DiskPath) -> bool:
        return self._pure <= other._pure if self._is_comparable(other) else NotImplemented

    def __gt__(self, other: DiskPath) -> bool:
        return self._pure > other._pure if self._is_comparable(other) else NotImplemented

    def __ge__(self, other: DiskPath) -> bool:
        return self._pure >= other._pure if self._is_comparable(other) else NotImplemented

    def _is_comparable(self, other: object) -> bool:
        return isinstance(other, DiskPath) and self._disk is other._disk

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a DiskPath belongs to an open Disk and cannot be pickled; "
            "send the name of the disk and the path's as_posix()"
        )

    # The text

    @property
    def _disk_name(self) -> str | None:
        return self._disk.name

    @property
    def _teller(self) -> Callable[..., None] | None:
        return teller(self._driver)

    @property
    def disk(self) -> Disk:
        """The disk this path is on."""
        return self._disk

    @property
    def url(self) -> str:
        """``safefs://<disk>/<path>``, for fsspec: under the name its disk is registered by.

        While the disk is not registered, under its own name. Percent signs and all else stand as
        they are, since fsspec decodes nothing. Raises ``ValueError`` where there is no such name,
        where it is registered for another disk, and for a path that holds ``::``, which fsspec
        reads as the name of another file system.
        """
        # Which names there are in this process is known above; see ignore_imports.
        from safefs.integrations import registry

        name = registry.name_of(self._disk)
        if name is None:
            name = self._disk.name
            if name is None:
                raise ValueError("a disk without a name has no URL; register it")
            if name in registry.names():
                raise ValueError(f"safefs://{name} is registered for another disk")
        path = "/".join(self._pure.parts)
        if "::" in path:
            raise ValueError(f"fsspec would read a chain of file systems in {path!r}")
        return f"safefs://{name}/{path}"

    @property
    def name(self) -> str:
        return self._pure.name

    @property
    def stem(self) -> str:
        return self._pure.stem

    @property
    def suffix(self) -> str:
        return self._pure.suffix

    @property
    def suffixes(self) -> list[str]:
        return self._pure.suffixes

    @property
    def parts(self) -> tuple[str, ...]:
        return self._pure.parts

    @property
    def parent(self) -> Self:
        """The path without its last component, as text; that of the disk's root is itself."""
        return self._with(self._pure.parent)

    @property
    def parents(self) -> tuple[Self, ...]:
        return tuple(self._with(parent) for parent in self._pure.parents)

    def as_posix(self) -> str:
        """The text, as ``str()`` gives it: from the disk's root, without a slash in front."""
        return self._pure.as_posix()

    def joinpath(self, *others: StrPath) -> Self:
        """This path with others behind it.

        Raises ``EscapeError`` for an absolute one, ``InvalidPathError`` for NUL, ``TypeError`` for
        bytes and for a DiskPath.
        """
        return self._with(self._pure.joinpath(*map(_segment, others)))

    def __truediv__(self, other: StrPath) -> Self:
        return self.joinpath(other)

    def with_name(self, name: str) -> Self:
        """The path with another last component, as ``PurePath.with_name``."""
        return self._with(self._pure.with_name(name))

    def with_stem(self, stem: str) -> Self:
        """The path with another last component but for its suffix."""
        return self._with(self._pure.with_stem(stem))

    def with_suffix(self, suffix: str) -> Self:
        """The path with another suffix, ``.txt``; ``""`` takes it away."""
        return self._with(self._pure.with_suffix(suffix))

    def relative_to(self, other: StrPath | DiskPath) -> PurePosixPath:
        """The text that leads from ``other`` to here; ``ValueError`` where it does not lie beneath.

        Text and no DiskPath, for that would mean a place beneath the disk's root.
        """
        return self._pure.relative_to(self._text_of(other))

    def is_relative_to(self, other: StrPath | DiskPath) -> bool:
        """Whether this path's text begins with ``other``'s; False for a path of another disk."""
        if isinstance(other, DiskPath) and other._disk is not self._disk:
            return False
        return self._pure.is_relative_to(self._text_of(other))

    def _text_of(self, other: StrPath | DiskPath) -> PurePosixPath:
        if not isinstance(other, DiskPath):
            return PurePosixPath(_segment(other))
        if other._disk is not self._disk:
            raise ValueError(f"{other!r} is on another disk")
        return other._pure

    def match(self, pattern: str) -> bool:
        """As ``PurePath.match``: the text alone, from the right."""
        return self._pure.match(pattern)

    # Looking

    def exists(self) -> bool:
        """As ``Disk.exists``."""
        return self._disk.exists(self)

    def is_file(self) -> bool:
        """As ``Disk.file_exists``."""
        return self._disk.file_exists(self)

    def is_dir(self) -> bool:
        """As ``Disk.directory_exists``."""
        return self._disk.directory_exists(self)

    def is_symlink(self) -> bool:
        """Whether the entry itself is a link, wherever it leads; False as for ``exists``."""
        try:
            return self._driver.lstat(self._rel).kind == "symlink"
        except (OSError, ValueError) as error:
            if is_absence(error):
                return False
            raise

    def stat(self, *, follow_symlinks: bool = True) -> Stat:
        """What the path leads to; a link that leads nowhere or outside is an error."""
        return self._driver.stat(self._rel) if follow_symlinks else self.lstat()

    def lstat(self) -> Stat:
        """The entry itself; a link is a link."""
        return self._driver.lstat(self._rel)

    def iterdir(self) -> Iterator[Self]:
        """The entries of a directory, in no order; a link by its own name."""
        for name, _ in self._driver.scan(self._rel):
            yield self._with(self._pure / name)

    def walk(self, *, top_down: bool = True) -> Iterator[tuple[Self, list[str], list[str]]]:
        """Yield (directory, names of its directories, names of all its other entries).

        Links are among the others and never entered. From the top down, the list of directories
        may be changed to say where to go. A directory that cannot be read is an error, and not
        passed over as ``pathlib`` does; one that vanishes meanwhile is.
        """
        found = self._driver.walk(self._rel)
        steps = found if top_down else reversed(list(found))
        for here, directories, others in steps:
            yield self._with(PurePosixPath(here)), directories, others

    def glob(self, pattern: str) -> Iterator[Self]:
        """The paths beneath that match ``*``, ``?``, ``[...]`` and ``**``.

        Sorted within each directory; dot entries match like any other. ``**`` stands for any
        number of directories, and at the end for everything beneath; a slash at the end asks for
        directories. Leading components without wildcards are resolved like any path; from the
        first wildcard on, links are matched and never entered, and what may not be entered is
        passed over.

        Raises ``EscapeError`` for an absolute pattern, ``InvalidPathError`` for ``..`` and for an
        empty one, at once.
        """
        return self._glob(_pattern(pattern), only_directories=pattern.endswith("/"))

    def rglob(self, pattern: str) -> Iterator[Self]:
        """As ``glob`` with ``**/`` before the pattern."""
        return self._glob(["**", *_pattern(pattern)], only_directories=pattern.endswith("/"))

    def _glob(self, parts: list[str], *, only_directories: bool) -> Iterator[Self]:
        fixed = fixed_parts(parts)
        base = self.joinpath(*parts[:fixed])
        if fixed < len(parts):
            yield from base._matches(Pattern(parts[fixed:]), only_directories)
        elif base.is_dir() if only_directories else base.is_symlink() or base.exists():
            yield base

    def _matches(self, pattern: Pattern, only_directories: bool) -> Iterator[Self]:  # noqa: FBT001  (private, and named where it is called)
        states = pattern.start()
        if pattern.is_end(states) and self.is_dir():
            yield self
        pending = [(self, states)]
        passed_over: tuple[type[OSError], ...] = _NOT_THERE
        while pending:
            here, states = pending.pop()
            deeper = []
            for name, found in here._sorted_entries(passed_over):
                is_dir = found.kind == "directory"
                matched, onward = pattern.step(states, name, is_dir=is_dir)
                path = here._with(here._pure / name)
                if matched and (is_dir or not only_directories):
                    yield path
                if is_dir and onward:
                    deeper.append((path, onward))
            pending += reversed(deeper)
            passed_over = (*_NOT_THERE, PermissionError)

    def _sorted_entries(self, passed_over: tuple[type[OSError], ...]) -> list[tuple[str, Stat]]:
        try:
            return sorted(self._driver.scan(self._rel), key=itemgetter(0))
        except passed_over:
            return []

    # Reading and writing

    if TYPE_CHECKING:

        @overload
        def open(
            self,
            mode: TextMode = "r",
            buffering: int = -1,
            encoding: str | None = None,
            errors: str | None = None,
            newline: str | None = None,
        ) -> TextIO: ...

        @overload
        def open(self, mode: BinaryMode, buffering: int = -1) -> BinaryIO: ...

        @overload
        def open(
            self,
            mode: str,
            buffering: int = -1,
            encoding: str | None = None,
            errors: str | None = None,
            newline: str | None = None,
        ) -> IO[Any]: ...

    def open(
        self,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """As ``Disk.open``."""
        return self._disk.open(self, mode, buffering, encoding, errors, newline)

    def read_bytes(self) -> bytes:
        """The whole content."""
        return self._driver.read(self._rel)

    def read_text(
        self, encoding: str | None = None, errors: str | None = None, newline: str | None = None
    ) -> str:
        """The content as text, UTF-8 unless said; every kind of line end is read as ``\\n``."""
        data = io.BytesIO(self._driver.read(self._rel))
        return io.TextIOWrapper(data, encoding or "utf-8", errors, newline).read()

    def write_bytes(self, data: bytes | bytearray | memoryview) -> int:
        """Replace the file as a whole, or create it; makes no parents. The number of bytes."""
        content = memoryview(data).tobytes()
        self._driver.write(self._rel, (content,))
        return len(content)

    def write_text(
        self,
        data: str,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> int:
        """``write_bytes`` of the text, UTF-8 unless said; the number of characters."""
        if not isinstance(data, str):
            raise TypeError(f"data must be str, not {type(data).__name__}")
        content = io.BytesIO()
        text = io.TextIOWrapper(content, encoding or "utf-8", errors, newline)
        text.write(data)
        text.flush()
        self._driver.write(self._rel, (content.getvalue(),))
        return len(data)

    # Changing

    def mkdir(
        self,
        mode: int = 0o777,
        parents: bool = False,  # noqa: FBT001, FBT002  (pathlib's signature)
        exist_ok: bool = False,  # noqa: FBT001, FBT002  (pathlib's signature)
    ) -> None:
        """Make a directory, as ``Path.mkdir``: ``parents`` above it, ``exist_ok`` where one is."""
        self._driver.mkdir(self._rel, mode, parents=parents, exist_ok=exist_ok)

    def rmdir(self) -> None:
        """Remove an empty directory."""
        self._driver.rmdir(self._rel)

    def unlink(self, missing_ok: bool = False) -> None:  # noqa: FBT001, FBT002  (pathlib's signature)
        """Remove a file, or a link itself."""
        self._disk.delete(self, missing_ok=missing_ok)

    def rename(self, target: str | DiskPath) -> Self:
        """Rename, replacing a file or an empty directory; the new path.

        ``target`` is a path of this disk, or text from the disk's root. Makes no parents.
        """
        new = self._target(target)
        self._driver.rename(self._rel, new._rel, overwrite=True)
        return new

    def replace(self, target: str | DiskPath) -> Self:
        """The same as ``rename``."""
        return self.rename(target)

    def _target(self, target: str | DiskPath) -> Self:
        if not isinstance(target, DiskPath):
            return self._with(PurePosixPath(_segment(target)))
        if target._disk is not self._disk:
            raise TypeError("a path of another disk; Disk.move goes between disks")
        return self._with(target._pure)

    def touch(
        self,
        mode: int = 0o666,
        exist_ok: bool = True,  # noqa: FBT001, FBT002  (pathlib's signature)
    ) -> None:
        """Create an empty file, or set the modification time of what is there to now.

        ``mode`` takes permissions away from those that a new file of this disk gets, and adds none.
        """
        try:
            self._driver.open(self._rel, "xb", permissions=mode).close()
        except FileExistsError:
            if not exist_ok:
                raise
            self._driver.touch(self._rel)


def whereabouts(path: DiskPath) -> tuple[Disk, Driver, RelPath]:
    """What a Disk needs to know of a path that it is given."""
    return path._disk, path._driver, path._rel


def _segment(other: StrPath) -> str:
    if isinstance(other, DiskPath):
        raise TypeError("a DiskPath cannot be joined to another; join its as_posix()")
    if isinstance(other, bytes):
        raise TypeError("a DiskPath is made of str, not bytes")
    return RelPath.parse(other).text


def _pattern(pattern: str) -> list[str]:
    parts = parts_of(_segment(pattern))
    if ".." in parts:
        raise refused(InvalidPathError(pattern, "a pattern holds no '..'"))
    if not parts:
        raise refused(InvalidPathError(pattern, "a pattern holds at least one name"))
    return parts
