"""What a hook is told of an operation on a disk."""

from __future__ import annotations

from safefs.values import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Outcome = Literal["done", "refused", "failed"]


class Access(Frozen):
    """One operation on a disk, and how it ended, for ``Disk(..., on_access=)``.

    disk
        The name of the disk, or None.
    operation
        What was called, as in ``"Disk.put"`` or ``"DiskPath.iterdir"``; where that is not known, a
        word for what is done, as in ``"read"``.
    path, target
        The caller's path, and the second one of what goes from one path of the disk to another.
        None for a second path on another disk, which is not this disk's to tell.
    writes
        Whether it changes the disk, or would; None where the text was no path of a disk, and was
        refused before that was asked.
    outcome
        ``"done"``; ``"refused"``, by the ``rule``; ``"failed"``, with ``errno`` if there is one.
    rule
        The field of ``Policy`` or the ``reason`` of the ``EscapeError`` or ``InvalidPathError``,
        as in ``safefs.audit``; None for what was not refused.
    errno
        That of the error which was raised, or None.
    """

    __slots__ = (  # noqa: RUF023  (the order of the constructor)
        "disk",
        "operation",
        "path",
        "target",
        "writes",
        "outcome",
        "rule",
        "errno",
    )

    disk: str | None
    operation: str
    path: str
    target: str | None
    writes: bool | None
    outcome: Outcome
    rule: str | None
    errno: int | None

    def __init__(
        self,
        disk: str | None,
        operation: str,
        path: str,
        *,
        target: str | None = None,
        writes: bool | None = None,
        outcome: Outcome = "done",
        rule: str | None = None,
        errno: int | None = None,
    ) -> None:
        self._set(
            disk=disk,
            operation=operation,
            path=path,
            target=target,
            writes=writes,
            outcome=outcome,
            rule=rule,
            errno=errno,
        )
