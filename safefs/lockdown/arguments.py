"""What a lock-down is asked for, checked before anything is done."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from safefs.lockdown import needs
from safefs.lockdown.rights import EXECUTE, READ, WRITE
from safefs.lockdown.ruleset import checked_network

if TYPE_CHECKING:
    from collections.abc import Iterable

    from safefs.lockdown.report import Network
    from safefs.lockdown.ruleset import Ruleset

    Paths = Iterable[str | os.PathLike[str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """The network, and the paths that are left beside the disks."""

    network: Network
    read: tuple[str, ...]
    write: tuple[str, ...]
    execute: tuple[str, ...]

    @classmethod
    def checked(cls, network: object, read: Paths, write: Paths, execute: Paths) -> Asked:
        """``TypeError`` or ``ValueError`` for what is no such thing."""
        return cls(
            checked_network(network),
            _paths("extra_read", read),
            _paths("extra_write", write),
            _paths("execute", execute),
        )

    def allow_in(self, ruleset: Ruleset) -> None:
        """``FileNotFoundError`` for a path that is not there: what was asked for is to be left."""
        for path in self.read:
            ruleset.allow_path(path, READ, "extra_read")
        for path in self.write:
            ruleset.allow_path(path, WRITE, "extra_write")
        for path in self.execute:
            ruleset.allow_path(path, EXECUTE, "execute")
        if self.execute:
            ruleset.allow_needs(needs.of_loaders())

    def allow_python_in(self, ruleset: Ruleset) -> None:
        ruleset.allow_needs(needs.of_system(network=self.network != "deny"))
        ruleset.allow_needs(needs.of_python())


def _paths(argument: str, paths: Paths) -> tuple[str, ...]:
    if isinstance(paths, str | bytes):
        raise TypeError(f"{argument} is a list of paths: {argument}=[{paths!r}]")
    return tuple(os.path.join(os.getcwd(), os.fspath(path)) for path in paths)


def not_imported_from() -> list[str]:
    """Where modules came from until now and will not: what is left out of ``sys.path``."""
    kept = [need.path for need in needs.of_python()]
    return [
        entry or "(the working directory)"
        for entry in dict.fromkeys(sys.path)
        if not any(entry == path or entry.startswith(f"{path}/") for path in kept)
    ]
