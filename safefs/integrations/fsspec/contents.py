"""The part of the file system that reads and writes what files hold."""

from __future__ import annotations

from io import SEEK_END
from itertools import groupby
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.compression import compr
from fsspec.core import get_compression
from fsspec.utils import read_block

from safefs.drivers import transfer
from safefs.drivers.content import Body
from safefs.integrations.fsspec.place import base, parent
from safefs.integrations.fsspec.searching import Searching
from safefs.integrations.fsspec.transaction import SafeTransaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safefs.drivers.base import PendingFile
    from safefs.integrations.fsspec.place import Place


class _Dropped:
    """A file object that is closed when nobody has it any more.

    ``gzip`` and its kin let go of what they were given without closing it.
    """

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __iter__(self) -> Any:
        return iter(self._file)

    def __del__(self) -> None:
        self._file.close()


class Contents(Searching):
    """open, cat, pipe, touch and their kin."""

    transaction_type = SafeTransaction
    _intrans: bool
    _transaction: SafeTransaction | None

    # Reading

    def open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        cache_options: dict[str, Any] | None = None,
        compression: str | None = None,
        **options: Any,
    ) -> Any:
        """A file object of the disk, as of the builtin ``open``; ``compression`` as fsspec has it.

        Block sizes and caches have no use here and are passed over, and so are other options. To
        write is to write in place, following a link inside and making no parents; ``pipe_file``
        replaces as a whole. In a transaction, and with ``autocommit=False``, what is written takes
        its name when it is committed: it is a file of its own until then, also for ``a`` and
        ``r+``, which begin with a copy of what is there.
        """
        if mode == "rb" and compression is None:
            return self._open(path)
        if "b" not in mode:
            return super().open(path, mode, block_size, cache_options, compression, **options)
        file = super().open(path, mode, block_size, cache_options, None, **options)
        if not self._intrans:
            self._transaction = None  # fsspec keeps there, for good, what the caller will commit
        codec = get_compression(self._name(path), compression)
        if codec is None:
            return file
        return compr[codec](_Dropped(file), mode=mode[0])

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,  # noqa: ARG002
        autocommit: bool = True,  # noqa: FBT001, FBT002
        cache_options: object = None,  # noqa: ARG002
        **_: Any,
    ) -> BinaryIO:
        place = self._place(path)
        if autocommit or mode == "rb":
            return place.driver.open(place.rel, mode)
        draft = place.driver.draft(place.rel, mode)
        if self._intrans and mode.startswith("r"):  # fsspec takes it for one that is only read
            self.transaction.files.append(draft)
        return cast("BinaryIO", draft)

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_: Any
    ) -> bytes:
        """The content, or a slice of it; negative numbers count from the end."""
        place = self._place(path)
        if start is None and end is None:
            return place.driver.read(place.rel)
        with place.driver.open(place.rel, "rb") as file:
            first, last, _step = slice(start, end).indices(file.seek(0, SEEK_END))
            file.seek(first)
            return file.read(max(0, last - first))

    def cat(
        self,
        path: Any,
        recursive: bool = False,  # noqa: FBT001, FBT002
        on_error: str = "raise",
        callback: Any = DEFAULT_CALLBACK,
        **options: Any,
    ) -> Any:
        """The content of one file, or of several a dict by path.

        ``recursive``: of all files beneath. ``on_error``: "raise", "omit", or "return" an exception
        in the place of a content. ``callback`` counts files, and its branches the bytes of each.
        """
        if recursive:
            paths = [name for each in self.expand_path(path) for name in self.find(each)]
        else:
            paths = self.expand_path(path)
        single = not isinstance(path, list | tuple | set)
        if single and not recursive and paths == [self._name(path)]:
            return self.cat_file(paths[0], **options)
        return self._cat_many(paths, on_error, callback, options)

    def _cat_many(
        self, paths: list[str], on_error: str, callback: Any, options: dict[str, Any]
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        callback.set_size(len(paths))
        counts = callback is not DEFAULT_CALLBACK
        read = [None] * len(paths) if options else self._read_many(paths)
        for path, content in zip(paths, read, strict=True):
            try:
                if content is None:
                    content = self.cat_file(path, **options)
                found[path] = content
                if counts:
                    with callback.branched(path, path) as child:
                        child.set_size(len(content))
                        child.relative_update(len(content))
            except Exception as error:
                if on_error == "raise":
                    raise
                if on_error == "return":
                    found[path] = error
            if counts:
                callback.relative_update()
        return found

    def _read_many(self, paths: list[str]) -> Iterator[bytes | None]:
        """The content of each, by directory; None for what ``cat_file`` is to read."""
        for above, group in groupby(paths, parent):
            names = list(group)
            place = self._directory(above) if len(names) > 1 else None
            if place is None:
                yield from [None] * len(names)
            else:
                yield from place.driver.read_each(place.rel, [(base(n), n) for n in names])

    def _directory(self, path: str) -> Place | None:
        try:
            return self._place(path)
        except (OSError, ValueError):
            return None  # each file will say so itself

    def head(self, path: str, size: int = 1024) -> bytes:
        """The first bytes of a file."""
        return self.cat_file(path, end=size)

    def tail(self, path: str, size: int = 1024) -> bytes:
        """The last bytes of a file."""
        return self.cat_file(path, start=-size) if size else b""

    def read_block(
        self, fn: str, offset: int, length: int | None, delimiter: bytes | None = None
    ) -> bytes:
        """A block of bytes that begins and ends at delimiters, as fsspec's."""
        with self._open(fn) as file:
            rest = max(0, file.seek(0, SEEK_END) - offset)
            wanted = rest if length is None else min(length, rest)
            return cast("bytes", read_block(file, offset, wanted, delimiter))

    # Writing

    def pipe(self, path: Any, value: Any = None, **options: Any) -> None:
        """``pipe_file`` of one path, or of each in a dict of contents by path."""
        for each, content in path.items() if isinstance(path, dict) else [(path, value)]:
            self.pipe_file(each, content, **options)

    def pipe_file(self, path: str, value: Any, mode: str = "overwrite", **_: Any) -> None:
        """Replace the file as a whole, making parents; ``create``: only where there is none.

        ``value`` is bytes or what has a buffer of them; text is a ``TypeError``.
        """
        if isinstance(value, str):
            raise TypeError("a bytes-like object is required, not 'str'; encode it")
        self._write(self._place(path), Body(value), exclusive=mode == "create")

    def _write(
        self,
        place: Place,
        content: Body,
        *,
        exclusive: bool = False,
        permissions: int | None = None,
    ) -> None:
        """A whole file, with the directories above it made where they are missing."""
        if not self._intrans and not exclusive:
            transfer.write(place.driver, place.rel, content, permissions)
            return
        draft = self._draft(place, "xb" if exclusive else "wb", permissions)
        try:
            for chunk in content:
                draft.write(chunk)
            draft.close()
            if not self._intrans:
                draft.commit()
        except BaseException:
            draft.discard()
            raise
        if self._intrans:
            self.transaction.files.append(draft)

    def _draft(self, place: Place, mode: str, permissions: int | None) -> PendingFile:
        driver, rel = place.driver, place.rel
        try:
            return driver.draft(rel, mode, permissions=permissions)
        except FileNotFoundError:
            if not transfer.make_parent(driver, rel):
                raise
            return driver.draft(rel, mode, permissions=permissions)

    def touch(self, path: str, truncate: bool = True, **_: Any) -> None:  # noqa: FBT001, FBT002
        """An empty file, with the directories above it; ``truncate=False`` leaves what is there
        and gives it a new time.
        """
        place = self._place(path)
        if self._intrans and (truncate or not self.exists(path)):
            self._write(place, Body(b""))
            return
        driver, rel = place.driver, place.rel
        mode = "wb" if truncate else "xb"
        try:
            driver.open(rel, mode).close()
        except FileNotFoundError:
            if not transfer.make_parent(driver, rel):
                raise
            driver.open(rel, mode).close()
        except FileExistsError:
            driver.touch(rel)
