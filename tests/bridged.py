"""A bridge for tests, and a client that sends exactly what it is told to."""

from __future__ import annotations

import base64
import socket
import ssl
import time
from contextlib import ExitStack, contextmanager
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from safefs import Disk
from safefs.bridge.serving import Bridge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Self


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


def context_of(bridge: Bridge) -> ssl.SSLContext:
    """Trusts the certificate of this bridge and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=bridge.certificate)
    return context


@contextmanager
def connected(bridge: Bridge, context: ssl.SSLContext | None = None) -> Iterator[ssl.SSLSocket]:
    with plain(bridge) as raw:
        trusting = context or context_of(bridge)
        with trusting.wrap_socket(raw, server_hostname="localhost") as sock:
            yield sock


@contextmanager
def plain(bridge: Bridge) -> Iterator[socket.socket]:
    if bridge.socket is not None:
        with socket.socket(socket.AF_UNIX) as raw:
            raw.settimeout(20)
            raw.connect(bridge.socket)
            yield raw
        return
    host, _, port = authority(bridge).rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as raw:
        yield raw


def authority(bridge: Bridge) -> str:
    return bridge.url.removeprefix("https://").rstrip("/")


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def basic(key: str, user: str = "") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{key}".encode()).decode()}


def head_of(
    bridge: Bridge, method: str, path: str, headers: Mapping[str, str | None], length: int | None
) -> bytes:
    """A value of None takes a header away that is sent otherwise."""
    sent: dict[str, str | None] = {"Host": authority(bridge), **bearer(bridge.key.reveal())}
    sent |= {"Content-Length": str(length)} if length is not None else {}
    sent |= headers
    lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in sent.items() if v is not None)]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


def answer_on(sock: ssl.SSLSocket, method: str = "GET") -> Answer:
    response = HTTPResponse(sock, method=method)
    response.begin()
    return Answer(
        response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    )


def ask(
    bridge: Bridge,
    method: str,
    path: str,
    headers: Mapping[str, str | None] | None = None,
    body: bytes | None = None,
) -> Answer:
    """One request, on a connection of its own, with the key."""
    with connected(bridge) as sock:
        length = None if body is None else len(body)
        sock.sendall(head_of(bridge, method, path, headers or {}, length) + (body or b""))
        return answer_on(sock, method)


class Conversation:
    """Requests one after the other, over one connection for as long as the server keeps it."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._held = ExitStack()
        self._sock: ssl.SSLSocket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str | None] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        length = None if body is None else len(body)
        sent = head_of(self._bridge, method, path, headers or {}, length) + (body or b"")
        try:
            return self._exchange(sent, method)
        except (OSError, HTTPException):  # it was not kept, and nothing of this was heard
            self._drop()
            return self._exchange(sent, method)

    def _exchange(self, sent: bytes, method: str) -> Answer:
        if self._sock is None:
            self._sock = self._held.enter_context(connected(self._bridge))
        self._sock.sendall(sent)
        answer = answer_on(self._sock, method)
        if answer.headers.get("connection") == "close":
            self._drop()
        return answer

    def _drop(self) -> None:
        self._held.close()
        self._sock = None


def where(folder: Path) -> dict[str, Any]:
    """The loopback; in a jail, where there is none, a socket of Unix."""
    with socket.socket() as listening, socket.socket() as asking:
        try:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            asking.connect(listening.getsockname())
        except OSError:
            return {"socket": folder / "socket"}
        return {}


@contextmanager
def serving(folder: Path, **options: Any) -> Iterator[tuple[Bridge, Disk]]:
    """A disk ``docs`` in ``folder / "docs"``, with a place for locks beside it."""
    (folder / "docs").mkdir(exist_ok=True)
    with (
        Disk(folder / "docs", name="docs", locks=folder / "locks") as disk,
        Bridge({"docs": disk}, **{**where(folder), **options}) as bridge,
    ):
        yield bridge, disk


def needs(program: str) -> pytest.MarkDecorator:
    import shutil

    return pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program}")


def settle(bridge: Bridge) -> None:
    """Wait until the server has let go of connections that are closed here."""
    patience = time.monotonic() + 5
    while len(bridge._server.clock) and time.monotonic() < patience:
        time.sleep(0.005)


def tree_of(folder: Path) -> dict[str, bytes | None]:
    """All there is beneath, drafts too, with its content."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if path.name != "socket" and "locks" not in path.parts
    }
