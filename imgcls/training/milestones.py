"""What a run says where it begins, where an epoch ends and where it ends itself, and the figures that takes."""

from __future__ import annotations

import math
from collections.abc import Iterator

from imgcls.checkpoints.format import Meta, load_checkpoint
from imgcls.data.folder_problems import left_out_notes
from imgcls.data.loader import Batches
from imgcls.data.photos import StreamingPhotos
from imgcls.errors import DatasetError
from imgcls.messages import Message, Setting, plural
from imgcls.models import transfer
from imgcls.training import events
from imgcls.training.calibrate import calibrate
from imgcls.training.checkpointing import CheckpointManager
from imgcls.training.device import memory_mb
from imgcls.training.events import Event
from imgcls.training.learner import Learner
from imgcls.training.meters import Stopwatch
from imgcls.training.train_state import TrainState


def started(learner: Learner, run: str, state: TrainState, total_steps: int) -> Event:
    data, context = learner.data, learner.context
    example = next(learner.images("val", batch_size=1), None)
    if example is None:
        raise DatasetError(
            "{name} has no readable image to use for {part}: look at its report.",
            name=data.name,
            part=Setting("part", "val"),
        )
    trainable, parameters = transfer.count_parameters(learner.model)
    return events.Started(
        run=run,
        classes=data.classes,
        images=data.sizes,
        parameters=parameters,
        trainable=trainable,
        device=context.name,
        precision=context.precision,
        total_steps=total_steps,
        steps_per_epoch=learner.batches.steps,
        first_step=state.step,
        notes=data.notes,
        lacking=data.manifest.lacking,
        model=learner.model,
        sample=learner.batches.sample() if context.rank == 0 and isinstance(learner.batches, Batches) else None,
        example=example[0],
    )


def unreadable(learner: Learner, told: set[str]) -> Iterator[Event]:
    """Photos that are read while training and could not be, each said once; `told`: paths, added to."""
    for split in (learner.data.train, learner.data.val):
        if isinstance(split.images, StreamingPhotos):
            photos = split.images
            new = [place for place in sorted(photos.broken) if photos.paths[place] not in told]
            told.update(photos.paths[place] for place in new)
            why = [message for place in new if (message := photos.why_broken(place))]
            yield from (events.Note(code="left_out", message=message) for message in left_out_notes(why))


def epoch_ended(learner: Learner, state: TrainState, epoch: int, lr: float) -> events.EpochEnded:
    """Validate; `epoch` counts from 0, the event's from 1. The epoch's sums begin anew."""
    (loss, correct, images), seconds = state.epoch_sums, state.epoch_seconds
    state.epoch_sums, state.epoch_seconds = (0.0, 0.0, 0.0), 0.0
    accuracy_now, loss_now = learner.validate()
    score = (accuracy_now, -loss_now)
    best = state.best is None or score > state.best
    if best:
        state.best, state.best_epoch, state.bad_epochs = score, epoch + 1, 0
    else:
        state.bad_epochs += 1
    return events.EpochEnded(
        epoch=epoch + 1,
        step=state.step,
        train_loss=loss / images if images else math.nan,
        train_accuracy=correct / images if images else math.nan,
        val_loss=loss_now,
        val_accuracy=accuracy_now,
        lr=lr,
        images_per_second=images / max(seconds, 1e-9),
        seconds=seconds,
        best=best,
        memory_mb=memory_mb(learner.context.device),
    )


def stopped(manager: CheckpointManager, state: TrainState, steps: int) -> Iterator[Event]:
    """`steps`: of an epoch. The weights between two epochs are saved already."""
    yield from manager.resume()
    manager.check_saved()
    epoch = state.step / steps
    if state.step % steps:
        yield from manager.last(epoch, {})
    best = str(manager.path("best")) if state.best else None
    yield events.Stopped(step=state.step, epoch=epoch, seconds=state.seconds, checkpoint=best)


def finished(
    learner: Learner, manager: CheckpointManager, state: TrainState, steps: int, reason: str, clock: Stopwatch
) -> Iterator[Event]:
    """The test set is used here and only here, on the best epoch's weights."""
    yield from manager.best()
    manager.check_saved()
    path = manager.path("best")
    learner.context.barrier()  # until the first process has written it
    best, meta = load_checkpoint(path)
    metrics = dict(meta.metrics)
    if learner.data.test is not None:
        yield events.Note(code="testing", message=_testing(len(learner.data.test)))
        learner.model.load_state_dict(best.state_dict())
        accuracy, loss = learner.test()
        metrics |= {"test_accuracy": accuracy, "test_loss": loss}
    kept = learner.kept_features()
    extra = calibrate(best, learner.data, device=learner.context.device, features=kept) if manager.writes else {}
    yield from manager.finish(best.state_dict(), meta, metrics, extra)
    yield events.Finished(
        reason=reason,
        epochs=math.ceil(state.step / steps),
        best_epoch=state.best_epoch,
        best_val_accuracy=_figure(meta, "val_accuracy"),
        best_val_loss=_figure(meta, "val_loss"),
        test_accuracy=metrics.get("test_accuracy"),
        test_loss=metrics.get("test_loss"),
        seconds=clock.seconds,
        checkpoint=str(path),
        lacking=learner.data.manifest.lacking.get("val", ()),
    )


def _testing(images: int) -> Message:
    return plural("Testing on {count:,} image.", "Testing on {count:,} images.", count=images)


def _figure(meta: Meta, name: str) -> float:
    """A checkpoint writes null for what is no number."""
    value = meta.metrics[name]
    return math.nan if value is None else value
