"""The Driver protocol over another driver, the contents of whose files it seals: age, v1.

Contents alone: names, sizes, times and permissions are as they are below, and so are directories
and links. What is confined, refused and counted is the other driver's affair.
"""

from __future__ import annotations

import io
import os
from errno import EEXIST, EISDIR, ESTALE
from stat import S_ISREG
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Self, cast

from safefs.age.opening import new_file_key, sealed_header
from safefs.age.reading import SealedReader, content_size
from safefs.age.scrypt import ScryptIdentity
from safefs.age.sealing import decrypt
from safefs.age.stream import sealed_size
from safefs.drivers import transfer
from safefs.drivers.fileobjects import as_text, binary
from safefs.drivers.measured import UnmeasuredStat, result_with_size, with_size
from safefs.drivers.observed import observed, unobserved
from safefs.drivers.sealed import (
    Flushed,
    OpenedRaw,
    SealedDraft,
    SealedPublication,
    SealingRaw,
    Told,
    is_sealed,
    not_in_place,
    opened,
    plain_file,
    raw_of,
    sealed_chunks,
    sealing,
)
from safefs.drivers.sealedbed import SealedBed
from safefs.drivers.transfer import End
from safefs.errors import SealedFileError
from safefs.operations.atomic import AtomicFile
from safefs.operations.explaining import explained
from safefs.operations.files import Mode
from safefs.operations.harvesting import Produce
from safefs.paths import RelPath

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from safefs.age.opening import Key
    from safefs.drivers.base import Driver, Stat
    from safefs.drivers.locking import Locks
    from safefs.explanation import Explanation, Operation
    from safefs.operations.conditions import Condition
    from safefs.operations.job import Job
    from safefs.operations.survey import Describe, Level
    from safefs.policy import Policy

_CHUNK = 1 << 16
_LOOKS = 16  # at a name that is given to one file after another while it is looked at


