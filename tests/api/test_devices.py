"""What devices fetch: forms, lists and changes, cheaply when there is nothing new."""

from __future__ import annotations

import csv
import io

import pytest

from server.db import session
from sync.entities.delivery import csv_for
from sync.models import Actor
from tests.support.projects import a_sale, instance_id
from tests.support.web import House, refused, shown


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
