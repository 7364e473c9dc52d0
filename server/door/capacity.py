"""Turning away what one process cannot serve in time, before anything is promised."""

from __future__ import annotations

import random
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable

from sync.errors import Busy, TooMany

_PATIENCE_SECONDS = 20.0
_KEPT = 10_000


class Slots:
    """So many requests write at the same time; others wait a while, then come back later."""

    def __init__(self, count: int, patience: float = _PATIENCE_SECONDS) -> None:
        self._free = threading.BoundedSemaphore(count)
        self._patience = patience

    def take(self) -> None:
        """Raises Busy when none becomes free in time; whoever took one gives it back."""
        if not self._free.acquire(timeout=self._patience):
            # Spread, so that those who were turned away together do not come back together.
            raise Busy(retry_after=round(20 * random.uniform(0.75, 1.25)))  # noqa: S311 — no secret

    def give_back(self) -> None:
        self._free.release()


class Rates:
    """A bucket for each token or account, filled evenly: a burst is welcome, an endless one is not."""

    def __init__(self, an_hour: int) -> None:
        self._a_second = an_hour / 3600
        self._most = an_hour / 4
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def count(self, key: Hashable) -> None:
        """Raises TooMany when the bucket of this key is empty."""
        moment = time.monotonic()
        with self._lock:
            left, since = self._buckets.pop(key, (self._most, moment))
            left = min(self._most, left + (moment - since) * self._a_second)
            self._buckets[key] = (max(left - 1, 0.0), moment)
            if len(self._buckets) > _KEPT:
                self._buckets.popitem(last=False)
        if left < 1:
            raise TooMany(retry_after=max(1, round((1 - left) / self._a_second)))
