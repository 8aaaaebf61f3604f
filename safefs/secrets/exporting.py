"""A tree without what must not travel: looked at whole, then written to a draft, then published.

Everything that can stop an export is found before anything is written: the environment files are
read and written anew in memory. What is written afterwards is what was looked at, or nothing.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from errno import EEXIST, EINVAL, ENOTEMPTY, ESTALE
from functools import partial
from typing import TYPE_CHECKING

from safefs.archive.packing import EPOCH, format_of, packed
from safefs.budget import Spending, checked
from safefs.disk import Disk
from safefs.diskpath import DiskPath, whereabouts
from safefs.drivers import transfer
from safefs.drivers.content import CHUNK, Body
from safefs.drivers.local import LocalDriver
from safefs.drivers.observed import Whole
from safefs.drivers.transfer import End
from safefs.errors import SafefsError
from safefs.operations.harvesting import Produce
from safefs.operations.parent import Blame
from safefs.paths import RelPath, encode
from safefs.progress import Meter
from safefs.secrets.exportreport import ExportReport, LeftOut, Rewritten
from safefs.secrets.redaction import Redaction, redact_together
from safefs.secrets.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from typing import BinaryIO

    from safefs.archive.members import Place
    from safefs.archive.packing import Format, Writer
    from safefs.budget import Budget
    from safefs.drivers.base import Driver, Stat
    from safefs.progress import Listener
    from safefs.root import StrOrBytesPath
    from safefs.secrets.redaction import Redacted

_TOP = RelPath(b".", ".")
_MODES = 0o777  # set-id bits are nothing to take along
_OWNER = 0o700
_MOST_LINKS = 40  # as Linux follows


@dataclass(slots=True)
class _Entry:
    """One entry of the tree. ``content`` is what a file is written anew as."""

    path: str
    found: Stat
    target: str = ""
    content: bytes | None = field(default=None, repr=False)

    @property
    def at(self) -> RelPath:
        return RelPath(os.fsencode(self.path), self.path) if self.path else _TOP

    @property
    def size(self) -> int:
        if self.found.kind != "file":
            return 0
        return self.found.size if self.content is None else len(self.content)


def export(
    source: End,
    destination: Disk | DiskPath | StrOrBytesPath,
    *,
    redact: Iterable[str],
    keep: Iterable[str] | None,
    exclude: Iterable[str],
    include: Iterable[str],
    env_files: Iterable[str],
    budget: Budget | None,
    progress: Listener | None,
    dry_run: bool,
) -> ExportReport:
    """See ``Disk.export``."""
    rules = Redaction(redact, keep)
    selection = Selection(exclude, include, env_files)
    meter, spending = Meter(progress), Spending(checked(budget))
    with ExitStack() as held:
        there = _end(destination, held)
        with Whole((source.driver, source.path, False), (there.driver, there.path, True)):
            there.driver.policy.check(there.path, writes=True, adds=True)
            word = _refuse_taken(there)
            with Blame(source.path):
                tree = held.enter_context(closing(source.driver.narrowed(source.path)))
            around = {each.identity for each in transfer.above(there)}
            plan = _Plan(tree, selection, rules, spending, around)
            plan.make()
            if not dry_run:
                copying = _Copying(plan, meter)
                if word is None:
                    copying.to_bed(there)
                else:
                    copying.to_archive(there, word)
            return plan.report()


# Where it goes


def _end(destination: Disk | DiskPath | StrOrBytesPath, held: ExitStack) -> End:
    if isinstance(destination, Disk):
        destination = destination / ""
    if isinstance(destination, DiskPath):
        return End(*whereabouts(destination)[1:])
    return _ambient(destination, held)


def _ambient(destination: StrOrBytesPath, held: ExitStack) -> End:
    """A place of this machine: the directory, or what exists above it, is looked up once."""
    raw, shown = encode(destination)
    at, names = raw, list[bytes]()
    while True:
        try:
            driver = LocalDriver.at(at or b".")
            break
        except (FileNotFoundError, NotADirectoryError):
            bare = at.rstrip(b"/")
            name = bare.rpartition(b"/")[2]
            if not name:
                raise
            names.insert(0, name)
            at = bare[: -len(name)]
    held.callback(driver.close)
    return End(driver, RelPath(b"/".join(names) or b".", shown))


def _refuse_taken(there: End) -> Format | None:
    """The format where it is to be an archive; FileExistsError and ENOTEMPTY for what is there."""
    try:
        found = there.driver.stat(there.path)
    except FileNotFoundError:
        _refuse_dangling(there)
        return _format(there)
    if found.kind != "directory":
        raise FileExistsError(EEXIST, os.strerror(EEXIST), there.path.shown)
    for _ in there.driver.scan(there.path):
        message = "there is something in it; export to what is new, or empty"
        raise OSError(ENOTEMPTY, message, there.path.shown)
    return None


def _refuse_dangling(there: End) -> None:
    try:
        there.driver.lstat(there.path)
    except FileNotFoundError:
        return
    raise FileExistsError(EEXIST, os.strerror(EEXIST), there.path.shown)


def _format(there: End) -> Format | None:
    _, name, slashed = there.path.split()
    try:
        return None if slashed else format_of(os.fsdecode(name))
    except ValueError:
        return None


# What goes


class _Plan:
    """What of a tree travels, and as what: nothing has been written when it is made."""

    def __init__(
        self,
        tree: Driver,
        selection: Selection,
        rules: Redaction,
        spending: Spending,
        around: set[tuple[object, ...] | None],
    ) -> None:
        """``around``: the directories in which the destination lies."""
        self.tree = tree
        self.entries: dict[str, _Entry] = {}
        self.spending = spending
        self._selection = selection
        self._rules = rules
        self._around = around - {None}
        self._left_out: list[LeftOut] = []
        self._rewritten: dict[str, Redacted] = {}

    def make(self) -> None:
        environments = self._survey()
        self._rewrite(environments)
        self._judge_links()
        for entry in self.entries.values():
            self.spending.entry(entry.path, entry.path.count("/") + 1)
            self.spending.add(entry.path, entry.size)

    def _survey(self) -> list[_Entry]:
        """Go through the tree; the environments in it, by whatever name."""
        behind: dict[tuple[object, ...] | None, str] = {}
        files: list[_Entry] = []
        links: list[_Entry] = []
        for entry in self._walk():
            found = entry.found
            is_directory = found.kind == "directory"
            reason = self._reason(entry)
            if found.kind == "symlink":
                links.append(entry)
            if reason is not None:
                self._leave(entry.path, reason)
                if not is_directory:
                    behind.setdefault(found.identity, entry.path)
                continue
            self.entries[entry.path] = entry
            if found.kind == "file":
                entry.found = self._measured(entry)
                files.append(entry)
            elif found.kind == "symlink":
                with _noting(entry):
                    entry.target = self.tree.readlink(entry.at)
        is_environment = self._selection.is_environment
        environments = [entry for entry in files if is_environment(entry.path)]
        names = {entry.found.identity for entry in environments} - {None}
        for link in links:
            if link.path not in self.entries:
                behind |= dict.fromkeys(self._led_to(link), link.path)
            elif is_environment(link.path):
                names |= self._led_to(link)
        self._leave_directories(behind)
        for entry in [entry for entry in files if entry.path in self.entries]:
            other = behind.get(entry.found.identity) if entry.found.identity else None
            if other is not None:
                self._leave(entry.path, f"one file with {other!r}, which is left out")
            elif entry.found.identity in names and not is_environment(entry.path):
                environments.append(entry)
        return [entry for entry in environments if entry.path in self.entries]

    def _led_to(self, link: _Entry) -> set[tuple[object, ...] | None]:
        """What a link is another name of; of one that leads out, whatever in the tree it may mean.

        An absolute text, as a deployment leaves it, may mean what its end is the path of.
        """
        try:
            return {self.tree.stat(link.at).identity} - {None}
        except (OSError, SafefsError):
            pass
        try:
            names = self.tree.readlink(link.at).split("/")
        except OSError:
            return set()
        ends = ("/".join(names[at:]) for at in range(len(names)))
        return {self.entries[end].found.identity for end in ends if end in self.entries} - {None}

    def _leave_directories(self, behind: dict[tuple[object, ...] | None, str]) -> None:
        """Those that have another name which is left out, and all beneath them."""
        for path, entry in list(self.entries.items()):
            if entry.found.kind == "directory" and entry.found.identity in behind:
                link = behind[entry.found.identity]
                self._leave(path, f"where {link!r} leads, which is left out")
                for beneath in [each for each in self.entries if each.startswith(f"{path}/")]:
                    self.entries.pop(beneath)

    def _reason(self, entry: _Entry) -> str | None:
        kind = entry.found.kind
        if kind == "other":
            return "no file, directory or link"
        reason = self._selection.reason(entry.path, is_directory=kind == "directory")
        if reason is None and kind == "symlink":  # it may lead to a directory
            reason = self._selection.reason(entry.path, is_directory=True)
        return reason

    def _walk(self) -> Iterator[_Entry]:
        """Each directory before what is in it, sorted; into those that are not left out."""
        pending = [_Entry("", self.tree.stat(_TOP))]
        while pending:
            entry = pending.pop()
            if entry.path:
                yield entry
            if entry.found.kind != "directory":
                continue
            self._refuse_within(entry)
            if not entry.path or entry.path in self.entries:
                with _noting(entry):
                    pending += self._inside(entry)

    def _refuse_within(self, entry: _Entry) -> None:
        if entry.found.identity in self._around:
            message = "the destination lies in what is to be exported"
            raise OSError(EINVAL, message, entry.path or ".")

    def _inside(self, entry: _Entry) -> list[_Entry]:
        """What is in a directory, the last first."""
        found, inside = self.tree.look_into(entry.at)
        if found.identity != entry.found.identity:
            raise _replaced(entry)
        made = []
        for name, stat in sorted(inside, reverse=True, key=lambda each: each[0]):
            path = f"{entry.path}/{name}" if entry.path else name
            made.append(_Entry(path, stat))
        return made

    def _measured(self, entry: _Entry) -> Stat:
        """With the size of its content, which a directory of what is encrypted does not tell."""
        with _noting(entry):
            found = self.tree.lstat(entry.at)
            if found.identity != entry.found.identity:
                raise _replaced(entry)
            return found

    def _leave(self, path: str, reason: str) -> None:
        self.entries.pop(path, None)
        self._left_out.append(LeftOut(path, reason))

    def _rewrite(self, environments: list[_Entry]) -> None:
        if not self._rules.given:
            for entry in environments:
                self._leave(entry.path, "an environment, and nothing says what of it may stay")
            return
        if not environments:
            return
        files = {entry.path: partial(self._whole, entry) for entry in environments}
        self._rewritten = redact_together(files, self._rules)
        for path, redacted in self._rewritten.items():
            self.entries[path].content = redacted.content

    def _whole(self, entry: _Entry) -> bytes:
        with _noting(entry), self.open(entry) as file, Blame(entry.at):
            return file.read()

    def open(self, entry: _Entry) -> BinaryIO:
        """A file, if it is still what was looked at: it may be another, or hold another thing."""
        file = self.tree.open(entry.at, "rb")
        try:
            with Blame(entry.at):
                found = self.tree.stat_open(file)
                if found.identity != entry.found.identity or found != entry.found:
                    raise _replaced(entry)
        except BaseException:
            file.close()
            raise
        return file

    def _judge_links(self) -> None:
        """A link travels if what it leads to does, by its text and without a look at the disk."""
        links = [entry for entry in self.entries.values() if entry.found.kind == "symlink"]
        reasons = [(link, self._link_reason(link)) for link in links]
        for link, reason in reasons:
            if reason is not None:
                self._leave(link.path, reason)

    def _link_reason(self, link: _Entry) -> str | None:
        at: list[str] = link.path.split("/")[:-1]
        names = link.target.split("/")
        met = 0
        if link.target.startswith("/"):
            return "a link that leads out"
        while names:
            name = names.pop(0)
            if name in ("", "."):
                continue
            if name == "..":
                if not at:
                    return "a link that leads out"
                at.pop()
                continue
            entry = self.entries.get("/".join([*at, name]))
            if entry is None or (names and entry.found.kind == "file"):
                return "a link to what is not exported"
            if entry.found.kind != "symlink":
                at.append(name)
                continue
            met += 1
            if met > _MOST_LINKS or entry.target.startswith("/"):
                return "a link that leads out" if met <= _MOST_LINKS else "a link in a loop"
            names = [*entry.target.split("/"), *names]
        return None

    def report(self) -> ExportReport:
        rewritten = [
            Rewritten(path, each.kept, each.removed, each.comments)
            for path, each in sorted(self._rewritten.items())
        ]
        copied = tuple(path for path in self.entries if path not in self._rewritten)
        left_out = tuple(sorted(self._left_out, key=lambda each: each.path))
        keys = [key for each in rewritten for key in (*each.kept, *each.removed)]
        unused = self._rules.unused(keys)
        return ExportReport(copied, tuple(rewritten), left_out, self.spending.bytes, unused)


@contextmanager
def _noting(entry: _Entry) -> Iterator[None]:
    """An error of one entry says of which, whatever path its caller then has in mind."""
    try:
        yield
    except OSError as error:
        if entry.path:
            error.add_note(f"at {entry.path!r} in the tree")
        raise


def _replaced(entry: _Entry) -> OSError:
    return OSError(ESTALE, "it was replaced while it was exported", entry.path or ".")


# How it goes


class _Copying:
    """The entries of a plan on their way."""

    def __init__(self, plan: _Plan, meter: Meter) -> None:
        self._plan = plan
        self._meter = meter
        self._meter.expect(len(plan.entries), plan.spending.bytes)

    def to_bed(self, there: End) -> None:
        """A directory: beside it or in it until all is there, then by rename."""
        top = self._plan.tree.stat(_TOP).permissions & _MODES | _OWNER
        new = not _exists(there)
        with closing(there.driver.bed(there.path, draft=True)) as place:
            place.check()
            for entry in self._plan.entries.values():
                with _noting(entry):
                    self._make(place, entry)
                self._meter.advance(entry.path, size=entry.size)
            place.publish()
        if new and not there.driver.policy.append_only:  # which has no word for it
            there.driver.chmod(there.path, lambda made: made & top)

    def _make(self, place: Place, entry: _Entry) -> None:
        mode = entry.found.permissions & _MODES
        if entry.found.kind == "directory":
            place.mkdir(entry.at, mode)
        elif entry.found.kind == "symlink":
            place.symlink(entry.target, entry.at, replace=False)
        else:
            chunks = self._chunks(entry)
            place.create(entry.at, chunks, mode, entry.found.mtime_ns, replace=False)

    def to_archive(self, there: End, word: Format) -> None:
        """An archive, as ``Disk.archive`` makes one: the same bytes for the same entries."""
        with closing(packed(word, self._pack)) as chunks:
            transfer.write(there.driver, there.path, Body(chunks), overwrite=False)

    def _pack(self, writer: Writer) -> Iterator[None]:
        for entry in self._plan.entries.values():
            found = entry.found
            produce = Produce(
                entry.path,
                found.kind,
                found.mode,
                found.mtime_ns,
                entry.size,
                entry.target,
                read=partial(self._chunks, entry),
            )
            with _noting(entry):
                yield from writer.add(entry.path, produce, EPOCH, None)
            self._meter.advance(entry.path, size=entry.size)

    def _chunks(self, entry: _Entry) -> Generator[bytes, None, None]:
        if entry.content is not None:
            yield entry.content
            return
        spending, beyond = self._plan.spending, -entry.size
        with self._plan.open(entry) as file:
            while chunk := _read(file, entry):
                beyond += len(chunk)
                if beyond > 0:  # it has grown since it was looked at
                    spending.add(entry.path, beyond)
                    beyond = 0
                yield chunk


def _read(file: BinaryIO, entry: _Entry) -> bytes:
    with Blame(entry.at):
        return file.read(CHUNK)


def _exists(there: End) -> bool:
    try:
        return there.driver.stat(there.path).kind == "directory"
    except FileNotFoundError:
        return False
