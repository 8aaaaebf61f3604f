"""A driver that tells a hook of each operation: what ``Disk(..., on_access=)`` stands on.

It is of the class of the driver that it was, with each operation wrapped: so it goes every way that
one goes, and a disk without a hook has nothing to do with it. Whoever calls it is told of, also
from within another operation, as a generator does that is being written; but for the driver itself.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, NamedTuple, Self, cast

from safefs.access import Access
from safefs.audit import logger, origin, owner_of, rule_of
from safefs.errors import InvalidPathError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType
    from typing import Any

    from safefs.access import Outcome
    from safefs.drivers.base import Driver
    from safefs.errors import EscapeError, PolicyError
    from safefs.paths import RelPath
    from safefs.policy import Policy

    OnAccess = Callable[[Access], object]


class Observed:
    """Mixed into the class of a driver, see ``observed``."""

    _disk_name: str | None
    _on_access: OnAccess
    _within: threading.local

    def observe(self, hook: OnAccess) -> None:
        """Tell this hook from here on."""
        self._on_access = hook
        self._within = threading.local()

    def tell(
        self,
        operation: str,
        path: str | bytes,
        error: BaseException | None,
        *,
        writes: bool | None,
        target: str | bytes | None = None,
    ) -> None:
        """Call the hook. What it raises is logged, and changes nothing: it is there to look on.

        What the hook itself does on the disk is not told, or there would be no end to it.
        """
        if getattr(self._within, "hook", False):
            return
        rule = rule_of(error)
        outcome: Outcome = "done" if error is None else "refused" if rule else "failed"
        access = Access(
            self._disk_name,
            operation,
            os.fsdecode(path),
            target=None if target is None else os.fsdecode(target),
            writes=writes,
            outcome=outcome,
            rule=rule,
            errno=getattr(error, "errno", None),
        )
        self._within.hook = True
        try:
            self._on_access(access)
        except Exception as failure:  # noqa: BLE001  (whatever it is)
            _log(failure)
        finally:
            self._within.hook = False

    def tell_refusal(
        self, error: EscapeError | InvalidPathError | PolicyError, operation: str | None
    ) -> None:
        """What ``safefs.audit`` calls for a refusal that comes before any operation of a driver."""
        path = error.path if isinstance(error, InvalidPathError) else error.filename
        self.tell(operation or "path", path or "", error, writes=None)

    def narrowed(self, path: RelPath, policy: Policy | None = None) -> Self:
        seen = _Seen(writes=False)
        made: Self = _done(self, sys._getframe(1), "narrowed", seen, (path, policy), {})  # noqa: SLF001  (see safefs.audit)
        made.observe(self._on_access)
        return made


def _log(failure: Exception) -> None:
    """As text: who keeps the record would keep the frames, and what these have open."""
    try:
        from traceback import format_exception

        said = "".join(format_exception(type(failure), failure, failure.__traceback__, chain=False))
        logger().error("the hook on_access has failed\n%s", said)
    except ImportError:
        pass  # a process that has locked itself away may not read the standard library any more


class _Seen(NamedTuple):
    """What there is to tell of an operation: whether it writes, and where among its arguments the
    path and a second one stand.
    """

    writes: bool
    path: int = 0
    target: int | None = None


_LOOKS, _WRITES = _Seen(writes=False), _Seen(writes=True)
_BETWEEN = _Seen(writes=True, target=1)
_OPERATIONS = {
    **dict.fromkeys(
        ("read", "stat", "exists", "lstat", "look", "look_into", "readlink", "explain"), _LOOKS
    ),
    **dict.fromkeys(("write", "open_atomic", "draft", "sweep", "mkdir", "rmdir", "bed"), _WRITES),
    **dict.fromkeys(("remove", "remove_tree", "chmod", "touch", "set_modified"), _WRITES),
    **dict.fromkeys(("copy", "rename"), _BETWEEN),
    "symlink": _Seen(writes=True, path=1),
}
_EACH = ("scan", "walk", "survey", "harvest")  # these give one thing after another
_READS = frozenset({"r", "rb"})


def _done(
    driver: Observed,
    frame: FrameType,
    name: str,
    seen: _Seen,
    given: tuple[Any, ...],
    more: dict[str, Any],
) -> Any:
    """Do it, and tell how it ended. ``frame`` is that of the caller."""
    act = getattr(super(Observed, driver), name)
    if owner_of(frame) is driver:
        return act(*given, **more)
    operation = origin(frame)[1] or name
    error: BaseException | None = None
    try:
        return act(*given, **more)
    except BaseException as caught:
        error = caught
        raise
    finally:
        target = None if seen.target is None else given[seen.target].shown
        driver.tell(operation, given[seen.path].shown, error, writes=seen.writes, target=target)
        del error  # or it is a cycle, and keeps what its frames have open


def _each(driver: Observed, operation: str, path: RelPath, found: Iterator[Any]) -> Iterator[Any]:
    """One after another, and at the end, or where it is left, how that was."""
    error: BaseException | None = None
    try:
        with closing(found) if hasattr(found, "close") else nullcontext():  # type: ignore[type-var]
            yield from found
    except GeneratorExit:
        raise
    except BaseException as caught:
        error = caught
        raise
    finally:
        driver.tell(operation, path.shown, error, writes=False)
        del error


def _wrapped(name: str, seen: _Seen) -> Callable[..., Any]:
    def call(self: Observed, *given: Any, **more: Any) -> Any:
        return _done(self, sys._getframe(1), name, seen, given, more)  # noqa: SLF001

    return call


def _wrapped_each(name: str) -> Callable[..., Any]:
    def call(self: Observed, path: RelPath, *given: Any, **more: Any) -> Any:
        frame = sys._getframe(1)  # noqa: SLF001
        act = getattr(super(Observed, self), name)
        if owner_of(frame) is self:
            return act(path, *given, **more)
        operation = origin(frame)[1] or name
        try:
            found = act(path, *given, **more)
        except BaseException as error:
            self.tell(operation, path.shown, error, writes=False)
            raise
        return _each(self, operation, path, found)

    return call


def _open(self: Observed, path: RelPath, mode: str, **more: Any) -> Any:
    seen = _LOOKS if mode in _READS else _WRITES
    return _done(self, sys._getframe(1), "open", seen, (path, mode), more)  # noqa: SLF001


def _read_each(
    self: Observed, directory: RelPath, names: list[tuple[str, str]]
) -> Iterator[bytes | None]:
    """Each file is told of by the path that the caller has for it."""
    operation = origin(sys._getframe(1))[1] or "read"  # noqa: SLF001
    found: Iterator[bytes | None] = super(Observed, self).read_each(directory, names)  # type: ignore[misc]
    for (_, shown), content in zip(names, found, strict=True):
        if content is not None:  # or it will be read by its own path
            self.tell(operation, shown, None, writes=False)
        yield content


for _name, _what in _OPERATIONS.items():
    setattr(Observed, _name, _wrapped(_name, _what))
for _name in _EACH:
    setattr(Observed, _name, _wrapped_each(_name))
Observed.open = _open  # type: ignore[attr-defined]
Observed.read_each = _read_each  # type: ignore[attr-defined]


def check_hook(hook: object) -> None:
    """TypeError for what cannot be called."""
    if hook is not None and not callable(hook):
        raise TypeError(f"on_access is a callable, not {type(hook).__name__}")


_kinds: dict[type, type] = {}


def observed(driver: Driver, hook: OnAccess) -> Driver:
    """The same driver, which tells the hook; the one that is given is not to be used any more."""
    kind = type(driver)
    if kind not in _kinds:
        _kinds[kind] = type(kind.__name__, (Observed, kind), {"__doc__": kind.__doc__})
    twin: Any = object.__new__(_kinds[kind])
    twin.__dict__.update(vars(driver))
    twin.observe(hook)
    return cast("Driver", twin)


def unobserved(driver: Driver) -> tuple[Driver, OnAccess | None]:
    """A driver that tells nobody, and the hook that the one given has told; the reverse."""
    if not isinstance(driver, Observed):
        return driver, None
    twin: Any = object.__new__(type(driver).__bases__[1])
    own = {"_on_access", "_within"}
    twin.__dict__.update({name: each for name, each in vars(driver).items() if name not in own})
    return cast("Driver", twin), driver._on_access  # noqa: SLF001  (its own class)


def teller(driver: object) -> Callable[..., None] | None:
    """Who is to be told of what is refused before it comes to the driver, or None."""
    return driver.tell_refusal if isinstance(driver, Observed) else None


class Whole:
    """A block that is told of as one operation, beside what it asks of the drivers.

    ``ends``: a driver, a path on it, and whether that is changed.
    """

    def __init__(self, *ends: tuple[Driver, RelPath, bool]) -> None:
        self._ends = ends
        self._operation = "tree"

    def __enter__(self) -> None:
        self._operation = origin(sys._getframe(1))[1] or self._operation  # noqa: SLF001

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        told: dict[int, list[tuple[Driver, RelPath, bool]]] = {}
        for end in self._ends:
            told.setdefault(id(end[0]), []).append(end)
        for ends in told.values():
            driver, path, _ = ends[0]
            if isinstance(driver, Observed):
                driver.tell(
                    self._operation,
                    path.shown,
                    error,
                    writes=any(writes for _, _, writes in ends),
                    target=ends[1][1].shown if len(ends) > 1 else None,
                )
