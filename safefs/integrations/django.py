"""``SafeStorage``: a disk as a storage of Django, for ``STORAGES`` and for a ``FileField``.

    STORAGES = {
        "default": {
            "BACKEND": "safefs.integrations.django.SafeStorage",
            "OPTIONS": {"disk": "uploads"},
        },
        ...
    }

``uploads`` is what the project has registered, ``Storage.register("uploads")``, by the time the
first file is asked for: in the settings, or in an ``AppConfig.ready``.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from functools import cached_property
from io import SEEK_END
from operator import itemgetter
from secrets import token_hex
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

try:
    from django.conf import settings
except ModuleNotFoundError as error:
    if error.name != "django":
        raise
    raise ModuleNotFoundError(
        "SafeStorage needs Django, which the extra 'django' of safefs brings", name="django"
    ) from error
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files import File
from django.core.files.storage import Storage
from django.utils.deconstruct import deconstructible

from safefs.disk import Disk
from safefs.diskpath import DiskPath, whereabouts
from safefs.drivers.base import Stat, is_absence
from safefs.errors import EscapeError, InvalidPathError, PolicyError, UnknownDiskError
from safefs.integrations import registry
from safefs.paths import RelPath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from safefs.policy import Policy

    Name = str | os.PathLike[str]


_DISK_IS = """disk is the name of a registered disk, as in OPTIONS = {"disk": "uploads"}"""


@deconstructible(path="safefs.integrations.django.SafeStorage")
class SafeStorage(Storage):  # type: ignore[misc]  # Django is not typed
    """The files of one disk, through the whole of Django's storage contract but ``path``.

    ``disk`` is the name under which a disk is registered in this process (``Storage.register``). It
    is looked up at each use, so a storage can be made, deconstructed and pickled before there is
    such a disk; at use that is ``ImproperlyConfigured``. A ``Disk`` itself will do where no
    migration has to write it down: in tests, or from a callable that a ``FileField`` is given.

    The other options are those of ``FileSystemStorage`` and fall back to the same settings, but
    ``base_url=""`` says that the files have no URL.

    A name that leaves the disk, by ``..``, as an absolute path or through a link that someone
    planted, is ``SuspiciousFileOperation``, which Django answers with 400 and reports to
    ``django.security``; so is text that is no path, and what the disk's policy refuses of a name. A
    disk that is read-only remains ``PolicyError``, a ``PermissionError``.

    What is saved takes its name when it is complete, and never that of another file unless
    ``allow_overwrite``: readers see all of it or nothing, and a source that fails leaves nothing.
    """

    _is_door = True  # for safefs.audit

    def __init__(
        self,
        disk: str | Disk | None = None,
        base_url: str | None = None,
        file_permissions_mode: int | None = None,
        directory_permissions_mode: int | None = None,
        allow_overwrite: bool = False,  # noqa: FBT001, FBT002  (FileSystemStorage's signature)
        **others: Any,
    ) -> None:
        """``disk`` is required; the others are for URLs, permissions and names that are taken.

        ``base_url``: where the files are served (``MEDIA_URL``); ``""``: nowhere.
        ``file_permissions_mode``, ``directory_permissions_mode``: of what is made
        (``FILE_UPLOAD_PERMISSIONS``, ``FILE_UPLOAD_DIRECTORY_PERMISSIONS``). ``allow_overwrite``:
        what is saved replaces what has its name. Raises ``TypeError`` for any other option, such as
        ``location``, and without a disk.
        """
        if others:
            raise TypeError(f"SafeStorage takes no {', '.join(sorted(others))}; {_DISK_IS}")
        if not isinstance(disk, str | Disk):
            raise TypeError(f"{_DISK_IS}, not {type(disk).__name__}")
        self._disk = disk
        self._base_url = base_url
        self._file_permissions_mode = file_permissions_mode
        self._directory_permissions_mode = directory_permissions_mode
        self._allow_overwrite = allow_overwrite

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on {self._disk!r}>"

    @property
    def disk(self) -> Disk:
        """The disk, opened if it was not. Raises ``ImproperlyConfigured`` where there is none."""
        if isinstance(self._disk, Disk):
            return self._disk
        try:
            return registry.find(self._disk)
        except UnknownDiskError as error:
            raise ImproperlyConfigured(
                f"{error}; offer it with Storage.register, in the settings or in AppConfig.ready"
            ) from error

    @property
    def base_url(self) -> str | None:
        """Where the files are served, with a slash behind it; None where they are not."""
        base: str | None = settings.MEDIA_URL if self._base_url is None else self._base_url
        return base if not base or base.endswith("/") else f"{base}/"

    @property
    def file_permissions_mode(self) -> int | None:
        """The permissions of what is saved, as far as the disk lets them be; None: the disk's."""
        mode = self._file_permissions_mode
        return cast("int | None", settings.FILE_UPLOAD_PERMISSIONS if mode is None else mode)

    @property
    def directory_permissions_mode(self) -> int | None:
        """The permissions of directories that are made on the way; None: the disk's."""
        given, default = (
            self._directory_permissions_mode,
            settings.FILE_UPLOAD_DIRECTORY_PERMISSIONS,
        )
        return cast("int | None", default if given is None else given)

    # Opening and saving

    def _open(self, name: Name, mode: str = "rb") -> DiskFile:
        with _reported():
            return DiskFile(self._path(name).open(mode), os.fspath(name), self)

    def _save(self, name: Name, content: Any) -> str:
        with _reported():
            path = self._path(name)
            self._make_directories(path.parent)
            _, driver, _ = whereabouts(path)
            if _takes_its_name_at_once(driver.policy):
                return self._write(path, content)
            # As every draft, so that ``Disk.sweep`` knows it.
            draft = path.with_name(f".safefs-{token_hex(8)}.tmp")
            complete, mode = whereabouts(draft)[2], self.file_permissions_mode
            # The content is asked for once: not every source can be read again for another name.
            driver.write(complete, _chunks(content), permissions=mode)
            try:
                return self._publish(draft, path).as_posix()
            except BaseException:
                with suppress(OSError):
                    draft.unlink()
                raise

    def _write(self, path: DiskPath, content: Any) -> str:
        """Where a draft may have no name of its own: if that of the file is taken meanwhile, the
        content is read once more for the next one free, from where it can be.
        """
        while True:
            _, driver, complete = whereabouts(path)
            try:
                driver.write(
                    complete,
                    _chunks(content),
                    permissions=self.file_permissions_mode,
                    overwrite=self._allow_overwrite,
                )
            except FileExistsError:
                if self._allow_overwrite or not content.seekable():
                    raise
                path = self._path(self.get_available_name(path.as_posix()))
            else:
                return path.as_posix()

    def _publish(self, draft: DiskPath, path: DiskPath) -> DiskPath:
        """Give the draft its name; if another upload took that meanwhile, the next one free."""
        _, driver, complete = whereabouts(draft)
        while True:
            try:
                driver.rename(complete, whereabouts(path)[2], overwrite=self._allow_overwrite)
            except FileExistsError:
                if self._allow_overwrite:
                    raise
                path = self._path(self.get_available_name(path.as_posix()))
            else:
                return path

    def _make_directories(self, directory: DiskPath) -> None:
        mode = self.directory_permissions_mode
        if mode is None:
            directory.mkdir(parents=True, exist_ok=True)
            return
        for each in reversed([directory, *directory.parents][:-1]):
            try:
                each.mkdir()
            except FileExistsError:
                continue  # what it is, the next step will say
            _, driver, where = whereabouts(each)
            driver.chmod(where, _always(mode))

    def is_name_available(self, name: str, max_length: int | None = None) -> bool:
        """Whether a file can be saved under this name and no other."""
        if self._allow_overwrite:
            return not (max_length and len(name) > max_length)
        return cast("bool", super().is_name_available(name, max_length=max_length))

    def get_alternative_name(self, file_root: str, file_ext: str) -> str:
        """Another name for a file whose own is taken."""
        if self._allow_overwrite:
            return f"{file_root}{file_ext}"
        return cast("str", super().get_alternative_name(file_root, file_ext))

    # Looking and removing

    def exists(self, name: Name) -> bool:
        """Whether the name is taken, be it by a link that leads nowhere or outside."""
        with _reported():
            path = self._path(name)
            try:
                path.lstat()
            except OSError as error:
                if is_absence(error) and not isinstance(error, _REFUSALS):
                    return False
                raise
            return True

    def delete(self, name: Name) -> None:
        """Remove a file, an empty directory, or a link itself; what is missing is no error."""
        if not name:
            raise ValueError("The name must be given to delete().")
        with _reported():
            path = self._path(name)
            try:
                path.unlink()
            except FileNotFoundError:
                pass
            except IsADirectoryError:
                path.rmdir()

    def listdir(self, path: Name) -> tuple[list[str], list[str]]:
        """(names of directories, names of files), sorted.

        A link inside counts as what it leads to; one that leads nowhere or outside is in no list.
        """
        with _reported():
            here = self._path(path)
            _, driver, where = whereabouts(here)
            kinds = {
                name: found.kind if found.kind != "symlink" else _leads_to(here / name)
                for name, found in sorted(driver.scan(where), key=itemgetter(0))
            }
            directories = [name for name, kind in kinds.items() if kind == "directory"]
            return directories, [name for name, kind in kinds.items() if kind == "file"]

    def size(self, name: Name) -> int:
        """The bytes of a file; ``IsADirectoryError`` for a directory."""
        with _reported():
            return self.disk.size(self._path(name))

    def url(self, name: str | None) -> str:
        """Where a browser finds the file: the base, and the name in one piece. Looks at nothing."""
        base = self.base_url
        if not base:
            raise ValueError("This file is not accessible via a URL.")
        with _reported():
            where = RelPath.parse("" if name is None else name)
        if b".." in where.names:
            raise SuspiciousFileOperation(f"Detected path traversal attempt in {name!r}")
        # Django's own way turns a backslash into a slash, and "..\\x" into a way up.
        return base + quote(where.raw, safe="/~!*()'")

    # Times

    def get_modified_time(self, name: Name) -> datetime:
        """When the content was last changed; aware with USE_TZ, else naive and local."""
        with _reported():
            return _as_configured(self._path(name).stat().modified)

    def get_accessed_time(self, name: Name) -> datetime:
        """When the content was last read, as far as the mount keeps count."""
        return self._time(name, lambda found: found.st_atime_ns)

    def get_created_time(self, name: Name) -> datetime:
        """When the file's inode was last changed, as ``FileSystemStorage`` has it on Unix."""
        return self._time(name, lambda found: found.st_ctime_ns)

    def _time(self, name: Name, nanoseconds: Callable[[os.stat_result], int]) -> datetime:
        with _reported():
            _, driver, where = whereabouts(self._path(name))
            found, _ = driver.look(where)
        # A Stat has a datetime for any time, also for one that somebody has set to nonsense.
        return _as_configured(Stat("file", 0, nanoseconds(found), 0).modified)

    def _path(self, name: Name) -> DiskPath:
        return self.disk / name


