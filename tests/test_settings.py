"""TrainSettings: every field reaches the four indices; bad values get one sentence."""

import argparse
import json
import math

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from imgcls.cli.parser import add_settings, explicit_settings, make_parser
from imgcls.errors import SettingsError
from imgcls.models import NAMES, model_spec
from imgcls.recipes import preprocess_for, recipe, with_recipe
from imgcls.settings import TrainSettings, command_line, limits

BAD = [
    ("lr", 0),
    ("lr", -1),
    ("lr", math.nan),
    ("lr", math.inf),
    ("lr", "fast"),
    ("model", "../vgg"),
    ("epochs", None),
    ("epochs", ""),
    ("epochs", 10**9),
    ("epochs", 2.5),
    ("batch_size", 0),
    ("name", "../x"),
    ("name", "a/b"),
    ("name", ".hidden"),
    ("name", "CON"),
    ("name", "x" * 81),
    ("name", "a\nb"),
    ("dataset", ""),
    ("dataset", "  "),
    ("dataset", "a\x00b"),
    ("val_split", 1.5),
    ("val_split", 0),
    ("momentum", 1),
    ("device", "tpu"),
]


@pytest.mark.parametrize(("field", "value"), BAD, ids=[f"{f}={v!r}" for f, v in BAD])
def test_a_bad_value_names_field_and_range(field, value):
    with pytest.raises(SettingsError) as caught:
        TrainSettings.checked({field: value})
    sentence = str(caught.value)
    assert caught.value.field == field
    assert field in sentence and sentence.endswith(".") and "\n" not in sentence
    assert "must" in sentence


def test_unknown_settings_are_refused():
    with pytest.raises(SettingsError, match="no setting 'colour'"):
        TrainSettings.checked({"colour": 1})


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"transfer": "head"}, "weights"),
        ({"weights": "imagenet"}, "transfer"),
        ({"nesterov": True, "momentum": 0}, "nesterov"),
        ({"epochs": 2, "warmup_epochs": 2}, "warmup_epochs"),
    ],
)
def test_settings_that_contradict_each_other(values, field):
    with pytest.raises(SettingsError) as caught:
        TrainSettings.checked(values)
    assert caught.value.field == field


def test_every_field_has_help_group_and_a_range():
    for name, info in TrainSettings.model_fields.items():
        assert info.description, name
        assert info.json_schema_extra["group"], name
        assert limits(name), name


def test_every_field_is_a_flag_and_comes_back_as_it_was():
    parser = argparse.ArgumentParser()
    add_settings(parser)
    settings = TrainSettings(epochs=3, lr=0.25, nesterov=True, optimizer="sgd", name="x")
    flags = []
    for name, value in settings.model_dump().items():
        flags += ["--" + name.replace("_", "-"), str(value)]
    assert TrainSettings.checked(explicit_settings(parser.parse_args(flags))) == settings


def test_a_bare_flag_switches_on():
    arguments = make_parser().parse_args(["train", "--nesterov", "--optimizer", "sgd"])
    assert with_recipe(explicit_settings(arguments)).nesterov is True


def test_settings_survive_json():
    settings = TrainSettings(dataset="我的花", lr=1e-3)
    assert TrainSettings.checked(json.loads(settings.model_dump_json())) == settings


@pytest.mark.parametrize("dataset", ["mnist", "fashion-mnist", "cifar10", "flowers"])
@pytest.mark.parametrize("model", [*NAMES, "mobilenet_v3_small", "vit_b_16", "inception_v3", "vit_h_14", "maxvit_t"])
def test_every_recipe_is_valid_and_can_be_overridden(model, dataset):
    settings = with_recipe({"model": model, "dataset": dataset})
    for name, value in recipe(model, dataset, settings.transfer).items():
        assert getattr(settings, name) == value
    assert with_recipe({"model": model, "dataset": dataset, "epochs": 7, "image_size": 96}).epochs == 7
    model_spec(model).check(settings.image_size)
    form = preprocess_for(settings)
    assert len(form.mean) == len(form.std) == form.channels


def test_preprocessing_is_the_courses():
    def form(**values):
        return preprocess_for(with_recipe(values))

    mnist = form(model="lenet", dataset="mnist")
    assert (mnist.channels, mnist.size, mnist.mean, mnist.std) == (1, 28, (0.5,), (0.5,))
    alexnet = form(model="alexnet", dataset="cifar10")
    assert (alexnet.size, alexnet.mean, alexnet.upscale) == (224, (0.5, 0.5, 0.5), "whole")
    resnet = form(model="resnet18", dataset="flowers")
    assert (resnet.size, resnet.resize_mode) == (224, "crop")
    assert resnet.mean == (0.485, 0.456, 0.406) and resnet.std == (0.229, 0.224, 0.225)


@hypothesis_given(st.text(max_size=120))
@hypothesis_settings(max_examples=200, deadline=None)
def test_a_name_is_a_safe_folder_name_or_a_sentence(name):
    try:
        settings = TrainSettings.checked({"name": name})
    except SettingsError:
        return
    assert not set(settings.name) & set('/\\:*?"<>|\0\n') and not settings.name.startswith(".")


@hypothesis_given(
    st.dictionaries(st.sampled_from(sorted(TrainSettings.model_fields)), st.text(max_size=20), max_size=4)
)
@hypothesis_settings(max_examples=200, deadline=None)
def test_wild_values_never_raise_anything_else(values):
    try:
        with_recipe(values)
    except SettingsError as error:
        assert "\n" not in str(error)


def test_default_name_says_what_it_is():
    assert TrainSettings(dataset="/workspace/x/my flowers/").default_name().startswith("lenet-my-flowers-20")
    assert TrainSettings(dataset="mnist+pen-digits").default_name().startswith("lenet-mnist-pen-digits-20")


def test_a_command_says_values_as_a_person_types_them():
    settings = {"val_split": 200.0, "lr": 0.05, "nesterov": True, "name": "a b", "weight_decay": 0.0}
    said = command_line(settings)
    assert said == "python -m imgcls train --val-split 200 --lr 0.05 --nesterov true --name 'a b' --weight-decay 0"
