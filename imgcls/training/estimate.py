"""What a run would be, before it is started: which layers learn, how many parameters, and about how long it takes.

The time is that of a few real steps on random images of the right shape, times the number of steps; on the machine, in
the precision and with the threads that the run would have. Knows nothing of the data but how many there are.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from imgcls.data.catalog import count_images
from imgcls.imaging.preprocess import Preprocess
from imgcls.models import build, transfer
from imgcls.models.pretrained import load_pretrained, resolve_weights
from imgcls.recipes import preprocess_for
from imgcls.settings import TrainSettings
from imgcls.training.device import choose_device
from imgcls.training.optim import make_optimizer
from imgcls.workspace import Workspace

TIMED = 0.7  # seconds of steps, at least two of them
MOST_PIXELS = 16 * 224 * 224  # of a timed batch: a full one of AlexNet's would take seconds a step on two cores
_EACH: dict[tuple, float] = {}  # thirty students with one form ask for one measurement
_ALONE = threading.Lock()
FORWARD = 1 / 3  # what evaluating an image costs of what learning from it costs


@dataclass(frozen=True)
class Estimate:
    """layers: those that learn; images: of the training part; seconds: of the whole run, None when not timed."""

    mode: str
    layers: tuple[str, ...]
    trainable: int
    parameters: int
    images: int
    seconds: float | None = None


def estimate(settings: TrainSettings, workspace: Workspace, *, timed: bool = True) -> Estimate:
    """Raises ImgclsError where data, weights or device are not to be had."""
    images, val, classes = count_images(settings, workspace)
    form = preprocess_for(settings)
    shape = {"channels": form.channels, "classes": classes, "image_size": form.size}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        if settings.weights and settings.weights != "imagenet":
            path = resolve_weights(settings.weights, model=settings.model, folder=workspace.weight, download=False)
            model = load_pretrained(settings.model, path, **shape, init=settings.init)
        else:  # ImageNet's weights may still have to be fetched; the time does not depend on them
            model = build(settings.model, **shape)
        transfer.prepare(model, settings.transfer)
        said = transfer.describe(model, settings.transfer)
        seconds = _seconds(model, settings, images, val) if timed else None
    return Estimate(said["mode"], tuple(said["layers"]), said["trainable"], said["parameters"], images, seconds)


def _seconds(model: torch.nn.Module, settings: TrainSettings, images: int, val: int) -> float | None:
    """None where a step cannot be tried, for want of memory say: the run itself will tell."""
    form = preprocess_for(settings)
    count = max(2, min(settings.batch_size, images, MOST_PIXELS // form.size**2))
    key = (settings.model, settings.transfer, form, count, settings.optimizer, settings.precision, settings.device)
    with _ALONE:  # two at once would each measure the other
        if key not in _EACH:
            try:
                _EACH[key] = _each(model, settings, form, count)
            except RuntimeError:
                return None
        each = _EACH[key]
    if settings.transfer == "head":  # the backbone once over every view; the head's own epochs are a small part
        views = 1 if settings.augment == "none" else settings.augment_views
        return each * (images * views + val) * 1.1
    return each * settings.epochs * (images + val * FORWARD)


def _each(model: torch.nn.Module, settings: TrainSettings, form: Preprocess, count: int) -> float:
    """Seconds that one image of a batch of `count` takes."""
    context = choose_device(settings)
    model.to(context.device, memory_format=context.layout(settings.model, form.size))
    transfer.train_mode(model, settings.transfer)
    inputs = torch.randn(count, form.channels, form.size, form.size, device=context.device)
    labels = torch.zeros(count, dtype=torch.int64, device=context.device)
    if settings.transfer == "head":
        backbone, _ = transfer.split_backbone(model)
        model.eval()

        def step() -> None:
            with torch.inference_mode(), context.autocast():
                backbone(inputs)
    else:
        optimizer = make_optimizer(transfer.param_groups(model, mode=settings.transfer, lr=1e-6), settings)

        def step() -> None:
            with context.autocast():
                loss = F.cross_entropy(model(inputs).float(), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

    return _timed(step, context.device) / count


def _timed(step, device: torch.device) -> float:
    """Seconds a step, the best of some: what disturbs a step only ever makes it longer."""
    step()
    best, began = float("inf"), time.perf_counter()
    while best == float("inf") or time.perf_counter() - began < TIMED:
        start = time.perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return best
