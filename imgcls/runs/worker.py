"""The run's own process: the trainer's events to the loggers, signals into a stop, errors into the run's last word.

The terminal's `train` runs it in its own process with a console beside the other loggers; the page starts it apart.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from imgcls.errors import ImgclsError
from imgcls.files import remove_leftovers
from imgcls.messages import Message, Setting
from imgcls.runs import state
from imgcls.runs.store import Job, Run
from imgcls.training import events

Logger = Callable[[events.Event], None]
POLL = 0.05  # seconds between looks for the stop file: a look costs some microseconds, a step may take fewer
LAST_STATE = {events.Finished: "finished", events.Stopped: "stopped", events.Failed: "failed"}


def work(run: Run, *, loggers: Sequence[Logger] = (), resume: bool = False) -> events.Event:
    """Train to the end, a stop or a failure, and return the last event. Raises RunError when somebody else works on it.

    An error that a person can mend and one that nobody expected both end in a Failed event; the second one's traceback
    goes to stderr, which is the run's log.txt when the page started it.
    """
    return deque(stream(run, loggers=loggers, resume=resume), maxlen=1).pop()


def stream(run: Run, *, loggers: Sequence[Logger] = (), resume: bool = False) -> Iterator[events.Event]:
    """As `work`, an event at a time, each told to the loggers before it is yielded. Whoever closes the iterator stops
    the run: it saves first."""
    run.mark_running()
    remove_run_leftovers(run)
    last: events.Event | None = None
    with _stopper(run) as (should_stop, ask), Loggers() as tell:
        from imgcls.training.loggers.event_log import EventLog
        from imgcls.training.loggers.tensorboard import TensorBoard

        tell.open(EventLog, run.logs)
        for logger in loggers:
            tell.add(logger)
        try:
            from imgcls.training.trainer import train

            settings = run.settings()
            tell.open(TensorBoard, run.logs, settings)
            event_stream = train(
                settings, workspace=run.workspace, run=run.name, should_stop=should_stop, resume=resume
            )
            try:
                for last in event_stream:
                    tell(last)
                    if not isinstance(last, events.ENDINGS):
                        yield last
            except GeneratorExit:
                ask()
                for last in event_stream:
                    tell(last)
                raise
        except Exception as error:
            last = failure(error)
            tell(last)
        finally:
            remove_run_leftovers(run)
            # Nobody waits for what the loggers still have to draw. Without a last word, and without a process, it is
            # interrupted: a second Ctrl-C.
            finish(run, LAST_STATE.get(type(last), "running"))
    if last is not None:
        yield last


def follow_rank(run: Run, *, resume: bool = False) -> None:
    """The same training without a voice: every process of a data-parallel run but the first."""
    from imgcls.training.trainer import train

    with _stopper(run) as (should_stop, _):
        for _ in train(run.settings(), workspace=run.workspace, run=run.name, should_stop=should_stop, resume=resume):
            pass


def failure(error: Exception) -> events.Failed:
    """The last word of a run that ends with this error; a traceback to stderr where nobody expected it."""
    if isinstance(error, ImgclsError):
        return events.Failed(message=error.message, error=type(error).__name__)
    if isinstance(error, MemoryError):
        return events.Failed(message=_no_memory(), error="MemoryError")
    traceback.print_exc()
    return events.Failed(message=unexpected(error))


def unexpected(error: Exception) -> Message:
    if "out of memory" in str(error).lower():
        return _no_memory()
    return Message(
        "Something went wrong that should not have ({kind}: {reason}); see the run's log.txt.",
        kind=type(error).__name__,
        reason=error,
    )


def _no_memory() -> Message:
    return Message(
        "There is not enough memory: choose a smaller {batch_size} or {image_size}.",
        batch_size=Setting("batch_size"),
        image_size=Setting("image_size"),
    )


def finish(job: Job, ended: str, **changes: Any) -> None:
    """Write how it ended; the stop file has done its service."""
    state.change(job.workspace, job.logs, ended, process=None, **changes)
    with contextlib.suppress(OSError):
        (job.logs / "stop").unlink(missing_ok=True)


def remove_run_leftovers(run: Run) -> None:
    """What a killed process of this run left half-written, and features: a resumed run computes them anew."""
    for folder in (run.logs, run.checkpoints):
        remove_leftovers(folder)
    with contextlib.suppress(OSError):
        (run.checkpoints / "features.f32").unlink(missing_ok=True)


class Loggers(contextlib.ExitStack):
    """Tells each event to everyone. One that fails never ends the run: that is said once, and it is tried again."""

    def __init__(self) -> None:
        super().__init__()
        self._loggers: list[Logger] = []
        self._owed: dict[int, events.Note] = {}  # by a logger's place: what it has to be told when it works again
        self._failed: set[int] = set()

    def add(self, logger: Logger) -> None:
        self._loggers.append(logger)

    def open(self, kind: Callable[..., Any], *arguments: Any) -> None:
        """A logger that is a context manager; without it, and said so, where it cannot be made."""
        try:
            logger = kind(*arguments)
        except Exception as error:
            self(_note(kind.__name__, error))
            return
        self.callback(self._close, logger)
        self.add(logger)

    def __call__(self, event: events.Event) -> None:
        notes = [note for number in range(len(self._loggers)) if (note := self._tell(number, event))]
        for note in notes:
            for number in range(len(self._loggers)):
                if number not in self._owed:
                    self._tell(number, note)

    def _tell(self, number: int, event: events.Event) -> events.Note | None:
        """A note for the others when this one has failed for the first time."""
        logger = self._loggers[number]
        try:
            logger(event)
            if number in self._owed:
                logger(self._owed[number])
                del self._owed[number]
            return None
        except Exception as error:
            note = _note(type(logger).__name__, error)
            self._owed.setdefault(number, note)
            if number in self._failed:
                return None
            self._failed.add(number)
            with contextlib.suppress(OSError, ValueError):  # stderr may be on the same full disk
                print(f"{type(logger).__name__}: {error}; the run goes on", file=sys.stderr, flush=True)
            return note

    @staticmethod
    def _close(logger: Any) -> None:
        with contextlib.suppress(Exception):  # what it could not write was said when it was to be written
            logger.__exit__(None, None, None)


def _note(name: str, error: Exception) -> events.Note:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return events.Note(
        code="logger_failed",
        message=Message("{logger} cannot write ({reason}): the run goes on", logger=name, reason=reason),
    )


@contextlib.contextmanager
def _stopper(run: Run) -> Iterator[tuple[Callable[[], bool], Callable[[], None]]]:
    """(should_stop, ask). True once somebody asked: Ctrl-C, SIGTERM, a closed terminal, the run's stop file, or `ask`.

    A second Ctrl-C does not wait for the step.
    """
    stop_requested = threading.Event()
    looked = 0.0

    def on_signal(number: int, _frame: object) -> None:
        if stop_requested.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop_requested.set()

    def should_stop() -> bool:
        nonlocal looked
        now = time.monotonic()
        if not stop_requested.is_set() and now - looked > POLL:
            looked = now
            if run.stop_requested():
                stop_requested.set()
        return stop_requested.is_set()

    names = [n for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]
    previous_handlers = {}
    if threading.current_thread() is threading.main_thread():
        previous_handlers = {getattr(signal, n): signal.signal(getattr(signal, n), on_signal) for n in names}
    try:
        yield should_stop, stop_requested.set
    finally:
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)
