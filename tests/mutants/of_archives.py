"""Mutants of the rules by which archives are unpacked."""

# ruff: noqa: E501  (lines of safefs, and names of tests, stand here in full)

from __future__ import annotations

from tests.mutants.mutant import Edit, Mutant, mutant

_UNPACKING = "safefs/archive/unpacking.py"
_PLANTING = "safefs/operations/planting.py"
_ATTACKS = (
    "tests/test_archives_hostile.py::test_an_archive_that_attacks_is_refused_and_leaves_nothing"
)

ARCHIVES = (
    mutant(
        "judge a link only when it is made",
        "a later member makes it lead out, for whoever follows it afterwards (CVE-2025-4517)",
        _UNPACKING,
        "        self._judge_links()\n",
        "        self._links.clear()\n",
        _ATTACKS,
    ),
    Mutant(
        "link to what was there before",
        "a hard link to a file that is not the archive's, and then a member that writes to it",
        (
            Edit(
                _UNPACKING,
                "        if not ours:\n            reason",
                "        if False:\n            reason",
            ),
            Edit(
                _PLANTING,
                "            if _identity(found) not in self._made or not S_ISREG(found.st_mode):\n",
                "            if not S_ISREG(found.st_mode):\n",
            ),
            Edit(
                _PLANTING,
                "                if _identity(now) not in self._made:\n",
                "                if False:\n",
            ),
        ),
        (
            "tests/test_archives_hostile.py::test_in_part_it_is_refused_too_and_nothing_outside_is_touched",
        ),
    ),
    mutant(
        "publish over what has come meanwhile",
        "what somebody puts there in the last moment is lost",
        _PLANTING,
        "                rename_noreplace(self._draft, name, self._base, name)\n",
        "                syscalls.rename(name, name, src_dir_fd=self._draft, dst_dir_fd=self._base)\n",
        "tests/test_archives.py::test_a_name_taken_in_the_last_moment_takes_all_back",
    ),
    mutant(
        "believe what a zip says of its sizes",
        "programs that believe the other header unpack something else",
        "safefs/archive/zipchecks.py",
        "    if differs:\n",
        "    if False:\n",
        "tests/test_archives_hostile.py::test_a_header_that_disagrees_with_the_directory_is_refused",
    ),
    mutant(
        "count nothing while it comes",
        "a bomb fills the disk",
        _UNPACKING,
        "                spending.add(member.name, len(chunk))\n",
        "",
        "tests/test_archives_hostile.py::test_what_swells_is_stopped_by_the_ratio_while_it_does",
    ),
    mutant(
        "look at no header between the members of a zip",
        "who reads from the front unpacks what nobody has seen in the directory",
        "safefs/archive/zipchecks.py",
        "    _check_gap(source, file, end, behind, name)\n",
        "",
        "tests/test_archives_hostile.py::test_a_member_that_the_directory_does_not_know_is_refused",
    ),
    mutant(
        "let zipfile take in a directory of any length",
        "the budget acts when the memory is full",
        "safefs/archive/zips.py",
        "        if self._most is not None and _in_directory(data) > self._most:\n",
        "        if False:\n",
        "tests/test_archives_hostile.py::test_a_zip_of_more_members_than_the_budget_is_refused_before_any_is_made",
    ),
)
