"""Root: a directory held as a capability, in the words of ``os``."""

from __future__ import annotations

from errno import ELOOP, ENAMETOOLONG, EXDEV
from stat import S_ISDIR, S_ISLNK, S_ISREG

from safefs.errors import EscapeError, InvalidPathError, PolicyError
from safefs.kernel import open_beneath, syscalls
from safefs.kernel.handle import Closed, Handle
from safefs.kernel.reached import place_of_fd
from safefs.operations import atomic as opening
from safefs.operations import (
    attributes,
    copying,
    copytree,
    files,
    globbing,
    listing,
    many,
    moving,
    names,
    removing,
    replace,
    tree,
)
from safefs.operations.copytree import Place
from safefs.operations.job import Job
from safefs.operations.preserving import checked_words
from safefs.paths import RelPath, encode
from safefs.paths import coerced as _parse
from safefs.policy import Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import IO, Any, BinaryIO, Literal, NoReturn, Self, TextIO, overload

    from safefs.budget import Budget
    from safefs.operations.job import OnError
    from safefs.operations.ledger import Meters
    from safefs.progress import Listener
    from safefs.report import TreeReport

    StrOrBytesPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]
    AnyPath = StrOrBytesPath | RelPath
    Buffer = bytes | bytearray | memoryview
    BinaryMode = Literal[
        "rb", "wb", "ab", "xb", "br", "bw", "ba", "bx",
        "rb+", "wb+", "ab+", "xb+", "r+b", "w+b", "a+b", "x+b",
    ]  # fmt: skip
    TextMode = Literal[
        "r", "w", "a", "x", "rt", "wt", "at", "xt",
        "r+", "w+", "a+", "x+", "r+t", "w+t", "a+t", "x+t", "rt+", "wt+", "at+", "xt+",
    ]  # fmt: skip

_CLOSED: Any = Closed()
# What exists and its kin answer with False; ENAMETOOLONG because nothing can have such a name.
_NOWHERE = frozenset({ELOOP, ENAMETOOLONG, EXDEV})
_UNREACHABLE = (FileNotFoundError, NotADirectoryError, EscapeError, InvalidPathError, PolicyError)


