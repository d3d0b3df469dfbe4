"""One gate for expensive work: whatever decodes a picture, runs a network or writes a document for the page.

    await work("document", ("report", name), lambda: report(...), user=address)

Each kind has a pool of a few threads, so that no kind of work starves another. Whoever asks for what is being made
waits for it instead of making it again; what is named by its content is kept. Addresses take turns, none may fill the
line, and nobody waits for ever.
"""

from __future__ import annotations

import asyncio
import ctypes
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as Late
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from PIL import Image

from imgcls.checkpoints.format import read_meta
from imgcls.errors import InputError
from imgcls.imaging.image_io import opened_image
from imgcls.messages import N_
from imgcls.processes import available_cores

if TYPE_CHECKING:
    from imgcls.inference.predictor import Predictor

Kind = Literal["state", "picture", "network", "document", "download", "dataset", "tensorboard"]
T = TypeVar("T")

CACHE_BYTES = 64_000_000  # of finished work that is named by its content
IDLE_SECONDS = 30.0  # after which a thread without work ends
LINE_POLL_S = 0.25  # between two looks whether whoever waits in a line is still there
LARGE_PIXELS = 4_000_000
SKETCHES = ("PNG", "JPEG")  # what the page sends of a drawing, of a camera's frame
SKETCH_PIXELS = 1024 * 1024  # of a drawing or a camera's frame: the page sends a tenth of it


@dataclass(frozen=True)
class Pool:
    """`share`: jobs of one address that may wait; `patience`: seconds that anybody waits for an answer."""

    threads: int
    share: int = 64
    all: int = 512
    patience: float = 30.0


POOLS: Mapping[Kind, Pool] = {
    "state": Pool(8),  # the workspace's small files, under its lock: milliseconds
    "picture": Pool(max(2, min(4, available_cores()))),  # thumbnails, a LeNet's answers, cards of runs: milliseconds
    "network": Pool(2),  # a forward pass of any other network, loading it included
    "document": Pool(1, patience=120.0),  # pages to take home, reports: seconds
    "download": Pool(2, patience=120.0),  # files made for a download
    "dataset": Pool(2, patience=86_400.0),  # a data set looked through or sampled: up to hours
    "tensorboard": Pool(4, patience=150.0),  # its answers: it takes up to a minute to start, and one more to answer
}


class Busy(InputError):
    """The line is full, or waiting took too long."""

    def __init__(self) -> None:
        super().__init__(N_("Many people are asking just now: try again in a moment."))


@dataclass(eq=False)
class _Job(Generic[T]):
    kind: Kind
    key: Hashable
    make: Callable[[], T]
    user: str
    keep: bool
    answer: Future = field(default_factory=Future)
    waiting: int = 1  # callers
    started: bool = False


