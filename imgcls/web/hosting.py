"""Who may do how much: nothing is limited on one's own computer, everything is when the lab can be reached by others.

Environment: IMGCLS_HOST and IMGCLS_PORT (where to listen), IMGCLS_ALLOWED_HOSTS (names the page answers to, separated
by commas; a foreign one means that the lab is shared), IMGCLS_PASSWORD (asked for before anything else),
IMGCLS_HOST_PASSWORD (makes its giver the lab's host), IMGCLS_RUNS_AT_ONCE (where the lab is shared further ones wait),
IMGCLS_FETCH (yes: whoever visits a shared lab may have known data sets fetched),
IMGCLS_TRUSTED_PROXY (addresses or networks of proxies whose X-Forwarded-* headers count), SPACE_ID (set by a Hugging
Face Space).
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psutil

from imgcls.data.collect import CollectLimits
from imgcls.data.zip_entries import ZipLimits
from imgcls.errors import RunError, SettingsError
from imgcls.filenames import validate
from imgcls.messages import Setting
from imgcls.recipes import KIND_OF, preprocess_for
from imgcls.runs.init_lab import Lab, start_lab
from imgcls.runs.launcher import resume_run, start_run
from imgcls.runs.store import Run
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace

PORT = 7860


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
    upload_mb: int = 4000
    all_uploads_mb: int = 20_000  # of all visitors, while they are kept: an hour
    data_sets: int = 1000
    compare: int = 12  # checkpoints that one picture goes through
    corrections: int = 5000  # pictures in a set of them
    many: int = 20_000  # pictures that one checkpoint reads in a go
    adopted: int = 1000  # checkpoints that visitors have brought
    fetch: bool = True  # known data sets that are not here, by whoever asks; a shared lab's host always may
    report_seconds: float = 0  # for looking through a data set; 0: no limit
    collect: CollectLimits = CollectLimits()
    zip: ZipLimits = ZipLimits()

    def may_delete(self, *, host: bool = False) -> None:
        """Raises RunError where others' work could be deleted, but for the lab's host."""
        if self.public and not host:
            raise RunError("In a shared lab nothing is deleted from the page.")

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
        for name, asked, most in (
            ("epochs", settings.epochs, self.epochs),
            ("image_size", size, self.image_size),
            ("augment_views", settings.augment_views, self.augment_views),  # kept on the disk, each of them
        ):
            if asked > most:
                raise SettingsError(
                    "{setting} is {asked}, but this shared lab allows at most {most}.",
                    setting=Setting(name),
                    asked=asked,
                    most=most,
                    field=name,
                )
        if self.memory_gb:
            from imgcls.training.memory import training_bytes  # torch, which the page does not wait for

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
        minutes = min(settings.time_limit or self.minutes, self.minutes)
        return settings.model_copy(update={"time_limit": minutes})

    def start(self, settings: TrainSettings, workspace: Workspace, **who: Any) -> Run:
        """Start a run as far as it is allowed; in a shared lab it may have to wait. `who`: as `start_run` takes it."""
        return start_run(self.check(settings), workspace, at_once=self.runs_at_once, wait=self.public, **who)

    def resume(self, run: Run, **who: Any) -> Run:
        return resume_run(run, settings=self.check(run.settings()), at_once=self.runs_at_once, wait=self.public, **who)

    def start_lab(self, settings: TrainSettings, inits: Sequence[str], workspace: Workspace, **who: Any) -> Lab:
        """The time limit of one run is shared by the runs of a lab."""
        settings = self.check(settings)
        if self.public:
            settings = settings.model_copy(update={"time_limit": settings.time_limit / max(1, len(inits))})
        return start_lab(settings, inits, workspace, at_once=self.runs_at_once, wait=self.public, **who)


ALONE = Limits()
SHARED = Limits(
    public=True,
    epochs=20,
    minutes=15,
    image_size=224,
    augment_views=8,
    memory_gb=4,
    runs_at_once=1,
    upload_mb=100,
    all_uploads_mb=1000,
    data_sets=20,
    compare=6,
    corrections=500,
    many=1000,
    adopted=20,
    fetch=False,
    report_seconds=60,
    collect=CollectLimits(classes=20, photos=500, drafts=50, all_drafts=500, total=4_000_000_000),
    zip=ZipLimits(files=10_000, total=500_000_000, single=30_000_000),
)
KNOWN = tuple(KIND_OF)


@dataclass(frozen=True)
class Hosting:
    host: str
    port: int
    limits: Limits
    allowed_hosts: tuple[str, ...]  # names in the Host header; "*" is any
    password: str | None = None
    host_password: str | None = None  # whoever gives it may stop, reorder and delete what others have made
    trusted_proxies: tuple[str, ...] = ()  # addresses and networks whose X-Forwarded-* headers count; "*" is any
    public_name: str | None = None  # what others type, where a proxy stands before the lab
    framed: bool = False  # the page stands in a frame of another site's, as a Space's does


def hosting(host: str | None = None, port: int | None = None, env: Mapping[str, str] = os.environ) -> Hosting:
    """From what was said, the environment, and the defaults: loopback, port 7860."""
    space = "SPACE_ID" in env
    host = host or env.get("IMGCLS_HOST") or ("0.0.0.0" if space else "127.0.0.1")
    if port is None:
        port = _port(env.get("IMGCLS_PORT") or str(PORT))
    named = _hosts(env.get("IMGCLS_ALLOWED_HOSTS", ""))
    loopback = ("127.0.0.1", "localhost", "[::1]", host)
    # A foreign name means that others come, through a proxy on this computer perhaps.
    public = not is_loopback(host) or not all(is_loopback(name) for name in named)
    if not named and not is_loopback(host) and not space:
        named = _own_names(host)
    spaces = ("*.hf.space", "*.huggingface.co", "*.huggingface.tech") if space else ()
    behind = [name for name in named if is_loopback(host) and not is_loopback(name) and "*" not in name]
    return Hosting(
        host=host,
        port=port,
        limits=_limits(SHARED if public else ALONE, env),
        allowed_hosts=(*loopback, *named, *spaces),
        password=env.get("IMGCLS_PASSWORD") or None,
        host_password=env.get("IMGCLS_HOST_PASSWORD") or None,
        # Nothing but the Space's own proxy reaches its container.
        trusted_proxies=_proxies(env.get("IMGCLS_TRUSTED_PROXY") or ("*" if space else "")),
        public_name=(env.get("SPACE_HOST") if space else next(iter(behind), None)) or None,
        framed=space,
    )


def _limits(limits: Limits, env: Mapping[str, str]) -> Limits:
    text = env.get("IMGCLS_RUNS_AT_ONCE") or str(limits.runs_at_once)
    if not text.isdigit() or not 1 <= int(text) <= 64:
        raise SettingsError("IMGCLS_RUNS_AT_ONCE is {text}, but must be a whole number from 1 to 64.", text=text)
    fetch = env.get("IMGCLS_FETCH") or ("yes" if limits.fetch else "no")
    if fetch not in ("yes", "no"):
        raise SettingsError("IMGCLS_FETCH is {text}, but must be yes or no.", text=fetch)
    return replace(limits, runs_at_once=int(text), fetch=fetch == "yes")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _own_names(host: str) -> tuple[str, ...]:
    """This computer's names and addresses: what a class would type. IMGCLS_ALLOWED_HOSTS replaces them."""
    names = {socket.gethostname(), socket.getfqdn(), f"{socket.gethostname()}.local", lan_address(), *_addresses()}
    return tuple(sorted(name for name in names if name and name != "0.0.0.0"))


