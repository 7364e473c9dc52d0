"""Who of a register was heard of in a period, and who was silent."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from forms.workbooks.workbook import read_workbook
from sync.entities.reporting import expected_of, habit, registers, silence, silent_entries
from sync.indicators.moments import resolve_as_of
from sync.indicators.reading import Reading
from sync.journal import open_journal
from sync.models import Submission
from sync.projects.publish import publish_form
from tests.support.projects import NOON, Desk, a_desk, a_sale, instance_id, workbook_of
from tests.support.workbooks import xlsx_of

NOVEMBER = dt.date(2026, 11, 1), dt.date(2026, 11, 30)
PROFILE = """
    | survey |             |       |         |
    | type   | name        | label | save_to |
    | date   | day         | Day   |         |
    | text   | called      | Name  | called  |
    | entities |           |       |         |
    | list_name | label    |       |         |
    | centres | ${called}  |       |         |
"""
MONTHLY = """
    | survey |                   |       |
    | type   | name              | label |
    | date   | day               | Day   |
    | select_one_from_file centres.csv | centre | Centre |
    | integer | visits           | Visits |
    | indicators |               |       |         |       |           |
    | name   | label             | aggregate | date | subject | value |
    | visits | Visits            | sum   | ${day}  | centres | ${visits} |
