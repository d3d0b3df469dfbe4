"""Names for folders and files that every operating system takes: any script's letters, nothing that means a path.

Knows nothing of what lies in them.
"""

from __future__ import annotations

import re
import unicodedata

MAX_CHARACTERS = 80
MAX_BYTES = 200  # file systems take 255, and something may have to be added to a name

# The last are marks that turn the reading direction: a name could look like another.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]')
# Windows takes these for devices, whatever the suffix.
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{port}{i}" for port in ("com", "lpt") for i in [*range(10), "¹", "²", "³"]]
)


def validate(name: str) -> str | None:
    """What is wrong with `name` as a folder's name, as the end of a sentence; None where nothing is."""
    if not name.strip():
        return "is empty: type a name"
    if name != unicodedata.normalize("NFC", name) or name != name.strip():
        return "begins or ends with a space, or is spelt in an unusual way: type it again"
    if len(name) > MAX_CHARACTERS or len(_bytes(name)) > MAX_BYTES:
        return f"is longer than {MAX_CHARACTERS} characters: choose a shorter one"
    if name.startswith("."):
        return "begins with a dot, which hides it: choose another name"
    if name != sanitize(name):
        return 'has a character or a form that some systems forbid (such as / \\ : * ? " < > |): choose another name'
    return None


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
