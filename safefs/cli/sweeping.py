"""The command that removes what writers have left behind."""

from __future__ import annotations

import argparse
import math

from safefs.cli.arguments import Command, add_places
from safefs.cli.places import keep_going, naming, on_disk, opened_storage, shown
from safefs.cli.printing import say_all, say_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safefs.cli.places import Place

_DAY = 86400.0  # as Disk.sweep


def _sweep(arguments: argparse.Namespace) -> int:
    """Prints what it has removed also where another place fails."""
    removed: list[str] = []
    with opened_storage(arguments) as storage:

        def sweep(place: Place) -> None:
            top = on_disk(storage, place)
            with naming(place):
                swept = top.disk.sweep(top, older_than=arguments.older_than)
            removed.extend(shown(place.disk, path) for path in swept)

        status = keep_going(arguments.places, sweep)
    if arguments.json:
        say_json(removed)
    else:
        say_all(removed)
    return status


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds


def _add_sweep(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--older-than",
        metavar="SECONDS",
        type=_seconds,
        default=_DAY,
        help="only what has not changed for so long (default: a day); 0 for all of it",
    )
    add_places(parser)


COMMANDS = (
    Command(
        "sweep", _sweep, "remove what a crash left half-written, and print what it was", _add_sweep
    ),
)
