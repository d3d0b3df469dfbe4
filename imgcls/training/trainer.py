"""The training loop: a generator of typed events. Others decide what to show, log or keep of them.

What is announced as saved is on the disk before the event is yielded. Stop and time limit are asked after every step;
a stopped run can go on from exactly there. Knows no screen, no log, no terminal and no process.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from imgcls.checkpoints.format import load_checkpoint
from imgcls.data.datasets import DataSet
from imgcls.errors import DivergedError
from imgcls.messages import Message, Setting
from imgcls.models import transfer
from imgcls.processes import available_cores
from imgcls.settings import TrainSettings
from imgcls.training import events
from imgcls.training.checkpointing import CheckpointManager
from imgcls.training.device import DeviceContext, choose_device
from imgcls.training.events import Event
from imgcls.training.learner import make_learner
from imgcls.training.loading import load_with_progress
from imgcls.training.optim import lr_factor, set_lr
from imgcls.training.resume_state import load_resume_state
from imgcls.training.threads import ThreadTuner
from imgcls.workspace import Workspace

TOGETHER = 10  # steps between two looks at the clock where several processes have to agree on what they see


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
    where data, weights or device are not to be had, and RunError when the loss is no longer a number.
    """
    data = yield from load_with_progress(settings, workspace, should_stop)
    if data is None:
        yield events.Stopped(step=0, epoch=0.0, seconds=0.0, checkpoint=None)
        return
    yield from _Training(settings, data, workspace, run, should_stop, resume).events()


@dataclass
class RunningMean:
    """Sums on the device since the last look; reading them is the only CPU-GPU sync point of a step."""

    loss: Tensor
    right: Tensor
    images: int = 0

    @classmethod
    def on(cls, device: torch.device) -> RunningMean:
        return cls(torch.zeros((), device=device), torch.zeros((), device=device))

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        self.loss += loss.detach() * len(labels)
        self.right += (logits.detach().argmax(dim=1) == labels).sum()
        self.images += len(labels)

    def sums(self, context: DeviceContext) -> list[float]:
        """[loss, right, images] summed over all processes."""
        return context.all_reduce_sum(
            torch.stack([self.loss, self.right, torch.full_like(self.loss, self.images)])
        ).tolist()


