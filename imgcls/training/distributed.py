"""What the processes of a data-parallel run say to each other outside a step."""

from __future__ import annotations

import os
from typing import Any

import torch


def processes() -> tuple[int, int]:
    """(rank, world) as the launcher set them."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def broadcast_object(value: Any) -> Any:
    """The first process's value in every process: a run's name, or the sentence why there is none."""
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list

    PartialState(cpu=not torch.cuda.is_available())
    return broadcast_object_list([value])[0]


def destroy() -> None:
    """Say goodbye to the other processes, so that none waits for this one."""
    import torch.distributed as distributed

    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
