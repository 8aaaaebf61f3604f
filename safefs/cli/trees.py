"""What the commands on whole trees share, and the one that makes a directory like another."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from safefs.budget import Budget
from safefs.cli.arguments import Command, add_two, many
from safefs.cli.bar import progress_bar
from safefs.cli.places import naming, on_disk, opened_storage, shown
from safefs.cli.printing import say_all, say_json

if TYPE_CHECKING:
    import argparse

    from safefs.cli.places import Place
    from safefs.diskpath import DiskPath
    from safefs.report import TreeReport

    Row = tuple[str, str, str]  # what is done, to which place, of which kind


class Steps(NamedTuple):
    """Where the steps of a report are, for people."""

    place: Place
    path: DiskPath


def rows_of(where: Steps, report: TreeReport) -> list[Row]:
    return [(step.action, _full(where, step.path), step.kind) for step in report.steps]


def say_rows(rows: list[Row], *, as_json: bool) -> None:
    """One line for each step of a dry run: what would become of which place."""
    if as_json:
        say_json([{"action": a, "place": p, "kind": k} for a, p, k in rows])
    else:
        say_all(f"{action}  {path}" for action, path, _ in rows)


def _full(where: Steps, path: str) -> str:
    return shown(where.place.disk, where.path / path if path else where.path)


def _sync(arguments: argparse.Namespace) -> int:
    with opened_storage(arguments) as storage:
        source = on_disk(storage, arguments.source)
        target = on_disk(storage, arguments.target)
        with naming(arguments.source, arguments.target), progress_bar() as progress:
            report = source.disk.sync_to(
                target,
                source=source,
                delete=arguments.delete,
                checksum=arguments.checksum,
                dry_run=arguments.dry_run,
                budget=Budget(entries=arguments.max_entries, bytes=arguments.max_bytes),
                progress=progress,
            )
        if arguments.dry_run or arguments.json:
            say_rows(rows_of(Steps(arguments.target, target), report), as_json=arguments.json)
    return 0


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-n",
        "--dry-run",
        dest="dry_run",
        action="store_true",
        help="change nothing, and print what would be done",
    )


def _add_sync(parser: argparse.ArgumentParser) -> None:
    flag = parser.add_argument
    flag("--delete", action="store_true", help="remove what is not in the source")
    flag("--checksum", action="store_true", help="compare content, and not size and time")
    add_dry_run(parser)
    for name in ("entries", "bytes"):
        flag(f"--max-{name}", metavar="N", type=many, help=f"refuse a source of more {name}")
    add_two(parser)


COMMANDS = (Command("sync", _sync, "make a directory like another, one way", _add_sync),)