class DiskFile(File):  # type: ignore[misc]  # Django is not typed
    """An open file of a storage; closed, it is opened again, and measured, through that storage.

    Django's own would look for its name in the working directory.
    """

    def __init__(self, file: Any, name: str, storage: SafeStorage) -> None:
        super().__init__(file, name)
        self._storage = storage

    def open(self, mode: str | None = None, *_: Any, **__: Any) -> DiskFile:
        """From the beginning, again."""
        if self.closed:
            with _reported():
                self.file = self._storage.disk.open(self.name, mode or self.mode)
        else:
            self.seek(0)
        return self

    @cached_property
    def size(self) -> int:
        """The bytes of the file, with what has been written to it so far."""
        if self.closed:
            return self._storage.size(self.name)
        here = self.file.tell()
        size: int = self.file.seek(0, SEEK_END)
        self.file.seek(here)
        return size


_REFUSALS = (EscapeError, PolicyError)
_NOT_OF_NAMES = ("read_only", "same_filesystem", "max_file_size", "quota_bytes", "quota_files")


def _takes_its_name_at_once(policy: Policy) -> bool:
    """Whether a draft may have no name that is ours, or is to be measured by its own."""
    sized = policy.counts or policy.max_file_size is not None
    return policy.append_only or policy.rules is not None or sized


@contextmanager
def _reported() -> Iterator[None]:
    """What a hostile name meets, in the word that Django knows: 400 instead of 500."""
    try:
        yield
    except (EscapeError, InvalidPathError) as error:
        raise SuspiciousFileOperation(str(error)) from error
    except PolicyError as error:
        if error.rule in _NOT_OF_NAMES:
            raise
        raise SuspiciousFileOperation(str(error)) from error


def _chunks(content: Any) -> Iterator[bytes]:
    for chunk in content.chunks():
        yield chunk.encode() if isinstance(chunk, str) else chunk


def _leads_to(link: DiskPath) -> str | None:
    """What a link counts as; None where it leads nowhere that counts."""
    return "directory" if link.is_dir() else "file" if link.is_file() else None


def _always(mode: int) -> Callable[[int], int]:
    return lambda _: mode


def _as_configured(moment: datetime) -> datetime:
    """Aware, or naive and in the zone of the settings, which Django makes the process's own."""
    if settings.USE_TZ:
        return moment
    try:
        return moment.astimezone().replace(tzinfo=None)
    except OverflowError:  # the first and the last day that there is
        return moment.replace(tzinfo=None)
