"""Tokens of a real installation: beside other processes, and whoever may write to its folder."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from safefs import Grant, Scope, Storage, TokenError, UnsafeFolderError
from safefs.secrets import revocations
from tests.installations import APP
from tests.installations import home as home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SCOPE = Scope("appdata", "a", verbs=["get"])


def _opened() -> Storage:
    return Storage(APP, key_source="file")


@pytest.fixture
def running(home: Path) -> Iterator[Storage]:
    with _opened() as storage:
        yield storage


def _list(home: Path) -> Path:
    return home / ".local" / "state" / APP / revocations.FILE


def _reason(storage: Storage, token: str) -> str:
    with pytest.raises(TokenError) as caught:
        storage.verify_token(token)
    return caught.value.reason


# -- a key that is exchanged ---------------------------------------------------------------------


def _import_again(storage: Storage) -> None:
    storage.import_key(storage.export_key())


def _import_another(storage: Storage) -> None:
    from safefs.age import X25519Identity

    storage.import_key(X25519Identity.generate().reveal(), replace=True)


_CHANGES: dict[str, Callable[[Storage], object]] = {
    "rotated": Storage.rotate_key,
    "imported": _import_another,
    "imported again": _import_again,
}


@pytest.mark.parametrize("change", _CHANGES)
def test_what_was_issued_before_the_key_is_changed_is_void_in_every_process(
    change: str, running: Storage
) -> None:
    """Also in one that runs on and has used no other key."""
    token = running.issue_token(SCOPE)
    running.verify_token(token)
    with _opened() as other:
        _CHANGES[change](other)
        assert _reason(running, token) in ("revoked", "signature")
        assert _reason(other, token) in ("revoked", "signature")
        with _opened() as third:
            assert _reason(third, token) in ("revoked", "signature")


def test_who_runs_on_takes_and_gives_tokens_of_the_new_key(running: Storage) -> None:
    running.issue_token(SCOPE)
    with _opened() as other, _opened() as verifying:
        verifying.key  # noqa: B018  (the old one)
        other.rotate_key()
        issued = running.issue_token(SCOPE)
        assert isinstance(other.verify_token(issued), Grant)
        assert isinstance(verifying.verify_token(issued), Grant)
        assert isinstance(running.verify_token(other.issue_token(SCOPE)), Grant)
        assert running.key.recipient == other.key.recipient == verifying.key.recipient


def test_a_rotation_makes_no_list_where_no_token_was_issued(home: Path, running: Storage) -> None:
    running.key  # noqa: B018  (made)
    running.rotate_key()
    assert not _list(home).exists()


# -- a new installation --------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "a.b.c", "a" * 100])
def test_to_verify_on_a_new_installation_makes_nothing(home: Path, token: str) -> None:
    with _opened() as storage:
        for use in (storage.verify_token, storage.revoke_token):
            with pytest.raises(TokenError, match=r"no key|malformed"):
                use(token)
    assert not list(home.iterdir())


# -- who else may write there --------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o666, 0o620, 0o602])
def test_a_list_that_others_may_write_is_not_believed(
    home: Path, running: Storage, mode: int
) -> None:
    token = running.issue_token(SCOPE)
    _list(home).chmod(mode)
    assert _reason(running, token) == "revoked"
    running.verify_token(running.issue_token(SCOPE))
    assert stat.S_IMODE(_list(home).stat().st_mode) == 0o600
    assert _reason(running, token) == "revoked"


@pytest.mark.parametrize("mode", [0o777, 0o730, 0o702])
def test_nor_is_one_in_a_folder_that_others_may_write_to(
    home: Path, running: Storage, mode: int
) -> None:
    token = running.issue_token(SCOPE)
    _list(home).parent.chmod(mode)
    assert _reason(running, token) == "revoked"
    with pytest.raises(UnsafeFolderError, match=r"written to by others"):
        running.issue_token(SCOPE)


def test_a_list_and_a_folder_that_others_may_read_are_closed_again(
    home: Path, running: Storage
) -> None:
    token, other = running.issue_token(SCOPE), running.issue_token(SCOPE)
    _list(home).chmod(0o644)
    _list(home).parent.chmod(0o755)
    running.verify_token(token)
    running.revoke_token(other)
    assert stat.S_IMODE(_list(home).stat().st_mode) == 0o600
    assert stat.S_IMODE(_list(home).parent.stat().st_mode) == 0o700
    running.verify_token(token)


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _linked_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("tokens"))
    path.parent.symlink_to("tokens")


@pytest.mark.parametrize("make", [_link, _directory, _fifo, _linked_folder])
def test_with_something_else_in_its_place_every_token_is_void(
    home: Path, running: Storage, make: Callable[[Path], None]
) -> None:
    token = running.issue_token(SCOPE)
    make(_list(home))
    assert _reason(running, token) == "revoked"
