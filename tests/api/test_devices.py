"""What devices fetch: forms, lists and changes, cheaply when there is nothing new."""

from __future__ import annotations

import csv
import io

import pytest

from server.db import session
from sync.entities.delivery import csv_for
from sync.journal import open_journal
from sync.models import Actor
from sync.models.database import begin_writing
from sync.projects.publish import publish_form
from tests.support.projects import NOON, a_sale, instance_id, workbook_of
from tests.support.web import House, refused, shown

CHOOSES = """
    | survey |     |       |
    | type   | name | label |
    | select_one_from_file people.csv | who | Who? |
    | select_one_from_file areas.csv | area | Where? |
"""


def publish(house: House, form_id: str, sheets: str, media: dict[str, bytes] | None = None) -> None:
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, workbook_of(form_id, "1", sheets), media or {})
        journal.close()
        session().commit()


def bind(house: House, bound: bool) -> None:
    """Let the device fill in chosen forms only, of which it has none yet; or all again."""
    with house.app.app_context():
        begin_writing(session())
        session().get_one(Actor, house.amina.actor_id).assigned_only = bound
        session().commit()


def test_without_a_cursor_a_device_gets_everything(house: House) -> None:
    told = shown(house.amina.get("changes"))

    assert [(form["form"], form["version"]) for form in told["forms"]] == [("sale", "1")]
    assert set(told) == {"epoch", "cursor", "forms", "removed_forms", "files", "lists", "corrections"}


def test_with_its_cursor_a_device_gets_what_changed(house: House) -> None:
    cursor = shown(house.amina.get("changes"))["cursor"]
    house.amina.send(a_sale(1))
    house.baraka.patch(f"forms/sale/submissions/{instance_id(1)}", json={"reviewState": "hasIssues"})
    house.baraka.post(f"forms/sale/submissions/{instance_id(1)}/comments", json={"body": "Which village?"})

    told = shown(house.amina.get(f"changes?since={cursor}"))

    assert told["forms"] == []
    assert [(fix["instance_id"], fix["state"], fix["message"]) for fix in told["corrections"]] == [
        (instance_id(1), "hasIssues", "Which village?")
    ]


def test_what_is_sent_back_twice_says_which_version_a_correction_has_to_name(house: House) -> None:
    house.amina.send(a_sale(1))
    for number, before in ((2, 1), (3, 2)):
        house.baraka.patch(f"forms/sale/submissions/{instance_id(1)}", json={"reviewState": "hasIssues"})
        [fix] = shown(house.amina.get("changes"))["corrections"]

        assert (fix["instance_id"], fix["edits"]) == (instance_id(1), instance_id(before))
        assert house.amina.outcomes(a_sale(number, edits=fix["edits"]), batch=str(number)) == ["edited"]


def test_a_device_hears_of_no_corrections_to_forms_that_it_may_not_fill_in_or_that_are_gone(house: House) -> None:
    house.amina.send(a_sale(1))
    house.baraka.patch(f"forms/sale/submissions/{instance_id(1)}", json={"reviewState": "hasIssues"})

    bind(house, True)
    bound = shown(house.amina.get("changes"))["corrections"]
    bind(house, False)
    before = shown(house.amina.get("changes"))["corrections"]
    house.djeneba.delete("forms/sale")

    assert (bound, len(before)) == ([], 1)
    assert shown(house.amina.get("changes"))["corrections"] == []


@pytest.mark.parametrize("how", ["taken", "deleted"])
def test_what_was_sent_back_while_a_device_had_not_the_form_is_told_when_it_gets_it_again(
    house: House, how: str
) -> None:
    house.amina.send(a_sale(1))
    number = shown(house.djeneba.get("forms"))[0]["id"]
    if how == "taken":
        bind(house, True)
    house.baraka.patch(f"forms/sale/submissions/{instance_id(1)}", json={"reviewState": "hasIssues"})
    if how == "deleted":
        house.djeneba.delete("forms/sale")
    before = shown(house.amina.get("changes"))

    if how == "deleted":
        shown(house.djeneba.post(f"forms/{number}/restore"))
    else:
        shown(house.djeneba.post(f"forms/sale/assignments/app-user/{house.amina.actor_id}"))
    told = shown(house.amina.get(f"changes?since={before['cursor']}"))

    assert before["corrections"] == []
    assert [one["instance_id"] for one in told["corrections"]] == [instance_id(1)]


def test_a_list_for_which_no_form_had_asked_comes_whole(house: House) -> None:
    house.amina.send(a_sale(1), a_sale(2))
    cursor = shown(house.amina.get("changes"))["cursor"]

    publish(house, "visit", CHOOSES)
    [people] = shown(house.amina.get(f"changes?since={cursor}"))["lists"]
    cursor = shown(house.amina.get("changes"))["cursor"]
    publish(house, "other", CHOOSES)

    assert (people["name"], people["whole"], len(people["upserts"])) == ("people", True, 2)
    assert shown(house.amina.get(f"changes?since={cursor}"))["lists"] == []


