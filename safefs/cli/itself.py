"""The commands about safefs itself, and about other storage."""

from __future__ import annotations

import argparse

from safefs.cli.arguments import Command, add_nothing, count_of
from safefs.cli.printing import FAILED, USAGE, complain, say, say_json, say_table, visible


def _doctor(arguments: argparse.Namespace) -> int:
    from safefs.kernel import probe
    from safefs.lockdown import prospect

    report = probe.report()
    rows = [*report.rows(), *prospect.rows()]
    if arguments.json:
        fields = ("name", "value", "meaning")
        say_json([dict(zip(fields, row, strict=True)) for row in rows])
    else:
        say_table(rows)
    return 0 if report.healthy else FAILED


def _demo(_: argparse.Namespace) -> int:
    from safefs import demo

    return demo.run(say)


def _fuzz(arguments: argparse.Namespace) -> int:
    try:
        from safefs.testing import fuzz
        from safefs.testing.quoting import quoted_stderr
    except ImportError as error:
        hint = "fuzz needs the extra 'testing'; get it with: pip install hypothesis pytest"
        raise ValueError(hint) from error
    try:
        with quoted_stderr(visible):
            card = fuzz.fuzz(
                arguments.target, examples=arguments.examples, seconds=arguments.seconds
            )
    except fuzz.BadTargetError as error:
        complain(f"{error} (see {arguments.parser.prog} --help)")
        return USAGE
    if arguments.json:
        say_json(card.as_json())
    else:
        say(f"{card.target}: {card.verdict} ({f'jail: {card.jail}' if card.jail else 'no jail'})")
        say_table(card.lines())
        versions = ", ".join(f"{name} {version}" for name, version in fuzz.versions().items())
        say(f"{card.cases:,} cases tried; {versions}")
    return 0 if card.verdict == "contained" else FAILED


_FUZZ_EPILOG = """\
examples:
  safefs fuzz dir::file                      an fsspec protocol, or a chain of them
  safefs fuzz mypackage.storage:MyStorage    MyStorage(root) is made, in the jail

Exit status: 0 if all is contained, 1 if something got out or the subject is bad,
2 if there is no such target.
"""


def _add_fuzz(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _FUZZ_EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "target",
        metavar="TARGET",
        help="module:factory, which gets the root directory, or an fsspec protocol: dir::file",
    )
    parser.add_argument(
        "--examples",
        metavar="N",
        type=count_of,
        default=50,
        help="cases for each class of attack, at most (default: 50)",
    )
    parser.add_argument(
        "--seconds",
        metavar="N",
        type=count_of,
        default=30,
        help="after which a class of attack counts as hung (default: 30)",
    )


COMMANDS = (
    Command(
        "fuzz", _fuzz, "try to get out of someone's storage, in a jail; prints a card", _add_fuzz
    ),
    Command(
        "doctor", _doctor, "say what this kernel gives, and which resolver is in use", add_nothing
    ),
    Command(
        "demo", _demo, "show it all in a throw-away home, and replay published escapes", add_nothing
    ),
)
