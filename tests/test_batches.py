"""Fast batches against the plain way: the same images, every image once an epoch, and the same again on resume."""

import pytest
import torch

from imgcls.augmentations import COMBINATIONS, mixes, names
from imgcls.data.loader import Batches, evaluation_batches, images_at_once
from imgcls.data.splitting import Split
from imgcls.imaging.preprocess import Preprocess
from imgcls.inference.features import FeatureExtractor
from imgcls.models import build, transfer
from imgcls.models.forward import in_micro_batches

CPU = torch.device("cpu")
DIGIT = Preprocess(channels=1, resize_mode="digit", storage_size=28, size=28, mean=(0.5,), std=(0.5,))
COLOUR = Preprocess(channels=3, resize_mode="square", storage_size=32, size=64, mean=(0.5,) * 3, std=(0.5,) * 3)


def split(count=101, form=DIGIT, aspects=False):
    generator = torch.Generator().manual_seed(0)
    shape = (count, form.channels, form.storage_size, form.storage_size)
    images = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    wide = torch.rand(count, generator=generator) + 0.5 if aspects else None
    return Split(images, torch.arange(count), wide)


def batches(made, form=DIGIT, *, augment="none", size=16, **options):
    return Batches(made, form, batch_size=size, augment=augment, seed=3, device=CPU, **options)


def test_without_augmentation_a_batch_is_totensor_and_normalize():
    from torchvision import transforms

    made = split()
    plain = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    for inputs, labels in batches(made).epoch(0):
        wanted = torch.stack([plain(made.images[i, 0].numpy()) for i in labels.tolist()])
        torch.testing.assert_close(inputs, wanted, atol=1e-6, rtol=0)


def test_imagenet_normalisation_is_torchvisions():
    from torchvision import transforms

    form = COLOUR.model_copy(update={"size": 32, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)})
    made = split(8, form)
    plain = transforms.Compose([transforms.ToTensor(), transforms.Normalize(form.mean, form.std)])
    wanted = torch.stack([plain(image.permute(1, 2, 0).numpy()) for image in made.images])
    torch.testing.assert_close(form.to_input(made.images), wanted, atol=2e-6, rtol=0)
    assert torch.equal(form.picture(form.to_input(made.images)), made.images)


@pytest.mark.parametrize("augment", [text for text in (*names(), *COMBINATIONS) if not mixes(text)])
def test_every_image_comes_once_an_epoch_in_an_order_of_its_own(augment):
    form = DIGIT if augment == "pen" else COLOUR
    made = batches(split(form=form), form, augment=augment)
    orders = []
    for epoch in (0, 1):
        labels = []
        for inputs, y in made.epoch(epoch):
            assert inputs.shape[1:] == (form.channels, form.size, form.size)
            assert inputs.isfinite().all() and inputs.min() >= -1.01 and inputs.max() <= 1.01
            labels += y.tolist()
        assert sorted(labels) == list(range(101))
        orders.append(labels)
    assert orders[0] != orders[1]


@pytest.mark.parametrize("augment", [*names(), *COMBINATIONS])
@pytest.mark.parametrize("first", [1, 3, 6])
def test_an_epoch_taken_up_in_the_middle_is_the_same(augment, first):
    form = DIGIT if augment == "pen" else COLOUR
    made = batches(split(form=form), form, augment=augment)
    whole, rest = list(made.epoch(2)), list(made.epoch(2, first))
    assert len(rest) == len(whole) - first
    for (a, b), (c, d) in zip(whole[first:], rest, strict=True):
        assert torch.equal(a, c) and torch.equal(b, d)


def test_a_last_batch_of_one_is_left_out():
    made = batches(split(33), size=16)
    assert [len(y) for _, y in made.epoch(0)] == [16, 16] and made.steps == 2


@pytest.mark.parametrize("augment", ["none", "crop-flip"])
@pytest.mark.parametrize("first", [0, 3])
@pytest.mark.parametrize("world", [2, 3])
def test_processes_share_every_batch(augment, first, world):
    """Gathered alone, or as a share of a batch that is changed at random: each has every `world`-th image."""
    whole = list(batches(split(102), augment=augment).epoch(1, first))
    for rank in range(world):
        share = list(batches(split(102), augment=augment, rank=rank, world=world).epoch(1, first))
        for (x, y), (some, labels) in zip(whole, share, strict=True):
            assert torch.equal(x[rank::world], some) and torch.equal(y[rank::world], labels)


