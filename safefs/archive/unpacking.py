"""Members become entries of a place, each judged before it is made and all links again at the end.

Nothing here knows of descriptors: that no path leaves is the place's, which resolves each anew.
"""

from __future__ import annotations

import os
from contextlib import suppress
from errno import EEXIST, EISDIR, ELOOP, EMLINK, ENAMETOOLONG, ENOTDIR, ENOTSUP, EOPNOTSUPP, EPERM
from typing import TYPE_CHECKING

from safefs.archive import tars, zips
from safefs.archive.limits import COLLISIONS, SMALL
from safefs.archive.rules import Spellings, check_target, settled_name
from safefs.archive.sources import Source
from safefs.audit import refused
from safefs.budget import Spending
from safefs.errors import ArchiveError, EscapeError, InvalidPathError, PolicyError
from safefs.paths import RelPath
from safefs.report import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from safefs.archive.members import Member, Place
    from safefs.budget import Budget
    from safefs.progress import Meter
    from safefs.report import Action, TreeReport

    OnError = Callable[[OSError | ValueError], object]

_PERMISSIONS = 0o777  # set-id bits and the sticky bit are not an archive's to give


class Unpacking:
    """One archive on its way into one place.

    ``overwrite`` replaces files and links that the place had before, ``latest`` those of earlier
    members. ``portable``: names that some file systems take for one are refused, and otherwise only
    reported. ``dry_run`` makes entries without content, and publishes nothing. ``in_place``: what
    has been made stays when the rest fails.
    """

    def __init__(
        self,
        place: Place,
        budget: Budget,
        meter: Meter,
        *,
        name: str | None = None,
        overwrite: bool = False,
        latest: bool = False,
        portable: bool = False,
        dry_run: bool = False,
        in_place: bool = False,
        on_error: OnError | None = None,
    ) -> None:
        self._place = place
        self._in_place = in_place
        self._name = name
        self._spending = Spending(budget)
        self._overwrite = overwrite
        self._latest = latest
        self._portable = portable
        self._dry_run = dry_run
        self._meter = meter
        self._on_error = on_error
        self._record = Record()
        self._spellings = Spellings()
        self._collisions: dict[tuple[str, str], None] = {}  # each once, however many lie beneath
        self._links: list[tuple[RelPath, str]] = []

    def run(self, file: BinaryIO) -> TreeReport:
        """Read all of it, make all of it, publish it; the report."""
        source = Source(file, self._name)
        try:
            for member in self._members(source):
                self._take(source, member)
            self._judge_links()
        except BaseException:
            if self._in_place:
                self._withdraw_links()
            raise
        report = self._record.report(tuple(self._collisions))
        if self._dry_run:
            self._place.check()
        else:
            self._place.publish()
        return report

    def _members(self, source: Source) -> Iterator[Member]:
        if source.is_zip:
            return zips.members(source, self._spending.budget.entries)
        return tars.members(source)

    def _take(self, source: Source, member: Member) -> None:
        before = self._record.bytes
        content = self._counted(source, member)
        # Whatever becomes of it: one that is refused and passed over has been read as well.
        self._spending.entry(member.name, _depth(member.name))
        try:
            refusal = self._refusal(member, content)
            if refusal is not None:
                # Not in the handler: what the reader meets would take the refusal for its cause.
                self._pass_over(member, refusal, content)
        except _Passed as passed:
            raise passed.cause from None
        finally:
            refusal = None  # or it is a cycle, and keeps what its frames have open
        self._meter.advance(member.name, size=self._record.bytes - before)

    def _refusal(self, member: Member, content: Iterator[bytes]) -> OSError | ValueError | None:
        """Make it; or what is wrong with it alone."""
        try:
            path = settled_name(self._name, member.name, is_directory=member.kind == "directory")
            if path.raw != b".":
                self._make(member, path, content)
            elif member.kind != "directory":
                raise ArchiveError(self._name, member.name, "its name is that of the top itself")
        except (OSError, ValueError) as error:
            if self._on_error is None or not _is_of(member, error):
                raise
            return error
        return None

    def _pass_over(
        self, member: Member, error: OSError | ValueError, content: Iterator[bytes]
    ) -> None:
        assert self._on_error is not None
        self._on_error(error)
        self._record.add("skip", member.name, member.kind)
        for _ in content:
            pass  # it counts, and what comes behind it is found behind it

    def _counted(self, source: Source, member: Member) -> Iterator[bytes]:
        """The content, as it comes; what the archive says of its size is never asked."""
        spending = self._spending
        if member.kind != "file":
            return
        try:
            for chunk in member.read():
                spending.add(member.name, len(chunk))
                if spending.bytes > SMALL:
                    spending.unpacked(member.name, source.packed)
                yield chunk
        except (OSError, ValueError) as error:
            raise _Passed(error) from error

    def _make(self, member: Member, path: RelPath, content: Iterator[bytes]) -> None:
        for above in self._spellings.new_directories(path):
            self._spending.entry(member.name, above)
        for first, second in self._spellings.collisions(path):
            if self._portable:
                reason = f"some systems take it for {first!r}"
                raise refused(PolicyError(second, "portable_names", reason))
            if len(self._collisions) < COLLISIONS:
                self._collisions[first, second] = None
        if member.kind == "directory":
            self._make_directory(member, path)
        elif member.kind == "file":
            self._make_file(member, path, content)
        elif member.kind == "symlink":
            self._make_symlink(member, path)
        elif member.kind == "link":
            self._make_link(member, path)
        else:
            raise ArchiveError(self._name, member.name, f"it is {member.what}")

    def _make_directory(self, member: Member, path: RelPath) -> None:
        mode = None if member.mode is None else member.mode & _PERMISSIONS
        try:
            new = self._place.mkdir(path, mode)
        except FileExistsError:
            raise self._duplicate(path) from None
        self._record.add("create" if new else "update", path.text, "directory")

    def _make_file(self, member: Member, path: RelPath, content: Iterator[bytes]) -> None:
        mode = None if member.mode is None else member.mode & _PERMISSIONS
        action = self._action(path)
        size = 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            for chunk in content:
                size += len(chunk)
                if not self._dry_run:
                    yield chunk

        try:
            self._place.create(path, counted(), mode, member.mtime_ns, replace=action == "replace")
        except FileExistsError:
            raise self._duplicate(path) from None
        self._record.add(action, path.text, "file", size)

    def _make_symlink(self, member: Member, path: RelPath) -> None:
        check_target(self._name, member.name, member.target)
        action = self._action(path)
        if action == "replace":
            # Judged before, so that one that is refused takes the place of nothing, and again
            # after: it may lead through itself.
            self._leads(_beside(path, os.fsencode(member.target)))
        try:
            self._place.symlink(member.target, path, replace=action == "replace")
        except FileExistsError:
            raise self._duplicate(path) from None
        try:
            self._leads(path)
        except EscapeError:
            self._place.remove(path)
            raise
        self._links.append((path, member.target))
        self._record.add(action, path.text, "symlink")

    def _make_link(self, member: Member, path: RelPath) -> None:
        target = settled_name(self._name, member.target, is_directory=False)
        source = RelPath(target.raw, member.name)
        if target.raw == path.raw:
            raise ArchiveError(self._name, member.name, "it is a hard link to itself")
        try:
            ours = self._place.holds(source)
        except (FileNotFoundError, NotADirectoryError):
            ours = False
        if not ours:
            reason = f"it is a hard link to {member.target!r}, which is no file of this archive"
            raise ArchiveError(self._name, member.name, reason)
        action = self._action(path)
        try:
            self._place.link(source, path, replace=action == "replace")
        except FileExistsError:
            raise self._duplicate(path) from None
        self._record.add(action, path.text, "link")

    def _action(self, path: RelPath) -> Action:
        """Whether a file or link of this name may take the place of what stands there."""
        if not (self._latest or self._overwrite):
            return "create"
        try:
            ours = self._place.made(path)
        except FileNotFoundError:
            return "create"
        if not (self._latest if ours else self._overwrite):
            return "create"  # making it says what is wrong
        return "replace"

    def _duplicate(self, path: RelPath) -> OSError | ValueError:
        """What to say of a name that is taken: by this archive, or by what was there before."""
        try:
            ours = self._place.made(path)
        except OSError:
            ours = False
        if ours:
            reason = "another member has its name, or one that this file system takes for it"
            return ArchiveError(self._name, os.fsdecode(path.shown), reason)
        return FileExistsError(EEXIST, os.strerror(EEXIST), path.shown)

    # Links

    def _leads(self, path: RelPath) -> bool:
        try:
            return self._place.leads(path)
        except EscapeError as error:
            member = os.fsdecode(path.shown)
            raise EscapeError(member, error.component, error.reason) from error

    def _judge_links(self) -> None:
        """Once all is there: a link leads to something inside, or dangles inside whatever comes.

        A link to what does not exist yet may have no ``..`` behind the first name that is missing:
        who makes that name, as a link, decides where it leads.
        """
        for path, target in self._links:
            try:
                self._judge(path, target)
            except EscapeError as error:
                if self._on_error is None:
                    raise
                self._on_error(error)
                self._place.remove(path)
                self._record.add("skip", path.text, "symlink")
            except FileNotFoundError:
                pass  # it was replaced by a later member

    def _withdraw_links(self) -> None:
        """Let no link stay that leads out; what went wrong before is what must be heard."""
        for path, target in self._links:
            try:
                self._judge(path, target)
            except EscapeError:
                with suppress(OSError):
                    self._place.remove(path)
            except OSError:
                pass

    def _judge(self, path: RelPath, target: str) -> None:
        if not self._leads(path):
            self._judge_dangling(path, target)

    def _judge_dangling(self, path: RelPath, target: str) -> None:
        names = os.fsencode(target).split(b"/")
        for at in range(1, len(names) + 1):
            if not self._leads(_beside(path, b"/".join(names[:at]))):
                if b".." in names[at:]:
                    raise refused(EscapeError(path.shown, "..", EscapeError.OUTSIDE))
                return


