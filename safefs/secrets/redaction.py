"""An environment file (``.env``) without its secrets: text to text, and pure.

The file is read by python-dotenv's parser, so that a value of several lines, ``export``, quotes and
indentation are what they are to a program, and written anew from what was understood. Nothing of
the text is carried over as it stands: no comment, no spelling. What cannot be read for certain is
an error, for what is not understood may be a secret.
"""

from __future__ import annotations

import io
import re
from fnmatch import fnmatchcase

from safefs.errors import SafefsError
from safefs.values import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from dotenv.parser import Binding

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
_BARE = re.compile(r"[A-Za-z0-9_./:@%+,-]+\Z")
# What begins a line to somebody: str.splitlines knows them all, and a shell but the first two.
_OTHER_LINES = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]|\r(?!\n)")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)['\"]?\s*=")
_SINGLE = re.compile(r"[^=]*=[^\S\r\n]*'")
_EXPORT = re.compile(r"\s*export\s")
_LEAST = 6  # characters of a secret that would be noticed in another value; "true" is none


class RedactionError(SafefsError, ValueError):
    """A file that cannot be read for certain, so that nothing of it may travel.

    ``line`` is the one at which, counted from 1. Nothing of the file is in the message.
    """

    _fields = ("line", "reason")

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


class Redacted(Frozen):
    """What is left of an environment file.

    content
        The file that may travel, in UTF-8, with line ends as on Unix.
    kept, removed
        The keys, each as it was spelled, in their order.
    comments
        How many comments there were: none of them is in ``content``.
    """

    __slots__ = ("content", "kept", "removed", "comments")  # noqa: RUF023  (the order of repr)

    content: bytes
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    comments: int

    def __init__(
        self, content: bytes, kept: tuple[str, ...], removed: tuple[str, ...], comments: int
    ) -> None:
        self._set(content=content, kept=kept, removed=removed, comments=comments)


def redact_env(
    content: bytes, *, redact: Iterable[str] = (), keep: Iterable[str] | None = None
) -> Redacted:
    """The file without what ``redact`` names, and without all that ``keep`` does not, if given.

    Both are patterns as of ``fnmatch`` on keys, whatever their case: ``"AWS_*"``, ``"*_SECRET"``.
    A value that holds the value of something that is removed is removed with it. What a key without
    a value is (``export NAME``) is judged by its name.

    ``RedactionError`` for what is no UTF-8, for a line that is no assignment, a key that is no name
    of a variable, a character that only some take for the end of a line, and a value in which
    something looks like the assignment of what ``redact`` names: as after a quote that was never
    closed, or in ``?client_secret=`` of a URL. ``ImportError`` without the extra
    ``safefs[crypto]``, ``TypeError`` for a bare str.
    """
    unwanted = _patterns("redact", redact)
    wanted = None if keep is None else _patterns("keep", keep)
    bindings = _bindings(content)

    def stays(key: str) -> bool:
        return (wanted is None or _matches(key, wanted)) and not _matches(key, unwanted)

    named = [each for each in bindings if each.key is not None]
    secret = {
        each.value
        for each in named
        if not stays(_key(each)) and each.value is not None and len(each.value) >= _LEAST
    }
    kept, removed, lines = [], [], []
    for each in named:
        key = _key(each)
        if not stays(key) or _holds(each.value, secret):
            removed.append(key)
            continue
        _refuse_assignment_within(each, unwanted)
        kept.append(key)
        lines.append(_written(each))
    comments = sum(each.original.string.lstrip().startswith("#") for each in bindings)
    return Redacted("".join(lines).encode(), tuple(kept), tuple(removed), comments)


def _patterns(name: str, given: Iterable[str]) -> tuple[str, ...]:
    if isinstance(given, str):
        raise TypeError(f"{name} is a list of patterns, not {given!r}")
    return tuple(each.upper() for each in given)


def _matches(key: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(key.upper(), pattern) for pattern in patterns)


def _bindings(content: bytes) -> list[Binding]:
    try:
        from dotenv.parser import parse_stream
    except ImportError:
        raise ImportError(
            "an .env file is read by python-dotenv: install safefs[crypto]", name="dotenv"
        ) from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RedactionError(content.count(b"\n", 0, error.start) + 1, "this is no UTF-8") from None
    if "\0" in text:
        raise RedactionError(text.count("\n", 0, text.index("\0")) + 1, "it holds NUL")
    odd = _OTHER_LINES.search(text)
    if odd is not None:
        line = text.count("\n", 0, odd.start()) + 1
        raise RedactionError(line, "it holds a character that some take for the end of a line")
    found = list(parse_stream(io.StringIO(text)))
    for each in found:
        if each.error:
            raise RedactionError(_line_of(each), "this is no assignment")
        if each.key is not None:
            _key(each)
    return found


def _line_of(binding: Binding) -> int:
    """The parser counts the empty lines before it to what it has read."""
    blank = len(binding.original.string) - len(binding.original.string.lstrip())
    return binding.original.line + binding.original.string.count("\n", 0, blank)


def _key(binding: Binding) -> str:
    key = binding.key or ""
    if not _KEY.match(key):
        raise RedactionError(_line_of(binding), "this is no name of a variable")
    return key


def _holds(value: str | None, secrets: set[str]) -> bool:
    return value is not None and any(secret in value for secret in secrets)


def _refuse_assignment_within(binding: Binding, unwanted: tuple[str, ...]) -> None:
    for found in _ASSIGNMENT.finditer(binding.value or ""):
        if _matches(found.group(1), unwanted):
            raise RedactionError(
                _line_of(binding), "its value holds what looks like something to be removed"
            )


def _written(binding: Binding) -> str:
    export = "export " if _EXPORT.match(binding.original.string) else ""
    if binding.value is None:
        return f"{export}{binding.key}\n"
    was_single = _SINGLE.match(binding.original.string) is not None
    return f"{export}{binding.key}={_quoted(binding.value, was_single=was_single)}\n"


def _quoted(value: str, *, was_single: bool) -> str:
    """In single quotes where no variable is expanded, as far as the reader has a difference."""
    if not value or _BARE.match(value):
        return value
    escaped = value.replace("\\", "\\\\")
    if was_single or not any(each in value for each in "'\\$"):
        return "'" + escaped.replace("'", "\\'") + "'"
    return '"' + escaped.replace('"', '\\"') + '"'
