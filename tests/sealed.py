"""Contents of telling sizes, and each as an age file, for the tests of the format."""

from __future__ import annotations

import io
import random
from typing import TYPE_CHECKING

from safefs.age import (
    ScryptIdentity,
    ScryptRecipient,
    X25519Identity,
    encrypt_bytes,
    read_header,
)
from safefs.age.sources import Source

if TYPE_CHECKING:
    from safefs.age import Identity, Recipient

CHUNK = 64 * 1024
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 17]

# Nobody's keys, and always the same: tests are told apart by what they are of.
IDENTITY = X25519Identity(
    "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
)
OTHER = X25519Identity.generate()

PASSWORD = "correct horse"
WORK = 2  # as little as one may ask for without a wait

KINDS: dict[str, tuple[Recipient, Identity]] = {
    "X25519": (IDENTITY.recipient, IDENTITY),
    "scrypt": (ScryptRecipient(PASSWORD, work_factor=WORK), ScryptIdentity(PASSWORD)),
}

CONTENTS = {size: random.Random(size).randbytes(size) for size in SIZES}
SEALED_FILES = {
    size: encrypt_bytes(content, [IDENTITY.recipient]) for size, content in CONTENTS.items()
}


def payload_at(sealed: bytes) -> int:
    """Where the header ends, and the nonce begins."""
    return read_header(Source(io.BytesIO(sealed))).length
