"""The random lives, of a root and of a disk, and that a subject which does wrong is caught."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from safefs import Disk
from safefs.root import Root
from safefs.testing import DiskMachine, RootMachine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

pytestmark = pytest.mark.usefixtures("untraced")

_LIFE = settings(stateful_step_count=50)
# To be caught is enough; the smallest life that shows it need not be looked for.
_CATCH = settings(_LIFE, phases=[Phase.generate], max_examples=1000, derandomize=True)

TestALifeAsUsersRunIt = RootMachine.TestCase
TestALifeAsUsersRunIt.settings = settings(_LIFE, max_examples=3)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("machine", "what"),
    [(RootMachine, "life of a Root"), (DiskMachine, "life of a Disk")],
)
def test_what_lives_at_random_ends_every_step_as_the_model_does_on_both_resolvers(
    machine: type[RootMachine | DiskMachine], what: str, counted: Callable[..., None]
) -> None:
    machine.steps, began = 0, time.monotonic()
    run_state_machine_as_test(machine, settings=_LIFE)
    counted(
        f"random {what}, both resolvers",
        f"{machine.steps:,} steps",
        seconds=time.monotonic() - began,
        escapes=0,
        disagreements=0,
    )


class _UnlinkFollows(Root):
    """Removes what a link inside leads to, and leaves the link."""

    __slots__ = ()

    def unlink(self, path: Any) -> None:
        if self.is_symlink(path) and self.is_file(path):
            self.truncate(path, 0)
        super().unlink(path)


class _RenameReplacesNothing(Root):
    __slots__ = ()

    def rename(self, src: Any, dst: Any, *, replace: bool = True) -> None:
        super().rename(src, dst, replace=False)


class _CopyForgetsPermissions(Root):
    __slots__ = ()

    def copy(self, src: Any, dst: Any, *, replace: bool = True) -> None:
        super().copy(src, dst, replace=replace)
        super().chmod(dst, 0o644)


class _CopyTreeTakesLinksForFiles(Root):
    __slots__ = ()

    def copy_tree(self, src: Any, dst: Any, **options: Any) -> Any:
        report = super().copy_tree(src, dst, **options)
        for path in list(self.find(dst)):
            if self.is_symlink(path):
                self.unlink(path)
        return report


class _EscapesAreNotFound(Root):
    __slots__ = ()

    def read_bytes(self, path: Any) -> bytes:
        try:
            return super().read_bytes(path)
        except PermissionError:
            raise FileNotFoundError(2, "No such file or directory", path) from None


class _AppendTruncates(Root):
    __slots__ = ()

    def open(self, path: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
        return super().open(path, "wb" if mode == "ab" else mode, *rest, **more)


class _AnswersWhenClosed(Root):
    __slots__ = ()

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "wrong",
    [
        _UnlinkFollows,
        _RenameReplacesNothing,
        _CopyForgetsPermissions,
        _CopyTreeTakesLinksForFiles,
        _EscapesAreNotFound,
        _AppendTruncates,
        _AnswersWhenClosed,
    ],
)
def test_a_root_that_does_one_thing_wrong_is_caught(wrong: type[Root]) -> None:
    """None of them can leave the root: each still goes by what Root itself allows."""

    class Machine(RootMachine):
        def make_root(self, directory: Path) -> Root:
            return wrong(directory)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(Machine, settings=_CATCH)


class _PutFollows(Disk):
    """Writes through a link in the last place, instead of replacing it."""

    def put(self, path: Any, content: Any, **options: Any) -> None:
        try:
            with self.open(path, "wb") as file:
                file.write(content)
        except OSError:
            super().put(path, content, **options)


class _ListsWhatLeadsNowhere(Disk):
    def files(self, directory: Any = "") -> list[str]:
        inside = super().files(directory) + super().directories(directory)
        names = [*self._driver.scan(self._path(directory))]
        links = [name for name, found in names if found.kind == "symlink" and name not in inside]
        return sorted(super().files(directory) + links)


class _MovesByCopying(Disk):
    """And so makes two files of one that has two names."""

    def move(self, source: Any, target: Any, *, overwrite: bool = True) -> Any:
        if self.stat(source).kind == "file":
            self.copy(source, target, overwrite=overwrite)
            self.delete(source)
            return "renamed"
        return super().move(source, target, overwrite=overwrite)


class _SaysThatTheRootIsMissing(Disk):
    def delete_directory(self, path: Any, **options: Any) -> Any:
        if path in ("", "."):
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return super().delete_directory(path, **options)


class _KeepsNothingPrivate(Disk):
    def prepend(self, path: Any, data: Any, *, separator: bytes | str = b"") -> None:
        super().prepend(path, data, separator=separator)
        self.set_visibility(path, "public")


@pytest.mark.parametrize(
    "wrong",
    [
        _PutFollows,
        _ListsWhatLeadsNowhere,
        _MovesByCopying,
        _SaysThatTheRootIsMissing,
        _KeepsNothingPrivate,
    ],
)
def test_a_disk_that_does_one_thing_wrong_is_caught(wrong: type[Disk]) -> None:
    """None of them can leave the disk, as above."""

    class Machine(DiskMachine):
        def make_disk(self, directory: Path) -> Disk:
            return wrong(directory)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(Machine, settings=_CATCH)
