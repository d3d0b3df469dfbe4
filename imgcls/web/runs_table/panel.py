"""All runs as a table, folded away until it is asked for. It shows the index of runs; the page filters and sorts.

Which runs are ticked, the words, the sorting and the columns stand in the page's address.
"""

from __future__ import annotations

from collections.abc import Callable
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
from imgcls.web.shared.server_functions import ServerFunction, ServerHTML, server_function

MOST_AT_ONCE = 200  # runs that are marked or deleted by one click
FIGURES = ("name", "state", "created", "seconds", "epochs", "val_accuracy", "test_accuracy", "parent", "owner", "tags",
           "note", "pinned")  # fmt: skip
SAID = {
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
        said = {f"said_{name}": translate(text) for name, text in SAID.items()}
        labels = {name: translate.setting(name) for name in TrainSettings.model_fields}
        shown = {"labels": labels, "states": {name: translate(text) for name, text in STATES.items()}, "most": MAX_RUNS}
        super().__init__("runs_table", said, server_functions(context), longest=10, **shown, **options)


def server_functions(context: PageContext) -> list[ServerFunction]:
    """What the browser may ask for."""
    asks = _Answers(context)
    quick = (asks.runs_rows, asks.runs_mark, asks.runs_delete, asks.runs_rename, asks.runs_compared)
    return [
        *(server_function(_named(function), context.translate, "picture") for function in quick),
        # They read photos' names and checkpoints' digests: live answers must not wait behind them.
        *(
            server_function(_named(function), context.translate, "document")
            for function in (asks.runs_matrices, asks.runs_report)
        ),
    ]


def _named(method: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A method as a plain function, which can be given a name."""

    def function(asked: dict[str, Any]) -> dict[str, Any]:
        return method(asked)

    function.__name__ = method.__name__
    return function


class _Answers:
    def __init__(self, context: PageContext) -> None:
        self.translate, self.people, self.cache = context.translate, context.people, context.run_cache
        self.matrices = RunMatrices(context.run_cache.workspace, context.translate)

    def _find(self, name: str) -> Run:
        return find_run(name, self.cache.workspace)

    def _chosen(self, asked: dict[str, Any], most: int) -> list[str]:
        names = asked["names"]
        if not isinstance(names, list) or not names:
            raise RunError("Choose a run first.")
        if len(names) > most:
            raise RunError("At most {count} runs at once.", count=most)
        return [str(name) for name in dict.fromkeys(names)]

    def _own(self, asked: dict[str, Any]) -> list[Run]:
        """Those asked for, all of which whoever asks may change."""
        runs = [self._find(name) for name in self._chosen(asked, MOST_AT_ONCE)]
        for run in runs:
            self.people.visitor(asked["request"]).check(run.written())
        return runs

    def runs_rows(self, _: dict[str, Any]) -> dict[str, Any]:
        return compact(run_index.rows(self.cache.workspace))

    def runs_mark(self, asked: dict[str, Any]) -> dict[str, Any]:
        pinned = asked.get("pinned")
        for run in self._own(asked):
            annotate(
                run,
                add=[str(tag) for tag in asked.get("add") or ()],
                remove=[str(tag) for tag in asked.get("remove") or ()],
                note=None if asked.get("note") is None else str(asked["note"]),
                pinned=pinned if isinstance(pinned, bool) else None,
            )
        return self.runs_rows(asked)

    def runs_delete(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The host's, as below the run's card."""
        if not self.people.visitor(asked["request"]).host:
            raise RunError("Only the lab's host deletes runs.")
        for run in self._own(asked):
            delete_run(run)
            self.cache.forget(run.name)
        return self.runs_rows(asked)

    def runs_rename(self, asked: dict[str, Any]) -> dict[str, Any]:
        run = self._own(asked)[0]
        rename_run(run, str(asked.get("to") or ""))
        self.cache.forget(run.name)
        return self.runs_rows(asked)

    def _views(self, asked: dict[str, Any]) -> list[RunView]:
        """Those of the chosen runs that are still there."""
        return [found for name in self._chosen(asked, MAX_RUNS) if (found := self.cache.view(name)) is not None]

    def runs_compared(self, asked: dict[str, Any]) -> dict[str, Any]:
        by = str(asked.get("by") or "epoch")
        by = by if by in BY else "epoch"
        return {"html": compared(self._views(asked), self.translate, by=by, smooth=bool(asked.get("smooth")))}

    def runs_matrices(self, asked: dict[str, Any]) -> dict[str, Any]:
        """`begin`: "again" once somebody has asked for them, "on" while they are waited for."""
        return self.matrices.look(self._views(asked), str(asked.get("begin") or ""))

    def runs_report(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The chosen runs in one file, with what is kept of their evaluations."""
        views = self._views(asked)
        html = report_of_runs(views, self.cache.workspace)
        return {"name": f"{views[0].run.name}.html", "html": html}


def compact(rows: list[run_index.Row]) -> dict[str, Any]:
    """A list a column, and of the settings only those in which any two runs differ: a thousand runs are kilobytes."""
    made: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in FIGURES}
    told = [row["settings"] or {} for row in rows]
    settings = {}
    for name in TrainSettings.model_fields:
        values = [one.get(name) for one in told]
        if name != "name" and any(value != values[0] for value in values):
            settings[name] = values
    made["planned"] = [one.get("epochs") for one in told]
    return {"figures": made, "settings": settings}
