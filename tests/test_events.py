"""Events: to a line and back, whatever stands in the file."""

import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from imgcls.messages import Message, Setting, plural
from imgcls.training import events


def test_every_kind_survives_the_file():
    made = [
        events.Started(
            run="r",
            classes=("猫", "dog"),
            images={"train": 3},
            parameters=5,
            trainable=4,
            device="cpu",
            precision="fp32",
            total_steps=9,
            steps_per_epoch=3,
            model=object(),
        ),
        events.ThreadsChosen(threads=2, rates={"1": 5.0}, step=3),
        events.Note(code="resuming"),
        events.Saved(kind="best", path="p", epoch=1, step=3),
        events.Stopped(step=3, epoch=0.5, seconds=1.5, checkpoint=None),
        events.Note(code="reading", message=Message("{done:,} of {images:,}", done=1000, images=2000)),
        events.Failed(message=Message("no")),
        events.Failed(message=plural("{count} {x}", "{count} {x}s", count=2, x=Setting("lr")), error="RunError"),
    ]
    for event in made:
        line = events.to_line(event)
        assert "\n" not in line
        back = events.from_line(line)
        assert type(back) is type(event) and events.to_line(back) == line


def test_sentences_come_back_with_their_values():
    note = Message("{name} has {rest}", name="a", rest=plural("{count} image", "{count} images", count=2))
    failed = events.Failed(message=Message("{setting} is {value:g}.", setting=Setting("lr"), value=1.5))
    back = events.from_line(events.to_line(failed))
    assert str(back.message) == "lr is 1.5." and back.message == failed.message
    assert str(Message.from_dict(json.loads(json.dumps(note.as_dict())))) == "a has 2 images"


def test_files_of_before_hold_finished_sentences():
    failed = events.from_line('{"event": "Failed", "message": "It broke {here}.", "unexpected": true}')
    assert str(failed.message) == "It broke {here}."
    assert events.from_line('{"event": "Note", "code": "reading", "values": {"done": 1}}').message is None


def test_what_lives_in_memory_never_reaches_the_file():
    line = events.to_line(
        events.Started(
            run="r", classes=(), images={}, parameters=0, trainable=0, device="", precision="",
            total_steps=0, steps_per_epoch=0, model=object(), sample=object(),
        )
    )  # fmt: skip
    assert not {"model", "sample", "example"} & set(json.loads(line))


def test_a_loss_that_is_no_number_is_still_json():
    line = events.to_line(
        events.Progress(
            step=1, epoch=0.1, loss=math.nan, accuracy=0, lr=1, images_per_second=math.inf, seconds_left=0
        )
    )  # fmt: skip
    assert "NaN" not in line and "Infinity" not in line
    assert math.isnan(events.from_line(line).loss)


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_line_is_an_event_or_nothing(text):
    made = events.from_line(text)
    assert made is None or isinstance(made, events.Event)


@given(st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda x: st.dictionaries(st.text(max_size=5), x)))
@settings(max_examples=100, deadline=None)
def test_foreign_json_is_nothing(value):
    assert events.from_line(json.dumps(value)) is None
