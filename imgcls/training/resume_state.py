"""What only a resume needs: weights, optimizer and random states in the middle of an epoch, in one safetensors file.

Tensors as tensors, numbers as JSON in the metadata: nothing is pickled.

    model/<name>                  weights and buffers
    average/<name>                the weights' moving average, where there is one
    optimizer/<parameter>/<name>  momenta
    random/<rank>/<device>        every process's random state
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imgcls.checkpoints.format import write_tensors
from imgcls.errors import CheckpointError
from imgcls.training.device import DeviceContext
from imgcls.training.train_state import TrainState
from imgcls.training.train_step import TrainStep


def random_state(device: torch.device) -> dict[str, Tensor]:
    """{"cpu": ..., "cuda": ...}: uint8 tensors on the CPU, of this process."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_random_state(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Put back what `random_state` gave; a state of a device that is not this run's is passed over."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])


KEY = "imgcls-resume"


def gather_random_states(context: DeviceContext) -> list[dict[str, Tensor]]:
    """Every process's random state, by rank. All processes have to ask together."""
    own = random_state(context.device)
    gathered = {name: context.all_gather(state) for name, state in own.items()}
    return [{name: states[rank] for name, states in gathered.items()} for rank in range(context.world)]


def save_resume_state(
    path: Path,
    *,
    model: torch.nn.Module,
    step: TrainStep,
    random_states: Sequence[Mapping[str, Tensor]],
    state: TrainState,
) -> None:
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    average, numbers = step.average, dict[str, Any]()
    if average is not None:
        tensors |= {f"average/{name}": tensor for name, tensor in average.module.state_dict().items()}
    for parameter, kept in step.optimizer.state_dict()["state"].items():
        for name, value in kept.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{parameter}/{name}"] = value
            else:
                numbers[f"{parameter}/{name}"] = value
    for rank, states in enumerate(random_states):
        tensors |= {f"random/{rank}/{device}": tensor for device, tensor in states.items()}
    written: dict[str, Any] = {"position": state.as_dict(), "optimizer": numbers, "scaler": step.scaler.state_dict()}
    if average is not None:
        written["averaged_steps"] = average.steps
    write_tensors(path, tensors, {KEY: json.dumps(written)})


def load_resume_state(path: Path, *, model: torch.nn.Module, step: TrainStep, rank: int = 0) -> TrainState:
    """Puts weights, optimizer, loss scale and this process's random state back. Raises CheckpointError."""
    state, written, tensors = _read(path)
    optimizer = step.optimizer
    groups = optimizer.state_dict()["param_groups"]
    kept: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer/"):
            _, place, key = name.split("/")
            kept.setdefault(int(place), {})[key] = tensor
    for name, value in written["optimizer"].items():
        place, key = name.split("/")
        kept.setdefault(int(place), {})[key] = value
    try:
        model.load_state_dict(_below("model/", tensors))
        if step.average is not None:
            step.average.module.load_state_dict(_below("average/", tensors))
            step.average.steps = int(written.get("averaged_steps", 0))
        optimizer.load_state_dict({"state": kept, "param_groups": groups})
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(
            "{path} does not fit the run's settings ({reason}): start the run anew.", path=path, reason=error
        ) from None
    _lay_out_like_parameters(optimizer)
    if written.get("scaler"):
        step.scaler.load_state_dict(written["scaler"])
    # Files of an earlier version hold the first process's states alone, without its rank.
    states = {
        name.rpartition("/")[2]: tensor
        for name, tensor in tensors.items()
        if name.startswith(f"random/{rank}/") or (rank == 0 and name in ("random/cpu", "random/cuda"))
    }
    if states:
        set_random_state(states, step.context.device)
    return state


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _read(path: Path) -> tuple[TrainState, dict[str, Any], dict[str, Tensor]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            written = json.loads((file.metadata() or {})[KEY])
            state = TrainState.from_dict(written["position"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError("There is nothing to go on from: {path} is not there.", path=path) from None
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(
            "{path} cannot be read ({reason}): start the run anew.", path=path, reason=error
        ) from None
    return state, written, tensors


def _lay_out_like_parameters(optimizer: torch.optim.Optimizer) -> None:
    """Momenta in the memory format of their weights: the fused optimizers walk both in memory order, and would pair
    a contiguous momentum's elements with the wrong elements of a channels_last weight."""
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter).copy_(value)
