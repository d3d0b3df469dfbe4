"""What of a network learns: everything, the head only, or everything with a gentler backbone.

The head is a network's last linear layer, the one that names the classes.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from imgcls.models.layers import convolution_like, head_name, head_of, replace, stages, within

DEEP = ("features", "classifier", "blocks", "layers", "heads")  # whose own children say more


def replace_head(model: nn.Module, classes: int) -> nn.Linear | nn.Conv2d:
    """A new head for `classes`, drawn by torch's global generator; returns it."""
    old = head_of(model)
    if isinstance(old, nn.Conv2d):
        new = convolution_like(old, channels=old.in_channels, classes=classes)
    else:
        new = nn.Linear(old.in_features, classes, bias=old.bias is not None)
    replace(model, head_name(model), new)
    return new


def prepare(model: nn.Module, mode: str) -> None:
    """Freeze all but the head in mode "head"; let everything learn otherwise."""
    for parameter in model.parameters():
        parameter.requires_grad_(mode != "head")
    for parameter in head_of(model).parameters():
        parameter.requires_grad_(True)


def train_mode(model: nn.Module, mode: str) -> None:
    """Training mode; what is frozen stays in eval mode, so that its BatchNorm statistics do not move."""
    model.train(mode != "head")
    head_of(model).train()
    for module in model.modules():
        own = list(module.parameters())
        if own and not any(parameter.requires_grad for parameter in own):
            module.eval()


def unfreeze_at(model: nn.Module, epoch: int, every: int) -> None:
    """Gradual unfreezing: the head alone at epoch 0 (0-based), one stage more every `every` epochs.

    Source: Howard & Ruder 2018, section 3.3.
    """
    open_now = [name for stage in stages(model)[: epoch // every + 1] for name in stage]
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(within(name, open_now))


def trainable_layers(model: nn.Module) -> list[str]:
    """The layers with parameters that learn, top parts only: ["layer4", "fc"]."""
    layers: dict[str, None] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            components = name.split(".")[:-1] or [name]  # the layer that has it
            layers[".".join(components[:2]) if components[0] in DEEP else components[0]] = None
    return list(layers)


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """(how many learn, how many there are)."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(n for n, learns in sizes if learns), sum(n for n, _ in sizes)


def param_groups(model: nn.Module, *, mode: str, lr: float, backbone_factor: float = 0.1) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer, the head's first, each with its learning rate.

    In mode "finetune" the backbone learns at `lr * backbone_factor`; in mode "head" it is not in the optimizer.
    """
    head = list(head_of(model).parameters())
    if mode == "head":
        return [{"params": head, "lr": lr}]
    if mode == "scratch":
        return [{"params": list(model.parameters()), "lr": lr}]
    head_ids = {id(p) for p in head}
    rest = [p for p in model.parameters() if id(p) not in head_ids]
    return [{"params": head, "lr": lr}, {"params": rest, "lr": lr * backbone_factor}]


class Backbone(nn.Module):
    """A network without its head: float (N, C, H, W) -> features (N, F). Shares the network's modules."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.spec = getattr(model, "spec", None)

    def forward(self, images: Tensor) -> Tensor:
        inputs: list[Tensor] = []
        # What goes into the head is what the backbone says; the head's own product is the smallest there is.
        hook = head_of(self.model).register_forward_pre_hook(lambda _, hook_inputs: inputs.append(hook_inputs[0]))
        try:
            self.model(images)
        finally:
            hook.remove()
        return inputs[0]


def split_backbone(model: nn.Module) -> tuple[Backbone, nn.Module]:
    """(backbone, head): head(backbone(x)) is model(x) bit for bit in eval mode. The head is the network's own."""
    return Backbone(model), head_of(model)


def folded(model: nn.Module) -> nn.Module:
    """A copy for evaluation whose BatchNorms are folded into the convolutions before them: the same outputs within
    rounding, a tenth sooner. The network itself is left as it is.

    Its weights are channels-last at every size: going forward only, that was slower for none of nine networks on a
    processor, and ResNet18 at 64 pixels is 1.14 times as fast.
    """
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    folded_model = copy.deepcopy(model).eval()
    for module in list(folded_model.modules()):
        children = list(module.named_children())  # in the order they are defined, which here is the order of use
        for (name, first), (after, second) in zip(children, children[1:], strict=False):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(first, second))
                setattr(module, after, nn.Identity())
    return folded_model.to(memory_format=torch.channels_last)
