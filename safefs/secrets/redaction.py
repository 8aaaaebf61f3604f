"""Environment files (``.env``) without their secrets: text to text, and pure.

They are read by python-dotenv's parser, so that a value of several lines, ``export``, quotes and
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
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeVar

    from dotenv.parser import Binding

    Result = TypeVar("Result")

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
_BARE = re.compile(r"[A-Za-z0-9_./:@%+,-]+\Z")
# What begins a line to somebody: str.splitlines knows them all, and a shell but the first two.
_OTHER_LINES = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]|\r(?!\n)")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)['\"]?\s*=")
_SINGLE = re.compile(r"[^=]*=[^\S\r\n]*'")
_QUOTED = re.compile(r"[^=]*=[^\S\r\n]*['\"]")
_EXPORT = re.compile(r"\s*export\s")
# $NAME, ${NAME} and all that a shell makes of it: ${NAME:-or this}, ${#NAME}, ${!NAME}.
_REFERENCE = re.compile(r"\$\{?[!#]?([A-Za-z_][A-Za-z0-9_.]*)")
_BEGIN = "-----BEGIN"
_MOST = 1 << 20  # characters of a value: references to references grow without end
_LEAST = 6  # characters of a secret that would be noticed in another value; "true" is none


class RedactionError(SafefsError, ValueError):
    """A file that cannot be read for certain, so that nothing of it may travel.

    ``line`` is the one at which, counted from 1; ``path`` the file, where there are several.
    Nothing of the file is in the message, nor in what the traceback shows of safefs.
    """

    _fields = ("line", "reason", "path")

    def __init__(self, line: int, reason: str, path: str | None = None) -> None:
        super().__init__(f"{'' if path is None else f'{path}: '}line {line}: {reason}")
        self.line = line
        self.reason = reason
        self.path = path


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
    Removed with it is each key whose value holds the value of something that is removed (of six
    characters and more), and each that refers to it (``${AWS_KEY:-or this}``). What a key without
    a value is (``export NAME``) is judged by its name.

    ``RedactionError`` for what is no UTF-8, for a line that is no assignment, a key that is no name
    of a variable, a character that only some take for the end of a line, what looks like the lines
    of a key without quotes, and a value in which something looks like the assignment of what
    ``redact`` names: as after a quote that was never closed, or in ``?client_secret=`` of a URL.
    ``ImportError`` without the extra ``safefs[crypto]``, ``TypeError`` for a bare str.
    """
    try:
        return redact_together({"": _given(content)}, Redaction(redact, keep))[""]
    except Exception as error:  # noqa: BLE001  (raised again)
        problem = error.with_traceback(None)
    del content  # or the traceback would show it
    try:
        raise problem
    finally:
        del problem  # or it is a cycle, and keeps what its frames have open


def _given(content: bytes) -> Callable[[], bytes]:
    """What shows nothing of it, unlike a partial."""
    return lambda: content


class Redaction:
    """Which keys stay; ``TypeError`` for a bare str."""

    def __init__(self, redact: Iterable[str] = (), keep: Iterable[str] | None = None) -> None:
        self._unwanted = _patterns("redact", redact)
        self._wanted = None if keep is None else _patterns("keep", keep)

    @property
    def given(self) -> bool:
        """Whether anything says what may stay, or what may not."""
        return bool(self._unwanted) or self._wanted is not None

    def removes(self, key: str) -> bool:
        return self.names(key) or (self._wanted is not None and not _matches(key, self._wanted))

    def names(self, key: str) -> bool:
        """Whether it is one of those that are to go, and not only none of those that may stay."""
        return _matches(key, self._unwanted)


def redact_together(
    files: Mapping[str, Callable[[], bytes]], rules: Redaction
) -> dict[str, Redacted]:
    """``redact_env`` of files that travel together: what is removed of one is in none of them.

    Each is read by what is given for its path; what that raises is raised.
    """
    problem: Exception
    try:
        return _together(files, rules)
    except RedactionError as error:
        problem = RedactionError(error.line, error.reason, error.path)
    except Exception as error:  # noqa: BLE001  (raised again)
        problem = error.with_traceback(None)
    # Without the frames below, which hold what was read.
    try:
        raise problem
    finally:
        del problem  # or it is a cycle, and keeps what its frames have open


