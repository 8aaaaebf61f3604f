"""The server: cheroot's threads, with an end to waiting for anybody.

A client that has connected costs no thread before it says something, and has a limited time for
each step: for TLS, a request line and headers, and for each piece of a body in either direction. A
thread of its own looks at the clock. Stopping cuts all connections, and so every upload that is in
flight, of which nothing is published.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
import struct
import threading
import time
from contextlib import suppress
from errno import ECONNRESET
from typing import Any, NamedTuple

from cheroot.connections import ConnectionManager
from cheroot.errors import FatalSSLAlert
from cheroot.makefile import StreamReader
from cheroot.ssl import Adapter
from cheroot.wsgi import Server as WsgiServer

from safefs.bridge.requests import Connection, Gateway

_LINE_AND_HEADERS = 32 * 1024  # bytes
_TICK = 0.25  # seconds
_STOP = 1.5  # seconds for threads to end, once their connections are cut
_BACKLOG = 64
_logger = logging.getLogger("safefs.bridge")
_PLAIN = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 26\r\n"
    b"Connection: close\r\n\r\nOnly TLS is spoken here.\r\n"
)


class Patience(NamedTuple):
    """How much is waited for, and how many are served."""

    begin: float = 5.0  # seconds for TLS, a request line and its headers
    step: float = 20.0  # seconds for each piece of a body, either way, and between requests
    connections: int = 128
    threads: int = 16


class Clock:
    """All connections there are, and until when something has to happen on those at work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[Connection, float | None] = {}

    def __len__(self) -> int:
        return len(self._until)

    def rest(self, connection: Connection) -> None:
        """It waits for its client, and costs no thread; cheroot looks how long."""
        with self._lock:
            self._until[connection] = None

    def wind(self, connection: Connection, seconds: float) -> None:
        with self._lock:
            self._until[connection] = time.monotonic() + seconds

    def forget(self, connection: Connection) -> None:
        with self._lock:
            self._until.pop(connection, None)

    def cut(self, *, late: bool) -> None:
        """Those that are too slow, or all that are at work."""
        now = time.monotonic()
        with self._lock:
            at_work = [(each, until) for each, until in self._until.items() if until is not None]
        found = [connection for connection, until in at_work if until < now or not late]
        for connection in found:
            # Who reads from it or writes to it, in whatever thread, is told that it has ended.
            with suppress(OSError, ValueError):
                socket.socket.shutdown(connection.socket, socket.SHUT_RDWR)


class Reader(StreamReader):
    """Knows also of what TLS has read and not given out: no selector would tell of that."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        super().__init__(sock, "r")
        self._tls = sock

    def has_data(self) -> bool:
        return bool(super().has_data() or self._tls.pending())  # type: ignore[no-untyped-call]


class Writer:
    """Sends at once, and copies nothing. What has ended has ended, whatever TLS calls it."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self.bytes_written = 0

    def write(self, data: bytes) -> int:
        try:
            self._sock.sendall(data)
        except ssl.SSLError as error:
            raise ConnectionResetError(ECONNRESET, str(error)) from None
        self.bytes_written += len(data)
        return len(data)


