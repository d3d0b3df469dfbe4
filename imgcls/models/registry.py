"""Every network the lab knows: one row each. Importing this imports neither torch nor torchvision; building does.

To add a network, add a row to MODELS, or call `register` from your own code. torchvision's classification networks
stand behind them, from `torchvision_table.py`. Tensor names are each network's own (torchvision's, or timm's for
EfficientNet-Lite0), so that weights travel both ways.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from imgcls.errors import SettingsError
from imgcls.imaging.preprocess import CROP, HALF, IMAGENET_MEAN, IMAGENET_STD, Interpolation, ResizeMode, Upscale
from imgcls.messages import Message, Setting
from imgcls.models import chain, deep_head
from imgcls.models.torchvision_table import TABLE, Row
from imgcls.settings import TrainSettings, choices

if TYPE_CHECKING:
    from torch import nn

LARGEST_IMAGE = 512  # pixels; what TrainSettings allows
SMALL_PIXELS = 112


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """All that the lab has to know of a network.

    build: (channels, classes, image_size) -> the module, on the CPU and not pre-trained; with the settings that
        `options` names, by their names.
    options: settings that this network alone understands; see OPTIONS.
    parameters, accuracy: with the classes of its ImageNet weights; top-1 in percent, None where there are none.
        A registered network's parameters are counted where they are 0.
    native: side of the images it was made for; smallest: side below which it cannot learn; multiple: what a side has
        to be a multiple of.
    resize_mode, interpolation, crop, mean, std: how a photo reaches it (see Preprocess).
    upscale: how 32-pixel colour images are enlarged for it.
    channels_last_from: on a CPU, the side from which weights lie in channels_last.
    micro_batch: images of 160 pixels, or as many smaller ones as have as many pixels, that go forward at a time on a
        CPU (see forward.py).
    weights: names of the files that hold its ImageNet weights, any of them; the first is the one to fetch.
    mirror: the repository on a Hugging Face host with the same tensors as `model.safetensors`.
    head, first_convolution, stages, explain: dotted names of layers, by rule (see layers.py) where empty. Stages go
        from the head down: what each step of gradual unfreezing adds. `explain`: whose maps show where it looked.
    new_head: its head takes other features than the one in its ImageNet weights, which is left where it is.
    features: whether what goes into the head is one vector an image, so that a frozen backbone can be run once.
    """

    name: str
    title: str
    build: Callable[..., nn.Module]
    native: int
    parameters: int = 0
    accuracy: float | None = None
    smallest: int = 16
    multiple: int = 1
    resize_mode: ResizeMode = "crop"
    interpolation: Interpolation = "bilinear"
    crop: float = CROP
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    upscale: Upscale = "crop"
    channels_last_from: int = SMALL_PIXELS
    micro_batch: int = 16
    weights: tuple[str, ...] = ()
    mirror: str = ""
    head: str = ""
    first_convolution: str = ""
    stages: tuple[tuple[str, ...], ...] = ()
    explain: str = ""
    new_head: bool = False
    features: bool = True
    options: tuple[str, ...] = ()

    @property
    def default_size(self) -> int:
        """The native size, or the largest below it that the lab takes."""
        most = min(self.native, LARGEST_IMAGE)
        return most - most % self.multiple

    def fitting_size(self, least: int) -> int:
        """The side nearest above `least` that it can take."""
        size = max(least, self.smallest)
        return size + -size % self.multiple

    def check(self, size: int, *, transfer: str = "scratch", options: Mapping[str, str] | None = None) -> None:
        """SettingsError where it cannot do what is asked: images of `size` pixels, learning its head alone, `options`
        (see `network_options`) that are not its own."""
        self.check_options(options or {})
        if transfer == "head" and not self.features:
            raise SettingsError(
                "{model} cannot learn its last layer alone: choose {finetune}, or another network.",
                model=self.title,
                finetune=Setting("transfer", "finetune"),
                field="transfer",
            )
        if size < self.smallest:
            raise SettingsError(
                "{setting} is {size}, but {model} needs at least {least}.",
                setting=Setting("image_size"),
                size=size,
                model=self.title,
                least=self.smallest,
                field="image_size",
            )
        if size % self.multiple:
            raise SettingsError(
                "{setting} is {size}, but {model} needs a multiple of {multiple}.",
                setting=Setting("image_size"),
                size=size,
                model=self.title,
                multiple=self.multiple,
                field="image_size",
            )

    def check_options(self, options: Mapping[str, str]) -> None:
        for name, value in options.items():
            if name not in self.options:
                raise SettingsError(
                    "{setting} '{value}' is for LeNet: {model} has its own and cannot change it.",
                    setting=Setting(name),
                    value=Setting(name, value),
                    model=self.title,
                    field=name,
                )


def _lenet(channels: int, classes: int, image_size: int, **options: str) -> nn.Module:
    return import_module("imgcls.models.lenet").LeNet(channels, classes, image_size=image_size, **options)


def _alexnet(channels: int, classes: int, image_size: int) -> nn.Module:
    return import_module("imgcls.models.alexnet").AlexNet(channels, classes)


def _lenet_wide(channels: int, classes: int, image_size: int, **options: str) -> nn.Module:
    network = import_module("imgcls.models.lenet").LeNet
    return network(channels, classes, image_size=image_size, widths=(16, 32), **options)


def _resnet18_small(channels: int, classes: int, image_size: int) -> nn.Module:
    return import_module("imgcls.models.torchvision_models").resnet18_small(channels, classes)


def _alexnet_half(channels: int, classes: int, image_size: int) -> nn.Module:
    return import_module("imgcls.models.alexnet").AlexNet(channels, classes, half=True)


def _efficientnet_lite0(channels: int, classes: int, image_size: int) -> nn.Module:
    return import_module("imgcls.models.efficientnet_lite").EfficientNetLite0(channels, classes)


def _efficientnet_lite0_joined(channels: int, classes: int, image_size: int) -> nn.Module:
    return import_module("imgcls.models.efficientnet_lite").JoinedEfficientNetLite0(channels, classes)


def _torchvision(name: str, channels: int, classes: int, image_size: int) -> nn.Module:
    return import_module("imgcls.models.torchvision_models").build(name, channels, classes, image_size)


EFFICIENTNET_LITE0 = ModelSpec(
    name="efficientnet-lite0",
    title="EfficientNet-Lite0",
    build=_efficientnet_lite0,
    parameters=4_652_008,
    accuracy=75.1,
    native=224,
    interpolation="bicubic",
    # (x - 127) / 128: with ImageNet's own mean and std its features lose 4 to 7 points.
    mean=HALF * 3,
    std=HALF * 3,
    # Measured, two threads at 160 pixels, milliseconds an image: 4.8 for 4 at a time, 6.4 for 8, 8.0 for 16; at 224
    # pixels 9.7, 13.1 and 15.8. With one thread it makes no difference at 160 pixels.
    micro_batch=4,
    weights=("efficientnet-lite0.safetensors",),
    mirror="timm/tf_efficientnet_lite0.in1k",
    head="classifier",
    first_convolution="conv_stem",
    stages=(
        ("classifier",),
        ("conv_head", "bn2", "blocks.6"),
        ("blocks.5",),
        ("blocks.4", "blocks.3"),
        ("blocks.2", "blocks.1", "blocks.0", "bn1", "conv_stem"),
    ),
    explain="conv_head",
)
# The networks the page has buttons for.
MODELS = (
    ModelSpec(
        name="lenet",
        title="LeNet",
        build=_lenet,
        parameters=61_706,
        native=32,
        resize_mode="square",
        upscale="whole",
        mean=HALF * 3,
        std=HALF * 3,
        # Measured on two cores: channels_last steps 1.4 to 1.8 times as fast at every size.
        channels_last_from=0,
        head="fc3",
        first_convolution="conv1",
        stages=(("fc3",), ("fc1", "fc2"), ("conv1", "conv2")),
        explain="conv2",
        options=("activation", "pool"),
    ),
    ModelSpec(
        name="alexnet",
        title="AlexNet",
        build=_alexnet,
        parameters=61_100_840,
        accuracy=56.522,
        native=224,
        resize_mode="stretch",
        upscale="whole",
        mean=HALF * 3,
        std=HALF * 3,
        # Measured on two cores: 1.1 to 1.2 times as fast at every size.
        channels_last_from=0,
        weights=("alexnet-owt-7be5be79.pth",),
        head="classifier.6",
        first_convolution="features.0",
        stages=(("classifier.6",), ("classifier",), ("features.6", "features.8", "features.10"), ("features",)),
        explain="features.11",
    ),
    ModelSpec(
        name="resnet18",
        title="ResNet18",
        build=partial(_torchvision, "resnet18"),
        parameters=11_689_512,
        accuracy=69.758,
        native=224,
        # Measured on two cores: channels_last steps 1.1 to 1.2 times as fast at 224 pixels, .85 to .95 at 64 and below.
        channels_last_from=SMALL_PIXELS,
        # Both of torchvision's files hold the same weights; the first was saved more recently.
        weights=("resnet18-f37072fd.pth", "resnet18-5c106cde.pth"),
        mirror="timm/resnet18.tv_in1k",
        head="fc",
        first_convolution="conv1",
        stages=(("fc",), ("layer4",), ("layer3",), ("layer2",), ("conv1", "bn1", "layer1")),
        explain="layer4",
    ),
    EFFICIENTNET_LITE0,
    replace(
        EFFICIENTNET_LITE0,
        name="efficientnet-lite0-joined",
        title="EfficientNet-Lite0+",
        build=_efficientnet_lite0_joined,
        parameters=4_844_008,
        accuracy=None,
        new_head=True,
    ),
)
NAMES = tuple(spec.name for spec in MODELS)
LENET, ALEXNET, RESNET18 = MODELS[:3]
# Other forms of the first three, as other courses have them: for files that were trained there.
OTHERS = (
    replace(LENET, name="lenet-16-32", title="LeNet 16-32", build=_lenet_wide, parameters=121_182),
    replace(
        ALEXNET,
        name="alexnet-half",
        title="AlexNet, half",
        build=_alexnet_half,
        parameters=14_601_930,
        accuracy=None,
        weights=(),
    ),
    replace(
        RESNET18,
        name="resnet18-small",
        title="ResNet18 for small images",
        build=_resnet18_small,
        parameters=11_681_832,
        accuracy=None,
        native=32,
        weights=(),
        mirror="",
    ),
)

# Repositories on a Hugging Face host with torchvision's own weights under torchvision's own names.
MIRRORS = {
    "resnet34": "timm/resnet34.tv_in1k",
    "resnet50": "timm/resnet50.tv2_in1k",
    "resnet101": "timm/resnet101.tv2_in1k",
    "resnet152": "timm/resnet152.tv2_in1k",
    "resnext50_32x4d": "timm/resnext50_32x4d.tv2_in1k",
    "resnext101_32x8d": "timm/resnext101_32x8d.tv2_in1k",
    "resnext101_64x4d": "timm/resnext101_64x4d.tv_in1k",
    "wide_resnet50_2": "timm/wide_resnet50_2.tv2_in1k",
    "wide_resnet101_2": "timm/wide_resnet101_2.tv2_in1k",
}
# Their weights learnt from inputs in [-1, 1]. torchvision's two Inceptions turn ImageNet's normalisation into that
# inside the network; here the input is normalised so in the first place, which also works for grey images.
SYMMETRIC = ("googlenet", "inception_v3", "efficientnet_v2_l")


def _from_torchvision(row: Row) -> ModelSpec:
    half = row.name in SYMMETRIC
    return ModelSpec(
        name=row.name,
        title=row.name,
        build=partial(_torchvision, row.name),
        parameters=row.parameters,
        accuracy=row.accuracy,
        native=row.native,
        smallest=row.smallest,
        multiple=row.multiple,
        interpolation=row.interpolation,
        crop=row.native / row.resize,
        mean=HALF * 3 if half else IMAGENET_MEAN,
        std=HALF * 3 if half else IMAGENET_STD,
        weights=(row.file,),
        mirror=MIRRORS.get(row.name, ""),
        features=not row.name.startswith("squeezenet"),  # its head is a convolution over the whole picture
    )


class Registry(dict[str, ModelSpec]):
    """Rows by name; the row of a chain (see chain.py) or of another head (see deep_head.py) is made of its name."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (isinstance(name, str) and self._made(name) is not None)

    def __missing__(self, name: str) -> ModelSpec:
        row = self._made(name)
        if row is None:
            raise KeyError(name)
        return row

    def _made(self, name: str) -> ModelSpec | None:
        layers = chain.parse(name)
        if layers is not None:
            return _chain(name, layers)
        head = deep_head.parse(name)
        base = self.get(head.base) if head else None
        return _with_head(head, base) if head and base and base.features and not base.options else None


