"""Small LeNet checkpoints for tests of the page: untrained, or with weights that are known."""

import torch

from imgcls.checkpoints.epochs import keep_epoch
from imgcls.checkpoints.format import Meta, save_checkpoint
from imgcls.imaging.preprocess import Preprocess
from imgcls.models import build
from imgcls.recipes import preprocess_for, with_recipe

DIGITS = tuple("0123456789")
FORM = Preprocess(
    channels=1, resize_mode="digit", storage_size=28, size=28, upscale="whole", mean=(0.0,), std=(1.0,)
)  # fmt: skip


def lenet(workspace, name, *, classes=DIGITS, always=None, epochs=0, settings=None):
    """checkpoints/NAME/best.safetensors, its path. `always`: the class it answers whatever it sees; `epochs`: so many
    are kept, and after epoch n it answers class n."""
    torch.manual_seed(0)
    form = preprocess_for(with_recipe(settings)) if settings else FORM
    state = build("lenet", channels=form.channels, classes=len(classes), image_size=form.size).state_dict()

    def answering(c):
        return {**state, "fc3.bias": 50.0 * torch.nn.functional.one_hot(torch.tensor(c), len(classes)).float()}

    said = with_recipe(settings).model_dump() if settings else {}
    meta = Meta(model="lenet", classes=classes, preprocess=form, run=name, settings=said)
    path = workspace.checkpoints / name / "best.safetensors"
    save_checkpoint(path, state if always is None else answering(always), meta)
    for epoch in range(epochs):
        keep_epoch(path.parent, epoch, answering(epoch))
    return path
