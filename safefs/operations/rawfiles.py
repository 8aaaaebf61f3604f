"""The lowest layer of a file object, where a policy goes on holding for what is open."""

from __future__ import annotations

import io

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safefs.kernel.handle import Handle
    from safefs.paths import RelPath


def raw_file(handle: Handle, path: RelPath, fd: int, mode: str) -> io.FileIO:
    """A raw file object, which owns the descriptor from here on; ``mode`` without ``b``."""
    if handle.policy.append_only and mode[0] == "a":
        return AppendedFile(handle, path, fd, mode)
    return io.FileIO(fd, mode)


class AppendedFile(io.FileIO):
    """A file that is written at its end alone, and is not cut either: PolicyError."""

    def __init__(self, handle: Handle, path: RelPath, fd: int, mode: str) -> None:
        super().__init__(fd, mode)
        self._policy = handle.policy
        self._path = path

    def truncate(self, size: int | None = None, /) -> int:
        wanted = self.tell() if size is None else size
        if wanted < self.seek(0, io.SEEK_END):
            raise self._policy.no_change(self._path)
        return super().truncate(wanted)
