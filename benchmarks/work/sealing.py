"""Files sealed and opened: beside the bare cipher, and beside the ``age`` command.

In memory, chunks of 64 KiB go through ``ChaCha20Poly1305`` of cryptography, which is what takes
the time. The command works from file to file, in a process of its own; safefs beside it does so
in this one.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING

from benchmarks.workload import Ratio, SkippedError, Subject, Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.ground import Ground, Scale
    from safefs.age import X25519Identity

    Work = Callable[[bytes, X25519Identity], dict[str, Subject]]

MEBIBYTE = 1 << 20
CHUNK = 64 * 1024
RANGE = 4096
RAW, COMMAND = "ChaCha20Poly1305", "the age command"


def workloads(scale: Scale) -> list[Workload]:
    size = scale.large // 16
    return [
        *(_in_memory(word, size) for word in ("seal", "open")),
        *(_files(word, size) for word in ("seal", "open")),
        _ranges(scale.large),
    ]


def _in_memory(word: str, size: int) -> Workload:
    def make(_: Ground) -> dict[str, Subject]:
        identity = _identity()
        return _sealing(size, identity) if word == "seal" else _opening(size, identity)

    # 0.8 of its throughput.
    figures = (Ratio("age, bytes to bytes", RAW, most=1.25),)
    return Workload("sealing", f"{word} {_sized(size)} in memory", make, figures, baseline=RAW)


def _identity() -> X25519Identity:
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise SkippedError("needs safefs[crypto]") from None
    from safefs.age import X25519Identity

    return X25519Identity.generate()


def _sealing(size: int, identity: X25519Identity) -> dict[str, Subject]:
    from safefs import age

    data, bare = os.urandom(size), Bare()
    return {
        RAW: Subject(lambda: bare.sealed(data), lambda sealed: _digest(bare.opened(sealed))),
        "age, bytes to bytes": Subject(
            lambda: age.encrypt_bytes(data, [identity.recipient]),
            lambda sealed: _digest(age.decrypt_bytes(sealed, [identity])),
        ),
    }


def _opening(size: int, identity: X25519Identity) -> dict[str, Subject]:
    from safefs import age

    data, bare = os.urandom(size), Bare()
    by_us, by_it = age.encrypt_bytes(data, [identity.recipient]), bare.sealed(data)
    return {
        RAW: Subject(lambda: bare.opened(by_it), _digest),
        "age, bytes to bytes": Subject(lambda: age.decrypt_bytes(by_us, [identity]), _digest),
    }


class Bare:
    """The cipher alone, chunk by chunk, from bytes to bytes: no format, and no end that is told."""

    def __init__(self) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        self._cipher = ChaCha20Poly1305(os.urandom(32))

    def sealed(self, data: bytes) -> bytes:
        return self._all(data, CHUNK, self._cipher.encrypt)

    def opened(self, sealed: bytes) -> bytes:
        return self._all(sealed, CHUNK + 16, self._cipher.decrypt)

    def _all(self, data: bytes, step: int, act: Callable[[bytes, bytes, None], bytes]) -> bytes:
        source, into = io.BytesIO(data), io.BytesIO()
        number = 0
        while piece := source.read(step):
            into.write(act(number.to_bytes(12, "big"), piece, None))
            number += 1
        return into.getvalue()


def _files(word: str, size: int) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        if shutil.which("age") is None:
            raise SkippedError("needs the age command (make tools)")
        return _by_files(ground, word, size, _identity())

    # Of the wall clock: the command is another process, and uses both processors.
    figures = (Ratio("age, file to file", COMMAND, most=0.5, of="wall"),)
    title = f"{word} a file of {_sized(size)}"
    return Workload("sealing", title, make, figures, baseline=COMMAND)


def _by_files(ground: Ground, word: str, size: int, identity: X25519Identity) -> dict[str, Subject]:
    from safefs import age

    plain, sealed, key, into = (f"{ground.top}/{name}" for name in ("plain", "sealed", "key", "to"))
    with open(plain, "wb") as file:
        file.write(os.urandom(size))
    with open(plain, "rb") as source, open(sealed, "wb") as destination:
        age.encrypt(source, destination, [identity.recipient])
    with open(key, "wb") as file:
        file.write(f"{identity.reveal()}\n".encode())
    ours: Callable[..., object] = age.encrypt if word == "seal" else age.decrypt
    whom: list[object] = [identity.recipient] if word == "seal" else [identity]
    arguments = (
        ["-r", str(identity.recipient), plain] if word == "seal" else ["-d", "-i", key, sealed]
    )

    def by_us() -> None:
        with open(plain if word == "seal" else sealed, "rb") as source, open(into, "wb") as file:
            ours(source, file, whom)

    def by_command() -> None:
        subprocess.run(["age", "-o", into, *arguments], check=True)

    def shown(_: object) -> str:
        with open(into, "rb") as file:
            data = file.read()
        return _digest(age.decrypt_bytes(data, [identity]) if word == "seal" else data)

    return {
        COMMAND: Subject(by_command, shown, outside=True),
        "age, file to file": Subject(by_us, shown),
    }


def _ranges(size: int) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        from safefs.age import SealedReader, encrypt

        identity = _identity()
        plain, sealed = f"{ground.top}/plain", f"{ground.top}/sealed"
        with open(plain, "wb") as file:
            file.writelines(os.urandom(min(MEBIBYTE, size)) for _ in range(-(-size // MEBIBYTE)))
        with open(plain, "rb") as source, open(sealed, "wb") as destination:
            encrypt(source, destination, [identity.recipient])
        fd = ground.held(_opened(plain))
        reader = SealedReader(ground.held(open(sealed, "rb", buffering=0)), [identity])  # noqa: SIM115
        places = [ground.chance.randrange(max(1, size - CHUNK)) for _ in range(1024)]

        def by_pread(length: int) -> Callable[[], bytes]:
            at = _round_and_round(places)
            return lambda: os.pread(fd, length, next(at))

        def by_reader() -> Callable[[], bytes]:
            at = _round_and_round(places)

            def read() -> bytes:
                reader.seek(next(at))
                return reader.read(RANGE)

            return read

        return {
            "pread of 64 KiB": Subject(by_pread(CHUNK), lambda found: found[:RANGE]),
            "pread of 4 KiB": Subject(by_pread(RANGE)),
            "SealedReader, 4 KiB": Subject(by_reader()),
        }

    figures = (Ratio("SealedReader, 4 KiB", "pread of 64 KiB", most=3.0),)
    title = f"4 KiB from anywhere in {_sized(size)}"
    return Workload("sealing", title, make, figures, baseline="pread of 64 KiB")


def _round_and_round(places: list[int]) -> Iterator[int]:
    while True:
        yield from places


@contextmanager
def _opened(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def _sized(size: int) -> str:
    return f"{size // MEBIBYTE:,} MiB" if size >= MEBIBYTE else f"{size:,} bytes"
