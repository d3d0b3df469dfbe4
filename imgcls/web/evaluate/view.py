"""Evaluate: the page asks how far it is, for the figures, for the images of a cell, for one image; moves and deletes.

What the component's value says is evaluated: {"checkpoints": [...], "dataset": "", "part": ""} as JSON; with "asked" it
is begun where it is not kept. Nothing lives in the page alone: a refresh finds what is kept.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgcls.data import edits
from imgcls.errors import DatasetError, RunError
from imgcls.runs import evaluations
from imgcls.runs.background_jobs import JobStatus, Terms
from imgcls.runs.evaluations import compare_evaluations, same_classes
from imgcls.web.evaluate import evaluation_card
from imgcls.web.evaluate.report import report
from imgcls.web.evaluate.results import PAGE, Evaluations, ImageFilter, training_image
from imgcls.web.evaluate.send_to_classify import send_to_classify
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.identity import People, hashed_network
from imgcls.web.shared.limits import Limits
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.shared.server_functions import (
    Answer,
    Function,
    ServerFunction,
    ServerHTML,
    server_function,
    whoever_asks,
)
from imgcls.web.shared.work_gate import Kind, work

if TYPE_CHECKING:
    from imgcls.inference.evaluation import Evaluation

MAX_CHECKPOINTS = 6  # checkpoints at once
PARTS = ("", "test", "val", "train", "all")


class EvaluateView(ServerHTML):
    def __init__(
        self, translate: Translator, run_cache: RunCache, limits: Limits, people: People | None = None, **options: Any
    ) -> None:
        functions = server_functions(translate, run_cache, limits, people)
        super().__init__("evaluate", _sentences(translate), functions, longest=5000, **options)


def _sentences(translate: Translator) -> dict[str, str]:
    return {
        "nothing": translate("Nothing has been evaluated yet"),
        "nothing_more": translate("Choose a checkpoint and press Evaluate: figures and mistakes appear here."),
        "no_answer": translate("The lab does not answer: is the network there? Try again."),
        "stopped": translate("Stopped. What was kept before is still there."),
        "images_of": translate("{true} taken for {predicted} · {count}"),
        "images_all": translate("Images · {count}"),
        "any": translate("any class"),
        "none": translate("No image is like that."),
        "moved": translate("Moved to {label}. Evaluate again to count it there."),
        "deleted": translate("Deleted: it lies in the data set's trash."),
        "undo": translate("Undo"),
        "undone": translate("Taken back."),
    }


def evaluation_request(checkpoints: list[str], dataset: str, part: str) -> str:
    """The component's value that shows what is kept of these, or going on."""
    return json.dumps({"checkpoints": checkpoints, "dataset": dataset, "part": part})


def server_functions(
    translate: Translator, run_cache: RunCache, limits: Limits, people: People | None = None
) -> list[ServerFunction]:
    """What the browser may ask for: each takes one object and returns one, with `error` where a sentence is due."""
    return EvaluateFunctions(translate, run_cache, limits, people).functions()


