"""``safefs fuzz TARGET``: the report card of someone's storage, made in a jail of its own.

A target is one of

``module:factory``
    a callable of a module that can be imported from the working directory. It gets the root
    directory and returns a ``Subject``, or what ``safefs.testing.adapters.as_subject`` takes. The
    module is imported inside the jail.
``protocol`` or ``one::two://``
    an fsspec URL without a path: the kit puts that of its own scratch root after it. ``file``,
    ``dir::file``, ``simplecache::file``. ``safefs`` is a disk that is registered for the purpose.
    What does not keep its files in a local directory (``memory``) sees nothing of what is planted
    there, and so is reported as refusing everything.
"""

from __future__ import annotations

import importlib
import platform
import sys
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from itertools import zip_longest
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from safefs import __version__
from safefs.testing import jail
from safefs.testing.adapters import FsspecSubject
from safefs.testing.card import CLASSES, Examination, last_line, verdict
from safefs.testing.trial import SUBJECT, Result, say_on_stderr, warm_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs.testing.trial import Ending

    Make = Callable[[Path], object]
    Answer = TypeVar("Answer")


class BadTargetError(ValueError):
    """The target names nothing that can be put to the test."""


@dataclass(frozen=True, slots=True)
class Card:
    """How a subject did, class by class."""

    target: str
    jail: str | None
    results: tuple[Result, ...]

    @property
    def cases(self) -> int:
        """How many cases were tried, of all classes together."""
        return sum(result.examples for result in self.results)

    @property
    def verdict(self) -> Ending:
        """The worst of the results: ``contained`` if nothing is worse than not offered."""
        return verdict(self.results)

    def lines(self) -> Iterator[tuple[str, str, str]]:
        """(class, reads or writes or deletes, what came of it) of each result."""
        for result in self.results:
            yield result.attack, result.group or "", _told(result)

    def as_json(self) -> dict[str, object]:
        """The card in what JSON knows."""
        return {
            "target": self.target,
            "verdict": self.verdict,
            "jail": self.jail,
            "versions": versions(),
            "cases": self.cases,
            "results": [_as_json(result) for result in self.results],
        }


def versions() -> dict[str, str]:
    """Of what has a say in how a card comes out."""
    installed = {name: metadata.version(name) for name in ("hypothesis", "fsspec")}
    return {"safefs": __version__, **installed, "python": platform.python_version()}


_ABOUT = {each.name: each.about for each in CLASSES}


def _as_json(result: Result) -> dict[str, object]:
    return {
        "attack": result.attack,
        "about": _ABOUT.get(result.attack, ""),
        "access": result.group,
        "result": result.ending,
        "example": result.example,
        "operations": list(result.words),
        "not_verified": dict(zip_longest(result.idle, result.causes, fillvalue="")),
        "cases": result.examples,
    }


def _told(result: Result) -> str:
    if result.ending != "contained":
        return str(result)
    if result.group is not None:
        return f"contained (not verified: {', '.join(result.idle)})" if result.idle else "contained"
    said = "can be made, and closes what it opens"
    return f"{said} (not verified: {'; '.join(result.causes)})" if result.idle else said


def fuzz(target: str, *, examples: int = 50, seconds: float = 30) -> Card:
    """The report card of a target. ``seconds`` is the time limit of each trial: there are some 50.

    Raises ``BadTargetError`` if the target names nothing that can be put to the test.
    """
    load = partial(factory, target, Path.cwd())
    return examined(target, load, examples=examples, seconds=seconds)


def examined(
    name: str, load: Callable[[], Make], *, examples: int = 50, seconds: float = 30
) -> Card:
    """The report card of what ``load`` gives. It is called in the jail, and nowhere else.

    ``load`` gives a callable that gets the root directory, as ``Examination`` does. It is called
    in a child of its own first, to see that it comes to an end.
    """
    word = jail.kind()

    def loads() -> str:
        say_on_stderr()
        try:
            load()
        except BadTargetError as error:
            return str(error)
        return ""

    def run() -> list[Result]:
        say_on_stderr()
        make = load()
        warm_up()  # here, as it leaves a directory where it is
        with Examination(make, examples, seconds, confined=word is not None) as examination:
            return examination.results()

    # Each trial keeps its own time; this is for what would outlive that.
    limit = (2 + sum(len(each.groups) for each in CLASSES)) * seconds + 60
    with jail.scratch_directory() as scratch:
        try:
            wrong = _in_child(loads, scratch, seconds)
        except TimeoutError:
            return _bad(name, "hung", f"at import: no end in {seconds:g} s")
        except jail.JailError as error:
            return _bad(name, "died", f"at import: {last_line(error)}")
        except jail.JailUnavailable as error:
            return _bad(name, "not run", str(error))
        if wrong:
            raise BadTargetError(wrong)
        try:
            results = _in_child(run, scratch, limit)
        except (TimeoutError, jail.JailError, jail.JailUnavailable) as error:
            return _bad(name, _ending(error), str(error))
    return Card(name, word, tuple(results))


