"""A root held as a descriptor, with the policy that governs it."""

from __future__ import annotations

import os
from errno import ENOENT
from stat import S_ISDIR, S_ISREG

from safefs.audit import refused
from safefs.kernel import syscalls
from safefs.kernel.aliases import Aliases
from safefs.kernel.reached import Reached, place_beneath, place_of_fd
from safefs.rules import ALLOWED, PASSABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from safefs.operations.ledger import Meters
    from safefs.paths import RelPath
    from safefs.policy import Policy
    from safefs.rules import Rules


class Handle:
    """An open root directory: what every operation is given, and what keeps the number alive.

    Closing puts a dead descriptor over the number, so that a thread in the middle of a call meets
    an error and never another directory. The number itself is freed with the last reference.
    """

    __slots__ = (
        "__weakref__",
        "_aliases",
        "_identity",
        "asks",
        "checked",
        "checked_reads",
        "closed",
        "fd",
        "guarded",
        "hows",
        "inspects",
        "looks_first",
        "meters",
        "mount",
        "policy",
        "resolve",
        "rules",
        "sized",
    )

    def __init__(self, fd: int, policy: Policy, meters: Meters | None = None) -> None:
        """``meters``: the quotas that hold here, of this root and of those above it."""
        self.closed = False
        self.meters = meters
        self.policy = policy
        self.checked = policy.is_checked
        self.checked_reads = policy.asks_readers
        self.rules: Rules | None = policy.rules
        self.guarded = self.rules is not None
        patterns = self.rules is not None and self.rules.has_patterns
        self.inspects = patterns or policy.hard_links == "refuse"
        self.looks_first = policy.special_files == "refuse"
        self.asks = self.checked_reads or self.inspects or self.looks_first  # whoever reads
        self.sized = policy.max_file_size is not None or meters is not None
        self.hows: dict[int, Any] = {}  # what kernel.open_beneath knows of opens that are plain
        self._aliases: Aliases | None = None
        self.mount = syscalls.mount_id(fd) if policy.same_filesystem else None
        self.resolve = (
            syscalls.RESOLVE_BENEATH
            | syscalls.RESOLVE_NO_MAGICLINKS
            | (syscalls.RESOLVE_NO_SYMLINKS if policy.symlinks == "never" else 0)
            | (syscalls.RESOLVE_NO_XDEV if policy.same_filesystem else 0)
        )
        found = syscalls.fstat(fd)
        self._identity = found.st_dev, found.st_ino
        if self.rules is not None:
            fd = Reached.at(fd, b"")
            if patterns:
                self._aliases = Aliases(fd, self.rules, whole=not policy.lies_beneath)
        self.fd = fd  # last: from here on it is this object that closes it

    @property
    def plain(self) -> bool:
        """Whether no policy has a say in where a path may lead."""
        return not self.guarded and self.mount is None

    def is_root(self, fd: int) -> bool:
        """Whether the descriptor is of the root directory itself."""
        found = syscalls.fstat(fd)
        return (found.st_dev, found.st_ino) == self._identity

    def check_open(self) -> None:
        """ValueError once it is closed: what a dead descriptor answers is no answer."""
        if self.closed:
            raise ValueError("operation on a closed Root")

    def check_mount(self, fd: int, shown: str | bytes | None) -> None:
        """Refuse what was reached beyond a mount point, where the policy has no crossing.

        ``shown`` is None where the caller's path is not known: then it is no refusal yet, for it
        may be passed over, and ``parent.blame`` reports it.
        """
        if self.mount is not None and syscalls.mount_id(fd) != self.mount:
            error = self.policy.crossing(shown)
            raise error if shown is None else refused(error)

    def permit(self, path: RelPath, *, writes: bool, adds: bool = False) -> None:
        """The one check of the policy: after a path is resolved, before it is acted on."""
        if self.checked if writes else self.checked_reads:
            self.policy.check(path, writes=writes, adds=adds)

    def permit_file(self, shown: str | bytes, found: os.stat_result) -> None:
        """The same, of what was reached: before its content, mode or attributes are."""
        if self.inspects:
            self.policy.check_file(shown, found)
            aliased = found.st_nlink > 1 and S_ISREG(found.st_mode)
            if aliased and self._aliases is not None and self._aliases.denies(found):
                raise self.policy.alias(shown)

    # What the rules of names say. Only where ``guarded``.

    def refuse_name(
        self,
        place: bytes,
        shown: str | bytes,
        *,
        makes: bool = False,
        kind: Callable[[], os.stat_result] | None = None,
    ) -> None:
        """Refuse an entry by its true path.

        ``kind`` tells what it is, where that may be asked; without it, that is a directory to be
        made. ``makes``: it is to be made, and not looked for.
        """
        if self.rules is None:
            return
        verdict = self.rules.verdict(place)
        if verdict == ALLOWED:
            return
        if verdict == PASSABLE:
            if kind is None:
                return
            try:
                if S_ISDIR(kind().st_mode):
                    return
            except OSError as error:
                if not (makes and error.errno == ENOENT):
                    error.filename = shown
                    raise
        refusal = self.rules.refusal(place, shown)
        if self.rules.missing and not makes:
            raise FileNotFoundError(ENOENT, os.strerror(ENOENT), shown)
        raise refusal

    def refuse_passable(self, fd: int, shown: str | bytes) -> None:
        """Refuse to change a directory that is there only to be gone through."""
        if self.rules is not None and self.rules.verdict(place_of_fd(fd)) == PASSABLE:
            raise self.rules.refusal(place_of_fd(fd), shown)

    def refuse_child(
        self, dir_fd: int, name: str | bytes, *, directory: bool, shown: str | bytes | None = None
    ) -> None:
        """Refuse what is to be made in an open directory."""
        if self.rules is not None:
            place = place_beneath(place_of_fd(dir_fd), name)
            if self.rules.denies(place, directory=directory):
                raise self.rules.refusal(place, name if shown is None else shown)

    def hidden(self, dir_fd: int) -> Callable[[str, bool], bool] | None:
        """Whether a name (and: it is a directory) of a directory is in no listing; None: all are.

        What bears a temporary name is not asked: it has no name yet, and is hidden elsewhere.
        """
        rules = self.rules
        if rules is None:
            return None
        verdicts = rules.within(place_of_fd(dir_fd))

        def hidden(name: str, directory: bool) -> bool:  # noqa: FBT001  (its only use)
            verdict = verdicts[name]
            return verdict != ALLOWED and not (verdict == PASSABLE and directory)

        return hidden

    def allowed(self, dir_fd: int, names: list[str]) -> list[str] | None:
        """Those of a directory that are in a listing, or None where that hangs on what they are."""
        if self.rules is None:
            return names
        verdicts = self.rules.within(place_of_fd(dir_fd))
        judged = [verdicts[name] for name in names]
        if not any(judged):
            return names
        if PASSABLE in judged:
            return None
        return [name for name, verdict in zip(names, judged, strict=True) if verdict == ALLOWED]

    def close(self) -> None:
        """Give up the directory; what is in the middle of a call gets an error."""
        if self.closed:
            return
        self.closed = True
        try:
            dead = syscalls.open(os.devnull, syscalls.O_SEARCH | os.O_CLOEXEC)
        except OSError:
            return  # no descriptor to spare: the number stays until the last reference goes
        try:
            syscalls.dup2(dead, self.fd, False)
        except OSError:
            pass  # likewise
        finally:
            syscalls.close(dead)

    def __del__(self) -> None:
        try:
            syscalls.close(self.fd)
        except (AttributeError, OSError, TypeError):
            pass  # __init__ did not get as far as the descriptor, or the interpreter is ending


class Closed:
    """What stands in a Root's place for its handle once it is closed: every use is an error."""

    __slots__ = ()

    def __getattr__(self, name: str) -> object:
        raise ValueError("operation on a closed Root")
