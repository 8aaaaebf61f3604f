"""Errors without what they came through: a traceback may show what its frames hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    Made = TypeVar("Made")


def without_frames(make: Callable[[], Made]) -> Made:
    """What ``make`` returns; what it raises comes without its frames and what it was chained to.

    Also what is no error of ``make``: what is raised by a handler of signals comes at any line.
    """
    try:
        return make()
    except BaseException as error:  # noqa: BLE001  (it is raised below)
        failure = error
    failure.__traceback__ = failure.__context__ = failure.__cause__ = None
    try:
        raise failure
    finally:
        del failure  # or it is a cycle, and keeps alive what its frames hold
