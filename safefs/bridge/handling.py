"""What is done for a request: our own GET, PUT, DELETE, MKCOL, COPY and MOVE, by the words of Disk.

WsgiDAV does the rest: PROPFIND, PROPPATCH, LOCK and UNLOCK, what is locked, and the header ``If``.
Its own PUT makes an empty file and then fills it, and its COPY goes file by file; ``Disk`` has
better words for both.
"""

from __future__ import annotations

from email.utils import formatdate
from errno import ECONNABORTED
from typing import TYPE_CHECKING, Any, BinaryIO

from wsgidav.dav_error import DAVError
from wsgidav.request_server import RequestServer
from wsgidav.util import parse_if_match_header, parse_time_string

from safefs.bridge import targets
from safefs.bridge.failures import line_of
from safefs.bridge.ranges import Span, span_of
from safefs.bridge.resources import (
    CALLER,
    File,
    Folder,
    Resource,
    Shelf,
    resource_at,
    type_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from safefs.bridge.callers import Caller, Spot
    from safefs.bridge.resources import Environ, Provider
    from safefs.bridge.targets import Target

    Start = Callable[..., object]

TARGET, DESTINATION, BODY = "safefs.target", "safefs.destination", "safefs.body"
_BLOCK = 256 * 1024  # bytes that are read and sent at a time
_ALLOWED = "OPTIONS, GET, HEAD, PUT, DELETE, PROPFIND, PROPPATCH, MKCOL, COPY, MOVE, LOCK, UNLOCK"


class Handling(RequestServer):  # type: ignore[misc]  # WsgiDAV has no types
    """One of each bridge; it keeps nothing of a request."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self._verbose = 0
        # What is put together in memory has an end: all of a disk in one answer has none.
        self.allow_propfind_infinite = False

    # Looking

    def do_OPTIONS(self, _: Environ, start: Start) -> Iterable[bytes]:  # noqa: N802
        headers = [("DAV", "1, 2"), ("MS-Author-Via", "DAV"), ("Allow", _ALLOWED)]
        start(line_of(200), [*headers, ("Content-Length", "0"), ("Accept-Ranges", "bytes")])
        return [b""]

    def do_GET(self, environ: Environ, start: Start) -> Iterable[bytes]:  # noqa: N802
        """The file as it was when it was opened, with the etag of that very file."""
        spot = _spot(environ, environ[TARGET], 404)
        with _opened(spot, environ[TARGET]) as file:
            found = spot.disk._driver.stat_open(file)  # noqa: SLF001  (of what is open, not a name)
            resource = File(environ[TARGET], spot, found, environ)
            self._evaluate_if_headers(resource, environ)
            span = _span(resource, environ)
            headers = [*_headers(resource), ("Content-Length", str(_length(span, found.size)))]
            if span is None:
                start(line_of(200), headers)
            else:
                last = span.start + span.length - 1
                content_range = f"bytes {span.start}-{last}/{found.size}"
                start(line_of(206), [*headers, ("Content-Range", content_range)])
            if environ["REQUEST_METHOD"] == "HEAD":
                yield b""
            else:
                yield from _blocks(file, span or Span(0, found.size))

    do_HEAD = do_GET  # noqa: N815  (as the methods of WsgiDAV are called)

    # Changing

    def do_PUT(self, environ: Environ, start: Start) -> Iterable[bytes]:  # noqa: N802
        """All of it or nothing: the body goes to a draft, which takes the name when it is whole."""
        _refuse_partial(environ)
        target: Target = environ[TARGET]
        present = resource_at(target, environ)
        if isinstance(present, Folder | Shelf) or target.is_directory:
            raise DAVError(405)
        spot = _spot(environ, target)
        parent = self._parent(target, environ)
        self._check_conditions(present, environ)
        if present is None:
            self._check_write_permission(parent, "0", environ)
        locked = present or File(target, spot, parent.found, environ)  # by its URL alone
        with self._write_transaction(locked, environ):
            spot.disk.put(spot.path, environ[BODY], **_conditions(environ, present))
        made = resource_at(target, environ)
        etag = [] if made is None or made.get_etag() is None else [("ETag", f'"{made.get_etag()}"')]
        return _empty(start, 201 if present is None else 204, etag)

    def do_MKCOL(self, environ: Environ, start: Start) -> Iterable[bytes]:  # noqa: N802
        target: Target = environ[TARGET]
        if resource_at(target, environ) is not None:
            raise DAVError(405)
        parent = self._parent(target, environ)
        self._check_write_permission(parent, "0", environ)
        _make_directory(_spot(environ, target))
        return _empty(start, 201)

    def do_DELETE(self, environ: Environ, start: Start) -> Iterable[bytes]:  # noqa: N802
        target: Target = environ[TARGET]
        resource = self._changeable(target, environ)
        if resource.is_collection and environ.get("HTTP_DEPTH", "infinity") != "infinity":
            raise DAVError(400)
        self._check_conditions(resource, environ)
        self._check_write_permission(resource, "infinity", environ)
        self._check_write_permission(self._parent(target, environ), "0", environ)
        _remove(resource.spot)
        self._forget(resource)
        return _empty(start, 204)

    def do_COPY(self, environ: Environ, start: Start) -> Iterable[bytes]:  # noqa: N802
        return self._transfer(environ, start, is_move=False)

    def do_MOVE(self, environ: Environ, start: Start) -> Iterable[bytes]:  # noqa: N802
        return self._transfer(environ, start, is_move=True)

    def do_LOCK(self, environ: Environ, start: Start) -> Iterable[bytes]:  # noqa: N802
        target: Target = environ[TARGET]
        if resource_at(target, environ) is None:  # it will be made
            self._check_write_permission(self._parent(target, environ), "0", environ)
        answer: Iterable[bytes] = super().do_LOCK(environ, start)
        return answer

    # Between two places

    def _transfer(self, environ: Environ, start: Start, *, is_move: bool) -> Iterable[bytes]:
        source = self._changeable(environ[TARGET], environ)
        target: Target = environ[DESTINATION]
        if environ.get("HTTP_DEPTH", "infinity") not in ("0", "infinity"):
            raise DAVError(400)
        self._refuse_overlap(source.target, target)
        present = resource_at(target, environ)
        parent = self._parent(target, environ)
        self._check_conditions(source, environ)
        if is_move:
            self._check_write_permission(source, "infinity", environ)
            self._check_write_permission(self._parent(source.target, environ), "0", environ)
        self._check_write_permission(present or parent, "infinity" if present else "0", environ)
        if present is not None and environ.get("HTTP_OVERWRITE", "T") != "T":
            raise DAVError(412)
        self._act(source, _spot(environ, target), present, environ, is_move=is_move)
        self._follow(source, target, is_move=is_move)
        return _empty(start, 201 if present is None else 204)

    def _act(
        self,
        source: File | Folder,
        there: Spot,
        present: Resource | None,
        environ: Environ,
        *,
        is_move: bool,
    ) -> None:
        overwrite = environ.get("HTTP_OVERWRITE", "T") == "T"
        # A file takes a file's place in one step. For a tree there is no such step.
        if present is not None and (present.is_collection or source.is_collection):
            _remove(there)
        if isinstance(source, Folder):
            _transfer_tree(source, there, environ.get("HTTP_DEPTH", "infinity"), is_move=is_move)
            return
        here = source.spot
        act = here.disk.move if is_move else here.disk.copy
        act(here.disk / here.path, there.disk / there.path, overwrite=overwrite)

    def _refuse_overlap(self, source: Target, target: Target) -> None:
        """Onto itself, into itself, and onto what it lies in, which would be removed for it."""
        if not target.names or source.contains(target) or target.contains(source):
            raise DAVError(403)

    def _follow(self, source: File | Folder, target: Target, *, is_move: bool) -> None:
        """Properties go with what they are of, locks stay behind."""
        here, there = source.get_ref_url(), targets.encoded(target)
        properties = self._davProvider.prop_manager
        if is_move:
            properties.move_properties(here, there)
            source.remove_all_locks(recursive=True)
        else:
            properties.copy_properties(here, there)

    # What several of these ask

    def _changeable(self, target: Target, environ: Environ) -> File | Folder:
        """What stands there; 404 for nothing, and 403 for a disk itself and the list of them."""
        found = resource_at(target, environ)
        if found is None:
            raise DAVError(404)
        if isinstance(found, Shelf) or not found.target.names:
            raise DAVError(403)
        return found

    def _parent(self, target: Target, environ: Environ) -> Folder:
        """409 where there is no directory for it."""
        if not target.names:
            raise DAVError(403)  # beside the disks nothing is made
        found = resource_at(target._replace(names=target.names[:-1]), environ)
        if not isinstance(found, Folder):
            raise DAVError(409)
        return found

    def _check_conditions(self, present: Resource | None, environ: Environ) -> None:
        """Those of the headers ``If-...`` and ``If``; 412."""
        if present is None and "HTTP_IF_MATCH" in environ:
            raise DAVError(412)
        self._evaluate_if_headers(present, environ)

    def _evaluate_if_headers(self, res: Resource | None, environ: Environ) -> None:
        """As WsgiDAV does; but a directory has no tag, and so none that is asked for."""
        if isinstance(res, Folder) and environ.get("HTTP_IF_MATCH", "*").strip() != "*":
            raise DAVError(412)
        super()._evaluate_if_headers(res, environ)

    def _forget(self, resource: File | Folder) -> None:
        resource.remove_all_properties(recursive=True)
        resource.remove_all_locks(recursive=True)


def _spot(environ: Environ, target: Target, otherwise: int = 409) -> Spot:
    caller: Caller = environ[CALLER]
    spot = caller.spot(target)
    if spot is None:
        raise DAVError(403 if not target.disk else otherwise)
    return spot


def _opened(spot: Spot, target: Target) -> BinaryIO:
    try:
        if target.is_directory and target.names and spot.disk.file_exists(spot.path):
            raise DAVError(404)
        return spot.disk.read_stream(spot.path)
    except IsADirectoryError:
        raise DAVError(403) from None  # there is no page for a directory
    except NotADirectoryError:
        raise DAVError(404) from None


def _headers(resource: File) -> list[tuple[str, str]]:
    etag = resource.get_etag()
    tagged = [] if etag is None else [("ETag", f'"{etag}"')]
    return [
        ("Content-Type", type_of(resource.spot)),
        ("Content-Disposition", "attachment"),
        ("Last-Modified", formatdate(resource.get_last_modified(), usegmt=True)),
        ("Accept-Ranges", "bytes"),
        *tagged,
    ]


def _span(resource: File, environ: Environ) -> Span | None:
    header, condition = environ.get("HTTP_RANGE"), environ.get("HTTP_IF_RANGE")
    if header is None or environ["REQUEST_METHOD"] == "HEAD":
        return None
    if condition is not None and not _is_unchanged(resource, condition):
        return None
    return span_of(header, resource.found.size)


def _is_unchanged(resource: File, condition: str) -> bool:
    if condition.startswith('"'):
        return resource.get_etag() is not None and condition == f'"{resource.get_etag()}"'
    moment = parse_time_string(condition)
    return moment is not None and int(resource.get_last_modified()) == moment


def _length(span: Span | None, size: int) -> int:
    return size if span is None else span.length


def _blocks(file: BinaryIO, span: Span) -> Iterator[bytes]:
    """As many bytes as were announced: a file that is cut meanwhile ends the connection."""
    file.seek(span.start)
    left = span.length
    while left:
        block = file.read(min(left, _BLOCK))
        if not block:
            raise ConnectionAbortedError(ECONNABORTED, "the file became shorter meanwhile")
        left -= len(block)
        yield block
    yield b""


def _refuse_partial(environ: Environ) -> None:
    """A part that were taken for the whole would be the end of the rest (RFC 9110, 14.5)."""
    if "HTTP_CONTENT_RANGE" in environ:
        raise DAVError(400)
    if environ.get("HTTP_CONTENT_ENCODING", "identity") != "identity":
        raise DAVError(415)


def _conditions(environ: Environ, present: Resource | None) -> dict[str, Any]:
    """What ``put`` is to see to in the same step in which it publishes.

    The tags of the header have been compared with what is there; it is to be that version still.
    """
    if parse_if_match_header(environ.get("HTTP_IF_NONE_MATCH", "")) == ["*"]:
        return {"if_none_match": "*"}
    if "HTTP_IF_MATCH" in environ and isinstance(present, File):
        return {"if_match": present.get_etag()}
    return {}


def _make_directory(spot: Spot) -> None:
    """One, whose parent is there; what has come meanwhile is not taken for it."""
    (spot.disk / spot.path).mkdir()


def _remove(spot: Spot) -> None:
    """A link goes, not what it leads to."""
    where = spot.disk / spot.path
    if where.is_symlink() or not where.is_dir():
        spot.disk.delete(spot.path)
    else:
        spot.disk.delete_directory(spot.path)


def _transfer_tree(source: Folder, there: Spot, depth: str, *, is_move: bool) -> None:
    here = source.spot
    if is_move:
        here.disk.move_tree(here.disk / here.path, there.disk / there.path)
    elif depth == "0":
        _make_directory(there)
    else:
        here.disk.copy_tree(here.disk / here.path, there.disk / there.path)


def _empty(start: Start, status: int, headers: Iterable[tuple[str, str]] = ()) -> Iterable[bytes]:
    start(line_of(status), [("Content-Length", "0"), *headers])
    return [b""]
