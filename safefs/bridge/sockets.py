"""Where a bridge listens: at an address of the loopback, or a name in a directory; nowhere else."""

from __future__ import annotations

import ipaddress
import os
import socket
from contextlib import contextmanager, suppress
from errno import EADDRINUSE, ENOTSUP
from stat import S_ISSOCK
from typing import TYPE_CHECKING

from safefs.policy import Policy
from safefs.root import Root

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODE = 0o600


def loopback(host: str, port: int) -> socket.socket:
    """Bound to an address of the loopback. ``ValueError`` for every other, and for names."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise ValueError(f"a bridge listens on 127.0.0.1 or ::1, not on {host!r}") from None
    if not address.is_loopback or getattr(address, "ipv4_mapped", None) is not None:
        raise ValueError(f"a bridge listens on this machine alone, and {host} is not its loopback")
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port < 65536:
        raise ValueError(f"a port is a number from 0 to 65535, not {port!r}")
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(port != 0))
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind((str(address), port))
    except BaseException:
        listening.close()
        raise
    return listening


@contextmanager
def unix(path: str | os.PathLike[str]) -> Iterator[socket.socket]:
    """Bound to a name that is made with mode 0600, and removed when the block ends.

    A socket of that name on which nobody listens any more is replaced; anything else that stands
    there is ``OSError`` (EADDRINUSE). ENOTSUP where no system says whose process connects.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        raise OSError(ENOTSUP, os.strerror(ENOTSUP), os.fspath(path))
    text = os.fspath(path)
    folder, name = os.path.split(text)
    with Root(folder or ".", policy=Policy(symlinks="never")) as root:
        _clear(root, name, text)
        listening = _bound(text)
        try:
            made = root.lstat(name)
            yield listening
        finally:
            listening.close()
            with suppress(OSError):
                if os.path.samestat(root.lstat(name), made):
                    root.unlink(name)


def _bound(path: str) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Before it has a name: there is no moment in which another user could connect.
        os.fchmod(listening.fileno(), _MODE)
        listening.bind(path)
    except BaseException:
        listening.close()
        raise
    return listening


def _clear(root: Root, name: str, path: str) -> None:
    try:
        found = root.lstat(name)
    except FileNotFoundError:
        return
    if not S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid() or _is_served(path):
        raise OSError(EADDRINUSE, os.strerror(EADDRINUSE), path)
    root.unlink(name)


def _is_served(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.connect(path)
        except ConnectionRefusedError:
            return False
        return True
