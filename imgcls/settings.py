"""TrainSettings: the one definition of every setting.

Flags of the command line, fields of the Train form, a run's `settings.json` and a checkpoint's metadata are all made
from this model. A bad value raises SettingsError: one sentence that names field, value and range. Knows no torch, no
screen and no file; whether a data set exists or fits is the loader's business.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from imgcls import augmentations
from imgcls.errors import SettingsError
from imgcls.filenames import validate
from imgcls.messages import N_, Message, Setting
from imgcls.optimizers import OPTIMIZERS

Schedule = Literal["constant", "step", "cosine", "one-cycle"]
Init = Literal[
    "default",
    "kaiming-uniform",
    "kaiming-normal",
    "xavier-uniform",
    "xavier-normal",
    "all-zeros",
    "too-small",
    "too-large",
]
Activation = Literal["relu", "tanh", "sigmoid"]
Pool = Literal["max", "avg"]
Preset = Literal["sprint", "standard", "thorough"]
Transfer = Literal["scratch", "head", "finetune"]
Balance = Literal["none", "auto", "weights", "sampling"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]

ROWS = {"optimizer": lambda: OPTIMIZERS, "augment": augmentations.names}  # settings whose values are rows

# A folder name on every system: no separators, no leading dot or dash, not a Windows device.
NAME = re.compile(r"(?!(?i:con|prn|aux|nul|com\d|lpt\d)(?:\.|$))\w[\w.-]{0,79}(?<!\.)")


def setting(group: str, *, help: str, **limits: Any) -> Any:
    return Field(description=help, json_schema_extra={"group": group}, **limits)


class TrainSettings(BaseModel):
    """Everything a training run can be told. The defaults are the LeNet/MNIST recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    preset: Preset = setting(
        "training",
        default="standard",
        help=N_("a first look in seconds, the usual, or the best that it can do; it fills the settings below"),
    )
    dataset: str = setting(
        "data",
        default="mnist",
        max_length=500,
        help=N_("a built-in data set, a folder under data/, a path to a folder, or two joined by '+'"),
    )
    model: str = setting(
        "model",
        default="lenet",
        min_length=1,
        max_length=60,
        pattern=r"^[A-Za-z0-9_.-]+$",
        help=N_("the network: one of the lab's own, or any classification network of torchvision"),
    )
    name: str = setting("run", default="", help=N_("the run's name; empty: made from network, data and time"))

    epochs: int = setting("training", default=5, ge=1, le=1000, help=N_("passes over the training images"))
    batch_size: int = setting("training", default=128, ge=1, le=8192, help=N_("images a step"))
    optimizer: str = setting("training", default="sgd", help=N_("what turns gradients into steps"))
    lr: float = setting(
        "training",
        default=0.1,
        gt=0,
        le=100,
        help=N_("learning rate: how big each step is (the largest, with one-cycle)"),
    )
    schedule: Schedule = setting("training", default="one-cycle", help=N_("how the learning rate changes"))
    augment: str = setting(
        "training",
        default="none",
        max_length=200,
        help=N_("random changes of each training image; several with commas between"),
    )
    activation: Activation = setting(
        "model", default="relu", help=N_("LeNet's activation: ReLU, or tanh or sigmoid as it was built at first")
    )
    pool: Pool = setting("model", default="max", help=N_("LeNet's pooling: the largest value or the average"))
    init: Init = setting("model", default="kaiming-uniform", help=N_("how weights are drawn at the start"))

    balance: Balance = setting(
        "training",
        default="none",
        help=N_(
            "unequal classes: weights in the loss, or sampling, so that each is shown equally often; auto: weights "
            "where the largest class has over three times the images of the smallest"
        ),
    )

    momentum: float = setting("optimizer", default=0.9, ge=0, lt=1, help=N_("SGD's momentum"))
    nesterov: bool = setting(
        "optimizer", default=True, help=N_("Nesterov's look-ahead for SGD's momentum; other optimizers have none")
    )
    weight_decay: float = setting("optimizer", default=5e-4, ge=0, le=10, help=N_("pull of weights towards 0"))
    label_smoothing: float = setting(
        "optimizer", default=0.0, ge=0, lt=1, help=N_("share of the label spread over all classes")
    )
    warmup_epochs: float = setting(
        "optimizer", default=0.0, ge=0, le=1000, help=N_("epochs in which the learning rate rises from 0")
    )
    step_epochs: int = setting(
        "optimizer", default=10, ge=1, le=1000, help=N_("step schedule: epochs between two drops")
    )
    step_factor: float = setting("optimizer", default=0.1, gt=0, le=1, help=N_("step schedule: factor of each drop"))

    clip_norm: float = setting(
        "optimizer", default=0.0, ge=0, le=10_000, help=N_("largest norm of all gradients together; 0: any")
    )
    ema: float = setting(
        "optimizer",
        default=0.0,
        ge=0,
        lt=1,
        help=N_("a moving average of the weights is what is measured and saved: its decay, e.g. 0.999; 0: none"),
    )
    accumulate: int = setting(
        "optimizer",
        default=1,
        ge=1,
        le=1024,
        help=N_("a batch goes through the network in so many parts, their gradients added up, to need less memory"),
    )

    transfer: Transfer = setting(
        "transfer",
        default="scratch",
        help=N_("train from scratch, train only the last layer (head), or fine-tune every layer"),
    )
    weights: str = setting(
        "transfer",
        default="",
        max_length=500,
        help=N_("pre-trained weights: a file in weight/, a path, or 'imagenet'"),
    )
    start_from: str = setting(
        "transfer",
        default="",
        pattern=r"^(\w[\w.-]{0,79}(/(best|last))?)?$",
        help=N_("a checkpoint to learn on from, last layer and all: a run's name; empty: none"),
    )
    corrections: str = setting(
        "data",
        default="",
        max_length=80,
        help=N_("a set of corrections that is learnt beside the data: a folder under data/; empty: none"),
    )
    backbone_lr_factor: float = setting(
        "transfer", default=0.1, ge=0, le=1, help=N_("fine-tuning: the backbone's learning rate over the head's")
    )
    unfreeze_epochs: int = setting(
        "transfer", default=0, ge=0, le=1000, help=N_("fine-tuning: epochs between unfreezing stages; 0: all at once")
    )
    augment_views: int = setting(
        "transfer", default=4, ge=1, le=64, help=N_("head only: augmented views of each image whose features are kept")
    )

    image_size: int = setting(
        "data", default=0, ge=0, le=512, help=N_("side of the network's input in pixels; 0: the network's default")
    )
    val_split: float = setting(
        "data",
        default=5000,
        gt=0,
        le=1_000_000,
        help=N_("held out for validation: a number of images, or a share when below 1"),
    )
    train_images: int = setting(
        "data", default=0, ge=0, le=100_000_000, help=N_("learn from so many images only; 0: all")
    )

    flip_labels: float = setting(
        "data",
        default=0.0,
        ge=0,
        le=0.9,
        help="share of the training labels that are made wrong on purpose, to see what that does",
    )

    patience: int = setting(
        "run", default=0, ge=0, le=1000, help=N_("stop after so many epochs without a better one; 0: never")
    )
    keep_epochs: bool = setting(
        "run", default=True, help=N_("keep the weights of every epoch where they are under 1 MB, to play them back")
    )
    time_limit: float = setting("run", default=0.0, ge=0, le=100_000, help=N_("minutes, then save and end; 0: none"))
    seed: int = setting(
        "run", default=1, ge=0, le=2**31 - 1, help=N_("makes a run repeatable, at the same number of threads")
    )

    device: Device = setting("hardware", default="auto", help=N_("where to compute"))
    precision: Precision = setting("hardware", default="auto", help=N_("number format of the computation"))
    compile: bool = setting("hardware", default=False, help=N_("compile the network with torch.compile (slow start)"))
    sync_batchnorm: bool = setting(
        "hardware",
        default=False,
        help=N_("several processes: BatchNorm's statistics over all of a batch, not over each process's share"),
    )
    threads: int = setting(
        "hardware", default=0, ge=0, le=512, help=N_("processor threads; 0: measured before the first step")
    )

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if value and (not NAME.fullmatch(value) or validate(value) is not None):
            raise ValueError(
                Message("must be letters, digits, '.', '_' or '-', at most 80, and start with a letter or digit")
            )
        return value

    @field_validator("dataset", "weights")
    @classmethod
    def _printable(cls, value: str, info: Any) -> str:
        if any(ord(c) < 32 for c in value) or (info.field_name == "dataset" and not value.strip()):
            named = info.field_name == "dataset"
            raise ValueError(Message("must name a data set") if named else Message("must be a file name"))
        return value.strip()

    @field_validator("optimizer")
    @classmethod
    def _optimizer(cls, value: str) -> str:
        if value not in OPTIMIZERS:
            raise ValueError(Message("must be {limits}", limits=limits("optimizer")))
        return value

    @field_validator("augment")
    @classmethod
    def _augment(cls, value: str) -> str:
        if fault := augmentations.fault(value):
            raise ValueError(fault)
        return augmentations.in_order(value)

    @field_validator("val_split")
    @classmethod
    def _split(cls, value: float) -> float:
        if value >= 1 and value != int(value):
            raise ValueError(Message("must be a share below 1 or a whole number of images"))
        return value

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> TrainSettings:
        """Settings from `values`; SettingsError with one sentence for the first bad one."""
        try:
            settings = cls(**values)
        except ValidationError as error:
            raise _sentence(error) from None
        if settings.transfer != "scratch" and not settings.weights:
            raise SettingsError(
                "{transfer} '{chosen}' needs {weights}: give a file in weight/, a path, or 'imagenet'.",
                transfer=Setting("transfer"),
                chosen=Setting("transfer", settings.transfer),
                weights=Setting("weights"),
                field="weights",
            )
        if settings.transfer == "scratch" and settings.weights:
            raise SettingsError(
                "{weights} '{chosen}' is not used when {transfer} is '{scratch}': choose '{head}' or '{finetune}', or "
                "leave {weights} empty.",
                weights=Setting("weights"),
                chosen=settings.weights,
                transfer=Setting("transfer"),
                scratch=Setting("transfer", "scratch"),
                head=Setting("transfer", "head"),
                finetune=Setting("transfer", "finetune"),
                field="transfer",
            )
        if settings.transfer == "head" and (mixed := augmentations.mixes(settings.augment)):
            raise SettingsError(
                "{augment} {mixed} mixes images, and {transfer} '{head}' learns from features that are kept of each "
                "image: choose '{finetune}', or leave it out.",
                augment=Setting("augment"),
                mixed=mixed[0].name,
                transfer=Setting("transfer"),
                head=Setting("transfer", "head"),
                finetune=Setting("transfer", "finetune"),
                field="augment",
            )
        if settings.optimizer == "sgd" and settings.nesterov and settings.momentum == 0:
            raise SettingsError(
                "{nesterov} needs {momentum} above 0: switch it off, or give e.g. 0.9.",
                nesterov=Setting("nesterov"),
                momentum=Setting("momentum"),
                field="nesterov",
            )
        if settings.warmup_epochs >= settings.epochs:
            raise SettingsError(
                "{setting} is {value:g}, but must be below {epochs} ({most}).",
                setting=Setting("warmup_epochs"),
                value=settings.warmup_epochs,
                epochs=Setting("epochs"),
                most=settings.epochs,
                field="warmup_epochs",
            )
        return settings

    def default_name(self, when: datetime | None = None) -> str:
        """What the run is, and when: lenet-mnist-20261122-231501."""
        data = re.split(r"[\\/]", self.dataset.rstrip("\\/"))[-1]
        data = re.sub(r"[^\w.+-]+", "-", data).replace("+", "-").strip(".-_")[:40] or "data"
        return f"{self.model}-{data}-{(when or datetime.now()):%Y%m%d-%H%M%S}"


