"""The command ``safefs``: parsing of arguments, and printing. What it does lies below."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from safefs import __version__
from safefs.cli import (
    archives,
    changing,
    exporting,
    itself,
    keys,
    looking,
    running,
    serving,
    sweeping,
    trees,
    watching,
)
from safefs.cli.arguments import Parser, misread
from safefs.cli.printing import (
    BROKEN_PIPE,
    FAILED,
    FAILURES,
    INTERRUPTED,
    USAGE,
    abandon_output,
    abandon_output_if_full,
    complain,
    naming_output,
    reason_of,
    visible,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


__all__ = ["main", "visible"]

COMMANDS = (
    *looking.COMMANDS,
    *changing.COMMANDS,
    *archives.COMMANDS,
    *exporting.COMMANDS,
    *sweeping.COMMANDS,
    *trees.COMMANDS,
    *watching.COMMANDS,
    *keys.COMMANDS,
    *running.COMMANDS,
    *serving.COMMANDS,
    *itself.COMMANDS,
)

_APP = "safefs"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0, 1 when it failed, 2 when it was not understood."""
    parser = _parser()
    try:
        arguments, unknown = parser.parse_known_args(argv)
        # argparse takes an optional word for left out where an option stands before it.
        if len(unknown) == 1 and unknown[0][:1] != "-" and getattr(arguments, "file", "") is None:
            arguments.file = unknown.pop()
        if unknown:
            options = [text for text in unknown if text[:1] == "-"]
            arguments.parser.error(f"unrecognized arguments: {' '.join(options or unknown)}")
        for reason in misread(arguments):
            arguments.parser.error(reason)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else USAGE
    if arguments.command is None:
        parser.print_help(sys.stderr)
        return USAGE
    try:
        status: int = arguments.command(arguments)
        if sys.stdout is not None:
            with naming_output():
                sys.stdout.flush()
    except BrokenPipeError:
        abandon_output()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except ImportError as error:
        if "install safefs[" not in str(error):  # else it says which extra is missing
            raise
        complain(str(error))
        return FAILED
    except FAILURES as error:
        complain(reason_of(error))
        abandon_output_if_full()
        return FAILED
    return status


_EPILOG = """\
A PLACE is DISK:PATH, as in documents:reports/a.csv; documents: is the disk itself.
There is no temp here: it would be removed when the command ends.
Exit status: 0, 1 when a command failed, 2 when it was not understood.
"""


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="safefs",
        description="Named disks, each confined to its own folder.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"safefs {__version__}")
    _add_common(parser)
    parser.set_defaults(app=_APP, config=None, outside_home=None, json=False)
    parser.set_defaults(read_only=False)
    parser.set_defaults(command=None, parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for each in COMMANDS:
        command = commands.add_parser(
            each.name, help=each.help, description=each.help, allow_abbrev=False
        )
        command.set_defaults(command=each.run, parser=command)
        _add_common(command)
        each.add(command)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    """These may stand before the command or after it; absent, they leave alone what came before."""
    add = parser.add_argument_group("which storage, and how to print").add_argument
    absent = argparse.SUPPRESS
    add(
        "--app",
        metavar="NAME",
        default=absent,
        help=f"the application whose disks these are (default: {_APP})",
    )
    add("--config", metavar="FILE", default=absent, help="a safefs.toml to read instead of its own")
    add(
        "--outside-home",
        metavar="DISK",
        action="append",
        default=absent,
        help="believe that this disk lies outside the home directory",
    )
    add(
        "--read-only",
        action="store_true",
        default=absent,
        help="open every disk read-only: what would change one is refused",
    )
    add("--json", action="store_true", default=absent, help="print data as JSON")
