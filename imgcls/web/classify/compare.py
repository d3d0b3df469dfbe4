"""Compare: one drawing or photo through several checkpoints, side by side; also one checkpoint's kept epochs.

The page asks for one checkpoint at a time, so that answers appear as they come and one network at a time is at work.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from imgcls.checkpoints.epochs import epochs_of
from imgcls.checkpoints.format import read_meta
from imgcls.checkpoints.store import CheckpointInfo
from imgcls.errors import CheckpointError
from imgcls.inference.classify import classify
from imgcls.models.registry import model_spec
from imgcls.web.classify import answer_view
from imgcls.web.classify.inputs import input_image
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.limits import Limits
from imgcls.web.shared.run_cache import RunCache, checkpoint_title, key
from imgcls.web.shared.server_functions import ServerFunction, server_function
from imgcls.web.shared.work_gate import network, network_of_epoch

if TYPE_CHECKING:
    from imgcls.inference.predictor import Predictor

AT_FIRST = 4  # that are compared before anything is chosen
QUICK_S, EXTRA_TIMINGS = 0.15, 2  # an answer of so few seconds is timed again: the first run of a network is slower
EPOCH = re.compile(r"(.+)@(\d{1,6})")


def server_functions(translate: Translator, cache: RunCache, limits: Limits) -> list[ServerFunction]:
    def compare_list(payload: dict[str, Any]) -> dict[str, Any]:
        """What may be compared with the chosen checkpoint: those of its classes, the others apart."""
        chosen = str(payload["checkpoint"])
        about = read_meta(cache.checkpoint(chosen))
        is_drawing = not payload.get("photo")
        same: list[dict[str, Any]] = []
        others: list[dict[str, Any]] = []
        for info in cache.checkpoints():
            alike = info.classes == about.classes
            if info.kind == "best" or key(info) == chosen:
                (same if alike else others).append(
                    {
                        "key": key(info),
                        "title": checkpoint_title(info, translate),
                        "fits": alike or info.photos != is_drawing,
                    }
                )
            if alike and info.kind == "best":
                same += _epochs(info, translate)
        same.sort(key=lambda entry: entry["key"] != chosen)
        first = [entry["key"] for entry in same if "@" not in entry["key"]][:AT_FIRST]
        return {"same": same, "others": others, "chosen": first, "most": limits.compare}

    def compare_one(payload: dict[str, Any]) -> dict[str, Any]:
        """What one of them makes of the picture: HTML."""
        with input_image(payload) as picture:
            predictor, title = _opened(str(payload["key"]), cache, translate)
            began = time.perf_counter()
            reading = classify(predictor, [picture], language=translate.language)[0]
            seconds = time.perf_counter() - began
            for _ in range(EXTRA_TIMINGS if seconds < QUICK_S else 0):
                began = time.perf_counter()
                classify(predictor, [picture], language=translate.language)
                seconds = min(seconds, time.perf_counter() - began)
        return {"html": answer_view.compared(reading, title, _facts(predictor, seconds, translate), translate)}

    return [server_function(compare_list, translate, "state"), server_function(compare_one, translate, "network")]


def _epochs(info: CheckpointInfo, translate: Translator) -> list[dict[str, Any]]:
    """The first and the last of its epochs that are kept."""
    epochs = epochs_of(info.path.parent)
    if len(epochs) < 2:
        return []
    shown_epochs = dict.fromkeys([epochs[0], epochs[1], epochs[-1]])
    return [
        {"key": f"{key(info)}@{epoch}", "title": f"{info.run} · {_epoch(epoch, translate)}", "fits": True}
        for epoch in shown_epochs
    ]


def _epoch(epoch: int, translate: Translator) -> str:
    return translate("after epoch {epoch}", epoch=epoch) if epoch else translate("before the first step")


def _opened(named: str, cache: RunCache, translate: Translator) -> tuple[Predictor, str]:
    """ "run/best" or, for the weights after its epoch 3, "run/best@3". Raises CheckpointError."""
    if not (of_epoch := EPOCH.fullmatch(named)):
        predictor = network(cache.checkpoint(named))
        return predictor, named.removesuffix("/best")
    path, epoch = cache.checkpoint(of_epoch[1]), int(of_epoch[2])
    if epoch not in epochs_of(path.parent):
        raise CheckpointError("Epoch {epoch} of {run} is not kept.", epoch=epoch, run=path.parent.name)
    return network_of_epoch(path, epoch), f"{path.parent.name} · {_epoch(epoch, translate)}"


def _facts(predictor: Predictor, seconds: float, translate: Translator) -> str:
    """ "LeNet · 0.2 MB · 1.4 ms"."""
    name = model_spec(predictor.meta.model).title
    return translate(
        "{network} · {size:.1f} MB · {time} ms",
        network=name,
        size=predictor.bytes / 1e6,
        time=f"{seconds * 1000:.1f}" if seconds < 0.1 else f"{seconds * 1000:.0f}",
    )
