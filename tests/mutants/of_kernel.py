"""Mutants of gate 1 (paths) and gate 2 (the kernel)."""

# ruff: noqa: E501  (lines of safefs, and names of tests, stand here in full)

from __future__ import annotations

from tests.mutants.mutant import TABLE, Edit, Mutant, mutant

_PATHS = "safefs/paths.py"
_INIT = "safefs/kernel/__init__.py"
_HANDLE = "safefs/kernel/handle.py"
_OPENAT2 = "safefs/kernel/openat2.py"
_SYSCALLS = "safefs/kernel/syscalls.py"
_WALK = "safefs/kernel/walk.py"
_TRAIL = "safefs/kernel/trail.py"

_NUL_IN_STR = """    if "\\0" in text:  # in the str: the same question to bytes costs seven times as much
        raise _holds_nul(text)
"""
_END_OF_STR = """        raise refused(EscapeError(text, None, EscapeError.ABSOLUTE_PATH))
    return raw
"""
_NUL_IN_BYTES = """    if b"\\0" in raw:
        raise _holds_nul(text)
"""
_ARGTYPES = "c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t"

GATE_1 = (
    Mutant(
        "keep argtypes but not the NUL check",
        "C ends a string at NUL, whatever its type in ctypes: a.txt\\0.png opens a.txt",
        (
            Edit(_PATHS, _NUL_IN_STR, ""),
            Edit(_PATHS, _NUL_IN_BYTES, ""),
            Edit(
                _SYSCALLS,
                "_syscall = _libc.syscall\n",
                f"_syscall = _libc.syscall\n_syscall.argtypes = (ctypes.{_ARGTYPES})\n",
            ),
        ),
        ("tests/test_rules.py::test_rule_02_nul_does_not_cut_a_name_short",),
    ),
    mutant(
        "check for NUL only what comes as bytes",
        "the quick way for str is the one that everybody takes",
        _PATHS,
        _NUL_IN_STR,
        "",
        "tests/test_rules.py::test_rule_02_nul_does_not_cut_a_name_short",
        "tests/test_paths.py",
    ),
    mutant(
        "resolve '..' by string",
        "link/../x is not x: what was checked is not what is opened",
        _PATHS,
        _END_OF_STR,
        _END_OF_STR.replace("return raw", "return os.path.normpath(raw) if raw else raw"),
        "tests/test_rules.py::test_rule_05_behind_a_link_dots_are_the_parent_of_where_it_led",
    ),
    mutant(
        "let absolute paths through gate 1",
        "what is joined to the root by the next layer is the path itself (CWE-22)",
        _PATHS,
        '    if raw[:1] == b"/":\n' + _END_OF_STR,
        '    if raw[:1] == b"/" and raw[:2] == b"//":\n' + _END_OF_STR,
        "tests/test_rules.py::test_rule_04_an_absolute_path_is_an_escape_that_says_how_to_mend_it",
    ),
    mutant(
        "ask a subclass of str for its text",
        "a str that encodes to another path than the one that was checked",
        _PATHS,
        "        return str.__str__(text)\n",
        "        return text\n",
        "tests/test_rules.py::test_rule_02_a_subclass_is_read_for_its_content",
    ),
    mutant(
        "take any path for one name",
        "a caller of walk who puts '../..' into dirnames walks the outside",
        _PATHS,
        '        if b"/" in path.raw or path.raw in (b"", b".", b".."):\n',
        '        if path.raw == b"":\n',
        "tests/test_root.py::test_a_name_put_among_the_directories_of_a_walk_leads_nowhere_else",
    ),
)

