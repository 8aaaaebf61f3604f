"""Saying what an operation would meet on its way, and doing none of it.

The walk itself tells what it meets, whichever resolver is in use: so its rules and those of
``Policy`` are asked here as they are asked there, and are not written a second time. All but a tree
that is to be removed is opened with O_PATH: nothing is read, no FIFO is woken, no time of access is
set.
"""

from __future__ import annotations

import os
from errno import EACCES, EEXIST, EINVAL, EISDIR, ENOENT, ENOTSUP, ENXIO, EPERM, EROFS
from stat import S_ISDIR, S_ISLNK, S_ISREG, S_ISVTX

from safefs import audit
from safefs.errors import EscapeError
from safefs.explanation import Explanation, PathStep
from safefs.kernel import syscalls, walk
from safefs.kernel.procfs import permits
from safefs.operations.denied import refuse_denied_child
from safefs.operations.files import refuse_names_alike
from safefs.operations.names import look_ahead, missing_above
from safefs.operations.parent import Parent, open_child
from safefs.operations.replace import existing_entry, look_for_parent
from safefs.paths import RelPath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safefs.errors import InvalidPathError
    from safefs.explanation import Operation, StepKind
    from safefs.kernel.handle import Handle
    from safefs.kernel.trail import Trail

_R, _W, _X = 4, 2, 1  # of access(2)
_OPENING = {
    "read": os.O_RDONLY,
    "write": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "append": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    "create": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
}
_RDONLY = 1  # ST_RDONLY of statvfs(3)
_SUPERUSER = 0  # who may all that CAP_FOWNER lets do, as far as can be known
_LISTING = syscalls.O_PATH | os.O_DIRECTORY


def explain(handle: Handle, path: RelPath, operation: Operation) -> Explanation:
    """What would become of the operation. ENOTSUP on a system without O_PATH."""
    if not syscalls.O_PATH:
        raise OSError(ENOTSUP, "this system has no O_PATH, which looks without opening", path.shown)
    told = Told()
    try:
        _look(handle, path, operation, told)
    except OSError as error:
        handle.check_open()
        return explained(path.shown, operation, error, told.failed(error))
    return explained(path.shown, operation, None, told.finished(), told.place)


def explained(
    shown: str | bytes,
    operation: Operation,
    error: OSError | InvalidPathError | None,
    steps: tuple[PathStep, ...] = (),
    place: str | None = None,
) -> Explanation:
    """The explanation of these steps, which end in this error, or in none."""
    text = os.fsdecode(shown)
    if error is None:
        return Explanation(text, operation, allowed=True, place=place, steps=steps)
    number = error.errno if isinstance(error, OSError) else None
    said = error.strerror if isinstance(error, OSError) else str(error)
    return Explanation(
        text,
        operation,
        allowed=False,
        rule=audit.rule_of(error),
        error=type(error).__name__,
        errno=number,
        reason=said,
        steps=steps,
    )


def missed(error: OSError) -> StepKind:
    """What is known of a component that was not reached."""
    if isinstance(error, FileNotFoundError):
        return "missing"
    return "not a directory" if isinstance(error, NotADirectoryError) else "unknown"


def _look(handle: Handle, path: RelPath, operation: Operation, told: Told) -> None:
    if operation == "remove":
        _look_to_remove(handle, path, told)
    elif operation == "remove_tree":
        _look_to_remove_tree(handle, path, told)
    elif operation == "put":
        _look_to_put(handle, path, told)
    elif operation == "make_directory":
        _look_to_make(handle, path, told)
    elif operation == "list":
        handle.permit(path, writes=False)
        fd = walk.open_beneath(handle, path, _LISTING, told=told)
        try:
            _demand(fd, _R | _X)  # an entry is listed with what it is
        finally:
            syscalls.close(fd)
    else:
        _look_to_open(handle, path, _OPENING[operation], told)


def _look_to_open(handle: Handle, path: RelPath, flags: int, told: Told) -> None:
    """As ``files.open_regular`` opens."""
    only_new = bool(flags & os.O_TRUNC) and handle.policy.append_only
    if only_new:
        flags |= os.O_EXCL
    writes = bool(flags & os.O_WRONLY)
    handle.permit(path, writes=writes, adds=bool(flags & (os.O_APPEND | os.O_EXCL)))
    if flags & os.O_CREAT and handle.policy.portable_names:
        refuse_names_alike(handle, path)
    try:
        fd = _reached(handle, path, flags, told)
    except FileNotFoundError:
        if not (writes and told.is_last):
            raise
        told.creates()
        return
    try:
        if only_new and path.split()[1] in (b"", b".", b".."):
            raise _error(EISDIR)
        if flags & os.O_EXCL:
            raise handle.policy.no_change(path) if only_new else _error(EEXIST)
        _judge(handle, path, fd, writes=writes)
    finally:
        syscalls.close(fd)


