"""Where the named disks of an application lie, and whether such a place may be believed.

platformdirs answers what the environment says, and the environment may say anything: the line
``XDG_DOCUMENTS_DIR="/etc"`` in ``user-dirs.dirs`` makes ``/etc`` the documents. So an answer is a
proposal (``Place``), and opening it checks, on the descriptor that is then kept:

=============================  ==========  ===============  =====================================
what                           whose       who else writes  where
=============================  ==========  ===============  =====================================
home                           ours, root  not everyone     absolute, not ``/`` by any name
desktop, documents, downloads  ours, root  anyone           beneath home, or with consent outside;
music, pictures, videos                                     never home itself or above it
appdata, config, cache,        ours        not everyone     the same; made 0700 at first use
state, logs
runtime                        ours        not everyone     in ``XDG_RUNTIME_DIR``, itself 0700;
                                                            never home itself or above it
temp                           ours        nobody           made 0700, removed at close
=============================  ==========  ===============  =====================================

"Ours" is the effective user. A folder of root is believed where a system lays it out for its users
(a home made by an installer, a mounted library of music): root could change it in any case. It is
not believed where the application made the folder itself, and another user's folder never is, so a
program run by ``sudo`` with its user's ``HOME`` stops here, before it leaves root's files there.
Nor is a way that leads through another user's folder or link, or through a folder that everyone
may change and that is not sticky: its owner would choose where the disk lies.

What is not promised: nothing here stops a program of the same user. That a folder *was* in place is
checked once, when it is opened; from then on it is held by descriptor.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import weakref
from configparser import Error as NoConfiguration
from dataclasses import dataclass
from errno import ELOOP
from pathlib import Path
from stat import (
    S_IMODE,
    S_IRWXG,
    S_IRWXO,
    S_IRWXU,
    S_ISDIR,
    S_ISLNK,
    S_ISREG,
    S_ISVTX,
    S_IWGRP,
    S_IWOTH,
)
from typing import TYPE_CHECKING, Literal

from platformdirs import PlatformDirs

from safefs.errors import ConfigError, MissingFolderError, UnsafeFolderError
from safefs.operations import sweeping
from safefs.paths import RelPath, unportable
from safefs.policy import Policy
from safefs.root import Root

if TYPE_CHECKING:
    from collections.abc import Iterable

HOME = "home"
MEDIA = ("desktop", "documents", "downloads", "music", "pictures", "videos")
APP = ("appdata", "config", "cache", "state", "logs")
RUNTIME = "runtime"
TEMP = "temp"
STATE = "state"
# Files of these disks are the application's own: 0600, and their directories 0700.
PRIVATE = (*APP, RUNTIME, TEMP)
NAMES = ("appdata", HOME, *MEDIA, *APP[1:], RUNTIME, TEMP)

_ATTRIBUTES = {
    **{name: f"user_{name}_path" for name in MEDIA},
    "appdata": "user_data_path",
    "config": "user_config_path",
    "cache": "user_cache_path",
    "state": "user_state_path",
    "logs": "user_log_path",
}
_VARIABLES = {
    **{name: f"XDG_{name.upper()}_DIR" for name in MEDIA},
    "downloads": "XDG_DOWNLOAD_DIR",
    "appdata": "XDG_DATA_HOME",
    "config": "XDG_CONFIG_HOME",
    "cache": "XDG_CACHE_HOME",
    "state": "XDG_STATE_HOME",
    "logs": "XDG_STATE_HOME",
    RUNTIME: "XDG_RUNTIME_DIR",
}
_OURS_ALONE = 0o700
_MAX_LINKS = 40  # as many as Linux follows
_ITSELF = "is the home directory itself"
_ABOVE = "is above the home directory"
_LOOP = "is a link that leads to itself"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a disk is said to lie. ``open`` is what finds out.

    ``path`` is absolute, or None where nothing says where; ``problem`` is why it is not believed
    without even looking, or "". ``home`` is what it is measured against, or None where there is no
    home and the caller consented to do without.
    """

    name: str
    path: str | None
    home: str | None = None
    consented: bool = False
    problem: str = ""

    @property
    def kind(self) -> Literal["home", "media", "app", "runtime"]:
        """Which row of the table above holds for it."""
        if self.name == HOME:
            return "home"
        if self.name == RUNTIME:
            return "runtime"
        return "media" if self.name in MEDIA else "app"

    def open(self, policy: Policy | None = None, *, create: bool = True) -> Root:
        """The folder, checked and held; one of the application's own is made where ``create``.

        Raises ``UnsafeFolderError``, ``MissingFolderError``, or what the system says.
        """
        if self.problem or self.path is None:
            raise self._unsafe(self.problem)
        if self.home is not None and _is_top(self.home):
            raise self._unsafe(_NO_HOME)
        if create and self.kind in ("app", "runtime"):
            self._make()
        real = self._existing()
        self._check_where(real)
        root = self._opened(real, policy or Policy())
        try:
            self._check_what(root, real)
        except BaseException:
            root.close()
            raise
        return root

    def _existing(self) -> Path:
        try:
            return self._resolved(strict=True)
        except (FileNotFoundError, NotADirectoryError):
            raise MissingFolderError(self.name, self.path) from None

    def _resolved(self, *, strict: bool) -> Path:
        """The real place of ``path``, once nobody else has a say on the way to it."""
        problem = _distrusted_way(self.path or "")
        if problem:
            raise self._unsafe(problem)
        try:
            return _resolve(self.path or "", strict=strict)
        except _LinkLoopError:
            raise self._unsafe(_LOOP) from None

    def _real_home(self, home: str) -> Path:
        try:
            return _resolve(home)
        except _LinkLoopError:
            raise self._unsafe(f"cannot be measured by the home directory, which {_LOOP}") from None

    def _opened(self, real: Path, policy: Policy) -> Root:
        try:
            return Root(real, policy=policy)
        except NotADirectoryError:
            raise self._unsafe("is not a directory") from None

    def _check_where(self, real: Path) -> None:
        if self.kind == "home" or self.home is None:
            return
        home = self._real_home(self.home)
        if real == home:
            raise self._unsafe(_ITSELF)
        if home.is_relative_to(real):
            raise self._unsafe(_ABOVE)
        if self.kind == "runtime" or self.consented:
            return
        # A place outside that leads back into home is as little what its user meant.
        spelled = Path(os.path.normpath(self.path or ""))
        said = (home, Path(os.path.normpath(self.home)))
        if not real.is_relative_to(home) or not any(map(spelled.is_relative_to, said)):
            raise self._unsafe(
                f"lies outside the home directory; outside_home={{{self.name!r}}} allows it"
            )

    def _check_what(self, root: Root, real: Path) -> None:
        found = root.stat(".")
        # Seen once more without following any link: what is held is what stands at that place.
        if not os.path.samestat(found, _stat_without_links(real)):
            raise self._unsafe("was replaced while it was opened")
        self._check_no_home_by_another_name(found)
        trusted = (os.geteuid(),) if self.kind in ("app", "runtime") else (os.geteuid(), 0)
        if found.st_uid not in trusted:
            raise self._unsafe(f"belongs to another user (uid {found.st_uid})")
        if self.kind != "media" and found.st_mode & S_IWOTH:
            raise self._unsafe("can be written by every user")

    def _check_no_home_by_another_name(self, found: os.stat_result) -> None:
        if self.kind == "home" or self.home is None or not os.path.exists(self.home):
            return
        home = self._real_home(self.home)
        for place, reason in ((home, _ITSELF), *((parent, _ABOVE) for parent in home.parents)):
            if os.path.samestat(found, os.stat(place)):  # a bind mount of it
                raise self._unsafe(reason)

    def _make(self) -> None:
        """Make the folder and what is missing above it, each 0700, beneath what there is."""
        if self.kind == "runtime":
            self._check_runtime_base()
        real = self._resolved(strict=False)
        self._check_where(real)
        there = next(parent for parent in (real, *real.parents) if parent.is_dir())
        if there == real:
            return
        self._check_home_exists(there)
        with Root(there) as root:
            self._check_parent(root.stat("."), there)
            made = ""
            for name in real.relative_to(there).parts:
                made = f"{made}/{name}" if made else name
                make_ours(root, made)

    def _check_home_exists(self, there: Path) -> None:
        """Nothing is made for a user whose home is not there."""
        if self.kind == "runtime" or self.consented or self.home is None:
            return
        if not there.is_relative_to(self._real_home(self.home)):
            raise MissingFolderError(HOME, self.home)

    def _check_parent(self, found: os.stat_result, there: Path) -> None:
        problem = _distrusted(found)
        if problem:
            raise self._unsafe(f"would lie in {str(there)!r}, which {problem}")

    def _check_runtime_base(self) -> None:
        """XDG base directory specification: owned by the user, and mode 0700."""
        base = Path(self.path or "").parent
        try:
            with Root(base) as root:
                found = root.stat(".")
        except FileNotFoundError:
            raise self._unsafe(f"would lie in {str(base)!r}, which does not exist") from None
        except NotADirectoryError:
            raise self._unsafe(f"would lie in {str(base)!r}, which is no directory") from None
        if found.st_uid != os.geteuid() or S_IMODE(found.st_mode) != _OURS_ALONE:
            raise self._unsafe(f"would lie in {str(base)!r}, which is not this user's alone (0700)")

    def _unsafe(self, reason: str) -> UnsafeFolderError:
        return UnsafeFolderError(self.name, self.path, reason)