def test_flips_flip_half_and_crops_keep_the_picture():
    ramp = torch.arange(32, dtype=torch.uint8).mul(8).expand(400, 3, 32, 32).contiguous()
    form = COLOUR.model_copy(update={"size": 32})
    made = batches(Split(ramp, torch.zeros(400, dtype=torch.int64)), form, augment="flip", size=400)
    (inputs, _), *_ = made.epoch(0)
    flipped = (inputs[:, 0, 0, 0] > 0).float().mean()
    assert 0.4 < flipped < 0.6


def test_a_random_crop_of_a_wide_photo_keeps_its_proportions():
    """A circle in a photo twice as wide as high, stored squeezed, is a circle again in every crop."""
    side = 128
    y, x = torch.meshgrid(torch.linspace(-1, 1, side), torch.linspace(-2, 2, side), indexing="ij")
    disc = ((x**2 + y**2) < 0.36).to(torch.uint8).mul(255)
    images = disc.expand(64, 3, side, side).contiguous()
    form = Preprocess(channels=3, resize_mode="crop", storage_size=side, size=64, mean=(0.5,) * 3, std=(0.5,) * 3)
    made = Batches(
        Split(images, torch.zeros(64, dtype=torch.int64), torch.full((64,), 2.0)),
        form, batch_size=64, augment="resized-crop", seed=1, device=CPU,
    )  # fmt: skip
    (inputs, _), *_ = made.epoch(0)
    seen = (inputs[:, 0] > 0).float()
    whole = (seen[:, 0].sum(1) + seen[:, -1].sum(1) + seen[:, :, 0].sum(1) + seen[:, :, -1].sum(1)) == 0
    height, width = seen.amax(2).sum(1), seen.amax(1).sum(1)
    ratio = (width / height)[whole & (height > 8)]
    assert len(ratio) >= 5
    assert ratio.min() > 3 / 4 * 0.85 and ratio.max() < 4 / 3 * 1.18


def test_a_batch_that_only_goes_forward_is_as_large_as_its_pixels_let_it_be():
    cuda = torch.device("cuda")
    assert [images_at_once(256, size, CPU) for size in (28, 64, 160, 224)] == [256, 100, 16, 16]
    assert images_at_once(64, 64, CPU) == 64 and images_at_once(256, 224, cuda) == 256
    assert images_at_once(64, 64, cuda) == 3136 and images_at_once(64, 28, cuda) == 4096  # as many pixels
    form = COLOUR.model_copy(update={"size": 160, "storage_size": 160})
    made = list(evaluation_batches(split(40, form), form, batch_size=256, device=CPU))
    assert [len(labels) for _, labels in made] == [16, 16, 8]
    assert torch.cat([labels for _, labels in made]).tolist() == list(range(40))


def test_a_network_goes_forward_a_few_images_at_a_time_and_says_the_same():
    """EfficientNet-Lite0's row says 4 at 160 pixels, so 25 at 64; a network without a row gets all at once."""
    torch.manual_seed(0)
    network = build("efficientnet-lite0", channels=3, classes=5, image_size=64).eval()
    seen = []
    network.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    inputs = torch.randn(30, 3, 64, 64)
    with torch.inference_mode():
        made = in_micro_batches(network, inputs)
        assert seen == [25, 5]
        torch.testing.assert_close(made, network(inputs), rtol=1e-4, atol=1e-4)
        assert len(in_micro_batches(transfer.split_backbone(network)[0], inputs)) == 30 and seen[3:] == [25, 5]
        assert in_micro_batches(torch.nn.Flatten(), inputs).shape == (30, 3 * 64 * 64)
        seen.clear()
        logits, activations = FeatureExtractor(network)(inputs)
        assert seen == [25, 5] and activations.shape[0] == 30
        torch.testing.assert_close(logits, made, rtol=1e-4, atol=1e-4)
