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
    from collections.abc import Callable
    from types import FrameType
    from typing import TypeVar

    Refusal = TypeVar("Refusal", EscapeError, InvalidPathError, PolicyError)


_FORETELLS = ".explain"  # what is called so refuses nothing
_OPTIMIZED = 1  # inspect.CO_OPTIMIZED: the code of a function, whose variables are no dict


def refused(error: Refusal) -> Refusal:
    """Report a refusal and hand it back, for ``raise refused(EscapeError(...))``."""
    path, rule, component = _facts(error)
    disk, operation, tell = origin(sys._getframe(1))  # noqa: SLF001  (what traceback.walk_stack uses, without its import)
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
        logger().info("denied: %s%s%s (%s)", ascii(path), by, on, rule, extra=facts)
    except ImportError:
        pass  # a process that has locked itself away may not read the standard library any more
    if tell is not None:
        tell(error, operation)
    return error


def origin(
    frame: FrameType | None,
) -> tuple[str | None, str | None, Callable[..., None] | None]:
    """(the disk, what was called, who else is to be told), from this frame of safefs upwards.

    A refusal is rare and may be slow; that each operation says what it is, in case it is refused,
    would cost all of them. A door is a class with ``_is_door``, and whose name is to be told has a
    ``_disk_name``; the innermost of these may have a ``_teller`` too. All are looked for in the
    class: an object may answer for another.
    """
    disk = operation = tell = None
    met = False
    while frame is not None and frame.f_globals.get("__name__", "").startswith("safefs."):
        owner = owner_of(frame)
        kind, called = type(owner), frame.f_code.co_name
        if hasattr(kind, "_disk_name"):
            if disk is None:
                disk = owner._disk_name  # type: ignore[attr-defined]  # noqa: SLF001  (asked above)
            if not met and hasattr(kind, "_teller"):
                tell = owner._teller  # type: ignore[attr-defined]  # noqa: SLF001  (asked above)
            met = True
        if hasattr(kind, "_is_door") and (called[0] != "_" or called[:2] == "__"):
            operation = f"{kind.__name__}.{called}"
        frame = frame.f_back
    return disk, operation, tell


def owner_of(frame: FrameType) -> object:
    """Whose method it is, or None."""
    seen = frame.f_locals
    owner = seen.get("self")
    if type(seen) is dict and frame.f_code.co_flags & _OPTIMIZED:
        # Before Python 3.13 a copy that the frame keeps: with the error, which keeps the frame,
        # a cycle that would hold a Root, and its descriptor, until the next collection.
        seen.clear()
    return owner


def rule_of(error: BaseException | None) -> str | None:
    """What has refused, or None for what is no refusal."""
    if isinstance(error, EscapeError | InvalidPathError | PolicyError):
        return _facts(error)[1]
    return None


def _facts(
    error: EscapeError | InvalidPathError | PolicyError,
) -> tuple[str | bytes | None, str, str | bytes | None]:
    if isinstance(error, EscapeError):
        return error.filename, error.reason, error.component
    if isinstance(error, PolicyError):
        return error.filename, error.rule, None
    return error.path, error.reason, None


def logger() -> logging.Logger:
    """The logger ``safefs.audit``."""
    # Imported at the first refusal: logging costs more at import than the whole core.
    import logging

    logger = logging.getLogger("safefs.audit")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
