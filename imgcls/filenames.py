"""The one judge of names that come from outside: data sets, classes, entries of a zip, weights, runs, checkpoints.

A good name is one that every operating system takes: any script's letters, nothing that means a path. `inside` is how a
name becomes a path; the name is judged and not what it leads to, so a data set may be a link to a larger disk.
"""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from collections.abc import Container, Iterable
from pathlib import Path

from imgcls.errors import DatasetError, ImgclsError, SettingsError
from imgcls.messages import Message

MAX_CHARACTERS = 80
MAX_BYTES = 200  # file systems take 255, and something may have to be added to a name
MAX_CHARS_SHOWN = 60  # characters of a bad name in a sentence

# The last are marks that turn the reading direction: a name could look like another.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]')
# Windows takes these for devices, whatever the suffix.
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{port}{i}" for port in ("com", "lpt") for i in [*range(10), "¹", "²", "³"]]
)


def validate(name: str) -> Message | None:
    """What is wrong with `name` as a folder's or a file's name, as the end of a sentence; None where nothing is."""
    if len(name) > MAX_CHARACTERS or len(_bytes(name)) > MAX_BYTES:  # first: what follows costs time on a megabyte
        return Message("is longer than {most} characters: choose a shorter one", most=MAX_CHARACTERS)
    if not name.strip():
        return Message("is empty: type a name")
    if name != unicodedata.normalize("NFC", name) or name != name.strip():
        return Message("begins or ends with a space, or is spelt in an unusual way: type it again")
    if name.startswith("."):
        return Message("begins with a dot, which hides it: choose another name")
    if name != sanitize(name):
        return Message(
            'has a character or a form that some systems forbid (such as / \\ : * ? " < > |): choose another name'
        )
    return None


def checked(name: str, *, error: type[ImgclsError] = DatasetError) -> str:
    """`name` itself. Raises `error` with a sentence where it is none."""
    if (fault := validate(name)) is not None:
        raise error("The name '{name}' {wrong}.", name=shown(name), wrong=fault)
    return name


def inside(folder: Path, name: str, *, error: type[ImgclsError] = DatasetError) -> Path:
    """The path of `name` directly in `folder`, whether it is there or not. Raises `error` where `name` is none."""
    path = folder / checked(name, error=error)
    if os.path.dirname(os.path.normpath(path)) != os.path.normpath(folder):  # a second look, should the first be wrong
        raise error("There is no {name} in {folder}.", name=shown(name), folder=folder)
    return path


def shown(name: str) -> str:
    """`name` fit to stand in a sentence: short, and nothing in it that cannot be printed."""
    short = name if len(name) <= MAX_CHARS_SHOWN else name[: MAX_CHARS_SHOWN - 1] + "…"
    return "".join(c if c.isprintable() else "�" for c in short)


def sanitize(name: str) -> str:
    """`name` made into one that every system takes; never empty, never a path. A safe name stays as it is."""
    name = unicodedata.normalize("NFC", name)
    name = "".join("_" if unicodedata.category(c) in ("Cc", "Cs") else c for c in name)
    name = _shortened(_FORBIDDEN.sub("_", name).strip().lstrip(" .")).rstrip(" .").strip()
    if name.split(".")[0].rstrip(" ").lower() in _DEVICES:
        name = f"_{name}"
    return name or "_"


def numbered(name: str, number: int) -> str:
    """ "cat.jpg", 2 -> "cat-2.jpg"."""
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}-{number}.{suffix}" if dot and stem else f"{name}-{number}"


def _shortened(name: str) -> str:
    """At most MAX_BYTES of UTF-8, the suffix kept."""
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(_bytes(suffix)) > 10:
        stem, dot, suffix = name, "", ""
    room = MAX_BYTES - len(_bytes(dot + suffix))
    return _bytes(stem)[:room].decode("utf-8", "ignore") + dot + suffix if len(_bytes(stem)) > room else name


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def is_option_name(name: str) -> bool:
    """Whether a row may be called so: what a flag takes and a list with commas or '+' can hold."""
    return re.fullmatch(r"[A-Za-z0-9][\w.-]{0,59}", name) is not None


def check_option_name(name: str, taken: Container[str]) -> None:
    """Raises SettingsError where a row may not be called so, or another one is."""
    if not is_option_name(name) or name in taken:
        raise SettingsError(
            "The name {name} cannot be used: it is taken, or holds more than letters, digits, '.', '_' and '-'.",
            name=shown(name),
        )


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The known name that was probably meant by `name`; None where none is near."""
    matches = difflib.get_close_matches(name[:MAX_CHARACTERS], list(names), n=1, cutoff=0.6)
    return matches[0] if matches else None
