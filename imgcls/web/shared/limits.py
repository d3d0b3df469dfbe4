"""Who may do how much: nothing is limited on one's own computer; all of it is where others can reach the lab."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from imgcls.data.collect import CollectLimits
from imgcls.data.zip_entries import ZipLimits
from imgcls.errors import RunError, SettingsError
from imgcls.filenames import validate
from imgcls.messages import Setting
from imgcls.recipes import preprocess_for, with_recipe
from imgcls.runs import sweep
from imgcls.runs.background_jobs import FREE, Terms
from imgcls.runs.init_lab import Lab, start_lab
from imgcls.runs.launcher import resume_run, start_run
from imgcls.runs.queue import WAITING_EACH, check_room
from imgcls.runs.state import Owner
from imgcls.runs.store import Run
from imgcls.runs.sweep import Sweep
from imgcls.runs.sweep_request import Request, default_name
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace


@dataclass(frozen=True)
class Limits:
    """What one visitor may ask for; the defaults are for one's own computer. `public` is whether anybody else can
    reach the page."""

    public: bool = False
    epochs: int = 1000
    minutes: float = 0  # of one run; 0: no limit
    image_size: int = 512
    augment_views: int = 64
    memory_gb: float = 0  # of one run's network and batch; 0: no limit
    runs_at_once: int = 4
    sweep_runs: int = 1000  # of one sweep
    waiting_each: int = WAITING_EACH  # runs of one person, or of one address, in the queue
    upload_mb: int = 4000
    all_uploads_mb: int = 20_000  # of all visitors, while they are kept: an hour
    each_uploads_mb: int = 20_000  # of one address, while they are kept
    data_sets: int = 1000
    compare: int = 12  # checkpoints that one picture goes through
    corrections: int = 5000  # pictures in a set of them
    many: int = 20_000  # pictures that one checkpoint reads in a go
    adopted: int = 1000  # checkpoints that visitors have brought
    fetch: bool = True  # built-in data sets that are not here, by whoever asks; a shared lab's host always may
    evaluation_seconds: float = 0  # of one evaluation; 0: no limit
    report_seconds: float = 0  # for looking through a data set; 0: no limit
    collect: CollectLimits = CollectLimits()
    zip: ZipLimits = ZipLimits()

    def terms(self, who: str, *, host: bool) -> Terms:
        """On which an evaluation is begun: all go on beside the runs, and few at a time. who: as `hashed_network`."""
        return Terms(who, self.evaluation_seconds) if self.public and not host else FREE

    def may_delete(self, *, host: bool = False) -> None:
        """Raises RunError where others' work could be deleted, but for the lab's host."""
        if self.public and not host:
            raise RunError("In a shared lab nothing is deleted from the page.")

    def may_test_rates(self) -> None:
        """Raises RunError where a test would take the machine from everybody's runs, outside their queue."""
        if self.public:
            raise RunError(
                "In a shared lab learning rates are not tried from the page: `imgcls lr-find` tries them on your own "
                "computer."
            )

    def check_name(self, *names: str) -> None:
        """Raises SettingsError for a path where only names may be given: a data set's, a file's in weight/."""
        if self.public and any(name and validate(name) is not None for name in names):
            raise SettingsError(
                "A path cannot be given in a shared lab: choose a data set or weights from the list.", field="dataset"
            )

    def check_settings(self, settings: TrainSettings) -> None:
        """Raises SettingsError where they ask for more than may be had here."""
        self.check_name(settings.dataset, settings.weights, settings.corrections)
        size = preprocess_for(settings).size  # 0 is the recipe's
        for name, value, most in (
            ("epochs", settings.epochs, self.epochs),
            ("image_size", size, self.image_size),
            ("augment_views", settings.augment_views, self.augment_views),  # kept on the disk, each of them
        ):
            if value > most:
                raise SettingsError(
                    "{setting} is {asked}, but this shared lab allows at most {most}.",
                    setting=Setting(name),
                    asked=value,
                    most=most,
                    field=name,
                )
        if self.memory_gb:
            from imgcls.training.estimate import training_bytes  # torch, which the page does not wait for

            needed = training_bytes(settings) / 1e9
            if needed > self.memory_gb:
                raise SettingsError(
                    "This would take about {needed:.1f} GB of memory, and this shared lab allows {most:g}: choose a "
                    "smaller {batch_size}, {image_size} or network.",
                    needed=needed,
                    most=self.memory_gb,
                    batch_size=Setting("batch_size"),
                    image_size=Setting("image_size"),
                    field="batch_size",
                )

    def check(self, settings: TrainSettings) -> TrainSettings:
        """Settings that may be run here, with the time limit put in. Raises SettingsError."""
        if not self.public:
            return settings
        self.check_settings(settings)
        return settings.model_copy(update={"time_limit": self._minutes(settings.time_limit)})

    def _minutes(self, asked: float) -> float:
        """asked: 0 for no limit of one's own."""
        return min(asked or self.minutes, self.minutes)

    @property
    def _queue(self) -> dict[str, Any]:
        return {"at_once": self.runs_at_once, "wait": self.public, "each": self.waiting_each}

    def start(self, settings: TrainSettings, workspace: Workspace, **who: Any) -> Run:
        """Start a run as far as it is allowed; in a shared lab it may have to wait. `who`: as `start_run` takes it."""
        return start_run(self.check(settings), workspace, **self._queue, **who)

    def resume(self, run: Run, **who: Any) -> Run:
        return resume_run(run, settings=self.check(run.settings()), **self._queue, **who)

    def start_sweep(
        self, request: Request, workspace: Workspace, *, name: str = "", owner: Owner | None = None
    ) -> Sweep:
        """Start a sweep, or go on with the one of that name, as far as it is allowed: its runs wait like all others."""
        if self.public:
            minutes = self._minutes(request.base.get("time_limit", 0.0))
            request = replace(request, base={**request.base, "time_limit": minutes}, jobs=1)
            name = name or _own_name(request, workspace, owner)
            self._check_sweep(sweep.joined(request, workspace, name=name))
            check_room(workspace, owner, self.waiting_each)
        new_sweep = sweep.create(request, workspace, name=name, at_once=self.runs_at_once, owner=owner)
        sweep.push(new_sweep)
        return new_sweep

    def _check_sweep(self, request: Request) -> None:
        """Raises SettingsError where all of it is more than may be had here."""
        runs = len(request.combinations) * len(request.seeds)
        if runs > self.sweep_runs:
            raise SettingsError(
                "That would be {count} runs, and this shared lab allows {most}: name fewer values or seeds.",
                count=runs,
                most=self.sweep_runs,
                field="vary",
            )
        for combination in request.combinations:
            settings = with_recipe({**request.base, **combination})
            self.check_settings(settings)
            if not 0 < settings.time_limit <= self.minutes:  # it varies: a run of its own would be cut to the limit
                raise SettingsError(
                    "In this shared lab a run takes at most {most:g} minutes: choose values of {time_limit} above 0 "
                    "and up to that.",
                    most=self.minutes,
                    time_limit=Setting("time_limit"),
                    field="vary",
                )

    def start_lab(self, settings: TrainSettings, inits: Sequence[str], workspace: Workspace, **who: Any) -> Lab:
        """The time limit of one run is shared by the runs of a lab."""
        settings = self.check(settings)
        if self.public:
            settings = settings.model_copy(update={"time_limit": settings.time_limit / max(1, len(inits))})
        return start_lab(settings, inits, workspace, **self._queue, **who)


def _own_name(request: Request, workspace: Workspace, owner: Owner | None) -> str:
    """The usual name of such a sweep, with a number where somebody else asks the same."""
    usual = default_name(request)
    for name in itertools.chain([usual], (f"{usual}-{number}" for number in itertools.count(2))):
        if not sweep.is_one(name, workspace):
            return name
        other = sweep.find(name, workspace).request().owner
        if (other.id if other else "") == (owner.id if owner else ""):
            return name
    raise AssertionError("numbers do not end")


ALONE = Limits()
SHARED = Limits(
    public=True,
    epochs=20,
    minutes=15,
    image_size=224,
    augment_views=8,
    memory_gb=4,
    runs_at_once=1,
    sweep_runs=24,
    upload_mb=100,
    all_uploads_mb=1000,
    each_uploads_mb=250,
    data_sets=40,
    compare=6,
    corrections=500,
    many=1000,
    adopted=60,
    fetch=False,
    evaluation_seconds=300,
    report_seconds=60,
    collect=CollectLimits(classes=20, photos=500, drafts=50, all_drafts=500, total=4_000_000_000),
    zip=ZipLimits(files=10_000, total=500_000_000, single=30_000_000),
)
