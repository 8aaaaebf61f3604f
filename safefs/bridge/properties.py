"""What clients keep of a file beside it: the dead properties of WebDAV, until the bridge stops.

WebDAV asks that they be kept; nothing on a disk would hold them. So they are in memory, by the URL,
and there is room for few: what is more is 507, and costs nobody anything.
"""

from __future__ import annotations

import threading

from wsgidav.dav_error import DAVError

_MOST = 10_000  # properties, of all that is served
_LONGEST = 64 * 1024  # bytes of one, with its name
_ROOM = 16 * 1024 * 1024  # bytes of all


class Properties:
    """By the URL of a resource, and by name; the words are those that WsgiDAV asks by."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, dict[str, bytes]] = {}

    def get_properties(self, url: str, _: object = None) -> list[str]:
        with self._lock:
            return list(self._kept.get(_plain(url), ()))

    def get_property(self, url: str, name: str, _: object = None) -> bytes | None:
        with self._lock:
            return self._kept.get(_plain(url), {}).get(name)

    def write_property(
        self,
        url: str,
        name: str,
        value: bytes,
        dry_run: bool = False,  # noqa: FBT001, FBT002  (WsgiDAV's words)
        _: object = None,
    ) -> None:
        with self._lock:
            self._make_room(name, value)
            if not dry_run:
                self._kept.setdefault(_plain(url), {})[name] = value

    def _make_room(self, name: str, value: bytes) -> None:
        sizes = [_size(*item) for each in self._kept.values() for item in each.items()]
        new = _size(name, value)
        if new > _LONGEST or len(sizes) >= _MOST or sum(sizes) + new > _ROOM:
            raise DAVError(507, "there is no room for more properties")

    def remove_property(
        self,
        url: str,
        name: str,
        dry_run: bool = False,  # noqa: FBT001, FBT002  (WsgiDAV's words)
        _: object = None,
    ) -> None:
        with self._lock:
            if not dry_run:
                self._kept.get(_plain(url), {}).pop(name, None)

    def remove_properties(self, url: str, _: object = None) -> None:
        """Of this and all beneath it."""
        with self._lock:
            self._drop(_plain(url))

    def copy_properties(self, source: str, target: str) -> None:
        """To where what was there is gone, of this and all beneath it."""
        with self._lock:
            self._take(_plain(source), _plain(target))

    def move_properties(self, source: str, target: str) -> None:
        with self._lock:
            self._take(_plain(source), _plain(target))
            self._drop(_plain(source))

    def _take(self, source: str, target: str) -> None:
        self._drop(target)
        taken = {
            target + url[len(source) :]: dict(kept)
            for url, kept in self._kept.items()
            if _is_within(url, source)
        }
        if sum(map(len, taken.values())) + sum(map(len, self._kept.values())) <= _MOST:
            self._kept |= taken

    def _drop(self, above: str) -> None:
        for url in [url for url in self._kept if _is_within(url, above)]:
            del self._kept[url]


def _plain(url: str) -> str:
    """A directory has the same properties with a slash behind it and without."""
    return url.rstrip("/")


def _is_within(url: str, above: str) -> bool:
    return url == above or url.startswith(above + "/")


def _size(name: str, value: bytes) -> int:
    return len(name) + len(value)
