"""What a client has to know, as one line of JSON, on its way to one who may know it.

Never in argv, the environment or a URL, which others can read or which are written down. It goes to
a descriptor that was inherited, or to a file that is its owner's alone.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from safefs.age.hidden import Hidden
from safefs.policy import Policy
from safefs.root import Root
from safefs.secrets.keyfile import write_private

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = 1


class Address(NamedTuple):
    """Where a bridge is, and how it is known again; nothing of this is secret."""

    url: str
    socket: str | None
    fingerprint: str
    certificate: str
    disks: tuple[str, ...]


def line_of(address: Address, key: Hidden) -> Hidden:
    """One line, with the key in it."""
    members = {"safefs": VERSION, **address._asdict()}
    text = json.dumps(members)[:-1].encode() + b', "key": "'
    return Hidden(text + key.reveal() + b'"}\n')


def write_to(fd: int, line: Hidden) -> None:
    """All of it, however little goes at a time."""
    sent = 0
    while sent < len(line):
        sent += os.write(fd, line.reveal()[sent:])


@contextmanager
def file_of(path: str | os.PathLike[str], line: Hidden) -> Iterator[None]:
    """A file of mode 0600 while the block lasts; it takes the place of one of that name."""
    folder, name = os.path.split(os.fspath(path))
    with Root(folder or ".", policy=Policy(symlinks="never")) as root:
        write_private(root, name, line, replace=True)
        written = root.lstat(name)
        try:
            yield
        finally:
            with suppress(OSError):
                if os.path.samestat(root.lstat(name), written):  # not that of another start
                    root.unlink(name)
