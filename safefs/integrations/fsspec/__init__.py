"""``safefs://disk/path`` for fsspec, and so for pandas, dask, pyarrow and the rest.

A path is the name under which a disk was registered (``Storage.register``), one ``/``, and a path
in the words of the kernel. Nothing is decoded or expanded: ``%2e`` and ``~`` mean themselves, and
``safefs://documents//etc`` is an absolute path, which is an escape. ``Disk.fs`` is the same for one
disk alone, whose paths begin with ``/``.

The file system has no root of its own and takes none. An instance of ``SafeFileSystem`` holds no
right: at each call the disk is looked up by name in this process, so a pickle carries nothing, and
fails closed where the disk has not been registered.
"""

from safefs.integrations.fsspec.filesystem import SafeFileSystem
from safefs.integrations.fsspec.single import DiskFileSystem, file_system_of

__all__ = ["DiskFileSystem", "SafeFileSystem", "file_system_of"]