"""


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    desk = a_desk(engine, tmp_path / "files")
    desk.publish("profile", "1", PROFILE)
    desk.publish("monthly", "1", MONTHLY)
    for number, name in enumerate(("Siby", "Kalassa", "Kéniéba"), 1):
        desk.outcomes(an_item(number, "profile", day="2026-01-05", called=name))
    return desk


def an_item(number: int, form: str, **answers: object) -> dict[str, object]:
    return a_sale(number, form=form) | {"answers": answers}


def centres_of(desk: Desk) -> list[str]:
    """The ids of the centres, as their submissions name them."""
    return [str(one.subject).partition("/")[2] for one in desk.submissions() if one.form_id == "profile"]


def test_a_register_is_a_list_with_a_form_about_one_of_its_entries_and_no_list_of_people(desk: Desk) -> None:
    with desk.sessions() as session:
        found = [(one.list_name, one.form_id, one.declared) for one in registers(session, desk.project_id)]

    assert ("centres", "monthly", False) in found
    assert ("centres", "profile", True) in found


def test_an_entry_was_heard_of_when_a_submission_about_it_is_dated_in_the_period(desk: Desk) -> None:
    siby, kalassa, kenieba = centres_of(desk)
    desk.outcomes(
        an_item(11, "monthly", day="2026-11-03", centre=siby, visits=3),
        an_item(12, "monthly", day="2026-11-20", centre=siby, visits=4),
        an_item(13, "monthly", day="2026-10-31", centre=kalassa, visits=5),
    )

    with desk.sessions() as session:
        monthly = next(one for one in registers(session, desk.project_id) if one.form_id == "monthly")
        counted = silence(session, desk.project_id, monthly, *NOVEMBER)
        first, after = silent_entries(session, desk.project_id, monthly, *NOVEMBER, limit=1)
        rest, end = silent_entries(session, desk.project_id, monthly, *NOVEMBER, after=after, limit=1)

    assert (counted.entries, counted.silent) == (3, 2)
    assert {(one.id, one.last) for one in (*first, *rest)} == {(kalassa, dt.date(2026, 10, 31)), (kenieba, None)}
    assert end is None


@pytest.mark.parametrize("subject", ["centres", "none"])
def test_an_entry_is_reported_of_whatever_the_form_says_of_its_visits(desk: Desk, subject: str) -> None:
    desk.publish("monthly", "2", MONTHLY, subject=subject)
    siby, _, _ = centres_of(desk)
    desk.outcomes(an_item(11, "monthly", day="2026-11-03", centre=siby, visits=3))

    with desk.sessions() as session:
        monthly = next(one for one in registers(session, desk.project_id) if one.form_id == "monthly")

        assert silence(session, desk.project_id, monthly, *NOVEMBER).silent == 2


def test_what_was_rejected_or_deleted_does_not_count(desk: Desk) -> None:
    siby, kalassa, _ = centres_of(desk)
    desk.outcomes(
        an_item(11, "monthly", day="2026-11-03", centre=siby, visits=3),
        an_item(12, "monthly", day="2026-11-04", centre=kalassa, visits=3),
    )
    with desk.sessions() as session:
        for number, values in ((11, {"review_state": "rejected"}), (12, {"deleted_at": NOON})):
            session.execute(update(Submission).where(Submission.instance_id == instance_id(number)).values(**values))
        session.commit()
        monthly = next(one for one in registers(session, desk.project_id) if one.form_id == "monthly")

        assert silence(session, desk.project_id, monthly, *NOVEMBER).silent == 3


def test_a_form_that_makes_its_entries_reports_about_them(desk: Desk) -> None:
    with desk.sessions() as session:
        profile = next(one for one in registers(session, desk.project_id) if one.form_id == "profile")
        january = silence(session, desk.project_id, profile, dt.date(2026, 1, 1), dt.date(2026, 12, 31))
        before = silence(session, desk.project_id, profile, dt.date(2025, 1, 1), dt.date(2025, 12, 31))

    assert (january.silent, before.silent) == (0, 3)


def test_how_often_an_entry_is_reported_of_is_known_where_most_were_so_more_than_once(desk: Desk) -> None:
    siby, kalassa, kenieba = centres_of(desk)
    visits = [
        (siby, "2026-08-03"),
        (siby, "2026-09-02"),
        (siby, "2026-10-03"),
        (kalassa, "2026-08-01"),
        (kenieba, "2026-08-02"),
    ]
    desk.outcomes(
        *(an_item(n, "monthly", day=day, centre=centre, visits=1) for n, (centre, day) in enumerate(visits, 11))
    )

    with desk.sessions() as session:
        by_form = {one.form_id: one for one in registers(session, desk.project_id)}
        once = habit(session, desk.project_id, by_form["monthly"])
    desk.outcomes(an_item(21, "monthly", day="2026-08-30", centre=kalassa, visits=1))
    with desk.sessions() as session:
        monthly = habit(session, desk.project_id, by_form["monthly"])
        profile = habit(session, desk.project_id, by_form["profile"])

    assert (once, monthly, profile) == (None, 30, None)


def test_of_the_silent_those_are_told_apart_that_were_never_heard_of(desk: Desk) -> None:
    siby, kalassa, _ = centres_of(desk)
    desk.outcomes(
        an_item(11, "monthly", day="2026-11-03", centre=siby, visits=3),
        an_item(12, "monthly", day="2026-10-04", centre=kalassa, visits=3),
    )

    with desk.sessions() as session:
        monthly = next(one for one in registers(session, desk.project_id) if one.form_id == "monthly")
        counted = silence(session, desk.project_id, monthly, *NOVEMBER)

    assert (counted.entries, counted.silent, counted.never) == (3, 2, 1)


def test_reports_that_never_came_do_not_make_a_form_a_rarer_one(desk: Desk) -> None:
    months = {0: (1, 2, 5, 6, 9, 10), 1: (1, 4, 5, 8, 9, 10), 2: (2, 3, 6, 9)}
    centres = centres_of(desk)
    visits = [(centres[number], f"2026-{month:02}-03") for number, some in months.items() for month in some]
    twice = [(centres[0], "2026-06-04")]
    desk.outcomes(
        *(an_item(n, "monthly", day=day, centre=one, visits=1) for n, (one, day) in enumerate(visits + twice, 11))
    )

    with desk.sessions() as session:
        monthly = next(one for one in registers(session, desk.project_id) if one.form_id == "monthly")

        assert habit(session, desk.project_id, monthly) in range(28, 32)


def test_the_habit_is_that_of_late_whatever_was_sent_before(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.entities.reporting._MOST_DAYS", 3)
    before = [f"2025-{month:02}-{day:02}" for month in (1, 2) for day in range(1, 20)]
    days = [*before, "2026-02-01", "2026-05-02", "2026-08-01"]
    items = [(one, day) for one in centres_of(desk) for day in days]
    desk.outcomes(*(an_item(n, "monthly", day=day, centre=one, visits=1) for n, (one, day) in enumerate(items, 11)))

    with desk.sessions() as session:
        monthly = next(one for one in registers(session, desk.project_id) if one.form_id == "monthly")

        assert habit(session, desk.project_id, monthly) in range(89, 93)


SCREENING = """
    | settings |             |       |
    | form_id  | version     | expected |
    | screening | 1          | {expected} |
    | survey |                   |       |
    | type   | name              | label |
    | date   | day               | Day   |
    | select_one_from_file centres.csv | centre | Centre |
    | integer | children         | Children |
    | indicators |               |       |         |       |           |
    | name   | label             | aggregate | date | subject | value |
    | screened | Screened        | sum   | ${{day}}  | centres | ${{children}} |
