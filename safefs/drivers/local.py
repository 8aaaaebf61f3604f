"""The Driver protocol on a ``Root``: a directory of this machine."""

from __future__ import annotations

import os
from errno import EEXIST, EINVAL
from functools import partial
from stat import S_IMODE, S_ISREG
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Self, cast

from safefs.drivers.base import Stat, is_absence, kind_of
from safefs.kernel import syscalls
from safefs.operations import (
    attributes,
    drafts,
    files,
    harvesting,
    listing,
    names,
    planting,
    removing,
    replace,
    survey,
    sweeping,
)
from safefs.operations.copytree import Place
from safefs.operations.job import Job
from safefs.paths import RelPath, encode
from safefs.root import Root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from safefs.drivers.locking import Locks
    from safefs.explanation import Explanation, Operation
    from safefs.operations.conditions import Condition
    from safefs.operations.harvesting import Produce
    from safefs.policy import Policy
    from safefs.root import StrOrBytesPath


class LocalDriver:
    """A ``Root`` behind the Driver protocol; the driver owns it and closes it.

    ``file_mode`` is what a new file gets (None: 0666 less the umask), and the most that a copy from
    elsewhere gets. ``directory_mode`` bounds the mode of new directories, those made on the way
    included. ``where`` is what people are shown as its place, and nothing else.
    """

    _disk_name: str | None = None
    encrypts = False
    in_place = True
    locks: Locks | None = None

    def __init__(
        self,
        root: Root,
        *,
        file_mode: int | None = None,
        directory_mode: int = 0o777,
        where: str | None = None,
    ) -> None:
        self._where = where
        self._root = root
        self._file_mode = file_mode
        self._directory_mode = directory_mode

    @classmethod
    def at(
        cls, directory: StrOrBytesPath, *, policy: Policy | None = None, create: bool = False
    ) -> Self:
        """A driver on a directory of this machine, with ``create`` made first where it is missing.

        This is the ambient act: ``directory`` is looked up as any program would, once.
        """
        if create:
            _make_directory(encode(directory)[0])
        return cls(Root(directory, policy=policy), where=os.fsdecode(directory))

    def __repr__(self) -> str:
        if not hasattr(self, "_root"):  # half made, as a traceback may show it
            return f"<{type(self).__name__}>"
        return f"LocalDriver({self._root if self._where is None else self._where!r})"

    @property
    def policy(self) -> Policy:
        return self._root.policy

    def read(self, path: RelPath) -> bytes:
        return self._root.read_bytes(path)

    def read_each(self, directory: RelPath, names: list[tuple[str, str]]) -> Iterator[bytes | None]:
        return files.read_each(self._root._handle, directory, names)  # noqa: SLF001  (one object)

    def open(self, path: RelPath, mode: str, *, permissions: int | None = None) -> BinaryIO:
        most = 0o666 if self._file_mode is None else self._file_mode
        asked = most if permissions is None else most & permissions
        return cast("BinaryIO", self._root.open(path, mode, permissions=asked))

    def open_atomic(
        self,
        path: RelPath,
        mode: files.Mode,
        buffering: int,
        encoding: str | None,
        errors: str | None,
        newline: str | None,
        *,
        durable: bool,
    ) -> IO[Any]:
        return self._root.open(
            path,
            mode.text,
            buffering,
            encoding,
            errors,
            newline,
            atomic=True,
            durable=durable,
            permissions=0o666 if self._file_mode is None else self._file_mode,
        )

    def stat_open(self, file: BinaryIO) -> Stat:
        return _stat(syscalls.fstat(file.fileno()))

    def write(
        self,
        path: RelPath,
        chunks: Iterable[bytes],
        *,
        permissions: int | None = None,
        overwrite: bool = True,
        durable: bool = False,
        preserve: tuple[str, ...] = (),
        condition: Condition | None = None,
    ) -> None:
        mode = self._mode(path, permissions)
        replace.replace_file(
            self._root._handle,  # noqa: SLF001  (one object)
            path,
            chunks,
            durable=durable,
            mode=mode,
            replace=overwrite,
            preserve=preserve,
            condition=condition,
        )

    def draft(
        self, path: RelPath, mode: str, *, permissions: int | None = None, durable: bool = False
    ) -> drafts.DraftFile:
        most = 0o666 if self._file_mode is None else self._file_mode
        asked = most if permissions is None else most & permissions
        handle = self._root._handle  # noqa: SLF001  (one object)
        return drafts.open_draft(handle, path, mode, asked & 0o777, durable=durable)

    def sweep(self, path: RelPath, older_than: float) -> list[str]:
        return sweeping.sweep(self._root._handle, path, older_than)  # noqa: SLF001  (one object)

    def stat(self, path: RelPath) -> Stat:
        return _stat(self._root.stat(path))

    def lstat(self, path: RelPath) -> Stat:
        return _stat(self._root.lstat(path))

    def exists(self, path: RelPath) -> bool:
        return attributes.exists(self._root._handle, path)  # noqa: SLF001  (one object)

    def look(self, path: RelPath) -> tuple[os.stat_result, bool]:
        return attributes.look(self._root._handle, path)  # noqa: SLF001  (one object)

    def scan(self, path: RelPath) -> Iterator[tuple[str, Stat]]:
        with self._root.scandir(path) as entries:
            for entry in entries:
                yield entry.name, _stat(entry.stat())

    def look_into(
        self, path: RelPath, opened: Callable[[int], object] | None = None
    ) -> tuple[Stat, list[tuple[str, Stat]]]:
        with self._root.scandir(path) as entries:
            if opened is not None:
                opened(entries.fileno())
            found = _stat(syscalls.fstat(entries.fileno()))
            return found, [(entry.name, _stat(entry.stat())) for entry in entries]

    def standing(self) -> object:
        return listing.standing(self._root._handle)  # noqa: SLF001  (one object)

    def walk(self, path: RelPath) -> Iterator[tuple[str, list[str], list[str]]]:
        for here, directories, others in self._root.walk(path, onerror=_raise_unless_gone):
            yield "" if here == "." else here, directories, others

    def survey(
        self,
        path: RelPath,
        *,
        depth: int | None = None,
        describe: survey.Describe | None = None,
        onerror: Callable[[OSError], object] | None = None,
    ) -> Iterator[survey.Level]:
        handle = self._root._handle  # noqa: SLF001  (one object)
        return survey.survey(handle, path, depth=depth, describe=describe, onerror=onerror)

    def mkdir(
        self, path: RelPath, mode: int, *, parents: bool, exist_ok: bool, durable: bool = False
    ) -> None:
        most = self._directory_mode
        if parents:
            handle = self._root._handle  # noqa: SLF001  (one object)
            names.makedirs(
                handle, path, mode & most, exist_ok=exist_ok, parents_mode=most, durable=durable
            )
            return
        try:
            self._root.mkdir(path, mode & most)
        except OSError as error:
            if not exist_ok or error.errno not in (EEXIST, EINVAL):
                raise
            if not self._root.is_dir(path):
                raise

    def rmdir(self, path: RelPath) -> None:
        self._root.rmdir(path)

    def remove(self, path: RelPath) -> None:
        self._root.unlink(path)

    def remove_tree(self, path: RelPath, job: Job | None = None) -> None:
        handle = self._root._handle  # noqa: SLF001  (one object)
        removing.remove_tree(handle, path, Job() if job is None else job)

    def place(self, path: RelPath, within: bool = False) -> Place:  # noqa: FBT001, FBT002
        """A path of this driver as one end of a tree that is copied or moved.

        ``within``: from this driver, so that what has come here has its permissions already.
        """
        handle = self._root._handle  # noqa: SLF001  (one object)
        most = None if within else self._file_mode
        directory = 0o777 if within else self._directory_mode
        return Place(handle, path, 0o777 if most is None else most, directory)

    @staticmethod
    def close_top(fd: int) -> None:
        """Close the top of a tree that was opened for a ``place``."""
        syscalls.close(fd)

    def copy(self, source: RelPath, target: RelPath, *, overwrite: bool) -> None:
        self._root.copy(source, target, replace=overwrite)

    def rename(self, source: RelPath, target: RelPath, *, overwrite: bool) -> None:
        self._root.rename(source, target, replace=overwrite)

    def chmod(self, path: RelPath, permissions: Callable[[int], int]) -> None:
        attributes.change_mode(self._root._handle, path, permissions)  # noqa: SLF001  (one object)

    def touch(self, path: RelPath) -> None:
        self._root.utime(path)

    def set_modified(self, path: RelPath, mtime_ns: int) -> None:
        self._root.utime(path, ns=(mtime_ns, mtime_ns))

    def stored_size(self, size: int) -> int:
        return size

    def kept_mode(self, permissions: int, *, directory: bool) -> int:
        most = self._directory_mode if directory else self._file_mode
        return permissions & (0o777 if most is None else most)

    def readlink(self, path: RelPath) -> str:
        return os.fsdecode(self._root.readlink(path))

    def symlink(self, text: str, path: RelPath) -> None:
        self._root.symlink(text, path)

    def bed(self, path: RelPath, *, draft: bool) -> planting.Bed:
        make = planting.DraftBed if draft else planting.bed
        handle = self._root._handle  # noqa: SLF001  (one object)
        return make(handle, path, self._most(), self._directory_mode)

    def harvest(self, path: RelPath) -> Iterator[Produce]:
        return harvesting.harvest(self._root._handle, path)  # noqa: SLF001  (one object)

    def _most(self) -> int:
        return 0o777 if self._file_mode is None else self._file_mode

    def explain(self, path: RelPath, operation: Operation) -> Explanation:
        from safefs.drivers.foretelling import foretell_put  # few programs ask
        from safefs.operations.explaining import explain

        handle = self._root._handle  # noqa: SLF001  (one object)
        if operation == "put":
            return foretell_put(self, path, partial(explain, handle))
        return explain(handle, path, operation)

    def narrowed(self, path: RelPath, policy: Policy | None = None) -> Self:
        self.policy.check(path, writes=False)  # subroot asks only what resolving it asks
        return type(self)(
            self._root.subroot(path, policy=policy),
            file_mode=self._file_mode,
            directory_mode=self._directory_mode,
            where=self._where_beneath(path.text),
        )

    def count_in(self, place: Locks) -> None:
        meters = self._root._handle.meters  # noqa: SLF001  (one object)
        if meters is not None:
            meters.count_in(place)

    def _where_beneath(self, path: str) -> str | None:
        if self._where is None or path in ("", "."):
            return self._where
        return f"{self._where}/{path}"

    def close(self) -> None:
        self._root.close()

    def _mode(self, path: RelPath, permissions: int | None) -> int | None:
        """What ``replace_file`` is told: the mode of what is replaced, or else that of a new file.

        Both are said outright where a new file has a mode of its own, so that a file which goes
        between here and there is not followed by one that everybody may read.
        """
        new = self._file_mode
        if permissions is not None:
            new = permissions & (0o777 if new is None else new)
        if new is None:
            return None
        try:
            found = self._root.lstat(path).st_mode
        except OSError as error:
            # Whatever else is wrong may be over when it is written, and what was private public.
            if not is_absence(error):
                raise
            return new
        return S_IMODE(found) if S_ISREG(found) else new


def _stat(found: os.stat_result) -> Stat:
    identity = (found.st_dev, found.st_ino)
    mode = found.st_mode
    return Stat(kind_of(mode), found.st_size, found.st_mtime_ns, mode, identity)


def _raise_unless_gone(error: OSError) -> None:
    """What cannot be read is an error; what went while its tree was walked is not."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        try:
            raise error
        finally:
            del error  # or it is a cycle, and keeps what its frames have open


def _make_directory(directory: bytes) -> None:
    missing = [directory]
    while True:
        try:
            _mkdir_where_missing(missing[-1])
            break
        except FileNotFoundError:
            above = missing[-1].rstrip(b"/").rpartition(b"/")[0]
            if not above:
                raise
            missing.append(above)
    for below in reversed(missing[:-1]):
        _mkdir_where_missing(below)


def _mkdir_where_missing(directory: bytes) -> None:
    try:
        syscalls.mkdir(directory)
    except FileExistsError:
        pass  # what it is, opening it will say
