"""The Classify room: draw, or give a photo, and see what any checkpoint makes of it while you draw."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from imgcls.errors import ImgclsError, InputError
from imgcls.web.classify import answer_view, import_weights
from imgcls.web.classify.answer import kind_of, nothing_drawn, of_drawing, of_photo
from imgcls.web.classify.browser_weights import PageWeights
from imgcls.web.classify.camera import LiveCamera
from imgcls.web.classify.live import LiveAnswer
from imgcls.web.classify.pad import DrawingPad, drawing_of
from imgcls.web.classify.panels_view import ABOUT, OnDemand
from imgcls.web.i18n.translator import Translator
from imgcls.web.server.gradio_internals import told_by
from imgcls.web.shared import address
from imgcls.web.shared.choice import Choice
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.events import SILENT
from imgcls.web.shared.render import render
from imgcls.web.shared.run_cache import RunCache, checkpoint_title, key
from imgcls.web.shared.work_gate import address_of, opened_picture, work

# What a tab begins with, unless another checkpoint was chosen than the other tab's.
BEGIN = {"draw": "lenet-digits/best", "photo": "imagenet/best"}
# The `js` of the pad's event and of the camera's: (picture, checkpoint) => the answer. Where a later one was asked for
# meanwhile, or something else was chosen (LATE), what stands on the page stays.
ASK = """async (OF, checkpoint) => {
  const turn = window.imgclsDrawn = (window.imgclsDrawn ?? 0) + 1;
  const now = () => document.querySelector('#result .answer')?.outerHTML ?? '';
  try {
    const body = JSON.stringify({ OF, checkpoint }), headers = { 'Content-Type': 'application/json' };
    const said = await fetch('../WHERE', { method: 'POST', headers, body });
    const html = await said.text();
    return turn !== window.imgclsDrawn ? now() : said.ok ? html : AWAY;
  } catch (error) { return turn === window.imgclsDrawn ? AWAY : now(); }
  finally { setTimeout(() => document.querySelector('ROOT')?.dispatchEvent(new Event('answered'))); }
}"""
LATE = "() => { window.imgclsDrawn = (window.imgclsDrawn ?? 0) + 1; }"


class Photo(gr.Image):
    """An image whose file is handed over as it was uploaded: opened by images.py, upright, with its limits."""

    is_template = True  # drawn, and loaded elsewhere, as gr.Image

    def preprocess(self, payload: Any) -> str | None:
        return payload.path if payload is not None else None


@dataclass
class Room:
    checkpoint: gr.Dropdown
    pad: DrawingPad
    photo: Photo
    result: gr.HTML
    sources: gr.Tabs
    source: gr.State  # which of them is open, for those that open another one


def build(context: PageContext) -> Room:
    translate, run_cache, weights = context.translate, context.run_cache, context.weights
    listed, chosen = choices(translate, run_cache)
    first = _in_page(weights, chosen)
    with gr.Row(elem_classes="room classify", equal_height=True):
        with gr.Column(scale=5, min_width=320, elem_classes="card give"):
            with gr.Tabs(elem_classes="sources", elem_id="sources") as sources:
                with gr.Tab(translate("Draw"), id="draw"):
                    pad = DrawingPad(translate, in_page=bool(first), elem_id="pad")
                with gr.Tab(translate("Photo"), id="photo"):
                    photo = Photo(
                        type="filepath",
                        label=translate("Photo"),
                        sources=["upload", "clipboard", "webcam"],
                        show_label=False,
                        height=330,
                        elem_id="photo",
                        buttons=["fullscreen"],
                    )
                    camera = LiveCamera(translate, elem_id="camera")
                    gr.HTML(
                        render("no_webcam", translate),
                        js_on_load="if (window.isSecureContext) element.remove();",
                    )
        with gr.Column(scale=6, min_width=320, elem_classes="card get"):
            checkpoint = Choice(
                listed,
                value=chosen,
                label=translate("Checkpoint"),
                elem_id="checkpoint",
                allow_custom_value=True,
            )
            live = LiveAnswer(translate, first, elem_id="live")
            result = gr.HTML("" if first else nothing_drawn(translate), elem_id="result")
    inside = OnDemand(context, elem_id="inside")
    import_weights.build(context, checkpoint, sources, lambda: choices(translate, run_cache)[0])
    quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "trigger_mode": "always_last"}

    def read_upload(path: str | None, chosen: str) -> str:
        if not path:
            return of_photo(run_cache, translate, None, chosen)
        with opened_picture(path, keep_alpha=True, name=translate("Photo")) as image:
            return of_photo(run_cache, translate, image, chosen)

    async def answer(request: gr.Request, chosen: str, make: Callable[[], str]) -> str:
        try:
            return await work(kind_of(run_cache, chosen), None, make, address_of(request))
        except InputError as error:
            return answer_view.problem(translate.message(error.message), translate)

    async def of_upload(request: gr.Request, path: str | None, chosen: str) -> str:
        """What the checkpoint makes of a photo: HTML."""
        return await answer(request, chosen, lambda: read_upload(path, chosen))

    async def of_either(
        request: gr.Request, source: str, drawing: str, path: str | None, chosen: str
    ) -> tuple[str, str]:
        """What the page is to compute itself, and what the server answers: one of them is ''."""
        if source == "photo":
            return "", await of_upload(request, path, chosen)
        if name := _in_page(weights, chosen):
            return name, ""
        return "", await answer(request, chosen, lambda: of_drawing(run_cache, translate, drawing_of(drawing), chosen))

    source = gr.State("draw")
    # An answer may come back after another network was chosen, which the page computes itself.
    away = answer_view.problem(translate("The lab does not answer: is the network there? Try again."), translate)

    def ask(where: str, of: str, root: str) -> str:
        script = ASK.replace("OF", of).replace("WHERE", f"{where}/{translate.language}").replace("ROOT", root)
        return script.replace("AWAY", json.dumps(str(away)))

    pad.drawn(None, [pad, checkpoint], result, js=ask("drawn", "drawing", "#pad .pad"), api_visibility="private").then(
        None, [live, result], result, js="(inPage, said) => inPage ? '' : said", api_visibility="private"
    )
    camera.began(None, None, photo, js="() => null", api_visibility="private")
    camera.ended(of_upload, [photo, checkpoint], result, api_visibility="private", **quick)
    camera.seen(
        None, [camera, checkpoint], result, js=ask("seen", "picture", "#camera .camera"), api_visibility="private"
    )
    for changed in (checkpoint.change, photo.change, sources.select):
        changed(None, None, None, js=LATE, api_visibility="private")
    photo.change(of_upload, [photo, checkpoint], result, api_visibility="private", **quick)
    checkpoint.change(of_either, [source, pad, photo, checkpoint], [live, result], api_visibility="private", **quick)

    def switched(previous: str, chosen: str, event: gr.SelectData) -> tuple[str, Any]:
        """The tab, and the network that ships for it in place of the one that ships for the other."""
        here, elsewhere = ("photo", "draw") if event.index == 1 else ("draw", "photo")
        return here, BEGIN[here] if previous != here and chosen == BEGIN[elsewhere] else gr.skip()

    sources.select(
        switched,
        [source, checkpoint],
        [source, checkpoint],
        **SILENT,
    ).then(of_either, [source, pad, photo, checkpoint], [live, result], api_visibility="private", **quick)
    tabs = address.follow("source", sources)

    def opened(request: gr.Request) -> list[Any]:
        """What a link says, over what the page begins with, and the answer to nothing yet; a drawing that the page has
        kept is asked about when the checkpoint changes."""
        here = address.chosen(request.query_params, "source", tabs)
        options, _ = choices(translate, run_cache)
        keys = [name for _, name in options]
        usual = BEGIN[here] if here and BEGIN.get(here) in keys else None
        wanted_key = address.chosen(request.query_params, "checkpoint", keys) or usual
        # Known here and now: a tab that a link opens has no event everywhere, and where it has one it changes nothing.
        update = gr.update(choices=options) | ({"value": wanted_key} if wanted_key else {})
        now = wanted_key or chosen or ""
        if here == "photo":
            answers = ["", of_photo(run_cache, translate, None, now)]
        else:
            name = _in_page(weights, now)
            answers = [name, "" if name else of_drawing(run_cache, translate, None, now)]
        return [update, gr.Tabs(selected=here) if here else gr.skip(), here or gr.skip(), *answers]

    def refreshed(current: str) -> Any:
        options, first = choices(translate, run_cache)
        return gr.update(choices=options, value=current if current in {keys for _, keys in options} else first)

    context.load.add(opened, [checkpoint, sources, source, live, result])
    context.changes.change(refreshed, checkpoint, checkpoint, **SILENT)

    def used(event: gr.EventData) -> Any:
        """A network that has just learnt from corrections."""
        wanted_key, options = str(told_by(event).get("checkpoint") or ""), choices(translate, run_cache)[0]
        return (
            gr.update(choices=options, value=wanted_key) if wanted_key in {name for _, name in options} else gr.skip()
        )

    inside.submit(used, None, checkpoint, **SILENT)
    checkpoint.change(None, checkpoint, None, js=address.puts("checkpoint"), api_visibility="private")
    # Asked of nobody: the page knows both itself.
    for changed in (checkpoint.change, photo.change, sources.select, context.page.load):
        changed(None, [checkpoint, photo], inside, js=ABOUT, api_visibility="private")
    return Room(checkpoint, pad, photo, result, sources, source)


def choices(translate: Translator, run_cache: RunCache) -> tuple[list[tuple[str, str]], str | None]:
    """([(title, key)], the one to begin with: it reads drawings)."""
    listed = [(checkpoint_title(info, translate), key(info)) for info in run_cache.checkpoints()]
    return listed, listed[0][1] if listed else None


def _in_page(weights: PageWeights, chosen: str | None) -> str:
    """Where the page finds the network; '' where the server has to answer, or to say what is wrong."""
    try:
        name = weights.name(chosen)
    except ImgclsError:
        return ""
    return f"../weights/{name}" if name else ""
