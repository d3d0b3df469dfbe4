"""Settings and a data set -> the thing that learns: a network, what of it trains, and the batches it trains on.

This is the joint between data, models and the trainer's loop. The loop sees one module and one kind of batches,
whether the whole network learns from images or only a head from cached features. Knows no epochs and no events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from imgcls.data.datasets import DataSet
from imgcls.data.feature_cache import FeatureBatches, evaluation_features
from imgcls.data.loader import Batches, evaluation_batches
from imgcls.data.splitting import Split
from imgcls.inference.metrics import BATCH, EvalResult, evaluate
from imgcls.models import build, transfer
from imgcls.models.pretrained import load_pretrained, resolve_weights
from imgcls.settings import TrainSettings
from imgcls.training.device import DeviceContext
from imgcls.training.optim import make_optimizer
from imgcls.workspace import Workspace


@dataclass
class Learner:
    """`model` is the whole network, what a checkpoint holds; `train_module` is what a training step runs."""

    settings: TrainSettings
    data: DataSet
    context: DeviceContext
    model: nn.Module
    optimizer: torch.optim.Optimizer
    batches: Batches | FeatureBatches
    train_module: nn.Module
    head: nn.Module | None = None  # once the backbone's features are kept
    _val: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def begin_epoch(self, epoch: int) -> None:
        """Training mode, with whatever part of the network learns in this epoch."""
        if self.settings.transfer == "finetune" and self.settings.unfreeze_epochs:
            transfer.unfreeze_at(self.model, epoch, self.settings.unfreeze_epochs)
        transfer.train_mode(self.model, self.settings.transfer)

    def cache_features(self, *, file: Path) -> Iterator[tuple[int, int]]:
        """Head only: run the frozen backbone once over training and validation images; (images done, in all)."""
        assert isinstance(self.batches, Batches)
        self.model.eval()
        head = transfer.head_of(self.model)
        backbone, _ = transfer.split_backbone(transfer.folded(self.model))
        views = 1 if self.settings.augment == "none" else self.settings.augment_views
        features = FeatureBatches(self.batches, views=views, file=file)
        yield from features.fill(backbone, self.context.autocast)
        self._val = evaluation_features(
            backbone, self.data.val, self.data.preprocess, self.context.device, self.context.autocast
        )
        self.batches, self.head = features, head
        self.train_module = self.context.wrap_ddp(head)

    def validate(self) -> EvalResult:
        self.model.eval()
        if self.head is not None:
            return evaluate(self.head, self._val)
        return evaluate(self.model, self.images("val"), autocast=self.context.autocast)

    def test(self) -> EvalResult:
        self.model.eval()
        return evaluate(self.model, self.images("test"), autocast=self.context.autocast)

    def images(self, part: str, *, batch_size: int = BATCH) -> Iterator[tuple[Tensor, Tensor]]:
        """A part's images in order, as the network gets them, with their labels."""
        split = getattr(self.data, part)
        return evaluation_batches(split, self.data.preprocess, batch_size=batch_size, device=self.context.device)


def make_learner(settings: TrainSettings, data: DataSet, workspace: Workspace, context: DeviceContext) -> Learner:
    """Raises WeightsError where pre-trained weights are missing or do not fit."""
    torch.manual_seed(settings.seed)
    form = data.preprocess
    shape = {"channels": form.channels, "classes": len(data.classes), "image_size": form.size}
    if settings.transfer == "scratch":
        model = build(settings.model, **shape, init=settings.init)
    else:
        path = resolve_weights(settings.weights, model=settings.model, folder=workspace.weight)
        model = load_pretrained(settings.model, path, **shape, init=settings.init)
    transfer.prepare(model, settings.transfer)
    model.to(context.device, memory_format=context.layout(settings.model, form.size))
    groups = transfer.param_groups(
        model, mode=settings.transfer, lr=settings.lr, backbone_factor=settings.backbone_lr_factor
    )
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
    )
    train_module = context.wrap_ddp(model)
    if context.rank:
        torch.manual_seed(settings.seed + context.rank)  # dropout differs from process to process
    return Learner(
        settings=settings,
        data=data,
        context=context,
        model=model,
        optimizer=make_optimizer(groups, settings),
        batches=batches,
        train_module=torch.compile(train_module) if settings.compile else train_module,
    )


def _near(split: Split, context: DeviceContext) -> Split:
    """On the GPU where it fits, so that a batch is a gather there."""
    return split.to(context.device) if not split.streams and context.room_for(split.images.nbytes) else split
