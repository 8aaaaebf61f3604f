"""What a request asks for, in the words that a token has. Pure.

A token is good for a method where it has one of the words: the wide one, or that of ``Disk``.
"""

from __future__ import annotations

from typing import NamedTuple


class Need(NamedTuple):
    """What is asked of the target, and of the destination where there is one."""

    target: tuple[frozenset[str], ...]
    destination: tuple[frozenset[str], ...] = ()


READ = frozenset({"read", "get"})
LIST = frozenset({"read", "files"})
PUT = frozenset({"write", "put"})
DELETE = frozenset({"write", "delete"})
_MAKE = frozenset({"write", "make_directory"})

NEEDS = {
    "GET": Need((READ,)),
    "HEAD": Need((READ,)),
    "OPTIONS": Need(()),  # it tells nothing of what there is
    "PROPFIND": Need((LIST,)),
    "PROPPATCH": Need((PUT,)),
    "PUT": Need((PUT,)),
    "MKCOL": Need((_MAKE,)),
    "DELETE": Need((DELETE,)),
    "LOCK": Need((PUT,)),
    "UNLOCK": Need((PUT,)),
    # What stands at the destination may be removed for it, a whole tree too.
    "COPY": Need((READ, LIST), (PUT, DELETE)),
    "MOVE": Need((READ, DELETE), (PUT, DELETE)),
}
WITH_BODY = frozenset({"PUT"})
WITH_XML = frozenset({"PROPFIND", "PROPPATCH", "LOCK"})
