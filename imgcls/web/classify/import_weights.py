"""Weights of one's own, uploaded in Classify: what the file is stands there at once, what it cannot say is asked once.

Knows the form and its fields; what a file is and what becomes of it is checkpoints/import_weights.py's business.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from imgcls.data.registry import kind_of
from imgcls.errors import DatasetError, ImgclsError, InputError, SettingsError
from imgcls.messages import N_
from imgcls.models.registry import REGISTRY
from imgcls.web.data import report_card
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared import settings_form
from imgcls.web.shared.choice import Choice
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.events import LOCAL, REPORT_ERRORS, guard
from imgcls.web.shared.limits import Limits
from imgcls.web.shared.render import render
from imgcls.web.shared.results import show_result_of
from imgcls.web.shared.work_gate import address_of, work_here
from imgcls.workspace import WEIGHTS, Workspace

if TYPE_CHECKING:
    from imgcls.training.trial import Trial

IMAGE_KINDS = {
    "digits": N_("Digits, as MNIST"),
    "characters": N_("Letters and characters, as KMNIST"),
    "garments": N_("Garments, as Fashion-MNIST"),
    "tiny": N_("Small colour images, as CIFAR-10"),
    "photos": N_("Photos"),
}
MAX_NAMES_SHOWN = 100  # names that are written into the field; more of them are proposed by being left out
ONNX = ".onnx"
MAX_NAMES_CHARS = 200_000  # characters of class names


class ImportWeights:
    """`checkpoint` is set to what was made, `sources` to the tab where it can be tried; `listed`: the checkpoints to
    choose from."""

    def __init__(
        self,
        context: PageContext,
        checkpoint: gr.Dropdown,
        sources: gr.Tabs,
        listed: Callable[[], list[tuple[str, str]]],
    ) -> None:
        self.context, self.checkpoint, self.sources, self.listed = context, checkpoint, sources, listed
        self.translate, self.workspace, self.limits = context.translate, context.run_cache.workspace, context.limits

    # ---- what stands where

    def layout(self) -> None:
        """The fold, at the place where it is called."""
        translate = self.translate
        hint = translate(
            "A file that another program saved ({kinds}, at most {most:,} MB) becomes a checkpoint of this lab. "
            "Network, channels and number of classes are recognised; nothing in the file is executed.",
            kinds=", ".join(_kinds(self.limits)),
            most=self.limits.upload_mb,
        )
        with gr.Accordion(translate("Use weights of your own"), open=False, elem_id="adopting", elem_classes="card"):
            gr.HTML(render("title", translate, title=None, more=hint), elem_classes="part-title")
            self.file = gr.File(
                label=translate("File of weights"),
                file_types=_kinds(self.limits),
                show_label=False,
                elem_id="adopt-file",
                height=120,
            )
            self.message = gr.HTML("", elem_id="adopt-said", elem_classes="part-title", min_height=0)
            with gr.Column(visible=False, elem_id="adopt-ask") as self.ask:
                self._lay_out_questions()
        self.recognised = gr.State(None)
        self.form = [self.classes, self.dataset, self.kind, self.size, self.mean, self.std, self.name]

    def _lay_out_questions(self) -> None:
        translate = self.translate
        self.classes = gr.Textbox(
            label=translate("Names of the classes, in their order, with commas between"),
            lines=2,
            max_lines=6,
            max_length=MAX_NAMES_CHARS,
            elem_id="adopt-classes",
        )
        self.dataset = Choice(
            _data_sets(translate, self.workspace),
            value="",
            label=translate("Try it on a data set with these classes"),
            elem_id="adopt-set",
            allow_custom_value=True,
        )
        with gr.Row(elem_classes="fields"):
            self.kind = gr.Dropdown(
                [(translate(name), value) for value, name in IMAGE_KINDS.items()],
                label=translate("What it learnt from"),
                elem_id="adopt-kind",
            )
            self.size = gr.Number(label=translate.setting("image_size"), precision=0, elem_id="adopt-size")
            self.mean = gr.Textbox(label=translate("Mean"), max_lines=1, max_length=80, elem_id="adopt-mean")
            self.std = gr.Textbox(
                label=translate("Standard deviation"), max_lines=1, max_length=80, elem_id="adopt-std"
            )
            self.name = gr.Textbox(
                label=translate("Checkpoint's name"), max_lines=1, max_length=80, elem_id="adopt-name"
            )
        self.make = gr.Button(translate("Make it a checkpoint"), variant="primary", elem_id="adopt-make")

    # ---- what happens when

    def wire(self) -> None:
        file, recognised, form_fields = self.file, self.recognised, [self.size, self.mean, self.std]
        questions = [recognised, self.message, self.ask, *self.form]
        gr.on([file.upload, file.clear, file.delete], self.looked, file, questions, **REPORT_ERRORS)
        names_and_form = [self.classes, self.kind, *form_fields]
        of_data_set = guard(self.translate)(partial(_of_data_set, self.context))
        self.dataset.input(of_data_set, [recognised, self.dataset], names_and_form, **REPORT_ERRORS)
        self.kind.input(self.other_kind, [recognised, self.kind], form_fields, **REPORT_ERRORS)
        after_import = [self.checkpoint, self.sources, file, self.message, self.ask, recognised]
        self.make.click(self.adopt_it, [file, *self.form], after_import, api_visibility="private")
        self.make.click(None, None, None, js=show_result_of("#adopt-make"), **LOCAL)

    def looked(self, request: gr.Request, path: str | None) -> list[Any]:
        """What the file is, and the questions that it leaves with what most likely answers them."""
        nothing = [None, "", gr.update(visible=False), *[gr.skip()] * len(self.form)]
        if not path:
            return nothing
        from imgcls.checkpoints.import_weights import likely_kind, proposed_classes
        from imgcls.checkpoints.recognition import recognise

        try:
            _check_kind(Path(path), self.limits)
            recognised_network, _ = work_here("document", None, lambda: recognise(Path(path)), address_of(request))
        except ImgclsError as error:
            return [None, _problem(error, self.translate), *nothing[2:]]
        class_names = proposed_classes(recognised_network)
        usual = likely_kind(recognised_network)
        more = self.translate(
            "{model}; channels: {channels}, classes: {count:,}",
            count=recognised_network.classes,
            channels=recognised_network.channels,
            model=REGISTRY[recognised_network.model].title,
        )
        return [
            recognised_network,
            render("title", self.translate, title=Path(path).name, more=more),
            gr.update(visible=True),
            gr.update(
                value=", ".join(class_names) if len(class_names) <= MAX_NAMES_SHOWN else "",
                placeholder=self.translate("ImageNet's 1,000 classes")
                if len(class_names) > MAX_NAMES_SHOWN
                else self.translate("cat, dog"),
            ),
            gr.update(choices=_data_sets(self.translate, self.workspace), value=""),
            usual,
            *_form_of(recognised_network, usual),
            gr.update(value="", placeholder=Path(path).stem[:80]),
        ]

    def other_kind(self, recognised_network: Any, chosen: str) -> list[Any]:
        return _form_of(recognised_network, chosen) if recognised_network else [gr.skip()] * 3

    def adopt_it(
        self, request: gr.Request, path: str | None, said_classes: str, chosen: str, kind: str, *values: Any
    ) -> list[Any]:
        """The checkpoint, chosen in the list above; or the sentence that says what is missing."""
        try:
            key, trial = _adopted(self.context, address_of(request), path, said_classes, chosen, kind, *values)
        except ImgclsError as error:
            return [gr.skip(), gr.skip(), gr.skip(), _problem(error, self.translate), gr.skip(), gr.skip()]
        done = render("title", self.translate, title=None, more=_made_sentence(key, trial, chosen, self.translate))
        tab = gr.Tabs(selected="draw" if kind == "digits" else "photo")
        return [gr.update(choices=self.listed(), value=key), tab, None, done, gr.update(visible=False), None]


def _kinds(limits: Limits) -> list[str]:
    """A graph is run once to see what it answers: a visitor's could take all memory."""
    return [*WEIGHTS] if limits.public else [*WEIGHTS, ONNX]


