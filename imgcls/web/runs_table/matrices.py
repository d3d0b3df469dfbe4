"""The matrices of the chosen runs: those that are kept, or evaluated one after the other when somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from imgcls.errors import CheckpointError, DatasetError, RunError
from imgcls.runs import evaluations
from imgcls.runs.background_jobs import Terms
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
        self._evaluations = Evaluations(workspace)

    def look(self, views: Sequence[RunView], begin: str, *, may_stop: bool, terms: Terms) -> dict[str, Any]:
        """`state`, and the `html` that says it. begin: as in `first_unfinished`, or "stop", which ends what goes on.
        may_stop: an evaluation may be somebody else's too; terms: on which one is begun."""
        paths = [view.run.best for view in views if view.run.best.is_file()]
        if len(paths) < 2:
            return {"state": "none", "html": ""}
        try:
            same_classes(paths)
            dataset = settings_of(paths[0]).dataset  # all on the same images: those of the first
            requests = [Request(path, dataset) for path in paths]
            if begin == STOP and may_stop:
                for request in requests:
                    evaluations.stop(request, self.workspace)
            begin = "" if begin == STOP else begin
            unfinished = evaluations.first_unfinished(requests, self.workspace, begin=begin, terms=terms)
        except (CheckpointError, DatasetError) as error:  # of other classes; a data set that is gone
            return self._message("apart", sentence=self.translate.message(error.message))
        except RunError as error:  # other evaluations go on
            return self._message("busy", sentence=self.translate.message(error.message))
        if unfinished is None:
            return self._finished(requests)
        one, progress = unfinished
        if progress.state == "running":
            name = one.checkpoint.parent.name
            return {
                "state": "running",
                "html": evaluation_card.waiting(name, progress.done, progress.total, self.translate, stops=may_stop),
            }
        sentence = self.translate.message(progress.message) if progress.message else ""
        return self._message(progress.state, sentence=sentence)

    def _finished(self, requests: Sequence[Request]) -> dict[str, Any]:
        cached = [found for one in requests if (found := self._evaluations.fresh(one)) is not None]
        if len(cached) < len(requests):  # a file that cannot be read: it is made anew
            return self._message("stopped")
        named = dict(zip(evaluation_card.run_names([one.checkpoint for one in requests]), cached, strict=True))
        html = matrices.compared(named, compare_evaluations(named, self.workspace), self.translate)
        return {"state": "finished", "html": html}

    def _message(self, state: str, *, sentence: str = "") -> dict[str, Any]:
        html: Markup = render("runs_matrices", self.translate, state=state, sentence=sentence)
        return {"state": state, "html": html}
