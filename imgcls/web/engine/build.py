"""Compile lenet.c to WebAssembly: `python -m imgcls.web.engine.build`, with `ziglang` from requirements-dev.txt.

Two files: plain SIMD, which every browser since 2023 runs, and relaxed SIMD with fused multiply-adds, which the page
takes where the browser has it. The compiler's version is pinned: the same source gives the same bytes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = HERE / "lenet.c"
ZIG = "0.17.1"
FLAGS: dict[str, tuple[str, ...]] = {"lenet-simd": ("-msimd128",), "lenet-relaxed": ("-msimd128", "-mrelaxed-simd")}
COMMON = ("--target=wasm32-freestanding", "-std=c11", "-O3", "-fno-builtin", "-nostdlib", "-ffreestanding", "-g0")
LINK = ("-Wl,--no-entry", "-Wl,--strip-all", "-Wl,-z,stack-size=65536")


def compiled(name: str, folder: Path) -> bytes:
    """The module called `name`, built anew in `folder`."""
    out = folder / f"{name}.wasm"
    # The compiler keeps what it built in a cache: one in `folder` makes every build a whole one.
    environment = os.environ | {
        "ZIG_GLOBAL_CACHE_DIR": str(folder / "cache"),
        "ZIG_LOCAL_CACHE_DIR": str(folder / "local"),
    }
    command = [sys.executable, "-m", "ziglang", "cc", *COMMON, *FLAGS[name], *LINK, "-o", str(out), SOURCE.name]
    subprocess.run(command, check=True, cwd=HERE, env=environment)
    return out.read_bytes()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in FLAGS:
            content = compiled(name, Path(folder))
            (HERE / f"{name}.wasm").write_bytes(content)
            print(f"{name}.wasm: {len(content):,} bytes")


if __name__ == "__main__":
    main()
