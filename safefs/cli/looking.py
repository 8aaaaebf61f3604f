"""The commands that look and change nothing."""

from __future__ import annotations

import stat
from operator import itemgetter
from typing import TYPE_CHECKING

from safefs.cli.arguments import Command, add_nothing, add_place, add_places
from safefs.cli.places import TEMP, Place, each_named, naming, on_disk, opened_storage, shown
from safefs.cli.printing import FAILED, say, say_all, say_json, say_table, size_of, time_of
from safefs.explanation import OPERATIONS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import Any

    from safefs.diskpath import DiskPath
    from safefs.drivers.base import Stat
    from safefs.storage import Storage


def _disks(arguments: argparse.Namespace) -> int:
    with opened_storage(arguments) as storage:
        rows = [(name, storage.where(name)) for name in storage if name != TEMP]
    if arguments.json:
        say_json([{"name": name, "where": where} for name, where in rows])
    else:
        say_table(rows)
    return 0


def _entry(disk: str, path: DiskPath, found: Stat) -> dict[str, Any]:
    return {
        "place": shown(disk, path),
        "kind": found.kind,
        "size": found.size if found.kind == "file" else None,
        "modified": found.modified.isoformat(),
        "mode": f"{found.permissions:04o}",
    }


def _listing(path: DiskPath) -> list[tuple[DiskPath, Stat]]:
    """What a directory holds, links as links; or what is no directory, alone."""
    if not path.is_dir():
        return [(path, path.lstat())]
    from safefs.diskpath import whereabouts

    _, driver, rel = whereabouts(path)
    return [(path / name, found) for name, found in sorted(driver.scan(rel), key=itemgetter(0))]


def _directories(top: DiskPath) -> Iterator[DiskPath]:
    if top.is_dir():
        yield from (here for here, _, _ in top.walk())
    else:
        yield top


def _others(top: DiskPath) -> Iterator[DiskPath]:
    """All beneath a directory that is none itself; or what is no directory, alone."""
    if not top.is_dir():
        top.lstat()  # or raise what is wrong with it
        yield top
        return
    for here, _, others in top.walk():
        yield from (here / name for name in others)


def _ls(arguments: argparse.Namespace) -> int:
    with opened_storage(arguments) as storage:
        listings = [
            (place.disk, directory, found)
            for place in arguments.places
            for directory, found in each_named(place, _listings(on_disk(storage, place), arguments))
        ]
    if arguments.json:
        say_json([_entry(disk, *each) for disk, _, found in listings for each in found])
        return 0
    for number, (disk, directory, found) in enumerate(listings):
        if len(listings) > 1:
            say_all(([""] if number else []) + [shown(disk, directory)])
        say_all(_long(found) if arguments.long else map(_name, found))
    return 0


def _listings(
    top: DiskPath, arguments: argparse.Namespace
) -> Iterator[tuple[DiskPath, list[tuple[DiskPath, Stat]]]]:
    for directory in _directories(top) if arguments.recursive else [top]:
        yield directory, _listing(directory)


def _name(entry: tuple[DiskPath, Stat]) -> str:
    path, found = entry
    return f"{path.name}/" if found.kind == "directory" else path.name


def _long(found: list[tuple[DiskPath, Stat]]) -> Iterator[str]:
    sizes = [size_of(seen) for _, seen in found]
    width = max(map(len, sizes), default=0)
    for entry, size in zip(found, sizes, strict=True):
        mode, time = stat.filemode(entry[1].mode), time_of(entry[1])
        yield f"{mode}  {size:>{width}}  {time}  {_name(entry)}"


def _stat(arguments: argparse.Namespace) -> int:
    with opened_storage(arguments) as storage:
        found = [_looked_at(storage, place) for place in arguments.places]
    if arguments.json:
        say_json([_entry(place.disk, path, seen) for place, path, seen in found])
        return 0
    for place, _, seen in found:
        say(str(place))
        say(f"  kind      {seen.kind}")
        say(f"  size      {size_of(seen)}")
        say(f"  modified  {time_of(seen)}")
        say(f"  mode      {stat.filemode(seen.mode)} ({seen.permissions:04o})")
    return 0


