"""What a run would be, under the form: which layers learn, how many parameters, about how long, by which command.

Knows plans, not how they are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from imgcls.errors import ImgclsError
from imgcls.messages import N_
from imgcls.settings import TrainSettings
from imgcls.web.hosting import Limits
from imgcls.web.i18n.translator import Translator
from imgcls.workspace import Workspace

COPY = """element.addEventListener('click', event => {
  if (!event.target.closest('button')) return;
  const code = element.querySelector('code');
  if (navigator.clipboard) navigator.clipboard.writeText(code.textContent);
  else getSelection().selectAllChildren(code);  // plain http from another computer: the person presses Ctrl-C
});"""
MODES = {
    "scratch": N_("Trains from scratch:"),
    "head": N_("Trains only the last layer (head):"),
    "finetune": N_("Fine-tunes every layer:"),
}
LAYERS = 6  # named; the rest are counted


def card(values: Mapping[str, Any], workspace: Workspace, limits: Limits, words: Translator) -> str:
    """Empty while a field is wrong: Start says which. A missing data set or missing weights are named at once."""
    from imgcls.training.estimate import estimate

    try:
        settings = TrainSettings.checked(dict(values))
        if limits.public:
            limits.check_settings(settings)
    except ImgclsError:
        return ""
    try:
        made = estimate(settings, workspace)
    except ImgclsError as error:
        return f'<p class="plan bad" role="status">{escape(words.message(error.message))}</p>'
    layers = ", ".join(made.layers[:LAYERS]) + (" …" if len(made.layers) > LAYERS else "")
    learns = words(
        "{trainable:,} of {parameters:,} parameters in", trainable=made.trainable, parameters=made.parameters
    )
    takes = words("· about {time}", time=words.duration(made.seconds)) if made.seconds is not None else ""
    return (
        f'<p class="plan" role="status" data-testid="plan"><strong>{escape(words(MODES[made.mode]))}</strong> '
        f"<span>{escape(learns)}</span> <code>{escape(layers)}</code> <span>{escape(takes)}</span></p>"
    )


def terminal(command: str, words: Translator) -> str:
    """The command that would do what the form says."""
    return (
        f'<div class="terminal"><div><span>{escape(words("The same from a terminal"))}</span>'
        f'<button type="button">{escape(words("Copy"))}</button></div><code>{escape(command)}</code></div>'
    )
