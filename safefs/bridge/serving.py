"""``storage.serve``: disks for other processes of this machine, while a ``with`` block lasts."""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from typing import TYPE_CHECKING

from safefs.age.hidden import Hidden, Unpickled
from safefs.bridge import handover
from safefs.bridge.application import Application, Limits
from safefs.bridge.browsers import Origins, checked_origins
from safefs.bridge.callers import Doorkeeper
from safefs.bridge.certificate import new_certificate
from safefs.bridge.handover import Address
from safefs.bridge.server import Patience, Server
from safefs.bridge.sockets import loopback, unix
from safefs.secrets.secret import Secret

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping
    from socket import socket as Socket  # noqa: N812  (beside the property of that name)
    from types import TracebackType
    from typing import Self

    from safefs.bridge.certificate import Certificate
    from safefs.disk import Disk
    from safefs.storage import Storage

_KEY = 32  # bytes: 256 bits


class Bridge(Unpickled):
    """Some disks, served by WebDAV over TLS to who has the key of this start.

    It serves from ``__enter__`` to ``__exit__``, in threads of its own, and can be entered once.
    What is not a disk by one of the names is not there; what the policy of a disk forbids is
    refused here too. It goes on until the block ends; a disk that is closed before is 500.

    ``url``, ``fingerprint`` (SHA-256 of the certificate, in hexadecimal), ``certificate`` (PEM) and
    ``socket`` are for everybody; ``key`` is for who may use the bridge.
    """

    def __init__(
        self,
        disks: Mapping[str, Disk],
        *,
        storage: Storage | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        socket: str | os.PathLike[str] | None = None,
        origins: Iterable[str] = (),
        max_body: int | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._disks = dict(disks)
        self._storage = storage
        self._origins = checked_origins(origins)
        self._limits = Limits(max_body)
        self._patience = patience or Patience()
        self._where = (host, port, socket)
        self._key = Hidden(secrets.token_urlsafe(_KEY).encode())
        self._held = ExitStack()
        self._address: Address | None = None

    @property
    def url(self) -> str:
        """``https://127.0.0.1:port/``; beneath it, each disk by its name."""
        return self._served.url

    @property
    def socket(self) -> str | None:
        """The name of the socket, where it is one of Unix."""
        return self._served.socket

    @property
    def fingerprint(self) -> str:
        return self._served.fingerprint

    @property
    def certificate(self) -> str:
        return self._served.certificate

    @property
    def key(self) -> Secret:
        """256 bits of this start. Who has it may do what this process may, on these disks."""
        return Secret(self._key.reveal().decode())

    @property
    def _served(self) -> Address:
        if self._address is None:
            raise ValueError("the bridge serves inside of its with block")
        return self._address

    def hand_over(self, to: int | str | os.PathLike[str]) -> None:
        """Write address, key and fingerprint as one line of JSON.

        ``to`` is a descriptor, which stays open, or the name of a file, which is made with mode
        0600, in the place of one that is there, and removed when the bridge stops.
        """
        line = handover.line_of(self._served, self._key)
        if isinstance(to, int):
            handover.write_to(to, line)
        else:
            self._held.enter_context(handover.file_of(to, line))

    def __enter__(self) -> Self:
        if self._address is not None:
            raise ValueError("a bridge is entered once")
        with ExitStack() as held:
            certificate = new_certificate()
            listening = self._listen(held)
            self._address = self._address_of(listening, certificate)
            application = self._application()
            self._server = Server(listening, application, certificate.context, self._patience)
            self._server.start()
            held.callback(self._server.stop)
            self._held = held.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._held.close()

    def __repr__(self) -> str:
        if not hasattr(self, "_address"):  # half made, as a traceback may show it
            return f"<{type(self).__name__}>"
        where = "not serving" if self._address is None else self._address.url
        return f"<{type(self).__name__} {where}: {', '.join(self._disks)}>"

    def _listen(self, held: ExitStack) -> Socket:
        host, port, path = self._where
        if path is not None:
            return held.enter_context(unix(path))
        listening = loopback(host, port)
        held.callback(listening.close)
        return listening

    def _address_of(self, listening: Socket, certificate: Certificate) -> Address:
        name = listening.getsockname()
        is_path = isinstance(name, str)
        host = "localhost" if is_path else f"[{name[0]}]" if ":" in name[0] else name[0]
        return Address(
            f"https://{host}/" if is_path else f"https://{host}:{name[1]}/",
            name if is_path else None,
            certificate.fingerprint,
            certificate.pem,
            tuple(self._disks),
        )

    def _application(self) -> Application:
        doorkeeper = Doorkeeper(self._key, self._disks, self._storage)
        own = self._served.url.removeprefix("https://").rstrip("/")
        hosts = {own} | ({own.replace("127.0.0.1", "localhost")} if self.socket is None else set())
        return Application(doorkeeper, Origins(frozenset(hosts), self._origins), self._limits)


def bridge_of(
    storage: Storage, names: Iterable[str], *, read_only: bool, **options: object
) -> Bridge:
    """For ``Storage.serve``. ``UnknownDiskError`` for a name that is none."""
    served = {name: storage.disk(name) for name in names}
    if not served:
        raise ValueError("name the disks that are to be served")
    if read_only:
        served = {name: disk.read_only() for name, disk in served.items()}
    return Bridge(served, storage=storage, **options)  # type: ignore[arg-type]  # Storage.serve's
