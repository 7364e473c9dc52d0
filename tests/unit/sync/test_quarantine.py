"""The quarantine: nothing that was sent is lost, and a coordinator decides what becomes of it, once."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from sync.errors import AlreadyDecided, NotFound, Unexpected
from sync.intake.files import keep_file
from sync.intake.items import id_from_content
from sync.intake.quarantine import Parked, Resolved, quarantined_item, quarantined_items, raw_of, resolve
from sync.journal import open_journal
from sync.models import Attachment, Contribution, Event, Form
from tests.support.projects import NOON, SALE, Desk, a_desk, a_sale, instance_id

COORDINATOR = 9
LATER = NOON + dt.timedelta(hours=1)
BROKEN = {"instance_id": "uuid:broken", "form": "sale", "version": "1", "xml": "<data>é"}


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return a_desk(engine, tmp_path / "files")


def test_items_are_listed_oldest_first_in_pages_with_their_number(desk: Desk) -> None:
    desk.send([a_sale(number, form="unknown") for number in (1, 2, 3)])

    first, count = listed(desk, limit=2)
    with desk.sessions() as session:
        page, _ = quarantined_items(session, desk.project_id, "open", cursor(desk, 2), limit=2)

    assert [item.instance_id for item in first] == [instance_id(1), instance_id(2)]
    assert (count, page.cursor) == (3, None)
    assert [item.instance_id for item in page.items] == [instance_id(3)]


def test_an_item_says_why_it_waits(desk: Desk) -> None:
    desk.send([a_sale(1, form="unknown")])

    (item,) = listed(desk)[0]

    assert (item.form_id, item.reason, item.state, item.resolution) == ("unknown", "unknown_form", "open", None)
    assert "unknown" in item.message


def test_the_bytes_are_given_back_as_they_were_sent(desk: Desk) -> None:
    desk.send([BROKEN])

    with desk.sessions() as session:
        raw = raw_of(session, desk.project_id, only(desk).id)

    assert raw == "<data>é".encode()


def test_what_is_not_there_is_not_found(desk: Desk) -> None:
    desk.send([BROKEN])
    with desk.sessions() as session:
        for project_id, id_ in ((desk.project_id, 10**6), (desk.project_id + 1, only(desk).id)):
            with pytest.raises(NotFound):
                quarantined_item(session, project_id, id_)
            with pytest.raises(NotFound):
                raw_of(session, project_id, id_)

    with pytest.raises(NotFound):
        decide(desk, 10**6, "discard")


def test_a_discarded_item_keeps_its_bytes_and_the_decision(desk: Desk) -> None:
    desk.send([BROKEN])

    resolved = decide(desk, only(desk).id, "discard", "half a file\x00")

    assert resolved.receipt is None
    assert resolved.parked.state == "discarded"
    assert resolved.parked.resolution is not None
    assert resolved.parked.resolution["reason"] == "half a file\\u0000"
    assert listed(desk)[1] == 0
    with desk.sessions() as session:
        assert raw_of(session, desk.project_id, resolved.parked.id) == "<data>é".encode()
        events = session.execute(select(Event.kind, Event.actor_id).where(Event.actor_id == COORDINATOR)).all()
    assert [tuple(event) for event in events] == [("discarded", COORDINATOR)]


def test_the_same_bytes_wait_for_each_instance_that_came_with_them(desk: Desk) -> None:
    emptied = [{"instance_id": f"uuid:E{number}", "form": "sale", "version": "1", "xml": ""} for number in (1, 2)]

    outcomes = [*desk.outcomes(*emptied), *desk.outcomes(*emptied)]

    assert outcomes == ["quarantined"] * 4
    assert [item.instance_id for item in listed(desk)[0]] == ["uuid:E1", "uuid:E2"]


def test_one_text_that_corrects_two_waits_for_either(desk: Desk) -> None:
    corrected = "<data id='sale' version='1'><sacks>7</sacks><meta><instanceID>uuid:c</instanceID></meta></data>"
    edits = [
        {"xml": corrected, "edits": instance_id(number), "recorded_at": "2026-11-02T10:00:00Z"} for number in (1, 2)
    ]

    waiting = desk.outcomes(*edits)
    desk.send([a_sale(2)])

    assert waiting == ["quarantined"] * 2
    assert [item.edits for item in listed(desk)[0]] == [instance_id(1)]
    assert sorted(values(desk)) == [7_000_000]


def test_what_comes_again_after_it_was_discarded_waits_again(desk: Desk) -> None:
    desk.send([BROKEN])
    decide(desk, only(desk).id, "discard")

    outcomes = [*desk.outcomes(BROKEN), *desk.outcomes(BROKEN)]

    assert outcomes == ["quarantined"] * 2
    assert only(desk).instance_id == only(desk, state="discarded").instance_id == "uuid:broken"


def test_the_files_of_what_waits_are_asked_for_and_it_is_whole_when_it_is_filed(desk: Desk) -> None:
    photo = {"name": "1.jpg", "sha256": "ab" * 32, "size": 3, "type": "image/jpeg"}
    early = {**a_sale(1, version="2", photo="1.jpg"), "attachments": [photo]}
    odd = {**a_sale(2), "attachments": [{"sha256": 7}, "x"]}

    waiting = desk.send([early, odd]).receipts
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, None, NOON)
        keep_file(journal, "ab" * 32, 3)
        journal.close()
        session.commit()
    again = desk.send([early]).receipts
    desk.publish("sale", "2", SALE)

    assert [(receipt["outcome"], receipt["missing"]) for receipt in waiting] == [
        ("quarantined", ["ab" * 32]),
        ("quarantined", []),
    ]
    assert again[0]["missing"] == []
    assert [(one.instance_id, one.missing) for one in desk.submissions()] == [(instance_id(1), 0)]


def test_what_corrects_nothing_that_could_arrive_is_told_so(desk: Desk) -> None:
    desk.publish("other", "1", "| survey | | |\n| type | name | label |\n| text | village | Village |")
    desk.send([a_sale(1)])

    itself, other, unknown = desk.send(
        [a_sale(2, edits=2), {**a_sale(3, form="other", edits=1), "answers": {}}, a_sale(4, edits=9)]
    ).receipts

    assert [receipt["outcome"] for receipt in (itself, other, unknown)] == ["quarantined"] * 3
    assert "corrects itself" in itself["reason"]
    assert f"{instance_id(1)}, which is of the form 'sale'" in other["reason"]
    assert "has not arrived yet" in unknown["reason"]


def test_nobody_decides_twice(desk: Desk) -> None:
    desk.send([BROKEN])
    decide(desk, only(desk).id, "discard")

    with pytest.raises(AlreadyDecided):
        decide(desk, only(desk, state="discarded").id, "retry")


def test_a_retry_files_what_can_be_filed_now_for_whoever_sent_it(desk: Desk) -> None:
    set_form(desk, "closed")
    desk.send([a_sale(1)])
    set_form(desk, "open")

    resolved = decide(desk, only(desk).id, "retry")

    assert resolved.receipt is not None
    assert (resolved.receipt.outcome, resolved.parked.state) == ("stored", "resolved")
    (submission,) = desk.submissions()
    assert (submission.instance_id, submission.actor_id) == (instance_id(1), desk.device)
    assert desk.outcomes(a_sale(1)) == ["duplicate"]


def test_a_retry_that_fails_again_leaves_the_item_open_and_says_why(desk: Desk) -> None:
    desk.send([a_sale(1, form="unknown")])

    resolved = decide(desk, only(desk).id, "retry")

    assert resolved.receipt is not None
    assert (resolved.receipt.outcome, resolved.parked.state) == ("quarantined", "open")
    assert listed(desk)[1] == 1


def test_a_retry_that_meets_another_obstacle_goes_on_waiting_as_one_item(desk: Desk) -> None:
    set_form(desk, "closed")
    desk.send([a_sale(1, sacks=9)])
    set_form(desk, "open")
    desk.send([a_sale(1, sacks=4)])

    resolved = decide(desk, only(desk).id, "retry")

    assert resolved.receipt is not None
    assert (resolved.receipt.outcome, resolved.parked.state) == ("conflict", "resolved")
    assert [item.reason for item in listed(desk)[0]] == ["conflict"]


def test_answers_that_waited_are_a_duplicate_of_what_was_sent_again_meanwhile(desk: Desk) -> None:
    set_form(desk, "closed")
    desk.send([a_sale(3, edits=2)])
    waiting = only(desk).id
    set_form(desk, "open")
    desk.send([a_sale(1), a_sale(2, edits=1), a_sale(3, edits=2)])
    with desk.sessions() as session:
        raw = json.loads(raw_of(session, desk.project_id, waiting))

    resolved = decide(desk, waiting, "retry")

    assert resolved.receipt is not None
    assert (resolved.receipt.outcome, resolved.parked.state) == ("duplicate", "resolved")
    assert raw == a_sale(3, edits=2)


def test_an_edit_of_a_version_and_an_original_that_were_both_missing_waits_as_one_item(desk: Desk) -> None:
    desk.send([a_sale(2, edits=1, version="2")])

    desk.publish("sale", "2", SALE)
    waiting = [item.reason for item in listed(desk)[0]]
    desk.send([a_sale(1)])

    assert waiting == ["edits_unknown"]
    assert listed(desk)[1] == 0
    assert [one.versions for one in desk.submissions()] == [2]


def test_what_goes_on_waiting_is_not_taken_for_another_content_of_the_same_instance(desk: Desk) -> None:
    desk.send([a_sale(2, edits=1, version="2"), a_sale(2, edits=1, version="3", sacks=9)])

    desk.publish("sale", "2", SALE)

    assert [(item.form_version, item.reason) for item in listed(desk)[0]] == [
        ("3", "unknown_version"),
        ("2", "edits_unknown"),
    ]


def test_what_comes_twice_in_a_batch_waits_with_the_files_of_both(desk: Desk) -> None:
    photo = {"name": "1.jpg", "sha256": "cd" * 32, "size": 3, "type": "image/jpeg"}
    named = f"<photo>1.jpg</photo><meta><instanceID>{instance_id(1)}</instanceID></meta>"
    item = {"xml": f"<data id='sale' version='2'>{named}</data>"}

    receipts = desk.send([item, item | {"attachments": [photo]}]).receipts
    desk.publish("sale", "2", SALE)
    with desk.sessions() as session:
        files = session.execute(select(Attachment.name, Attachment.sha256)).all()

    assert [(one["outcome"], one["missing"]) for one in receipts] == [("quarantined", []), ("quarantined", ["cd" * 32])]
    assert list(map(tuple, files)) == [("1.jpg", "cd" * 32)]


def test_what_nothing_dates_is_said_to_be_from_when_it_arrived_however_long_it_waited(desk: Desk) -> None:
    set_form(desk, "closed")
    undated = {**a_sale(1), "recorded_at": None}
    desk.send([undated], now=NOON - dt.timedelta(days=100))
    set_form(desk, "open")

    decide(desk, only(desk).id, "retry")

    assert [one.recorded_at for one in desk.submissions()] == [NOON - dt.timedelta(days=100)]


def test_a_conflict_accepted_as_an_edit_is_the_next_version_and_counts(desk: Desk) -> None:
    desk.send([a_sale(1, sacks=4)])
    desk.send([a_sale(1, sacks=9)])

    resolved = decide(desk, only(desk).id, "accept_as_edit")

    assert resolved.receipt is not None
    assert resolved.receipt.outcome == "edited"
    (submission,) = desk.submissions()
    assert (submission.instance_id, submission.versions, submission.review_state) == (instance_id(1), 2, "edited")
    assert sorted(values(desk)) == [9_000_000]


@pytest.mark.parametrize("as_xml", [True, False])
def test_what_was_accepted_as_an_edit_is_a_duplicate_when_resent(desk: Desk, as_xml: bool) -> None:
    other = by_xml(9) if as_xml else a_sale(1, sacks=9)
    desk.send([a_sale(1, sacks=4)])
    desk.send([other])
    decide(desk, only(desk).id, "accept_as_edit")

    receipts = desk.send([other, a_sale(1, sacks=4), a_sale(1, sacks=5)]).receipts

    assert [receipt["outcome"] for receipt in receipts] == ["duplicate", "duplicate", "conflict"]
    assert {receipt["instance_id"] for receipt in receipts} == {instance_id(1)}
    assert sorted(values(desk)) == [9_000_000]


@pytest.mark.parametrize("as_xml", [True, False])
def test_it_is_a_duplicate_too_once_its_form_is_closed(desk: Desk, as_xml: bool) -> None:
    other, third = (by_xml(9), by_xml(5)) if as_xml else (a_sale(1, sacks=9), a_sale(1, sacks=5))
    desk.send([a_sale(1, sacks=4)])
    desk.send([other])
    decide(desk, only(desk).id, "accept_as_edit")
    set_form(desk, "closed")

    with_photo = other | {"attachments": [{"name": "1.jpg", "sha256": "ab" * 32}]}
    receipts = desk.send([other, a_sale(1, sacks=4), third, with_photo]).receipts

    assert [receipt["outcome"] for receipt in receipts] == ["duplicate", "duplicate", "quarantined", "quarantined"]
    assert {receipt["instance_id"] for receipt in receipts} == {instance_id(1)}
    assert sorted(values(desk)) == [9_000_000]


def by_xml(sacks: int) -> dict[str, Any]:
    named = f"<meta><instanceID>{instance_id(1)}</instanceID></meta>"
    without_answers = {name: value for name, value in a_sale(1).items() if name != "answers"}
    return without_answers | {"xml": f"<data id='sale' version='1'><sacks>{sacks}</sacks>{named}</data>"}


def test_another_content_whose_id_as_an_edit_is_taken_waits(desk: Desk) -> None:
    def named(id_: str, sacks: int, edits: str = "") -> str:
        corrects = f"<deprecatedID>{edits}</deprecatedID>" if edits else ""
        meta = f"<meta><instanceID>{id_}</instanceID>{corrects}</meta>"
        return f"<data id='sale' version='1'><sacks>{sacks}</sacks>{meta}</data>"

    other = named(instance_id(1), 9)
    desk.send([a_sale(1, sacks=4)])
    edited = desk.outcomes({"xml": named(id_from_content(other.encode()), 5, instance_id(1))})

    assert edited == ["edited"]
    assert [*desk.outcomes({"xml": other}), *desk.outcomes({"xml": other})] == ["conflict"] * 2
    assert only(desk).instance_id == instance_id(1)


def test_an_edit_that_came_second_is_accepted_on_top_of_the_first(desk: Desk) -> None:
    desk.send([a_sale(1, sacks=4), a_sale(2, edits=1, sacks=5), a_sale(3, edits=1, sacks=6)])

    decide(desk, only(desk).id, "accept_as_edit")

    (submission,) = desk.submissions()
    assert (submission.versions, submission.current_instance_id) == (3, instance_id(3))
    assert sorted(values(desk)) == [6_000_000]


@pytest.mark.parametrize("action", ["", "delete"])
def test_an_unknown_action_is_refused(desk: Desk, action: str) -> None:
    desk.send([BROKEN])

    with pytest.raises(Unexpected):
        decide(desk, only(desk).id, action)


def test_an_unknown_state_is_refused(desk: Desk) -> None:
    with desk.sessions() as session, pytest.raises(Unexpected):
        quarantined_items(session, desk.project_id, "lost")


def listed(desk: Desk, state: str = "open", limit: int = 50) -> tuple[list[Parked], int]:
    with desk.sessions() as session:
        page, count = quarantined_items(session, desk.project_id, state, limit=limit)
    return list(page.items), count


def only(desk: Desk, state: str = "open") -> Parked:
    (item,) = listed(desk, state)[0]
    return item


def cursor(desk: Desk, after: int) -> str | None:
    with desk.sessions() as session:
        page, _ = quarantined_items(session, desk.project_id, "open", limit=after)
    return page.cursor


def decide(desk: Desk, id_: int, action: str, reason: str | None = None) -> Resolved:
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, COORDINATOR, LATER)
        resolved = resolve(journal, id_, action, reason)
        journal.close()
        session.commit()
    return resolved


def set_form(desk: Desk, state: str) -> None:
    with desk.sessions() as session:
        session.execute(update(Form).values(state=state))
        session.commit()


def values(desk: Desk) -> list[Any]:
    with desk.sessions() as session:
        return [
            value
            for value in session.scalars(select(Contribution.value).where(Contribution.closed.is_(None)))
            if value is not None
        ]
