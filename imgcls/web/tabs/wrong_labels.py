"""A lesson beside the Init lab: labels that are wrong on purpose are learnt by heart, and an audit finds them."""

from __future__ import annotations

from typing import Any

import gradio as gr

from imgcls.recipes import with_recipe
from imgcls.settings import TrainSettings
from imgcls.web.actions import QUIET, TOLD, guard
from imgcls.web.components import form
from imgcls.web.components.audit import AuditView, request
from imgcls.web.context import PageContext
from imgcls.web.tabs import train
from imgcls.web.views import plan_card
from imgcls.web.views.render import render

FOUND_BY = ("dataset", "flip_labels", "train_images")  # the labels that are wrong
FIELDS = (*FOUND_BY, "epochs")
# Measured with LeNet on MNIST: training accuracy ends at 1.0, validation accuracy falls from .87 (epoch 4) to .75.
TO_BEGIN_WITH = {"flip_labels": 0.3, "train_images": 2000, "epochs": 30}


def build(context: PageContext, training: train.Room) -> None:
    words, watch, limits, people = context.words, context.watch, context.limits, context.people
    page, rooms = context.page, context.rooms
    workspace, guarded = watch.workspace, guard(words)
    with gr.Column(elem_classes="room"), gr.Column(elem_classes="card"):
        more = words(
            "Some labels are wrong on purpose. The network ends up knowing them by heart: training accuracy goes on "
            "rising while validation accuracy turns and falls. Where it turns, stopping would have been best. And the "
            "wrong ones can be found again: by what a network says that did not learn from them."
        )
        gr.HTML(render("title", words, title=words("Wrong labels"), more=more), elem_classes="part-title")
        with gr.Row(elem_classes="fields"):
            fields = form.some(words, workspace, limits, FIELDS, prefix="wrong", values=TO_BEGIN_WITH)
        with gr.Row(elem_classes="actions"):
            start = gr.Button(words("Train on them"), variant="primary", elem_id="wrong-start")
            find = gr.Button(words("Find them again"), elem_id="wrong-find", elem_classes="quiet")
        found = AuditView(words, workspace, limits, elem_id="flipped-audit")

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

    start.click(
        guarded(begin),
        list(fields.values()),
        [training.run, rooms],
        api_visibility="private",
        show_progress="hidden",
    )
    find.click(guarded(again), [fields[name] for name in FOUND_BY], found, **TOLD)
    there = [page.load, context.changes.change]
    gr.on(there, lambda: gr.update(choices=form.dataset_choices(words, workspace)), None, fields["dataset"], **QUIET)
