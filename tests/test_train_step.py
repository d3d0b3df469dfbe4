"""One optimizer step in half precision: what would underflow to 0 reaches the weights, and going on keeps the scale."""

import torch
from torch import nn

from imgcls.training.device import DeviceContext
from imgcls.training.resume_state import load_resume_state, save_resume_state
from imgcls.training.state import TrainState
from imgcls.training.train_step import TrainStep


def made(dtype):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 2, bias=False))
    with torch.no_grad():
        model[1].weight.mul_(1e-7)  # the gradient of the first layer is then smaller than fp16 can hold
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    return model, TrainStep(model, optimizer, DeviceContext(torch.device("cpu"), dtype))


def moved(dtype):
    """How far one step moves the first layer."""
    model, step = made(dtype)
    before = model[0].weight.detach().clone()
    step(torch.ones(8, 4), torch.zeros(8, dtype=torch.int64))
    return float((model[0].weight.detach() - before).abs().max())


def test_small_gradients_do_not_underflow_in_fp16():
    exact = moved(None)
    assert exact > 0 and 0.3 < moved(torch.float16) / exact < 3


def test_the_scale_goes_on_where_it_was(tmp_path):
    model, step = made(torch.float16)
    step(torch.full((8, 4), torch.inf), torch.zeros(8, dtype=torch.int64))  # no numbers: the scale is halved
    scale = step.scaler.get_scale()
    assert scale == made(torch.float16)[1].scaler.get_scale() / 2
    path = tmp_path / "resume.safetensors"
    save_resume_state(path, model=model, step=step, random_states={}, state=TrainState())
    other, again = made(torch.float16)
    load_resume_state(path, model=other, step=again, rank=0)
    assert again.scaler.get_scale() == scale
