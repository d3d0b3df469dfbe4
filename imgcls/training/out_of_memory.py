"""A run that memory does not suffice for takes fewer images at a time, and learns from as many a step as before."""

from __future__ import annotations

import gc

import torch
from torch import nn

from imgcls.errors import RunError
from imgcls.messages import Message, Setting
from imgcls.settings import TrainSettings
from imgcls.training import events

# What the allocators say, in lower case: of the CPU (c10), of CUDA, of oneDNN and of the C++ library.
SAID = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory", "bad_alloc")


def is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in SAID)


def fewest(module: nn.Module) -> int:
    """Images at a time: BatchNorm needs two to have a variance."""
    return 2 if any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in module.modules()) else 1


def free(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def note(settings: TrainSettings, parts: int, step: int) -> events.Note:
    """What happens now."""
    return events.Note(
        code="out_of_memory",
        message=Message(
            "not enough memory for {before} images at a time: from step {step}, where the run was saved, it takes "
            "{now} at a time and learns from {batch} a step as before",
            before=-(-2 * settings.batch_size // parts),
            now=-(-settings.batch_size // parts),
            batch=settings.batch_size,
            step=step,
        ),
    )


def advice(settings: TrainSettings, parts: int) -> RunError:
    """There is nothing left to halve."""
    return RunError(
        "There is not enough memory, even for {images} images at a time: choose a smaller {image_size} or network, or "
        "close what else uses memory.",
        images=-(-settings.batch_size // parts),
        image_size=Setting("image_size"),
    )
