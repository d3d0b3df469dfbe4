"""A sentence as a message id with named values: written once, in English, where it is said; catalogs translate it.

    Message("{name} has {count} images.", name="flowers", count=12)

The id is the English sentence itself, as a format string. Values are plain, or messages of their own. Nothing ever
parses a finished sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Message:
    """`text`: the id; `values`: what its braces hold. Without values the text stands as it is, braces too."""

    text: str
    values: dict[str, Any] = field(default_factory=dict)

    def __init__(self, text: str, /, **values: Any) -> None:
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "values", values)

    def __str__(self) -> str:
        return self.said(lambda text: text)

    def said(self, translated: Callable[[str], str]) -> str:
        """The finished sentence; `translated` gives an id's sentence in another language."""
        text = translated(self.text)
        if not self.values:
            return text
        return text.format(
            **{name: v.said(translated) if isinstance(v, Message) else v for name, v in self.values.items()}
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `from_dict` reads it back."""
        values = {name: v.as_dict() if isinstance(v, Message) else v for name, v in self.values.items()}
        return {"text": self.text, "values": values}

    @classmethod
    def from_dict(cls, said: dict[str, Any]) -> Message:
        values = {
            str(name): cls.from_dict(v) if isinstance(v, dict) and "text" in v else v
            for name, v in said.get("values", {}).items()
        }
        return cls(str(said["text"]), **values)
