"""What a run says while it runs: small frozen types, one JSON object a line in `events.jsonl`.

Every event carries the time it was made (seconds since 1970). Fields marked `MEMORY` hold tensors or modules for
consumers in the same process (TensorBoard) and never reach the file.
"""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass, field
from typing import Any

from imgcls.messages import Message, readable

MEMORY = {"memory": True}


@dataclass(frozen=True, kw_only=True)
class Event:
    time: float = field(default_factory=time.time)


@dataclass(frozen=True, kw_only=True)
class Started(Event):
    """The data are loaded and the network is built; the first step comes next."""

    run: str
    classes: tuple[str, ...]
    images: dict[str, int]  # how many of each part: {"train": 55000, "val": 5000, "test": 10000}
    parameters: int
    trainable: int
    device: str
    precision: str
    total_steps: int
    steps_per_epoch: int
    first_step: int = 0  # > 0 when the run goes on from an earlier stop
    notes: tuple[Message, ...] = ()  # e.g. broken images that were left out
    lacking: dict[str, tuple[str, ...]] = field(default_factory=dict)  # classes that a split has no image of
    model: Any = field(default=None, metadata=MEMORY, repr=False)
    sample: Any = field(default=None, metadata=MEMORY, repr=False)  # uint8 (N, C, H, W): as the network gets them
    example: Any = field(default=None, metadata=MEMORY, repr=False)  # float (1, C, H, W) for the graph


@dataclass(frozen=True, kw_only=True)
class ThreadsChosen(Event):
    """`rates`: images/s measured with each number of threads, empty where nothing was; `threads`: the one taken.

    `exact_until`: the step from which on the run can no longer be repeated bit for bit, None when all of it can.
    """

    threads: int
    rates: dict[str, float]
    step: int
    exact_until: int | None = None


@dataclass(frozen=True, kw_only=True)
class Progress(Event):
    """A few times a second at first, ever more seldom in a long run. Loss and accuracy are means since the last one.

    `loss`: plain cross entropy, as in validation; `seconds`: trained so far, over all sittings.
    """

    step: int
    epoch: float
    loss: float
    accuracy: float
    lr: float
    images_per_second: float
    seconds_left: float
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class EpochEnded(Event):
    epoch: int  # 1-based
    step: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    lr: float
    images_per_second: float
    seconds: float
    best: bool
    memory_mb: float = 0.0  # of the GPU the most so far, of a processor what the process holds; 0: not written down


@dataclass(frozen=True, kw_only=True)
class Saved(Event):
    """The file is on disk, whole, when this is said. `kind`: "best", "last" or "resume"."""

    kind: str
    path: str
    epoch: int
    step: int


@dataclass(frozen=True, kw_only=True)
class Note(Event):
    """Something worth a line in the log. `code` is for programs, `message` for people.

    Of work that takes a while before the steps begin, there is one now and then: `done` of `total` (0 where nobody
    knows), images or bytes; `seconds_left` where it can be told.
    """

    code: str
    message: Message | None = None
    done: int | None = None
    total: int = 0
    seconds_left: float | None = None

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        return min(1.0, (self.done or 0) / self.total) if self.total else 0.0

    @property
    def goes_on(self) -> bool:
        return self.done is not None and not 0 < self.total <= self.done


def note_of_work(code: str, message: Message, done: int, total: int, seconds: float) -> Note:
    """How far some work is after `seconds`."""
    left = seconds * (total - done) / done if 0 < done <= total else None
    return Note(code=code, message=message, done=done, total=total, seconds_left=left)


def features_note(done: int, total: int, seconds: float) -> Note:
    """How far the frozen backbone's one pass is."""
    message = Message("features of the frozen layers: {done:,} of {images:,} images", done=done, images=total)
    return note_of_work("caching_features", message, done, total, seconds)


@dataclass(frozen=True, kw_only=True)
class Finished(Event):
    """`reason`: "done", "patience" or "time_limit". Test figures are None where there is no test set."""

    reason: str
    epochs: int
    best_epoch: int
    best_val_accuracy: float
    best_val_loss: float
    test_accuracy: float | None
    test_loss: float | None
    seconds: float
    checkpoint: str
    lacking: tuple[str, ...] = ()  # classes without a validation image: the accuracy says nothing of them


@dataclass(frozen=True, kw_only=True)
class Stopped(Event):
    """Somebody asked for it; everything is saved and the run can go on from here."""

    step: int
    epoch: float
    seconds: float
    checkpoint: str | None  # the best one so far, None before the first epoch's end


@dataclass(frozen=True, kw_only=True)
class Failed(Event):
    """`message` is the sentence to show; `error` its kind in `errors.py`, or "" when it is our fault."""

    message: Message
    error: str = ""

    @property
    def unexpected(self) -> bool:
        return not self.error


EVENT_TYPES: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (Started, ThreadsChosen, Progress, EpochEnded, Saved, Note, Finished, Stopped, Failed)
}
ENDINGS = (Finished, Stopped, Failed)


def to_line(event: Event) -> str:
    """One line of JSON, without fields that live in memory only. NaN is written as null."""
    values = {f.name: getattr(event, f.name) for f in dataclasses.fields(event) if not f.metadata.get("memory")}
    finite = {k: None if isinstance(v, float) and v - v != 0 else v for k, v in values.items()}
    line = json.dumps({"event": type(event).__name__, **finite}, ensure_ascii=False, default=Message.as_dict)
    return readable(line)


def from_line(line: str) -> Event | None:
    """The event, or None for a half-written line or a kind or field that a newer version wrote."""
    try:
        values: dict[str, Any] = json.loads(line)
        kind = EVENT_TYPES[values.pop("event")]
        names = {f.name for f in dataclasses.fields(kind)}
        values = {k: v for k, v in values.items() if k in names}
        for name in ("classes", "notes"):
            if name in values:
                values[name] = tuple(values[name])
        if values.get("message") is not None:
            values["message"] = Message.from_dict(values["message"])
        if "notes" in values:
            values["notes"] = tuple(map(Message.from_dict, values["notes"]))
        if kind in (Progress, EpochEnded):
            values = {k: float("nan") if v is None else v for k, v in values.items()}
        return kind(**values)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
