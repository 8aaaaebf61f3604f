"""The WSGI application: who may ask at all, then what, then the answer. All refusals are here."""

from __future__ import annotations

import logging
from contextlib import ExitStack, closing
from errno import ECONNABORTED
from typing import TYPE_CHECKING, Any, NamedTuple

from wsgidav.dav_error import DAVError
from wsgidav.lock_man.lock_manager import LockManager
from wsgidav.lock_man.lock_storage import LockStorageDict

from safefs.age.hidden import Hidden
from safefs.bridge import browsers, targets, verbs
from safefs.bridge.bodies import body_of, length_of
from safefs.bridge.callers import RefusedError
from safefs.bridge.failures import line_of, status_of
from safefs.bridge.handling import BODY, DESTINATION, TARGET, Handling
from safefs.bridge.resources import CALLER, Provider

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from safefs.bridge.browsers import Origins
    from safefs.bridge.callers import Doorkeeper
    from safefs.bridge.resources import Environ
    from safefs.bridge.targets import Target

    Start = Callable[..., object]
    Headers = list[tuple[str, str]]

# What the server puts into an environ: the key that was sent, what to call when there is progress,
# and what so that no other request comes over this connection.
CREDENTIAL, ALIVE, END = "safefs.credential", "safefs.alive", "safefs.end"
_LONGEST_XML = 1024 * 1024  # bytes
_MOST_LOCKS = 10_000
_CHALLENGE = 'Basic realm="safefs", charset="UTF-8"'
_logger = logging.getLogger("safefs.bridge")


class Locks(LockStorageDict):  # type: ignore[misc]  # WsgiDAV has no types
    """Of WebDAV, in memory: until they expire or the bridge stops, and never too many."""

    def create(self, path: str, lock: dict[str, Any]) -> None:
        if self._dict is not None and len(self._dict) >= _MOST_LOCKS:
            raise DAVError(507)
        super().create(path, lock)


class Limits(NamedTuple):
    """What one request may be."""

    body: int | None = None  # bytes of an upload; what the policy of the disk allows is another


class Began:
    """What a handler says before its first piece."""

    def __init__(self) -> None:
        self.status = line_of(500)
        self.headers: Headers = []

    def __call__(self, status: str, headers: Headers, *_: object) -> None:
        self.status, self.headers = status, headers


