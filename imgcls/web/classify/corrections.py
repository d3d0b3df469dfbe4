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
from imgcls.inference.classify import prepare, read_prepared
from imgcls.recipes import preprocess_for
from imgcls.runs.evaluations import settings_of
from imgcls.runs.state import locked
from imgcls.runs.store import taken
from imgcls.settings import TrainSettings
from imgcls.web.classify import inputs as given
from imgcls.web.classify.answer_view import percent
from imgcls.web.data.collect import room_for_one_more
from imgcls.web.evaluate.results import thumbnail
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.identity import People
from imgcls.web.shared.limits import Limits
from imgcls.web.shared.render import render
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.shared.server_functions import Answering, answering
from imgcls.web.shared.work_gate import network, opened_picture

PICTURES_SHOWN = 24  # pictures
THUMBNAIL_PX = 72  # pixels
ASKED = 500  # pictures, the newest, that before and after are counted on
EPOCHS, GENTLER = 2, 0.2  # of learning on: its epochs at most, its rate over that of the checkpoint's own training
DRAWINGS = "my-drawings"


def server_functions(words: Translator, cache: RunCache, limits: Limits, people: People) -> list[Answering]:  # noqa: C901, PLR0915 - functions that share a page
    workspace = cache.workspace

    def opened(asked: dict[str, Any]) -> tuple[str, Meta, Corrections]:
        chosen = str(asked["checkpoint"])
        meta = read_meta(cache.checkpoint(chosen))
        return chosen, meta, Corrections(workspace, str(asked.get("set") or _usual(meta)).strip(), meta.classes)

    def said(meta: Meta, kept: Corrections) -> dict[str, Any]:
        pictures, names = kept.pictures(), meta.names(words.language)
        shown = [
            {"file": p.file, "label": names[p.label], "url": thumbnail(p.path, THUMBNAIL_PX)}
            for p in pictures[:PICTURES_SHOWN]
        ]
        return {"set": kept.name, "count": len(pictures), "pictures": [one for one in shown if one["url"]]}

    def wrong_open(asked: dict[str, Any]) -> dict[str, Any]:
        """What is kept for the checkpoint, and whether it can learn from it."""
        chosen, meta, kept = opened(asked)
        why = ""
        try:
            _settings(chosen, meta, kept.name, cache)
        except ImgclsError as error:
            why = words.message(error.message)
        return said(meta, kept) | {"classes": meta.names(words.language), "ask": limits.public, "cannot_learn": why}

    def wrong_keep(asked: dict[str, Any]) -> dict[str, Any]:
        """Keep the picture as `label`, the index of its right class."""
        _, meta, kept = opened(asked)
        if limits.public and asked.get("agreed") is not True:
            raise DatasetError("In a shared lab others can see what is kept: say that they may.")
        label = int(asked["label"])
        if not 0 <= label < len(meta.classes):
            raise DatasetError("There is no such class.")
        if not kept.folder.exists():
            room_for_one_more(workspace, limits)
        token = str(asked.get("token") or "")[:100]
        with given.picture(asked) as image:
            picture = _on_paper(image)
            picture = picture.convert("L") if "photo" not in asked else picture
            prepare(meta.preprocess, picture)  # one that the network cannot read would spoil every later learning
            with locked(workspace):
                made = kept.keep(picture, meta.classes[label], token=token, most=limits.corrections)
        return said(meta, kept) | {"file": made.file}

    def wrong_delete(asked: dict[str, Any]) -> dict[str, Any]:
        _, meta, kept = opened(asked)
        token = None if people.visitor(asked["request"]).host else str(asked.get("token") or "")[:100]
        kept.delete(str(asked["file"]), token=token)
        return said(meta, kept)

    def wrong_learn(asked: dict[str, Any]) -> dict[str, Any]:
        """A run that learns on from the checkpoint, on its own data and what is kept."""
        chosen, meta, kept = opened(asked)
        find(kept.name, workspace, meta.classes)
        owner = people.starter(asked["request"])
        run = limits.start(_settings(chosen, meta, kept.name, cache), workspace, owner=owner)
        cache.forget(run.name)
        return {"run": run.name}

    def wrong_look(asked: dict[str, Any]) -> dict[str, Any]:
        """How far the run is; once it is done, before and after on what is kept and on the data's own images."""
        chosen, _, kept = opened(asked)
        view = cache.view(str(asked["run"]))
        if view is None or view.settings is None or view.settings.corrections != kept.name:
            raise DatasetError("This run is not there any more: learn again.")
        if not view.at_rest or not view.run.best.is_file():
            return {"state": view.state, "share": view.share, "at_rest": view.at_rest}
        paths = (cache.checkpoint(chosen), view.run.best)
        rows = [*this_picture(asked, paths, words), *_before_and_after(*paths, kept, words)]
        html = render("learnt", words, rows=rows, run=view.run.name)
        return {"state": view.state, "share": 1, "at_rest": True, "html": html, "checkpoint": f"{view.run.name}/best"}

    pictures = [answering(function, words, "picture") for function in (wrong_open, wrong_keep, wrong_delete)]
    return [*pictures, answering(wrong_learn, words, "state"), answering(wrong_look, words, "network")]


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


