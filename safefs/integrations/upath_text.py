"""How the text of a ``UPath`` on ``safefs://`` is taken apart and joined: pure.

``documents/a/b`` is a disk and a path on it. The first segment of a path names the disk, and no
other can: what is joined behind it is a path on that disk, or is refused.
"""

# ruff: noqa: SLF001  (a path looks into others of its own class)

from __future__ import annotations

import os
from pathlib import PurePosixPath
from posixpath import splitext
from typing import TYPE_CHECKING, Any, cast

from upath import UnsupportedOperation, UPath

from safefs.audit import refused
from safefs.diskpath import DiskPath
from safefs.errors import EscapeError, InvalidPathError
from safefs.integrations.fsspec import SafeFileSystem
from safefs.paths import RelPath

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from upath.types import UPathParser

PROTOCOL = "safefs"
SCHEME = f"{PROTOCOL}://"


class Parser:
    """How universal_pathlib takes a path apart: a disk is its drive, and never above itself."""

    sep = "/"
    altsep = None

    def strip_protocol(self, path: Any) -> str:
        return text_of(path).removeprefix(SCHEME).rstrip("/")

    def splitdrive(self, path: Any) -> tuple[str, str]:
        disk, slash, rest = self.strip_protocol(path).partition("/")
        return disk, slash + rest

    def splitroot(self, path: Any) -> tuple[str, str, str]:
        disk, rest = self.splitdrive(path)
        return disk, "", rest.removeprefix("/")

    def split(self, path: Any) -> tuple[str, str]:
        head, slash, tail = self.strip_protocol(path).rpartition("/")
        return (head, tail) if slash else (tail, "")

    def splitext(self, path: Any) -> tuple[str, str]:
        return splitext(text_of(path))

    def join(self, path: Any, *paths: Any) -> str:
        return joined([path, *paths])

    def normcase(self, path: Any) -> str:
        return text_of(path)

    def isabs(self, path: Any) -> bool:
        return bool(self.strip_protocol(path))


class PureSafePath(UPath):
    """The text of such a path, and what is made of it without looking at any disk."""

    __slots__ = ()

    parser = cast("UPathParser", Parser())

    def __init__(self, *args: Any, protocol: str | None = None, **options: Any) -> None:
        options.pop("chain_parser", None)
        if protocol not in (None, PROTOCOL):
            raise ValueError(f"{protocol!r} is not the protocol of {type(self).__name__}")
        if options:
            SafeFileSystem(**options)
        # Not the text itself: what stands behind "::" would be read as another file system.
        super().__init__(SCHEME, protocol=PROTOCOL)
        self._chain = self._chain.replace(path=joined(args))
        self._raw_urlpaths = args

    def _beneath(self, path: DiskPath | str) -> Self:
        """A path on the same disk, from the disk's root."""
        return self._at(f"{self.drive}/{path}")

    def _at(self, text: str) -> Self:
        return type(self)(text, protocol=PROTOCOL)

    # The text

    @property
    def _pure(self) -> PurePosixPath:
        """The path on its disk, or what is left of it once it is relative."""
        text = self.__vfspath__()
        return PurePosixPath(text if self._relative_base is not None else split(text)[1])

    @property
    def drive(self) -> str:
        """The disk; empty for a relative path, and for the top, where the disks are listed."""
        return "" if self._relative_base is not None else split(self.path)[0]

    @property
    def root(self) -> str:
        """Empty: the disk alone is the anchor."""
        return ""

    @property
    def parts(self) -> tuple[str, ...]:
        anchor = (self.anchor,) if self.anchor else ()
        return (*anchor, *self._pure.parts)

    @property
    def name(self) -> str:
        return self._pure.name

    @property
    def parent(self) -> Self:
        if self._relative_base is not None:
            return super().parent
        return self._beneath(str(self._pure.parent)) if self.drive else self

    @property
    def parents(self) -> tuple[Self, ...]:
        if self._relative_base is not None:
            return tuple(super().parents)
        return tuple(self._beneath(str(each)) for each in self._pure.parents)

    def is_absolute(self) -> bool:
        return self._relative_base is None

    def with_name(self, name: str) -> Self:
        """The path with another last component, which is exactly one: no ``..`` and no slash."""
        plain = RelPath.one_name(name).text
        if not self.name:
            raise ValueError(f"{self!r} has an empty name")
        return self.with_segments(self.__vfspath__().removesuffix(self.name) + plain)

    def __rtruediv__(self, key: Any) -> Self:
        if self._relative_base is None:
            return NotImplemented
        return super().__rtruediv__(key)

    def match(self, path_pattern: Any, *, case_sensitive: bool | None = None) -> bool:
        """As ``PurePath.match``: the text alone, from the right."""
        only_as_it_is(case_sensitive)
        return PurePosixPath(self.__vfspath__()).match(text_of(path_pattern))

    def joinuri(self, uri: Any) -> Self:
        """What a link on a page at this path would mean: on this disk, or refused.

        ``/x`` is a path from the disk's root; ``..`` goes no further up than that, as in a browser.
        Nothing is decoded, and ``?`` and ``#`` are characters. ``EscapeError`` for the URL of
        another disk, ``InvalidPathError`` for another protocol's.
        """
        if isinstance(uri, UPath):
            uri = str(uri) if isinstance(uri, PureSafePath) else uri.as_uri()
        text = text_of(uri)
        if not text:
            return self
        if text.startswith("//"):
            raise refused(EscapeError(text, None, EscapeError.OUTSIDE))
        if text.startswith(SCHEME) or not text.startswith("/"):
            target = self._named(text, PurePosixPath(*self._pure.parts[:-1]))
        else:
            target = self._named(text.lstrip("/"), PurePosixPath())
        return self._beneath("/".join(without_dots(target._pure.parts)))

    def _named(self, text: str, base: PurePosixPath) -> Self:
        """What text means on this disk, seen from ``base``."""
        if not self.drive:
            raise refused(EscapeError(text, None, EscapeError.OUTSIDE))
        if not text.startswith(SCHEME):
            return self._beneath(str(base)) / text
        named = self._at(text)
        if named.drive != self.drive:
            raise refused(EscapeError(text, None, EscapeError.OUTSIDE))
        return named


