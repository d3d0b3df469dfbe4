"""The gate for expensive work: one making however many ask, turns of addresses, a deadline, memory that is booked."""

import asyncio
import io
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from imgcls.errors import InputError
from imgcls.web.shared import work_gate
from imgcls.web.shared.work_gate import Busy, Pool, WorkGate, opened_picture

SOON = 60


def gate(**pools):
    return WorkGate({"picture": Pool(2), "document": Pool(1), **pools}, cache_bytes=1000)


def until(condition):
    async def wait():
        while not condition():
            await asyncio.sleep(0.001)

    return asyncio.wait_for(wait(), SOON)


def waits(thread):
    """Whether a thread of a pool waits for an answer: an idle one waits in a queue, which is no Python code."""
    frame = sys._current_frames().get(thread.ident)
    return frame is not None and frame.f_code.co_filename == threading.__file__


class Held:
    """Work that goes on until it is let go; `made`: what was done, in its order."""

    def __init__(self):
        self.go, self.made = threading.Event(), []

    def __call__(self, name="held"):
        def make():
            assert self.go.wait(SOON)
            self.made.append(name)
            return name

        return make


def test_fifty_who_ask_for_the_same_wait_for_one_making():
    made, held = gate(), Held()

    async def ask():
        asked = [asyncio.ensure_future(made.work("document", "report", held(), f"user {i}")) for i in range(50)]
        await until(lambda: made.made["document"] == 1)
        held.go.set()
        return await asyncio.gather(*asked)

    assert asyncio.run(ask()) == ["held"] * 50 and held.made == ["held"]


def test_threads_and_the_event_loop_share_one_making():
    made, held = gate(), Held()

    async def ask():
        with ThreadPoolExecutor(8) as pool:
            others = [pool.submit(made.work_here, "document", "report", held()) for _ in range(8)]
            own = asyncio.ensure_future(made.work("document", "report", held()))
            await until(lambda: made.made["document"] == 1 and all(map(waits, pool._threads)))
            held.go.set()
            return [await own, *(other.result(SOON) for other in others)]

    assert asyncio.run(ask()) == ["held"] * 9
    assert held.made == ["held"]


def test_one_kind_of_work_does_not_keep_another_waiting():
    made, held = gate(), Held()

    async def ask():
        slow = [asyncio.ensure_future(made.work("document", i, held())) for i in range(10)]
        answer = await made.work("picture", "thumbnail", lambda: "small")
        held.go.set()
        await asyncio.gather(*slow)
        return answer

    assert asyncio.run(ask()) == "small"


def test_addresses_take_turns():
    made, held = gate(), Held()

    async def ask():
        first = asyncio.ensure_future(made.work("document", None, held("first"), "greedy"))
        await until(lambda: made.made["document"] == 1)
        asked = [asyncio.ensure_future(made.work("document", None, held(f"greedy {i}"), "greedy")) for i in range(10)]
        await until(lambda: made.waiting("document") == 10)
        asked.append(asyncio.ensure_future(made.work("document", None, held("other"), "other")))
        await until(lambda: made.waiting("document") == 11)
        held.go.set()
        await asyncio.gather(first, *asked)

    asyncio.run(ask())
    assert held.made.index("other") <= 2


def test_an_address_has_a_share_of_the_line_and_the_line_an_end():
    made, held = gate(document=Pool(1, share=3, all=5)), Held()

    async def ask():
        asked = [asyncio.ensure_future(made.work("document", None, held(), "greedy"))]
        await until(lambda: made.made["document"] == 1)
        asked += [asyncio.ensure_future(made.work("document", None, held(), "greedy")) for _ in range(3)]
        await until(lambda: made.waiting("document") == 3)
        with pytest.raises(Busy):
            await made.work("document", None, held(), "greedy")
        asked += [asyncio.ensure_future(made.work("document", None, held(), "other")) for _ in range(2)]
        await until(lambda: made.waiting("document") == 5)
        with pytest.raises(Busy, match="Many people"):
            await made.work("document", None, held(), "third")
        held.go.set()
        await asyncio.gather(*asked)

    asyncio.run(ask())
    assert len(held.made) == 6


