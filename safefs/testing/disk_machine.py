"""A random life of a Disk, step by step against the model: ``DiskMachine``.

As ``RootMachine``, in the words of Disk. What a Disk has no word for is planted beside it by plain
``os``: links into the tree, out of it, to nothing and to themselves, and second names of files.

    class TestMyDisk(DiskMachine.TestCase):
        settings = hypothesis.settings(max_examples=200, stateful_step_count=50)

For a subclass of Disk, override ``make_disk``; for one on which other things come of the same
calls, ``operations``; and where content does not lie in its file as it is, ``stored`` and
``content``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from safefs.disk import Disk
from safefs.testing.disk_model import DISK_OPERATIONS
from safefs.testing.lives import (
    CONTENTS,
    NAMES,
    SPELLED,
    Life,
    anywhere,
    directories,
    existing,
    known,
    known_directories,
    places,
    taken_or_free,
    targets,
)
from safefs.testing.oracle import Directory, Link, nodes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from safefs.testing.operations import Operation

_LOOKS = sorted(name for name, operation in DISK_OPERATIONS.items() if not operation.changes)
_MOST = 60  # nodes; copy_tree, which can double them, waits while there are more
_SEPARATORS = st.sampled_from((b"", b"\n"))


class DiskMachine(Life):
    """The random life of a Disk on a local directory; the module says how it is used."""

    operations: ClassVar[Mapping[str, Operation]] = DISK_OPERATIONS

    def make_disk(self, directory: Path) -> Disk:
        """The subject: override it to test a Disk of one's own."""
        return Disk(directory)

    def open_subject(self, directory: Path) -> Disk:
        return self.make_disk(directory)

    def beneath(self, subject: Disk, path: str) -> Disk:
        return subject.scoped(path)

    @rule(how=st.sampled_from(_LOOKS), path=anywhere)
    def look(self, how: str, path: str) -> None:
        self.step(self.operations[how], path)

    @rule(how=st.sampled_from(_LOOKS), path=directories)
    def look_at_a_directory(self, how: str, path: str) -> None:
        self.step(self.operations[how], path)

    @rule()
    def look_at_everything(self) -> None:
        """Every path that there is, by the operations that tell most."""
        for path in self.known:
            for how in ("get", "stat", "exists and its kin"):
                self.step(self.operations[how], path)

    @rule(how=st.sampled_from(("put", "open atomically")), path=taken_or_free, data=CONTENTS)
    def put(self, how: str, path: str, data: bytes) -> None:
        self.step(self.operations[how], path, data)

    @rule(path=existing, more=SPELLED, data=CONTENTS)
    def put_deep(self, path: str, more: list[str], data: bytes) -> None:
        """Where directories above may be missing."""
        self.step(self.operations["put"], "/".join([path, *more] if path else more), data)

    @rule(
        how=st.sampled_from(("append", "prepend")),
        path=taken_or_free,
        data=CONTENTS,
        separator=_SEPARATORS,
    )
    def add(self, how: str, path: str, data: bytes, separator: bytes) -> None:
        self.step(self.operations[how], path, data[:300], separator)

    @rule(path=existing, wanted=st.sampled_from(("private", "public")))
    def set_visibility(self, path: str, wanted: str) -> None:
        self.step(self.operations["set_visibility"], path, wanted)

    @rule(path=existing, more=SPELLED)
    def make_directory(self, path: str, more: list[str]) -> None:
        self.step(self.operations["make_directory"], "/".join([path, *more] if path else more))

    @rule(path=existing)
    def delete(self, path: str) -> None:
        self.step(self.operations["delete"], path)

    @rule(path=directories)
    def delete_directory(self, path: str) -> None:
        self.step(self.operations["delete_directory"], path)

    @rule(
        how=st.sampled_from(("copy", "copy, overwriting nothing")), src=existing, dst=taken_or_free
    )
    def copy(self, how: str, src: str, dst: str) -> None:
        self.step(self.operations[how], src, dst)

    @rule(
        how=st.sampled_from(("move", "move, overwriting nothing")), src=existing, dst=taken_or_free
    )
    def move(self, how: str, src: str, dst: str) -> None:
        self.step(self.operations[how], src, dst)

    @precondition(lambda self: len(self.known) <= _MOST)
    @rule(how=st.sampled_from(("copy_tree", "move_tree")), src=directories, dst=places)
    def carry_tree(self, how: str, src: str, dst: str) -> None:
        self.step(self.operations[how], src, dst)

    @rule(
        how=st.sampled_from(("copy", "move")),
        src=existing,
        at=known_directories,
        more=st.lists(st.sampled_from(NAMES), min_size=2, max_size=4),
    )
    def carry_deep(self, how: str, src: str, at: str, more: list[str]) -> None:
        """To where directories above are missing."""
        self.step(self.operations[how], src, "/".join([at, *more] if at else more))

    @rule(top=directories, how=st.sampled_from(sorted(DISK_OPERATIONS)), src=anywhere, dst=places)
    def in_a_scope(self, top: str, how: str, src: str, dst: str) -> None:
        operation = self.operations[how]
        if operation.name == "copy_tree" and len(self.known) > _MOST:
            return
        self.step_beneath(top, operation, *(src, dst)[: operation.paths])

    @rule()
    def close_and_open_again(self) -> None:
        self.reopen(lambda disk: disk.files())

    # -- by plain os, beside the disk ------------------------------------------------------------

    @rule(at=known_directories, name=st.sampled_from(NAMES), text=targets)
    def plant_a_link(self, at: str, name: str, text: str) -> None:
        """``at`` is a real directory and ``name`` a plain one, so nothing is followed here."""
        top = dict(nodes(self.tree)).get(at, self.tree)
        assert isinstance(top, Directory)
        if name in top.entries or not text or "\0" in text:
            return
        top.entries[name] = Link(text)
        for directory, _ in self.subjects.values():
            os.symlink(text, directory / at / name)
        self.learn()

    @rule(path=known, at=known_directories, name=st.sampled_from(NAMES))
    def plant_a_second_name(self, path: str, at: str, name: str) -> None:
        found = dict(nodes(self.tree))
        top, node = found.get(at, self.tree), found.get(path, self.tree)
        assert isinstance(top, Directory)
        if name in top.entries or isinstance(node, Directory):
            return
        top.entries[name] = node
        for directory, _ in self.subjects.values():
            os.link(directory / path, directory / at / name, follow_symlinks=False)
        self.learn()
