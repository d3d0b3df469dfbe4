"""The lab without a server, as one HTML file that reads and learns: images, engine and both languages inside.

It holds the very scripts that the lab's page runs. Knows no Gradio.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from imgcls.checkpoints.format import Meta, read_meta
from imgcls.checkpoints.store import find_checkpoint
from imgcls.errors import DatasetError, ImgclsError
from imgcls.messages import N_
from imgcls.models.registry import OPTIONS
from imgcls.recipes import preprocess_for
from imgcls.web.classify.browser_weights import check_for_page, page_bytes
from imgcls.web.engine.dataset_file import make_file, page_classes, page_settings
from imgcls.web.engine.routes import BUILDS, engine_file
from imgcls.web.i18n.script_sentences import PAD, in_language
from imgcls.web.i18n.translator import LANGUAGES, Translator
from imgcls.web.init_lab.side_options import side_options
from imgcls.web.server.language import CODES
from imgcls.web.shared.render import render
from imgcls.web.standalone.build import built
from imgcls.web.train.page_options import default_settings, form_choices, page_words, size_choices
from imgcls.workspace import Workspace

MAX_BYTES = 2_500_000  # bytes of the file
IMAGES, HELD_OUT = 5_000, 2_000  # of digits, 1.5 MB as text
USUAL = "mnist"
WEB = Path(__file__).parent.parent
STYLES = tuple(
    WEB / name
    for name in (
        "frame.css",
        "style.css",
        "train/page_training.css",
        "init_lab/side_by_side.css",
        "standalone/standalone.css",
    )
)
# Nothing but what is in the file; WebAssembly's own permission, and the worker that is made of the file's own text.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval'; worker-src blob:; style-src 'unsafe-inline'; "
    "img-src data: blob:"
)
ROOMS = {"draw": N_("Draw"), "train": N_("Train"), "init": N_("Init lab")}


@dataclass(frozen=True)
class Alone:
    """What such a page is about. files: addresses of its parts, where they lie beside it; parts: those inside it."""

    title: str
    dataset: str
    sizes: Sequence[int]
    rooms: Sequence[str]
    parts: Mapping[str, bytes | str]
    policy: str = POLICY
    files: Mapping[str, str] | None = None
    start: str = ""  # a checkpoint's name, whose weights are a part
    network: Mapping[str, str] = field(default_factory=dict)  # its activation and pooling

    def html(self) -> str:
        inside = {
            id: Markup(content if isinstance(content, str) else base64.b64encode(content).decode())
            for id, content in self.parts.items()
        }
        start = {"title": self.start, "url": "weights", "widths": [6, 16], **self.network} if self.start else None
        options = {
            "files": dict(self.files) if self.files else None,
            "rooms": list(self.rooms),
            "defaults": {self.dataset: default_settings(self.dataset)},
            "start": start,
            "kept_as": f"page-{hashlib.sha256(json.dumps([self.title, self.dataset]).encode()).hexdigest()[:12]}",
        }
        return render(
            "standalone",
            Translator("en"),
            title=self.title,
            policy=Markup(self.policy),
            files=bool(self.files),
            css=Markup("\n".join(path.read_text("utf-8") for path in STYLES)),
            pad=Markup((WEB / "classify" / "pad.html").read_text("utf-8")),
            texts=_json({language: self._texts(Translator(language), language) for language in LANGUAGES}),
            options=_json(options),
            parts=inside,
            script=Markup(built("standalone")),
        )

    def _texts(self, translate: Translator, language: str) -> dict[str, Any]:
        return {
            "words": page_words(translate),
            "pad_words": in_language(PAD, translate),
            "side": side_options(translate, self.dataset),
            "choices": form_choices(translate),
            "datasets": [(self.dataset, translate.value(self.dataset))],
            "sizes": size_choices(translate, self.sizes),
            "page": {
                "code": CODES[language],
                "name": LANGUAGES[language],
                "title": f"{self.title} · imgcls",
                "what": translate("A network that learns in this page: train it, draw, and see what it makes of it"),
                "about": translate("Made with imgcls. Everything is in this file; it works offline.")
                if self.files is None
                else translate("Made with imgcls. Once loaded it works offline; nothing leaves this browser."),
                "rooms": translate("Rooms"),
                **{f"room_{name}": translate(title) for name, title in ROOMS.items()},
            },
        }


def training_page(checkpoint: Path | None, workspace: Workspace) -> str:
    """checkpoint: a LeNet that the page can learn on from. Raises ImgclsError."""
    meta = read_meta(checkpoint) if checkpoint else None
    if checkpoint and meta:
        check_for_page(checkpoint, meta)
    dataset = dataset_for(meta, workspace)
    start = known_as(checkpoint, workspace) if checkpoint else ""
    images = make_file(dataset, IMAGES, workspace, start_from=start, validation_images=HELD_OUT)
    parts = engine_parts() | {f"data-{IMAGES}": images.content, "worker": built("worker")}
    if checkpoint:
        parts["weights"] = page_bytes(checkpoint, half=True)
    title = (meta.run if meta else "") or "LeNet"
    rooms = ("train", "draw", "init") if checkpoint else ("train", "init")
    name = (start or title) if checkpoint else ""
    page = Alone(
        title, dataset, (IMAGES,), rooms, parts, start=name, network=OPTIONS | (meta.options if meta else {})
    ).html()
    if len(page.encode()) > MAX_BYTES:
        raise DatasetError(
            "{count:,} images of {dataset} do not fit into one file of {most:g} MB: choose a checkpoint of digits.",
            count=IMAGES,
            dataset=dataset,
            most=MAX_BYTES / 1e6,
        )
    return page


def engine_parts() -> dict[str, bytes | str]:
    return {build: engine_file(build) for build in BUILDS}


def dataset_for(meta: Meta | None, workspace: Workspace) -> str:
    """What a page learns from: MNIST where that has the network's classes and form, otherwise the network's own."""
    if meta is None:
        return USUAL
    form = preprocess_for(page_settings(USUAL, 0))
    if meta.classes == page_classes(USUAL, workspace) and meta.preprocess == form:
        return USUAL
    return str(meta.settings.get("dataset", USUAL))


def known_as(checkpoint: Path, workspace: Workspace) -> str:
    """ "run/best" where the lab lists it under that name; "" for a file from elsewhere."""
    name = f"{checkpoint.parent.name}/{checkpoint.stem}"
    try:
        return name if find_checkpoint(name, workspace).path.samefile(checkpoint) else ""
    except (ImgclsError, OSError):
        return ""


def _json(value: Any) -> Markup:
    return Markup(json.dumps(value, ensure_ascii=False).replace("<", "\\u003c"))
