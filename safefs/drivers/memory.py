"""A tree in memory behind the Driver protocol: for tests, and for what need not be kept.

It answers as a POSIX file system would, errno by errno, so that what passes here passes on disk. It
has no links, no owners and no permission checks: a mode is remembered and never enforced.
"""

from __future__ import annotations

import io
import os
import threading
from dataclasses import dataclass, field
from errno import (
    EEXIST,
    EINVAL,
    EISDIR,
    ENAMETOOLONG,
    ENOENT,
    ENOTDIR,
    ENOTEMPTY,
    ENOTSUP,
)
from itertools import count
from stat import S_IFDIR, S_IFREG, S_IMODE
from time import time_ns
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Self, cast

from safefs.audit import refused, rule_of
from safefs.drivers.base import Stat, is_absence, kind_of
from safefs.drivers.fileobjects import binary, published
from safefs.drivers.locking import LockMemory
from safefs.drivers.planting import DriverBed, harvested
from safefs.drivers.tally import Tally
from safefs.errors import EscapeError, PolicyError, SameFileError
from safefs.operations.collisions import colliding, collision
from safefs.operations.conditions import algorithm_of
from safefs.operations.parent import Blame
from safefs.operations.replace import is_temporary
from safefs.operations.survey import Level
from safefs.paths import RelPath, made_and_left, settled
from safefs.policy import Policy
from safefs.rules import DENIED, HOLDS, PASSABLE, WOULD_HOLD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed import ReadableBuffer, WriteableBuffer

    from safefs.drivers.locking import Locks
    from safefs.explanation import Explanation, Operation, PathStep, StepKind
    from safefs.operations.conditions import Condition
    from safefs.operations.files import Mode
    from safefs.operations.harvesting import Produce
    from safefs.operations.job import Job
    from safefs.operations.survey import Describe

_NAME_MAX = 255  # bytes, as on every common file system
_PATH_MAX = 4096  # bytes with the closing NUL, as on Linux
_SET_ID = 0o7000  # not carried over to a copy
_UMASK = 0o022  # a tree in memory has no process to ask; this is what most have
_serial = count(1)
_process = os.urandom(8)  # no file of another process is one of ours, but for those of a fork


@dataclass(slots=True, eq=False)
class _Node:
    mode: int
    mtime_ns: int = field(default_factory=time_ns)
    serial: int = field(default_factory=lambda: next(_serial))

    def stat(self, size: int) -> Stat:
        identity = ("memory", _process, self.serial)
        return Stat(kind_of(self.mode), size, self.mtime_ns, self.mode, identity)

    def chmod(self, permissions: int) -> None:
        self.mode = self.mode & ~0o7777 | permissions & 0o7777

    def touch(self) -> None:
        self.mtime_ns = time_ns()


@dataclass(slots=True, eq=False)
class _File(_Node):
    data: bytearray = field(default_factory=bytearray)