def _chain(name: str, layers: chain.ChainLayers) -> ModelSpec:
    return replace(
        LENET,
        name=name,
        title=layers.title,
        build=partial(chain.build, name),
        parameters=0,
        smallest=max(16, chain.smallest_side(layers)),
        head="",
        first_convolution="",
        stages=(),
        explain="",
    )


def _with_head(head: deep_head.DeepHead, base: ModelSpec) -> ModelSpec:
    """The head's last layer is found by rule, and the stages are no longer the base's."""
    return replace(
        base,
        name=head.name,
        title=head.title(base.title),
        build=partial(deep_head.build, head, base.build),
        parameters=0,
        accuracy=None,
        weights=(),
        mirror="",
        head="",
        stages=(),
        options=("activation",),
    )


REGISTRY = Registry(
    {
        **{spec.name: spec for spec in (*MODELS, *OTHERS)},
        **{row.name: _from_torchvision(row) for row in TABLE},
    }
)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
REGISTERED: list[str] = []  # names of the networks that were added to REGISTRY from outside


def register(spec: ModelSpec) -> ModelSpec:
    """Add a row, for this process. Raises SettingsError where its name cannot be one, or is another network's."""
    if not NAME.fullmatch(spec.name):
        why = Message("its name must be letters, digits, '.', '_' or '-', at most 60.")
    elif spec.name in REGISTRY and spec.name not in REGISTERED:
        why = Message("there is one of that name already.")
    else:
        REGISTRY[spec.name] = spec
        if spec.name not in REGISTERED:
            REGISTERED.append(spec.name)
        return spec
    raise SettingsError("The network {name} cannot be registered: {why}", name=printable(spec.name), why=why)


