"""Why a loss is no longer a number: at which step, in which layer, and what probably made it so."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from imgcls.errors import DivergedError
from imgcls.messages import Message, Setting
from imgcls.settings import TrainSettings

WILD = 20.0  # a first loss over so many times that of guessing: the weights were too large before the first step
STEP_DOWN = 10.0  # the learning rate that is suggested instead is so many times smaller


class NotFiniteLossError(Exception):
    """Raised by a step before it changes a weight. `inputs`: its batch; `loss`: NaN or infinite."""

    def __init__(self, inputs: Tensor, loss: float) -> None:
        super().__init__()
        self.inputs, self.loss = inputs, loss


def diverged(
    module: nn.Module,
    inputs: Tensor | None,
    loss: float,
    *,
    step: int,
    settings: TrainSettings,
    first_loss: float | None,
    classes: int,
) -> DivergedError:
    """The error that says so. `step`: 1 for the first; `first_loss`: that of the first step, where it is known."""
    layer = broken_weights(module) or (broken_output(module, inputs) if inputs is not None else None)
    return DivergedError(
        "Training diverged at step {step}: the loss is {loss}{where}. {cause} What was saved before is kept.",
        step=step,
        loss=Message("infinite") if math.isinf(loss) else "NaN",
        where=Message(", first in {layer}", layer=layer) if layer else "",
        cause=_cause(inputs, step, settings, first_loss, classes),
    )


def wild_loss(
    loss: float, epoch: int, *, step: int, settings: TrainSettings, first_loss: float | None, classes: int
) -> Message | None:
    """Of an epoch whose mean loss is a number, but one that no learning has; None for all others."""
    guess = math.log(max(classes, 2))
    if not loss > WILD * guess or math.isinf(loss):
        return None
    return Message(
        "The mean training loss of epoch {epoch} is {loss:.3g}, that of guessing {guess:.2f}: nothing is learnt. "
        "{cause}",
        epoch=epoch,
        loss=loss,
        guess=guess,
        cause=_cause(None, step, settings, first_loss, classes),
    )


def _cause(
    inputs: Tensor | None, step: int, settings: TrainSettings, first_loss: float | None, classes: int
) -> Message:
    if inputs is not None and not bool(torch.isfinite(inputs).all()):
        return Message("The images themselves hold values that are no numbers: look at the data.")
    wild = first_loss is not None and not first_loss < WILD * math.log(max(classes, 2))
    if settings.transfer == "scratch" and not settings.start_from and (wild or step == 1):
        return Message(
            "Probably {setting} ({init}) drew weights that are too large for this network: choose another one.",
            setting=Setting("init"),
            init=Setting("init", settings.init),
        )
    return Message(
        "Probably {setting} {lr:g} is too high: try {smaller:g}.",
        setting=Setting("lr"),
        lr=settings.lr,
        smaller=float(f"{settings.lr / STEP_DOWN:.2g}"),
    )


def broken_weights(module: nn.Module) -> str | None:
    """The first layer that has a weight which is no number."""
    for name, parameter in module.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            return name.rpartition(".")[0] or name
    return None


def broken_output(module: nn.Module, inputs: Tensor) -> str | None:
    """The first layer, in the order of computation, whose output is no number."""
    found: list[str] = []

    def look(name: str):
        def hook(_layer: nn.Module, _inputs: object, output: object) -> None:
            if not found and isinstance(output, Tensor) and not bool(torch.isfinite(output).all()):
                found.append(name)

        return hook

    handles = [
        layer.register_forward_hook(look(name))
        for name, layer in module.named_modules()
        if name and not list(layer.children())
    ]
    try:
        with torch.no_grad():
            module(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else None
