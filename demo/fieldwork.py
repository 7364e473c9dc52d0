"""A year in the field: sixty tablets collect, and send over bad links when they come by a network."""

from __future__ import annotations

import datetime as dt
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import groupby

from demo.links import CLEAR, Link, Traffic, Weather
from demo.serving import HOST
from demo.tablets import File, Habits, Record, State, Tablet, Unreachable, record_of
from demo.visits import Visit
from server import clock

_AT_ONCE = 8
_LAST_ATTEMPTS = 5
_LOOK_SECONDS = 1.0
_EARLY = 25  # so many forms of an unpublished version come in before somebody publishes it
_FAIR = Weather()
_FOUL = Weather(cut_before=0.15, cut_after=0.12, unheard=0.06, twice=0.08, slow=0.05)
_CLOCKS = (
    dt.timedelta(hours=-3),
    dt.timedelta(hours=5),
    dt.timedelta(hours=26),
    dt.timedelta(days=-31),
    dt.timedelta(days=-400),
    dt.timedelta(days=365 * 3),
)


class Stopped(Exception):
    """Whoever started the demo has ended it."""


class Fieldwork:
    """All tablets. `tokens` are theirs, in order; `look` is called every second while they send."""

    def __init__(self, project: int, port: int, tokens: Sequence[str], seed: int, fast: bool = False) -> None:
        self.traffic = Traffic()
        self._stop = threading.Event()
        rng = random.Random(f"field {seed}")
        foul = set(rng.sample(range(len(tokens)), len(tokens) // 10))
        wrong = dict(zip(rng.sample(range(len(tokens)), len(_CLOCKS)), _CLOCKS, strict=True))
        self.late, self.backwards = rng.sample([number for number in range(len(tokens)) if number not in wrong], 2)
        self.clock_errors = {number: wrong.get(number, dt.timedelta(0)) for number in range(len(tokens))}
        self.tablets = [
            self._tablet(number, token, project, port, seed, CLEAR if fast else _FOUL if number in foul else _FAIR)
            for number, token in enumerate(tokens)
        ]
        self._left_behind: list[Visit] = []
        self._kept: list[tuple[Visit, Record]] = []

    @property
    def records(self) -> Iterator[Record]:
        for tablet in self.tablets:
            yield from tablet.records

    @property
    def acknowledged(self) -> int:
        """How many records the server has answered for, one way or another."""
        return sum(record.state is not State.WAITING for record in self.records)

    @property
    def arrived(self) -> list[Visit]:
        """Every visit as often as it reached the server whole."""
        return [visit for visit, record in self._kept for _ in range(record.copies)]

    @property
    def counts(self) -> Counter[str]:
        """What all tablets have counted."""
        return sum((tablet.counts for tablet in self.tablets), Counter())

    def collect(self, visits: Sequence[Visit]) -> None:
        """The tablets fill these forms in. The one that comes late keeps its own for the next time."""
        held_back = self._left_behind
        self._left_behind = [visit for visit in visits if visit.tablet == self.late]
        for visit in [*held_back, *(visit for visit in visits if visit.tablet != self.late)]:
            self._keep(visit)

    def come_in(self, visits: Sequence[Visit] = ()) -> None:
        """The last time: nobody keeps anything back any more."""
        held_back, self._left_behind = self._left_behind, []
        for visit in [*held_back, *visits]:
            self._keep(visit)

    @property
    def weeks(self) -> tuple[Sequence[Tablet], Sequence[Tablet]]:
        """The tablets that come by a network in the first week after a month, and those that do in the second."""
        return self.tablets[::2], self.tablets[1::2]

    def sync(self, look: Callable[[], None], tablets: Sequence[Tablet] | None = None) -> None:
        """Every tablet, or these alone, that has something sends it; those that reached nobody try again the next
        time."""
        self._each(_sync, look, tablets)

    def sync_all(self, look: Callable[[], None]) -> bool:
        """Until nothing waits any more; False if something still does after several attempts."""
        for _ in range(_LAST_ATTEMPTS):
            self.sync(look)
            if all(record.state not in (State.WAITING, State.FILES) for record in self.records):
                return True
        return False

    def look_for_losses(self, look: Callable[[], None]) -> list[Record]:
        """Every tablet offers all that it holds, and asks once more about what has files; gives what is not there.

        A record that the server would not have, or has not answered for, is not there either.
        """
        lost: list[Record] = []

        def check(tablet: Tablet) -> None:
            missing = tablet.not_held(tablet.records)
            tablet.ask_again([record for record in tablet.records if record.files and record.state is State.SAFE])
            settled = (State.SAFE, State.COORDINATOR)
            lost.extend(record for record in tablet.records if record in missing or record.state not in settled)

        self._each(check, look)
        return lost

    def _each(
        self, work: Callable[[Tablet], None], look: Callable[[], None], tablets: Sequence[Tablet] | None = None
    ) -> None:
        with _workers(self._stop) as pool:
            pending: set[Future[None]] = {pool.submit(work, tablet) for tablet in tablets or self.tablets}
            while pending:
                done, pending = wait(pending, timeout=_LOOK_SECONDS, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
                look()

    def _keep(self, visit: Visit) -> None:
        tablet = self.tablets[visit.tablet]
        files = [File(file.name, file.type, file.content) for file in visit.attachments]
        record = record_of(item_of(visit, self.clock_errors[visit.tablet]), files)
        self._kept.append((visit, record))
        tablet.keep(record)

    def _tablet(self, number: int, token: str, project: int, port: int, seed: int, weather: Weather) -> Tablet:
        error = self.clock_errors[number]
        link = Link(HOST, port, token, weather=weather, seed=f"link {seed} {number}", traffic=self.traffic)
        habits = Habits(
            encoding="zstd" if number % 3 == 0 else "gzip",
            chunk=10_000,
            first_pause=0.02,
            longest_pause=2.0,
            restarts=0.0 if weather is CLEAR else 0.3,
            newest_first=number == self.backwards,
            most_items=5 if number == self.backwards else 200,
        )
        return Tablet(
            f"tablet-{number + 1:02}",
            project,
            link.ask,
            pause=self._pause,
            clock=lambda: clock.now() + error,
            habits=habits,
            seed=f"tablet {seed} {number}",
        )

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped


def rounds_of(visits: Sequence[Visit], published: Mapping[str, str]) -> tuple[list[Sequence[Visit]], list[Visit]]:
    """The year cut into months, after each of which tablets send, and what is sent at the very end.

    The first part ends where a version that is not `published` (form → version) has been in use for a while. What
    contradicts an earlier visit, the same id with other content or a second correction of one record, comes at the end:
    which of two such visits stays depends on which came first.
    """
    agreed, contradicting = _contradictions(visits)
    newer = [number for number, visit in enumerate(agreed) if visit.version != published.get(visit.form, visit.version)]
    first = newer[:_EARLY][-1] + 1 if newer else 0
    months = groupby(agreed[first:], key=lambda visit: (visit.recorded_at.year, visit.recorded_at.month))
    return [agreed[:first], *(list(month) for _, month in months)], contradicting


def item_of(visit: Visit, clock_error: dt.timedelta) -> dict[str, object]:
    """A visit as an item of a batch, dated by the tablet's clock."""
    item: dict[str, object] = {
        "instance_id": visit.instance_id,
        "form": visit.form,
        "version": visit.version,
        "recorded_at": (visit.recorded_at + clock_error).isoformat(),
    }
    if visit.edits:
        item["edits"] = visit.edits
    item |= {"xml": visit.xml} if visit.xml is not None else {"answers": visit.answers}
    return item


def _contradictions(visits: Sequence[Visit]) -> tuple[list[Visit], list[Visit]]:
    agreed: list[Visit] = []
    contradicting: list[Visit] = []
    ids: set[str] = set()
    corrected: set[str] = set()
    for visit in visits:
        if visit.instance_id in ids or visit.edits in corrected:
            contradicting.append(visit)
            continue
        agreed.append(visit)
        ids.add(visit.instance_id)
        if visit.edits:
            corrected.add(visit.edits)
    return agreed, contradicting


def _sync(tablet: Tablet) -> None:
    try:
        tablet.sync()
    except Unreachable:
        tablet.counts["gave_up"] += 1


@contextmanager
def _workers(stop: threading.Event) -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        yield pool
    except BaseException:
        stop.set()  # those that wait for a better link end their waiting
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
