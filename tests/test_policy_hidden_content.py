"""Denied names where the look before a rename does not easily come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from safefs import PolicyError, Root
from safefs.policy import Policy

if TYPE_CHECKING:
    from safefs.testing.scratch import Scratch

pytestmark = pytest.mark.usefixtures("resolver")

_KEEP = ".safefs-0123456789abcdef.tmp"


def test_a_directory_with_the_name_of_a_draft_hides_nothing_from_a_rename(scratch: Scratch) -> None:
    held = scratch.root / "d" / _KEEP
    held.mkdir(parents=True)
    (held / ".env").write_bytes(b"secret")
    with Root(scratch.root, policy=Policy(deny=["/d/**/.env"])) as root:
        with pytest.raises(PolicyError):
            root.rename("d", "e")
        with pytest.raises(PolicyError):
            root.remove_tree("d")
    assert (held / ".env").read_bytes() == b"secret"


def test_a_directory_that_cannot_be_looked_into_is_not_renamed(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its permissions, or because no descriptor is left: the rename itself asks for neither."""
    (scratch.root / "d").mkdir()
    (scratch.root / "d" / ".env").write_bytes(b"secret")

    def unreadable(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    with Root(scratch.root, policy=Policy(deny=["/d/.env"])) as root:
        monkeypatch.setattr("safefs.operations.denied.open_child", unreadable)
        with pytest.raises(PermissionError):
            root.rename("d", "e")
    assert (scratch.root / "d" / ".env").exists()
