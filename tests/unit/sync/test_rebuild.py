"""What derives from submissions is worked out anew from the raw instances, and comes out the same."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy import event as happening

from sync.indicators.recount import rebuild_from, verify_portion
from sync.journal import open_journal
from sync.models import Contribution, Entity, EntityStep, Project, Submission, SubmissionVersion
from sync.models.database import begin_writing
from sync.projects.publish import change_project
from sync.review.decide import set_review_state
from sync.review.flags import DOUBLE_SAVE, MATCH
from tests.property.test_delivery_laws import state
from tests.support.projects import NOON, SALE, Desk, a_desk, a_sale, instance_id


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    """A project with an edit, a second copy and a rejected visit in it."""
    desk = a_desk(engine, tmp_path / "files")
    full = {"price": 900, "remark": "dry"}
    first = a_sale(1, seller="Awa", **full)
    copy = {**a_sale(2, seller="Awa", **full), "recorded_at": first["recorded_at"]}
    desk.send([first, copy, a_sale(3), a_sale(4, edits=3, sacks=9), a_sale(5, sacks=-1), a_sale(6)])
    rejected = next(row for row in desk.submissions() if row.instance_id.endswith("6"))
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, None, NOON)
        set_review_state(journal, rejected.id, "rejected")
        journal.close()
        session.commit()
    return desk


def last_event(desk: Desk) -> int:
    with desk.sessions() as session:
        return session.scalars(select(Project.last_event).where(Project.id == desk.project_id)).one()


def test_a_rebuild_of_what_is_right_changes_nothing_and_records_nothing(desk: Desk) -> None:
    before, event = state(desk), last_event(desk)

    differences = desk.rebuild()

    assert differences == []
    assert (state(desk), last_event(desk)) == (before, event)


def test_derived_rows_that_were_damaged_or_lost_come_back(desk: Desk) -> None:
    before = state(desk)
    with desk.sessions() as session:
        begin_writing(session)
        session.execute(delete(Contribution))
        session.execute(delete(EntityStep))
        session.execute(update(Entity).values(label="?", data={}))
        session.execute(update(SubmissionVersion).values(answers=None))
        session.execute(
            update(Submission).values(flags=[], fingerprint=None, subject=None, double_of=None, counts=True)
        )
        session.execute(update(Submission).where(Submission.review_state == "rejected").values(counts=False))
        session.commit()

    differences = desk.rebuild()

    assert differences != []
    assert state(desk) == before
    with desk.sessions() as session:
        assert verify_portion(session, desk.project_id, 0).differences == []
        current = select(SubmissionVersion.answers).where(
            SubmissionVersion.instance_id == Submission.current_instance_id
        )
        assert all(session.scalars(current))


def test_verifying_finds_a_second_copy_that_counts_and_a_visit_that_wrongly_does_not(desk: Desk) -> None:
    copy, alone = (next(row.id for row in desk.submissions() if row.instance_id.endswith(end)) for end in "25")
    with desk.sessions() as session:
        begin_writing(session)
        session.execute(update(Submission).where(Submission.id == copy).values(double_of=None, counts=True))
        session.execute(update(Submission).where(Submission.id == alone).values(counts=False))
        session.commit()

    with desk.sessions() as session:
        differences = verify_portion(session, desk.project_id, 0).differences

    assert {f"submission {copy}: second copies", f"submission {alone}: second copies"} <= {*differences}
    assert desk.rebuild() != []
    with desk.sessions() as session:
        assert verify_portion(session, desk.project_id, 0).differences == []


def test_a_wrong_flag_of_a_second_copy_is_told_and_mended(desk: Desk) -> None:
    before = state(desk)
    copy, alone = (next(row.id for row in desk.submissions() if row.instance_id.endswith(end)) for end in "25")
    wrong = [DOUBLE_SAVE, "/data", "The same visit was saved before as nothing."]
    with desk.sessions() as session:
        begin_writing(session)
        flags = dict(session.execute(select(Submission.id, Submission.flags)).all())
        session.execute(update(Submission).where(Submission.id == copy).values(flags=[]))
        session.execute(update(Submission).where(Submission.id == alone).values(flags=[*flags[alone], wrong]))
        session.commit()

    with desk.sessions() as session:
        told = verify_portion(session, desk.project_id, 0).differences
    mended, event = desk.rebuild(), last_event(desk)

    assert told == [f"submission {id_}: flags among neighbours" for id_ in sorted((copy, alone))]
    assert (mended, state(desk)) == (told, before)
    assert {row.event for row in desk.submissions() if row.id in (copy, alone)} == {event}
    assert desk.rebuild() == []


def test_the_flags_of_a_second_copy_may_stand_in_any_order(desk: Desk) -> None:
    copy = next(row for row in desk.submissions() if row.instance_id.endswith("2"))
    match = [MATCH, "/data/seller", "Somebody like that is there."]
    with desk.sessions() as session:
        begin_writing(session)
        session.execute(update(Submission).where(Submission.id == copy.id).values(flags=[*copy.flags, match]))
        session.commit()

    with desk.sessions() as session:
        assert verify_portion(session, desk.project_id, 0).differences == []
    assert desk.rebuild() == []
    assert next(row.flags for row in desk.submissions() if row.id == copy.id) == [*copy.flags, match]


def test_second_copies_that_arrive_while_all_is_verified_do_not_seem_to_be_wrong(desk: Desk) -> None:
    first = a_sale(1, seller="Awa", price=900, remark="dry")
    # The earlier of those that were saved alike counts, so that those that were there become its second copies.
    copies = iter(
        {
            **first,
            "instance_id": instance_id(7 + hours),
            "recorded_at": (dt.datetime.fromisoformat(first["recorded_at"]) - dt.timedelta(hours=hours)).isoformat(),
        }
        for hours in (1, 2)
    )
    sending = False

    def meanwhile(*_: object) -> None:
        nonlocal sending
        if not sending and (copy := next(copies, None)):
            sending = True
            desk.send([copy])
            sending = False

    with desk.sessions() as session:
        happening.listen(session.get_bind(), "after_cursor_execute", meanwhile)
        differences = verify_portion(session, desk.project_id, 0).differences

    assert (differences, next(copies, None)) == ([], None)
    assert [row.instance_id for row in desk.submissions() if row.double_of is None and row.counts][-1] == instance_id(9)
    with desk.sessions() as session:
        assert verify_portion(session, desk.project_id, 0).differences == []


def test_what_arrives_while_all_is_verified_does_not_seem_to_be_wrong(desk: Desk) -> None:
    edits = iter([(101, 5), (102, 101), (103, 102)])
    sending = False

    def meanwhile(*_: object) -> None:
        nonlocal sending
        if not sending and (edit := next(edits, None)):
            sending = True
            desk.send([a_sale(edit[0], edits=edit[1], sacks=edit[0])])
            sending = False

    with desk.sessions() as session:
        happening.listen(session.get_bind(), "after_cursor_execute", meanwhile)
        differences = verify_portion(session, desk.project_id, 0).differences

    assert (differences, next(edits, None)) == ([], None)


def test_others_write_between_the_portions_of_a_rebuild_and_it_ends_with_what_was_there(desk: Desk) -> None:
    desk.send([a_sale(number) for number in range(10, 220)])
    with desk.sessions() as session:
        there = session.scalar(select(func.count()).select_from(Submission))
        begin_writing(session)
        session.execute(delete(Contribution))
        session.commit()

    done = []
    with desk.sessions() as session:
        for portion in rebuild_from(session, desk.project_id, 0, NOON):
            session.commit()
            desk.send([a_sale(1000 + len(done))])
            done.append(portion.submissions)

    assert max(done) == 100
    assert sum(done) == there
    assert desk.rebuild() == []


def test_a_rebuild_that_was_killed_goes_on_where_it_was_also_among_the_lists(desk: Desk) -> None:
    with desk.sessions() as session:
        begin_writing(session)
        session.execute(update(Entity).values(label="?"))
        session.commit()
        going = rebuild_from(session, desk.project_id, 0, NOON)
        next(going)
        session.commit()
        next(going)  # the entities, and no commit
        session.rollback()
        rebuilt_to = session.scalars(select(Project.rebuilt_to).where(Project.id == desk.project_id)).one()

    with desk.sessions() as session:
        left = []
        for portion in rebuild_from(session, desk.project_id, rebuilt_to or 0, NOON):
            session.commit()
            left.append((portion.submissions, list(portion.differences)))

    assert left == [(0, ["5 entities"]), (0, [])]
    with desk.sessions() as session:
        assert session.scalars(select(Project.rebuilt_to).where(Project.id == desk.project_id)).one() is None
    assert desk.rebuild() == []


NOTE = """
    | survey |      |      |
    | type   | name | label |
    | text   | who  | Who  |
    | text   | what | What |
    | indicators | | | |
    | name   | label | aggregate | subject |
    | asked  | Asked | distinct  | ${who}  |
