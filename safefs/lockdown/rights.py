"""What Landlock has words for, since which version of it, and which of them a policy leaves.

The bits are those of ``linux/landlock.h``. Versions are Landlock's own (its ABI), of which safefs
knows up to ``KNOWN``: a later kernel is asked for no more than these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from safefs.policy import Policy

KNOWN = 8
# Before, O_TRUNC and truncate(2) could cut what lies outside; before 4, TCP could not be kept in.
LEAST_FOR_FILES, LEAST_FOR_TCP = 3, 4
TSYNC_SINCE, TSYNC = 8, 1 << 3  # LANDLOCK_RESTRICT_SELF_TSYNC: all threads at once

Kind = Literal["file", "network", "scope"]


class Right(NamedTuple):
    """One thing that is denied unless a rule allows it. ``of_file``: a file alone may have it."""

    name: str
    kind: Kind
    bit: int
    since: int
    meaning: str
    of_file: bool = False


RIGHTS = (
    Right("execute", "file", 1 << 0, 1, "execute a file", True),
    Right("write_file", "file", 1 << 1, 1, "open a file for writing", True),
    Right("read_file", "file", 1 << 2, 1, "open a file for reading", True),
    Right("read_dir", "file", 1 << 3, 1, "list a directory"),
    Right("remove_dir", "file", 1 << 4, 1, "remove or rename a directory"),
    Right("remove_file", "file", 1 << 5, 1, "remove or rename a file"),
    Right("make_char", "file", 1 << 6, 1, "make a character device"),
    Right("make_dir", "file", 1 << 7, 1, "make a directory"),
    Right("make_reg", "file", 1 << 8, 1, "make a file"),
    Right("make_sock", "file", 1 << 9, 1, "make a socket that has a name"),
    Right("make_fifo", "file", 1 << 10, 1, "make a FIFO"),
    Right("make_block", "file", 1 << 11, 1, "make a block device"),
    Right("make_sym", "file", 1 << 12, 1, "make a symbolic link"),
    Right("refer", "file", 1 << 13, 2, "rename or link from one directory to another"),
    Right("truncate", "file", 1 << 14, 3, "cut a file", True),
    Right("ioctl_dev", "file", 1 << 15, 5, "ioctl on a device", True),
    Right("bind_tcp", "network", 1 << 0, 4, "bind a TCP port"),
    Right("connect_tcp", "network", 1 << 1, 4, "connect to a TCP port"),
    Right("abstract_unix_socket", "scope", 1 << 0, 6, "reach abstract sockets outside"),
    Right("signal", "scope", 1 << 1, 6, "signal processes outside"),
)

_BY_NAME = {right.name: right for right in RIGHTS}
_ONLY_FILES = sum(right.bit for right in RIGHTS if right.of_file)

READ = ("read_file", "read_dir")
EXECUTE = (*READ, "execute")
USE = ("read_file", "write_file")  # of a device that is one file
# Devices are not for a disk to make, and what can be written there is not to be executed.
_NOT_ON_DISKS = ("execute", "make_char", "make_block", "ioctl_dev")
WRITE = tuple(r.name for r in RIGHTS if r.kind == "file" and r.name not in _NOT_ON_DISKS)
_SPECIAL = ("make_sock", "make_fifo")


def bits(names: Iterable[str]) -> int:
    """The mask of these rights to files. ``ValueError`` for what is none."""
    mask = 0
    for name in names:
        right = _BY_NAME.get(name)
        if right is None or right.kind != "file":
            known = ", ".join(each.name for each in RIGHTS if each.kind == "file")
            raise ValueError(f"{name!r} is no right to files (there are: {known})")
        mask |= right.bit
    return mask


def handled(kind: Kind, abi: int) -> int:
    """All of one kind that a kernel of this version can deny."""
    return sum(right.bit for right in RIGHTS if right.kind == kind and right.since <= abi)


def port_bits(abi: int) -> int:
    """What is allowed on a port that is allowed: to bind it, and to connect to it."""
    return handled("network", abi)


def fitting(mask: int, abi: int, *, directory: bool) -> int:
    """What of a mask the kernel takes for such an object: it refuses a rule with any other bit."""
    return mask & handled("file", abi) & (-1 if directory else _ONLY_FILES)


def left_by(policy: Policy) -> tuple[str, ...]:
    """The rights that a policy leaves to who holds its disk: never fewer than safefs needs for it.

    Of ``append_only`` it takes but cutting: there is no word for adding alone.
    """
    if policy.read_only:
        return READ
    gone: set[str] = set()
    if policy.append_only:
        gone.add("truncate")
    if policy.symlinks == "never":
        gone.add("make_sym")
    if policy.special_files == "refuse":
        gone.update(_SPECIAL)
    return tuple(name for name in WRITE if name not in gone)


def not_expressed(policy: Policy) -> tuple[str, ...]:
    """The fields of a policy that hold through safefs, and not for who goes past it."""
    plain = type(policy)()
    fields = (
        "append_only",
        "hard_links",
        "same_filesystem",
        "portable_names",
        "top_level_dot_entries",
        "max_path_length",
        "max_file_size",
        "quota_bytes",
        "quota_files",
        "deny",
        "allow",
        "above",
    )
    return tuple(each for each in fields if getattr(policy, each) != getattr(plain, each))
