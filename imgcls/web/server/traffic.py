"""What is on its way to the lab: how much, of how many, and how slowly it may come and go.

Bytes of uploads are counted as they arrive, not as they are announced; whoever falls silent is let go. Events are kept
by Gradio until somebody fetches their answer: what comes of them within a minute has a limit, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NoReturn

from starlette.types import Message, Receive, Send

Kind = Literal["upload", "event", "other"]
MB = 1_000_000
SILENT_SECONDS = 30.0  # without a byte
MIN_BYTES_PER_S = 10_000  # bytes a second, on the whole
UNREAD_SECONDS = 60.0  # after which Gradio's session without a reader is forgotten


class Refused(Exception):
    """A request that is broken off: `status` and a sentence."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass
class Traffic:
    """all_uploads: bytes of uploads that there may be, those that are kept included; each_kept: bytes of an address
    within kept_seconds, in which they are kept; each_uploads: files of an address on their way; held: bytes of other
    requests on their way; events and each_events: bytes within UNREAD_SECONDS, of all and of an address."""

    all_uploads: int
    each_kept: int | None = None  # None: as many as all together
    kept_seconds: float = 3600.0
    each_uploads: int = 64
    held: int = 256 * MB
    events: int = 32 * MB
    each_events: int = 16 * MB
    silent_seconds: float = SILENT_SECONDS
    slowest: int = MIN_BYTES_PER_S
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.uploads: Counter[str] = Counter()
        self.bytes: Counter[Kind] = Counter()  # that have come of requests on their way
        self.asking: Counter[str] = Counter()  # events of an address on their way
        self.recent_events = Recent(UNREAD_SECONDS, self.clock)
        self.recent_uploads = Recent(self.kept_seconds, self.clock)

    @contextlib.contextmanager
    def coming(self, kind: Kind, client: str, length: int, stored: int = 0) -> Iterator[Coming]:
        """A request of so many bytes, while it is being answered. Raises Refused."""
        if kind == "event":
            self._count_event(client, length)
            self.asking[client] += 1
        if kind == "upload":
            if self.uploads[client] >= self.each_uploads:
                raise Refused("Several files are on their way from here already: wait until one has come.", 429)
            self.uploads[client] += 1
        # What is being written already is in `stored` as well.
        coming = Coming(self, kind, client, length, max(0, stored - self.bytes["upload"]))
        try:
            coming.check()
            yield coming
        finally:
            self.bytes[kind] -= coming.come
            if kind == "upload":
                self.uploads[client] -= 1
                self.uploads += Counter()  # without those that are 0
            if kind == "event":
                self.asking[client] -= 1
                self.asking += Counter()

    async def sent(self, send: Send, message: Message) -> None:
        """Whoever does not read its answer is let go."""
        if message["type"] != "http.response.body" or not message.get("body"):
            await send(message)
            return
        try:
            await asyncio.wait_for(send(message), self.silent_seconds * 2)
        except (asyncio.TimeoutError, TimeoutError):
            raise Refused("Nobody reads the answer.", 408) from None

    def _count_event(self, client: str, length: int) -> None:
        recent = self.recent_events
        if recent.of(client) + length > self.each_events or recent.total + length > self.events:
            raise Refused("Many people are asking just now: try again in a moment.", 429)
        recent.count(client, length)


class Recent:
    """Bytes of each address within so many seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self.seconds, self.clock = seconds, clock
        self._counted: deque[tuple[float, str, int]] = deque()
        self._bytes: Counter[str] = Counter()

    def count(self, client: str, length: int) -> None:
        now = self.clock()
        if self._counted and self._counted[-1][1] == client and now - self._counted[-1][0] < 1.0:
            # An upload comes in thousands of pieces: those of a second are one entry.
            since, _, earlier = self._counted.pop()
            self._counted.append((since, client, earlier + length))
        else:
            self._counted.append((now, client, length))
        self._bytes[client] += length

    def of(self, client: str) -> int:
        self._forget()
        return self._bytes[client]

    @property
    def total(self) -> int:
        self._forget()
        return self._bytes.total()

    def _forget(self) -> None:
        now = self.clock()
        while self._counted and now - self._counted[0][0] > self.seconds:
            _, client, length = self._counted.popleft()
            self._bytes[client] -= length
            if self._bytes[client] <= 0:
                del self._bytes[client]


class Coming:
    def __init__(self, traffic: Traffic, kind: Kind, client: str, length: int, stored: int) -> None:
        self.traffic, self.client, self.length, self.stored = traffic, client, length, stored
        self.began = traffic.clock()
        self.kind: Kind = kind
        self.come, self.whole = 0, False
        self.refused: Refused | None = None  # what it was broken off with, whatever the application makes of that

    def check(self) -> None:
        """Raises Refused where there is no room: at first for what is announced, then for what has come."""
        announced = 0 if self.come else self.length
        coming, each = self.traffic.bytes[self.kind] + announced, self.traffic.each_kept
        if (
            self.kind == "upload"
            and each is not None
            and self.traffic.recent_uploads.of(self.client) + announced > each
        ):
            self.refuse("The lab keeps no more files from this address: try again in an hour.", 413)
        if self.kind == "upload" and self.stored + coming > self.traffic.all_uploads:
            self.refuse("The lab has no room for another upload: try again in an hour.", 413)
        if self.kind != "upload" and coming > self.traffic.held:
            self.refuse("Many people are asking just now: try again in a moment.", 429)

    def refuse(self, sentence: str, status: int) -> NoReturn:
        self.refused = Refused(sentence, status)
        raise self.refused

    def watched(self, receive: Receive) -> Receive:
        """`receive`, which counts what comes and waits for the rest only as long as some of it comes."""
        traffic = self.traffic

        async def watched() -> Message:
            if self.whole:
                return await receive()
            left = traffic.silent_seconds * 2 + self.length / traffic.slowest - (traffic.clock() - self.began)
            try:
                message = await asyncio.wait_for(receive(), max(0.0, min(traffic.silent_seconds, left)))
            except (asyncio.TimeoutError, TimeoutError):
                self.refuse("The rest of the request has not come: send it again.", 408)
            if message["type"] == "http.request":
                size = len(message.get("body", b""))
                self.come += size
                traffic.bytes[self.kind] += size
                if self.kind == "upload":
                    traffic.recent_uploads.count(self.client, size)
                self.whole = not message.get("more_body", False)
                self.check()
            return message

        return watched
