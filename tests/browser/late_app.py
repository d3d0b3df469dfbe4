"""The lab with late answers: what an event's function makes is sent some seconds after it was made, and so are the
answers to the page's own questions. IMGCLS_LATE is a file: "3", or "mixed 7" for 0, 0.3 or 3 seconds, by chance of the
seed 7. For test_choices.py."""

import asyncio
import inspect
import os
import random
import sys
import time
from functools import wraps
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from imgcls.web import app, page  # noqa: E402

DELAYS = (0, 0.3, 3)  # seconds
chances = {}


def seconds():
    said = Path(os.environ["IMGCLS_LATE"]).read_text()
    if said.startswith("mixed"):
        return chances.setdefault(said, random.Random(said)).choice(DELAYS)
    return float(said)


def late(function):
    @wraps(function)
    def answered(*given, **more):
        made = function(*given, **more)
        time.sleep(seconds())
        return made

    @wraps(function)
    async def answered_by_loop(*given, **more):
        made = await function(*given, **more)
        await asyncio.sleep(seconds())
        return made

    return answered_by_loop if inspect.iscoroutinefunction(function) else answered


def build(*given):
    made = made_at_once(*given)
    for event in made.fns.values():
        if callable(event.fn) and not (inspect.isgeneratorfunction(event.fn) or inspect.isasyncgenfunction(event.fn)):
            event.fn = late(event.fn)
    return made


if __name__ == "__main__":
    made_at_once, page.build = page.build, build
    raise SystemExit(app.serve())
