"""Writes ``docs/api.md`` from the docstrings: ``make docs``.

Reads the source and imports nothing, so that every Python writes the same.
"""

from __future__ import annotations

import ast
import re
import textwrap
from itertools import takewhile
from pathlib import Path  # noqa: TID251  (reads this project's own source)

PROJECT = Path(__file__).resolve().parent.parent
WIDTH = 110
# Each class, its module, and what is said of a member without a docstring.
CLASSES = (
    ("Root", "root", "As of a file object."),
    ("Disk", "disk", "As of a file object."),
    ("DiskPath", "diskpath", "As `pathlib`."),
    ("Storage", "storage", ""),
    ("InstallationKey", "secrets/keys", ""),
    ("Secrets", "secrets/named", ""),
    ("Secret", "secrets/secret", ""),
    ("Scope", "secrets/scope", ""),
    ("Grant", "secrets/grant", ""),
    ("Bridge", "bridge/serving", ""),
    ("Policy", "policy", ""),
    ("Budget", "budget", ""),
    ("Progress", "progress", ""),
    ("Step", "report", ""),
    ("TreeReport", "report", ""),
    ("ExportReport", "secrets/exportreport", ""),
    ("Explanation", "explanation", ""),
    ("PathStep", "explanation", ""),
    ("Access", "access", ""),
    ("LockdownReport", "lockdown/report", ""),
    ("Stat", "drivers/base", "As of `os.stat_result`."),
    ("Watcher", "watch/watcher", ""),
    ("Change", "watch/changes", ""),
    ("Resync", "watch/changes", ""),
    ("RootMoved", "watch/changes", ""),
    ("RootGone", "watch/changes", ""),
)
# These have no constructor for callers.
MADE_ELSEWHERE = (
    "Access",
    "Bridge",
    "Change",
    "DiskPath",
    "Explanation",
    "ExportReport",
    "Grant",
    "InstallationKey",
    "LockdownReport",
    "PathStep",
    "Progress",
    "Resync",
    "RootGone",
    "RootMoved",
    "Secrets",
    "Stat",
    "Step",
    "TreeReport",
    "Watcher",
)
HEAD = """\
# API

<!-- Written by docs/make_api.py from the docstrings. Change those, then run: make docs -->

Each public method, with the first sentence of its docstring. The whole of it: `help(Disk.put)`.
All classes below are imported from `safefs`.

## The words in signatures

- `StrPath`: `str` or `os.PathLike[str]`.
- `StrOrBytesPath`: a `StrPath`, `bytes` or `os.PathLike[bytes]`.
- `AnyPath`: a path beneath the root. For a `Root` it is a `StrOrBytesPath`. For a `Disk` it may
  also be a `DiskPath` of that disk. An int is a `TypeError`.
- `Directory`: a `StrPath` that is opened as it stands, as by the builtin `open`.
- `Content`: what can be stored. It is `bytes`, `bytearray`, `memoryview` or another buffer; a `str`
  (stored as UTF-8, newlines untouched); a binary file object (read from where it stands); or an
  iterable of buffers. A text file object is a `TypeError`.
- `Buffer`: `bytes`, `bytearray` or `memoryview`. `ReadableBuffer`: one of these or another buffer.
- `RelPath`: a path that has been parsed; safefs makes it.
- `Visibility`: `"private"` or `"public"`. `Moved`: `"renamed"` or `"copied"`.
  `Mode`: `"inotify"` or `"polling"`.
- `Listing`: an iterator and a context manager, as `os.scandir` gives.
- `Registration`: a context manager with `close`; either takes the names back.
- `FakeStorage`: a `Storage` for tests; see [named disks](disks.md).
"""


def document() -> str:
    """All of ``docs/api.md``."""
    errors, audit = _doc(_module("errors")[0]), _doc(_module("audit")[0])
    parts = [HEAD, *(_class(*each) for each in CLASSES)]
    parts += [f"## Exceptions\n\n```text\n{errors}\n```\n", f"## Audit events\n\n{_text(audit)}\n"]
    return "\n".join(parts)


