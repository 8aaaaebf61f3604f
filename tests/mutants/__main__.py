"""Break safefs in every way of the catalogue, one at a time: ``python -m tests.mutants``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from safefs.testing import jail
from tests.mutants.catalogue import CATALOGUE, EVERYTHING, LEFT_OUT
from tests.mutants.judge import BaselineError, Court

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.mutants.mutant import Mutant


def main(argv: Sequence[str] | None = None, court: Court | None = None) -> int:
    """0 where every mutant was killed; 1 where one was not; 2 where nothing could be shown."""
    arguments = _parsed(argv)
    chosen = [m for m in CATALOGUE if not arguments.only or m.name in arguments.only]
    if jail.kind() is None:
        print("no jail here (it takes Linux, and root or user namespaces): no mutant is run")
        return 2
    court = court or Court(EVERYTHING, tuple(LEFT_OUT), jobs=arguments.jobs)
    return _held(court, chosen, arguments.json)


def _held(court: Court, mutants: Sequence[Mutant], file: Path | None) -> int:
    began, outcomes = time.monotonic(), []
    try:
        for outcome in court.outcomes(mutants):
            print(outcome, flush=True)
            outcomes.append(outcome)
    except BaselineError as error:
        print(f"nothing is shown, as a test fails on safefs as it is: {error}")
        return 2
    killed = sum(outcome.ending == "killed" for outcome in outcomes)
    seconds = time.monotonic() - began
    print(f"mutants killed {killed}/{len(mutants)} in {seconds:.0f} s", flush=True)
    if file is not None:
        told = [asdict(outcome) for outcome in outcomes]
        summary = {"killed": killed, "of": len(mutants), "seconds": seconds, "mutants": told}
        file.write_text(json.dumps(summary))
    return int(killed != len(mutants))


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    names = [mutant.name for mutant in CATALOGUE]
    parser.add_argument("--only", action="append", metavar="NAME", choices=names)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path, help="where to write the outcomes")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