def text_of(path: Any) -> str:
    """Untrusted text, exactly ``str``."""
    if isinstance(path, DiskPath):
        raise TypeError("a DiskPath is no path of safefs://; give its url")
    text = path.__vfspath__() if isinstance(path, UPath) else os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"a path of safefs:// is str or os.PathLike, not {type(path).__name__}")
    return str.__str__(text)


def split(path: str) -> tuple[str, str]:
    """(the disk, the path on it)."""
    disk, _, rest = path.partition("/")
    return disk, rest


def joined(segments: Iterable[Any]) -> str:
    """``disk/path`` of what a path is made from: the first names the disk, the others do not."""
    given = list(segments)
    texts = [_start(given[0], alone=len(given) == 1)] if given else [""]
    texts += [_segment(each) for each in given[1:]]
    disk, rest = split("/".join(text for text in texts if text))
    if disk in (".", ".."):
        raise refused(EscapeError(disk, disk, EscapeError.ABOVE_ROOT))
    if ":" in disk:
        raise refused(InvalidPathError(disk, "this is no path of safefs://"))
    RelPath.parse(disk)
    parts = PurePosixPath(RelPath.parse(rest).text).parts
    return "/".join((disk, *parts))


def _start(first: Any, *, alone: bool) -> str:
    if isinstance(first, UPath):
        if first.protocol != PROTOCOL:
            raise ValueError(f"{first!r} is of another protocol")
        if not first.is_absolute() and not alone:
            raise ValueError(f"{first!r} is relative, and so on no disk")
    text = text_of(first)
    bare = text.removeprefix(SCHEME)
    if not bare.strip("/"):
        return ""
    if not text.startswith(SCHEME) and _has_scheme(text, "/:"):
        raise refused(InvalidPathError(text, "this is no path of safefs://"))
    if bare.startswith("/"):
        raise refused(EscapeError(text, None, EscapeError.ABSOLUTE_PATH))
    disk, rest = split(bare)
    return bare if rest or bare == disk else disk


def _segment(other: Any) -> str:
    if isinstance(other, UPath) and other.is_absolute():
        text = str(other)
        raise refused(EscapeError(text, None, EscapeError.ABSOLUTE_PATH))
    text = RelPath.parse(text_of(other)).text
    if _has_scheme(text, "/"):
        raise refused(InvalidPathError(text, "a URL cannot be joined to a path"))
    return text.rstrip("/")


def _has_scheme(text: str, behind: str) -> bool:
    """Whether this is a URL, or something that universal_pathlib would take for one."""
    scheme, _, rest = text.partition(":")
    return rest[:1] in tuple(behind) and scheme.isascii() and scheme.isalnum()


def without_dots(parts: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    for part in parts:
        if part != "..":
            found.append(part)
        elif found:
            found.pop()
    return found


def only_as_it_is(case_sensitive: bool | None, recurse_symlinks: bool = False) -> None:  # noqa: FBT001, FBT002
    """Refuse the two options of ``pathlib`` that would change what a name means here."""
    if case_sensitive is False:
        raise UnsupportedOperation("names are compared as they are")
    if recurse_symlinks:
        raise UnsupportedOperation("no link is entered")
