"""The Classify tab: draw, or give a photo, and see what any checkpoint makes of it while you draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from imgcls.errors import ImgclsError, InputError
from imgcls.web.classify import answer_view, import_weights
from imgcls.web.classify.answer import nothing_drawn, of_drawing, of_photo, pool_of
from imgcls.web.classify.camera import LiveCamera
from imgcls.web.classify.live import LiveAnswer
from imgcls.web.classify.pad import DrawingPad, drawing_of
from imgcls.web.classify.panels_view import ABOUT, OnDemand
from imgcls.web.server.gradio_internals import told_by
from imgcls.web.shared import address
from imgcls.web.shared.choice import Choice
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.events import SILENT
from imgcls.web.shared.render import render
from imgcls.web.shared.run_cache import checkpoint_title, key
from imgcls.web.shared.scripts import calls, starts
from imgcls.web.shared.work_gate import address_of, opened_picture, work

# What a tab begins with, unless another checkpoint was chosen than the other tab's.
BEGIN = {"draw": "lenet-digits/best", "photo": "imagenet/best"}
ANSWER = "classify/server_answer.js"


class Photo(gr.Image):
    """An image whose file is handed over as uploaded: imaging/image_io.py opens it, upright, with its limits."""

    is_template = True  # drawn, and loaded elsewhere, as gr.Image

    def preprocess(self, payload: Any) -> str | None:
        return payload.path if payload is not None else None


class ClassifyTab:
    """`checkpoint`, `photo`, `sources` and `source` are filled by other tabs, too: what is to be tried, and how."""

    def __init__(self, context: PageContext) -> None:
        self.context, self.translate = context, context.translate
        self.run_cache, self.weights = context.run_cache, context.weights

    # ---- what stands where

    def layout(self) -> None:
        options, self.first_key = self.choices()
        in_page = self._in_page(self.first_key)
        with gr.Row(elem_classes="room classify", equal_height=True):
            with gr.Column(scale=5, min_width=320, elem_classes="card give"):
                self._lay_out_sources(in_page)
            with gr.Column(scale=6, min_width=320, elem_classes="card get"):
                self._lay_out_answer(options, in_page)
        self.inside = OnDemand(self.context, elem_id="inside")
        self.import_weights = import_weights.ImportWeights(
            self.context, self.checkpoint, self.sources, lambda: self.choices()[0]
        )
        self.import_weights.layout()
        self.source = gr.State("draw")  # which of `sources` is open, for those that open another one

    def _lay_out_sources(self, in_page: str) -> None:
        translate = self.translate
        with gr.Tabs(elem_classes="sources", elem_id="sources") as self.sources:
            with gr.Tab(translate("Draw"), id="draw"):
                self.pad = DrawingPad(translate, in_page=bool(in_page), elem_id="pad")
            with gr.Tab(translate("Photo"), id="photo"):
                self.photo = Photo(
                    type="filepath",
                    label=translate("Photo"),
                    sources=["upload", "clipboard", "webcam"],
                    show_label=False,
                    height=330,
                    elem_id="photo",
                    buttons=["fullscreen"],
                )
                self.camera = LiveCamera(translate, elem_id="camera")
                gr.HTML(
                    render("no_webcam", translate),
                    js_on_load=starts("classify/no_webcam.js"),
                )

    def _lay_out_answer(self, options: list[tuple[str, str]], in_page: str) -> None:
        translate = self.translate
        self.checkpoint = Choice(
            options,
            value=self.first_key,
            label=translate("Checkpoint"),
            elem_id="checkpoint",
            allow_custom_value=True,
        )
        self.live = LiveAnswer(translate, in_page, elem_id="live")
        self.result = gr.HTML("" if in_page else nothing_drawn(translate), elem_id="result")

    # ---- what follows what

    def wire(self) -> None:
        self.import_weights.wire()
        self._wire_drawing()
        self._wire_camera()
        changed = [self.checkpoint.change, self.photo.change, self.sources.select]
        # An answer may come back after another network was chosen, which the page computes itself.
        late = calls(ANSWER, "late")
        for event in changed:
            event(None, None, None, js=late, api_visibility="private")
        self._wire_answers()
        self.source_ids = address.follow("source", self.sources)
        self._wire_checkpoints()
        # Asked of nobody: the page knows both itself.
        for event in (*changed, self.context.page.load):
            event(None, [self.checkpoint, self.photo], self.inside, js=ABOUT, api_visibility="private")

    def _wire_drawing(self) -> None:
        ask = self._ask("drawn", "drawing", "#pad .pad")
        drawn = self.pad.drawn(None, [self.pad, self.checkpoint], self.result, js=ask, api_visibility="private")
        in_page_first = "(inPage, said) => inPage ? '' : said"
        drawn.then(None, [self.live, self.result], self.result, js=in_page_first, api_visibility="private")

    def _wire_camera(self) -> None:
        ask = self._ask("seen", "picture", "#camera .camera")
        self.camera.began(None, None, self.photo, js="() => null", api_visibility="private")
        self.camera.ended(self.of_upload, [self.photo, self.checkpoint], self.result, **SILENT)
        self.camera.seen(None, [self.camera, self.checkpoint], self.result, js=ask, api_visibility="private")

    def _ask(self, route: str, name: str, root: str) -> str:
        """The script that sends what the component at `root` holds, by that name, to `route`."""
        translate = self.translate
        away = answer_view.problem(translate("The lab does not answer: is the network there? Try again."), translate)
        path = f"{route}/{translate.language}"
        return calls(ANSWER, "ask", {"name": name, "path": path, "root": root, "away": str(away)})

    def _wire_answers(self) -> None:
        """Another photo, checkpoint or source: another answer."""
        inputs, answers = [self.source, self.pad, self.photo, self.checkpoint], [self.live, self.result]
        self.photo.change(self.of_upload, [self.photo, self.checkpoint], self.result, **SILENT)
        self.checkpoint.change(self.of_either, inputs, answers, **SILENT)
        choice = [self.source, self.checkpoint]
        switched = self.sources.select(self.switched, choice, choice, **SILENT)
        switched.then(self.of_either, inputs, answers, **SILENT)

    def _wire_checkpoints(self) -> None:
        checkpoint = self.checkpoint
        shown = [checkpoint, self.sources, self.source, self.live, self.result]
        self.context.load.add(self.from_address, shown)
        self.context.changes.change(self.refreshed, checkpoint, checkpoint, **SILENT)
        self.inside.submit(self.used, None, checkpoint, **SILENT)
        checkpoint.change(None, checkpoint, None, js=address.puts("checkpoint"), api_visibility="private")

    # ---- what the page shows

    async def of_upload(self, request: gr.Request, path: str | None, chosen: str) -> str:
        """What the checkpoint makes of a photo: HTML."""
        return await self._answer(request, chosen, lambda: self._of_file(path, chosen))

    async def of_either(
        self, request: gr.Request, source: str, drawing: str, path: str | None, chosen: str
    ) -> tuple[str, str]:
        """What the page is to compute itself, and what the server answers: one of them is ''."""
        if source == "photo":
            return "", await self.of_upload(request, path, chosen)
        if name := await work("state", None, lambda: self._in_page(chosen), address_of(request)):
            return name, ""
        return "", await self._answer(
            request, chosen, lambda: of_drawing(self.run_cache, self.translate, drawing_of(drawing), chosen)
        )

    async def _answer(self, request: gr.Request, chosen: str, make: Callable[[], str]) -> str:
        user = address_of(request)
        try:
            return await work(await pool_of(self.run_cache, chosen, user), None, make, user)
        except InputError as error:
            return answer_view.problem(self.translate.message(error.message), self.translate)

    def _of_file(self, path: str | None, chosen: str) -> str:
        if not path:
            return of_photo(self.run_cache, self.translate, None, chosen)
        with opened_picture(path, keep_alpha=True, name=self.translate("Photo")) as image:
            return of_photo(self.run_cache, self.translate, image, chosen)

    def _in_page(self, chosen: str | None) -> str:
        """Where the page finds the network; '' where the server has to answer, or to say what is wrong."""
        try:
            name = self.weights.name(chosen)
        except ImgclsError:
            return ""
        return f"../weights/{name}" if name else ""

    def choices(self) -> tuple[list[tuple[str, str]], str | None]:
        """([(title, key)], the one to begin with: it reads drawings)."""
        options = [(checkpoint_title(info, self.translate), key(info)) for info in self.run_cache.checkpoints()]
        return options, options[0][1] if options else None

    def from_address(self, request: gr.Request) -> list[Any]:
        """What a link says, over what the page begins with, and the answer to nothing yet; a drawing that the page has
        kept is asked about when the checkpoint changes."""
        source = address.chosen(request.query_params, "source", self.source_ids)
        options, _ = self.choices()
        keys = [name for _, name in options]
        usual = BEGIN[source] if source and BEGIN.get(source) in keys else None
        named = address.chosen(request.query_params, "checkpoint", keys) or usual
        # Known here and now: a tab that a link opens has no event everywhere, and where it has one it changes nothing.
        checkpoint = gr.update(choices=options) | ({"value": named} if named else {})
        answers = self._answers_to_nothing(source, named or self.first_key or "")
        return [checkpoint, gr.Tabs(selected=source) if source else gr.skip(), source or gr.skip(), *answers]

    def _answers_to_nothing(self, source: str | None, chosen: str) -> list[str]:
        """As `of_either` gives them."""
        if source == "photo":
            return ["", of_photo(self.run_cache, self.translate, None, chosen)]
        name = self._in_page(chosen)
        return [name, "" if name else of_drawing(self.run_cache, self.translate, None, chosen)]

    def refreshed(self, current: str) -> Any:
        """The checkpoints that there are by now; the first, where the chosen one has gone."""
        options, first = self.choices()
        return gr.update(choices=options, value=current if current in {name for _, name in options} else first)

    # ---- what a person does

    def switched(self, previous: str, chosen: str, event: gr.SelectData) -> tuple[str, Any]:
        """The tab, and the network that ships for it in place of the one that ships for the other."""
        here, elsewhere = ("photo", "draw") if event.index == 1 else ("draw", "photo")
        return here, BEGIN[here] if previous != here and chosen == BEGIN[elsewhere] else gr.skip()

    def used(self, event: gr.EventData) -> Any:
        """A network that has just learnt from corrections."""
        learnt, options = str(told_by(event).get("checkpoint") or ""), self.choices()[0]
        return gr.update(choices=options, value=learnt) if learnt in {name for _, name in options} else gr.skip()
