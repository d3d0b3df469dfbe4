"""Any classification network of torchvision: it builds, learns a step, is saved, read back and answers.

A sample of the families stands for all by default; `pytest -m slow` runs every network.
"""

import pytest
import torch
import torchvision
from photos import photo
from torch import nn

from imgcls.checkpoints.format import Meta, load_checkpoint, save_checkpoint
from imgcls.errors import SettingsError
from imgcls.inference.predictor import Predictor
from imgcls.models import build, model_spec, transfer
from imgcls.models.layers import cam_layer, head_name, stages, within
from imgcls.models.meta_model import meta_model, misfit
from imgcls.models.registry import MODELS, OTHERS, REGISTRY
from imgcls.models.torchvision_table import TABLE
from imgcls.recipes import preprocess_for, with_recipe

SAMPLE = ("squeezenet1_1", "mobilenet_v3_small", "shufflenet_v2_x0_5", "mnasnet0_5", "regnet_y_400mf", "googlenet",
          "densenet121", "efficientnet_b0", "swin_t", "vit_b_32", "lenet-16-32", "alexnet-half")  # fmt: skip
REST = [name for name in REGISTRY if name not in SAMPLE]


def test_the_table_is_torchvision_s():
    models = torchvision.models
    names = set(models.list_models(module=models))
    assert {row.name for row in TABLE} == names - {"alexnet", "resnet18"}
    rows = [(row.name, row.parameters, row.accuracy, row.native, row.resize, row.interpolation, row.file)
            for row in TABLE]  # fmt: skip
    for name, parameters, accuracy, native, resize, interpolation, file in rows:
        weights = models.get_model_weights(name).DEFAULT
        made = weights.transforms()
        assert (parameters, accuracy) == (weights.meta["num_params"], weights.meta["_metrics"]["ImageNet-1K"]["acc@1"])
        assert ([native], [resize], interpolation) == (made.crop_size, made.resize_size, made.interpolation.value), name
        assert weights.url.endswith("/" + file)
        spec = model_spec(name)
        if name not in ("googlenet", "inception_v3"):  # which normalise once more inside
            assert list(spec.mean) == made.mean and list(spec.std) == made.std, name
    for spec in MODELS[1:3]:
        weights = models.get_model_weights(spec.name).DEFAULT
        assert weights.url.endswith("/" + spec.weights[0]) and spec.parameters == weights.meta["num_params"]


@pytest.mark.parametrize("name", ["resnet50", "efficientnet_b0", "swin_t"])
def test_a_photo_reaches_it_as_torchvision_s_transforms_bring_it(name):
    form = preprocess_for(with_recipe({"model": name, "dataset": "flowers"}))
    picture = photo("rose", 3, size=(400, 300))
    ours = form.to_input(form.to_stored(picture)[None])[0]
    theirs = torchvision.models.get_model_weights(name).DEFAULT.transforms()(picture)
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)


