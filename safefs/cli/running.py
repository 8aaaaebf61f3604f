"""The command that runs another one, locked down."""

from __future__ import annotations

import argparse
import sys

from safefs.cli.arguments import Command
from safefs.cli.places import opened_storage
from safefs.cli.printing import FAILURES, complain, reason_of

TIMED_OUT, NOT_STARTED = 124, 125  # as timeout(1) and env(1)
_MOST_SECONDS = 10**8


def _run(arguments: argparse.Namespace) -> int:
    from subprocess import TimeoutExpired

    if sys.stdout is not None:
        sys.stdout.flush()  # the command writes past it
    try:
        with opened_storage(arguments) as storage:
            done = storage.run(
                arguments.words,
                disks=arguments.disk,
                network=arguments.net,
                extra_read=arguments.read,
                extra_write=arguments.write,
                execute=arguments.execute,
                cwd=arguments.cwd,
                timeout=arguments.timeout,
                limits=dict(arguments.limit),
                isolate=arguments.isolate,
            )
    except TimeoutExpired as error:
        complain(f"ended after {error.timeout:g} s: {arguments.words[0]}")
        return TIMED_OUT
    except FAILURES as error:
        complain(reason_of(error))
        return NOT_STARTED
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def _network(text: str) -> str | tuple[int, ...]:
    if text in ("deny", "allow"):
        return text
    ports = text.split(",")
    if not all(port.isascii() and port.isdecimal() and len(port) < 6 for port in ports):
        raise argparse.ArgumentTypeError(f"{text!r} is neither deny nor allow nor ports: 443,8080")
    return tuple(map(int, ports))


def _limit(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not (number.isascii() and number.isdecimal() and len(number) < 20):
        raise argparse.ArgumentTypeError(f"{text!r} is no limit; write NAME=NUMBER, as in cpu=10")
    return name, int(number)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < _MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds


_EPILOG = """\
examples:
  safefs run --disk documents --cwd documents -- grep -r invoice .
  safefs run --net 443 --read ./script.py -- python3 "$PWD/script.py"

It can open nothing but what is named, the programs and libraries of the system, and a temporary
directory of its own. What that leaves open: docs/lockdown.md.

Exit status: that of the command, or 128 and its signal; 124 when its time is up, and 125 when it
was not started.
"""


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--disk", metavar="DISK", action="append", default=[], help="a disk that it may use")
    add("--cwd", metavar="DISK", help="the disk on which it begins (default: a directory apart)")
    add(
        "--net",
        metavar="WHAT",
        type=_network,
        default="deny",
        help="TCP: deny (the default), allow, or ports, as 443,8080",
    )
    for name, meaning in (
        ("read", "it may read"),
        ("write", "it may read and change"),
        ("execute", "it may read and start"),
    ):
        add(
            f"--{name}",
            metavar="PATH",
            action="append",
            default=[],
            help=f"a file or directory that {meaning}",
        )
    add("--timeout", metavar="SECONDS", type=_seconds, help="after which it is ended")
    add(
        "--limit",
        metavar="NAME=N",
        type=_limit,
        action="append",
        default=[],
        help="a limit of the system: as, core, cpu, data, fsize, nofile, nproc or stack",
    )
    add("--isolate", action="store_true", help="namespaces of its own besides (bubblewrap)")
    add("words", metavar="COMMAND", nargs="+", help="what to run, after --")


COMMANDS = (Command("run", _run, "run a command that can open nothing but its disks", _add_run),)
