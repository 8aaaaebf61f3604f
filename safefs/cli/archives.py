"""The commands that unpack and pack archives."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from safefs.budget import Budget
from safefs.cli.arguments import Command, add_place, add_places, many
from safefs.cli.places import beneath_disk, naming, on_disk, opened_storage
from safefs.cli.printing import FAILED, complain, reason_of, say_all, say_json
from safefs.cli.trees import add_dry_run

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from safefs.cli.places import Place
    from safefs.report import TreeReport

_EPOCH = "SOURCE_DATE_EPOCH"  # of reproducible-builds.org: the time that all members get


def _extract(arguments: argparse.Namespace) -> int:
    dry_run, partial, overwrite = arguments.dry_run, arguments.partial, arguments.overwrite
    if overwrite and not partial:
        raise ValueError("--overwrite goes with --partial: what gave way could not be given back")
    if dry_run and partial:
        raise ValueError("--dry-run is of the whole, and goes without --partial")
    refused: list[OSError | ValueError] = []
    with opened_storage(arguments) as storage:
        archive = beneath_disk(storage, arguments.archive)
        into = on_disk(storage, arguments.into)
        with naming(arguments.archive, arguments.into), _naming_members(arguments.archive):
            report = into.disk.extract(
                archive,
                into,
                budget=_budget(arguments),
                partial=partial,
                overwrite=overwrite,
                duplicates="last" if arguments.last else "refuse",
                dry_run=dry_run,
                on_error=refused.append if arguments.keep_going else None,
            )
    _say(arguments, report, each=arguments.verbose or dry_run)
    for error in refused:
        complain(f"{arguments.archive}: {reason_of(error)}")
    return FAILED if refused else 0


def _budget(arguments: argparse.Namespace) -> Budget:
    """The usual limits, but for those that were given."""
    from safefs.archive.limits import DEFAULT_BUDGET as USUAL

    return Budget(
        entries=arguments.max_entries or USUAL.entries,
        bytes=arguments.max_bytes or USUAL.bytes,
        ratio=arguments.max_ratio or USUAL.ratio,
        depth=USUAL.depth,
        path_length=USUAL.path_length,
    )


@contextmanager
def _naming_members(archive: Place, *others: Place) -> Iterator[None]:
    """An error about a member says which; ``naming`` knows the two places alone."""
    try:
        yield
    except OSError as error:
        places = {place.path for place in (archive, *others)}
        if not isinstance(error.filename, str) or error.filename in places:
            raise
        raise ValueError(f"{archive}: {error.filename}: {error.strerror}") from error


def _archive(arguments: argparse.Namespace) -> int:
    *sources, out = arguments.places
    if not sources:
        raise ValueError("say what to pack, and then what the archive is to be called")
    disks = {place.disk for place in sources}
    if len(disks) > 1:
        raise ValueError("an archive is of one disk; make one of each")
    with opened_storage(arguments) as storage, _naming_flags():
        paths = [on_disk(storage, place) for place in sources]
        target = beneath_disk(storage, out)
        told = {"mtime": _moment()} if _EPOCH in os.environ else {}
        with naming(sources[0], out), _naming_members(sources[0], *sources, out):
            given = paths[0] if len(paths) == 1 else paths
            report = paths[0].disk.archive(given, target, format=arguments.format, **told)  # type: ignore[arg-type]
    _say(arguments, report, each=arguments.verbose)
    return 0


@contextmanager
def _naming_flags() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        if "give format=" not in str(error):
            raise
        raise ValueError(str(error).replace("give format=", "give --format")) from error


def _moment() -> int:
    text = os.environ[_EPOCH]
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"{_EPOCH} is {text!r}, and not a number of seconds")
    return int(text)


def _say(arguments: argparse.Namespace, report: TreeReport, *, each: bool) -> None:
    if arguments.json:
        say_json([{"action": s.action, "path": s.path, "kind": s.kind} for s in report.steps])
    elif each:
        say_all(step.path for step in report.steps)


def _add_extract(parser: argparse.ArgumentParser) -> None:
    flag = parser.add_argument
    _add_verbose(parser)
    add_dry_run(parser)
    flag("--partial", action="store_true", help="each member at once; what fails leaves the others")
    flag("--overwrite", action="store_true", help="with --partial: replace files that exist")
    flag("--last", action="store_true", help="of members of one name the last, as after tar -r")
    flag("--keep-going", action="store_true", help="leave out members that are refused")
    for name, what in (
        ("entries", "an archive of more entries"),
        ("bytes", "what comes to more bytes"),
        ("ratio", "what swells to more than so many times its size"),
    ):
        flag(f"--max-{name}", metavar="N", type=many, help=f"refuse {what}")
    add_place(parser, "archive")
    add_place(parser, "into")


def _add_archive(parser: argparse.ArgumentParser) -> None:
    _add_verbose(parser)
    parser.add_argument(
        "--format", help="tar, tar.gz, zip ...; else the name of the archive says it"
    )
    add_places(parser)


def _add_verbose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-v", dest="verbose", action="store_true", help="print each member")


COMMANDS = (
    Command("extract", _extract, "unpack a tar or zip, whole or not at all", _add_extract),
    Command(
        "archive",
        _archive,
        "pack a directory, or several places, into the last one (.tar, .tar.gz, .zip ...), "
        "replacing what is there",
        _add_archive,
    ),
)
