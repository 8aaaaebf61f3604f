"""Archives on a disk: unpacked from whatever they lie on, and packed to it."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Literal

from safefs.archive.limits import DEFAULT_BUDGET
from safefs.archive.packing import checked_format, format_of, packed
from safefs.archive.unpacking import Unpacking
from safefs.budget import Spending, checked
from safefs.drivers import transfer
from safefs.drivers.content import Body, check_file
from safefs.errors import ArchiveError, SameFileError
from safefs.paths import RelPath
from safefs.progress import Meter
from safefs.report import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from safefs.archive.packing import Format, Writer
    from safefs.archive.unpacking import OnError
    from safefs.budget import Budget
    from safefs.drivers.base import Driver
    from safefs.drivers.transfer import End
    from safefs.operations.harvesting import Produce
    from safefs.progress import Listener
    from safefs.report import TreeReport

Duplicates = Literal["refuse", "last"]


def extract(
    archive: End | BinaryIO,
    driver: Driver,
    into: RelPath,
    *,
    budget: Budget | None,
    partial: bool,
    overwrite: bool,
    duplicates: Duplicates,
    progress: Listener | None,
    dry_run: bool,
    on_error: OnError | None,
) -> TreeReport:
    """See ``Disk.extract``."""
    if duplicates not in ("refuse", "last"):
        raise ValueError(f"duplicates is 'refuse' or 'last', not {duplicates!r}")
    if overwrite and not partial:
        raise ValueError("overwrite goes with partial: what is replaced could not be given back")
    if dry_run and partial:
        raise ValueError("a dry run is of the whole; it goes without partial")
    if on_error is not None and not callable(on_error):
        raise TypeError(f"on_error is a callable, not {type(on_error).__name__}")
    limits = DEFAULT_BUDGET if budget is None else checked(budget)
    meter = Meter(progress)
    with ExitStack() as stack:
        file, name = _opened(archive, stack)
        place = stack.enter_context(closing(driver.bed(into, draft=not partial)))
        return Unpacking(
            place,
            limits,
            meter,
            name=name,
            overwrite=overwrite,
            latest=duplicates == "last",
            portable=driver.policy.portable_names,
            dry_run=dry_run,
            in_place=partial,
            on_error=on_error,
        ).run(file)


def _opened(archive: End | BinaryIO, stack: ExitStack) -> tuple[BinaryIO, str | None]:
    if not isinstance(archive, transfer.End):
        check_file(archive)
        return archive, None
    file = stack.enter_context(archive.driver.open(archive.path, "rb"))
    return file, os.fsdecode(archive.path.shown)


def pack(
    driver: Driver,
    sources: Sequence[RelPath],
    to: End | BinaryIO,
    *,
    within: bool,
    word: str | None,
    mtime: int | None,
    hard_links: bool,
    overwrite: bool,
    budget: Budget | None,
    progress: Listener | None,
) -> TreeReport:
    """See ``Disk.archive``; ``within``: names are from the one source, a directory."""
    if mtime is not None and (isinstance(mtime, bool) or not isinstance(mtime, int)):
        raise TypeError(f"mtime is a whole number of seconds, or None, not {mtime!r}")
    packer = _Packer(driver, mtime, budget, progress, hard_links=hard_links)
    if isinstance(to, transfer.End):
        return _pack_to_disk(
            packer, driver, sources, to, within=within, word=word, overwrite=overwrite
        )
    if not hasattr(to, "write"):
        raise TypeError(f"an archive goes to a path or a binary file, not {type(to).__name__}")
    if word is None:
        raise ValueError("give format=: a file object has no name to tell it by")
    known = checked_format(word)
    for chunk in packed(known, lambda writer: packer.run(writer, sources, within=within)):
        to.write(chunk)
    return packer.report()


def _pack_to_disk(
    packer: _Packer,
    driver: Driver,
    sources: Sequence[RelPath],
    to: End,
    *,
    within: bool,
    word: str | None,
    overwrite: bool,
) -> TreeReport:
    name = os.fsdecode(to.path.split()[1])
    known: Format = format_of(name) if word is None else checked_format(word)
    # What is missing makes no directories for the archive.
    found = [driver.lstat(source) for source in sources]
    try:
        replaced = to.driver.lstat(to.path)
    except FileNotFoundError:
        pass
    else:
        for source, stat in zip(sources, found, strict=True):
            if stat.is_same_file(replaced):
                raise SameFileError(source.shown, to.path.shown)
        packer.leave_out(replaced.identity)
    chunks = packed(known, lambda writer: packer.run(writer, sources, within=within))
    with closing(chunks):
        transfer.write(to.driver, to.path, Body(chunks), overwrite=overwrite)
    return packer.report()


class _Packer:
    """Puts entries into an archive, and counts them."""

    def __init__(
        self,
        driver: Driver,
        mtime: int | None,
        budget: Budget | None,
        progress: Listener | None,
        *,
        hard_links: bool,
    ) -> None:
        self._driver = driver
        self._mtime = mtime
        self._spending = Spending(checked(budget))
        self._meter = Meter(progress)
        self._record = Record()
        self._hard_links = hard_links
        self._first: dict[tuple[object, ...], str] = {}
        self._left_out: tuple[object, ...] | None = None
        self._names: set[str] = set()
        self.report = self._record.report

    def leave_out(self, identity: tuple[object, ...] | None) -> None:
        """The archive that is replaced is no part of the one that replaces it."""
        self._left_out = identity

    def run(self, writer: Writer, sources: Sequence[RelPath], *, within: bool) -> Iterator[None]:
        for entry, name in self._entries(sources, within=within):
            if name in self._names or entry.identity == self._left_out:
                continue
            self._names.add(name)
            self._spending.entry(name, name.count("/") + 1)
            self._spending.add(name, entry.size)
            mtime = entry.mtime_ns // 10**9 if self._mtime is None else self._mtime
            first = self._seen(entry, name)
            size = yield from writer.add(name, entry, mtime, first)
            kind = entry.kind if first is None else "link"
            self._record.add("create", name, kind, size)
            self._meter.advance(name, size=size)

    def _entries(
        self, sources: Sequence[RelPath], *, within: bool
    ) -> Iterator[tuple[Produce, str]]:
        for source in sources:
            names = [os.fsdecode(name) for name in source.names if name != b"."]
            if ".." in names and not within:
                raise ArchiveError(None, "/".join(names), "a name in an archive holds no '..'")
            prefix = "/".join(names)
            cut = len(prefix) + 1 if prefix and within else 0
            for entry in self._driver.harvest(RelPath(os.fsencode(prefix or "."), source.shown)):
                name = "" if entry.path in ("", ".") else entry.path[cut:]
                if name and not (within and entry.path == prefix):
                    yield entry, name

    def _seen(self, entry: Produce, name: str) -> str | None:
        if not self._hard_links or entry.kind != "file":
            return None
        first = self._first.setdefault(entry.identity, name)
        return None if first == name else first
