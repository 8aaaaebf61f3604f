"""Where the members of an archive go on an encrypted disk: sealed on their way there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safefs.drivers.sealed import sealed_chunks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from safefs.age.opening import Key
    from safefs.archive.members import Place
    from safefs.paths import RelPath


class SealedBed:
    """A ``Place`` over another, whose files it seals; all the rest is that one's."""

    def __init__(self, inner: Place, key: Key) -> None:
        self._inner = inner
        self._key = key
        self.mkdir = inner.mkdir
        self.symlink = inner.symlink
        self.link = inner.link
        self.made = inner.made
        self.holds = inner.holds
        self.remove = inner.remove
        self.leads = inner.leads
        self.check = inner.check
        self.publish = inner.publish
        self.close = inner.close

    def create(
        self,
        path: RelPath,
        chunks: Iterable[bytes],
        mode: int | None,
        mtime_ns: int | None,
        *,
        replace: bool,
    ) -> None:
        sealed = sealed_chunks(chunks, self._key)
        self._inner.create(path, sealed, mode, mtime_ns, replace=replace)
