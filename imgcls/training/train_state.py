"""Where a run is: the plain values that a resume restores beside weights, optimizer and random states."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any


@dataclass
class TrainState:
    """One for a whole run, however often it was stopped.

    seconds: trained so far; best: (validation accuracy, -validation loss) of the best epoch; epoch_sums: (loss,
    correct, images) of the epoch so far; epoch_seconds: trained in this epoch so far; threads: 0 before they are
    chosen; exact_until: the step up to which the same settings give the same bits, None for the whole run; device,
    manifest (its digest), fingerprint, images: what the run was started on; parts: in how many a batch goes through the
    network, more than one since memory was short; epochs: how many it was told, 0 in states of earlier versions;
    runtime: the program that a frozen backbone runs in, "" before it is chosen; limit_from: seconds that its time limit
    does not count, those before it was told to go on beyond its end.
    """

    step: int = 0
    seconds: float = 0.0
    best_epoch: int = 0
    best: tuple[float, float] | None = None
    bad_epochs: int = 0
    epoch_sums: tuple[float, float, float] = (0.0, 0.0, 0.0)
    epoch_seconds: float = 0.0
    threads: int = 0
    exact_until: int | None = None
    device: str = ""
    fingerprint: str = ""
    manifest: str = ""
    images: dict[str, int] = field(default_factory=dict)
    parts: int = 1
    epochs: int = 0
    runtime: str = ""
    limit_from: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `from_dict` reads it back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainState:
        """Keys that this version does not know are left out; those that an older one did not write keep their defaults.

        Raises ValueError, TypeError or AttributeError where `values` are no state.
        """
        names = {f.name for f in dataclasses.fields(cls)}
        known = {name: value for name, value in values.items() if name in names}
        for name in ("best", "epoch_sums"):
            if known.get(name) is not None:
                known[name] = tuple(map(float, known[name]))
        return cls(**known)

    def add(self, loss: float, correct: float, images: float, seconds: float) -> None:
        """Sums over some steps, and what those steps took, to the epoch's."""
        a, b, c = self.epoch_sums
        self.epoch_sums = (a + loss, b + correct, c + images)
        self.epoch_seconds += seconds

    def mark_nonreproducible(self, step: int) -> None:
        """From `step` on the run's bits depend on more than its settings; the earliest such step counts."""
        self.exact_until = step if self.exact_until is None else min(step, self.exact_until)
