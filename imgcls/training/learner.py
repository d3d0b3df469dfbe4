"""Settings and a data set -> the thing that learns: a network, the step that trains it, and the batches it trains on.

This is the joint between data, models and the trainer's loop. The loop sees one step and one kind of batches, whether
the whole network learns from images or only a head from cached features.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from imgcls.checkpoints.format import load_checkpoint
from imgcls.checkpoints.store import find_checkpoint
from imgcls.data import balance
from imgcls.data.datasets import DataSet, as_answered
from imgcls.data.feature_cache import FeatureBatches, evaluation_features
from imgcls.data.loader import Batches, evaluation_batches
from imgcls.data.splitting import Split
from imgcls.errors import CheckpointError, SettingsError
from imgcls.imaging.preprocess import Preprocess
from imgcls.inference.metrics import BATCH, evaluate
from imgcls.messages import Setting
from imgcls.models import build, transfer
from imgcls.models.forward import in_micro_batches
from imgcls.models.pretrained import load_pretrained, resolve_weights
from imgcls.models.registry import network_options
from imgcls.recipes import preprocess_for
from imgcls.settings import TrainSettings
from imgcls.training.device import DeviceContext
from imgcls.training.optim import make_momenta, make_optimizer
from imgcls.training.out_of_memory import fewest
from imgcls.training.train_step import TrainStep
from imgcls.training.weight_average import WeightAverage
from imgcls.workspace import Workspace


@dataclass
class Learner:
    """`model` is the whole network, what a checkpoint holds; `step` trains it, or its head alone."""

    settings: TrainSettings
    data: DataSet
    context: DeviceContext
    model: nn.Module
    step: TrainStep
    batches: Batches | FeatureBatches
    head: nn.Module | None = None  # once the backbone's features are kept
    frozen: Callable[[Tensor], Tensor] | None = None  # what the backbone runs in, where that is chosen (runtime.py)
    _val: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    @property
    def shown(self) -> nn.Module:
        """What is measured and saved: the network, or the average of its weights."""
        return self.model if self.step.average is None else self.step.average.module

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        return self.step.optimizer

    def begin_epoch(self, epoch: int) -> None:
        """Training mode, with whatever part of the network learns in this epoch."""
        if self.settings.transfer == "finetune" and self.settings.unfreeze_epochs:
            transfer.unfreeze_at(self.model, epoch, self.settings.unfreeze_epochs)
            make_momenta(self.optimizer)
            self.step.forget()
        transfer.train_mode(self.model, self.settings.transfer)

    @property
    def images_to_pass(self) -> int:
        """Head only: how many go through the frozen backbone, each view counted."""
        return self._views * len(self.data.train) + len(self.data.val)

    @property
    def _views(self) -> int:
        return 1 if self.settings.augment == "none" else self.settings.augment_views

    def cache_features(self, *, file: Path) -> Iterator[tuple[int, int]]:
        """Head only: run the frozen backbone once over training and validation images; (images done, in all)."""
        assert isinstance(self.batches, Batches)
        self.model.eval()
        head = transfer.head_of(self.model)
        backbone = self.frozen or transfer.split_backbone(transfer.folded(self.model))[0]
        features = FeatureBatches(self.batches, views=self._views, file=file)
        learnt, total = self._views * len(self.data.train), self.images_to_pass
        for done in features.fill(backbone, self.context.autocast):
            yield done, total
        self._val, done = [], learnt
        for one in evaluation_features(
            backbone, self.data.val, self.data.preprocess, self.context.device, self.context.autocast
        ):
            self._val.append(one)
            done += len(one[1])
            yield done, total
        self.batches, self.head, self.frozen = features, head, None
        self.step.module = self.context.wrap_ddp(head)
        self.step.forget()

    def kept_features(self) -> dict[str, Tensor] | None:
        """Head only: {"train" and "val": what goes into the head, (N, F)} of the images as they are, none left out;
        None where that was not kept."""
        plain = self.batches.plain if isinstance(self.batches, FeatureBatches) else None
        if plain is None or self.data.train.streams or self.data.val.streams:
            return None
        return {"train": plain, "val": torch.cat([features for features, _ in self._val])}

    def validate(self) -> tuple[float, float]:
        """(accuracy, loss) of the validation part."""
        self.shown.eval()
        if self.head is not None:
            measured = evaluate(transfer.head_of(self.shown), self._val)  # cheap: every process for itself
            accuracy, loss = self.context.broadcast(measured.accuracy, measured.loss)
            return accuracy, loss
        return self._shared_out("val", self.shown)

    def test(self) -> tuple[float, float]:
        """(accuracy, loss) of the test part."""
        self.model.eval()
        return self._shared_out("test", self.model)

    def _shared_out(self, part: str, network: nn.Module) -> tuple[float, float]:
        """(accuracy, loss) of a whole part, of which each process looks at its share."""
        context, split = self.context, getattr(self.data, part)
        if context.world > 1:
            context.broadcast_buffers(network)
            split = split.take(torch.arange(context.rank, len(split), context.world))
        sums = [0.0, 0.0, 0.0]
        if len(split):
            # As many as go through the network together while it learns fit; a small batch says nothing of memory.
            size = min(BATCH, -(-max(BATCH, self.settings.batch_size) // self.step.parts))
            batches = evaluation_batches(split, self.data.preprocess, batch_size=size, device=context.device)
            measured = evaluate(network, batches, autocast=context.autocast)
            images = len(measured.labels)
            sums = [measured.loss * images, float((measured.predicted == measured.labels).sum()), float(images)]
        loss, correct, images = context.sum(*sums)
        return correct / images, loss / images

    def throw_away_step(self, images: int) -> Callable[[], object]:
        """A step like the run's own on a copy of network and optimizer, with `images` random images: calling it changes
        nothing, not even a random state. Head only: the backbone's pass, which is most of such a run."""
        form, device = self.data.preprocess, self.context.device
        generator = torch.Generator().manual_seed(self.settings.seed)
        inputs = torch.randn(images, form.channels, form.size, form.size, generator=generator).to(device)
        labels = torch.randint(len(self.data.classes), (images,), generator=generator).to(device)
        if self.settings.transfer == "head":
            backbone, _ = transfer.split_backbone(transfer.folded(self.model))

            def forward() -> None:
                with torch.inference_mode(), self.context.autocast():
                    in_micro_batches(backbone, inputs)

            return forward
        model, optimizer = copy.deepcopy((self.model, self.optimizer))
        transfer.train_mode(model, self.settings.transfer)
        step = replace(self.step, module=model, optimizer=optimizer, average=None, only_timed=True)

        def learn() -> None:
            with torch.random.fork_rng(devices=[]):
                step(inputs, labels)

        return learn

    def images(self, part: str, *, batch_size: int = BATCH) -> Iterator[tuple[Tensor, Tensor]]:
        """A part's images in order, as the network gets them, with their labels."""
        split = getattr(self.data, part)
        return evaluation_batches(split, self.data.preprocess, batch_size=batch_size, device=self.context.device)


