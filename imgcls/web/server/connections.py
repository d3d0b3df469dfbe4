"""Connections that say nothing are closed: uvicorn waits for ever for the rest of a request.

A request's head has to arrive within HEAD_SECONDS, and no address holds more connections than a class behind one
router needs; where all of them are taken, those that wait for nothing go first.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from uvicorn.config import Config

from imgcls.web.server.security import network_of, trusts

HEAD_SECONDS = 15.0
KEEP_ALIVE_SECONDS = 20  # more than clients keep a connection for: who closes it first cuts off a late request
OF_ADDRESS = 400  # connections: thirty browsers behind one router, six each and what they listen to
MAX_CONNECTIONS = 2000
DESCRIPTORS_KEPT = 256  # of the process, for files and for its children


class Connections:
    """Those that are open, the oldest first, by address. `of_address` counts not for proxies: they speak for many."""

    def __init__(
        self,
        *,
        head_seconds: float = HEAD_SECONDS,
        of_address: int = OF_ADDRESS,
        most: int = MAX_CONNECTIONS,
        proxies: Sequence[str] = (),
    ) -> None:
        self.head_seconds, self.of_address, self.most, self.proxies = head_seconds, of_address, most, proxies
        self._open: OrderedDict[Any, str] = OrderedDict()
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._open)

    def answering(self) -> int:
        """How many of them are being answered."""
        return sum(map(is_answering, self._open))

    def add(self, protocol: Any) -> None:
        client = protocol.client
        address = network_of(client[0]) if client else ""
        self._open[protocol] = address
        self._counts[address] = self._counts.get(address, 0) + 1
        if self._counts[address] > self.of_address and not trusts(self.proxies, client):
            self._close_one(address)
        elif len(self._open) > self.most:
            self._close_one(max(self._counts, key=self._counts.__getitem__))

    def remove(self, protocol: Any) -> None:
        address = self._open.pop(protocol, None)
        if address is None:
            return
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]

    def _close_one(self, address: str) -> None:
        """The oldest of an address that waits for nothing; otherwise the newest."""
        own = [protocol for protocol, of in self._open.items() if of == address]
        chosen = next((protocol for protocol in own if not is_answering(protocol)), own[-1])
        self.remove(chosen)
        chosen.transport.abort()


def is_answering(protocol: Any) -> bool:
    """Whether a request of it is being answered."""
    return protocol.cycle is not None and not protocol.cycle.response_complete


def protocol_class(connections: Connections) -> type[asyncio.Protocol]:  # noqa: C901 - a class over uvicorn's choice
    """For `uvicorn.Config(http=...)`."""
    if find_spec("httptools"):
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Protocol
    else:
        from uvicorn.protocols.http.h11_impl import H11Protocol as Protocol

    class PatientProtocol(Protocol):  # pyright: ignore[reportGeneralTypeIssues]
        _head_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._await_head()
            connections.add(self)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if is_answering(self):
                self._stop_timer()
            elif self._head_timer is None:
                self._await_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_timer()
            connections.remove(self)
            super().connection_lost(exc)

        def _await_head(self) -> None:
            self._head_timer = self.loop.call_later(connections.head_seconds, self._late)

        def _stop_timer(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _late(self) -> None:
            self._head_timer = None
            if not is_answering(self):
                self.transport.abort()

    return PatientProtocol


def configured(app: Any, connections: Connections, **options: Any) -> Config:
    """uvicorn as the lab runs it, in tests too."""
    return Config(
        app,
        log_level="warning",
        http=protocol_class(connections),
        ws="none",  # nothing of the lab speaks it
        proxy_headers=False,  # security.py's business: uvicorn would believe any program on this computer
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=2,
        **options,
    )


def raise_descriptor_limit() -> int:
    """As many files and sockets as this process may have; how many of them may be connections."""
    try:
        import resource
    except ImportError:  # Windows counts sockets apart
        return MAX_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = 8192 if hard == resource.RLIM_INFINITY else min(hard, 8192)
    if soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        soft = limit
    return min(MAX_CONNECTIONS, max(64, soft - DESCRIPTORS_KEPT))
