"""What ``Disk.explain`` says of ``put``, which is more than one operation of a driver."""

from __future__ import annotations

import os
from errno import ENOENT
from typing import TYPE_CHECKING

from safefs.drivers.transfer import foresee
from safefs.explanation import Explanation, PathStep
from safefs.operations.explaining import explained

if TYPE_CHECKING:
    from collections.abc import Callable

    from safefs.drivers.base import Driver
    from safefs.explanation import Operation
    from safefs.paths import RelPath


def foretell_put(
    driver: Driver, where: RelPath, explain: Callable[[RelPath, Operation], Explanation]
) -> Explanation:
    """``explain`` tells of a file put into a directory that is there, and of directories made."""
    found = explain(where, "put")
    if found.errno != ENOENT or not where.split()[0]:
        return found
    try:
        above, file = foresee(driver, where)
    except OSError as error:
        return explained(where.shown, "put", error, found.steps)
    made = explain(above, "make_directory")
    if not made.allowed:
        return Explanation(
            found.path,
            "put",
            allowed=False,
            rule=made.rule,
            error=made.error,
            errno=made.errno,
            reason=made.reason,
            steps=made.steps,
        )
    name = os.fsdecode(file.names[-1])
    place = f"{made.place}/{name}" if made.place else name
    steps = (*made.steps, PathStep(name, "missing", place))
    return Explanation(found.path, "put", allowed=True, place=place, steps=steps)
