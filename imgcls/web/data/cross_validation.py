"""Cross-validation of a folder of few photos: a figure from all of them, asked for beside the folder's report.

Knows the button and what is shown; training/cross_validation.py does the work.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import gradio as gr
from markupsafe import Markup

from imgcls.data.catalog import folder_of, own_folders
from imgcls.data.image_folders import folder_state
from imgcls.errors import DatasetError, ImgclsError
from imgcls.progress import Progress
from imgcls.web.data import report_card
from imgcls.web.data.audit_images import Pictures
from imgcls.web.data.long_reading import long_reading
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared import accuracy
from imgcls.web.shared.context import PageContext
from imgcls.web.shared.events import LOCAL, REPORT_ERRORS, SILENT
from imgcls.web.shared.render import render
from imgcls.web.shared.results import show_result_of
from imgcls.web.shared.work_gate import address_of
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from imgcls.training.cross_validation import CrossValidation

SHOWN = 60  # photos that were taken for another class, the most confident ones first
FEW_PHOTOS = 500  # of more a validation part alone says enough


@dataclass
class CrossValidationPanel:
    """`button`: there for folders of few photos alone; `result`: empty until somebody has pressed it."""

    context: PageContext
    button: gr.Button
    result: gr.HTML

    @classmethod
    def build(cls, context: PageContext) -> CrossValidationPanel:
        """The button at the place where it is called, the result where it is put with `result.render()`."""
        button = gr.Button(
            context.translate("Cross-validate"), elem_id="cross-validate", elem_classes="quiet", visible=False
        )
        return cls(context, button, gr.HTML("", elem_id="cross-validation", min_height=0, render=False))

    def connect(self, chosen: gr.Dropdown, tab: gr.Tab) -> None:
        """Shown for the data set that is chosen; another one takes the result away."""
        asked = self.button.click(
            self._show, chosen, self.result, **REPORT_ERRORS, concurrency_limit=4, trigger_mode="once"
        )
        self.button.click(None, None, None, js=show_result_of("#cross-validate"), **LOCAL)
        chosen.change(lambda: "", None, self.result, cancels=[asked], **SILENT)
        gr.on([chosen.change, tab.select], self._offered, chosen, self.button, **SILENT)

    def _offered(self, name: str) -> Any:
        return gr.update(visible=has_few_photos(name, self.context.run_cache.workspace))

    def _show(self, request: gr.Request, name: str) -> Iterator[str]:
        """How far it is, then the figures; whoever leaves the page ends that."""
        from imgcls.training.cross_validation import cross_validate

        run_cache, limits, translate = self.context.run_cache, self.context.limits, self.context.translate
        workspace, user = run_cache.workspace, address_of(request)

        def made(progress: Progress) -> CrossValidation:
            return cross_validate(name, workspace, progress=progress)

        work = long_reading(run_cache, name, "cross-validation", made, user=user, seconds=limits.report_seconds)
        try:
            limits.check_name(name)
            yield report_card.waiting(0, 0, translate)
            while True:
                try:
                    yield report_card.waiting(*next(work), translate)
                except StopIteration as ended:
                    if ended.value is None:
                        raise DatasetError(
                            "This takes longer than a shared lab allows: whoever looks after it can run `{command}`.",
                            command=f"python -m imgcls cross-validate {name}",
                        ) from None
                    yield card(ended.value, translate, workspace)
                    return
        except ImgclsError as error:
            yield report_card.problem(translate.message(error.message), translate)


def has_few_photos(name: str, workspace: Workspace) -> bool:
    """Whether it is a folder of one's own with fewer than FEW_PHOTOS; no more than those are looked at."""
    if name not in own_folders(workspace):
        return False
    try:
        return 0 < sum(1 for _ in islice(folder_state(folder_of(name, workspace)), FEW_PHOTOS)) < FEW_PHOTOS
    except (ImgclsError, OSError):
        return False


def card(result: CrossValidation, translate: Translator, workspace: Workspace) -> Markup:
    pictures = Pictures(workspace)
    low, high = result.interval
    interval = translate("95%: {low:.2%} to {high:.2%}", low=low, high=high)
    balanced = result.balanced_accuracy
    counted = accuracy.counted(result.accuracy, result.images, translate)
    left_out = translate.plural(
        "{count} photo was left out: no other fold has its class.",
        "{count} photos were left out: no other fold has their class.",
        count=result.not_judged,
    )
    return render(
        "cross_validation",
        translate,
        tiles=[
            (
                translate("Accuracy"),
                accuracy.share(result.accuracy, result.images),
                f"{interval} · {counted}",
            ),
            (
                translate("Balanced accuracy"),
                "–" if balanced is None else accuracy.share(balanced, result.images),
                translate("macro recall: the mean of the classes' recalls"),
            ),
        ],
        model=translate.value(result.model),
        folds=result.folds,
        left_out=left_out if result.not_judged else "",
        mistakes=[
            {
                "picture": pictures.thumbnail(result.dataset, one.file),
                "file": one.file,
                "said": translate(
                    "labelled {label}, read as {read_as} ({confidence:.0%})",
                    label=one.label,
                    read_as=one.read_as,
                    confidence=one.confidence,
                ),
            }
            for one in result.mistakes[:SHOWN]
        ],
        found=translate.plural(
            "{count} photo was taken for another class",
            "{count} photos were taken for another class",
            count=len(result.mistakes),
        ),
        rows=[(row.name, row.images, *map(_percent, (row.precision, row.recall, row.f1))) for row in result.classes],
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
