"""What an audit finds, in plain values: the page and the terminal show them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["label", "duplicate", "outlier"]


@dataclass(frozen=True)
class Suspect:
    """path: below the data set's folder; suggested: the class it probably is of, the file it is a copy of, or "";
    score: from 0 to 1, the more the worse."""

    path: str
    label: str
    suggested: str
    score: float
    kind: Kind

    @property
    def is_exact(self) -> bool:
        """Of two pictures: the very same one; otherwise they look alike, which may be chance."""
        return self.score >= 1.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Audit:
    """suspects: labels, then copies, then oddities, each the worst first. precision and recall: of the labels among
    them, where some were flipped on purpose."""

    name: str
    classes: tuple[str, ...]
    images: int
    suspects: tuple[Suspect, ...]
    flipped: int = 0
    precision: float | None = None
    recall: float | None = None

    def of(self, kind: Kind) -> tuple[Suspect, ...]:
        return tuple(suspect for suspect in self.suspects if suspect.kind == kind)
