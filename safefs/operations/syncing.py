"""Making a change of a directory hold across a crash of the machine: fsync of the directory."""

from __future__ import annotations

from safefs.kernel import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_NOTE = (
    "the change itself was made and everybody sees it; only that it holds across a crash of the "
    "machine could not be made sure of"
)


class Synced:
    """A directory whose change is to hold: opened before the change, synchronised after.

    Opened first, so that nothing is changed where it could not be synchronised (EACCES). The same
    descriptor stays open over the change, so an error of writing it back is told to this one.
    """

    __slots__ = ("_fd",)

    def __init__(self, dir_fd: int, *, wanted: bool) -> None:
        """``wanted=False``: nothing is opened and nothing is synchronised."""
        self._fd = syscalls.open(b".", syscalls.LISTING, dir_fd=dir_fd) if wanted else -1

    @property
    def wanted(self) -> bool:
        return self._fd >= 0

    def file(self, fd: int) -> None:
        """Synchronise a file that is to get its name here, before it does.

        An fsync that has failed is not asked again: the kernel has dropped what it could not
        write, and would say yes. What was written is given up instead.
        """
        if self._fd >= 0:
            syscalls.fsync(fd)

    def directory(self) -> None:
        """Synchronise the directory; its error carries a note that the change stands."""
        if self._fd >= 0:
            try:
                syscalls.fsync(self._fd)
            except OSError as error:
                error.add_note(_NOTE)
                raise

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            syscalls.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
