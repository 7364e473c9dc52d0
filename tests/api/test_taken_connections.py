"""When all connections to the database are taken, everybody is told to come back, and nobody that something broke."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import TimeoutError as NoConnection

from server.db import engine_of
from server.wire import answers
from sync.entities import reading
from sync.models.database import writing_soon
from tests.support.projects import a_sale
from tests.support.web import House, shown


@pytest.fixture
def engine(house: House, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Whoever waits for a connection gives up soon."""
    found = engine_of(house.app)
    monkeypatch.setattr(found.pool, "_timeout", 0.2)
    return found


@pytest.fixture
def others(engine: Engine) -> Iterator[ExitStack]:
    """Those who hold connections."""
    with ExitStack() as holding:
        yield holding


def take_all(engine: Engine, others: ExitStack) -> None:
    pool: Any = engine.pool
    for _ in range(pool.size() + pool._max_overflow):
        others.enter_context(engine.connect())


def test_pages_programs_and_tablets_are_told_to_come_back(house: House, engine: Engine, others: ExitStack) -> None:
    take_all(engine, others)

    answers = [
        house.baraka.get(f"/projects/{house.pid}"),
        house.baraka.get(f"/projects/{house.pid}/submissions"),
        house.baraka.get("forms"),
        house.amina.send(a_sale(1)),
        house.amina.get("formList", headers={"X-OpenRosa-Version": "1.0"}),
    ]

    assert [answer.status_code for answer in answers] == [503] * 5
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
    assert "<h1>" in answers[0].get_data(as_text=True)
    assert int(answers[3].get_json()["code"]) == 503
    others.close()
    assert house.amina.outcomes(a_sale(1)) == ["stored"]


def test_a_tablet_that_asks_again_for_what_it_has_is_told_to_come_back(
    house: House, engine: Engine, others: ExitStack
) -> None:
    openrosa = {"X-OpenRosa-Version": "1.0"}
    house.amina.get("formList", headers=openrosa)
    tag = house.amina.get("formList", headers=openrosa).headers["ETag"]
    take_all(engine, others)

    assert house.amina.get("formList", headers=openrosa | {"If-None-Match": tag}).status_code == 503

    others.close()
    assert house.amina.get("formList", headers=openrosa | {"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize(
    "path", ["forms/sale/submissions", "datasets/people/entities.csv", "datasets/people/entities.geojson", "/v1/audits"]
)
def test_whoever_reads_a_long_list_slowly_holds_no_connection(
    house: House, engine: Engine, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "AT_ONCE", 2)
    monkeypatch.setattr(reading, "_AT_ONCE", 2)
    shown(house.djeneba.post("datasets/people/properties", json={"name": "geometry"}))
    house.amina.outcomes(*(a_sale(number) for number in range(20, 25)))
    placed = {"data": {"geometry": "12 -8"}}
    for row in shown(house.baraka.get("datasets/people/entities")):
        shown(house.baraka.patch(f"datasets/people/entities/{row['uuid']}?force=true", json=placed))
    pool: Any = engine.pool

    answer = house.sekou.get(path, buffered=False)
    pieces, held = zip(*((piece, pool.checkedout()) for piece in answer.iter_encoded()), strict=True)

    assert len(held) > 1
    assert not any(held)
    assert b"".join(pieces) == house.sekou.get(path).get_data()


def test_what_was_worked_out_is_kept_by_one_at_a_time_so_that_none_waits_for_a_connection_beside_its_own(
    engine: Engine, others: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing_soon(engine, dt.timedelta(seconds=1)):
        began = time.monotonic()

        with pytest.raises(NoConnection), writing_soon(engine, dt.timedelta(milliseconds=10)):
            pass

    assert time.monotonic() - began < 1
    take_all(engine, others)
    monkeypatch.setattr(engine.pool, "_timeout", 60)
    with pytest.raises(NoConnection), writing_soon(engine, dt.timedelta(milliseconds=10)):
        pass
    assert time.monotonic() - began < 10
    others.close()
    with writing_soon(engine, dt.timedelta(seconds=1)) as own:
        assert own.connection() is not None