def test_a_form_that_was_given_to_a_device_brings_its_lists_along(house: House) -> None:
    house.amina.send(a_sale(1), a_sale(2))
    publish(house, "visit", CHOOSES)
    bind(house, True)
    cursor = shown(house.amina.get("changes"))["cursor"]

    shown(house.djeneba.post(f"forms/visit/assignments/app-user/{house.amina.actor_id}"))
    told = shown(house.amina.get(f"changes?since={cursor}"))

    assert [form["form"] for form in told["forms"]] == ["visit"]
    assert [(each["name"], len(each["upserts"])) for each in told["lists"]] == [("people", 2)]


@pytest.mark.parametrize("how", ["closed", "closing", "deleted"])
def test_a_form_that_is_given_out_again_comes_with_its_files_and_lists(house: House, how: str) -> None:
    publish(house, "visit", CHOOSES, {"areas.csv": b"name,label\na,A\n"})
    house.amina.send(a_sale(1))
    cursor = shown(house.amina.get("changes"))["cursor"]

    number = [form["id"] for form in shown(house.djeneba.get("forms")) if form["xmlFormId"] == "visit"]
    if how == "deleted":
        shown(house.djeneba.delete("forms/visit"))
    else:
        shown(house.djeneba.patch("forms/visit", json={"state": how}))
    without, gone = shown(house.amina.get("changes")), shown(house.amina.get(f"changes?since={cursor}"))
    house.amina.send(a_sale(2), batch="b2")
    cursor = shown(house.amina.get(f"changes?since={gone['cursor']}"))["cursor"]
    if how == "deleted":
        shown(house.djeneba.post(f"forms/{number[0]}/restore"))
    else:
        shown(house.djeneba.patch("forms/visit", json={"state": "open"}))
    told = shown(house.amina.get(f"changes?since={cursor}"))

    assert (without["files"], without["lists"], gone["removed_forms"]) == ([], [], ["visit"])
    assert [form["form"] for form in told["forms"]] == ["visit"]
    assert [file["name"] for file in told["files"]] == ["areas.csv"]
    assert [(each["name"], each["whole"], len(each["upserts"])) for each in told["lists"]] == [("people", True, 2)]


def test_nothing_new_costs_one_small_answer(house: House) -> None:
    cursor = shown(house.amina.get("changes"))["cursor"]
    first = house.amina.get(f"changes?since={cursor}")

    again = house.amina.get(f"changes?since={cursor}", headers={"If-None-Match": first.headers["ETag"]})

    assert again.status_code == 304
    assert again.get_data() == b""
    assert first.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("cursor", ["nonsense", "x.9", "\x00", "9" * 4000, "-1"])
def test_a_cursor_that_was_never_given_out_gets_everything(house: House, cursor: str) -> None:
    told = shown(house.amina.get("changes", query_string={"since": cursor}))

    assert len(told["forms"]) == 1


def test_a_form_can_be_fetched_in_each_version(house: House) -> None:
    url = shown(house.amina.get("changes"))["forms"][0]["url"]
    current = house.amina.get("/" + url.split("/", 3)[3])

    assert b"<h:html" in current.get_data()
    assert current.headers["Content-Type"].startswith("text/xml")
    assert house.amina.get("forms/sale/versions/1.xml").get_data() == current.get_data()
    assert house.amina.get("forms/sale.xlsx").get_data()[:2] == b"PK"
    assert shown(house.amina.get("forms"))[0]["xmlFormId"] == "sale"
    assert [version["version"] for version in shown(house.amina.get("forms/sale/versions"))] == ["1"]
    assert refused(house.amina.get("forms/sale/versions/2.xml")) == 404.6
    assert refused(house.amina.get("forms/nothing.xml")) == 404.1
    again = house.amina.get("forms/sale.xml", headers={"If-None-Match": current.headers["ETag"]})
    assert again.status_code == 304


def test_a_list_is_served_as_clients_read_it(house: House) -> None:
    house.amina.send(a_sale(1, seller='Awa "the, elder"\nTraoré'))

    with house.app.app_context():
        actor = session().get_one(Actor, house.amina.actor_id)
        rows = list(csv.reader(io.StringIO(csv_for(session(), house.pid, "people", actor).decode())))

    assert rows[0] == ["name", "label", "__version", "seller"]
    assert rows[1][1:] == ['Awa "the, elder"\nTraoré', "1", 'Awa "the, elder"\nTraoré']
