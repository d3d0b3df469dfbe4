"""The optimizer and the learning rate at every step, from settings."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import torch

from imgcls.optimizers import OPTIMIZERS, Hyperparameters
from imgcls.settings import TrainSettings


def make_optimizer(groups: list[dict[str, Any]], settings: TrainSettings) -> torch.optim.Optimizer:
    """`groups`: parameter groups, each with its own peak "lr"."""
    names = (field.name for field in fields(Hyperparameters))
    hyperparameters = Hyperparameters(**{name: getattr(settings, name) for name in names})
    optimizer = OPTIMIZERS[settings.optimizer].build(groups, hyperparameters)
    device = groups[0]["params"][0].device
    for group in optimizer.param_groups:
        group["peak"] = group["lr"]
        if device.type == "cuda":  # a step that is played back reads its rate where it was when it was recorded
            group["lr"] = torch.tensor(group["lr"], device=device)
    make_momenta(optimizer)
    return optimizer


def make_momenta(optimizer: torch.optim.Optimizer) -> None:
    """SGD's momenta at 0, which is where its first step begins. torch's fused step takes those of all parameters or of
    none, and some may begin to learn later; and it leaves memory as it was where fp16 gave no number at first."""
    for group in optimizer.param_groups:
        for parameter in group["params"] if group.get("momentum") else ():
            if parameter.requires_grad:
                optimizer.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))


def lr_factor(step: int, *, total: int, per_epoch: int, settings: TrainSettings) -> float:
    """The learning rate at `step` (0-based) as a share of its peak.

    "one-cycle" rises from 1/25 to 1 over the first 30 % and falls to 1/10,000, both along a cosine
    (source: Smith & Topin 2018; the shape of torch's OneCycleLR).
    """
    warm = round(settings.warmup_epochs * per_epoch)
    if step < warm:
        return (step + 1) / warm
    done = (step - warm) / max(1, total - warm - 1)
    if settings.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    if settings.schedule == "one-cycle":
        rise = 0.3 if not warm else 0.0
        if done < rise:
            return _between(1 / 25, 1.0, done / rise)
        return _between(1.0, 1e-4, (done - rise) / (1 - rise))
    if settings.schedule == "step":
        return settings.step_factor ** ((step // per_epoch) // settings.step_epochs)
    return 1.0


def _between(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


def set_lr(optimizer: torch.optim.Optimizer, factor: float) -> float:
    """Every group to its own peak times `factor`; returns the first group's rate, the one that is shown."""
    for group in optimizer.param_groups:
        rate = group["peak"] * factor
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
    return optimizer.param_groups[0]["peak"] * factor
