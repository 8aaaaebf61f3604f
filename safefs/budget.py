"""How much a tree or an archive may be: a frozen value, and the counter that holds one to it."""

from __future__ import annotations

from safefs.errors import BudgetError
from safefs.values import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    Path = str | bytes


class Budget(Frozen):
    """The most that an operation on a tree or an archive may take on; None is no limit.

    entries
        Files, directories, links and whatever else there is, the tree's own top not counted.
    bytes
        The sum of the sizes of all files, as their sizes say (a sparse file counts in full).
    depth
        How many names a path may have beneath the top: 1 is what stands in it.
    ratio
        How many bytes may come of one byte of an archive. For trees it says nothing.
    path_length
        The bytes of a path beneath the top.

    Each is a whole number above zero; ``ratio`` may be a fraction. What goes beyond is
    ``BudgetError``. Raises ``TypeError`` for what is no number, ``ValueError`` for zero and less.
    """

    __slots__ = ("entries", "bytes", "depth", "ratio", "path_length")  # noqa: RUF023  (as printed)

    entries: int | None
    bytes: int | None
    depth: int | None
    ratio: float | None
    path_length: int | None

    def __init__(
        self,
        *,
        entries: int | None = None,
        bytes: int | None = None,  # noqa: A002  (the field's own name)
        depth: int | None = None,
        ratio: float | None = None,
        path_length: int | None = None,
    ) -> None:
        self._set(
            entries=_whole("entries", entries),
            bytes=_whole("bytes", bytes),
            depth=_whole("depth", depth),
            ratio=_positive("ratio", ratio),
            path_length=_whole("path_length", path_length),
        )


def checked(budget: Budget | None) -> Budget:
    """The budget that was given, or one without limits; ``TypeError`` for anything else."""
    if budget is None:
        return UNLIMITED
    if not isinstance(budget, Budget):
        raise TypeError(f"budget is a Budget, not {type(budget).__name__}")
    return budget


def _whole(field: str, value: int | None) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise TypeError(f"{field} is a whole number, not {value!r}")
    _above_zero(field, value)
    return value


def _positive(field: str, value: float | None) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise TypeError(f"{field} is a number, not {value!r}")
    _above_zero(field, value)
    return value


def _above_zero(field: str, value: float | None) -> None:
    if value is not None and not value > 0:
        raise ValueError(f"{field} is more than zero, not {value!r}")


UNLIMITED = Budget()


class Spending:
    """What has been taken on so far. Each method raises ``BudgetError`` at what is too much.

    ``path`` is what the error names: the entry at which the limit was passed.
    """

    __slots__ = ("budget", "bytes", "entries")

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.entries = 0
        self.bytes = 0

    def entry(self, path: Path, depth: int) -> None:
        """One more entry, so many names beneath the top."""
        self.entries += 1
        limits = self.budget
        if limits.entries is not None and self.entries > limits.entries:
            raise BudgetError(path, "entries", limits.entries)
        if limits.depth is not None and depth > limits.depth:
            raise BudgetError(path, "depth", limits.depth)
        if limits.path_length is not None and _length(path) > limits.path_length:
            raise BudgetError(path, "path_length", limits.path_length)

    def add(self, path: Path, size: int) -> None:
        """So many bytes more."""
        self.bytes += size
        most = self.budget.bytes
        if most is not None and self.bytes > most:
            raise BudgetError(path, "bytes", most)

    def unpacked(self, path: Path, packed: int) -> None:
        """That all bytes so far came of ``packed`` bytes of an archive."""
        most = self.budget.ratio
        if most is not None and self.bytes > most * packed:
            raise BudgetError(path, "ratio", most)


def _length(path: Path) -> int:
    return len(path) if isinstance(path, bytes) else len(path.encode("utf-8", "surrogateescape"))
