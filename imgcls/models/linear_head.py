"""A linear layer that learns from features alone, all of them at once, by L-BFGS from zero: the same every time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from imgcls.optimizers import torch_optimizer


def fit_linear_head(
    features: Tensor, classes: int, loss: Callable[[Tensor], Tensor], *, decay: float, iterations: int
) -> tuple[Tensor, Tensor]:
    """(weight (F, classes), bias (classes,)) with the least `loss` of the logits plus `decay` times the sum of the
    weights' squares.

    features: float (N, F).
    """
    weight = features.new_zeros(features.shape[1], classes).requires_grad_()
    bias = features.new_zeros(classes).requires_grad_()
    optimizer = torch_optimizer("LBFGS")(
        [weight, bias], max_iter=iterations, history_size=10, line_search_fn="strong_wolfe"
    )

    def objective() -> float:
        optimizer.zero_grad()
        value = loss(features @ weight + bias) + decay * weight.square().sum()
        value.backward()
        return value.item()

    with torch.enable_grad():
        optimizer.step(objective)
    return weight.detach(), bias.detach()
