"""What a policy says of sizes, asked of a file while it is written: before its bytes go down."""

from __future__ import annotations

from safefs.kernel import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    from safefs.kernel.handle import Handle

    Given = ParamSpec("Given")
    Result = TypeVar("Result")
    Tell = Callable[[int], object]


class Growth:
    """How far one file may grow; it belongs to whoever writes it."""

    __slots__ = ("_policy", "_shown")

    def __init__(self, handle: Handle, shown: str | bytes) -> None:
        self._policy = handle.policy
        self._shown = shown

    def run(
        self,
        fd: int,
        end: int,
        act: Callable[Given, Result],
        *args: Given.args,
        **named: Given.kwargs,
    ) -> Result:
        """``act``, which lets the file reach as far as ``end``, or PolicyError instead."""
        if end > syscalls.fstat(fd).st_size:
            self._policy.check_size(self._shown, end)
        return act(*args, **named)

    def copied(self, size: int, tell: Tell | None, copy: Callable[[Tell], int]) -> int:
        """``copy``, which fills an empty file up to ``size``, or further if its source grows."""
        self.expect(size)
        reached = 0

        def told(step: int) -> None:
            nonlocal reached
            reached += step
            if reached > size:
                self.expect(reached)
            if tell is not None:
                tell(step)

        return copy(told)

    def expect(self, size: int) -> None:
        """That so many bytes are about to be written, from the beginning on."""
        self._policy.check_size(self._shown, size)


def growth_of(handle: Handle, shown: str | bytes) -> Growth | None:
    """None where a policy says nothing of sizes, and nothing is to be asked."""
    return Growth(handle, shown) if handle.sized else None