"""
PILOT = """
    | survey |                   |       |
    | type   | name              | label |
    | date   | day               | Day   |
    | select_one_from_file centres.csv | centre | Centre |
    | select_one yes_no | pilot  | Pilot |
    | choices |       |         |
    | list_name | name | label  |
    | yes_no  | yes   | Yes     |
    | yes_no  | no    | No      |
    | indicators |               |       |         |       |           |   |   |
    | name   | label             | aggregate | date | subject | value | per_subject | keep |
    | pilots | Pilots            | distinct | ${day} | centres | if(${pilot} = 'yes', 1, 0) | latest_known | > 0 |
"""


def publish_screening(desk: Desk, expected: str) -> None:
    sheets = [workbook_of("pilot", "1", PILOT).sheets]
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, None, NOON)
        publish_form(journal, read_workbook(xlsx_of(SCREENING.format(expected=expected)), "screening.xlsx", sheets))
        journal.close()
        session.commit()


def test_of_those_whom_an_indicator_counts_alone_a_form_may_be_expected(desk: Desk) -> None:
    siby, kalassa, kenieba = centres_of(desk)
    desk.publish("pilot", "1", PILOT)
    publish_screening(desk, "pilots")
    desk.outcomes(
        an_item(11, "pilot", day="2026-02-01", centre=siby, pilot="yes"),
        an_item(12, "pilot", day="2026-02-01", centre=kalassa, pilot="yes"),
        an_item(13, "pilot", day="2026-02-01", centre=kenieba, pilot="no"),
        an_item(14, "pilot", day="2026-12-01", centre=kalassa, pilot="no"),
        an_item(15, "screening", day="2026-11-03", centre=siby, children=3),
    )

    with desk.sessions() as session:
        register = next(one for one in registers(session, desk.project_id) if one.form_id == "screening")
        reading = Reading(session, desk.project_id, resolve_as_of(session, desk.project_id, None, NOON))
        among = expected_of(reading, register, NOVEMBER[1])
        counted = silence(session, desk.project_id, register, *NOVEMBER, among)
        silent, _ = silent_entries(session, desk.project_id, register, *NOVEMBER, among=among)
        later = expected_of(reading, register, dt.date(2026, 12, 31))

    assert (counted.entries, counted.silent) == (2, 1)
    assert [one.id for one in silent] == [kalassa]
    assert later == {siby}


def test_a_form_is_expected_of_all_where_the_indicator_counts_nobody_any_more(desk: Desk) -> None:
    desk.publish("pilot", "1", PILOT)
    publish_screening(desk, "pilots")
    rows = PILOT.replace("| distinct |", "| count |").replace(
        " centres | if(${pilot} = 'yes', 1, 0) | latest_known | > 0 |", " | | | |"
    )
    desk.publish("pilot", "2", rows)
    desk.outcomes(an_item(11, "pilot", day="2026-02-01", centre=centres_of(desk)[0], pilot="yes") | {"version": "2"})

    with desk.sessions() as session:
        register = next(one for one in registers(session, desk.project_id) if one.form_id == "screening")
        reading = Reading(session, desk.project_id, resolve_as_of(session, desk.project_id, None, NOON))

        assert "pilots" in reading.definitions
        assert expected_of(reading, register, NOVEMBER[1]) is None


def test_a_form_that_is_expected_of_nobody_stands_beside_no_register(desk: Desk) -> None:
    publish_screening(desk, "none")

    with desk.sessions() as session:
        assert "screening" not in {one.form_id for one in registers(session, desk.project_id)}
