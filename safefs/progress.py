"""How far an operation has come, told to a callable or to a callback of fsspec."""

from __future__ import annotations

from safefs.values import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    Path = str | bytes

    class FsspecCallback(Protocol):
        """What is used of ``fsspec.callbacks.Callback``."""

        def set_size(self, size: int) -> object: ...

        def relative_update(self, inc: int = 1) -> object: ...

    Listener = Callable[["Progress"], object] | FsspecCallback


class Progress(Frozen):
    """What is told after each entry, and during a long one: how much is done.

    ``path`` is the entry at hand, from the top of the tree or archive. ``entries`` and ``bytes``
    are done; ``total_entries`` and ``total_bytes`` are what there was at the beginning, or None
    where that is not known.
    """

    __slots__ = ("path", "entries", "bytes", "total_entries", "total_bytes")  # noqa: RUF023

    path: str
    entries: int
    bytes: int
    total_entries: int | None
    total_bytes: int | None

    def __init__(
        self,
        path: str,
        entries: int,
        bytes: int,  # noqa: A002  (the field's own name)
        total_entries: int | None = None,
        total_bytes: int | None = None,
    ) -> None:
        self._set(
            path=path,
            entries=entries,
            bytes=bytes,
            total_entries=total_entries,
            total_bytes=total_bytes,
        )


class Meter:
    """Counts what is done and tells the listener.

    A callable is given a ``Progress``. A callback of fsspec, known by its ``set_size`` and
    ``relative_update``, is told entries, as fsspec tells its own of files. What a listener raises
    ends the operation.
    """

    __slots__ = (
        "_bytes",
        "_entries",
        "_tell",
        "_total_bytes",
        "_total_entries",
        "_update",
        "wanted",
    )

    def __init__(self, listener: Listener | None) -> None:
        """``TypeError`` for what is neither a callable nor a callback of fsspec."""
        self._entries = self._bytes = 0
        self._total_entries: int | None = None
        self._total_bytes: int | None = None
        self._tell: Callable[[Progress], object] | None = None
        self._update: FsspecCallback | None = None
        self.wanted = listener is not None
        # An fsspec callback may be callable too, as no more than an accident of its class.
        if hasattr(listener, "set_size") and hasattr(listener, "relative_update"):
            self._update = listener
        elif callable(listener):
            self._tell = listener
        elif listener is not None:
            kind = type(listener).__name__
            raise TypeError(f"progress is a callable or a callback of fsspec, not {kind}")

    def expect(self, entries: int, size: int | None = None) -> None:
        """How much there is to do."""
        self._total_entries, self._total_bytes = entries, size
        if self._update is not None:
            self._update.set_size(entries)

    def advance(self, path: str, *, entries: int = 1, size: int = 0) -> None:
        """So much more is done; ``entries=0`` in the middle of one."""
        if not self.wanted:
            return
        self._entries += entries
        self._bytes += size
        if self._update is not None and entries:
            self._update.relative_update(entries)
        if self._tell is not None:
            totals = self._total_entries, self._total_bytes
            self._tell(Progress(path, self._entries, self._bytes, *totals))
