"""The quotas of a tree in memory: counted anew whenever they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safefs.audit import refused
from safefs.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from safefs.policy import Policy


@dataclass(frozen=True, slots=True, eq=False)
class Quota:
    """How much there may be beneath a directory."""

    top: Any
    most_bytes: int | None
    most_files: int | None


@dataclass(slots=True, eq=False)
class _Draft:
    quotas: tuple[Quota, ...]
    spare: int  # the bytes of what it is to replace
    replaces: bool


class Tally:
    """What counts beside what has its name: files that are written, and trees beside the tree.

    To be used while the tree is locked.
    """

    def __init__(self, count: Callable[[Any], tuple[int, int]], size: Callable[[Any], int]) -> None:
        """``count``: (bytes, names) beneath a directory; ``size``: the bytes of a file."""
        self._count = count
        self._size = size
        self._drafts: dict[Any, _Draft] = {}
        self._grafts: dict[Any, tuple[Quota, ...]] = {}

    @staticmethod
    def with_own(quotas: tuple[Quota, ...], top: Any, policy: Policy | None) -> tuple[Quota, ...]:
        if policy is None or not policy.counts:
            return quotas
        return (*quotas, Quota(top, policy.quota_bytes, policy.quota_files))

    def begin(self, quotas: tuple[Quota, ...], file: Any, spare: int, *, replaces: bool) -> None:
        if quotas:
            self._drafts[file] = _Draft(quotas, spare, replaces)

    def end(self, file: Any) -> None:
        self._drafts.pop(file, None)

    def graft(self, quotas: tuple[Quota, ...], tree: Any) -> None:
        if quotas:
            self._grafts[tree] = quotas

    def grafted(self, tree: Any) -> None:
        self._grafts.pop(tree, None)

    def growth(self, file: Any, end: int) -> int:
        """What a file that reaches so far has more than it is charged with."""
        draft, size = self._drafts.get(file), self._size(file)
        spare = draft.spare if draft is not None else 0
        return max(0, end - spare) - max(0, size - spare)

    def check(
        self, shown: str | bytes, quotas: tuple[Quota, ...], size: int = 0, names: int = 0
    ) -> None:
        """PolicyError where so much more would be too much."""
        for quota in quotas:
            there, files = self._usage(quota.top)
            most = quota.most_files
            if most is not None and names > 0 and files + names > most:
                reason = f"there would be more than {most} files on the disk"
                raise refused(PolicyError(shown, "quota_files", reason))
            most = quota.most_bytes
            if most is not None and size > 0 and there + size > most:
                reason = f"there would be more than {most} bytes on the disk"
                raise refused(PolicyError(shown, "quota_bytes", reason))

    def _usage(self, top: Any) -> tuple[int, int]:
        size, names = self._count(top)
        for tree, quotas in self._grafts.items():
            if any(quota.top is top for quota in quotas):
                more, others = self._count(tree)
                size += more
                names += others
        for file, draft in self._drafts.items():
            if any(quota.top is top for quota in draft.quotas):
                size += max(0, self._size(file) - draft.spare)
                names += not draft.replaces
        return size, names
