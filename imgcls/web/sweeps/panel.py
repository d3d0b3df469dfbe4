"""Try several values: the settings of the form above, with one or more of them varied, once for each seed.

Folded away until it is asked for. What the form says stands in the page's address; the panel reads it there.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from imgcls.errors import RunError
from imgcls.messages import N_
from imgcls.runs import search, sweep, sweep_result
from imgcls.runs.queue import check_owner
from imgcls.runs.sweep_request import again, plan
from imgcls.settings import TrainSettings, bounds_of, choices
from imgcls.web.i18n.translator import LANGUAGES, Translator
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.server_functions import Function, ServerFunction, ServerHTML, server_function
from imgcls.web.shared.work_gate import Kind
from imgcls.web.sweeps.result_view import drawn

LISTED = 50  # sweeps, newest first
MOST_LISTED = 12  # values of a setting that each have a box to tick
MOST_OFFERED = 6  # values of a setting that are all filled in
NOT_VARIED = (*search.NOT_FACTORS, "preset", "start_from", "time_limit", "keep_epochs")
SENTENCES = {
    "title": N_("Try several values"),
    "about": N_("The settings above, with these values instead, once for each seed: what is best, and does it matter?"),
    "vary": N_("Vary"), "values": N_("Values, e.g. {examples}"), "more": N_("Vary another one"),
    "seeds": N_("Seeds"), "search": N_("Search"), "grid": N_("all combinations"), "random": N_("some, drawn"),
    "halving": N_("the better go on"), "trials": N_("How many"), "start": N_("Start the sweep"),
    "sweep": N_("Sweep"), "stop": N_("Stop and save"), "go_on": N_("Go on"), "add_seeds": N_("More seeds"),
    "no_answer": N_("The lab does not answer: is it still open? Try again."), "remove": N_("Remove"),
    "vary_this": N_("Vary this"),
}  # fmt: skip


class SweepPanel(ServerHTML):
    """The panel."""

    def __init__(self, context: PageContext, **options: Any) -> None:
        translate = context.translate
        sentences = {f"said_{name}": translate(text) for name, text in SENTENCES.items()}
        fields = [(name, translate.setting(name)) for name in TrainSettings.model_fields if name not in NOT_VARIED]
        offered = {name: _offered(name) for name, _ in fields}
        more = {"examples": {name: _examples(name) for name, _ in fields}, "listed": _listed(translate)}
        shown = {"fields": fields, "names": list(TrainSettings.model_fields), "offered": offered}
        super().__init__("sweeps", sentences, server_functions(context), longest=10, **shown, **more, **options)


def server_functions(context: PageContext) -> list[ServerFunction]:
    """What the browser may ask for."""
    panel = SweepFunctions(context)
    kinds: dict[Function, Kind] = {
        panel.sweep_start: "document",  # what its runs need is estimated, which takes seconds
        panel.sweep_go_on: "document",
        panel.sweep_list: "state",
        panel.sweep_look: "state",
        panel.sweep_stop: "state",
    }
    return [server_function(function, context.translate, kind) for function, kind in kinds.items()]


class SweepFunctions:
    def __init__(self, context: PageContext) -> None:
        self.translate, self.people, self.limits = context.translate, context.people, context.limits
        self.workspace = context.run_cache.workspace

    def sweep_start(self, payload: dict[str, Any]) -> dict[str, Any]:
        """`settings`: those of the form, as the address has them; `vary`: [[setting, values as text], ...]."""
        settings = {str(name): str(value) for name, value in dict(payload["settings"]).items()}
        vary: dict[str, list[str]] = {}
        for name, values in payload["vary"]:
            if str(values).strip():
                field, factor_values = search.parse_factor(f"{name}={internal_values(str(name), str(values))}")
                vary.setdefault(field, []).extend(factor_values)
        base = {name: value for name, value in settings.items() if name not in vary and name not in ("seed", "name")}
        kind = str(payload.get("search") or "grid")
        trials = int(payload.get("trials") or 0) if kind != "grid" else 0
        planned = plan(base, vary, _seeds(payload), kind=kind, trials=trials)
        started = self.limits.start_sweep(planned, self.workspace, owner=self.people.run_owner(payload["request"]))
        return self.sweep_list(payload) | {"name": started.name}

    def sweep_list(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"sweeps": [listed.name for listed in sweep.list_sweeps(self.workspace)[:LISTED]]}

    def _own(self, payload: dict[str, Any]) -> sweep.Sweep:
        found = sweep.find(str(payload["name"]), self.workspace)
        visitor = self.people.visitor(payload["request"])
        owner = found.request().owner
        check_owner(sweep.RunState(owner=owner), visitor.owner, host=visitor.host)
        return found

    def sweep_look(self, payload: dict[str, Any]) -> dict[str, Any]:
        found = sweep_result.result(sweep.find(str(payload["name"]), self.workspace))
        return {"html": drawn(found, self.translate), "status": found.status}

    def sweep_stop(self, payload: dict[str, Any]) -> dict[str, Any]:
        sweep.stop(self._own(payload))
        return self.sweep_look(payload)

    def sweep_go_on(self, payload: dict[str, Any]) -> dict[str, Any]:
        found = self._own(payload)
        planned = again(found.request(), {}, {}, _seeds(payload) if payload.get("seeds") else ())
        self.limits.start_sweep(planned, self.workspace, name=found.name, owner=found.request().owner)
        return self.sweep_look(payload)


def internal_values(name: str, typed: str) -> str:
    """Values as the command line has them, where somebody typed what the form calls them, in either language."""
    names: dict[str, str] = {}
    for value in choices(name) or ():
        for language in LANGUAGES:
            label = _plain(Translator(language).setting(name, value))
            names[label] = names[label.split(",")[0].split(" n(")[0]] = value
    text = _plain(typed) if names else typed
    for label in sorted((label for label in names if "," in label), key=len, reverse=True):
        text = text.replace(label, names[label])
    if not names:
        return text
    return ", ".join(names.get(part.strip(), part.strip()) for part in text.split(","))


def _plain(text: str) -> str:
    """Letter case, and signs that look the same, make no difference."""
    return unicodedata.normalize("NFKC", text).replace("\u2010", "-").replace("\u2011", "-").replace("、", ",").lower()


def _listed(translate: Translator) -> dict[str, list[tuple[str, str]]]:
    """Of settings with few values to choose from: each, with what the form calls it."""
    named = {name: choices(name) or () for name in TrainSettings.model_fields}
    return {
        name: [(value, translate.setting(name, value)) for value in values]
        for name, values in named.items()
        if 0 < len(values) <= MOST_LISTED
    }


def _examples(name: str) -> str:
    named, annotation = choices(name), TrainSettings.model_fields[name].annotation
    if annotation is bool:
        return "false, true"
    return ", ".join(list(named)[:2]) if named else "1, 2, 4" if annotation is int else "0.01, 0.03, 0.1"


def _offered(name: str) -> str | list[str] | dict[str, Any]:
    """What *Vary this* begins with: every value where there are few; of a number, its bounds."""
    named, annotation = choices(name), TrainSettings.model_fields[name].annotation
    if annotation is bool:
        return ["false", "true"]
    if named:
        return list(named) if len(named) <= MOST_OFFERED else ""
    if annotation not in (int, float):
        return ""
    bounds = bounds_of(name)
    low, high = bounds.get("ge", bounds.get("gt", 0)), bounds.get("le", bounds.get("lt"))
    return {"whole": annotation is int, "low": low, "high": high, "below": "lt" in bounds}


def _seeds(payload: dict[str, Any]) -> list[str]:
    seeds = [seed.strip() for seed in str(payload.get("seeds") or "").replace(" ", ",").split(",") if seed.strip()]
    if not seeds:
        raise RunError("Name at least one seed, e.g. 1, 2, 3.")
    return seeds
