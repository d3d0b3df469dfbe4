"""Ten epochs of a new last layer on a frozen backbone, whole: from the first feature to the last validation.

The limit is the backbone running once over every view and nothing else, folded as the trainer folds it, in the program
that is fastest (imgcls/models/runtimes.py), in the best batches and with the best number of threads.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks import plain
from benchmarks.rows import Row
from imgcls.data.catalog import folder_of
from imgcls.models import runtimes
from imgcls.models.threads import candidates
from imgcls.processes import available_cores
from imgcls.recipes import with_recipe
from imgcls.settings import TrainSettings
from imgcls.training import events
from imgcls.training.device import choose_device
from imgcls.training.learner import make_learner
from imgcls.training.loading import load_run_data
from imgcls.training.trainer import train
from imgcls.workspace import Workspace

BATCHES = (4, 8, 16, 64)


def measured(row: Row, workspace: Workspace, *, seconds: float, rounds: int) -> dict[str, Any]:
    settings = with_recipe(row.settings)
    limit = Limit(settings, workspace)
    every = limit.images * settings.epochs
    taken: dict[str, list[float]] = {"ours": [], "limit": []}
    for _ in range(rounds):
        took, accuracy = _run(settings, workspace)
        taken["ours"].append(took)
        threads = torch.get_num_threads()
        taken["limit"].append(limit.seconds(seconds))
    ratios = [b / a for a, b in zip(taken["ours"], taken["limit"], strict=True)]
    ours, least = (statistics.median(taken[name]) for name in ("ours", "limit"))
    torch.set_num_threads(available_cores())
    plain_rate, plain_accuracy = _plain(row, settings, workspace)
    return {
        "row": row.key,
        "batch": settings.batch_size,
        "ours": every / ours,
        "plain": plain_rate,
        "limit": every / least,
        "ours/plain": every / ours / plain_rate,
        "ours/limit": statistics.median(ratios),
        "spread": [min(ratios), max(ratios)],
        "epoch_seconds": ours / settings.epochs,
        "threads": threads,
        "accuracy": accuracy,
        "plain_accuracy": plain_accuracy,
    }


def _run(settings: TrainSettings, workspace: Workspace) -> tuple[float, float]:
    """(seconds from when the data are loaded to the last validation, best validation accuracy)."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Workspace(Path(folder))
        for name in ("data", "weight"):
            (scratch.root / name).symlink_to(workspace.root / name)
        made = list(train(settings, workspace=scratch, run="r"))
    began = next(event.time for event in made if isinstance(event, events.Started))
    ended = max(event.time for event in made if isinstance(event, events.EpochEnded))
    return ended - began, made[-1].best_val_accuracy


class Limit:
    """`seconds(each)`: what the backbone takes for all views and the validation part, each way timed for `each`."""

    def __init__(self, settings: TrainSettings, workspace: Workspace) -> None:
        context = choose_device(settings)
        made = make_learner(settings, load_run_data(settings, workspace), workspace, context)
        self.images = len(made.data.train)
        views = 1 if settings.augment == "none" else settings.augment_views
        self._todo = self.images * views + len(made.data.val)
        made.model.eval()
        sample = next(made.images("val", batch_size=4))[0]
        self._ways: dict[int, list[Callable[[torch.Tensor], torch.Tensor]]] = {}
        with tempfile.TemporaryDirectory() as folder:
            for threads in candidates(available_cores()):  # what another program opens is for one number of them
                torch.set_num_threads(threads)
                choices = runtimes.equal(made.model, sample, folder=Path(folder))
                self._ways[threads] = [choice.run for choice in choices]
        form = made.data.preprocess
        self._inputs = [
            torch.randn(n, form.channels, form.size, form.size).to(memory_format=torch.channels_last) for n in BATCHES
        ]

    def seconds(self, each: float) -> float:
        ways = [(run, n) for n, runs in self._ways.items() for run in runs]
        return self._todo / max(self._rate(run, inputs, n, each) for inputs in self._inputs for run, n in ways)

    @torch.inference_mode()
    def _rate(
        self, run: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor, threads: int, seconds: float
    ) -> float:
        torch.set_num_threads(threads)
        run(inputs)
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            run(inputs)
            count += len(inputs)
        return count / (time.perf_counter() - began)


def _plain(row: Row, settings: TrainSettings, workspace: Workspace) -> tuple[float, float]:
    """(images/s, best accuracy) of plain epochs with a frozen backbone, validation counted, best of 0 and 2 workers."""
    net, data = row.plain(workspace, settings)
    head = [module for module in net.modules() if isinstance(module, torch.nn.Linear)][-1]
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    for parameter in head.parameters():
        parameter.requires_grad_(True)
    form = plain.eval_transform(settings.image_size, normalise=row.normalise)
    checked = plain.folder(folder_of(settings.dataset, workspace) / "val", form=form)
    found = []
    for workers in (0, 2):
        torch.manual_seed(1)
        torch.nn.init.kaiming_uniform_(head.weight)
        torch.nn.init.zeros_(head.bias)
        # Adam at 1e-3 is what the course's notes take for a new last layer.
        optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)
        loop, best, seen = plain.steps(net, optimizer, data, batch_size=32, workers=workers), 0.0, 0
        began = time.perf_counter()
        for epoch in range(row.plain_epochs):
            while seen < (epoch + 1) * len(data):
                seen += next(loop)
            best = max(best, plain.accuracy(net, checked, workers=workers))
        found.append((len(data) * row.plain_epochs / (time.perf_counter() - began), best))
    return max(found)
