"""What a mutant is, and how its text is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class StaleMutantError(Exception):
    """The text that a mutant replaces is not there, or not just once: the mutant needs mending."""


@dataclass(frozen=True, slots=True)
class Edit:
    """In one file, the only place that reads ``old`` is to read ``new``."""

    file: str
    old: str
    new: str

    def applied(self, text: str) -> str:
        found = text.count(self.old)
        if found != 1:
            raise StaleMutantError(f"{self.file}: {found} places read {self.old!r}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Mutant:
    """``why``: what an attacker would have of it. ``first``: the tests that should notice it.

    ``hangs``: it may be noticed by running out of time. Of any other that shows nothing.
    """

    name: str
    why: str
    edits: tuple[Edit, ...]
    first: tuple[str, ...]
    hangs: bool = False

    def applied(self, project: Path) -> dict[str, str]:
        """The text of each file that is changed, by its path in the project."""
        texts: dict[str, str] = {}
        for edit in self.edits:
            text = texts.get(edit.file)
            if text is None:
                text = (project / edit.file).read_text("utf-8")
            texts[edit.file] = edit.applied(text)
        return texts


def mutant(
    name: str, why: str, file: str, old: str, new: str, *first: str, hangs: bool = False
) -> Mutant:
    """A mutant of one edit."""
    return Mutant(name, why, (Edit(file, old, new),), first, hangs)


# Tests of which one case is enough.
TABLE = (
    "tests/test_table.py::"
    "test_every_operation_ends_as_the_plain_one_would_inside_and_refuses_the_rest"
)
INTERLEAVING = "tests/test_interleaving.py::test_no_move_before_any_call_leads_an_operation_out"