def _reached(handle: Handle, path: RelPath, flags: int, told: Told) -> int:
    """With O_PATH the system ignores O_CREAT and O_EXCL, and the walk does not: see open(2)."""
    creation = flags & (os.O_CREAT | os.O_EXCL)
    if handle.looks_first and not flags & os.O_EXCL:
        try:
            return walk.open_beneath(handle, path, syscalls.O_PATH, told=told)
        except FileNotFoundError:
            pass
    return walk.open_beneath(handle, path, syscalls.O_PATH | creation, told=told)


def _judge(handle: Handle, path: RelPath, fd: int, *, writes: bool) -> None:
    """In the order in which the system and ``files.open_regular`` refuse."""
    found = syscalls.fstat(fd)
    if handle.looks_first:
        handle.policy.check_kind(path.shown, found.st_mode)
    is_directory = S_ISDIR(found.st_mode)
    if not (is_directory and writes):
        _demand(fd, _W if writes else _R)
    if not S_ISREG(found.st_mode):
        raise _error(EISDIR) if is_directory else OSError(ENXIO, "not a regular file")
    handle.permit_file(path.shown, found)


def _look_to_put(handle: Handle, path: RelPath, told: Told) -> None:
    """As ``replace.replace_file`` puts a file into a directory that is there."""
    _go_to_name(handle, path, told)
    with look_for_parent(handle, path) as parent:
        try:
            told.found(parent.lstat().st_mode)
        except FileNotFoundError:
            told.found(None)
        existing = existing_entry(parent)
        _demand_place(parent.fd)
        if existing is not None:
            _demand_owner(parent.fd, existing)


def _look_to_make(handle: Handle, path: RelPath, told: Told) -> None:
    """As ``names.makedirs`` makes a directory, and those above it, where they are missing."""
    handle.permit(path, writes=True, adds=True)
    try:
        syscalls.close(walk.open_beneath(handle, path, syscalls.DIRECTORY, told=told))
        return
    except (FileNotFoundError, NotADirectoryError):
        pass
    missing = missing_above(handle, path)
    there, new = look_ahead(handle, path, exist_ok=True)
    syscalls.close(walk.open_beneath(handle, there, syscalls.DIRECTORY, told=told))
    told.makes(new)
    with Parent(
        handle, missing[0] if missing else path, writes=True, adds=True, directory=True
    ) as parent:
        _demand_place(parent.fd)


def _look_to_remove(handle: Handle, path: RelPath, told: Told) -> None:
    """As ``names.unlink`` removes: ``Parent`` is what decides, and the walk tells of the way."""
    _go_to_name(handle, path, told)
    with Parent(handle, path, writes=True) as parent:
        if parent.slash:
            parent.demand_directory()
        found = parent.lstat()
        told.found(found.st_mode)
        _demand(parent.fd, _W | _X)
        _demand_owner(parent.fd, found)
        if S_ISDIR(found.st_mode):
            raise _error(EISDIR)


def _look_to_remove_tree(handle: Handle, path: RelPath, told: Told) -> None:
    """As ``removing.remove_tree`` begins; what lies beneath is looked at for its names alone.

    The one that opens to read: whether there is anything beneath decides what is asked of it.
    """
    _go_to_name(handle, path, told)
    with Parent(handle, path, writes=True) as parent:
        found = parent.lstat()
        told.found(found.st_mode)
        refuse_denied_child(handle, parent.fd, parent.name, path.shown)
        top = open_child(handle, parent.fd, parent.name, syscalls.LISTING, path.shown)
        try:
            if handle.is_root(top):
                raise _error(EINVAL)
            with syscalls.scandir(top) as entries:
                is_empty = next(entries, None) is None
            if not is_empty:
                _demand(top, _W | _X)
        finally:
            syscalls.close(top)
        _demand(parent.fd, _W | _X)
        _demand_owner(parent.fd, found)


def _go_to_name(handle: Handle, path: RelPath, told: Told) -> None:
    """Let the walk tell of the way to the directory in which a name stands, and of the name."""
    head, name, _ = path.split()
    named = name not in (b"", b".", b"..")
    above = RelPath(head, path.shown) if named else path
    syscalls.close(walk.open_beneath(handle, above, syscalls.DIRECTORY, told=told))
    if named:
        told.named(name)


def _demand_place(fd: int) -> None:
    """Refuse what the system would of a new name in this directory."""
    if not syscalls.fstat(fd).st_nlink:
        raise _error(ENOENT)
    _demand(fd, _W | _X)


def _demand(fd: int, access: int) -> None:
    """Refuse what the system would: by permissions, and on a mount that is read-only."""
    if permits(fd, access) is False:
        read_only = access & _W and syscalls.fstatvfs(fd).f_flag & _RDONLY
        raise _error(EROFS if read_only else EACCES)


def _demand_owner(dir_fd: int, found: os.stat_result) -> None:
    """Refuse what the sticky bit of a directory does, see unlink(2): a name of somebody else's."""
    here = syscalls.fstat(dir_fd)
    user = syscalls.geteuid()
    if here.st_mode & S_ISVTX and user not in (_SUPERUSER, here.st_uid, found.st_uid):
        raise _error(EPERM)


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _kind(mode: int) -> StepKind:
    if S_ISDIR(mode):
        return "directory"
    if S_ISREG(mode):
        return "file"
    return "symlink" if S_ISLNK(mode) else "other"


