"""Who asks for a data set to be gone through waits for a turn, has the whole time from there, and may leave."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from imgcls.progress import Interrupted
from imgcls.web.data import long_reading as module
from imgcls.web.data.long_reading import long_reading
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.shared.work_gate import GATE, POOLS, work_here

SOON = 20  # seconds


@pytest.fixture
def cache(workspace, monkeypatch):
    monkeypatch.setattr(module, "FIRST_S", 0.01)
    monkeypatch.setattr(module, "SELDOM_S", 0.05)
    return RunCache(workspace)


@pytest.fixture
def held():
    """Every thread that goes through data sets is busy until this is set."""
    go = threading.Event()
    with ThreadPoolExecutor(POOLS["dataset"].threads) as pool:
        begun = GATE.made["dataset"]
        for _ in range(pool._max_workers):
            pool.submit(work_here, "dataset", None, lambda: go.wait(SOON))
        while GATE.made["dataset"] < begun + pool._max_workers:
            time.sleep(0.01)
        yield go
        go.set()


def answer(reading):
    while True:
        try:
            next(reading)
        except StopIteration as ended:
            return ended.value


def slow(progress, steps=40):
    for step in range(steps):
        progress(step + 1, steps)
        time.sleep(0.01)
    return "all of it"


def test_the_time_counts_from_the_beginning_of_the_work(cache, held):
    waits = long_reading(cache, "flowers", "report", lambda _: "there", user="", seconds=0.2)
    assert [next(waits) for _ in range(10)] == [(0, 0)] * 10  # half a second, and it says so all the while
    held.set()
    assert answer(waits) == "there"
    assert answer(long_reading(cache, "flowers", "another", slow, user="", seconds=0.1)) is None
    assert answer(long_reading(cache, "flowers", "another", slow, user="", seconds=0)) == "all of it"


@pytest.mark.parametrize("somebody_else_first", [False, True])
def test_who_leaves_the_line_is_no_more_in_it(cache, held, somebody_else_first):
    waits = [long_reading(cache, "flowers", "report", slow, user="", seconds=60) for _ in range(2)]
    leaving = waits[somebody_else_first]
    for reading in waits if somebody_else_first else waits[:1]:
        assert next(reading) == (0, 0)
    began = time.monotonic()
    leaving.close()
    assert time.monotonic() - began < SOON / 2 and GATE.waiting("dataset") == somebody_else_first
    held.set()
    if somebody_else_first:
        assert answer(waits[0]) == "all of it"


def test_who_waits_for_one_who_leaves_makes_it(cache, held):
    first, second = (long_reading(cache, "flowers", "report", slow, user="", seconds=60) for _ in range(2))
    assert next(first) == next(second) == (0, 0)
    first.close()
    held.set()
    assert answer(second) == "all of it"


def test_work_in_line_is_withdrawn_by_who_waits_for_it(held):
    def gone():
        raise Interrupted

    with pytest.raises(Interrupted):
        work_here("dataset", None, lambda: None, in_line=gone)
    assert GATE.waiting("dataset") == 0