def settings_group(field: str) -> str:
    """The group of the form and of --help that it stands in."""
    extra = TrainSettings.model_fields[field].json_schema_extra
    return str(extra["group"]) if isinstance(extra, dict) else "other"


def choices(field: str) -> tuple[str, ...] | None:
    """The values a field can have, or None when it is free; of `augment` those that can be combined."""
    if field in ROWS:
        return tuple(ROWS[field]())
    annotation = TrainSettings.model_fields[field].annotation
    return get_args(annotation) if get_origin(annotation) is Literal else None


def is_known_row(field: str, value: str) -> bool:
    """Whether this process has the rows that a setting in ROWS names."""
    return value in OPTIMIZERS if field == "optimizer" else augmentations.fault(value) is None


def command_line(settings: dict[str, object]) -> str:
    """The command that would do the same: `settings` are those that differ from the recipe."""
    import shlex

    parts = ["python", "-m", "imgcls", "train"]
    for name, value in settings.items():
        parts += ["--" + name.replace("_", "-"), as_typed(value)]
    return shlex.join(parts)


def as_typed(value: object) -> str:
    """A setting's value as a person types it: true, 200 and not 200.0."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def bounds_of(field: str) -> dict[str, float]:
    """By "ge", "le", "gt", "lt" and "max_length", as far as a field has them."""
    kinds = ("ge", "le", "gt", "lt", "max_length")
    return {
        kind: getattr(m, kind) for m in TrainSettings.model_fields[field].metadata for kind in kinds if hasattr(m, kind)
    }


def limits(field: str) -> Message:
    """The range of a field in words: "a whole number from 1 to 1000"."""
    if field == "augment":
        return augmentations.limits()
    info = TrainSettings.model_fields[field]
    named = choices(field)
    if named:
        return Message("one of {names}", names=", ".join(named))
    if info.annotation is bool:
        return Message("true or false")
    bounds = bounds_of(field)
    if info.annotation is int:
        return Message("a whole number from {low} to {high}", low=bounds["ge"], high=bounds["le"])
    if "gt" in bounds:
        return Message("a number above {low:g} and at most {high}", low=bounds["gt"], high=_number(bounds["le"]))
    if "lt" in bounds:
        return Message("a number from {low:g} to below {high:g}", low=bounds["ge"], high=bounds["lt"])
    if "ge" in bounds:
        return Message("a number from {low:g} to {high}", low=bounds["ge"], high=_number(bounds["le"]))
    if "max_length" in bounds:
        return Message("text of at most {most} characters", most=bounds["max_length"])
    return Message("text")


def _number(value: float) -> str:
    return f"{value:d}" if isinstance(value, int) else f"{value:g}"


def _sentence(error: ValidationError) -> SettingsError:
    first = error.errors()[0]
    field = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        return SettingsError("There is no setting '{name}'.", name=field, field=field)
    limit = (
        first.get("ctx", {})["error"].args[0]
        if first["type"] == "value_error"
        else Message("must be {limits}", limits=limits(field))
    )
    value, setting = first["input"], Setting(field)
    if value is None or value == "":
        return SettingsError("{setting} is empty, but {limit}.", setting=setting, limit=limit, field=field)
    if isinstance(value, float) and math.isnan(value):
        return SettingsError("{setting} is not a number, but {limit}.", setting=setting, limit=limit, field=field)
    shown = "".join(c if c.isprintable() else "?" for c in str(value))
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return SettingsError("{setting} is {value}, but {limit}.", setting=setting, value=shown, limit=limit, field=field)
