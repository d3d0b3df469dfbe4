"""The Init lab says in a sentence and a picture what an initialisation does to the signal."""

import pytest

from imgcls.recipes import with_recipe
from imgcls.settings import choices
from imgcls.training.layer_statistics import LayerStatistics, layer_statistics
from imgcls.web.i18n.translator import Translator
from imgcls.web.init_lab.layer_lessons import RULES, layers, lesson, movement, sound_band

EN, ZH = Translator("en"), Translator("zh")


def rows(factor, *, start=1.0, count=5, gradient=1.0):
    return [
        LayerStatistics(f"l{i}", 0.0, start * factor ** (i + 1), gradient, given=start * factor**i)
        for i in range(count)
    ]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (rows(1 / 3), "about 1/3 of the signal: after 5 layers 0.0041 of it is left"),
        (rows(1.0), "about as much as it gets: after 5 layers the signal is 1 times"),
        (rows(10.0), "about 10 times larger: after 5 layers it is 10⁵ times"),
        (rows(1e-3, gradient=1e-12), "Next to no gradient reaches the first layer"),
        (rows(10.0, gradient=1e6), "throws the weights far away"),
        (rows(0.0), "all units of a layer are alike"),
        ([LayerStatistics("l", None, None, None, given=1.0)], "beyond every number"),
    ],
)
def test_one_sentence_says_what_happens_to_the_signal(made, said):
    assert said in lesson(made, EN)
    assert lesson(made, ZH) != lesson(made, EN)


def test_bars_are_logarithmic_and_say_which_die_and_which_explode():
    made = layers(rows(1e-3))
    widths = [layer.signal.width for layer in made]
    assert widths[0] - widths[1] == pytest.approx(3 / 12) and widths[-1] == 0.01
    left, width = sound_band()
    assert layers(rows(1.0))[0].signal.kind == "" and left < layers(rows(1.0))[0].signal.width < left + width
    assert made[1].signal.kind == "dies" and layers(rows(100.0))[0].signal.kind == "explodes"


def test_real_initialisations_are_told_apart(workspace):
    small = {"train_images": 300, "val_split": 100, "batch_size": 64, "threads": 1, "device": "cpu"}
    said = {
        init: lesson(layer_statistics(with_recipe({**small, "init": init}), workspace, steps=1), EN)
        for init in ("kaiming-uniform", "all-zeros", "too-small", "too-large")
    }
    assert len(set(said.values())) == 4
    assert "of it is left" in said["too-small"] and "larger" in said["too-large"]
    assert "alike" in said["all-zeros"] and "as much as it gets" in said["kaiming-uniform"]


def moved(*updates, dead=0.0, gradient=1.0):
    return LayerStatistics("l", 0.5, 1.0, gradient, 1.0, dead, (1, 2, 4, 2), tuple(updates))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (moved(-3.0, -2.9), "about 1/891 of what they were: a usual step"),
        (moved(-1.0), "about 1/10 of what they were: a large step"),
        (moved(4.0), "by 10,000 times what they were"),
        (moved(-5.0, None), "about 1/100,000 of what they were: so little"),
        (moved(-3.3, gradient=1e-12), "only by weight decay"),
        (moved(None, None), "Not one weight moves"),
    ],
)
def test_one_sentence_says_how_far_the_first_steps_move_the_weights(made, said):
    assert said in movement([made], EN) and movement([made], ZH) != movement([made], EN)


def test_small_pictures_show_what_a_layer_says_and_how_far_it_moves():
    (layer,) = layers([moved(-3.0, None, -9.0)])
    assert layer.steps == (((0.0, 0.5),), ((1.0, 1.0),))  # -3 in the middle, broken where nothing moved, kept inside
    assert layer.says.heights == (0.25, 0.5, 1.0, 0.5) and (layer.says.low, layer.says.high) == ("−2.5", "3.5")
    assert layer.says.silenced == 2 and layers([moved(-3.0, dead=None)])[0].says.silenced == 0  # no ReLU after the last
    assert layers(rows(0.0))[0].says is None


def test_every_initialisation_has_its_rule_in_words():
    assert set(RULES) == set(choices("init"))