@dataclass(slots=True, eq=False)
class _Directory(_Node):
    parent: _Directory | None = None
    name: bytes = b""
    entries: dict[bytes, _Node] = field(default_factory=dict)
    removed: bool = False

    def add(self, name: bytes, node: _Node) -> None:
        self.entries[name] = node
        if isinstance(node, _Directory):
            node.parent = self
            node.name = name
        self.touch()

    def drop(self, name: bytes) -> None:
        node = self.entries.pop(name)
        if isinstance(node, _Directory):
            node.removed = True
        self.touch()

    def clear(self) -> None:
        """Empty the whole tree, bottom up; directories held elsewhere learn that they are gone."""
        pending = [self]
        while pending:
            directory = pending.pop()
            pending.extend(n for n in directory.entries.values() if isinstance(n, _Directory))
            for name in list(directory.entries):
                directory.drop(name)

    def is_beneath(self, other: _Node) -> bool:
        here: _Directory | None = self
        while here is not None and here is not other:
            here = here.parent
        return here is other


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a path ends: a directory, and the one name in it that the operation is about."""

    path: RelPath
    directory: _Directory
    name: bytes
    slash: bool  # the path ends in one, and so demands a directory

    @property
    def node(self) -> _Node | None:
        """What stands under the name; as late as the kernel looks, a name may be too long."""
        if len(self.name) > _NAME_MAX:
            raise _error(ENAMETOOLONG, self.path)
        return self.directory.entries.get(self.name)


def _compare(condition: Condition | None, place: _Place) -> None:
    if condition is None:
        return
    algorithm, node = algorithm_of(condition.expected), place.node
    found = None if node is None else _stat(node).etag
    if algorithm is not None and isinstance(node, _File):
        found = condition.digest_of(io.BytesIO(node.data), algorithm)
    condition.compare(place.path, found)


class MemoryDriver:
    """A tree in memory, shared by all drivers narrowed from it. Thread-safe.

    A new file has mode 0644 and a new directory 0755, unless the disk was made with others. After
    a fork the child has a copy of its own; a fork in the middle of another thread's call leaves the
    copy locked, as any lock would be.
    """

    _disk_name: str | None = None
    encrypts = False
    in_place = True

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        file_mode: int | None = None,
        directory_mode: int = 0o777,
    ) -> None:
        self.policy = Policy() if policy is None else policy
        self._asked_mode = file_mode
        self._file_mode = 0o666 & ~_UMASK if file_mode is None else file_mode
        self._most = 0o777 if file_mode is None else file_mode
        self._directory_mode = directory_mode
        self._root = _Directory(S_IFDIR | 0o777 & ~_UMASK & directory_mode)
        self._lock = threading.RLock()
        self.locks: Locks | None = LockMemory()
        self._closed = False
        self._tally = Tally(_count_files, lambda file: len(file.data))
        self._quotas = Tally.with_own((), self._root, self.policy)

    def __repr__(self) -> str:
        return "MemoryDriver()"

    def read(self, path: RelPath) -> bytes:
        with self._lock:
            return bytes(self._file(path).data)

    def read_each(
        self,
        directory: RelPath,  # noqa: ARG002  (a name costs nothing here)
        names: list[tuple[str, str]],
    ) -> Iterator[bytes | None]:
        return iter([None] * len(names))

    def open(self, path: RelPath, mode: str, *, permissions: int | None = None) -> BinaryIO:
        action = _action(mode)
        with self._lock:
            if action == "r":
                node = self._file(path, writes="+" in mode)
            else:
                most = self._file_mode if permissions is None else self._file_mode & permissions
                node = self._created(path, most, action)
            if action == "w":
                node.data.clear()
                node.touch()
        return self._opened(path, node, mode, self._kept(path, mode))

    def _opened(
        self,
        path: RelPath,
        node: _File,
        mode: str,
        kept: Callable[[], PolicyError] | None = None,
    ) -> BinaryIO:
        raw = _RawFile(node, mode, self._lock, lambda end: self._grow(path, node, end), kept)
        if "+" in mode:
            return io.BufferedRandom(raw)
        return io.BufferedReader(raw) if "r" in mode else io.BufferedWriter(raw)

    def _grow(self, path: RelPath, node: _File, end: int) -> None:
        """Refuse to let a file reach so far."""
        if end <= len(node.data):
            return
        self.policy.check_size(path.shown, end)
        if self._quotas:
            with self._lock:
                self._tally.check(path.shown, self._quotas, self._tally.growth(node, end))

    def _begin(self, place: _Place, node: _File) -> None:
        """That a file is written which is to take this name."""
        old = place.node
        if self._quotas:
            self._tally.check(place.path.shown, self._quotas, 0, old is None)
            self._tally.begin(self._quotas, node, _size(old), replaces=old is not None)

    def _take(self, place: _Place, node: _File) -> None:
        """Give it that name, whatever has it by now."""
        if self._quotas:
            self._tally.end(node)
            more, new = _size(node) - _size(place.node), place.node is None
            self._tally.check(place.path.shown, self._quotas, more, new)
        place.directory.add(place.name, node)

    def open_atomic(
        self,
        path: RelPath,
        mode: Mode,
        buffering: int,
        encoding: str | None,
        errors: str | None,
        newline: str | None,
        *,
        durable: bool,
    ) -> IO[Any]:
        draft = self.draft(path, binary(mode), durable=durable)
        return published(draft, mode, buffering, encoding, errors, newline)

    def stat_open(self, file: BinaryIO) -> Stat:
        with self._lock:
            return _stat(cast("_RawFile", cast("io.BufferedReader", file).raw).node)

    def write(
        self,
        path: RelPath,
        chunks: Iterable[bytes],
        *,
        permissions: int | None = None,
        overwrite: bool = True,
        durable: bool = False,  # noqa: ARG002  (a tree in memory survives nothing)
        preserve: tuple[str, ...] = (),  # noqa: ARG002  (no owners, no attributes)
        condition: Condition | None = None,
    ) -> None:
        node = _File(S_IFREG)
        with self._lock:
            place = self._replaceable(path, overwrite=overwrite)
            _compare(condition, place)
            self._begin(place, node)
        try:
            for chunk in chunks:
                self._grow(path, node, len(node.data) + len(chunk))
                node.data += chunk
            self._put(path, node, permissions, condition, overwrite=overwrite)
        finally:
            self._end(node)

    def _end(self, node: _File) -> None:
        with self._lock:
            self._tally.end(node)

    def _put(
        self,
        path: RelPath,
        node: _File,
        permissions: int | None,
        condition: Condition | None,
        *,
        overwrite: bool,
    ) -> None:
        with self._lock:
            place = self._replaceable(path, overwrite=overwrite)
            old = place.node
            _compare(condition, place)
            kept = self._permissions(permissions) if old is None else old.mode & 0o777
            node.chmod(kept)
            node.touch()
            self._take(place, node)

    def draft(
        self,
        path: RelPath,
        mode: str,
        *,
        permissions: int | None = None,
        durable: bool = False,  # noqa: ARG002  (a tree in memory survives nothing)
    ) -> MemoryDraft:
        action = _action(mode)
        with self._lock:
            place = self._replaceable(path, overwrite=action != "x")
            old = place.node
            if action == "r" and old is None:
                raise _error(ENOENT, path)
            kept = self._permissions(permissions) if old is None else old.mode & 0o777
            content = old.data if isinstance(old, _File) and action in ("a", "r") else b""
            node = _File(S_IFREG | kept)
            self._begin(place, node)
            try:
                self._grow(path, node, len(content))
            except PolicyError:
                self._end(node)
                raise
            node.data += content
        return MemoryDraft(self, path, node, mode)

    def _publish(self, path: RelPath, node: _File, *, exclusive: bool) -> None:
        with self._lock:
            self._take(self._replaceable(path, overwrite=not exclusive), node)

    def sweep(self, path: RelPath, older_than: float) -> list[str]:
        """A draft here goes with its writer; what somebody has put under such a name does not."""
        before = time_ns() - int(older_than * 1e9) if older_than > 0 else None
        with self._lock:
            self.policy.check(path, writes=True)
            start = self._directory(path)
            here = "/".join(os.fsdecode(name) for name in path.names if name != b".")
            removed: list[str] = []
            pending = [(f"{here}/" if here else "", start)]
            while pending:
                prefix, directory = pending.pop()
                for name, node in list(directory.entries.items()):
                    text = os.fsdecode(name)
                    if is_temporary(text):
                        if before is None or node.mtime_ns <= before:
                            _drop(directory, name, node)
                            removed.append(prefix + text)
                    elif isinstance(node, _Directory) and not self._hides(directory, name, node):
                        pending.append((f"{prefix}{text}/", node))
        return removed

    def stat(self, path: RelPath) -> Stat:
        with self._lock:
            return _stat(self._permitted(path))

    def lstat(self, path: RelPath) -> Stat:
        return self.stat(path)

    def exists(self, path: RelPath) -> bool:
        try:
            self.stat(path)
        except FileNotFoundError:
            return False
        return True

    def look(self, path: RelPath) -> tuple[os.stat_result, bool]:
        with self._lock:
            return _stat_result(self._permitted(path)), False

    def scan(self, path: RelPath) -> Iterator[tuple[str, Stat]]:
        with self._lock:
            directory = self._directory(path)
            if directory.removed:
                raise _error(ENOENT, path)
            return iter([(os.fsdecode(name), _stat(n)) for name, n in self._visible(directory)])

    def look_into(
        self,
        path: RelPath,
        opened: Callable[[int], object] | None = None,  # noqa: ARG002  (there is no descriptor)
    ) -> tuple[Stat, list[tuple[str, Stat]]]:
        with self._lock:
            return self.stat(path), list(self.scan(path))

    def standing(self) -> object:
        with self._lock:
            self._check_open()
            return None if self._root.removed else self._root.serial

    def survey(
        self,
        path: RelPath,
        *,
        depth: int | None = None,
        describe: Describe | None = None,
        onerror: Callable[[OSError], object] | None = None,  # noqa: ARG002  (nothing fails here)
    ) -> Iterator[Level]:
        with self._lock:
            start = self._directory(path)
        pending = [("", start, 1)]
        while pending:
            here, directory, level = pending.pop()
            with self._lock:
                self._check_open()  # also by the time that somebody asks for the next
                nodes = {os.fsdecode(name): node for name, node in self._visible(directory)}
                stats = [(name, _stat_result(node)) for name, node in nodes.items()]
            if describe is None:
                names = sorted(n for n, node in nodes.items() if isinstance(node, _Directory))
                yield Level(here, names, sorted(nodes.keys() - set(names)), [])
            else:
                names, _, found = describe(here, stats)
                yield Level(here, names, [], [], found)
            if depth is not None and level >= depth:
                continue
            for name in reversed([RelPath.one_name(name).text for name in names]):
                node = nodes.get(name)
                if isinstance(node, _Directory):
                    pending.append((f"{here}/{name}" if here else name, node, level + 1))

    def walk(self, path: RelPath) -> Iterator[tuple[str, list[str], list[str]]]:
        with self._lock:
            start = self._directory(path)
        here = "/".join(os.fsdecode(name) for name in path.names if name != b".")
        pending = [(here, start)]
        while pending:
            here, directory = pending.pop()
            with self._lock:
                self._check_open()
                nodes = {os.fsdecode(name): node for name, node in self._visible(directory)}
            names = sorted(n for n, node in nodes.items() if isinstance(node, _Directory))
            yield here, names, sorted(nodes.keys() - set(names))
            # Read after the yield: whoever walks may leave names out, as with os.walk.
            for name in reversed([RelPath.one_name(name).text for name in names]):
                node = nodes.get(name)
                if isinstance(node, _Directory):
                    pending.append((f"{here}/{name}" if here else name, node))

    def mkdir(
        self,
        path: RelPath,
        mode: int,
        *,
        parents: bool,
        exist_ok: bool,
        durable: bool = False,  # noqa: ARG002  (a tree in memory survives nothing)
    ) -> None:
        with self._lock:
            self._check_open()
            if parents:
                self.policy.check(path, writes=True, adds=True)
                if self._is_directory(path) and not exist_ok:
                    raise _error(EEXIST, path)
                self._check_above(path)
                self._make_above(path, exist_ok=exist_ok)
            try:
                self._mkdir(path, mode)
            except OSError as error:
                # EINVAL is a path that ends in dots: above it everything has been made.
                if error.errno not in (EEXIST, EINVAL) or not self._shows_directory(path):
                    raise
                if not exist_ok:
                    raise _error(EEXIST, path) if parents else error from None

    def rmdir(self, path: RelPath) -> None:
        with self._lock:
            place, node = self._existing(path)
            if not isinstance(node, _Directory):
                raise _error(ENOTDIR, path)
            if node.entries:
                raise _error(ENOTEMPTY, path)
            place.directory.drop(place.name)

    def _removable(self, path: RelPath) -> _Place:
        place, node = self._existing(path)
        if isinstance(node, _Directory):
            raise _error(EISDIR, path)
        return place

    def remove(self, path: RelPath) -> None:
        with self._lock:
            place = self._removable(path)
            place.directory.drop(place.name)

    def remove_tree(self, path: RelPath, job: Job | None = None) -> None:
        with self._lock:
            place, node = self._removable_tree(path)
            if job is not None:
                if job.surveys:
                    rehearsal = job.rehearsal()
                    _count(node, rehearsal)
                    job.expect(rehearsal)
                _count(node, job)
                if job.dry_run:
                    return
            _drop(place.directory, place.name, node)

    def _removable_tree(self, path: RelPath) -> tuple[_Place, _Directory]:
        place, node = self._existing(path)
        if not isinstance(node, _Directory):
            raise _error(ENOTDIR, path)
        self._refuse_denied(node, path)
        return place, node

    def copy(self, source: RelPath, target: RelPath, *, overwrite: bool) -> None:
        with self._lock, Blame(source, target):
            original = self._file(source)
            place = self._file_place(target)
            if place.node is not None and not overwrite:
                raise _error(EEXIST, source, target)
            if place.node is not None and self.policy.append_only:
                raise self.policy.no_change(target)
            if isinstance(place.node, _Directory):
                raise _error(EISDIR, source, target)
            if place.node is original:
                raise SameFileError(source.shown, target.shown)
            copy = _File(original.mode & ~_SET_ID)
            self.policy.check_size(target.shown, len(original.data))
            copy.data += original.data
            self._take(place, copy)

    def rename(self, source: RelPath, target: RelPath, *, overwrite: bool) -> None:
        with self._lock, Blame(source, target):
            old = self._place(source)
            new = self._place(target, makes=True, directories=True, collides=False)
            if old.slash or new.slash:
                _demand_directory(_demanded(old, source, target), source, target)
            if self.policy.portable_names:
                besides = old.name if old.directory is new.directory else b""
                self._refuse_collision(new.directory, new.name, target, besides=besides)
            node = _demanded(old, source, target)
            self._refuse_denied(node, source, self._where(new.directory, new.name))
            if not isinstance(node, _Directory):
                self._refuse_child(new, target)
            problem = _cannot_rename(old, node, new, overwrite=overwrite)
            if problem:
                raise _error(problem, source, target)
            if new.node is node:
                return
            if new.node is not None:
                new.directory.drop(new.name)
            del old.directory.entries[old.name]
            old.directory.touch()
            new.directory.add(new.name, node)

    def chmod(self, path: RelPath, permissions: Callable[[int], int]) -> None:
        with self._lock:
            node = self._changed(path)
            node.chmod(permissions(S_IMODE(node.mode)))

    def touch(self, path: RelPath) -> None:
        with self._lock:
            self._changed(path).touch()

    def set_modified(self, path: RelPath, mtime_ns: int) -> None:
        with self._lock:
            self._changed(path).mtime_ns = mtime_ns

    def stored_size(self, size: int) -> int:
        return size

    def kept_mode(self, permissions: int, *, directory: bool) -> int:
        return permissions & (self._directory_mode if directory else self._most)

    def readlink(self, path: RelPath) -> str:
        with self._lock:
            self._permitted(path)
        raise _error(EINVAL, path)

    def symlink(self, text: str, path: RelPath) -> None:  # noqa: ARG002  (no text makes a link)
        with self._lock:
            self._place(path, adds=True)
        raise _error(ENOTSUP, path)

    def bed(self, path: RelPath, *, draft: bool) -> DriverBed:
        if not draft:
            self.mkdir(path, 0o777, parents=True, exist_ok=True)
            return DriverBed(self.narrowed(path))
        with self._lock:
            self._check_open()
            self.policy.check(path, writes=True, adds=True)
            there, new = settled(path.names, lambda names: self._is_entry(names, path))
            if not isinstance(self._walked(there, path), _Directory):
                raise _error(ENOTDIR, path)
            top = RelPath(b"/".join([*there, *new]) or b".", path.shown)
        self._check_above(top)
        policy = self.policy.beneath(path, b"/".join(n for n in top.names if n != b"."))
        mode = S_IFDIR | 0o777 & ~_UMASK & self._directory_mode
        tree = _Directory(mode)
        twin = self._over(tree, policy)
        self._tally.graft(self._quotas, tree)
        return DriverBed(
            twin,
            check=lambda: self._check_graft(top, tree),
            publish=lambda: self._graft(top, tree),
        )

    def _check_graft(self, top: RelPath, tree: _Directory) -> None:
        with self._lock:
            self._check_open()
            if not self._is_entry(top.names, top):
                return
            for name in tree.entries:
                if name in self._directory(top).entries:
                    raise FileExistsError(EEXIST, os.strerror(EEXIST), os.fsdecode(name))
                if self._hides(self._directory(top), name, tree.entries[name]):
                    raise self._refusal(self._directory(top), name, os.fsdecode(name))

    def _graft(self, top: RelPath, tree: _Directory) -> None:
        """What has grown beside takes its place, in one step for all who look."""
        with self._lock:
            self._check_graft(top, tree)
            self.mkdir(top, 0o777, parents=True, exist_ok=True)
            directory = self._directory(top)
            for name, node in tree.entries.items():
                directory.add(name, node)
            self._tally.grafted(tree)

    def harvest(self, path: RelPath) -> Iterator[Produce]:
        return harvested(self, path)

    def narrowed(self, path: RelPath, policy: Policy | None = None) -> Self:
        with self._lock:
            self._check_open()
            directory = self._directory(path)
            kept = self.policy.beneath(path, self._where(directory))
            kept = kept if policy is None else kept.narrowed(policy)
            return self._over(directory, kept, own=policy)

    def _over(self, directory: _Directory, policy: Policy, own: Policy | None = None) -> Self:
        twin = type(self)(policy, file_mode=self._asked_mode, directory_mode=self._directory_mode)
        twin._root = directory  # noqa: SLF001  (its own class)
        twin._lock = self._lock  # noqa: SLF001  (its own class)
        twin.locks = self.locks
        twin._tally = self._tally  # noqa: SLF001  (its own class)
        twin._quotas = Tally.with_own(self._quotas, directory, own)  # noqa: SLF001
        return twin

    def explain(self, path: RelPath, operation: Operation) -> Explanation:
        from safefs.drivers.foretelling import foretell_put  # few programs ask

        if operation == "put":
            return foretell_put(self, path, self._explain)
        return self._explain(path, operation)

    def _explain(self, path: RelPath, operation: Operation) -> Explanation:
        from safefs.operations.explaining import explained

        with self._lock:
            self._check_open()
            steps = tuple(self._way(path))
            try:
                self._rehearse(path, operation)
            except OSError as error:
                return explained(path.shown, operation, error, steps)
            if steps and steps[-1].kind == "missing":
                steps = tuple(self._way_made(path))
        place = (steps[-1].place or "") if steps else ""
        return explained(path.shown, operation, None, steps, place)

    def _rehearse(self, path: RelPath, operation: Operation) -> None:
        """Raise what the operation would."""
        if operation == "read":
            self._file(path)
        elif operation == "list":
            if self._directory(path).removed:
                raise _error(ENOENT, path)
        elif operation == "remove":
            self._removable(path)
        elif operation == "remove_tree":
            self._removable_tree(path)
        elif operation == "put":
            self._replaceable(path)
        elif operation == "make_directory":
            self._look_to_make(path)
        else:
            self._openable(path, {"write": "w", "append": "a", "create": "x"}[operation])

    def _way_made(self, path: RelPath) -> Iterator[PathStep]:
        """The way to what is missing, and is to be made."""
        from safefs.explanation import PathStep

        there, new = settled(path.names, lambda names: self._is_entry(names, path))
        place = ""
        for step in self._way(RelPath(b"/".join(there) or b".", path.shown)):
            place = step.place or ""
            yield step
        for name in map(os.fsdecode, new):
            place = f"{place}/{name}" if place else name
            yield PathStep(name, "missing", place)

    def _look_to_make(self, path: RelPath) -> None:
        """What ``mkdir`` with its parents asks before it makes the first of them."""
        self.policy.check(path, writes=True, adds=True)
        if self._is_directory(path):
            return
        self._check_above(path)
        names = path.names
        first = self._first_missing(names[:-1], path)
        self._look_ahead(path, exist_ok=True)
        made = RelPath(b"/".join(names[: first + 1]), path.shown)
        if self._place(made, adds=True, directories=True).directory.removed:
            raise _error(ENOENT, path)

    def _way(self, path: RelPath) -> Iterator[PathStep]:
        from safefs.explanation import PathStep
        from safefs.operations.explaining import missed

        node: _Node = self._root
        where: list[bytes] = []
        for name in path.names:
            if name == b".":
                continue
            try:
                node = self._step(node, name, path)
            except OSError as error:
                yield PathStep(os.fsdecode(name), missed(error), rule=rule_of(error))
                return
            where = where[:-1] if name == b".." else [*where, name]
            kind: StepKind = "directory" if isinstance(node, _Directory) else "file"
            yield PathStep(os.fsdecode(name), kind, os.fsdecode(b"/".join(where)))

    def count_in(self, place: Locks) -> None:
        """Nothing: nobody else has it."""

    def close(self) -> None:
        self._closed = True
        self._tally.grafted(self._root)

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("operation on a closed MemoryDriver")

    def _step(self, directory: _Node, name: bytes, path: RelPath) -> _Node:
        if not isinstance(directory, _Directory):
            raise _error(ENOTDIR, path)
        if name == b".":
            return directory
        if name == b"..":
            if directory is self._root or directory.parent is None:
                raise refused(EscapeError(path.shown, path.decode(name), EscapeError.ABOVE_ROOT))
            return directory.parent
        self._check_hidden(directory, name, path)
        if len(name) > _NAME_MAX:
            raise _error(ENAMETOOLONG, path)
        try:
            return directory.entries[name]
        except KeyError:
            raise _error(ENOENT, path) from None

    def _check_hidden(
        self,
        directory: _Directory,
        name: bytes,
        path: RelPath,
        *,
        makes: bool = False,
        directories: bool = False,
    ) -> None:
        """``makes``: it may be made; ``directories``: and would be a directory."""
        rules = self.policy.rules
        if rules is None:
            return
        node = directory.entries.get(name)
        verdict = rules.verdict(self._where(directory, name))
        if verdict == PASSABLE and not directories and len(name) > _NAME_MAX:
            raise _error(ENAMETOOLONG, path)
        if node is None and not makes and verdict != DENIED:
            if verdict == PASSABLE:
                raise _error(ENOENT, path)
            return  # it is missing, as whoever looks will find
        is_directory = directories or isinstance(node, _Directory)
        if not rules.denies(self._where(directory, name), directory=is_directory):
            return
        error = self._refusal(directory, name, path.shown)
        if rules.missing and not makes:
            raise _error(ENOENT, path)
        raise error

    def _check_above(self, path: RelPath) -> None:
        """Refuse directories that would be made on the way, and at its end, before any is."""
        rules = self.policy.rules
        if rules is None:
            return
        leads: Callable[[list[bytes]], bool] = lambda names: self._is_entry(names, path)  # noqa: E731
        there, new = settled(path.names, leads)
        ways = [(there, new[:end]) for end in range(1, len(new) + 1)]
        for names, made in [*made_and_left(path.names, leads), *ways]:
            base = self._walked(names, path)
            if isinstance(base, _Directory):
                place = self._where(base, *made)
                if rules.denies(place, directory=True):
                    raise rules.refusal(place, path.shown)

    def _refuse_denied(self, node: _Node, path: RelPath, place: bytes | None = None) -> None:
        """Refuse to remove a directory that holds what is denied, or to put it at such a place."""
        rules = self.policy.rules
        if rules is None or not isinstance(node, _Directory):
            return
        pending = [(node, b"")]
        while pending:
            directory, above = pending.pop()
            for name, each in directory.entries.items():
                beneath = above + b"/" + name if above else name
                is_directory = isinstance(each, _Directory)
                places = [(self._where(directory, name), HOLDS)]
                places += [] if place is None else [(place + b"/" + beneath, WOULD_HOLD)]
                for where, why in places:
                    if rules.denies(where, directory=is_directory):
                        raise rules.refusal(where, path.shown, within=why)
                if isinstance(each, _Directory):
                    pending.append((each, beneath))

    def _refuse_child(self, place: _Place, path: RelPath) -> None:
        """Refuse a file that is to be made there, where a directory may be."""
        rules = self.policy.rules
        where = self._where(place.directory, place.name)
        if rules is not None and rules.denies(where, directory=False):
            raise rules.refusal(where, path.shown)

    def _refusal(self, directory: _Directory, name: bytes, shown: str | bytes) -> PolicyError:
        assert self.policy.rules is not None  # it has refused
        return self.policy.rules.refusal(self._where(directory, name), shown)

    def _where(self, directory: _Directory, *names: bytes) -> bytes:
        """The path of an entry from this driver's root; only where the rules of names are asked."""
        if self.policy.rules is None:
            return b""
        above = []
        here: _Directory | None = directory
        while here is not None and here is not self._root:
            above.append(here.name)
            here = here.parent
        return b"/".join([*reversed(above), *names])

    def _walked(self, names: list[bytes], path: RelPath) -> _Node:
        self._check_open()
        if len(path.raw) >= _PATH_MAX:
            raise _error(ENAMETOOLONG, path)
        node: _Node = self._root
        for name in names:
            node = self._step(node, name, path)
        return node

    def _find(self, path: RelPath) -> _Node:
        node = self._walked(path.names, path)
        if path.raw.endswith(b"/") and not isinstance(node, _Directory):
            raise _error(ENOTDIR, path)
        return node

    def _permitted(self, path: RelPath, *, writes: bool = False) -> _Node:
        """What the path leads to, where the policy has nothing against it."""
        self._check_open()
        self.policy.check(path, writes=writes)
        return self._find(path)

    def _changed(self, path: RelPath) -> _Node:
        node = self._find(path)
        self.policy.check(path, writes=True)
        rules = self.policy.rules
        if rules is not None and isinstance(node, _Directory):
            place = self._where(node)
            if rules.verdict(place) == PASSABLE:
                raise rules.refusal(place, path.shown)
        return node

    def _file(self, path: RelPath, *, writes: bool = False) -> _File:
        node = self._permitted(path, writes=writes)
        if not isinstance(node, _File):
            raise _error(EISDIR, path)
        return node

    def _directory(self, path: RelPath) -> _Directory:
        node = self._permitted(path)
        if not isinstance(node, _Directory):
            raise _error(ENOTDIR, path)
        return node

    def _visible(self, directory: _Directory) -> list[tuple[bytes, _Node]]:
        """What a listing shows: no temporary name, as on disk, though none is made here."""
        entries = list(directory.entries.items())
        if self.policy.rules is not None:
            entries = [(n, node) for n, node in entries if not self._hides(directory, n, node)]
        return [
            (name, node)
            for name, node in entries
            if name[:1] != b"." or not is_temporary(os.fsdecode(name))
        ]

    def _hides(self, directory: _Directory, name: bytes, node: _Node) -> bool:
        rules = self.policy.rules
        is_directory = isinstance(node, _Directory)
        return rules is not None and rules.denies(
            self._where(directory, name), directory=is_directory
        )

    def _place(
        self,
        path: RelPath,
        *,
        adds: bool = False,
        makes: bool | None = None,
        directories: bool = False,
        collides: bool = True,
    ) -> _Place:
        before, name, slash = path.split()
        if name in (b"", b".", b".."):
            self._walked(path.names, path)  # what escapes or is missing says so first
            raise _error(EINVAL, path)
        directory = self._walked([part for part in before.split(b"/") if part], path)
        if not isinstance(directory, _Directory):
            raise _error(ENOTDIR, path)
        self.policy.check(path, writes=True, adds=adds)
        makes = adds if makes is None else makes
        if makes and self.policy.portable_names and collides:
            self._refuse_collision(directory, name, path)
        self._check_hidden(directory, name, path, makes=makes, directories=directories)
        return _Place(path, directory, name, slash)

    def _refuse_collision(
        self, directory: _Directory, name: bytes, path: RelPath, *, besides: bytes = b""
    ) -> None:
        if name in directory.entries:
            return
        others = (os.fsdecode(each) for each in directory.entries if each != besides)
        other = colliding(os.fsdecode(name), others)
        if other is not None:
            raise collision(path.shown, other)

    def _existing(self, path: RelPath) -> tuple[_Place, _Node]:
        place = self._place(path)
        return place, _demanded(place, path)

    def _file_place(self, path: RelPath) -> _Place:
        """Where a file may be put; that it stands free, or holds no directory, is not asked."""
        try:
            place = self._place(path, adds=True)
        except OSError as error:
            if error.errno != EINVAL:
                raise
            raise _error(EISDIR, path) from None  # '.' and its kin are directories
        if place.slash:
            raise _error(EISDIR, path)
        if place.directory.removed:
            raise _error(ENOENT, path)
        return place

    def _kept(self, path: RelPath, mode: str) -> Callable[[], PolicyError] | None:
        """What is raised, where the content of a file that is opened like this may not be cut."""
        if self.policy.append_only and "a" in mode:
            return lambda: self.policy.no_change(path)
        return None

    def _replaceable(
        self, path: RelPath, *, overwrite: bool = True, replaces: bool = True
    ) -> _Place:
        place = self._file_place(path)
        if place.node is not None and not overwrite:
            raise _error(EEXIST, path)
        if replaces and place.node is not None and self.policy.append_only:
            raise self.policy.no_change(path)
        if isinstance(place.node, _Directory):
            raise _error(EISDIR, path)
        return place

    def _openable(self, path: RelPath, action: str) -> _Place:
        self._check_open()
        self.policy.check(path, writes=True, adds=True)
        if action == "x" and self._is_taken(path):
            raise _error(EEXIST, path)
        return self._replaceable(path, replaces=action == "w")

    def _created(self, path: RelPath, permissions: int, action: str) -> _File:
        place = self._openable(path, action)
        if place.node is None:
            self._take(place, _File(S_IFREG | permissions))
        return cast("_File", place.node)

    def _is_taken(self, path: RelPath) -> bool:
        _, name, _ = path.split()
        if name in (b"", b".", b".."):
            return self._find(path) is not None
        return self._file_place(path).node is not None

    def _permissions(self, asked: int | None) -> int:
        return self._file_mode if asked is None else asked & self._most

    def _mkdir(self, path: RelPath, mode: int) -> None:
        place = self._place(path, adds=True, directories=True)
        if place.directory.removed:
            raise _error(ENOENT, path)
        if place.node is not None:
            raise _error(EEXIST, path)
        permissions = mode & ~_UMASK & self._directory_mode
        place.directory.add(place.name, _Directory(S_IFDIR | permissions))

    def _shows_directory(self, path: RelPath) -> bool:
        """As ``Root.is_dir``: what the policy refuses is not there."""
        try:
            return isinstance(self._permitted(path), _Directory)
        except OSError as error:
            if is_absence(error):
                return False
            raise

    def _is_directory(self, path: RelPath) -> bool:
        try:
            return isinstance(self._find(path), _Directory)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _make_above(self, path: RelPath, *, exist_ok: bool) -> None:
        names = path.names
        first = self._first_missing(names[:-1], path)
        if first < len(names) - 1:
            self._look_ahead(path, exist_ok=exist_ok)
        for end in range(first + 1, len(names)):
            above = RelPath(b"/".join(names[:end]), path.shown)
            if names[end - 1] not in (b".", b".."):
                self._mkdir_if_missing(above)

    def _look_ahead(self, path: RelPath, *, exist_ok: bool) -> None:
        there, new = settled(path.names, lambda names: self._is_entry(names, path))
        found = self._walked(there, path)
        if not new and not (exist_ok and isinstance(found, _Directory)):
            raise _error(EEXIST, path)

    def _is_entry(self, names: list[bytes], path: RelPath) -> bool:
        try:
            self._walked(names, path)
        except FileNotFoundError:
            return False
        return True

    def _first_missing(self, names: list[bytes], path: RelPath) -> int:
        for end in range(1, len(names) + 1):
            try:
                self._walked(names[:end], path)
            except FileNotFoundError:
                return end - 1
        return len(names)

    def _mkdir_if_missing(self, path: RelPath) -> None:
        try:
            self._find(path)
        except FileNotFoundError:
            try:
                self._mkdir(path, 0o777)
            except FileExistsError:
                pass  # a file that is hidden: the next step says that it is missing


