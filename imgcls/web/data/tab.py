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
    words, watch, limits, rooms = context.words, context.watch, context.limits, context.rooms
    changes = context.changes
    workspace, guarded = watch.workspace, guard(words)
    with gr.Tabs(elem_classes="sources", elem_id="data-rooms") as parts:
        with gr.Tab(words("Look"), id="look") as look_tab, gr.Row(elem_classes="room data"):
            with gr.Column(scale=5, min_width=320, elem_classes="card"):
                chosen = Choice(
                    settings_form.dataset_choices(words, workspace),
                    value="mnist",
                    label=words("Data set"),
                    elem_id="data-set",
                    allow_custom_value=True,
                )
                missing = FetchView(context, elem_id="fetch-set")
                shown = gr.HTML(report_card.waiting(0, 0, words), elem_id="report")
                with gr.Row(elem_classes="actions"):
                    use = gr.Button(words("Train on it"), variant="primary", elem_id="train-on-it")
                    audit = gr.Button(words("Look for mistakes"), elem_id="audit-it", elem_classes="quiet")
                    menu = gr.Button("⋯", elem_id="set-menu", elem_classes="quiet", min_width=48, scale=0)
                    delete = gr.Button(words("Delete"), elem_id="delete-set", elem_classes="quiet risky", visible=False)
            with gr.Column(scale=7, min_width=320, elem_classes="card"):
                with gr.Row(elem_classes="fields bottom"):
                    model = gr.Dropdown(
                        [(words.value(v), v) for v in NAMES],
                        value="lenet",
                        label=words.setting("model"),
                        elem_id="data-model",
                        min_width=140,
                    )
                    augment = gr.Dropdown(
                        [
                            (words("Default for the network"), ""),
                            *((words.value(v), v) for v in choices("augment") or ()),
                        ],
                        value="",
                        label=words.setting("augment"),
                        elem_id="data-augment",
                        min_width=140,
                    )
                    again = gr.Button(words("Show others"), elem_id="draw-others", elem_classes="quiet", min_width=140)
                grid = gr.HTML("", elem_id="samples", min_height=300)
        with look_tab:
            mistakes = AuditView(words, workspace, limits, context.people, elem_id="audit")
        more = words("Name a class, then take photos with the camera or drop some in; a refresh loses nothing.")
        if limits.public:
            more += " " + words("This lab is shared: everybody who opens it can see a saved data set.")
        zipped = words("A folder for each class, or train / val / test folders with those inside.")
        with gr.Tab(words("Make your own"), id="make"), gr.Column(elem_classes="room"):
            with gr.Column(elem_classes="card"):
                gr.HTML(render("title", words, title=words("Collect photos"), more=more), elem_classes="part-title")
                collect = Collect(words, workspace, limits, elem_id="collect")
            with gr.Column(elem_classes="card upload"):
                gr.HTML(render("title", words, title=words("Upload a zip"), more=zipped), elem_classes="part-title")
                with gr.Row():
                    file = gr.File(
                        label=words("Zip file"),
                        file_types=[".zip", ".tar", ".gz", ".tgz"],
                        show_label=False,
                        elem_id="zip",
                        height=120,
                        min_width=280,
                    )
                    with gr.Column(min_width=240):
                        name = gr.Textbox(
                            label=words("Name of the data set"), max_lines=1, max_length=80, elem_id="zip-name"
                        )
                        upload = gr.Button(words("Unpack and look"), variant="primary", elem_id="unpack")
                unpacked = gr.HTML("", elem_id="unpacked")
    turn = gr.State(0)

    def is_missing(name: str) -> bool:
        """Then it is fetched first; what else there would be to say is said there."""
        return to_fetch(name, workspace) is not None

    def look(request: gr.Request, name: str) -> Iterator[Any]:
        """The report, with how far it is while a large folder is looked through; whoever leaves the page ends that."""
        if is_missing(name):
            yield ""
            return
        yield report_card.waiting(0, 0, words)
        user, end = address_of(request), time.monotonic() + (limits.report_seconds or math.inf)
        work = with_progress(
            lambda progress: watch.once(name, ("report",), lambda: report(name, workspace, progress=progress), user),
            should_stop=lambda: time.monotonic() > end,
            first=0.5,
            seldom=1.0,
        )
        try:
            limits.check_name(name)
            while True:
                try:
                    yield report_card.waiting(*next(work), words)
                except StopIteration as made:
                    if made.value is None:
                        raise DatasetError(
                            "Looking through {name} takes longer than a shared lab allows: ask whoever looks after "
                            "it to run `python -m imgcls datasets {name}`.",
                            name=name,
                        ) from None
                    yield report_card.card(made.value, words)
                    return
        except ImgclsError as error:
            yield report_card.problem(words.message(error.message), words)

    async def samples(request: gr.Request, name: str, network: str, augmented: str, number: int) -> str:
        """Some training images as that network would get them: HTML."""
        from imgcls.data.preview import Preview, preview

        if is_missing(name):
            return ""
        try:
            limits.check_name(name)
            said = {"dataset": name, "model": network, **({"augment": augmented} if augmented else {})}
            settings = with_recipe(said)
            what, form = (network, augmented, number), preprocess_for(settings)

            def make() -> Preview:
                return preview(settings, workspace, form, count=SAMPLES, seed=number)

            made = await work("dataset", None, lambda: watch.once(name, what, make), address_of(request))
            return report_card.grid(made, words)
        except ImgclsError as error:
            return report_card.problem(words.message(error.message), words)

    def usable(name: str) -> list[Any]:
        """What can be done with it."""
        there = gr.update(interactive=not is_missing(name))
        return [there, there, gr.update(visible=name in own_folders(workspace) and not limits.public)]

    def listed(now: str | None = None) -> Any:
        return gr.update(choices=settings_form.dataset_choices(words, workspace)) | ({"value": now} if now else {})

    tabs = address.follow("part", parts)

    def from_address(request: gr.Request) -> tuple[Any, Any]:
        """The data set and the sub-tab that a link names."""
        known = [name for _, name in settings_form.dataset_choices(words, workspace)]
        part = address.chosen(request.query_params, "part", tabs)
        return listed(address.chosen(request.query_params, "set", known)), gr.Tabs(selected=part) if part else gr.skip()

    def unzip(path: str | None, wanted: str) -> list[Any]:
        """The zip becomes a data set, or a sentence says beside it why not."""
        try:
            into, skipped = _unpack(path, wanted)
        except ImgclsError as error:
            return [report_card.problem(words.message(error.message), words), *[gr.skip()] * 4]
        done = words.plural(
            "{name} is there; {count} other file was left out.",
            "{name} is there; {count} other files were left out.",
            count=skipped,
            name=into,
        )
        said = render("title", words, title=None, more=done)
        return [said, listed(into), None, "", gr.Tabs(selected="look")]

    def _unpack(path: str | None, wanted: str) -> tuple[str, int]:
        """(the set's name, how many files were left out). Raises DatasetError."""
        if not path:
            raise DatasetError("Choose a zip file first.")
        into = wanted.strip() or sanitize(Path(path).stem.removesuffix(".tar"))
        room_for_one_more(workspace, limits)
        skipped: list[str] = []
        unpack(path, into, workspace, limits=limits.zip, skipped=skipped)
        return into, len(skipped)

    def remove(name: str) -> str:
        limits.may_delete()
        delete_dataset(name, workspace)
        return "mnist"

    quietly: dict[str, Any] = {**REPORT_ERRORS, "concurrency_limit": 4}
    opened = gr.on([tab.select, missing.submit], look, chosen, shown, **quietly)
    # Another set's report must not come after this one's.
    chosen.change(look, chosen, shown, cancels=[opened], **quietly)
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
    drawn: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal", "trigger_mode": "always_last"}
    gr.on([model.input, augment.change, tab.select, missing.submit], samples, shown_as, grid, **drawn)
    fitting.then(samples, shown_as, grid, **drawn)
    again.click(lambda n: n + 1, turn, turn, **SILENT).then(
        samples, [chosen, model, augment, turn], grid, api_visibility="private", show_progress="minimal"
    )
    form = training.form
    use.click(
        lambda name, *given: [gr.Tabs(selected="train"), *form.train_on(name, *given)],
        [chosen, *form.values],
        [rooms, form.state, *form.values],
        **SILENT,
    )
    menu.click(None, None, None, js=OPEN_MENU, **LOCAL)
    gone = delete.click(
        guarded(remove), chosen, chosen, js=confirm(words("Delete this data set and its photos?")), **REPORT_ERRORS
    )
    gone.success(listed, chosen, chosen, **SILENT)

    made = collect.change(lambda n: (listed(n), gr.Tabs(selected="look")), collect, [chosen, parts], **SILENT)
    done = upload.click(unzip, [file, name], [unpacked, chosen, file, name, parts], api_visibility="private")
    done.then(None, None, None, js=show_result_of("#unpack"), **LOCAL)
    for event in (made, done):
        event.then(lambda: listed(), None, form.form.fields["dataset"], **SILENT)
    context.load.add(from_address, [chosen, parts])
    chosen.change(None, chosen, None, js=address.puts("set", usual="mnist"), api_visibility="private")
