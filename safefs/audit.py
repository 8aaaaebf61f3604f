"""Where opens and refusals are reported: ``sys.audit`` and the logger ``safefs.audit``.

Events, for a hook set with ``sys.addaudithook`` (PEP 578):

``safefs.open`` (path, flags)
    before each descriptor that a caller's path obtains, with the caller's path and the ``os.O_*``
    flags; also before a file or tree is put in the place of a path. A hook that raises prevents
    it. Removing, renaming and making directories open no more than the parent (O_PATH).
``safefs.denied`` (path, rule, component)
    for each refusal: the caller's path, why it was refused, and the component that decided, or
    None. Nothing about the outside is in it.
"""

from __future__ import annotations

import sys

from safefs.errors import EscapeError, InvalidPathError, PolicyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from typing import TypeVar

    Refusal = TypeVar("Refusal", EscapeError, InvalidPathError, PolicyError)


def refused(error: Refusal) -> Refusal:
    """Report a refusal and hand it back, for ``raise refused(EscapeError(...))``."""
    path, rule, component = _facts(error)
    sys.audit("safefs.denied", path, rule, component)
    try:
        _logger().info("denied: %s (%s)", ascii(path), rule)
    except ImportError:
        pass  # a process that has locked itself away may not read the standard library any more
    return error


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
