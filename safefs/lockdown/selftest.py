"""Proves on this machine what a report claims: each act is tried free, and then locked down.

In a process of its own, and on a scratch directory. What succeeds when free and fails when locked
down is denied; what a user may not even when free (to make devices) is left out of the verdict.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import sys
from errno import EACCES, EPERM, errorcode
from typing import TYPE_CHECKING, NamedTuple

from safefs.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from safefs.lockdown.report import LockdownReport

    Acts = Mapping[str, Callable[[], object]]

DENIED, DONE = "denied", "done"
_TERMINAL = 0x5401  # TCGETS, which a device that is no terminal answers with ENOTTY


class Verdict(NamedTuple):
    """One claim, and whether it holds; None where it could not be tried."""

    claim: str
    free: str
    locked: str
    holds: bool | None


def verdicts(
    report: LockdownReport, free: Mapping[str, str], locked: Mapping[str, str]
) -> list[Verdict]:
    """Each right is denied if it is said to be, and what is said to stay open is open."""
    found = []
    for each in report.rights:
        before, after = free.get(each.right, "not tried"), locked.get(each.right, "not tried")
        tried = before not in (DENIED, "not tried")
        holds = (after == DENIED) == each.enforced if tried else None
        found.append(Verdict(each.right, before, after, holds))
    for what in sorted(free.keys() - {each.right for each in report.rights}):
        is_open = locked[what] == DONE
        found += [Verdict(f"{what} (not denied)", free[what], locked[what], is_open)]
    return found


def run(top: str) -> list[Verdict]:
    """In this process, which is locked down afterwards; ``top`` is an empty directory."""
    os.mkdir(f"{top}/inside")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as named:
        named.bind(f"\0safefs-selftest-{os.getpid()}")
        named.listen()
        free = _outcomes(_acts(_prepared(f"{top}/free"), server, named))
        after = _acts(_prepared(f"{top}/locked"), server, named)
        with Storage("safefs-selftest", disks={"inside": f"{top}/inside"}) as storage:
            storage.disk("inside")
            report = storage.lockdown()
            return verdicts(report, free, _outcomes(after))


def _prepared(out: str) -> str:
    """A directory with something for each act."""
    for name in ("", "/sub", "/empty"):
        os.mkdir(f"{out}{name}")
    for name in ("file", "gone", "short"):
        os.close(os.open(f"{out}/{name}", os.O_CREAT | os.O_WRONLY, 0o600))
    shutil.copy(os.path.realpath("/bin/true"), f"{out}/program")
    return out


def _acts(out: str, server: socket.socket, named: socket.socket) -> Acts:
    held = os.open(f"{out}/file", os.O_RDONLY)
    parent = os.getppid()

    def opened(flags: int, name: str = "file") -> Callable[[], object]:
        return lambda: os.close(os.open(f"{out}/{name}", flags, 0o600))

    def connected(family: int, address: object) -> Callable[[], object]:
        def act() -> None:
            with socket.socket(family) as client:
                client.connect(address)  # type: ignore[arg-type]

        return act

    def bound(family: int, address: object) -> Callable[[], object]:
        def act() -> None:
            with socket.socket(family) as client:
                client.bind(address)  # type: ignore[arg-type]

        return act

    def datagram() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"", server.getsockname())

    def controlled() -> None:
        device = os.open("/dev/null", os.O_RDWR)  # whether it may be is settled when it is opened
        try:
            fcntl.ioctl(device, _TERMINAL, b"\0" * 64)
        finally:
            os.close(device)

    def executed() -> None:
        subprocess.run([f"{out}/program"], check=True)  # noqa: S603

    return {
        "execute": executed,
        "write_file": opened(os.O_WRONLY),
        "read_file": opened(os.O_RDONLY),
        "read_dir": lambda: os.listdir(out),
        "remove_dir": lambda: os.rmdir(f"{out}/empty"),
        "remove_file": lambda: os.unlink(f"{out}/gone"),
        "make_char": lambda: os.mknod(f"{out}/char", 0o20600, os.makedev(1, 3)),
        "make_dir": lambda: os.mkdir(f"{out}/made"),
        "make_reg": opened(os.O_CREAT | os.O_WRONLY, "new"),
        "make_sock": bound(socket.AF_UNIX, f"{out}/s"),
        "make_fifo": lambda: os.mkfifo(f"{out}/fifo"),
        "make_block": lambda: os.mknod(f"{out}/block", 0o60600, os.makedev(0, 0)),
        "make_sym": lambda: os.symlink("file", f"{out}/link"),
        "refer": lambda: os.rename(f"{out}/file", f"{out}/sub/file"),
        "truncate": lambda: os.truncate(f"{out}/short", 1),
        "ioctl_dev": controlled,
        "bind_tcp": bound(socket.AF_INET, ("127.0.0.1", 0)),
        "connect_tcp": connected(socket.AF_INET, server.getsockname()),
        "abstract_unix_socket": connected(socket.AF_UNIX, named.getsockname()),
        "signal": lambda: os.kill(parent, 0),
        "stat": lambda: os.stat(f"{out}/program"),
        "chmod": lambda: os.chmod(f"{out}/program", 0o700),
        "UDP": datagram,
        "open descriptors": lambda: os.read(held, 1),
    }


def _outcomes(acts: Acts) -> dict[str, str]:
    return dict(_each(acts))


def _each(acts: Acts) -> Iterator[tuple[str, str]]:
    for name, act in acts.items():
        try:
            act()
        except OSError as error:
            refused = error.errno in (EACCES, EPERM)
            yield name, DENIED if refused else errorcode.get(error.errno or 0, str(error))
        else:
            yield name, DONE


def main(top: str) -> int:
    """Prints each claim, and what was found of it; 1 if one does not hold."""
    found = run(top)
    words = {True: "holds", False: "DOES NOT HOLD", None: "could not be tried"}
    for each in found:
        sys.stdout.write(
            f"{each.claim:30}free: {each.free:10}locked down: {each.locked:10}{words[each.holds]}\n"
        )
    return 0 if all(each.holds is not False for each in found) else 1