def printable(name: str) -> str:
    """What of a name from outside may stand in a sentence."""
    return "".join(c if c.isprintable() else "?" for c in name[:60])


def model_spec(name: str) -> ModelSpec:
    """The network's row. SettingsError with the nearest names where there is none."""
    if name in REGISTRY:
        return REGISTRY[name]
    near = difflib.get_close_matches(name.lower().replace("-", "_"), REGISTRY, n=3) or NAMES
    raise SettingsError(
        "There is no network '{name}': choose {near}, or another of torchvision's.",
        name=printable(name),
        near=", ".join(near),
        field="model",
    )


# Settings that change a network itself, with the usual values; a row's `options` names those that it understands.
OPTIONS = {name: TrainSettings.model_fields[name].default for name in ("activation", "pool")}


def network_options(settings: TrainSettings) -> dict[str, str]:
    """Those of OPTIONS that are not as usual; what a checkpoint carries to be built again."""
    return {name: value for name, usual in OPTIONS.items() if (value := getattr(settings, name)) != usual}


def knows_options(name: str, options: Mapping[str, str]) -> bool:
    """Whether a network can be built so, whoever wrote the options down."""
    return all(key in REGISTRY[name].options and value in (choices(key) or ()) for key, value in options.items())


def build(
    name: str,
    *,
    channels: int,
    classes: int,
    image_size: int,
    init: str = "default",
    options: Mapping[str, str] | None = None,
) -> nn.Module:
    """A new network on the CPU. `init` is a name in init.INITS; random numbers come from torch's global generator.
    `options`: see `network_options`. SettingsError where the network has no such option."""
    spec, options = model_spec(name), options or {}
    spec.check_options(options)
    model = spec.build(channels, classes, image_size, **options)
    object.__setattr__(model, "spec", spec)  # no tensor and no module: nothing for torch to register
    if init != "default":
        activation = options.get("activation", OPTIONS["activation"])
        import_module("imgcls.models.init").apply_init(model, init, activation=activation)
    return model
