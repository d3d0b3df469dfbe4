"""One optimizer step: forward, loss, backward, update. Estimates and the choice of threads time the same one."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgcls.training.device import DeviceContext


@dataclass
class TrainStep:
    """`step(inputs, labels)` -> (loss, logits), both detached. `loss` is the plain mean cross entropy, whatever
    `label_smoothing` the network learns with: it compares with the validation loss.

    In fp16 small gradients would underflow to 0: the loss is scaled up before backward (source: Micikevicius et al.
    2018, section 3.2); in other precisions the scaler passes everything through.
    """

    module: nn.Module
    optimizer: torch.optim.Optimizer
    context: DeviceContext
    label_smoothing: float = 0.0
    scaler: torch.amp.GradScaler = field(init=False)

    def __post_init__(self) -> None:
        self.scaler = torch.amp.GradScaler(self.context.device.type, enabled=self.context.dtype is torch.float16)

    def __call__(self, inputs: Tensor, labels: Tensor, *, weight: float = 1.0) -> tuple[Tensor, Tensor]:
        """`weight`: this process's share of the batch over an even share. DDP averages gradients over processes, and
        shares of a last batch may differ by an image."""
        with self.context.autocast():
            logits = self.module(inputs)
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=self.label_smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss * weight).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        logits = logits.detach()
        if self.label_smoothing:
            loss = F.cross_entropy(logits.float(), labels)
        return loss.detach(), logits
