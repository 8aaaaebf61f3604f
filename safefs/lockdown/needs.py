"""What a Python process needs outside of its disks to go on: to read, and to import late."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from safefs.kernel import syscalls
from safefs.lockdown.rights import EXECUTE, READ, USE

if TYPE_CHECKING:
    from collections.abc import Iterator


class Need(NamedTuple):
    """A path, where it exists, with the rights to it."""

    path: str
    rights: tuple[str, ...]
    why: str

    def lies_in(self, other: Need) -> bool:
        """Whether it is beneath another by its name, and left nothing more."""
        beneath = self.path.startswith(f"{other.path}/")
        return beneath and set(self.rights) <= set(other.rights)


_LIBRARIES = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib")
_SYSTEM = (
    *((path, "shared libraries") for path in (*_LIBRARIES, "/etc/ld.so.cache")),
    *((path, "locale") for path in ("/usr/lib/locale", "/usr/share/locale")),
    *((path, "time zones") for path in ("/usr/share/zoneinfo", "/etc/localtime")),
    # Not /etc/ssl as a whole, which may hold keys.
    *(
        (path, "certificates")
        for path in (
            "/etc/ssl/certs",
            "/etc/ssl/openssl.cnf",
            "/etc/pki/tls/certs",
            "/etc/pki/ca-trust/extracted",
            "/usr/share/ca-certificates",
            "/usr/local/share/ca-certificates",
        )
    ),
)
_DEVICES = (("/dev/null", USE), ("/dev/zero", READ), ("/dev/urandom", READ), ("/dev/random", READ))
_NAMES_OF_HOSTS = (
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/services",
)
_PROGRAMS = ("/bin", "/usr/bin", "/usr/local/bin")
_PACKAGES = ("site-packages", "dist-packages")


def of_python() -> Iterator[Need]:
    """The standard library, what is installed, and packages that are loaded from elsewhere.

    Not the whole of ``sys.path``: its first entry is where the script lies, or the working
    directory, and may be a home.
    """
    for prefix in dict.fromkeys(
        (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix)
    ):
        for name in ("lib", "lib64", "pyvenv.cfg"):
            yield Need(os.path.join(prefix, name), READ, "the interpreter")
    for entry in sys.path:
        if os.path.basename(entry.rstrip("/")) in _PACKAGES or entry.endswith(".zip"):
            yield Need(entry, READ, "installed packages")
    for name, place in loaded_packages():
        yield Need(place, READ, f"the package {name}")


def loaded_packages() -> Iterator[tuple[str, str]]:
    """(name, directory) of each top-level package that has been imported."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__dict__", {}).get("__file__")
        # Its own directory and not the one above, which may be a home. A namespace has no file:
        # it may be any directory that bears the name.
        if "." not in name and isinstance(file, str):
            place, base = os.path.split(file)
            if base.startswith("__init__.") and os.path.basename(place) == name:
                yield name, place


def of_system(*, network: bool) -> Iterator[Need]:
    """Shared libraries, locale, time zones, certificates, and devices that keep nothing."""
    for path, why in _SYSTEM:
        yield Need(path, READ, why)
    for path, rights in _DEVICES:
        yield Need(path, rights, "a device that keeps nothing")
    if network:
        for path in _NAMES_OF_HOSTS:
            yield Need(path, READ, "names of hosts")


def of_programs() -> Iterator[Need]:
    """The programs of the system, with what loads them: for who starts one."""
    for path in (*_PROGRAMS, *_LIBRARIES):
        yield Need(path, EXECUTE, "programs of the system")


def of_loaders() -> Iterator[Need]:
    """What the kernel starts in the place of a program that needs shared libraries."""
    for directory in ("/lib", "/lib64", "/usr/lib", "/usr/lib64"):
        try:
            names = syscalls.listdir(directory)
        except OSError:
            continue
        for name in names:
            if name.startswith(("ld-linux", "ld-musl", "ld64.so", "ld.so")):
                yield Need(os.path.join(directory, name), EXECUTE, "starts programs")