def places(
    app: str, author: str | None = None, *, outside_home: Iterable[str] = ()
) -> dict[str, Place]:
    """Where each named disk but ``temp`` is said to lie, for this application and this user.

    Looks at the environment and ``user-dirs.dirs``, and opens nothing. Raises ``ConfigError`` for
    a name of an application or author that is no single portable component, and for a word in
    ``outside_home`` that names no disk which could lie there.
    """
    check_app(app, author)
    consented = _consented(outside_home)
    home, problem = _home()
    dirs = PlatformDirs(app, author)
    found = {
        HOME: Place(HOME, home, home, problem=problem),
        RUNTIME: _runtime(app, None if problem else home),
    }
    for name in (*MEDIA, *APP):
        found[name] = _place(name, dirs, home, problem, consented=name in consented)
    return {name: found[name] for name in NAMES if name in found}


def check_app(app: str, author: str | None = None) -> None:
    """Raise ``ConfigError`` unless each is one name that every system keeps as it is."""
    for key, value in (("app", app), ("author", author)):
        if value is None and key == "author":
            continue
        if not isinstance(value, str):
            raise TypeError(f"{key} is a str, not {type(value).__name__}")
        problem = unportable(value)
        if problem:
            raise ConfigError("Storage", key, f"{value!r} can be no name of a folder: {problem}")


