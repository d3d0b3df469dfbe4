"""A trained network and its data -> its calibration: at the end of a run, and for checkpoints that have none.

Costs one pass over the validation images and one over as many training images, without gradients, or next to nothing
where a run has kept their features; a network that reads digits also looks at drawings that are none.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from imgcls.data.datasets import DataSet, as_answered
from imgcls.data.loader import evaluation_batches
from imgcls.data.negatives import load_drawings
from imgcls.data.pen_augmentation import pen
from imgcls.data.registry import DIGITS
from imgcls.data.splitting import Split
from imgcls.errors import CheckpointError
from imgcls.imaging.preprocess import Preprocess
from imgcls.inference.calibration import OODDetector
from imgcls.inference.calibration_fit import NEIGHBOURS, LayerOutputs, fit, fit_detector
from imgcls.inference.features import TINY, FeatureExtractor
from imgcls.inference.metrics import BATCH
from imgcls.models import transfer
from imgcls.progress import Progress

MAX_IMAGES = 8000  # validation images; half as many training images of a tiny network
WIDEST_TRAIL = 8192
LEARNT_FROM = 3000  # training images beside the pen drawings
LARGE_RUN = 20_000  # training images: a smaller run is not held up by all the drawings there are


def calibrate(
    model: nn.Module,
    data: DataSet,
    *,
    device: torch.device | None = None,
    progress: Progress = lambda done, total: None,
    features: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """The tensors to keep beside the weights. The network is left as it is.

    features: {"train" and "val": what goes into the last layer, (N, F)}, in the order of the images.
    """
    device = device or torch.device("cpu")
    tap = FeatureExtractor(copy.deepcopy(model).to(device).eval())
    tiny = transfer.count_parameters(model)[1] <= TINY
    places = {
        "train": _places(len(data.train), MAX_IMAGES // 2 if tiny else NEIGHBOURS),
        "val": _places(len(data.val), MAX_IMAGES),
    }
    # On a GPU the whole set may lie there; these few go to where their numbers and the drawings are.
    train, val = (_taken(getattr(data, part), places[part]).to(torch.device("cpu")) for part in ("train", "val"))
    if features is None:  # those are of the images as they are answered
        train = as_answered(data, train)
    total, done = len(train) + len(val), 0
    known = features if tap.width == tap.features + tap.classes else None  # other layers' inputs were not kept

    @torch.inference_mode()
    def seen(split: Split, part: str) -> tuple[LayerOutputs, Tensor]:
        nonlocal done
        if known is not None:
            rows_of = known[part]
            given = rows_of[places[part].to(rows_of.device)].to(device)
            logits = transfer.head_of(tap.model)(given)
            trail = torch.cat([given, logits], dim=1).cpu()
            return LayerOutputs(trail, logits.cpu(), split.labels.cpu()), torch.arange(len(split))
        rows: list[tuple[Tensor, ...]] = []
        numbered = replace(split, labels=torch.arange(len(split)))
        for inputs, indices in evaluation_batches(numbered, data.preprocess, batch_size=BATCH, device=device):
            rows.append((*(t.float().cpu() for t in reversed(tap(inputs))), indices.cpu()))
            done += len(indices)
            progress(done, total)
        if not rows:
            raise CheckpointError("There is no image to calibrate on.")
        trail, logits, indices = (torch.cat(column) for column in zip(*rows, strict=True))
        return LayerOutputs(trail, logits, split.labels[indices]), indices

    (of_train, which), (of_val, _) = seen(train, "train"), seen(val, "val")
    names = None
    if not tiny and train.paths is not None:
        names = [_short(train.paths[i]) for i in which.tolist()]
    detector, also = _of_digits(data, tap, device)
    return fit(of_train, of_val, features=tap.features, names=names, also=also, detector=detector).tensors()


def _of_digits(data: DataSet, tap: FeatureExtractor, device: torch.device) -> tuple[OODDetector | None, Tensor | None]:
    """(a detector, trails of drawings by other writers that are to pass), for a network that reads digits."""
    form = data.preprocess
    kept = load_drawings() if form.resize_mode == "digit" and data.classes == DIGITS else None
    if kept is None or tap.width > WIDEST_TRAIL:
        return None, None
    known, held_out = kept
    own = _taken(data.train, _places(len(data.train), LEARNT_FROM)).to(torch.device("cpu"))
    (images, _, _), *_ = own.read([torch.arange(len(own))])
    every = max(1, min(5, LARGE_RUN // len(data.train)))
    digits, others = torch.cat([known.digits, images[:, :1]])[::every], known.others[::every]
    trails = [_trails(tap, form, torch.cat([part, _bent(part)]), device) for part in (digits, others)]
    return fit_detector(*trails), _trails(tap, form, held_out.images, device)


@torch.inference_mode()
def _trails(tap: FeatureExtractor, form: Preprocess, images: Tensor, device: torch.device) -> Tensor:
    """images: uint8 (N, 1, 28, 28)."""
    made = []
    for some in images.split(BATCH):
        stored = some.expand(-1, form.channels, -1, -1)
        if form.storage_size != stored.shape[-1]:
            stored = torch.nn.functional.interpolate(stored.float(), form.storage_size, mode="bilinear")
        made.append(tap(form.to_input(stored.to(device)))[1].float().cpu())
    return torch.cat(made)


def _bent(images: Tensor) -> Tensor:
    """Another hand's and another pen's, by a fixed seed."""
    generator = torch.Generator().manual_seed(0)
    return torch.cat(
        [pen(some.float() / 255, generator=generator).mul(255).round().to(torch.uint8) for some in images.split(1000)]
    )


def _places(count: int, most: int) -> Tensor:
    """Of at most so many images, the same ones each time."""
    if count <= most:
        return torch.arange(count)
    return torch.randperm(count, generator=torch.Generator().manual_seed(0))[:most].sort().values


def _taken(split: Split, places: Tensor) -> Split:
    return split if len(places) == len(split) else split.take(places)  # taking all of them would copy all


def _short(path: str) -> str:
    """class/file: enough to find it in the data set, nothing of where that lies."""
    return "/".join(Path(path).parts[-2:])
