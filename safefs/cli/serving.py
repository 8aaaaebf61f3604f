"""The command that serves disks to other processes, until it is told to end."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from safefs.cli.arguments import Command
from safefs.cli.places import opened_storage
from safefs.cli.printing import output_stream

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from types import FrameType

_STREAM = "-"  # for standard output


def _serve(arguments: argparse.Namespace) -> int:
    names = [name.removesuffix(":") for name in arguments.disks]
    with opened_storage(arguments) as storage, _told_to_end() as end:
        bridge = storage.serve(
            *names,
            read_only=arguments.read_only,
            port=arguments.port,
            socket=arguments.socket,
            origins=arguments.origin,
        )
        with bridge:
            bridge.hand_over(_receiver(arguments.hand_over))
            end.wait()
    return 0


def _receiver(text: str) -> int | str:
    if text == _STREAM:
        output_stream().flush()
        return output_stream().fileno()
    return int(text) if text.isascii() and text.isdecimal() else text


@contextmanager
def _told_to_end() -> Iterator[threading.Event]:
    """Set by SIGTERM, so that what is open is closed; ^C does that as it always does."""
    end = threading.Event()

    def told(_: int, __: FrameType | None) -> None:
        end.set()

    before = signal.signal(signal.SIGTERM, told)
    try:
        yield end
    finally:
        signal.signal(signal.SIGTERM, before)


_EPILOG = """\
By WebDAV over TLS, to who has the key of this start, until SIGTERM or ^C.
The first and only line that is written, as JSON, has the address, the fingerprint
of the certificate, and that key: keep it from others.
"""


def _add(parser: argparse.ArgumentParser) -> None:
    import argparse

    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    flag = parser.add_argument
    flag("disks", metavar="DISK", nargs="+", help="what is served, by its name")
    flag("--port", type=_port, default=0, help="a port of 127.0.0.1 (default: any)")
    flag("--socket", metavar="NAME", help="listen at this name instead, for this user alone")
    flag(
        "--origin",
        metavar="ORIGIN",
        action="append",
        default=[],
        help="let pages of this origin, as https://host, use it in a browser",
    )
    flag(
        "--hand-over",
        metavar="FILE|FD",
        default=_STREAM,
        help="where the line goes: a file (0600), an inherited descriptor, or - (default)",
    )


def _port(text: str) -> int:
    import argparse

    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else -1
    if not 0 <= number < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port, from 0 to 65535")
    return number


COMMANDS = (Command("serve", _serve, "serve disks to other processes of this machine", _add),)