def _module(name: str) -> tuple[ast.Module, str]:
    source = (PROJECT / "safefs" / f"{name}.py").read_text(encoding="utf-8")
    return ast.parse(source), source


def _class(name: str, module: str, without: str) -> str:
    tree, source = _module(module)
    found = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
    functions = [node for node in found.body if isinstance(node, ast.FunctionDef)]
    members = [_member(name, each, source, without) for each in functions if _shown(name, each)]
    return "\n".join((f"## {name}\n\n{_text(_doc(found))}\n", *members, ""))


def _shown(name: str, function: ast.FunctionDef) -> bool:
    """Public ones, the constructor, and of the other operators those that say something."""
    if function.name == "__init__":
        return name not in MADE_ELSEWHERE
    return not function.name.startswith("_") or (
        function.name.startswith("__") and bool(_doc(function))
    )


def _member(name: str, function: ast.FunctionDef, source: str, without: str) -> str:
    said = _first_sentence(_doc(function)) or (function.name != "__init__" and without)
    shown = f"- `{_signature(name, function, source)}`"
    return _filled(f"{shown}: {said}" if said else shown)


def _signature(name: str, function: ast.FunctionDef, source: str) -> str:
    marks = {node.id for node in function.decorator_list if isinstance(node, ast.Name)}
    returns = _source(function.returns, source)
    if "property" in marks:
        return f"{function.name}: {returns}"
    shown = f"({', '.join(_parameters(function.args, source))})"
    if function.name == "__init__":
        return name + shown
    prefix = f"{name}." if "classmethod" in marks else ""
    return f"{prefix}{function.name}{shown} -> {returns}"


def _parameters(args: ast.arguments, source: str) -> list[str]:
    plain = args.posonlyargs + args.args
    defaults = [None] * (len(plain) - len(args.defaults)) + args.defaults
    shown = [_parameter(*each, source) for each in zip(plain, defaults, strict=True)][1:]
    if args.vararg:
        shown.append(f"*{_parameter(args.vararg, None, source)}")
    elif args.kwonlyargs:
        shown.append("*")
    keywords = zip(args.kwonlyargs, args.kw_defaults, strict=True)
    shown += [_parameter(*each, source) for each in keywords]
    return shown + ([f"**{_parameter(args.kwarg, None, source)}"] if args.kwarg else [])


def _parameter(arg: ast.arg, default: ast.expr | None, source: str) -> str:
    shown = f"{arg.arg}: {_source(arg.annotation, source)}"
    return shown if default is None else f"{shown} = {_source(default, source)}"


def _source(node: ast.expr | None, source: str) -> str:
    """As it is written, on one line: octal stays octal, and a name loses its module."""
    written = ast.get_source_segment(source, node) if node else None
    return re.sub(r"\b[a-z_]+\.(?=[A-Z])", "", " ".join((written or "").split()))


def _doc(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> str:
    return ast.get_docstring(node) or ""


def _first_sentence(doc: str) -> str:
    paragraph = " ".join(takewhile(str.strip, doc.splitlines()))
    return re.split(r"(?<=[.])\s+(?=[A-Z`])", paragraph)[0]


def _text(doc: str) -> str:
    """A docstring as Markdown: what stands as a term over an indented text becomes an item."""
    items = re.sub(r"^(\S.*)\n((?:    \S.*(?:\n|$))+)", _item, doc, flags=re.MULTILINE)
    return "\n\n".join(_paragraph(part) for part in items.split("\n\n"))


def _item(match: re.Match[str]) -> str:
    term, said = match[1], " ".join(match[2].split())
    return f"- {term if '`' in term else f'`{term}`'}: {said}\n"


def _paragraph(part: str) -> str:
    items = re.split(r"\n(?=- )", part.strip("\n"))
    return "\n".join(_filled(item) for item in items)


def _filled(text: str) -> str:
    indent = "  " if text.startswith("- ") else ""
    return textwrap.fill(
        re.sub("``(.+?)``", r"`\1`", " ".join(text.split())),
        WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    (PROJECT / "docs" / "api.md").write_text(document(), encoding="utf-8")
