"""Optimizers without torch's compiler, which their methods import even where nothing is compiled.

That costs each process that trains 1.3 s of a processor (torch 2.14). The methods keep the compiler away from what
they do; where nothing is compiled there is nothing to keep away.
"""

from __future__ import annotations

import inspect
import sys
from functools import cache

import torch

LEFT_ALONE = "__dynamo_disable"  # where torch notes on a method the function that the compiler is to leave alone


@cache
def leave_out() -> None:
    """From now on this process's optimizers import no compiler. Where it is imported already, nothing changes."""
    if "torch._dynamo" in sys.modules:
        return
    for method in vars(torch.optim.Optimizer).values():
        function = getattr(method, "__wrapped__", None)
        if function is not None:
            setattr(function, LEFT_ALONE, function)
    for kind in vars(torch.optim).values():
        if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer):
            kind.step = torch.no_grad()(inspect.unwrap(kind.step))