"""
LATE = dt.datetime(2026, 11, 18, 23, 30, tzinfo=dt.UTC)


def a_note(number: int, recorded_at: dt.datetime) -> dict[str, Any]:
    answers = {"who": "Awa", "what": f"Note {number}"}
    return a_sale(number, form="note") | {"recorded_at": recorded_at.isoformat(), "answers": answers}


def set_otherwise(desk: Desk, **settings: Any) -> None:
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, None, NOON)
        change_project(journal, settings)
        journal.close()
        session.commit()


def test_indicators_defined_anew_leave_nothing_to_mend(desk: Desk) -> None:
    desk.publish("sale", "2", SALE.replace("| ${day} ", "| '2026-10-05' "))

    assert desk.rebuild() == []


def test_a_version_that_says_whom_a_visit_is_about_holds_for_what_is_there_and_leaves_nothing_to_mend(
    desk: Desk,
) -> None:
    desk.publish("note", "1", NOTE)
    desk.send([a_note(number, NOON) for number in (1, 2)])
    before = flags_of_notes(desk)

    desk.publish("note", "2", NOTE, subject="none")
    desk.send([a_note(3, NOON)])
    without = flags_of_notes(desk)
    left_without = desk.rebuild()
    desk.publish("note", "3", NOTE)

    assert (before, without) == ([[], ["same_day"]], [[], [], []])
    assert flags_of_notes(desk) == [[], ["same_day"], ["same_day"]]
    assert (left_without, desk.rebuild()) == ([], [])


def flags_of_notes(desk: Desk) -> list[list[str]]:
    return [[flag[0] for flag in row.flags] for row in desk.submissions() if row.form_id == "note"]


def test_another_time_zone_leaves_nothing_to_mend(desk: Desk) -> None:
    desk.publish("note", "1", NOTE)
    moments = [LATE, LATE + dt.timedelta(hours=4)]
    desk.send([a_note(number, moment) for number, moment in enumerate(moments, 1)])

    set_otherwise(desk, time_zone="Asia/Tokyo")
    flagged = [row.flags for row in desk.submissions() if row.form_id == "note"]
    left_in_tokyo = desk.rebuild()
    set_otherwise(desk, time_zone="Africa/Bamako")

    assert [[flag[0] for flag in flags] for flags in flagged] == [[], ["same_day"]]
    assert [row.flags for row in desk.submissions() if row.form_id == "note"] == [[], []]
    assert (left_in_tokyo, desk.rebuild()) == ([], [])
