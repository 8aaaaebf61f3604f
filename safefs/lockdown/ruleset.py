"""A ruleset of the kernel: made whole first, from descriptors, and then enforced in one step."""

from __future__ import annotations

import os
from contextlib import contextmanager
from errno import E2BIG, EAFNOSUPPORT, ENOSYS, EOPNOTSUPP, EPERM, errorcode
from stat import S_ISDIR
from typing import TYPE_CHECKING

from safefs.errors import LockdownUnavailable
from safefs.kernel import syscalls
from safefs.lockdown import rights
from safefs.lockdown.report import Granted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from safefs.lockdown.needs import Need
    from safefs.lockdown.report import Network

_ELSEWHERE = {
    "darwin": "macOS has sandbox-exec (deprecated) and the App Sandbox, which are set at the start",
    "win32": "Windows has AppContainers, which are set at the start",
    "freebsd": "FreeBSD has Capsicum and jails",
    "openbsd": "OpenBSD has unveil(2) and pledge(2)",
}


def available(platform: str) -> int:
    """The version of Landlock here. ``LockdownUnavailable``, saying why, where there is none."""
    if not platform.startswith("linux"):
        hints = (hint for name, hint in _ELSEWHERE.items() if platform.startswith(name))
        hint = next(hints, f"there is no Landlock on {platform}")
        raise LockdownUnavailable(f"it takes Linux; {hint}")
    answer = syscalls.landlock_abi()
    if answer < 1:
        raise refused(answer, "landlock_create_ruleset")
    return answer


_WHY = {
    ENOSYS: "the kernel has no Landlock (it takes Linux 5.13)",
    EOPNOTSUPP: "Landlock is switched off: the kernel takes it with lsm=landlock,... at its start",
    EPERM: "a filter (seccomp) of this process forbids it",
    E2BIG: "this process has been locked down 16 times, and the kernel allows no more",
}


def refused(answer: int, call: str) -> LockdownUnavailable:
    said = f"{call} answers {errorcode.get(-answer, -answer)}"
    why = _WHY.get(-answer)
    return LockdownUnavailable(f"{why} ({said})" if why else said)


def check_abi(abi: int, network: Network) -> None:
    """Refuse a kernel that would leave open what was asked to be closed."""
    if abi < rights.LEAST_FOR_FILES:
        raise LockdownUnavailable(
            f"Landlock ABI {abi} does not keep files outside from being cut; it takes ABI "
            f"{rights.LEAST_FOR_FILES} (Linux 6.2), or strict=False"
        )
    if network != "allow" and abi < rights.LEAST_FOR_TCP:
        raise LockdownUnavailable(
            f"Landlock ABI {abi} cannot keep TCP in; it takes ABI {rights.LEAST_FOR_TCP} "
            "(Linux 6.7), network='allow', or strict=False"
        )


class Ruleset:
    """What is to be left. Nothing is enforced by making it.

    Everything is denied that the kernel has a right for, and that no rule allows. ``granted`` says
    what was allowed, as it was asked for.
    """

    def __init__(self, fd: int, abi: int) -> None:
        self.fd = fd
        self.abi = abi
        self.granted: list[Granted] = []

    def allow(self, fd: int, what: str, names: tuple[str, ...], why: str) -> None:
        """Leave these rights to what is open as ``fd``, and to all beneath it."""
        directory = S_ISDIR(syscalls.fstat(fd).st_mode)
        mask = rights.fitting(rights.bits(names), self.abi, directory=directory)
        answer = syscalls.landlock_allow_beneath(self.fd, mask, fd)
        if answer < 0:
            raise refused(answer, f"landlock_add_rule of {what!r}")
        self.granted.append(Granted(what, names, why))

    def allow_path(self, path: str, names: tuple[str, ...], why: str) -> None:
        """The same of what stands under this name now. What open raises, where there is nothing."""
        fd = syscalls.open(path, syscalls.O_PATH | os.O_CLOEXEC)
        try:
            self.allow(fd, path, names, why)
        finally:
            syscalls.close(fd)

    def allow_needs(self, needs: Iterable[Need]) -> None:
        """Those that are there, but for what lies beneath another that is left as much."""
        wanted = dict.fromkeys(needs)
        for need in wanted:
            if any(need.lies_in(other) for other in wanted):
                continue
            try:
                self.allow_path(need.path, need.rights, need.why)
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                continue  # what this user cannot reach is not needed

    def allow_ports(self, ports: Iterable[int]) -> None:
        for port in ports:
            answer = syscalls.landlock_allow_port(self.fd, rights.port_bits(self.abi), port)
            if answer == -EAFNOSUPPORT:
                return  # a kernel without TCP
            if answer < 0:
                raise refused(answer, f"landlock_add_rule of port {port}")

    def enforce(self, *, all_threads: bool) -> None:
        """From here on; for good. ``LockdownUnavailable`` where the kernel refuses."""
        answer = syscalls.set_no_new_privs()
        if answer < 0:
            raise refused(answer, "prctl(PR_SET_NO_NEW_PRIVS)")
        answer = syscalls.landlock_restrict_self(self.fd, rights.TSYNC if all_threads else 0)
        if answer < 0:
            raise refused(answer, "landlock_restrict_self")


@contextmanager
def new_ruleset(abi: int, network: Network) -> Iterator[Ruleset]:
    """A ruleset that denies all that this kernel can deny, and TCP unless it is allowed."""
    tcp = 0 if network == "allow" else rights.handled("network", abi)
    fd = syscalls.landlock_create_ruleset(
        rights.handled("file", abi), tcp, rights.handled("scope", abi)
    )
    if fd < 0:
        raise refused(fd, "landlock_create_ruleset")
    try:
        ruleset = Ruleset(fd, abi)
        if not isinstance(network, str):
            ruleset.allow_ports(network)
        yield ruleset
    finally:
        syscalls.close(fd)


def checked_network(network: object) -> Network:
    """``"deny"``, ``"allow"``, or a tuple of ports."""
    if network == "deny" or network == "allow":
        return "deny" if network == "deny" else "allow"
    if isinstance(network, str | bytes) or not hasattr(network, "__iter__"):
        raise ValueError(f"network is 'deny', 'allow' or a list of ports, not {network!r}")
    ports = tuple(network)
    for port in ports:
        if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 1 << 16:
            raise ValueError(f"a port is a number from 1 to 65535, not {port!r}")
    return ports
