"""The Train form while it is filled in: fields that follow each other and the recipe, what would learn and how long it
would take, what is wrong, and the command that says the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from imgcls.data.registry import kind_of
from imgcls.errors import SettingsError
from imgcls.recipes import usual_network, usual_transfer
from imgcls.settings import TrainSettings, command_line
from imgcls.web.shared import address, settings_form
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.events import QUIET
from imgcls.web.shared.fetch_dataset import FetchView
from imgcls.web.shared.networks import buttons
from imgcls.web.train import plan_card
from imgcls.web.train.preset_choices import preset_choices

PENDING = 4.0  # seconds between two looks at an estimate that is being measured
FOCUS = "name => setTimeout(() => document.querySelector(`#field-${CSS.escape(name)} input`)?.focus(), 200)"


def attach(
    context: PageContext,
    tab: gr.Tab,
    made: settings_form.Form,
    missing: FetchView,
    *,
    plan: gr.HTML,
    command: gr.HTML,
    wrong: gr.State,
) -> Callable[..., list[Any]]:
    """Returns what puts into the form what suits the chosen data. wrong: the setting that has a sentence under it."""
    words, watch, limits = context.words, context.watch, context.limits
    page, changes, workspace = context.page, context.changes, watch.workspace
    fields = made.fields
    names, values = list(fields), list(fields.values())

    def there() -> list[Any]:
        """What has come into data/ and weight/ since the page was built."""
        return [
            gr.update(choices=settings_form.dataset_choices(words, workspace)),
            gr.update(choices=settings_form.weights_choices(workspace)),
        ]

    gr.on([page.load, changes.change, missing.submit], there, None, [fields["dataset"], fields["weights"]], **QUIET)
    fields["dataset"].change(lambda name: name, fields["dataset"], missing, **QUIET)

    def from_address(request: gr.Request) -> list[Any]:
        """The settings that a link carries, over the recipe for its network, data and transfer."""
        said = address.settings(request.query_params)
        if not said:
            return [gr.skip()] * len(names)
        dataset = said.get("dataset", "mnist")
        said.setdefault("model", usual_network(dataset))
        said.setdefault("transfer", usual_transfer(said["model"], dataset))
        usual = settings_form.defaults({"dataset": dataset, **said})
        return [said.get(name, usual[name]) for name in names]

    page.load(from_address, None, values, **QUIET)

    def fill(*given: Any) -> list[Any]:
        """The recipe for the chosen network, data and transfer; name, hardware and seed stay."""
        said = dict(zip(names, given, strict=True))
        usual = settings_form.defaults(said)
        if said["transfer"] == "scratch":
            usual["weights"] = ""
        elif said["weights"]:
            usual["weights"] = said["weights"]
        return [gr.skip() if name in settings_form.KEPT else usual[name] for name in names]

    def sized(*given: Any) -> Any:
        """The size of image that the chosen weights learnt from."""
        return settings_form.defaults(dict(zip(names, given, strict=True)))["image_size"]

    def fill_for(*given: Any) -> list[Any]:
        """As `fill`, with the network and what of it learns that the data call for."""
        said = dict(zip(names, given, strict=True))
        if kind_of(said["dataset"]) == "photos" or said["model"] == usual_network("photos"):
            said["model"] = usual_network(said["dataset"])
        said |= {"transfer": usual_transfer(said["model"], said["dataset"]), "weights": ""}
        usual = settings_form.defaults(said) | {name: said[name] for name in ("model", "transfer")}
        return [gr.skip() if name in set(settings_form.KEPT) - {"model", "transfer"} else usual[name] for name in names]

    def followed(before: str, *given: Any) -> list[Any]:
        """The command that says the same, which field is wrong, and the sentence at it."""
        said = dict(zip(names, given, strict=True))
        at, told = "", ""
        try:
            TrainSettings.checked(said)
        except SettingsError as error:
            at, told = error.field or "", words.message(error.message)
        differing = settings_form.differing(said)
        shown = plan_card.terminal(command_line(differing), address.query(differing), words)
        return [shown, at, *settings_form.marks(names, at, before, told, words)]

    def planned(*given: Any) -> tuple[str, Any, gr.Timer]:
        """Which layers would learn, how many parameters, and about how long, as HTML, and for photos the same of each
        mode of transfer; the time may come later."""
        said = dict(zip(names, given, strict=True))
        modes, waiting = plan_card.modes(said, workspace, limits, words)
        card, pending = plan_card.card(said, workspace, limits, words)
        return card, gr.update(choices=modes), gr.Timer(active=pending or waiting)

    def presets_known(*given: Any) -> Any:
        """What to expect of each preset, as far as it is known."""
        made, _ = preset_choices(dict(zip(names, given, strict=True)), watch, words, ask=False)
        return gr.update(choices=made)

    def presets_asked(*given: Any) -> list[Any]:
        """The same, and what is not known is measured: somebody looks at the form."""
        made, pending = preset_choices(dict(zip(names, given, strict=True)), watch, words, ask=True)
        return [gr.update(choices=made), gr.Timer(active=pending)]

    timing = gr.Timer(PENDING, active=False)
    shapes = [fields[n].change for n in settings_form.DECIDE if n in fields]
    gr.on(
        [page.load, timing.tick, missing.submit, *shapes],
        planned,
        values,
        [plan, fields["transfer"], timing],
        trigger_mode="always_last",
        **QUIET,
    )
    preset = fields["preset"]
    measuring = gr.Timer(PENDING, active=False)
    deciding = [fields[n].change for n in ("dataset", "model", "transfer", "weights")]
    gr.on([page.load, changes.change], presets_known, values, preset, trigger_mode="always_last", **QUIET)
    gr.on(
        [tab.select, measuring.tick, *deciding],
        presets_asked,
        values,
        [preset, measuring],
        trigger_mode="always_last",
        **QUIET,
    )
    gr.on([fields[n].input for n in ("preset", "model", "transfer")], fill, values, values, **QUIET)
    made.networks.submit(lambda name: name, made.networks, fields["model"], **QUIET).then(fill, values, values, **QUIET)
    # The one that was chosen from the table, or by a link, has a button too.
    fields["model"].change(
        lambda name: gr.update(choices=buttons(words, name)), fields["model"], fields["model"], **QUIET
    )
    fields["dataset"].input(fill_for, values, values, **QUIET)
    fields["weights"].input(sized, values, fields["image_size"], **QUIET)
    fields["transfer"].change(
        lambda mode: gr.update(visible=mode != "scratch"), fields["transfer"], fields["weights"], **QUIET
    )
    made.find.input(
        lambda name: gr.Tabs(selected=settings_form.group_of(name)) if name else gr.skip(),
        made.find,
        made.groups,
        **QUIET,
    ).then(None, made.find, None, js=FOCUS, api_visibility="private")
    gr.on(
        [page.load, *(f.change for f in values)],
        followed,
        [wrong, *values],
        [command, wrong, *values],
        trigger_mode="always_last",
        **QUIET,
    ).then(None, command, None, js=address.puts_settings(names), api_visibility="private")
    return fill_for
