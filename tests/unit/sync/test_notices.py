"""What a device is told of what it sent, and how a correction comes back from there as a version of the original."""

from __future__ import annotations

import csv
import datetime as dt
import io
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sync.entities.delivery import csv_for, state_for
from sync.entities.sent_back import receiver_of
from sync.indicators.recount import verify_portion
from sync.journal import open_journal
from sync.models import Actor, SubmissionVersion, Token
from sync.review.decide import add_comment, set_review_state
from tests.support.projects import NOON, Desk, a_desk, a_sale, instance_id

VISIT = """
    | survey      |            |         |             |               |
    | type        | name       | label   | calculation | trigger       |
    | select_one_from_file a_corriger.csv | to_correct | Which? |  |  |
    | begin group | harvest    | Harvest |             |               |
    | integer     | sacks      | Sacks   | BEFORE/sacks | ${to_correct} |
    | text        | remark     | Remark  |             |               |
    | end group   | harvest    |         |             |               |
""".replace("BEFORE", "instance('a_corriger')/root/item[name = ${to_correct}]")
XML = (
    '<data id="visit" version="1"><to_correct>{chosen}</to_correct><harvest><sacks>{sacks}</sacks><remark>dry</remark>'
    "</harvest><meta><instanceID>uuid:{number:032x}</instanceID></meta></data>"
)
COORDINATOR = 9


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    desk = a_desk(engine, tmp_path / "files")
    desk.publish("visit", "1", VISIT)
    return desk


def a_visit(number: int, sacks: int, chosen: str = "") -> dict[str, str]:
    key = instance_id(number)
    xml = XML.format(chosen=chosen, sacks=sacks, number=0).replace(f"uuid:{0:032x}", key)
    return {"instance_id": key, "form": "visit", "version": "1", "xml": xml}


def send_back(desk: Desk, key: str, comment: str | None, state: str = "hasIssues") -> None:
    with desk.sessions() as session:
        submission = next(row for row in desk.submissions() if row.current_instance_id == key)
        journal = open_journal(session, desk.project_id, COORDINATOR, NOON)
        set_review_state(journal, submission.id, state)
        if comment is not None:
            add_comment(journal, submission.id, comment)
        journal.close()
        session.commit()


def rows(desk: Desk, name: str, form_id: str | None = None, language: str | None = None) -> list[dict[str, str]]:
    with desk.sessions() as session:
        actor = session.get_one(Actor, desk.device)
        actor.language = language
        found = csv_for(session, desk.project_id, name, actor, form_id)
    return list(csv.DictReader(io.StringIO(found.decode(), newline="")))


def state(desk: Desk, name: str, form_id: str | None = None) -> str:
    with desk.sessions() as session:
        return state_for(session, desk.project_id, name, session.get_one(Actor, desk.device), form_id)


def test_a_device_reads_what_became_of_each_thing_that_it_sent(desk: Desk) -> None:
    desk.send([a_sale(1), a_sale(2, photo="1.jpg"), a_sale(3), a_sale(4), a_sale(5, form="unknown")])
    send_back(desk, instance_id(3), "The price is missing.")
    send_back(desk, instance_id(4), None, "approved")

    told = {row["name"]: row for row in rows(desk, "mes_envois", language="en")}

    states = {name[-1]: row["state"] for name, row in told.items()}
    assert states == {"1": "complete", "2": "missing_photos", "3": "sent_back", "4": "approved", "5": "kept"}
    third = told[instance_id(3).removeprefix("uuid:")]
    assert (third["comment"], third["form"], third["missing"]) == ("The price is missing.", "sale", "0")
    assert third["label"] == "sale – 20/11/2026 – to correct"
    assert third["sent_at"] == "2026-11-20T12:00+00:00"
    assert int(third["__version"]) > 0


def test_what_waits_in_quarantine_is_said_to_be_kept_and_seen_to_by_the_office(desk: Desk) -> None:
    desk.send([a_sale(1, form="unknown")])

    labels = [rows(desk, "mes_envois", language=language)[0]["label"] for language in ("fr", "en")]

    assert labels == [
        "unknown – 20/11/2026 – gardé, le bureau s’en occupe",
        "unknown – 20/11/2026 – kept, the office sees to it",
    ]


@pytest.mark.parametrize(("language", "words"), [("fr", "complet"), ("bm", "a bɛɛ sera"), ("xx", "complet")])
def test_the_state_is_told_in_the_language_of_the_user(desk: Desk, language: str, words: str) -> None:
    desk.send([a_sale(1)])

    (row,) = rows(desk, "mes_envois", language=language)

    assert row["label"].endswith(f" – {words}")


def test_the_hash_of_the_list_changes_when_something_was_decided_and_only_then(desk: Desk) -> None:
    desk.send([a_sale(1)])
    before = state(desk, "mes_envois")
    unchanged = state(desk, "mes_envois")

    send_back(desk, instance_id(1), "Look again.")

    assert before == unchanged
    assert state(desk, "mes_envois") != before
    assert state(desk, "mes_envois") == state(desk, "mes_envois")


