"""The lab for programs: named endpoints at the root, where `gradio_client.Client(url)`, `gr.load` and the Hub look.

    Client("http://127.0.0.1:7860").predict(image=handle_file("7.png"), api_name="/classify")

Answers are JSON, an error is one sentence (English). Limits and password are those of the page, and so is what is done.
The pages under /en and /zh have events of their own, which are nobody else's business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from imgcls.data.report import available_datasets
from imgcls.errors import InputError, RunError, SettingsError
from imgcls.inference.classify import Classification, classify
from imgcls.recipes import with_recipe
from imgcls.runs import queue as runs_queue
from imgcls.runs.reader import RunView
from imgcls.runs.store import Run, find_run
from imgcls.runs.summary import figures, summary
from imgcls.web.classify.tab import Photo
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.events import guard
from imgcls.web.shared.identity import People
from imgcls.web.shared.limits import Limits
from imgcls.web.shared.run_cache import RunCache, key
from imgcls.web.shared.work_gate import Kind, address_of, network, network_kind, opened_picture, work

CALLS_AT_ONCE = 4  # calls of one endpoint; further ones wait
WAITING = 64  # calls in all, before one is told that the lab is busy
MAX_NAME_CHARS = 100  # characters of a name that are looked at: no run's is longer
EXAMPLE = {"dataset": "mnist", "model": "lenet", "epochs": 1}


@dataclass(frozen=True)
class Endpoints:
    """What a program can ask; each docstring is what the interface tells of it."""

    run_cache: RunCache
    limits: Limits
    people: People

    async def classify(self, request: gr.Request, image: str | None, checkpoint: str | None) -> dict[str, Any]:
        """Classify an image: a photo, or a picture of a digit.

        Parameters:
            image: an image file of any usual kind
            checkpoint: one of those that /checkpoints lists, e.g. "lenet-digits/best"; a run's name is its best one
        Returns:
            {"label": the likeliest class, or several digits as the number they make, "confidence": its probability,
            "top": [[label, probability], ...], "sure": whether it looks like what the network was trained on,
            "familiarity": by how much, from 0 on, null where the checkpoint is not calibrated}
        """
        user, key = address_of(request), checkpoint if "/" in (checkpoint or "") else f"{checkpoint}/best"
        chosen = await work("state", None, lambda: self.run_cache.checkpoint(key), user)
        if not image:
            raise InputError("Give an image file to classify.")
        kind: Kind = await work("state", None, lambda: network_kind(chosen), user)
        classification = await work(kind, None, lambda: _read(chosen, image), user)
        return {
            "label": classification.label,
            "confidence": classification.confidence,
            "top": [list(pair) for pair in classification.top],
            "sure": classification.sure,
            "familiarity": classification.familiarity,
        }

    def checkpoints(self) -> list[dict[str, Any]]:
        """The checkpoints that there are: the shipped ones, then the newest.

        Returns:
            [{"checkpoint": the name for /classify, "model", "dataset", "classes", "metrics", "created"}, ...]
        """
        return [
            {
                "checkpoint": key(info),
                "model": info.model,
                "dataset": info.dataset,
                "classes": list(info.classes),
                "metrics": info.metrics,
                "created": info.created,
            }
            for info in self.run_cache.checkpoints()
        ]

    def datasets(self) -> list[dict[str, Any]]:
        """The data sets that can be trained on.

        Returns:
            [{"name": for the settings of /train, "here": whether its files are on this machine}, ...]
        """
        return [{"name": name, "here": here} for name, here in available_datasets(self.run_cache.workspace)]

    def train(self, request: gr.Request, settings: dict[str, Any], nickname: str = "") -> dict[str, str]:
        """Start a training run; it goes on by itself. Where the lab is shared it may have to wait in the queue.

        Parameters:
            settings: what differs from the recipe, by the names of the command line's flags, e.g. {"dataset": "mnist"}
            nickname: whose it is in a shared lab
        Returns:
            {"run": its name, for /run and /stop; in a shared lab also "key", with which /stop stops it}
        """
        if not isinstance(settings, dict):
            raise SettingsError("Settings must be an object, such as {example}.", example=str(EXAMPLE))
        if not self.people.shared:
            return {"run": self.limits.start(with_recipe(settings), self.run_cache.workspace).name}
        owner = self.people.at(request, self.people.named(nickname or "a program"))
        return {
            "run": self.limits.start(with_recipe(settings), self.run_cache.workspace, owner=owner).name,
            "key": self.people.key(owner),
        }

    def runs(self) -> list[dict[str, Any]]:
        """What has been trained, newest first.

        Returns:
            [{"name", "state", "done": 0 to 1, "epochs", "val_accuracy", "test_accuracy", "settings", ...}, ...]
        """
        return [_said(view) for run in self.run_cache.runs() if (view := self.run_cache.view(run.name))]

    def run(self, name: str | None) -> dict[str, Any]:
        """A run as it stands.

        Parameters:
            name: as /train or /runs gives it
        Returns:
            as in /runs, and "figures": {"progress": [...], "epochs": [...]}, the points of its curves
        """
        view = self.run_cache.view(self._found(name).name)
        if view is None:  # deleted a moment ago
            raise RunError("There is no run '{name}'.", name=name)
        return _said(view) | {"figures": figures(view)}

    def stop(self, name: str | None, key: str = "") -> dict[str, Any]:
        """Ask a run to save and end; it does so after the step it is in. One that waits leaves the queue.

        Parameters:
            name: as /train or /runs gives it
            key: in a shared lab, where one's own runs alone can be stopped: as /train gave it
        Returns:
            as /run, without figures
        """
        run = self._found(name)
        runs_queue.stop(run, self.people.owner_of_key(key or ""), host=not self.people.shared)
        self.run_cache.forget(run.name)
        view = self.run_cache.view(run.name)
        return _said(view) if view else {}

    def _found(self, name: str | None) -> Run:
        return find_run((name or "")[:MAX_NAME_CHARS], self.run_cache.workspace)


def build(run_cache: RunCache, limits: Limits, people: People) -> gr.Blocks:
    endpoints = Endpoints(run_cache, limits, people)
    with gr.Blocks(title="imgcls", analytics_enabled=False, delete_cache=(3600, 3600)) as api:
        _endpoint(endpoints.classify, [Photo(label="image"), gr.Textbox("lenet-digits/best", label="checkpoint")])
        _endpoint(endpoints.checkpoints, [])
        _endpoint(endpoints.datasets, [])
        _endpoint(endpoints.train, [gr.JSON(EXAMPLE, label="settings"), gr.Textbox("", label="nickname")])
        _endpoint(endpoints.runs, [])
        _endpoint(endpoints.run, [gr.Textbox(label="name")])
        _endpoint(endpoints.stop, [gr.Textbox(label="name"), gr.Textbox("", label="key")])
    api.queue(max_size=WAITING, default_concurrency_limit=CALLS_AT_ONCE)
    return api


def _endpoint(function: Callable[..., Any], inputs: list[Component]) -> None:
    """A button does what the endpoint does, for whoever loads the lab as a part of an application of their own."""
    answer = gr.JSON(label=f"/{function.__name__}")
    button = gr.Button(function.__name__)
    button.click(guard(Translator("en"), toast=False)(function), inputs, answer, api_name=function.__name__)


def _read(checkpoint: Path, image: str) -> Classification:
    with opened_picture(image, keep_alpha=True, name="The image") as picture:
        return classify(network(checkpoint), [picture])[0]


def _said(view: RunView) -> dict[str, Any]:
    """A run's summary; where its files lie on the server is not told."""
    best = view.run.best.is_file()
    return summary(view) | {"checkpoint": f"{view.run.name}/best" if best else None}
