"""Published path-containment bugs, replayed against a confined root.

``load`` gives the cases of ``data/known_escapes.json``, each of which names its public source;
``replay`` builds a case's tree in a scratch directory, does what the attacker did, and judges the
outcome by the pass rule: the verdict is one the case states, in time; nothing outside the root has
changed; nothing of the outside came back or was copied in.

Against a file system that leaks these really escape, as far as their scratch: absolute paths point
into it, and between it and the root of the machine lies a moat of nested directories that is deeper
than any chain of ``..`` in the cases. Two cases read and write through links to this process's own
entries in /proc. Run a subject that you do not trust as an unprivileged user.
"""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from safefs.disk import Disk
from safefs.drivers.local import LocalDriver
from safefs.errors import SafefsError
from safefs.policy import Policy
from safefs.root import Root
from safefs.testing import archives as packing
from safefs.testing.mounts import in_own_mounts, may_mount
from safefs.testing.scratch import Scratch, build, filled, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Verdict = Literal["refuse", "ok", "notfound", "hang", "crash"]
Step = tuple[str, list[str], list[str]]  # of a walk, as os.walk gives it
Answer = object  # whatever an operation returned: bytes, names, a stat result, or None

_SENTINEL = "OUTSIDE-SENTINEL"  # a name that stands in every directory outside, to be seen in leaks
_RACE_ROUNDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One published escape; the fields are those of the data file, ``class`` being ``kind``."""

    id: str
    source: str
    project: str
    year: int
    kind: str
    summary: str
    platform: Literal["posix", "windows", "any"]
    tree: Sequence[Mapping[str, str]]
    op: str
    args: Sequence[Any]
    verdict: Verdict
    accept: Sequence[Verdict] = ()
    reads_outside_must_fail: bool = False
    requires: Sequence[str] = ()
    policy: str | None = None
    options: Mapping[str, Any] | None = None
    then: Mapping[str, Any] | None = None
    race: Mapping[str, Any] | None = None
    disks: Sequence[Mapping[str, Any]] = ()
    use_disk: int = 0
    disk_root: str = "root"
    after_open: Sequence[Mapping[str, Sequence[str]]] = ()
    run_in: str | None = None
    inside_unchanged: Sequence[str] = ()
    must_not_contain: Sequence[str] = ()
    expect_empty: bool = False
    oracle_pair: Sequence[Any] = ()
    expect: Mapping[str, Any] | None = None
    timeout_s: float = 5
    archive: Mapping[str, Any] | None = None
    naive: Mapping[str, Any] | None = None
    note: str = ""

    @property
    def tried(self) -> str:
        """What the attacker did, on one line."""
        return f"{self.op}({', '.join(_shortened(arg) for arg in self.args)})"


@dataclass(frozen=True, slots=True)
class Result:
    """How one replay went. ``skipped`` is the reason why it could not run, ``failure`` what is
    wrong; ``passed`` is neither."""

    id: str
    source: str
    tried: str
    verdict: Verdict | None = None
    said: str = ""
    skipped: str | None = None
    failure: str | None = None

    @property
    def passed(self) -> bool:
        return self.skipped is None and self.failure is None


class Subject(Protocol):
    """A confined root under attack: what ``replay`` asks of it, in the words of the cases."""

    def read(self, path: str) -> bytes: ...
    def write(self, path: str, data: bytes, *, atomic: bool) -> None: ...
    def append(self, path: str, data: bytes) -> None: ...
    def create(self, path: str, data: bytes) -> None: ...
    def stat(self, path: str) -> os.stat_result: ...
    def walk(self, path: str) -> Iterable[Step]: ...
    def glob(self, pattern: str) -> Iterable[str]: ...
    def mkdir(self, path: str, *, parents: bool) -> None: ...
    def remove(self, path: str) -> None: ...
    def remove_all(self, path: str) -> object: ...
    def rename(self, source: str, target: str) -> None: ...
    def copy(self, source: str, target: str) -> None: ...
    def chmod(self, path: str, mode: int) -> None: ...
    def list(self, path: str) -> Iterable[str]: ...
    def extract_tar(self, archive: bytes, into: str) -> None: ...
    def extract_zip(self, archive: bytes, into: str) -> None: ...
    def close(self) -> None: ...


class RootSubject:
    """``Root`` in the words of the cases."""

    def __init__(self, directory: Path, policy: Policy) -> None:
        self._root = Root(directory, policy=policy)
        self.close = self._root.close
        self.read = self._root.read_bytes
        self.stat = self._root.stat
        self.list = self._root.listdir
        self.walk = self._root.walk
        self.glob = self._root.glob
        self.remove = self._root.unlink
        self.remove_all = self._root.remove_tree
        self.rename = self._root.rename
        self.chmod = self._root.chmod

    def write(self, path: str, data: bytes, *, atomic: bool) -> None:
        if atomic:
            self._root.replace_file(path, data)
        else:
            self._root.write_bytes(path, data)

    def append(self, path: str, data: bytes) -> None:
        with self._root.open(path, "ab") as file:
            file.write(data)

    def create(self, path: str, data: bytes) -> None:
        with self._root.open(path, "xb") as file:
            file.write(data)

    def mkdir(self, path: str, *, parents: bool) -> None:
        if parents:
            self._root.makedirs(path, exist_ok=True)
        else:
            self._root.mkdir(path)

    def copy(self, source: str, target: str) -> None:
        if self._root.is_dir(source):
            self._root.copy_tree(source, target)
        else:
            self._root.copy(source, target)

    def extract_tar(self, archive: bytes, into: str) -> None:
        """As a disk on this root does, which tells the format by the content."""
        with Disk._over(LocalDriver(self._root.subroot("."))) as disk:  # noqa: SLF001
            disk.extract(io.BytesIO(archive), into)

    extract_zip = extract_tar


def load() -> list[Case]:
    """All published cases, in the order of the file."""
    text = files("safefs.testing").joinpath("data/known_escapes.json").read_text("utf-8")
    return [_case(fields) for fields in json.loads(text)]


def _case(fields: dict[str, Any]) -> Case:
    return Case(kind=fields.pop("class"), **fields)


def runnable(case: Case) -> str | None:
    """Why this case cannot be tried here, or None where it can."""
    if case.platform == "windows":
        return "needs Windows"
    return next(filter(None, map(_lacks, case.requires)), None)


def policy_of(case: Case) -> Policy:
    """The policy under which the case is refused; the default where it names none."""
    policy = case.policy
    if policy is not None and policy.startswith(_DENY):
        return Policy(deny=policy.removeprefix(_DENY).split(","))
    return _POLICIES[policy]


_DENY = "deny:"
_POLICIES: dict[str | None, Policy] = {
    None: Policy(),
    "reject_hardlinks": Policy(hard_links="refuse"),
    "regular_files_only": Policy(special_files="refuse"),
    "no_xdev": Policy(same_filesystem=True),
}
_UNUSUAL = {
    "case_insensitive_fs": "a file system that ignores case",
    "normalisation_insensitive_fs": "a file system that normalises names",
    "hfsplus": "HFS+",
}


def _lacks(need: str) -> str | None:
    if need == "linux_procfs" and os.path.isdir("/proc/self/fd"):
        return None
    if need == "mount":
        return None if may_mount() else "needs the right to mount"
    return f"needs {_UNUSUAL.get(need, need)}"


def replay(
    case: Case,
    scratch: Path,
    *,
    subject: Callable[[Path, Policy], Subject] = RootSubject,
    open_url: Callable[[Path, str], bytes] | None = None,
) -> Result:
    """Try one case in ``scratch``, an empty directory, and judge how it ended.

    ``open_url(directory, url)`` reads a URL with ``directory`` registered as the disk ``d``;
    without it fsspec's ``safefs`` file system does. Whatever the subject does wrong is a
    ``failure`` in the result; nothing is raised for it.
    """
    start = Result(case.id, case.source, case.tried)
    reason = runnable(case)
    if reason is not None:
        return replace(start, skipped=reason)
    trial = _Trial(case, Scratch.under(scratch), subject, open_url or read_url)
    if "mount" in case.requires:
        return replace(start, **in_own_mounts(trial.run))
    return replace(start, **trial.run())


def read_url(directory: Path, url: str) -> bytes:
    """What fsspec's ``safefs`` file system makes of a URL, with ``directory`` as the disk ``d``.

    Never ``fsspec.open``: that would hand ``file://`` and ``http://`` to other file systems.
    """
    import fsspec

    from safefs.storage import Storage

    with Storage("safefs replays", disks={"d": directory}) as storage, storage.register("d"):
        content: bytes = fsspec.filesystem("safefs", skip_instance_cache=True).cat_file(url)
        return content


# -- one trial ---------------------------------------------------------------------------------


class _Outcome:
    """How one operation ended: an answer or an error."""

    def __init__(self, answer: Answer = None, error: BaseException | None = None) -> None:
        self.answer = answer
        self.error = error

    @property
    def verdict(self) -> Verdict:
        if self.error is None:
            return "ok"
        if isinstance(self.error, TimeoutError):
            return "hang"
        if isinstance(self.error, FileNotFoundError):
            return "notfound"
        return "refuse" if isinstance(self.error, SafefsError | OSError | ValueError) else "crash"

    @property
    def said(self) -> str:
        if self.error is None:
            return f"returned {_shortened(self.answer)}"
        reason = getattr(self.error, "strerror", None) or self.error
        return f"{type(self.error).__name__}: {reason}"

    @property
    def likeness(self) -> tuple[object, ...]:
        """All that a caller can tell one outcome from another by, but for the path it gave."""
        error = self.error
        facts = (getattr(error, name, None) for name in ("errno", "strerror", "reason"))
        return self.verdict, type(error), *facts


class _Trial:
    """One case, its tree, and the judgement."""

    def __init__(
        self,
        case: Case,
        scratch: Scratch,
        subject: Callable[[Path, Policy], Subject],
        open_url: Callable[[Path, str], bytes],
    ) -> None:
        self.case = case
        self.scratch = scratch
        self.make_subject = subject
        self.open_url = open_url
        self.secrets: list[bytes] = []
        self.foreign: set[tuple[int, int]] = set()
        self.inside: dict[str, dict[str, tuple[object, ...]]] = {}

    def run(self) -> dict[str, Any]:
        """The fields of a Result."""
        case = self.case
        self._set_up()
        with ExitStack() as stack:
            subject = self._open(stack)
            for step in case.after_open:
                self._step(step)
            self.scratch.remember(*self._own())
            self.inside = {name: snapshot(self.scratch.base / name) for name in self._kept()}
            if case.run_in:
                stack.enter_context(_working_in(self.scratch.base / case.run_in))
            outcomes = self._attempt(subject)
            problem = next(filter(None, map(self._wrong, outcomes)), None) or self._damage(subject)
        worst = outcomes[-1]
        return {"verdict": worst.verdict, "said": worst.said, "failure": problem}

    def _set_up(self) -> None:
        build(self.scratch, self.case.tree)
        base, own = self.scratch.base, self._own()
        trees = [entry for entry in base.iterdir() if entry not in own and not entry.is_symlink()]
        for directory, _, _ in (step for tree in trees for step in os.walk(tree)):
            if self.case.race is not None or self.case.op in ("list", "walk", "glob"):
                Path(directory, _SENTINEL).touch()
        if self.case.reads_outside_must_fail:
            self._learn_secrets(trees, own)

    def _own(self) -> set[Path]:
        """The root acted upon, also by its true name."""
        own = self.scratch.base / self._directory()
        return {own, own.resolve()}

    def _directory(self) -> str:
        if self.case.disks:
            return str(self.case.disks[self.case.use_disk]["root"])
        return self.case.disk_root

    def _kept(self) -> list[str]:
        return list(self.case.inside_unchanged)

    def _learn_secrets(self, outside: list[Path], own: set[Path]) -> None:
        inside = {_identity(file) for root in own for file in _regular_files(root)}
        self.secrets = [_SENTINEL.encode()]
        for file in (file for tree in outside for file in _regular_files(tree)):
            if _identity(file) not in inside:
                self.foreign.add(_identity(file))
                if file.stat().st_size:
                    self.secrets.append(file.read_bytes())

    def _open(self, stack: ExitStack) -> Subject:
        policy = policy_of(self.case)
        opened = []
        for disk in self.case.disks or ({"root": self.case.disk_root},):
            subject = self.make_subject(self.scratch.base / disk["root"], policy)
            opened.append(subject)
            if disk.get("close"):
                subject.close()
            else:
                stack.callback(subject.close)
        return opened[self.case.use_disk]

    def _step(self, step: Mapping[str, Sequence[str]]) -> None:
        base = self.scratch.base
        for word, (first, second) in step.items():
            if word == "rename":
                (base / first).rename(base / second)
            elif word == "symlink":
                (base / first).symlink_to(filled(self.scratch, second))
            else:
                raise ValueError(f"{self.case.id}: no step is called {word}")

    def _attempt(self, subject: Subject) -> list[_Outcome]:
        """Each outcome that is to be judged, the last one being the one that is shown."""
        case = self.case
        if case.race is not None:
            with _swapping(self.scratch, case.race):
                return [self._timed(subject, case.op, case.args) for _ in range(_RACE_ROUNDS)]
        outcome = self._timed(subject, case.op, case.args)
        if case.then is not None:
            outcome = self._timed(subject, case.then["op"], case.then["args"])
        return [outcome]

    def _timed(self, subject: Subject, op: str, args: Sequence[Any]) -> _Outcome:
        """In a thread of its own, since an open that blocks cannot be called back."""
        texts = [filled(self.scratch, arg) if isinstance(arg, str) else arg for arg in args]
        outcomes: list[_Outcome] = []

        def attempt() -> None:
            try:
                outcomes.append(_Outcome(self._do(subject, op, texts)))
            except Exception as error:  # noqa: BLE001  (whatever it is, it is the outcome)
                outcomes.append(_Outcome(error=error.with_traceback(None)))

        thread = threading.Thread(target=attempt, daemon=True)
        thread.start()
        thread.join(self.case.timeout_s)
        late = TimeoutError(f"no answer in {self.case.timeout_s} s")
        return outcomes[0] if outcomes else _Outcome(error=late)

    def _do(self, subject: Subject, op: str, args: Sequence[Any]) -> Answer:
        if op == "url_open":
            url = str(args[0]).replace("disk://", "safefs://", 1)
            return self.open_url(self.scratch.base / self._directory(), url)
        if op == "write":
            atomic = bool((self.case.options or {}).get("atomic"))
            subject.write(args[0], args[1].encode(), atomic=atomic)
            return None
        if op == "mkdir":
            subject.mkdir(args[0], parents=len(args) > 1 and args[1].get("parents", False))
            return None
        if op == "walk":
            return _walked(subject, args[0], read_files=args[1].get("read_files", False))
        if op in ("list", "glob"):
            return list(getattr(subject, op)(args[0]))
        if op in ("extract_tar", "extract_zip"):
            packed = _packed(self.case.archive or {}, self.scratch)
            getattr(subject, op)(packed, args[1])
            return None
        if op in ("append", "create"):
            args = [args[0], args[1].encode()]
        answer: Answer = getattr(subject, op)(*args)
        return answer

    # -- the judgement --

    def _wrong(self, outcome: _Outcome) -> str | None:
        """What one outcome did that the case does not allow."""
        case = self.case
        if outcome.verdict not in (case.verdict, *case.accept):
            return f"{outcome.verdict} ({outcome.said}) where {case.verdict} was due"
        if self._leaks(outcome):
            return f"came back with something of the outside: {outcome.said}"
        if case.expect_empty and outcome.error is None and outcome.answer:
            return f"came back with {_shortened(outcome.answer)} where nothing was due"
        if case.expect and outcome.error is None:
            return self._unmet(case.expect, outcome.answer)
        return None

    def _leaks(self, outcome: _Outcome) -> bool:
        if isinstance(outcome.answer, os.stat_result):
            return (outcome.answer.st_dev, outcome.answer.st_ino) in self.foreign
        answer = outcome.answer if outcome.error is None else str(outcome.error)
        shown = answer if isinstance(answer, bytes) else repr(answer).encode(errors="replace")
        return any(
            secret in shown or repr(secret)[2:-1].encode() in shown for secret in self.secrets
        )

    def _unmet(self, expect: Mapping[str, Any], answer: Answer) -> str | None:
        base = self.scratch.base
        if "returns" in expect and answer != expect["returns"].encode():
            return f"returned {_shortened(answer)}, not {expect['returns']!r}"
        names = answer if isinstance(answer, list) else []
        if not set(expect.get("returns_names", ())) <= set(names):
            return f"returned {_shortened(answer)}, without {expect['returns_names']}"
        for name, content in expect.get("content", {}).items():
            if (base / name).read_text("utf-8") != content:
                return f"{name} does not hold {content!r}"
        for name in expect.get("absent", ()):
            if os.path.lexists(base / name):
                return f"{name} is still there"
        return None

    def _damage(self, subject: Subject) -> str | None:
        """What has changed outside, was copied in, or can be told apart."""
        changes = self.scratch.changes()
        if changes:
            return f"changed outside the root: {changes[0]}"
        for name, before in self.inside.items():
            if snapshot(self.scratch.base / name) != before:
                return f"{name} was changed"
        for file in (file for root in self._own() for file in _regular_files(root)):
            content = file.read_bytes()
            if any(word.encode() in content for word in self.case.must_not_contain):
                return f"{file.name} holds bytes from outside"
        return self._oracle(subject)

    def _oracle(self, subject: Subject) -> str | None:
        if not self.case.oracle_pair:
            return None
        one = self._timed(subject, self.case.op, self.case.args)
        other = self._timed(subject, self.case.op, self.case.oracle_pair)
        if one.likeness == other.likeness:
            return None
        return f"tells what is there from what is not: {one.said} but {other.said}"


def _packed(archive: Mapping[str, Any], scratch: Scratch) -> bytes:
    """The archive of a case, which no tool for honest ones would write."""
    members = [
        packing.Member(
            member["name"],
            _KINDS[member["type"]],
            member.get("target", ""),
            member.get("content", "").encode(),
        )
        for member in archive["members"]
    ]
    return packing.Archive(archive["format"], tuple(members)).pack(scratch)


_KINDS = {"file": "file", "dir": "directory", "symlink": "symlink", "hardlink": "hard link"}


def _walked(subject: Subject, top: str, *, read_files: bool) -> list[object]:
    seen: list[object] = []
    for directory, directories, names in subject.walk(top):
        seen += [directory, *directories, *names]
        for name in names if read_files else ():
            try:
                seen.append(subject.read(os.path.join(directory, name)))
            except (SafefsError, OSError) as error:
                seen.append(type(error).__name__)
    return seen


def _regular_files(top: Path) -> Iterator[Path]:
    for directory, _, names in os.walk(top):
        for path in (Path(directory, name) for name in names):
            if path.is_file() and not path.is_symlink():
                yield path


def _identity(path: Path) -> tuple[int, int]:
    seen = path.lstat()
    return seen.st_dev, seen.st_ino


def _shortened(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    shown = text.encode("unicode_escape").decode("ascii")
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


# -- what happens meanwhile --------------------------------------------------------------------


@contextmanager
def _working_in(directory: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _swapping(scratch: Scratch, race: Mapping[str, Any]) -> Iterator[None]:
    """Another thread swaps a path between its states, until the block ends.

    The states wait inside the root, so that a directory which the subject holds open never leaves
    it: what was opened before it left would be reachable still, and no containment can help that.
    """
    waiting = scratch.root / ".race"
    waiting.mkdir()
    swapper = _Swapper(scratch, scratch.base / race["path"], race["states"], waiting)
    thread = threading.Thread(target=swapper.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        swapper.stopped.set()
        thread.join()


class _Swapper:
    def __init__(self, scratch: Scratch, path: Path, states: Sequence[Any], waiting: Path) -> None:
        self.scratch = scratch
        self.path = path
        self.states = states
        self.waiting = waiting
        self.stopped = threading.Event()

    def run(self) -> None:
        turn = 0
        while not self.stopped.is_set():
            turn += 1
            self._put(turn, self.states[turn % len(self.states)])
            time.sleep(0)  # let the one under attack have its turn

    def _put(self, turn: int, state: Any) -> None:
        new, old = self.waiting / f"new{turn}", self.waiting / f"old{turn}"
        for entry in state if isinstance(state, list) else [state]:
            beneath = os.path.relpath(self.scratch.base / entry["path"], self.path)
            place = new if beneath == "." else new / beneath
            build(self.scratch, [{**entry, "path": str(place.relative_to(self.scratch.base))}])
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)  # it may have been removed
            if os.path.lexists(self.path):
                self.path.rename(old)
            new.rename(self.path)
        except OSError as error:
            if error.errno not in _LOST_A_TURN:
                raise
        for left in (old, new):
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


# The one under attack made or removed something at the same time.
_LOST_A_TURN = frozenset({errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST, errno.EISDIR, errno.ENOTDIR})
