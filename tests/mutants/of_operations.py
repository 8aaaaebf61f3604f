"""Mutants of the operations: what is done with what was reached."""

# ruff: noqa: E501  (lines of safefs, and names of tests, stand here in full)

from __future__ import annotations

from tests.mutants.mutant import INTERLEAVING, TABLE, Edit, Mutant, mutant

_ROOM = "safefs/operations/"

NAMES = (
    mutant(
        "take '..' for a name",
        "remove_tree('..') removes what the root stands in",
        f"{_ROOM}parent.py",
        "        if self.name in _NO_NAMES:\n",
        '        if self.name == b"":\n',
        "tests/test_rules.py::test_rule_08_what_escapes_is_told_as_an_escape_first",
    ),
    mutant(
        "enter links that stand in a tree",
        "remove_tree removes what a link leads to (CVE-2022-21658)",
        f"{_ROOM}parent.py",
        "    fd = syscalls.open(name, flags | os.O_NOFOLLOW, dir_fd=dir_fd)\n",
        "    fd = syscalls.open(name, flags, dir_fd=dir_fd)\n",
        "tests/test_rules.py::test_rule_12_a_directory_that_becomes_a_link_meanwhile_is_not_entered",
    ),
    mutant(
        "unlink link/ beyond the link",
        "the name that was checked is the link's, the file that goes is another",
        f"{_ROOM}names.py",
        "        if parent.slash:\n            parent.demand_directory()\n"
        "        sizes.unlink(handle, parent.name, parent.fd)\n",
        "        sizes.unlink(handle, parent.name, parent.fd)\n",
        "tests/test_rules.py::test_rule_09_a_file_with_a_slash_is_enotdir",
    ),
    mutant(
        "follow what is hard-linked",
        "a hard link to a file outside is a file inside from then on",
        f"{_ROOM}names.py",
        "            old.name, new.name, src_dir_fd=old.fd, dst_dir_fd=new.fd, follow_symlinks=False\n",
        "            old.name, new.name, src_dir_fd=old.fd, dst_dir_fd=new.fd, follow_symlinks=True\n",
        f"{TABLE}[openat2-a link to a file]",
    ),
    mutant(
        "make links where there are to be none",
        "symlinks='never' is kept by the reader and broken by the writer",
        f"{_ROOM}names.py",
        '        if handle.policy.symlinks == "never":\n            raise refused(PolicyError(path',
        '        if handle.policy.symlinks == "":\n            raise refused(PolicyError(path',
        "tests/test_attacks.py::test_no_link_is_made_by_any_door_where_links_are_never",
    ),
    mutant(
        "rename over what exists, without renameat2",
        "replace=False overwrites on an old kernel",
        f"{_ROOM}names.py",
        "        _rename_in_two_steps(src_fd, src, dst_fd, dst)\n",
        "        syscalls.rename(src, dst, src_dir_fd=src_fd, dst_dir_fd=dst_fd)\n",
        "tests/test_root.py::test_renaming_without_replacing_needs_no_new_kernel",
    ),
    mutant(
        "make directories by path",
        "what is looked at is opened beneath; what is made, is made by the system's own way there",
        f"{_ROOM}names.py",
        "            make(handle, prefix, parents_mode)\n",
        "            syscalls.mkdir(prefix.raw, parents_mode, dir_fd=handle.fd)\n",
        f"{INTERLEAVING}[openat2]",
    ),
)

