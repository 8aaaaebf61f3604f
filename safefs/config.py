"""``safefs.toml``: further disks, and narrower rights for the named ones.

::

    [disks.uploads]
    path = "/srv/uploads"       # absolute; a named disk such as documents may leave it out
    create = true               # make the folder if it is missing
    read_only = true            # this and the rest are the fields of safefs.Policy
    symlinks = "never"
    same_filesystem = true
    portable_names = true

    [disks.private]
    path = "/srv/private"
    encrypted = true            # the contents of files are sealed with Storage.key
    allow_plain = true          # and what is not sealed there is read as it is: see Disk.encrypted

    [disks.home]
    top_level_dot_entries = "allow"

A file is read as a whole or refused as a whole: an unknown key, a wrong type, a relative path or
bad TOML is a ``ConfigError`` that names file, line and key. Misspelling ``read_only`` must not
hand out a disk that can be written.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from reprlib import repr as shortened
from stat import S_IWOTH
from typing import TYPE_CHECKING, Any

from safefs.errors import ConfigError, EscapeError, UnsafeFolderError
from safefs.folders import NAMES, TEMP
from safefs.policy import FIELDS, Policy
from safefs.root import Root
from safefs.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safefs.folders import Place

FILE = "safefs.toml"
_VARIABLE = "XDG_CONFIG_HOME"

_RIGHTS = FIELDS
_FLAGS = ("create", "encrypted", "allow_plain")
_WORDS = ("path", *_FLAGS, *_RIGHTS)
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class DiskEntry:
    """One table ``[disks.<name>]``; ``rights`` are the fields of ``Policy`` that it sets.

    ``encrypted``: see ``Disk.encrypted``, to which ``allow_plain`` goes.
    """

    name: str
    path: str | None = None
    create: bool = False
    rights: Mapping[str, Any] = field(default_factory=dict)
    encrypted: bool = False
    allow_plain: bool = False


def check_name(name: object, source: str = "Storage", key: str = "disks") -> str:
    """``name`` if it can name a disk: a-z, 0-9, ``_`` and ``-``, a letter or digit first."""
    if not isinstance(name, str):
        raise ConfigError(source, key, f"the name of a disk is a str, not {type(name).__name__}")
    if not _is_name(name):
        raise ConfigError(source, key, _no_name(name))
    return name


def _is_name(name: str) -> bool:
    rest = _PLAIN | {"_", "-"}
    return name[:1] in _PLAIN and rest.issuperset(name) and len(name) <= _LONGEST_NAME


def _no_name(name: str) -> str:
    return f"{name!r} is no name for a disk: a-z, 0-9, '_' and '-', at most {_LONGEST_NAME}"


def read(path: str | os.PathLike[str]) -> dict[str, DiskEntry]:
    """The disks of the file at ``path``, which the caller named; it has to be there."""
    source = os.fsdecode(path)
    folder, name = os.path.split(source)
    try:
        with Root(folder or ".") as root:
            data = root.read_bytes(name)
    except EscapeError:
        raise ConfigError(
            source, "", "is a link out of its folder; name what it links to"
        ) from None
    except OSError as error:
        raise ConfigError(source, "", f"cannot be read: {error.strerror}") from error
    return parse(data, source)


def find(place: Place) -> dict[str, DiskEntry]:
    """The disks of ``safefs.toml`` in the application's config folder; none where there is none.

    Neither the folder nor the file is ever made. A file that is there but not to be trusted, by
    its own mode or by its folder, is a ``ConfigError``: it may have been meant to narrow a right.
    """
    source = os.path.join(place.path or "", FILE)
    try:
        with place.open(create=False) as root:
            # exists() would call a link that leads out, or round, nothing at all.
            root.lstat(FILE)
            if root.stat(FILE).st_mode & S_IWOTH:
                raise ConfigError(source, "", "can be written by every user")
            return parse(root.read_bytes(FILE), source)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except UnsafeFolderError as error:
        if place.path is None and _VARIABLE in os.environ:
            raise ConfigError("environment", _VARIABLE, error.reason) from error
        if place.path is None or not _stands_in(place.path):
            return {}
        raise ConfigError(source, "", f"is not read: its folder {error.reason}") from error
    except OSError as error:
        # It may be there: a home on a network, and a ticket that has run out. So this is no "none".
        raise ConfigError(source, "", f"cannot be looked for: {error.strerror}") from error


def _stands_in(folder: str) -> bool:
    try:
        with Root(folder) as root:
            root.lstat(FILE)
    except OSError:
        return False
    return True


def parse(data: bytes, source: str) -> dict[str, DiskEntry]:
    """The disks that these bytes describe; ``source`` is for messages. Pure."""
    settings = Settings(data, source)
    for key in settings.data:
        if key != "disks":
            raise settings.mistake((key,), "is unknown; there is only [disks.<name>]")
    tables = _table(settings, ("disks",), settings.data.get("disks", {}))
    return {name: _entry(settings, name, table) for name, table in tables.items()}


def _entry(settings: Settings, name: str, value: object) -> DiskEntry:
    key = ("disks", name)
    table = _table(settings, key, value)
    if not _is_name(name):
        raise settings.mistake(key, _no_name(name))
    for word in table:
        if word not in _WORDS:
            raise settings.mistake((*key, word), f"is unknown; there are {', '.join(_WORDS)}")
    path = _path(settings, name, table.get("path"))
    create, encrypted, allow_plain = (_flag(settings, key, table, word) for word in _FLAGS)
    if create and path is None:
        raise settings.mistake((*key, "create"), "needs a path")
    if allow_plain and not encrypted:
        raise settings.mistake((*key, "allow_plain"), "goes with encrypted = true")
    return DiskEntry(name, path, create, _rights(settings, key, table), encrypted, allow_plain)


def _flag(settings: Settings, key: tuple[str, ...], table: Mapping[str, Any], word: str) -> bool:
    value = table.get(word, False)
    if not isinstance(value, bool):
        raise settings.mistake((*key, word), f"must be true or false, not {shortened(value)}")
    return value


def _path(settings: Settings, name: str, path: object) -> str | None:
    key = ("disks", name, "path")
    if path is None:
        if name not in NAMES:
            raise settings.mistake(key, "is missing")
        return None
    if not isinstance(path, str) or not path.startswith("/") or "\0" in path:
        raise settings.mistake(key, f"must be an absolute path, not {shortened(path)}")
    if name == TEMP:
        raise settings.mistake(key, "cannot be: temp is made anew, and removed, by each Storage")
    return path


def _rights(settings: Settings, key: tuple[str, ...], table: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of ``Policy``, tried with those before them: two may be wrong only together."""
    rights: dict[str, Any] = {}
    for word in (word for word in table if word in _RIGHTS):
        rights[word] = table[word]
        try:
            Policy(**rights)
        except (TypeError, ValueError, RecursionError, ImportError) as error:
            raise settings.mistake((*key, word), _in_toml(word, str(error))) from error
    return rights


def _in_toml(word: str, said: str) -> str:
    """What ``Policy`` says of a field, in the words of the file."""
    if not said.startswith(f"{word} is "):
        return said.removeprefix(f"{word}: ").removeprefix(f"{word} ")
    asked = said.removeprefix(f"{word} is ").replace("True or False", "true or false", 1)
    return f"must be {asked.replace(' or None', '', 1)}"


def _table(settings: Settings, key: tuple[str, ...], value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise settings.mistake(key, f"must be a table, not {shortened(value)}")
    return value
