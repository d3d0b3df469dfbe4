"""The button that looks for a learning rate: how far the test is, then the field is filled and it is said why."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from imgcls.errors import ImgclsError
from imgcls.runs import rate_tests
from imgcls.settings import TrainSettings
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.events import SILENT
from imgcls.web.shared.render import render
from imgcls.web.shared.settings_form import Form

LOOK = 1.0  # seconds between two looks at a test that goes on


class RateFinder:
    def __init__(self, context: PageContext, form: Form) -> None:
        self.form, self.words, self.workspace = form, context.translate, context.run_cache.workspace
        self.limits = context.limits
        self.timer = gr.Timer(LOOK, active=False)

    def wire(self) -> None:
        values = list(self.form.fields.values())
        shown = [self.form.fields["lr"], self.form.found_rate, self.timer]
        self.form.find_rate.click(self.wanted, values, shown, **SILENT)
        self.timer.tick(self.looked, values, shown, **SILENT)

    def wanted(self, *given: Any) -> list[Any]:
        """Begin, unless the same has been found before."""
        try:
            settings = self._settings(given)
            self.limits.check_settings(settings)
            rate_tests.start(settings, self.workspace)
        except ImgclsError as error:
            return self._said(self.words.message(error.message), bad=True)
        return self._shown(settings)

    def looked(self, *given: Any) -> list[Any]:
        try:
            return self._shown(self._settings(given))
        except ImgclsError:  # the form has a sentence where it is wrong
            return self._said("")

    def _settings(self, given: tuple[Any, ...]) -> TrainSettings:
        return TrainSettings.checked(dict(zip(self.form.fields, given, strict=True)))

    def _shown(self, settings: TrainSettings) -> list[Any]:
        status = rate_tests.status(settings, self.workspace)
        if status.state == "running":
            if not status.total:
                return self._said(self.words("Getting ready to try learning rates …"), again=True)
            return self._said(
                self.words("Trying learning rates: step {done} of {total}", done=status.done, total=status.total),
                again=True,
            )
        if status.state == "failed" and status.message is not None:
            return self._said(self.words.message(status.message), bad=True)
        found = rate_tests.find(settings, self.workspace)
        if found is None:  # the form is about something else by now
            return self._said("")
        if found.suggestion is None:
            return self._said(self.words("The loss fell at no learning rate: look at the initialisation and the data."))
        said = self.words("{rate:g}: a third of the rate at which the loss was smallest", rate=found.suggestion)
        return self._said(said, rate=found.suggestion)

    def _said(self, text: str, *, rate: float | None = None, bad: bool = False, again: bool = False) -> list[Any]:
        html: str | Markup = render("rate_found", self.words, text=text, bad=bad) if text else ""
        return [gr.skip() if rate is None else rate, html, gr.Timer(active=again)]
