"""What takes long to work out for the first time is worked out once, beside the requests, which say how far it is."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from server.db import session
from server.kept import beside
from server.pages.figures import statements as statement_pages
from sync.models import WorkedOut
from sync.statements import issues
from sync.statements.statements import Statement, compose
from tests.api.test_indicator_pages import last_event
from tests.support.pages import read, send, signed_in
from tests.support.projects import a_sale
from tests.support.web import House

STATEMENT = "# Vendu\n\n{{ sacks }} sacs, {{ sacks.low }} au moins.\n"


class Slow:
    """A statement that is not written before `go`."""

    def __init__(self) -> None:
        self.go, self.times = threading.Event(), 0

    def __call__(self, *given: Any, tell: Any, **named: Any) -> Statement:
        tell(3, 7)
        self.times += 1
        assert self.go.wait(20)
        return compose(*given, tell=tell, **named)


@pytest.fixture
def sold(house: House) -> House:
    house.amina.send(a_sale(1, sacks=4), a_sale(2, sacks=9, village="Kalassa"))
    house.djeneba.put("statements/results/fr", data=STATEMENT)
    return house


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    monkeypatch.setattr(beside, "_AT_ONCE_SECONDS", 0.05)
    monkeypatch.setattr(beside, "_SAID_SECONDS", 0.01)
    found = Slow()
    for module in (statement_pages, issues):
        monkeypatch.setattr(module, "compose", found)
    yield found
    found.go.set()
    wait_until(nobody_works)


def wait_until(holds: Any) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def nobody_works() -> bool:
    return all(thread.name != "beside" for thread in threading.enumerate())


def told(house: House) -> dt.datetime | None:
    """When it was said last how far something is."""
    with house.app.app_context():
        return session().scalar(select(WorkedOut.at).where(WorkedOut.kind.startswith("progress of ")))


def in_the_end(client: FlaskClient, page: str) -> str:
    wait_until(lambda: client.get(page).status_code != 503)
    return read(client, page)


def test_a_page_says_how_far_it_is_and_is_worked_out_once_for_all_who_ask(sold: House, slow: Slow) -> None:
    page = f"/projects/{sold.pid}/statements/results?period=all"
    first, second = (signed_in(sold, name, language="fr") for name in ("baraka", "djeneba"))

    assert first.get(page).status_code == 503
    wait_until(lambda: slow.times)
    for client in (first, second):
        answer = client.get(page)
        text = answer.get_data(as_text=True)
        assert answer.status_code == 503
        assert answer.headers["Refresh"].isdecimal()
        assert "3 chiffres sur 7" in text
        assert 'aria-current="page">Rapports' in text
    slow.go.set()

    assert ">13,0</a>" in in_the_end(first, page)
    assert ">13,0</a>" in read(second, page)
    assert slow.times == 1


def test_another_process_says_how_far_the_first_one_is_and_begins_anew_once_that_is_silent(
    sold: House, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, client = f"/projects/{sold.pid}/statements/results?period=all", signed_in(sold, language="fr")
    assert client.get(page).status_code == 503
    wait_until(lambda: told(sold))
    beside._works.clear()  # which another process does not have

    wait_until(lambda: "3 chiffres sur 7" in client.get(page).get_data(as_text=True))
    assert slow.times == 1
    monkeypatch.setattr(beside, "_SILENT", dt.timedelta(seconds=-1))
    assert client.get(page).status_code == 503
    wait_until(lambda: slow.times == 2)


def test_what_is_done_is_said_to_be_under_way_no_longer(sold: House, slow: Slow) -> None:
    page, client = f"/projects/{sold.pid}/statements/results?period=all", signed_in(sold, language="fr")
    client.get(page)
    wait_until(lambda: told(sold))
    slow.go.set()
    wait_until(lambda: told(sold) is None)

    assert ">13,0</a>" in read(client, page)


def test_what_is_to_be_issued_is_written_while_its_page_says_how_far_it_is_and_then_given_out_at_once(
    sold: House, slow: Slow
) -> None:
    sold.djeneba.put("statements/results/en", data="{{ sacks }} sacks.\n")
    client, event = signed_in(sold, "djeneba", language="fr"), last_event(sold)
    page = f"/projects/{sold.pid}/statements/results/issue?as_of={event}"

    assert client.get(page).status_code == 503
    wait_until(lambda: slow.times)
    assert "3 chiffres sur 14" in client.get(page).get_data(as_text=True)
    slow.go.set()
    in_the_end(client, page)
    sold.amina.send(a_sale(3, sacks=5), batch="b2")
    given = {"as_of": event, "title": "Mi-parcours", "period": "all", "place": ""}
    answer = send(client, page, page.partition("?")[0], given)

    assert slow.times == 2
    assert answer.status_code == 303
    assert ">13,0</a>" in in_the_end(client, f"{answer.headers['Location']}?wording=fr")
    assert ">13.0</a>" in in_the_end(client, f"{answer.headers['Location']}?wording=en")
    assert slow.times == 2


def test_what_cannot_be_worked_out_is_said_in_the_end(sold: House, slow: Slow) -> None:
    sold.djeneba.put("statements/results/fr", data="{{ 1 / (sacks.value - 13) }}\n")
    page, client = f"/projects/{sold.pid}/statements/results?period=all", signed_in(sold, language="fr")
    assert client.get(page).status_code == 503
    slow.go.set()

    wait_until(nobody_works)
    answer = client.get(page)

    assert answer.status_code == 400
    assert 'role="alert"' in answer.get_data(as_text=True)


def test_a_day_that_is_over_is_worked_out_once_whatever_arrives_later(sold: House, slow: Slow) -> None:
    slow.go.set()
    sold.amina.send(a_sale(3, sacks=5), batch="b2")
    page, client = f"/projects/{sold.pid}/statements/results?period=all&as_of=", signed_in(sold, language="fr")
    event = last_event(sold)
    assert ">18,0</a>" in in_the_end(client, f"{page}{event - 1}").replace(">13,0</a>", ">18,0</a>")
    times = slow.times

    sold.amina.send(a_sale(4, sacks=6), batch="b3")

    assert read(client, f"{page}{event - 1}")
    assert slow.times == times


def test_scripts_and_parts_of_pages_wait_themselves(sold: House, slow: Slow) -> None:
    page, client = f"/projects/{sold.pid}/statements/results?period=all", signed_in(sold, language="fr")
    threading.Timer(0.2, slow.go.set).start()

    answer = client.get(page, headers={"HX-Request": "true"})

    assert answer.status_code == 200
    assert sold.djeneba.get("statements/results").status_code == 200


def test_a_page_as_of_today_appears_however_much_arrives_meanwhile(sold: House, slow: Slow) -> None:
    today = dt.date.today().isoformat()
    page, client = f"/projects/{sold.pid}/statements/results?period=all&as_of={today}", signed_in(sold, language="fr")
    assert client.get(page).status_code == 503
    sold.amina.send(a_sale(3, sacks=5), batch="b2")
    assert client.get(page).status_code == 503
    assert slow.times == 1

    slow.go.set()
    wait_until(nobody_works)
    sold.amina.send(a_sale(4, sacks=6), batch="b3")

    assert ">24,0</a>" in read(client, page)


def test_who_finds_no_room_works_it_out_alone(sold: House, slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    page, client = f"/projects/{sold.pid}/statements/results?period=all", signed_in(sold, language="fr")
    monkeypatch.setattr(beside, "_slots", threading.BoundedSemaphore(1))
    assert client.get(page).status_code == 503
    threading.Timer(0.2, slow.go.set).start()

    assert client.get(f"{page}&place=").status_code in (200, 302)
    assert client.get(page.replace("period=all", "period=2026")).status_code == 200


def test_a_thread_that_cannot_be_begun_leaves_nobody_waiting(
    sold: House, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, client = f"/projects/{sold.pid}/statements/results?period=all", signed_in(sold, language="fr")
    slow.go.set()

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(beside.threading.Thread, "start", refuse)
        assert client.get(page).status_code == 200
    assert in_the_end(client, page.replace("period=all", "period=2026"))