def all_of_it(name, tmp_path):
    spec, channels = model_spec(name), 3
    size = spec.fitting_size(32)
    torch.manual_seed(0)
    model = build(name, channels=channels, classes=3, image_size=size)
    optimizer = torch.optim.SGD(transfer.param_groups(model, mode="scratch", lr=1e-4), lr=1e-4)
    loss = nn.functional.cross_entropy(model(torch.randn(2, channels, size, size)), torch.tensor([0, 2]))
    loss.backward()
    optimizer.step()
    assert torch.isfinite(loss)
    for module in model.modules():  # a fresh deep network in eval mode overflows unless its statistics are true
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        seen = torch.randn(8, channels, size, size)
        model(seen)
    form = preprocess_for(with_recipe({"model": name, "dataset": "flowers", "image_size": size, "transfer": "scratch"}))
    meta = Meta(model=name, classes=("daisy", "rose", "tulip"), preprocess=form)
    save_checkpoint(tmp_path / "best.safetensors", model.state_dict(), meta)
    del optimizer, loss
    again, _ = load_checkpoint(tmp_path / "best.safetensors")
    x = seen[:1]  # others may lie so far from eight images' statistics that the network overflows
    with torch.inference_mode():
        assert torch.equal(again(x), model.eval()(x))
    answer = Predictor.load(tmp_path / "best.safetensors")([photo("rose", 1)])[0]
    assert answer.label in meta.classes and answer.model_input.shape == (size, size, 3)
    whole = {n for n, _ in model.named_parameters()}
    opened = [part for stage in stages(model) for part in stage]
    assert stages(model)[0] == (head_name(model),) and all(within(n, opened) for n in whole)
    assert not cam_layer(model) or model.get_submodule(cam_layer(model))
    if spec.features:
        backbone, head = transfer.split_backbone(model)
        with torch.inference_mode():
            features = backbone(x)
            torch.testing.assert_close(head(features), model(x))
            # Doubles: such a network's activations reach 70,000, and what rounding makes of them differs by processor.
            double, x = model.double(), x.double()
            plain = transfer.split_backbone(double)[0](x)
            folded = transfer.split_backbone(transfer.folded(double))[0](x)
        torch.testing.assert_close(folded, plain, rtol=1e-6, atol=1e-6)
        assert features.ndim == 2


@pytest.mark.parametrize("name", SAMPLE)
def test_it_learns_and_answers(name, tmp_path):
    all_of_it(name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", REST)
def test_every_other_network_learns_and_answers(name, tmp_path):
    all_of_it(name, tmp_path)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "squeezenet1_1", "swin_t", "vit_b_32", "efficientnet-lite0"])
def test_one_channel(name):
    size = model_spec(name).fitting_size(32)
    model = build(name, channels=1, classes=3, image_size=size).eval()
    assert model(torch.randn(2, 1, size, size)).shape == (2, 3)


@pytest.mark.parametrize("name", REGISTRY)
def test_a_skeleton_has_its_shapes_and_no_memory(name):
    spec = model_spec(name)
    made = meta_model(name, channels=3, classes=1000, image_size=spec.default_size)
    large = [p for p in made.parameters() if p.numel() > 10_000]
    assert all(p.is_meta for p in large)
    counted = sum(p.numel() for p in made.parameters())
    other = ("lenet", "lenet-16-32", "alexnet-half", "inception_v3")  # ten classes; a side exit counted by torchvision
    assert name in other or counted == spec.parameters or spec.default_size != spec.native
    shapes = {n: tuple(t.shape) for n, t in made.state_dict().items()}
    assert misfit(made, shapes) is None
    shapes[head_name(made) + ".weight"] = (7, 7)
    assert misfit(made, shapes)[0] == head_name(made) + ".weight"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"model": "vgg11", "image_size": 16}, "at least 32"),
        ({"model": "vit_b_16", "image_size": 100}, "multiple of 16"),
        ({"model": "squeezenet1_1", "transfer": "head"}, "cannot learn its last layer alone"),
        ({"model": "inception_v3", "dataset": "mnist", "image_size": 64}, "at least 75"),
    ],
    ids=str,
)
def test_what_a_network_cannot_do_is_said_before_start(said, why):
    settings = with_recipe({"dataset": "flowers", **said})
    with pytest.raises(SettingsError, match=why):
        model_spec(settings.model).check(preprocess_for(settings).size, transfer=settings.transfer)


def test_positions_of_a_transformer_are_interpolated_to_another_size(tmp_path):
    from imgcls.models.pretrained import load_pretrained

    theirs = torchvision.models.vit_b_32(num_classes=5)
    torch.save(theirs.state_dict(), tmp_path / "vit.pth")
    made = load_pretrained("vit_b_32", tmp_path / "vit.pth", channels=3, classes=2, image_size=64)
    assert made.encoder.pos_embedding.shape == (1, 5, 768)
    assert torch.equal(made.class_token, theirs.class_token)


def test_names_do_not_hide_each_other():
    names = [spec.name for spec in (*MODELS, *OTHERS)] + [row.name for row in TABLE]
    assert len(names) == len(set(names)) == len(REGISTRY)