def check_batch_size(settings: TrainSettings) -> None:
    """Raises SettingsError where BatchNorm would have one value a channel, which has no variance to normalise by."""
    smallest = min(settings.batch_size, settings.train_images or settings.batch_size)
    if smallest > 1 or settings.transfer == "head":
        return
    form = preprocess_for(settings)
    with torch.device("meta"):  # shapes without memory
        model = build(
            settings.model,
            channels=form.channels,
            classes=2,
            image_size=form.size,
            options=network_options(settings),
        )
        image = torch.empty(1, form.channels, form.size, form.size)
        try:
            model.train()(image)
        except ValueError:
            raise SettingsError(
                "{batch_size} is 1, but BatchNorm needs at least 2 images to learn from at {size} pixels: choose a "
                "larger {batch_size}.",
                batch_size=Setting("batch_size"),
                size=form.size,
                field="batch_size",
            ) from None


def start_from(settings: TrainSettings, classes: tuple[str, ...], form: Preprocess, workspace: Workspace) -> nn.Module:
    """The checkpoint's network, last layer and all. Raises CheckpointError where it is not of this data and network."""
    run, _, kind = settings.start_from.partition("/")
    path = find_checkpoint(f"{run}/{kind or 'best'}", workspace).path
    model, meta = load_checkpoint(path)
    own = (settings.model, network_options(settings), classes, form)
    if (meta.model, meta.options, meta.classes, meta.preprocess) != own:
        raise CheckpointError(
            "{run} cannot learn on from {checkpoint}: network, classes and image size must be the same.",
            run=settings.name or settings.dataset,
            checkpoint=settings.start_from,
        )
    return model


def make_learner(
    settings: TrainSettings, data: DataSet, workspace: Workspace, context: DeviceContext, *, resume: bool = False
) -> Learner:
    """Raises WeightsError where pre-trained weights are missing or do not fit. `resume`: the state that follows brings
    every weight; the checkpoint or the pre-trained file that the run began with may be gone by now."""
    torch.manual_seed(settings.seed)
    form = data.preprocess
    shape = {"channels": form.channels, "classes": len(data.classes), "image_size": form.size}
    options = network_options(settings)
    if resume:
        model = build(settings.model, **shape, init="default", options=options)
    elif settings.start_from:
        model = start_from(settings, data.classes, form, workspace)
    elif settings.transfer == "scratch":
        model = build(settings.model, **shape, init=settings.init, options=options)
    else:
        path = resolve_weights(settings.weights, model=settings.model, folder=workspace.weight)
        model = load_pretrained(settings.model, path, **shape, init=settings.init, options=options)
    transfer.prepare(model, settings.transfer)
    if settings.sync_batchnorm and context.world > 1:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    context.place(model, settings.model, form.size)
    groups = transfer.param_groups(
        model, mode=settings.transfer, lr=settings.lr, backbone_factor=settings.backbone_lr_factor
    )
    way = balance.way(settings.balance, data.train.labels)
    weights = balance.class_weights(data.train.labels, len(data.classes)) if way == "weights" else None
    data = replace(data, train=_near(data.train, context), val=_near(data.val, context))
    batches = Batches(
        data.train,
        form,
        batch_size=settings.batch_size,
        augment=settings.augment,
        seed=settings.seed,
        device=context.device,
        rank=context.rank,
        world=context.world,
        answered=_near(as_answered(data, data.train), context) if settings.transfer == "head" else None,
        sampled=way == "sampling",
        classes=len(data.classes),
    )
    module = context.wrap_ddp(model)
    learnt = torch.compile(module, dynamic=False) if settings.compile else module
    assert isinstance(learnt, nn.Module)
    if context.rank:
        torch.manual_seed(settings.seed + context.rank)  # dropout differs from process to process
    return Learner(
        settings=settings,
        data=data,
        context=context,
        model=model,
        step=TrainStep(
            learnt,
            make_optimizer(groups, settings),
            context,
            settings.label_smoothing,
            class_weights=None if weights is None else weights.to(context.device),
            clip_norm=settings.clip_norm,
            average=WeightAverage(model, settings.ema) if settings.ema else None,
            parts=settings.accumulate,
            fewest=fewest(model),
        ),
        batches=batches,
    )


def _near(split: Split, context: DeviceContext) -> Split:
    """On the GPU where it fits, so that a batch is a gather there."""
    return split.to(context.device) if not split.streams and context.room_for(split.tensor.nbytes) else split
