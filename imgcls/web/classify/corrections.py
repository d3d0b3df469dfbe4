"""That was wrong: a picture is kept with its right label, and a copy of the checkpoint learns from those that are.

Learning is an ordinary run; the checkpoint itself never changes. In a shared lab it is asked once whether others may
see what is kept, and whoever has kept a picture, or the host, deletes it.
"""

from __future__ import annotations

import re
from typing import Any

from PIL import Image

from imgcls.checkpoints.format import Meta, read_meta
from imgcls.data.catalog import own_folders
from imgcls.data.corrections import Corrections, find
from imgcls.errors import CheckpointError, DatasetError, ImgclsError
from imgcls.filenames import sanitize
from imgcls.inference.classify import classify_prepared, prepare
from imgcls.recipes import preprocess_for
from imgcls.runs.evaluations import settings_of
from imgcls.runs.state import locked
from imgcls.runs.store import name_in_use
from imgcls.settings import TrainSettings
from imgcls.web.classify.answer_view import percent
from imgcls.web.classify.inputs import input_image
from imgcls.web.data.collect import room_for_one_more
from imgcls.web.evaluate.results import thumbnail
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.identity import People
from imgcls.web.shared.limits import Limits
from imgcls.web.shared.render import render
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.shared.server_functions import ServerFunction, server_function
from imgcls.web.shared.work_gate import network, opened_picture

PICTURES_SHOWN = 24  # pictures
THUMBNAIL_PX = 72  # pixels
ASKED = 500  # pictures, the newest, that before and after are counted on
EPOCHS, GENTLER = 2, 0.2  # of learning on: its epochs at most, its rate over that of the checkpoint's own training
DRAWINGS = "my-drawings"


def server_functions(translate: Translator, cache: RunCache, limits: Limits, people: People) -> list[ServerFunction]:
    """What the browser may ask for: each takes one object and returns one, with `error` where a sentence is due."""
    return CorrectionFunctions(translate, cache, limits, people).functions()


