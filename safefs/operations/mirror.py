"""One tree made like another: first a plan of every step, then the steps, removals last.

The plan looks and changes nothing: it is the dry run, it is held to the budget, and by it source
and target are known not to lie in each other. Each step acts in one directory, which is opened anew
from the top of its tree without following a link.
"""

from __future__ import annotations

from errno import EINVAL, EISDIR, ENXIO, EXDEV
from os import strerror

from safefs.errors import PolicyError, SafefsError, SealedFileError
from safefs.operations.collisions import collision, collisions
from safefs.operations.job import WholeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from safefs.operations.job import Job
    from safefs.operations.sides import Folder, Info, Side
    from safefs.report import Kind

_PIECE = 1 << 20


class _Step:
    """What is to be done with one name. ``drops``: a directory stands there, and goes."""

    __slots__ = ("drops", "info", "name", "text", "what")

    def __init__(
        self, what: str, name: str, info: Info, *, drops: bool = False, text: str = ""
    ) -> None:
        self.what = what
        self.name = name
        self.info = info
        self.drops = drops
        self.text = text

    @property
    def writes(self) -> bool:
        """Whether the content of a file is to be written."""
        return self.info.kind == "file" and self.what != "update"


def _size(there: Info) -> int | None:
    """None for what stands in the target and cannot be measured: it gives way, whatever it is."""
    try:
        return there.size
    except (OSError, SealedFileError):
        return None


def _read(there: BinaryIO) -> bytes | None:
    """A piece of what stands in the target; None for what is no content."""
    try:
        return there.read(_PIECE)
    except SealedFileError:
        return None


