"""A data set's images as an audit wants them: each with its features, a hash, its label and its part."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from imgcls.audit.confident_learning import principal_components
from imgcls.audit.fold_networks import ENOUGH_IMAGES
from imgcls.data.catalog import folder_of
from imgcls.data.decode_cache import decoded
from imgcls.data.duplicates import perceptual_hash
from imgcls.data.feature_cache import BATCH
from imgcls.data.grouping import duplicates
from imgcls.data.image_folders import scan
from imgcls.data.photos import StorageFormat
from imgcls.data.splitting import stratified_subset
from imgcls.errors import DatasetError
from imgcls.imaging.preprocess import Preprocess
from imgcls.models import runtimes, transfer
from imgcls.models.forward import in_micro_batches
from imgcls.models.pretrained import load_pretrained, resolve_weights
from imgcls.models.threads import fastest_threads
from imgcls.progress import Progress
from imgcls.recipes import preprocess_for, with_recipe
from imgcls.workspace import Workspace

NETWORK = "efficientnet-lite0"  # whose features an audit compares photos by
TIMED = 4  # photos that go forward to see how many threads are fastest
COMPONENTS = 64  # of a digit's 784 pixels, for telling which lie close


@dataclass
class AuditImages:
    """features: float (N, F); labels: int64 (N,); hashes: bool (N, bits), or None where nearly the same means nothing
    (digits); same: groups of places that hold the very same image; pixels: uint8 (N, C, H, W) of a built-in set, where
    there are enough for networks to learn from; folder and files: of photos."""

    classes: tuple[str, ...]
    features: Tensor
    labels: Tensor
    parts: list[str]
    paths: list[str]
    hashes: Tensor | None = None
    same: list[list[int]] = field(default_factory=list)
    pixels: Tensor | None = None
    folder: Path | None = None
    files: list[Path] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.labels)

    def only(self, places: list[int]) -> AuditImages:
        new_index = {index: i for i, index in enumerate(places)}
        groups = ([new_index[index] for index in group if index in new_index] for group in self.same)
        return replace(
            self,
            features=self.features[places],
            labels=self.labels[places],
            parts=[self.parts[i] for i in places],
            paths=[self.paths[i] for i in places],
            hashes=None if self.hashes is None else self.hashes[places],
            same=[group for group in groups if len(group) > 1],
            pixels=None if self.pixels is None else self.pixels[places],
            files=[self.files[i] for i in places] if self.files else [],
        )


def photo_images(
    dataset: str,
    workspace: Workspace,
    *,
    progress: Progress | None = None,
    network: tuple[nn.Module, Preprocess] | None = None,
) -> AuditImages:
    """All readable photos of a folder, all its parts. network: (images -> features, how it gets them); by default
    NETWORK, pre-trained. Raises DatasetError, WeightsError."""
    folder = folder_of(dataset, workspace)
    photos = scan(folder)
    files = [(path, label, split) for split, pairs in photos.splits.items() for path, label in pairs]
    backbone, preprocess = network or pretrained(NETWORK, dataset, workspace)
    form = StorageFormat.of(preprocess, whole_photo=False)
    # A folder that is decoded for the first time can be stopped meanwhile; what is counted comes after that.
    still = progress and (lambda done, total: progress(0, total))
    decoded_photos = decoded([path for path, _, _ in files], root=folder, progress=still, **asdict(form))
    good = decoded_photos.ok.nonzero()[:, 0]
    if not len(good):
        raise DatasetError("{name} has too few images to compare them.", name=dataset)
    sound_files = [files[i] for i in good.tolist()]
    features, hashes = [], []

    def forward(places: Tensor) -> Tensor:
        return in_micro_batches(backbone, preprocess.to_input(decoded_photos.images[places])).float()

    sample = good[:TIMED]
    with torch.inference_mode(), fastest_threads(lambda: forward(sample), len(good) / len(sample)):
        if isinstance(backbone, transfer.Backbone):
            shown = preprocess.to_input(decoded_photos.images[good[:BATCH]])
            backbone = runtimes.fastest(backbone.model, shown, images=len(good), folder=workspace.cache).run
        for places in good.split(BATCH):
            images = decoded_photos.images[places]
            features.append(forward(places))
            hashes.append(perceptual_hash(images))
            if progress:
                progress(sum(map(len, features)), len(sound_files))
    paths = [path for path, _, _ in sound_files]
    return AuditImages(
        classes=photos.classes,
        features=torch.cat(features),
        labels=torch.tensor([label for _, label, _ in sound_files]),
        parts=[split_name for _, _, split_name in sound_files],
        paths=[path.relative_to(folder).as_posix() for path in paths],
        hashes=torch.cat(hashes),
        same=list(duplicates(paths).values()),
        folder=folder,
        files=paths,
    )


def pretrained(network: str, dataset: str, workspace: Workspace) -> tuple[nn.Module, Preprocess]:
    """A network without its head. Raises WeightsError where its pre-trained weights are not here."""
    settings = with_recipe({"dataset": dataset, "model": network, "transfer": "head"})
    preprocess = preprocess_for(settings)
    path = resolve_weights(settings.weights, model=settings.model, folder=workspace.weight)
    model = load_pretrained(
        settings.model, path, channels=preprocess.channels, classes=2, image_size=preprocess.size
    ).eval()
    backbone, _ = transfer.split_backbone(transfer.folded(model))
    return backbone, preprocess


def known_images(
    dataset: str, workspace: Workspace, *, seed: int = 1, train_images: int = 0, progress: Progress | None = None
) -> AuditImages:
    """A known set, all its parts as that seed divides them, or the `train_images` that a run learns from: the pixels'
    principal components are the features."""
    from imgcls.data.datasets import load_dataset
    from imgcls.data.index_names import names_in_files

    settings = with_recipe({"dataset": dataset, "seed": seed})
    data = load_dataset(settings, workspace, preprocess_for(settings), progress=progress)
    called = names_in_files(data)
    splits = {
        split_name: split for split_name in ("train", "val", "test") if (split := getattr(data, split_name)) is not None
    }
    places = {split_name: list(range(len(split))) for split_name, split in splits.items()}
    if train_images:
        places = {"train": stratified_subset(data.train.labels.tolist(), train_images, seed)}
        splits = {"train": data.train.take(torch.tensor(places["train"]))}
    images = torch.cat([split.tensor for split in splits.values()])
    pixels = images.flatten(1).float() / 255
    centred = pixels - pixels.mean(dim=0)
    names = [(split_name, i) for split_name, numbers in places.items() for i in numbers]
    same_content: dict[bytes, list[int]] = {}
    for i, image in enumerate(images.numpy()):
        same_content.setdefault(image.tobytes(), []).append(i)
    return AuditImages(
        classes=data.classes,
        features=principal_components(centred, COMPONENTS),
        labels=torch.cat([split.labels for split in splits.values()]),
        parts=[split_name for split_name, _ in names],
        paths=[called[split_name][i] for split_name, i in names],
        same=[group for group in same_content.values() if len(group) > 1],
        pixels=images if len(images) >= ENOUGH_IMAGES else None,
    )