class _Met:
    """A step while it is being taken. ``left`` is what is still to be walked behind a link."""

    __slots__ = ("kind", "left", "mount", "name", "place", "rule", "target")

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.kind: StepKind = "unknown"
        self.place: bytes | None = None
        self.target: bytes | None = None
        self.rule: str | None = None
        self.mount = False
        self.left = 0

    def step(self) -> PathStep:
        place = None if self.place is None else os.fsdecode(self.place)
        target = None if self.target is None else os.fsdecode(self.target)
        return PathStep(os.fsdecode(self.name), self.kind, place, target, self.rule, self.mount)


class Told:
    """What the walk tells, as the steps of an ``Explanation``."""

    def __init__(self) -> None:
        self._trail: Trail | None = None
        self._met: list[_Met] = []
        self._links: list[_Met] = []  # whose targets are being walked
        self._where = b""  # the directory in which the last component stands
        self._end: bytes | None = None
        self.is_last = False
        self._hindrance: OSError | None = None

    def at(self, trail: Trail, name: bytes, left: int, *, dots: bool) -> None:
        if trail is not self._trail:  # the walk has begun, or begun again
            self._trail, self._met, self._links, self._end = trail, [], [], None
        if self._met and self._met[-1].kind == "unknown":  # it was replaced, and comes again
            self._met.pop()
        self._where = _joined(trail)
        while self._links and left < self._links[-1].left:
            self._links.pop().place = self._where
        self._met.append(_Met(name))
        if name == b"..":
            self._met[-1].kind = "directory"
            if trail.depth:
                self._met[-1].place = self._where.rpartition(b"/")[0]
        self.is_last = not left and not dots
        if self.is_last:
            self._hindrance = _hindrance(trail.fd)

    def linked(self, target: bytes, left: int) -> None:
        met = self._met[-1]
        met.kind, met.target, met.left = "symlink", target, left
        if target[:1] == b"/":
            met.rule = "symlinks"  # or there is none, which is said when it is refused
        self._links.append(met)

    def reached(self, fd: int) -> None:
        met, trail = self._met[-1], self._trail
        assert trail is not None
        met.kind = _kind(syscalls.fstat(fd).st_mode)
        met.place = self._beneath(met.name)
        met.mount = syscalls.mount_id(fd) != syscalls.mount_id(trail.fd)
        if self.is_last:
            self._end = met.place

    def creates(self) -> None:
        """What is missing is made, or the error is raised that says why not."""
        if self._hindrance is not None:
            raise self._hindrance
        met = self._met[-1]
        met.kind, met.place = "missing", self._beneath(met.name)
        self._end = met.place

    def named(self, name: bytes) -> None:
        """A name in the directory that the walk has come to."""
        self._settle()
        self._where = os.fsencode(self.place)
        self._met.append(_Met(name))
        self._end = self._beneath(name)

    def makes(self, names: list[bytes]) -> None:
        """Names that are missing beneath what the walk has come to, each in the one before."""
        for name in names:
            self.named(name)
            self.found(None)

    def found(self, mode: int | None) -> None:
        """What bears the name; None: nothing, and it is to be made."""
        self._met[-1].kind = "missing" if mode is None else _kind(mode)
        self._met[-1].place = self._end

    def _beneath(self, name: bytes) -> bytes:
        return b"/".join((self._where, name)) if self._where else name

    @property
    def place(self) -> str:
        """What has been reached."""
        if self._end is not None:
            return os.fsdecode(self._end)
        return "" if self._trail is None else os.fsdecode(_joined(self._trail))

    def _settle(self) -> None:
        end = os.fsencode(self.place)
        for link in self._links:
            link.place = end
        self._links.clear()

    def finished(self) -> tuple[PathStep, ...]:
        """The steps of a way that was gone to its end."""
        self._settle()
        return tuple(met.step() for met in self._met)

    def failed(self, error: OSError) -> tuple[PathStep, ...]:
        """The steps up to this error."""
        if self._met:
            self._explain(self._met[-1], error)
        return tuple(met.step() for met in self._met)

    @staticmethod
    def _explain(met: _Met, error: OSError) -> None:
        met.rule = audit.rule_of(error)
        if met.kind == "unknown":
            met.kind = missed(error)
            met.mount = met.rule == "same_filesystem"
        if isinstance(error, EscapeError) and error.reason == EscapeError.MAGIC_LINK:
            met.target = None  # the one text of a link that tells of what lies outside


def _joined(trail: Trail) -> bytes:
    return b"/".join(os.fsencode(name) for name in trail.names)


def _hindrance(fd: int) -> OSError | None:
    """What the system would say of a new name in this directory."""
    try:
        _demand_place(fd)
    except OSError as error:
        return error.with_traceback(None)
    return None
