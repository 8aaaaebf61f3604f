"""The certificate of one start: its key is made here, is in no file, and ends with the process.

OpenSSL takes a certificate and a key from files alone. They are written to memory that has a name
as long as it is open (memfd), and is gone when OpenSSL has read it; where there is none, to a file
of mode 0600 that is removed before anything is served.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import ssl
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from safefs.age.hidden import Hidden

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography import x509

_LIFE = timedelta(days=30)  # the longest that a start is thought to last
_BEFORE = timedelta(minutes=10)  # of a client whose clock is behind


class Certificate(NamedTuple):
    """What clients are told, and what connections are wrapped with."""

    context: ssl.SSLContext
    pem: str
    fingerprint: str  # SHA-256 of the certificate, in hexadecimal


def new_certificate() -> Certificate:
    """A new key (P-256) and a certificate for 127.0.0.1, ::1 and localhost, signed by itself.

    ``ImportError`` without the extra.
    """
    made, pem_and_key = _made()
    from cryptography.hazmat.primitives.serialization import Encoding

    pem, der = made.public_bytes(Encoding.PEM), made.public_bytes(Encoding.DER)
    return Certificate(_context(pem_and_key), pem.decode(), hashlib.sha256(der).hexdigest())


def _made() -> tuple[x509.Certificate, Hidden]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "safefs bridge")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _LIFE)
        .add_extension(_names(), critical=False)
        # It signs for nobody: who trusts it trusts this server and no other.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return made, Hidden(made.public_bytes(serialization.Encoding.PEM) + private)


def _names() -> x509.SubjectAlternativeName:
    from cryptography import x509

    addresses = [ipaddress.ip_address(text) for text in ("127.0.0.1", "::1")]
    return x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), *(x509.IPAddress(address) for address in addresses)]
    )


def _context(pem_and_key: Hidden) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0  # nothing is resumed: each connection proves the key anew
    with _readable(pem_and_key) as name:
        context.load_cert_chain(name)
    return context


@contextmanager
def _readable(content: Hidden) -> Iterator[str]:
    """A name by which this process alone can read it, while the block lasts."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("safefs", os.MFD_CLOEXEC)
        try:
            os.write(fd, content.reveal())
            yield f"/proc/self/fd/{fd}"
        finally:
            os.close(fd)
        return
    from safefs.folders import TemporaryFolder

    folder = TemporaryFolder("safefs")
    try:
        folder.root.write_bytes("key", content.reveal())
        yield f"{folder.path}/key"
    finally:
        folder.remove()
