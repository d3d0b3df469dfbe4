"""Why, and look inside, of networks that the server computes: heat maps of a class and the strongest maps, by stage.

Maps travel as bytes, one a place, and the page colours them.
"""

from __future__ import annotations

import base64
import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from imgcls.errors import InputError
from imgcls.web.classify.inputs import input_image
from imgcls.web.evaluate.results import as_url, training_image
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.shared.server_functions import ServerFunction, server_function
from imgcls.web.shared.work_gate import network

if TYPE_CHECKING:
    from torch import Tensor, nn

    from imgcls.inference.predictor import Predictor

LIKELY = 8  # classes to choose from at once
ALIKE = 6  # training images
FINEST = 48  # values a side that a map is sent with
SEED = 0  # of the untrained network

_building = threading.Lock()


class _Opened(NamedTuple):
    path: Path
    predictor: Predictor
    inputs: Tensor  # float (1, C, S, S)
    names: list[str]  # of the stages' layers


def server_functions(translate: Translator, cache: RunCache) -> list[ServerFunction]:
    def stages_why(payload: dict[str, Any]) -> dict[str, Any]:
        """Where the network looks for class `target`, by default its answer, and the training images most like the
        picture; with `untrained`, where the same network would look before it had learnt anything."""
        from imgcls.inference.explain import layer_cam

        opened = _open(payload, cache)
        answer: dict[str, Any] = {}
        if not payload.get("untrained"):
            answer = _answer(opened, translate) | {"alike": _alike(opened, cache)}
        target = int(payload["target"] if payload.get("target") is not None else answer["likely"][0][0])
        if not 0 <= target < len(opened.predictor.meta.classes):
            raise InputError("There is no such class.")
        model = _untrained(opened.predictor) if payload.get("untrained") else opened.predictor.model
        heats = layer_cam(model, opened.inputs, target, opened.names)
        stages = [_sent(name, heat[None]) for name, heat in zip(opened.names, heats, strict=True)]
        return {"target": target, "stages": stages} | answer

    def stages_maps(payload: dict[str, Any]) -> dict[str, Any]:
        """The strongest maps of the first convolution and of each stage."""
        from imgcls.inference.explain import strongest_maps
        from imgcls.models.layers import first_convolution

        opened = _open(payload, cache)
        model = opened.predictor.model
        names = list(dict.fromkeys([first_convolution(model)[0], *opened.names]))
        strongest = strongest_maps(model, opened.inputs, names)
        answer = _answer(opened, translate)
        stages = [
            _sent(name, maps) | {"numbers": [number + 1 for number in numbers], "count": count}
            for name, (numbers, maps, count) in zip(names, strongest, strict=True)
        ]
        return {"stages": stages} | answer

    return [server_function(function, translate, "network") for function in (stages_why, stages_maps)]


def _open(payload: dict[str, Any], cache: RunCache) -> _Opened:
    """Raises InputError for a network without places to show."""
    from imgcls.inference.explain import stage_layers

    path = cache.checkpoint(str(payload["checkpoint"]))
    predictor = network(path)
    form = predictor.meta.preprocess
    with input_image(payload) as picture:
        inputs = form.to_input(form.to_stored(picture)[None])
    if not (names := stage_layers(predictor.model, inputs)):
        raise InputError("This network cuts the picture into patches: it has no maps to show.")
    return _Opened(path, predictor, inputs, names)


def _answer(opened: _Opened, translate: Translator) -> dict[str, Any]:
    """likely: [[index, name, probability], ...]; classes: all names; picture: what the network saw."""
    import torch

    predictor, form = opened.predictor, opened.predictor.meta.preprocess
    names = predictor.meta.names(translate.language)
    with torch.inference_mode():
        logits, _ = predictor.run(opened.inputs)
        calibration = predictor.calibration
        shares = calibration.probabilities(logits)[0] if calibration else logits.softmax(dim=1)[0]
    top = shares.topk(min(LIKELY, len(names)))
    likely = [[c, names[c], share] for c, share in zip(top.indices.tolist(), top.values.tolist(), strict=True)]
    return {"likely": likely, "classes": names, "picture": as_url(_image(form.picture(opened.inputs)[0]))}


def _alike(opened: _Opened, cache: RunCache) -> list[dict[str, str]]:
    """Those that the checkpoint has kept and that are still there, the most alike first."""
    import torch

    calibration = opened.predictor.calibration
    if calibration is None or calibration.neighbours is None:
        return []
    with torch.inference_mode():
        names = calibration.nearest(opened.predictor.run(opened.inputs)[1], ALIKE)[0]
    images = [{"name": name, "url": training_image(opened.path, name, cache.workspace)} for name in names]
    return [image for image in images if image["url"]]


def _untrained(predictor: Predictor) -> nn.Module:
    """The same network as it is before its first step."""
    meta = predictor.meta
    with _building:  # one at a time: there is one random state for all threads
        return _built(meta.model, meta.preprocess.channels, len(meta.classes), meta.preprocess.size)


@lru_cache(maxsize=2)
def _built(model: str, channels: int, classes: int, size: int) -> nn.Module:
    import torch

    from imgcls.models.registry import build

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return build(model, channels=channels, classes=classes, image_size=size).eval()


def _sent(name: str, maps: Tensor) -> dict[str, Any]:
    """maps: float (N, h, w) in 0..1 -> N * side * side bytes, in base64."""
    import torch.nn.functional as F

    whole = maps.shape[-1]
    if whole > FINEST:
        maps = F.adaptive_avg_pool2d(maps, FINEST)
        maps = maps / maps.max().clamp(min=1e-12)
    values = maps.mul(255).round().clamp(0, 255).byte().contiguous().numpy()
    return {"name": name, "whole": whole, "side": maps.shape[-1], "maps": base64.b64encode(values.tobytes()).decode()}


def _image(picture: Tensor) -> Any:
    """uint8 (C, S, S) -> a Pillow image."""
    from PIL import Image

    array = picture.permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)
