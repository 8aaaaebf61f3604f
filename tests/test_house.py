"""The rooms of the house: what ruff and import-linter cannot see."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "safefs"

# Rooms whose work is outside any disk: the local side of get and put, configuration, test kit.
AMBIENT = {"cli/changing.py", "config.py", "demo.py", "testing"}
SOURCES = sorted(
    file
    for file in PACKAGE.rglob("*.py")
    if not {file.relative_to(PACKAGE).parts[0], str(file.relative_to(PACKAGE))} & AMBIENT
)


@pytest.mark.parametrize("source", SOURCES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_no_room_but_the_ambient_ones_calls_the_builtin_open(source: Path) -> None:
    calls = [
        node.lineno
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"
    ]
    assert not calls, f"{source.name} opens by name at lines {calls}"


@pytest.mark.parametrize(
    "source", [file for file in SOURCES if "operations" in file.parts], ids=lambda file: file.name
)
def test_operations_reach_the_system_through_the_seam_only(source: Path) -> None:
    """Looked up at each call: ``from syscalls import open`` would escape a test's hook."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.module != "safefs.kernel.syscalls", f"line {node.lineno}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            allowed = (
                node.value.id != "os"
                or node.attr in OS_CONSTANTS
                or node.attr.startswith(("O_", "SEEK_"))
            )
            assert allowed, f"line {node.lineno}: os.{node.attr}"


OS_CONSTANTS = {
    *("strerror", "path", "stat_result", "fsdecode", "fsencode", "PathLike", "DirEntry"),
    "register_at_fork",
}
