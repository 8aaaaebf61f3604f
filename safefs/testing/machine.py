"""A random life of a root, step by step against the model: ``RootMachine``.

    class TestMyRoot(RootMachine.TestCase):
        settings = hypothesis.settings(max_examples=200, stateful_step_count=50)

To test a subclass of Root, say how one is opened::

    class MyMachine(RootMachine):
        def make_root(self, directory):
            return MyRoot(directory)

    TestMyRoot = MyMachine.TestCase

What is compared after each step, and with what, says ``safefs.testing.lives``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from safefs.root import Root
from safefs.testing.lives import (
    CONTENTS,
    MODES,
    SPELLED,
    Life,
    anywhere,
    directories,
    existing,
    places,
    taken_or_free,
    targets,
)
from safefs.testing.operations import OPERATIONS

if TYPE_CHECKING:
    from pathlib import Path

_MOST = 60  # nodes; copy_tree, which can double them, waits while there are more
_LOOKS = sorted(
    {name for name, operation in OPERATIONS.items() if not operation.changes} | {"utime"}
)


class RootMachine(Life):
    """The random life of a Root; the module says how it is used."""

    def make_root(self, directory: Path) -> Root:
        """The subject: override it to test a Root of one's own."""
        return Root(directory)

    def open_subject(self, directory: Path) -> Root:
        return self.make_root(directory)

    def beneath(self, subject: Root, path: str) -> Root:
        return subject.subroot(path)

    @rule(how=st.sampled_from(_LOOKS), path=anywhere)
    def look(self, how: str, path: str) -> None:
        self.step(OPERATIONS[how], path)

    @rule()
    def look_at_everything(self) -> None:
        """Every path that there is, by the operations that tell most."""
        for path in self.known:
            for how in ("read", "lstat", "readlink", "exists"):
                self.step(OPERATIONS[how], path)

    @rule(path=taken_or_free, data=CONTENTS)
    def write(self, path: str, data: bytes) -> None:
        self.step(OPERATIONS["write"], path, data)

    @rule(how=st.sampled_from(("append", "update")), path=taken_or_free, data=CONTENTS)
    def write_more(self, how: str, path: str, data: bytes) -> None:
        self.step(OPERATIONS[how], path, data[:300])

    @rule(path=places, data=CONTENTS)
    def create(self, path: str, data: bytes) -> None:
        self.step(OPERATIONS["create"], path, data)

    @rule(how=st.sampled_from(("replace_file", "write atomically")), path=places, data=CONTENTS)
    def replace(self, how: str, path: str, data: bytes) -> None:
        self.step(OPERATIONS[how], path, data)

    @rule(path=existing, length=st.sampled_from((0, 1, 5, 4096)))
    def truncate(self, path: str, length: int) -> None:
        self.step(OPERATIONS["truncate"], path, length)

    @rule(path=existing, mode=MODES)
    def chmod(self, path: str, mode: int) -> None:
        # Only root may still enter what says that nobody may; the model knows no permissions.
        self.step(OPERATIONS["chmod"], path, mode if os.geteuid() == 0 else mode | 0o700)

    @rule(path=places)
    def mkdir(self, path: str) -> None:
        self.step(OPERATIONS["mkdir"], path)

    @rule(how=st.sampled_from(("makedirs", "makedirs, exist_ok")), path=existing, more=SPELLED)
    def makedirs(self, how: str, path: str, more: list[str]) -> None:
        self.step(OPERATIONS[how], "/".join([path, *more]) if path else "/".join(more))

    @rule(path=existing)
    def unlink(self, path: str) -> None:
        self.step(OPERATIONS["unlink"], path)

    @rule(how=st.sampled_from(("remove_tree", "rmdir")), path=directories)
    def remove_directory(self, how: str, path: str) -> None:
        self.step(OPERATIONS[how], path)

    @rule(path=places, text=targets)
    def symlink(self, path: str, text: str) -> None:
        self.step(OPERATIONS["symlink"], path, text)

    @rule(src=existing, dst=places)
    def link(self, src: str, dst: str) -> None:
        self.step(OPERATIONS["link"], src, dst)

    @rule(
        how=st.sampled_from(("rename", "rename, replacing nothing")),
        src=existing,
        dst=taken_or_free,
    )
    def rename(self, how: str, src: str, dst: str) -> None:
        self.step(OPERATIONS[how], src, dst)

    @rule(
        how=st.sampled_from(("copy", "copy, replacing nothing")),
        src=existing,
        dst=taken_or_free,
    )
    def copy(self, how: str, src: str, dst: str) -> None:
        self.step(OPERATIONS[how], src, dst)

    @rule(src=directories, dst=places)
    def move_tree(self, src: str, dst: str) -> None:
        self.step(OPERATIONS["move_tree"], src, dst)

    @precondition(lambda self: len(self.known) <= _MOST)
    @rule(src=directories, dst=places)
    def copy_tree(self, src: str, dst: str) -> None:
        self.step(OPERATIONS["copy_tree"], src, dst)

    @rule(
        top=directories,
        how=st.sampled_from(sorted(OPERATIONS)),
        src=anywhere,
        dst=places,
    )
    def beneath_a_subroot(self, top: str, how: str, src: str, dst: str) -> None:
        """A directory held as a root of its own."""
        operation = OPERATIONS[how]
        if operation.name != "copy_tree" or len(self.known) <= _MOST:
            self.step_beneath(top, operation, *(src, dst)[: operation.paths])

    @rule()
    def close_and_open_again(self) -> None:
        """A closed Root says so, and another finds everything as it was."""
        self.reopen(lambda root: root.listdir())
