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
from imgcls.inference.classify import read
from imgcls.models.registry import model_spec
from imgcls.web.classify import answer_view
from imgcls.web.classify import inputs as given
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.limits import Limits
from imgcls.web.shared.run_cache import RunCache, checkpoint_title, key
from imgcls.web.shared.server_functions import Answering, answering
from imgcls.web.shared.work_gate import network, network_of_epoch

if TYPE_CHECKING:
    from imgcls.inference.predictor import Predictor

AT_FIRST = 4  # that are compared before anything is chosen
QUICK_S, EXTRA_TIMINGS = 0.15, 2  # an answer of so few seconds is timed again: the first run of a network is slower
EPOCH = re.compile(r"(.+)@(\d{1,6})")


def server_functions(words: Translator, cache: RunCache, limits: Limits) -> list[Answering]:
    def compare_list(asked: dict[str, Any]) -> dict[str, Any]:
        """What may be compared with the chosen checkpoint: those of its classes, the others apart."""
        chosen = str(asked["checkpoint"])
        about = read_meta(cache.checkpoint(chosen))
        drawn = not asked.get("photo")
        same: list[dict[str, Any]] = []
        others: list[dict[str, Any]] = []
        for info in cache.checkpoints():
            alike = info.classes == about.classes
            if info.kind == "best" or key(info) == chosen:
                (same if alike else others).append(
                    {"key": key(info), "title": checkpoint_title(info, words), "fits": alike or info.photos != drawn}
                )
            if alike and info.kind == "best":
                same += _epochs(info, words)
        same.sort(key=lambda one: one["key"] != chosen)
        first = [one["key"] for one in same if "@" not in one["key"]][:AT_FIRST]
        return {"same": same, "others": others, "chosen": first, "most": limits.compare}

    def compare_one(asked: dict[str, Any]) -> dict[str, Any]:
        """What one of them makes of the picture: HTML."""
        with given.picture(asked) as picture:
            predictor, title = _opened(str(asked["key"]), cache, words)
            began = time.perf_counter()
            reading = read(predictor, [picture], language=words.language)[0]
            seconds = time.perf_counter() - began
            for _ in range(EXTRA_TIMINGS if seconds < QUICK_S else 0):
                began = time.perf_counter()
                read(predictor, [picture], language=words.language)
                seconds = min(seconds, time.perf_counter() - began)
        return {"html": answer_view.compared(reading, title, _facts(predictor, seconds, words), words)}

    return [answering(compare_list, words, "state"), answering(compare_one, words, "network")]


def _epochs(info: CheckpointInfo, words: Translator) -> list[dict[str, Any]]:
    """The first and the last of its epochs that are kept."""
    kept = epochs_of(info.path.parent)
    if len(kept) < 2:
        return []
    wanted = dict.fromkeys([kept[0], kept[1], kept[-1]])
    return [
        {"key": f"{key(info)}@{epoch}", "title": f"{info.run} · {_epoch(epoch, words)}", "fits": True}
        for epoch in wanted
    ]


def _epoch(epoch: int, words: Translator) -> str:
    return words("after epoch {epoch}", epoch=epoch) if epoch else words("before the first step")


def _opened(named: str, cache: RunCache, words: Translator) -> tuple[Predictor, str]:
    """ "run/best" or, for the weights after its epoch 3, "run/best@3". Raises CheckpointError."""
    if not (of_epoch := EPOCH.fullmatch(named)):
        predictor = network(cache.checkpoint(named))
        return predictor, named.removesuffix("/best")
    path, epoch = cache.checkpoint(of_epoch[1]), int(of_epoch[2])
    if epoch not in epochs_of(path.parent):
        raise CheckpointError("Epoch {epoch} of {run} is not kept.", epoch=epoch, run=path.parent.name)
    return network_of_epoch(path, epoch), f"{path.parent.name} · {_epoch(epoch, words)}"


def _facts(predictor: Predictor, seconds: float, words: Translator) -> str:
    """ "LeNet · 0.2 MB · 1.4 ms"."""
    name = model_spec(predictor.meta.model).title
    return words(
        "{network} · {size:.1f} MB · {time} ms",
        network=name,
        size=predictor.bytes / 1e6,
        time=f"{seconds * 1000:.1f}" if seconds < 0.1 else f"{seconds * 1000:.0f}",
    )
