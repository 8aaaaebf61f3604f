"""Sealed files given to the present key: new headers, and the bodies as they are."""

from __future__ import annotations

import os
from contextlib import nullcontext
from errno import ESTALE
from typing import TYPE_CHECKING, Any, cast

from safefs.age.header import read_header
from safefs.age.opening import file_key_of, sealed_header
from safefs.age.reading import SealedReader
from safefs.age.sources import Source
from safefs.drivers.encrypted import EncryptedDriver
from safefs.drivers.sealed import Told, raw_of
from safefs.errors import PreconditionError, SealedFileError
from safefs.operations.conditions import Condition
from safefs.operations.preserving import WORDS
from safefs.paths import RelPath
from safefs.report import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from safefs.age.opening import Key
    from safefs.drivers.base import Driver, Stat
    from safefs.operations.conditions import Hold
    from safefs.report import TreeReport

    OnError = Callable[[Exception], object]

_CHUNK = 1 << 20
_ATTEMPTS = 16  # at a file that is replaced each time while it is read


def rewrap(
    driver: Driver, where: RelPath, on_error: OnError | None, hold: Hold | None
) -> TreeReport:
    """See ``Disk.rewrap``; ``hold`` takes the locks of those who replace a certain version."""
    if on_error is not None and not callable(on_error):
        raise TypeError(f"on_error is a callable, not {type(on_error).__name__}")
    if not isinstance(driver, EncryptedDriver):
        message = "this disk is not encrypted, and has no headers to seal anew"
        raise ValueError(message)  # noqa: TRY004  (the value of a disk, and no other type)
    driver.policy.check(where, writes=True)
    record = Record()
    for path, name in _files(driver, where):
        try:
            size = _rewrapped(driver, path, hold or _unheld)
        except (OSError, SealedFileError) as error:
            if on_error is None:
                raise
            record.add("skip", name, "file")
            on_error(error)
        else:
            if size is not None:
                record.add("replace", name, "file", size)
    return record.report()


def _unheld(*_: object) -> AbstractContextManager[object]:
    return nullcontext()


def _files(driver: EncryptedDriver, top: RelPath) -> Iterator[tuple[RelPath, str]]:
    """(the path, what it is called from the top) of each file; no link is followed."""
    inner = driver.below
    found = inner.lstat(top)
    if found.kind == "file":
        yield top, ""
    if found.kind != "directory":
        return
    prefix = "".join(f"{os.fsdecode(name)}/" for name in top.names if name != b".")
    for here, _, others in inner.walk(top):
        for name in others:
            text = f"{here}/{name}" if here else name
            yield RelPath(os.fsencode(text), text), text.removeprefix(prefix)


def _rewrapped(driver: EncryptedDriver, path: RelPath, hold: Hold) -> int | None:
    """The bytes of a file that was given to the present key; None for what is no such file."""
    for _ in range(_ATTEMPTS):
        try:
            return _rewrap_once(driver, path, hold)
        except PreconditionError:
            continue  # somebody was quicker, and has sealed it for whichever key: look again
        except FileNotFoundError:
            return None  # it has gone since it was listed
    raise OSError(ESTALE, "it is replaced again and again", path.shown)


def _rewrap_once(driver: EncryptedDriver, path: RelPath, hold: Hold) -> int | None:
    inner = driver.below
    if inner.lstat(path).kind != "file":
        return None
    with Told(path), inner.open(path, "rb") as file:
        raw, found = raw_of(file), inner.stat_open(file)
        if driver.is_plain(raw):
            return None
        # A file that somebody is writing where it lies would end here, and he would write on into
        # what has no name any more. Without its last chunk it is no file to anybody.
        SealedReader(cast("Any", raw), [driver.key]).seek(0, os.SEEK_END)
        raw.seek(0)
        condition = None if found.etag is None else Condition(found.etag, hold, exchange=True)
        source = Source(cast("Any", raw))
        header = _new_header(source, driver.key)
        inner.write(path, _whole(header, source), durable=True, preserve=WORDS, condition=condition)
    _keep_time(inner, path, header, found)
    return found.size


def _new_header(source: Source, key: Key) -> bytes:
    file_key = file_key_of(read_header(source), [key])
    return sealed_header(file_key, [key.recipient]).encode()


def _whole(header: bytes, source: Source) -> Iterator[bytes]:
    yield header
    while piece := source.exactly(_CHUNK):
        yield piece


def _keep_time(inner: Driver, path: RelPath, header: bytes, found: Stat) -> None:
    """The time at which the content was changed, unless somebody has changed it since."""
    try:
        with inner.open(path, "rb") as file:
            ours = file.read(len(header)) == header  # no two are the same
        if ours:
            inner.set_modified(path, found.mtime_ns)
    except FileNotFoundError:
        pass
