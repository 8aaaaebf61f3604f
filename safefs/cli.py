"""The command ``safefs``: parsing of arguments, and printing. What it does lies below."""

from __future__ import annotations

import argparse
import json
import os
import stat
import sys
from contextlib import contextmanager
from errno import ENOENT
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from safefs import __version__
from safefs.errors import (
    ConfigError,
    MissingFolderError,
    SafefsError,
    SameFileError,
    UnsafeFolderError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, BinaryIO, NoReturn, TextIO, TypeVar

    from safefs.diskpath import DiskPath
    from safefs.drivers.base import Stat
    from safefs.storage import Storage

    T = TypeVar("T")

_APP = "safefs"
_TEMP = "temp"  # safefs.folders.TEMP, which would be a slow import for --help
_CHUNK = 1 << 20  # bytes
_MOST = 100_000  # of what is counted on the command line
_FAILED = 1
_USAGE = 2
_INTERRUPTED = 130  # as a shell shows it: 128 + SIGINT, and 128 + SIGPIPE
_BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0, 1 when it failed, 2 when it was not understood."""
    parser = _parser()
    try:
        arguments, unknown = parser.parse_known_args(argv)
        if unknown:
            arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else _USAGE
    if arguments.command is None:
        parser.print_help(sys.stderr)
        return _USAGE
    try:
        status: int = arguments.command(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _abandon_output()
        return _BROKEN_PIPE
    except KeyboardInterrupt:
        return _INTERRUPTED
    except _FAILURES as error:
        _complain(_reason(error))
        _abandon_output_if_full()
        return _FAILED
    return status


_FAILURES = (SafefsError, OSError, ValueError, RecursionError)


def _complain(reason: str) -> None:
    if sys.stderr is not None:  # print() would take None for standard output
        print(f"safefs: {visible(reason)}", file=sys.stderr)


def _reason(error: BaseException) -> str:
    if isinstance(error, ConfigError) and error.source == "Storage":  # what the flags were
        return f"--{error.key.replace('_', '-')}: {error.reason}"
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error) or type(error).__name__
    said = error.strerror
    if isinstance(error, UnsafeFolderError):
        said = said.replace(f"outside_home={{{error.disk!r}}}", f"--outside-home {error.disk}")
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if name is not None]
    return f"{' -> '.join(names)}: {said}" if names else said


def _abandon_output() -> None:
    """Nobody reads any more: the interpreter must not try once again at its end, and complain."""
    try:
        sys.stdout.close()
    except OSError:
        pass


def _abandon_output_if_full() -> None:
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        _abandon_output()


# Python has None for a standard stream that was closed before it began.


def _output() -> TextIO:
    if sys.stdout is None:
        raise ValueError("standard output is closed")
    return sys.stdout


def _input() -> TextIO:
    if sys.stdin is None:
        raise ValueError("standard input is closed")
    return sys.stdin


# -- what is printed ---------------------------------------------------------------------------


def visible(text: str) -> str:
    r"""``text`` with all that a terminal might obey, or could not show, written as escapes.

    >>> print(visible("a\x1b]0;b\x07"))
    a\x1b]0;b\x07
    """
    return text if text.isprintable() else "".join(map(_visible_char, text))


def _visible_char(char: str) -> str:
    if char.isprintable():
        return char
    if "\udc80" <= char <= "\udcff":  # a byte of a name that is no text
        return f"\\x{ord(char) & 0xFF:02x}"
    return char.encode("unicode_escape").decode()


def _say(line: str = "") -> None:
    output = _output()
    encoding = output.encoding or "utf-8"
    print(visible(line).encode(encoding, "backslashreplace").decode(encoding), file=output)


def _say_all(lines: Iterable[str]) -> None:
    for line in lines:
        _say(line)


def _say_json(data: object) -> None:
    # All but ASCII is escaped, so a terminal has nothing to obey.
    print(json.dumps(data, indent=2), file=_output())


def _say_table(rows: Iterable[Sequence[str]]) -> None:
    table = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        _say("  ".join(cells).rstrip())


def _size_of(found: Stat) -> str:
    return str(found.size) if found.kind == "file" else "-"


def _time_of(found: Stat) -> str:
    return found.modified.astimezone().strftime("%Y-%m-%d %H:%M:%S")


# -- places ------------------------------------------------------------------------------------


class Place(NamedTuple):
    """``documents:reports/a.csv``: a disk, a colon, a path."""

    disk: str
    path: str

    def __str__(self) -> str:
        return f"{self.disk}:{self.path}"


def _place(text: str) -> Place:
    disk, colon, path = text.partition(":")
    if not colon or not disk:
        reason = "is no place; write DISK:PATH, as in documents:reports/a.csv"
        raise argparse.ArgumentTypeError(f"{text!r} {reason}")
    if disk == _TEMP:
        raise argparse.ArgumentTypeError(f"{text!r}: temp is removed when this command ends")
    return Place(disk, path)


@contextmanager
def _storage(arguments: argparse.Namespace) -> Iterator[Storage]:
    from safefs.storage import Storage

    outside = arguments.outside_home or ()
    with Storage(arguments.app, config=arguments.config, outside_home=outside) as storage:
        yield storage


@contextmanager
def _naming(place: Place, other: Place | None = None) -> Iterator[None]:
    """An error that comes from a disk, or from between two, names its place.

    What is wrong with the folder of a disk names the folder, and stays as it is.
    """
    try:
        yield
    except (MissingFolderError, UnsafeFolderError):
        raise
    except OSError as error:
        if other is not None:
            error.filename, error.filename2 = str(place), str(other)
        elif error.filename is None:
            error.filename = str(place)
        else:
            error.filename = _shown(place.disk, os.fsdecode(error.filename))
        raise


def _each(place: Place, found: Iterable[T]) -> Iterator[T]:
    """What is found at a place, piece by piece, with its errors named."""
    with _naming(place):
        yield from found


def _on(storage: Storage, place: Place) -> DiskPath:
    disk = storage.disk(place.disk)
    with _naming(place):
        return disk / (place.path or ".")


def _beneath(storage: Storage, place: Place) -> DiskPath:
    """What is made, moved or removed, which is never a disk."""
    path = _on(storage, place)
    if not path.name:
        raise ValueError(f"{place} is the disk itself")
    return path


def _into(storage: Storage, place: Place, name: str) -> DiskPath:
    """Where something of this name goes: to the place, or into it where it is a directory."""
    target = _on(storage, place)
    with _naming(place):
        into = not place.path or place.path.endswith("/") or target.is_dir()
    return target / _plain(name) if into else target


def _plain(name: str) -> str:
    if name in ("", ".", "..", "-"):
        raise ValueError("say what the file is to be called")
    return name


def _shown(disk: str, path: DiskPath | str) -> str:
    text = str(path)
    return f"{disk}:{'' if text == '.' else text}"


def _place_of(place: Place, path: DiskPath) -> Place:
    return Place(place.disk, path.as_posix())


# -- looking -----------------------------------------------------------------------------------


def _disks(arguments: argparse.Namespace) -> int:
    with _storage(arguments) as storage:
        rows = [(name, storage.where(name)) for name in storage if name != _TEMP]
    if arguments.json:
        _say_json([{"name": name, "where": where} for name, where in rows])
    else:
        _say_table(rows)
    return 0


def _entry(disk: str, path: DiskPath, found: Stat) -> dict[str, Any]:
    return {
        "place": _shown(disk, path),
        "kind": found.kind,
        "size": found.size if found.kind == "file" else None,
        "modified": found.modified.isoformat(),
        "mode": f"{found.permissions:04o}",
    }


def _listing(path: DiskPath) -> list[tuple[DiskPath, Stat]]:
    """What a directory holds, links as links; or what is no directory, alone."""
    if not path.is_dir():
        return [(path, path.lstat())]
    from safefs.diskpath import whereabouts

    _, driver, rel = whereabouts(path)
    return [(path / name, found) for name, found in sorted(driver.scan(rel), key=itemgetter(0))]


def _directories(top: DiskPath) -> Iterator[DiskPath]:
    if top.is_dir():
        yield from (here for here, _, _ in top.walk())
    else:
        yield top


def _others(top: DiskPath) -> Iterator[DiskPath]:
    """All beneath a directory that is none itself; or what is no directory, alone."""
    if not top.is_dir():
        top.lstat()  # or raise what is wrong with it
        yield top
        return
    for here, _, others in top.walk():
        yield from (here / name for name in others)


def _ls(arguments: argparse.Namespace) -> int:
    with _storage(arguments) as storage:
        listings = [
            (place.disk, directory, found)
            for place in arguments.places
            for directory, found in _each(place, _listings(_on(storage, place), arguments))
        ]
    if arguments.json:
        _say_json([_entry(disk, *each) for disk, _, found in listings for each in found])
        return 0
    for number, (disk, directory, found) in enumerate(listings):
        if len(listings) > 1:
            _say_all(([""] if number else []) + [_shown(disk, directory)])
        _say_all(_long(found) if arguments.long else map(_name, found))
    return 0


def _listings(
    top: DiskPath, arguments: argparse.Namespace
) -> Iterator[tuple[DiskPath, list[tuple[DiskPath, Stat]]]]:
    for directory in _directories(top) if arguments.recursive else [top]:
        yield directory, _listing(directory)


def _name(entry: tuple[DiskPath, Stat]) -> str:
    path, found = entry
    return f"{path.name}/" if found.kind == "directory" else path.name


def _long(found: list[tuple[DiskPath, Stat]]) -> Iterator[str]:
    sizes = [_size_of(seen) for _, seen in found]
    width = max(map(len, sizes), default=0)
    for entry, size in zip(found, sizes, strict=True):
        mode, time = stat.filemode(entry[1].mode), _time_of(entry[1])
        yield f"{mode}  {size:>{width}}  {time}  {_name(entry)}"


def _stat(arguments: argparse.Namespace) -> int:
    with _storage(arguments) as storage:
        found = [_looked_at(storage, place) for place in arguments.places]
    if arguments.json:
        _say_json([_entry(place.disk, path, seen) for place, path, seen in found])
        return 0
    for place, _, seen in found:
        _say(str(place))
        _say(f"  kind      {seen.kind}")
        _say(f"  size      {_size_of(seen)}")
        _say(f"  modified  {_time_of(seen)}")
        _say(f"  mode      {stat.filemode(seen.mode)} ({seen.permissions:04o})")
    return 0


def _looked_at(storage: Storage, place: Place) -> tuple[Place, DiskPath, Stat]:
    path = _on(storage, place)
    with _naming(place):
        return place, path, path.disk.stat(path)


def _tree(arguments: argparse.Namespace) -> int:
    with _storage(arguments) as storage:
        tops = [(place, _on(storage, place)) for place in arguments.places]
        if arguments.json:
            beneath = ((place, each) for place, top in tops for each in _each(place, _all(top)))
            _say_json([_entry(place.disk, path, found) for place, (path, found) in beneath])
            return 0
        for place, top in tops:
            lines = _each(place, _branches(top))
            first = next(lines, None)  # or what is wrong with it, before it is headed
            _say(str(place))
            _say_all([] if first is None else [first])
            _say_all(lines)
    return 0


def _all(top: DiskPath) -> Iterator[tuple[DiskPath, Stat]]:
    top.stat()  # or raise what is wrong with it
    for path in top.rglob("*"):
        yield path, path.lstat()


def _branches(top: DiskPath) -> Iterator[str]:
    """One line for each entry; in a directory files come first, so that one walk will do."""
    pending: dict[DiskPath, tuple[str, str]] = {}
    for here, directories, others in top.walk():
        line, prefix = pending.pop(here, ("", ""))
        if line:
            yield line
        names = [*others, *directories]
        for number, name in enumerate(names):
            last = number == len(names) - 1
            line = f"{prefix}{'└── ' if last else '├── '}{name}"
            if number < len(others):
                yield line
            else:
                pending[here / name] = (f"{line}/", prefix + ("    " if last else "│   "))


def _find(arguments: argparse.Namespace) -> int:
    with _storage(arguments) as storage:
        tops = [(place, _on(storage, place)) for place in arguments.places]
        found = ((place, path) for place, top in tops for path in _each(place, _others(top)))
        if arguments.json:
            _say_json([_entry(*_looked_at_link(place, path)) for place, path in found])
        else:
            _say_all(_shown(place.disk, path) for place, path in found)
    return 0


def _looked_at_link(place: Place, path: DiskPath) -> tuple[str, DiskPath, Stat]:
    with _naming(place):
        return place.disk, path, path.lstat()


def _du(arguments: argparse.Namespace) -> int:
    with _storage(arguments) as storage:
        rows = [(str(place), _usage(storage, place)) for place in arguments.places]
    if arguments.json:
        _say_json([{"place": place, "size": size} for place, size in rows])
    else:
        _say_table([(str(size), place) for place, size in rows])
    return 0


def _usage(storage: Storage, place: Place) -> int:
    top = _on(storage, place)
    with _naming(place):
        found = (path.lstat() for path in _others(top))
        return sum(seen.size for seen in found if seen.kind == "file")


# -- reading and changing ----------------------------------------------------------------------


def _cat(arguments: argparse.Namespace) -> int:
    output = _output().buffer
    with _storage(arguments) as storage:
        return _keep_going(arguments.places, lambda place: _pour(storage, place, output))


def _keep_going(places: Iterable[Place], act: Callable[[Place], object]) -> int:
    """Do it to each, complaining of those that fail: as cat(1) and rm(1) do."""
    status = 0
    for place in places:
        try:
            act(place)
        except BrokenPipeError:
            raise
        except _FAILURES as error:
            _complain(_reason(error))
            status = _FAILED
    return status


def _pour(storage: Storage, place: Place, output: BinaryIO) -> None:
    with _reading(storage, place) as file:
        output.writelines(_chunks(place, file))


@contextmanager
def _reading(storage: Storage, place: Place) -> Iterator[BinaryIO]:
    path = _on(storage, place)
    with _naming(place):
        file = path.open("rb")
    with file:
        yield file


def _chunks(place: Place, file: BinaryIO) -> Iterator[bytes]:
    """Errors of the file name its place; those of what it is written to are of no disk."""
    return _each(place, iter(lambda: file.read(_CHUNK), b""))


def _put(arguments: argparse.Namespace) -> int:
    local = arguments.local
    with _storage(arguments) as storage:
        target = _into(storage, arguments.place, os.path.basename(local))
        if local == "-":
            _store(arguments.place, target, _input().buffer)
            return 0
        with open(local, "rb") as file:
            _store(arguments.place, target, file)
    return 0


def _store(place: Place, target: DiskPath, file: BinaryIO) -> None:
    with _naming(_place_of(place, target)):
        target.disk.put(target, file)


def _get(arguments: argparse.Namespace) -> int:
    local = arguments.local
    with _storage(arguments) as storage:
        if local == "-":
            _pour(storage, arguments.place, _output().buffer)
            return 0
        source = _on(storage, arguments.place)
        with _reading(storage, arguments.place) as file:
            if os.path.isdir(local):
                local = os.path.join(local, _plain(source.name))
            _save(file, local, arguments.place)
    return 0


def _save(file: BinaryIO, local: str, place: Place) -> None:
    """As a whole, unless it is to a device or a pipe: a failed get leaves the file that was."""
    if local.endswith("/"):
        raise FileNotFoundError(ENOENT, "no such directory", local)
    try:
        found = os.stat(local)
    except FileNotFoundError:
        found = None
    if found is not None and os.path.samestat(found, os.fstat(file.fileno())):
        raise SameFileError(str(place), local)
    if found is not None and not stat.S_ISREG(found.st_mode):
        with open(local, "wb") as copy:
            copy.writelines(_chunks(place, file))
        return
    from safefs.root import Root

    folder, name = os.path.split(os.path.realpath(local))
    with Root(folder) as root:
        try:
            root.replace_file(name, _chunks(place, file))
        except OSError as error:
            if error.filename in (None, name):
                error.filename = local
            raise


def _cp(arguments: argparse.Namespace) -> int:
    with _storage(arguments) as storage:
        source = _beneath(storage, arguments.source)
        target = _into(storage, arguments.target, source.name)
        with _naming(arguments.source, _place_of(arguments.target, target)):
            source.disk.copy(source, target)
    return 0


def _mv(arguments: argparse.Namespace) -> int:
    with _storage(arguments) as storage:
        source = _beneath(storage, arguments.source)
        target = _into(storage, arguments.target, source.name)
        with _naming(arguments.source, _place_of(arguments.target, target)):
            _check_movable(arguments.source, source, target)
            how = source.disk.move(source, target)
    if how == "copied":
        _complain(f"{arguments.source} could not be renamed: it was copied, and removed")
    return 0


def _check_movable(place: Place, source: DiskPath, target: DiskPath) -> None:
    if source.disk is not target.disk and source.lstat().kind == "directory":
        raise ValueError(f"{place} is a directory, and can be moved only within its disk")


def _rm(arguments: argparse.Namespace) -> int:
    with _storage(arguments) as storage:
        recursive = arguments.recursive
        return _keep_going(
            arguments.places, lambda place: _remove(storage, place, recursive=recursive)
        )


def _remove(storage: Storage, place: Place, *, recursive: bool) -> None:
    path = _beneath(storage, place)
    with _naming(place):
        if recursive and path.lstat().kind == "directory":
            path.disk.delete_directory(path)
        else:
            path.unlink()


def _mkdir(arguments: argparse.Namespace) -> int:
    parents = arguments.parents
    with _storage(arguments) as storage:
        for place in arguments.places:
            path = _on(storage, place) if parents else _beneath(storage, place)
            with _naming(place):
                path.mkdir(parents=parents, exist_ok=parents)
    return 0


# -- safefs itself -----------------------------------------------------------------------------


def _doctor(arguments: argparse.Namespace) -> int:
    from safefs.kernel import probe

    report = probe.report()
    if arguments.json:
        fields = ("name", "value", "meaning")
        _say_json([dict(zip(fields, row, strict=True)) for row in report.rows()])
    else:
        _say_table(report.rows())
    return 0 if report.healthy else _FAILED


def _demo(_: argparse.Namespace) -> int:
    from safefs import demo

    return demo.run(_say)


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
        _complain(f"{error} (see {arguments.parser.prog} --help)")
        return _USAGE
    if arguments.json:
        _say_json(card.as_json())
    else:
        _say(f"{card.target}: {card.verdict} ({f'jail: {card.jail}' if card.jail else 'no jail'})")
        _say_table(card.lines())
        versions = ", ".join(f"{name} {version}" for name, version in fuzz.versions().items())
        _say(f"{card.cases:,} cases tried; {versions}")
    return 0 if card.verdict == "contained" else _FAILED


# -- arguments ---------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """Says what is wrong on one line, with nothing in it that a terminal obeys."""

    def error(self, message: str) -> NoReturn:
        _complain(f"{message} (see {self.prog} --help)")
        raise SystemExit(_USAGE)


_EPILOG = """\
A PLACE is DISK:PATH, as in documents:reports/a.csv; documents: is the disk itself.
There is no temp here: it would be removed when the command ends.
Exit status: 0, 1 when a command failed, 2 when it was not understood.
"""


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="safefs",
        description="Named disks, each confined to its own folder.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"safefs {__version__}")
    _add_common(parser)
    parser.set_defaults(app=_APP, config=None, outside_home=None, json=False)
    parser.set_defaults(command=None, parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, function, help_, add in _COMMANDS:
        command = commands.add_parser(name, help=help_, description=help_, allow_abbrev=False)
        command.set_defaults(command=function, parser=command)
        _add_common(command)
        add(command)
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
    add("--json", action="store_true", default=absent, help="print data as JSON")


def _add_nothing(_: argparse.ArgumentParser) -> None:
    pass


_PLACE_HELP = "DISK:PATH, e.g. documents:reports/a.csv; documents: is the disk itself"


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("places", metavar="PLACE", nargs="+", type=_place, help=_PLACE_HELP)


def _add_place(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument(name, metavar=name.upper(), type=_place, help=_PLACE_HELP)


def _add_ls(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-l", dest="long", action="store_true", help="mode, size and time as well")
    parser.add_argument("-R", dest="recursive", action="store_true", help="and all beneath")
    _add_places(parser)


def _add_rm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-r", dest="recursive", action="store_true", help="directories too")
    _add_places(parser)


def _add_mkdir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-p", dest="parents", action="store_true", help="and those above it")
    _add_places(parser)


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
        type=_count,
        default=50,
        help="cases for each class of attack, at most (default: 50)",
    )
    parser.add_argument(
        "--seconds",
        metavar="N",
        type=_count,
        default=30,
        help="after which a class of attack counts as hung (default: 30)",
    )


def _count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() else 0
    if not 1 <= number <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {_MOST}")
    return number


def _add_put(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("local", metavar="LOCAL", help="a file, or - for standard input")
    _add_place(parser, "place")


def _add_get(parser: argparse.ArgumentParser) -> None:
    _add_place(parser, "place")
    parser.add_argument("local", metavar="LOCAL", help="a file, or - for standard output")


def _add_two(parser: argparse.ArgumentParser) -> None:
    _add_place(parser, "source")
    _add_place(parser, "target")


_COMMANDS: tuple[
    tuple[
        str,
        Callable[[argparse.Namespace], int],
        str,
        Callable[[argparse.ArgumentParser], None],
    ],
    ...,
] = (
    ("disks", _disks, "list the disks and where they lie; opens none", _add_nothing),
    ("ls", _ls, "list what a directory holds", _add_ls),
    ("tree", _tree, "draw a directory and all beneath it", _add_places),
    ("find", _find, "list every file beneath a directory", _add_places),
    ("stat", _stat, "say what is known of an entry", _add_places),
    ("du", _du, "add up the sizes of files", _add_places),
    ("cat", _cat, "print files", _add_places),
    ("put", _put, "copy a local file to a disk; replaces a file, and makes parents", _add_put),
    ("get", _get, "copy a file of a disk to a local one", _add_get),
    ("cp", _cp, "copy a file, from disk to disk too", _add_two),
    ("mv", _mv, "move a file, or within one disk a directory", _add_two),
    ("rm", _rm, "remove files", _add_rm),
    ("mkdir", _mkdir, "make directories", _add_mkdir),
    ("fuzz", _fuzz, "try to get out of someone's storage, in a jail; prints a card", _add_fuzz),
    ("doctor", _doctor, "say what this kernel gives, and which resolver is in use", _add_nothing),
    ("demo", _demo, "show it all in a throw-away home, and replay published escapes", _add_nothing),
)
