"""Optimizers: one row each. Importing this imports no torch; building an optimizer does.

To add one, add a row to OPTIMIZERS, or call `imgcls.register_optimizer` from your own code: the setting, its
recipes, its label and the estimates of memory read the row.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from imgcls.filenames import check_option_name

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Hyperparameters:
    """What a person can set of any optimizer; each takes what it has."""

    lr: float
    weight_decay: float
    momentum: float
    nesterov: bool


Groups = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class OptimizerSpec:
    """All that the lab has to know of an optimizer.

    build: (parameter groups, hyperparameters) -> a torch.optim.Optimizer. Each group has "params" and its own "lr";
        hyperparameters has lr, weight_decay, momentum and nesterov, as the settings say. On a GPU its step must be
        one that torch can record ("capturable").
    lr, weight_decay: its usual ones, where a recipe was made for another optimizer.
    state_copies: tensors of a parameter's size that it keeps for each parameter, which estimates of memory count. A
        registered optimizer's are counted where they are 0.
    """

    name: str
    title: str
    build: Callable[[Groups, Hyperparameters], torch.optim.Optimizer]
    lr: float
    state_copies: int = 0
    weight_decay: float = 0.0


def torch_optimizer(name: str) -> Callable[..., torch.optim.Optimizer]:
    """torch.optim's class of that name, without torch's compiler where that is not loaded.

    The methods of torch's own import it in order to keep it away from what they do, though nothing is compiled: 1.3 s
    of a processor for each process that trains (torch 2.14).
    """
    optimizer = getattr(import_module("torch.optim"), name)
    return optimizer if "torch._dynamo" in sys.modules else _without_compiler(optimizer)


@cache
def _without_compiler(optimizer: type[torch.optim.Optimizer]) -> type[torch.optim.Optimizer]:
    """A subclass, so that torch's classes stay as they are for whoever else uses them in this process."""
    import torch

    methods = {
        name: inspect.unwrap(method)
        for name, method in vars(torch.optim.Optimizer).items()
        if inspect.isfunction(method) and hasattr(method, "__wrapped__")
    }
    methods["step"] = torch.no_grad()(inspect.unwrap(optimizer.step))
    return type(optimizer.__name__, (optimizer,), methods)


def _fused(kind: str, groups: Groups, hyperparameters: Hyperparameters) -> torch.optim.Optimizer:
    """One call a step instead of one a tensor."""
    optimizer = torch_optimizer(kind)
    return optimizer(groups, lr=hyperparameters.lr, weight_decay=hyperparameters.weight_decay, fused=True)


def _sgd(groups: Groups, hyperparameters: Hyperparameters) -> torch.optim.Optimizer:
    optimizer = torch_optimizer("SGD")
    momentum = {"momentum": hyperparameters.momentum, "nesterov": hyperparameters.nesterov}
    return optimizer(groups, lr=hyperparameters.lr, weight_decay=hyperparameters.weight_decay, fused=True, **momentum)


def _foreach(kind: str, groups: Groups, hyperparameters: Hyperparameters) -> torch.optim.Optimizer:
    """Torch has no fused form of these: a call for each operation over all tensors."""
    optimizer, device = torch_optimizer(kind), groups[0]["params"][0].device
    options = {"foreach": True, "capturable": device.type == "cuda"}  # so that a step can be recorded
    return optimizer(groups, lr=hyperparameters.lr, weight_decay=hyperparameters.weight_decay, **options)


OPTIMIZERS: dict[str, OptimizerSpec] = {
    spec.name: spec
    for spec in (
        OptimizerSpec(name="sgd", title="SGD", build=_sgd, state_copies=1, lr=0.02, weight_decay=5e-4),
        OptimizerSpec(name="adam", title="Adam", build=partial(_fused, "Adam"), state_copies=2, lr=1e-3),
        OptimizerSpec(
            name="adamw", title="AdamW", build=partial(_fused, "AdamW"), state_copies=2, lr=1e-3, weight_decay=0.01
        ),
        # Source: Dozat 2016, table 1.
        OptimizerSpec(name="nadam", title="NAdam", build=partial(_foreach, "NAdam"), state_copies=2, lr=2e-3),
        # Source: Hinton, Srivastava & Swersky, Neural Networks for Machine Learning, lecture 6e.
        OptimizerSpec(name="rmsprop", title="RMSprop", build=partial(_foreach, "RMSprop"), state_copies=1, lr=1e-3),
        # Its step has the weights' own unit, so its rate is a factor: 1. Source: Zeiler 2012, section 3.
        OptimizerSpec(name="adadelta", title="Adadelta", build=partial(_foreach, "Adadelta"), state_copies=2, lr=1.0),
    )
}


REGISTERED: set[str] = set()  # names of the rows that were added from outside


def register(spec: OptimizerSpec) -> OptimizerSpec:
    """Add a row for this process, or replace one that was added. Raises SettingsError where its name cannot be used or
    is a built-in one's."""
    check_option_name(spec.name, {*OPTIMIZERS} - REGISTERED)
    OPTIMIZERS[spec.name] = spec
    REGISTERED.add(spec.name)
    return spec
