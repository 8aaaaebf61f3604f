"""The child in which a target is fuzzed: its words are TARGET PLACE FAULT OPTION...

safefs is instrumented as it is imported, so nothing of it may have been imported before; what
judges it is imported after, and is not.
"""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from pathlib import Path

import atheris


def main(name: str, place: str, fault: str, *options: str) -> None:
    with atheris.instrument_imports(include=["safefs", "tests"]):
        for module in ("safefs.root", "safefs.patterns"):
            import_module(module)
        planted = import_module("tests.fuzz.planted")
    targets = import_module("tests.fuzz.targets")
    if fault == "planted":
        planted.FAULTS[name]()
    with targets.opened(name, Path(place)) as target:
        warnings.simplefilter("error")  # an undocumented warning is a crash too
        atheris.Setup([sys.argv[0], *options], target)
        atheris.Fuzz()  # it ends the process


if __name__ == "__main__":
    main(*sys.argv[1:])
