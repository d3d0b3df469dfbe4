"""What the lab changes in Gradio itself. Imported before any component is defined; checked when it is imported."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio.component_meta as component_meta
import gradio.queueing
import gradio.routes
import gradio.utils
from fastapi.exceptions import RequestValidationError
from gradio.route_utils import FnIndexInferError
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from imgcls.web.server.short_log import note
from imgcls.workspace import PROJECT

if TYPE_CHECKING:
    import gradio as gr
    from gradio.queueing import Queue

UNREAD_SECONDS = 60.0

# For every class of a component Gradio writes a stub file beside the module that defines it, at each start. An
# installed package is not written into, and in a checkout nobody reads them.
assert callable(component_meta.create_or_modify_pyi)
component_meta.create_or_modify_pyi = lambda component_class, class_name, events: None


class Sessions:
    """Gradio's sessions on each page ("/en", "/zh", ""): whose answers are there, and who reads them.

    Gradio keeps the answer to an event until its session reads it, for up to 2,000 sessions; one that nobody reads for
    UNREAD_SECONDS is forgotten.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._queues: dict[str, Queue] = {}
        self._readers: Counter[tuple[str, str]] = Counter()
        self._unread: dict[tuple[str, str], float] = {}  # since when

    def add(self, page: str, blocks: gr.Blocks) -> None:
        self._queues[page] = blocks._queue

    def there(self, page: str, session: str, event: str) -> bool:
        """Whether anything could be read: Gradio breaks off its answer where it could not."""
        queue = self._queues.get(page)
        return queue is not None and self._session(queue, session, event) in queue.pending_messages_per_session

    @contextlib.contextmanager
    def reading(self, page: str, session: str, event: str) -> Iterator[None]:
        key = page, self._session(self._queues[page], session, event)
        self._readers[key] += 1
        try:
            yield
        finally:
            self._readers[key] -= 1
            if not self._readers[key]:
                del self._readers[key]

    async def forget_unread(self) -> None:
        now, seen = self._clock(), set()
        for page, queue in self._queues.items():
            for session in list(queue.pending_messages_per_session):
                key = page, session
                if self._readers[key]:
                    continue
                seen.add(key)
                if now - self._unread.setdefault(key, now) > UNREAD_SECONDS:
                    await self._forget(queue, session)
        self._unread = {key: since for key, since in self._unread.items() if key in seen}

    async def keep_forgetting(self) -> None:
        while True:
            await asyncio.sleep(UNREAD_SECONDS / 4)
            await self.forget_unread()

    async def _forget(self, queue: Queue, session: str) -> None:
        await queue.clean_events(session_hash=session)
        for event in queue.pending_event_ids_session.pop(session, ()):
            queue.event_ids_to_events.pop(event, None)
        queue.pending_messages_per_session.pop(session, None)

    def _session(self, queue: Queue, session: str, event: str) -> str:
        if not event:
            return session
        known = queue.event_ids_to_events.get(event)
        if known is not None:
            return known.session_hash
        return next((name for name, events in queue.pending_event_ids_session.items() if event in events), event)


class _Tracebacks:
    """In place of the module in Gradio's own: whoever sends what an event does not take gets no ninety lines of log.

    A fault of the lab's own code keeps its traceback.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(traceback, name)

    def print_exc(self, *given: Any, **said: Any) -> None:
        error = sys.exc_info()[1]
        if error is not None and is_ours(error):
            traceback.print_exc(*given, **said)
        elif error is not None:
            note(f"An event was given what it does not take: {type(error).__name__}")


def is_ours(error: BaseException) -> bool:
    """Whether it was raised in the package's own code, or in what that called."""
    return any(
        Path(frame.filename).is_relative_to(PROJECT / "imgcls") and not frame.filename.endswith("server_functions.py")
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.name not in PASSING
    )


# Frames of ours that every request passes through.
PASSING = ("__call__", "passed", "answered", "watched", "sent")
MALFORMED = (
    LookupError,
    TypeError,
    ValueError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    OSError,
    RecursionError,
    FnIndexInferError,
)


async def malformed(request: Request, error: Exception) -> PlainTextResponse:
    """Gradio's endpoints fall over what no page sends."""
    if is_ours(error):
        logging.getLogger("imgcls.web").error(request.url.path, exc_info=error)
        return PlainTextResponse("The lab could not answer.", 500)
    note(f"{request.method} {request.url.path[:80]!r} was asked for what is not there: {type(error).__name__}")
    return PlainTextResponse("The lab knows no such request.", 422)


def app_options() -> dict[str, Any]:
    """For `gr.mount_gradio_app(app_kwargs=...)`. FastAPI's own answer to what is no request repeats all of it."""
    return {"exception_handlers": {kind: malformed for kind in (*MALFORMED, RequestValidationError)}}


for module in (gradio.routes, gradio.queueing, gradio.utils):
    assert module.traceback is traceback
    module.traceback = _Tracebacks()  # pyright: ignore[reportAttributeAccessIssue]
