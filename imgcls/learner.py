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

from imgcls.data.batches import Batches, evaluation_batches
from imgcls.data.features import FeatureBatches, evaluation_features
from imgcls.data.sets import DataSet
from imgcls.data.split import Split
from imgcls.devices import Place
from imgcls.evaluate import BATCH, Measured, measure
from imgcls.home import Home
from imgcls.models import build, transfer, weights
from imgcls.optim import make_optimizer
from imgcls.settings import TrainSettings


@dataclass
class Learner:
    """`model` is the whole network, what a checkpoint holds; `stepped` is what a training step runs."""

    settings: TrainSettings
    data: DataSet
    place: Place
    model: nn.Module
    optimizer: torch.optim.Optimizer
    batches: Batches | FeatureBatches
    stepped: nn.Module
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
        yield from features.fill(backbone, self.place.autocast)
        self._val = evaluation_features(
            backbone, self.data.val, self.data.preprocess, self.place.device, self.place.autocast
        )
        self.batches, self.head = features, head
        self.stepped = self.place.share(head)

    def validate(self) -> Measured:
        self.model.eval()
        if self.head is not None:
            return measure(self.head, self._val)
        return measure(self.model, self.images("val"), autocast=self.place.autocast)

    def test(self) -> Measured:
        self.model.eval()
        return measure(self.model, self.images("test"), autocast=self.place.autocast)

    def images(self, part: str, *, batch_size: int = BATCH) -> Iterator[tuple[Tensor, Tensor]]:
        """A part's images in order, as the network gets them, with their labels."""
        split = getattr(self.data, part)
        return evaluation_batches(split, self.data.preprocess, batch_size=batch_size, device=self.place.device)


def make(settings: TrainSettings, data: DataSet, home: Home, place: Place) -> Learner:
    """Raises WeightsError where pre-trained weights are missing or do not fit."""
    torch.manual_seed(settings.seed)
    form = data.preprocess
    shape = {"channels": form.channels, "classes": len(data.classes), "image_size": form.size}
    if settings.transfer == "scratch":
        model = build(settings.model, **shape, init=settings.init)
    else:
        path = weights.resolve(settings.weights, model=settings.model, folder=home.weight)
        model = weights.pretrained(settings.model, path, **shape, init=settings.init)
    transfer.prepare(model, settings.transfer)
    model.to(place.device, memory_format=place.layout(settings.model, form.size))
    groups = transfer.param_groups(
        model, mode=settings.transfer, lr=settings.lr, backbone_factor=settings.backbone_lr_factor
    )
    data = replace(data, train=_near(data.train, place), val=_near(data.val, place))
    batches = Batches(
        data.train,
        form,
        batch_size=settings.batch_size,
        augment=settings.augment,
        seed=settings.seed,
        device=place.device,
        rank=place.rank,
        world=place.world,
    )
    stepped = place.share(model)
    if place.rank:
        torch.manual_seed(settings.seed + place.rank)  # dropout differs from process to process
    return Learner(
        settings=settings,
        data=data,
        place=place,
        model=model,
        optimizer=make_optimizer(groups, settings),
        batches=batches,
        stepped=torch.compile(stepped) if settings.compile else stepped,
    )


def _near(split: Split, place: Place) -> Split:
    """On the GPU where it fits, so that a batch is a gather there."""
    return split.to(place.device) if not split.streams and place.room_for(split.images.nbytes) else split
