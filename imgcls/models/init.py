"""Named initialisations, for any module: `apply_init(net, "kaiming-uniform")`, or `net.apply(INITS["..."])`.

Convolutions and linear layers are drawn anew; BatchNorm keeps its 1 and 0. Random numbers come from torch's global
generator, so `torch.manual_seed` makes them repeatable. Knows no particular network.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, cast

from torch import nn

Init = Callable[[nn.Module], None]
Activation = Literal["relu", "tanh", "sigmoid"]
LAYERS = (nn.Conv2d, nn.Linear)


def _weights(draw: Callable[..., object]) -> Init:
    """Weights by `draw`, biases 0."""

    def init(module: nn.Module) -> None:
        if isinstance(module, LAYERS):
            draw(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    return init


def default(module: nn.Module) -> None:
    """PyTorch's own: uniform within 1/sqrt(fan_in), biases too."""
    if isinstance(module, LAYERS):
        module.reset_parameters()


def kaiming_normal(module: nn.Module, activation: Activation = "relu") -> None:
    """Convolutions N(0, 2/fan_out), linear layers N(0, 0.01²), biases 0: the course's AlexNet.

    Source: He et al. 2015, section 2.2, backward case; Krizhevsky et al. 2012, section 5 (N(0, 0.01²)).
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity=activation)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0, 0.01)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


INITS: dict[str, Init] = {
    "default": default,
    # Variance 2/fan_in: keeps the signal's size through ReLU. Source: He et al. 2015, eq. 10.
    "kaiming-uniform": _weights(lambda w: nn.init.kaiming_uniform_(w, nonlinearity="relu")),
    "kaiming-normal": kaiming_normal,
    # Variance 2/(fan_in + fan_out), for tanh-like layers. Source: Glorot & Bengio 2010, eq. 16.
    "xavier-uniform": _weights(nn.init.xavier_uniform_),
    "xavier-normal": _weights(nn.init.xavier_normal_),
    # For contrast: nothing tells the units of a layer apart, the signal dies out, and the signal explodes.
    "all-zeros": _weights(nn.init.zeros_),
    "too-small": _weights(lambda w: nn.init.normal_(w, 0, 1e-4)),
    "too-large": _weights(lambda w: nn.init.normal_(w, 0, 1.0)),
}


def apply_init(module: nn.Module, name: str, *, activation: str = "relu") -> nn.Module:
    """Draw every convolution and linear layer of `module` anew; returns it. `activation`: the network's, "relu", "tanh"
    or "sigmoid"; Kaiming's two keep the size of a signal that goes through that one (torch's gains)."""
    init, after = INITS[name], cast(Activation, activation)
    if activation != "relu" and name == "kaiming-uniform":
        init = _weights(lambda w: nn.init.kaiming_uniform_(w, nonlinearity=after))
    elif activation != "relu" and name == "kaiming-normal":
        init = partial(kaiming_normal, activation=after)
    return module.apply(init)