def lan_address() -> str | None:
    """The IPv4 address that others in this computer's network reach it at, where it has one."""
    # No packet is sent: connecting a datagram socket only chooses the address that would be used.
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return probe.getsockname()[0]
    # A network without a way out, as a router without the Internet makes it.
    return next((a for a in _addresses() if not ipaddress.ip_address(a).is_loopback), None)


def _addresses() -> list[str]:
    """Every IPv4 address of this computer, those of the usual private networks first."""
    with contextlib.suppress(OSError):
        found = {a.address for card in psutil.net_if_addrs().values() for a in card if a.family == socket.AF_INET}
        return sorted(found, key=lambda a: (ipaddress.ip_address(a).is_link_local, not a.startswith("192.168."), a))
    return []


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise SettingsError("IMGCLS_PORT is {text}, but must be a whole number from 0 to 65535.", text=text)
    return int(text)


def _hosts(text: str) -> tuple[str, ...]:
    named = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in named:
        if name != "*" and ("*" in name.removeprefix("*.") or "/" in name):
            raise SettingsError(
                "IMGCLS_ALLOWED_HOSTS names {name}, but must be host names such as lab.example.org or *.example.org, "
                "separated by commas.",
                name=name,
            )
    return named


def _proxies(text: str) -> tuple[str, ...]:
    named = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in named:
        try:
            if name != "*":
                ipaddress.ip_network(name, strict=False)
        except ValueError:
            raise SettingsError(
                "IMGCLS_TRUSTED_PROXY names {name}, but must be addresses or networks such as 10.0.0.0/8, "
                "separated by commas.",
                name=name,
            ) from None
    return named
