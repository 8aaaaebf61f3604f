"""The public names, and what importing them costs."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest

import safefs

# Each costs more at import than the whole core.
SLOW = [
    "concurrent.futures",
    "dataclasses",
    "fsspec",
    "logging",
    "platformdirs",
    "re",
    "secrets",
    "shutil",
    "tempfile",
    "typing",
]


def test_the_public_names_are_sorted_and_each_is_there() -> None:
    assert safefs.__all__ == sorted(safefs.__all__)
    for name in safefs.__all__:
        assert getattr(safefs, name) is not None
    assert set(safefs.__all__) <= set(dir(safefs))


def test_a_public_name_says_where_it_lives() -> None:
    for name in safefs.__all__:
        if name[0] != "_":
            assert getattr(safefs, name).__module__.startswith("safefs.")


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'safefs' has no attribute 'nothing'"):
        safefs.nothing  # noqa: B018


def test_the_version_is_the_one_of_the_package() -> None:
    assert safefs.__version__ == importlib.metadata.version("safefs")


@pytest.mark.parametrize("module", ["safefs", "safefs.root"])
def test_the_core_loads_nothing_slow(module: str) -> None:
    """In an interpreter of its own, without site, which itself imports half of the library."""
    code = (
        f"import sys; sys.path = {sys.path!r}; before = set(sys.modules); import {module}\n"
        f"print(*(set(sys.modules) - before) & set({SLOW!r}))"
    )
    shown = subprocess.run(
        [sys.executable, "-S", "-I", "-c", code], capture_output=True, text=True, check=True
    )
    assert shown.stdout.split() == []


def test_the_command_starts_without_the_rest() -> None:
    code = (
        "import sys, safefs.cli; assert not {'fsspec', 'platformdirs', 'ctypes'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
