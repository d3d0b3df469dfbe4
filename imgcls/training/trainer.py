"""The training loop: a generator of typed events. Others decide what to show, log or keep of them.

What is announced as saved is on the disk before the event is yielded. Stop and time limit are asked after every step;
a stopped run goes on from exactly there, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

from torch import Tensor

from imgcls.data import balance
from imgcls.data.datasets import DataSet
from imgcls.data.manifest import Manifest, digest_in, manifest_file
from imgcls.errors import DivergedError, RunError, StorageError
from imgcls.messages import Message, Setting
from imgcls.settings import TrainSettings
from imgcls.training import events, head_first, milestones, out_of_memory
from imgcls.training.checkpointing import CheckpointManager, Metrics
from imgcls.training.device import choose_device
from imgcls.training.divergence import NotFiniteLossError, broken_weights, diverged, wild_loss
from imgcls.training.events import Event
from imgcls.training.learner import make_learner
from imgcls.training.loading import load_with_progress
from imgcls.training.meters import Stopwatch
from imgcls.training.optim import lr_factor, set_lr
from imgcls.training.resume_state import load_resume_state
from imgcls.training.runtime import choose_runtime
from imgcls.training.threads import choose_threads
from imgcls.training.train_state import TrainState
from imgcls.workspace import Workspace

FIRST_STEPS = 3  # told one by one: a network that diverges at once has a curve, too
CLOCK_EVERY = 10  # steps between two looks at the clock where several processes have to agree on what they see


def train(
    settings: TrainSettings,
    *,
    workspace: Workspace,
    run: str,
    should_stop: Callable[[], bool] = lambda: False,
    resume: bool = False,
) -> Iterator[Event]:
    """Train as `settings` say; checkpoints go to `workspace.checkpoints/run`.

    `should_stop` is asked after every step. `resume` takes up a stopped run. Raises ImgclsError before the first event
    where data, weights or device are not to be had, and DivergedError when the loss is no longer a number.
    """
    began = Manifest.read(manifest_file(run, workspace)) if resume else None
    data = yield from load_with_progress(settings, workspace, should_stop, resume=resume, began=began)
    if data is None:
        yield events.Stopped(step=0, epoch=0.0, seconds=0.0, checkpoint=None)
        return
    parts = 1
    while True:
        trainer = _Trainer(settings, data, workspace, run, should_stop, resume, parts)
        try:
            yield from trainer.train()
            return
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory.is_out_of_memory(error) or not trainer.can_halve:
                raise
            parts = 2 * trainer.state.parts
        finally:
            trainer.manager.remove_features()
        if parts * trainer.learner.step.fewest > settings.batch_size:
            raise out_of_memory.advice(settings, parts // 2)
        resume = resume or trainer.manager.path("resume").is_file()
        device = trainer.context.device
        del trainer  # and with it what it held in memory
        out_of_memory.free(device)


class _Trainer:
    """`ending`: why the run is to end, None while it goes on: "stopped", "time_limit" or "patience"."""

    def __init__(
        self,
        settings: TrainSettings,
        data: DataSet,
        workspace: Workspace,
        run: str,
        should_stop: Callable[[], bool],
        resume: bool,
        parts: int,
    ) -> None:
        self.settings, self.run, self.should_stop, self.workspace = settings, run, should_stop, workspace
        self.context = choose_device(settings)
        self.learner = make_learner(settings, data, workspace, self.context, resume=resume)
        self.steps = self.learner.batches.steps
        self.total = self.steps * settings.epochs
        folder = workspace.checkpoints / run
        self.manifest = data.manifest
        self.manifest_file = manifest_file(run, workspace)
        self.state = TrainState(
            device=self.context.name, fingerprint=data.fingerprint, manifest=data.manifest.digest, images=data.sizes,
            epochs=settings.epochs, parts=settings.accumulate,
        )  # fmt: skip
        self.words: list[Event] = []  # what there is to say before the first step
        for message in balance.notes(settings.balance, data.train.labels, data.classes):
            self.words.append(events.Note(code="balance", message=message))
        if resume:
            saved = folder / "resume.safetensors"
            ended = not saved.is_file()
            self._take_up(folder / "ended.state" if ended else saved)
            if ended:  # somebody wants more of it: what ended it before does not end it at once again
                self.state.bad_epochs, self.state.limit_from = 0, self.state.seconds
        self._halve(parts)
        self.manager = CheckpointManager(folder, self.learner, run, self.state)
        self.began_here = self.state.step == 0
        self.clock, self.pace = Stopwatch(self.state.seconds), Stopwatch()
        self.ending: str | None = None
        self.broken: set[str] = set()  # photos that were said to be
        self.told_wild = False
        self.lr = 0.0

    def _take_up(self, path: Path) -> None:
        now = self.state
        self.state = load_resume_state(path, model=self.learner.model, step=self.learner.step, rank=self.context.rank)
        before = self.state
        if before.manifest and before.manifest != now.manifest:
            raise RunError(
                "The images of {dataset} are not those that {run} began with: {changes}. Put back what has changed, or "
                "start a new run.",
                dataset=self.settings.dataset,
                run=self.run,
                changes=self._changes(before.manifest),
            )
        if not before.manifest and before.fingerprint and before.fingerprint != now.fingerprint:
            raise RunError(
                "The images of {dataset} are not those that {run} began with ({before:,} then, {now:,} now): going on "
                "could validate it on images that it has learnt from. Start a new run.",
                dataset=self.settings.dataset,
                run=self.run,
                before=sum(before.images.values()),
                now=sum(now.images.values()),
            )
        if before.device and before.device != now.device:
            before.mark_nonreproducible(before.step)
        self.state.device, self.state.images = now.device, now.images
        self.state.fingerprint, self.state.manifest = now.fingerprint, now.manifest
        if before.epochs != now.epochs:
            self._lengthen(before.epochs, now.epochs)

    def _lengthen(self, before: int, now: int) -> None:
        """It has been told another number of epochs: the schedule is from here on what it would have been."""
        self.state.epochs, self.state.bad_epochs = now, 0
        if not before:  # an earlier version's
            return
        self.state.mark_nonreproducible(self.state.step)
        was, will = (
            self.settings.lr
            * lr_factor(
                min(self.state.step, self.steps * epochs - 1),
                total=self.steps * epochs,
                per_epoch=self.steps,
                settings=self.settings.model_copy(update={"epochs": epochs}),
            )
            for epochs in (before, now)
        )
        message = Message(
            "{before} epochs become {now}: from step {step} on the learning rate is that of {schedule} over {now} "
            "epochs, {was:.3g} before and {will:.3g} now",
            before=before, now=now, step=self.state.step, was=was, will=will,
            schedule=Setting("schedule", self.settings.schedule),
        )  # fmt: skip
        self.words.append(events.Note(code="longer", message=message))

    def _halve(self, parts: int) -> None:
        """Memory was short: a batch goes through the network in `parts`, in as many as before at least."""
        step, state = self.learner.step, self.state
        if parts > state.parts:
            state.parts = parts
            state.mark_nonreproducible(state.step)
            self.words.append(out_of_memory.note(self.settings, parts, state.step))
        step.parts = state.parts

    @property
    def can_halve(self) -> bool:
        """Several processes would have to agree, and a head's batches are small beside the pass that makes them."""
        return self.context.world == 1 and self.settings.transfer != "head"

    def _changes(self, digest: str) -> Message:
        """What became of the images that the run began with."""
        before = Manifest.read(self.manifest_file)
        changes = before.changes_to(self.manifest) if before and before.digest == digest else None
        return changes.message if changes else Message("others, or in another order")

    def _write_manifest(self) -> Iterator[Event]:
        """Which images these are. Where it cannot be written the run goes on, and says so."""
        if self.context.rank or digest_in(self.manifest_file) == self.manifest.digest:
            return
        try:
            self.manifest.write(self.manifest_file)
        except StorageError as error:
            message = Message("the list of the run's images could not be kept: {reason}", reason=error.message)
            yield events.Note(code="manifest_failed", message=message)

    def train(self) -> Iterator[Event]:
        try:
            yield from self._train()
        except DivergedError:
            yield from self.manager.best()  # what was good is on the disk, however short the epochs are
            raise

    def _train(self) -> Iterator[Event]:
        lost = list(self._write_manifest())
        yield milestones.started(self.learner, self.run, self.state, self.total)
        yield from (*lost, *self.words)
        yield from choose_threads(self.learner, self.state)
        if self.settings.transfer == "head":
            yield from choose_runtime(self.learner, self.state, self.workspace)
            yield from self._cache_features()
        elif head_first.comes_first(self.settings) and not self.state.step and head_first.can_learn(self.learner):
            stopped = yield from head_first.learn_head(self.learner, self.should_stop)
            self.ending = "stopped" if stopped else None
        if self.state.step == 0:
            self.manager.keep_epoch(0)
        for epoch in range(self.state.step // self.steps, self.settings.epochs):
            if self.ending:
                break
            yield from self._train_epoch(epoch)
            if self.ending == "stopped" and self.state.step % self.steps:
                break
            yield from self._end_epoch(epoch)
        self.state.seconds = self.clock.seconds
        if self.ending == "stopped" and self.state.step < self.total:
            self._check_weights()
            yield from milestones.stopped(self.manager, self.state, self.steps)
        else:
            yield from milestones.finished(self.learner, self.manager, self.state, self.steps, self._reason, self.clock)

    @property
    def _reason(self) -> str:
        """Asked to stop in its last step, a run is done all the same."""
        return "done" if self.ending in (None, "stopped") else self.ending

    def _train_epoch(self, epoch: int) -> Iterator[Event]:
        state = self.state
        self.learner.begin_epoch(epoch)
        self._pause()
        for inputs, labels in self.learner.batches.epoch(epoch, state.step % self.steps):
            self._step(inputs, labels)
            state.step += 1
            state.seconds = self.clock.seconds
            end, tell, save = self._due()
            tell = tell or (state.step <= FIRST_STEPS and self.context.world == 1)
            over = state.step % self.steps == 0  # every epoch ends with a point of the curve, however short it is
            if end or tell or save or over:
                yield self._progress()
            if end:
                return
            if save and not over:
                self._check_weights()
                yield from self.manager.resume()
                self._pause()

    def _step(self, inputs: Tensor, labels: Tensor) -> None:
        learner, step = self.learner, self.state.step
        factor = lr_factor(step, total=self.total, per_epoch=self.steps, settings=self.settings)
        self.lr = set_lr(learner.optimizer, factor)
        try:
            learner.step(inputs, labels, weight=learner.batches.weight(len(labels), step % self.steps))
        except NotFiniteLossError as error:
            raise self._diverged(error.loss, error.inputs) from None

    def _diverged(self, loss: float, inputs: Tensor | None = None) -> DivergedError:
        step = self.learner.step
        return diverged(
            self.learner.model if inputs is None else step.module,
            inputs,
            loss,
            step=self.state.step + (inputs is not None),
            settings=self.settings,
            first_loss=step.first_loss if self.began_here else None,
            classes=len(self.learner.data.classes),
        )

    def _wild(self, ended: events.EpochEnded) -> Iterator[Event]:
        """Said once: a run may go on for a hundred such epochs."""
        message = wild_loss(
            ended.train_loss,
            ended.epoch,
            step=self.state.step,
            settings=self.settings,
            first_loss=self.learner.step.first_loss if self.began_here else None,
            classes=len(self.learner.data.classes),
        )
        if message and not self.told_wild:
            self.told_wild = True
            yield events.Note(code="wild_loss", message=message)

    def _check_weights(self) -> None:
        """Weights that are no numbers are never saved over good ones. Raises DivergedError."""
        if broken_weights(self.learner.model):
            raise self._diverged(math.nan)

    def _due(self) -> tuple[bool, bool, bool]:
        """Whether to end, to tell, to save. What follows needs all processes: they decide together."""
        if self.context.world > 1 and self.state.step % CLOCK_EVERY:
            return False, False, False
        limit = self.settings.time_limit * 60
        late = bool(limit) and self.clock.seconds - self.state.limit_from > limit
        tell, save = self.pace.since_lap >= self._interval(), self.manager.overdue()
        stop, late, tell, save = self.context.any_rank(self.should_stop(), late, tell, save)
        if stop:
            self.ending = "stopped"
        elif late:
            self.ending = self.ending or "time_limit"
        return self.ending is not None, tell, save

    def _interval(self) -> float:
        """Seconds: a few times a second at first, ever more seldom: some hundreds of lines however long the run."""
        return max(0.2, self.clock.seconds / 300)

    def _pause(self) -> None:
        """What just passed was no step: it does not count as slowness."""
        self.pace.skip()

    def _progress(self) -> Event:
        """The figures since the last one, added to the epoch's. DivergedError when the loss is no longer a number."""
        state = self.state
        loss, correct, images = self.learner.step.seen.take(self.context)
        seconds = max(self.pace.lap(), 1e-9)  # now that a GPU has done what it was asked to
        state.seconds = self.clock.seconds
        state.add(loss, correct, images, seconds)
        if not math.isfinite(loss):
            raise self._diverged(loss)
        left = (self.total - state.step) * self.learner.batches.batch_size / (images / seconds)
        if self.settings.time_limit:
            left = min(left, max(0.0, self.settings.time_limit * 60 - (state.seconds - state.limit_from)))
        return events.Progress(
            step=state.step,
            epoch=state.step / self.steps,
            loss=loss / images,
            accuracy=correct / images,
            lr=self.lr,
            images_per_second=images / seconds,
            seconds_left=left,
            seconds=state.seconds,
        )

    def _end_epoch(self, epoch: int) -> Iterator[Event]:
        self._check_weights()
        ended = milestones.epoch_ended(self.learner, self.state, epoch, self.lr)
        yield ended
        yield from self._wild(ended)
        yield from milestones.unreadable(self.learner, self.broken)
        metrics: Metrics = {
            "val_accuracy": ended.val_accuracy, "val_loss": ended.val_loss, "train_loss": ended.train_loss
        }  # fmt: skip
        if ended.best:
            self.manager.keep_best(epoch + 1, metrics)
        self.manager.keep_epoch(epoch + 1)
        if self.settings.patience and self.state.bad_epochs >= self.settings.patience:
            self.ending = self.ending or "patience"
        over = self.ending is not None or epoch + 1 == self.settings.epochs
        self.state.seconds = self.clock.seconds
        yield from self.manager.epoch_end(epoch + 1, metrics, over=over)

    def _cache_features(self) -> Iterator[Event]:
        watch, told = Stopwatch(), False
        for done, total in self.learner.cache_features(file=self.manager.features):
            if self._due()[0]:
                break
            if not told or watch.since_lap > self._interval():
                told = True
                watch.lap()
                yield events.features_note(done, total, watch.seconds)
        if self.ending == "time_limit" and self.state.best is None:
            raise RunError(
                "The time was over before the first step: raise {time_limit} ({minutes:g} minutes), or choose fewer "
                "{augment_views}.",
                minutes=self.settings.time_limit,
                time_limit=Setting("time_limit"),
                augment_views=Setting("augment_views"),
            )
        if not self.ending:
            message = Message("features kept after {seconds:.1f} s", seconds=watch.seconds)
            yield events.Note(code="cached_features", message=message)