def _check_kind(file: Path, limits: Limits) -> None:
    if file.suffix.lower() == ONNX and limits.public:
        raise InputError(
            "A shared lab takes no ONNX files: whoever looks after it can run `{command}`.",
            command=f"python -m imgcls adopt {file.name}",
        )


def _adopted(
    context: PageContext,
    user: str,
    path: str | None,
    said_classes: str,
    chosen: str,
    kind: str,
    size: int | None,
    mean: str,
    std: str,
    name: str,
) -> tuple[str, Trial | None]:
    """(its key, how it did on the data set that was chosen)."""
    from imgcls.checkpoints.import_weights import check_room, import_weights, proposed_classes
    from imgcls.checkpoints.recognition import recognise

    workspace, limits = context.run_cache.workspace, context.limits
    if not path or not Path(path).is_file():
        raise SettingsError("Choose a file of weights first.")
    file = Path(path)
    _check_kind(file, limits)
    check_room(workspace, limits.adopted if limits.public else None)
    fields = {"size": size, "mean": _numbers(mean), "std": _numbers(std)}
    named = tuple(item.strip() for item in said_classes.replace("，", ",").split(",") if item.strip())
    options: dict[str, Any] = {
        "classes": named or work_here("document", None, lambda: proposed_classes(recognise(file)[0]), user),
        "kind": kind,
        "changes": {field: value for field, value in fields.items() if value},
    }
    best = None
    if chosen:
        limits.check_name(chosen)
        best = work_here("dataset", None, lambda: _best(file, chosen, context, options), user)
    options |= {"name": name.strip(), "chosen": best.found if best else None}
    path_made = work_here("document", None, lambda: import_weights(file, workspace, **options), user)
    context.run_cache.forget(path_made.parent.name)
    return f"{path_made.parent.name}/{path_made.stem}", best


