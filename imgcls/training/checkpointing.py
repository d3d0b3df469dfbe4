"""What a run leaves on the disk while it learns: the best weights, the last ones, and the state to go on from.

What an event says is saved is on the disk, whole, when the event is yielded. Saving takes a tenth of the time at most:
where epochs are shorter than that allows, some are left out, and the best weights wait in memory. Only the first of
several processes writes. On a full disk the run goes on: what was last saved stays, that is said once, and saving is
tried again when it is next due. It fails only where it ends and what it has learnt is not on the disk.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from torch import Tensor

from imgcls.checkpoints.epochs import keep_epoch, small_enough
from imgcls.checkpoints.format import Meta, save_checkpoint, versions
from imgcls.errors import StorageError
from imgcls.messages import Message
from imgcls.models.registry import network_options
from imgcls.training import events
from imgcls.training.learner import Learner
from imgcls.training.resume_state import gather_random_states, save_resume_state
from imgcls.training.train_state import TrainState

SHARE = 0.1  # of the time that saving may take
RESUME_EVERY = 60.0  # seconds between saves of the resume state within an epoch
MOST_TO_KEEP = 50_000_000  # bytes of a network whose state is kept when a run has finished
Metrics = dict[str, float | None]


class CheckpointManager:
    """`state` is the trainer's own and moves on."""

    def __init__(self, folder: Path, learner: Learner, run: str, state: TrainState) -> None:
        self.folder, self.learner, self.run, self.state = folder, learner, run, state
        self.writes = learner.context.rank == 0
        self.last_time, self.took = time.perf_counter(), 0.0
        self._best: tuple[dict[str, Tensor], Meta] | None = None
        self._paused: StorageError | None = None  # why the last try to save did not succeed

    @property
    def features(self) -> Path:
        """Where the frozen backbone's features go when they are too many for memory."""
        return self.folder / "features.f32"

    def path(self, kind: str) -> Path:
        return self.folder / f"{kind}.safetensors"

    def overdue(self) -> bool:
        """Whether an epoch has gone on so long that its middle should be saved."""
        return time.perf_counter() - self.last_time > RESUME_EVERY

    def keep_best(self, epoch: int, metrics: Metrics) -> None:
        """These weights are the best so far; they are written with the next saving."""
        state = {name: tensor.detach().clone() for name, tensor in self.learner.shown.state_dict().items()}
        self._best = (state, self._meta("best", epoch, metrics))

    def keep_epoch(self, epoch: int) -> None:
        """A small network's weights as they are now, to be looked back at; a full disk only leaves a gap."""
        state = self.learner.shown.state_dict()
        if self.writes and self.learner.settings.keep_epochs and small_enough(state):
            with contextlib.suppress(StorageError):
                keep_epoch(self.folder, epoch, state)

    def epoch_end(self, epoch: int, metrics: Metrics, *, over: bool) -> Iterator[events.Event]:
        """All three, when it is their time or the run is `over` (which then needs no resume state)."""
        began = time.perf_counter()
        due = over or (began - self.last_time) * SHARE >= self.took
        if not self.learner.context.any_rank(due)[0]:
            return
        yield from self.best()
        yield from self.last(epoch, metrics)
        if over:
            self._keep_end()
        else:
            yield from self.resume()
        self.took = time.perf_counter() - began

    def _keep_end(self) -> None:
        """A small network's state as the run ends, to be trained longer from; a large one's would stay for good, and
        its weights can be started from."""
        random_states = gather_random_states(self.learner.context)
        held = sum(tensor.nbytes for tensor in self.learner.model.state_dict().values())
        if self.writes and held <= MOST_TO_KEEP:
            with contextlib.suppress(StorageError):
                save_resume_state(
                    self.folder / "ended.state",  # no checkpoint: nobody takes it for a network
                    model=self.learner.model,
                    step=self.learner.step,
                    random_states=random_states,
                    state=self.state,
                )

    def best(self) -> Iterator[events.Event]:
        if self._best:
            yield from self._save(*self._best)
            if not self._paused:
                self._best = None

    def last(self, epoch: float, metrics: Metrics) -> Iterator[events.Event]:
        yield from self._save(self.learner.shown.state_dict(), self._meta("last", epoch, metrics))

    def resume(self) -> Iterator[events.Event]:
        """The state to go on from. All processes have to call it together."""
        yield from self.best()  # what the resume state calls the best is then on the disk
        path, step = self.path("resume"), self.state.step
        random_states = gather_random_states(self.learner.context)
        yield from self._try(
            lambda: save_resume_state(
                path,
                model=self.learner.model,
                step=self.learner.step,
                random_states=random_states,
                state=self.state,
            ),
            events.Saved(kind="resume", path=str(path), epoch=step // self.learner.batches.steps, step=step),
        )
        self.last_time = time.perf_counter()

    def check_saved(self) -> None:
        """Raises StorageError where the last try to save did not succeed: there will be no other one."""
        if self._paused:
            raise self._paused

    def finish(
        self, best: dict[str, Tensor], meta: Meta, metrics: Metrics, extra: dict[str, Tensor]
    ) -> Iterator[events.Event]:
        """The best weights once more, with the test figures and the calibration; nothing that only going on needs
        stays."""
        if not self.writes:
            return
        if extra or metrics != meta.metrics:
            try:
                save_checkpoint(self.path("best"), best, meta.model_copy(update={"metrics": metrics}), extra)
            except StorageError as error:  # the weights are there; their test figures are in the log
                yield events.Note(
                    code="calibration_lost",
                    message=Message(
                        "the best weights are saved, but without their calibration: {reason} Their answers are never "
                        '"not sure" until `python -m imgcls calibrate {run}` has made it.',
                        reason=error.message,
                        run=self.run,
                    ),
                )
        self.path("resume").unlink(missing_ok=True)

    def remove_features(self) -> None:
        """However the run ends: going on makes them anew."""
        if self.writes:
            with contextlib.suppress(OSError):  # Windows keeps a file that is still mapped
                self.features.unlink(missing_ok=True)

    def _save(self, state: dict[str, Tensor], meta: Meta) -> Iterator[events.Event]:
        path = self.path(meta.kind)
        yield from self._try(
            lambda: save_checkpoint(path, state, meta),
            events.Saved(kind=meta.kind, path=str(path), epoch=int(meta.epoch), step=meta.step),
        )

    def _try(self, write: Callable[[], None], saved: events.Saved) -> Iterator[events.Event]:
        """`saved` when it is; otherwise a note, the first time."""
        before = self._paused
        try:
            if self.writes:
                write()
            self._paused = None
        except StorageError as error:
            self._paused = error
            if not before:
                yield events.Note(
                    code="saving_paused",
                    message=Message(
                        "saving is not possible: {reason} The run goes on, what was last saved is safe, and saving is "
                        "tried again.",
                        reason=error.message,
                    ),
                )
            return
        if before:
            yield events.Note(code="saving_again", message=Message("saving is possible again"))
        yield saved

    @property
    def _runtime(self) -> dict[str, str]:
        """The program that made a head's features, where that is not PyTorch: {"ONNX Runtime": "1.32.0"}."""
        program, _, version = self.state.runtime.rpartition(" ")
        return {program: version} if program else {}

    def _meta(self, kind: str, epoch: float, metrics: Metrics) -> Meta:
        data, settings = self.learner.data, self.learner.settings
        return Meta(
            model=settings.model,
            options=network_options(settings),
            classes=data.classes,
            preprocess=data.preprocess,
            run=self.run,
            kind=kind,
            epoch=epoch,
            step=self.state.step,
            metrics=metrics,
            settings=settings.model_dump(),
            data=data.sizes,
            fingerprint=self.state.fingerprint,
            manifest=self.state.manifest,
            versions=versions() | self._runtime,
        )