def _drop(directory: _Directory, name: bytes, node: _Node) -> None:
    """With all beneath it."""
    if isinstance(node, _Directory):
        node.clear()
    directory.drop(name)


def _count(top: _Directory, job: Job) -> None:
    """Tell of each entry beneath a directory, in the order in which a tree is removed."""
    pending = [("", sorted(top.entries.items()))]
    while pending:
        prefix, entries = pending[-1]
        if not entries:
            pending.pop()
            if pending:
                job.done("remove", prefix[:-1], "directory")
            continue
        name, node = entries.pop()
        path = prefix + os.fsdecode(name)
        job.entry(path, len(pending))
        if isinstance(node, _Directory):
            pending.append((path + "/", sorted(node.entries.items())))
        else:
            job.bytes(path, len(node.data) if isinstance(node, _File) else 0)
            job.done("remove", path, "file")


def _demanded(place: _Place, path: RelPath, other: RelPath | None = None) -> _Node:
    node = place.node
    if node is None:
        raise _error(ENOENT, path, other)
    if place.slash and not isinstance(node, _Directory):
        raise _error(ENOTDIR, path, other)
    return node


def _demand_directory(node: _Node, path: RelPath, other: RelPath) -> None:
    if not isinstance(node, _Directory):
        raise _error(ENOTDIR, path, other)


