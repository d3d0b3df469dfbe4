"""See it learn: a few validation images, and what the network answered after each epoch that is kept of it.

Computed from `checkpoints/<run>/epochs` when somebody opens it, once for all who look; the images are the first of each
class, and stay the same.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import numpy as np
from fastapi import FastAPI
from markupsafe import Markup
from PIL import Image
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from imgcls.checkpoints.epochs import epochs_of
from imgcls.checkpoints.format import read_meta
from imgcls.errors import DatasetError, ImgclsError, RunError
from imgcls.runs.evaluations import images_for
from imgcls.runs.reader import RunView
from imgcls.web.evaluate.results import as_url
from imgcls.web.i18n.translator import LANGUAGES, Translator
from imgcls.web.shared.render import render
from imgcls.web.shared.run_cache import NO_FILE, RunCache, stamp_of
from imgcls.web.shared.work_gate import Busy, address_of, network_of_epoch, work
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor

    from imgcls.data.splitting import Split

IMAGE_COUNT = 12
EPOCH_COLUMNS = 12
CACHED_RUNS = 16  # whose images are kept: some hundred kB each at most


@dataclass(frozen=True)
class SampleImages:
    """`stored`: uint8 (N, C, H, W), as the network is given them; `labels`: names of their classes."""

    stored: Tensor
    labels: tuple[str, ...]
    pictures: tuple[str, ...]


@dataclass(frozen=True)
class EpochAnswer:
    label: str
    share: float
    right: bool


@dataclass(frozen=True)
class SavedEpochs:
    """Of a run, as its files stand: which epochs the table shows, and the stamp of its best checkpoint."""

    run: str
    best: Path
    epochs: tuple[int, ...]
    stamp: tuple[int, int]


class Lessons:
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._lock = threading.Lock()
        self._images: OrderedDict[tuple[str, str], SampleImages] = OrderedDict()

    def images(self, best: Path) -> SampleImages:
        """Of the run that this is the best checkpoint of; no other image is decoded. Raises DatasetError,
        CheckpointError."""
        meta = read_meta(best)
        key = (str(best), meta.manifest)
        with self._lock:
            if key in self._images:
                self._images.move_to_end(key)
                return self._images[key]
        dataset = str(meta.settings.get("dataset", ""))
        split = images_for(best, self.workspace, dataset=dataset, part="val", sample=first_of_each).split
        stored, labels = _readable(split)
        images = SampleImages(
            stored,
            tuple(meta.classes[label] for label in labels),
            tuple(as_url(_picture(image)) for image in stored),
        )
        with self._lock:
            self._images[key] = images
            while len(self._images) > CACHED_RUNS:
                self._images.popitem(last=False)
        return images

    def answers(self, best: Path, epochs: Sequence[int]) -> tuple[SampleImages, list[list[EpochAnswer]]]:
        """The images, and for each the answer after each of the epochs."""
        images = self.images(best)
        columns = []
        for epoch in epochs:
            predictions = network_of_epoch(best, epoch).predict_stored(images.stored, top=1)
            columns.append(
                [
                    EpochAnswer(prediction.label, prediction.top[0][1], prediction.label == label)
                    for prediction, label in zip(predictions, images.labels, strict=True)
                ]
            )
        return images, [list(row) for row in zip(*columns, strict=True)]


def add_routes(app: FastAPI, run_cache: RunCache) -> None:
    lessons, root = Lessons(run_cache.workspace), str(run_cache.workspace.root)

    def saved_epochs(name: str) -> SavedEpochs | None:
        view = run_cache.view(name)
        if view is None:
            return None
        best = view.run.best
        return SavedEpochs(view.run.name, best, chosen_epochs(epochs_of(best.parent)), stamp_of(best))

    async def html_of(saved: SavedEpochs, translate: Translator, user: str) -> str:
        """Raises ImgclsError, of which nothing is kept: the next who opens it may find it mended."""
        if not saved.epochs or saved.stamp == NO_FILE:
            raise RunError("This run keeps no weights of its epochs.")
        key = (root, saved.run, saved.stamp)
        # A built-in set is read as a whole for its few images: networks' answers do not wait for that.
        await work("dataset", ("lesson images", *key), lambda: lessons.images(saved.best), user)
        key = ("lesson", translate.language, saved.epochs, *key)
        return await work("network", key, lambda: table(lessons, saved.best, saved.epochs, translate), user, keep=True)

    async def lesson(request: Request) -> Response:
        """What a run's card shows where it is opened."""
        language, user = request.query_params.get("language", "en"), address_of(request)
        name = request.path_params["name"][:100]
        saved = await work("state", ("kept epochs", root, name), lambda: saved_epochs(name), user)
        if language not in LANGUAGES or saved is None:
            return Response(status_code=404)
        translate = Translator(language)
        try:
            html = await html_of(saved, translate, user)
        except Busy:
            raise
        except ImgclsError as error:
            sentence = translate.message(error.message)
            html = render("see_it_learn", translate, sentence=sentence, epochs=[], rows=[], right=[])
        return HTMLResponse(html, headers={"Cache-Control": "no-store"})

    app.add_route("/learnt/{name}", lesson)


def table(lessons: Lessons, best: Path, epochs: Sequence[int], translate: Translator) -> Markup:
    """The images in rows, the epochs in columns. Raises DatasetError, CheckpointError."""
    images, answers = lessons.answers(best, epochs)
    right = [sum(row[k].right for row in answers) for k in range(len(epochs))]
    rows = list(zip(images.pictures, images.labels, answers, strict=True))
    return render("see_it_learn", translate, sentence="", epochs=epochs, rows=rows, right=right)


def address(view: RunView, translate: Translator) -> str:
    """From the page's own address: another one with each epoch that is kept; "" where none is."""
    saved = epochs_of(view.run.best.parent) if view.run.best.is_file() else []
    if len(saved) < 2:
        return ""
    return f"../learnt/{quote(view.run.name)}?" + urlencode(
        {"language": translate.language, "epochs": len(saved), "last": saved[-1]}
    )


def chosen_epochs(epochs: Sequence[int]) -> tuple[int, ...]:
    """The first, the last, and some between, the early ones closer together: most is learnt there."""
    if len(epochs) <= EPOCH_COLUMNS:
        return tuple(epochs)
    last = len(epochs) - 1
    places = {round(last * (k / (EPOCH_COLUMNS - 1)) ** 1.6) for k in range(EPOCH_COLUMNS)}
    return tuple(epochs[place] for place in sorted(places))


def first_of_each(labels: Sequence[int], count: int = IMAGE_COUNT) -> list[int]:
    """Places of the first image of each class, then of the second of each, until there are enough; by class."""
    places_of_label: dict[int, list[int]] = {}
    for place, label in enumerate(labels):
        places_of_label.setdefault(label, []).append(place)
    turns = [(turn, label) for label, places in places_of_label.items() for turn in range(min(count, len(places)))]
    first_turns = sorted(turns)[:count]
    return [places_of_label[label][turn] for label, turn in sorted((label, turn) for turn, label in first_turns)]


def _readable(split: Split) -> tuple[Tensor, list[int]]:
    """(images, their labels). Raises DatasetError where none can be read."""
    import torch

    ((stored, _, labels),) = split.read([torch.arange(len(split))], leave_out_broken=True)
    if not len(labels):
        raise DatasetError("None of the {count:,} photos can be read: look at their report.", count=len(split))
    return stored, labels.tolist()


def _picture(image: Tensor) -> Image.Image:
    array = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)
