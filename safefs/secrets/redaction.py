"""Environment files (``.env``) without their secrets: text to text, and pure.

They are read by python-dotenv's parser, so that a value of several lines, ``export``, quotes and
indentation are what they are to a program, and written anew from what was understood. Nothing of
the text is carried over as it stands: no comment, no spelling. What cannot be read for certain is
an error, for what is not understood may be a secret.
"""

from __future__ import annotations

import io
import re

from safefs.errors import SafefsError
from safefs.secrets.keypatterns import key_patterns, matches
from safefs.secrets.references import REFERENCE, Meanings, TooMuchError
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
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)(?:\[[^\]\n]*\])?['\"]?\s*\+?=")
# Where a shell or a reader of lines would begin the next one; what ends in "=" is base64.
_FOREIGN = re.compile(r"(?:[\s;'\"`({|]|&&)" + _ASSIGNMENT.pattern + r"(?!=?[^\S\n]*(?:\n|\Z))")
_SINGLE = re.compile(r"[^=]*=[^\S\r\n]*'")
_QUOTED = re.compile(r"[^=]*=[^\S\r\n]*['\"]")
_WITHIN = re.compile(r"[^=]*=[^\S\r\n]*(['\"])((?:\\.|(?!\1)[^\\])*)\1", re.DOTALL)
_EXPORT = re.compile(r"\s*export\s")
_BEGIN = "-----BEGIN"
_CLOSED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_UNSURE = re.compile(r"['\"`]|<<")
_LAST_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+\Z")
_USUAL_KEY = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_HEX = re.compile(r"[0-9a-f]*\Z|[0-9A-F]*\Z")
_LINE_OF_BASE64 = 40  # characters; no tool that breaks lines breaks them earlier
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
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
    unused
        The patterns of ``redact`` that are of no key there is: was another spelling meant?
    """

    __slots__ = ("content", "kept", "removed", "comments", "unused")  # noqa: RUF023  (of repr)

    content: bytes
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    comments: int
    unused: tuple[str, ...]

    def __init__(
        self,
        content: bytes,
        kept: tuple[str, ...],
        removed: tuple[str, ...],
        comments: int,
        unused: tuple[str, ...] = (),
    ) -> None:
        self._set(content=content, kept=kept, removed=removed, comments=comments, unused=unused)


def redact_env(
    content: bytes, *, redact: Iterable[str] = (), keep: Iterable[str] | None = None
) -> Redacted:
    """The file without what ``redact`` names, and without all that ``keep`` does not, if given.

    Both are patterns as of ``fnmatch`` on keys, whatever their case: ``"AWS_*"``, ``"*_SECRET"``.
    Removed with it is each key whose value holds the value of something that is removed (of six
    characters and more; as it is written, as it is read, and with its references followed in any
    order), and each that refers to it (``${AWS_KEY:-or this}``). What a removed value is put
    together from besides other text stays: of ``${A}@host`` the whole is removed, and not ``A``.
    What a key without a value is (``export NAME``) is judged by its name.

    ``RedactionError`` for what is no UTF-8, for a line that is no assignment, a key that is no name
    of a variable, a character that only some take for the end of a line, what looks like the lines
    of a key without quotes, or like the end of what is removed, a value without quotes that a shell
    would go on reading (a backslash at its end, a quote or a backtick that is not closed), a name
    that holds a removed value, and a value in which something looks like the assignment of what
    ``redact`` names: as after a quote that was never closed, or in ``?client_secret=`` of a URL.
    With ``keep`` also for a value in which a line or a word looks like the assignment of anything
    that does not stay. ``ImportError`` without the extra ``safefs[crypto]``, ``TypeError`` for a
    bare str, ``ValueError`` for a pattern that no name of a variable can match.
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
    """Which keys stay; ``TypeError`` for a bare str, ``ValueError`` for what matches no name."""

    def __init__(self, redact: Iterable[str] = (), keep: Iterable[str] | None = None) -> None:
        self._unwanted = key_patterns("redact", redact)
        self._wanted = None if keep is None else key_patterns("keep", keep)

    @property
    def given(self) -> bool:
        """Whether anything says what may stay, or what may not."""
        return bool(self._unwanted) or self._wanted is not None

    def removes(self, key: str) -> bool:
        return self.names(key) or self.omits(key)

    def names(self, key: str) -> bool:
        """Whether it is one of those that are to go, and not only none of those that may stay."""
        return any(matches(key, each) for each in self._unwanted)

    def omits(self, key: str) -> bool:
        """Whether there is a list of those that may stay, and it is none of them."""
        return self._wanted is not None and not any(matches(key, each) for each in self._wanted)

    def unused(self, keys: Iterable[str]) -> tuple[str, ...]:
        """Those patterns of what is to go that are of none of the keys."""
        known = set(keys)
        return tuple(
            each for each in self._unwanted if not any(matches(key, each) for key in known)
        )


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

    __slots__ = ("binding", "gone", "key", "spellings")

    def __init__(self, binding: Binding) -> None:
        self.binding = binding
        self.key = binding.key or ""
        self.gone = False
        self.spellings = _spellings(binding)

    @property
    def is_quoted(self) -> bool:
        return _QUOTED.match(self.binding.original.string) is not None


def _together(files: Mapping[str, Callable[[], bytes]], rules: Redaction) -> dict[str, Redacted]:
    read = {path: _at(path, _bindings, content()) for path, content in files.items()}
    rows = {path: [_Row(each) for each in found if each.key] for path, found in read.items()}
    every = [row for each in rows.values() for row in each]
    meanings = Meanings((row.key, row.binding.value or "") for row in every)
    secret = {value for path in files for value in _at(path, _secrets, rows[path], rules, meanings)}
    for row in every:
        row.gone = rules.removes(row.key) or _holds(row.spellings, secret)
    _follow_references(every, rules)
    unused = rules.unused(row.key for row in every)
    for path in files:
        _at(path, _refuse_pieces, rows[path], rules, secret)
    return {path: _at(path, _left, read[path], rows[path], rules, unused) for path in files}


def _at(path: str, act: Callable[..., Result], *given: object) -> Result:
    """Do it, and let an error say of which file it is."""
    try:
        return act(*given)
    except RedactionError as error:
        raise RedactionError(error.line, error.reason, path or None) from None


def _left(
    found: list[Binding], rows: list[_Row], rules: Redaction, unused: tuple[str, ...]
) -> Redacted:
    kept, removed, lines = [], [], []
    for row in rows:
        if row.gone:
            removed.append(row.key)
            continue
        _refuse_assignment_within(row.binding, rules)
        kept.append(row.key)
        lines.append(_written(row.binding))
    comments = sum(each.original.string.lstrip().startswith("#") for each in found)
    return Redacted("".join(lines).encode(), tuple(kept), tuple(removed), comments, unused)


def _secrets(rows: list[_Row], rules: Redaction, meanings: Meanings) -> list[str]:
    """What the keys that do not stay hold: as it is written, and with its references followed.

    As far as these files have them: what is in the environment of this process is nobody's
    business.
    """
    found = []
    for row in rows:
        meant = _meant(row, meanings)
        if rules.removes(row.key):
            found += [value for value in row.spellings | meant if len(value) >= _LEAST]
    return found


def _meant(row: _Row, meanings: Meanings) -> set[str]:
    try:
        return meanings.of(row.binding.value or "")
    except TooMuchError:
        line = _line_of(row.binding)
        raise RedactionError(line, "its references make too much of it") from None


def _spellings(binding: Binding) -> set[str]:
    """A value as it is read, as it is written, and as one reader or the other takes escapes."""
    if binding.value is None:
        return set()
    within = _WITHIN.match(binding.original.string)
    texts = {binding.value, binding.value if within is None else within.group(2)}
    texts |= {_ESCAPED.sub(_unescaped, each) for each in texts}
    return texts | {each.replace("\r\n", "\n") for each in texts}


def _unescaped(found: re.Match[str]) -> str:
    return _ESCAPES.get(found.group(1), found.group(1))


def _refuse_pieces(rows: list[_Row], rules: Redaction, secrets: set[str]) -> None:
    """Keys that are made of what is removed: their names would show it, here or in a report."""
    for before, row in zip([None, *rows], rows, strict=False):
        if not rules.removes(row.key) and _holds({row.key}, secrets):
            line = _line_of(row.binding)
            raise RedactionError(line, "its name holds the value of something that is removed")
        if before is not None and before.gone and _may_go_on(before, row):
            line = _line_of(row.binding)
            raise RedactionError(line, "this may be the end of something in base64, on two lines")


def _may_go_on(before: _Row, row: _Row) -> bool:
    """Whether ``NAME=`` may be the last line of the base64 that the value before it begins."""
    if row.binding.value != "" or row.is_quoted or before.is_quoted:
        return False
    last = _LAST_BASE64.search(before.binding.value or "")
    if last is None:
        return False
    is_line = len(last.group()) >= _LINE_OF_BASE64 and not _HEX.match(last.group())
    return not _USUAL_KEY.match(row.key) or (is_line and "_" not in row.key)


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
                for name in REFERENCE.findall(row.binding.value or "")
            )
        ]
        if not more:
            return
        for row in more:
            row.gone = True


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
        _refuse_unfinished(binding, binding.value)
    if written.rstrip().endswith("\\"):
        raise RedactionError(_line_of(binding), "it ends in a backslash: some read on")