class Tls(Adapter):
    """Wraps a connection; the handshake is for the thread that serves it, not for who accepts."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context

    def bind(self, sock: socket.socket) -> socket.socket:
        return sock

    def wrap(self, sock: socket.socket) -> tuple[ssl.SSLSocket, dict[str, str]]:
        try:
            wrapped = self.context.wrap_socket(
                sock, server_side=True, do_handshake_on_connect=False
            )
        except OSError as error:  # who has connected is gone again
            raise FatalSSLAlert(*error.args) from error
        return wrapped, self.get_environ()

    def get_environ(self) -> dict[str, str]:
        return {"wsgi.url_scheme": "https", "HTTPS": "on"}

    def makefile(self, sock: Any, mode: str = "r", bufsize: int = -1) -> Any:  # noqa: ARG002
        return Reader(sock) if "r" in mode else Writer(sock)


class Server(WsgiServer):
    """On a socket that is bound already. ``serve`` in a thread, ``stop`` from another."""

    ConnectionClass = Connection
    max_request_header_size = _LINE_AND_HEADERS
    expiration_interval = _TICK
    software = "safefs"

    def __init__(
        self,
        listening: socket.socket,
        application: Any,
        context: ssl.SSLContext,
        patience: Patience,
    ) -> None:
        address = listening.getsockname()
        super().__init__(
            address if isinstance(address, str) else address[:2],
            application,
            numthreads=patience.threads,
            server_name="safefs",
        )
        self.gateway = Gateway
        self.timeout = patience.step
        self.shutdown_timeout = _STOP
        self.clock = Clock()
        self.keep_alive_conn_limit = patience.connections
        self.ssl_adapter = Tls(context)
        self.patience = patience
        self._listening = listening
        self._ended = threading.Event()

    def prepare(self) -> None:
        self.socket = self._listening
        self.socket.settimeout(1)
        self.socket.listen(_BACKLOG)
        self._connections = ConnectionManager(self)
        self.requests.start()
        self.ready = True
        self._start_time = time.time()

    def start(self) -> None:
        """Serve, in threads; when this returns, connections are taken."""
        self.prepare()
        for work in (self.serve, self._watch):
            threading.Thread(target=work, name="safefs-bridge", daemon=True).start()

    def _watch(self) -> None:
        while not self._ended.wait(_TICK):
            self.clock.cut(late=True)

    def stop(self) -> None:
        """Cut all connections and end all threads, in less than two seconds.

        A thread that is in the middle of copying a tree ends when it has done that.
        """
        self._ended.set()
        self.clock.cut(late=False)
        stopping = threading.Thread(target=super().stop, name="safefs-bridge-stop", daemon=True)
        stopping.start()
        until = time.monotonic() + _STOP
        while stopping.is_alive() and time.monotonic() < until:
            self.clock.cut(late=False)  # those too that were on their way to a thread
            stopping.join(0.02)
        vars(logging).get("statistics", {}).pop(f"Cheroot HTTPServer {id(self)}", None)

    def process_conn(self, conn: Connection) -> None:
        """A connection has no thread before it says something, and none comes beyond the limit."""
        if conn.is_accepted:
            super().process_conn(conn)
        elif len(self.clock) >= self.patience.connections:
            conn.close()
        else:
            conn.is_accepted = True
            self.put_conn(conn)

    def put_conn(self, conn: Connection) -> None:
        self.clock.rest(conn)
        super().put_conn(conn)

    def is_welcome(self, connection: socket.socket) -> bool:
        """Over a socket of Unix: whether the process at its other end is this user's."""
        if connection.family != socket.AF_UNIX:
            return True
        size = struct.calcsize("3i")
        found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        return int(struct.unpack("3i", found)[1]) == os.geteuid()

    def acknowledge(self, connection: socket.socket) -> None:
        """Say at once that the end of the handshake has come.

        A client that does not turn Nagle's algorithm off sends its request when it hears that, and
        there is nothing else to send it with: it would wait for the kernel's 40 ms.
        """
        if connection.family != socket.AF_UNIX and hasattr(socket, "TCP_QUICKACK"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def answer_plainly(self, connection: socket.socket) -> None:
        """To who speaks no TLS, without it; what he has sent is read, or he would not hear it."""
        with suppress(OSError):
            socket.socket.recv(connection, _LINE_AND_HEADERS)
            socket.socket.send(connection, _PLAIN)

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:  # noqa: FBT001, FBT002
        """Nothing goes to standard error; what clients do wrong is of no interest."""
        if level >= logging.ERROR:
            _logger.error("%s", msg, exc_info=traceback)
        else:
            _logger.debug("%s", msg)
