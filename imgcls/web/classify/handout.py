"""One file to hand out: a LeNet checkpoint as a page that needs no server and asks for nothing.

It holds the very scripts that the lab's page runs, the weights, and both languages. Of what makes it larger (images
that excite a map, weights of other epochs) as much goes in as MAX_BYTES leaves room for. Knows no Gradio.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from imgcls.checkpoints.epochs import epochs_of, read_epoch
from imgcls.checkpoints.format import Meta, read_meta
from imgcls.errors import CheckpointError
from imgcls.web.classify.browser_weights import check_for_page, page_bytes, units_if_there
from imgcls.web.i18n.script_sentences import PAD, SENTENCES, in_language
from imgcls.web.i18n.translator import LANGUAGES, Translator
from imgcls.web.server.language import CODES
from imgcls.web.shared.render import render
from imgcls.web.shared.work_gate import network
from imgcls.web.standalone.build import built
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor

MAX_BYTES = 700_000  # bytes of the file
HERE = Path(__file__).parent
IMAGES = (8, 4, 2, 0)  # that excite a map, as many as fit


def handout(path: Path, workspace: Workspace) -> str:
    """The page of the checkpoint at `path`. Raises CheckpointError where it is no LeNet, or too large for one file."""
    check_for_page(path, read_meta(path))  # before its units are computed, which takes a LeNet's layers
    return handout_with(path, units_if_there(path, workspace))


def handout_with(path: Path, units: bytes | None) -> str:
    """The same. units: as `units_bytes` makes them; None where its data set is not here:
    the page does without. Raises CheckpointError where it is no LeNet, or too large for one file."""
    meta = read_meta(path)
    check_for_page(path, meta)
    numbers = epochs_of(path.parent)
    parts = {"weights": page_bytes(path, half=len(numbers) > 1)}
    room = MAX_BYTES - len(_page(meta, parts)) - 200
    if room < 0:
        raise CheckpointError("{path} is too large for a page of its own.", path=path)
    if units:
        thin = next((fewer for most in IMAGES if _encoded(fewer := _fewer(units, most)) <= room * 0.4), None)
        if thin:
            parts["units"] = thin
            room -= _encoded(thin)
    if len(numbers) > 1:
        for count in range(len(numbers), 1, -1):
            epochs_file = _epochs(path, [numbers[i * (len(numbers) - 1) // (count - 1)] for i in range(count)])
            if _encoded(epochs_file) <= room:
                parts["epochs"] = epochs_file
                break
    return _page(meta, parts)


def space_readme(path: Path | None) -> str:
    """The README.md that makes a folder with the page as index.html a static Space. Source: the Hub's documentation."""
    run = (read_meta(path).run if path else "") or "LeNet"
    lines = [f"title: {json.dumps(run)}", "emoji: ✏️", "colorFrom: indigo", "colorTo: blue", "sdk: static"]
    return "\n".join(["---", *lines, "app_file: index.html", "pinned: false", "---", ""])


def _page(meta: Meta, parts: Mapping[str, bytes]) -> str:
    name = meta.run or "LeNet"
    texts = {language: _texts(meta, Translator(language), language) for language in LANGUAGES}
    plain = {key: Markup(base64.b64encode(content).decode()) for key, content in parts.items()}
    return render(
        "handout",
        Translator("en"),
        title=name,
        name=name,
        css=Markup("\n".join((HERE.parent / name).read_text("utf-8") for name in ("frame.css", "style.css"))),
        pad=Markup((HERE / "pad.html").read_text("utf-8")),
        texts=Markup(json.dumps(texts, ensure_ascii=False).replace("<", "\\u003c")),
        parts=plain,
        script=Markup(built("handout")),
    )


def _texts(meta: Meta, translate: Translator, language: str) -> dict[str, dict[str, str]]:
    accuracy = meta.metrics.get("test_accuracy") or meta.metrics.get("val_accuracy")
    network = [f"LeNet · {', '.join(meta.classes[:12])}{' …' if len(meta.classes) > 12 else ''}"]
    if accuracy is not None:
        measure = translate("Test accuracy") if meta.metrics.get("test_accuracy") else translate("Validation accuracy")
        network.append(f"{measure} {accuracy:.1%}")
    return {
        "pad": in_language(PAD, translate),
        "live": in_language(SENTENCES, translate),
        "page": {
            "code": CODES[language],
            "name": LANGUAGES[language],
            "title": f"{meta.run or 'LeNet'} · imgcls",
            "what": translate("A network that runs in this page: draw, and see what it makes of it"),
            "network": " · ".join(network),
            "about": translate("Made with imgcls. Everything is in this file; it works offline."),
        },
    }


def _fewer(units: bytes, most: int) -> bytes:
    """The same answers with at most so many images a map."""
    from safetensors.torch import load, save

    tensors = load(units)
    tops = {name: t[:, :most] for name, t in tensors.items() if name.startswith("top.")}
    dead = {name: t for name, t in tensors.items() if name.startswith("dead.")}
    import torch

    used = torch.cat([t.flatten() for t in tops.values()]).unique()
    used = used[used >= 0]
    position = torch.full((len(tensors["images"]) + 1,), -1).scatter(0, used, torch.arange(len(used)))
    tensors_left = {name: position[t].contiguous() for name, t in tops.items()}  # -1 finds the last, which is -1
    return save(dead | tensors_left | {"images": tensors["images"][used].contiguous()}, {"page": "{}"})


def _epochs(path: Path, numbers: Sequence[int]) -> bytes:
    """Weights of these epochs in one byte each, with a scale a row: -127..127 times the scale."""
    import torch
    from safetensors.torch import save

    shapes = {name: tuple(t.shape) for name, t in network(path).model.state_dict().items()}
    tensors_of_epochs: dict[str, Tensor] = {}
    for number in numbers:
        for name, tensor in read_epoch(path.parent, number, shapes).items():
            rows = tensor.float().reshape(len(tensor), -1)
            scale = rows.abs().amax(1).clamp(min=1e-12) / 127
            tensors_of_epochs[f"{number}/{name}"] = (rows / scale[:, None]).round().to(torch.int8).reshape(tensor.shape)
            tensors_of_epochs[f"scale/{number}/{name}"] = scale
    return save(tensors_of_epochs, {"page": json.dumps({"epochs": list(numbers)})})


def _encoded(content: bytes) -> int:
    return (len(content) + 2) // 3 * 4
