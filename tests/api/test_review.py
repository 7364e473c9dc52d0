"""A coordinator's work over HTTP: looking at submissions, deciding, and emptying the quarantine."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import select

from server.db import session
from sync.accounts.audit import first_broken
from sync.models import Audit, Submission
from tests.support.projects import a_sale, instance_id
from tests.support.web import House, refused, shown

NO_DECISIONS = [{}, {"reviewState": "fine"}, {"reviewState": 1}, {"reviewState": None, "x": 1}, [], 1]
SALE_1 = f"forms/sale/submissions/{instance_id(1)}"


def test_a_submission_is_shown_with_all_that_belongs_to_it(house: House) -> None:
    house.amina.send(a_sale(1, sacks=-1))
    house.amina.send(a_sale(2, edits=1), batch="b2")

    told = shown(house.baraka.get(SALE_1))

    assert told["instanceId"] == instance_id(1)
    assert told["currentVersion"]["instanceId"] == instance_id(2)
    assert [version["number"] for version in told["versions"]] == [2, 1]
    assert told["answers"]["sacks"] == 4
    assert told["reviewState"] == "edited"
    assert {row["indicator"] for row in told["contributions"] if row["closed"] is None} == {"sacks", "sales"}
    assert {row["closed"]["cause"] for row in told["contributions"] if row["closed"]} == {"edited"}
    led = house.baraka.get(f"forms/sale/submissions/{instance_id(2)}")
    assert led.status_code == 302
    assert led.headers["Location"].endswith(f"/versions/{quote(instance_id(2), safe='')}")


def test_the_raw_instance_comes_byte_for_byte(house: House) -> None:
    meta = "<meta><instanceID>uuid:raw</instanceID></meta>"
    xml = f"<?xml version='1.0'?>\n<data id='sale' version='1'>{meta}<sacks>3</sacks></data>"
    house.amina.send({"xml": xml, "instance_id": "uuid:raw"})

    answer = house.baraka.get("forms/sale/submissions/uuid:raw.xml")

    assert answer.get_data(as_text=True) == xml
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert house.baraka.get("forms/sale/submissions/uuid:raw/versions/uuid:raw.xml").get_data(as_text=True) == xml


def test_a_decision_over_somebody_elses_is_refused(house: House) -> None:
    house.amina.send(a_sale(1))
    seen = shown(house.baraka.get(SALE_1))["event"]
    first = house.djeneba.patch(SALE_1, json={"reviewState": "approved", "seen": seen})

    second = house.baraka.patch(SALE_1, json={"reviewState": "rejected", "seen": seen})

    assert shown(first)["reviewState"] == "approved"
    assert refused(second) == 409.15
    assert shown(house.baraka.patch(SALE_1, json={"reviewState": None}))["reviewState"] is None


@pytest.mark.parametrize("body", NO_DECISIONS)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_decision_that_there_is_not_is_refused(house: House, body: Any) -> None:
    house.amina.send(a_sale(1))

    assert refused(house.baraka.patch(SALE_1, json=body)) == (400.2 if body == {} else 400.8)


def test_comments_come_in_order(house: House) -> None:
    house.amina.send(a_sale(1))
    for body in ("Which village?", "Siby, says Amina."):
        house.baraka.post(f"{SALE_1}/comments", json={"body": body})

    told = shown(house.djeneba.get(f"{SALE_1}/comments"))

    assert [(comment["body"], comment["actorId"]) for comment in told] == [
        ("Which village?", house.baraka.actor_id),
        ("Siby, says Amina.", house.baraka.actor_id),
    ]


def test_the_list_to_review_is_filtered_and_paged(house: House) -> None:
    house.amina.send(*(a_sale(number, sacks=-1 if number == 3 else 4) for number in range(1, 6)))
    house.baraka.patch(SALE_1, json={"reviewState": "approved"})

    first = shown(house.baraka.get("review?limit=3"))
    rest = shown(house.baraka.get(f"review?limit=3&cursor={first['cursor']}"))
    flagged = shown(house.baraka.get("review?state=flagged"))["submissions"]
    approved = shown(house.baraka.get("review?state=approved&form=sale"))["submissions"]
    hers = shown(house.baraka.get(f"review?collector={house.amina.actor_id}"))["submissions"]

    assert len(first["submissions"]) + len(rest["submissions"]) == len(hers) == 5
    assert rest["cursor"] is None
    assert [row["instance_id"] for row in flagged] == [instance_id(3)]
    assert flagged[0]["flags"][0]["code"] == "constraint"
    assert [row["instance_id"] for row in approved] == [instance_id(1)]


def test_flags_are_told_in_the_language_that_was_asked_for(house: House) -> None:
    first = a_sale(2, price=900, remark="dry")
    house.amina.send(a_sale(1, sacks=-1), first, {**first, "instance_id": instance_id(3)})
    in_french = {"Accept-Language": "fr-ML, fr;q=0.9"}

    def told(number: int, **asked: Any) -> Any:
        (flag,) = shown(house.baraka.get(f"forms/sale/submissions/{instance_id(number)}", **asked))["flags"]
        return flag

    listed = shown(house.baraka.get("review?state=flagged&lang=fr"))["submissions"]

    assert told(1)["message"].startswith("‘-1’")
    assert told(1, headers=in_french)["message"].startswith("«\xa0-1\xa0»")
    assert told(1, headers=in_french) | told(1) == told(1)
    assert told(3)["message"] == f"The same visit was saved before as {instance_id(2)}."
    assert told(3, headers=in_french)["message"].startswith("La même visite a déjà été enregistrée")
    assert [row["flags"] for row in listed] == [[told(number, headers=in_french)] for number in (3, 1)]
    with house.app.app_context():
        stored = session().scalars(select(Submission.flags)).all()
    assert sorted(flag[2] for flags in stored for flag in flags) == sorted([told(1)["message"], told(3)["message"]])


def test_the_quarantine_is_read_and_decided(house: House) -> None:
    house.amina.send(a_sale(1))
    assert house.amina.outcomes(a_sale(1, sacks=9), a_sale(2, version="7"), batch="b2") == ["conflict", "quarantined"]

    waiting = shown(house.baraka.get("quarantine?state=open"))
    conflict, unknown = waiting["items"]
    raw = house.baraka.get(f"quarantine/{conflict['id']}/raw")
    accepted = shown(house.baraka.post(f"quarantine/{conflict['id']}/resolve", json={"action": "accept_as_edit"}))
    again = shown(house.baraka.post(f"quarantine/{unknown['id']}/resolve", json={"action": "retry"}))
    discarded = shown(
        house.baraka.post(f"quarantine/{unknown['id']}/resolve", json={"action": "discard", "reason": "A test."})
    )

    assert waiting["count"] == 2
    assert [item["reason"] for item in waiting["items"]] == ["conflict", "unknown_version"]
    assert b'"sacks": 9' in raw.get_data()
    assert raw.headers["Content-Type"] == "application/octet-stream"
    assert (accepted["state"], accepted["receipt"]["outcome"]) == ("resolved", "edited")
    assert (again["state"], again["receipt"]["outcome"]) == ("open", "quarantined")
    assert (discarded["state"], discarded["resolution"]["reason"]) == ("discarded", "A test.")
    assert discarded["resolution"]["actor"] == accepted["resolution"]["actor"] == house.baraka.actor_id
    assert {conflict["actor"], unknown["actor"]} == {house.amina.actor_id}
    assert shown(house.baraka.get("quarantine?state=open"))["count"] == 0
    assert house.baraka.get(f"quarantine/{unknown['id']}/raw").status_code == 200
    late = house.baraka.post(f"quarantine/{unknown['id']}/resolve", json={"action": "retry"})
    assert refused(late) == 409.33


def test_each_act_and_each_look_is_in_the_trail_and_the_trail_holds(house: House) -> None:
    house.amina.send(a_sale(1))
    house.baraka.get(SALE_1)
    house.baraka.patch(SALE_1, json={"reviewState": "approved"})
    house.djeneba.patch("", json={"counts": "approved"})

    with house.app.app_context():
        acts = session().scalars(select(Audit).where(Audit.project_id == house.pid).order_by(Audit.number)).all()
        assert [(act.action, act.actor_id) for act in acts] == [
            ("submission.viewed", house.baraka.actor_id),
            ("submission.reviewed", house.baraka.actor_id),
            ("project.changed", house.djeneba.actor_id),
        ]
        assert all(act.request_id and act.address == "127.0.0.1" for act in acts)
        assert first_broken(session(), house.pid) is None
        acts[1].details = {"state": "rejected"}
        session().flush()
        assert first_broken(session(), house.pid) == 2


def test_a_second_copy_in_the_queue_names_the_copy_that_counts(house: House) -> None:
    full = {"seller": "Awa", "price": 900, "remark": "dry"}
    first = a_sale(1, **full)
    house.amina.outcomes(first, {**a_sale(2, **full), "recorded_at": first["recorded_at"]})

    listed = shown(house.baraka.get("review"))["submissions"]

    assert {row["instance_id"]: row["double_of"] for row in listed} == {
        instance_id(1): None,
        instance_id(2): instance_id(1),
    }