OPENAT2 = (
    mutant(
        "drop RESOLVE_BENEATH",
        "openat2 is then openat: '..' and links lead anywhere",
        _HANDLE,
        "            syscalls.RESOLVE_BENEATH\n            | syscalls.RESOLVE_NO_MAGICLINKS\n",
        "            syscalls.RESOLVE_NO_MAGICLINKS\n",
        "tests/test_rules.py::test_rule_03_an_escape_is_an_escape_error_and_never_exdev",
    ),
    mutant(
        "drop RESOLVE_NO_MAGICLINKS",
        "a link of procfs leads to the object itself, past every check of names (CVE-2019-5736)",
        _HANDLE,
        "            | syscalls.RESOLVE_NO_MAGICLINKS\n",
        "",
        "tests/test_rules.py::test_rule_06_openat2_is_asked_for_no_magic_links_by_name",
    ),
    mutant(
        "follow links where the policy says never",
        "symlinks='never' holds on the walk only",
        _HANDLE,
        '            | (syscalls.RESOLVE_NO_SYMLINKS if policy.symlinks == "never" else 0)\n',
        "",
        "tests/test_rules.py::test_rule_06_under_never_a_link_is_refused_by_policy",
    ),
    mutant(
        "keep one open_how for every policy",
        "a strict Root is opened with the flags of a lax one that came before",
        _OPENAT2,
        "    key = (flags, mode, handle.resolve | extra)\n    how = _hows.get(key)\n",
        "    key = (flags, mode, handle.resolve | extra)\n"
        "    how = next((_hows[k] for k in _hows if k[:2] == key[:2]), None)\n",
        "tests/test_rules.py::test_rule_06_under_never_a_link_is_refused_by_policy",
        "tests/test_root.py",
    ),
    mutant(
        "treat EXDEV as not found",
        "an attack looks like a missing file, and a writer goes on to make it",
        _INIT,
        "    if error in (EXDEV, ELOOP):\n",
        "    if error == EXDEV:\n        error = ENOENT\n    if error in (EXDEV, ELOOP):\n",
        "tests/test_rules.py::test_rule_03_an_escape_is_an_escape_error_and_never_exdev",
    ),
    mutant(
        "let O_NOFOLLOW follow link/",
        "the kernel follows a link with a slash behind it, O_NOFOLLOW or not (CVE-2026-39822)",
        _INIT,
        '    if flags & os.O_NOFOLLOW and path.raw[-1:] == b"/":\n',
        '    if flags & os.O_NOFOLLOW and path.raw[-2:] == b"//":\n',
        "tests/test_traps.py::test_a_link_with_a_slash_is_not_followed_by_an_open_that_must_not",
    ),
    mutant(
        "ignore EAGAIN",
        "anybody's rename anywhere on the machine fails any path with '..' in it",
        _INIT,
        "    if error == EAGAIN:\n",
        "    if error == EAGAIN:\n        raise OSError(error, os.strerror(error), path.shown)\n"
        "    if error == EAGAIN:\n",
        "tests/test_rules.py::test_rule_07_eagain_on_dots_is_tried_again_and_then_walked",
    ),
    mutant(
        "cache the resolver",
        "a sandbox that comes after the first open breaks, or blinds, all that come after",
        _INIT,
        "    forbidden = error in _NO_OPENAT2 or",
        "    forbidden = (error in _NO_OPENAT2 and not openat2.answers(handle)) or",
        "tests/test_rules.py::test_rule_07_that_it_once_worked_is_never_remembered",
    ),
    mutant(
        "cache that openat2 was refused",
        "one EPERM, which may have been an honest one, and the kernel never helps again",
        _INIT,
        "    if error == EAGAIN or (forbidden and probe.forced is None):\n",
        "    if error == EAGAIN or (forbidden and probe.forced is None):\n"
        '        probe.forced = "walk"\n',
        "tests/test_rules.py::test_rule_07_that_it_once_worked_is_never_remembered",
    ),
    mutant(
        "believe every ENOENT of openat2",
        "a sandbox that says ENOENT hides every file, and what exists is made anew",
        _OPENAT2,
        "    return _has_answered\n",
        "    return True\n",
        "tests/test_traps.py::test_a_sandbox_that_says_enoent_before_openat2_ever_worked_is_not_believed",
        "tests/test_rules.py::test_rule_07_enoent_is_not_believed_of_a_sandbox_that_lies",
    ),
    mutant(
        "believe an errno of 0",
        "a signal between the call and errno makes a failed open descriptor 0: stdin",
        _SYSCALLS,
        "        error = _errno() or ENOSYS\n",
        "        error = _errno()\n",
        "tests/test_attacks.py::test_an_errno_cleared_by_a_signal_handler_makes_no_descriptor_0",
    ),
    mutant(
        "follow links to the hidden",
        "a link beside them shows .ssh and .bashrc of the home disk",
        _INIT,
        "    fd = openat2.open_beneath(handle, path.raw, flags, mode, syscalls.RESOLVE_NO_SYMLINKS)\n",
        "    fd = openat2.open_beneath(handle, path.raw, flags, mode)\n",
        "tests/test_traps.py::test_a_dot_entry_at_the_top_is_refused_by_whatever_path_it_is_reached",
    ),
    mutant(
        "free the number of a closed root",
        "the next directory that anyone opens gets the number, and a thread reads that one",
        _HANDLE,
        "            syscalls.dup2(dead, self.fd, False)\n",
        "            syscalls.close(self.fd)\n",
        "tests/test_rules.py::test_rule_01_the_number_of_a_closed_root_is_not_given_to_another",
    ),
)

