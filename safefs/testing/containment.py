"""``ContainmentSuite``: the tests that a storage passes if nothing gets out of its root.

    from safefs.testing import ContainmentSuite

    class TestMyStorage(ContainmentSuite):
        def make_subject(self, root_directory):
            return MyStorage(root_directory)

One test for each class of attack and each of three groups of words: what reads, what writes, what
deletes. Each is run in a child in a jail, so that a subject that does get out, hangs or dies fails
its test and does no harm. Where there is no jail, what writes and deletes is run only against a
subject that has passed what reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import pytest

from safefs.testing.card import CLASSES, Examination

if TYPE_CHECKING:
    from pathlib import Path

    from safefs.testing.attacks import Group
    from safefs.testing.trial import Result

_examinations: WeakKeyDictionary[type[ContainmentSuite], Examination] = WeakKeyDictionary()


def _names(group: Group) -> list[str]:
    return [each.name for each in CLASSES if group in each.groups]


def _hyphenated(name: str) -> str:
    return name.replace(" ", "-")


class ContainmentSuite:
    """Subclass it and give ``make_subject``.

    A test fails with the smallest example that was found, on one line. Operations that the subject
    does not offer are skipped by name; a subject that offers none fails.

    Class attributes:

    ``examples``
        how many cases each test tries at most: 20. More find more, and take longer.
    ``seconds``
        the time limit of each test: 30. After it the subject counts as hung.

    Tests, each but the first once for every class of attack (``-k dot-dot`` picks one):

    ``test_there_is_a_subject``
        it can be made, offers an operation that works on a plain path, and closes what it opens.
    ``test_nothing_outside_is_read``
        by ``read``, ``exists``, ``size``, ``stat``, ``list``, ``walk`` and ``glob``.
    ``test_nothing_outside_is_written``
        by ``write``, ``create``, ``append``, ``mkdir``, ``chmod``, ``copy`` and ``rename``.
    ``test_nothing_outside_is_deleted``
        by ``remove`` and ``remove_tree``.
    """

    examples = 20
    seconds = 30.0

    def make_subject(self, root_directory: Path) -> object:
        """The subject whose root is this directory: called in a child, before each case anew.

        A ``safefs.testing.Subject``, or an object of fsspec, PyFilesystem2, Django storages,
        pathlib, OpenDAL, obstore or safefs, with the directory for its own root.
        """
        raise NotImplementedError("give make_subject(self, root_directory)")

    @classmethod
    def teardown_class(cls) -> None:
        """Remove the scratch in which the tests of this class were run."""
        if cls in _examinations:
            _examinations.pop(cls).close()

    def test_there_is_a_subject(self) -> None:
        """It can be made, does what it is for on plain paths, and closes what it opens."""
        found = self._examination().subject()
        if not found.passed:  # one without any operation is none, and not to be skipped
            pytest.fail(str(found), pytrace=False)

    @pytest.mark.parametrize("attack", _names("read"), ids=_hyphenated)
    def test_nothing_outside_is_read(self, attack: str) -> None:
        """What reads tells nothing of what lies outside the root."""
        _assert_passed(self._examination().result(attack, "read"))

    @pytest.mark.parametrize("attack", _names("write"), ids=_hyphenated)
    def test_nothing_outside_is_written(self, attack: str) -> None:
        """What writes creates and changes nothing outside the root."""
        _assert_passed(self._examination().result(attack, "write"))

    @pytest.mark.parametrize("attack", _names("delete"), ids=_hyphenated)
    def test_nothing_outside_is_deleted(self, attack: str) -> None:
        """What deletes removes nothing outside the root."""
        _assert_passed(self._examination().result(attack, "delete"))

    def _examination(self) -> Examination:
        if type(self) not in _examinations:
            _examinations[type(self)] = Examination(
                self.make_subject, examples=self.examples, seconds=self.seconds
            )
        return _examinations[type(self)]


def _assert_passed(result: Result) -> None:
    if result.ending == "not offered":
        pytest.skip(f"not offered: {result.attack}, {result.group}")
    if not result.passed:
        pytest.fail(str(result), pytrace=False)