class _Training:
    def __init__(
        self,
        settings: TrainSettings,
        data: DataSet,
        workspace: Workspace,
        run: str,
        should_stop: Callable[[], bool],
        resume: bool,
    ) -> None:
        self.settings, self.run, self.should_stop = settings, run, should_stop
        self.folder = workspace.checkpoints / run
        self.context = choose_device(settings)
        self.data = data
        self.learner = make_learner(settings, self.data, workspace, self.context)
        self.steps = self.learner.batches.steps
        self.total = self.steps * settings.epochs
        # Everything a resume restores, beside weights, optimizer and random states:
        self.at: dict[str, Any] = {
            "step": 0,
            "seconds": 0.0,
            "best_epoch": 0,
            "best": None,
            "bad_epochs": 0,
            "epoch_sums": [0.0, 0.0, 0],  # loss, right, images of the epoch so far
        }
        if resume:
            self.at = load_resume_state(
                self.folder / "resume.safetensors", model=self.learner.model, optimizer=self.learner.optimizer
            )
        self.first_step = self.at["step"]
        self.clock = time.perf_counter() - self.at["seconds"]
        self.ending: str | None = None
        self.told = time.perf_counter()
        self.saver = CheckpointManager(self.folder, self.learner, run, self.at)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.clock

    def events(self) -> Iterator[Event]:
        settings = self.settings
        cpu = self.context.device.type == "cpu"
        cores = max(1, available_cores() // self.context.world)
        alone = self.context.world == 1
        self.tuner = ThreadTuner(fixed=settings.threads or (0 if cpu and alone else cores if cpu else 1))
        yield self._started()
        if settings.transfer == "head":
            yield from self._cache_features()
        for epoch in range(self.at["step"] // self.steps, settings.epochs):
            if self.ending:
                break
            yield from self._epoch(epoch)
        stopped = self.ending == "stopped" and self.at["step"] < self.total
        yield from self._stopped() if stopped else self._finished()

    def _started(self) -> Event:
        data, model = self.data, self.learner.model
        trainable, parameters = transfer.count_parameters(model)
        sample = self.learner.batches.sample() if self.saver.writes else None
        return events.Started(
            run=self.run,
            classes=data.classes,
            images=data.sizes,
            parameters=parameters,
            trainable=trainable,
            device=self.context.name,
            precision=self.context.precision,
            total_steps=self.total,
            steps_per_epoch=self.steps,
            first_step=self.first_step,
            notes=data.notes,
            model=model,
            sample=sample,
            example=next(self.learner.images("val", batch_size=1))[0],
        )

    def _cache_features(self) -> Iterator[Event]:
        started = told = time.perf_counter()
        for done, total in self.learner.cache_features(file=self.folder / "features.f32"):
            if self._due()[0]:
                return
            now = time.perf_counter()
            if now - told > self._interval() * 5 or told == started:
                told = now
                yield events.Note(
                    code="caching_features",
                    message=Message(
                        "features of the frozen layers: {done:,} of {images:,} images", done=done, images=total
                    ),
                )
        yield events.Note(
            code="cached_features",
            message=Message("features kept after {seconds:.1f} s", seconds=time.perf_counter() - started),
        )

    def _epoch(self, epoch: int) -> Iterator[Event]:
        began, first = time.perf_counter(), self.at["step"] % self.steps
        images = -self.at["epoch_sums"][2]  # seen before this sitting
        self.learner.begin_epoch(epoch)
        self.tuner.skip()
        recent, looked, lr = RunningMean.on(self.context.device), began, 0.0
        for inputs, labels in self.learner.batches.epoch(epoch, first):
            lr, loss, logits = self._step(inputs, labels)
            recent.add(loss, logits, labels)
            self.at["step"] += 1
            rates = self.tuner.step(len(labels))
            if rates:
                named = {str(n): round(rate, 1) for n, rate in sorted(rates.items())}
                yield events.ThreadsChosen(threads=self.tuner.threads, rates=named, step=self.at["step"])
            asked, tell, save = self._due()
            now = time.perf_counter()
            if asked or tell:
                yield self._progress(recent, lr, now - looked)
                recent, looked = RunningMean.on(self.context.device), now
                self.told = now
            if asked:
                if self.ending == "stopped" and self.at["step"] % self.steps:
                    return
                break
            if save:
                self._read(recent)
                recent = RunningMean.on(self.context.device)
                yield from self.saver.resume(self.seconds)
                self.tuner.skip()
        if recent.images:  # every epoch ends with a point of the curve, however short it is
            self.told = time.perf_counter()
            yield self._progress(recent, lr, self.told - looked)
        seconds = time.perf_counter() - began
        yield from self._epoch_end(epoch, lr, seconds, images + self.at["epoch_sums"][2])

    def _step(self, inputs: Tensor, labels: Tensor) -> tuple[float, Tensor, Tensor]:
        chosen = self.learner
        factor = lr_factor(self.at["step"], total=self.total, per_epoch=self.steps, settings=self.settings)
        lr = set_lr(chosen.optimizer, factor)
        with self.context.autocast():
            logits = chosen.train_module(inputs)
            loss = F.cross_entropy(logits.float(), labels, label_smoothing=self.settings.label_smoothing)
        chosen.optimizer.zero_grad(set_to_none=True)
        # Shares of a last batch may differ by an image; gradients are averaged over processes as if they did not.
        (loss * chosen.batches.weight(len(labels), self.at["step"] % self.steps)).backward()
        chosen.optimizer.step()
        return lr, loss, logits

    def _due(self) -> tuple[bool, bool, bool]:
        """Whether to end, to tell, to save. What follows needs all processes: they decide together."""
        if self.context.world > 1 and self.at["step"] % TOGETHER:
            return False, False, False
        now = time.perf_counter()
        late = bool(self.settings.time_limit) and self.seconds > self.settings.time_limit * 60
        # An epoch may be shorter than the interval: `told` outlives it.
        tell, save = now - self.told >= self._interval(), self.saver.overdue()
        stop, late, tell, save = self.context.any_rank(self.should_stop(), late, tell, save)
        if stop:
            self.ending = "stopped"
        elif late:
            self.ending = self.ending or "time_limit"
        return self.ending is not None, tell, save

    def _interval(self) -> float:
        """A few times a second at first, ever more seldom: some hundreds of lines however long the run."""
        return max(0.2, (time.perf_counter() - self.clock) / 300)

    def _read(self, tally: RunningMean) -> list[float]:
        """The tally's [loss, right, images], added to the epoch's. RunError when the loss is no longer a number."""
        sums = tally.sums(self.context)
        if not math.isfinite(sums[0]):
            raise DivergedError(
                "Training diverged: the loss is NaN at step {step}. The learning rate {lr:g} is too high for this "
                "network and initialisation ({init}): choose a smaller one.",
                step=self.at["step"],
                lr=self.settings.lr,
                init=Setting("init", self.settings.init),
            )
        self.at["epoch_sums"] = [a + b for a, b in zip(self.at["epoch_sums"], sums, strict=True)]
        return sums

    def _progress(self, recent: RunningMean, lr: float, seconds: float) -> Event:
        loss, right, images = self._read(recent)
        rate = images / max(seconds, 1e-9)
        return events.Progress(
            step=self.at["step"],
            epoch=self.at["step"] / self.steps,
            loss=loss / images,
            accuracy=right / images,
            lr=lr,
            images_per_second=rate,
            seconds_left=(self.total - self.at["step"]) * self.learner.batches.batch_size / rate,
        )

    def _epoch_end(self, epoch: int, lr: float, seconds: float, images: float) -> Iterator[Event]:
        """`images` were trained on in `seconds`; the epoch's sums may hold more, from before a resume."""
        sums, self.at["epoch_sums"] = self.at["epoch_sums"], [0.0, 0.0, 0]
        loss, accuracy = (sums[i] / sums[2] if sums[2] else math.nan for i in (0, 1))
        measured = self.learner.validate()
        accuracy_now, loss_now = self.context.broadcast(measured.accuracy, measured.loss)
        score = (accuracy_now, -loss_now)
        best = self.at["best"] is None or score > tuple(self.at["best"])
        if best:
            self.at |= {"best": list(score), "best_epoch": epoch + 1, "bad_epochs": 0}
        else:
            self.at["bad_epochs"] += 1
        yield events.EpochEnded(
            epoch=epoch + 1,
            step=self.at["step"],
            train_loss=loss,
            train_accuracy=accuracy,
            val_loss=loss_now,
            val_accuracy=accuracy_now,
            lr=lr,
            images_per_second=images / max(seconds, 1e-9),
            seconds=seconds,
            best=best,
        )
        metrics = {"val_accuracy": accuracy_now, "val_loss": loss_now, "train_loss": loss}
        if best:
            self.saver.keep_best(epoch + 1, metrics)
        if self.settings.patience and self.at["bad_epochs"] >= self.settings.patience:
            self.ending = self.ending or "patience"
        over = bool(self.ending) or epoch + 1 == self.settings.epochs
        yield from self.saver.epoch_end(epoch + 1, metrics, seconds=self.seconds, over=over)

    def _best_path(self) -> str | None:
        return str(self.saver.path("best")) if self.at["best"] else None

    def _stopped(self) -> Iterator[Event]:
        step = self.at["step"]
        yield from self.saver.resume(self.seconds)
        if step % self.steps:
            yield from self.saver.last(step / self.steps, {})
        yield events.Stopped(step=step, epoch=step / self.steps, seconds=self.seconds, checkpoint=self._best_path())

    def _finished(self) -> Iterator[Event]:
        """The test set is used here and only here, on the best epoch's weights."""
        if self.at["best"] is None:  # the time limit passed before the first step
            yield from self._epoch_end(0, 0.0, self.seconds, 0)
        yield from self.saver.best()
        path = self.saver.path("best")
        self.context.barrier()  # until the first process has written it
        best, meta = load_checkpoint(path)
        metrics = dict(meta.metrics)
        if self.data.test is not None:
            self.learner.model.load_state_dict(best.state_dict())
            measured = self.learner.test()
            metrics |= {"test_accuracy": measured.accuracy, "test_loss": measured.loss}
        self.saver.finish(best.state_dict(), meta, metrics)
        yield events.Finished(
            reason=self.ending or "done",
            epochs=math.ceil(self.at["step"] / self.steps),
            best_epoch=self.at["best_epoch"],
            best_val_accuracy=meta.metrics["val_accuracy"],
            best_val_loss=meta.metrics["val_loss"],
            test_accuracy=metrics.get("test_accuracy"),
            test_loss=metrics.get("test_loss"),
            seconds=self.seconds,
            checkpoint=str(path),
        )
