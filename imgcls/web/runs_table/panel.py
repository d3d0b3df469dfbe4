"""All runs as a table, folded away until it is asked for. It shows the index of runs; the page filters and sorts.

Which runs are ticked, the words, the sorting and the columns stand in the page's address.
"""

from __future__ import annotations

from typing import Any

from imgcls.errors import RunError
from imgcls.messages import N_
from imgcls.runs import run_index
from imgcls.runs.annotations import annotate
from imgcls.runs.reader import RunView
from imgcls.runs.store import Run, delete_run, find_run, rename_run
from imgcls.settings import TrainSettings
from imgcls.web.evaluate.report import report_of_runs
from imgcls.web.i18n.labels import STATES
from imgcls.web.runs_table.comparison import BY, MAX_RUNS, compared
from imgcls.web.runs_table.matrices import RunMatrices
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.identity import hashed_network
from imgcls.web.shared.server_functions import ServerFunction, ServerHTML, server_function, whoever_asks

MAX_CHANGED_RUNS = 200  # runs that are marked or deleted by one click
FIGURES = ("name", "state", "created", "seconds", "epochs", "val_accuracy", "test_accuracy", "parent", "owner", "tags",
           "note", "pinned")  # fmt: skip
SENTENCES = {
    "title": N_("All runs"), "search": N_("Search: words, lr>0.01, state=finished"), "none": N_("No run is like that."),
    "columns": N_("Columns"), "compare": N_("Compare"), "csv": N_("Download as CSV"), "save": N_("Save"),
    "tag": N_("Tag"),
    "tags": N_("Tags"), "note": N_("Note"), "pin": N_("Pin"), "unpin": N_("Unpin"), "delete": N_("Delete"),
    "undo": N_("Undo"), "deleted": N_("Deleted: {count}"), "rename": N_("Rename"), "show": N_("Show"),
    "tag_asked": N_("Tag for the chosen runs; -tag takes it off"), "note_asked": N_("Note for the chosen runs"),
    "name_asked": N_("New name"), "count": N_("{shown} of {total} runs"), "chosen": N_("{count} chosen"),
    "no_answer": N_("The lab does not answer: is it still open? Try again."),
    "too_many": N_("At most {count} runs at once."),
    "name": N_("Run"), "state": N_("State"), "created": N_("Begun"), "seconds": N_("Time"), "epochs": N_("Epochs"),
    "val_accuracy": N_("Validation"), "test_accuracy": N_("Test"), "parent": N_("Sweep"), "owner": N_("Who"),
    "pinned": N_("Pinned"), "tick": N_("Choose {name}"),
}  # fmt: skip


class RunsTable(ServerHTML):
    """The panel, with the page's own words for columns and states."""

    def __init__(self, context: PageContext, **options: Any) -> None:
        translate = context.translate
        sentences = {f"said_{name}": translate(text) for name, text in SENTENCES.items()}
        labels = {name: translate.setting(name) for name in TrainSettings.model_fields}
        shown = {"labels": labels, "states": {name: translate(text) for name, text in STATES.items()}, "most": MAX_RUNS}
        super().__init__("runs_table", sentences, server_functions(context), longest=10, **shown, **options)


def server_functions(context: PageContext) -> list[ServerFunction]:
    """What the browser may ask for."""
    table = RunsTableFunctions(context)
    quick = (table.runs_rows, table.runs_mark, table.runs_delete, table.runs_rename, table.runs_compared)
    return [
        *(server_function(function, context.translate, "picture") for function in quick),
        # They read photos' names and checkpoints' digests: live answers must not wait behind them.
        server_function(table.runs_matrices, context.translate, "document", key=table.asked_by),
        server_function(table.runs_report, context.translate, "document", key=whoever_asks),
    ]


