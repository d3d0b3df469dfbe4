"""`adopt`: make a checkpoint of a file of weights that was saved elsewhere. The last line on stdout is its path."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from imgcls.checkpoints.import_weights import KINDS, adopt, proposed, proposed_classes
from imgcls.checkpoints.recognition import recognise
from imgcls.data.registry import classes_of, is_builtin, kind_of
from imgcls.errors import DatasetError, SettingsError
from imgcls.models.registry import REGISTRY
from imgcls.workspace import Workspace

SAMPLE = 200  # images on which a new checkpoint is tried


def run(arguments: argparse.Namespace) -> int:
    workspace = Workspace.from_environment()
    file = Path(arguments.file).expanduser()
    found, _ = recognise(file)
    title = REGISTRY[found.model].title
    print(f"{file.name} is {title} with {found.channels} channels and {found.classes} classes.", file=sys.stderr)
    classes = _classes(arguments, workspace) or proposed_classes(found)
    if not classes and sys.stdin.isatty():
        classes = _named(input("Names of the classes, in their order, with commas between: "))
    if not classes:
        raise SettingsError(
            "{file} does not say what its {count} classes are called: give --classes a,b,c or --classes-from DATASET.",
            file=file.name,
            count=found.classes,
        )
    kind, changes = _preprocess(arguments.preprocess or "")
    if arguments.classes_from and not kind:
        kind = kind_of(arguments.classes_from)
    form = proposed(found, kind=kind, changes=changes)
    print(
        f"Images reach it at {form.size}x{form.size} ({form.resize_mode}), mean {form.mean}, std {form.std}; "
        "--preprocess says otherwise.",
        file=sys.stderr,
    )
    path = adopt(file, workspace, classes=classes, name=arguments.name or "", kind=kind, changes=changes)
    if arguments.classes_from:
        _try(path, arguments.classes_from, workspace)
    print(path)
    return 0


def _classes(arguments: argparse.Namespace, workspace: Workspace) -> tuple[str, ...]:
    if arguments.classes:
        return _named(arguments.classes)
    if not arguments.classes_from:
        return ()
    from imgcls.data.catalog import folder_of
    from imgcls.data.image_folders import scan

    name = arguments.classes_from
    return classes_of(name) if is_builtin(name) else tuple(scan(folder_of(name, workspace)).classes)


def _named(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.replace("，", ",").split(",") if part.strip())


def _preprocess(text: str) -> tuple[str, dict[str, Any]]:
    """ "photos,size=160,mean=0.5/0.5/0.5" -> ("photos", {"size": 160, "mean": (.5, .5, .5)})."""
    kind, changes = "", {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals:
            kind = name
            continue
        try:
            if name in ("mean", "std"):
                changes[name] = tuple(float(v) for v in value.split("/"))
            elif name in ("size", "storage_size"):
                changes[name] = int(value)
            elif name == "crop":
                changes[name] = float(value)
            elif name in ("resize_mode", "interpolation", "upscale"):
                changes[name] = value
            else:
                raise ValueError
        except ValueError:
            raise SettingsError(
                "--preprocess has {part}: give a kind ({kinds}) and, where it differs, size=, mean=, std=, "
                "resize_mode=, interpolation= or crop=.",
                part=part[:60],
                kinds=", ".join(KINDS),
            ) from None
    return kind, changes


def _try(path: Path, dataset: str, workspace: Workspace) -> None:
    """On some images of the data set whose classes it has: names in another order would show at once."""
    import torch

    from imgcls.checkpoints.format import load_checkpoint
    from imgcls.data.evaluation_sets import load_for_evaluation
    from imgcls.data.loader import evaluation_batches
    from imgcls.inference.metrics import BATCH, evaluate
    from imgcls.settings import TrainSettings

    model, meta = load_checkpoint(path)
    try:
        split, part = load_for_evaluation(
            dataset,
            workspace,
            trained=TrainSettings(val_split=0.2),  # on no part of a folder: all of it is new to the network
            preprocess=meta.preprocess,
            classes=meta.classes,
        )
    except DatasetError as error:
        print(f"Not tried on {dataset}: {error}", file=sys.stderr)
        return
    some = torch.randperm(len(split), generator=torch.Generator().manual_seed(0))[:SAMPLE].sort().values
    batches = evaluation_batches(split.take(some), meta.preprocess, batch_size=BATCH, device=torch.device("cpu"))
    measured = evaluate(model, batches)
    right = int((measured.predicted == measured.labels).sum())
    count = len(measured.labels)
    print(f"Right on {right} of {count} images of {dataset} ({part}).", file=sys.stderr)
    if right < 2 * count / len(meta.classes):
        print(
            "That is little better than a guess: its classes may be in another order, or its images made ready "
            "in another way.",
            file=sys.stderr,
        )
