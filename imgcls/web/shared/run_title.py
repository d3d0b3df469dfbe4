"""What a run is called for people: the name that somebody gave it, otherwise network, data, preset and time."""

from __future__ import annotations

import re
import time

from imgcls.runs.reader import RunView
from imgcls.web.i18n.translator import Translator

DAY_SECONDS = 24 * 3600


def run_title(view: RunView, translate: Translator) -> str:
    return view.run.name if is_named(view) else what_it_is(view, translate) or view.run.name


def subtitle(view: RunView, translate: Translator) -> str:
    """What the title does not say."""
    return what_it_is(view, translate) if is_named(view) else ""


def is_named(view: RunView) -> bool:
    """Whether a person chose the name."""
    if view.settings is None:
        return True
    usual = view.settings.default_name().rsplit("-", 2)[0]
    return not re.fullmatch(re.escape(usual) + r"-\d{8}-\d{6}(-\d+)?", view.run.name)


def what_it_is(view: RunView, translate: Translator) -> str:
    """ "LeNet on MNIST · Sprint · 00:35"; the day, too, where it was another."""
    settings = view.settings
    if settings is None:
        return ""
    network_and_data = translate(
        "{network} on {dataset}", network=translate.value(settings.model), dataset=translate.value(settings.dataset)
    )
    return " · ".join(
        [network_and_data, translate.value(settings.preset), *([moment(view.created)] if view.created else [])]
    )


def moment(seconds: float) -> str:
    then = time.localtime(seconds)
    day = "" if abs(time.time() - seconds) < DAY_SECONDS and then.tm_mday == time.localtime().tm_mday else "%Y-%m-%d "
    return time.strftime(f"{day}%H:%M", then)
