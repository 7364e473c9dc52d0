"""Settings on pages: what they do is said before it is done, and what was done can be undone."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from server import clock
from server.db import session
from server.upkeep import checkup
from sync.models import Delivery, Project, Submission
from sync.models.database import begin_writing
from tests.support.pages import Page, read, send, signed_in
from tests.support.projects import a_sale, instance_id
from tests.support.web import House, shown

ONCE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
NOW = {
    "name": "Siby",
    "description": "",
    "time_zone": "Africa/Bamako",
    "languages": "en",
    "fiscal_year_start": "1",
    "counts": "received",
}


def at(house: House, path: str = "") -> str:
    return f"/projects/{house.pid}/settings{path}"


def change(house: House, path: str = "", **values: Any) -> TestResponse:
    client = signed_in(house, "djeneba", "en")
    return send(client, at(house, path), at(house, path), (NOW if path == "" else {}) | values)


def last_event(house: House) -> int:
    with house.app.app_context():
        return session().scalars(select(Project.last_event).where(Project.id == house.pid)).one()


def sales(house: House) -> Any:
    return shown(house.fanta.get("figures?indicator=sales"))["figures"][0]["value"]


def test_what_figures_count_is_said_in_numbers_before_it_is_changed_and_can_be_undone(house: House) -> None:
    house.amina.send(a_sale(1), a_sale(2))
    client = signed_in(house, "djeneba", "en")

    asked = change(house, counts="approved")
    page = asked.get_data(as_text=True)
    before = sales(house)
    done = change(house, counts="approved", sure=Page(page).hidden["sure"])
    after = sales(house)
    notice = read(client, done.headers["Location"])
    send(client, done.headers["Location"], at(house, "/undo"), {"event": Page(notice).hidden["event"]})

    assert asked.status_code == 200
    assert "Figures count 0 submissions instead of 2" in page
    assert (before, done.status_code, after) == (2, 303, 0)
    assert sales(house) == 2


def moved(page: str) -> list[tuple[str, str, str]]:
    """Each figure of the table that says what another rule does."""
    rows = re.findall(r"<tr><td[^>]*>([^<]*)</td><td[^>]*>([^<]*)</td><td[^>]*>([^<]*)</td></tr>", page)
    return [(label, before, after) for label, before, after in rows]


@pytest.mark.parametrize(("now", "then"), [("received", "approved"), ("approved", "received")])
def test_another_rule_of_what_counts_shows_the_figures_before_and_after_it(house: House, now: str, then: str) -> None:
    change(house, counts=now, sure=f"counts={now};fiscal_year_start=1;time_zone=Africa/Bamako;archived=False")
    house.amina.send(a_sale(1, sacks=3), a_sale(2, sacks=4), a_sale(3, sacks=5), a_sale(4, sacks=6))
    ids = {row["instance_id"]: row["id"] for row in shown(house.baraka.get("review"))["submissions"]}
    for state, sale in (("approved", 1), ("rejected", 2)):
        house.baraka.post("review/bulk", json={"ids": [int(ids[instance_id(sale)])], "state": state})
    before = last_event(house), sales(house)

    page = change(house, counts=then).get_data(as_text=True)
    alone = read(signed_in(house, "djeneba", "en"), at(house, f"/counts?counts={then}"))
    after_preview = last_event(house), sales(house)
    change(house, counts=then, sure=Page(page).hidden["sure"])

    told = {label: (was, would_be) for label, was, would_be in moved(page)}
    assert moved(alone) == moved(page)
    assert after_preview == before
    assert told["Sales"] == (str(before[1]), str(sales(house)))
    assert {now: before[1], then: sales(house)} == {"received": 3, "approved": 1}


@ONCE
def test_in_a_large_project_what_another_rule_does_has_a_page_of_its_own(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.amina.send(a_sale(1), a_sale(2))
    monkeypatch.setattr("server.pages.project.settings._SOON", 1)

    page = change(house, counts="approved").get_data(as_text=True)
    link = next(link for link in Page(page).links if "/settings/counts" in link)
    alone = read(signed_in(house, "djeneba", "en"), link)

    assert moved(page) == []
    assert ("Sales", "2", "0") in moved(alone)


@ONCE
def test_who_agrees_to_one_thing_is_asked_again_about_another(house: House) -> None:
    sure = Page(change(house, counts="approved").get_data(as_text=True)).hidden["sure"]

    answer = change(house, counts="approved", fiscal_year_start="10", sure=sure)

    assert answer.status_code == 200
    assert "Fiscal years begin in October" in answer.get_data(as_text=True)
    assert shown(house.djeneba.get(""))["counts"] == "received"


@ONCE
def test_a_new_name_changes_no_figure_and_is_kept_at_once(house: House) -> None:
    answer = change(house, name="Siby & <b>Bancoumana</b>", description="Two communes")

    assert answer.status_code == 303
    assert shown(house.djeneba.get(""))["name"] == "Siby & <b>Bancoumana</b>"
    assert "<b>Bancoumana" not in read(signed_in(house, "djeneba"), at(house))


@ONCE
def test_an_undo_that_comes_too_late_changes_nothing(house: House) -> None:
    client = signed_in(house, "djeneba", "en")
    first = read(client, change(house, name="First").headers["Location"])
    change(house, name="Second")

    answer = send(client, at(house), at(house, "/undo"), {"event": Page(first).hidden["event"]})

    assert answer.status_code == 409
    assert shown(house.djeneba.get(""))["name"] == "Second"


@ONCE
def test_what_makes_no_sense_is_said_and_what_was_typed_stays(house: House) -> None:
    answer = change(house, time_zone="Mali", description="typed for an hour")

    assert answer.status_code == 400
    assert "There is no such time zone" in answer.get_data(as_text=True)
    assert "typed for an hour" in answer.get_data(as_text=True)


def test_a_shorter_retention_says_what_goes_before_it_is_kept(house: House) -> None:
    house.amina.send(a_sale(1))
    [number] = [row["id"] for row in shown(house.baraka.get("review"))["submissions"]]
    client = signed_in(house, "djeneba", "en")
    deleting = f"/projects/{house.pid}/submissions/{number}/delete"
    send(client, deleting, deleting, {})
    old = clock.now() - dt.timedelta(days=10)
    with house.app.app_context():
        begin_writing(session())
        session().execute(update(Submission).values(deleted_at=old))
        given = {"project_id": house.pid, "webhook_id": 1, "event": 1, "milliseconds": 1}
        session().add_all(Delivery(**given, attempt=number, at=old) for number in range(1, 1201))
        session().commit()

    asked = change(house, "/retention", keep_deleted="9", keep_deliveries="9")
    page = asked.get_data(as_text=True)
    unchanged = shown(house.djeneba.get(""))["keep_deleted"]
    done = change(house, "/retention", keep_deleted="9", keep_deliveries="9", sure=Page(page).hidden["sure"])

    assert "1 deleted submission<" in page
    assert "<li>1,200 attempts to tell a webhook</li>" in page
    assert "discarded entr" not in page.split("<label>")[0]
    assert (unchanged, done.status_code) == (30, 303)
    with house.app.app_context():
        assert session().get_one(Project, house.pid).keep_deleted == 9


@ONCE
@pytest.mark.parametrize("days", ["6", "3651", "", "soon", "9" * 30])
def test_a_retention_out_of_bounds_is_refused(house: House, days: str) -> None:
    answer = change(house, "/retention", keep_deleted=days, keep_deliveries="30")

    assert answer.status_code == 400
    assert shown(house.djeneba.get(""))["keep_deleted"] == 30


@ONCE
def test_the_health_of_the_server_is_looked_at_once_a_minute_and_said_in_the_readers_language(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    examine = checkup.examine
    monkeypatch.setattr(
        checkup, "examine", lambda settings, **asked: [looked.append(1), *examine(settings, **asked)][1:]
    )

    first = read(signed_in(house, "sekou", "fr"), "/health")
    second = read(signed_in(house, "sekou", "en"), "/health")

    assert looked == [1]
    assert "Mo libres là où sont gardés les fichiers" in first
    assert "MB free where files are kept" in second
    assert "siby doctor also reads its file through" in second
    assert signed_in(house, "djeneba").get("/health").status_code == 403


@ONCE
def test_that_no_backup_was_ever_made_is_said_with_the_way_to_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = checkup.Line(True, "No backup was made here yet: siby backup FILE makes one", advises=True)
    monkeypatch.setattr(checkup, "examine", lambda settings, **_: [line])
    client, at = signed_in(house, "sekou", "fr"), f"/projects/{house.pid}/health"

    before = read(client, at)

    assert "Tout va bien." not in before
    assert "à faire</span> Aucune sauvegarde" in before
    assert f"/projects/{house.pid}/submissions" in Page(before).links
    assert 'action="/v1/backup"' in before
    assert signed_in(house, "djeneba").get(at).status_code == 403


@ONCE
def test_lists_and_levels_of_places_are_called_as_people_wrote_it_in_each_language(house: House) -> None:
    client = signed_in(house, "djeneba", "en")
    shown(house.djeneba.patch(f"/v1/projects/{house.pid}", json={"labels": {"levels": {"region": {"bm": "Mara"}}}}))
    shown(house.djeneba.post("datasets", json={"name": "shops"}))

    done = send(
        client, at(house, "/names"), at(house, "/names"), {"lists/en/shops": " Shops & stalls ", "levels/en/region": ""}
    )
    page = read(client, done.headers["Location"])
    kept = shown(house.djeneba.get(f"/v1/projects/{house.pid}"))["labels"]

    assert done.status_code == 303
    assert "Shops &amp; stalls" in page
    assert kept == {"levels": {"region": {"bm": "Mara"}}, "lists": {"shops": {"en": "Shops & stalls"}}}
    assert "Shops &amp; stalls" in read(client, f"/projects/{house.pid}/lists")


@ONCE
def test_names_that_the_page_did_not_show_or_somebody_wrote_meanwhile_stay(house: House) -> None:
    client = signed_in(house, "djeneba", "en")
    for name in ("shops", "huts"):
        shown(house.djeneba.post("datasets", json={"name": name}))
    opened = Page(read(client, at(house, "/names"))).hidden
    shown(house.djeneba.post("datasets", json={"name": "later"}))
    meanwhile = {"lists": {"later": {"en": "Later"}, "shops": {"en": "Stalls"}, "huts": {"en": "Granaries"}}}
    shown(house.djeneba.patch(f"/v1/projects/{house.pid}", json={"labels": meanwhile}))

    done = client.post(at(house, "/names"), data=opened | {"lists/en/shops": "", "lists/en/huts": "Huts"})
    kept = shown(house.djeneba.get(f"/v1/projects/{house.pid}"))["labels"]["lists"]
    again = send(client, at(house, "/names"), at(house, "/names"), {"lists/en/shops": ""})

    assert (done.status_code, again.status_code) == (303, 303)
    assert kept == {"later": {"en": "Later"}, "shops": {"en": "Stalls"}, "huts": {"en": "Huts"}}
    assert "shops" not in shown(house.djeneba.get(f"/v1/projects/{house.pid}"))["labels"]["lists"]


@ONCE
def test_a_name_that_is_none_is_refused_and_nothing_that_was_typed_is_lost(house: House) -> None:
    client = signed_in(house, "djeneba", "en")
    shown(house.djeneba.post("datasets", json={"name": "shops"}))

    refused = send(client, at(house, "/names"), at(house, "/names"), {"lists/en/shops": "<b>" * 90})

    assert refused.status_code == 400
    assert "&lt;b&gt;&lt;b&gt;" in refused.get_data(as_text=True)
