"""What the Train form's recipe was last asked about; `submit` fires once when the form has changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from imgcls.web.shared.scripts import starts
from imgcls.web.shared.settings_form import RECIPE_FIELDS

HERE = Path(__file__).parent
CHANGED = "() => { dispatchEvent(new Event('imgcls:form')); }"
ANSWERED = "() => { dispatchEvent(new Event('imgcls:form-answered')); }"
MAX_CHARS = 3000  # characters


class FormState(gr.HTML):
    """Its value is JSON; the handler gets {setting: value}: what the form is built with before the first answer, so
    that a choice that comes sooner is followed, too."""

    def __init__(self, built: Mapping[str, Any], **options: Any) -> None:
        fields = " ".join(f"field-{name}" for name in RECIPE_FIELDS)
        super().__init__(
            value=form_state(built),
            # shared/choices.js reads which fields it asks in the name of.
            html_template=(HERE / "form_state.html").read_text("utf-8").replace("FIELDS", fields),
            js_on_load=starts("train/form_state.js"),
            apply_default_css=False,
            **options,
        )

    def preprocess(self, payload: Any) -> dict[str, Any]:
        if not isinstance(payload, str) or len(payload) > MAX_CHARS:
            return {}
        try:
            state = json.loads(payload or "{}")
        except ValueError:
            return {}
        return state if isinstance(state, dict) else {}

    def postprocess(self, value: Any) -> str:
        return value if isinstance(value, str) else ""


def form_state(values: Mapping[str, Any]) -> str:
    return json.dumps({name: values.get(name) for name in RECIPE_FIELDS})
