"""``Storage.fake()``: the disks of a Storage for tests, empty and apart from the machine's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from safefs.config import check_name
from safefs.disk import Disk
from safefs.drivers.local import LocalDriver
from safefs.drivers.locking import LockDirectory
from safefs.drivers.memory import MemoryDriver
from safefs.folders import HOME, NAMES, STATE, TemporaryFolder, check_app
from safefs.policy import Policy
from safefs.secrets.holder import HolderInMemory
from safefs.storage import Opened, Slot, Storage, modes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from safefs.disk import AnyPath
    from safefs.root import Root
    from safefs.secrets.holder import Holder

_LOCKS, _OWN = ".locks", ".own"  # beside the disks, whose names do not begin with a dot
_SHOWN = 20  # names in a message: enough to see a slip, few enough to read


class FakeStorage(Storage):
    """A Storage whose disks are in memory, or in a temporary directory that goes at close.

    The names, rights and modes are those of a real one; nothing is missing and nothing outside is
    looked at. In memory there are no links.
    """

    def __init__(
        self, app: str = "fake", *, memory: bool = True, disks: Iterable[str] = ()
    ) -> None:
        check_app(app)
        if isinstance(disks, str):
            raise TypeError(f"disks is a list of names: disks=[{disks!r}]")
        self._folder = None if memory else TemporaryFolder(app)
        names = dict.fromkeys((*NAMES, *map(check_name, disks)))
        locks = LockDirectory(self._lock_folder)  # of those in memory each has its own
        slots = {name: self._slot_of(name) for name in names}
        self._begin(app, slots, locks, Slot("(apart)", self._open_own))

    def _new_holder(self) -> Holder:
        return HolderInMemory()

    def _open_own(self) -> Opened:
        if self._folder is None:
            disk = Disk._over(MemoryDriver(**modes(STATE)))  # noqa: SLF001
        else:
            self._folder.root.makedirs(_OWN, 0o700, exist_ok=True)
            driver = LocalDriver(self._folder.root.subroot(_OWN), **modes(STATE))
            disk = Disk._over(driver, locks=self._locks)  # noqa: SLF001
        return Opened(disk, disk.close)

    def _lock_folder(self) -> Root:
        assert self._folder is not None
        self._folder.root.makedirs(_LOCKS, 0o700, exist_ok=True)
        return self._folder.root.subroot(_LOCKS)

    def _slot_of(self, name: str) -> Slot:
        def opener() -> Opened:
            locks = None if self._folder is None else self._locks
            disk = FakeDisk._over(self._driver(name), name=name, locks=locks)  # noqa: SLF001
            disk._folder = self._folder  # noqa: SLF001  (it goes with the last who holds it)
            return Opened(disk, disk.close)

        return Slot(
            "(in memory)" if self._folder is None else f"{self._folder.path}/{name}", opener
        )

    def _driver(self, name: str) -> LocalDriver | MemoryDriver:
        hides = name in (HOME, STATE)
        policy = Policy(top_level_dot_entries="refuse") if hides else Policy()
        if self._folder is None:
            return MemoryDriver(policy, **modes(name))
        self._folder.root.makedirs(name, exist_ok=True)
        return LocalDriver(self._folder.root.subroot(name, policy=policy), **modes(name))

    def disk(self, name: str) -> FakeDisk:
        """The disk of this name, which can also be asked what happened to it."""
        return cast("FakeDisk", super().disk(name))

    def __getitem__(self, name: str) -> FakeDisk:
        return self.disk(name)

    def close(self) -> None:
        """Close the disks and remove the temporary directory."""
        super().close()
        if self._folder is not None:
            self._folder.remove()


class FakeDisk(Disk):
    """A disk that can be asked what happened to it. Each question returns the disk."""

    _folder: TemporaryFolder | None = None

    def assert_exists(self, *paths: AnyPath, content: str | bytes | None = None) -> Self:
        """Fail unless each path leads to something, with this content if it is given."""
        __tracebackhide__ = True
        for path in paths:
            if self.missing(path):
                raise AssertionError(f"{_shown(path)} does not exist; {self._what_there_is()}")
            if content is not None:
                self._assert_content(path, content)
        return self

    def _assert_content(self, path: AnyPath, content: str | bytes) -> None:
        __tracebackhide__ = True
        expected = content.encode() if isinstance(content, str) else content
        found = self.get(path)
        if found != expected:
            raise AssertionError(f"{_shown(path)} holds {found!r}, not {expected!r}")

    def assert_missing(self, *paths: AnyPath) -> Self:
        """Fail if any of the paths leads to something."""
        __tracebackhide__ = True
        for path in paths:
            if self.exists(path):
                raise AssertionError(f"{_shown(path)} exists; {self._what_there_is()}")
        return self

    def assert_count(self, path: AnyPath, count: int, *, recursive: bool = False) -> Self:
        """Fail unless a directory holds this many files, with ``recursive`` those beneath too."""
        __tracebackhide__ = True
        found = self.all_files(path) if recursive else self.files(path)
        if len(found) != count:
            raise AssertionError(
                f"{_shown(path)} holds {len(found)} files, not {count}: {_listed(found)}"
            )
        return self

    def _what_there_is(self) -> str:
        found = self.all_files()
        return f"there are: {_listed(found)}" if found else "the disk holds no file"


def _shown(path: AnyPath) -> str:
    return repr(path)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more
