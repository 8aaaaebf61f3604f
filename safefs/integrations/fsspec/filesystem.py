"""``safefs://``: all the disks that this process has registered, by name."""

from __future__ import annotations

from errno import EACCES, ENOENT
from typing import TYPE_CHECKING, Any

from safefs.audit import refused
from safefs.errors import EscapeError, InvalidPathError, UnknownDiskError
from safefs.integrations import registry
from safefs.integrations.fsspec.caches import is_for_a_cache, refuse_caches
from safefs.integrations.fsspec.infos import disk_info, is_a_directory
from safefs.integrations.fsspec.looking import Met
from safefs.integrations.fsspec.place import Place, text_of
from safefs.integrations.fsspec.transfers import Transfers
from safefs.operations.survey import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs.integrations.fsspec.infos import Info
    from safefs.integrations.fsspec.looking import OnError
    from safefs.operations.survey import Describe

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


class SafeFileSystem(Transfers):
    """The disks that this process has registered, under ``safefs://``.

    Besides fsspec's own keywords (which change no right) it takes no argument: ``TypeError``.
    Disks themselves cannot be made, removed or moved here: ``PermissionError``.

    An ``OSError`` names the path as it is known here, ``documents/a.csv``. A file opened to be
    written is written in place, as with fsspec's local file system: others see it half-done, and
    what was there is gone if the writer fails. In a transaction, and by ``pipe``, ``pipe_file``,
    ``put`` and copies, a file is replaced as a whole.
    """

    protocol = "safefs"
    root_marker = ""
    # fsspec tells instances apart by how their arguments print. Ours hold nothing to be told apart
    # by, and that a thread is given the same one again is what makes a transaction include those
    # who open by URL, as pandas does.
    cachable = True

    def __init__(self, **options: Any) -> None:
        """No option says what may be reached: ``Storage.register`` does.

        Those of any file system of fsspec (``use_listings_cache``, ``skip_instance_cache`` and
        their like) are taken and change nothing. Any other is a ``TypeError``.
        """
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
        text = text_of(path).removeprefix(_SCHEME)
        if is_for_a_cache():
            _refuse_a_cache(text)
        if text[-1:] != "/":
            return text
        bare = text.rstrip("/")
        is_disk = bool(bare) and "/" not in bare
        return f"{bare}//" if is_disk and text.startswith(f"{bare}//") else bare

    def _place(self, path: Any) -> Place:
        # What every call goes through; most paths come as they are.
        plain = type(path) is str and path[-1:] != "/" and path[:9] != _SCHEME
        name: str = path if plain else self._strip_protocol(path)
        disk, _, rest = name.partition("/")
        if not disk:
            if not name:
                raise is_a_directory(_SCHEME)
            raise refused(EscapeError(name, None, EscapeError.ABSOLUTE_PATH))
        if ":" in disk:  # file:///etc/passwd and its like
            raise refused(InvalidPathError(name, "this is no path of safefs://"))
        try:
            found = registry.find(disk)
        except UnknownDiskError as error:
            # What fsspec's callers expect of a name that is not there.
            reason = f"{error}; Storage.register offers a disk to this process"
            raise FileNotFoundError(ENOENT, reason, name) from error
        return Place(found, name, rest)

    def _beneath_disk(self, path: Any, done: str) -> Place:
        name = self._name(path)
        if "/" not in name and ":" not in name:  # whether there is such a disk or not
            raise PermissionError(EACCES, f"a disk cannot be {done} through safefs://", name)
        return super()._beneath_disk(path, done)

    # The top, where the disks are; ``_place`` says IsADirectoryError of it, and of nothing else

    def info(self, path: str, **options: Any) -> Info:
        """name, size, type, created, mtime, mode, uid, gid, ino, nlink and islink.

        Of what the path leads to; where a link leads is not told (there is no ``destination``).
        The top of all disks is a directory of which no more is known.
        """
        try:
            return super().info(path, **options)
        except IsADirectoryError:
            return disk_info("")

    def exists(self, path: str, **options: Any) -> bool:
        """Whether the path leads to something; never outside, nor on a disk there is not."""
        try:
            return super().exists(path, **options)
        except IsADirectoryError:
            return True

    def lexists(self, path: str, **options: Any) -> bool:
        """Whether there is such an entry, be it a link that leads nowhere."""
        name = self._name(path)
        return not name or name in registry.names() or super().lexists(path, **options)

    def _type(self, path: str) -> str | None:
        try:
            return super()._type(path)
        except IsADirectoryError:
            return "directory"

    def _levels(
        self,
        path: str,
        depth: int | None,
        description: Callable[[str], Describe] | None,
        on_error: OnError,
    ) -> Iterator[Met]:
        if self._name(path):
            yield from super()._levels(path, depth, description, on_error)
            return
        disks = Level("", list(registry.names()), [], [])
        yield Met("", "", disks, {})
        if depth is not None and depth <= 1:
            return
        deeper = None if depth is None else depth - 1
        for disk in disks.directories:
            yield from super()._levels(disk, deeper, description, on_error)

    def mkdir(self, path: str, create_parents: bool = True, **options: Any) -> None:  # noqa: FBT001, FBT002
        """Make a directory, and those above it; FileExistsError where there is something."""
        if self._is_above_disks(path):
            name = self._name(path)
            raise PermissionError(EACCES, "a disk cannot be made through safefs://", name)
        super().mkdir(path, create_parents, **options)

    def _is_above_disks(self, path: str) -> bool:
        """Whether the path is the top, or on a disk that is not registered."""
        try:
            self._place(path)
        except FileNotFoundError as error:
            return isinstance(error.__cause__, UnknownDiskError)
        except IsADirectoryError:
            return True
        return False


def _refuse_a_cache(name: str) -> None:
    """A cache asks for the name of a path before it opens a file of its own to write to."""
    try:
        disk = registry.find(name.partition("/")[0])
    except (OSError, KeyError, ValueError):
        return  # whatever it is, who comes for the file will be told
    refuse_caches(disk._driver, name)  # noqa: SLF001  (the door goes to the driver itself)
