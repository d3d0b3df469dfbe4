"""A run that compiles nothing does not pay for torch's compiler."""

import subprocess
import sys

from imgcls.optimizers import OPTIMIZERS

LEARN = """
import sys, torch
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
print(*(name for name in ("torch._dynamo", "sympy") if name in sys.modules))
"""


def test_estimates_and_optimizers_import_no_compiler():
    ended = subprocess.run([sys.executable, "-c", LEARN], capture_output=True, text=True, check=False)
    assert not ended.returncode, ended.stderr
    assert ended.stdout.splitlines() == [*(f"{name} True True True" for name in OPTIMIZERS), ""]