class _Passed(Exception):  # noqa: N818  (what happened)
    """An error of the archive itself, on its way out of the place that wanted the content."""

    def __init__(self, cause: OSError | ValueError) -> None:
        super().__init__()
        self.cause = cause


_REFUSALS = (EscapeError, PolicyError, InvalidPathError, ArchiveError, FileExistsError)
# What the system says of a name: beneath a file, too long, through a loop, over a directory.
_MISPLACED = frozenset({ENOTDIR, ENAMETOOLONG, ELOOP, EISDIR})


# And of links, where the file system has none (vfat: EPERM), or no more names for one file.
_LINKLESS = frozenset({ENOTSUP, EOPNOTSUPP, EPERM, EMLINK})


def _is_of(member: Member, error: OSError | ValueError) -> bool:
    """Whether it says what is wrong with this member alone."""
    number = getattr(error, "errno", None)
    is_link = member.kind in ("symlink", "link")
    return isinstance(error, _REFUSALS) or number in _MISPLACED or (is_link and number in _LINKLESS)


def _beside(path: RelPath, target: bytes) -> RelPath:
    """Where a link with this text leads, if it stands at the path."""
    above = path.split()[0].rstrip(b"/")
    return RelPath(b"/".join([above, target] if above else [target]), path.shown)


def _depth(name: str) -> int:
    return sum(part not in ("", ".") for part in name.split("/"))
