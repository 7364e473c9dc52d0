"""Deciding on submissions: what counts follows at once, and the coordinator sees everything that hangs on one."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Engine, select

from forms.programmes.places import Place
from sync.errors import NotFound, Stale, Unexpected
from sync.journal import Journal, open_journal
from sync.models import Contribution, Entity, Event
from sync.projects.lifecycle import delete_form
from sync.projects.places import put_places
from sync.review.counting import counts
from sync.review.decide import add_comment, set_review_state
from sync.review.one_person import visits_of
from sync.review.paging import Page
from sync.review.queue import Sought, Waiting, count_sought, flags_sought, review_queue
from sync.review.removing import delete_submission
from sync.review.view import SubmissionSeen, find_submission, raw_instance, submission_view
from tests.support.projects import NOON, Desk, a_desk, a_sale, instance_id

COORDINATOR = 9
LATER = NOON + dt.timedelta(hours=1)
FULL = {"price": 900, "remark": "dry"}

Result = TypeVar("Result")


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return a_desk(engine, tmp_path / "files")


@pytest.mark.parametrize(
    ("rule", "state", "double_of", "deleted_at", "expected"),
    [
        ("received", None, None, None, True),
        ("received", "edited", None, None, True),
        ("received", "hasIssues", None, None, True),
        ("received", "approved", None, None, True),
        ("received", "rejected", None, None, False),
        ("received", None, 1, None, False),
        ("received", "approved", None, NOON, False),
        ("approved", None, None, None, False),
        ("approved", "edited", None, None, False),
        ("approved", "approved", None, None, True),
        ("approved", "approved", 1, None, False),
    ],
)
def test_what_counts(
    rule: str, state: str | None, double_of: int | None, deleted_at: dt.datetime | None, expected: bool
) -> None:
    assert counts(rule, state, double_of, deleted_at) is expected


def test_a_rejected_visit_leaves_the_figures_and_its_person_the_list(desk: Desk) -> None:
    desk.send([a_sale(1)])

    decide(desk, 1, "rejected")

    assert open_contributions(desk) == []
    assert [entity.withdrawn for entity in entities(desk)] == [True]
    assert [submission.counts for submission in desk.submissions()] == [False]


def test_taking_a_rejection_back_restores_everything(desk: Desk) -> None:
    desk.send([a_sale(1)])
    before = open_contributions(desk)

    decide(desk, 1, "rejected")
    decide(desk, 1, None)

    assert open_contributions(desk) == before
    assert [entity.withdrawn for entity in entities(desk)] == [False]
    assert [submission.review_state for submission in desk.submissions()] == [None]


def test_of_a_visit_saved_twice_the_second_counts_when_the_first_is_rejected(desk: Desk) -> None:
    first = a_sale(1, seller="Awa", **FULL)
    desk.send([first, {**a_sale(2, seller="Awa", **FULL), "recorded_at": first["recorded_at"]}])
    before = contributing(desk)

    decide(desk, 1, "rejected")

    assert before == {instance_id(1)}
    assert contributing(desk) == {instance_id(2)}


def test_where_approved_ones_count_approval_opens_the_contributions(engine: Engine, tmp_path: Path) -> None:
    desk = a_desk(engine, tmp_path / "files", counts="approved")
    desk.send([a_sale(1)])
    before = open_contributions(desk)

    decide(desk, 1, "approved")
    approved = open_contributions(desk)
    decide(desk, 1, "hasIssues")

    assert before == []
    assert len(approved) == 2
    assert open_contributions(desk) == []


@pytest.mark.parametrize(
    ("states", "kinds"),
    [
        (["rejected"], ["rejected"]),
        (["rejected", None], ["rejected", "restored"]),
        (["rejected", "approved"], ["rejected", "restored"]),
        (["approved", "hasIssues", None], ["reviewed", "reviewed", "reviewed"]),
        (["approved", "approved"], ["reviewed"]),
    ],
)
def test_every_decision_is_an_event_and_a_repeated_one_is_none(
    desk: Desk, states: list[str | None], kinds: list[str]
) -> None:
    desk.send([a_sale(1)])

    for state in states:
        decide(desk, 1, state)

    with desk.sessions() as session:
        events = session.execute(select(Event.kind, Event.actor_id).where(Event.actor_id == COORDINATOR)).all()
    assert [event.kind for event in events] == kinds


def test_who_has_not_seen_the_latest_change_decides_nothing(desk: Desk) -> None:
    desk.send([a_sale(1)])
    seen = view(desk, 1).event
    desk.send([a_sale(2, edits=1, sacks=9)])

    with pytest.raises(Stale):
        decide(desk, 1, "approved", seen=seen)

    decide(desk, 1, "approved", seen=view(desk, 1).event)
    assert view(desk, 1).review_state == "approved"


def test_a_state_that_there_is_not_is_refused(desk: Desk) -> None:
    desk.send([a_sale(1)])

    with pytest.raises(Unexpected):
        decide(desk, 1, "perfect")


def test_an_edit_of_a_rejected_visit_counts_again(desk: Desk) -> None:
    desk.send([a_sale(1)])
    decide(desk, 1, "rejected")

    desk.send([a_sale(2, edits=1, sacks=9)])

    assert view(desk, 1).review_state == "edited"
    assert contributing(desk) == {instance_id(1)}


def test_a_submission_is_found_by_any_of_its_instances_and_named_by_the_first(desk: Desk) -> None:
    desk.send([a_sale(1), a_sale(2, edits=1, sacks=9)])

    with desk.sessions() as session:
        found = [find_submission(session, desk.project_id, "sale", instance_id(number)) for number in (1, 2)]
        with pytest.raises(NotFound):
            find_submission(session, desk.project_id, "sale", "uuid:unknown")
        with pytest.raises(NotFound):
            find_submission(session, desk.project_id + 1, "sale", instance_id(1))

    assert found[0] == found[1]
    assert (found[0].instance_id, found[0].current_instance_id) == (instance_id(1), instance_id(2))


def test_a_submission_is_seen_with_its_versions_flags_comments_files_and_entities(desk: Desk) -> None:
    photo = {"name": "1.jpg", "sha256": "ab" * 32, "size": 3, "type": "image/jpeg"}
    desk.send([{**a_sale(1, photo="1.jpg"), "attachments": [photo]}, a_sale(2, edits=1, sacks=-3)])
    with_journal(desk, lambda journal: add_comment(journal, view(desk, 1).id, "  Sacks below zero?  "))

    seen = view(desk, 1)

    assert [(version.instance_id, version.number, version.parent) for version in seen.versions] == [
        (instance_id(1), 1, None),
        (instance_id(2), 2, instance_id(1)),
    ]
    assert [(flag.code, flag.place) for flag in seen.flags] == [("constraint", "/data/sacks")]
    assert [(comment.body, comment.actor_id) for comment in seen.comments] == [("Sacks below zero?", COORDINATOR)]
    assert [(file.name, file.present) for file in seen.attachments] == [("1.jpg", False)]
    assert [(step.list_name, step.state) for step in seen.entities if step.state == "applied"] == [
        ("people", "applied")
    ]


def test_contributions_are_seen_with_the_events_that_opened_and_closed_them(desk: Desk) -> None:
    desk.send([a_sale(1, sacks=4)])
    decide(desk, 1, "rejected")

    sacks = next(row for row in view(desk, 1).contributions if row.indicator == "sacks")

    assert (sacks.value, sacks.by) == (Decimal(4), {"village": ("Siby",)})
    assert sacks.opened.cause == "submitted"
    assert sacks.closed is not None
    assert (sacks.closed.cause, sacks.closed.actor_id) == ("rejected", COORDINATOR)


def test_the_raw_instance_is_given_back(desk: Desk) -> None:
    desk.send([a_sale(1, remark="sec & propre")])

    with desk.sessions() as session:
        raw = raw_instance(session, desk.project_id, "sale", instance_id(1))

    assert b"sec &amp; propre" in raw


def test_a_comment_may_hold_what_no_column_can(desk: Desk) -> None:
    desk.send([a_sale(1)])

    with_journal(desk, lambda journal: add_comment(journal, view(desk, 1).id, "half \ud83d and \x00"))

    assert [comment.body for comment in view(desk, 1).comments] == ["half \\ud83d and \\u0000"]


@pytest.mark.parametrize("body", ["", "  ", "x" * 10_001])
def test_a_comment_says_something_and_has_an_end(desk: Desk, body: str) -> None:
    desk.send([a_sale(1)])

    with pytest.raises(Unexpected):
        with_journal(desk, lambda journal: add_comment(journal, view(desk, 1).id, body))


def test_the_queue_is_paged_newest_first_and_gives_each_once_while_others_arrive(desk: Desk) -> None:
    desk.send([a_sale(number) for number in range(1, 6)])

    first = queue(desk, limit=2)
    desk.send([a_sale(6)])
    second = queue(desk, cursor=first.cursor, limit=2)
    third = queue(desk, cursor=second.cursor, limit=2)

    assert [[item.instance_id for item in page.items] for page in (first, second, third)] == [
        [instance_id(5), instance_id(4)],
        [instance_id(3), instance_id(2)],
        [instance_id(1)],
    ]
    assert third.cursor is None


def test_what_arrived_in_a_time_is_paged_as_it_arrived_in_whatever_order_it_was_filed(desk: Desk) -> None:
    for number, hours in ((1, 5), (2, 1), (3, 3), (4, 3), (5, 0), (6, 7)):
        desk.send([a_sale(number)], now=NOON + dt.timedelta(hours=hours))
    sought = Sought(state="undecided", since=LATER, until=NOON + dt.timedelta(hours=6))

    first = queue(desk, sought, limit=2)
    second = queue(desk, sought, first.cursor, limit=2)
    of_one_erased = queue(desk, sought, cursor=str(first.items[0].id * 1000))

    assert [[item.instance_id for item in page.items] for page in (first, second)] == [
        [instance_id(1), instance_id(4)],
        [instance_id(3), instance_id(2)],
    ]
    assert second.cursor is None
    assert len(of_one_erased.items) == 4


PLACED = """
    | survey  |           |           |               |
    | type    | name      | label     | constraint    |
    | text    | place     | Place     | . != 'ML-2-1' |
    | indicators |        |           |               |
    | name    | label     | aggregate |               |
    | visits  | Visits    | count     |               |
