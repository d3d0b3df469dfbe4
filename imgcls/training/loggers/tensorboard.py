"""A run's figures, images and graph as TensorBoard files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil

from imgcls.settings import TrainSettings
from imgcls.training import events

DRAWN = 10_000  # weights of a layer that its histogram is made of: a large network's would take seconds an epoch
LONG = 60.0  # seconds: a run that goes on for so long has its graph before it ends


class TensorBoard:
    """Curves, the learning rate, images/s, a grid of training images, the graph, and settings with final figures; after
    each epoch every layer's weights as a histogram, the norms of its weights and of its last gradient, and memory."""

    def __init__(self, folder: Path, settings: TrainSettings) -> None:
        self._settings = settings
        self._to_draw: events.Started | None = None  # whose graph is still to be written
        self._model: Any = None
        self._writer = self.writer_class()(str(folder), max_queue=1000, flush_secs=5)

    @staticmethod
    def writer_class() -> type:
        """Imported here and not above: it costs a second that most commands need not pay."""
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter

    def __enter__(self) -> TensorBoard:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._graph()
        finally:
            self._writer.close()

    def __call__(self, event: events.Event) -> None:
        write = {
            events.Started: self._started,
            events.Progress: self._progress,
            events.EpochEnded: self._epoch,
            events.Finished: self._finished,
        }.get(type(event))
        if write:
            write(event)
        if isinstance(event, events.ENDINGS):
            self._writer.flush()

    def _started(self, event: events.Started) -> None:
        if event.sample is not None:
            self._writer.add_images("training images as the network gets them", event.sample)
        if event.model is not None and event.example is not None and not event.first_step:
            self._to_draw = event
        self._model = event.model
        self._writer.add_text("settings", f"```\n{self._settings.model_dump_json(indent=2)}\n```")

    def _graph(self) -> None:
        """Tracing runs the network in eval mode, so that dropout and BatchNorm are as they were. It takes a second or
        two, which nobody should wait for: it is done when the run is over, or between two epochs of a long one."""
        import warnings

        import torch

        if (event := self._to_draw) is None:
            return
        self._to_draw = None
        modes = {module: module.training for module in event.model.modules()}
        event.model.eval()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the tracer's remarks on shapes help nobody here
                # Traced here, and not by add_graph, which would trace it twice to compare.
                self._writer.add_graph(torch.jit.trace(event.model, event.example, check_trace=False), event.example)
        finally:
            for module, training in modes.items():
                module.training = training

    def _progress(self, event: events.Progress) -> None:
        for name, value in (
            ("loss/train", event.loss),
            ("accuracy/train", event.accuracy),
            ("learning rate", event.lr),
            ("images per second", event.images_per_second),
        ):
            self._writer.add_scalar(name, value, event.step, walltime=event.time)

    def _epoch(self, event: events.EpochEnded) -> None:
        for name, value in (
            ("loss/val", event.val_loss),
            ("accuracy/val", event.val_accuracy),
            ("epoch/loss train", event.train_loss),
            ("epoch/accuracy train", event.train_accuracy),
        ):
            self._writer.add_scalar(name, value, event.step, walltime=event.time)
        self._weights(event)
        if self._to_draw is not None and event.time - self._to_draw.time > LONG:
            self._graph()

    def _weights(self, event: events.EpochEnded) -> None:
        """Reads only: the run's bits are what they would have been."""
        for name, parameter in self._model.named_parameters() if self._model is not None else ():
            weights = parameter.detach()
            some = weights.flatten()[:: max(1, weights.numel() // DRAWN)]
            self._writer.add_histogram(f"weights/{name}", some.float().cpu(), event.step, walltime=event.time)
            self._writer.add_scalar(f"weight norm/{name}", weights.norm().item(), event.step, walltime=event.time)
            if parameter.grad is not None:
                norm = parameter.grad.norm().item()
                self._writer.add_scalar(f"gradient norm/{name}", norm, event.step, walltime=event.time)
        held = psutil.Process().memory_info().rss / 1e6
        self._writer.add_scalar("memory/process, MB", held, event.step, walltime=event.time)
        device = next(self._model.parameters()).device if self._model is not None else None
        if device is not None and device.type == "cuda":
            import torch

            used = torch.cuda.max_memory_allocated(device) / 1e6
            self._writer.add_scalar("memory/GPU at the most, MB", used, event.step, walltime=event.time)

    def _finished(self, event: events.Finished) -> None:
        figures = {
            "final/val accuracy": event.best_val_accuracy,
            "final/val loss": event.best_val_loss,
            "final/test accuracy": event.test_accuracy,
            "final/test loss": event.test_loss,
        }
        settings = {k: v for k, v in self._settings.model_dump().items() if isinstance(v, int | float | str | bool)}
        self._writer.add_hparams(settings, {k: v for k, v in figures.items() if v is not None}, run_name=".")
