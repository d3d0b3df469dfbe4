"""The lab as a static site: a folder that any web server hands out, e.g. as a static Space.

index.html            the page: draw, train, Init lab
README.md             front matter of a Space. Source: the Hub's documentation
sw.js                 once loaded, the page works offline
manifest.webmanifest  and can be installed
NAME-DIGEST.EXT       engine, worker, network, images: kept by browsers under the name of their content
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

from imgcls.checkpoints.format import read_meta
from imgcls.errors import SettingsError
from imgcls.files import storage_error, write_bytes
from imgcls.models.registry import OPTIONS
from imgcls.web.classify.browser_weights import page_bytes, units_if_there
from imgcls.web.engine.dataset_file import SIZES, make_file
from imgcls.web.standalone.build import built
from imgcls.web.standalone.page import Alone, dataset_for, engine_parts
from imgcls.workspace import Workspace

NETWORK = "lenet-digits"  # that the first room reads with
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; style-src 'unsafe-inline'; img-src 'self' data: blob:"
)
ENDINGS = {"worker": "js", "simd": "wasm", "relaxed": "wasm"}
HERE = Path(__file__).parent
ICON = "icon.svg"
DIGITS = 16  # of a digest in a file's name
OURS = re.compile(rf"[\w-]+-[0-9a-f]{{{DIGITS}}}\.(js|wasm|bin)")


def write_site(folder: Path, workspace: Workspace, *, sizes: Sequence[int] = SIZES) -> int:
    """Bytes written. sizes: images that the page can learn from, 0 for all. Raises ImgclsError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir()) and not (folder / "sw.js").is_file()):
        raise SettingsError("{folder} is there already and holds other things: choose a new folder.", folder=folder)
    files = site_files(workspace, sizes)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            if OURS.fullmatch(old.name) and old.name not in files:  # of an earlier export
                old.unlink()
    except OSError as error:
        raise storage_error(folder, error) from None
    for name, content in files.items():
        write_bytes(folder / name, content)
    return sum(map(len, files.values()))


def site_files(workspace: Workspace, sizes: Sequence[int] = SIZES) -> dict[str, bytes]:
    """{name: content}. Raises ImgclsError."""
    path = workspace.shipped("checkpoints", NETWORK, "best.safetensors")
    meta = read_meta(path)
    dataset = dataset_for(meta, workspace)
    parts = engine_parts() | {"worker": built("worker"), "weights": page_bytes(path)}
    if units := units_if_there(path, workspace):
        parts["units"] = units
    for images in sizes:
        parts[f"data-{images}"] = make_file(dataset, images, workspace, start_from=f"{NETWORK}/best").content
    named, files = {}, {}
    for id, content_or_text in parts.items():
        content = content_or_text.encode() if isinstance(content_or_text, str) else content_or_text
        named[id] = f"{id}-{hashlib.sha256(content).hexdigest()[:DIGITS]}.{ENDINGS.get(id, 'bin')}"
        files[named[id]] = content
    alone = Alone(
        "imgcls",
        dataset,
        sizes,
        ("draw", "train", "init"),
        {},
        policy=POLICY,
        files=named,
        start=f"{NETWORK}/best",
        network=OPTIONS | meta.options,
    )
    files |= {"index.html": alone.html().encode(), "manifest.webmanifest": _manifest(), ICON: _own(ICON)}
    return {**files, "sw.js": _service_worker(files), "README.md": README.encode()}


def _own(name: str) -> bytes:
    return (HERE / name).read_bytes()


def _manifest() -> bytes:
    icon = {"src": ICON, "sizes": "any", "type": "image/svg+xml"}
    icons = [icon | {"purpose": purpose} for purpose in ("any", "maskable")]
    manifest = {
        "name": "imgcls",
        "short_name": "imgcls",
        "start_url": "./",
        "display": "standalone",
        "background_color": "#f6f7fb",
        "theme_color": "#4338ca",
        "icons": icons,
    }
    return json.dumps(manifest, indent=1).encode()


def _service_worker(files: dict[str, bytes]) -> bytes:
    digest = hashlib.sha256(b"".join(files.values())).hexdigest()[:DIGITS]
    names = ["./", *sorted(name for name in files if name != "index.html")]
    head = f"const NAME = 'imgcls-{digest}', FILES = {json.dumps(names)};\n"
    return head.encode() + _own("sw.js")


README = """---
title: imgcls
emoji: ✏️
colorFrom: indigo
colorTo: blue
sdk: static
app_file: index.html
pinned: false
---

Draw a digit, train a network, compare first weights: all of it in your browser. Made with imgcls.
"""