TREES = (
    mutant(
        "recurse by path",
        "a directory on the way that has become a link leads the walk out",
        f"{_ROOM}tree.py",
        "            fd = open_child(self._handle, self.fd, name, syscalls.LISTING)\n",
        "            path = os.path.join(*map(os.fsdecode, [*self._trail._names, name]))\n"
        "            fd = open_child(self._handle, self._trail._top, path, syscalls.LISTING)\n",
        f"{INTERLEAVING}[openat2]",
    ),
    mutant(
        "remove by path",
        "the way to a file is gone again for every file that is removed",
        f"{_ROOM}removing.py",
        "                    unlink(name, dir_fd=dir_fd)\n",
        "                    way = os.path.join(*map(os.fsdecode, [*descent._trail._names, name]))\n"
        "                    unlink(way, dir_fd=descent._trail._top)\n",
        f"{INTERLEAVING}[openat2]",
    ),
    mutant(
        "remove what has changed since it was copied",
        "what is written to a tree while it is moved between file systems is lost",
        f"{_ROOM}moving.py",
        "        if not _unchanged(found, known):\n",
        "        if identity(found) != identity(known):\n",
        "tests/test_trees.py::test_what_changes_after_it_was_copied_is_not_removed",
    ),
    mutant(
        "clear up with the rights of a finished copy",
        "a copy that fails leaves behind what is in its read-only directories",
        f"{_ROOM}copytree.py",
        "            remove_own(handle, draft)\n",
        "            __import__('safefs.operations.removing').operations.removing.remove_entries(handle, draft)\n",
        "tests/test_trees.py::test_a_copy_that_fails_leaves_no_directory_that_nobody_may_write_to",
    ),
    mutant(
        "mirror a tree into itself",
        "with delete the source itself is taken for what is too much in the target",
        f"{_ROOM}mirror.py",
        "        if (identity[0], not ours) in self._there:\n",
        "        if (identity, not ours) in self._there:\n",
        "tests/test_sync.py::test_source_and_target_that_lie_in_each_other_are_refused",
    ),
    mutant(
        "remove before all has come",
        "a file that cannot be copied, and what it was to replace is gone as well",
        f"{_ROOM}mirror.py",
        "        if len(self._job.skipped) == self._job.excused:\n",
        "        if len(self._job.skipped) >= self._job.excused:\n",
        "tests/test_sync.py::test_nothing_is_removed_where_something_could_not_be_copied",
    ),
    mutant(
        "take links for directories",
        "a tree has a door in it for who asks what is a directory",
        f"{_ROOM}listing.py",
        "            if entry.is_dir(follow_symlinks=False):\n",
        "            if entry.is_dir():\n",
        "tests/test_rules.py::test_rule_13_links_are_listed_and_never_entered",
    ),
    mutant(
        "take links for directories, in bulk",
        "who lists a whole tree is shown what a link outside leads to as a part of it",
        f"{_ROOM}survey.py",
        "            if entry.is_dir(follow_symlinks=False):\n",
        "            if entry.is_dir():\n",
        "tests/test_fsspec.py::test_walk_and_find_enter_no_link",
        "tests/test_fsspec.py",
    ),
    mutant(
        "list by path",
        "between looking and listing, the directory has become a link to another",
        f"{_ROOM}listing.py",
        "            names: list[str] = syscalls.listdir(fd)\n",
        '            there = f"/proc/self/fd/{handle.fd}/{path.text}"\n'
        "            names: list[str] = syscalls.listdir(there)\n",
        "tests/test_attacks.py::test_what_is_listed_is_what_was_opened",
    ),
    mutant(
        "list the hidden",
        "the home disk lists .ssh, though it does not open it",
        f"{_ROOM}listing.py",
        "            shown = handle.allowed(fd, names)\n",
        "            shown = names\n",
        "tests/test_traps.py::test_dot_entries_at_the_top_are_in_no_listing",
    ),
    mutant(
        "follow links in a listing's stat",
        "the size and times of a file outside, by listing a link to it",
        f"{_ROOM}listing.py",
        "                    stat = entry.stat(follow_symlinks=False)\n",
        "                    stat = entry.stat()\n",
        "tests/test_rules.py::test_rule_13_links_are_listed_and_never_entered",
    ),
    mutant(
        "allow '..' in a pattern",
        "a pattern goes where no path may",
        f"{_ROOM}globbing.py",
        '    if b".." in pattern.names:\n',
        '    if b"..." in pattern.names:\n',
        "tests/test_root.py::test_a_pattern_with_dots_is_refused",
    ),
)

