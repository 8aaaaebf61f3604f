"""Where a workload works: a scratch directory, the trees in it, and how large all is to be."""

from __future__ import annotations

import os
import random
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from types import TracebackType

Held = TypeVar("Held")
KIB = b"x" * 1024
IN_A_DIRECTORY = 100


@dataclass(frozen=True)
class Scale:
    """How much is measured. A workload takes ``budget`` seconds, if ``rounds`` allow it."""

    name: str
    tree: int  # files
    many: int  # files in one directory, in a list, or copied
    large: int  # bytes of a large file
    sizes: tuple[int, ...]  # of trees that grow
    depths: tuple[int, ...]
    rounds: tuple[int, int]  # at least and at most
    slice: float  # seconds of one subject in one round
    budget: float
    parallel: int  # calls of each thread or process

    @property
    def full(self) -> bool:
        return self.name == "full"


FULL = Scale(
    "full", 100_000, 10_000, 1 << 30, (1_000, 10_000, 100_000), (1, 4, 16, 64),
    (9, 41), 0.02, 12.0, 2_000,
)  # fmt: skip
QUICK = Scale(
    "quick", 5_000, 2_000, 1 << 26, (500, 5_000), (1, 16), (6, 25), 0.003, 1.2, 500,
)  # fmt: skip
TINY = Scale("tiny", 40, 20, 1 << 16, (10, 40), (1, 4), (1, 1), 0.0, 0.0, 3)


@dataclass
class Ground:
    """A directory; ``held`` closes with it, and ``skipped`` tells which subjects are not there."""

    top: str
    scale: Scale
    skipped: dict[str, str] = field(default_factory=dict)
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    _stack: ExitStack = field(default_factory=ExitStack)

    def held(self, thing: AbstractContextManager[Held]) -> Held:
        return self._stack.enter_context(thing)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def file(self, depth: int) -> str:
        """The path of a file of 1 KiB below so many names."""
        path = "/".join(["d"] * (depth - 1) + ["f"])
        write(f"{self.top}/{path}", KIB)
        return path

    def flat(self, files: int) -> str:
        """A directory with so many files of 1 KiB."""
        name = f"flat-{files}"
        if not os.path.exists(f"{self.top}/{name}"):
            for number in range(files):
                write(f"{self.top}/{name}/{number:05}", KIB)
        return name

    def tree(self, files: int, depth: int = 2, content: bytes = b"") -> str:
        """A tree of so many files, 100 in a directory, the deepest so many directories down."""
        name = f"tree-{files}-{depth}-{len(content)}"
        if not os.path.exists(f"{self.top}/{name}"):
            os.mkdir(f"{self.top}/{name}")
            for number, directory in enumerate(directories(files, depth)):
                at = f"{self.top}/{name}/{directory}"
                os.makedirs(at)
                for each in range(share(files, depth, number)):
                    end = "x" if each % 10 == 0 else "csv"
                    write_new(f"{at}/part-{each:02}.{end}", content)
        return name


def per_directory(files: int, depth: int) -> int:
    return max(1, min(IN_A_DIRECTORY, files // depth))


def share(files: int, depth: int, number: int) -> int:
    """How many files the directory of this number holds."""
    each = per_directory(files, depth)
    return min(each, files - number * each)


def directories(files: int, depth: int) -> Iterator[str]:
    """Chains of directories within directories, each ``depth`` long, all with files in them."""
    for number in range(-(-files // per_directory(files, depth))):
        chain, below = divmod(number, depth)
        yield "/".join([f"c{chain:04}", *[f"d{level}" for level in range(1, below + 1)]])


def write(full: str, content: bytes) -> None:
    os.makedirs(os.path.dirname(full), exist_ok=True)
    write_new(full, content)


def write_new(full: str, content: bytes) -> None:
    with open(full, "wb", buffering=0) as file:
        if content:
            file.write(content)
