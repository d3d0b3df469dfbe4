"""What to say where this Python lacks the lab's packages: `start.py` has put them into `.venv`, beside this package.

Needs nothing but Python.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

VENV = Path(__file__).parent.parent / ".venv"
# What the lab cannot do without, as it is imported; what is optional has a sentence of its own where it is missed.
PACKAGES = frozenset(
    "PIL accelerate argcomplete fastapi filelock gradio gradio_client httpx itsdangerous jinja2 markupsafe".split()
    + "numpy openpyxl psutil pydantic rich safetensors segno starlette torch torchvision uvicorn".split()
)


def is_required(error: ModuleNotFoundError) -> bool:
    """Whether it is one of the lab's packages that is missing; a plugin may miss others."""
    return (error.name or "").partition(".")[0] in PACKAGES


def advice(error: ModuleNotFoundError) -> str:
    other = python_of_venv()
    if other:
        return f"This Python ({sys.executable}) has no {error.name}; the one with the lab's packages is {other}."
    return (
        f"This Python ({sys.executable}) has no {error.name}, which the lab needs: `python start.py` makes an "
        "environment with everything, `pip install -r requirements.txt` installs it here."
    )


def python_of_venv() -> Path | None:
    """Where there is one and this is another."""
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    return python if python.is_file() and Path(sys.prefix).resolve() != VENV.resolve() else None
