"""The lowest layer of a file object, where a policy goes on holding for what is open."""

from __future__ import annotations

import io

from safefs.kernel import syscalls
from safefs.operations.sizes import growth_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from safefs.kernel.handle import Handle
    from safefs.operations.sizes import Growth
    from safefs.paths import RelPath


def raw_file(handle: Handle, path: RelPath, fd: int, mode: str) -> io.FileIO:
    """A raw file object, which owns the descriptor from here on; ``mode`` without ``b``."""
    keeps = handle.policy.append_only and mode[0] == "a"
    growth = growth_of(handle, path.shown) if mode != "r" else None
    return made_file(handle, path, fd, mode, growth, keeps=keeps, appends=mode[0] == "a")


def made_file(
    handle: Handle,
    path: RelPath,
    fd: int,
    mode: str,
    growth: Growth | None,
    *,
    keeps: bool = False,
    appends: bool = False,
) -> io.FileIO:
    """``keeps``: it is not cut. ``appends``: the system writes at its end, wherever it stands."""
    if growth is None and not keeps:
        return io.FileIO(fd, mode)
    return PolicedFile(handle, path, fd, mode, growth, keeps=keeps, appends=appends)


class PolicedFile(io.FileIO):
    """A file that is asked about before it grows, or that is not cut: PolicyError."""

    def __init__(
        self,
        handle: Handle,
        path: RelPath,
        fd: int,
        mode: str,
        growth: Growth | None,
        *,
        keeps: bool,
        appends: bool,
    ) -> None:
        super().__init__(fd, mode)
        self._policy = handle.policy
        self._path = path
        self._growth = growth
        self._keeps = keeps
        self._appends = appends

    def write(self, data: ReadableBuffer, /) -> int:
        size = memoryview(data).nbytes
        if self._growth is None or not size:
            return super().write(data)
        if self._appends:
            return self._growth.append(self.fileno(), size, super().write, data)
        return self._growth.run(self.fileno(), self.tell() + size, super().write, data)

    def truncate(self, size: int | None = None, /) -> int:
        wanted = self.tell() if size is None else size
        if self._keeps and wanted < syscalls.fstat(self.fileno()).st_size:
            raise self._policy.no_change(self._path)
        if self._growth is None:
            return super().truncate(wanted)
        return self._growth.run(self.fileno(), wanted, super().truncate, wanted)
