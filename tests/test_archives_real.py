"""Archives as the world makes them: wheels and source distributions from the package registry.

Fetched by pip, for ``make prove`` alone; those that Python brings are in ``test_archives``.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.conftest import PROFILE
from tests.test_archives import assert_unpacks_alike

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WHEELS = (
    *("requests==2.32.3", "flask==3.0.3", "click==8.1.7", "jinja2==3.1.4", "markupsafe==2.1.5"),
    *("werkzeug==3.0.4", "idna==3.8", "certifi==2024.8.30", "urllib3==2.2.2", "packaging==24.1"),
    *("attrs==24.2.0", "pluggy==1.5.0", "six==1.16.0"),
)
SOURCES = (
    *("idna==3.8", "click==8.1.7", "packaging==24.1", "six==1.16.0", "requests==2.32.3"),
    *("certifi==2024.8.30", "markupsafe==2.1.5"),
)


def _fetch(place: Path, *words: str) -> None:
    pip = (sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check")
    subprocess.run([*pip, "--no-deps", "-d", str(place), *words], check=True)


@pytest.mark.timeout(900)
@pytest.mark.skipif(PROFILE != "prove", reason="needs the network, for make prove")
def test_wheels_and_source_distributions_unpack_as_the_standard_library_has_them(
    tmp_path: Path, counted: Callable[..., None]
) -> None:
    started = time.perf_counter()
    place = tmp_path / "fetched"
    _fetch(place, "--only-binary", ":all:", *WHEELS)
    _fetch(place, "--no-binary", ":all:", *SOURCES)
    fetched = sorted(place.iterdir())
    assert len(fetched) >= 20
    for archive in fetched:
        into = tmp_path / archive.name
        into.mkdir()
        assert_unpacks_alike(archive, into)
    counted(
        "real archives unpacked alike",
        f"{len(fetched)} wheels and source distributions",
        seconds=time.perf_counter() - started,
        disagreements=0,
    )