def test_nobody_waits_for_ever_and_what_nobody_waits_for_is_not_made():
    made, held = gate(document=Pool(1, patience=0.05)), Held()

    async def ask():
        for name in ("first", "second"):
            with pytest.raises(Busy):
                await made.work("document", name, held(name))
        held.go.set()
        await until(lambda: held.made == ["first"])
        return await made.work("document", "third", held("third"))

    assert asyncio.run(ask()) == "third" and held.made == ["first", "third"]


def test_who_goes_away_takes_nothing_from_the_others():
    made, held = gate(), Held()

    async def ask():
        asked = [asyncio.ensure_future(made.work("document", "report", held())) for _ in range(3)]
        await until(lambda: made.made["document"] == 1)
        asked[0].cancel()
        await asyncio.wait([asked[0]])
        held.go.set()
        return await asyncio.gather(*asked[1:])

    assert asyncio.run(ask()) == ["held"] * 2


def test_what_fails_fails_for_all_who_wait_and_is_tried_again():
    made, go, tries = gate(), threading.Event(), []

    def fail():
        tries.append(1)
        assert go.wait(SOON)
        raise InputError("It is gone.")

    async def ask():
        asked = [asyncio.ensure_future(made.work("document", "report", fail, keep=True)) for _ in range(5)]
        await until(lambda: tries)
        go.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    assert [str(error) for error in asyncio.run(ask())] == ["It is gone."] * 5 and len(tries) == 1
    assert made.work_here("document", "report", lambda: b"there", keep=True) == b"there"


def test_what_its_key_names_for_good_is_kept_as_far_as_there_is_room():
    made, count = gate(), []

    def ask(key, size=200):
        def make():
            count.append(key)
            return b"x" * size

        return made.work_here("document", key, make, keep=True)

    for _ in range(3):
        ask("a")
    assert count == ["a"]
    for key in "bcdef":
        ask(key)
    ask("f"), ask("a")
    assert count == [*"abcdef", "a"]
    ask("large", 300), ask("large", 300)
    assert count[-2:] == ["large"] * 2


def test_work_inside_work_is_done_by_the_same_thread_and_shared():
    made, seen, all_asked = gate(), [], threading.Event()

    def inner():
        seen.append(threading.current_thread().name)
        return "units"

    def outer():
        assert all_asked.wait(60)
        seen.append(threading.current_thread().name)
        return made.work_here("document", "units", inner) + " in a page"

    async def ask():
        asked = [asyncio.ensure_future(made.work("document", "page", outer)) for _ in range(5)]
        await asyncio.sleep(0)  # each of them runs until it waits
        all_asked.set()
        return await asyncio.gather(*asked)

    assert asyncio.run(ask()) == ["units in a page"] * 5
    assert len(seen) == 2 and seen[0] == seen[1]


def test_work_that_another_waits_for_is_done_at_once_by_who_needs_it_inside():
    """The pool has one thread, and it needs what stands behind it in the line."""
    made, queued = gate(), threading.Event()

    def outer():
        assert queued.wait(SOON)
        return made.work_here("document", "units", lambda: "units")

    async def ask():
        first = asyncio.ensure_future(made.work("document", "page", outer))
        await until(lambda: made.made["document"] == 1)
        second = asyncio.ensure_future(made.work("document", "units", lambda: "units"))
        await until(lambda: made.waiting("document") == 1)
        queued.set()
        return await asyncio.gather(first, second)

    assert asyncio.run(ask()) == ["units", "units"] and made.made["document"] == 2


def png(side):
    file = io.BytesIO()
    Image.new("1", (side, side)).save(file, "PNG")
    return file.getvalue()


def test_a_picture_with_too_many_pixels_is_refused_by_its_header(monkeypatch):
    decoded = []
    monkeypatch.setattr(work_gate, "opened_image", lambda *given, **said: decoded.append(1))
    with pytest.raises(InputError), opened_picture(png(8800), name="The drawing", most=work_gate.SKETCH_PIXELS):
        pass
    assert not decoded
