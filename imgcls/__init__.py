"""A lab for image classification, as a library: train, load, evaluate and compare networks from Python.

    import imgcls

    run = imgcls.train("mnist", model="lenet", epochs=1)
    net = imgcls.load(run)
    print(net("digit.png").label, imgcls.evaluate(run).accuracy)

Everything is imported when it is first used: `import imgcls` loads neither torch nor Gradio.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imgcls.audit.findings import Audit
    from imgcls.augmentations import AugmentationSpec
    from imgcls.data.registry import DatasetSpec
    from imgcls.errors import ImgclsError
    from imgcls.inference.significance import Comparison
    from imgcls.library.catalog import DatasetInfo, audit, datasets, models
    from imgcls.library.cross_validation import CrossValidation, cross_validate
    from imgcls.library.evaluations import Evaluation, compare, evaluate
    from imgcls.library.learning_rate import RangeTest, find_lr
    from imgcls.library.nets import Net, Prediction, load
    from imgcls.library.registration import (
        register_augmentation,
        register_dataset,
        register_model,
        register_optimizer,
    )
    from imgcls.library.sweeps import Sweep, sweep
    from imgcls.library.training import Run, runs, train
    from imgcls.models.registry import ModelSpec
    from imgcls.optimizers import OptimizerSpec
    from imgcls.settings import TrainSettings
    from imgcls.training import events

import os

# How often a waiting thread of torch's looks for work before it sleeps; GNU OpenMP reads this once, when torch is
# imported. Its own 300,000 times hold a core that a neighbour needs: LeNet's steps with two threads beside two busy
# processes, images/s: 190 to 2,500 with them, 4,000 to 5,600 with 3,000; alone the same (benchmarks/busy_threads.py).
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")

__version__ = "0.1.0"

__all__ = [
    "Audit",
    "AugmentationSpec",
    "Comparison",
    "CrossValidation",
    "DatasetInfo",
    "DatasetSpec",
    "Evaluation",
    "ImgclsError",
    "ModelSpec",
    "Net",
    "OptimizerSpec",
    "Prediction",
    "RangeTest",
    "Run",
    "Sweep",
    "TrainSettings",
    "audit",
    "compare",
    "cross_validate",
    "datasets",
    "evaluate",
    "events",
    "find_lr",
    "load",
    "models",
    "register_augmentation",
    "register_dataset",
    "register_model",
    "register_optimizer",
    "runs",
    "sweep",
    "train",
]

# Where each public name is defined.
_HOME = {
    "Audit": "imgcls.audit.findings",
    "AugmentationSpec": "imgcls.augmentations",
    "Comparison": "imgcls.inference.significance",
    "CrossValidation": "imgcls.library.cross_validation",
    "DatasetInfo": "imgcls.library.catalog",
    "DatasetSpec": "imgcls.data.registry",
    "Evaluation": "imgcls.library.evaluations",
    "ImgclsError": "imgcls.errors",
    "ModelSpec": "imgcls.models.registry",
    "Net": "imgcls.library.nets",
    "OptimizerSpec": "imgcls.optimizers",
    "Prediction": "imgcls.library.nets",
    "RangeTest": "imgcls.library.learning_rate",
    "Run": "imgcls.library.training",
    "Sweep": "imgcls.library.sweeps",
    "TrainSettings": "imgcls.settings",
    "audit": "imgcls.library.catalog",
    "compare": "imgcls.library.evaluations",
    "cross_validate": "imgcls.library.cross_validation",
    "datasets": "imgcls.library.catalog",
    "evaluate": "imgcls.library.evaluations",
    "events": "imgcls.training",
    "find_lr": "imgcls.library.learning_rate",
    "load": "imgcls.library.nets",
    "models": "imgcls.library.catalog",
    "register_augmentation": "imgcls.library.registration",
    "register_dataset": "imgcls.library.registration",
    "register_model": "imgcls.library.registration",
    "register_optimizer": "imgcls.library.registration",
    "runs": "imgcls.library.training",
    "sweep": "imgcls.library.sweeps",
    "train": "imgcls.library.training",
}
# Packages of the same name as a public function: the package itself is what is called.
_PACKAGES = ("audit", "models", "runs")


def _public(name: str) -> Any:
    home = importlib.import_module(_HOME[name])
    return importlib.import_module(f"{home.__name__}.{name}") if name == "events" else getattr(home, name)


class _CallablePackage(ModuleType):
    """`imgcls.runs` is a package and a function: importing any module of the package must not hide the function."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return _public(self.__name__.rpartition(".")[2])(*arguments, **options)


class _Package(ModuleType):
    """This module: a package of `_PACKAGES` becomes callable as soon as the import system has put it here."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _PACKAGES and isinstance(value, ModuleType):
            value.__class__ = _CallablePackage
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"imgcls.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'imgcls' has no attribute '{name}'")
    try:
        value = globals()[name] = _public(name)
    except ModuleNotFoundError as error:
        from imgcls.environment import advice, is_required

        if not is_required(error):
            raise
        raise ModuleNotFoundError(advice(error), name=error.name) from None
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
