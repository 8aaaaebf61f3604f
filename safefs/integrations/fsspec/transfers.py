"""The part of the file system that copies many files, and to and from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.implementations.local import LocalFileSystem

from safefs.disk import Disk
from safefs.diskpath import DiskPath
from safefs.errors import SameFileError
from safefs.integrations.fsspec.caches import Lying
from safefs.integrations.fsspec.changing import Changing
from safefs.integrations.fsspec.pairs import pairs
from safefs.integrations.fsspec.progress import counted
from safefs.kernel import syscalls

if TYPE_CHECKING:
    from fsspec.spec import AbstractFileSystem

    from safefs.integrations.fsspec.place import Place

_SCHEME = "safefs://"


class Transfers(Changing):
    """copy, get and put.

    The other side of ``get`` and ``put`` is local and ambient: a path there is opened with this
    process's own rights, as by fsspec's ``LocalFileSystem``, and links are followed wherever they
    lead. To confine that side too, give a ``Disk``, a path of one (``disk / "a"``), or a
    ``safefs://`` URL.
    """

    def copy(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = False,  # noqa: FBT001, FBT002
        maxdepth: int | None = None,
        on_error: str | None = None,
        callback: Any = DEFAULT_CALLBACK,
        **_: Any,
    ) -> None:
        """Copy files, by fsspec's rules for names; what is there by its name is no pattern.

        ``on_error``: "raise", or "ignore" what is not there (any more), which is the default with
        ``recursive``. ``callback`` counts files, and its branches bytes.
        """
        found = pairs(self, path1, self, path2, recursive=recursive, maxdepth=maxdepth)
        ignores = on_error == "ignore" or (on_error is None and recursive)
        callback.set_size(len(found))
        for one, other in found:
            try:
                with callback.branched(one, other) as child:
                    self.cp_file(one, other, callback=child)
            except FileNotFoundError:
                if not ignores:
                    raise
            else:
                callback.relative_update()

    def get(
        self,
        rpath: Any,
        lpath: Any,
        recursive: bool = False,  # noqa: FBT001, FBT002
        callback: Any = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **_: Any,
    ) -> None:
        """Copy files to a local path, with this process's own rights, or to a disk.

        ``lpath``: a path as ``LocalFileSystem`` takes it, a ``Disk``, a path of one, or a
        ``safefs://`` URL. ``callback`` counts files, and its branches bytes. ``SameFileError``
        where a file would be copied onto itself.
        """
        side, lpath = _side(lpath)
        found = pairs(self, rpath, side, lpath, recursive=recursive, maxdepth=maxdepth)
        callback.set_size(len(found))
        for one, other in found:
            with callback.branched(one, other) as child:
                self._get_file(one, side, other, child)
            callback.relative_update()

    def get_file(
        self,
        rpath: str,
        lpath: Any = None,
        callback: Any = DEFAULT_CALLBACK,
        outfile: Any = None,
        **_: Any,
    ) -> None:
        """Copy one file, as ``get``, or into a file object.

        What is refused or missing here is told before anything is made there.
        """
        if outfile is None and hasattr(lpath, "write"):
            outfile = lpath
        if outfile is None:
            self._get_file(rpath, *_side(lpath), callback)
        else:
            source = self._place(rpath)
            with source.driver.open(source.rel, "rb") as file:
                _stream(source, file, outfile, callback)

    def _get_file(self, rpath: str, side: AbstractFileSystem, lpath: str, callback: Any) -> None:
        source = self._place(rpath)
        if self._type(rpath) == "directory":
            side.makedirs(lpath, exist_ok=True)
        elif isinstance(side, Changing):
            side._copy(source, side._beneath_disk(lpath, "replaced"), callback)  # noqa: SLF001
        else:
            # Opened first: what is refused here makes nothing there.
            with source.driver.open(source.rel, "rb") as file:
                _refuse_same(source, file, side, lpath)
                with side.open(lpath, "wb") as target:
                    _stream(source, file, target, callback)

    def put(
        self,
        lpath: Any,
        rpath: Any,
        recursive: bool = False,  # noqa: FBT001, FBT002
        callback: Any = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **options: Any,
    ) -> None:
        """Copy files from a local path, read with this process's own rights, or from a disk.

        ``lpath`` as in ``get``. ``callback`` counts files, and its branches bytes.
        """
        side, lpath = _side(lpath)
        with Lying(lpath):
            found = pairs(side, lpath, self, rpath, recursive=recursive, maxdepth=maxdepth)
            callback.set_size(len(found))
            for one, other in found:
                with callback.branched(one, other) as child:
                    self._put_file(side, one, other, child, options.get("mode", "overwrite"))
                callback.relative_update()

    def put_file(
        self,
        lpath: Any,
        rpath: str,
        callback: Any = DEFAULT_CALLBACK,
        mode: str = "overwrite",
        **_: Any,
    ) -> None:
        """Copy one file, as ``put``; ``mode="create"`` only where there is none."""
        side, lpath = _side(lpath)
        with Lying(lpath):
            self._put_file(side, lpath, rpath, callback, mode)

    def _put_file(
        self, side: AbstractFileSystem, lpath: str, rpath: str, callback: Any, mode: str
    ) -> None:
        if side.isdir(lpath):
            self.makedirs(rpath, exist_ok=True)
            return
        target = self._beneath_disk(rpath, "replaced")
        if isinstance(side, Changing) and mode != "create":
            self._copy(side._place(lpath), target, callback)  # noqa: SLF001  (its own class)
            return
        with side.open(lpath, "rb") as file:
            callback.set_size(file.seek(0, 2))
            file.seek(0)
            self._write(target, counted(file, callback), exclusive=mode == "create")


def _stream(source: Place, file: BinaryIO, target: Any, callback: Any) -> None:
    callback.set_size(source.driver.stat_open(file).size)
    for piece in counted(file, callback):
        target.write(piece)


def _refuse_same(source: Place, file: BinaryIO, side: AbstractFileSystem, lpath: str) -> None:
    """Refuse to write, out there, the very file that is read: opening it would empty it."""
    local = side._strip_protocol(lpath)  # noqa: SLF001  (fsspec's name for it)
    try:
        found = syscalls.stat(local)
    except OSError:
        return  # whether it can be written, the writing will say
    if source.driver.stat_open(file).identity == (found.st_dev, found.st_ino):
        raise SameFileError(source.name, local)


def _side(path: Any) -> tuple[AbstractFileSystem, Any]:
    """The file system at the other end, and the path as it is known there."""
    if isinstance(path, Disk):
        return path.fs, "/"
    if isinstance(path, DiskPath):
        return path.disk.fs, f"/{path.as_posix()}"
    given = path if isinstance(path, list) else [path]
    confined = [isinstance(each, str) and each.startswith(_SCHEME) for each in given]
    if not any(confined):
        return LocalFileSystem(auto_mkdir=True), path
    if not all(confined):
        raise ValueError("all paths of a list are local, or all are safefs:// URLs")
    # The class is made of this one.
    from safefs.integrations.fsspec.filesystem import SafeFileSystem

    return SafeFileSystem(), path
