"""What is open stands in the page's address: tab, run, checkpoint, data set and every setting that is not the recipe's.

`address.js` writes it; here is what events hand to that script, and how a link's settings are read. A value that cannot
be is left out: a link that is old still opens.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from imgcls.errors import SettingsError
from imgcls.settings import TrainSettings

READY = "() => window.imgclsAddress?.ready()"  # what the address says is there: from now on it follows the page


def puts(name: str) -> str:
    """JavaScript for an event whose one input is the value of `name`."""
    return f"value => {{ window.imgclsAddress?.put({json.dumps(name)}, value); }}"


def opens(tab: str, *, before: str = "tab") -> str:
    """JavaScript for a tab's select event; the back button returns to the tab before."""
    return f"() => {{ window.imgclsAddress?.open({json.dumps(before)}, {json.dumps(tab)}); }}"


def puts_settings(names: Iterable[str]) -> str:
    """JavaScript for an event whose input is HTML with the settings as a query in data-query."""
    return (
        "html => { const made = document.createElement('template'); made.innerHTML = html; "
        "window.imgclsAddress?.settings(made.content.querySelector('[data-query]')?.dataset.query ?? '', "
        f"{json.dumps(list(names))}); }}"
    )


def query(settings: Mapping[str, Any]) -> str:
    """`settings` as a query string, the defaults of network and data left out."""
    usual = {"dataset": "mnist", "model": "lenet"}
    return urlencode({name: value for name, value in settings.items() if usual.get(name) != value})


def settings(given: Mapping[str, str]) -> dict[str, Any]:
    """The settings that a query names, each one checked by itself."""
    said: dict[str, Any] = {}
    for name in TrainSettings.model_fields:
        if name in given and len(given[name]) <= 500:
            try:
                said[name] = getattr(TrainSettings.checked({name: given[name]}), name)
            except SettingsError:
                continue
    return said
