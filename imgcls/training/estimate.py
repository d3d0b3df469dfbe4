"""What a run would be, before it is started: which layers learn, how many parameters, memory, and about how long.

The time is that of a few real steps on random images of the right shape, times the number of steps; on the machine, in
the precision, with the augmentation and with the threads that the run would have. Measuring takes some seconds and the
whole of the machine: a server leaves it to `background_estimate.py`. Memory is known before anything large is
allocated.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import psutil
import torch
from torch import Tensor, nn

from imgcls.augmentations import crops_photos
from imgcls.data import balance
from imgcls.data.catalog import count_images, folder_of
from imgcls.data.feature_cache import BATCH
from imgcls.data.folder_split import divide_photos
from imgcls.data.image_folders import folder_state
from imgcls.data.loader import Batches, images_at_once
from imgcls.data.manifest import lacking_notes
from imgcls.data.photos import StorageFormat
from imgcls.data.registry import is_builtin, kind_of
from imgcls.data.splitting import Split
from imgcls.errors import DatasetError
from imgcls.imaging.preprocess import Preprocess
from imgcls.messages import Message
from imgcls.models import build, transfer
from imgcls.models.forward import in_micro_batches
from imgcls.models.meta_model import to_try
from imgcls.models.pretrained import check_weights
from imgcls.models.registry import network_options
from imgcls.models.threads import candidates, measure
from imgcls.optimizers import OPTIMIZERS
from imgcls.processes import available_cores
from imgcls.recipes import preprocess_for
from imgcls.settings import TrainSettings
from imgcls.training import head_first
from imgcls.training.device import choose_device
from imgcls.training.optim import make_optimizer
from imgcls.training.out_of_memory import fewest
from imgcls.training.threads import timed_images
from imgcls.training.train_step import TrainStep
from imgcls.workspace import Workspace

IMAGENET_CLASSES = 1000  # as many as ImageNet has: the head's share is then not too small


def training_bytes(settings: TrainSettings) -> int:
    """Parameters, gradients, the optimizer's state, the best weights and EMA's; a whole batch as it is prepared; what
    the backward pass of those images needs that go through the network together."""
    preprocess = preprocess_for(settings)
    parameters, activations = _network_bytes(settings.model, preprocess.channels, preprocess.size)
    if settings.transfer == "head":  # only the head has gradients, and nothing before it is kept
        return 2 * parameters
    weights = parameters * (3 + OPTIMIZERS[settings.optimizer].state_copies + bool(settings.ema))
    inputs = settings.batch_size * preprocess.channels * preprocess.size**2 * 4
    return weights + BATCH_COPIES * inputs + activations * _micro_batch(settings)


def _micro_batch(settings: TrainSettings) -> int:
    """Images of a batch that go through the network at once."""
    return -(-settings.batch_size // settings.accumulate)


@lru_cache(maxsize=256)
def _network_bytes(model: str, channels: int, size: int) -> tuple[int, int]:
    """(of the parameters, of what the backward pass of one image needs)."""
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.shape[:1] == images.shape[:1]:  # what belongs to the batch, and not the weights
            storage = tensor.untyped_storage()
            kept[storage._cdata] = storage.nbytes()
        return tensor

    network, device = to_try(model, channels=channels, classes=IMAGENET_CLASSES, image_size=size)
    images = torch.zeros(2, channels, size, size, device=device)  # two: BatchNorm takes no single one
    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
    with torch.random.fork_rng(devices=[]), hooks:  # dropout draws random numbers
        logits = network.train()(images)  # held until the sums are made: a freed storage's number is given again
    del logits
    return sum(p.nbytes for p in network.parameters()), sum(kept.values()) // len(images)


BATCH_COPIES = 3  # of a batch's images while they are prepared: before a change, after it, and normalised
CLASSES = 10  # of a network that is only timed
FORWARD = 1 / 3  # what evaluating an image costs of what learning from it costs
MOST_DIVIDED = 20_000  # photos of a folder that is divided to see what is held out: half a second, once
MEMORY_SHARE = 0.5  # of the memory that is free, which a timed batch may need


@dataclass(frozen=True)
class Outline:
    """A network without its numbers. `activations`: numbers that its layers hand on for one image."""

    layers: tuple[str, ...]
    trainable: int
    parameters: int
    activations: int


@dataclass(frozen=True)
class Timing:
    """Seconds: `step` of each optimizer update, `image` of forward, backward and augmentation of one image."""

    step: float
    image: float


@dataclass(frozen=True)
class Estimate:
    """layers: those that learn; images: of the training part; memory: bytes of weights, momenta and activations;
    seconds: of the whole run, None when not timed; pending: it is being timed, ask again; notes: what a person should
    know of the division into training and validation."""

    mode: str
    layers: tuple[str, ...]
    trainable: int
    parameters: int
    images: int
    memory: int
    seconds: float | None = None
    pending: bool = False
    notes: tuple[Message, ...] = ()


def estimate(settings: TrainSettings, workspace: Workspace, *, timed: bool = True) -> Estimate:
    """Raises ImgclsError where data, weights or device are not to be had. `timed` takes some seconds."""
    return with_seconds(settings, workspace, time_step(settings) if timed else None)


def with_seconds(settings: TrainSettings, workspace: Workspace, timing: Timing | None) -> Estimate:
    """The estimate with a timing that was made before, or without one. Raises ImgclsError as `estimate` does."""
    images, val, classes = count_images(settings, workspace)
    if settings.weights and settings.weights != "imagenet":  # those may still have to be fetched
        check_weights(settings.weights, model=settings.model, folder=workspace.weight)
    form = preprocess_for(settings)
    outline = _outline(settings.model, settings.transfer, form.channels, classes, form.size)
    return Estimate(
        mode=settings.transfer,
        layers=outline.layers,
        trainable=outline.trainable,
        parameters=outline.parameters,
        images=images,
        memory=_memory(outline, settings, settings.batch_size, _micro_batch(settings)),
        seconds=None if timing is None else _seconds(settings, timing, images, val),
        notes=_division_notes(settings, workspace, images + val),
    )


def _division_notes(settings: TrainSettings, workspace: Workspace, images: int) -> tuple[Message, ...]:
    """Classes that would have no validation image, bursts that would be cut, what is done about unequal classes. Of a
    large folder the run tells."""
    if is_builtin(settings.dataset) or images > MOST_DIVIDED or settings.start_from:
        return ()
    try:
        state = tuple(folder_state(folder_of(settings.dataset, workspace)))
        divided, labels, classes = _divided(settings.dataset, settings.val_split, settings.seed, workspace, state)
        return (*divided, *balance.notes(settings.balance, labels, classes))
    except DatasetError:  # it is told where the run is checked
        return ()


@lru_cache(maxsize=64)
def _divided(
    dataset: str, val_split: float, seed: int, workspace: Workspace, state: tuple[tuple[str, int, int], ...]
) -> tuple[tuple[Message, ...], Tensor, tuple[str, ...]]:
    """(notes, labels of the training part, classes)."""
    files = divide_photos(TrainSettings(dataset=dataset, val_split=val_split, seed=seed), workspace)
    there = {label for _, label in files.splits["val"]}
    lacking = [name for label, name in enumerate(files.classes) if label not in there]
    labels = torch.tensor([label for _, label in files.splits["train"]], dtype=torch.int64)
    return (*lacking_notes({"val": lacking}), *files.notes), labels, files.classes


def time_step(settings: TrainSettings) -> Timing | None:
    """None where a step cannot be tried, for want of memory say: the run itself will tell.

    Torch's threads and random state are afterwards what they were.
    """
    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng(devices=[]):
            return _timed(settings)
    except RuntimeError:
        return None
    finally:
        torch.set_num_threads(threads)


def _seconds(settings: TrainSettings, timing: Timing, images: int, val: int) -> float:
    if settings.transfer == "head":  # the backbone once over every view; the head's own epochs are a small part
        views = 1 if settings.augment == "none" else settings.augment_views
        return timing.image * (images * views + val) * 1.1
    steps = -(-images // settings.batch_size)
    first = min(images, head_first.MOST_IMAGES) + val if head_first.comes_first(settings) else 0
    epochs = settings.epochs * (steps * timing.step + timing.image * (images + val * FORWARD))
    return epochs + timing.image * first * FORWARD


def _timed(settings: TrainSettings) -> Timing | None:
    form, context = preprocess_for(settings), choose_device(settings)
    count = timed_images(settings, form.size, context.device)
    micro_batch = min(count, _micro_batch(settings))
    outline = _outline(settings.model, settings.transfer, form.channels, CLASSES, form.size)
    if _memory(outline, settings, count, micro_batch) > psutil.virtual_memory().available * MEMORY_SHARE:
        return None
    shape = {"channels": form.channels, "classes": CLASSES, "image_size": form.size}
    model = build(settings.model, **shape, init="default", options=network_options(settings))
    transfer.prepare(model, settings.transfer)
    context.place(model, settings.model, form.size)
    batches = _batches(settings, form, count, context.device)
    if settings.transfer == "head":
        backbone, _ = transfer.split_backbone(transfer.folded(model))

        def step() -> None:
            with torch.inference_mode(), context.autocast():
                in_micro_batches(backbone, next(batches)[0])

        return Timing(step=0.0, image=_fastest(step, settings, context.device) / count)
    transfer.train_mode(model, settings.transfer)
    optimizer = make_optimizer(transfer.param_groups(model, mode=settings.transfer, lr=1e-6), settings)
    learn = TrainStep(
        model,
        optimizer,
        context,
        settings.label_smoothing,
        parts=-(-count // micro_batch),
        fewest=fewest(model),
        only_timed=True,
    )
    whole = _fastest(lambda: learn(*next(batches)), settings, context.device)
    # Apart, because a timed batch may be smaller than the run's and has more than its share of updates.
    update = min(whole, _fastest(optimizer.step, settings, context.device))
    return Timing(step=update, image=(whole - update) / count)


def _fastest(step: Callable[[], object], settings: TrainSettings, device: torch.device) -> float:
    """Seconds a step, with the number of threads that the run would choose."""
    if device.type == "cpu":
        counts = [settings.threads] if settings.threads else candidates(available_cores())
        return 1 / max(measure(step, counts).values())

    def done() -> None:
        step()
        if device.type == "cuda":
            torch.cuda.synchronize()

    for _ in range(2):  # on a GPU the second records the step
        done()
    return 1 / max(measure(done, [1]).values())


def _batches(
    settings: TrainSettings, form: Preprocess, count: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Random pictures in the form in which the data set keeps its own, changed as the run would change them."""
    whole = crops_photos(settings.augment)
    side = StorageFormat.of(form, whole_photo=whole and kind_of(settings.dataset) == "photos").side
    images = torch.randint(0, 256, (count, form.channels, side, side), dtype=torch.uint8)
    split = Split(images, torch.zeros(count, dtype=torch.int64), torch.full((count,), 1.5) if whole else None)
    split = split.to(device)
    batches = Batches(
        split,
        form,
        batch_size=count,
        augment=settings.augment,
        seed=settings.seed,
        device=device,
        classes=CLASSES,  # all are of the first one, and mixed labels have a share of each
    )
    for epoch in itertools.count():
        yield from batches.epoch(epoch)


