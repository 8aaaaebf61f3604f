"""The command that tells what changes, as it changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from safefs.cli.arguments import Command, add_place, count_of
from safefs.cli.places import naming, on_disk, opened_storage, shown
from safefs.cli.printing import FAILED, complain, output_stream, say

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from safefs.cli.places import Place
    from safefs.watch import Change, Watcher


def _watch(arguments: argparse.Namespace) -> int:
    place, left = arguments.place, arguments.count
    with opened_storage(arguments) as storage:
        path = on_disk(storage, place)
        with naming(place):
            watcher = path.disk.watch(path, recursive=not arguments.flat, polling=arguments.polling)
        with watcher, naming(place):
            _say_mode(place, watcher, polling=arguments.polling)
            for change in watcher:
                _say(place, change, as_json=arguments.json)
                if change.kind in ("root_moved", "root_gone"):
                    return FAILED
                if left is not None:
                    left -= 1
                    if not left:
                        return 0
    return 0


def _say_mode(place: Place, watcher: Watcher, *, polling: bool) -> None:
    if watcher.mode == "polling" and not polling:
        complain(f"{place}: is looked at again and again: {watcher.reason}")


def _say(place: Place, change: Change, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_fields(place, change)), file=output_stream())
    else:
        paths = [path for path in (change.old_path, change.path) if path is not None]
        say(f"{change.kind:<8}  {' -> '.join(shown(place.disk, path) for path in paths)}")
    output_stream().flush()


def _fields(place: Place, change: Change) -> dict[str, Any]:
    old, stat = change.old_path, change.stat
    return {
        "change": change.kind,
        "place": shown(place.disk, change.path),
        "old_place": None if old is None else shown(place.disk, old),
        "kind": None if stat is None else stat.kind,
        "size": stat.size if stat is not None and stat.kind == "file" else None,
    }


def _add_watch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--count", metavar="N", type=count_of, default=None, help="end after so many changes"
    )
    parser.add_argument(
        "--flat", action="store_true", help="the directory itself, and nothing beneath"
    )
    parser.add_argument(
        "--polling", action="store_true", help="compare every second; for network file systems"
    )
    add_place(parser, "place")


COMMANDS = (
    Command("watch", _watch, "tell each change in a directory, a line each, until ^C", _add_watch),
)