WALK = (
    mutant(
        "forget O_NOFOLLOW on the way of a plain path",
        "a link among the directories is followed by the system, which knows no root",
        _WALK,
        "_WAY = syscalls.DIRECTORY | os.O_NOFOLLOW\n",
        "_WAY = syscalls.DIRECTORY\n",
        "tests/test_rules.py::test_rule_06_an_absolute_link_is_an_escape_wherever_it_leads",
        "tests/test_rules.py::test_rule_03_an_escape_is_an_escape_error_and_never_exdev",
        "tests/test_root.py",
    ),
    mutant(
        "forget O_NOFOLLOW at the end of a plain path",
        "a link in the last place is followed by the system, which knows no root",
        _WALK,
        "        return syscalls.open(last, flags | os.O_NOFOLLOW, mode, dir_fd=here)\n",
        "        return syscalls.open(last, flags, mode, dir_fd=here)\n",
        "tests/test_rules.py::test_rule_06_an_absolute_link_is_an_escape_wherever_it_leads",
        "tests/test_rules.py::test_rule_03_an_escape_is_an_escape_error_and_never_exdev",
        "tests/test_root.py",
    ),
    mutant(
        "take '..' for a plain name",
        "the walk asks the system for '..' of the root itself",
        _WALK,
        '    if b".." in names or b"." in names or b"" in names:\n',
        '    if b"." in names or b"" in names:\n',
        "tests/test_rules.py::test_rule_03_an_escape_is_an_escape_error_and_never_exdev",
        "tests/test_rules.py::test_rule_05_behind_a_link_dots_are_the_parent_of_where_it_led",
    ),
    mutant(
        "open a link itself by O_PATH, where it is to be followed",
        "stat tells of the link, and chmod changes what it does not lead to",
        _WALK,
        "    if flags & syscalls.O_PATH and not flags & (os.O_NOFOLLOW | os.O_DIRECTORY):\n",
        "    if flags & 0:\n",
        "tests/test_root.py",
    ),
    mutant(
        "resolve '..' by string, in the walk",
        "the two resolvers disagree behind a link",
        _WALK,
        "    pending, slash, dots = _components(path.raw)\n",
        "    pending, slash, dots = _components(os.path.normpath(path.raw or b'.'))\n",
        "tests/test_rules.py::test_rule_05_behind_a_link_dots_are_the_parent_of_where_it_led",
    ),
    mutant(
        "forget O_NOFOLLOW in the walk",
        "a link on the way is followed by the system, which knows no root",
        _WALK,
        "        return syscalls.open(name, syscalls.DIRECTORY | os.O_NOFOLLOW, dir_fd=dir_fd), None\n",
        "        return syscalls.open(name, syscalls.DIRECTORY, dir_fd=dir_fd), None\n",
        "tests/test_rules.py::test_rule_06_an_absolute_link_is_an_escape_wherever_it_leads",
        "tests/test_rules.py::test_rule_03_an_escape_is_an_escape_error_and_never_exdev",
        f"{TABLE}[walk-up after a link]",
    ),
    mutant(
        "skip the last-component check",
        "a link in the last place is followed by the system",
        _WALK,
        "        fd = syscalls.open(name, flags | os.O_NOFOLLOW, mode, dir_fd=dir_fd)\n",
        "        fd = syscalls.open(name, flags, mode, dir_fd=dir_fd)\n",
        "tests/test_rules.py::test_rule_06_an_absolute_link_is_an_escape_wherever_it_leads",
        f"{TABLE}[openat2-39 links and one out]",
    ),
    mutant(
        "accept 41 links",
        "one more than the kernel: the two resolvers disagree",
        _WALK,
        "MAX_LINKS = 40 ",
        "MAX_LINKS = 41 ",
        "tests/test_rules.py::test_rule_06_forty_links_are_followed_and_the_next_is_a_loop",
    ),
    mutant(
        "read absolute links beneath the root",
        "as in a chroot: what is checked is not what every other program opens",
        _WALK,
        '    if target[:1] == b"/" and handle.policy.symlinks != "inside_absolute":\n',
        '    if target[:1] == b"/" and not target:\n',
        "tests/test_rules.py::test_rule_06_an_absolute_link_is_an_escape_wherever_it_leads",
    ),
    mutant(
        "read magic links as links, in the walk",
        "the text of /proc/self/fd/3 is no path, and may be one that someone has made",
        _WALK,
        "    if syscalls.on_procfs(dir_fd) and here.st_ino != _PROC_ROOT_INO:\n",
        "    if not target and syscalls.on_procfs(dir_fd):\n",
        "tests/test_rules.py::test_rule_06_a_magic_link_is_an_escape",
    ),
    mutant(
        "show the hidden to the walk",
        "with openat2 refused, the home disk shows .ssh and .bashrc",
        _WALK,
        "        if handle.guarded:\n            _judge",
        "        if handle.guarded and trail.depth:\n            _judge",
        "tests/test_traps.py::test_a_dot_entry_at_the_top_is_refused_by_whatever_path_it_is_reached",
    ),
    mutant(
        "follow anybody's link in a directory like /tmp",
        "fs.protected_symlinks does not protect one who reads links by himself",
        _WALK,
        "    if owner not in (dir_owner, syscalls.geteuid()):\n",
        "    if owner not in (dir_owner, owner):\n",
        "tests/test_rules.py::test_rule_18_protected_symlinks",
    ),
    mutant(
        "ask the file system for '..'",
        "a directory that is moved out while it is walked takes the walk with it",
        _TRAIL,
        "        syscalls.close(self._fds.pop())\n        self._names.pop()\n",
        "        here = self._fds.pop()\n"
        "        self._names.pop()\n"
        '        above = syscalls.open(b"..", self._flags, dir_fd=here)\n'
        "        syscalls.close(here)\n"
        "        if self._fds:\n"
        "            syscalls.close(self._fds[-1])\n"
        "            self._fds[-1] = above\n"
        "        else:\n"
        "            syscalls.close(above)\n",
        "tests/test_attacks.py::test_a_directory_moved_out_beside_its_namesakes_is_no_way_out",
    ),
    mutant(
        "believe the way back down",
        "what is found under the old names may be a link's directory, or another's",
        _TRAIL,
        "            if _identity(fd) != identity:\n",
        "            if _identity(fd) != identity and not identity:\n",
        "tests/test_rules.py::test_rule_18_a_directory_moved_again_and_again",
    ),
)