class RunsTableFunctions:
    def __init__(self, context: PageContext) -> None:
        self.translate, self.people, self.run_cache = context.translate, context.people, context.run_cache
        self.limits = context.limits
        self.matrices = RunMatrices(context.run_cache.workspace, context.translate)

    def _find(self, name: str) -> Run:
        return find_run(name, self.run_cache.workspace)

    def _chosen(self, payload: dict[str, Any], max_runs: int) -> list[str]:
        names = payload["names"]
        if not isinstance(names, list) or not names:
            raise RunError("Choose a run first.")
        if len(names) > max_runs:
            raise RunError("At most {count} runs at once.", count=max_runs)
        return [str(name) for name in dict.fromkeys(names)]

    def _own(self, payload: dict[str, Any]) -> list[Run]:
        """Those asked for, all of which whoever asks may change."""
        runs = [self._find(name) for name in self._chosen(payload, MAX_CHANGED_RUNS)]
        for run in runs:
            self.people.visitor(payload["request"]).check(run.read_state())
        return runs

    def runs_rows(self, _: dict[str, Any]) -> dict[str, Any]:
        return compact(run_index.rows(self.run_cache.workspace))

    def runs_mark(self, payload: dict[str, Any]) -> dict[str, Any]:
        pinned = payload.get("pinned")
        for run in self._own(payload):
            annotate(
                run,
                add=[str(tag) for tag in payload.get("add") or ()],
                remove=[str(tag) for tag in payload.get("remove") or ()],
                note=None if payload.get("note") is None else str(payload["note"]),
                pinned=pinned if isinstance(pinned, bool) else None,
            )
        return self.runs_rows(payload)

    def runs_delete(self, payload: dict[str, Any]) -> dict[str, Any]:
        """The host's, as below the run's card."""
        if not self.people.visitor(payload["request"]).host:
            raise RunError("Only the lab's host deletes runs.")
        for run in self._own(payload):
            delete_run(run)
            self.run_cache.forget(run.name)
        return self.runs_rows(payload)

    def runs_rename(self, payload: dict[str, Any]) -> dict[str, Any]:
        run = self._own(payload)[0]
        rename_run(run, str(payload.get("to") or ""))
        self.run_cache.forget(run.name)
        return self.runs_rows(payload)

    def _views(self, payload: dict[str, Any]) -> list[RunView]:
        """Those of the chosen runs that are still there."""
        return [found for name in self._chosen(payload, MAX_RUNS) if (found := self.run_cache.view(name)) is not None]

    def runs_compared(self, payload: dict[str, Any]) -> dict[str, Any]:
        by = str(payload.get("by") or "epoch")
        by = by if by in BY else "epoch"
        return {"html": compared(self._views(payload), self.translate, by=by, smooth=bool(payload.get("smooth")))}

    def _may_stop(self, payload: dict[str, Any]) -> bool:
        """An evaluation may be somebody else's: the host ends it."""
        return self.people.visitor(payload["request"]).host

    def asked_by(self, payload: dict[str, Any]) -> tuple[bool, str]:
        return self._may_stop(payload), payload["visitor"] if payload.get("begin") else ""

    def runs_matrices(self, payload: dict[str, Any]) -> dict[str, Any]:
        """`begin`: "again" once somebody has asked for them, "on" while they are waited for, "stop" to end that."""
        begin, host = str(payload.get("begin") or ""), self._may_stop(payload)
        terms = self.limits.terms(hashed_network(payload["visitor"]), host=host)
        return self.matrices.look(self._views(payload), begin, may_stop=host, terms=terms)

    def runs_report(self, payload: dict[str, Any]) -> dict[str, Any]:
        """The chosen runs in one file, with what is kept of their evaluations."""
        views = self._views(payload)
        html = report_of_runs(views, self.run_cache.workspace)
        return {"name": f"{views[0].run.name}.html", "html": html}


def compact(rows: list[run_index.Row]) -> dict[str, Any]:
    """A list a column, and of the settings only those in which any two runs differ: a thousand runs are kilobytes."""
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in FIGURES}
    settings_of_runs = [row["settings"] or {} for row in rows]
    differing = {}
    for name in TrainSettings.model_fields:
        values = [settings.get(name) for settings in settings_of_runs]
        if name != "name" and any(value != values[0] for value in values):
            differing[name] = values
    columns["planned"] = [settings.get("epochs") for settings in settings_of_runs]
    return {"figures": columns, "settings": differing}
