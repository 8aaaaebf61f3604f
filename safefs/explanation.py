"""What would become of an operation on a path, and why."""

from __future__ import annotations

from errno import errorcode

from safefs.values import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    Operation = Literal[
        "read",
        "write",
        "append",
        "create",
        "put",
        "make_directory",
        "list",
        "remove",
        "remove_tree",
    ]
    StepKind = Literal[
        "directory", "file", "symlink", "other", "missing", "not a directory", "unknown"
    ]

OPERATIONS: tuple[Operation, ...] = (
    "read",
    "write",
    "append",
    "create",
    "put",
    "make_directory",
    "list",
    "remove",
    "remove_tree",
)


class PathStep(Frozen):
    """One component that is met on the way, those of the targets of links among them.

    component
        Its name, as it stands in the path or in the text of a link.
    kind
        ``"directory"``, ``"file"``, ``"symlink"`` or ``"other"`` (a FIFO, a socket, a device) of
        what stands there; ``"missing"``; ``"not a directory"`` where one is needed; ``"unknown"``
        where nothing was looked at, for a rule came before, or could not be.
    place
        The path on the disk that it is, free of links and dots, ``""`` for the disk's root; of a
        link the one that it leads to. None where it leads nowhere on the disk.
    target
        The text of a link, and None for anything else.
    rule
        The rule that had a say: the one that refuses, or ``"symlinks"`` where an absolute link is
        followed; else None.
    mount
        Whether a mount point is crossed here.
    """

    __slots__ = ("component", "kind", "place", "target", "rule", "mount")  # noqa: RUF023  (the order of the constructor)

    component: str
    kind: StepKind
    place: str | None
    target: str | None
    rule: str | None
    mount: bool

    def __init__(
        self,
        component: str,
        kind: StepKind,
        place: str | None = None,
        target: str | None = None,
        rule: str | None = None,
        mount: bool = False,  # noqa: FBT001, FBT002  (a field)
    ) -> None:
        self._set(
            component=component, kind=kind, place=place, target=target, rule=rule, mount=mount
        )

    def __str__(self) -> str:
        said = [f"{_plain(self.component)}: {self.kind}"]
        if self.target is not None:
            said.append(f"to {_plain(self.target)}")
        if self.place is not None:
            said.append(f"which is {_plain(self.place)}" if self.place else "which is the root")
        if self.mount:
            said.append("beyond a mount point")
        if self.rule is not None:
            said.append(f"({self.rule})")
        return " ".join(said)


class Explanation(Frozen):
    """What ``Disk.explain`` has found; ``str()`` of it is for people to read, a line for each step.

    path, operation
        What was asked.
    allowed
        Whether the operation would be done.
    rule
        What refuses it: the field of ``Policy``, the ``reason`` of an ``EscapeError`` or an
        ``InvalidPathError``, ``"same_filesystem"`` of a mount that is not crossed. None where it is
        allowed, and where no rule decides: what is missing, what is of the wrong kind.
    error, errno, reason
        The name of the exception that the operation would raise, its errno if it has one, and what
        it would say; None where it is allowed.
    place
        The path on the disk that is reached, free of links and dots; None where nothing is.
    steps
        The way there, in order.
    """

    __slots__ = (  # noqa: RUF023  (the order of the constructor)
        "path",
        "operation",
        "allowed",
        "rule",
        "error",
        "errno",
        "reason",
        "place",
        "steps",
    )

    path: str
    operation: Operation
    allowed: bool
    rule: str | None
    error: str | None
    errno: int | None
    reason: str | None
    place: str | None
    steps: tuple[PathStep, ...]

    def __init__(
        self,
        path: str,
        operation: Operation,
        *,
        allowed: bool,
        rule: str | None = None,
        error: str | None = None,
        errno: int | None = None,
        reason: str | None = None,
        place: str | None = None,
        steps: tuple[PathStep, ...] = (),
    ) -> None:
        self._set(
            path=path,
            operation=operation,
            allowed=allowed,
            rule=rule,
            error=error,
            errno=errno,
            reason=reason,
            place=place,
            steps=steps,
        )

    def __bool__(self) -> bool:
        """``allowed``: so that ``if disk.explain(path):`` asks what it seems to ask."""
        return self.allowed

    def as_json(self) -> dict[str, Any]:
        """The same as plain dicts, lists and texts."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        steps = [{name: getattr(step, name) for name in step.__slots__} for step in self.steps]
        return {**fields, "steps": steps}

    def __str__(self) -> str:
        lines = [f"{self.operation} {_plain(self.path) or 'the root'}: {self._verdict()}"]
        lines += [f"  {step}" for step in self.steps]
        if self.reason is not None:
            lines.append(f"  {self.error}{self._number()}: {_plain(self.reason)}")
        return "\n".join(lines)

    def _verdict(self) -> str:
        if self.allowed:
            return "allowed"
        return "fails" if self.rule is None else f"refused by {self.rule}"

    def _number(self) -> str:
        return "" if self.errno is None else f" ({errorcode.get(self.errno, self.errno)})"


def _plain(text: str) -> str:
    """On one line, and nothing that a terminal obeys."""
    return text if text.isprintable() else ascii(text)
