"""What changes beneath a directory, told by comparison: see ``Disk.watch``.

What comes from inotify is a hint that a directory may have changed, and nothing else is believed of
it. Each hint has that directory listed anew, beneath the held root; what differs from what the
reader has been told is told. So what is told is true whatever the events were, and only how soon
depends on them.
"""

from __future__ import annotations

from safefs.watch.changes import Change, Resync, RootGone, RootMoved
from safefs.watch.watcher import Watcher

__all__ = ["Change", "Resync", "RootGone", "RootMoved", "Watcher"]
