"""What is probably wrong with a data set: labels, copies, and images that are like no other.

Of photos the features of a pre-trained network are made once, and everything else is arithmetic on them; of a built-in
set small networks learn. Nothing is changed here: data/edits.py does that when a person has looked.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from imgcls.audit.confident_learning import label_errors, out_of_sample
from imgcls.audit.features import AuditImages, known_images, photo_images
from imgcls.audit.findings import Audit, Suspect
from imgcls.audit.fold_networks import network_probabilities
from imgcls.data.duplicates import duplicate_pairs, neighbours
from imgcls.data.edits import Record
from imgcls.data.folder_split import divide_photos
from imgcls.data.grouping import group_ids
from imgcls.data.registry import is_builtin
from imgcls.data.splitting import flip_labels
from imgcls.errors import DatasetError
from imgcls.progress import Progress
from imgcls.recipes import with_recipe
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace

NEIGHBOUR = 5  # an image is as odd as its fifth nearest one is far: fewer would take a pair of twins for a crowd
CANDIDATES = 10  # nearest ones that are asked whether they are the same picture
ODD = 3.0  # spreads (median absolute deviations) above the median, from which it is worth a look


def audit(
    dataset: str,
    workspace: Workspace,
    *,
    flip: float = 0.0,
    seed: int = 1,
    train_images: int = 0,
    progress: Progress | None = None,
    images: AuditImages | None = None,
) -> Audit:
    """Look through a data set. flip: share of its training labels that are flipped first (by `seed`, as the trainer's
    setting flip_labels does), to see how many of them are found again. train_images: only those that a run with this
    setting learns from. progress: called with (images done, in all).

    images: the features, where they are known already. Raises DatasetError, WeightsError.
    """
    if images is None:
        if is_builtin(dataset):
            images = known_images(dataset, workspace, seed=seed, train_images=train_images, progress=progress)
        else:
            images = photo_images(dataset, workspace, progress=progress)
    run = with_recipe({"dataset": dataset, "flip_labels": flip, "seed": seed, "train_images": train_images})
    if train_images and images.folder:
        learnt = {path for path, _ in divide_photos(run, workspace).splits["train"]}
        images = images.only([i for i, path in enumerate(images.files) if path in learnt])
    if len(images) < 3:
        raise DatasetError("{name} has too few images to compare them.", name=dataset)
    labels, flipped = _flipped(images, run, workspace)
    record = Record.read(images.folder) if images.folder else Record()
    probabilities = _probabilities(images, labels, progress).numpy()
    # What all images have in common tells none apart: twins are looked for around the mean, oddities are not.
    cosines, places = neighbours(images.features - images.features.mean(dim=0), count=CANDIDATES)
    alike, _ = neighbours(images.features, count=NEIGHBOUR)
    label_issues = label_errors(probabilities, labels.numpy())
    suspects = [
        *_labels(images, labels, label_issues, record),
        *_copies(images, labels, cosines, places, record),
        *_oddities(images, labels, alike, record),
    ]
    is_flipped = [bool(flipped[i]) for i, _, _ in label_issues]
    return Audit(
        name=dataset,
        classes=images.classes,
        images=len(images),
        suspects=tuple(suspects),
        flipped=int(flipped.sum()),
        precision=sum(is_flipped) / len(is_flipped) if flip and is_flipped else None,
        recall=sum(is_flipped) / int(flipped.sum()) if flipped.any() else None,
    )


def _probabilities(images: AuditImages, labels: Tensor, progress: Progress | None) -> Tensor:
    """Out of sample: by small networks where there are many small images, else by linear heads on the features."""
    if images.pixels is not None:
        return network_probabilities(images.pixels, labels, len(images.classes), progress=progress)
    groups = group_ids(images.files) if images.files else None
    return out_of_sample(images.features, labels, len(images.classes), groups=groups)


def _flipped(images: AuditImages, run: TrainSettings, workspace: Workspace) -> tuple[Tensor, Tensor]:
    """(labels, which of them are wrong on purpose): those that the run learns from."""
    labels, flipped = images.labels.clone(), torch.zeros(len(images), dtype=torch.bool)
    if not run.flip_labels:
        return labels, flipped
    if images.folder:
        wrong_labels = divide_photos(run, workspace).flipped
        changed = [i for i, path in enumerate(images.paths) if path in wrong_labels]
        labels[changed] = torch.tensor([wrong_labels[images.paths[i]] for i in changed], dtype=labels.dtype)
    else:
        train = torch.tensor([split == "train" for split in images.parts]).nonzero()[:, 0]
        labels[train], places = flip_labels(labels[train], len(images.classes), share=run.flip_labels, seed=run.seed)
        changed = train[places]
    flipped[changed] = True
    return labels, flipped


def _labels(
    images: AuditImages, labels: Tensor, label_issues: list[tuple[int, int, float]], record: Record
) -> list[Suspect]:
    suspects = []
    for i, other, score in label_issues:
        label = images.classes[labels[i]]
        if not record.is_right(images.paths[i], "label", label):
            suspects.append(Suspect(images.paths[i], label, images.classes[other], round(score, 4), "label"))
    return suspects


def _copies(images: AuditImages, labels: Tensor, cosines: Tensor, places: Tensor, record: Record) -> list[Suspect]:
    """Each pair once: of two parts first, which make figures too good, then of two classes, then the most alike."""
    pairs = []
    for a, b, alike in duplicate_pairs(cosines, places, images.hashes, images.same):
        first, other = sorted((a, b), key=lambda i: (images.parts[i] == "train", images.paths[i]))
        path, twin = images.paths[first], images.paths[other]
        if not record.is_right(path, "duplicate", twin):
            worse = (images.parts[a] != images.parts[b], bool(labels[a] != labels[b]))
            suspect = Suspect(path, images.classes[labels[first]], twin, round(alike, 4), "duplicate")
            pairs.append((*worse, alike, suspect))
    return [suspect for *_, suspect in sorted(pairs, key=lambda p: (p[:3], p[3].path), reverse=True)]


def _oddities(images: AuditImages, labels: Tensor, cosines: Tensor, record: Record) -> list[Suspect]:
    """Source: Sun et al. 2022, "Out-of-Distribution Detection with Deep Nearest Neighbors", section 3."""
    distance = (1 - cosines[:, -1]).clamp(0, 1).numpy()
    middle = float(np.median(distance))
    spread = max(1e-6, float(np.median(np.abs(distance - middle))) * 1.4826)
    suspects = []
    for i in np.argsort(-distance, kind="stable"):
        if distance[i] < middle + ODD * spread:
            break
        if not record.is_right(images.paths[i], "outlier", ""):
            label = images.classes[labels[i]]
            suspects.append(Suspect(images.paths[i], label, "", round(float(distance[i]), 4), "outlier"))
    return suspects