def _cannot_rename(old: _Place, node: _Node, new: _Place, *, overwrite: bool) -> int | None:
    """The errno for which rename(2) refuses, asked in the kernel's order."""
    if new.slash and not _is_directory(node):
        return ENOTDIR
    if new.slash and new.node is not None and not _is_directory(new.node):
        return ENOTDIR
    if new.directory.removed:
        return ENOENT
    if new.node is not None and not overwrite:
        return EEXIST
    if _is_directory(node) and new.directory.is_beneath(node):
        return EINVAL
    if new.node is not None and old.directory.is_beneath(new.node):
        return ENOTEMPTY
    return _cannot_replace(new.node, node)


def _is_directory(node: _Node) -> bool:
    return isinstance(node, _Directory)


def _cannot_replace(old: _Node | None, node: _Node) -> int | None:
    if old is None or old is node:
        return None
    if not isinstance(old, _Directory):
        return ENOTDIR if _is_directory(node) else None
    if not _is_directory(node):
        return EISDIR
    return ENOTEMPTY if old.entries else None


def _error(code: int, path: RelPath, other: RelPath | None = None) -> OSError:
    message = os.strerror(code)
    if other is None:
        return OSError(code, message, path.shown)
    return OSError(code, message, path.shown, None, other.shown)


def _stat(node: _Node) -> Stat:
    return node.stat(len(node.data) if isinstance(node, _File) else 0)


