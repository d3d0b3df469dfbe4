"""The images that a trained network is measured on: a part of its own data set, or another set with classes it knows.

Its own set is divided as its run's manifest says; without one, as its settings say. Nothing but the part that is asked
for is decoded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from imgcls.data.catalog import folder_of
from imgcls.data.content_digests import content_digests
from imgcls.data.datasets import CORRECTED, built_in_images, builtin_set, decode
from imgcls.data.folder_problems import listed
from imgcls.data.folder_split import divide_photos, photos_of
from imgcls.data.image_folders import PhotoFolder, scan
from imgcls.data.manifest import LeftOut, Manifest
from imgcls.data.photos import StorageFormat, StreamingPhotos
from imgcls.data.registry import classes_of, has_test, is_builtin
from imgcls.data.splitting import Split, join
from imgcls.errors import DatasetError
from imgcls.imaging.preprocess import Preprocess
from imgcls.messages import Message, Setting
from imgcls.progress import Progress
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace

PARTS = ("train", "val", "test", "all")
Sample = Callable[[Sequence[int]], Sequence[int]]  # labels of all images -> the places of those that are wanted


@dataclass(frozen=True)
class TrainedOn:
    """What is known of the data that a network was trained on. manifest: its run's, None where that is not known;
    fingerprint: of the division, which tells a run of an earlier version whether its data have changed."""

    settings: TrainSettings
    manifest: Manifest | None = None
    fingerprint: str = ""


@dataclass(frozen=True)
class EvaluationSet:
    """`part`: of the data set, or "all"; `ids`: what tells each image of `split` from every other (data/manifest.py);
    `left_out`: images of the part that cannot be measured; `divided_anew`: photos have come, gone or moved since the
    network was trained, and which of them it has learnt from is not known."""

    split: Split
    part: str
    ids: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()
    divided_anew: bool = False


def evaluation_set(
    dataset: str,
    workspace: Workspace,
    *,
    trained: TrainedOn,
    preprocess: Preprocess,
    classes: Sequence[str],
    part: str = "",
    sample: Sample | None = None,
    progress: Progress | None = None,
) -> EvaluationSet:
    """The images of `dataset`, in the form that `preprocess` wants.

    Of the network's own data set the test part is taken, or the validation part where there is none; of a built-in set
    the test part; of any other all images ("all"). part: "train", "val", "test" or "all" to ask for that one. sample:
    of that part only these; no other photo is decoded, and these are read when they are asked for, and not cached.
    Raises DatasetError where there is no such part, or where the set has classes that the network does not know.
    """
    if part and part not in PARTS:
        raise DatasetError("There is no split {name}: choose one of {known}.", name=part, known=", ".join(PARTS))
    if is_builtin(dataset):
        own = is_own(dataset, trained.settings, workspace)
        part = part or ("test" if has_test(dataset) else "val" if own else "all")
        evaluation = _built_in(dataset, workspace, trained, preprocess, classes, part, sample, progress)
    else:
        evaluation = _photos(dataset, workspace, trained, preprocess, classes, part, sample, progress)
    if not len(evaluation.split):
        raise DatasetError(
            "{name} has no readable image to use for {part}: look at its report.",
            name=dataset,
            part=Setting("part", evaluation.part),
        )
    wanted_shape = (preprocess.channels, preprocess.storage_size, preprocess.storage_size)
    if tuple(evaluation.split.images.shape[1:]) != wanted_shape:
        raise DatasetError(
            "{name} has images of {shape}, but the checkpoint wants {wanted}: choose a data set of the same kind.",
            name=dataset,
            shape=tuple(evaluation.split.images.shape[1:]),
            wanted=wanted_shape,
        )
    return evaluation


def load_for_evaluation(
    dataset: str,
    workspace: Workspace,
    *,
    trained: TrainSettings,
    preprocess: Preprocess,
    classes: tuple[str, ...],
    part: str = "",
    progress: Progress | None = None,
) -> tuple[Split, str]:
    """(images, which part of `dataset` they are), for whoever wants nothing but images to try a network on."""
    trained_on = TrainedOn(trained)
    evaluation = evaluation_set(
        dataset, workspace, trained=trained_on, preprocess=preprocess, classes=classes, part=part, progress=progress
    )
    return evaluation.split, evaluation.part


def is_own(dataset: str, trained: TrainSettings, workspace: Workspace) -> bool:
    """Whether a network has been trained on this data set, or on a part of it."""
    return same_data(dataset, trained.dataset, workspace)


def same_data(first: str, other: str, workspace: Workspace) -> bool:
    """Whether two names stand for one folder, or share a built-in set."""
    if is_builtin(first):
        return bool(set(first.split("+")) & set(other.split("+")))
    return not is_builtin(other) and _same_folder(first, other, workspace)


def _photos(
    dataset: str,
    workspace: Workspace,
    trained: TrainedOn,
    preprocess: Preprocess,
    classes: Sequence[str],
    part: str,
    sample: Sample | None,
    progress: Progress | None,
) -> EvaluationSet:
    folder, own = folder_of(dataset, workspace), is_own(dataset, trained.settings, workspace)
    photos, manifest = scan(folder, least=1), trained.manifest if own else None
    _known_to_the_network(dataset, photos, classes)
    splits, anew = dict(photos.splits), False
    if manifest is not None:
        splits = photos_of(manifest, photos, folder)
    elif own:  # divided as for training, with the labels that the photos have
        settings = trained.settings.model_copy(update={"dataset": dataset, "flip_labels": 0.0})
        splits = divide_photos(settings, workspace).splits
        anew = "val" not in photos.splits and _divided_anew(trained, workspace)
    part = part or (("test" if "test" in splits else "val") if own else "all")
    whole = [pair for pairs in photos.splits.values() for pair in pairs]
    pairs = whole if part == "all" else splits.get(part, [])
    index = {name: classes.index(name) for name in photos.classes}
    pairs = [(path, index[photos.classes[label]]) for path, label in pairs]
    left_out: list[LeftOut] = []
    if sample is not None:
        split = _streamed([pairs[i] for i in sample([label for _, label in pairs])], preprocess)
    else:
        split = decode(folder, pairs, preprocess, left_out, progress)
    ids = content_digests([Path(path) for path in split.paths or ()], folder)
    if manifest is not None and part in manifest.splits and part not in photos.splits:
        left_out += _lost(manifest, part, {*content_digests([path for path, _ in whole], folder)})
    return EvaluationSet(split, part, ids, tuple(left_out), anew and part == "val")


def _streamed(pairs: Sequence[tuple[Path, int]], preprocess: Preprocess) -> Split:
    paths = tuple(str(path) for path, _ in pairs)
    photos = StreamingPhotos(paths, **asdict(StorageFormat.of(preprocess, whole_photo=False)))
    return Split(photos, torch.tensor([label for _, label in pairs], dtype=torch.int64), None, paths)


def _known_to_the_network(dataset: str, photos: PhotoFolder, classes: Sequence[str]) -> None:
    """A folder with some of the network's classes is measured on those; raises DatasetError where it has others."""
    if not set(photos.classes) <= set(classes):
        raise DatasetError(
            "{name} has the classes {classes}, but the checkpoint knows {known}: choose a data set with "
            "the same classes.",
            name=dataset,
            classes=listed(photos.classes),
            known=listed(classes),
        )


