"""What is open stands in the page's address: tab, sub-tab, run, comparison, checkpoint, data set, and every setting
that is not the recipe's.

`address.js` writes it; here is what events hand to that script, and how a link is read. A value that cannot be is left
out: a link that is old still opens.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlencode

from imgcls.errors import SettingsError
from imgcls.settings import TrainSettings
from imgcls.web.shared.scripts import calls

if TYPE_CHECKING:
    from gradio import Tab, Tabs


SCRIPT = "shared/address.js"


class Changing(Protocol):
    """A component that says when its value changes."""

    value: Any

    @property
    def change(self) -> Callable[..., Any]: ...


def puts(name: str, *, usual: Any = "") -> str:
    """JavaScript for an event whose one input is the value of `name`; the `usual` one is not written down."""
    return calls(SCRIPT, "follow", name, usual)


def ready() -> str:
    """JavaScript: what the address says is there, from now on it follows the page."""
    return calls(SCRIPT, "ready")


def follow_fields(prefix: str, fields: Mapping[str, Changing]) -> None:
    """A few settings of another room than Train: each stands in the address where it is not what the page begins
    with."""
    for name, field in fields.items():
        field.change(None, field, None, js=puts(prefix + name, usual=field.value), api_visibility="private")


def follow(name: str, tabs: Tabs) -> list[str]:
    """The address says under `name` which of `tabs` is open, and the back button returns to the one before. Their
    ids."""
    tab_items = cast("list[Tab]", tabs.children)
    for tab in tab_items:
        tab.select(None, None, None, js=calls(SCRIPT, "open", name, tab.id), api_visibility="private")
    return [str(tab.id) for tab in tab_items]


def chosen(query: Mapping[str, str], name: str, options: Collection[str]) -> str | None:
    """What a link has under `name`, where that is one of the `options`."""
    value = query.get(name)
    return value if value in options else None


def puts_settings(names: Iterable[str]) -> str:
    """JavaScript for an event whose input is HTML with the settings as a query in data-query."""
    return calls(SCRIPT, "settings", list(names))


def query(settings: Mapping[str, Any]) -> str:
    """`settings` as a query string, the defaults of network and data left out."""
    usual = {"dataset": "mnist", "model": "lenet"}
    return urlencode({name: value for name, value in settings.items() if usual.get(name) != value})


def settings(query: Mapping[str, str], *, prefix: str = "") -> dict[str, Any]:
    """The settings that a query names, each one checked by itself."""
    settings: dict[str, Any] = {}
    for name in TrainSettings.model_fields:
        value = query.get(prefix + name, "")
        # A folder of another computer would be asked for as soon as the link is opened, with this one's credentials.
        if 0 < len(value) <= 500 and not value.startswith(("//", "\\\\", "/\\", "\\/")):
            try:
                settings[name] = getattr(TrainSettings.checked({name: value}), name)
            except SettingsError:
                continue
    return settings
