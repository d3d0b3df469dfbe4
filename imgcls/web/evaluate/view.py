"""Evaluate: the page asks how far it is, for the figures, for the images of a cell, for one image; moves and deletes.

What the component's value says is evaluated: {"checkpoints": [...], "dataset": "", "part": ""} as JSON; with "asked" it
is begun where it is not kept. Nothing lives in the page alone: a refresh finds what is kept.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from imgcls.data import edits
from imgcls.errors import DatasetError, RunError
from imgcls.runs import evaluations
from imgcls.runs.evaluations import compare_evaluations, same_classes, settings_of
from imgcls.web.evaluate import evaluation_card
from imgcls.web.evaluate.report import report
from imgcls.web.evaluate.results import PAGE, Evaluations, Wanted, training_image
from imgcls.web.evaluate.send_to_classify import hand_over
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.identity import People
from imgcls.web.shared.limits import Limits
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.shared.server_functions import Answering, AskingHTML, answering

MAX_CHECKPOINTS = 6  # checkpoints at once
PARTS = ("", "test", "val", "train", "all")


class EvaluateView(AskingHTML):
    def __init__(
        self, words: Translator, cache: RunCache, limits: Limits, people: People | None = None, **options: Any
    ) -> None:
        functions = server_functions(words, cache, limits, people)
        super().__init__("evaluate", _said(words), functions, longest=5000, **options)


def _said(words: Translator) -> dict[str, str]:
    return {
        "nothing": words("Nothing has been evaluated yet"),
        "nothing_more": words("Choose a checkpoint and press Evaluate: figures and mistakes appear here."),
        "no_answer": words("The lab does not answer: is the network there? Try again."),
        "stopped": words("Stopped. What was kept before is still there."),
        "images_of": words("{true} taken for {predicted} · {count}"),
        "images_all": words("Images · {count}"),
        "any": words("any class"),
        "none": words("No image is like that."),
        "moved": words("Moved to {label}. Evaluate again to count it there."),
        "deleted": words("Deleted: it lies in the data set's trash."),
        "undo": words("Undo"),
        "undone": words("Taken back."),
    }


def server_functions(
    words: Translator, cache: RunCache, limits: Limits, people: People | None = None
) -> list[Answering]:
    """What the browser may ask for: each takes one object and returns one, with `error` where a sentence is due."""
    workspace, kept = cache.workspace, Evaluations(cache.workspace)

    def looks_after(asked: dict[str, Any]) -> bool:
        """Whether whoever asks looks after the lab: on one's own computer everybody does."""
        return not limits.public or (people is not None and people.visitor(asked["request"]).host)

    def asked_for(asked: dict[str, Any]) -> list[evaluations.Request]:
        chosen, dataset, part = asked["checkpoints"], str(asked.get("dataset") or ""), str(asked.get("part") or "")
        if not isinstance(chosen, list) or not chosen:
            raise RunError("Choose a checkpoint first.")
        if len(chosen) > MAX_CHECKPOINTS:
            raise RunError("At most {count} checkpoints are compared at once.", count=MAX_CHECKPOINTS)
        if part not in PARTS:
            raise DatasetError("There is no such part of a data set.")
        limits.check_name(dataset)
        paths = [cache.checkpoint(str(one)) for one in dict.fromkeys(chosen)]
        if len(paths) > 1:  # on the same images: those of the first
            same_classes(paths)
            dataset = dataset or settings_of(paths[0]).dataset
        return [evaluations.Request(path, dataset, part) for path in paths]

    def one_of(asked: dict[str, Any]) -> tuple[evaluations.Request, Any]:
        which = asked_for(asked)
        chosen = which[min(max(int(asked.get("which") or 0), 0), len(which) - 1)]
        return chosen, kept.get(chosen)

    def place_of(asked: dict[str, Any]) -> tuple[Any, int]:
        _, made = one_of(asked)
        place = int(asked["place"])
        if not 0 <= place < len(made.indices):
            raise DatasetError("There is no such image.")
        return made, place

    def evaluate_look(asked: dict[str, Any]) -> dict[str, Any]:
        """Where the evaluations stand. `start`: "again" begins what is not there; "on" what nobody has asked for."""
        wanted, begin = asked_for(asked), asked.get("start")
        unfinished = evaluations.first_unfinished(wanted, workspace, begin=str(begin or ""))
        if unfinished:
            one, seen = unfinished
            if seen.state == "failed" and seen.message:
                return {"error": words.message(seen.message)}
            if seen.state != "running":
                return {"state": seen.state}
            name = one.checkpoint.parent.name
            return {"state": "running", "html": evaluation_card.waiting(name, seen.done, seen.total, words)}
        made = [found for one in wanted if (found := kept.fresh(one)) is not None]
        if len(made) < len(wanted):  # a file that cannot be read: it is made anew
            return {"state": "stopped"}
        names = evaluation_card.run_names([Path(m.checkpoint) for m in made])
        compared = compare_evaluations(dict(zip(names, made, strict=True)), workspace)
        shown = min(max(int(asked.get("which") or 0), 0), len(made) - 1)
        html = evaluation_card.card(made, shown, compared, words)
        return {"state": "finished", "html": html, "classes": made[shown].classes, "which": shown}

    def evaluate_report(asked: dict[str, Any]) -> dict[str, Any]:
        """What is shown, as one file."""
        wanted = asked_for(asked)
        html = report([one.checkpoint for one in wanted], [kept.get(one) for one in wanted], workspace)
        return {"name": f"{wanted[0].checkpoint.parent.name}.html", "html": html}

    def evaluate_stop(asked: dict[str, Any]) -> dict[str, Any]:
        if not looks_after(asked):
            raise RunError(
                "In a shared lab an evaluation may be somebody else's too: it ends by itself, or its host stops it."
            )
        for one in asked_for(asked):
            evaluations.stop(one, workspace)
        return {}

    def evaluate_images(asked: dict[str, Any]) -> dict[str, Any]:
        _, made = one_of(asked)
        low, high = (float(v) for v in str(asked.get("confidence") or "0 1").split())
        wanted = Wanted(
            true=_index(asked.get("true"), made.classes),
            predicted=_index(asked.get("predicted"), made.classes),
            verdict=str(asked.get("verdict") or ""),
            sure=str(asked.get("sure") or ""),
            low=low,
            high=high,
        )
        places, start = kept.choose(made, wanted), max(int(asked.get("start_at") or 0), 0)
        images = [
            {
                "place": place,
                "url": kept.thumbnail(made, place),
                "true": made.classes[int(made.outputs.labels[place])],
                "predicted": made.classes[int(made.outputs.classes[place, 0])],
                "confidence": evaluation_card.percent(float(made.outputs.confidence[place])),
                "right": bool(made.outputs.right[place]),
                "sure": bool(made.outputs.sure[place]),
            }
            for place in places[start : start + PAGE].tolist()
        ]
        return {"total": len(places), "images": images, "next": start + len(images)}

    def evaluate_image(asked: dict[str, Any]) -> dict[str, Any]:
        made, place = place_of(asked)
        said, names = kept.predict(made, place)
        found = [(name, url) for name in names if (url := training_image(Path(made.checkpoint), name, workspace))]
        html = evaluation_card.image(
            said,
            name=kept.name(made, place),
            true=made.classes[int(made.outputs.labels[place])],
            picture=kept.large(made, place),
            neighbours=found,
            own=not limits.public and kept.own_path(made, place) is not None,
            classes=made.classes,
            words=words,
        )
        return {"html": html}

    def evaluate_hand_over(asked: dict[str, Any]) -> dict[str, Any]:
        """What Classify is to show: the checkpoint, and the picture as a drawing or as a photo."""
        made, place = place_of(asked)
        chosen = list(dict.fromkeys(map(str, asked["checkpoints"])))
        return {
            "checkpoint": chosen[min(max(int(asked.get("which") or 0), 0), len(chosen) - 1)],
            **hand_over(kept, made, place, limits),
        }

    def changeable(asked: dict[str, Any]) -> tuple[str, str]:
        limits.may_delete()
        made, place = place_of(asked)
        path = kept.own_path(made, place)
        if path is None:
            raise DatasetError("This image came with the lab: it is not changed.")
        return made.dataset, path

    def evaluate_move(asked: dict[str, Any]) -> dict[str, Any]:
        dataset, path = changeable(asked)
        return {"change": edits.move_to_class(dataset, path, str(asked["label"]), workspace).id}

    def evaluate_delete(asked: dict[str, Any]) -> dict[str, Any]:
        dataset, path = changeable(asked)
        return {"change": edits.delete(dataset, path, workspace).id}

    def evaluate_undo(asked: dict[str, Any]) -> dict[str, Any]:
        limits.may_delete()
        _, made = one_of(asked)
        edits.undo(made.dataset, str(asked["change"]), workspace)
        return {}

    return [
        answering(evaluate_look, words, "picture"),
        answering(evaluate_report, words, "document"),
        answering(evaluate_images, words, "picture"),
        answering(evaluate_image, words, "network"),
        answering(evaluate_hand_over, words, "picture"),
        *(answering(f, words, "state") for f in (evaluate_stop, evaluate_move, evaluate_delete, evaluate_undo)),
    ]


def _index(value: Any, classes: tuple[str, ...]) -> int | None:
    if value in (None, ""):
        return None
    index = int(value)
    if not 0 <= index < len(classes):
        raise DatasetError("There is no such class.")
    return index


def evaluation_request(checkpoints: list[str], dataset: str, part: str) -> str:
    """The component's value that shows what is kept of these, or going on."""
    return json.dumps({"checkpoints": checkpoints, "dataset": dataset, "part": part})