def _settings(chosen: str, meta: Meta, kept: str, cache: RunCache) -> TrainSettings:
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
    name = next(made for i in range(1, 10_000) if not taken(made := f"{run[:60]}-corrected-{i}", cache.workspace))
    return base.model_copy(
        update={
            "name": name, "start_from": chosen, "corrections": kept, "epochs": min(base.epochs, EPOCHS),
            "lr": base.lr if base.start_from else base.lr * GENTLER,
            "warmup_epochs": 0.0, "patience": 0, "time_limit": 0.0, "threads": 0,
            "unfreeze_epochs": 0, "flip_labels": 0.0,
        }
    )  # fmt: skip


def _known(cache: RunCache) -> set[str]:
    from imgcls.data.report import there

    return {name for name, here in there(cache.workspace) if here} | set(own_folders(cache.workspace))


def this_picture(asked: dict[str, Any], paths: tuple[Any, Any], words: Translator) -> list[tuple[str, str, str]]:
    """What each of the two makes of the picture that is being looked at, where there is one."""
    if not ("photo" in asked or asked.get("drawing")):
        return []
    answers = []
    for path in paths:
        predictor = network(path)
        try:
            with given.picture(asked) as image:
                prepared = prepare(predictor.meta.preprocess, _on_paper(image))
        except ImgclsError:  # another picture by now, that cannot be read
            return []
        (reading,) = read_prepared(predictor, [prepared], top=1, language=words.language)
        answers.append(f"{reading.label} · {percent(reading.confidence)}")
    return [(words("This picture"), answers[0], answers[1])]


def _before_and_after(before: Any, after: Any, kept: Corrections, words: Translator) -> list[tuple[str, str, str]]:
    pictures = kept.pictures()[:ASKED]
    counted = []
    for path in (before, after):
        predictor = network(path)
        form, prepared = predictor.meta.preprocess, []
        for one in pictures:
            with opened_picture(one.path, name=one.file) as image:
                prepared.append(prepare(form, image))
        readings = read_prepared(predictor, prepared, top=1)
        right = sum(r.label == kept.classes[one.label] for r, one in zip(readings, pictures, strict=True))
        counted.append(words("{right} of {count}", right=right, count=len(pictures)))
    rows = [(words("What was kept"), *counted)]
    metrics = [read_meta(path).metrics for path in (before, after)]
    for part, title in (("test", words("Test images")), ("val", words("Validation images"))):
        figures = [m.get(f"{part}_accuracy") for m in metrics]
        if None not in figures:
            rows.append((title, *(f"{figure:.2%}" for figure in figures)))
            break
    return rows
