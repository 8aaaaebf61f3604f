"""The status of HTTP for what went wrong. Pure."""

from __future__ import annotations

import io
from errno import (
    EACCES,
    EBUSY,
    EDQUOT,
    EEXIST,
    EFBIG,
    EINVAL,
    EISDIR,
    ELOOP,
    ENAMETOOLONG,
    ENOENT,
    ENOLCK,
    ENOSPC,
    ENOTDIR,
    ENOTEMPTY,
    ENXIO,
    EPERM,
    EROFS,
    EXDEV,
)

from wsgidav.dav_error import DAVError

from safefs.bridge.browsers import ForeignError
from safefs.bridge.ranges import UnsatisfiableError
from safefs.bridge.targets import BadTargetError, ElsewhereError
from safefs.errors import (
    InvalidPathError,
    LockTimeoutError,
    PolicyError,
    PreconditionError,
    UnknownDiskError,
)

_RULES = {"quota_bytes": 507, "quota_files": 507, "max_file_size": 413, "max_path_length": 414}
_KINDS: tuple[tuple[type[BaseException], int], ...] = (
    (BadTargetError, 400),
    (ElsewhereError, 502),
    (UnsatisfiableError, 416),
    (InvalidPathError, 400),
    (UnknownDiskError, 404),
    (PreconditionError, 412),
    (LockTimeoutError, 503),
    (ConnectionError, 400),  # the upload ended before its end
    (TimeoutError, 408),
    (io.UnsupportedOperation, 501),
)
_NUMBERS = {
    EACCES: 403,
    EPERM: 403,
    EROFS: 403,
    ELOOP: 403,
    EXDEV: 403,
    EINVAL: 403,  # what cannot be done to the root of a disk, or to a tree within itself
    ENXIO: 403,
    ENOENT: 404,
    ENOTDIR: 409,
    ENOTEMPTY: 409,
    EBUSY: 409,
    EISDIR: 405,
    EEXIST: 412,
    EFBIG: 413,
    ENAMETOOLONG: 414,
    ENOLCK: 501,  # this disk has no place for what If-Match needs
    ENOSPC: 507,
    EDQUOT: 507,
}
REASONS = {
    200: "OK",
    201: "Created",
    204: "No Content",
    206: "Partial Content",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    421: "Misdirected Request",
    423: "Locked",
    424: "Failed Dependency",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
    507: "Insufficient Storage",
}


def line_of(status: int) -> str:
    return f"{status} {REASONS.get(status, 'Unknown')}"


def status_of(error: BaseException) -> int:
    """500 for what nobody has thought of, which is to be logged."""
    if isinstance(error, DAVError):
        return int(error.value)
    if isinstance(error, ForeignError):
        return error.status
    if isinstance(error, PolicyError):
        return _RULES.get(error.rule, 403)
    for kind, status in _KINDS:
        if isinstance(error, kind):
            return status
    if isinstance(error, OSError) and error.errno is not None:
        return _NUMBERS.get(error.errno, 500)
    return 500
