"""A lesson beside the Init lab: labels that are wrong on purpose are learnt by heart, and an audit finds them."""

from __future__ import annotations

from typing import Any

import gradio as gr

from imgcls.recipes import with_recipe
from imgcls.settings import TrainSettings
from imgcls.web.classroom.view import NAMED
from imgcls.web.data.audit import AuditView, request
from imgcls.web.shared import address, settings_form
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.events import LOCAL, QUIET, TOLD, guard
from imgcls.web.shared.render import render
from imgcls.web.train import plan_card
from imgcls.web.train.tab import TrainTab

FOUND_BY = ("dataset", "flip_labels", "train_images")  # the labels that are wrong
FIELDS = (*FOUND_BY, "epochs")
# Measured with LeNet on MNIST: training accuracy ends at 1.0, validation accuracy falls from .87 (epoch 4) to .75.
TO_BEGIN_WITH = {"flip_labels": 0.3, "train_images": 2000, "epochs": 30}


def build(context: PageContext, training: TrainTab) -> None:
    words, watch, limits, people = context.words, context.watch, context.limits, context.people
    page, rooms = context.page, context.rooms
    workspace, guarded = watch.workspace, guard(words)
    with gr.Column(elem_classes="room"), gr.Column(elem_classes="card"):
        more = words(
            "Some labels are wrong on purpose. The network ends up knowing them by heart: training accuracy goes on "
            "rising while validation accuracy turns and falls. Where it turns, stopping would have been best. Networks "
            "that never saw a label can point out which labels look wrong."
        )
        gr.HTML(render("title", words, title=words("Wrong labels"), more=more), elem_classes="part-title")
        with gr.Row(elem_classes="fields"):
            fields = settings_form.some(words, workspace, limits, FIELDS, prefix="wrong", values=TO_BEGIN_WITH)
        with gr.Row(elem_classes="actions"):
            start = gr.Button(words("Train on them"), variant="primary", elem_id="wrong-start")
            find = gr.Button(words("Find them again"), elem_id="wrong-find", elem_classes="quiet")
        found = AuditView(words, workspace, limits, people, elem_id="flipped-audit")

    def begin(request: gr.Request, *given: Any) -> list[Any]:
        """A run like any other, watched in its own room."""
        settings = with_recipe({n: value for n, value in zip(fields, given, strict=True) if value is not None})
        expected = plan_card.expected(settings, workspace) if people.shared else None
        run = limits.start(settings, workspace, owner=people.starter(request), expected=expected)
        watch.forget(run.name)
        return [run.name, gr.Tabs(selected="train")]

    def again(*given: Any) -> str:
        """Among those that the run learns from."""
        said = {n: value for n, value in zip(FOUND_BY, given, strict=True) if value is not None}
        settings = TrainSettings.checked(said)
        return request(settings.dataset, flip=settings.flip_labels, train_images=settings.train_images, begin=True)

    begun = start.click(
        guarded(begin),
        list(fields.values()),
        [training.run, rooms],
        js=NAMED if people.shared else None,
        api_visibility="private",
        show_progress="hidden",
    )
    begun.success(None, training.run, None, js=address.puts("run"), **LOCAL)
    find.click(guarded(again), [fields[name] for name in FOUND_BY], found, **TOLD)
    there = [page.load, context.changes.change]
    gr.on(
        there,
        lambda: gr.update(choices=settings_form.dataset_choices(words, workspace)),
        None,
        fields["dataset"],
        **QUIET,
    )