def _consented(names: Iterable[str]) -> frozenset[str]:
    if isinstance(names, str):
        raise TypeError(f"outside_home is a set of names: outside_home={{{names!r}}}")
    consented = frozenset(names)
    for name in sorted(consented, key=str):
        if name not in (*MEDIA, *APP):
            known = ", ".join((*MEDIA, *APP))
            raise ConfigError("Storage", "outside_home", f"{name!r} is none of {known}")
    return consented


_NO_HOME = "cannot be known: the home directory of this user is '/'"


def _home() -> tuple[str | None, str]:
    """The home directory as it is given, and why it can be none."""
    try:
        home = str(Path.home())
    except RuntimeError:
        return None, "cannot be known: HOME is not set, and the system knows no home of this user"
    if not home.startswith("/"):
        return home, f"cannot be known: HOME is {home!r}, which is not an absolute path"
    return home, _NO_HOME if _is_top(home) else ""


def _is_top(home: str) -> bool:
    """Whether this is ``/``, under whatever name: everything would lie beneath such a home."""
    try:
        return _resolve(home) == Path("/") or os.path.samestat(os.stat(home), os.stat("/"))
    except (_LinkLoopError, OSError):
        return False  # not there, or not to be reached: opening says which


class _LinkLoopError(Exception):
    """A link that leads to itself."""


def _resolve(path: str, *, strict: bool = False) -> Path:
    try:
        return Path(path).resolve(strict=strict)
    except RuntimeError:  # how Python before 3.13 spells ELOOP
        raise _LinkLoopError from None
    except OSError as error:
        if error.errno == ELOOP:
            raise _LinkLoopError from None
        raise


