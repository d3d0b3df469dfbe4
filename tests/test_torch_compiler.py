"""A run that compiles nothing does not pay for torch's compiler."""

import subprocess
import sys

from imgcls.optimizers import OPTIMIZERS

LEARN = """
import inspect, sys, torch

def methods():
    classes = [kind for kind in vars(torch.optim).values() if inspect.isclass(kind)]
    return {(kind, name): value for kind in classes for name, value in vars(kind).items() if inspect.isfunction(value)}

before = methods()
from imgcls.optimizers import OPTIMIZERS
from imgcls.settings import TrainSettings
from imgcls.training.estimate import training_bytes
from imgcls.training.optim import make_optimizer

settings = TrainSettings(model="lenet", momentum=0.9)
assert training_bytes(settings) > 0
for name in OPTIMIZERS:
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = make_optimizer([{"params": [weight], "lr": 0.5}], settings.model_copy(update={"optimizer": name}))
    for _ in range(2):
        optimizer.zero_grad()
        (weight * torch.tensor([1.0, 2.0, 0.0])).sum().backward()
        optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    print(name, weight.grad is not None, *(value < 1 for value in weight.tolist()[:2]))
assert methods() == before and not any(hasattr(method, "hooked") for method in before.values())
print(*(name for name in ("torch._dynamo", "sympy") if name in sys.modules))
own = torch.optim.Adam([torch.nn.Parameter(torch.ones(3))])  # of a program that imports the library
assert type(own) is torch.optim.Adam and "torch._dynamo" in sys.modules
"""


def test_estimates_and_optimizers_import_no_compiler_and_leave_torchs_own_as_they_are():
    ended = subprocess.run([sys.executable, "-c", LEARN], capture_output=True, text=True, check=False)
    assert not ended.returncode, ended.stderr
    assert ended.stdout.splitlines() == [*(f"{name} True True True" for name in OPTIMIZERS), ""]
