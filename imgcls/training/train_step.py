"""One optimizer step: forward, loss, backward, update. Estimates and the choice of threads time the same one."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgcls.training.cuda_graph import CUDAGraphStep
from imgcls.training.device import DeviceContext
from imgcls.training.divergence import NotFiniteLossError
from imgcls.training.meters import RunningMean
from imgcls.training.weight_average import WeightAverage

MAX_STEPS_AHEAD = 8  # steps that a GPU may be behind


@dataclass
class TrainStep:
    """`step(inputs, labels)` updates the weights and adds to `seen`: the plain mean cross entropy, whatever
    `label_smoothing` the network learns with, because it compares with the validation loss.

    In fp16 small gradients would underflow to 0: the loss is scaled up before backward (source: Micikevicius et al.
    2018, section 3.2); in other precisions the scaler passes everything through.

    class_weights: what an image of each class counts in the loss, float (classes,); None: all the same.
    clip_norm: of all gradients together, at most; 0: any. average: moves after every step.
    parts: a batch goes through the network in so many, their gradients added up, where memory does not hold it at once.
    fewest: images that a part has at least. On a processor, where looking costs nothing, a loss that is no number
    raises NotFiniteLossError before any weight changes; first_loss: the first step's plain
    one, which says how far off the network began, for whoever asks why. only_timed: nobody looks at the loss: what
    random images and a full learning rate do to a copy says nothing of the run.
    """

    module: nn.Module
    optimizer: torch.optim.Optimizer
    context: DeviceContext
    label_smoothing: float = 0.0
    class_weights: Tensor | None = None
    clip_norm: float = 0.0
    average: WeightAverage | None = None
    parts: int = 1
    fewest: int = 1
    only_timed: bool = False
    first_loss: float | None = field(init=False, default=None)
    scaler: torch.amp.GradScaler = field(init=False)
    seen: RunningMean = field(init=False)
    _graph: CUDAGraphStep | None = field(init=False, default=None)
    _asked_for: deque[torch.cuda.Event] = field(init=False, default_factory=deque)

    def __post_init__(self) -> None:
        device = self.context.device
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.context.dtype is torch.float16)
        self.seen = RunningMean.on(device)
        # Several processes wait for each other in a step; fp16's scaler has not been tried in a recorded one.
        if device.type == "cuda" and self.context.world == 1 and not self.scaler.is_enabled():
            self._graph = CUDAGraphStep(self._update, self.optimizer)

    def __call__(self, inputs: Tensor, labels: Tensor, *, weight: float = 1.0) -> None:
        """`weight`: this process's share of the whole batch over an even share, where gradients are averaged over
        several: the shares of a last batch may differ by an image."""
        if self._graph is None:
            self._update(inputs, labels, weight)
        else:
            self._graph(inputs, labels)
        if self.average is not None:  # not played back: its decay changes from step to step
            self.average.update()
        self.seen.images += len(labels)
        if self.context.device.type == "cuda":
            self._wait_for_an_earlier_one()

    def _wait_for_an_earlier_one(self) -> None:
        """The processor would ask for seconds of steps ahead, and a stop would wait for them."""
        event = torch.cuda.Event()
        event.record()
        self._asked_for.append(event)
        if len(self._asked_for) > MAX_STEPS_AHEAD:
            self._asked_for.popleft().synchronize()

    def forget(self) -> None:
        """What learns has changed: nothing of earlier steps is played back."""
        if self._graph is not None:
            self._graph.forget()

    def _update(self, inputs: Tensor, labels: Tensor, weight: float = 1.0) -> None:
        parts = max(1, min(self.parts, len(labels) // self.fewest))
        shares = ((inputs, labels),)
        if parts > 1:  # of even size: chunk would leave one image over, which has no variance to normalise by
            shares = zip(inputs.tensor_split(parts), labels.tensor_split(parts), strict=True)
        seen = []
        for first, (some, theirs) in enumerate(shares):
            with self.context.autocast():
                logits = self.module(some)
            loss = self.loss(logits.float(), theirs)
            self._check(loss, logits.detach(), some, theirs)
            if not first:
                self.optimizer.zero_grad(set_to_none=True)
            self.scaler.scale(loss * (weight * len(theirs) / len(labels))).backward()
            seen.append((loss.detach(), logits.detach(), theirs))
        if self.clip_norm:
            self._clip()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        for loss, logits, theirs in seen:
            self.seen.add(
                self._plain(loss, logits, theirs), logits, theirs if theirs.ndim == 1 else theirs.argmax(dim=1)
            )

    def _clip(self) -> None:
        """Without waiting for a GPU; gradients that are no numbers stay so, and are found where they always are."""
        self.scaler.unscale_(self.optimizer)
        learning = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        nn.utils.clip_grad_norm_(learning, self.clip_norm)

    def _plain(self, loss: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss without smoothing and weights: the same number where there are none."""
        if not self.label_smoothing and self.class_weights is None:
            return loss
        return F.cross_entropy(logits.float(), labels)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """What is made smaller; a mean over the images, however they are shared out over parts and processes. labels:
        int64 (N,), or what of each image is of which class, float (N, classes)."""
        if self.class_weights is None:
            return F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        each = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing, reduction="none")
        counted = self.class_weights[labels] if labels.ndim == 1 else labels @ self.class_weights
        return (each * counted).mean()

    def _check(self, loss: Tensor, logits: Tensor, inputs: Tensor, labels: Tensor) -> None:
        """Not where it would wait for a GPU, for other processes, or where fp16's scaler deals with it."""
        if self.only_timed or loss.device.type != "cpu" or self.context.world > 1 or self.scaler.is_enabled():
            return
        value = loss.item()
        if self.first_loss is None:
            self.first_loss = self._plain(loss, logits, labels).item()
        if not math.isfinite(value):
            raise NotFiniteLossError(inputs, value)
