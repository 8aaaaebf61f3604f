"""The command about the key of an installation. No key is an argument, nor asked for in one."""

from __future__ import annotations

import os
import sys
from errno import ENOENT
from typing import TYPE_CHECKING

from safefs.cli.arguments import Command
from safefs.cli.places import opened_storage
from safefs.cli.printing import (
    USAGE,
    complain,
    input_stream,
    naming_output,
    output_stream,
    say_json,
    say_table,
)

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from safefs.age import Hidden
    from safefs.secrets.record import Record
    from safefs.storage import Storage

_STREAM = "-"  # for standard output, or input
_WITH_FILE = ("export", "import")


def _key(arguments: argparse.Namespace) -> int:
    problem = _misused(arguments)
    if problem:
        complain(f"{problem} (see {arguments.parser.prog} --help)")
        return USAGE
    with opened_storage(arguments, key_source=arguments.source, passphrase=_ask) as storage:
        _ACTIONS[arguments.action](storage, arguments)
    return 0


def _misused(arguments: argparse.Namespace) -> str:
    """What no parser says of an option that goes with one action alone; or ""."""
    action = arguments.action
    if (arguments.file is not None) != (action in _WITH_FILE):
        return f"key {action} takes {'a file' if action in _WITH_FILE else 'no file'}"
    if arguments.source is not None and action != "import":
        return "--source goes with key import"
    if arguments.give_up_old_key and action != "import":
        return "--give-up-old-key goes with key import"
    return ""


def _show_source(storage: Storage, arguments: argparse.Namespace) -> None:
    kept = _remembered(storage)
    rows = {"source": storage.key_source, "made": "yes" if kept else "not yet"}
    if kept is not None:
        rows |= {"recipient": kept.recipient}
        rows |= {"keyring": kept.backend} if kept.backend else {}
        rows |= {"why": kept.reason} if kept.reason else {}
    if arguments.json:
        say_json({**rows, "made": kept is not None})
    else:
        say_table(list(rows.items()))


def _rotate(storage: Storage, arguments: argparse.Namespace) -> None:
    _refuse_read_only(arguments)
    _confirm(arguments, f"{storage.app} gets a new key; all tokens are void.")
    _say_recipient(str(storage.rotate_key().recipient), arguments)


def _export(storage: Storage, arguments: argparse.Namespace) -> None:
    file = arguments.file
    if file == _STREAM and output_stream().isatty():
        raise ValueError("a key is not printed to a terminal: name a file, or pipe it on")
    text = storage.export_key()
    _confirm(arguments, f"Who has what is exported opens all that {storage.app} has sealed.")
    if file == _STREAM:
        with naming_output():
            output_stream().buffer.write(text.reveal())
    else:
        _write(file, text)


def _import(storage: Storage, arguments: argparse.Namespace) -> None:
    _refuse_read_only(arguments)
    text = _read(arguments.file)
    kept = _remembered(storage)
    give_up = arguments.give_up_old_key
    instead = f", instead of {kept.recipient}{_AFTER[give_up]}" if kept else ""
    _confirm(arguments, f"This becomes the key of {storage.app}{instead}; all tokens are void.")
    key = storage.import_key(text, replace=True, give_up=give_up)
    _say_recipient(str(key.recipient), arguments)


# What becomes of the old key, by whether it may be given up.
_AFTER = {
    False: ", which goes on opening what it sealed",
    True: ". If that cannot be read, what it sealed is opened no more",
}


_ACTIONS = {
    "show-source": _show_source,
    "rotate": _rotate,
    "export": _export,
    "import": _import,
}


def _remembered(storage: Storage) -> Record | None:
    from safefs.secrets.installation import Installation

    holder = storage._key_holder()  # noqa: SLF001  (what it says is for people, and for no program)
    return holder.remembered() if isinstance(holder, Installation) else None


def _refuse_read_only(arguments: argparse.Namespace) -> None:
    if arguments.read_only:
        raise ValueError(f"key {arguments.action} changes the key, which --read-only does not")


def _say_recipient(recipient: str, arguments: argparse.Namespace) -> None:
    if arguments.json:
        say_json({"recipient": recipient})
    else:
        say_table([("recipient", recipient)])


def _confirm(arguments: argparse.Namespace, what: str) -> None:
    """Only who sits there, or has said so beforehand, may go on."""
    if arguments.yes:
        return
    if arguments.file == _STREAM or not input_stream().isatty():
        raise ValueError(f"key {arguments.action} is to be confirmed: give --yes")
    word = arguments.action
    print(f"{what}\nType {word} to go on: ", end="", file=sys.stderr, flush=True)
    if input_stream().readline().strip() != word:
        raise ValueError(f"key {word} was not confirmed, and nothing was done")


def _ask(prompt: str) -> str:
    import getpass
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(prompt)
        except (getpass.GetPassWarning, EOFError):
            pass
    raise ValueError("a passphrase is asked for at a terminal, and there is none")


def _split(file: str) -> tuple[str, str]:
    folder, name = os.path.split(file)
    return folder or ".", name


def _read(file: str) -> Hidden:
    from safefs.policy import Policy
    from safefs.root import Root
    from safefs.secrets.keyfile import read_private

    if file == _STREAM:
        return _all_of(input_stream().buffer)
    folder, name = _split(file)
    with Root(folder, policy=Policy(symlinks="never")) as root:
        found = read_private(root, name, file)
    if found is None:
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT), file)
    return found


def _all_of(stream: Any) -> Hidden:
    from safefs.age import Hidden

    return Hidden(stream.read())


def _write(file: str, text: Hidden) -> None:
    from safefs.root import Root
    from safefs.secrets.keyfile import write_private

    folder, name = _split(file)
    with Root(folder) as root:
        try:
            write_private(root, name, text)
        except OSError as error:
            error.filename = file
            raise


_EPILOG = """\
show-source    say where the key is kept, or would be; makes none
rotate         make a new key; the old one goes on opening what it sealed
export FILE    write the key, and those before it, to a new file that only you may read (0600),
               or with - to a pipe: age --decrypt -i FILE opens what safefs has sealed
import FILE    make an exported key the key of the application; or with - from standard input
"""


def _add(parser: argparse.ArgumentParser) -> None:
    import argparse

    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    flag = parser.add_argument
    flag("action", metavar="ACTION", choices=tuple(_ACTIONS), help=", ".join(_ACTIONS))
    flag("file", metavar="FILE", nargs="?", help="for export and import; - is a pipe")
    flag("--yes", action="store_true", help="go on without asking first")
    flag(
        "--give-up-old-key",
        action="store_true",
        help="with import: do without the key there is, if it cannot be read",
    )
    flag(
        "--source",
        choices=("keyring", "file", "passphrase"),
        help="with import: where to keep it, if there is none yet",
    )


COMMANDS = (Command("key", _key, "show, rotate, export or import the key of an app", _add),)