def _in_child(function: Callable[[], Answer], scratch: Path, seconds: float) -> Answer:
    """In the jail, or where there is none in a plain child, in which ``Examination`` knows it."""
    if jail.kind() is None:
        return jail.forked(function, seconds=seconds)
    return jail.jailed(function, scratch=scratch, seconds=seconds)


def _bad(name: str, ending: Ending, said: str) -> Card:
    result = Result(SUBJECT, None, ending, said.strip().splitlines()[-1])
    return Card(name, jail.kind(), (result,))


def _ending(error: Exception) -> Ending:
    if isinstance(error, jail.JailUnavailable):
        return "not run"
    return "hung" if isinstance(error, TimeoutError) else "died"


def factory(target: str, here: Path) -> Make:
    """What a target names: for the child, since a module may do anything when it is imported."""
    if not target.strip(":/") or target.startswith(":"):
        raise BadTargetError(f"{target!r} is neither module:factory nor an fsspec protocol")
    if ":" in target and "://" not in target and "::" not in target:
        sys.path.insert(0, str(here))  # as python -m has it
        return _imported(*target.split(":", 1))
    return _of_fsspec(target, here)


def _imported(module: str, name: str) -> Make:
    if not name:
        raise BadTargetError(f"'{module}:' names no factory: say which one, {module}:FACTORY")
    if not _is_module(module):
        dotted = _dotted(module)
        raise BadTargetError(
            f"{module!r} is no name of a module: write it as in an import, "
            f"{dotted if _is_module(dotted) else 'package.module'}:{name}"
        )
    try:
        found = importlib.import_module(module)
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise BadTargetError(f"{module} cannot be imported: {said}") from error
    try:
        factory: object = attrgetter(name)(found)
    except AttributeError as error:
        raise BadTargetError(f"{module} has no {name}") from error
    if not callable(factory):
        raise BadTargetError(f"{module}:{name} cannot be called: it is a {type(factory).__name__}")
    return factory


def _is_module(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


def _dotted(path: str) -> str:
    return path.removeprefix("./").removesuffix(".py").replace("/", ".")


def _module_at(here: Path, target: str) -> str:
    """The module of that name, or path, that lies in the working directory, if one does."""
    module = _dotted(target)
    place = here / module.replace(".", "/")
    there = place.with_name(f"{place.name}.py").is_file() or (place / "__init__.py").is_file()
    return module if there and _is_module(module) else ""


def _of_fsspec(target: str, here: Path) -> Make:
    import fsspec

    url = target if "://" in target else f"{target}://"
    chain, _, path = url.rpartition("://")
    if path or "://" in chain:
        raise BadTargetError(
            f"{target!r} has a path; give the protocol alone: the root is the kit's"
        )
    for protocol in chain.split("::"):
        if not protocol:  # which fsspec takes for "file"
            raise BadTargetError(f"{target!r} lacks a protocol after '::'")
        try:
            fsspec.get_filesystem_class(protocol)
        except ImportError as error:
            raise BadTargetError(f"the package of {protocol!r} is missing: {error}") from error
        except ValueError as error:
            said = f"{protocol!r} is no protocol of fsspec: {error}"
            if protocol == target and (module := _module_at(here, target)):
                said = f"{target!r} is a module here: say which factory, {module}:FACTORY"
            raise BadTargetError(said) from error
    return RegisteredDiskSubject if chain == "safefs" else partial(_by_url, url)


def _by_url(url: str, root: Path) -> FsspecSubject:
    import fsspec

    fs, path = fsspec.url_to_fs(f"{url}{root}", skip_instance_cache=True)
    own_root = getattr(type(fs), "protocol", None) == "dir"
    return FsspecSubject(fs, "" if own_root else f"{path}/")


class RegisteredDiskSubject(FsspecSubject):
    """``safefs://`` over a disk at the root."""

    def __init__(self, root: Path) -> None:
        import fsspec

        from safefs.disk import Disk
        from safefs.storage import Storage

        self._storage = Storage("fuzz", disks={"fuzz": Disk(root)})
        self._storage.register("fuzz")
        super().__init__(fsspec.filesystem("safefs"), "fuzz/")

    def close(self) -> None:
        self._storage.close()
