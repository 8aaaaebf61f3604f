"""Many processes that do the same at the same time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from safefs.testing.mounts import fork

if TYPE_CHECKING:
    from collections.abc import Callable


def at_once(count: int, work: Callable[[], str]) -> list[str]:
    """What each of so many processes says, which begin when all are there; or why it said less."""
    gate, opener = os.pipe()
    answers, said = os.pipe()
    children = []
    try:
        for _ in range(count):
            child = fork()
            if child == 0:
                os.close(opener)
                os.read(gate, 1)
                _say(said, work)
            children.append(child)
    finally:
        for fd in (gate, opener, said):
            os.close(fd)
        with open(answers, encoding="utf-8") as pipe:
            lines = pipe.read().splitlines()
        for child in children:
            os.waitpid(child, 0)
    return lines


def _say(pipe: int, work: Callable[[], str]) -> None:
    try:
        line = work()
    except BaseException as error:
        line = f"{type(error).__name__}: {error}"
    os.write(pipe, f"{line}\n".encode())
    os._exit(0)
