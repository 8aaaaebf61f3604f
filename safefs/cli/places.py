"""Places, ``documents:reports/a.csv``, and what they lead to."""

from __future__ import annotations

import argparse
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from safefs.cli.printing import FAILED, FAILURES, complain, reason_of
from safefs.errors import MissingFolderError, UnsafeFolderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TypeVar

    from safefs.diskpath import DiskPath
    from safefs.storage import Storage

    T = TypeVar("T")


TEMP = "temp"  # safefs.folders.TEMP, which would be a slow import for --help


class Place(NamedTuple):
    """``documents:reports/a.csv``: a disk, a colon, a path."""

    disk: str
    path: str

    def __str__(self) -> str:
        return f"{self.disk}:{self.path}"


def place_of_text(text: str) -> Place:
    disk, colon, path = text.partition(":")
    if not colon or not disk:
        reason = "is no place; write DISK:PATH, as in documents:reports/a.csv"
        raise argparse.ArgumentTypeError(f"{text!r} {reason}")
    if disk == TEMP:
        raise argparse.ArgumentTypeError(f"{text!r}: temp is removed when this command ends")
    return Place(disk, path)


@contextmanager
def opened_storage(arguments: argparse.Namespace, **options: Any) -> Iterator[Storage]:
    """The disks that the command may open; under ``--read-only`` it can change none."""
    from safefs.cli.readonly import ReadOnlyStorage
    from safefs.storage import Storage

    kind = ReadOnlyStorage if arguments.read_only else Storage
    outside = arguments.outside_home or ()
    with kind(arguments.app, config=arguments.config, outside_home=outside, **options) as storage:
        yield storage


@contextmanager
def naming(place: Place, other: Place | str | None = None) -> Iterator[None]:
    """An error that comes from a disk, or from between two, names its place.

    What is wrong with the folder of a disk names the folder, and stays as it is.
    """
    try:
        yield
    except (MissingFolderError, UnsafeFolderError):
        raise
    except OSError as error:
        if other is not None:
            error.filename, error.filename2 = str(place), str(other)
        elif error.filename is None:
            error.filename = str(place)
        else:
            error.filename = shown(place.disk, os.fsdecode(error.filename))
        raise


def each_named(place: Place, found: Iterable[T]) -> Iterator[T]:
    """What is found at a place, piece by piece, with its errors named."""
    with naming(place):
        yield from found


def on_disk(storage: Storage, place: Place) -> DiskPath:
    disk = storage.disk(place.disk)
    with naming(place):
        return disk / (place.path or ".")


def beneath_disk(storage: Storage, place: Place) -> DiskPath:
    """What is made, moved or removed, which is never a disk."""
    path = on_disk(storage, place)
    if not path.name:
        raise ValueError(f"{place} is the disk itself")
    return path


def into_place(storage: Storage, place: Place, name: str) -> DiskPath:
    """Where something of this name goes: to the place, or into it where it is a directory."""
    target = on_disk(storage, place)
    with naming(place):
        into = not place.path or place.path.endswith("/") or target.is_dir()
    return target / plain_name(name) if into else target


def plain_name(name: str) -> str:
    if name in ("", ".", "..", "-"):
        raise ValueError("say what the file is to be called")
    return name


def shown(disk: str, path: DiskPath | str) -> str:
    text = str(path)
    return f"{disk}:{'' if text == '.' else text}"


def place_of(place: Place, path: DiskPath) -> Place:
    return Place(place.disk, path.as_posix())


def keep_going(places: Iterable[Place], act: Callable[[Place], object]) -> int:
    """Do it to each, complaining of those that fail: as cat(1) and rm(1) do."""
    status = 0
    for place in places:
        try:
            act(place)
        except BrokenPipeError:
            raise
        except FAILURES as error:
            complain(reason_of(error))
            status = FAILED
    return status