def _refuse_unfinished(binding: Binding, value: str) -> None:
    """What a shell would go on reading on the next line, which is another assignment here."""
    if "\\'" in value or '\\"' in value or _UNSURE.search(_CLOSED.sub("", value)):
        raise RedactionError(_line_of(binding), "a quote in a value that does not stand in quotes")
    lists = value.startswith("(") or "$(" in value
    if (lists and value.count("(") != value.count(")")) or value.count("${") > value.count("}"):
        raise RedactionError(_line_of(binding), "a bracket that is not closed")


def _line_of(binding: Binding) -> int:
    """The parser counts the empty lines before it to what it has read."""
    blank = len(binding.original.string) - len(binding.original.string.lstrip())
    return binding.original.line + binding.original.string.count("\n", 0, blank)


def _holds(texts: set[str], secrets: set[str]) -> bool:
    return any(secret in text for text in texts for secret in secrets)


def _refuse_assignment_within(binding: Binding, rules: Redaction) -> None:
    value = binding.value or ""
    for found in _ASSIGNMENT.finditer(value):
        if rules.names(found.group(1)):
            raise RedactionError(
                _line_of(binding), "its value holds what looks like something to be removed"
            )
    for found in _FOREIGN.finditer(value):
        if rules.omits(found.group(1)):
            raise RedactionError(
                _line_of(binding), "its value holds what looks like a key that is not kept"
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
