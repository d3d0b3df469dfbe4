"""The last few of what is costly to make: made once for all who ask for the same meanwhile."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = threading.Lock()  # nothing is made under it
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self._making: dict[Hashable, Future[T]] = {}

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._kept

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """None is not kept: the next who asks may find more. Raises what `make` raises."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            future, mine = self._making.get(key), False
            if future is None:
                future = self._making[key] = Future()
                mine = True
        if mine:
            self._make(key, make, future)
        return future.result()

    def forget(self, key: Hashable) -> None:
        with self._lock:
            self._kept.pop(key, None)

    def _make(self, key: Hashable, make: Callable[[], T], future: Future[T]) -> None:
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                del self._making[key]
            future.set_exception(error)
            return
        with self._lock:
            del self._making[key]
            if value is not None:
                self._kept[key] = value
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)
        future.set_result(value)