class Application:
    """Callable as PEP 3333 says. Threads share one."""

    def __init__(self, doorkeeper: Doorkeeper, origins: Origins, limits: Limits) -> None:
        self._doorkeeper = doorkeeper
        self._origins = origins
        self._limits = limits
        self._provider = Provider(LockManager(Locks()))
        self._handling = Handling(self._provider)

    def __call__(self, environ: Environ, start: Start) -> Iterator[bytes]:
        began, headers, is_begun = Began(), list(browsers.SECURITY), False
        try:
            with ExitStack() as held:
                origin = self._origins.check(environ)
                headers += browsers.cors_headers(origin)
                pieces = held.enter_context(closing(self._answer(environ, began, origin, held)))
                first = next(pieces, b"")
                start(began.status, [*began.headers, *headers])
                is_begun = True
                yield first
                yield from pieces
        except Exception as error:  # noqa: BLE001  (each has its status, and none goes further)
            if is_begun:  # nothing more can be said but that it is not whole
                self._log(error, environ)
                raise ConnectionAbortedError(ECONNABORTED, "the answer ended early") from None
            status = self._log(error, environ)
            if isinstance(error, ConnectionError | TimeoutError):
                environ[END]()
            yield from _failure(error, status, environ, headers, start)

    def _answer(
        self, environ: Environ, began: Began, origin: str | None, held: ExitStack
    ) -> Generator[bytes, None, None]:
        method = environ["REQUEST_METHOD"]
        if origin is not None and browsers.is_preflight(environ):
            began(line_of(204), browsers.preflight_headers(environ))
            return
        caller = self._doorkeeper.admit(environ.pop(CREDENTIAL, Hidden(b"")))
        held.callback(caller.close)
        if environ["SERVER_PROTOCOL"] != "HTTP/1.1":
            raise DAVError(505)
        if method not in verbs.NEEDS:
            raise DAVError(405)
        environ[CALLER], environ[TARGET] = caller, _target(environ)
        environ[DESTINATION] = self._destination(environ)
        if not caller.may(method, environ[TARGET], environ[DESTINATION]):
            raise RefusedError("the token does not allow this", 403)
        self._take_body(environ)
        self._dress(environ)
        yield from self._handling(environ, began)

    def _destination(self, environ: Environ) -> Target | None:
        if not verbs.NEEDS[environ["REQUEST_METHOD"]].destination:
            return None
        if "HTTP_DESTINATION" not in environ:
            raise DAVError(400)
        return targets.parse_destination(environ["HTTP_DESTINATION"], self._origins.hosts)

    def _take_body(self, environ: Environ) -> None:
        method, length, most = environ["REQUEST_METHOD"], length_of(environ), self._limits.body
        if method in verbs.WITH_BODY:
            if length is not None and most is not None and length > most:
                raise DAVError(413)
            environ[BODY] = body_of(environ, length, most, environ[ALIVE])
        elif length is None:
            raise DAVError(411)
        elif length > (_LONGEST_XML if method in verbs.WITH_XML else 0):
            raise DAVError(413 if method in verbs.WITH_XML else 415)

    def _dress(self, environ: Environ) -> None:
        """As WsgiDAV's own application would."""
        environ["PATH_INFO"], environ["SCRIPT_NAME"] = environ[TARGET].text, ""
        environ["wsgidav.provider"] = self._provider
        environ["wsgidav.config"] = {}
        environ["wsgidav.verbose"] = 0
        environ["wsgidav.auth.user_name"] = environ[CALLER].principal

    def _log(self, error: Exception, environ: Environ) -> int:
        """The status of an error; with its traceback where nobody has thought of it."""
        status = error.status if isinstance(error, RefusedError) else status_of(error)
        method, peer = environ["REQUEST_METHOD"], environ.get("REMOTE_ADDR", "")
        if status >= 500 and not isinstance(error, DAVError | OSError):
            _logger.error("%a failed", method, exc_info=error)
        elif status in (401, 429) and "key is asked for" not in str(error):
            # A text: a record that holds the error holds its frames too, for as long as it is kept.
            _logger.warning("refused %a from %a: %s", method, peer, str(error))
        else:
            _logger.debug("%a: %d", method, status)
        return status


def _target(environ: Environ) -> Target:
    """Of the request line itself: what a server has decoded cannot be told apart any more."""
    uri = environ["REQUEST_URI"]
    if uri == "*" and environ["REQUEST_METHOD"] == "OPTIONS":
        return targets.parse("/")
    return targets.parse(uri)


def _failure(
    error: Exception, status: int, environ: Environ, headers: Headers, start: Start
) -> Iterator[bytes]:
    kind, body = _page(error, status)
    if status == 401:
        challenge = 'Bearer realm="safefs"' if browsers.looks_like_browser(environ) else _CHALLENGE
        headers = [*headers, ("WWW-Authenticate", challenge)]
    if status == 416:
        headers = [*headers, ("Content-Range", str(error))]
    if status in (204, 304):
        body = b""
    length = [] if status == 304 else [("Content-Length", str(len(body)))]
    start(line_of(status), [("Content-Type", kind), *length, *headers])
    yield b"" if environ["REQUEST_METHOD"] == "HEAD" else body


def _page(error: Exception, status: int) -> tuple[str, bytes]:
    """In XML where WebDAV has a word for it; never what an error says, which may name a path."""
    condition = getattr(error, "err_condition", None)
    if isinstance(error, DAVError) and condition is not None:
        text: Any = condition.as_string()
        return "application/xml; charset=utf-8", text if isinstance(text, bytes) else text.encode()
    return "text/plain; charset=utf-8", f"{line_of(status)}\n".encode()