class CorrectionFunctions:
    """A payload names the checkpoint and, where it is no usual one, the set that is kept."""

    def __init__(self, translate: Translator, cache: RunCache, limits: Limits, people: People) -> None:
        self.translate, self.cache, self.limits, self.people = translate, cache, limits, people
        self.workspace = cache.workspace

    def functions(self) -> list[ServerFunction]:
        pictures = (self.wrong_open, self.wrong_keep, self.wrong_delete)
        return [
            *(server_function(function, self.translate, "picture") for function in pictures),
            server_function(self.wrong_learn, self.translate, "state"),
            server_function(self.wrong_look, self.translate, "network"),
        ]

    def _opened(self, payload: dict[str, Any]) -> tuple[str, Meta, Corrections]:
        chosen = str(payload["checkpoint"])
        meta = read_meta(self.cache.checkpoint(chosen))
        return chosen, meta, Corrections(self.workspace, str(payload.get("set") or _usual(meta)).strip(), meta.classes)

    def _state_of(self, meta: Meta, corrections: Corrections) -> dict[str, Any]:
        pictures, names = corrections.pictures(), meta.names(self.translate.language)
        shown = [
            {"file": p.file, "label": names[p.label], "url": thumbnail(p.path, THUMBNAIL_PX)}
            for p in pictures[:PICTURES_SHOWN]
        ]
        return {
            "set": corrections.name,
            "count": len(pictures),
            "pictures": [picture_row for picture_row in shown if picture_row["url"]],
        }

    def wrong_open(self, payload: dict[str, Any]) -> dict[str, Any]:
        """What is kept for the checkpoint, and whether it can learn from it."""
        chosen, meta, corrections = self._opened(payload)
        why = ""
        try:
            _settings(chosen, meta, corrections.name, self.cache)
        except ImgclsError as error:
            why = self.translate.message(error.message)
        return self._state_of(meta, corrections) | {
            "classes": meta.names(self.translate.language),
            "ask": self.limits.public,
            "cannot_learn": why,
        }

    def wrong_keep(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Keep the picture as `label`, the index of its right class."""
        _, meta, corrections = self._opened(payload)
        if self.limits.public and payload.get("agreed") is not True:
            raise DatasetError("In a shared lab others can see what is kept: say that they may.")
        label = int(payload["label"])
        if not 0 <= label < len(meta.classes):
            raise DatasetError("There is no such class.")
        if not corrections.folder.exists():
            room_for_one_more(self.workspace, self.limits)
        token = str(payload.get("token") or "")[:100]
        with input_image(payload) as image:
            picture = _on_paper(image)
            picture = picture.convert("L") if "photo" not in payload else picture
            prepare(meta.preprocess, picture)  # one that the network cannot read would spoil every later learning
            with locked(self.workspace):
                correction = corrections.keep(picture, meta.classes[label], token=token, most=self.limits.corrections)
        return self._state_of(meta, corrections) | {"file": correction.file}

    def wrong_delete(self, payload: dict[str, Any]) -> dict[str, Any]:
        _, meta, corrections = self._opened(payload)
        token = None if self.people.visitor(payload["request"]).host else str(payload.get("token") or "")[:100]
        corrections.delete(str(payload["file"]), token=token)
        return self._state_of(meta, corrections)

    def wrong_learn(self, payload: dict[str, Any]) -> dict[str, Any]:
        """A run that learns on from the checkpoint, on its own data and what is kept."""
        chosen, meta, corrections = self._opened(payload)
        find(corrections.name, self.workspace, meta.classes)
        owner = self.people.run_owner(payload["request"])
        run = self.limits.start(_settings(chosen, meta, corrections.name, self.cache), self.workspace, owner=owner)
        self.cache.forget(run.name)
        return {"run": run.name}

    def wrong_look(self, payload: dict[str, Any]) -> dict[str, Any]:
        """How far the run is; once it is done, before and after on what is kept and on the data's own images."""
        chosen, _, corrections = self._opened(payload)
        view = self.cache.view(str(payload["run"]))
        if view is None or view.settings is None or view.settings.corrections != corrections.name:
            raise DatasetError("This run is not there any more: learn again.")
        if not view.is_idle or not view.run.best.is_file():
            return {"state": view.state, "share": view.share, "at_rest": view.is_idle}
        paths = (self.cache.checkpoint(chosen), view.run.best)
        rows = [*this_picture(payload, paths, self.translate), *_before_and_after(*paths, corrections, self.translate)]
        html = render("learnt", self.translate, rows=rows, run=view.run.name)
        return {"state": view.state, "share": 1, "at_rest": True, "html": html, "checkpoint": f"{view.run.name}/best"}


def _on_paper(picture: Image.Image) -> Image.Image:
    """What is transparent shows white."""
    if picture.mode != "RGBA":
        return picture
    paper = Image.new("RGB", picture.size, "white")
    paper.paste(picture, mask=picture.getchannel("A"))
    return paper


def _usual(meta: Meta) -> str:
    """my-drawings for what reads digits, my-flowers for what was trained on flowers."""
    if meta.preprocess.resize_mode == "digit" and meta.classes == tuple("0123456789"):
        return DRAWINGS
    named = re.split(r"[\\/]", str(meta.settings.get("dataset") or meta.run or meta.model))[-1]
    return sanitize(f"my-{named}")[:80]


def _settings(chosen: str, meta: Meta, corrections_name: str, cache: RunCache) -> TrainSettings:
    """Raises ImgclsError where the checkpoint cannot learn on here: its data are away, or it came from elsewhere."""
    base = settings_of(cache.checkpoint(chosen))
    if "dataset" not in meta.settings or (base.dataset not in _known(cache)):
        raise CheckpointError(
            "{run} cannot learn from corrections here: the data that it was trained on are not here.",
            run=chosen.split("/")[0],
        )
    if meta.model != base.model or preprocess_for(base) != meta.preprocess:
        raise CheckpointError(
            "{run} cannot learn from corrections here: it was trained in another way than this lab's.",
            run=chosen.split("/")[0],
        )
    run = re.sub(r"-corrected-\d+$", "", chosen.split("/")[0])  # one that has learnt on before learns on as it did
    name = next(
        candidate
        for i in range(1, 10_000)
        if not name_in_use(candidate := f"{run[:60]}-corrected-{i}", cache.workspace)
    )
    return base.model_copy(
        update={
            "name": name, "start_from": chosen, "corrections": corrections_name, "epochs": min(base.epochs, EPOCHS),
            "lr": base.lr if base.start_from else base.lr * GENTLER,
            "warmup_epochs": 0.0, "patience": 0, "time_limit": 0.0, "threads": 0,
            "unfreeze_epochs": 0, "flip_labels": 0.0,
        }
    )  # fmt: skip


def _known(cache: RunCache) -> set[str]:
    from imgcls.data.report import available_datasets

    return {name for name, here in available_datasets(cache.workspace) if here} | set(own_folders(cache.workspace))


def this_picture(payload: dict[str, Any], paths: tuple[Any, Any], translate: Translator) -> list[tuple[str, str, str]]:
    """What each of the two makes of the picture that is being looked at, where there is one."""
    if not ("photo" in payload or payload.get("drawing")):
        return []
    answers = []
    for path in paths:
        predictor = network(path)
        try:
            with input_image(payload) as image:
                prepared = prepare(predictor.meta.preprocess, _on_paper(image))
        except ImgclsError:  # another picture by now, that cannot be read
            return []
        (reading,) = classify_prepared(predictor, [prepared], top=1, language=translate.language)
        answers.append(f"{reading.label} · {percent(reading.confidence)}")
    return [(translate("This picture"), answers[0], answers[1])]


def _before_and_after(
    parent: Any, after: Any, corrections: Corrections, translate: Translator
) -> list[tuple[str, str, str]]:
    pictures = corrections.pictures()[:ASKED]
    counted = []
    for path in (parent, after):
        predictor = network(path)
        form, prepared = predictor.meta.preprocess, []
        for correction in pictures:
            with opened_picture(correction.path, name=correction.file) as image:
                prepared.append(prepare(form, image))
        readings = classify_prepared(predictor, prepared, top=1)
        right = sum(
            r.label == corrections.classes[correction.label] for r, correction in zip(readings, pictures, strict=True)
        )
        counted.append(translate("{right} of {count}", right=right, count=len(pictures)))
    rows = [(translate("What was kept"), *counted)]
    metrics = [read_meta(path).metrics for path in (parent, after)]
    for split, title in (("test", translate("Test images")), ("val", translate("Validation images"))):
        figures = [m.get(f"{split}_accuracy") for m in metrics]
        if None not in figures:
            rows.append((title, *(f"{figure:.2%}" for figure in figures)))
            break
    return rows