@lru_cache(maxsize=256)
def _outline(model: str, mode: str, channels: int, classes: int, size: int) -> Outline:
    made, device = to_try(model, channels=channels, classes=classes, image_size=size)
    transfer.prepare(made, mode)
    activations = 0

    def count(_module: nn.Module, _given: object, output: object) -> None:
        nonlocal activations
        activations += output.numel() if isinstance(output, Tensor) else 0

    for module in made.modules():
        if not list(module.children()):
            module.register_forward_hook(count)
    with torch.inference_mode():
        made.eval()(torch.zeros(1, channels, size, size, device=device))
    trainable, parameters = transfer.count_parameters(made)
    return Outline(tuple(transfer.trainable_layers(made)), trainable, parameters, activations)


def _memory(outline: Outline, settings: TrainSettings, batch: int, micro_batch: int) -> int:
    """Bytes: weights; where they learn, gradients, momenta and EMA's average; a batch's images while they are prepared;
    of those that go through the network as a `micro_batch`, what every layer hands on, and its gradient."""
    form = preprocess_for(settings)
    images = batch * form.channels * form.size**2
    if settings.transfer == "head":  # one layer's output at a time, the largest being a part of all
        forward = images_at_once(BATCH, form.size, choose_device(settings).device)
        return 4 * (outline.parameters + images + outline.activations * min(micro_batch, forward) // 4)
    weights = outline.parameters * (2 + OPTIMIZERS[settings.optimizer].state_copies + bool(settings.ema))
    return 4 * (weights + BATCH_COPIES * images + 2 * outline.activations * micro_batch)
