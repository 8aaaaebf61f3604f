"""Descriptors that know where they lie: the true path by which the kernel was come to them."""

from __future__ import annotations

import os


class Reached(int):
    """A descriptor, and the path from the root that is left when links have been followed.

    ``place`` is ``b""`` for the root itself. What has been moved since has another path by now; the
    one that it was reached by is what it was judged by. Only where rules on paths have to be asked.
    """

    place: bytes

    @classmethod
    def at(cls, fd: int, place: bytes) -> Reached:
        reached = cls(fd)
        reached.place = place
        return reached


def place_beneath(place: bytes, name: str | bytes) -> bytes:
    """The path of an entry of a directory."""
    raw = os.fsencode(name)
    return place + b"/" + raw if place else raw


def entered(fd: int, above: int, name: str | bytes) -> int:
    """A descriptor of an entry of the directory ``above``, with its place if that has one."""
    if isinstance(above, Reached):
        return Reached.at(fd, place_beneath(above.place, name))
    return fd


def place_of_fd(fd: int) -> bytes:
    """Where a directory lies. One of which that is not known is a mistake of ours, and an end."""
    if not isinstance(fd, Reached):
        raise TypeError("a descriptor whose place is not known was asked for its names")
    return fd.place
