"""safefs passes the suite that it ships for everyone: nothing gets out by any of its doors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from safefs import Disk, Root
from safefs.age import X25519Identity
from safefs.kernel import probe
from safefs.testing import ContainmentSuite
from safefs.testing.fuzz import RegisteredDiskSubject
from tests.conftest import PROFILE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("untraced")]


class _Ours(ContainmentSuite):
    examples = {"dev": 3, "ci": 5, "prove": 200}[PROFILE]
    seconds = 300
    resolver = "openat2"

    def make_subject(self, root_directory: Path) -> object:
        probe.forced = self.resolver  # in the child, and so for nobody else
        return self.make(root_directory)

    def make(self, root_directory: Path) -> object:
        raise NotImplementedError


class TestRoot(_Ours):
    def make(self, root_directory: Path) -> object:
        return Root(root_directory)


class TestDisk(_Ours):
    def make(self, root_directory: Path) -> object:
        return Disk(root_directory)


class TestEncryptedDisk(_Ours):
    """Plain files too, so that what the suite plants is worth reaching for."""

    def make(self, root_directory: Path) -> object:
        with Disk(root_directory) as disk:
            return disk.encrypted(X25519Identity.generate(), allow_plain=True)


class TestSafefsUrl(_Ours):
    def make(self, root_directory: Path) -> object:
        return RegisteredDiskSubject(root_directory)


class TestRootOnTheWalk(TestRoot):
    resolver = "walk"


if PROFILE == "prove":  # above a Root nothing is resolved: in ci its two are enough

    class TestDiskOnTheWalk(TestDisk):
        resolver = "walk"

    class TestSafefsUrlOnTheWalk(TestSafefsUrl):
        resolver = "walk"
