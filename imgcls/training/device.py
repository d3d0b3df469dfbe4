"""Where to compute and in which number format; one process or several.

Several processes (started by `accelerate launch -m imgcls ...`) are Hugging Face Accelerate's business; it is imported
only then, so that one process starts without its cost.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

import psutil
import torch
from torch import Tensor, nn

from imgcls.errors import DeviceError, SettingsError
from imgcls.messages import Setting
from imgcls.models.registry import model_spec
from imgcls.settings import TrainSettings
from imgcls.training.distributed import average_gradients_hook, processes

GPU_SHARE = 0.5  # of the free GPU memory that data may take: the rest is for activations
DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass
class DeviceContext:
    """`dtype` is autocast's, None for fp32. `rank` of `world` processes; only rank 0 writes."""

    device: torch.device
    dtype: torch.dtype | None = None
    rank: int = 0
    world: int = 1
    accelerator: Any = field(default=None, repr=False)

    @property
    def precision(self) -> str:
        return next(name for name, dtype in DTYPES.items() if dtype is self.dtype)

    @property
    def name(self) -> str:
        """What a person reads: "cuda", "2 × cpu"."""
        return self.device.type if self.world == 1 else f"{self.world} × {self.device.type}"

    def layout(self, model: str, size: int) -> torch.memory_format:
        """How weights lie in memory for the fastest steps: what the network's row says."""
        small = self.device.type == "cpu" and size < model_spec(model).channels_last_from
        return torch.contiguous_format if small else torch.channels_last

    def place(self, model: nn.Module, name: str, size: int) -> None:
        """Bring the network called `name` to the device, laid out as it steps fastest."""
        model.to(self.device, memory_format=self.layout(name, size))  # pyright: ignore[reportCallIssue]  # not in stubs

    def room_for(self, data_bytes: int) -> bool:
        """Whether a data set may lie on the GPU: it then never crosses the bus again."""
        if self.device.type != "cuda":
            return False
        return data_bytes < torch.cuda.mem_get_info(self.device)[0] * GPU_SHARE

    def autocast(self) -> contextlib.AbstractContextManager:
        if self.dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def wrap_ddp(self, model: nn.Module) -> nn.Module:
        """The module to step: gradients are averaged over all processes."""
        if self.world == 1:
            return model
        module = self.accelerator.prepare_model(model)
        if self.device.type == "cpu":
            module.register_comm_hook(None, average_gradients_hook)
        return module

    def all_reduce_sum(self, tensor: Tensor) -> Tensor:
        """The sum over all processes."""
        return tensor if self.world == 1 else self.accelerator.reduce(tensor, reduction="sum")

    def any_rank(self, *flags: bool) -> tuple[bool, ...]:
        """Each flag True in every process when it is true in one."""
        if self.world == 1:
            return flags
        sums = self.all_reduce_sum(torch.tensor([float(flag) for flag in flags], device=self.device))
        return tuple(value > 0 for value in sums.tolist())

    def sum(self, *values: float) -> tuple[float, ...]:
        """Each value summed over all processes."""
        if self.world == 1:
            return values
        # Only MPS lacks float64, and several processes do not share one.
        return tuple(self.all_reduce_sum(torch.tensor(values, dtype=torch.float64, device=self.device)).tolist())

    def broadcast(self, *values: float) -> tuple[float, ...]:
        """The first process's values in every process: decisions taken on them are then the same everywhere."""
        return self.sum(*(values if self.rank == 0 else (0.0 for _ in values)))

    def all_gather(self, tensor: Tensor) -> Tensor:
        """Every process's tensor, stacked by rank, on the CPU."""
        if self.world == 1:
            return tensor.cpu()[None]
        return self.accelerator.gather(tensor.to(self.device)[None]).cpu()

    def broadcast_buffers(self, model: nn.Module) -> None:
        """The first process's running statistics in every process, as DDP does before each step."""
        if self.world > 1:
            for buffer in model.buffers():
                torch.distributed.broadcast(buffer, 0)

    def barrier(self) -> None:
        if self.world > 1:
            self.accelerator.wait_for_everyone()


def memory_mb(device: torch.device) -> float:
    """A GPU's at the most so far; for a processor what this process holds now."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 1e6, 1)
    return round(psutil.Process().memory_info().rss / 1e6, 1)


def choose_device(settings: TrainSettings) -> DeviceContext:
    """The device that `settings` ask for. Raises DeviceError when this machine does not have it."""
    rank, world = processes()
    device = torch.device(_device(settings.device))
    if device.type == "cuda":  # cuDNN's fastest backward passes sum in whatever order their threads end
        torch.backends.cudnn.deterministic = True
    if world > 1:
        from accelerate import Accelerator, DistributedDataParallelKwargs

        # Gradual unfreezing leaves parameters without a gradient, which DDP otherwise waits for.
        unused = DistributedDataParallelKwargs(find_unused_parameters=bool(settings.unfreeze_epochs))
        accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision="no", kwargs_handlers=[unused])
        return DeviceContext(accelerator.device, _dtype(settings.precision, device), rank, world, accelerator)
    return DeviceContext(device, _dtype(settings.precision, device))


def check_device(settings: TrainSettings) -> None:
    """Raises DeviceError or SettingsError when this machine cannot do what `settings` ask for; makes nothing."""
    device = torch.device(_device(settings.device))
    _dtype(settings.precision, device)
    _, world = processes()
    if settings.compile and settings.transfer == "head":
        raise SettingsError(
            "{compile} has nothing to speed up when {transfer} is '{value}', where the backbone runs once only: "
            "switch it off.",
            compile=Setting("compile"),
            transfer=Setting("transfer"),
            value=Setting("transfer", "head"),
            field="compile",
        )
    if settings.sync_batchnorm and device.type != "cuda":  # torch has it for GPUs only
        raise SettingsError(
            "{sync_batchnorm} needs CUDA GPUs, and this run is on {device}: switch it off.",
            sync_batchnorm=Setting("sync_batchnorm"),
            device=device.type,
            field="sync_batchnorm",
        )
    if world > 1 and settings.batch_size < 2 * world:  # BatchNorm needs two images in each process
        raise SettingsError(
            "{setting} is {value}, but {processes} processes need at least {least}.",
            setting=Setting("batch_size"),
            value=settings.batch_size,
            processes=world,
            least=2 * world,
            field="batch_size",
        )


def _device(name: str) -> str:
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there[name]:
        has = ", ".join(name for name, here in there.items() if here)
        raise DeviceError(
            "{setting} is {wanted}, which this machine does not have: choose auto or {has}.",
            setting=Setting("device"),
            wanted=name,
            has=has,
        )
    return name


def _dtype(precision: str, device: torch.device) -> torch.dtype | None:
    if precision == "auto":
        # bf16 on a CPU is emulated on most laptops and slower than fp32: it has to be asked for there.
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else None
    if precision == "fp16" and device.type != "cuda":
        raise DeviceError(
            "{precision} fp16 needs a CUDA GPU, and this run is on {device}: choose fp32 or bf16.",
            precision=Setting("precision"),
            device=device.type,
        )
    return DTYPES[precision]
