"""How much data a tablet used: counted on the wire, written down without holding anybody up, shown on its page."""

import datetime as dt
import gzip
import io
import json

import pytest
from sqlalchemy import select

from server import current
from server.db import session
from server.upkeep.background import write_traffic
from sync.accounts.traffic import Used, add_traffic, forget_traffic, traffic_since
from sync.models import Traffic
from sync.models.database import begin_writing
from tests.support.projects import a_sale
from tests.support.web import House

LONG_AGO = dt.date(2020, 1, 1)


def used(house: House, since: dt.date = LONG_AGO) -> dict[int, Used]:
    with house.app.app_context():
        write_traffic()
        return traffic_since(session(), house.pid, [voice.actor_id for voice in house.voices.values()], since)


def test_what_a_tablet_sends_and_gets_is_counted_as_it_went_over_the_wire(house: House) -> None:
    packed = gzip.compress(json.dumps({"batch": "b1", "items": [a_sale(1), a_sale(2)]}).encode())
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}

    answers = [house.amina.post("batches", data=packed, headers=headers), house.amina.get("changes")]
    house.baraka.get("figures")

    received = sum(len(answer.data) for answer in answers)
    assert used(house) == {house.amina.actor_id: Used(len(packed), received)}


def test_what_several_processes_counted_is_added_up(house: House) -> None:
    assert house.amina.send(a_sale(1)).data
    first = used(house)[house.amina.actor_id]
    assert house.amina.send(a_sale(2), batch="b2").data

    both = used(house)[house.amina.actor_id]

    assert both.sent > first.sent
    assert both.received > first.received
    with house.app.app_context():
        assert len(session().scalars(select(Traffic)).all()) == 1


def test_of_a_body_that_breaks_off_what_came_is_counted(house: House) -> None:
    answer = house.amina.post("batches", input_stream=io.BytesIO(b"{" * 1000), headers={"Content-Length": "5000"})

    assert answer.data
    assert answer.status_code >= 400
    assert used(house)[house.amina.actor_id].sent == 1000


def test_reading_does_not_write(house: House) -> None:
    assert house.amina.get("changes").data

    with house.app.app_context():
        assert session().scalars(select(Traffic)).all() == []
        assert current.parts().tally.take() != {}


def test_what_cannot_be_written_down_is_counted_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert house.amina.send(a_sale(1)).data

    with monkeypatch.context() as broken, house.app.app_context():
        broken.setattr("server.upkeep.background.add_traffic", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_traffic()

    assert used(house)[house.amina.actor_id].sent > 0


def test_days_long_ago_are_forgotten(house: House) -> None:
    with house.app.app_context():
        begin_writing(session())
        add_traffic(session(), {(house.pid, house.amina.actor_id, dt.date(2025, 1, day)): Used(1, 2) for day in (1, 9)})

        gone = forget_traffic(session(), dt.date(2025, 1, 5))

        assert gone == 1
        assert traffic_since(session(), house.pid, [house.amina.actor_id], LONG_AGO) == {
            house.amina.actor_id: Used(1, 2)
        }