"""


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        (Sought(), [1, 2, 3, 4]),
        (Sought(state="received"), [2, 4]),
        (Sought(state="approved"), [1]),
        (Sought(state="hasIssues"), [3]),
        (Sought(state="edited"), []),
        (Sought(state="flagged"), [4]),
        (Sought(state="received", flagged=True), [4]),
        (Sought(state="undecided", since=NOON), [2, 4]),
        (Sought(state="undecided", until=LATER, flagged=True), [4]),
        (Sought(state="undecided", since=LATER), []),
        (Sought(form_id="sale"), [1, 2, 3, 4]),
        (Sought(form_id="visit"), []),
        (Sought(collector=7), [1, 2, 3, 4]),
        (Sought(collector=8), []),
        (Sought(place="nowhere"), []),
    ],
)
@pytest.mark.parametrize("few", [1, 10_000])
def test_the_queue_is_filtered_and_counted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, sought: Sought, found: list[int], few: int
) -> None:
    monkeypatch.setattr("sync.review.queue._MOST_GONE", few)
    desk.publish("thrown_away", "1", PLACED)
    desk.send([a_sale(1), a_sale(2), a_sale(3), a_sale(4, sacks=-1), a_sale(5, sacks=-1), a_sale(6)])
    desk.send([{**a_sale(7, form="thrown_away"), "answers": {"place": "ML"}}])
    decide(desk, 1, "approved")
    decide(desk, 3, "hasIssues")
    decide(desk, 6, "approved")
    for number in (5, 6):
        submission_id = view(desk, number).id
        with_journal(desk, partial(delete_submission, submission_id=submission_id))
    with_journal(desk, lambda journal: delete_form(journal, "thrown_away"))

    with desk.sessions() as session:
        counted = [count_sought(session, desk.project_id, sought, most) for most in (None, 1000, 2)]
        of_flag, more = flags_sought(session, desk.project_id, sought)

    assert [item.instance_id for item in queue(desk, sought).items] == [instance_id(n) for n in reversed(found)]
    assert counted == [len(found), len(found), min(len(found), 2)]
    assert (of_flag.get("constraint", 0), more) == (found.count(4), False)


@pytest.mark.parametrize("few", [1, 1000])
def test_a_place_includes_everything_below_it(desk: Desk, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr("sync.review.queue._FEW_IN_PLACE", few)
    places = [
        Place("ML-2", "Koulikoro", "region", None, None, None, ()),
        Place("ML-2-1", "Kati", "cercle", "ML-2", None, None, ()),
        Place("ML-3", "Sikasso", "region", None, None, None, ()),
    ]
    with_journal(desk, lambda journal: put_places(journal, places, journal.record("places")))
    desk.publish("visit", "1", PLACED)
    for number, code in ((1, "ML-2-1"), (2, "ML-2"), (3, "ML-3")):
        item: dict[str, Any] = {**a_sale(number, form="visit"), "answers": {"place": code}}
        desk.send([item])

    found = [item.place for item in queue(desk, Sought(place="ML-2")).items]
    with desk.sessions() as session:
        flagged = [flags_sought(session, desk.project_id, Sought(place=place))[0] for place in ("ML-2", "ML-3", "x")]

    assert found == ["ML-2", "ML-2-1"]
    assert [of_flag.get("constraint", 0) for of_flag in flagged] == [1, 0, 0]


@pytest.mark.parametrize("cursor", ["x", "-1", "9" * 30, "1.5"])
def test_what_was_never_a_cursor_is_refused(desk: Desk, cursor: str) -> None:
    with pytest.raises(Unexpected):
        queue(desk, cursor=cursor)


def test_an_unknown_state_of_the_queue_is_refused(desk: Desk) -> None:
    with pytest.raises(Unexpected):
        queue(desk, Sought(state="unheard"))


def with_journal(desk: Desk, act: Callable[[Journal], Result]) -> Result:
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, COORDINATOR, LATER)
        result = act(journal)
        journal.close()
        session.commit()
    return result


def decide(desk: Desk, number: int, state: str | None, seen: int | None = None) -> int | None:
    submission_id = view(desk, number).id
    return with_journal(desk, lambda journal: set_review_state(journal, submission_id, state, seen))


def view(desk: Desk, number: int) -> SubmissionSeen:
    with desk.sessions() as session:
        return submission_view(session, desk.project_id, "sale", instance_id(number))


def queue(desk: Desk, sought: Sought | None = None, cursor: str | None = None, limit: int = 50) -> Page[Waiting]:
    with desk.sessions() as session:
        return review_queue(session, desk.project_id, sought or Sought(), cursor, limit)


def open_contributions(desk: Desk) -> list[tuple[Any, ...]]:
    with desk.sessions() as session:
        rows = session.scalars(
            select(Contribution).where(Contribution.closed.is_(None)).order_by(Contribution.indicator_id)
        )
        return [(row.submission_id, row.indicator_id, row.value, row.day, row.by1) for row in rows]


def contributing(desk: Desk) -> set[str]:
    names = {submission.id: submission.instance_id for submission in desk.submissions()}
    return {names[row[0]] for row in open_contributions(desk)}


def entities(desk: Desk) -> list[Entity]:
    with desk.sessions() as session:
        return list(session.scalars(select(Entity)))


TRAINING = """
    | survey  |           |           |
    | type    | name      | label     |
    | text    | who       | Who       |
    | indicators |        |           |
    | name    | label     | aggregate | subject |
    | trained | Trained   | distinct  | ${who} |
"""


def test_whoever_was_chosen_in_a_visit_is_named_by_it(desk: Desk) -> None:
    desk.publish("training", "1", TRAINING)
    desk.send([a_sale(1), a_sale(2)])
    with desk.sessions() as session:
        seller, other = session.scalars(select(Entity.id).order_by(Entity.created_at, Entity.label))
    desk.send([{**a_sale(3, form="training"), "answers": {"who": seller}}])

    with desk.sessions() as session:
        visits, count = visits_of(session, desk.project_id, "people", [seller])
        of_other, _ = visits_of(session, desk.project_id, "people", [other])

    assert {visit.instance_id for visit in visits} == {instance_id(1), instance_id(3)}
    assert count == 2
    assert [visit.instance_id for visit in of_other] == [instance_id(2)]