def test_a_form_that_asks_gets_what_is_its_own_with_the_answers(desk: Desk) -> None:
    desk.send([a_visit(1, 4), a_visit(2, 5), a_sale(3)])
    send_back(desk, instance_id(1), "Count the sacks\nagain.")
    send_back(desk, instance_id(3), "Who sold?")

    (asked,) = rows(desk, "a_corriger", "visit")
    everything = rows(desk, "a_corriger")

    assert (asked["name"], asked["sacks"], asked["remark"]) == (instance_id(1)[5:], "4", "dry")
    assert (asked["comment"], asked["state"]) == ("Count the sacks\nagain.", "hasIssues")
    assert asked["label"] == "visit – 20/11/2026 – Count the sacks again."
    assert {row["form"] for row in everything} == {"visit", "sale"}


def test_no_column_has_the_name_of_another_whatever_questions_are_called(desk: Desk) -> None:
    desk.publish(
        "odd",
        "1",
        """
        | survey      |              |         |
        | type        | name         | label   |
        | select_one_from_file a_corriger.csv | to_correct | Which? |
        | text        | name         | Name    |
        | text        | comment      | Comment |
        | text        | farm_size    | Size    |
        | begin group | farm         | Farm    |
        | text        | size         | Size    |
        | end group   | farm         |         |
        | begin group | field        | Field   |
        | text        | size         | Size    |
        | end group   | field        |         |
        """,
    )
    xml = (
        '<data id="odd" version="1"><to_correct/><name>Awa</name><comment>dry</comment><farm_size>small</farm_size>'
        f"<farm><size>4</size></farm><field><size>2</size></field><meta><instanceID>{instance_id(1)}</instanceID></meta></data>"
    )
    desk.send([{"instance_id": instance_id(1), "form": "odd", "version": "1", "xml": xml}])
    send_back(desk, instance_id(1), "Count again.")

    with desk.sessions() as session:
        found = csv_for(session, desk.project_id, "a_corriger", session.get_one(Actor, desk.device), "odd").decode()
    header = found.split("\r\n")[0].split(",")
    (row,) = rows(desk, "a_corriger", "odd")

    assert len(set(header)) == len(header)
    assert (row["name"], row["data_name"]) == (instance_id(1)[5:], "Awa")
    assert (row["comment"], row["data_comment"]) == ("Count again.", "dry")
    assert (row["farm_size"], row["data_farm_size"], row["field_size"]) == ("small", "4", "2")


def test_what_was_rejected_is_to_be_corrected_if_somebody_said_why(desk: Desk) -> None:
    desk.send([a_visit(1, 4), a_visit(2, 5)])
    send_back(desk, instance_id(1), None, "rejected")
    send_back(desk, instance_id(2), "Ask the other buyer.", "rejected")

    assert [row["name"] for row in rows(desk, "a_corriger", "visit")] == [instance_id(2)[5:]]


def test_a_correction_by_the_list_becomes_the_next_version_of_the_original(desk: Desk) -> None:
    desk.send([a_visit(1, 4)])
    send_back(desk, instance_id(1), "Count again.")
    (row,) = rows(desk, "a_corriger", "visit")

    outcomes = desk.outcomes(a_visit(2, 6, chosen=row["name"]))

    (submission,) = desk.submissions()
    assert outcomes == ["edited"]
    assert (submission.instance_id, submission.current_instance_id) == (instance_id(1), instance_id(2))
    assert (submission.review_state, submission.versions, submission.flags) == ("edited", 2, [])
    assert rows(desk, "a_corriger", "visit") == []
    assert [row["state"] for row in rows(desk, "mes_envois")] == ["complete"]
    with desk.sessions() as session:
        version = session.get_one(SubmissionVersion, (desk.project_id, "visit", instance_id(2)))
        assert version.parent == instance_id(1)


FULL = """
    | survey      |            |         |             |               |
    | type        | name       | label   | calculation | trigger       |
    | select_one_from_file a_corriger.csv | to_correct | Which? |  |  |
    | integer     | sacks      | Sacks   |             |               |
    | image       | photo      | Photo   |             |               |
    | begin_repeat | sale      | Sale    |             |               |
    | text        | buyer      | Buyer   |             |               |
    | image       | receipt    | Receipt |             |               |
    | end_repeat  | sale       |         |             |               |
"""


