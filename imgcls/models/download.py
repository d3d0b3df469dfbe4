"""ImageNet weights from wherever they can be had: torchvision's host, then a Hugging Face host or its mirror.

A download shows its progress, goes on where an earlier one was cut off, and appears in its folder whole or not at all,
after its hash was compared. With no network, one sentence says which file to put where.
"""

from __future__ import annotations

import hashlib
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from filelock import FileLock

from imgcls.errors import WeightsError, network_reason
from imgcls.files import storage_error
from imgcls.messages import Message, joined
from imgcls.models.registry import ModelSpec
from imgcls.progress import Progress

BLOCK = 1 << 18
MAX_BYTES = 4 * 2**30  # bytes
TIMEOUT_S = 20.0  # without a byte


@dataclass(frozen=True)
class Hosts:
    """Where to ask. A Hugging Face mirror is named as its own tools have it: HF_ENDPOINT=https://hf-mirror.com; a place
    with torchvision's files, a school's own say, by IMGCLS_WEIGHTS_HOST."""

    torchvision: str = "https://download.pytorch.org/models"
    hugging_face: str = "https://huggingface.co"

    @classmethod
    def from_environment(cls) -> Hosts:
        return cls(
            torchvision=(os.environ.get("IMGCLS_WEIGHTS_HOST") or cls.torchvision).rstrip("/"),
            hugging_face=(os.environ.get("HF_ENDPOINT") or cls.hugging_face).rstrip("/"),
        )


@dataclass(frozen=True)
class Source:
    """`sha256`: the hash or its first digits; "" where the host's answer says it."""

    url: str
    file: str
    sha256: str = ""


class Broken(Exception):
    """What came is not what was asked for; its one argument is a Message."""


def sources(spec: ModelSpec, hosts: Hosts) -> Iterator[Source]:
    """In the order in which they are tried."""
    if spec.weights and spec.weights[0].endswith(".pth"):
        name = spec.weights[0]
        # torchvision's files carry the first digits of their hash in their name.
        yield Source(f"{hosts.torchvision}/{name}", name, re.findall(r"-([0-9a-f]{8,})\.pth$", name)[0])
    if spec.mirror:
        url = f"{hosts.hugging_face}/{spec.mirror}/resolve/main/model.safetensors"
        yield Source(url, f"{spec.name}.safetensors")


def fetch_weights(
    spec: ModelSpec,
    folder: Path,
    *,
    progress: Progress | None = None,
    hosts: Hosts | None = None,
    timeout: float = TIMEOUT_S,
) -> Path:
    """The file, in `folder`. Raises WeightsError when no host has it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _fetched(spec, folder, progress or (lambda done, total: None), hosts, timeout)
    except OSError as error:  # of the folder or a lock: what a host or a file does is told as its reason
        raise storage_error(folder, error) from None


def _fetched(spec: ModelSpec, folder: Path, progress: Progress, hosts: Hosts | None, timeout: float) -> Path:
    why: list[Message] = []
    for source in sources(spec, hosts or Hosts.from_environment()):
        with FileLock(folder / f".{source.file}.lock"):  # two runs that begin together fetch it once
            if (folder / source.file).is_file():
                return folder / source.file
            try:
                return _download(source, folder, progress, timeout)
            except (OSError, ValueError, HTTPException, Broken) as error:
                why.append(_reason(source, error))
    raise no_weights(spec, folder, why)


def check_reachable(spec: ModelSpec, folder: Path, *, hosts: Hosts | None = None, timeout: float = 5.0) -> None:
    """WeightsError where no host answers that it has the file; fetches nothing."""
    why: list[Message] = []
    for source in sources(spec, hosts or Hosts.from_environment()):
        try:
            with urllib.request.urlopen(urllib.request.Request(source.url, method="HEAD"), timeout=timeout):
                return
        except (OSError, ValueError, HTTPException) as error:
            why.append(_reason(source, error))
    raise no_weights(spec, folder, why)


def no_weights(spec: ModelSpec, folder: Path, why: Sequence[Message] = ()) -> WeightsError:
    """Which file to put where. `why`: what each host answered."""
    listed = list(sources(spec, Hosts.from_environment()))
    if not listed:
        return WeightsError("There are no ImageNet weights for {model}: choose another network.", model=spec.title)
    if not why:
        files = " / ".join([*spec.weights, *(source.file for source in listed[1:])])
        return WeightsError(
            "The ImageNet weights of {model} are not here: put {files} into {folder}.",
            model=spec.title,
            files=files,
            folder=folder,
        )
    return WeightsError(
        "The ImageNet weights of {model} could not be fetched ({reason}): get {url} elsewhere and put it into "
        "{folder} as {file}.",
        model=spec.title,
        reason=joined(why),
        url=listed[0].url,
        folder=folder,
        file=listed[0].file,
    )


def _download(source: Source, folder: Path, progress: Progress, timeout: float) -> Path:
    partial = folder / f".{source.file}.part"
    offset = partial.stat().st_size if partial.is_file() else 0
    request = urllib.request.Request(source.url, headers={"Range": f"bytes={offset}-"} if offset else {})
    try:
        answer = _Redirects.open(request, timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # the part is as long as the file, or longer: it is fetched anew
            partial.unlink(missing_ok=True)
        raise
    with answer:
        if answer.status != 206:
            offset = 0
        expected = source.sha256 or _hash_of(answer)
        total = offset + int(answer.headers.get("Content-Length") or 0)
        if total > MAX_BYTES:
            raise Broken(Message("it is larger than weights are"))
        with partial.open("ab" if offset else "wb") as file:
            done = offset
            while block := answer.read(BLOCK):
                file.write(block)
                done += len(block)
                if done > MAX_BYTES:
                    raise Broken(Message("it is larger than weights are"))
                progress(done, total)
            file.flush()
            os.fsync(file.fileno())
    if total and done < total:
        raise Broken(Message("it was cut off at {done} of {total} bytes", done=done, total=total))
    with partial.open("rb") as file:
        digest = _digest(file)
    if not expected or not digest.hexdigest().startswith(expected):
        partial.unlink()
        raise Broken(Message("it is another file than the one that was asked for"))
    os.replace(partial, folder / source.file)
    return folder / source.file


def _digest(file):
    """hashlib.file_digest of Python 3.11."""
    digest = hashlib.sha256()
    while block := file.read(BLOCK):
        digest.update(block)
    return digest


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows, and keeps the hash that a Hugging Face host says before it sends one on to where the file lies."""

    def __init__(self) -> None:
        self.hash = ""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        self.hash = _hash_in(headers) or self.hash
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    @classmethod
    def open(cls, request: urllib.request.Request, timeout: float):
        handler = cls()
        answer = urllib.request.build_opener(handler).open(request, timeout=timeout)
        answer.linked_hash = handler.hash
        return answer


def _hash_of(answer) -> str:
    return answer.linked_hash or _hash_in(answer.headers)


def _hash_in(headers) -> str:
    """A Hugging Face host names a large file by its SHA-256."""
    for name in ("X-Linked-Etag", "ETag"):
        match = re.fullmatch(r'(?:W/)?"?([0-9a-f]{64})"?', headers.get(name) or "")
        if match:
            return match[1]
    return ""


def _reason(source: Source, error: Exception) -> Message:
    """The host and what went wrong."""
    reason = error.args[0] if isinstance(error, Broken) else network_reason(error)
    return Message("{host}: {reason}", host=urllib.parse.urlsplit(source.url).netloc, reason=reason)
