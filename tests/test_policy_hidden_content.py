"""Denied names where the look before a rename does not easily come."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from safefs import PolicyError, Root
from safefs.kernel import syscalls
from safefs.policy import Policy

if TYPE_CHECKING:
    from typing import Any

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


def test_a_name_in_a_directory_that_cannot_be_read_may_be_a_denied_one(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scratch.root / "secret").mkdir()
    (scratch.root / "secret" / "key").write_bytes(b"secret")
    (scratch.root / "shown").hardlink_to(scratch.root / "secret" / "key")
    (scratch.root / "one").write_bytes(b"1")
    (scratch.root / "two").hardlink_to(scratch.root / "one")
    real = syscalls.open

    def unreadable(name: str | bytes, flags: int, *given: Any, **more: Any) -> int:
        if name in ("secret", b"secret") and flags & os.O_DIRECTORY:
            raise PermissionError(13, "Permission denied")
        return real(name, flags, *given, **more)

    with Root(scratch.root, policy=Policy(deny=["/secret"])) as root:
        monkeypatch.setattr(syscalls, "open", unreadable)
        with pytest.raises(PolicyError):
            root.read_bytes("shown")
        assert root.read_bytes("one") == b"1"