def _distrusted_way(path: str) -> str:
    """Why the way to ``path`` is not believed, or "". What ``path`` itself leads to is not judged.

    As OpenSSH's StrictModes has it, whoever can change a directory or a link on the way chooses
    where it leads. Links are read one by one, since each lies in directories of its own.
    """
    at, links, problem = "/", 0, ""
    names = path.split("/")[::-1]
    while names:
        name = names.pop()
        if name in ("", "."):
            continue
        entry = os.path.join(at, name)
        try:
            holder = os.lstat(at)
            problem = _distrusted(holder) if S_ISDIR(holder.st_mode) else ""
            found = os.lstat(entry)
        except (FileNotFoundError, NotADirectoryError):
            found = None
        if problem:
            return f"lies beyond {at!r}, which {problem}"
        if found is None:
            return ""  # opening says so, or makes it
        if name == "..":
            at = os.path.dirname(at)  # right without asking: no component of it is a link
            continue
        if not S_ISLNK(found.st_mode):
            at = entry
            continue
        links += 1
        if links > _MAX_LINKS:
            return _LOOP
        problem = _distrusted(found)
        if problem:
            return f"lies beyond the link {entry!r}, which {problem}"
        target = os.readlink(entry)
        names += target.split("/")[::-1]
        if target.startswith("/"):
            at = "/"
    return ""


def _distrusted(found: os.stat_result) -> str:
    """Who but us and root could change this, or ""."""
    if found.st_uid not in (os.geteuid(), 0):
        return f"belongs to another user (uid {found.st_uid})"
    if found.st_mode & S_IWOTH and not found.st_mode & S_ISVTX and not S_ISLNK(found.st_mode):
        return "can be written by every user"
    return ""


def _runtime(app: str, home: str | None) -> Place:
    value = os.environ.get("XDG_RUNTIME_DIR")
    if value is None:
        # No fallback: a folder in /tmp does not end with the login, and its name is anyone's.
        return Place(RUNTIME, None, problem="cannot be known: XDG_RUNTIME_DIR is not set")
    return Place(RUNTIME, f"{value}/{app}", home, problem=_variable_problem("XDG_RUNTIME_DIR"))


def _place(
    name: str, dirs: PlatformDirs, home: str | None, home_problem: str, *, consented: bool
) -> Place:
    variable = _VARIABLES[name]
    problem = _variable_problem(variable)
    if home_problem:
        home = None
        # A service without a home may still be told, by variable, where its folders are.
        problem = problem or ("" if consented and variable in os.environ else home_problem)
    if not problem and name in MEDIA and variable not in os.environ:
        problem = _user_dirs_problem(home or "")
    if problem:
        return Place(name, None, problem=problem)
    path, problem = _answer(dirs, name)
    return Place(name, path, home, consented, problem)


def _answer(dirs: PlatformDirs, name: str) -> tuple[str | None, str]:
    """What platformdirs says, and why that can be no place."""
    try:
        path = str(getattr(dirs, _ATTRIBUTES[name]))
    except (NoConfiguration, OSError, RuntimeError, ValueError) as error:
        return None, f"cannot be known: {error}"
    if not path.startswith("/") or "\0" in path:
        return None, f"cannot be known: it is said to be {path!r}, which is not an absolute path"
    return path, ""


def _user_dirs_problem(home: str) -> str:
    """Why ``user-dirs.dirs`` is not to be opened, which platformdirs would do; "" if it may be."""
    config = os.environ.get("XDG_CONFIG_HOME", "")
    path = os.path.join(config if config.startswith("/") else f"{home}/.config", "user-dirs.dirs")
    try:
        problem = _distrusted_way(path)
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        return f"cannot be known: {path!r}: {error.strerror}"
    if not problem and not S_ISREG(found.st_mode):  # a FIFO would be waited for, for ever
        problem = "is not a file"
    problem = problem or _distrusted(found)
    return f"cannot be known: {path!r} is not read: it {problem}" if problem else ""


def _variable_problem(variable: str) -> str:
    # The XDG specification has an empty or relative value ignored. A program that then goes on in
    # another folder than the one its user meant is worse than one that says so.
    value = os.environ.get(variable)
    if value is None or value.startswith("/"):
        return ""
    return f"cannot be known: {variable} is {value!r}, which is not an absolute path"


def make_ours(root: Root, path: str) -> None:
    """A directory, 0700 whatever the umask, unless it is there."""
    try:
        root.mkdir(path, _OURS_ALONE)
    except FileExistsError:
        return  # another process of the same application; what it is is checked when it is opened
    if _shuts_out(root.lstat(path)):
        root.chmod(path, _OURS_ALONE)


