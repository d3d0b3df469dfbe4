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
    """all_uploads: bytes of uploads that there may be, those that are kept included; each_uploads: of an address on
    their way; held: bytes of other requests on their way; events and each_events: bytes within UNREAD_SECONDS, of all
    and of an address."""

    all_uploads: int
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
        self._events: deque[tuple[float, str, int]] = deque()
        self._recent: Counter[str] = Counter()

    @contextlib.contextmanager
    def coming(self, kind: Kind, client: str, length: int, stored: int = 0) -> Iterator[Coming]:
        """A request of so many bytes, while it is being answered. Raises Refused."""
        if kind == "event":
            self._count_event(client, length)
        if kind == "upload":
            if self.uploads[client] >= self.each_uploads:
                raise Refused("Several files are on their way from here already: wait until one has come.", 429)
            self.uploads[client] += 1
        # What is being written already is in `stored` as well.
        coming = Coming(self, kind, length, max(0, stored - self.bytes["upload"]), self.clock())
        try:
            coming.check()
            yield coming
        finally:
            self.bytes[kind] -= coming.come
            if kind == "upload":
                self.uploads[client] -= 1
                self.uploads += Counter()  # without those that are 0

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
        now = self.clock()
        while self._events and now - self._events[0][0] > UNREAD_SECONDS:
            _, old, size = self._events.popleft()
            self._recent[old] -= size
            if self._recent[old] <= 0:
                del self._recent[old]
        if self._recent[client] + length > self.each_events or self._recent.total() + length > self.events:
            raise Refused("Many people are asking just now: try again in a moment.", 429)
        self._events.append((now, client, length))
        self._recent[client] += length


class Coming:
    def __init__(self, traffic: Traffic, kind: Kind, length: int, stored: int, began: float) -> None:
        self.traffic, self.length, self.stored, self.began = traffic, length, stored, began
        self.kind: Kind = kind
        self.come, self.whole = 0, False
        self.refused: Refused | None = None  # what it was broken off with, whatever the application makes of that

    def check(self) -> None:
        """Raises Refused where there is no room: at first for what is announced, then for what has come."""
        coming = self.traffic.bytes[self.kind] + (0 if self.come else self.length)
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
                self.whole = not message.get("more_body", False)
                self.check()
            return message

        return watched
