"""MixUp and CutMix: labels say how much of each image is there, and what only looks at labels still can."""

import numpy as np
import pytest
import torch
from photos import flowers
from scipy.stats import beta, kstest

from imgcls.data.loader import Batches
from imgcls.data.mixing import ALPHA, cutmix, mixup
from imgcls.data.preview import preview
from imgcls.data.splitting import Split
from imgcls.errors import SettingsError
from imgcls.imaging.preprocess import Preprocess
from imgcls.recipes import preprocess_for, with_recipe
from imgcls.training import events
from imgcls.training.trainer import train

CPU = torch.device("cpu")
FORM = Preprocess(channels=3, resize_mode="square", storage_size=16, size=16, mean=(0.5,) * 3, std=(0.5,) * 3)
CLASSES = 4


def given(count=400):
    """Images that are all of one value, which tells of which class they are."""
    labels = torch.arange(count) % CLASSES
    images = (labels.float() * 60).view(-1, 1, 1, 1).expand(count, 3, 16, 16).contiguous()
    return images, torch.nn.functional.one_hot(labels, CLASSES).float()


def generator():
    return torch.Generator().manual_seed(1)


@pytest.mark.parametrize("mix", [mixup, cutmix])
def test_the_label_says_how_much_of_each_image_is_there(mix):
    images, shares = mix(*given(), generator())
    values = torch.arange(CLASSES).float() * 60
    torch.testing.assert_close(images.mean(dim=(1, 2, 3)), shares @ values, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(shares.sum(1), torch.ones(len(shares)))
    again, _ = mix(*given(), generator())
    assert torch.equal(images, again)
    assert ((shares > 0).sum(1) == 2).float().mean() > 0.5  # the others met their like, or were hardly touched


def test_mixups_weights_are_beta_distributed():
    images = torch.arange(8000, dtype=torch.float64)
    mixed, _ = mixup(images.view(-1, 1, 1, 1), torch.eye(2)[torch.arange(8000) % 2], generator())
    partner = images[torch.randperm(8000, generator=generator())]
    own = ((mixed.flatten() - partner) / (images - partner))[images != partner].numpy()
    own = own[(own > 1e-3) & (own < 1 - 1e-3)]  # closer to 0 and 1 is more than single precision can hold
    low, high = beta(ALPHA, ALPHA).cdf([1e-3, 1 - 1e-3])
    assert kstest(own, lambda x: (beta(ALPHA, ALPHA).cdf(x) - low) / (high - low)).pvalue > 1e-3


def test_cutmix_is_one_box_of_another_image():
    images, shares = cutmix(torch.arange(64.0).view(-1, 1, 1, 1).expand(64, 1, 16, 16), torch.eye(64), generator())
    for place, (image, share) in enumerate(zip(images[:, 0], shares, strict=True)):
        strange = image != place
        rows, columns = strange.any(1).sum(), strange.any(0).sum()
        assert rows * columns == strange.sum() and len(image[strange].unique()) <= 1
        assert share[place] == pytest.approx(1 - strange.float().mean().item(), abs=1e-5)


def test_batches_of_mixed_images_have_shares_of_all_classes():
    images = torch.randint(0, 256, (30, 3, 16, 16), dtype=torch.uint8)
    made = Batches(
        Split(images, torch.zeros(30, dtype=torch.int64)), FORM, batch_size=8, augment="flip,mixup,cutmix", seed=1,
        device=CPU, classes=5,
    )  # fmt: skip
    for inputs, shares in made.epoch(0):
        assert shares.shape == (len(inputs), 5) and shares.dtype == torch.float32
        torch.testing.assert_close(shares[:, 0], torch.ones(len(inputs)))


def test_a_network_learns_from_mixed_images_and_the_preview_names_both(workspace):
    flowers(workspace.data / "flowers", each=8)
    said = {
        "dataset": "flowers", "model": "lenet", "augment": "crop-flip,cutmix", "balance": "weights", "epochs": 2,
        "device": "cpu", "threads": 1, "label_smoothing": 0.1,
    }  # fmt: skip
    made = list(train(with_recipe(said), workspace=workspace, run="mixed"))
    ended = [event for event in made if isinstance(event, events.EpochEnded)]
    assert len(ended) == 2 and all(np.isfinite(e.train_loss) and 0 <= e.train_accuracy <= 1 for e in ended)
    shown = preview(with_recipe(said), workspace, preprocess_for(with_recipe(said)), count=12)
    assert any(" + " in name for name in shown.labels)


def test_a_head_that_learns_from_kept_features_refuses():
    with pytest.raises(SettingsError, match="augment mixup mixes images, and transfer 'head'") as caught:
        with_recipe({"dataset": "flowers", "augment": "photo,mixup"})
    assert caught.value.field == "augment"
    assert (
        with_recipe({"dataset": "flowers", "augment": "mixup,photo", "transfer": "finetune"}).augment == "photo,mixup"
    )
