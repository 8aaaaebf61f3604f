"""with fs.transaction: what is written takes its name at the end, or never."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from fsspec.transaction import Transaction

if TYPE_CHECKING:
    from types import TracebackType


class SafeTransaction(Transaction):  # type: ignore[misc]  # fsspec is not typed
    """fsspec's transaction, which publishes nothing before all that was written is closed.

    At the end each file is renamed to its name, in the order in which they were opened. What goes
    wrong before that, a disk that is full for one, publishes nothing; a rename that is refused ends
    it, and of that file and those after it nothing is kept. Directories are made at once, and stay.
    Removing and moving are no part of a transaction. ``RuntimeError`` for one within another.
    """

    files: deque[Any]
    fs: Any
    _begun = False

    def start(self) -> None:
        """Begin. There is one at a time: another would drop what this one holds, or publish it."""
        if self._begun:
            raise RuntimeError("this transaction has begun already, and has none within it")
        self._begun = True
        super().start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.complete(commit=kind is None)

    def complete(self, commit: bool = True) -> None:  # noqa: FBT001, FBT002
        """Publish all files, or drop them; either way the transaction is over."""
        files = self.files
        try:
            if commit:
                for file in files:
                    file.close()
                while files:
                    files.popleft().commit()
        finally:
            for file in files:
                file.discard()
            self.files = deque()
            fs, self.fs = self.fs, None
            if fs is not None:
                fs._intrans = False  # noqa: SLF001  (fsspec's names)
                fs._transaction = None  # noqa: SLF001
