"""One language of the page: its catalog of sentences, and how settings, values and times are called in it.

Sentences stand in the source, in English, where they are said; `imgcls/locale` holds their translations.
"""

from __future__ import annotations

import gettext
import os
from pathlib import Path
from typing import Any

from imgcls import augmentations
from imgcls.data.registry import DATASETS
from imgcls.messages import Language, Message, plural
from imgcls.models.registry import REGISTRY
from imgcls.optimizers import OPTIMIZERS
from imgcls.settings import TrainSettings
from imgcls.web.i18n.labels import LABELS, PARTS, VALUES
from imgcls.web.server.short_log import note

LANGUAGES = {"en": "English", "zh": "中文"}
LOCALE = Path(__file__).resolve().parents[2] / "locale"
DOMAIN = "imgcls"
ESTIMATE_STEPS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)  # seconds


_hidden: list[str] = []


def hide_folders(*folders: Path) -> None:
    """From now on no sentence names these: whoever asks from another computer has no use for where they lie."""
    _hidden.extend(str(folder) for folder in folders if len(folder.parts) > 1 and str(folder) not in _hidden)
    _hidden.sort(key=len, reverse=True)


def _without_folders(text: str) -> str:
    for folder in _hidden:
        text = text.replace(folder + os.sep, "").replace(folder, Path(folder).name)
    return text


class Translator(Language):
    """`translate("Start training")` is the sentence in this language, with `values` filled in."""

    def __init__(self, language: str) -> None:
        super().__init__()
        self.language = language
        if language != "en":
            self.add_fallback(gettext.translation(DOMAIN, LOCALE, [language]))

    def __call__(self, text: str, /, **values: Any) -> str:
        return Message(text, **values).said(self)

    def plural(self, one: str, many: str, /, *, count: int, **values: Any) -> str:
        return plural(one, many, count=count, **values).said(self)

    def message(self, message: Message) -> str:
        """What a visitor is told: without the folders that are this server's business (`hide_folders`)."""
        sentence = message.said(self)
        without_folders = _without_folders(sentence)
        if without_folders != sentence:
            note(str(message))
        return without_folders

    def setting(self, name: str, value: str | None = None) -> str:
        """The label of a setting in the form, or of one of its values; a part of a data set."""
        if name == "part" and value in PARTS:
            return self(PARTS[value])
        return self.value(value) if value is not None else self(LABELS[name]) if name in LABELS else name

    def help(self, name: str) -> str:
        text = self(TrainSettings.model_fields[name].description or "")
        return text[:1].upper() + text[1:] if self.language == "en" else text

    def value(self, value: str) -> str:
        """What a setting's value is called; a data set of one's own by its name."""
        if value in REGISTRY:
            return REGISTRY[value].title
        if value in DATASETS:
            return self(DATASETS[value].title)
        if value in OPTIMIZERS:
            return self(OPTIMIZERS[value].title)
        if value != augmentations.NONE and augmentations.fault(value) is None:
            return " + ".join(self(spec.title) for spec in augmentations.specs(value))
        return self(VALUES[value]) if value in VALUES else value

    def duration(self, seconds: float) -> str:
        """75 -> "1:15", 3675 -> "1:01:15"."""
        whole = max(0, round(seconds))
        hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
        return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

    def estimate(self, seconds: float) -> str:
        """A duration that is only about right, in steps of a sixth of it or less: 17 -> "0:15", 2,700 -> "40:00"."""
        step = next((step for step in ESTIMATE_STEPS if step >= seconds / 6), ESTIMATE_STEPS[-1])
        return self.duration(max(step, round(seconds / step) * step))

    @property
    def others(self) -> dict[str, str]:
        """The languages that the page also speaks, by what they are called in themselves."""
        return {language: name for language, name in LANGUAGES.items() if language != self.language}
