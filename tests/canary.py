"""A key, a secret and a passphrase that are easy to find, and every surface that could show one."""

from __future__ import annotations

import base64
import copy
import dataclasses
import inspect
import json
import logging
import pickle
import pprint
import reprlib
import traceback
from collections import deque
from collections.abc import Mapping
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from safefs import Disk, Storage
from safefs.age import X25519Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from types import FrameType

KEY = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
RAW = b"B" * 32  # what it is the text of
SECRET = "canary-secret-7f3a9c"
PASSPHRASE = "canary-passphrase-51d2"


class Env:
    """What rows of tests work with. What is a canary, its methods give, for no frame to hold."""

    def __init__(self, storage: Storage, home: Path) -> None:
        self.storage = storage
        self.home = home
        self.identity = X25519Identity(KEY)
        self.other = X25519Identity.generate()

    def key(self) -> str:
        return KEY

    def secret(self) -> str:
        return SECRET

    def passphrase(self) -> str:
        return PASSPHRASE


def spellings(canary: bytes) -> set[bytes]:
    """As it is found in memory, in texts of it, and in what is made of bytes to be shown."""
    encoded = {base64.b64encode(canary).rstrip(b"="), canary.hex().encode()}
    # In the middle of something else, base 64 of it has another beginning and another end.
    shifted = {base64.b64encode(bytes(at) + canary)[4:-4] for at in (1, 2)}
    return {canary, canary[4:-2], repr(canary)[2:-1].encode(), *encoded, *shifted}


TRACES = {
    trace
    for canary in (KEY.encode(), KEY.lower().encode(), RAW, SECRET.encode(), PASSPHRASE.encode())
    for trace in spellings(canary)
}


def traces_in(shown: str | bytes, more: Iterable[str] = ()) -> list[bytes]:
    data = shown.encode("utf-8", "surrogatepass") if isinstance(shown, str) else shown
    return [trace for trace in (*TRACES, *(each.encode() for each in more)) if trace in data]


# -- surfaces ------------------------------------------------------------------------------------


def _refused(make: Callable[[], object]) -> str:
    """What it makes, or the words of its refusal."""
    try:
        return repr(make())
    except (TypeError, ValueError, AttributeError) as error:
        return repr(error)


def _logged(holder: object) -> str:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[assignment,method-assign]
    logger = logging.getLogger("tests.canary")
    logger.addHandler(handler)
    try:
        logger.warning("%s %r %s", holder, holder, [holder])
    finally:
        logger.removeHandler(handler)
    return repr([(each.getMessage(), vars(each)) for each in records])


def _in_a_traceback(holder: object) -> str:
    def fails(argument: object) -> None:
        several = {"a": [argument]}
        raise ValueError(f"{argument} {several}")

    try:
        fails(holder)
    except ValueError as error:
        return everything_shown_of(error)
    raise AssertionError


def _in_a_dataclass(holder: object) -> object:
    made = dataclasses.make_dataclass("Settings", ["field"])(holder)
    return repr(made) + _refused(lambda: dataclasses.asdict(made))


def _rich(holder: object) -> str:
    return repr(list(holder.__rich_repr__())) if hasattr(holder, "__rich_repr__") else ""


def _shortened(holder: object) -> str:
    printer = reprlib.Repr()
    printer.maxother = 1000
    return printer.repr(holder)


def _hashed(holder: object) -> str:
    return _refused(lambda: [hash(holder), {holder: 1}])


