"""What a person should know of a data set: files that are left out, classes without images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from imgcls.messages import Message, plural

NAMED = 10  # broken photos that notes name; the rest are counted


@dataclass(frozen=True)
class Problem:
    """Something a person should know: `code` for programs, `message` for people, in their language."""

    code: str
    message: Message

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the values by name, and the English sentence."""
        values = {name: v if isinstance(v, int | float | str) else str(v) for name, v in self.message.values.items()}
        return {"code": self.code, "values": values, "text": str(self.message)}


@dataclass
class ScanReport:
    """What a look through the folder that is called `name` has found so far; `files`: images."""

    name: str
    problems: list[Problem] = field(default_factory=list)
    files: int = 0

    def note(self, code: str, message: Message) -> None:
        self.problems.append(Problem(code, message))

    def forget(self, *codes: str) -> None:
        """What turned out to be no problem."""
        self.problems = [problem for problem in self.problems if problem.code not in codes]


def left_out_notes(broken: Sequence[Message]) -> list[Message]:
    """What to say of photos that cannot be read: the first of them by name, the rest by their number."""
    if len(broken) <= NAMED:
        return list(broken)
    rest = plural(
        "{count} more photo cannot be read and is left out.",
        "{count} more photos cannot be read and are left out.",
        count=len(broken) - NAMED,
    )
    return [*broken[:NAMED], rest]


def listed(names: Sequence[str]) -> Message | str:
    shown = ", ".join(names[:5])
    return Message("{names} and {count} more", names=shown, count=len(names) - 5) if len(names) > 5 else shown
