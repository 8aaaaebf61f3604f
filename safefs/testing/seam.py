"""Standing before every system call of safefs, at the one place they all go through."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Self

from safefs.kernel import syscalls

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from safefs.testing.moves import SecondAct

# A move before one of these is the move before the next call: they look at no file.
_BLIND = frozenset({"open_how", "urandom", "getpid", "geteuid"})


class Seam:
    """Stands before every system call of safefs while it is entered; counts them when armed."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._armed = False
        self._at = self._until = -1
        self._strike: Callable[[], SecondAct | None] | None = None
        self._second: SecondAct | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for name, real in list(vars(syscalls).items()):
            if callable(real) and name.islower() and name[0] != "_" and name not in _BLIND:
                wrapper = self._scanning(real) if name == "scandir" else self._watched(name, real)
                setattr(syscalls, name, wrapper)
                self._stack.callback(setattr, syscalls, name, real)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def armed(
        self, at: int, until: int, strike: Callable[[], SecondAct | None] | None
    ) -> Iterator[None]:
        """Meanwhile calls are counted; ``strike`` comes before the one of index ``at``, and its
        second act, if it has one, before that of index ``until``.
        """
        self.calls = []
        self._at, self._until = at, until
        self._strike, self._second = strike, None
        self._armed = True
        try:
            yield
        finally:
            self._armed = False

    def _before(self, name: str) -> None:
        if not self._armed:
            return
        index = len(self.calls)
        if index == self._at and self._strike is not None:
            self._second = self._strike()
        elif index == self._until and self._second is not None:
            try:
                self._second()
            except OSError:
                pass  # safefs was quicker
        self.calls.append(name)

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **keywords: Any) -> Any:
            self._before(name)
            return real(*args, **keywords)

        return call

    def _scanning(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> _Scan:
            self._before("scandir")
            return _Scan(real(*args), self._before)

        return call


class _Scan:
    """What scandir returned: reading it and asking its entries are system calls too."""

    def __init__(self, entries: Any, before: Callable[[str], None]) -> None:
        self._entries = entries
        self._before = before

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> _Scanned:
        self._before("scandir.next")
        return _Scanned(next(self._entries), self._before)

    def close(self) -> None:
        self._entries.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._entries.close()


class _Scanned:
    __slots__ = ("_before", "_entry", "is_dir", "is_file", "is_symlink", "name")

    def __init__(self, entry: Any, before: Callable[[str], None]) -> None:
        self._entry = entry
        self._before = before
        self.name = entry.name
        # Told by the listing itself, on any file system that matters: no call.
        self.is_dir = entry.is_dir
        self.is_file = entry.is_file
        self.is_symlink = entry.is_symlink

    def stat(self, *, follow_symlinks: bool) -> os.stat_result:
        self._before("scandir.stat")
        found: os.stat_result = self._entry.stat(follow_symlinks=follow_symlinks)
        return found
