"""Which tokens are void before their time: one small file in the application's state.

Every token names the generation it is of, a random word in that file. To revoke one is to list its
id; to revoke all is to draw another word. So where the file is missing, damaged, writable by
others, or cannot be that of these tokens, every token is void, and none that was revoked comes back
with a lost file.

An entry is forgotten a day after its token has expired. The clock may be set back by more than
that, so what is kept of those forgotten is the latest time at which one expired, and a token that
expires no later is taken for expired, whatever the clock says.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, NamedTuple

from safefs.secrets.private import is_shared, put

if TYPE_CHECKING:
    from collections.abc import Callable

    from safefs.disk import Disk

FOLDER = ".tokens"
FILE = f"{FOLDER}/revoked.json"  # in the folder of the state, where no disk shows it
_LOCK = "safefs tokens"
_KEPT = 24 * 60 * 60  # seconds: a clock that is set back by less brings none of them back
_GENERATION = 16  # bytes


class Ledger(NamedTuple):
    """What the file says: the ids that are void, with when each expires."""

    generation: str
    revoked: dict[str, int]
    forgotten: int = 0

    def encode(self) -> bytes:
        return json.dumps(self._asdict()).encode() + b"\n"

    def without_old(self, now: float) -> Ledger:
        old = [expires for expires in self.revoked.values() if expires + _KEPT <= now]
        kept = {each: expires for each, expires in self.revoked.items() if expires + _KEPT > now}
        return self._replace(revoked=kept, forgotten=max([self.forgotten, *old]))


class Revocations:
    """The file, on a disk. Safe for threads and processes; what returns holds on the disk."""

    def __init__(self, disk: Callable[[], Disk]) -> None:
        self._disk = disk

    def read(self) -> Ledger | None:
        """None where there is none that can be read as one, or others may write to it."""
        disk = self._disk()
        try:
            if is_shared(disk, FOLDER, "directory") or is_shared(disk, FILE, "file"):
                return None
            return _parsed(disk.get(FILE))
        except FileNotFoundError:
            return None

    def generation(self, expires: int) -> str:
        """Of which a token may be that expires then; a new one where there is none for it."""
        found = self.read()
        if found is None or expires <= found.forgotten:
            with self._disk().lock(_LOCK):
                found = self.read()  # another may have been here
                if found is None or expires <= found.forgotten:
                    found = self._begin()
        return found.generation

    def add(self, generation: str, identifier: str, expires: int, now: float) -> None:
        """Nothing for one of another generation, which is void already."""
        with self._disk().lock(_LOCK):
            found = self.read()
            if found is None or found.generation != generation:
                return
            found.revoked[identifier] = expires
            self._write(found.without_old(now))

    def add_all(self) -> None:
        with self._disk().lock(_LOCK):
            self._begin()

    def add_all_there_are(self) -> None:
        """The same, and nothing where there is no list: no token is good then."""
        with self._disk().lock(_LOCK):
            if self._disk().exists(FILE):
                self._begin()

    def _begin(self) -> Ledger:
        made = Ledger(secrets.token_urlsafe(_GENERATION), {})
        self._write(made)
        return made

    def _write(self, ledger: Ledger) -> None:
        put(self._disk(), FILE, ledger.encode())


def _parsed(data: bytes) -> Ledger | None:
    try:
        found = Ledger(**json.loads(data))
    except (ValueError, TypeError, RecursionError):
        return None
    is_right = (
        type(found.generation) is str
        and type(found.forgotten) is int
        and type(found.revoked) is dict
        and all(type(each) is int for each in found.revoked.values())
    )
    return found if is_right else None
