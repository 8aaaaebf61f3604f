"""Encrypted disks live at random as others do, and are killed at any point as others are."""

from __future__ import annotations

import os
import time
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from safefs import Disk
from safefs.age import X25519Identity, decrypt_bytes, encrypt_bytes
from safefs.errors import SealedFileError
from safefs.testing import DiskMachine, kills
from safefs.testing.disk_model import ENCRYPTED_OPERATIONS
from safefs.testing.undertakings import Undertaking, World, each_resolver
from tests.conftest import PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.usefixtures("untraced"), pytest.mark.timeout(3600)]

KEY = X25519Identity.generate()


@cache
def _opened(stored: bytes) -> bytes:
    return decrypt_bytes(stored, [KEY])


class EncryptedDiskMachine(DiskMachine):
    """The random life of an encrypted disk; what it leaves is opened with the key alone."""

    operations = ENCRYPTED_OPERATIONS

    def make_disk(self, directory: Path) -> Disk:
        with Disk(directory) as plain:
            return plain.encrypted(KEY)

    def stored(self, content: bytes) -> bytes:
        return encrypt_bytes(content, [KEY.recipient])

    def content(self, stored: bytes) -> bytes:
        return _opened(stored)


_LIVES = settings(stateful_step_count=50, max_examples=max(10, settings().max_examples // 10))


def test_an_encrypted_disk_ends_every_step_as_the_model_does_on_both_resolvers(
    counted: Callable[..., None],
) -> None:
    EncryptedDiskMachine.steps, began = 0, time.monotonic()
    _opened.cache_clear()
    run_state_machine_as_test(EncryptedDiskMachine, settings=_LIVES)
    counted(
        "random life of an encrypted disk, both resolvers",
        f"{EncryptedDiskMachine.steps:,} steps",
        seconds=time.monotonic() - began,
        escapes=0,
        disagreements=0,
    )


# -- killed ----------------------------------------------------------------------------------------

EVERY = {"dev": 600, "ci": 200, "prove": 1}[PROFILE]  # so many calls; all in the end
NOT_WHOLE = b"no file that the key opens"


class EncryptedWorld(World):
    """Two encrypted disks; what is left is opened with the key.

    Permissions are the same on both: through drivers a mirror sets them after the content, and who
    is killed between the two leaves new content with the permissions of the old.
    """

    def lay(self) -> None:
        super().lay()
        os.chmod(f"{self.paths[1]}/tree/a", 0o640)

    def opened(self, disk: Disk) -> Disk:
        return disk.encrypted(KEY)

    def stored(self, content: bytes) -> bytes:
        return encrypt_bytes(content, [KEY.recipient])

    def content(self, stored: bytes) -> bytes:
        try:
            return decrypt_bytes(stored, [KEY])
        except SealedFileError:
            return NOT_WHOLE


def _rewrap(world: World) -> None:
    world.one.rewrap()


REWRAP = Undertaking("rewrap", _rewrap, ("d",), whole=False)
APPEND = Undertaking("append", lambda w: w.one.append("d/large", b"behind it"), ("d/large",))
IN_PLACE = "a transaction that appends"  # which is refused
COPIED = "move_tree to another disk"  # and then removed, which a local disk need not do


def test_a_writer_that_is_killed_leaves_every_sealed_file_old_or_new(
    counted: Callable[..., None],
) -> None:
    """Contents are compared as the key opens them: what is not whole would be neither."""
    chosen = [
        (each._replace(whole=each.whole and each.name != COPIED), word)
        for each, word in each_resolver()
        if each.name != IN_PLACE
    ]
    chosen += [(each, word) for each in (REWRAP, APPEND) for word in ("openat2", "walk")]
    found = kills.survey(chosen, every=EVERY, world=EncryptedWorld)
    assert not found.wrong, "\n".join(found.wrong[:20])
    assert found.left, "some must have been killed in the middle"
    counted(
        "kills on encrypted disks",
        f"{found.kills:,} kill points of {sum(found.points.values()):,} "
        f"({len(found.points)} undertakings and resolvers), {found.left:,} left temporary names",
        seconds=found.seconds,
        disagreements=len(found.wrong),
    )


def test_a_sealed_file_that_is_written_in_place_is_found_out() -> None:
    def act(world: World) -> None:
        with world.one.open("d/small", "wb") as file:
            file.write(b"new")

    broken = Undertaking("broken", act, ("d/small",))
    wrong = kills.survey([(broken, "openat2")], world=EncryptedWorld).wrong
    assert any("d/small is neither old nor new" in said for said in wrong)