def _stat_result(node: _Node) -> os.stat_result:
    """As ``os.stat`` gives it, of a file that nobody owns on a device that is none."""
    ns = node.mtime_ns
    size = len(node.data) if isinstance(node, _File) else 0
    whole, exact = (ns // 10**9,) * 3, (ns / 1e9,) * 3
    return os.stat_result((node.mode, node.serial, 0, 1, 0, 0, size, *whole, *exact, ns, ns, ns))


def _size(node: _Node | None) -> int:
    return len(node.data) if isinstance(node, _File) else 0


def _count_files(top: _Directory) -> tuple[int, int]:
    """(the bytes of all files, their number) beneath a directory."""
    size = names = 0
    pending = [top]
    while pending:
        for node in pending.pop().entries.values():
            if isinstance(node, _Directory):
                pending.append(node)
            else:
                size += _size(node)
                names += 1
    return size, names


def _action(mode: str) -> str:
    action = mode.replace("b", "", 1).replace("+", "", 1)
    if action not in ("r", "w", "a", "x") or "b" not in mode:
        raise ValueError(f"invalid mode: {mode!r}")
    return action


class MemoryDraft:
    """A file that is no entry of the tree before ``commit``; see ``Driver.draft``."""

    def __init__(self, driver: MemoryDriver, path: RelPath, node: _File, mode: str) -> None:
        self._driver = driver
        self._path = path
        self._node: _File | None = node
        self._exclusive = "x" in mode
        self._file = driver._opened(path, node, mode)  # noqa: SLF001  (its own module)

    def __getattr__(self, name: str) -> Any:
        if name == "_file":
            raise AttributeError(name)  # __init__ did not get as far
        return getattr(self._file, name)

    def commit(self) -> None:
        """Close, and give the file its name; on any error nothing has changed."""
        node = self._node
        if node is None:
            raise ValueError("this file has been committed or discarded")
        try:
            self._file.close()
            publish = self._driver._publish  # noqa: SLF001  (its own module)
            publish(self._path, node, exclusive=self._exclusive)
        finally:
            self._node = None
            self._driver._end(node)  # noqa: SLF001  (its own module)

    def discard(self) -> None:
        """Close, and drop what was written; harmless after ``commit``."""
        node, self._node = self._node, None
        if node is not None:
            self._driver._end(node)  # noqa: SLF001  (its own module)
        try:
            self._file.close()
        except PolicyError:
            pass  # a flush into what is thrown away anyway

    def __del__(self) -> None:
        try:
            self.discard()
        except AttributeError:
            pass  # __init__ did not get as far

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._file)


