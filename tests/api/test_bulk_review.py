"""One decision about many submissions: looked at beforehand with its figures, done at once, and taken back as one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import event, func, select

from server.db import session
from sync.models import Base, BulkReviewed, ReviewBulk
from sync.review import bulk
from tests.api.test_forms_rest import post
from tests.api.test_purging import purge
from tests.support.people import a_gathering, publish_gathering
from tests.support.projects import KEPT_FOR, a_sale, instance_id
from tests.support.web import House, refused, shown
from tests.support.workbooks import a_workbook

NONSENSE: list[Any] = [
    {"state": "approved"},
    {"state": "approved", "ids": [1], "filter": {}},
    {"state": "fine", "ids": [1]},
    {"ids": [1]},
    {"state": "approved", "ids": []},
    {"state": "approved", "ids": ["x"]},
    {"state": "approved", "ids": [1.5]},
    {"state": "approved", "ids": [2**63]},
    {"state": "approved", "ids": list(range(1, 1002))},
    {"state": "approved", "ids": [1], "seen": "1"},
    {"state": "approved", "ids": [1], "comment": "   "},
    {"state": "approved", "filter": {"state": "fine"}},
    {"state": "approved", "filter": {"village": "Siby"}},
    {"state": "approved", "filter": []},
    [],
]


def queue(house: House, **asked: Any) -> dict[str, dict[str, Any]]:
    rows = shown(house.baraka.get("review", query_string=asked))["submissions"]
    return {row["instance_id"]: row for row in rows}


def states(house: House) -> list[str | None]:
    return [row["reviewState"] for _, row in sorted(queue(house).items())]


def figures(house: House) -> dict[str, Any]:
    return {one["indicator"]: one["value"] for one in shown(house.fanta.get("figures"))["figures"]}


def review(house: House, **body: Any) -> dict[str, Any]:
    return dict(shown(house.baraka.post("review/bulk", json=body)))


def rows_everywhere(house: House) -> dict[str, list[Any]]:
    """Every row of every table, so that nothing can hide."""
    with house.app.app_context():
        found = {
            table.name: sorted(map(repr, session().execute(select(table)).all()))
            for table in Base.metadata.sorted_tables
            if table.name not in ("tokens", "actors")  # when they were last used
        }
        session().rollback()
    return found


@pytest.fixture
def village(house: House) -> House:
    house.amina.send(*(a_sale(number, village="Kita" if number == 4 else "Siby") for number in range(1, 5)))
    return house


def test_a_preview_tells_what_would_change_and_leaves_nothing_behind(village: House) -> None:
    before, rows = figures(village), rows_everywhere(village)

    told = review(village, filter={"state": "received"}, state="rejected", comment="Sent twice?", preview=True)

    assert rows_everywhere(village) == rows
    assert figures(village) == before == {"sacks": 16, "sales": 4}
    assert {one["indicator"]: (one["before"]["value"], one["after"]["value"]) for one in told["figures"]} == {
        "sacks": (16, 0),
        "sales": (4, 0),
    }
    assert [(one["before"], one["after"]) for one in told["submissions"]] == [(None, "rejected")] * 4
    assert (told["undo"], told["left_out"], told["more"]) == (None, [], False)


@pytest.mark.parametrize(
    "moment",
    ["CREATE TEMPORARY VIEW contributions", "SELECT projects.last_event \nFROM projects"],
    ids=["figures are worked out", "it is looked whether anybody came in between"],
)
def test_while_a_preview_works_its_figures_out_tablets_go_on_sending(village: House, moment: str) -> None:
    late = [a_sale(9, sacks=100)]

    def send_something(*given: Any) -> None:
        if moment in given[2] and late:
            item = late.pop()
            tablet = Thread(target=lambda: sent.extend(village.amina.outcomes(item, batch="late")))
            tablet.start()
            tablet.join()

    sent: list[str] = []
    with village.app.app_context():
        engine = session().get_bind()
    with heard(engine, "before_cursor_execute", send_something):
        told = review(village, filter={"state": "received"}, state="rejected", preview=True)
    number = len(told["submissions"])
    after = review(village, filter={"state": "received"}, state="rejected", seen=told["seen"])

    assert sent == ["stored"]
    before = {4: (16, 0), 5: (116, 0)}[number]
    assert {one["indicator"]: (one["before"]["value"], one["after"]["value"]) for one in told["figures"]} == {
        "sacks": before,
        "sales": (number, 0),
    }
    assert len(after["submissions"]) == number


def test_a_preview_tells_of_people_who_may_be_one_what_the_decision_then_does(house: House) -> None:
    publish_gathering(house)
    again = a_gathering(2, first="Dieneba", last="Koulibali", phone="", born="", group="")
    house.amina.outcomes(a_gathering(1), again, a_gathering(3, first="Oumou", last="Keita", phone="66 11 22 33"))

    ids = [int(queue(house)[again["instance_id"]]["id"])]
    told = review(house, ids=ids, state="rejected", preview=True)
    done = review(house, ids=ids, state="rejected")

    [figure] = told["figures"]
    assert (figure["before"]["low"], figure["before"]["high"]) == (2, 3)
    assert (figure["after"]["low"], figure["after"]["high"]) == (2, 2)
    assert told["figures"] == done["figures"]


@contextmanager
def heard(engine: Any, name: str, listener: Callable[..., None]) -> Iterator[None]:
    event.listen(engine, name, listener)
    try:
        yield
    finally:
        event.remove(engine, name, listener)


def test_what_a_filter_finds_is_decided_at_once_and_taken_back_as_one(village: House) -> None:
    shown(village.baraka.patch(f"forms/sale/submissions/{instance_id(2)}", json={"reviewState": "approved"}))
    before, were = figures(village), states(village)

    told = review(village, filter={"form": "sale"}, state="rejected")
    assert states(village) == ["rejected"] * 4
    assert figures(village) == {"sacks": 0, "sales": 0}

    back = shown(village.djeneba.post(f"review/bulk/{told['undo']}/undo"))
    assert (states(village), figures(village)) == (were, before)
    assert {(one["instance_id"], one["before"], one["after"]) for one in back["submissions"]} >= {
        (instance_id(2), "rejected", "approved"),
        (instance_id(1), "rejected", None),
    }
    assert [(one["before"]["value"], one["after"]["value"]) for one in back["figures"]] == [(0, 16), (0, 4)]
    assert refused(village.baraka.post(f"review/bulk/{told['undo']}/undo")) == 409.33


def test_a_decision_whose_figures_cannot_be_counted_is_told_and_taken_back_like_any_other(village: House) -> None:
    body, french = {"filter": {"form": "sale"}, "state": "rejected"}, {"Accept-Language": "fr"}

    with counting_fails(village):
        told = shown(village.baraka.post("review/bulk", json=body))
        decided = states(village)
    with counting_fails(village):
        back = shown(village.baraka.post(f"review/bulk/{told['undo']}/undo", headers=french))

    assert (len(told["submissions"]), told["figures"], decided) == (4, None, ["rejected"] * 4)
    assert told["note"].startswith("This is done. How far it has moved the figures could not be counted yet")
    assert (len(back["submissions"]), back["figures"], states(village)) == (4, None, [None] * 4)
    assert back["note"].startswith("C’est fait. On n’a pas encore pu calculer l’effet sur les chiffres")
    assert review(village, **body)["note"] is None


@contextmanager
def counting_fails(house: House) -> Iterator[None]:
    """As soon as a decision is committed, whoever reads contributions finds the database gone."""
    seen: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "committed" in seen and "contributions" in statement:
            raise ConnectionError("gone")
        seen.extend(["decided"] * ("UPDATE submissions" in statement))

    def commit(_connection: Any) -> None:
        seen.extend(["committed"] * ("decided" in seen))

    with house.app.app_context():
        engine = session().get_bind()
    with heard(engine, "before_cursor_execute", listen), heard(engine, "commit", commit):
        yield


def test_undoing_leaves_alone_and_names_what_somebody_has_touched_since(village: House) -> None:
    told = review(village, filter={}, state="approved")
    path = "forms/sale/submissions"
    shown(village.baraka.patch(f"{path}/{instance_id(1)}", json={"reviewState": "rejected"}))
    shown(village.baraka.post(f"{path}/{instance_id(2)}/comments", json={"body": "Really?"}))
    shown(village.djeneba.delete(f"{path}/{instance_id(3)}"))

    back = shown(village.baraka.post(f"review/bulk/{told['undo']}/undo", headers={"Accept-Language": "fr"}))

    assert {row: one["reviewState"] for row, one in queue(village).items()} == {
        instance_id(1): "rejected",
        instance_id(2): "approved",
        instance_id(4): None,
    }
    assert [one["instance_id"] for one in back["submissions"]] == [instance_id(4)]
    assert {one["instance_id"]: one["why"] for one in back["left_out"]} == {
        None: "gone",
        instance_id(1): "touched",
        instance_id(2): "touched",
    }
    assert {one["words"] for one in back["left_out"]} == {"n’est plus là", "quelqu’un y a travaillé depuis"}


def test_what_changed_after_somebody_looked_is_left_out_and_named(village: House) -> None:
    seen = review(village, filter={"state": "received"}, state="approved", preview=True)["seen"]
    village.amina.send(a_sale(5), a_sale(6, edits=1, sacks=9), batch="b2")
    ids = {number: int(row["id"]) for number, row in queue(village).items()}

    told = review(village, ids=[*ids.values(), 999], state="approved", seen=seen)

    why = {one["instance_id"]: one["why"] for one in told["left_out"]}
    assert why == {instance_id(1): "changed", instance_id(5): "changed", None: "gone"}
    assert [one["instance_id"] for one in told["submissions"]] == [instance_id(number) for number in (2, 3, 4)]
    assert queue(village)[instance_id(1)]["reviewState"] == "edited"


def test_what_has_the_state_already_is_counted_and_not_touched(village: House) -> None:
    review(village, filter={}, state="approved")
    events = {row["event"] for row in queue(village).values()}

    again = review(village, filter={}, state="approved", comment="Fine.")

    assert (again["unchanged"], again["submissions"], again["undo"]) == (4, [], None)
    assert {row["event"] for row in queue(village).values()} == events
    assert shown(village.baraka.get(f"forms/sale/submissions/{instance_id(1)}/comments")) == []


def test_the_comment_reaches_the_tablet_as_that_of_a_single_decision_does(village: House) -> None:
    cursor = shown(village.amina.get("changes"))["cursor"]

    told = review(village, filter={}, state="hasIssues", comment="Which day was it?")

    found = shown(village.amina.get(f"changes?since={cursor}"))["corrections"]
    assert [(one["state"], one["message"]) for one in found] == [("hasIssues", "Which day was it?")] * 4
    shown(village.baraka.post(f"review/bulk/{told['undo']}/undo"))
    assert shown(village.amina.get("changes"))["corrections"] == []
    [said] = shown(village.baraka.get(f"forms/sale/submissions/{instance_id(1)}/comments"))
    assert said["body"] == "Which day was it?"


def test_the_journal_tells_of_each_and_figures_say_why_they_changed(village: House) -> None:
    seen = review(village, filter={}, state="rejected", preview=True)["seen"]
    told = review(village, ids=[row["id"] for row in queue(village).values()], state="rejected")

    events = shown(village.fanta.get(f"events?since={seen}"))["events"]
    assert [event["kind"] for event in events] == ["rejected"] * 4
    changes = shown(village.fanta.get(f"figures/sacks/changes?from={seen}"))
    assert [(cause["cause"], cause["contributions"], cause["effect"]) for cause in changes["causes"]] == [
        ("rejected", 4, -16)
    ]
    audits = shown(village.baraka.get(f"forms/sale/submissions/{instance_id(1)}/audits"))
    assert audits[0]["action"] == "submission.update"
    assert audits[0]["details"]["reviewState"] == "rejected"
    [evidence] = shown(village.sekou.get("/v1/audits?action=review.decided"))
    assert evidence["actorId"] == village.baraka.actor_id
    assert evidence["details"]["submissions"] == len(told["submissions"]) == 4


def test_a_second_copy_counts_while_the_first_is_rejected_together_with_others(house: House) -> None:
    full = {"seller": "Awa", "price": 900, "remark": "dry"}
    first = a_sale(1, **full)
    house.amina.send(first, {**a_sale(2, **full), "recorded_at": first["recorded_at"]}, a_sale(3))
    ids = queue(house)
    assert figures(house)["sales"] == 2

    told = review(house, ids=[ids[instance_id(1)]["id"], ids[instance_id(3)]["id"]], state="rejected")
    assert figures(house)["sales"] == 1
    assert queue(house)[instance_id(2)]["counts"]

    shown(house.baraka.post(f"review/bulk/{told['undo']}/undo"))
    assert figures(house)["sales"] == 2
    assert not queue(house)[instance_id(2)]["counts"]


def test_more_than_can_be_decided_at_once_is_told(village: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST_AT_ONCE", 3)

    first = review(village, filter={"state": "received"}, state="approved")
    rest = review(village, filter={"state": "received"}, state="approved")

    assert (len(first["submissions"]), first["more"]) == (3, True)
    assert (len(rest["submissions"]), rest["more"]) == (1, False)


def test_what_is_purged_leaves_the_note_of_the_decision_too(village: House) -> None:
    review(village, filter={}, state="approved")
    with village.app.app_context():
        assert session().scalar(select(func.count()).select_from(BulkReviewed)) == 4
        assert session().scalar(select(func.count()).select_from(ReviewBulk)) == 1
    shown(village.djeneba.delete(f"forms/sale/submissions/{instance_id(1)}"))

    assert purge(village, KEPT_FOR + dt.timedelta(hours=1)) == 1
    with village.app.app_context():
        assert session().scalar(select(func.count()).select_from(BulkReviewed)) == 3


@pytest.mark.parametrize("body", NONSENSE)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_makes_no_sense_is_refused(village: House, body: Any) -> None:
    assert refused(village.baraka.post("review/bulk", json=body)) == (400.2 if body == {"ids": [1]} else 400.8)
    assert states(village) == [None] * 4


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_number_under_which_nothing_was_decided_is_not_found(village: House) -> None:
    assert refused(village.baraka.post("review/bulk/77/undo")) == 404.1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_another_projects_submissions_cannot_be_meant(village: House) -> None:
    ids = [row["id"] for row in queue(village).values()]

    assert village.coumba.post("review/bulk", json={"ids": ids, "state": "rejected"}).status_code == 404
    path = f"/v1/projects/{village.other}/review/bulk"
    told = shown(village.coumba.post(path, json={"ids": ids, "state": "rejected"}))
    assert {one["why"] for one in told["left_out"]} == {"gone"}
    assert states(village) == [None] * 4


PART = """
    | survey |      |       |
    | type   | name | label |
    | text   | a    | A     |
    | indicators | |       |
    | name   | label | aggregate |
    | visits | Visits | count |
"""
RATIO = """
    | survey |      |       |
    | type   | name | label |
    | text   | a    | A     |
    | indicators | |       |           |           |             |
    | name   | label | aggregate | numerator | denominator |
    | others | Others | count    |           |             |
    | share  | Share | ratio     | visits    | others      |
"""


def test_a_ratio_of_which_a_part_went_with_its_form_stops_no_decision_and_no_figure(house: House) -> None:
    house.amina.outcomes(a_sale(1))
    for name, form in (("part", PART), ("ratio", RATIO)):
        shown(post(house, a_workbook(name, "1", form), publish="true"))

    shown(house.djeneba.delete("forms/part"))
    after = review(house, state="rejected", filter={}, preview=True)
    known = figures(house)

    assert [one["indicator"] for one in after["figures"]] == ["sacks", "sales"]
    assert ("share" in known, "others" in known) == (False, True)
    answer = house.fanta.get("figures?indicator=share")
    assert refused(answer) == 400.8
    assert "‘visits’" in answer.get_data(as_text=True)
