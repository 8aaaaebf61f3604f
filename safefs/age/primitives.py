"""What is done with keys: the only import of ``cryptography``, and it comes late.

Keys go in and out as ``Hidden``, and are bound to no name here.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from safefs.age.hidden import Hidden

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

KEY, TAG = 32, 16  # bytes
_ZERO_NONCE = bytes(12)  # of a key that wraps one thing, once


def derived(secret: Hidden, salt: bytes, info: bytes) -> Hidden:
    """HKDF-SHA-256."""
    _require()
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    kdf = HKDF(algorithm=SHA256(), length=KEY, salt=salt, info=info)
    return Hidden(kdf.derive(secret.reveal()))


def stretched(passphrase: Hidden, salt: bytes, work_factor: int) -> Hidden:
    """scrypt, with N = 2 ** ``work_factor``; it takes 1 KiB of memory times N."""
    _require()
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    kdf = Scrypt(salt=salt, length=KEY, n=1 << work_factor, r=8, p=1)
    return Hidden(kdf.derive(passphrase.reveal()))


def authenticated(secret: Hidden, data: bytes) -> bytes:
    """HMAC-SHA-256."""
    return hmac.digest(secret.reveal(), data, "sha256")


def cipher(key: Hidden) -> ChaCha20Poly1305:
    _require()
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    return ChaCha20Poly1305(key.reveal())


def wrapped(key: Hidden, secret: Hidden) -> bytes:
    """``secret`` under a key that has wrapped nothing before, and will nothing after."""
    return cipher(key).encrypt(_ZERO_NONCE, secret.reveal(), None)


def unwrapped(key: Hidden, body: bytes) -> Hidden | None:
    """None where the key is another."""
    opener = cipher(key)
    from cryptography.exceptions import InvalidTag

    try:
        return Hidden(opener.decrypt(_ZERO_NONCE, body, None))
    except InvalidTag:
        return None


def opened(opener: ChaCha20Poly1305, nonce: bytes, sealed: bytes) -> bytes | None:
    """None for what was not sealed with this key and nonce, byte for byte."""
    from cryptography.exceptions import InvalidTag

    try:
        return opener.decrypt(nonce, sealed, None)
    except InvalidTag:
        return None


def private_key(data: Hidden) -> X25519PrivateKey:
    _require()
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.from_private_bytes(data.reveal())


def new_private_key() -> X25519PrivateKey:
    _require()
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.generate()


def shared(private: X25519PrivateKey, public: bytes) -> Hidden | None:
    """X25519; None for a public point of low order, with which every secret is the same."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    point = X25519PublicKey.from_public_bytes(public)
    try:
        return Hidden(private.exchange(point))
    except ValueError:
        return None


def available() -> bool:
    """Whether all this can be done."""
    try:
        _require()
    except ImportError:
        return False
    return True


def _require() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise ImportError(
            "age files are sealed and opened by cryptography: install safefs[crypto]",
            name="cryptography",
        ) from None
