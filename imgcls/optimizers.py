"""Optimizers: one row each. Importing this imports no torch; building an optimizer does.

To add one, add a row to OPTIMIZERS, or call `register` from your own code: the setting, its recipes, its label and the
estimates of memory read the row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from imgcls.errors import SettingsError
from imgcls.filenames import is_option_name

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
    """build: (parameter groups, hyperparameters) -> the optimizer, which must work in a recorded CUDA graph.

    state_copies: tensors of a parameter's size that it keeps for each parameter.
    lr, weight_decay: its usual ones, where a recipe was made for another optimizer.
    """

    name: str
    title: str
    build: Callable[[Groups, Hyperparameters], torch.optim.Optimizer]
    state_copies: int
    lr: float
    weight_decay: float = 0.0


def _fused(kind: str, groups: Groups, wanted: Hyperparameters) -> torch.optim.Optimizer:
    """One call a step instead of one a tensor."""
    optimizer = getattr(import_module("torch.optim"), kind)
    return optimizer(groups, lr=wanted.lr, weight_decay=wanted.weight_decay, fused=True)


def _sgd(groups: Groups, wanted: Hyperparameters) -> torch.optim.Optimizer:
    optimizer = import_module("torch.optim").SGD
    momentum = {"momentum": wanted.momentum, "nesterov": wanted.nesterov}
    return optimizer(groups, lr=wanted.lr, weight_decay=wanted.weight_decay, fused=True, **momentum)


def _foreach(kind: str, groups: Groups, wanted: Hyperparameters) -> torch.optim.Optimizer:
    """Torch has no fused form of these: a call for each operation over all tensors."""
    optimizer, device = getattr(import_module("torch.optim"), kind), groups[0]["params"][0].device
    options = {"foreach": True, "capturable": device.type == "cuda"}  # so that a step can be recorded
    return optimizer(groups, lr=wanted.lr, weight_decay=wanted.weight_decay, **options)


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


def register(spec: OptimizerSpec) -> OptimizerSpec:
    """Add a row, for this process. Raises SettingsError where its name cannot be used or is taken."""
    if not is_option_name(spec.name) or spec.name in OPTIMIZERS:
        raise SettingsError(
            "The name {name} cannot be used: it is taken, or holds more than letters, digits, '.', '_' and '-'.",
            name=spec.name[:60],
        )
    OPTIMIZERS[spec.name] = spec
    return spec