SURFACES: dict[str, Callable[[Any], object]] = {
    "repr": repr,
    "str": str,
    "format": lambda holder: f"{holder} {holder!r} {[holder]} {holder!s}",
    "format with a width": lambda holder: _refused(lambda: f"{holder:>60}{holder:s}"),
    "percent": lambda holder: "%s %r" % (holder, holder),  # noqa: UP031
    "vars": lambda holder: _refused(lambda: vars(holder)),
    "attributes": lambda holder: repr(list(_found_by_walking(holder))),
    "members": lambda holder: repr(inspect.getmembers(holder)),
    "pprint": pprint.pformat,
    "reprlib": _shortened,
    "rich": _rich,
    "hash": _hashed,
    "json": lambda holder: _refused(lambda: json.dumps({"a": holder})),
    "json with str": lambda holder: json.dumps({"a": holder}, default=str),
    "json with vars": lambda holder: _refused(lambda: json.dumps(holder, default=vars)),
    "copy": lambda holder: _refused(lambda: copy.copy(holder)),
    "deepcopy": lambda holder: _refused(lambda: copy.deepcopy(holder)),
    **{
        f"pickle {protocol}": lambda holder, p=protocol: _refused(lambda: pickle.dumps(holder, p))  # type: ignore[misc]
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
    "a dataclass": _in_a_dataclass,
    "a log": _logged,
    "a traceback": _in_a_traceback,
    "iteration": lambda holder: _refused(lambda: list(holder)),
    "bytes": lambda holder: _refused(lambda: bytes(memoryview(holder))),
    "sum": lambda holder: _refused(lambda: holder + ""),
}


# -- what a printer of attributes finds ----------------------------------------------------------

_OPAQUE = (type, ModuleType, FunctionType, MethodType)
_MOST = 3000  # objects
_OF_A_FRAME = 500  # without disks and what has them, which are holders of their own


def _found_by_walking(
    thing: object, most: int = _MOST, apart: tuple[type, ...] = ()
) -> Iterator[str | bytes]:
    """All text and bytes that are reached by attributes, items and members, calling no method.

    Properties are asked for, as a debugger does that unfolds an object.
    """
    seen: dict[int, object] = {}  # kept, or another object may come to have the same id
    waiting = deque([thing])  # what is near comes first
    while waiting and len(seen) < most:
        each = waiting.popleft()
        if id(each) in seen or isinstance(each, (*_OPAQUE, *apart)):
            continue
        seen[id(each)] = each
        if isinstance(each, str | bytes | bytearray):
            yield each if isinstance(each, str) else bytes(each)
        elif isinstance(each, memoryview):
            yield each.tobytes()
        elif not isinstance(each, int | float | complex | None):
            waiting.extend(_beneath(each))


def _beneath(thing: object) -> Iterator[object]:
    if isinstance(thing, Mapping):
        yield from (*thing.keys(), *thing.values())
    elif isinstance(thing, list | tuple | set | frozenset):
        yield from thing
    for name in _names(thing):
        try:
            yield getattr(thing, name)
        except Exception:
            continue


def _names(thing: object) -> list[str]:
    try:
        found = dir(thing)
    except Exception:  # what is closed may refuse that too
        found = dir(type(thing))
    return [name for name in found if not name.startswith("__")]


# -- what is shown of an error -------------------------------------------------------------------


def everything_shown_of(error: BaseException) -> str:
    """To a printer that shows the variables of each frame, unfolded, and what it is chained to."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown = ["".join(told.format())]
    for each in _chain(error):
        shown += [str(each), repr(each), repr(each.args), repr(getattr(each, "__notes__", ""))]
        shown += [_pickled(each), *map(repr, _found_by_walking(each))]
        for frame in _frames(each):
            held = dict(frame.f_locals)
            shown += map(repr, _found_by_walking(held, _OF_A_FRAME, (Storage, Disk, Env)))
    return "\n".join(shown)


def _pickled(error: BaseException) -> str:
    return _refused(lambda: pickle.dumps(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Also what was suppressed by ``from None``: it is there, and debuggers show it."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and each not in seen:
            seen.append(each)
            yield each
            waiting += [each.__cause__, each.__context__]


def _frames(error: BaseException) -> Iterator[FrameType]:
    step = error.__traceback__
    while step is not None:
        yield step.tb_frame
        step = step.tb_next
