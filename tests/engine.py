"""The browser's training engine under the Node that comes with Playwright: the same files that the page loads."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import imgcls.web.engine

WASM = Path(imgcls.web.engine.__file__).parent
BUILDS = ("lenet-simd", "lenet-relaxed")
KINDS = {"float32": "f32", "uint8": "u8", "uint32": "u32"}
TYPES = {kind: name for name, kind in KINDS.items()}


@cache
def node() -> str:
    from playwright._impl._driver import compute_driver_executable

    return str(compute_driver_executable()[0])


def call(build: str, shape: Mapping[str, Any], calls: Sequence[Sequence[Any]]) -> list[Any]:
    """The answers to `calls` of an engine's methods, `[name, argument, ...]`, in one fresh instance."""
    request = {"shape": shape, "calls": [[_packed(value) for value in one] for one in calls]}
    command = [node(), str(Path(__file__).parent / "engine_calls.mjs"), str(WASM / "js"), str(WASM / f"{build}.wasm")]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return [_unpacked(value) for value in json.loads(done.stdout)["answers"]]


def _packed(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {KINDS[value.dtype.name]: base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()}
    return value


def _unpacked(value: Any) -> Any:
    if isinstance(value, dict) and (kind := next(iter(value), "")) in TYPES:
        return np.frombuffer(base64.b64decode(value[kind]), TYPES[kind])
    return value


def evaluated(body: str, **values: Any) -> Any:
    """What `body`, of an async function, returns for `values`; ports and timers that it leaves end with it. It may
    import from the folders `ENGINE`, `TRAIN`, `CLASSIFY` and `WEB`, which holds them all."""
    folders = {"ENGINE": WASM / "js", "TRAIN": WASM.parent / "train" / "js", "WASM": WASM}
    folders |= {"CLASSIFY": WASM.parent / "classify" / "js", "WEB": WASM.parent}
    known = {name: path.as_uri() if name != "WASM" else str(path) for name, path in folders.items()}
    script = f"""import fs from 'node:fs';
    const values = JSON.parse(fs.readFileSync(0, 'utf8'));
    const made = await (async ({{ {", ".join([*known, *values])} }}) => {{ {body} }})(values);
    process.stdout.write(JSON.stringify(made ?? null), () => process.exit(0));"""
    command = [node(), "--input-type=module", "--eval", script]
    said = json.dumps(known | {name: _packed(value) for name, value in values.items()})
    done = subprocess.run(command, input=said, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
