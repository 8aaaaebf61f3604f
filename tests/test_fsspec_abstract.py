"""fsspec's own abstract suite, whole, over ``safefs://`` and ``Disk.fs``, on both resolvers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fsspec.tests.abstract import (
    AbstractCopyTests,
    AbstractFixtures,
    AbstractGetTests,
    AbstractOpenTests,
    AbstractPipeTests,
    AbstractPutTests,
)

from safefs import Disk, Storage
from safefs.integrations.fsspec import SafeFileSystem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class _Fixtures(AbstractFixtures):  # type: ignore[misc]  # fsspec is not typed
    """Only what fsspec asks each file system to say of itself; no test is changed."""

    @pytest.fixture
    def fs_join(self) -> Callable[..., str]:
        return lambda *parts: "/".join(parts)


class _Registered(_Fixtures):
    @pytest.fixture
    def fs(self, tmp_path: Path, resolver: str) -> Iterator[SafeFileSystem]:
        (tmp_path / "disk").mkdir()
        with (
            Disk(tmp_path / "disk") as disk,
            Storage("app", disks={"d": disk}) as storage,
            storage.register("d"),
        ):
            yield SafeFileSystem()

    @pytest.fixture
    def fs_path(self) -> str:
        return "d"


class _Single(_Fixtures):
    @pytest.fixture
    def fs(self, tmp_path: Path, resolver: str) -> Iterator[Any]:
        (tmp_path / "disk" / "sub").mkdir(parents=True)
        with Disk(tmp_path / "disk") as disk:
            yield disk.fs

    @pytest.fixture
    def fs_path(self) -> str:
        return "/sub"


class TestCopy(_Registered, AbstractCopyTests):  # type: ignore[misc]
    pass


class TestGet(_Registered, AbstractGetTests):  # type: ignore[misc]
    pass


class TestPut(_Registered, AbstractPutTests):  # type: ignore[misc]
    pass


class TestOpen(_Registered, AbstractOpenTests):  # type: ignore[misc]
    pass


class TestPipe(_Registered, AbstractPipeTests):  # type: ignore[misc]
    pass


class TestCopyOfOneDisk(_Single, AbstractCopyTests):  # type: ignore[misc]
    pass


class TestGetOfOneDisk(_Single, AbstractGetTests):  # type: ignore[misc]
    pass


class TestPutOfOneDisk(_Single, AbstractPutTests):  # type: ignore[misc]
    pass


class TestOpenOfOneDisk(_Single, AbstractOpenTests):  # type: ignore[misc]
    pass


class TestPipeOfOneDisk(_Single, AbstractPipeTests):  # type: ignore[misc]
    pass
