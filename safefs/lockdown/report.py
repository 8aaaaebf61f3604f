"""What a lock-down has done, and what it has not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from safefs.lockdown.rights import KNOWN, RIGHTS

if TYPE_CHECKING:
    Network = Literal["deny", "allow"] | tuple[int, ...]

# Of the system calls on files, those that Landlock never asks about, of whatever version.
NEVER_DENIED = (
    ("stat", "whether a path exists anywhere, what it is, its size, times and links can be seen"),
    ("chmod, chown, utime, setxattr", "metadata outside can be changed as the user's rights go"),
    ("chdir, flock, access", "directories outside can be entered, but not listed"),
    ("open descriptors", "what was open before stays open, and keeps its rights"),
    ("UDP, other sockets", "datagrams can be sent and received; only TCP is kept in"),
    ("sockets with a name", "a service that listens on one in the tree can be connected to"),
    ("memory, processors, disk space", "are not limited"),
)


@dataclass(frozen=True, slots=True)
class Granted:
    """A file or a directory that is left, with the rights to it (``safefs.lockdown.rights``).

    ``what`` is a path as it was asked for, or ``disk NAME``; ``why`` says for what.
    """

    what: str
    rights: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Enforcement:
    """One right: denied but for what was granted, or else ``reason`` says why it is not."""

    right: str
    since: int
    enforced: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LockdownReport:
    """What ``Storage.lockdown`` has done to this process.

    ``abi`` is the version of Landlock that the kernel has, 0 where there is none (and then nothing
    is enforced, which only ``strict=False`` lets pass). ``rights`` says of each right whether it is
    denied; ``granted`` what is left; ``unenforced`` what goes on working all the same, and
    ``lacking`` what does not work any more though it may be expected to, each as (what, in words).
    ``temporary`` is the directory that ``tempfile`` uses from now on, or None.
    """

    abi: int
    strict: bool
    network: Network
    disks: tuple[str, ...]
    granted: tuple[Granted, ...]
    rights: tuple[Enforcement, ...]
    unenforced: tuple[tuple[str, str], ...]
    lacking: tuple[tuple[str, str], ...] = ()
    temporary: str | None = None

    @property
    def enforced(self) -> bool:
        """Whether files are locked down at all."""
        return any(each.enforced for each in self.rights)

    def rows(self) -> list[tuple[str, str, str]]:
        """(name, value, what it means), in the order to be read, as of ``safefs doctor``."""
        denied = [
            (r.right, "denied" if r.enforced else "not denied", r.reason) for r in self.rights
        ]
        left = [(each.what, ", ".join(each.rights), each.why) for each in self.granted]
        gaps = [(name, "not denied", meaning) for name, meaning in self.unenforced]
        lacking = [(name, "lacking", reason) for name, reason in self.lacking]
        first = ("Landlock", f"ABI {self.abi}", f"safefs knows up to {KNOWN}")
        return [first, *denied, *left, *gaps, *lacking]


def enforcements(abi: int, network: Network, failure: str = "") -> tuple[Enforcement, ...]:
    """What becomes of each right on such a kernel. ``failure``: why nothing is enforced at all."""

    def one(name: str, kind: str, since: int) -> Enforcement:
        if failure:
            return Enforcement(name, since, False, failure)
        if since > abi:
            return Enforcement(name, since, False, f"needs Landlock ABI {since}")
        if kind == "network" and network == "allow":
            return Enforcement(name, since, False, "allowed, as asked")
        return Enforcement(name, since, True)

    return tuple(one(right.name, right.kind, right.since) for right in RIGHTS)
