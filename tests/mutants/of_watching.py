"""Mutants of watching: what is looked at, and what is told of it."""

# ruff: noqa: E501  (lines of safefs, and names of tests, stand here in full)

from __future__ import annotations

from tests.mutants.mutant import mutant

_ROOM = "safefs/watch/"
_TESTS = "tests/test_watch.py::"

WATCHING = (
    mutant(
        "list whatever the path leads to",
        "what a link leads to, inside, is told under the name of the directory it took the place of",
        f"{_ROOM}looking.py",
        "        return entries if same_entry(found, expected) else None\n",
        "        return entries\n",
        f"{_TESTS}test_another_directory_under_the_name_is_not_told_as_the_one_that_was",
    ),
    mutant(
        "watch after listing",
        "what comes between the listing and the watch is never told",
        "safefs/drivers/local.py",
        "            if opened is not None:\n                opened(entries.fileno())\n            found = _stat(syscalls.fstat(entries.fileno()))\n            return found, [(entry.name, _stat(entry.stat())) for entry in entries]\n",
        "            fd = os.dup(entries.fileno())\n            found = _stat(syscalls.fstat(fd)), [(entry.name, _stat(entry.stat())) for entry in entries]\n            if opened is not None:\n                opened(fd)\n            os.close(fd)\n            return found\n",
        f"{_TESTS}test_what_comes_while_a_directory_is_listed_is_told",
    ),
    mutant(
        "watch on what has left",
        "a directory that was moved out goes on to wake the watcher, and to hold a watch",
        f"{_ROOM}held.py",
        "            self._inotify.keep(directories)\n",
        "",
        f"{_TESTS}test_a_directory_that_is_moved_out_is_unwatched_and_one_moved_in_is_watched",
    ),
    mutant(
        "look no more at the root once all is read",
        "a root that moved out while it was read is told as if it were inside",
        f"{_ROOM}watcher.py",
        "                end = end or self._end()\n",
        "",
        f"{_TESTS}test_a_root_that_moves_while_it_is_looked_at_shows_nothing_more",
    ),
    mutant(
        "believe in numbers",
        "a file that is made where one was removed is told as that one, renamed",
        f"{_ROOM}difference.py",
        '        if old.kind != "directory":\n            return False\n        told, seen',
        '        if old.kind != "directory":\n            return True\n        told, seen',
        "tests/test_watch_difference.py::test_a_number_that_is_given_to_what_is_made_next_is_no_rename",
    ),
    mutant(
        "overlook that the kernel dropped events",
        "what was dropped is never told",
        f"{_ROOM}inotify.py",
        "        self._hints.overflow()\n",
        "        pass\n",
        f"{_TESTS}test_what_the_kernel_drops_is_compared_after_a_resync",
    ),
    mutant(
        "forget what could not be looked at",
        "an error loses the changes that it met",
        f"{_ROOM}watcher.py",
        "                self._held.hints.restore(taken)\n",
        "",
        f"{_TESTS}test_an_error_meets_the_reader_and_loses_nothing",
    ),
)