class _Line:
    """Jobs of a kind that wait: a queue for each address, which take turns."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.users: OrderedDict[str, deque[_Job]] = OrderedDict()
        self.threads = self.idle = self.length = 0

    def add(self, job: _Job) -> None:
        own = self.users.get(job.user, ())
        if len(own) >= self.pool.share or self.length >= self.pool.all:
            raise Busy
        self.users.setdefault(job.user, deque()).append(job)
        self.length += 1

    def next(self) -> _Job | None:
        if not self.users:
            return None
        user, jobs = self.users.popitem(last=False)
        job = jobs.popleft()
        if jobs:
            self.users[user] = jobs  # at the end: the others come first
        self.length -= 1
        job.started = True
        return job

    def remove(self, job: _Job) -> None:
        jobs = self.users[job.user]
        jobs.remove(job)
        if not jobs:
            del self.users[job.user]
        self.length -= 1


class WorkGate:
    def __init__(self, pools: Mapping[Kind, Pool] = POOLS, cache_bytes: int = CACHE_BYTES) -> None:
        self.cache_bytes = cache_bytes
        self.made: dict[Kind, int] = dict.fromkeys(pools, 0)  # jobs that were begun
        self._changed = threading.Condition()
        self._lines = {kind: _Line(pool) for kind, pool in pools.items()}
        self._flights: dict[tuple[Kind, Hashable], _Job] = {}
        self._cached: OrderedDict[tuple[Kind, Hashable], bytes | str] = OrderedDict()
        self._here = threading.local()

    async def work(self, kind: Kind, key: Hashable, make: Callable[[], T], user: str = "", *, keep: bool = False) -> T:
        """What `make` answers, made in a thread of that kind's pool.

        key: names the work; who asks for the same meanwhile waits for the same answer. None: the work is nobody
        else's. user: the address that asks. keep: the key names the content for good, and the answer (bytes or str)
        may be kept. Raises Busy, and what `make` raises.
        """
        if self.inside:
            return self.work_here(kind, key, make, user, keep=keep)
        job, _ = self._join(kind, key, make, user, keep)
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(job.answer)), self._patience(kind))
        except (asyncio.TimeoutError, TimeoutError):
            if job.answer.done():  # at the last moment, or `make` itself raised it
                return job.answer.result()
            raise Busy from None
        finally:
            self._leave(job)

    def work_here(
        self,
        kind: Kind,
        key: Hashable,
        make: Callable[[], T],
        user: str = "",
        *,
        keep: bool = False,
        in_line: Callable[[], None] | None = None,
    ) -> T:
        """The same for who asks from a thread, which waits meanwhile. Inside another piece of work it is done at once,
        in the same thread, unless somebody else is at it.

        in_line: called now and then as long as the work has not begun; what it raises is raised, and the work
        withdrawn.
        """
        job, own = self._join(kind, key, make, user, keep, at_once=self.inside)
        if own and self.inside:
            self._do(job)
        try:
            end = time.monotonic() + self._patience(kind)
            while in_line and not job.started and not wait([job.answer], LINE_POLL_S).done and time.monotonic() < end:
                in_line()
            return job.answer.result(max(0.0, end - time.monotonic()))
        except Late:
            if job.answer.done():
                return job.answer.result()
            raise Busy from None
        finally:
            self._leave(job)

    @property
    def inside(self) -> bool:
        """Whether this thread is doing a piece of work."""
        return getattr(self._here, "working", False)

    def waiting(self, kind: Kind) -> int:
        with self._changed:
            return self._lines[kind].length

    def _patience(self, kind: Kind) -> float:
        return self._lines[kind].pool.patience

    def _join(
        self, kind: Kind, key: Hashable, make: Callable[[], T], user: str, keep: bool, *, at_once: bool = False
    ) -> tuple[_Job[T], bool]:
        """(the job, whether the caller began it). at_once: the caller does it itself."""
        named: tuple[Kind, Hashable] = (kind, key)
        line = self._lines[kind]
        with self._changed:
            if keep and named in self._cached:
                self._cached.move_to_end(named)
                new_job: _Job = _Job(kind, None, make, user, keep)
                new_job.answer.set_result(self._cached[named])
                return new_job, False
            job = self._flights.get(named) if key is not None else None
            if job is not None:
                job.waiting += 1
                if at_once and not job.started:  # it would wait for the very thread that asks
                    line.remove(job)
                    job.started = True
                    return job, True
                return job, False
            job = _Job(kind, key, make, user, keep)
            if at_once:
                job.started = True
            else:
                line.add(job)
                self._staff(kind, line)
            if key is not None:
                self._flights[named] = job
            return job, True

    def _staff(self, kind: Kind, line: _Line) -> None:
        if line.idle >= line.length or line.threads >= line.pool.threads:
            self._changed.notify_all()
            return
        line.threads += 1
        threading.Thread(target=self._serve, args=[line], name=f"work-{kind}", daemon=True).start()

    def _serve(self, line: _Line) -> None:
        """A thread of the pool: one job after the other, until there has been none for a while."""
        while True:
            with self._changed:
                until = time.monotonic() + IDLE_SECONDS
                line.idle += 1
                while (job := line.next()) is None:
                    left = until - time.monotonic()
                    if left <= 0:
                        line.idle -= 1
                        line.threads -= 1
                        return
                    self._changed.wait(left)
                line.idle -= 1
            self._do(job)
            del job  # its answer may be large

    def _do(self, job: _Job) -> None:
        outer, self._here.working = self.inside, True
        with self._changed:
            self.made[job.kind] += 1
        answer, error = None, None
        try:
            answer = job.make()
        except BaseException as fault:
            error = fault
        finally:
            self._here.working = outer
        with self._changed:
            if job.key is not None:
                self._flights.pop((job.kind, job.key), None)
            if error is None and job.keep and isinstance(answer, (bytes, str)):
                self._keep((job.kind, job.key), answer)
        if error is not None:
            job.answer.set_exception(error)
        else:
            job.answer.set_result(answer)

    def _keep(self, named: tuple[Kind, Hashable], answer: bytes | str) -> None:
        if len(answer) > self.cache_bytes // 4:
            return
        self._cached[named] = answer
        while sum(map(len, self._cached.values())) > self.cache_bytes:
            self._cached.popitem(last=False)

    def _leave(self, job: _Job) -> None:
        """Nobody makes what nobody waits for any more."""
        with self._changed:
            job.waiting -= 1
            if job.waiting <= 0 and not job.started and not job.answer.done():
                self._lines[job.kind].remove(job)
                if job.key is not None:
                    self._flights.pop((job.kind, job.key), None)
                job.answer.cancel()


GATE = WorkGate()
work, work_here = GATE.work, GATE.work_here


@contextmanager
def opened_picture(
    source: str | Path | bytes,
    *,
    name: str,
    keep_alpha: bool = False,
    near: int | None = None,
    most: int | None = None,
) -> Iterator[Image.Image]:
    """A picture with its memory booked while the block lasts (`opened_image`), for work that has passed the gate.

    most: pixels, asked of the header before anything is decoded. Raises InputError.
    """
    if most is not None and _pixels(source, name) > most:
        raise InputError("{file} has more than {most} million pixels: make it smaller.", file=name, most=most // 10**6)
    large = False
    try:
        with opened_image(source, keep_alpha=keep_alpha, near=near, name=name) as image:
            large = image.width * image.height > LARGE_PIXELS
            yield image
    finally:
        if large:
            _give_back()


def _give_back() -> None:
    """Freed memory goes back to the system: glibc would keep what a large picture took, in an arena for each thread."""
    with suppress(OSError, AttributeError):  # another system, another library
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _pixels(source: str | Path | bytes, name: str) -> int:
    """By the header alone: asking a PNG for its orientation would decode it."""
    try:
        with Image.open(BytesIO(source) if isinstance(source, bytes) else source, formats=SKETCHES) as image:
            return image.width * image.height
    except Exception as error:  # decoders of damaged files raise whatever they stumble on
        raise InputError("{file} is cut off or damaged: save or copy it again.", file=name) from error


def network(path: Path) -> Predictor:
    """A checkpoint's network, loaded once for all who ask. Raises CheckpointError."""
    from imgcls.inference.predictor import Predictor

    return Predictor.cached(path)


def network_of_epoch(path: Path, epoch: int) -> Predictor:
    """The checkpoint's network as it was after an epoch that is kept beside it; not calibrated: temperature and
    familiarity belong to the last weights. Raises CheckpointError."""
    from imgcls.checkpoints.epochs import read_epoch
    from imgcls.checkpoints.format import load_checkpoint
    from imgcls.inference.predictor import Predictor

    model, meta = load_checkpoint(path)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    state = read_epoch(path.parent, epoch, shapes)
    model.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in state.items()})
    return Predictor(model, meta.model_copy(update={"epoch": epoch}))


def network_kind(path: Path) -> Kind:
    """The pool that its answers come from: a LeNet's, a millisecond each, wait for no other network's. Raises
    CheckpointError."""
    return "picture" if read_meta(path).model == "lenet" else "network"


def address_of(request: Any) -> str:
    """Whose share it is: the address that sent a request, Starlette's or Gradio's."""
    return getattr(getattr(request, "client", None), "host", None) or ""
