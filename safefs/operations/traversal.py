"""A tree gone through by descriptor, entry by entry: what would be copied or removed, in order."""

from __future__ import annotations

import os
from errno import EINVAL, ENXIO
from stat import S_ISREG

from safefs.audit import refused
from safefs.errors import PolicyError
from safefs.kernel import syscalls
from safefs.kernel.reached import place_beneath
from safefs.operations.collisions import collision
from safefs.operations.job import WholeError
from safefs.operations.tree import Descent
from safefs.paths import RelPath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from safefs.kernel.handle import Handle
    from safefs.operations.job import Job
    from safefs.policy import Policy
    from safefs.report import Kind

    Identity = tuple[int, int]


def identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino


class Within:
    """Refuses a copy that lies within its source: the directory that is copied into is met there.

    Looking for it from the other end, up from the target, could leave the root when a directory is
    moved meanwhile.
    """

    __slots__ = ("_target",)

    def __init__(self, target: os.stat_result) -> None:
        self._target = identity(target)

    def refuse(self, fd: int) -> None:
        """EINVAL for the descriptor of the directory that is copied into."""
        if identity(syscalls.fstat(fd)) == self._target:
            raise WholeError(EINVAL, "a tree cannot be copied into itself")


def refuse_kind(policy: Policy, name: str, kind: Kind) -> None:
    """What can be said of an entry that is to be copied: ENXIO, or what the policy refuses."""
    if policy.portable_names:
        policy.check(RelPath(os.fsencode(name), name), writes=True)
    if kind == "symlink" and policy.symlinks == "never":
        raise refused(PolicyError(name, "symlinks", "links are not made here"))
    if kind == "other":
        raise OSError(ENXIO, f"not a file, directory or link: {name!r}")


def refuse_place(target: Handle, place: bytes, shown: str, kind: Kind) -> None:
    """PolicyError for an entry that may not be made at this place."""
    rules = target.rules
    if rules is not None and rules.denies(place, directory=kind == "directory"):
        raise rules.refusal(place, shown)


def refuse_like(names: dict[str, str], path: str) -> None:
    """PolicyError for a name that is much like one of the same directory that came before."""
    from safefs.folding import folded

    above, _, name = path.rpartition("/")
    first = names.setdefault(f"{above}/{folded(name)}", name)
    if first != name:
        raise collision(path, first)


def rehearse_copy(
    source: Handle,
    top: int,
    target: Handle,
    within: Within | None,
    job: Job,
    place: bytes = b"",
) -> None:
    """Count and record what ``copytree`` would do, and raise what it would by looking alone.

    ``place``: where it would lie beneath the root of ``target``.
    """
    seen: set[Identity] = set()
    asks = target.policy.portable_names
    names: dict[str, str] = {}

    def look(fd: int, name: str, path: str, kind: Kind) -> None:
        refuse_kind(target.policy, name, kind)
        if asks:
            refuse_like(names, path)
        if target.rules is not None:
            refuse_place(target, place_beneath(place, path), name, kind)
        if kind != "file":
            job.done("create", path, kind)
            return
        found = syscalls.stat(name, dir_fd=fd, follow_symlinks=False)
        if not S_ISREG(found.st_mode):
            raise OSError(ENXIO, f"not a regular file: {name!r}")
        source.permit_file(name, found)
        if job.hard_links and found.st_nlink > 1:
            if identity(found) in seen:
                job.done("create", path, "link")
                return
            seen.add(identity(found))
        target.policy.check_size(path, found.st_size)
        job.bytes(path, found.st_size)
        job.done("create", path, "file", found.st_size)

    visit_down(source, top, look, job, within)


def visit_down(
    handle: Handle,
    top: int,
    look: Callable[[int, str, str, Kind], object],
    job: Job,
    within: Within | None = None,
) -> None:
    """``look`` at each entry (its directory's descriptor, name, path, kind), a directory first."""
    descent = Descent(handle, top)
    try:
        prefixes = [""]
        if within is not None:
            within.refuse(top)
        pending = [iter(descent.kinds())]
        while pending:
            prefix = prefixes[-1]
            for name, kind in pending[-1]:
                path = prefix + name
                try:
                    job.entry(path, len(pending))
                    if kind != "directory":
                        look(descent.fd, name, path, kind)
                        continue
                    descent.enter(name)
                except OSError as error:
                    job.failed(error, path, kind)
                    continue
                if within is not None:
                    within.refuse(descent.fd)
                look(descent.fd, name, path, kind)
                prefixes.append(path + "/")
                pending.append(iter(descent.kinds()))
                break
            else:
                pending.pop()
                prefixes.pop()
                if pending:
                    descent.up()
    finally:
        descent.close()


def rehearse_removal(handle: Handle, top: int, job: Job) -> None:
    """Count and record what ``remove_entries`` would do."""
    descent = Descent(handle, top, temporary=True)
    counts = job.budget.bytes is not None
    try:
        prefixes = [""]
        pending = [descent.kinds(ordered=False)]
        while pending:
            prefix = prefixes[-1]
            if not pending[-1]:
                pending.pop()
                prefixes.pop()
                if pending:
                    descent.up()
                    job.done("remove", prefix[:-1], "directory")
                continue
            name, kind = pending[-1].pop()
            path = prefix + name
            try:
                job.entry(path, len(pending))
                if kind == "directory":
                    descent.enter(name)
                elif counts and kind == "file":
                    found = syscalls.stat(name, dir_fd=descent.fd, follow_symlinks=False)
                    job.bytes(path, found.st_size)
            except OSError as error:
                job.failed(error, path, kind)
                continue
            if kind != "directory":
                job.done("remove", path, kind)
                continue
            prefixes.append(path + "/")
            pending.append(descent.kinds(ordered=False))
    finally:
        descent.close()