class Plan:
    """The steps of a mirror, by the directory that they are in."""

    __slots__ = (
        "_delete",
        "_job",
        "_source",
        "_target",
        "_there",
        "_touched",
        "infos",
        "removals",
        "steps",
    )

    def __init__(self, source: Side, target: Side, job: Job, *, delete: bool) -> None:
        self._source = source
        self._target = target
        self._job = job
        self._delete = delete
        self.steps: list[tuple[str, list[_Step]]] = []
        self.removals: list[tuple[str, list[tuple[str, Kind]]]] = []
        # Directories that get the source's mode and times in the end: what they are to be.
        self._touched: dict[str, Info] = {}
        self._there: set[object] = set()
        self.infos: dict[str, Info] = {}  # of all that is in the source

    def lies_in(self, identity: object) -> None:
        """That the target, which is missing, would come to lie in this directory."""
        self._there.add((identity, False))

    def make(self, *, exists: bool) -> None:
        """Look at both trees. Raises ``WholeError`` (EINVAL) where one lies in the other.

        ``exists``: whether there is a target yet.
        """
        pending = [("", exists)]
        while pending:
            path, exists = pending.pop()
            try:
                self._folder(path, exists=exists, pending=pending)
            except OSError as error:
                if not path:
                    raise
                self._job.failed(error, path, "directory")

    def _folder(self, path: str, *, exists: bool, pending: list[tuple[str, bool]]) -> None:
        with self._source.folder(path) as old:
            self._meet(old, ours=True)
            entries = old.entries()
            if not exists:
                onward = self._compare(path, old, entries, None, {})
            else:
                with self._target.folder(path) as new:
                    self._meet(new, ours=False)
                    found = new.entries()
                    onward = self._compare(path, old, entries, new, found)
                    self._leave_out(path, entries, found)
        pending.extend(reversed(onward))

    def _meet(self, folder: Folder, *, ours: bool) -> None:
        """Each directory is met once, and by one side."""
        identity = (folder.identity(), ours)
        if identity[0] is None:
            return
        if (identity[0], not ours) in self._there:
            raise WholeError(EINVAL, "source and target lie in each other, or are one")
        self._there.add(identity)

    def _compare(
        self,
        path: str,
        old: Folder,
        entries: dict[str, Info],
        new: Folder | None,
        found: dict[str, Info],
    ) -> list[tuple[str, bool]]:
        prefix = path + "/" if path else ""
        steps: list[_Step] = []
        onward = []
        late = collisions([*found, *sorted(entries)]) if self._target.portable else {}
        for name in sorted(entries):
            info = entries[name]
            where = prefix + name
            self.infos[where] = info
            try:
                self._job.entry(where, where.count("/") + 1)
                if info.kind == "file":
                    self._job.bytes(where, info.size)
                self._target.check(where, info.kind)
                if name in late and name not in found:
                    raise collision(where, late[name])
                step = self._step(where, old, new, name, info, found.get(name))
                if step is not None and step.writes:
                    self._target.check_size(where, info.size)
            except OSError as error:
                self._fail(error, where, info.kind)
                continue
            if step is not None:
                steps.append(step)
            if info.kind == "directory":
                there = found.get(name)
                onward.append((where, there is not None and there.kind == "directory"))
        if steps:
            self.steps.append((path, steps))
        return onward

    def _fail(self, error: OSError, path: str, kind: Kind) -> None:
        """What is left out for what it is, and not by a failure, is no reason to remove nothing."""
        try:
            self._job.failed(error, path, kind)
            if error.errno == ENXIO or (isinstance(error, PolicyError) and error.errno != EXDEV):
                self._job.excused += 1
        finally:
            del error  # or it is a cycle, and keeps what its frames have open

    def _step(
        self,
        where: str,
        old: Folder,
        new: Folder | None,
        name: str,
        info: Info,
        there: Info | None,
    ) -> _Step | None:
        """What is to be done, if anything."""
        if info.kind == "directory":
            self._touched[where] = info
            if there is None or there.kind != "directory":
                return _Step("create" if there is None else "replace", name, info)
            return _Step("update", name, info) if self._unlike(info, there) else None
        text = old.link_text(name) if info.kind == "symlink" else ""
        if there is None:
            return _Step("create", name, info, text=text)
        if there.kind == "directory":
            if not self._delete:
                raise OSError(EISDIR, f"{strerror(EISDIR)}, which gives way only with delete")
            return _Step("replace", name, info, drops=True, text=text)
        if there.kind != info.kind:
            return _Step("replace", name, info, text=text)
        if info.kind == "symlink":
            assert new is not None
            return None if new.link_text(name) == text else _Step("replace", name, info, text=text)
        if self._differs(old, new, name, info, there):
            return _Step("replace", name, info)
        return _Step("update", name, info) if self._unlike(info, there) else None

    def _unlike(self, info: Info, there: Info) -> bool:
        return there.mode != self._target.kept(info) or there.mtime_ns != info.mtime_ns

    def _differs(self, old: Folder, new: Folder | None, name: str, info: Info, there: Info) -> bool:
        if info.size != _size(there):
            return True
        if not self._job.checksum:
            return info.mtime_ns != there.mtime_ns
        assert new is not None
        try:
            mine = new.open(name)[0]
        except SealedFileError:
            return True
        except SafefsError:
            raise
        except PermissionError:
            return True  # whatever it holds, what takes its place holds what the source does
        with mine as other, old.open(name)[0] as one:
            while True:
                piece = one.read(_PIECE)
                if piece != _read(other):
                    return True
                if not piece:
                    return False

    def _leave_out(self, path: str, entries: dict[str, Info], found: dict[str, Info]) -> None:
        if not self._delete:
            return
        gone: list[tuple[str, Kind]] = [
            (name, found[name].kind) for name in sorted(found) if name not in entries
        ]
        if gone:
            self.removals.append((path, gone))
            for name, kind in gone:
                if kind == "directory":
                    self._meet_all(f"{path}/{name}" if path else name)

    def _meet_all(self, path: str) -> None:
        """What is to be removed must not be, or hold, the source."""
        pending = [path]
        while pending:
            path = pending.pop()
            with self._target.folder(path) as folder:
                self._meet(folder, ours=False)
                entries = folder.entries()
            pending.extend(f"{path}/{n}" for n, each in entries.items() if each.kind == "directory")

    def touched(self) -> list[tuple[str, Info]]:
        """The directories that were made or worked in, deepest first."""
        worked = {path for path, _ in (*self.steps, *self.removals)}
        made = {
            f"{path}/{step.name}" if path else step.name
            for path, steps in self.steps
            for step in steps
            if step.info.kind == "directory"
        }
        wanted = [(path, self._touched[path]) for path in worked | made if path in self._touched]
        return sorted(wanted, key=lambda each: -each[0].count("/"))


