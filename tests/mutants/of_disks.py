"""Mutants of what stands above the operations: policy, Root, drivers, disks and fsspec."""

from __future__ import annotations

from tests.mutants.mutant import Edit, Mutant, mutant

_POLICY = "safefs/policy.py"
_TRANSFER = "safefs/drivers/transfer.py"
_FSSPEC = "safefs/integrations/fsspec/"

POLICY = (
    mutant(
        "write on what is read-only",
        "the one promise of a disk that is handed out to be read",
        _POLICY,
        "        if writes and self.read_only:\n",
        "        if writes and self.read_only and self.portable_names:\n",
        "tests/test_policy.py::test_read_only_refuses_writes_and_nothing_else",
    ),
    mutant(
        "widen by narrowing",
        "who is given a part of a disk gives himself what its owner did not",
        _POLICY,
        "    return one or other\n",
        "    return one and other\n",
        "tests/test_root.py::test_under_read_only_nothing_is_changed_and_all_can_be_read",
    ),
    mutant(
        "deny by the very letters",
        "a file system that folds case has .env under .ENV",
        "safefs/gitignore.py",
        "        wanted = folded(text) if fold else text\n",
        "        wanted, fold = text, False\n",
        "tests/test_policy_names.py::test_deny_is_read_as_gitignore_and_whatever_the_case",
    ),
    mutant(
        "judge a name and not what it lies in",
        "deny = ['secret'] leaves secret/key to whoever asks for it",
        "safefs/rules.py",
        "            if verdict == DENIED:\n                return None, DENIED\n",
        "            if verdict == DENIED:\n                return state, DENIED\n",
        "tests/test_policy_names.py::test_deny_is_read_as_gitignore_and_whatever_the_case",
    ),
    mutant(
        "forget the rules above",
        "a disk scoped to a folder reads what the whole disk is denied",
        _POLICY,
        "        layers = {each.beneath(os.fsdecode(place)) for each in self._layers()}\n",
        "        layers = set(self.above)\n",
        "tests/test_deny.py::test_a_narrower_disk_is_still_denied_what_the_wider_one_is",
    ),
    mutant(
        "read a denied file by its other name",
        "a hard link shows the content",
        "safefs/kernel/aliases.py",
        "        if identity in self._denied:\n",
        "        if identity in self._found and identity in ():\n",
        "tests/test_deny.py::test_a_file_that_has_a_denied_name_too_is_not_read_or_changed",
    ),
    mutant(
        "believe the last look for ever",
        "a hard link made since shows the content",
        "safefs/kernel/aliases.py",
        "        if found.st_ctime_ns >= self._looked - _TICK_NS:\n",
        "        if not self._looked:\n",
        "tests/test_deny.py::test_a_file_that_has_a_denied_name_too_is_not_read_or_changed",
    ),
    mutant(
        "rename what holds the denied",
        "its directory gets a name of which no rule speaks, and it can be read",
        "safefs/operations/names.py",
        "        if handle.guarded:\n            _refuse_denied",
        "        if handle.guarded and new.slash:\n            _refuse_denied",
        "tests/test_deny.py::test_a_directory_that_holds_what_is_denied_stays",
    ),
    mutant(
        "remove what holds the denied",
        "half a tree goes, and then it turns out that it may not",
        "safefs/operations/removing.py",
        "                refuse_denied(handle, top, path.shown)\n",
        "",
        "tests/test_deny.py::test_a_directory_that_holds_what_is_denied_stays",
    ),
    mutant(
        "copy to where it would be denied",
        "a tree brings in what may not be made",
        "safefs/operations/copytree.py",
        "        self.target.refuse_child(new.fd, name, directory=True)\n",
        "",
        "tests/test_deny.py::test_a_mirror_neither_takes_nor_removes_what_is_denied",
    ),
    mutant(
        "make a file where only a directory may be",
        "allow = ['new/*.md'] lets a file called new be written",
        "safefs/kernel/handle.py",
        "        if verdict == PASSABLE:\n            if kind is None:\n",
        "        if verdict == PASSABLE:\n            if kind is not None:\n",
        "tests/test_deny.py::test_a_name_that_only_leads_to_what_is_allowed_is_no_file",
    ),
    mutant(
        "forget the policy of a subroot",
        "a part of a read-only root can be written",
        "safefs/root.py",
        "            kept = kept if policy is None else kept.narrowed(_checked(policy))\n",
        "            kept = kept if policy is None else _checked(policy)\n",
        "tests/test_root.py::test_under_read_only_nothing_is_changed_and_all_can_be_read",
    ),
    mutant(
        "check no name but the last",
        "a directory NUL or CON above it makes the file a device on Windows",
        _POLICY,
        '        for name in path.text.split("/"):\n',
        '        for name in path.text.split("/")[-1:]:\n',
        "tests/test_policy.py::test_portable_names_refuses_a_name_wherever_it_stands",
    ),
)

