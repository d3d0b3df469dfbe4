"""The matrices of the chosen runs: those that are kept, or evaluated one after the other when somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from imgcls.errors import CheckpointError, DatasetError, RunError
from imgcls.runs import evaluations
from imgcls.runs.evaluations import Request, compare_evaluations, same_classes, settings_of
from imgcls.runs.reader import RunView
from imgcls.web.evaluate import evaluation_card, matrices
from imgcls.web.evaluate.results import Evaluations
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.render import render
from imgcls.workspace import Workspace

STOP = "stop"


class RunMatrices:
    """What the page is shown below the curves of the chosen runs."""

    def __init__(self, workspace: Workspace, translate: Translator) -> None:
        self.workspace, self.translate = workspace, translate
        self._kept = Evaluations(workspace)

    def look(self, views: Sequence[RunView], begin: str, *, may_stop: bool) -> dict[str, Any]:
        """`state`, and the `html` that says it. begin: as in `first_unfinished`, or "stop", which ends what goes on.
        may_stop: an evaluation may be somebody else's too."""
        paths = [view.run.best for view in views if view.run.best.is_file()]
        if len(paths) < 2:
            return {"state": "none", "html": ""}
        try:
            same_classes(paths)
            dataset = settings_of(paths[0]).dataset  # all on the same images: those of the first
            wanted = [Request(path, dataset) for path in paths]
            if begin == STOP and may_stop:
                for request in wanted:
                    evaluations.stop(request, self.workspace)
            begin = "" if begin == STOP else begin
            unfinished = evaluations.first_unfinished(wanted, self.workspace, begin=begin)
        except (CheckpointError, DatasetError) as error:  # of other classes; a data set that is gone
            return self._said("apart", sentence=self.translate.message(error.message))
        except RunError as error:  # other evaluations go on
            return self._said("busy", sentence=self.translate.message(error.message))
        if unfinished is None:
            return self._finished(wanted)
        one, seen = unfinished
        if seen.state == "running":
            name = one.checkpoint.parent.name
            return {
                "state": "running",
                "html": evaluation_card.waiting(name, seen.done, seen.total, self.translate, stops=may_stop),
            }
        return self._said(seen.state, sentence=self.translate.message(seen.message) if seen.message else "")

    def _finished(self, wanted: Sequence[Request]) -> dict[str, Any]:
        made = [found for one in wanted if (found := self._kept.fresh(one)) is not None]
        if len(made) < len(wanted):  # a file that cannot be read: it is made anew
            return self._said("stopped")
        named = dict(zip(evaluation_card.run_names([one.checkpoint for one in wanted]), made, strict=True))
        html = matrices.compared(named, compare_evaluations(named, self.workspace), self.translate)
        return {"state": "finished", "html": html}

    def _said(self, state: str, *, sentence: str = "") -> dict[str, Any]:
        html: Markup = render("runs_matrices", self.translate, state=state, sentence=sentence)
        return {"state": state, "html": html}
