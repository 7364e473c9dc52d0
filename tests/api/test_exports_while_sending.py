"""Exports while tablets send: what was acknowledged is there, each batch whole or not at all, in little memory."""

from __future__ import annotations

import io
import threading
import time
import tracemalloc
from itertools import count

import pytest

from server.db import session
from server.settings import Settings
from sync.exports.exporting import prepare_export
from sync.exports.growing import Scratch
from sync.exports.options import Options
from sync.exports.source import open_snapshot
from sync.intake.content import ContentStore, session_info
from tests.support.exports import read_csv, tables_in
from tests.support.projects import NOON, a_sale, instance_id
from tests.support.web import House, Voice

SALES = "forms/sale/submissions"
TABLETS, OF_ONE_BATCH = 3, 20
MEGABYTE = 2**20


class Sending(threading.Thread):
    """A tablet that sends batch after batch until it is told to stop."""

    def __init__(self, house: House, number: int, enough: threading.Event) -> None:
        super().__init__(daemon=True)
        known = house.amina
        self._voice = Voice(house.app.test_client(), known.token, known.actor_id, known.pid)
        self._first, self._enough = number * 100_000, enough
        self.acknowledged: list[set[str]] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            for batch in count():
                if self._enough.is_set():
                    return
                numbers = range(self._first + batch * OF_ONE_BATCH, self._first + (batch + 1) * OF_ONE_BATCH)
                outcomes = self._voice.outcomes(*map(a_sale, numbers), batch=f"{self._first}/{batch}")
                assert outcomes == ["stored"] * OF_ONE_BATCH
                self.acknowledged.append(set(map(instance_id, numbers)))
        except BaseException as error:
            self.failure = error


def wait_for_another_batch(tablets: list[Sending]) -> None:
    """However slow the machine is: something must arrive between one export and the next."""
    before = sum(len(tablet.acknowledged) for tablet in tablets)
    until = time.monotonic() + 60
    while sum(len(tablet.acknowledged) for tablet in tablets) == before:
        assert time.monotonic() < until, [tablet.failure for tablet in tablets]
        time.sleep(0.01)


def test_what_was_acknowledged_is_in_the_export_and_no_batch_is_in_it_by_half(house: House) -> None:
    stop = threading.Event()
    tablets = [Sending(house, number, stop) for number in range(1, TABLETS + 1)]
    for tablet in tablets:
        tablet.start()

    exports: list[tuple[list[set[str]], list[str], str]] = []
    try:
        for kind in ("csv.zip", "csv", "csv.zip", "csv"):
            wait_for_another_batch(tablets)
            held = [batch for tablet in tablets for batch in list(tablet.acknowledged)]
            answer = house.baraka.get(f"{SALES}.{kind}")
            assert answer.status_code == 200
            body = answer.get_data()
            rows = tables_in(body)["sale.csv"] if kind == "csv.zip" else read_csv(body)
            exports.append((held, [row["KEY"] for row in rows], answer.headers["X-Total-Rows"]))
    finally:
        stop.set()
        for tablet in tablets:
            tablet.join(60)

    assert [tablet.failure for tablet in tablets] == [None] * TABLETS
    batches = [batch for tablet in tablets for batch in tablet.acknowledged]
    before: set[str] = set()
    for held, keys, stated in exports:
        there = set(keys)
        assert len(there) == len(keys) == int(stated)
        assert all(batch <= there for batch in held)
        assert all(batch <= there or not batch & there for batch in batches)
        assert before <= there
        before = there
    assert len(exports[0][1]) < len(exports[-1][1])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kind", ["csv.zip"])
def test_an_export_of_four_times_as_many_takes_no_more_memory(house: House, settings: Settings, kind: str) -> None:
    peaks = []
    for first, more in ((0, 500), (500, 1_500)):
        for start in range(first, first + more, 250):
            house.amina.send(*map(a_sale, range(start, start + 250)), batch=f"b{start}")
        peaks.append(peak_of(house, settings, kind, rows=first + more))

    assert peaks[1] < peaks[0] + 4 * MEGABYTE


def peak_of(house: House, settings: Settings, kind: str, rows: int) -> int:
    """The most memory that Python held while the export was made, beyond what it held before."""
    with house.app.app_context():
        engine = session().get_bind()
    snapshot = open_snapshot(engine, session_info(ContentStore(settings.files_folder, 0)))  # type: ignore[arg-type]
    export = prepare_export(snapshot, house.pid, "sale", Options(format=kind), NOON)
    assert export.facts.rows == rows
    tracemalloc.start()
    try:
        export.write(Nowhere(), Scratch(settings.folder, lambda _: None))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        snapshot.close()


class Nowhere(io.RawIOBase):
    """A file of which nothing is kept."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        return len(data)