class Mirror:
    """Carries out a plan."""

    __slots__ = ("_job", "_plan", "_source", "_target")

    def __init__(self, source: Side, target: Side, job: Job, *, delete: bool) -> None:
        self._source = source
        self._target = target
        self._job = job
        self._plan = Plan(source, target, job, delete=delete)

    @property
    def infos(self) -> dict[str, Info]:
        """What there was in the source, by its path, and has been copied by now."""
        return self._plan.infos

    @property
    def empties(self) -> bool:
        """Whether nothing would be left in the target."""
        return not self._plan.infos and bool(self._plan.removals)

    def lies_in(self, identity: object) -> None:
        """That the target, which is missing, would come to lie in this directory."""
        self._plan.lies_in(identity)

    def plan(self, *, exists: bool) -> None:
        """Look at both trees, and change nothing."""
        self._plan.make(exists=exists)

    def into(self, target: Side) -> None:
        """That the target is there now, and is this one."""
        self._target = target

    def run(self) -> None:
        """Do what was planned, or in a dry run tell of it."""
        self._job.total(*self._totals())
        if self._job.dry_run:
            self._rehearse()
            return
        for path, steps in self._plan.steps:
            self._carry_out(path, [step for step in steps if not step.drops])
        # Whatever goes for good goes when all the rest has come.
        if len(self._job.skipped) == self._job.excused:
            for path, steps in self._plan.steps:
                self._carry_out(path, [step for step in steps if step.drops])
            for path, names in self._plan.removals:
                self._remove(path, names)
        for path, info in self._plan.touched():
            self._settle(path, info)

    def _totals(self) -> tuple[int, int]:
        steps = [step for _, steps in self._plan.steps for step in steps]
        removals = sum(len(names) for _, names in self._plan.removals)
        size = sum(step.info.size for step in steps if step.writes)
        return len(steps) + removals, size

    def _rehearse(self) -> None:
        job = self._job
        for drops in (False, True):
            for path, steps in self._plan.steps:
                for step in steps:
                    if step.drops == drops:
                        self._done(path, step, step.info.size)
            if len(job.skipped) != job.excused:
                return
        for path, names in self._plan.removals:
            for name, kind in names:
                job.done("remove", _join(path, name), kind)

    def _done(self, path: str, step: _Step, size: int) -> None:
        where = _join(path, step.name)
        self._job.done(step.what, where, step.info.kind, size if step.writes else 0)  # type: ignore[arg-type]

    def _carry_out(self, path: str, steps: list[_Step]) -> None:
        if not steps or path in self._job.lost:
            return
        try:
            with self._source.folder(path) as old, self._target.folder(path) as new:
                if any(step.what != "update" for step in steps):
                    new.open_up()
                for step in steps:
                    try:
                        size = self._act(path, old, new, step)
                    except OSError as error:
                        self._lose(error, _join(path, step.name), step.info.kind)
                        continue
                    self._done(path, step, size)
        except OSError as error:
            if isinstance(error, WholeError) or not path or not self._job.goes_on:
                raise
            self._lose(error, path, "directory")

    def _lose(self, error: OSError, path: str, kind: Kind) -> None:
        try:
            self._job.failed(error, path, kind)
            if kind == "directory":
                self._job.lost.add(path)
        finally:
            del error  # or it is a cycle, and keeps what its frames have open

    def _act(self, path: str, old: Folder, new: Folder, step: _Step) -> int:
        name, info, replaces = step.name, step.info, step.what == "replace"
        if step.what == "update":
            if info.kind == "file":
                new.settle(name, info)
            return 0  # of a directory, in the end
        if info.kind == "directory":
            new.make_directory(name, replaces=replaces)
            return 0
        if info.kind == "symlink":
            new.make_link(name, step.text, info, replaces=replaces, drops=step.drops)
            return 0
        file, fresh = old.open(name)
        with file:
            self._plan.infos[_join(path, name)] = fresh
            tell = self._job.teller(_join(path, name), info.size, fresh.size)
            return new.put(name, file, fresh, tell, drops=step.drops)

    def _remove(self, path: str, names: list[tuple[str, Kind]]) -> None:
        with self._target.folder(path) as folder:
            folder.open_up()
            for name, kind in names:
                where = _join(path, name)
                try:
                    folder.remove(name, kind)
                except FileNotFoundError:
                    pass
                except OSError as error:
                    self._job.failed(error, where, kind)
                    continue
                self._job.done("remove", where, kind)

    def _settle(self, path: str, info: Info) -> None:
        try:
            with self._target.folder(path) as folder:
                folder.settle(None, info)
        except OSError as error:
            if path not in self._job.lost:
                self._job.failed(error, path, "directory")


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name
