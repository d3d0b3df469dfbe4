"""Networks and data sets of your own, known to training, evaluation, the terminal and the page of this process.

What other processes should know, too (a run that the page starts is one), is registered in a module that IMGCLS_PLUGINS
names: see plugins.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from imgcls.errors import SettingsError
from imgcls.models import registry
from imgcls.models.registry import ModelSpec

if TYPE_CHECKING:
    from torch import nn

TRIAL_CLASSES = 7
TRIAL_IMAGES = 2


def register_model(spec: ModelSpec) -> ModelSpec:
    """Make a network of your own available by its name.

    Args:
        spec: `ModelSpec(name="tiny", title="Tiny", native=28, build=build)`, where `build(channels, classes,
            image_size)` returns a torch.nn.Module that maps (N, channels, size, size) to (N, classes). Its other
            fields have usable defaults: the head, for instance, is the last layer with parameters.

    Registering a name again replaces your own network. Returns the spec, its parameters counted. Raises SettingsError
    where the name is taken, or where the module does not do that.
    """
    parameters = _tried(spec)
    return registry.register(replace(spec, parameters=spec.parameters or parameters))


def _tried(spec: ModelSpec) -> int:
    """Parameters of the network, built without memory and run once. Raises SettingsError where it cannot be used."""
    import torch

    try:
        with torch.device("meta"):
            model: nn.Module = spec.build(3, TRIAL_CLASSES, spec.default_size)
            outputs = model.eval()(torch.empty(TRIAL_IMAGES, 3, spec.default_size, spec.default_size))
    except Exception as error:  # whatever its author's code raises
        raise SettingsError(
            "The network {name} cannot be registered: building and running it for images of 3 channels and {size} "
            "pixels failed ({kind}: {reason}).",
            name=registry.printable(spec.name),
            size=spec.default_size,
            kind=type(error).__name__,
            reason=error,
        ) from error
    if tuple(outputs.shape) != (TRIAL_IMAGES, TRIAL_CLASSES):
        raise SettingsError(
            "The network {name} cannot be registered: of {images} images and {classes} classes it makes {shape}, but "
            "must make ({images}, {classes}).",
            name=registry.printable(spec.name),
            images=TRIAL_IMAGES,
            classes=TRIAL_CLASSES,
            shape=tuple(outputs.shape),
        )
    return sum(parameter.numel() for parameter in model.parameters())
