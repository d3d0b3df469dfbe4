"""What a run would be, under the form: which layers learn, how many parameters, about how long, by which command.

Knows plans, not how they are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from imgcls.errors import ImgclsError
from imgcls.messages import N_
from imgcls.settings import TrainSettings
from imgcls.web.hosting import Limits
from imgcls.web.i18n.translator import Translator
from imgcls.web.views.render import render
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from imgcls.training.background_estimate import BackgroundEstimates

COPY = """element.addEventListener('click', event => {
  const button = event.target.closest('button'), code = element.querySelector('code');
  if (!button) return;
  // plain http from another computer: the person presses Ctrl-C
  if (!navigator.clipboard) { getSelection().selectAllChildren(code); return; }
  navigator.clipboard.writeText(code.textContent).then(() => {
    button.classList.add('copied');
    setTimeout(() => button.classList.remove('copied'), 2000);
  }, () => getSelection().selectAllChildren(code));
});"""
MODES = {
    "scratch": N_("Trains from scratch:"),
    "head": N_("Trains only the last layer (head):"),
    "finetune": N_("Fine-tunes every layer:"),
}
LAYERS = 6  # named; the rest are counted


@cache
def _estimates(workspace: Workspace) -> BackgroundEstimates:
    """One for all pages: thirty students with one form ask for one measurement."""
    from imgcls.training.background_estimate import BackgroundEstimates

    return BackgroundEstimates(workspace)


def card(
    values: Mapping[str, Any], workspace: Workspace, limits: Limits, words: Translator
) -> tuple[str | Markup, bool]:
    """(HTML, whether the time is still being measured: ask again). Where a field is
    wrong, or a data set or weights are missing, the sentence that says so."""
    try:
        settings = TrainSettings.checked(dict(values))
        if limits.public:
            limits.check_settings(settings)
        made = _estimates(workspace)(settings)
    except ImgclsError as error:
        return render("plan_card", words, problem=words.message(error.message)), False
    shown = render(
        "plan_card",
        words,
        problem=None,
        mode=words(MODES[made.mode]),
        trainable=made.trainable,
        parameters=made.parameters,
        layers=", ".join(made.layers[:LAYERS]) + (" …" if len(made.layers) > LAYERS else ""),
        time=words.duration(made.seconds) if made.seconds is not None else None,
    )
    return shown, made.pending


def expected(settings: TrainSettings, workspace: Workspace) -> float | None:
    """Seconds that a run will take, where the form has shown it; for those who wait behind it."""
    return _estimates(workspace).known(settings)


def asked(settings: TrainSettings, workspace: Workspace) -> tuple[float | None, bool]:
    """(seconds that a run will take, whether they are still being measured: ask again). Raises ImgclsError where data,
    weights or device are not to be had."""
    made = _estimates(workspace)(settings)
    return made.seconds, made.pending


def terminal(command: str, query: str, words: Translator) -> Markup:
    """The command that would do what the form says; `query` says the same in the page's address."""
    return render("terminal", words, command=command, query=query)
