"""The random lives: of a root on both resolvers, and that a root which does wrong is caught."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from safefs.root import Root
from safefs.testing.machine import RootMachine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

_LIFE = settings(stateful_step_count=50)
# To be caught is enough; the smallest life that shows it need not be looked for.
_CATCH = settings(_LIFE, phases=[Phase.generate], max_examples=100, derandomize=True)


@pytest.mark.timeout(3600)
def test_a_root_lives_as_the_model_does_on_both_resolvers(
    counted: Callable[..., None],
) -> None:
    RootMachine.steps, began = 0, time.monotonic()
    run_state_machine_as_test(RootMachine, settings=_LIFE)
    counted(
        "random life of a Root, both resolvers",
        f"{RootMachine.steps:,} steps",
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

    def copy_tree(self, src: Any, dst: Any) -> None:
        super().copy_tree(src, dst)
        for path in list(self.find(dst)):
            if self.is_symlink(path):
                self.unlink(path)


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
