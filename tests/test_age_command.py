"""The ``age`` command opens what we seal, and we what it seals, byte for byte."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from safefs import WrongKeyError
from safefs.age import (
    ArmorReader,
    ScryptIdentity,
    ScryptRecipient,
    SealedReader,
    X25519Identity,
    X25519Recipient,
    content_size,
    decrypt,
    encrypt,
    rewrap,
)
from tests.conftest import PROFILE
from tests.sealed import CHUNK, IDENTITY, OTHER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from safefs.age import Identity, Recipient

pytestmark = pytest.mark.skipif(
    shutil.which("age") is None or shutil.which("age-keygen") is None,
    reason="needs age (make tools)",
)

LARGE = (100 if PROFILE == "prove" else 8) * 1024 * 1024
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, LARGE]
PASSWORD = "correct horse battery staple"


@pytest.fixture
def plain(size: int, tmp_path: Path) -> bytes:
    content = random.Random(size).randbytes(size)
    (tmp_path / "plain").write_bytes(content)
    (tmp_path / "key").write_text(f"# of nobody\n{IDENTITY.reveal()}\n")
    return content


def _age(place: Path, *words: str, passphrase: str | None = None) -> None:
    command: Sequence[str] = ("age", *words)
    if passphrase is not None:
        command = (sys.executable, "-m", "tests.terminal", *command)
    subprocess.run(
        command,
        cwd=place if passphrase is None else None,
        input=f"{passphrase or ''}\n".encode() * 2,  # to seal it asks again
        capture_output=True,
        check=True,
        timeout=100,
    )


def _by_age(place: Path) -> bytes:
    """What it opened; it makes no file of nothing."""
    opened = place / "opened"
    return opened.read_bytes() if opened.exists() else b""


def _seal(place: Path, recipient: Recipient) -> None:
    with open(place / "plain", "rb") as source, open(place / "sealed", "wb") as destination:
        encrypt(source, destination, [recipient])


def _opened(place: Path, identity: Identity) -> bytes:
    """By the stream and by the seekable reader, which have to agree."""
    with open(place / "sealed", "rb") as source:
        destination = io.BytesIO()
        decrypt(source, destination, [identity])
        if isinstance(identity, X25519Identity):
            assert SealedReader(source, [identity]).read() == destination.getvalue()
    return destination.getvalue()


@pytest.mark.parametrize("size", SIZES)
def test_it_opens_with_a_key_what_we_seal(size: int, plain: bytes, tmp_path: Path) -> None:
    _seal(tmp_path, IDENTITY.recipient)
    _age(tmp_path, "-d", "-i", "key", "-o", "opened", "sealed")
    assert _by_age(tmp_path) == plain


@pytest.mark.parametrize("size", SIZES)
def test_we_open_with_a_key_what_it_seals(size: int, plain: bytes, tmp_path: Path) -> None:
    _age(tmp_path, "-r", str(IDENTITY.recipient), "-o", "sealed", "plain")
    assert _opened(tmp_path, IDENTITY) == plain
    with open(tmp_path / "sealed", "rb") as file:
        assert content_size(file) == size


@pytest.mark.parametrize("size", SIZES)
def test_it_opens_with_a_passphrase_what_we_seal(size: int, plain: bytes, tmp_path: Path) -> None:
    _seal(tmp_path, ScryptRecipient(PASSWORD, work_factor=10))
    names = [str(tmp_path / name) for name in ("opened", "sealed")]
    _age(tmp_path, "-d", "-o", *names, passphrase=PASSWORD)
    assert _by_age(tmp_path) == plain


@pytest.mark.parametrize("size", SIZES)
def test_we_open_with_a_passphrase_what_it_seals(size: int, plain: bytes, tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("sealed", "plain")]
    _age(tmp_path, "-p", "-o", *names, passphrase=PASSWORD)
    assert _opened(tmp_path, ScryptIdentity(PASSWORD)) == plain


@pytest.mark.parametrize("size", [CHUNK + 1])
def test_we_read_its_armor(size: int, plain: bytes, tmp_path: Path) -> None:
    _age(tmp_path, "-a", "-r", str(IDENTITY.recipient), "-o", "sealed", "plain")
    destination = io.BytesIO()
    with open(tmp_path / "sealed", "rb") as source:
        decrypt(ArmorReader(source), destination, [IDENTITY])
    assert destination.getvalue() == plain


@pytest.mark.parametrize("size", [CHUNK + 1])
def test_a_file_that_we_wrap_anew_is_one_to_it(size: int, plain: bytes, tmp_path: Path) -> None:
    _age(tmp_path, "-r", str(OTHER.recipient), "-o", "others", "plain")
    with open(tmp_path / "others", "rb") as source, open(tmp_path / "sealed", "wb") as sealed:
        rewrap(source, sealed, [OTHER], [OTHER.recipient, IDENTITY.recipient])
    _age(tmp_path, "-d", "-i", "key", "-o", "opened", "sealed")
    assert _by_age(tmp_path) == plain


@pytest.mark.parametrize("size", [1])
def test_its_keys_are_keys_to_us_and_ours_to_it(size: int, plain: bytes, tmp_path: Path) -> None:
    made = subprocess.run(["age-keygen"], capture_output=True, text=True, check=True).stdout
    lines = made.splitlines()
    theirs = X25519Identity(lines[-1])
    assert X25519Recipient(lines[1].rpartition(" ")[2]) == theirs.recipient
    shown = subprocess.run(
        ["age-keygen", "-y"], input=OTHER.reveal(), capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == str(OTHER.recipient)


@pytest.mark.parametrize("size", [1])
def test_a_file_of_it_for_somebody_else_is_not_ours(
    size: int, plain: bytes, tmp_path: Path
) -> None:
    _age(tmp_path, "-r", str(OTHER.recipient), "-o", "sealed", "plain")
    with pytest.raises(WrongKeyError):
        _opened(tmp_path, IDENTITY)
