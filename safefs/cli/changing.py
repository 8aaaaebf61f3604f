"""The commands that read files, or change them."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from errno import EISDIR, ENOENT
from typing import TYPE_CHECKING

from safefs.cli.arguments import Command, add_place, add_places, add_two
from safefs.cli.bar import progress_bar
from safefs.cli.places import (
    Place,
    beneath_disk,
    each_named,
    into_place,
    keep_going,
    naming,
    on_disk,
    opened_storage,
    place_of,
    plain_name,
)
from safefs.cli.printing import complain, input_stream, output_stream
from safefs.cli.trees import Steps, add_dry_run, rows_of, say_rows
from safefs.errors import SameFileError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import BinaryIO

    from safefs.cli.trees import Row
    from safefs.diskpath import DiskPath
    from safefs.storage import Storage


_CHUNK = 1 << 20  # bytes


def _cat(arguments: argparse.Namespace) -> int:
    output = output_stream().buffer
    with opened_storage(arguments) as storage:
        return keep_going(arguments.places, lambda place: _pour(storage, place, output))


def _pour(storage: Storage, place: Place, output: BinaryIO) -> None:
    with _reading(storage, place) as file:
        output.writelines(_chunks(place, file))


@contextmanager
def _reading(storage: Storage, place: Place) -> Iterator[BinaryIO]:
    path = on_disk(storage, place)
    with naming(place):
        file = path.open("rb")
    with file:
        yield file


def _chunks(place: Place, file: BinaryIO) -> Iterator[bytes]:
    """Errors of the file name its place; those of what it is written to are of no disk."""
    return each_named(place, iter(lambda: file.read(_CHUNK), b""))


def _put(arguments: argparse.Namespace) -> int:
    local = arguments.local
    with opened_storage(arguments) as storage:
        target = into_place(storage, arguments.place, os.path.basename(local))
        if local == "-":
            _store(arguments.place, target, input_stream().buffer)
            return 0
        with open(local, "rb") as file:
            _store(arguments.place, target, file)
    return 0


def _store(place: Place, target: DiskPath, file: BinaryIO) -> None:
    with naming(place_of(place, target)):
        target.disk.put(target, file)


def _get(arguments: argparse.Namespace) -> int:
    local = arguments.local
    with opened_storage(arguments) as storage:
        if local == "-":
            _pour(storage, arguments.place, output_stream().buffer)
            return 0
        source = on_disk(storage, arguments.place)
        with _reading(storage, arguments.place) as file:
            if os.path.isdir(local):
                local = os.path.join(local, plain_name(source.name))
            _save(file, local, arguments.place)
    return 0


def _save(file: BinaryIO, local: str, place: Place) -> None:
    """As a whole, unless it is to a device or a pipe: a failed get leaves the file that was."""
    if local.endswith("/"):
        raise FileNotFoundError(ENOENT, "no such directory", local)
    try:
        found = os.stat(local)
    except FileNotFoundError:
        found = None
    if found is not None and os.path.samestat(found, os.fstat(file.fileno())):
        raise SameFileError(str(place), local)
    if found is not None and not stat.S_ISREG(found.st_mode):
        with open(local, "wb") as copy:
            copy.writelines(_chunks(place, file))
        return
    from safefs.root import Root

    folder, name = os.path.split(os.path.realpath(local))
    with Root(folder) as root:
        try:
            root.replace_file(name, _chunks(place, file))
        except OSError as error:
            if error.filename in (None, name):
                error.filename = local
            raise


def _cp(arguments: argparse.Namespace) -> int:
    with opened_storage(arguments) as storage:
        source = beneath_disk(storage, arguments.source)
        target = into_place(storage, arguments.target, source.name)
        with naming(arguments.source, place_of(arguments.target, target)):
            if arguments.recursive and source.is_dir():
                with progress_bar() as progress:
                    source.disk.copy_tree(source, target, progress=progress)
            else:
                source.disk.copy(source, target)
    return 0


def _mv(arguments: argparse.Namespace) -> int:
    with opened_storage(arguments) as storage:
        source = beneath_disk(storage, arguments.source)
        target = into_place(storage, arguments.target, source.name)
        with naming(arguments.source, place_of(arguments.target, target)):
            how = _moved(source, target)
    if how == "copied":
        complain(f"{arguments.source} could not be renamed: it was copied, and removed")
    return 0


def _moved(source: DiskPath, target: DiskPath) -> str:
    """Whether it was "renamed" or "copied"."""
    if source.disk is target.disk or source.lstat().kind != "directory":
        return source.disk.move(source, target)
    with progress_bar() as progress:
        report = source.disk.move_tree(source, target, progress=progress)
    return "renamed" if [step.action for step in report.steps] == ["rename"] else "copied"


def _rm(arguments: argparse.Namespace) -> int:
    rows: list[Row] = []

    def remove(place: Place) -> None:
        found = _remove(storage, place, arguments)
        if arguments.json:
            rows.extend(found)  # of all places, for it is one value
        elif arguments.dry_run:
            say_rows(found, as_json=False)

    with opened_storage(arguments) as storage:
        status = keep_going(arguments.places, remove)
    if arguments.json and arguments.dry_run:
        say_rows(rows, as_json=True)
    return status


def _remove(storage: Storage, place: Place, arguments: argparse.Namespace) -> list[Row]:
    """What was removed, or in a dry run would be."""
    path, dry_run = beneath_disk(storage, place), arguments.dry_run
    with naming(place):
        if arguments.recursive and path.lstat().kind == "directory":
            with progress_bar() as progress:
                report = path.disk.delete_directory(path, dry_run=dry_run, progress=progress)
            return rows_of(Steps(place, path), report)
        kind = path.lstat().kind
        if not dry_run:
            path.unlink()
        elif kind == "directory":  # as the real run will say
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR), path.as_posix())
    return [("remove", str(place), kind)]


def _mkdir(arguments: argparse.Namespace) -> int:
    parents = arguments.parents
    with opened_storage(arguments) as storage:
        for place in arguments.places:
            path = on_disk(storage, place) if parents else beneath_disk(storage, place)
            with naming(place):
                path.mkdir(parents=parents, exist_ok=parents)
    return 0


def _add_rm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-r", dest="recursive", action="store_true", help="directories too")
    add_dry_run(parser)
    add_places(parser)


def _add_cp(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-r", dest="recursive", action="store_true", help="a directory, whole")
    add_two(parser)


def _add_mkdir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-p", dest="parents", action="store_true", help="and those above it")
    add_places(parser)


def _add_put(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("local", metavar="LOCAL", help="a file, or - for standard input")
    add_place(parser, "place")


def _add_get(parser: argparse.ArgumentParser) -> None:
    add_place(parser, "place")
    parser.add_argument("local", metavar="LOCAL", help="a file, or - for standard output")


COMMANDS = (
    Command("cat", _cat, "print files", add_places),
    Command(
        "put", _put, "copy a local file to a disk; replaces a file, and makes parents", _add_put
    ),
    Command("get", _get, "copy a file of a disk to a local one", _add_get),
    Command(
        "cp",
        _cp,
        "copy a file, or with -r a directory, from disk to disk too; into a directory that exists",
        _add_cp,
    ),
    Command(
        "mv",
        _mv,
        "move a file or directory, from disk to disk too; into a directory that exists",
        add_two,
    ),
    Command("rm", _rm, "remove files, or with -r directories", _add_rm),
    Command("mkdir", _mkdir, "make directories", _add_mkdir),
)