@pytest.mark.parametrize(
    ("again", "named"),
    [
        ("", "photo, receipt, sale"),
        ("<photo>a.jpg</photo><sale><buyer>A</buyer><receipt>r.jpg</receipt></sale>", "sale"),
        ("<photo>n.jpg</photo><sale><buyer>A</buyer><receipt/></sale><sale><buyer>B</buyer></sale>", "receipt"),
        ("<photo>a.jpg</photo><sale><buyer>A</buyer><receipt>r.jpg</receipt></sale><sale><buyer>B</buyer></sale>", ""),
    ],
)
def test_what_a_correction_by_the_list_leaves_out_is_told_by_name(desk: Desk, again: str, named: str) -> None:
    desk.publish("full", "1", FULL)
    before = "<sale><buyer>A</buyer><receipt>r.jpg</receipt></sale><sale><buyer>B</buyer></sale>"
    desk.send([a_full(1, "", "<photo>a.jpg</photo>" + before)])

    outcomes = desk.outcomes(a_full(2, instance_id(1)[5:], again))

    (submission,) = desk.submissions()
    told = f"This correction came without what the version before has: {named}."
    assert outcomes == ["edited"]
    assert submission.flags == ([["left_out", "/data", told]] if named else [])
    with desk.sessions() as session:
        assert verify_portion(session, desk.project_id, 0).differences == []


def test_both_at_once_are_told_the_same_and_the_next_version_begins_anew(desk: Desk) -> None:
    desk.publish("full", "1", FULL)

    desk.send([a_full(1, "", "<photo>a.jpg</photo>"), a_full(2, instance_id(1)[5:], "")])
    flagged = [flag[0] for flag in desk.submissions()[0].flags]
    desk.send([a_full(3, instance_id(2)[5:], "")])

    assert flagged == ["left_out"]
    assert desk.submissions()[0].flags == []


def a_full(number: int, chosen: str, rest: str) -> dict[str, str]:
    key = instance_id(number)
    xml = f'<data id="full" version="1"><to_correct>{chosen}</to_correct><sacks>4</sacks>{rest}'
    xml += f"<meta><instanceID>{key}</instanceID></meta></data>"
    return {"instance_id": key, "form": "full", "version": "1", "xml": xml, "recorded_at": NOON.isoformat()}


def test_a_correction_can_be_sent_back_once_more_and_is_then_the_one_to_correct(desk: Desk) -> None:
    desk.send([a_visit(1, 4)])
    send_back(desk, instance_id(1), "Count again.")
    desk.send([a_visit(2, 6, chosen=instance_id(1)[5:])])
    send_back(desk, instance_id(2), "And again.")

    (row,) = rows(desk, "a_corriger", "visit")

    assert (row["name"], row["sacks"]) == (instance_id(2)[5:], "6")
    assert desk.outcomes(a_visit(3, 7, chosen=row["name"])) == ["edited"]
    assert [each.versions for each in desk.submissions()] == [3]


def test_two_corrections_of_one_thing_are_for_the_coordinator_to_decide(desk: Desk) -> None:
    desk.send([a_visit(1, 4)])

    desk.send([a_visit(2, 6, chosen=instance_id(1)[5:])])

    assert desk.outcomes(a_visit(3, 7, chosen=instance_id(1)[5:])) == ["conflict"]
    assert desk.outcomes(a_visit(4, 7, chosen="00000000-0000-0000-0000-00000000ffff")) == ["quarantined"]


def test_another_device_is_told_nothing_of_it(desk: Desk) -> None:
    desk.send([a_visit(1, 4)])
    send_back(desk, instance_id(1), "Count again.")
    with desk.sessions() as session:
        session.add(Actor(id=8, kind="device", name="Other", places=[], project_id=1, created_at=NOON, properties={}))
        session.commit()
        other = session.get_one(Actor, 8)
        found = [csv_for(session, desk.project_id, name, other, "visit") for name in ("mes_envois", "a_corriger")]

    assert [content.count(b"\r\n") for content in found] == [1, 1]


def test_only_the_latest_two_months_of_a_device_are_told(desk: Desk) -> None:
    desk.send([a_sale(1)], now=NOON - dt.timedelta(days=90))
    desk.send([a_sale(2)])

    assert [row["name"] for row in rows(desk, "mes_envois")] == [instance_id(2)[5:]]
    assert len(desk.submissions()) == 2


def test_it_is_known_who_gets_back_what_was_sent_back_and_whether_their_device_was_heard_of_since(desk: Desk) -> None:
    desk.outcomes(a_visit(1, 4))
    (submission,) = desk.submissions()
    later = NOON + dt.timedelta(hours=1)

    with desk.sessions() as session:
        received = receiver_of(session, desk.project_id, submission.id, later)
    send_back(desk, instance_id(1), "Ten sacks?")
    with desk.sessions() as session:
        sent_back = receiver_of(session, desk.project_id, submission.id, later)
        session.add(Token(sha256=b"1", actor_id=desk.device, kind="device", created_at=NOON, last_used_at=later))
        session.flush()
        fetched = receiver_of(session, desk.project_id, submission.id, later)

    assert received is None
    assert sent_back is not None
    assert (sent_back.kind, sent_back.asks, sent_back.shut_out, sent_back.heard) == ("device", True, False, False)
    assert fetched is not None
    assert (fetched.heard, fetched.last) == (True, later)
