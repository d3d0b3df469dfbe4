"""A sentence as a message id with named values: written once, in English, where it is said; catalogs translate it.

    Message("{name} has no images.", name="flowers")
    plural("{name} has {count} image.", "{name} has {count} images.", count=12, name="flowers")

The id is the English sentence itself, as a format string. Values are plain, settings, or messages of their own.
Nothing ever parses a finished sentence.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from gettext import NullTranslations
from numbers import Integral, Real
from typing import Any

MAX_VALUE_CHARS = 1_000  # of one value in a sentence: a name can be a megabyte
# What would break a line, colour a terminal or turn the reading direction.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class Language(NullTranslations):
    """What turns an id into a sentence; this one speaks English and calls a setting as `settings.json` does."""

    def setting(self, name: str, value: str | None) -> str:
        """How a setting, or one of its values, is called where this language is spoken."""
        return name if value is None else value


class Terminal(Language):
    """English where settings are flags."""

    def setting(self, name: str, value: str | None) -> str:
        return "--" + name.replace("_", "-") if value is None else value


@dataclass(frozen=True)
class Setting:
    """A setting's name inside a sentence, or one of its values: the page says its label, the terminal its flag."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return self.name if self.value is None else self.value


@dataclass(frozen=True)
class Message:
    """`text`: the id; `values`: what its braces hold. Without values the text stands as it is, braces too.

    `many`: the id for more than one, where `values["count"]` decides.
    """

    text: str
    values: dict[str, Any] = field(default_factory=dict)
    many: str | None = None

    def __init__(self, text: str, /, **values: Any) -> None:
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "values", {name: _plain(value) for name, value in values.items()})
        object.__setattr__(self, "many", None)

    def __str__(self) -> str:
        return self.said(Language())

    def said(self, language: Language) -> str:
        """The finished sentence."""
        if self.many is None:
            text = language.gettext(self.text)
        else:
            text = language.ngettext(self.text, self.many, self.values["count"])
        if not self.values:
            return text
        values = {}
        for name, value in self.values.items():
            if isinstance(value, Message):
                value = value.said(language)
            elif isinstance(value, Setting):
                value = language.setting(value.name, value.value)
            elif isinstance(value, str):
                value = printable(value)
            values[name] = value
        try:
            return readable(text.format(**values))
        except (LookupError, ValueError, TypeError, AttributeError):  # another version's sentence
            return text

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `from_dict` reads it back."""
        values = {name: _as_json(value) for name, value in self.values.items()}
        return {"text": self.text, **({"many": self.many} if self.many else {}), "values": values}

    @classmethod
    def from_dict(cls, as_json: dict[str, Any] | str) -> Message:
        """Of what `as_dict` made, or of a finished sentence from an older file."""
        if isinstance(as_json, str):
            return cls(as_json)
        values = {str(name): _from_json(value) for name, value in as_json.get("values", {}).items()}
        return (
            _plural(as_json["text"], as_json["many"], values)
            if "many" in as_json
            else cls(str(as_json["text"]), **values)
        )


def readable(text: str) -> str:
    """`text` without the half characters that stand for bytes of a file's name which are no text here: no screen, no
    JSON and no checkpoint takes those."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def printable(text: str) -> str:
    """`text` as one line of a sentence has it: bounded, and nothing in it that acts on a screen."""
    short = text if len(text) <= MAX_VALUE_CHARS else text[: MAX_VALUE_CHARS - 1] + "…"
    return readable(UNPRINTABLE.sub("�", short))


def N_(text: str) -> str:
    """Marks a sentence for the catalogs where it is not said yet, as gettext's own tools have it."""
    return text


def plural(one: str, many: str, /, *, count: int, **values: Any) -> Message:
    """Two ids, of which `count` chooses; a language may have other forms than two."""
    return _plural(one, many, {"count": count, **values})


def joined(messages: Sequence[Message], /) -> Message:
    """The parts in a row, as each language joins them: "run a, 3 classes"."""
    return functools.reduce(lambda one, more: Message("{one}, {more}", one=one, more=more), messages)


def _plural(one: str, many: str, values: dict[str, Any]) -> Message:
    message = Message(one, **values)
    object.__setattr__(message, "many", many)
    return message


def _plain(value: Any) -> Any:
    """What JSON can hold: a path and another program's error become their text at once."""
    if isinstance(value, str | bool | Message | Setting):
        return value
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else str(value)


def _as_json(value: Any) -> Any:
    if isinstance(value, Message):
        return value.as_dict()
    return {"setting": value.name, "value": value.value} if isinstance(value, Setting) else value


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        return Setting(value["setting"], value.get("value")) if "setting" in value else Message.from_dict(value)
    return value
