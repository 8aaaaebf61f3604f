"""The registry: every workload, in the order of the document. A module for each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.work import (
    across,
    copies,
    fsspec,
    growth,
    imports,
    lockdown,
    many,
    parallel,
    policy,
    sealing,
    small,
    trees,
    writes,
)

if TYPE_CHECKING:
    from benchmarks.ground import Scale
    from benchmarks.workload import Workload

_KINDS = (
    small,
    writes,
    many,
    trees,
    copies,
    parallel,
    imports,
    fsspec,
    growth,
    policy,
    sealing,
    lockdown,
    across,
)


def registry(scale: Scale) -> list[Workload]:
    """Titles tell sizes, so they differ with the scale."""
    return [each for kind in _KINDS for each in kind.workloads(scale)]