class _Row:
    """One assignment of one file."""

    __slots__ = ("binding", "gone", "key")

    def __init__(self, binding: Binding) -> None:
        self.binding = binding
        self.key = binding.key or ""
        self.gone = False


def _together(files: Mapping[str, Callable[[], bytes]], rules: Redaction) -> dict[str, Redacted]:
    read = {path: _at(path, _bindings, content()) for path, content in files.items()}
    rows = {path: [_Row(each) for each in found if each.key] for path, found in read.items()}
    every = [row for each in rows.values() for row in each]
    secret = {value for path in files for value in _at(path, _secrets, rows[path], rules)}
    for row in every:
        row.gone = rules.removes(row.key) or _holds(row.binding.value, secret)
    _follow_references(every, rules)
    return {path: _at(path, _left, read[path], rows[path], rules) for path in files}


def _at(path: str, act: Callable[..., Result], *given: object) -> Result:
    """Do it, and let an error say of which file it is."""
    try:
        return act(*given)
    except RedactionError as error:
        raise RedactionError(error.line, error.reason, path or None) from None


def _left(found: list[Binding], rows: list[_Row], rules: Redaction) -> Redacted:
    kept, removed, lines = [], [], []
    for row in rows:
        if row.gone:
            removed.append(row.key)
            continue
        _refuse_assignment_within(row.binding, rules)
        kept.append(row.key)
        lines.append(_written(row.binding))
    comments = sum(each.original.string.lstrip().startswith("#") for each in found)
    return Redacted("".join(lines).encode(), tuple(kept), tuple(removed), comments)


def _secrets(rows: list[_Row], rules: Redaction) -> list[str]:
    """What the keys that do not stay hold: as it is written, and with its references followed.

    As far as this file has them: what is in the environment of this process is nobody's business.
    """
    from dotenv.variables import parse_variables

    values: dict[str, str | None] = {}
    found = []
    for row in rows:
        written = row.binding.value
        if written is None:
            continue
        meant = "".join(each.resolve(values) for each in parse_variables(written))
        if len(meant) > _MOST:
            raise RedactionError(_line_of(row.binding), "its references make too much of it")
        values[row.key] = meant
        if rules.removes(row.key):
            found += [value for value in (written, meant) if len(value) >= _LEAST]
    return found


def _follow_references(rows: list[_Row], rules: Redaction) -> None:
    """What refers to something that is removed goes too: ``${AWS_KEY:-the key itself}``."""
    while True:
        gone = {row.key.upper() for row in rows if row.gone}
        more = [
            row
            for row in rows
            if not row.gone
            and any(
                name.upper() in gone or rules.names(name)
                for name in _REFERENCE.findall(row.binding.value or "")
            )
        ]
        if not more:
            return
        for row in more:
            row.gone = True


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
            _refuse_odd(each)
    return found


def _refuse_odd(binding: Binding) -> None:
    """What the parser lets pass, and may be the second line of something without quotes."""
    if not _KEY.match(binding.key or ""):
        raise RedactionError(_line_of(binding), "this is no name of a variable")
    written = binding.original.string
    if binding.value is None:
        if not _EXPORT.match(written):
            raise RedactionError(_line_of(binding), "this is no assignment")
    elif not _QUOTED.match(written):
        if _BEGIN in binding.value:
            raise RedactionError(_line_of(binding), "a key of several lines stands in quotes")
        if binding.value and not binding.value.strip("="):
            raise RedactionError(_line_of(binding), "this is the end of something in base64")


def _line_of(binding: Binding) -> int:
    """The parser counts the empty lines before it to what it has read."""
    blank = len(binding.original.string) - len(binding.original.string.lstrip())
    return binding.original.line + binding.original.string.count("\n", 0, blank)


def _holds(value: str | None, secrets: set[str]) -> bool:
    return value is not None and any(secret in value for secret in secrets)


def _refuse_assignment_within(binding: Binding, rules: Redaction) -> None:
    for found in _ASSIGNMENT.finditer(binding.value or ""):
        if rules.names(found.group(1)):
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
