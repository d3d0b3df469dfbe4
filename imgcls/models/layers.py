"""Where a network's parts are: its head, its first convolution, its stages, the layer to explain.

A network's row says so where the course has an opinion; a rule finds them in every other network: the head is the last
linear layer (the last convolution where there is none), stages are runs of blocks from the head down.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

STAGES = 4  # below the head, by rule
LARGE = 0.34  # of the parameters: a part with more is taken apart into its children


def head_name(model: nn.Module) -> str:
    """The dotted name of the layer that names the classes."""
    from_spec = _from_spec(model, "head")
    if from_spec:
        return from_spec
    layers = list(model.named_modules())
    linear = [name for name, module in layers if isinstance(module, nn.Linear)]
    return (linear or [name for name, module in layers if isinstance(module, nn.Conv2d)])[-1]


def head_of(model: nn.Module) -> nn.Linear | nn.Conv2d:
    head = model.get_submodule(head_name(model))
    assert isinstance(head, nn.Linear | nn.Conv2d)
    return head


def first_convolution(model: nn.Module) -> tuple[str, nn.Conv2d]:
    from_spec = _from_spec(model, "first_convolution")
    modules = [(from_spec, model.get_submodule(from_spec))] if from_spec else model.named_modules()
    return next((name, module) for name, module in modules if isinstance(module, nn.Conv2d))


def convolution_like(old: nn.Conv2d, *, channels: int, classes: int) -> nn.Conv2d:
    """A new one of the same kernel, for other numbers of channels coming in and going out."""
    same = {name: getattr(old, name) for name in ("kernel_size", "stride", "padding", "dilation", "groups")}
    return nn.Conv2d(channels, classes, **same, bias=old.bias is not None, padding_mode=old.padding_mode)


def stages(model: nn.Module) -> tuple[tuple[str, ...], ...]:
    """Names of parts from the head down, what each step of gradual unfreezing adds; the last holds all the rest."""
    from_spec = _from_spec(model, "stages")
    if from_spec:
        return from_spec
    head = head_name(model)
    units = [name for name in _parts(model) if not _within(head, name) and not _within(name, head)]
    count = min(STAGES, len(units))
    cuts = [round(i * len(units) / count) for i in range(count + 1)]
    runs = [tuple(units[a:b]) for a, b in zip(cuts, cuts[1:], strict=False)]
    units_and_head = [*units, head]
    rest = tuple(
        name for name, _ in model.named_parameters() if not any(_within(name, unit) for unit in units_and_head)
    )
    runs[0] = (*rest, *runs[0])
    return ((head,), *reversed(runs))


def cam_layer(model: nn.Module) -> str:
    """The layer whose maps show where the network looked; "" where it has none with places left in them."""
    from_spec = _from_spec(model, "explain")
    if from_spec:
        return from_spec
    convolutions = [name for name, module in model.named_modules() if isinstance(module, nn.Conv2d)]
    head = head_name(model)
    inner = [name for name in convolutions[1:] if name != head]
    if not inner:
        return ""  # a transformer: one convolution cuts the patches
    return next(unit for unit in reversed(list(_parts(model))) if _within(inner[-1], unit))


def within(name: str, units: tuple[str, ...] | list[str]) -> bool:
    """Whether a parameter or layer is one of `units` or lies in one."""
    return any(_within(name, unit) for unit in units)


def replace(model: nn.Module, name: str, new: nn.Module) -> None:
    """Put `new` where the layer `name` is."""
    parent, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(parent), leaf, new)


def _within(name: str, unit: str) -> bool:
    return name == unit or name.startswith(unit + ".")


def _parts(model: nn.Module) -> Iterator[str]:
    """Parts with parameters in the order of use; large ones are taken apart."""
    whole = sum(p.numel() for p in model.parameters())
    todo = [(name, module) for name, module in model.named_children()]
    while todo:
        name, module = todo.pop(0)
        size = sum(p.numel() for p in module.parameters())
        children = list(module.named_children())
        if size > LARGE * whole and len(children) > 1:
            todo = [(f"{name}.{child}", inner) for child, inner in children] + todo
        elif size:
            yield name


def _from_spec(model: nn.Module, field: str):
    return getattr(getattr(model, "spec", None), field, None)
