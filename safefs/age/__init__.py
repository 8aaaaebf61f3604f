"""Files in the age v1 format: https://age-encryption.org/v1, bytes to bytes. Needs safefs[crypto].

What is sealed cannot be read, nor changed without notice, by who has not the key. What shows is
how long it is, and for how many it is sealed. An old version of a file put back, or another file
of the same recipients put in its place, is as good as any: the format knows no names and no time.

A file is written once, from its beginning to its end. To change a byte of it, or to add one, it is
read and sealed anew: with the same key and nonce, two versions of a chunk would give each other
away. So there is no way here to edit one or to append to it.
"""

from safefs.age.armor import ArmorReader
from safefs.age.header import Header, Stanza, read_header
from safefs.age.hidden import Hidden
from safefs.age.opening import Identity, Key, Recipient
from safefs.age.reading import SealedContent, SealedReader, content_size
from safefs.age.scrypt import ScryptIdentity, ScryptRecipient
from safefs.age.sealing import (
    SealingWriter,
    decrypt,
    decrypt_bytes,
    encrypt,
    encrypt_bytes,
    rewrap,
)
from safefs.age.stream import plaintext_size, sealed_size
from safefs.age.x25519 import X25519Identity, X25519Recipient

__all__ = [
    "ArmorReader",
    "Header",
    "Hidden",
    "Identity",
    "Key",
    "Recipient",
    "ScryptIdentity",
    "ScryptRecipient",
    "SealedContent",
    "SealedReader",
    "SealingWriter",
    "Stanza",
    "X25519Identity",
    "X25519Recipient",
    "content_size",
    "decrypt",
    "decrypt_bytes",
    "encrypt",
    "encrypt_bytes",
    "plaintext_size",
    "read_header",
    "rewrap",
    "sealed_size",
]