FILES = (
    mutant(
        "forget O_NOFOLLOW of many",
        "a link in a directory that is held is followed by the system, which knows no root",
        f"{_ROOM}many.py",
        "_READ = files.READ | os.O_NOFOLLOW\n",
        "_READ = files.READ\n",
        "tests/test_many.py::test_a_link_in_a_directory_that_is_held_is_not_followed_outside",
    ),
    mutant(
        "truncate before the fstat",
        "what turns out to be no file has been emptied by then",
        f"{_ROOM}files.py",
        "    fd = open_beneath(handle, path, flags & ~os.O_TRUNC | _CAREFUL, mode)\n",
        "    fd = open_beneath(handle, path, flags | _CAREFUL, mode)\n",
        "tests/test_rules.py::test_rule_10_nothing_is_truncated_before_it_is_known_to_be_a_file",
    ),
    mutant(
        "take all but directories for files",
        "a device that someone has made is read and written like a file",
        f"{_ROOM}files.py",
        "    if S_ISREG(found.st_mode):\n        return found\n",
        "    if not S_ISDIR(found.st_mode):\n        return found\n",
        "tests/test_rules.py::test_rule_10_what_is_no_file_is_refused_in_every_mode",
    ),
    mutant(
        "wait for the other end of a FIFO",
        "one FIFO in a directory of uploads stops every server that reads it",
        f"{_ROOM}files.py",
        "_CAREFUL = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY\n",
        "_CAREFUL = os.O_CLOEXEC | os.O_NOCTTY\n",
        "tests/test_rules.py::test_rule_10_what_is_no_file_is_refused_in_every_mode",
        hangs=True,
    ),
    mutant(
        "chmod by name",
        "between looking and changing, the name is a link to another file",
        f"{_ROOM}attributes.py",
        "        direct=lambda fd: syscalls.fchmodat2(fd, mode),\n",
        "        direct=lambda fd: syscalls.chmod(path.raw, mode, dir_fd=handle.fd) or 0,\n",
        "tests/test_rules.py::test_rule_14_a_swap_between_resolving_and_acting_changes_nothing_else",
    ),
    mutant(
        "follow the one name of a stat",
        "the quick way for a single name is the one without openat2",
        f"{_ROOM}attributes.py",
        "        return syscalls.stat(path.raw, dir_fd=handle.fd, follow_symlinks=False)\n",
        "        return syscalls.stat(path.raw, dir_fd=handle.fd)\n",
        f"{TABLE}[openat2-a link to a file]",
    ),
)

