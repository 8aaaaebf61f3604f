"""Files with more than one name, of which one is denied."""

from __future__ import annotations

import os
from stat import S_ISREG
from time import time_ns

from safefs.kernel import syscalls
from safefs.kernel.reached import place_beneath
from safefs.kernel.trail import Trail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safefs.rules import Rules

    Identity = tuple[int, int]

# A file system may take its times from a clock that lags by a tick, 10 ms or less.
_TICK_NS = 20_000_000
_GONE = (FileNotFoundError, NotADirectoryError, PermissionError)


class Aliases:
    """Which files beneath a root have a denied name, known from one look at the whole tree.

    A file whose ctime is older than that look has had the same names since: making, renaming and
    removing one sets it. The others are looked for anew, at the cost of the tree. Not seen is that
    a directory was renamed since, with a name of the file in it.

    A directory that cannot be read may hold any name: where there is one, a file of which not all
    names were found counts as denied.

    ``whole``: names outside the root are of no concern; else a file that has some counts as denied,
    for rules of a wider disk hold and it is not known what they say of those.
    """

    __slots__ = ("_complete", "_denied", "_fd", "_found", "_looked", "_rules", "_whole")

    def __init__(self, fd: int, rules: Rules, *, whole: bool) -> None:
        self._fd = fd
        self._rules = rules
        self._whole = whole
        self._looked = 0
        self._complete = True
        self._denied: set[Identity] = set()
        self._found: dict[Identity, int] = {}

    def denies(self, found: os.stat_result) -> bool:
        """Whether this regular file, which has more than one name, has a denied one."""
        if found.st_ctime_ns >= self._looked - _TICK_NS:
            self._look()
        identity = found.st_dev, found.st_ino
        if identity in self._denied:
            return True
        return (
            not (self._whole and self._complete) and self._found.get(identity, 0) < found.st_nlink
        )

    def _look(self) -> None:
        """Go through the tree, also where it is denied, and enter no link."""
        looked = time_ns()
        denied: set[Identity] = set()
        found: dict[Identity, int] = {}
        complete = True
        top = syscalls.open(b".", syscalls.LISTING, dir_fd=self._fd)
        trail = Trail(top, syscalls.LISTING)
        try:
            pending = [self._directories(top, b"", denied, found)]
            places = [b""]
            while pending:
                if not pending[-1]:
                    pending.pop()
                    places.pop()
                    if pending:
                        trail.up()
                    continue
                name = pending[-1].pop()
                flags = syscalls.LISTING | os.O_NOFOLLOW
                try:
                    fd = syscalls.open(name, flags, dir_fd=trail.fd)
                except _GONE as error:
                    complete = complete and not isinstance(error, PermissionError)
                    continue
                trail.push(fd, name)
                places.append(place_beneath(places[-1], name))
                try:
                    pending.append(self._directories(fd, places[-1], denied, found))
                except _GONE as error:
                    complete = complete and not isinstance(error, PermissionError)
                    pending.append([])
        finally:
            trail.close()
            syscalls.close(top)
        self._denied, self._found, self._looked = denied, found, looked
        self._complete = complete

    def _directories(
        self, fd: int, place: bytes, denied: set[Identity], found: dict[Identity, int]
    ) -> list[str]:
        below = []
        with syscalls.scandir(fd) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.name)
                    continue
                try:
                    seen = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if seen.st_nlink > 1 and S_ISREG(seen.st_mode):
                    identity = seen.st_dev, seen.st_ino
                    found[identity] = found.get(identity, 0) + 1
                    if self._rules.denies(place_beneath(place, entry.name), directory=False):
                        denied.add(identity)
        return below
