"""What WsgiDAV asks of a resource, answered by a Disk: never a path that is joined."""

from __future__ import annotations

import mimetypes
import os
from typing import TYPE_CHECKING, Any

from wsgidav.dav_error import DAVError
from wsgidav.dav_provider import DAVCollection, DAVNonCollection, DAVProvider

from safefs.bridge import targets
from safefs.bridge.properties import Properties
from safefs.drivers.base import is_absence
from safefs.errors import InvalidPathError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safefs.bridge.callers import Caller, Spot
    from safefs.bridge.targets import Target
    from safefs.drivers.base import Stat

    Environ = dict[str, Any]

CALLER = "safefs.caller"  # where the environ has it
_types = mimetypes.MimeTypes()  # Python's own table: the same on every machine
_MOST_MEMBERS = 100_000  # of one listing, which is put together in memory


class Provider(DAVProvider):  # type: ignore[misc]  # WsgiDAV has no types
    """All disks under one root, ``/disk/path``. Which of them, the caller decides."""

    def __init__(self, locks: Any) -> None:
        super().__init__()
        self.verbose = 0
        self.share_path = ""
        self.lock_manager = locks
        self.prop_manager = Properties()

    def get_resource_inst(self, path: str, environ: Environ) -> Resource | None:
        return resource_at(targets.from_text(path), environ)

    def ref_url_to_path(self, ref_url: str) -> str:
        return targets.parse(ref_url).text


def resource_at(target: Target, environ: Environ) -> Resource | None:
    """What stands there for the caller of this request; None for nothing, and for what is none.

    A link that leads nowhere or outside is nothing, as in the lists of a disk, and so is what is
    neither file nor directory.
    """
    caller: Caller = environ[CALLER]
    if not target.disk:
        return Shelf(target, environ)
    spot = caller.spot(target)
    found = None if spot is None else _stat(spot)
    if spot is None or found is None:
        return None
    return _resource(target, spot, found, environ)


def _resource(target: Target, spot: Spot, found: Stat, environ: Environ) -> Resource | None:
    if found.kind == "directory":
        return Folder(target, spot, found, environ)
    return File(target, spot, found, environ) if found.kind == "file" else None


def _stat(spot: Spot) -> Stat | None:
    try:
        return spot.disk.stat(spot.path)
    except (OSError, InvalidPathError) as error:
        if is_absence(error):
            return None
        raise


class _Named:
    """How a resource is called, in a URL and for people."""

    target: Target
    is_collection: bool

    def get_href(self) -> str:
        return targets.encoded(self.target, directory=self.is_collection)

    def get_ref_url(self) -> str:
        """The same with and without a slash behind it: by this it is locked."""
        return targets.encoded(self.target)

    def get_preferred_path(self) -> str:
        return self.target.text

    def get_display_name(self) -> str | None:
        """None for what XML cannot hold; the URL of the resource says it in any case."""
        name = self.target.words[-1] if self.target.words else ""
        return name if name.isprintable() and _is_unicode(name) else None


def _is_unicode(name: str) -> bool:
    return os.fsencode(name) == name.encode("utf-8", "replace")


class File(_Named, DAVNonCollection):  # type: ignore[misc]  # WsgiDAV has no types
    """A regular file, as its stat was when it was asked for."""

    def __init__(self, target: Target, spot: Spot, found: Stat, environ: Environ) -> None:
        self.target, self.spot, self.found = target, spot, found
        super().__init__(target.text, environ)

    def get_content_length(self) -> int:
        return self.found.size

    def get_content_type(self) -> str:
        return type_of(self.spot)

    def get_last_modified(self) -> float:
        return self.found.modified.timestamp()

    def get_etag(self) -> str | None:
        return self.found.etag

    def support_etag(self) -> bool:
        return self.found.etag is not None

    def support_ranges(self) -> bool:
        return True

    def get_property_value(self, name: str) -> Any:
        """With the quotes that are part of an etag (RFC 9110, 8.8.3)."""
        value = super().get_property_value(name)
        return f'"{value}"' if name == "{DAV:}getetag" else value

    def get_content(self) -> Any:
        raise DAVError(501)  # it is not what serves GET here

    begin_write = end_write = delete = copy_move_single = get_content


class Folder(_Named, DAVCollection):  # type: ignore[misc]  # WsgiDAV has no types
    """A directory of a disk, or the disk."""

    def __init__(self, target: Target, spot: Spot, found: Stat, environ: Environ) -> None:
        self.target, self.spot, self.found = target, spot, found
        super().__init__(target.text, environ)

    def get_last_modified(self) -> float:
        return self.found.modified.timestamp()

    def get_member_names(self) -> list[str]:
        return [resource.target.words[-1] for resource in self.get_member_list()]

    def get_member_list(self) -> list[Resource]:
        return list(self._members())

    def _members(self) -> Iterator[Resource]:
        disk, above = self.spot
        entries = disk._driver.scan(disk._path(above))  # noqa: SLF001  (one look, not two a name)
        for count, (name, entry) in enumerate(entries):
            if count == _MOST_MEMBERS:
                raise DAVError(507, "the directory has too many entries for one answer")
            target = self.target._replace(names=(*self.target.names, name))
            spot = self.spot._replace(path=f"{above}/{name}" if above else name)
            found = _stat(spot) if entry.kind == "symlink" else entry
            resource = None if found is None else _resource(target, spot, found, self.environ)
            if resource is not None:
                yield resource

    def create_empty_resource(self, name: str) -> Resource:
        """For a lock on what is not there yet."""
        target = self.target._replace(names=(*self.target.names, name))
        caller: Caller = self.environ[CALLER]
        spot = caller.spot(target)
        if spot is None:
            raise DAVError(403)
        spot.disk.put(spot.path, b"", if_none_match="*")
        made = resource_at(target, self.environ)
        if made is None:
            raise DAVError(409)
        return made


class Shelf(_Named, DAVCollection):  # type: ignore[misc]  # WsgiDAV has no types
    """The root of the bridge: the disks that the caller may see. It cannot be changed or locked."""

    def __init__(self, target: Target, environ: Environ) -> None:
        self.target = target
        super().__init__("/", environ)

    def get_member_names(self) -> list[str]:
        caller: Caller = self.environ[CALLER]
        return caller.disks

    def get_member_list(self) -> list[Resource]:
        found = [
            resource_at(self.target._replace(disk=n), self.environ) for n in self.get_member_names()
        ]
        return [resource for resource in found if resource is not None]

    def prevent_locking(self) -> bool:
        return True

    def set_property_value(self, *_: object, **__: object) -> None:
        raise DAVError(403)


Resource = File | Folder | Shelf


def type_of(spot: Spot) -> str:
    """What the name suggests; nothing of the kind where what is in it is compressed."""
    guessed, encoding = _types.guess_type("/" + spot.path.rpartition("/")[2])
    return guessed if guessed is not None and encoding is None else "application/octet-stream"
