"""Images have the size that the chosen weights learnt from, where a file says it; broken files say nothing."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from imgcls.checkpoints.format import Meta, save_checkpoint
from imgcls.models import build
from imgcls.models.pretrained import load_pretrained
from imgcls.models.weight_header import size_of_weights
from imgcls.recipes import preprocess_for, with_recipe
from imgcls.web.shared import settings_form

PHOTOS = {"dataset": "garden", "model": "resnet18", "transfer": "head"}


@pytest.fixture
def checkpoint(workspace):
    """A checkpoint of this lab, trained at 48 pixels and calibrated, as a file of weights."""
    model = build("resnet18", channels=3, classes=4, image_size=48)
    settings = with_recipe({**PHOTOS, "transfer": "scratch", "image_size": 48})
    meta = Meta(model="resnet18", classes=tuple("abcd"), preprocess=preprocess_for(settings))
    path = workspace.weight / "mine.safetensors"
    path.parent.mkdir()
    save_checkpoint(path, model.state_dict(), meta, {"temperature": torch.ones(1)})
    return path


def test_a_lab_checkpoint_proposes_the_size_that_it_was_trained_at(workspace, checkpoint):
    for named in ("mine.safetensors", str(checkpoint)):
        assert with_recipe({**PHOTOS, "weights": named}).image_size == 48
    assert with_recipe({**PHOTOS, "weights": "mine.safetensors", "image_size": 96}).image_size == 96
    assert with_recipe({**PHOTOS, "weights": "mine.safetensors", "model": "vit_b_16"}).image_size == 48
    assert with_recipe({**PHOTOS, "weights": "mine.safetensors", "model": "maxvit_t"}).image_size == 224  # its smallest
    assert settings_form.defaults({**PHOTOS, "weights": "mine.safetensors"})["image_size"] == 48
    assert settings_form.defaults({**PHOTOS, "weights": "imagenet"})["image_size"] == 224
    # And its calibration, which is for its own classes, is no part of the network.
    assert load_pretrained("resnet18", checkpoint, channels=3, classes=2, image_size=48).fc.out_features == 2


def test_the_name_of_another_file_says_it(workspace):
    assert size_of_weights("resnet18-cifar10-48px.pth") == 48
    assert size_of_weights("resnet18.pth") == size_of_weights("imagenet") == size_of_weights("") == 0


@given(st.one_of(st.binary(max_size=60), st.integers(0, 2**63)))
def test_what_is_broken_says_nothing(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("w") / "x.safetensors"
    said = json.dumps({"__metadata__": {"imgcls": json.dumps({"preprocess": {"size": content}})}}).encode() if (
        isinstance(content, int)
    ) else content  # fmt: skip
    path.write_bytes(len(said).to_bytes(8, "little") + said)
    side = size_of_weights(path)
    assert side == (content if isinstance(content, int) and 8 <= content <= 512 else 0)


def test_the_home_of_nobody_says_nothing(workspace):
    assert size_of_weights("~nobody-of-this-name/x.safetensors", workspace) == 0
