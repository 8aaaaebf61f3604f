"""What a request names: the path of a URL as the names of a disk. Pure.

This is gate 0, in front of the disk's own: the text of the request line is taken apart at its
slashes first, and each part decoded once. So ``%2f`` and ``%00`` are in no name, ``%252e`` is one
with a percent sign in it, and a dot that was encoded is as little a step as one that was not.
"""

from __future__ import annotations

import os
from typing import NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

from safefs.operations.replace import is_temporary

_LONGEST = 8192  # characters of the path of a URL
_HEX = frozenset("0123456789abcdefABCDEF")
_SAFE = "!*'(),$-_|.~"  # what some clients do not find again when it comes back encoded


class BadTargetError(ValueError):
    """It names nothing that there can be on a disk: 400."""


class ElsewhereError(ValueError):
    """It is a good URL, of another server: 502."""


class Target(NamedTuple):
    """A disk by its name, and the names from its root. Without a disk it is the list of them.

    ``is_directory``: a slash stood behind it, so that it can be no file.
    """

    disk: str
    names: tuple[str, ...]
    is_directory: bool = False

    @property
    def path(self) -> str:
        """From the root of the disk."""
        return "/".join(self.names)

    @property
    def words(self) -> tuple[str, ...]:
        return (self.disk, *self.names) if self.disk else ()

    @property
    def text(self) -> str:
        """Decoded, and with a slash before each name."""
        return "/" + "/".join(self.words)

    def contains(self, other: Target) -> bool:
        """Whether the other is this one, or lies beneath it."""
        return other.words[: len(self.words)] == self.words


def parse(uri: str) -> Target:
    """The target of a request line.

    ``BadTargetError`` for all but an absolute path that is spelled as RFC 3986 has it, without a
    query, dot segments, empty ones, slashes and NUL within a name.
    """
    if len(uri) > _LONGEST or not uri.isascii() or not uri.isprintable():
        raise BadTargetError("a path is printable ASCII, and not too long")
    if not uri.startswith("/") or set(uri) & set('?#"<>\\^`{|} '):
        raise BadTargetError("a path begins with '/', and has neither query nor fragment")
    segments = uri[1:].split("/")
    is_directory = segments[-1] == ""
    if is_directory:
        segments.pop()
    words = [_decoded(segment) for segment in segments]
    return Target(words[0], tuple(words[1:]), is_directory) if words else Target("", ())


def parse_destination(header: str, hosts: frozenset[str]) -> Target:
    """The target of a ``Destination``: a path, or a URL of this very server.

    ``ElsewhereError`` for another's, whatever it is.
    """
    text = _encoded_again(header)
    if text.startswith("/") and not text.startswith("//"):
        return parse(text)
    scheme, colon, rest = text.partition("://")
    if not colon:
        raise BadTargetError("a Destination is an absolute path or a URL")
    host, slash, path = rest.partition("/")
    if scheme.lower() != "https" or host.lower() not in hosts:
        raise ElsewhereError("the destination lies on another server")
    return parse(slash + path)


def from_text(text: str) -> Target:
    """The target whose ``text`` this is."""
    words = [word for word in text.split("/") if word]
    return Target(words[0], tuple(words[1:])) if words else Target("", ())


def encoded(target: Target, *, directory: bool = False) -> str:
    """The path of a URL for it, in the one spelling that is used here."""
    text = "/".join(quote_from_bytes(os.fsencode(word), safe=_SAFE) for word in target.words)
    return f"/{text}/" if directory and text else f"/{text}"


def _encoded_again(header: str) -> str:
    """Some clients send a Destination as it is: neither escaped nor in ASCII."""
    return quote_from_bytes(header.encode("latin-1", "replace"), safe="%/:[]@&=+;#?" + _SAFE)


def _decoded(segment: str) -> str:
    if not segment:
        raise BadTargetError("a name is empty")
    parts = segment.split("%")
    if any(len(part) < 2 or not set(part[:2]) <= _HEX for part in parts[1:]):
        raise BadTargetError("a percent sign is followed by two hexadecimal digits")
    raw = unquote_to_bytes(segment)
    if raw in (b".", b"..") or b"/" in raw or b"\0" in raw:
        raise BadTargetError("a name is no dot segment, and holds neither '/' nor NUL")
    name = os.fsdecode(raw)
    if is_temporary(name):
        raise BadTargetError("a name of this form is a draft of safefs")
    return name
