"""The run's own process: the trainer's events into the sinks, signals into a stop, errors into the run's last word.

The terminal's `train` runs it in its own process with a console beside the other sinks; the page starts it apart.
Knows no page.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence

from imgcls.errors import ImgclsError, RunError
from imgcls.messages import Message, Setting
from imgcls.runs.store import Run
from imgcls.training import events

Sink = Callable[[events.Event], None]
POLL = 0.05  # seconds between looks for the stop file: a look costs some microseconds, a step may take fewer


def work(run: Run, *, sinks: Sequence[Sink] = (), resume: bool = False) -> events.Event:
    """Train to the end, a stop or a failure, and return the last event. Raises RunError when somebody else works on it.

    An error that a person can mend and one that nobody expected both end in a Failed event; the second one's traceback
    goes to stderr, which is the run's log.txt when the page started it.
    """
    from filelock import Timeout

    lock = run.lock()
    try:
        lock.acquire(timeout=5)
    except Timeout:
        raise RunError("{name} is already running in another process.", name=run.name) from None
    with lock, _stopper(run) as should_stop, contextlib.ExitStack() as stack:
        from imgcls.training.loggers.event_log import EventLog
        from imgcls.training.loggers.tensorboard import TensorBoard

        everyone: list[Sink] = [stack.enter_context(EventLog(run.logs)), *sinks]
        last: events.Event = events.Failed(message=Message("The run ended without a word."))
        try:
            from imgcls.training.trainer import train

            settings = run.settings()
            everyone.append(stack.enter_context(TensorBoard(run.logs, settings)))
            for last in train(settings, workspace=run.workspace, run=run.name, should_stop=should_stop, resume=resume):
                _tell(everyone, last)
        except ImgclsError as error:
            last = events.Failed(message=error.message, error=type(error).__name__)
            _tell(everyone, last)
        except MemoryError:
            last = events.Failed(message=_no_memory(), error="MemoryError")
            _tell(everyone, last)
        except Exception as error:
            traceback.print_exc()
            last = events.Failed(message=unexpected(error))
            _tell(everyone, last)
        return last


def follow_rank(run: Run, *, resume: bool = False) -> None:
    """The same training without a voice: every process of a data-parallel run but the first."""
    from imgcls.training.trainer import train

    with _stopper(run) as should_stop:
        for _ in train(run.settings(), workspace=run.workspace, run=run.name, should_stop=should_stop, resume=resume):
            pass


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


def _tell(sinks: Sequence[Sink], event: events.Event) -> None:
    for sink in sinks:
        sink(event)


@contextlib.contextmanager
def _stopper(run: Run) -> Iterator[Callable[[], bool]]:
    """True once somebody asked: Ctrl-C, SIGTERM, a closed terminal, or the run's stop file.

    A second Ctrl-C does not wait for the step.
    """
    asked = threading.Event()
    looked = 0.0

    def on_signal(number: int, _frame: object) -> None:
        if asked.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.set()

    def should_stop() -> bool:
        nonlocal looked
        now = time.monotonic()
        if not asked.is_set() and now - looked > POLL:
            looked = now
            if run.stop_asked():
                asked.set()
        return asked.is_set()

    names = [n for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {getattr(signal, n): signal.signal(getattr(signal, n), on_signal) for n in names}
    try:
        yield should_stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