class Root:
    """An open directory, beneath which every path is resolved and none beyond.

    Opening it is the one ambient act: ``directory`` is looked up once and its name never used
    again, so renaming or replacing the directory changes nothing for this Root. From then on a
    path (str, bytes or os.PathLike) can only name something beneath: ``..`` and links are followed
    inside and refused where they would leave, by the kernel and also while someone changes the
    tree. All methods raise

    - ``EscapeError`` (a PermissionError) where the path leaves: ``..`` above the root, an absolute
      path, a link that leads out or has an absolute target, a magic link of procfs;
    - ``InvalidPathError`` (a ValueError) for NUL and for text that cannot be encoded;
    - ``PolicyError`` (a PermissionError) where ``policy`` forbids it;
    - ``TypeError`` for what is no path, an int included;
    - ``ValueError`` on a closed Root;
    - ``OSError`` as ``os`` does, with the caller's path.

    Threads may share a Root, and it may be closed under them. After ``fork`` both processes have
    it. It refuses pickle and copy.

    Not promised: mounts beneath the root are crossed (unless ``same_filesystem``), hard links to
    files elsewhere are files inside, and who may write to the tree may change it at any time.
    """

    __slots__ = ("__weakref__", "_handle", "_retired")
    _is_door = True  # for safefs.audit

    def __init__(self, directory: StrOrBytesPath, *, policy: Policy | None = None) -> None:
        """Open ``directory``; links in its own path are followed, as for any ambient path."""
        self._handle = self._retired = _CLOSED  # what close and del find if the open fails
        policy = Policy() if policy is None else _checked(policy)
        raw, text = encode(directory)
        try:
            fd = syscalls.open(raw, syscalls.DIRECTORY)
        except OSError as error:
            error.filename = text
            raise
        self._adopt(fd, policy, policy)

    def _adopt(
        self, fd: int, policy: Policy, own: Policy | None, meters: Meters | None = None
    ) -> None:
        """``own``: what is set on this very root; ``meters``: the quotas of those above it."""
        try:
            if own is not None and own.counts:
                from safefs.operations.ledger import NO_METERS

                meters = (meters or NO_METERS).with_own(fd, own)
            self._handle = Handle(fd, policy, meters)
        except BaseException:
            syscalls.close(fd)
            raise

    # The handle itself

    @property
    def policy(self) -> Policy:
        """What is allowed beneath this root."""
        policy: Policy = self._handle.policy
        return policy

    @property
    def closed(self) -> bool:
        return self._handle is _CLOSED

    def fileno(self) -> int:
        """The directory's descriptor (O_PATH where the system has it); the Root closes it."""
        fd: int = self._handle.fd
        return fd

    def close(self) -> None:
        """Give the directory up. Calls in the middle get an error; open files stay open.

        The number stays taken until the last reference to this Root is gone, so that no thread
        can meet another directory under it.
        """
        handle, self._handle = self._handle, _CLOSED
        if handle is not _CLOSED:
            self._retired = handle
            handle.close()

    def __enter__(self) -> Self:
        _ = self._handle.fd  # a closed Root cannot be entered
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if not hasattr(self, "_handle"):  # half made, as a traceback may show it
            return f"<{type(self).__name__}>"
        return "<Root closed>" if self.closed else f"<Root fd={self.fileno()} {self.policy!r}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a Root is an open descriptor: it cannot be pickled or copied; send the name of the "
            "directory and open it there"
        )

    def subroot(self, path: AnyPath, *, policy: Policy | None = None) -> Root:
        """A Root on a directory beneath this one, with a descriptor of its own.

        Its policy allows what this one's does and, where given, ``policy`` does too: never more.
        The rule of dot entries belongs to the top and stays with it.
        """
        handle, parsed = self._handle, _parse(path)
        handle.permit(parsed, writes=False)
        fd = open_beneath(handle, parsed, syscalls.DIRECTORY)
        sub = Root.__new__(Root)
        sub._handle = sub._retired = _CLOSED  # noqa: SLF001
        try:
            kept = handle.policy
            if handle.guarded or handle.checked:
                kept = kept.beneath(parsed, place_of_fd(fd) if handle.guarded else b"")
            kept = kept if policy is None else kept.narrowed(_checked(policy))
            meters = handle.meters
        except BaseException:
            syscalls.close(fd)
            raise
        sub._adopt(fd, kept, policy, meters)  # noqa: SLF001
        return sub

    # Files

    if TYPE_CHECKING:

        @overload
        def open(
            self,
            path: AnyPath,
            mode: TextMode = "r",
            buffering: int = -1,
            encoding: str | None = None,
            errors: str | None = None,
            newline: str | None = None,
            *,
            atomic: bool = False,
            durable: bool = False,
            permissions: int = 0o666,
        ) -> TextIO: ...

        @overload
        def open(
            self,
            path: AnyPath,
            mode: BinaryMode,
            buffering: int = -1,
            *,
            atomic: bool = False,
            durable: bool = False,
            permissions: int = 0o666,
        ) -> BinaryIO: ...

        @overload
        def open(
            self,
            path: AnyPath,
            mode: str,
            buffering: int = -1,
            encoding: str | None = None,
            errors: str | None = None,
            newline: str | None = None,
            *,
            atomic: bool = False,
            durable: bool = False,
            permissions: int = 0o666,
        ) -> IO[Any]: ...

    def open(
        self,
        path: AnyPath,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        *,
        atomic: bool = False,
        durable: bool = False,
        permissions: int = 0o666,
    ) -> IO[Any]:
        """Open a regular file as the builtin ``open`` does.

        Never blocks: a FIFO, a socket or a device is ENXIO, a directory EISDIR, a file under
        another's lease BlockingIOError. ``"x"`` follows no link; ``"w"`` and ``"a"`` follow a link
        inside, also to a file that does not exist yet. The file object's ``name`` is its
        descriptor, so that nobody reopens it by name.

        ``atomic``, with ``"w"`` or ``"x"``: what is written takes its name when the file is
        closed, as a whole, as in ``replace_file``. If the ``with`` block is left by an exception,
        the file is never closed, the Root is closed before it, or its directory has been moved
        meanwhile (ESTALE), nothing has changed.

        ``durable``, with ``atomic``: closing synchronises too, as in ``replace_file``. A file that
        is written in place is whatever its writer makes of it: ``os.fsync(file.fileno())``.

        ``permissions``: those of a file that is created, less the umask.
        """
        if type(permissions) is not int or permissions != 0o666:
            permissions = _permissions(permissions)
        if atomic or durable:
            opening.check_atomic(files.mode_of(mode), atomic=atomic, durable=durable)
        if atomic:
            return opening.open_atomic(  # type: ignore[return-value]  # it delegates to one
                self._handle,
                _parse(path),
                mode,
                buffering,
                encoding,
                errors,
                newline,
                permissions,
                durable=durable,
            )
        return files.open_file(
            self._handle, path, mode, buffering, encoding, errors, newline, permissions
        )

    def read_bytes(self, path: AnyPath) -> bytes:
        """The whole content of a regular file."""
        return files.read_bytes(self._handle, path)

    if TYPE_CHECKING:

        @overload
        def read_many(
            self, paths: Iterable[AnyPath], *, return_exceptions: Literal[False] = False
        ) -> list[bytes]: ...

        @overload
        def read_many(
            self, paths: Iterable[AnyPath], *, return_exceptions: bool
        ) -> list[bytes | OSError | ValueError]: ...

    def read_many(self, paths: Iterable[AnyPath], *, return_exceptions: bool = False) -> list[Any]:
        """The content of each file, in the order given: ``read_bytes`` of many.

        In less time where several lie in one directory: that is resolved once for up to 256 of
        them, and held until they have been read. Links are followed, as ``read_bytes`` does. Under
        a policy that is to be asked of each (``deny``, ``allow``, ``hard_links``,
        ``special_files``, ``same_filesystem``) each is read by its own path.

        ``return_exceptions``: an error (``OSError``, ``EscapeError`` and ``PolicyError`` among
        them, or ``InvalidPathError``) stands in the place of a content, as in ``asyncio.gather``;
        otherwise the first that is met is raised, and what was read is lost. They are read
        directory by directory, so the first that is met need not be the first in the order given.
        ``TypeError`` is raised in any case, also for one path where many are asked for.

        All paths are taken before the first is read, and all contents are in memory at once: of
        more than that, read some at a time.
        """
        return many.read_many(self._handle, paths, keeps_errors=return_exceptions)

    def read_text(self, path: AnyPath, encoding: str = "utf-8") -> str:
        """The whole content as text, with every kind of line end read as ``\\n``."""
        text = files.read_bytes(self._handle, path).decode(encoding)
        return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text

    def write_bytes(self, path: AnyPath, data: Buffer) -> int:
        """Write a file in place, creating it where needed; the number of bytes.

        Not atomic: see ``replace_file``.
        """
        return files.write_bytes(self._handle, path, data)

    def write_text(self, path: AnyPath, text: str, encoding: str = "utf-8") -> int:
        """Write text in place, line ends untouched; the number of characters."""
        if not isinstance(text, str):
            raise TypeError(f"write_text takes str, not {type(text).__name__}")
        files.write_bytes(self._handle, path, text.encode(encoding))
        return len(text)

    def replace_file(
        self,
        path: AnyPath,
        data: Buffer | Iterable[Buffer],
        *,
        durable: bool = False,
        preserve: Iterable[str] = (),
        mode: int | None = None,
    ) -> None:
        """Put a new file in the place of ``path`` in one step: readers see the old one or the new.

        Written under a temporary name in the same directory and renamed; on any error that is
        removed and nothing has changed. A link in the last place is replaced, not followed. The
        new file has the permissions of the file it replaces, or 0666 less the umask, or ``mode``.

        ``durable``: the content is synchronised (fsync(2)) before the rename and the directory
        after it. While the machine crashes it is the old content or the new that is found
        afterwards, and once this has returned it is the new. Without it, a crash of the machine may
        leave the old content, the new, or on some file systems an empty file. An error of the first
        fsync leaves the old content; after one of the second, which carries a note, the new content
        is there, and may be the old again after a crash.

        ``preserve``: ``"ownership"`` and ``"xattr"``, what the new file takes over from the regular
        file it replaces, beside its permissions (which never bring set-id bits along). What this
        process may not set is an error (EPERM), and nothing has changed. Extended attributes (on
        Linux, elsewhere ENOTSUP) are those this process can see, ACLs among them, but for
        ``security.capability``, which is a right like the set-id bits, and ``security.ima`` and
        ``security.evm``, which vouch for the old content. Another word is ValueError.
        """
        is_buffer = isinstance(data, bytes | bytearray | memoryview)
        chunks: Any = (data,) if is_buffer else data
        replace.replace_file(
            self._handle,
            _parse(path),
            chunks,
            durable=durable,
            mode=mode,
            preserve=checked_words(preserve) if preserve else (),
        )

    def truncate(self, path: AnyPath, length: int) -> None:
        """Cut or extend a regular file to ``length`` bytes."""
        files.truncate(self._handle, _parse(path), length)

    def copy(self, src: AnyPath, dst: AnyPath, *, replace: bool = True) -> None:
        """Copy a regular file: its content and its permissions, without set-id bits.

        ``dst`` appears whole, in one step, and a link in its last place is replaced, not followed.
        Onto itself is ``SameFileError``; ``replace=False`` makes a ``dst`` that exists
        FileExistsError; a directory on either side is IsADirectoryError.
        """
        copying.copy(self._handle, _parse(src), _parse(dst), replace=replace)

    # Attributes

    def stat(self, path: AnyPath) -> os.stat_result:
        """The stat of what the path leads to; links inside are followed."""
        return attributes.stat(self._handle, path)

    if TYPE_CHECKING:

        @overload
        def stat_many(
            self, paths: Iterable[AnyPath], *, return_exceptions: Literal[False] = False
        ) -> list[os.stat_result]: ...

        @overload
        def stat_many(
            self, paths: Iterable[AnyPath], *, return_exceptions: bool
        ) -> list[os.stat_result | OSError | ValueError]: ...

    def stat_many(self, paths: Iterable[AnyPath], *, return_exceptions: bool = False) -> list[Any]:
        """``stat`` of each, in the order given: with the terms of ``read_many``."""
        return many.stat_many(self._handle, paths, keeps_errors=return_exceptions)

    def lstat(self, path: AnyPath) -> os.stat_result:
        """The stat of the entry itself; ``link/`` is NotADirectoryError."""
        return attributes.lstat(self._handle, _parse(path))

    def exists(self, path: AnyPath) -> bool:
        """Whether the path leads to something inside.

        False for what is not found, a loop, an escape, a refusal and invalid text. TypeError,
        EACCES and EIO are raised: they are no answer.
        """
        handle = self._handle
        _ = handle.fd  # a closed Root answers nothing, not even about invalid text
        try:
            return attributes.exists(handle, path)
        except _UNREACHABLE:
            pass
        except OSError as error:
            if error.errno not in _NOWHERE:
                raise
        _ = self._handle.fd  # closed meanwhile, it leads nowhere, and that is no answer
        return False

    def is_file(self, path: AnyPath) -> bool:
        """Whether the path leads to a regular file inside; answers as ``exists`` does."""
        mode = self._mode(path)
        return mode is not None and S_ISREG(mode)

    def is_dir(self, path: AnyPath) -> bool:
        """Whether the path leads to a directory inside; answers as ``exists`` does."""
        mode = self._mode(path)
        return mode is not None and S_ISDIR(mode)

    def is_symlink(self, path: AnyPath) -> bool:
        """Whether the entry itself is a link, wherever it leads; answers as ``exists`` does."""
        mode = self._mode(path, follow=False)
        return mode is not None and S_ISLNK(mode)

    def _mode(self, path: AnyPath, *, follow: bool = True) -> int | None:
        look = attributes.stat if follow else attributes.lstat
        handle = self._handle
        _ = handle.fd  # a closed Root answers nothing, not even about invalid text
        try:
            return look(handle, _parse(path)).st_mode
        except _UNREACHABLE:
            pass
        except OSError as error:
            if error.errno not in _NOWHERE:
                raise
        _ = self._handle.fd  # closed meanwhile, it leads nowhere, and that is no answer
        return None

    def chmod(self, path: AnyPath, mode: int) -> None:
        """Set the permissions of what the path leads to."""
        attributes.chmod(self._handle, _parse(path), _permissions(mode))

    def utime(
        self,
        path: AnyPath,
        times: tuple[float, float] | None = None,
        *,
        ns: tuple[int, int] | None = None,
    ) -> None:
        """Set (access, modification) time, in seconds or nanoseconds; neither given means now."""
        if times is not None and ns is not None:
            raise ValueError("utime: give times or ns, not both")
        if times is not None:
            atime, mtime = times
            ns = (_nanoseconds(atime), _nanoseconds(mtime))
        if ns is not None:
            ns = _times(ns)
        attributes.utime(self._handle, _parse(path), ns)

    def getxattr(self, path: AnyPath, attribute: str | bytes) -> bytes:
        """The value of an extended attribute (Linux)."""
        return attributes.getxattr(self._handle, _parse(path), attribute)

    def setxattr(self, path: AnyPath, attribute: str | bytes, value: bytes, flags: int = 0) -> None:
        """Set an extended attribute; ``flags`` as os.XATTR_CREATE and os.XATTR_REPLACE (Linux)."""
        attributes.setxattr(self._handle, _parse(path), attribute, value, flags)

    def listxattr(self, path: AnyPath) -> list[str]:
        """The names of the extended attributes (Linux)."""
        return attributes.listxattr(self._handle, _parse(path))

    def removexattr(self, path: AnyPath, attribute: str | bytes) -> None:
        """Remove an extended attribute (Linux)."""
        attributes.removexattr(self._handle, _parse(path), attribute)

    # Directories

    def listdir(self, path: AnyPath = ".") -> list[str]:
        """The names in a directory, in no order; links by their own name.

        A temporary name of safefs (``.safefs-<16 hex digits>.tmp``), under which something is being
        written or was when a writer crashed, is in no listing, here or elsewhere, whoever has given
        it. ``disk_usage`` counts it and ``remove_tree`` removes it; ``rmdir`` fails with ENOTEMPTY.
        """
        return listing.listdir(self._handle, _parse(path))

    def scandir(self, path: AnyPath = ".") -> listing.Listing:
        """The entries of a directory, each with a stat that was taken by descriptor.

        An iterator and a context manager, as ``os.scandir``. It holds the directory open until it
        is exhausted or closed.
        """
        return listing.Listing(self._handle, _parse(path))

    def walk(
        self,
        path: AnyPath = ".",
        *,
        topdown: bool = True,
        onerror: Callable[[OSError], object] | None = None,
    ) -> Iterator[tuple[str, list[str], list[str]]]:
        """Yield (dirpath, dirnames, filenames) for a directory and all beneath it.

        ``dirpath`` is relative to the root, ``"."`` for the root itself. Names are sorted, and
        memory is that of one directory for each level. Links are listed among the files and never
        entered. With ``topdown``, ``dirnames`` may be changed
        to say where to go; what is put there must be single names, else ``InvalidPathError``. An
        error at ``path`` is raised; one further down goes to ``onerror``, or is passed over, as in
        ``os.walk``.
        """
        return tree.walk(self._handle, _parse(path), topdown=topdown, onerror=onerror)

    def find(self, path: AnyPath = ".") -> Iterator[str]:
        """The path of everything beneath a directory that is no directory itself.

        Depth first, names sorted within each directory; memory is that of one directory for each
        level. Links are among the results and never entered. A directory that cannot be read is
        an error; one that is gone when its turn comes is passed over.
        """
        return tree.find(self._handle, _parse(path))

    def glob(self, pattern: AnyPath) -> Iterator[str]:
        """The paths that match ``*``, ``?``, ``[...]`` and ``**``, sorted within each directory.

        One after another: memory is that of one directory for each level.
        Dot entries match like any other; ``**`` stands for any number of directories, and at the
        end for where it is applied and everything beneath; a slash at the end asks for directories.
        Leading components without wildcards are resolved like any path; from the first wildcard
        on, links are matched and never entered, and what may not be entered is passed over. ``..``
        in a pattern is ``InvalidPathError``.
        """
        handle = self._handle
        _ = handle.fd
        parsed = _parse(pattern)
        globbing.check_pattern(parsed)
        return globbing.glob(handle, parsed)

    def disk_usage(self, path: AnyPath = ".") -> int:
        """The bytes of all files beneath a directory, as their sizes say; hard links count once."""
        return tree.disk_usage(self._handle, _parse(path))

    def mkdir(self, path: AnyPath, mode: int = 0o777) -> None:
        """Make a directory; its parent must exist."""
        names.mkdir(self._handle, _parse(path), mode)

    def makedirs(
        self,
        path: AnyPath,
        mode: int = 0o777,
        *,
        exist_ok: bool = False,
        parents_mode: int = 0o777,
    ) -> None:
        """Make a directory and those above it, which get ``parents_mode``, each less the umask."""
        names.makedirs(
            self._handle, _parse(path), mode, exist_ok=exist_ok, parents_mode=parents_mode
        )

    def rmdir(self, path: AnyPath) -> None:
        """Remove an empty directory."""
        names.rmdir(self._handle, _parse(path))

    def remove_tree(
        self,
        path: AnyPath,
        *,
        on_error: OnError | None = None,
        progress: Listener | None = None,
        budget: Budget | None = None,
        dry_run: bool = False,
    ) -> TreeReport:
        """Remove a directory and all beneath it, by descriptor and following nothing.

        A link is NotADirectoryError and the root itself EINVAL. What fails is raised at once, and
        what has been removed by then is gone; or it goes to ``on_error`` as an ``OSError`` with the
        path of the entry, and the rest is removed but for the directories above.

        ``progress`` is told of each entry: a callable of a ``Progress``, or a callback of fsspec.
        More than the ``budget`` is ``BudgetError`` before anything is removed. ``dry_run`` removes
        nothing; what it returns says what would be. Bytes are not counted: none are written.
        """
        job = Job(on_error=on_error, progress=progress, budget=budget, dry_run=dry_run)
        removing.remove_tree(self._handle, _parse(path), job)
        return job.report()

    def copy_tree(
        self,
        src: AnyPath,
        dst: AnyPath,
        *,
        on_error: OnError | None = None,
        progress: Listener | None = None,
        budget: Budget | None = None,
        dry_run: bool = False,
        hard_links: bool = False,
    ) -> TreeReport:
        """Copy a directory and all beneath it: content, permissions and times; links as links.

        ``dst`` must not exist (FileExistsError). It is filled under a temporary name and appears
        whole, or not at all. Set-id bits stay behind; holes of sparse files do not get filled, and
        blocks are shared where the file system can. A FIFO, socket or device in the tree is ENXIO;
        a tree into itself EINVAL.

        ``on_error`` is given the ``OSError`` of each entry that cannot be copied, with its path;
        the entry is left out. Without it the first one is raised, and nothing is copied.
        ``progress``: a callable of a ``Progress``, or a callback of fsspec. More than the
        ``budget`` is ``BudgetError``: before anything is changed, or, where the tree grows
        meanwhile, with nothing copied. ``dry_run`` changes nothing; what it returns is what the
        copy would return, as far as that can be told without reading a file. ``hard_links``: two
        names of one file in the tree are two names of one copy, and not two copies.
        """
        job = Job(
            on_error=on_error,
            progress=progress,
            budget=budget,
            dry_run=dry_run,
            hard_links=hard_links,
        )
        places = Place(self._handle, _parse(src)), Place(self._handle, _parse(dst))
        copytree.copy_tree(*places, job)
        return job.report()

    def move_tree(
        self,
        src: AnyPath,
        dst: AnyPath,
        *,
        on_error: OnError | None = None,
        progress: Listener | None = None,
        budget: Budget | None = None,
        dry_run: bool = False,
        hard_links: bool = False,
    ) -> TreeReport:
        """Move a directory and all beneath it to where nothing stands (else FileExistsError).

        Renamed in one step where both lie on one file system, and then all is as it was, set-id
        bits too; a link is NotADirectoryError. Else copied as by ``copy_tree``, and then what was
        copied is removed. What changed since it was copied, or was not copied, is not removed
        (ESTALE); should the removal fail, the error says that ``dst`` is whole. Keywords as those
        of ``copy_tree``.
        """
        job = Job(
            on_error=on_error,
            progress=progress,
            budget=budget,
            dry_run=dry_run,
            hard_links=hard_links,
        )
        places = Place(self._handle, _parse(src)), Place(self._handle, _parse(dst))
        moving.move_tree(*places, job)
        return job.report()

    # Names

    def unlink(self, path: AnyPath) -> None:
        """Remove a file, or a link itself."""
        names.unlink(self._handle, _parse(path))

    def rename(self, src: AnyPath, dst: AnyPath, *, replace: bool = True) -> None:
        """Rename a file, link or directory; neither link is followed.

        Replaces as ``os.replace`` does, or with ``replace=False`` raises FileExistsError where
        ``dst`` exists, under a race too. Where the system has no such rename, the new name is
        taken exclusively first and the old one given up after, so for a moment both exist.
        """
        names.rename(self._handle, _parse(src), _parse(dst), replace=replace)

    def link(self, src: AnyPath, dst: AnyPath) -> None:
        """Make a hard link; a ``src`` that is a link is linked itself, not followed."""
        names.link(self._handle, _parse(src), _parse(dst))

    def symlink(self, target: StrOrBytesPath, path: AnyPath) -> None:
        """Make a link that holds ``target`` as it is given.

        The target is text and not checked: it is following a link that is confined. A link that
        leads out can therefore be made, cannot be followed by safefs, and can by others.
        """
        names.symlink(self._handle, encode(target)[0], _parse(path))

    def readlink(self, path: AnyPath) -> str | bytes:
        """The text of a link; bytes for a path given as bytes."""
        return names.readlink(self._handle, _parse(path))


def _checked(policy: Policy) -> Policy:
    if not isinstance(policy, Policy):
        raise TypeError(f"policy is a Policy, not {type(policy).__name__}")
    return policy


def _permissions(mode: int) -> int:
    """The bits that chmod sets; the type of file in an ``st_mode`` is left out, as the system does.

    ctypes would cut a larger number to 32 bits without a word.
    """
    if not 0 <= mode < 1 << 31:
        raise OverflowError(f"no mode is {mode}")
    return mode & 0o7777


def _times(ns: tuple[int, int]) -> tuple[int, int]:
    """(access, modification) time, each such that its seconds fit the system's 64 bits."""
    atime, mtime = ns
    for moment in (atime, mtime):
        if not -(1 << 63) <= moment // 10**9 < 1 << 63:
            raise OverflowError(f"no time is {moment} ns")
    return atime, mtime


def _nanoseconds(seconds: float) -> int:
    if isinstance(seconds, int):
        return seconds * 10**9
    whole = int(seconds // 1)
    return whole * 10**9 + int((seconds - whole) * 1e9)