class _RawFile(io.RawIOBase):
    """An open file of the tree; it lives on when its name is removed."""

    def __init__(
        self,
        node: _File,
        mode: str,
        lock: threading.RLock,
        grow: Callable[[int], None],
        kept: Callable[[], PolicyError] | None,
    ) -> None:
        self.node = node
        self._grow = grow
        self._kept = kept
        self._lock = lock
        self._position = len(node.data) if "a" in mode else 0
        self.mode = mode

    def readable(self) -> bool:
        return "r" in self.mode or "+" in self.mode

    def writable(self) -> bool:
        return "r" not in self.mode or "+" in self.mode

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        self._check(reads=True)
        view = memoryview(buffer).cast("B")
        with self._lock:
            chunk = self.node.data[self._position : self._position + len(view)]
            self._position += len(chunk)
        view[: len(chunk)] = chunk
        return len(chunk)

    def write(self, buffer: ReadableBuffer, /) -> int:
        self._check(writes=True)
        chunk = memoryview(buffer).tobytes()
        with self._lock:
            data = self.node.data
            start = len(data) if "a" in self.mode else self._position
            if chunk:
                self._grow(start + len(chunk))
                data.extend(bytes(max(0, start - len(data))))
                data[start : start + len(chunk)] = chunk
                self.node.touch()
            self._position = start + len(chunk)
        return len(chunk)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._check()
        with self._lock:
            start = {0: 0, 1: self._position, 2: len(self.node.data)}
            if whence not in start:
                raise ValueError(f"invalid whence: {whence!r}")
            if start[whence] + offset < 0:
                raise OSError(EINVAL, os.strerror(EINVAL))
            self._position = start[whence] + offset
            return self._position

    def tell(self) -> int:
        self._check()
        return self._position

    def truncate(self, size: int | None = None, /) -> int:
        self._check(writes=True)
        with self._lock:
            data, length = self.node.data, self._position if size is None else size
            if length < 0:
                raise OSError(EINVAL, os.strerror(EINVAL))
            if self._kept is not None and length < len(data):
                raise self._kept()
            self._grow(length)
            del data[length:]
            data.extend(bytes(length - len(data)))
            self.node.touch()
            return length

    def _check(self, *, reads: bool = False, writes: bool = False) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if (reads and not self.readable()) or (writes and not self.writable()):
            raise io.UnsupportedOperation("not readable" if reads else "not writable")