def _shuts_out(made: os.stat_result) -> bool:
    """Whether a umask had a directory of ours made so that we cannot use it, nor ever could."""
    ours = S_ISDIR(made.st_mode) and made.st_uid == os.geteuid()
    return ours and made.st_mode & _OURS_ALONE != _OURS_ALONE


def _stat_without_links(real: Path) -> os.stat_result:
    with Root("/", policy=Policy(symlinks="never")) as top:
        return top.stat(str(real).lstrip("/") or ".")


class TemporaryFolder:
    """A new directory, 0700, under an unforeseeable name, until ``remove``.

    ``root`` is held by this object; take ``root.subroot(".")`` for a holder of its own. An object
    that is dropped, or still there at exit, is removed too.

    Raises ``UnsafeFolderError`` where another user could exchange the directory for another one.
    """

    def __init__(self, app: str) -> None:
        directory = tempfile.gettempdir()
        name = f"{app}-{secrets.token_hex(8)}"
        self.path = os.path.join(directory, name)
        parent = Root(directory)
        try:
            self._check_parent(directory, parent.stat("."))
            parent.mkdir(name, _OURS_ALONE)
            self.root = self._opened(parent, name)
        except BaseException:
            parent.close()
            raise
        self._remove = weakref.finalize(self, _remove, parent, self.root, name, os.getpid())

    def _check_parent(self, directory: str, found: os.stat_result) -> None:
        problem = _distrusted(found)
        if not problem and found.st_mode & S_IWGRP and not found.st_mode & S_ISVTX:
            problem = "can be written by its group"
        if problem:
            reason = f"would lie in {directory!r}, which {problem}"
            raise UnsafeFolderError(TEMP, self.path, reason)

    def _opened(self, parent: Root, name: str) -> Root:
        root = parent.subroot(name)
        try:
            found = os.fstat(root.fileno())  # no path leads even to "." if a umask shut us out
            # The name itself is this very directory, and no link to another one.
            ours = os.path.samestat(found, parent.lstat(name)) and found.st_uid == os.geteuid()
            if not ours or found.st_mode & _ALL & ~_OURS_ALONE:
                raise UnsafeFolderError(TEMP, self.path, "was replaced while it was made")
            if _shuts_out(found):
                parent.chmod(name, _OURS_ALONE)
        except BaseException:
            root.close()
            raise
        return root

    def remove(self) -> None:
        """Remove it with all it holds, unless this process is a fork of the one that made it.

        It is emptied by descriptor and only then removed by name, in the directory that is held
        since it was made: whatever may stand under that name by now, nothing but an empty directory
        goes. That it is gone already is no error. May be called twice.
        """
        self._remove()


_ALL = S_IRWXU | S_IRWXG | S_IRWXO  # not setgid, which a directory has from its parent


def _remove(parent: Root, root: Root, name: str, maker: int) -> None:
    with parent, root:
        if os.getpid() != maker:
            return
        try:
            _empty(root)
            parent.rmdir(name)
        except FileNotFoundError:
            pass  # a cleaner of temporary files came first
        except PermissionError:
            if not _only_empties:
                raise


_only_empties = False


def only_empty() -> None:
    """From here on the directories themselves stay, empty, where they cannot be removed.

    For a process that has given up the right to: it was locked down.
    """
    global _only_empties
    _only_empties = True


def use_for_temporary_files(directory: str) -> None:
    """Have ``tempfile`` make its files there from now on, in this process and those it starts."""
    tempfile.tempdir = os.environ["TMPDIR"] = directory


def _empty(root: Root) -> None:
    try:
        _remove_entries(root)
    except PermissionError:
        _unlock(root)
        _remove_entries(root)


def _remove_entries(root: Root) -> None:
    """Not by what the Root lists: a temporary name is hidden there, and is to go like the rest."""
    sweeping.empty(root._handle, RelPath.parse("."))  # noqa: SLF001  (Root has no word for it)


def _unlock(root: Root) -> None:
    """Let the owner into each directory again, before it is entered."""
    root.chmod(".", _OURS_ALONE)
    for at, names, _ in root.walk("."):
        for name in names:
            try:
                root.chmod(f"{at}/{name}", _OURS_ALONE)
            except FileNotFoundError:
                pass
