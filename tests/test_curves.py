"""Curves show what happened: nothing is cut off in silence, windows hold as many images, every tick is there."""

import re

import pytest

from imgcls.web.i18n.translator import Translator
from imgcls.web.shared import accuracy
from imgcls.web.shared.curves import Series, chart, number, windows

EN, ZH = Translator("en"), Translator("zh")


def drawn(points, **options):
    return str(chart("Loss", [Series("training", points)], EN, **({"x_end": 5, "x_name": "epochs"} | options)))


def test_windows_hold_equal_numbers_of_images_and_keep_the_mean():
    # Points come at equal times: three of one step, then one of 97, as after a slow start.
    points = [(0.01, 1, 0.0), (0.02, 1, 1.0), (0.03, 1, 1.0), (1.0, 97, 0.5)]
    made = windows(points, count=2)
    assert made == [(1.0, pytest.approx((0 + 1 + 1 + 97 * 0.5) / 100))]
    even = windows([(i, 10, float(i)) for i in range(100)], count=10)
    assert len(even) == 10 and even[0] == (9, 4.5) and even[-1] == (99, 94.5)


def test_accuracy_is_drawn_from_0_to_100_percent_and_can_be_zoomed():
    html = drawn([(i, 0.1 if i == 0 else 0.99) for i in range(10)], percent=True)
    assert re.findall(r'text-anchor="end">([\d.]+%)<', html)[:5] == ["0%", "25%", "50%", "75%", "100%"]
    assert 'class="zoomed"' in html and "98%" in html
    assert 'class="zoomed"' not in drawn([(0, 0.1), (5, 0.3)], percent=True)


def test_what_lies_outside_the_scale_is_marked_and_told():
    html = drawn([(i, 1.0) for i in range(60)] + [(60, 500.0)], x_end=60)
    assert html.count('class="outside') == 1 and "1 point is outside the scale, the highest at 500" in html
    assert 'class="outside' not in drawn([(i, 1 / (i + 1)) for i in range(60)], x_end=60)


@pytest.mark.parametrize("end", [1, 3, 5, 7, 10, 60, 1000])
def test_the_first_and_the_last_epoch_have_a_tick(end):
    html = drawn([(0, 1.0), (end, 0.5)], x_end=end)
    ticks = re.findall(r'text-anchor="middle">([\d.]+)<', html)
    assert ticks[0] == "0" and ticks[-1] == str(end) and len(ticks) <= 12 and len(ticks) == len(set(ticks))


def test_a_diverged_run_has_a_mark():
    assert 'class="broke"' in str(
        chart("Loss", [Series("t", [(0, 1.0), (1, 9.0)], broke=True)], EN, x_end=5, x_name="")
    )
    assert 'class="broke"' not in drawn([(0, 1.0), (1, 9.0)])


@pytest.mark.parametrize(
    ("value", "images", "said"), [(0.6111, 18, "61%"), (0.98416, 5000, "98.4%"), (0.99126, 10_000, "99.13%")]
)
def test_an_accuracy_has_the_digits_that_its_count_carries(value, images, said):
    assert accuracy.share(value, images) == said


def test_few_images_are_said_to_be_few():
    assert accuracy.counted(11 / 18, 18, EN) == "11 of 18 images"
    assert accuracy.counted(1.0, 1, EN) == "1 of 1 image"
    assert "39%" in accuracy.doubt(11 / 18, 18, EN) and "18 张" in accuracy.doubt(11 / 18, 18, ZH)
    assert accuracy.doubt(0.9, 50, EN) is None


def test_large_ticks_are_told_apart():
    assert [number(value) for value in (5e5, 1e6, 1.5e6, 2e6)] == ["5e5", "1e6", "1.5e6", "2e6"]