def _lost(manifest: Manifest, part: str, existing: set[str]) -> list[LeftOut]:
    """Images of a run's split that are no longer in its folder, as they were."""
    split = manifest.splits[part]
    return [
        LeftOut(path, Message("{path} is gone, or holds another picture now.", path=path))
        for path, image_id in zip(split.paths, split.ids, strict=True)
        if image_id not in existing
    ]


def _divided_anew(trained: TrainedOn, workspace: Workspace) -> bool:
    """Whether photos have come, gone or moved since a network was trained on them, so that the validation part held out
    of them may now hold some that it has learnt from."""
    if not trained.fingerprint:
        return False
    files = divide_photos(trained.settings, workspace)
    # What was kept of other pictures is no part of the folder; an earlier version wrote it behind without a mark.
    own_fingerprint = trained.fingerprint.split(CORRECTED)[0]
    own_fingerprint = own_fingerprint[: len(files.fingerprint)] if trained.settings.corrections else own_fingerprint
    return files.fingerprint != own_fingerprint


def _built_in(
    dataset: str,
    workspace: Workspace,
    trained: TrainedOn,
    preprocess: Preprocess,
    classes: Sequence[str],
    part: str,
    sample: Sample | None,
    progress: Progress | None,
) -> EvaluationSet:
    """What is not asked for is not made."""
    own_classes, manifest = classes_of(dataset), trained.manifest
    if own_classes != tuple(classes):
        raise DatasetError(
            "{name} has the classes {classes}, but the checkpoint knows {known}: choose a data set with "
            "the same classes.",
            name=dataset,
            classes=listed(own_classes),
            known=listed(classes),
        )
    empty = EvaluationSet(Split(torch.empty(0), torch.empty(0, dtype=torch.int64)), part, ())
    if part == "test":
        split, ids = built_in_images(dataset, workspace, "test", progress)
        return _sampled(split, part, ids, sample) if split is not None else empty
    if manifest is not None and part in ("train", "val") and is_own(dataset, trained.settings, workspace):
        split, ids = built_in_images(dataset, workspace, "train", progress)
        image_ids = manifest.trained if part == "train" else manifest.validated
        indices = [i for i, image_id in enumerate(ids) if image_id in image_ids]
        assert split is not None
        if sample is not None:
            indices = [indices[i] for i in sample(split.labels[indices].tolist())]
        return (
            EvaluationSet(split.take(torch.tensor(indices)), part, tuple(ids[i] for i in indices)) if indices else empty
        )
    settings = trained.settings.model_copy(update={"dataset": dataset})
    evaluation = builtin_set(settings, workspace, preprocess, progress)
    names = [name for name in (PARTS[:-1] if part == "all" else (part,)) if name in evaluation.sizes]
    if not names:
        return empty
    split = join([getattr(evaluation, name) for name in names])
    ids = tuple(image_id for name in names for image_id in evaluation.manifest.splits[name].ids)
    return _sampled(split, part, ids, sample)


def _sampled(split: Split, part: str, ids: Sequence[str], sample: Sample | None) -> EvaluationSet:
    if sample is None:
        return EvaluationSet(split, part, tuple(ids))
    places = sample(split.labels.tolist())
    return EvaluationSet(split.take(torch.tensor(places)), part, tuple(ids[i] for i in places))


def _same_folder(first: str, other: str, workspace: Workspace) -> bool:
    try:
        return os.path.samefile(folder_of(first, workspace), folder_of(other, workspace))
    except (DatasetError, OSError):
        return False