COPIES = (
    Mutant(
        "write through a planted temporary name",
        "who guesses the name has put a link there",
        (
            Edit(
                f"{_ROOM}replace.py",
                "NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC\n",
                "NEW = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC\n",
            ),
        ),
        ("tests/test_traps.py::test_a_planted_temporary_name_is_passed_by",),
    ),
    mutant(
        "keep set-id bits on what is replaced",
        "what an uploader writes runs as the owner of what stood there",
        f"{_ROOM}replace.py",
        "_PERMISSIONS = 0o777 ",
        "_PERMISSIONS = 0o7777 ",
        "tests/test_traps.py::test_replacing_a_file_keeps_its_permissions_and_not_its_set_id_bits",
    ),
    mutant(
        "leave drafts behind",
        "a reader of the directory finds half a file under a name that nobody gave",
        f"{_ROOM}replace.py",
        '        name, self._name = self._name, b""\n        if name and',
        '        name, self._name = self._name, b""\n        if not name and',
        "tests/test_traps.py::test_an_error_half_way_leaves_neither_a_change_nor_a_temporary_name",
    ),
    mutant(
        "trust a directory that was just made",
        "it is another's by then, and is filled or emptied in his place",
        f"{_ROOM}copytree.py",
        "    if syscalls.fstat(made).st_uid != syscalls.geteuid() or syscalls.listdir(made):\n",
        "    if syscalls.fstat(made).st_uid != syscalls.geteuid():\n",
        "tests/test_attacks.py::test_a_copied_tree_whose_draft_is_swapped_clears_up_nothing_of_others",
    ),
    mutant(
        "publish where the directory has gone",
        "an atomic file is put outside, with a directory that was moved out meanwhile",
        f"{_ROOM}atomic.py",
        "                if not os.path.samestat(syscalls.fstat(parent.fd), syscalls.fstat(self._dir_fd)):\n",
        "                if not os.path.samestat(syscalls.fstat(parent.fd), syscalls.fstat(parent.fd)):\n",
        "tests/test_attacks.py::test_an_atomic_file_does_not_go_out_with_a_directory_that_another_replaces",
    ),
    mutant(
        "rename before the content is on the disk",
        "after a crash of the machine the name is there, and the file empty",
        f"{_ROOM}replace.py",
        "            directory.file(draft.fd)\n            if condition is None:\n"
        "                draft.publish(parent.name, replace=replace)\n",
        "            if condition is None:\n"
        "                draft.publish(parent.name, replace=replace)\n"
        "                directory.file(draft.fd)\n",
        "tests/test_durability.py::test_a_durable_write_synchronises_file_then_name[openat2-put]",
    ),
    mutant(
        "compare only before the content is written",
        "what another has written meanwhile is lost",
        f"{_ROOM}replace.py",
        "                    condition.check(handle, parent)\n                    meant = condition",
        "                    meant = condition",
        "tests/test_locks.py::test_a_change_while_the_source_is_read_is_noticed",
    ),
    mutant(
        "compare and replace without the lock",
        "of two who compare at once both replace, and what one wrote is lost",
        f"{_ROOM}replace.py",
        "                with condition.held(parent):\n",
        "                if condition is not None:\n",
        "tests/test_concurrency.py::test_no_increment_is_lost_by_whatever_path_and_disk[openat2]",
    ),
    mutant(
        "leave the time of a version to the kernel's clock",
        "an inode's number that is given out again within a tick passes for the version before",
        f"{_ROOM}replace.py",
        "            draft.stamp()\n",
        "",
        "tests/test_locks.py::test_a_version_has_the_time_of_the_fine_clock",
    ),
    mutant(
        "let a fork of the holder hold the lock on",
        "a holder that is killed leaves its lock to a child that knows nothing of it",
        f"{_ROOM}locks.py",
        "            held.forget()\n",
        "            pass\n",
        "tests/test_locks.py::test_a_holder_that_ends_leaves_its_lock_to_no_child",
    ),
    mutant(
        "return before the directory is on the disk",
        "after a crash of the machine the old content is back, of which the caller was told it is gone",
        f"{_ROOM}replace.py",
        "        directory.directory()\n",
        "        pass\n",
        "tests/test_durability.py::test_a_durable_write_synchronises_file_then_name[openat2-put]",
    ),
    mutant(
        "sweep what only looks like a draft",
        "a user's .safefs-cafe.tmp is removed as if it had been left behind",
        f"{_ROOM}replace.py",
        "        len(digits) == _DIGITS\n        and name.startswith(TEMPORARY)\n",
        "        name.startswith(TEMPORARY)\n",
        "tests/test_fsspec_transactions.py::test_sweeping_takes_only_what_bears_the_name",
    ),
    mutant(
        "sweep what is still being written",
        "a slow writer's file is gone before it has its name",
        f"{_ROOM}sweeping.py",
        "        if not syscalls.lock(fd):\n",
        "        if syscalls.lock(fd) is None:\n",
        "tests/test_fsspec_transactions.py::test_a_crash_publishes_nothing_and_what_it_leaves_is_swept",
    ),
)
