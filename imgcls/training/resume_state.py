"""What only a resume needs: weights, optimizer and random states in the middle of an epoch, in one safetensors file.

Tensors as tensors, numbers as JSON in the metadata: nothing is pickled. Knows what an optimizer's state looks like,
nothing of data or events.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from imgcls.checkpoints.format import write_tensors
from imgcls.errors import CheckpointError

KEY = "imgcls-resume"


def save_resume_state(
    path: Path, *, model: torch.nn.Module, optimizer: torch.optim.Optimizer, position: dict[str, Any]
) -> None:
    """`position`: plain values that say where the run is (epoch, step, best figures, seconds)."""
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    numbers: dict[str, Any] = {}
    for place, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor):
                tensors[f"optimizer/{place}/{name}"] = value
            else:
                numbers[f"{place}/{name}"] = value
    tensors["random/cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    write_tensors(path, tensors, {KEY: json.dumps({"position": position, "optimizer": numbers})})


def load_resume_state(path: Path, *, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Puts everything back and returns the position. Raises CheckpointError, having changed nothing."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            written = json.loads((file.metadata() or {})[KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError("There is nothing to go on from: {path} is not there.", path=path) from None
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(
            "{path} cannot be read ({reason}): start the run anew.", path=path, reason=error
        ) from None

    state = optimizer.state_dict()
    kept: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer/"):
            _, place, key = name.split("/")
            kept.setdefault(int(place), {})[key] = tensor
    for name, value in written["optimizer"].items():
        place, key = name.split("/")
        kept.setdefault(int(place), {})[key] = value
    weights = {name.removeprefix("model/"): t for name, t in tensors.items() if name.startswith("model/")}
    try:
        model.load_state_dict(weights)
        optimizer.load_state_dict({"state": kept, "param_groups": state["param_groups"]})
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(
            "{path} does not fit the run's settings ({reason}): start the run anew.", path=path, reason=error
        ) from None
    _lay_out_like_parameters(optimizer)
    torch.set_rng_state(tensors["random/cpu"])
    if "random/cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random/cuda"])
    return written["position"]


def _lay_out_like_parameters(optimizer: torch.optim.Optimizer) -> None:
    """Momenta in the memory format of their weights: the fused optimizers walk both in memory order, and would pair
    a contiguous momentum's elements with the wrong elements of a channels_last weight."""
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter).copy_(value)