def _looked_at(storage: Storage, place: Place) -> tuple[Place, DiskPath, Stat]:
    path = on_disk(storage, place)
    with naming(place):
        return place, path, path.disk.stat(path)


def _tree(arguments: argparse.Namespace) -> int:
    with opened_storage(arguments) as storage:
        tops = [(place, on_disk(storage, place)) for place in arguments.places]
        if arguments.json:
            found = ((place, each) for place, top in tops for each in each_named(place, _all(top)))
            say_json([_entry(place.disk, path, seen) for place, (path, seen) in found])
            return 0
        for place, top in tops:
            lines = each_named(place, _branches(top))
            first = next(lines, None)  # or what is wrong with it, before it is headed
            say(str(place))
            say_all([] if first is None else [first])
            say_all(lines)
    return 0


def _all(top: DiskPath) -> Iterator[tuple[DiskPath, Stat]]:
    top.stat()  # or raise what is wrong with it
    for path in top.rglob("*"):
        yield path, path.lstat()


def _branches(top: DiskPath) -> Iterator[str]:
    """One line for each entry; in a directory files come first, so that one walk will do."""
    pending: dict[DiskPath, tuple[str, str]] = {}
    for here, directories, others in top.walk():
        line, prefix = pending.pop(here, ("", ""))
        if line:
            yield line
        names = [*others, *directories]
        for number, name in enumerate(names):
            last = number == len(names) - 1
            line = f"{prefix}{'└── ' if last else '├── '}{name}"
            if number < len(others):
                yield line
            else:
                pending[here / name] = (f"{line}/", prefix + ("    " if last else "│   "))


def _find(arguments: argparse.Namespace) -> int:
    with opened_storage(arguments) as storage:
        tops = [(place, on_disk(storage, place)) for place in arguments.places]
        found = ((place, path) for place, top in tops for path in each_named(place, _others(top)))
        if arguments.json:
            say_json([_entry(*_looked_at_link(place, path)) for place, path in found])
        else:
            say_all(shown(place.disk, path) for place, path in found)
    return 0


def _looked_at_link(place: Place, path: DiskPath) -> tuple[str, DiskPath, Stat]:
    with naming(place):
        return place.disk, path, path.lstat()


def _du(arguments: argparse.Namespace) -> int:
    with opened_storage(arguments) as storage:
        rows = [(str(place), _usage(storage, place)) for place in arguments.places]
    if arguments.json:
        say_json([{"place": place, "size": size} for place, size in rows])
    else:
        say_table([(str(size), place) for place, size in rows])
    return 0


def _usage(storage: Storage, place: Place) -> int:
    top = on_disk(storage, place)
    with naming(place):
        found = (path.lstat() for path in _others(top))
        return sum(seen.size for seen in found if seen.kind == "file")


def _explain(arguments: argparse.Namespace) -> int:
    place = arguments.place
    with opened_storage(arguments) as storage:
        found = storage.disk(place.disk).explain(place.path, arguments.operation)
    if arguments.json:
        say_json({"disk": place.disk, **found.as_json()})
    else:
        say_all(str(found).splitlines())
    return 0 if found.allowed else FAILED


def _add_explain(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "read is the default; write is of a file in place, put replaces it and makes directories "
        "that are missing. Exit status: 0 if it would be done, 1 if not."
    )
    parser.add_argument(
        "--operation",
        metavar="WORD",
        choices=OPERATIONS,
        default="read",
        help=f"one of {', '.join(OPERATIONS)} (default: read)",
    )
    add_place(parser, "place")


def _add_ls(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-l", dest="long", action="store_true", help="mode, size and time as well")
    parser.add_argument("-R", dest="recursive", action="store_true", help="and all beneath")
    add_places(parser)


COMMANDS = (
    Command("disks", _disks, "list the disks and where they lie; opens none", add_nothing),
    Command("ls", _ls, "list what a directory holds", _add_ls),
    Command("tree", _tree, "draw a directory and all beneath it", add_places),
    Command("find", _find, "list every file beneath a directory", add_places),
    Command("stat", _stat, "say what is known of an entry", add_places),
    Command("explain", _explain, "say what would become of an operation, and why", _add_explain),
    Command("du", _du, "add up the sizes of files", add_places),
)
