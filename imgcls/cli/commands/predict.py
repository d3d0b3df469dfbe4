"""`predict`: classify images and folders of images, in batches; one that cannot be read does not stop the rest."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from imgcls.checkpoints.store import checkpoint_path
from imgcls.cli.main import to_json
from imgcls.errors import InputError
from imgcls.imaging.image_files import find_images
from imgcls.imaging.image_io import notes_of, opened_image
from imgcls.inference.classify import Classification, Prepared, classify_prepared, prepare
from imgcls.inference.predictor import Predictor
from imgcls.messages import printable
from imgcls.workspace import Workspace

BATCH = 64
WHY_NOT = {
    "dot": " (not sure: a dot)",
    "scribble": " (not sure: too much ink)",
    "unfamiliar": " (not sure: like nothing it was trained on; nearest {nearest})",
}


def run(arguments: argparse.Namespace) -> int:
    predictor = Predictor.load(checkpoint_path(arguments.checkpoint, Workspace.from_environment()))
    failed = False
    closed: list[Path] = []
    paths = files(arguments.images, closed)
    any_image = False
    while chunk := list(islice(paths, BATCH)):
        any_image = True
        notes: dict[Path, list[str]] = {}
        for path, answer in classify(predictor, chunk, top=arguments.top, notes=notes):
            failed |= isinstance(answer, str)
            tell(path, answer, notes.get(path, []), in_json=arguments.json)
    for folder in closed:
        tell(folder, f"The folder {folder} may not be read: check who may.", [], in_json=arguments.json)
    if not any_image and not closed:
        raise InputError("There is no image in {folders}: name images, or a folder of them.", folders=_named(arguments))
    return 1 if failed or closed else 0


def _named(arguments: argparse.Namespace) -> str:
    return ", ".join(os.path.abspath(name) for name in arguments.images)


def tell(path: Path, answer: Classification | str, notes: list[str], *, in_json: bool) -> None:
    """One line of output; what is wrong, and what should be known, goes to where errors go."""
    if in_json:
        print(as_json(path, answer, notes), flush=True)
        return
    for note in notes:
        print(f"imgcls: {note}", file=sys.stderr)
    print(as_text(path, answer), flush=True)


def files(named: list[str], closed: list[Path]) -> Iterator[Path]:
    """Every file that was named, and every image under every folder that was named; `closed` receives the folders that
    may not be read."""
    for name in named:
        path = Path(name)
        if os.path.isdir(path):
            yield from find_images(path, closed=closed)
        else:
            yield path


def classify(
    predictor: Predictor, paths: list[Path], *, top: int, notes: dict[Path, list[str]]
) -> Iterator[tuple[Path, Classification | str]]:
    """Each path with what it was read as, or with the sentence that says why it was not; in order. `notes` receives
    what should be known of one that was read all the same."""
    prepared: dict[int, Prepared] = {}
    errors: dict[int, str] = {}
    form = predictor.meta.preprocess
    for i, path in enumerate(paths):
        try:
            with opened_image(path, keep_alpha=True, near=form.decode_side) as image:
                prepared[i] = prepare(form, image)
                notes[path] = [str(note) for note in notes_of(image)]
        except InputError as error:
            errors[i] = str(error)
    with predictor.threads(len(prepared)):
        answers = dict(zip(prepared, classify_prepared(predictor, list(prepared.values()), top=top), strict=True))
    for i, path in enumerate(paths):
        yield path, answers[i] if i in answers else errors[i]


def as_json(path: Path, answer: Classification | str, notes: list[str]) -> str:
    if isinstance(answer, str):
        return to_json({"path": str(path), "error": answer})
    record = {
        "path": str(path),
        "label": answer.label,
        "confidence": round(answer.confidence, 6),
        "top": [[label, round(p, 6)] for label, p in answer.top],
        "sure": answer.sure,
        "familiarity": None if answer.familiarity is None else round(answer.familiarity, 4),
    }
    return to_json(record | ({"notes": notes} if notes else {}))


def as_text(path: Path, answer: Classification | str) -> str:
    if isinstance(answer, str):
        print(f"imgcls: {answer}", file=sys.stderr)
        return f"{printable(str(path))}: not read"
    line = f"{printable(str(path))}: " + ", ".join(f"{label} {p:.1%}" for label, p in answer.top)
    if answer.doubt is None:
        return line
    nearest = next((digit.nearest for digit in answer.parts if not digit.sure), "")
    return line + WHY_NOT[answer.doubt].format(nearest=nearest)
