"""`adopt`: make a checkpoint of a file of weights that was saved elsewhere. The last line on stdout is its path."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from imgcls.checkpoints.import_weights import IMAGE_KINDS, import_weights, proposed, proposed_classes
from imgcls.checkpoints.recognition import RecognisedNetwork, recognise
from imgcls.data.registry import kind_of
from imgcls.errors import DatasetError, SettingsError
from imgcls.models.registry import REGISTRY
from imgcls.workspace import Workspace


def run(arguments: argparse.Namespace) -> int:
    workspace = Workspace.from_environment()
    file = Path(os.path.expanduser(arguments.file))
    kind, changes = _preprocess(arguments.preprocess or "")
    recognised, _ = recognise(file, size=int(changes.get("size") or 0))
    title = REGISTRY[recognised.model].title
    print(
        f"{file.name} is {title} with {recognised.channels} channels and {recognised.classes} classes.", file=sys.stderr
    )
    classes = _classes(arguments, workspace) or proposed_classes(recognised)
    if not classes and sys.stdin.isatty():
        classes = _named(input("Names of the classes, in their order, with commas between: "))
    if not classes:
        raise SettingsError(
            "{file} does not say what its {count} classes are called: give --classes a,b,c or --classes-from DATASET.",
            file=file.name,
            count=recognised.classes,
        )
    if arguments.classes_from and not kind:
        kind = kind_of(arguments.classes_from)
    chosen = None
    if arguments.classes_from:
        chosen = _tried(file, arguments.classes_from, workspace, classes=classes, kind=kind, changes=changes)
    elif recognised.guessed and not recognised.proved:
        print(
            "How its layers are joined is a guess from their sizes, with ReLU and max pooling: --classes-from DATASET "
            "tries every form on images.",
            file=sys.stderr,
        )
    form = proposed(chosen or recognised, kind=kind, changes=changes)
    print(
        f"Images reach it at {form.size}x{form.size} ({form.resize_mode}), mean {form.mean}, std {form.std}; "
        "--preprocess says otherwise.",
        file=sys.stderr,
    )
    print(
        import_weights(
            file, workspace, classes=classes, name=arguments.name or "", kind=kind, changes=changes, chosen=chosen
        )
    )
    return 0


def _classes(arguments: argparse.Namespace, workspace: Workspace) -> tuple[str, ...]:
    if arguments.classes:
        return _named(arguments.classes)
    if not arguments.classes_from:
        return ()
    from imgcls.training.trial import classes_in

    return classes_in(arguments.classes_from, workspace)


def _named(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.replace("，", ",").split(",") if item.strip())


def _preprocess(text: str) -> tuple[str, dict[str, Any]]:
    """ "photos,size=160,mean=0.5/0.5/0.5" -> ("photos", {"size": 160, "mean": (.5, .5, .5)})."""
    kind, changes = "", {}
    for item in filter(None, (item.strip() for item in text.split(","))):
        name, equals, value = item.partition("=")
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
                part=item[:60],
                kinds=", ".join(IMAGE_KINDS),
            ) from None
    return kind, changes


def _tried(file: Path, dataset: str, workspace: Workspace, **options: Any) -> RecognisedNetwork | None:
    """The form that answers best on some images of the data set whose classes it has; None where that cannot be."""
    from imgcls.training.trial import try_on

    try:
        trials = try_on(file, dataset, workspace, **options)
    except DatasetError as error:
        print(f"Not tried on {dataset}: {error}", file=sys.stderr)
        return None
    best = trials[0]
    how = ", ".join([REGISTRY[best.found.model].title, *(f"{k} {v}" for k, v in best.found.options.items())])
    of = f", the best of {len(trials)} forms" if len(trials) > 1 else ""
    print(f"{how}: right on {best.right} of {best.images} images of {dataset} ({best.part}){of}.", file=sys.stderr)
    if best.is_guessing:
        print(
            "That is little better than a guess: its classes may be in another order, or its images made ready "
            "in another way.",
            file=sys.stderr,
        )
    return best.found
