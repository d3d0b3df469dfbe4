"""What a run says of an event, in the page's language."""

from __future__ import annotations

from imgcls.training import events
from imgcls.training.loggers.console import lines
from imgcls.web.i18n.translator import Translator


def log_line(event: events.Event, translate: Translator) -> str:
    """One line of the log; empty for what is only of passing interest."""
    messages = [event.message] if isinstance(event, events.Failed) else lines(event)
    return "; ".join(map(translate.message, messages))
