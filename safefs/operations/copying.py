"""copy: a file, whole or not at all."""

from __future__ import annotations

import os
from stat import S_IMODE

from safefs.errors import SameFileError
from safefs.kernel import syscalls
from safefs.operations.content import copy_content
from safefs.operations.files import open_regular
from safefs.operations.parent import Blame
from safefs.operations.replace import Draft, existing_entry, parent_of_file, refuse_existing
from safefs.operations.sizes import draft_growth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safefs.kernel.handle import Handle
    from safefs.paths import RelPath

_PERMISSIONS = 0o777  # set-id bits stay behind


def copy(handle: Handle, src: RelPath, dst: RelPath, *, replace: bool) -> None:
    with Blame(src, dst):
        source = open_regular(handle, src, os.O_RDONLY)
        try:
            _copy(handle, source, src, dst, replace=replace)
        finally:
            syscalls.close(source)


def _copy(handle: Handle, source: int, src: RelPath, dst: RelPath, *, replace: bool) -> None:
    with parent_of_file(handle, dst, replaces=replace) as new:
        found = syscalls.fstat(source)
        replace = replace and not handle.policy.append_only
        if not replace:
            refuse_existing(new)
        existing = existing_entry(new)
        if existing is not None and _same(existing, found):
            raise SameFileError(src.shown, dst.shown)
        mode = S_IMODE(found.st_mode) & _PERMISSIONS
        growth = draft_growth(handle, dst.shown, new.fd, new.name)
        with Draft(new.fd, mode, growth=growth) as draft:
            copy_content(source, draft.fd, found, None, growth)
            draft.stamp()
            draft.publish(new.name, replace=replace)


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
