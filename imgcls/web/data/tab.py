"""The Data tab: look at a data set before anything is trained on it, make one from photos, upload one as a zip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from imgcls.data.archives import unpack
from imgcls.data.catalog import delete_dataset, own_folders
from imgcls.data.registry import to_fetch
from imgcls.data.report import Report, report
from imgcls.errors import DatasetError, ImgclsError
from imgcls.filenames import sanitize
from imgcls.models.registry import NAMES
from imgcls.progress import Progress
from imgcls.recipes import preprocess_for, usual_network, with_recipe
from imgcls.settings import choices
from imgcls.web.data import report_card
from imgcls.web.data.audit import AuditView, request
from imgcls.web.data.collect import Collect, room_for_one_more
from imgcls.web.data.cross_validation import CrossValidationPanel
from imgcls.web.data.long_reading import long_reading
from imgcls.web.shared import address, settings_form
from imgcls.web.shared.choice import Choice
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.events import LOCAL, REPORT_ERRORS, SILENT, confirm, guard
from imgcls.web.shared.fetch_dataset import FetchView
from imgcls.web.shared.render import render
from imgcls.web.shared.results import show_result_of
from imgcls.web.shared.scripts import calls
from imgcls.web.shared.work_gate import address_of, work, work_here
from imgcls.web.train.tab import TrainTab

SAMPLES = 24
REPORTS_AT_ONCE = 4
# A report, with its problems told as a sentence.
REPORTED: dict[str, Any] = {**REPORT_ERRORS, "concurrency_limit": REPORTS_AT_ONCE}
# Samples; of several changes while some are made, the last one is answered.
SAMPLED: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
LATEST_SAMPLED: dict[str, Any] = {**SAMPLED, "trigger_mode": "always_last"}


class DataTab:
    """`training`: the tab whose form takes the data set that is shown."""

    def __init__(self, context: PageContext, training: TrainTab) -> None:
        self.context, self.form = context, training.form
        self.translate, self.run_cache, self.limits = context.translate, context.run_cache, context.limits
        self.workspace = context.run_cache.workspace

    # ---- what stands where

    def layout(self) -> None:
        translate = self.translate
        with gr.Tabs(elem_classes="sources", elem_id="data-rooms") as self.sub_tabs:
            with gr.Tab(translate("Look"), id="look") as look_tab, gr.Row(elem_classes="room data"):
                with gr.Column(scale=5, min_width=320, elem_classes="card"):
                    self._lay_out_set()
                with gr.Column(scale=7, min_width=320, elem_classes="card"):
                    self._lay_out_samples()
            with look_tab:
                self.folds.result.render()
                self.mistakes = AuditView(translate, self.workspace, self.limits, self.context.people, elem_id="audit")
            with gr.Tab(translate("Make your own"), id="make"), gr.Column(elem_classes="room"):
                with gr.Column(elem_classes="card"):
                    self._lay_out_collect()
                with gr.Column(elem_classes="card upload"):
                    self._lay_out_upload()
        self.seed = gr.State(0)  # of the samples: the next one shows others

    def _lay_out_set(self) -> None:
        translate = self.translate
        self.dataset = Choice(
            settings_form.dataset_choices(translate, self.workspace),
            value="mnist",
            label=translate("Data set"),
            elem_id="data-set",
            allow_custom_value=True,
        )
        self.missing = FetchView(self.context, elem_id="fetch-set")
        self.report = gr.HTML(report_card.waiting(0, 0, translate), elem_id="report")
        with gr.Row(elem_classes="actions"):
            self.use = gr.Button(translate("Train on it"), variant="primary", elem_id="train-on-it")
            self.audit = gr.Button(translate("Look for mistakes"), elem_id="audit-it", elem_classes="quiet")
            self.folds = CrossValidationPanel.build(self.context)
            self.menu = gr.Button("⋯", elem_id="set-menu", elem_classes="quiet", min_width=48, scale=0)
            self.delete = gr.Button(
                translate("Delete"), elem_id="delete-set", elem_classes="quiet risky", visible=False
            )

    def _lay_out_samples(self) -> None:
        translate = self.translate
        with gr.Row(elem_classes="fields bottom"):
            self.model = gr.Dropdown(
                [(translate.value(v), v) for v in NAMES],
                value="lenet",
                label=translate.setting("model"),
                elem_id="data-model",
                min_width=140,
            )
            self.augment = gr.Dropdown(
                [
                    (translate("Default for the network"), ""),
                    *((translate.value(v), v) for v in choices("augment") or ()),
                ],
                value="",
                label=translate.setting("augment"),
                elem_id="data-augment",
                min_width=140,
            )
            self.again = gr.Button(translate("Show others"), elem_id="draw-others", elem_classes="quiet", min_width=140)
        self.grid = gr.HTML("", elem_id="samples", min_height=300)

    def _lay_out_collect(self) -> None:
        translate = self.translate
        more = translate("Name a class, then take photos with the camera or drop some in; a refresh loses nothing.")
        if self.limits.public:
            more += " " + translate("This lab is shared: everybody who opens it can see a saved data set.")
        gr.HTML(render("title", translate, title=translate("Collect photos"), more=more), elem_classes="part-title")
        self.collect = Collect(translate, self.workspace, self.limits, elem_id="collect")

    def _lay_out_upload(self) -> None:
        translate = self.translate
        more = translate("A folder for each class, or train / val / test folders with those inside.")
        gr.HTML(render("title", translate, title=translate("Upload a zip"), more=more), elem_classes="part-title")
        with gr.Row():
            self.zip_file = gr.File(
                label=translate("Zip file"),
                file_types=[".zip", ".tar", ".gz", ".tgz"],
                show_label=False,
                elem_id="zip",
                height=120,
                min_width=280,
            )
            with gr.Column(min_width=240):
                self.zip_name = gr.Textbox(
                    label=translate("Name of the data set"), max_lines=1, max_length=80, elem_id="zip-name"
                )
                self.upload = gr.Button(translate("Unpack and look"), variant="primary", elem_id="unpack")
        self.unpacked = gr.HTML("", elem_id="unpacked")

    # ---- what follows what

    def wire(self, tab: gr.Tab) -> None:
        self.sub_tab_ids = address.follow("part", self.sub_tabs)
        usual_network_chosen = self._wire_set(tab)
        self._wire_samples(tab, usual_network_chosen)
        self._wire_actions()
        self._wire_new_set()
        self.context.load.add(self.from_address, [self.dataset, self.sub_tabs])
        self.dataset.change(None, self.dataset, None, js=address.puts("set", usual="mnist"), api_visibility="private")

    def _wire_set(self, tab: gr.Tab) -> Any:
        """What follows the data set that is chosen; the event after which its usual network is chosen, too."""
        dataset, missing = self.dataset, self.missing
        opened = gr.on([tab.select, missing.submit], self.show_report, dataset, self.report, **REPORTED)
        # Another set's report must not come after this one's.
        dataset.change(self.show_report, dataset, self.report, cancels=[opened], **REPORTED)
        gr.on([dataset.change, missing.submit], self.usable, dataset, [self.use, self.audit, self.delete], **SILENT)
        dataset.change(lambda name: name, dataset, missing, **SILENT)
        # As the network that Train would choose for it gets it; any other can be chosen beside it.
        usual_network_chosen = dataset.change(usual_network, dataset, self.model, **SILENT)
        gr.on([self.context.changes.change, missing.submit], lambda: self.listed(), None, dataset, **SILENT)
        # What is wrong with the set is looked for when somebody asks; a list that is there already is shown.
        gr.on([dataset.change, tab.select], request, dataset, self.mistakes, **SILENT)
        self.audit.click(lambda name: request(name, begin=True), dataset, self.mistakes, **SILENT)
        self.folds.connect(dataset, tab)
        return usual_network_chosen

    def _wire_samples(self, tab: gr.Tab, usual_network_chosen: Any) -> None:
        for button, event in (
            ("#audit-it", self.audit.click),
            ("#draw-others", self.again.click),
            ("#train-on-it", self.use.click),
        ):
            event(None, None, None, js=show_result_of(button), **LOCAL)
        inputs = [self.dataset, self.model, self.augment, self.seed]
        changed = [self.model.input, self.augment.change, tab.select, self.missing.submit]
        gr.on(changed, self.samples, inputs, self.grid, **LATEST_SAMPLED)
        usual_network_chosen.then(self.samples, inputs, self.grid, **LATEST_SAMPLED)
        other_seed = self.again.click(lambda seed: seed + 1, self.seed, self.seed, **SILENT)
        other_seed.then(self.samples, inputs, self.grid, **SAMPLED)

    def _wire_actions(self) -> None:
        form = self.form
        self.use.click(
            lambda name, *values: [gr.Tabs(selected="train"), *form.train_on(name, *values)],
            [self.dataset, *form.values],
            [self.context.rooms, form.state, *form.values],
            **SILENT,
        )
        self.menu.click(None, None, None, js=calls("data/set_menu.js", "toggle"), **LOCAL)
        sure = confirm(self.translate("Delete this data set and its photos?"))
        guarded = guard(self.translate)
        deleted = self.delete.click(guarded(self.remove), self.dataset, self.dataset, js=sure, **REPORT_ERRORS)
        deleted.success(self.listed, self.dataset, self.dataset, **SILENT)

    def _wire_new_set(self) -> None:
        """A set that has just been made, from photos or a zip, is looked at, and Train knows it."""
        collected = self.collect.change(
            lambda name: (self.listed(name), gr.Tabs(selected="look")),
            self.collect,
            [self.dataset, self.sub_tabs],
            **SILENT,
        )
        unzipped = self.upload.click(
            self.unzip,
            [self.zip_file, self.zip_name],
            [self.unpacked, self.dataset, self.zip_file, self.zip_name, self.sub_tabs],
            api_visibility="private",
        )
        unzipped.then(None, None, None, js=show_result_of("#unpack"), **LOCAL)
        for event in (collected, unzipped):
            event.then(lambda: self.listed(), None, self.form.form.fields["dataset"], **SILENT)

    # ---- what the page shows

    def is_missing(self, name: str) -> bool:
        """Then it is fetched first; what else there would be to say is said there."""
        return to_fetch(name, self.workspace) is not None

    def show_report(self, request: gr.Request, name: str) -> Iterator[Any]:
        """The report, with how far it is while a large folder is looked through; whoever leaves the page ends that."""
        if self.is_missing(name):
            yield ""
            return
        yield report_card.waiting(0, 0, self.translate)
        try:
            self.limits.check_name(name)
            yield from self._report_cards(name, address_of(request))
        except ImgclsError as error:
            yield self._problem(error)

    def _report_cards(self, name: str, user: str) -> Iterator[Any]:
        def made(progress: Progress) -> Report:
            return report(name, self.workspace, progress=progress)

        seconds = self.limits.report_seconds
        reading = long_reading(self.run_cache, name, "report", made, user=user, seconds=seconds)
        while True:
            try:
                yield report_card.waiting(*next(reading), self.translate)
            except StopIteration as ended:
                if ended.value is None:
                    raise DatasetError(
                        "Looking through {name} takes longer than a shared lab allows: ask whoever looks after "
                        "it to run `python -m imgcls datasets {name}`.",
                        name=name,
                    ) from None
                yield report_card.card(ended.value, self.translate)
                return

    async def samples(self, request: gr.Request, name: str, network: str, augmented: str, seed: int) -> str:
        """Some training images as that network would get them: HTML."""
        from imgcls.data.preview import preview

        if self.is_missing(name):
            return ""
        try:
            self.limits.check_name(name)
            settings_named = {"dataset": name, "model": network, **({"augment": augmented} if augmented else {})}
            settings = with_recipe(settings_named)
            preprocess, key = preprocess_for(settings), (network, augmented, seed, self.translate.language)

            def make() -> str:
                shown = preview(settings, self.workspace, preprocess, count=SAMPLES, seed=seed)
                return report_card.grid(shown, self.translate)

            return await work("dataset", None, lambda: self.run_cache.once(name, key, make), address_of(request))
        except ImgclsError as error:
            return self._problem(error)

    def _problem(self, error: ImgclsError) -> str:
        return report_card.problem(self.translate.message(error.message), self.translate)

    def usable(self, request: gr.Request, name: str) -> list[Any]:
        """What can be done with it."""
        interactive = gr.update(interactive=not self.is_missing(name))
        may = not self.limits.public or self.context.people.visitor(request).host
        deletable = may and name in own_folders(self.workspace)
        return [interactive, interactive, gr.update(visible=deletable)]

    def listed(self, current: str | None = None) -> Any:
        """The data sets that there are, with `current` as the one that is chosen."""
        options = settings_form.dataset_choices(self.translate, self.workspace)
        return gr.update(choices=options) | ({"value": current} if current else {})

    def from_address(self, request: gr.Request) -> tuple[Any, Any]:
        """The data set and the sub-tab that a link names."""
        names = [name for _, name in settings_form.dataset_choices(self.translate, self.workspace)]
        name = address.chosen(request.query_params, "set", names)
        sub_tab = address.chosen(request.query_params, "part", self.sub_tab_ids)
        return self.listed(name), gr.Tabs(selected=sub_tab) if sub_tab else gr.skip()

    # ---- what a person does

    def unzip(self, request: gr.Request, path: str | None, typed_name: str) -> list[Any]:
        """The zip becomes a data set, or a sentence says beside it why not."""
        try:
            name, left_out = self._unpack(path, typed_name, address_of(request))
        except ImgclsError as error:
            return [self._problem(error), *[gr.skip()] * 4]
        more = self.translate.plural(
            "{name} is there; {count} other file was left out.",
            "{name} is there; {count} other files were left out.",
            count=left_out,
            name=name,
        )
        sentence = render("title", self.translate, title=None, more=more)
        return [sentence, self.listed(name), None, "", gr.Tabs(selected="look")]

    def _unpack(self, path: str | None, typed_name: str, user: str) -> tuple[str, int]:
        """(the set's name, how many files were left out). Raises DatasetError."""
        if not path:
            raise DatasetError("Choose a zip file first.")
        name = typed_name.strip() or sanitize(Path(path).stem.removesuffix(".tar"))
        skipped: list[str] = []

        def unpacked() -> None:
            room_for_one_more(self.workspace, self.limits)
            unpack(path, name, self.workspace, limits=self.limits.zip, skipped=skipped)

        work_here("dataset", None, unpacked, user)
        return name, len(skipped)

    def remove(self, request: gr.Request, name: str) -> str:
        self.limits.may_delete(host=self.context.people.visitor(request).host)
        delete_dataset(name, self.workspace)
        return "mnist"
