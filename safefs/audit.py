"""Where opens and refusals are reported: ``sys.audit`` and the logger ``safefs.audit``.

Events, for a hook set with ``sys.addaudithook`` (PEP 578):

``safefs.open`` (path, flags)
    before each descriptor that a caller's path obtains, with the caller's path and the ``os.O_*``
    flags; also before a file or tree is put in the place of a path. A hook that raises prevents
    it. Removing, renaming and making directories open no more than the parent (O_PATH).
``safefs.denied`` (path, rule, component, disk, operation)
    for each refusal: the caller's path, why it was refused, the component that decided, or None,
    the name of the disk, or None where it has none or is not known yet, and what was called, as in
    ``Disk.get``. Nothing about the outside is in it. ``Disk.explain`` refuses nothing, and
    what it foretells is no event.

The logger says the same at level INFO on one line, and its record has those five as attributes:
``record.path``, ``record.rule``, ``record.component``, ``record.disk``, ``record.operation``.
"""

from __future__ import annotations

import sys

from safefs.errors import EscapeError, InvalidPathError, PolicyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from typing import TypeVar

    Refusal = TypeVar("Refusal", EscapeError, InvalidPathError, PolicyError)


_FORETELLS = ".explain"  # what is called so refuses nothing
_OPTIMIZED = 1  # inspect.CO_OPTIMIZED: the code of a function, whose variables are no dict


def refused(error: Refusal) -> Refusal:
    """Report a refusal and hand it back, for ``raise refused(EscapeError(...))``."""
    path, rule, component = _facts(error)
    disk, operation = _origin()
    if operation is not None and operation.endswith(_FORETELLS):
        return error
    sys.audit("safefs.denied", path, rule, component, disk, operation)
    facts = {
        "path": path,
        "rule": rule,
        "component": component,
        "disk": disk,
        "operation": operation,
    }
    by = "" if operation is None else f" by {operation}"
    on = "" if disk is None else f" on {disk!a}"
    try:
        _logger().info("denied: %s%s%s (%s)", ascii(path), by, on, rule, extra=facts)
    except ImportError:
        pass  # a process that has locked itself away may not read the standard library any more
    return error


def _origin() -> tuple[str | None, str | None]:
    """(the disk, what was called), from the frames of safefs that lead to a refusal.

    A refusal is rare and may be slow; that each operation says what it is, in case it is refused,
    would cost all of them. A door is a class with ``_is_door``, and whose name is to be told has a
    ``_disk_name``. Both are looked for in the class: an object may answer for another.
    """
    disk = operation = None
    frame = sys._getframe(2)  # noqa: SLF001  (what traceback.walk_stack uses, without its import)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("safefs."):
        seen = frame.f_locals
        owner = seen.get("self")
        if type(seen) is dict and frame.f_code.co_flags & _OPTIMIZED:
            # Before Python 3.13 a copy that the frame keeps: with the error, which keeps the frame,
            # a cycle that would hold a Root, and its descriptor, until the next collection.
            seen.clear()
        kind, called = type(owner), frame.f_code.co_name
        if disk is None and hasattr(kind, "_disk_name"):
            disk = owner._disk_name  # type: ignore[union-attr]  # noqa: SLF001  (asked above)
        if hasattr(kind, "_is_door") and (called[0] != "_" or called[:2] == "__"):
            operation = f"{kind.__name__}.{called}"
        frame = frame.f_back  # type: ignore[assignment]  # None at the outermost
    return disk, operation


def _facts(
    error: EscapeError | InvalidPathError | PolicyError,
) -> tuple[str | bytes | None, str, str | bytes | None]:
    if isinstance(error, EscapeError):
        return error.filename, error.reason, error.component
    if isinstance(error, PolicyError):
        return error.filename, error.rule, None
    return error.path, error.reason, None


def _logger() -> logging.Logger:
    # Imported at the first refusal: logging costs more at import than the whole core.
    import logging

    logger = logging.getLogger("safefs.audit")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
