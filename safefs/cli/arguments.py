"""Arguments that several commands take, and what a command is."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NamedTuple

from safefs.cli.places import place_of_text
from safefs.cli.printing import USAGE, complain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn

    from safefs.cli.places import Place


_MOST = 100_000  # of what is counted on the command line
_PLACE_HELP = "DISK:PATH, e.g. documents:reports/a.csv; documents: is the disk itself"


class Parser(argparse.ArgumentParser):
    """Says what is wrong on one line, with nothing in it that a terminal obeys."""

    def error(self, message: str) -> NoReturn:
        complain(f"{message} (see {self.prog} --help)")
        raise SystemExit(USAGE)


class Misread(NamedTuple):
    """What stands where a place should: to be told of when all arguments are known.

    By itself argparse would first object to the value of an option that it does not know.
    """

    reason: str


def _place(text: str) -> Place | Misread:
    try:
        return place_of_text(text)
    except argparse.ArgumentTypeError as error:
        return Misread(str(error))


def misread(arguments: argparse.Namespace) -> Iterator[str]:
    """Why each argument that should be a place is none."""
    for value in vars(arguments).values():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, Misread):
                yield each.reason


def add_nothing(_: argparse.ArgumentParser) -> None:
    pass


def add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("places", metavar="PLACE", nargs="+", type=_place, help=_PLACE_HELP)


def add_place(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument(name, metavar=name.upper(), type=_place, help=_PLACE_HELP)


def add_two(parser: argparse.ArgumentParser) -> None:
    add_place(parser, "source")
    add_place(parser, "target")


def count_of(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() else 0
    if not 1 <= number <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {_MOST}")
    return number


def many(text: str) -> int:
    """A whole number above zero, however large."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above zero")
    return number


class Command(NamedTuple):
    """A word of the command line. ``add`` gives the parser its arguments."""

    name: str
    run: Callable[[argparse.Namespace], int]
    help: str
    add: Callable[[argparse.ArgumentParser], None]
