"""Everything that the lab knows of Gradio and Gradio does not promise: what it changes in it, its private names, the
addresses that its pages ask. Imported before any component is defined; checked when it is imported, the addresses
before anything is served (refusals.py). No other module names any of it (tests/test_architecture.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import gradio.queueing
import gradio.routes
import gradio.utils
from fastapi.exceptions import RequestValidationError
from gradio.processing_utils import save_file_to_cache, save_pil_to_cache
from gradio.route_utils import FnIndexInferError
from gradio.utils import get_upload_folder
from gradio_client.utils import is_http_url_like
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from imgcls.web.i18n.translator import LANGUAGES
from imgcls.web.server.short_log import note
from imgcls.workspace import PROJECT

if TYPE_CHECKING:
    from gradio.queueing import Queue
    from PIL import Image

UNREAD_SECONDS = 60.0
FOLDER = "GRADIO_TEMP_DIR"  # the variable in which Gradio reads the folder of uploads
PREDICT = "/gradio_api/run/predict"  # below a page: an event that is asked at once
PAGE = rf"(?P<page>(/({'|'.join(LANGUAGES)}))?)"
UPLOAD = re.compile(rf"{PAGE}/gradio_api/upload/?")
QUESTION = re.compile(rf"{PAGE}/gradio_api/component_server/?")  # of a component's own script
EVENT = re.compile(rf"{PAGE}/gradio_api/(queue/join|call/.+|run/.+|api/.+)")
DIRECT = re.compile(rf"{PAGE}/gradio_api/(run|api)/.+")
STREAM = re.compile(rf"{PAGE}/gradio_api/(queue/data|call/(v2/)?[^/]+/(?P<event>[^/]+))/?")
ELSEWHERE = re.compile(r".*/gradio_api/(file[=/]\s*https?:|proxy=).*", re.I | re.S)  # Gradio would fetch it
# What the page and Gradio's clients ask of Gradio; the rest writes files, prints, reloads or edits the application.
USED = re.compile(
    rf"{PAGE}/gradio_api/(upload|upload_progress|queue/(join|data|status)|run/.+|api/.+|call/.+|component_server|"
    r"file[=/].*|heartbeat/.+|cancel|reset|info|openapi\.json|app_id|startup-events|theme\.css)/?",
    re.S,
)
UNUSED = re.compile(rf"{PAGE}/(login|logout|monitoring|monitoring/.*|svelte/.*|.*/?gradio_api(/.*)?)", re.S)
# What the guard watches, by one address each: under another name it would pass unwatched.
ROUTES = tuple(
    f"/gradio_api/{path}" for path in ("upload", "component_server", "queue/join", "queue/data", "run/x", "call/x")
)


def _no_application(*_: Any, **__: Any) -> Any:
    return None


@contextlib.contextmanager
def only_described() -> Iterator[None]:
    """While a page is built and queued Gradio makes a whole application of it three times, and serves none of them:
    mounting makes the one that answers. Left out, a server is built in half the time (1.5 to 0.8 s of a core)."""
    make = gradio.routes.App.create_app
    assert callable(make)
    gradio.routes.App.create_app = staticmethod(_no_application)
    try:
        yield
    finally:
        gradio.routes.App.create_app = staticmethod(make)


def upload_folder() -> Path:
    return Path(get_upload_folder())


def keep_file(path: Path) -> str:
    """A copy of the file among the uploads: where it lies."""
    return save_file_to_cache(path, get_upload_folder())


def keep_picture(image: Image.Image, name: str, form: str) -> str:
    """The picture as a file of that form among the uploads: where it lies."""
    return save_pil_to_cache(image, get_upload_folder(), name=name, format=form)


def take_uploads_alone(page: gr.Blocks, refuse: Callable[[], Exception]) -> None:
    """Files of events are those that visitors have uploaded: before the page is mounted. refuse: the error for whoever
    gives an address in place of a file."""
    assert hasattr(page, "has_launched")
    page.has_launched = True  # what Gradio's own check asks for
    for block in page.blocks.values():
        _fetch_nothing(block, refuse)


def _fetch_nothing(block: Any, refuse: Callable[[], Exception]) -> None:
    move = block.async_move_resource_to_block_cache

    async def moved(file: str | Path | None) -> str | None:
        if file is not None and is_http_url_like(str(file)):
            raise refuse()
        return await move(file)

    block.async_move_resource_to_block_cache = moved


def look_at_queues_every(page: gr.Blocks, seconds: float) -> None:
    """Gradio looks at each of three empty queues a thousand times a second: some 4 % of a core while nobody asks."""
    assert hasattr(page._queue, "sleep_when_free")
    page._queue.sleep_when_free = seconds


def end_repeats(page: gr.Blocks) -> None:
    """Before the page is mounted. When a handler that waited for its turn ("always_last") has ended, Gradio sends its
    whole event again, to all handlers: two that wait would call each other for ever. So of those that one event calls
    only one waits; the quiet ones ask at each change, and shared/choices.js drops the answer that comes too late."""
    handlers: dict[tuple[int, str], list[Any]] = {}
    for handler in page.fns.values():
        assert handler.trigger_mode in ("once", "multiple", "always_last")
        if handler.fn is None or handler.trigger_mode != "always_last":
            continue
        for target, event in handler.targets:
            if target is not None:  # what follows on another handler is called by itself
                handlers.setdefault((target, event), []).append(handler)
    for waiting in handlers.values():
        for handler in waiting if len(waiting) > 1 else ():
            if handler.queue is False:
                handler.trigger_mode = "multiple"
        assert sum(handler.trigger_mode == "always_last" for handler in waiting) <= 1, waiting


def told_by(event: gr.EventData) -> dict[str, Any]:
    """The object that a component's script has sent with its event; {} where it is none."""
    return event._data if isinstance(event._data, dict) else {}


assert told_by(gr.EventData(None, {"sent": 1})) == {"sent": 1}


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

    def waiting(self, page: str) -> list[str]:
        """The addresses of the events that wait there, one for each event."""
        lines = self._queues[page].event_queue_per_concurrency_id.values() if page in self._queues else ()
        requests = [event.request for line in lines for event in line.queue]
        return [request.client.host if request.client else "" for request in requests]

    def longest(self, page: str) -> int:
        """How many events may wait there in all."""
        queue = self._queues.get(page)
        return (queue.max_size if queue else None) or sys.maxsize

    async def forget_unread(self) -> None:
        now, keys_seen = self._clock(), set()
        for page, queue in self._queues.items():
            for session in list(queue.pending_messages_per_session):
                key = page, session
                if self._readers[key]:
                    continue
                keys_seen.add(key)
                if now - self._unread.setdefault(key, now) > UNREAD_SECONDS:
                    await self._forget(queue, session)
        self._unread = {key: since for key, since in self._unread.items() if key in keys_seen}

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
        event_entry = queue.event_ids_to_events.get(event)
        if event_entry is not None:
            return event_entry.session_hash
        return next((name for name, events in queue.pending_event_ids_session.items() if event in events), event)


class _Tracebacks:
    """In place of the module in Gradio's own: whoever sends what an event does not take gets no ninety lines of log.

    A fault of the lab's own code keeps its traceback.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(traceback, name)

    def print_exc(self, *args: Any, **kwargs: Any) -> None:
        error = sys.exc_info()[1]
        if error is not None and is_ours(error):
            traceback.print_exc(*args, **kwargs)
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