class EncryptedDriver:
    """Another driver, with the contents of its files sealed for ``key``; owns it and closes it.

    ``allow_plain``: a file that is no age file is read as it is, instead of being refused.
    """

    encrypts = True
    in_place = False

    def __init__(self, inner: Driver, key: Key, *, allow_plain: bool = False) -> None:
        self._inner = inner
        self._key = key
        self._allow_plain = allow_plain

    def __repr__(self) -> str:
        if not hasattr(self, "_allow_plain"):  # half made, as a traceback may show it
            return f"<{type(self).__name__}>"
        plain = ", allow_plain=True" if self._allow_plain else ""
        return f"EncryptedDriver({self._inner!r}{plain})"

    @property
    def _disk_name(self) -> str | None:
        return self._inner._disk_name  # noqa: SLF001  (those below report for the same disk)

    @_disk_name.setter
    def _disk_name(self, name: str | None) -> None:
        self._inner._disk_name = name  # noqa: SLF001  (as above)

    @property
    def locks(self) -> Locks | None:
        return self._inner.locks

    @locks.setter
    def locks(self, locks: Locks | None) -> None:
        self._inner.locks = locks

    @property
    def below(self) -> Driver:
        """What it stands on, for those who act on sealed files as they lie there."""
        return self._inner

    @property
    def key(self) -> Key:
        return self._key

    @property
    def policy(self) -> Policy:
        return self._inner.policy

    # Reading

    def read(self, path: RelPath) -> bytes:
        content = io.BytesIO()
        with Told(path), self._inner.open(path, "rb") as file:
            raw = raw_of(file)
            if self.is_plain(raw):
                return raw.readall()
            decrypt(raw, content, [self._key])
        return content.getvalue()

    def read_each(
        self,
        directory: RelPath,  # noqa: ARG002  (each is opened by its own path)
        names: list[tuple[str, str]],
    ) -> Iterator[bytes | None]:
        return iter([None] * len(names))

    def open(self, path: RelPath, mode: str, *, permissions: int | None = None) -> BinaryIO:
        if "+" in mode or "a" in mode:
            raise self._refusal(path, mode)
        if "r" not in mode:
            return sealing(self._inner.open(path, mode, permissions=permissions), self._key)
        file = self._inner.open(path, "rb")
        try:
            with Told(path):
                plain = self.is_plain(raw_of(file))
        except BaseException:
            file.close()
            raise
        return file if plain else opened(file, self._key, path)

    def is_plain(self, raw: io.RawIOBase) -> bool:
        """SealedFileError for a plain file where there may be none."""
        if is_sealed(raw):
            return False
        if not self._allow_plain:
            raise plain_file()
        return True

    def _refusal(self, path: RelPath, mode: str) -> OSError:
        """Of a mode in which what is there would be changed; raises what it would be anyway."""
        changes = "r" in mode or "w" in mode
        self.policy.check(path, writes=True, adds=not changes)
        try:
            self._inner.open(path, "rb").close()
            if "x" in mode:
                return FileExistsError(EEXIST, os.strerror(EEXIST), path.shown)
        except FileNotFoundError:
            if "r" in mode:
                raise
            above, _, slashed = path.split()
            self._inner.stat(RelPath(above or b".", path.shown))
            if slashed:
                return IsADirectoryError(EISDIR, os.strerror(EISDIR), path.shown)
        return not_in_place(path, mode)

    def stat_open(self, file: BinaryIO) -> Stat:
        raw = raw_of(file)
        if not isinstance(raw, OpenedRaw):
            return self._inner.stat_open(file)
        return with_size(self._inner.stat_open(raw.inner), raw.content_size)

    # Looking

    def stat(self, path: RelPath) -> Stat:
        return self._measured(path, self._inner.stat)

    def lstat(self, path: RelPath) -> Stat:
        return self._measured(path, self._inner.lstat)

    def _measured(self, path: RelPath, look: Callable[[RelPath], Stat]) -> Stat:
        for _ in range(_LOOKS):
            found = look(path)
            if found.kind != "file":
                return found
            measured = self._sized(path, found)
            if measured is not None:
                return measured
        raise OSError(ESTALE, "it is given to one file after another", path.shown)

    def _sized(self, path: RelPath, found: Stat) -> Stat | None:
        """The same file with the size of its content; None where the path leads to it no more."""
        try:
            with Told(path), self._inner.open(path, "rb") as file:
                now = self._inner.stat_open(file)
                if not now.is_same_file(found):
                    return None
                return with_size(now, self._content_size(file, now))
        except FileNotFoundError:
            return None
        except (OSError, SealedFileError) as error:
            return UnmeasuredStat(found, error)

    def _content_size(self, file: BinaryIO, found: Stat) -> int:
        """By the header's length and the file's, and nothing of its body."""
        raw = raw_of(file)
        return found.size if self.is_plain(raw) else content_size(cast("Any", raw))

    def exists(self, path: RelPath) -> bool:
        return self._inner.exists(path)

    def look(self, path: RelPath) -> tuple[os.stat_result, bool]:
        """A size that cannot be told is None, as fsspec has it."""
        found, is_link = self._inner.look(path)
        return self._sized_result(path, found), is_link

    def _sized_result(self, path: RelPath, found: os.stat_result) -> os.stat_result:
        if not S_ISREG(found.st_mode):
            return found
        try:
            with self._inner.open(path, "rb") as file:
                return result_with_size(
                    found, self._content_size(file, self._inner.stat_open(file))
                )
        except (OSError, SealedFileError):
            return result_with_size(found, None)

    def scan(self, path: RelPath) -> Iterator[tuple[str, Stat]]:
        return self._each_sized(path, self._inner.scan(path))

    def _each_sized(
        self, path: RelPath, entries: Iterable[tuple[str, Stat]]
    ) -> Iterator[tuple[str, Stat]]:
        for name, found in entries:
            if found.kind == "file":
                where = path.join(os.fsencode(name))
                sized = self._sized(where, found)
                yield name, self._again(where, found) if sized is None else sized
            else:
                yield name, found

    def _again(self, path: RelPath, found: Stat) -> Stat:
        """Of an entry that was replaced, or removed, since its directory was read."""
        try:
            return self.lstat(path)
        except OSError as error:
            return UnmeasuredStat(found, error)

    def look_into(
        self, path: RelPath, opened: Callable[[int], object] | None = None
    ) -> tuple[Stat, list[tuple[str, Stat]]]:
        """With sizes of what is stored: who compares what there is sees each change by these."""
        return self._inner.look_into(path, opened)

    def standing(self) -> object:
        return self._inner.standing()

    def walk(self, path: RelPath) -> Iterator[tuple[str, list[str], list[str]]]:
        return self._inner.walk(path)

    def survey(
        self,
        path: RelPath,
        *,
        depth: int | None = None,
        describe: Describe | None = None,
        onerror: Callable[[OSError], object] | None = None,
    ) -> Iterator[Level]:
        sized = None if describe is None else self._describing(path, describe)
        return self._inner.survey(path, depth=depth, describe=sized, onerror=onerror)

    def _describing(self, top: RelPath, describe: Describe) -> Describe:
        def sized(
            at: str, entries: Iterable[tuple[str, os.stat_result]]
        ) -> tuple[list[str], list[str], Any]:
            here = top.join(os.fsencode(at)) if at else top
            return describe(
                at,
                (
                    (name, self._sized_result(here.join(os.fsencode(name)), found))
                    for name, found in entries
                ),
            )

        return sized

    def readlink(self, path: RelPath) -> str:
        return self._inner.readlink(path)

    def harvest(self, path: RelPath) -> Iterator[Produce]:
        for found in self._inner.harvest(path):
            yield self._produced(found) if found.kind == "file" else found

    def _produced(self, found: Produce) -> Produce:
        where = RelPath(os.fsencode(found.path), found.path)
        size = self.stat(where).size

        def read() -> Generator[bytes, None, None]:
            with self.open(where, "rb") as file:
                now = self.stat_open(file).identity
                if now is not None and found.identity not in ((), now):
                    raise OSError(ESTALE, "it was replaced while it was packed", where.shown)
                while chunk := file.read(_CHUNK):
                    yield chunk

        return Produce(
            found.path, found.kind, found.mode, found.mtime_ns, size, "", found.identity, read
        )

    def explain(self, path: RelPath, operation: Operation) -> Explanation:
        found = self._inner.explain(path, operation)
        if operation != "append" or not found.allowed:
            return found
        return explained(path.shown, operation, not_in_place(path, "a"), found.steps)

    # Writing

    def open_atomic(
        self,
        path: RelPath,
        mode: Mode,
        buffering: int,
        encoding: str | None,
        errors: str | None,
        newline: str | None,
        *,
        durable: bool,
    ) -> IO[Any]:
        if "+" in mode.raw:
            raise self._refusal(path, mode.raw)
        plainly = Mode(binary(mode))
        inner: Any = self._inner.open_atomic(path, plainly, -1, None, None, None, durable=durable)
        try:
            raw = SealingRaw(Flushed(inner), self._key)
            file = cast("BinaryIO", io.BufferedWriter(raw))
            layer = file
            if not mode.binary:
                text = as_text(file, mode.text, buffering, encoding, errors, newline)
                layer = cast("BinaryIO", text)
        except BaseException:
            inner.discard()
            raise
        return cast("IO[Any]", AtomicFile(layer, SealedPublication(raw, inner)))

    def write(
        self,
        path: RelPath,
        chunks: Iterable[bytes],
        *,
        permissions: int | None = None,
        overwrite: bool = True,
        durable: bool = False,
        preserve: tuple[str, ...] = (),
        condition: Condition | None = None,
    ) -> None:
        with Told(path):
            self._inner.write(
                path,
                sealed_chunks(chunks, self._key),
                permissions=permissions,
                overwrite=overwrite,
                durable=durable,
                preserve=preserve,
                condition=None if condition is None else condition.through(self._content),
            )

    def _content(self, file: Any) -> Any:
        """What a file of the driver below holds, for whoever compares contents."""
        return file if self.is_plain(file) else SealedReader(file, [self._key])

    def draft(
        self, path: RelPath, mode: str, *, permissions: int | None = None, durable: bool = False
    ) -> SealedDraft:
        if "+" in mode or "a" in mode:
            raise self._refusal(path, mode)
        inner = self._inner.draft(path, mode, permissions=permissions, durable=durable)
        return SealedDraft(inner, self._key)

    def bed(self, path: RelPath, *, draft: bool) -> SealedBed:
        return SealedBed(self._inner.bed(path, draft=draft), self._key)

    def copy(self, source: RelPath, target: RelPath, *, overwrite: bool) -> None:
        """What is sealed is copied as it lies there; what is plain is sealed on the way."""
        try:
            with Told(source), self._inner.open(source, "rb") as file:
                plain = self.is_plain(raw_of(file))
        except OSError:
            plain = False  # the copy itself says so, of both its paths
        if not plain:
            self._inner.copy(source, target, overwrite=overwrite)
            return
        transfer.copy_across(End(self, source), End(self, target), overwrite=overwrite)

    # As it is below

    def sweep(self, path: RelPath, older_than: float) -> list[str]:
        return self._inner.sweep(path, older_than)

    def mkdir(
        self, path: RelPath, mode: int, *, parents: bool, exist_ok: bool, durable: bool = False
    ) -> None:
        self._inner.mkdir(path, mode, parents=parents, exist_ok=exist_ok, durable=durable)

    def rmdir(self, path: RelPath) -> None:
        self._inner.rmdir(path)

    def remove(self, path: RelPath) -> None:
        self._inner.remove(path)

    def remove_tree(self, path: RelPath, job: Job | None = None) -> None:
        self._inner.remove_tree(path, job)

    def rename(self, source: RelPath, target: RelPath, *, overwrite: bool) -> None:
        self._inner.rename(source, target, overwrite=overwrite)

    def chmod(self, path: RelPath, permissions: Callable[[int], int]) -> None:
        self._inner.chmod(path, permissions)

    def touch(self, path: RelPath) -> None:
        self._inner.touch(path)

    def set_modified(self, path: RelPath, mtime_ns: int) -> None:
        self._inner.set_modified(path, mtime_ns)

    def stored_size(self, size: int) -> int:
        """With a header, which is as long for each file that is sealed for this key."""
        header = sealed_header(new_file_key(), [self._key.recipient]).encode()
        return self._inner.stored_size(len(header) + sealed_size(size))

    def kept_mode(self, permissions: int, *, directory: bool) -> int:
        return self._inner.kept_mode(permissions, directory=directory)

    def symlink(self, text: str, path: RelPath) -> None:
        self._inner.symlink(text, path)

    def narrowed(self, path: RelPath, policy: Policy | None = None) -> Self:
        inner = self._inner.narrowed(path, policy)
        return type(self)(inner, self._key, allow_plain=self._allow_plain)

    def count_in(self, place: Locks) -> None:
        self._inner.count_in(place)

    def close(self) -> None:
        self._inner.close()


def encrypted(driver: Driver, key: Key, *, allow_plain: bool) -> Driver:
    """A driver of its own on the same directory, whose files are sealed for ``key``.

    ValueError where they are already; TypeError for what is no key.
    """
    if isinstance(driver, EncryptedDriver):
        message = "this disk is encrypted already: what it holds would be sealed twice"
        raise ValueError(message)  # noqa: TRY004  (the value of a disk, and no other type)
    check_key(key)
    inner, hook = unobserved(driver.narrowed(RelPath(b".", ".")))
    made = EncryptedDriver(inner, key, allow_plain=bool(allow_plain))
    return made if hook is None else observed(made, hook)


def check_key(key: object) -> None:
    """TypeError, which does not show it, for what cannot seal and open."""
    if isinstance(key, str | bytes | bytearray | ScryptIdentity):
        raise TypeError(
            "a disk is encrypted with a key, such as storage.key or age.X25519Identity.generate(); "
            "a passphrase protects the key of an installation, and no single file"
        )
    if not (hasattr(key, "unwrap") and hasattr(key, "recipient")):
        raise TypeError(f"a key has a recipient, and unwraps; not {type(key).__name__}")
