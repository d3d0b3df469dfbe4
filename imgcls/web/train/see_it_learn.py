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
from imgcls.errors import ImgclsError, RunError
from imgcls.runs.evaluations import images_for
from imgcls.runs.reader import RunView
from imgcls.web.evaluate.results import as_url
from imgcls.web.i18n.translator import LANGUAGES, Translator
from imgcls.web.shared.render import render
from imgcls.web.shared.run_cache import RunCache, stamp_of
from imgcls.web.shared.work_gate import address_of, network_of_epoch, work
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor

IMAGES = 12
EPOCHS = 12  # columns
KEPT = 16  # runs whose images are kept: some hundred kB each at most


@dataclass(frozen=True)
class Shown:
    """`stored`: uint8 (N, C, H, W), as the network is given them; `labels`: names of their classes."""

    stored: Tensor
    labels: tuple[str, ...]
    pictures: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    label: str
    share: float
    right: bool


class Lessons:
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._lock = threading.Lock()
        self._shown: OrderedDict[tuple[str, str], Shown] = OrderedDict()

    def shown(self, best: Path) -> Shown:
        """The images of the run that this is the best checkpoint of. Raises DatasetError, CheckpointError."""
        meta = read_meta(best)
        key = (str(best), meta.manifest)
        with self._lock:
            if key in self._shown:
                self._shown.move_to_end(key)
                return self._shown[key]
        split = images_for(best, self.workspace, dataset=str(meta.settings.get("dataset", "")), part="val").split
        places = first_of_each(split.labels.tolist(), IMAGES)
        stored = split.take(_indices(places))
        images = [stored.image(i) for i in range(len(places))]
        made = Shown(
            _stacked(images),
            tuple(meta.classes[label] for label in stored.labels.tolist()),
            tuple(as_url(_picture(image)) for image in images),
        )
        with self._lock:
            self._shown[key] = made
            while len(self._shown) > KEPT:
                self._shown.popitem(last=False)
        return made

    def answers(self, best: Path, epochs: Sequence[int]) -> tuple[Shown, list[list[Answer]]]:
        """The images, and for each the answer after each of the epochs."""
        shown = self.shown(best)
        columns = []
        for epoch in epochs:
            said = network_of_epoch(best, epoch).predict_stored(shown.stored, top=1)
            columns.append(
                [
                    Answer(one.label, one.top[0][1], one.label == label)
                    for one, label in zip(said, shown.labels, strict=True)
                ]
            )
        return shown, [list(row) for row in zip(*columns, strict=True)]


def add_routes(app: FastAPI, watch: RunCache) -> None:
    lessons, root = Lessons(watch.workspace), str(watch.workspace.root)

    async def learnt(request: Request) -> Response:
        """What a run's card shows where it is opened."""
        language = request.query_params.get("language", "en")
        view = watch.view(request.path_params["name"][:100])
        if language not in LANGUAGES or view is None:
            return Response(status_code=404)
        best, epochs = view.run.best, chosen(epochs_of(view.run.best.parent))
        key = ("learnt", root, language, view.run.name, epochs, stamp_of(best))
        html = await work(
            "network", key, lambda: table(lessons, best, epochs, Translator(language)), address_of(request), keep=True
        )
        return HTMLResponse(html, headers={"Cache-Control": "no-store"})

    app.add_route("/learnt/{name}", learnt)


def table(lessons: Lessons, best: Path, epochs: Sequence[int], words: Translator) -> Markup:
    """The images in rows, the epochs in columns; or a sentence where that cannot be."""
    try:
        if not best.is_file() or not epochs:
            raise RunError("This run keeps no weights of its epochs.")
        shown, rows = lessons.answers(best, epochs)
    except ImgclsError as error:
        return render("see_it_learn", words, sentence=words.message(error.message), epochs=[], rows=[], right=[])
    right = [sum(row[k].right for row in rows) for k in range(len(epochs))]
    drawn = list(zip(shown.pictures, shown.labels, rows, strict=True))
    return render("see_it_learn", words, sentence="", epochs=epochs, rows=drawn, right=right)


def address(view: RunView, words: Translator) -> str:
    """From the page's own address: another one with each epoch that is kept; "" where none is."""
    kept = epochs_of(view.run.best.parent) if view.run.best.is_file() else []
    if len(kept) < 2:
        return ""
    return f"../learnt/{quote(view.run.name)}?" + urlencode(
        {"language": words.language, "epochs": len(kept), "last": kept[-1]}
    )


def chosen(epochs: Sequence[int]) -> tuple[int, ...]:
    """The first, the last, and some between, the early ones closer together: most is learnt there."""
    if len(epochs) <= EPOCHS:
        return tuple(epochs)
    last = len(epochs) - 1
    places = {round(last * (k / (EPOCHS - 1)) ** 1.6) for k in range(EPOCHS)}
    return tuple(epochs[place] for place in sorted(places))


def first_of_each(labels: Sequence[int], count: int) -> list[int]:
    """Places of the first image of each class, then of the second of each, until there are enough; by class."""
    seen: dict[int, list[int]] = {}
    for place, label in enumerate(labels):
        seen.setdefault(label, []).append(place)
    turns = [(turn, label) for label, places in seen.items() for turn in range(min(count, len(places)))]
    taken = sorted(turns)[:count]
    return [seen[label][turn] for label, turn in sorted((label, turn) for turn, label in taken)]


def _indices(places: Sequence[int]) -> Tensor:
    import torch

    return torch.tensor(places)


def _stacked(images: Sequence[Tensor]) -> Tensor:
    import torch

    return torch.stack(list(images))


def _picture(image: Tensor) -> Image.Image:
    array = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)
