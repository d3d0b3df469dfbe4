"""Which learning rate to train with, from Python."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

from imgcls.library.catalog import dataset_name
from imgcls.library.html import html
from imgcls.library.training import plain
from imgcls.plugins import load_plugins
from imgcls.recipes import with_recipe
from imgcls.runs import lifecycle
from imgcls.training import lr_finder
from imgcls.workspace import Workspace

WIDTH_PX, HEIGHT_PX = 320, 150


@dataclass(frozen=True)
class RangeTest(lr_finder.RangeTest):
    """A learning-rate range test. In a notebook it shows itself as a curve: mean loss over the rate.

    Attributes:
        rates: the learning rate of each step, ever larger.
        losses: the mean loss after it, in nats.
        suggestion: the rate to train with; None where the loss never fell.
        used: the rate that the settings had: the recipe's, or one that was given.
    """

    def __repr__(self) -> str:
        return f"RangeTest(suggestion={self.suggestion}, used={self.used:g}, steps={len(self.rates)})"

    def _repr_html_(self) -> str:
        if not self.rates:
            return html("range_test", test=self)
        low, high = math.log(self.rates[0]), math.log(self.rates[-1])
        most = max(self.losses)

        def x(rate: float) -> float:
            return round(WIDTH_PX * (math.log(rate) - low) / max(high - low, 1e-9), 1)

        points = [
            (x(rate), round(HEIGHT_PX * (1 - loss / most), 1))
            for rate, loss in zip(self.rates, self.losses, strict=True)
        ]
        marked = None if self.suggestion is None else x(self.suggestion)
        return html("range_test", test=self, points=points, marked=marked, width=WIDTH_PX, height=HEIGHT_PX)


def find_lr(dataset: str | os.PathLike[str] = "mnist", *, steps: int = lr_finder.STEPS, **settings: Any) -> RangeTest:
    """Try ever larger learning rates on a network that is thrown away, and suggest one. No run is made.

    Args:
        dataset: as for `train`.
        steps: how many, from a thousandth of the optimizer's usual rate to a thousand times it; it ends where the loss
            runs away.
        settings: as for `train`.

    Raises ImgclsError as `train` does.
    """
    load_plugins()
    workspace = Workspace.from_environment()
    chosen = with_recipe({"dataset": dataset_name(dataset), **{name: plain(value) for name, value in settings.items()}})
    lifecycle.check_run(chosen, workspace)
    return RangeTest(**lr_finder.range_test(chosen, workspace, steps=steps).as_dict())
