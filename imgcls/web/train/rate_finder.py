"""The button that looks for a learning rate: how far the test is, then the field is filled and it is said why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from markupsafe import Markup

from imgcls.errors import ImgclsError
from imgcls.runs import rate_tests
from imgcls.runs.background_jobs import JobStatus
from imgcls.settings import TrainSettings
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.events import SILENT
from imgcls.web.shared.render import render
from imgcls.web.shared.settings_form import Form

LOOK_SECONDS = 1.0  # between two looks at a test that goes on


@dataclass(frozen=True)
class Request:
    """What the button was pressed for, whatever the form says since."""

    key: str
    settings: TrainSettings
    is_stopping: bool = False


class RateFinder:
    def __init__(self, context: PageContext, form: Form) -> None:
        self.form, self.translate, self.workspace = form, context.translate, context.run_cache.workspace
        self.limits = context.limits
        self.timer, self.request = gr.Timer(LOOK_SECONDS, active=False), gr.State(None)

    def wire(self) -> None:
        form, asked = self.form, [self.request, *self.form.fields.values()]
        shown = [self.request, form.fields["lr"], form.found_rate, form.stop_rate, self.timer]
        form.find_rate.click(self.begin, asked, shown, **SILENT)
        form.stop_rate.click(self.stop, asked, shown, **SILENT)
        self.timer.tick(self.progress, asked, shown, **SILENT)

    def begin(self, before: Request | None, *values: Any) -> list[Any]:
        """Unless the same has been found before. The page has one test: an earlier one that goes on is stopped."""
        try:
            self.limits.may_test_rates()
            settings = self._settings(values)
            request = Request(rate_tests.start(settings, self.workspace), settings)
        except ImgclsError as error:
            return self._view(before, self.translate.message(error.message), bad=True)
        if before is not None and before.key != request.key:
            rate_tests.stop(before.key, self.workspace)
        return self.progress(request, *values)

    def stop(self, request: Request | None, *values: Any) -> list[Any]:
        if request is None:
            return self._view(None, "")
        rate_tests.stop(request.key, self.workspace)
        return self.progress(replace(request, is_stopping=True), *values)

    def progress(self, request: Request | None, *values: Any) -> list[Any]:
        """How far it is, or what was found: for the field only where the form still asks the same."""
        if request is None:
            return [gr.skip()] * 4 + [gr.Timer(active=False)]
        status = rate_tests.status(request.key, self.workspace)
        if status.state == "running":
            return self._view(request, self._progress_text(status, request))
        if status.state == "failed" and status.message is not None:
            return self._view(None, self.translate.message(status.message), bad=True)
        found = rate_tests.find(request.key, self.workspace)
        if found is None:
            return self._view(None, self.translate("Stopped."))
        if found.suggestion is None:
            text = self.translate("The loss fell at no learning rate: look at the initialisation and the data.")
            return self._view(None, text)
        if not self._is_unchanged(request, values):
            text = self.translate(
                "{rate:g} for the settings before you changed them: a third of the rate at which the loss was smallest",
                rate=found.suggestion,
            )
            return self._view(None, text)
        text = self.translate("{rate:g}: a third of the rate at which the loss was smallest", rate=found.suggestion)
        return self._view(None, text, rate=found.suggestion)

    def _progress_text(self, status: JobStatus, request: Request) -> str:
        if request.is_stopping:
            return self.translate("Stopping")
        if not status.total:
            return self.translate("Getting ready to try learning rates …")
        return self.translate("Trying learning rates: step {done} of {total}", done=status.done, total=status.total)

    def _settings(self, values: tuple[Any, ...]) -> TrainSettings:
        return TrainSettings.checked(dict(zip(self.form.fields, values, strict=True)))

    def _is_unchanged(self, request: Request, values: tuple[Any, ...]) -> bool:
        try:
            return rate_tests.is_same_test(self._settings(values), request.settings)
        except ImgclsError:  # the form has a sentence where it is wrong
            return False

    def _view(self, request: Request | None, text: str, *, rate: float | None = None, bad: bool = False) -> list[Any]:
        """`request`: whose test goes on, None where it is answered. A refusal stays until the button is pressed again;
        the test beside it can be stopped."""
        html: str | Markup = render("rate_found", self.translate, text=text, bad=bad) if text else ""
        can_stop = request is not None and not request.is_stopping
        return [
            request,
            gr.skip() if rate is None else rate,
            html,
            gr.update(visible=can_stop),
            gr.Timer(active=request is not None and not bad),
        ]
