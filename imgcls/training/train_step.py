"""One optimizer step: forward, loss, backward, update. Estimates and the choice of threads time the same one."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgcls.training.cuda_graph import Graphed
from imgcls.training.device import DeviceContext
from imgcls.training.meters import RunningMean

AHEAD = 8  # steps that a GPU may be behind


@dataclass
class TrainStep:
    """`step(inputs, labels)` updates the weights and adds to `seen`: the plain mean cross entropy, whatever
    `label_smoothing` the network learns with, because it compares with the validation loss.

    In fp16 small gradients would underflow to 0: the loss is scaled up before backward (source: Micikevicius et al.
    2018, section 3.2); in other precisions the scaler passes everything through.
    """

    module: nn.Module
    optimizer: torch.optim.Optimizer
    context: DeviceContext
    label_smoothing: float = 0.0
    scaler: torch.amp.GradScaler = field(init=False)
    seen: RunningMean = field(init=False)
    _graph: Graphed | None = field(init=False, default=None)
    _asked_for: deque[torch.cuda.Event] = field(init=False, default_factory=deque)

    def __post_init__(self) -> None:
        device = self.context.device
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.context.dtype is torch.float16)
        self.seen = RunningMean.on(device)
        # Several processes wait for each other in a step; fp16's scaler has not been tried in a recorded one.
        if device.type == "cuda" and self.context.world == 1 and not self.scaler.is_enabled():
            self._graph = Graphed(self._update, self.optimizer)

    def __call__(self, inputs: Tensor, labels: Tensor, *, weight: float = 1.0) -> None:
        """`weight`: this process's share of the whole batch over an even share, where gradients are averaged over
        several: the shares of a last batch may differ by an image."""
        if self._graph is None:
            self._update(inputs, labels, weight)
        else:
            self._graph(inputs, labels)
        self.seen.images += len(labels)
        if self.context.device.type == "cuda":
            self._wait_for_an_earlier_one()

    def _wait_for_an_earlier_one(self) -> None:
        """The processor would ask for seconds of steps ahead, and a stop would wait for them."""
        event = torch.cuda.Event()
        event.record()
        self._asked_for.append(event)
        if len(self._asked_for) > AHEAD:
            self._asked_for.popleft().synchronize()

    def forget(self) -> None:
        """What learns has changed: nothing of earlier steps is played back."""
        if self._graph is not None:
            self._graph.forget()

    def _update(self, inputs: Tensor, labels: Tensor, weight: float = 1.0) -> None:
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
        self.seen.add(loss.detach(), logits, labels)
