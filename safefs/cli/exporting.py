"""The commands that give something away without what is secret in it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from safefs.cli.arguments import Command, add_place
from safefs.cli.bar import progress_bar
from safefs.cli.places import Place, naming, on_disk, opened_storage
from safefs.cli.printing import (
    complain,
    input_stream,
    naming_output,
    output_stream,
    say_all,
    say_json,
)
from safefs.cli.trees import add_dry_run

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from safefs.diskpath import DiskPath
    from safefs.secrets.redaction import Redacted
    from safefs.storage import Storage


def _export(arguments: argparse.Namespace) -> int:
    with opened_storage(arguments) as storage:
        source = on_disk(storage, arguments.place)
        destination, target = _destination(storage, arguments.destination)
        with (
            _naming_environments(str(arguments.place)),
            naming(arguments.place, target),
            progress_bar() as progress,
        ):
            report = source.disk.export(
                destination,
                source,
                redact=arguments.redact,
                keep=arguments.keep,
                exclude=arguments.exclude,
                include=arguments.include,
                dry_run=arguments.dry_run,
                progress=progress,
            )
    if arguments.json:
        say_json(report.as_json())
    else:
        say_all(str(report).splitlines())
    return 0


def _destination(storage: Storage, text: str) -> tuple[DiskPath | str, Place | str]:
    """As scp(1) has it: a colon before the first slash makes it a place."""
    disk, colon, path = text.partition(":")
    if not colon or not disk or "/" in disk:
        return text, text
    place = Place(disk, path)
    return on_disk(storage, place), place


@contextmanager
def _naming_environments(where: str) -> Iterator[None]:
    """What cannot be read says where it is; without the extra nothing can."""
    from safefs.secrets.redaction import RedactionError

    try:
        yield
    except RedactionError as error:
        raise ValueError(f"{where}: {error}") from None
    except ImportError as error:
        raise ValueError(str(error)) from error


def _redact_env(arguments: argparse.Namespace) -> int:
    from safefs.secrets.redaction import redact_env

    if not arguments.redact and arguments.keep is None:
        raise ValueError("say what is to go, --redact PATTERN, or what may stay, --keep PATTERN")
    file, out = arguments.file, arguments.out
    with _naming_environments("standard input" if file == "-" else file):
        found = redact_env(_content(file), redact=arguments.redact, keep=arguments.keep)
    if out is not None:
        _save(found.content, file, out)
    if arguments.json:
        say_json(_told(found, with_content=out is None))
        return 0
    for pattern in found.unused:
        complain(f"{pattern!r}: no key is called so")
    if out is None:
        with naming_output():
            output_stream().buffer.write(found.content)
    return 0


def _told(found: Redacted, *, with_content: bool) -> dict[str, object]:
    said: dict[str, object] = {
        "kept": list(found.kept),
        "removed": list(found.removed),
        "comments": found.comments,
        "unused": list(found.unused),
    }
    return {**said, "content": found.content.decode()} if with_content else said


def _content(file: str) -> bytes:
    if file == "-":
        return input_stream().buffer.read()
    from safefs.root import Root

    folder, name = os.path.split(os.path.realpath(file))
    with _named(file), Root(folder) as root:
        return root.read_bytes(name)


def _save(content: bytes, file: str, out: str) -> None:
    """As a whole, and never over the file that was read."""
    from safefs.errors import SameFileError
    from safefs.root import Root

    if file != "-" and os.path.exists(out) and os.path.samefile(file, out):
        raise SameFileError(file, out)
    folder, name = os.path.split(os.path.realpath(out))
    with _named(out), Root(folder) as root:
        root.replace_file(name, content)


@contextmanager
def _named(file: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = file, None
        raise


def _add_keys(parser: argparse.ArgumentParser) -> None:
    flag = parser.add_argument
    flag(
        "--redact",
        metavar="PATTERN",
        action="append",
        default=[],
        help="remove these keys of .env files, as in 'AWS_*' or '*_SECRET'; may be repeated",
    )
    flag("--keep", metavar="PATTERN", action="append", help="keep these keys, and no others")


def _add_export(parser: argparse.ArgumentParser) -> None:
    flag = parser.add_argument
    parser.epilog = (
        "Without --redact and --keep .env files are left out. Left out are also .git, keys "
        "(*.pem, *.key, id_rsa ...) and where tools keep their passwords (.aws/, .netrc ...)."
    )
    _add_keys(parser)
    flag("--exclude", metavar="PATTERN", action="append", default=[], help="leave this out too")
    flag(
        "--include",
        metavar="PATTERN",
        action="append",
        default=[],
        help="do not leave this out, as in 'public.pem'",
    )
    add_dry_run(parser)
    add_place(parser, "place")
    flag(
        "destination",
        metavar="DEST",
        help="a new directory or archive of this machine (out, out.zip), or a DISK:PATH",
    )


def _add_redact_env(parser: argparse.ArgumentParser) -> None:
    flag = parser.add_argument
    _add_keys(parser)
    flag("-o", dest="out", metavar="OUT", help="a file to write, and not standard output")
    flag("file", metavar="FILE", help="a local .env file, or - for standard input")


COMMANDS = (
    Command("export", _export, "copy a tree to give away, without the secrets in it", _add_export),
    Command(
        "redact-env", _redact_env, "print a .env file without the secrets in it", _add_redact_env
    ),
)