class EvaluateFunctions:
    """A payload names checkpoints, data set and part; `which` of the checkpoints is shown, and the `place` of an image
    in its evaluation."""

    def __init__(self, translate: Translator, run_cache: RunCache, limits: Limits, people: People | None) -> None:
        self.translate, self.run_cache, self.limits, self.people = translate, run_cache, limits, people
        self.workspace, self.evaluations = run_cache.workspace, Evaluations(run_cache.workspace)

    def functions(self) -> list[ServerFunction]:
        changes = (self.evaluate_stop, self.evaluate_move, self.evaluate_delete, self.evaluate_undo)
        return [
            server_function(self.evaluate_look, self.translate, "picture", key=self._beginner),
            server_function(self.evaluate_report, self.translate, "document", key=whoever_asks),
            server_function(self.evaluate_images, self.translate),
            server_function(self.evaluate_image, self.translate),
            server_function(self.evaluate_hand_over, self.translate),
            *(server_function(change, self.translate, "state") for change in changes),
        ]

    # ---- what is shown

    def evaluate_look(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Where the evaluations stand. `start`: "again" begins what is not there; "on" what nobody has asked for."""
        requests, begin = self._requests(payload), str(payload.get("start") or "")
        unfinished = evaluations.first_unfinished(requests, self.workspace, begin=begin, terms=self._terms(payload))
        if unfinished:
            return self._unfinished(*unfinished)
        fresh = [evaluation for one in requests if (evaluation := self.evaluations.fresh(one)) is not None]
        if len(fresh) < len(requests):  # a file that cannot be read: it is made anew
            return {"state": "stopped"}
        names = evaluation_card.run_names([Path(evaluation.checkpoint) for evaluation in fresh])
        compared = compare_evaluations(dict(zip(names, fresh, strict=True)), self.workspace)
        which = _which(payload, len(fresh))
        html = evaluation_card.card(fresh, which, compared, self.translate)
        return {"state": "finished", "html": html, "classes": fresh[which].classes, "which": which}

    def _unfinished(self, request: evaluations.Request, job: JobStatus) -> dict[str, Any]:
        if job.state == "failed" and job.message:
            return {"error": self.translate.message(job.message)}
        if job.state != "running":
            return {"state": job.state}
        name = request.checkpoint.parent.name
        return {"state": "running", "html": evaluation_card.waiting(name, job.done, job.total, self.translate)}

    def evaluate_report(self, payload: dict[str, Any]) -> dict[str, Any]:
        """What is shown, as one file."""
        requests = self._requests(payload)
        shown = [self.evaluations.get(request) for request in requests]
        html = report([request.checkpoint for request in requests], shown, self.workspace)
        return {"name": f"{requests[0].checkpoint.parent.name}.html", "html": html}

    async def evaluate_images(self, payload: dict[str, Any]) -> dict[str, Any]:
        """The images of a cell, PAGE at once, without those before `start_at`."""
        return await self._with_images(payload, "picture", self._cell)

    async def evaluate_image(self, payload: dict[str, Any]) -> dict[str, Any]:
        return await self._with_images(payload, "network", self._one_image)

    async def evaluate_hand_over(self, payload: dict[str, Any]) -> dict[str, Any]:
        """What Classify is to show: the checkpoint, and the picture as a drawing or as a photo."""
        return await self._with_images(payload, "picture", self._handed_over)

    async def _with_images(self, payload: dict[str, Any], kind: Kind, make: Function) -> Answer:
        """What `make` makes of the payload, when the images are there: a built-in set is read as a whole for its first
        one, and thumbnails and networks' answers do not wait for that."""
        user, root = payload["visitor"], str(self.workspace.root)

        def looked_up() -> tuple[Evaluation, Hashable]:
            evaluation = self._evaluation(payload)
            return evaluation, self.evaluations.to_load(evaluation)

        evaluation, images = await work("picture", None, looked_up, user)
        if images is not None:
            await work("dataset", ("images", root, images), lambda: self.evaluations.load(evaluation), user)
        return await work(kind, None, lambda: make(payload), user)

    def _cell(self, payload: dict[str, Any]) -> dict[str, Any]:
        evaluation = self._evaluation(payload)
        places = self.evaluations.choose(evaluation, _wanted(payload, evaluation.classes))
        start = max(int(payload.get("start_at") or 0), 0)
        images = [self._listed_image(evaluation, place) for place in places[start : start + PAGE].tolist()]
        return {"total": len(places), "images": images, "next": start + len(images)}

    def _listed_image(self, evaluation: Evaluation, place: int) -> dict[str, Any]:
        outputs, classes = evaluation.outputs, evaluation.classes
        return {
            "place": place,
            "url": self.evaluations.thumbnail(evaluation, place),
            "true": classes[int(outputs.labels[place])],
            "predicted": classes[int(outputs.classes[place, 0])],
            "confidence": evaluation_card.percent(float(outputs.confidence[place])),
            "right": bool(outputs.right[place]),
            "sure": bool(outputs.sure[place]),
        }

    def _one_image(self, payload: dict[str, Any]) -> dict[str, Any]:
        evaluation, place = self._image(payload)
        prediction, names = self.evaluations.predict(evaluation, place)
        checkpoint = Path(evaluation.checkpoint)
        urls = [(name, training_image(checkpoint, name, self.workspace)) for name in names]
        html = evaluation_card.image(
            prediction,
            name=self.evaluations.name(evaluation, place),
            true=evaluation.classes[int(evaluation.outputs.labels[place])],
            picture=self.evaluations.large(evaluation, place),
            neighbours=[(name, url) for name, url in urls if url],
            own=not self.limits.public and self.evaluations.own_path(evaluation, place) is not None,
            classes=evaluation.classes,
            translate=self.translate,
        )
        return {"html": html}

    def _handed_over(self, payload: dict[str, Any]) -> dict[str, Any]:
        evaluation, place = self._image(payload)
        keys = list(dict.fromkeys(map(str, payload["checkpoints"])))
        picture = send_to_classify(self.evaluations, evaluation, place, self.limits)
        return {"checkpoint": keys[_which(payload, len(keys))], **picture}

    # ---- what is changed

    def evaluate_stop(self, payload: dict[str, Any]) -> dict[str, Any]:
        if not self._looks_after(payload):
            raise RunError(
                "In a shared lab an evaluation may be somebody else's too: it ends by itself, or its host stops it."
            )
        for request in self._requests(payload):
            evaluations.stop(request, self.workspace)
        return {}

    def evaluate_move(self, payload: dict[str, Any]) -> dict[str, Any]:
        dataset, path = self._changeable(payload)
        return {"change": edits.move_to_class(dataset, path, str(payload["label"]), self.workspace).id}

    def evaluate_delete(self, payload: dict[str, Any]) -> dict[str, Any]:
        dataset, path = self._changeable(payload)
        return {"change": edits.delete(dataset, path, self.workspace).id}

    def evaluate_undo(self, payload: dict[str, Any]) -> dict[str, Any]:
        self.limits.may_delete()
        edits.undo(self._evaluation(payload).dataset, str(payload["change"]), self.workspace)
        return {}

    # ---- what a payload names

    def _terms(self, payload: dict[str, Any]) -> Terms:
        return self.limits.terms(hashed_network(payload["visitor"]), host=self._looks_after(payload))

    def _beginner(self, payload: dict[str, Any]) -> str:
        """Whose evaluation it is that is begun; a look is the same for everybody."""
        return payload["visitor"] if payload.get("start") else ""

    def _looks_after(self, payload: dict[str, Any]) -> bool:
        """Whether whoever asks looks after the lab: on one's own computer everybody does."""
        return not self.limits.public or (self.people is not None and self.people.visitor(payload["request"]).host)

    def _requests(self, payload: dict[str, Any]) -> list[evaluations.Request]:
        keys, dataset = payload["checkpoints"], str(payload.get("dataset") or "")
        part = str(payload.get("part") or "")
        if not isinstance(keys, list) or not keys:
            raise RunError("Choose a checkpoint first.")
        if len(keys) > MAX_CHECKPOINTS:
            raise RunError("At most {count} checkpoints are compared at once.", count=MAX_CHECKPOINTS)
        if part not in PARTS:
            raise DatasetError("There is no such part of a data set.")
        self.limits.check_name(dataset)
        paths = [self.run_cache.checkpoint(str(key)) for key in dict.fromkeys(keys)]
        if len(paths) > 1:  # on the same images: those of the first
            same_classes(paths)
            dataset = evaluations.measured_on(paths[0], dataset)
        tta = bool(payload.get("tta"))
        for path in paths if tta else ():
            evaluations.check_mirrors(path, dataset)
        return [evaluations.Request(path, dataset, part, tta) for path in paths]

    def _evaluation(self, payload: dict[str, Any]) -> Evaluation:
        requests = self._requests(payload)
        return self.evaluations.get(requests[_which(payload, len(requests))])

    def _image(self, payload: dict[str, Any]) -> tuple[Evaluation, int]:
        evaluation, place = self._evaluation(payload), int(payload["place"])
        if not 0 <= place < len(evaluation.indices):
            raise DatasetError("There is no such image.")
        return evaluation, place

    def _changeable(self, payload: dict[str, Any]) -> tuple[str, str]:
        """(data set, the image's path in it)"""
        self.limits.may_delete()
        evaluation, place = self._image(payload)
        path = self.evaluations.own_path(evaluation, place)
        if path is None:
            raise DatasetError("This image came with the lab: it is not changed.")
        return evaluation.dataset, path


def _which(payload: dict[str, Any], count: int) -> int:
    """The number of the checkpoint, of `count`, that is shown."""
    return min(max(int(payload.get("which") or 0), 0), count - 1)


def _wanted(payload: dict[str, Any], classes: tuple[str, ...]) -> ImageFilter:
    low, high = (float(value) for value in str(payload.get("confidence") or "0 1").split())
    return ImageFilter(
        true=_index(payload.get("true"), classes),
        predicted=_index(payload.get("predicted"), classes),
        verdict=str(payload.get("verdict") or ""),
        sure=str(payload.get("sure") or ""),
        low=low,
        high=high,
    )


def _index(value: Any, classes: tuple[str, ...]) -> int | None:
    if value in (None, ""):
        return None
    index = int(value)
    if not 0 <= index < len(classes):
        raise DatasetError("There is no such class.")
    return index
