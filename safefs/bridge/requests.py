"""A request as it comes over a connection, before any of it is believed.

cheroot reads it; what is stricter here: what matters is said once, no line is folded, no body is
read of who may not send one, and a key is in no dict of headers.
"""

from __future__ import annotations

import ssl
from errno import ECONNABORTED
from typing import TYPE_CHECKING, Any

from cheroot.server import HTTPConnection, HTTPRequest
from cheroot.wsgi import Gateway_10

from safefs.age.hidden import Hidden
from safefs.bridge.application import ALIVE, CREDENTIAL, END

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_HEADERS = 64
_ONCE = frozenset(
    {
        *(
            b"Authorization",
            b"Content-Length",
            b"Content-Range",
            b"Depth",
            b"Destination",
            b"Expect",
        ),
        *(b"Host", b"If", b"If-Range", b"Lock-Token", b"Origin", b"Overwrite", b"Range"),
        *(b"Sec-Fetch-Dest", b"Sec-Fetch-Mode", b"Sec-Fetch-Site", b"Transfer-Encoding"),
    }
)
_TOKEN = frozenset(b"!#$%&'*+-.^`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_DRAINED = 1024 * 1024  # bytes of a body that nobody wants, read so that its sender hears why
_HEX = frozenset(b"0123456789abcdefABCDEF")
_LONGEST_LINE = 1024  # bytes
_EXPECT = b"\0expect"  # a name that no header has


def read_headers(rfile: Any, headers: dict[bytes, bytes] | None = None) -> dict[bytes, bytes]:
    """Into the dict that cheroot gives; ``ValueError`` is 400, and says nothing of a value.

    ``Expect`` is taken out of its sight: it would ask for a body before anybody looks at the key.
    """
    found: dict[bytes, bytes] = {} if headers is None else headers
    while (line := rfile.readline()) != b"\r\n":
        name, colon, value = line.partition(b":")
        if not line.endswith(b"\r\n") or not colon or not name or not set(name) <= _TOKEN:
            raise ValueError("a header is a name, a colon and a value, on one line")
        name, value = name.title(), value.strip()
        if b"\0" in value or b"\r" in value:
            raise ValueError("a header holds neither NUL nor CR")
        if name in found and name in _ONCE:
            raise ValueError("a header comes twice that says one thing")
        if len(found) >= _MOST_HEADERS:
            raise ValueError("there are too many headers")
        found[name] = found[name] + b", " + value if name in found else value
    if b"Expect" in found:
        found[_EXPECT] = found.pop(b"Expect")
    return found


class Chunks:
    """The file of a body in chunks (RFC 9112, 7.1), which ends where it says so, and nowhere else.

    What cheroot has for it takes a connection that was cut, and a size below zero, for the end.
    """

    def __init__(self, rfile: Any) -> None:
        self._rfile = rfile
        self._left = 0
        self._is_ended = False

    def read(self, size: int) -> bytes:
        """b"" at the end. ``ValueError`` for what is no chunk, ``ConnectionError`` for a cut."""
        if not self._left and not self._is_ended:
            self._begin(self._line())
        if self._is_ended:
            return b""
        piece: bytes = self._rfile.read(min(size, self._left))
        if not piece:
            raise ConnectionAbortedError(ECONNABORTED, "the upload ended before its end")
        self._left -= len(piece)
        if not self._left and self._line():
            raise ValueError("a chunk is longer than it says")
        return piece

    def _begin(self, line: bytes) -> None:
        digits = line.partition(b";")[0].strip(b" \t")
        if not 0 < len(digits) <= 15 or not set(digits) <= _HEX:
            raise ValueError("the size of a chunk is a hexadecimal number")
        self._left = int(digits, 16)
        if not self._left:
            while self._line():  # trailers, which nobody wants; no connection outlives them
                pass
            self._is_ended = True

    def _line(self) -> bytes:
        line: bytes = self._rfile.readline(_LONGEST_LINE)
        if not line:
            raise ConnectionAbortedError(ECONNABORTED, "the upload ended before its end")
        if not line.endswith(b"\r\n"):
            raise ValueError("a line of chunks ends with CRLF")
        return line[:-2]


class Asking:
    """The file that a body is read from, which says "100 Continue" once somebody reads it."""

    def __init__(self, inner: Any, ask: Callable[[], object]) -> None:
        self._inner = inner
        self._ask: Callable[[], object] | None = ask

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def read(self, size: int) -> bytes:
        ask, self._ask = self._ask, None
        if ask is not None:
            ask()
        data: bytes = self._inner.read(size)
        return data

    @property
    def is_unasked(self) -> bool:
        return self._ask is not None


class Request(HTTPRequest):
    """One of a connection; the connection ends where the next could not be told from its rest."""

    header_reader = staticmethod(read_headers)
    credential: Hidden
    expects: bool

    def read_request_headers(self) -> bool:
        is_good = bool(super().read_request_headers())  # type: ignore[no-untyped-call]
        self.credential = Hidden(self.inheaders.pop(b"Authorization", b""))
        self.expects = self.inheaders.pop(_EXPECT, b"").lower() == b"100-continue"
        if self.chunked_read:
            self.close_connection = True  # trailers may follow, which nobody reads
        return is_good

    def end(self) -> None:
        self.close_connection = True

    def continue_(self) -> None:
        if not self.sent_headers:
            self.conn.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def send_headers(self) -> None:
        """A body that has not been read is not read into memory, whoever sends it."""
        rest = getattr(self.rfile, "remaining", 0)
        if rest and (getattr(self.rfile, "is_unasked", False) or rest > _DRAINED):
            self.close_connection = True
        super().send_headers()


class Gateway(Gateway_10):
    """Adds to the environ what no header may say."""

    def __init__(self, req: Request) -> None:
        if req.chunked_read:
            req.rfile = Chunks(req.conn.rfile)
        if req.expects:
            req.rfile = Asking(req.rfile, req.continue_)
        super().__init__(req)
        self.req.conn.still_alive()

    def get_environ(self) -> dict[str, Any]:  # type: ignore[override]  # its stub says None
        environ: dict[str, Any] = super().get_environ()  # type: ignore[no-untyped-call]
        environ[CREDENTIAL] = self.req.credential
        environ[ALIVE] = self.req.conn.still_alive
        environ[END] = self.req.end
        return environ

    def write(self, chunk: bytes) -> None:
        super().write(chunk)
        self.req.conn.still_alive()


class Connection(HTTPConnection):
    """A connection that is first looked at: by TLS, and for whose process is at its other end."""

    RequestHandlerClass = Request
    is_new = True
    is_accepted = False

    def communicate(self) -> bool:
        self.server.clock.wind(self, self.server.patience.begin)
        if self.is_new and not self._begin():
            return False
        try:
            return bool(super().communicate())  # type: ignore[no-untyped-call]
        except OSError:  # what was to be said of an error could not be said either
            return False

    def still_alive(self) -> None:
        """There was progress: the clock of who is too slow begins anew."""
        self.server.clock.wind(self, self.server.patience.step)

    def close(self) -> None:
        self.server.clock.forget(self)
        super().close()

    def _begin(self) -> bool:
        self.is_new = False
        if not self.server.is_welcome(self.socket):
            return False
        try:
            self.socket.do_handshake()
        except (OSError, ValueError) as error:
            return self._refuse(error)
        self.server.acknowledge(self.socket)
        return True

    def _refuse(self, error: Exception) -> bool:
        """In plain HTTP who speaks plain HTTP; no other can be told anything."""
        if isinstance(error, ssl.SSLError) and error.reason == "HTTP_REQUEST":
            self.server.answer_plainly(self.socket)
        return False
