"""`lr-find`: which learning rate to train with. A curve and a suggestion; with --json, one object on stdout."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence

from imgcls.cli.main import to_json
from imgcls.cli.parser import explicit_settings
from imgcls.recipes import with_recipe
from imgcls.runs.lifecycle import check_run
from imgcls.training.lr_finder import RangeTest, range_test
from imgcls.workspace import Workspace

WIDTH, HEIGHT = 64, 12  # of the curve, in characters


def run(arguments: argparse.Namespace) -> int:
    from imgcls.training.loggers.console import PlainConsole

    settings, workspace = with_recipe(explicit_settings(arguments)), Workspace.from_environment()
    check_run(settings, workspace)
    found = range_test(settings, workspace, steps=arguments.steps, told=PlainConsole(sys.stderr))
    if arguments.json:
        print(to_json(found.as_dict()))
        return 0
    print("\n".join(curve(found)))
    if found.suggestion is None:
        print(f"The loss fell at no learning rate: look at --init and the data. The settings have {found.used:g}.")
        return 1
    print(f"Suggestion: --lr {found.suggestion:g} (the settings have {found.used:g})")
    return 0


def curve(found: RangeTest) -> list[str]:
    """Mean loss over the learning rate, which grows by a factor from column to column; | marks the suggestion."""
    rates, losses = _columns(found.rates), _columns(found.losses)
    least = min(losses, default=0.0)
    most = min(max(losses, default=1.0), 2 * losses[0] - least if losses else 1.0)  # what runs away is cut off
    heights = [round((HEIGHT - 1) * (min(loss, most) - least) / max(most - least, 1e-9)) for loss in losses]
    marked, chosen = -1, found.suggestion
    if chosen is not None:
        marked = min(range(len(rates)), key=lambda i: abs(math.log(rates[i] / chosen)))
    lines = []
    for row in range(HEIGHT - 1, -1, -1):
        label = f"{least + (most - least) * row / (HEIGHT - 1):8.3g} "
        cells = ["*" if at == row else "|" if i == marked else " " for i, at in enumerate(heights)]
        lines.append(label + "".join(cells).rstrip())
    if rates:
        last = f"{rates[-1]:.1g}"
        lines.append(" " * 9 + f"{rates[0]:.1g}".ljust(max(1, len(rates) - len(last))) + last)
    return [*lines, " " * 9 + "mean loss over the learning rate"]


def _columns(values: Sequence[float]) -> list[float]:
    """As many as the curve is wide, at most."""
    count = min(WIDTH, len(values))
    return [values[i * (len(values) - 1) // max(1, count - 1)] for i in range(count)]