def _best(file: Path, dataset: str, context: PageContext, options: dict[str, Any]) -> Trial:
    """What the file most likely is, by the images of a data set. Raises ImgclsError, also where a shared lab has not
    the time."""
    from imgcls.training.trial import try_on

    end = time.monotonic() + (context.limits.report_seconds or math.inf)

    def in_time(*_: int) -> None:
        if time.monotonic() > end:
            raise DatasetError(
                "This takes longer than a shared lab allows: whoever looks after it can run `{command}`.",
                command=f"python -m imgcls adopt {file.name} --classes-from {dataset}",
            )

    return try_on(file, dataset, context.run_cache.workspace, progress=in_time, **options)[0]


def _of_data_set(context: PageContext, recognised_network: Any, chosen: str) -> list[Any]:
    """The names of its classes, its kind of images, and how such images reach the network."""
    from imgcls.training.trial import classes_in

    if not chosen or not recognised_network:
        return [gr.skip()] * 5
    context.limits.check_name(chosen)
    kind, names = kind_of(chosen), classes_in(chosen, context.run_cache.workspace)
    return [", ".join(names), kind, *_form_of(recognised_network, kind)]


def _data_sets(translate: Translator, workspace: Workspace) -> list[tuple[str, str]]:
    return [(translate("do not try it"), ""), *settings_form.dataset_choices(translate, workspace)]


def _made_sentence(key: str, trial: Trial | None, dataset: str, translate: Translator) -> str:
    sentence = translate("{name} is there.", name=key.split("/")[0])
    if trial:
        sentence += " " + translate(
            "It names {right:,} of {images:,} images of {name} right.",
            right=trial.right,
            images=trial.images,
            name=dataset,
        )
    if trial and trial.is_guessing:
        sentence += " " + translate(
            "That is little better than a guess: its classes may be in another order, or its images made ready in "
            "another way."
        )
    return sentence


def _form_of(recognised_network: Any, kind: str) -> list[Any]:
    """Size, mean and standard deviation as the recipe has them for images of this kind."""
    from imgcls.checkpoints.import_weights import proposed

    form = proposed(recognised_network, kind=kind)
    return [form.size, *(", ".join(f"{value:g}" for value in values) for values in (form.mean, form.std))]


def _numbers(text: str) -> tuple[float, ...]:
    """ "0.5, 0.5, 0.5" -> (.5, .5, .5). Raises SettingsError."""
    try:
        return tuple(float(item) for item in text.replace("，", ",").replace("/", ",").split(",") if item.strip())
    except ValueError:
        raise SettingsError(
            "{text} cannot be read: give a number for each channel, with commas between.", text=text[:60]
        ) from None


def _problem(error: ImgclsError, translate: Translator) -> str:
    return report_card.problem(translate.message(error.message), translate)
