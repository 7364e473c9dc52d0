"""The audit trails of the whole installation, as ODK's REST lists them."""

from __future__ import annotations

import pytest

from server.wire import answers
from tests.support.projects import a_sale, instance_id
from tests.support.web import PASSWORD, House, refused, shown
from tests.support.workbooks import a_workbook

AUDITS = "/v1/audits"
KEYS = {"actorId", "action", "acteeId", "details", "loggedAt", "notes"}
SALE_1 = f"forms/sale/submissions/{instance_id(1)}"


@pytest.fixture
def busy(house: House) -> House:
    """A house in which a few things were done, in two projects and in none."""
    house.amina.send(a_sale(1))
    house.baraka.patch(SALE_1, json={"reviewState": "approved"})
    house.baraka.post(f"{SALE_1}/comments", json={"body": "Good."})
    house.djeneba.delete(SALE_1)
    house.sekou.post("/v1/users", json={"email": "new@example.org", "password": PASSWORD, "displayName": "New"})
    house.sekou.post(f"/v1/projects/{house.other}/app-users", json={"displayName": "Another tablet"})
    return house


def test_what_was_done_is_told_newest_first_in_the_words_of_odk(busy: House) -> None:
    told = shown(busy.sekou.get(AUDITS, headers={"X-Extended-Metadata": "true"}))

    assert [one["action"] for one in told][:5] == [
        "field_key.create",
        "user.create",
        "submission.delete",
        "comment.create",
        "submission.update",
    ]
    assert all(set(one) >= KEYS for one in told)
    assert [one["loggedAt"] for one in told] == sorted((one["loggedAt"] for one in told), reverse=True)
    assert told[0]["actor"]["displayName"] == "Sekou"
    assert told[0]["actee"]["displayName"] == "Another tablet"
    assert told[0]["project"] == busy.other
    assert told[1]["project"] is None
    assert told[4]["details"]["state"] == "approved"


@pytest.mark.parametrize(
    ("query", "actions"),
    [
        ("action=submission.delete", ["submission.delete"]),
        ("action=submission.deleted", ["submission.delete"]),
        ("action=submission", ["submission.delete", "submission.update", "submission.create"]),
        ("action=user.create", ["user.create"]),
        ("action=field_key&limit=1", ["field_key.create"]),
        ("action=comment&offset=1", []),
        ("action=nothing", []),
        ("limit=2&offset=1", ["user.create", "submission.delete"]),
        ("limit=0", []),
        ("end=2001-01-01", []),
        ("start=2999-01-01T00:00:00Z", []),
        ("start=2001-01-01&action=comment.create", ["comment.create"]),
    ],
)
def test_acts_are_filtered_and_cut(busy: House, query: str, actions: list[str]) -> None:
    assert [one["action"] for one in shown(busy.sekou.get(f"{AUDITS}?{query}"))] == actions


def test_what_came_from_tablets_and_each_new_form_are_found_by_the_words_of_odk(busy: House) -> None:
    (came,) = shown(busy.sekou.get(f"{AUDITS}?action=submission.create"))
    made = shown(busy.sekou.get(f"{AUDITS}?action=form.create"))
    nobody = busy.sekou.get(f"{AUDITS}?action=submission.create&end=2001-01-01")
    everything = [one["action"] for one in shown(busy.sekou.get(AUDITS))]
    important = [one["action"] for one in shown(busy.sekou.get(f"{AUDITS}?action=nonverbose"))]

    assert (came["actorId"], came["project"]) == (busy.amina.actor_id, busy.pid)
    assert came["details"] == {"form": "sale", "instanceId": instance_id(1)}
    assert came["acteeId"].startswith("submission:")
    assert {(one["project"], one["acteeId"]) for one in made} == {(busy.pid, "form:sale"), (busy.other, "form:sale")}
    assert shown(nobody) == []
    assert {"submission.create", "form.create"} <= set(everything)
    assert "form.create" in important
    assert "submission.create" not in important


def test_a_draft_is_a_form_that_was_made_and_publishing_it_makes_no_second_one(house: House) -> None:
    workbook = a_workbook("tried", "1", "| survey | | |\n| type | name | label |\n| text | a | A |")
    kind = {"content_type": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}

    house.djeneba.post("forms", data=workbook, **kind)
    drafted = shown(house.sekou.get(f"{AUDITS}?action=form.create&limit=1"))
    house.djeneba.post("forms/tried/draft/publish")
    actions = [one["action"] for one in shown(house.sekou.get(f"{AUDITS}?action=form")) if "tried" in one["acteeId"]]

    assert [one["acteeId"] for one in drafted] == ["form:tried"]
    assert sorted(actions) == ["form.create", "form.update.draft.set", "form.update.publish"]


def test_without_a_limit_all_there_is_is_told_however_much_and_again_only_when_something_was_done(
    busy: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_one = [act for offset in range(40) for act in shown(busy.sekou.get(f"{AUDITS}?limit=1&offset={offset}"))]
    monkeypatch.setattr(answers, "AT_ONCE", 2)

    whole = busy.sekou.get(AUDITS)
    told = shown(whole)
    same = busy.sekou.get(AUDITS, headers={"If-None-Match": whole.headers["ETag"]})
    busy.sekou.post(f"/v1/projects/{busy.other}/app-users", json={"displayName": "One more tablet"})
    more = busy.sekou.get(AUDITS, headers={"If-None-Match": whole.headers["ETag"]})

    assert told == by_one
    assert same.status_code == 304
    assert len(shown(more)) == len(told) + 1


@pytest.mark.parametrize("query", ["start=yesterday", "end=2026-13-01", "limit=-1", "offset=x"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_no_time_or_number_is_refused(house: House, query: str) -> None:
    assert refused(house.sekou.get(f"{AUDITS}?{query}")) == 400.8


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_only_who_administers_the_installation_reads_them(house: House) -> None:
    for voice in (house.djeneba, house.baraka, house.fanta, house.amina):
        assert voice.get(AUDITS).status_code == 403
