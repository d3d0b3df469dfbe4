"""The Data room: look at a data set before anything is trained on it, make one from photos, upload one as a zip."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from imgcls.data.archives import unpack
from imgcls.data.catalog import delete_dataset, own_folders
from imgcls.data.registry import to_fetch
from imgcls.data.report import report
from imgcls.errors import DatasetError, ImgclsError
from imgcls.filenames import sanitize
from imgcls.models.registry import NAMES
from imgcls.progress import with_progress
from imgcls.recipes import preprocess_for, usual_network, with_recipe
from imgcls.settings import choices
from imgcls.web.data import report_card
from imgcls.web.data.audit import AuditView, request
from imgcls.web.data.collect import Collect, room_for_one_more
from imgcls.web.shared import address, settings_form
from imgcls.web.shared.choice import Choice
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.events import LOCAL, REPORT_ERRORS, SILENT, confirm, guard
from imgcls.web.shared.fetch_dataset import FetchView
from imgcls.web.shared.render import render
from imgcls.web.shared.results import show_result_of
from imgcls.web.shared.work_gate import address_of, work
from imgcls.web.train.tab import TrainTab

SAMPLES = 24
# What is seldom done with a set lies behind ⋯ (rooms.css).
# Until something else is clicked, or Escape.
OPEN_MENU = """() => {
  const button = document.querySelector('#set-menu'), row = button.parentElement;
  const open = row.classList.toggle('menu-open');
  button.setAttribute('aria-expanded', String(open));
  if (!open) return;
  const closed = new AbortController(), { signal } = closed;
  const close = event => {
    if (event.type === 'keydown' ? event.key !== 'Escape' : button.contains(event.target)) return;
    row.classList.remove('menu-open');
    button.setAttribute('aria-expanded', 'false');
    closed.abort();
  };
  ['click', 'keydown'].forEach(name => document.addEventListener(name, close, { signal }));
}"""


def build(context: PageContext, tab: gr.Tab, training: TrainTab) -> None:
    translate, run_cache, limits, rooms = (
        context.translate,
        context.run_cache,
        context.limits,
        context.rooms,
    )
    changes = context.changes
    workspace, guarded = run_cache.workspace, guard(translate)
    with gr.Tabs(elem_classes="sources", elem_id="data-rooms") as sub_tabs:
        with gr.Tab(translate("Look"), id="look") as look_tab, gr.Row(elem_classes="room data"):
            with gr.Column(scale=5, min_width=320, elem_classes="card"):
                chosen = Choice(
                    settings_form.dataset_choices(translate, workspace),
                    value="mnist",
                    label=translate("Data set"),
                    elem_id="data-set",
                    allow_custom_value=True,
                )
                missing = FetchView(context, elem_id="fetch-set")
                shown = gr.HTML(report_card.waiting(0, 0, translate), elem_id="report")
                with gr.Row(elem_classes="actions"):
                    use = gr.Button(translate("Train on it"), variant="primary", elem_id="train-on-it")
                    audit = gr.Button(translate("Look for mistakes"), elem_id="audit-it", elem_classes="quiet")
                    menu = gr.Button("⋯", elem_id="set-menu", elem_classes="quiet", min_width=48, scale=0)
                    delete = gr.Button(
                        translate("Delete"), elem_id="delete-set", elem_classes="quiet risky", visible=False
                    )
            with gr.Column(scale=7, min_width=320, elem_classes="card"):
                with gr.Row(elem_classes="fields bottom"):
                    model = gr.Dropdown(
                        [(translate.value(v), v) for v in NAMES],
                        value="lenet",
                        label=translate.setting("model"),
                        elem_id="data-model",
                        min_width=140,
                    )
                    augment = gr.Dropdown(
                        [
                            (translate("Default for the network"), ""),
                            *((translate.value(v), v) for v in choices("augment") or ()),
                        ],
                        value="",
                        label=translate.setting("augment"),
                        elem_id="data-augment",
                        min_width=140,
                    )
                    again = gr.Button(
                        translate("Show others"), elem_id="draw-others", elem_classes="quiet", min_width=140
                    )
                grid = gr.HTML("", elem_id="samples", min_height=300)
        with look_tab:
            mistakes = AuditView(translate, workspace, limits, context.people, elem_id="audit")
        more = translate("Name a class, then take photos with the camera or drop some in; a refresh loses nothing.")
        if limits.public:
            more += " " + translate("This lab is shared: everybody who opens it can see a saved data set.")
        zipped = translate("A folder for each class, or train / val / test folders with those inside.")
        with gr.Tab(translate("Make your own"), id="make"), gr.Column(elem_classes="room"):
            with gr.Column(elem_classes="card"):
                gr.HTML(
                    render("title", translate, title=translate("Collect photos"), more=more), elem_classes="part-title"
                )
                collect = Collect(translate, workspace, limits, elem_id="collect")
            with gr.Column(elem_classes="card upload"):
                gr.HTML(
                    render("title", translate, title=translate("Upload a zip"), more=zipped), elem_classes="part-title"
                )
                with gr.Row():
                    file = gr.File(
                        label=translate("Zip file"),
                        file_types=[".zip", ".tar", ".gz", ".tgz"],
                        show_label=False,
                        elem_id="zip",
                        height=120,
                        min_width=280,
                    )
                    with gr.Column(min_width=240):
                        name = gr.Textbox(
                            label=translate("Name of the data set"), max_lines=1, max_length=80, elem_id="zip-name"
                        )
                        upload = gr.Button(translate("Unpack and look"), variant="primary", elem_id="unpack")
                unpacked = gr.HTML("", elem_id="unpacked")
    turn = gr.State(0)

    def is_missing(name: str) -> bool:
        """Then it is fetched first; what else there would be to say is said there."""
        return to_fetch(name, workspace) is not None

    def show_report(request: gr.Request, name: str) -> Iterator[Any]:
        """The report, with how far it is while a large folder is looked through; whoever leaves the page ends that."""
        if is_missing(name):
            yield ""
            return
        yield report_card.waiting(0, 0, translate)
        user, end = address_of(request), time.monotonic() + (limits.report_seconds or math.inf)
        work = with_progress(
            lambda progress: run_cache.once(
                name, ("report",), lambda: report(name, workspace, progress=progress), user
            ),
            should_stop=lambda: time.monotonic() > end,
            first=0.5,
            seldom=1.0,
        )
        try:
            limits.check_name(name)
            while True:
                try:
                    yield report_card.waiting(*next(work), translate)
                except StopIteration as ended:
                    if ended.value is None:
                        raise DatasetError(
                            "Looking through {name} takes longer than a shared lab allows: ask whoever looks after "
                            "it to run `python -m imgcls datasets {name}`.",
                            name=name,
                        ) from None
                    yield report_card.card(ended.value, translate)
                    return
        except ImgclsError as error:
            yield report_card.problem(translate.message(error.message), translate)

    async def samples(request: gr.Request, name: str, network: str, augmented: str, number: int) -> str:
        """Some training images as that network would get them: HTML."""
        from imgcls.data.preview import Preview, preview

        if is_missing(name):
            return ""
        try:
            limits.check_name(name)
            settings_named = {"dataset": name, "model": network, **({"augment": augmented} if augmented else {})}
            settings = with_recipe(settings_named)
            what, form = (network, augmented, number), preprocess_for(settings)

            def make() -> Preview:
                return preview(settings, workspace, form, count=SAMPLES, seed=number)

            preview_made = await work("dataset", None, lambda: run_cache.once(name, what, make), address_of(request))
            return report_card.grid(preview_made, translate)
        except ImgclsError as error:
            return report_card.problem(translate.message(error.message), translate)

    def usable(name: str) -> list[Any]:
        """What can be done with it."""
        interactive = gr.update(interactive=not is_missing(name))
        return [interactive, interactive, gr.update(visible=name in own_folders(workspace) and not limits.public)]

    def listed(current: str | None = None) -> Any:
        return gr.update(choices=settings_form.dataset_choices(translate, workspace)) | (
            {"value": current} if current else {}
        )

    tabs = address.follow("part", sub_tabs)

    def from_address(request: gr.Request) -> tuple[Any, Any]:
        """The data set and the sub-tab that a link names."""
        names = [name for _, name in settings_form.dataset_choices(translate, workspace)]
        sub_tab = address.chosen(request.query_params, "part", tabs)
        return listed(address.chosen(request.query_params, "set", names)), gr.Tabs(
            selected=sub_tab
        ) if sub_tab else gr.skip()

    def unzip(path: str | None, typed_name: str) -> list[Any]:
        """The zip becomes a data set, or a sentence says beside it why not."""
        try:
            into, skipped = _unpack(path, typed_name)
        except ImgclsError as error:
            return [report_card.problem(translate.message(error.message), translate), *[gr.skip()] * 4]
        done = translate.plural(
            "{name} is there; {count} other file was left out.",
            "{name} is there; {count} other files were left out.",
            count=skipped,
            name=into,
        )
        sentence = render("title", translate, title=None, more=done)
        return [sentence, listed(into), None, "", gr.Tabs(selected="look")]

    def _unpack(path: str | None, typed_name: str) -> tuple[str, int]:
        """(the set's name, how many files were left out). Raises DatasetError."""
        if not path:
            raise DatasetError("Choose a zip file first.")
        into = typed_name.strip() or sanitize(Path(path).stem.removesuffix(".tar"))
        room_for_one_more(workspace, limits)
        skipped: list[str] = []
        unpack(path, into, workspace, limits=limits.zip, skipped=skipped)
        return into, len(skipped)

    def remove(name: str) -> str:
        limits.may_delete()
        delete_dataset(name, workspace)
        return "mnist"

    quietly: dict[str, Any] = {**REPORT_ERRORS, "concurrency_limit": 4}
    opened = gr.on([tab.select, missing.submit], show_report, chosen, shown, **quietly)
    # Another set's report must not come after this one's.
    chosen.change(show_report, chosen, shown, cancels=[opened], **quietly)
    gr.on([chosen.change, missing.submit], usable, chosen, [use, audit, delete], **SILENT)
    chosen.change(lambda name: name, chosen, missing, **SILENT)
    # As the network that Train would choose for it gets it; any other can be chosen beside it.
    fitting = chosen.change(usual_network, chosen, model, **SILENT)
    gr.on([changes.change, missing.submit], lambda: listed(), None, chosen, **SILENT)
    # What is wrong with the set is looked for when somebody asks; a list that is there already is shown.
    gr.on([chosen.change, tab.select], request, chosen, mistakes, **SILENT)
    audit.click(lambda name: request(name, begin=True), chosen, mistakes, **SILENT)
    for button, event in (("#audit-it", audit.click), ("#draw-others", again.click), ("#train-on-it", use.click)):
        event(None, None, None, js=show_result_of(button), **LOCAL)
    shown_as = [chosen, model, augment, turn]
    quietly_latest: dict[str, Any] = {
        "api_visibility": "private",
        "show_progress": "minimal",
        "trigger_mode": "always_last",
    }
    gr.on([model.input, augment.change, tab.select, missing.submit], samples, shown_as, grid, **quietly_latest)
    fitting.then(samples, shown_as, grid, **quietly_latest)
    again.click(lambda n: n + 1, turn, turn, **SILENT).then(
        samples, [chosen, model, augment, turn], grid, api_visibility="private", show_progress="minimal"
    )
    form = training.form
    use.click(
        lambda name, *values: [gr.Tabs(selected="train"), *form.train_on(name, *values)],
        [chosen, *form.values],
        [rooms, form.state, *form.values],
        **SILENT,
    )
    menu.click(None, None, None, js=OPEN_MENU, **LOCAL)
    gone = delete.click(
        guarded(remove), chosen, chosen, js=confirm(translate("Delete this data set and its photos?")), **REPORT_ERRORS
    )
    gone.success(listed, chosen, chosen, **SILENT)

    collected = collect.change(lambda n: (listed(n), gr.Tabs(selected="look")), collect, [chosen, sub_tabs], **SILENT)
    done = upload.click(unzip, [file, name], [unpacked, chosen, file, name, sub_tabs], api_visibility="private")
    done.then(None, None, None, js=show_result_of("#unpack"), **LOCAL)
    for event in (collected, done):
        event.then(lambda: listed(), None, form.form.fields["dataset"], **SILENT)
    context.load.add(from_address, [chosen, sub_tabs])
    chosen.change(None, chosen, None, js=address.puts("set", usual="mnist"), api_visibility="private")