DISKS = (
    mutant(
        "remove what was not copied",
        "a move between disks removes what has taken the source's name meanwhile",
        _TRANSFER,
        "    if replaced or (found.size, found.mtime_ns) != (now.size, now.mtime_ns):\n",
        "    if now is None:\n",
        "tests/test_disk.py::TestBetweenDisks::test_what_was_not_copied_is_not_removed",
    ),
    mutant(
        "remove what was written to while it was moved",
        "the last words of a writer go with the source, and the copy never had them",
        _TRANSFER,
        "    if replaced or (found.size, found.mtime_ns) != (now.size, now.mtime_ns):\n",
        "    if replaced:\n",
        "tests/test_disk.py::TestBetweenDisks::test_what_was_written_to_the_source_while_it_was_moved_is_not_lost",
    ),
    mutant(
        "move what one may only read",
        "the copy is made, and the refusal comes when it is too late",
        _TRANSFER,
        "    here.driver.policy.check(here.path, writes=True)\n",
        "    here.driver.policy.check(here.path, writes=False)\n",
        "tests/test_disk_conformance.py",
    ),
    mutant(
        "make new files for everybody",
        "a private disk's files can be read by the machine's other users",
        "safefs/drivers/local.py",
        "        if new is None:\n            return None\n        try:\n",
        "        if new is not None:\n            return None\n        try:\n",
        "tests/test_disk.py::TestModes::test_a_new_file_has_the_mode_of_its_disk",
    ),
)

FSSPEC = (
    mutant(
        "read safefs://documents//etc as the disk",
        "rm of what looks like an absolute path removes a whole disk",
        f"{_FSSPEC}filesystem.py",
        '        return f"{bare}//" if is_disk and text.startswith(f"{bare}//") else bare\n',
        "        return bare if is_disk else bare\n",
        "tests/test_fsspec.py::test_two_slashes_behind_a_disk_are_no_name_for_it",
    ),
    mutant(
        "read //etc as a name on the disk",
        "in the file system of one disk, where '/' is its top, two slashes are absolute",
        f"{_FSSPEC}single.py",
        '        if text[:2] == "//":\n            return text\n',
        '        if text[:2] == "//":\n            text = text.lstrip("/")\n',
        "tests/test_fsspec.py::test_two_slashes_before_a_path_of_one_disk_are_no_name_for_it",
    ),
    mutant(
        "remove to a depth beyond a link",
        "rm(recursive=True, maxdepth=2) empties the directory that a link leads to",
        f"{_FSSPEC}changing.py",
        '                if place.driver.lstat(place.rel).kind == "directory":\n',
        '                if place.driver.stat(place.rel).kind == "directory":\n',
        "tests/test_fsspec.py::test_removing_to_a_depth_enters_no_link",
    ),
    Mutant(
        "remove whole disks through fsspec",
        "rm('documents', recursive=True) from a pattern that came out empty",
        (
            Edit(
                f"{_FSSPEC}changing.py",
                "        if place.is_disk:\n            raise PermissionError",
                "        if not place.name:\n            raise PermissionError",
            ),
            Edit(
                f"{_FSSPEC}filesystem.py",
                '        if "/" not in name and ":" not in name:  # whether',
                "        if not name:  # whether",
            ),
        ),
        ("tests/test_fsspec.py::test_disks_themselves_stay_as_they_are",),
    ),
    mutant(
        "read a name as a pattern",
        "rm('x*') of the file x* removes all that begin with x",
        f"{_FSSPEC}searching.py",
        "            return True\n        return False\n",
        "            return True\n        return True\n",
        "tests/test_fsspec.py::test_a_name_that_is_there_is_no_pattern",
    ),
)
