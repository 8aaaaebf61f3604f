"""What an operation on a tree or an archive did, or in a dry run would have done."""

from __future__ import annotations

from safefs.values import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Action = Literal["create", "replace", "update", "rename", "remove", "skip"]
    Kind = Literal["file", "directory", "symlink", "link", "other"]


class Step(Frozen):
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

    __slots__ = ("action", "path", "kind")  # noqa: RUF023  (the order of the constructor)

    action: Action
    path: str
    kind: Kind

    def __init__(self, action: Action, path: str, kind: Kind) -> None:
        self._set(action=action, path=path, kind=kind)


class TreeReport(Frozen):
    """All steps in order; ``entries`` is how many were carried out, ``bytes`` of how much content.

    A dry run gives the same report as the real run on the same tree, and changes nothing.
    """

    __slots__ = ("entries", "bytes", "steps")  # noqa: RUF023  (the order of the constructor)

    entries: int
    bytes: int
    steps: tuple[Step, ...]

    def __init__(
        self,
        entries: int,
        bytes: int,  # noqa: A002  (the field's own name)
        steps: tuple[Step, ...],
    ) -> None:
        self._set(entries=entries, bytes=bytes, steps=steps)


class Record:
    """A report that is being written: cheap for each of many thousands of entries."""

    __slots__ = ("_steps", "bytes", "entries")

    def __init__(self) -> None:
        self._steps: list[tuple[Action, str, Kind]] = []
        self.entries = 0
        self.bytes = 0

    def add(self, action: Action, path: str, kind: Kind, size: int = 0) -> None:
        """One step; ``size`` are the bytes of content that it wrote or removed."""
        self._steps.append((action, path, kind))
        if action != "skip":
            self.entries += 1
            self.bytes += size

    def report(self) -> TreeReport:
        return TreeReport(self.entries, self.bytes, tuple(Step(*step) for step in self._steps))
