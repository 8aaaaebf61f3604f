"""What an operation on a tree or an archive did, or in a dry run would have done."""

from __future__ import annotations

from safefs.values import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, Self

    Action = Literal["create", "replace", "update", "rename", "remove", "skip"]
    Kind = Literal["file", "directory", "symlink", "link", "other"]


class Step(tuple[str, str, str]):
    """One entry and what became of it.

    action
        ``"create"``: it was made where nothing stood. ``"replace"``: it was put in the place of
        something. ``"update"``: only its mode or times were set. ``"rename"``: it was given another
        name, with all that is beneath. ``"remove"``: it is gone. ``"skip"``: it was left out; the
        reason went to ``on_error``.
    path
        From the top of the tree or archive; ``""`` is the top itself.
    kind
        ``"file"``, ``"directory"``, ``"symlink"``, ``"link"`` (one more name of a file that was
        made before) or ``"other"``.
    """

    __slots__ = ()

    def __new__(cls, action: Action, path: str, kind: Kind) -> Self:
        return tuple.__new__(cls, (action, path, kind))

    def __getnewargs__(self) -> tuple[str, str, str]:
        return self[0], self[1], self[2]

    @property
    def action(self) -> Action:
        return self[0]  # type: ignore[return-value]

    @property
    def path(self) -> str:
        return self[1]

    @property
    def kind(self) -> Kind:
        return self[2]  # type: ignore[return-value]

    def __repr__(self) -> str:
        return f"Step(action={self[0]!r}, path={self[1]!r}, kind={self[2]!r})"


class TreeReport(Frozen):
    """All steps in order; ``entries`` is how many were carried out, ``bytes`` of how much content.

    A dry run gives the same report as the real run on the same tree, and changes nothing.

    ``collisions``, of an archive that was unpacked: pairs of names that a file system which ignores
    case, or normalises Unicode, would take for one; no more than the first thousand.
    """

    __slots__ = ("entries", "bytes", "steps", "collisions")  # noqa: RUF023  (the order of the constructor)

    entries: int
    bytes: int
    steps: tuple[Step, ...]
    collisions: tuple[tuple[str, str], ...]

    def __init__(
        self,
        entries: int,
        bytes: int,  # noqa: A002  (the field's own name)
        steps: tuple[Step, ...],
        collisions: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self._set(entries=entries, bytes=bytes, steps=steps, collisions=collisions)


class Record:
    """A report that is being written: cheap for each of many thousands of entries."""

    __slots__ = ("bytes", "steps")

    def __init__(self) -> None:
        self.steps: list[tuple[Action, str, Kind]] = []
        self.bytes = 0

    def add(self, action: Action, path: str, kind: Kind, size: int = 0) -> None:
        """One step; ``size`` are the bytes of content that it wrote."""
        self.steps.append((action, path, kind))
        self.bytes += size

    @property
    def entries(self) -> int:
        """How many of the steps were carried out."""
        return sum(step[0] != "skip" for step in self.steps)

    def report(self, collisions: tuple[tuple[str, str], ...] = ()) -> TreeReport:
        steps = tuple([tuple.__new__(Step, step) for step in self.steps])
        return TreeReport(self.entries, self.bytes, steps, collisions)
