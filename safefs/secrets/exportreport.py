"""What an export took along, what it wrote anew, and what it left behind: names, never values."""

from __future__ import annotations

from safefs.values import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SHOWN = 20  # rows of a kind that are printed; all are in the fields


class Rewritten(Frozen):
    """An environment file that was written anew.

    ``kept`` and ``removed`` are the keys; ``comments`` how many there were, which are all gone.
    """

    __slots__ = ("path", "kept", "removed", "comments")  # noqa: RUF023  (the order of repr)

    path: str
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    comments: int

    def __init__(
        self, path: str, kept: tuple[str, ...], removed: tuple[str, ...], comments: int
    ) -> None:
        self._set(path=path, kept=kept, removed=removed, comments=comments)


class LeftOut(Frozen):
    """An entry that stayed behind, with all beneath it, and why."""

    __slots__ = ("path", "reason")

    path: str
    reason: str

    def __init__(self, path: str, reason: str) -> None:
        self._set(path=path, reason=reason)


class ExportReport(Frozen):
    """What ``Disk.export`` did, or in a dry run would have done; ``str()`` of it is a short table.

    Paths are from the top of the tree, in the order of their names. There is no value of any file
    in it, but names of files and of keys.

    copied
        Files, directories and links that are in the export as they were.
    rewritten
        Environment files, each a ``Rewritten``.
    left_out
        What is not in the export, each a ``LeftOut``. What a policy denies is not even named.
    bytes
        How much content there is in the export.
    unused
        The patterns of ``redact`` that are of no key there is: was another spelling meant?
    """

    __slots__ = ("copied", "rewritten", "left_out", "bytes", "unused")  # noqa: RUF023  (of repr)

    copied: tuple[str, ...]
    rewritten: tuple[Rewritten, ...]
    left_out: tuple[LeftOut, ...]
    bytes: int
    unused: tuple[str, ...]

    def __init__(
        self,
        copied: tuple[str, ...],
        rewritten: tuple[Rewritten, ...],
        left_out: tuple[LeftOut, ...],
        bytes: int,  # noqa: A002  (the field's own name)
        unused: tuple[str, ...] = (),
    ) -> None:
        self._set(copied=copied, rewritten=rewritten, left_out=left_out, bytes=bytes, unused=unused)

    @property
    def entries(self) -> int:
        """How many entries the export has."""
        return len(self.copied) + len(self.rewritten)

    def as_json(self) -> dict[str, Any]:
        """The same as plain dicts, lists and texts."""
        return {
            "copied": list(self.copied),
            "rewritten": [
                {
                    "path": each.path,
                    "kept": list(each.kept),
                    "removed": list(each.removed),
                    "comments": each.comments,
                }
                for each in self.rewritten
            ],
            "left_out": [{"path": each.path, "reason": each.reason} for each in self.left_out],
            "bytes": self.bytes,
            "unused": list(self.unused),
        }

    def __str__(self) -> str:
        copied = _counted(len(self.copied), "entry", "entries")
        rows = [f"copied     {copied}; {_counted(self.bytes, 'byte', 'bytes')} in all"]
        rows += _shown(
            [f"rewritten  {_plain(each.path)}: {_loss(each)}" for each in self.rewritten]
        )
        rows += _shown(
            [f"left out   {_plain(each.path)}: {_plain(each.reason)}" for each in self.left_out]
        )
        rows += _shown([f"unused     {_plain(each)}: no key is called so" for each in self.unused])
        return "\n".join(rows)


def _loss(each: Rewritten) -> str:
    said = [f"without {', '.join(each.removed)}" if each.removed else "no key removed"]
    if each.comments:
        said.append(_counted(each.comments, "comment", "comments") + " dropped")
    return "; ".join(said)


def _shown(rows: list[str]) -> list[str]:
    more = len(rows) - _SHOWN
    return rows if more <= 0 else [*rows[:_SHOWN], f"           and {more:,} more"]


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _plain(text: str) -> str:
    """On one line, and nothing that a terminal obeys."""
    return text if text.isprintable() else ascii(text)
