"""What readers are told as the cause of a change, whatever the journal calls it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from sync.indicators.causes import CAUSES, cause_of
from sync.indicators.changes import changes
from sync.indicators.evidence import evidence
from sync.indicators.moments import resolve_as_of
from sync.indicators.reading import Reading
from sync.journal import Journal, open_journal
from sync.review.bulk import review_many, undo_review
from sync.review.decide import set_review_state
from sync.review.view import submission_view
from tests.support.projects import NOON, Desk, a_desk, a_sale, instance_id


@pytest.mark.parametrize(
    ("kind", "details", "cause"),
    [
        *((cause, None, cause) for cause in CAUSES),
        ("reviewed", {"from": None, "to": "approved"}, "restored"),
        ("reviewed", {"from": "approved", "to": "hasIssues"}, "rejected"),
        ("reviewed", {"from": "approved", "to": None}, "rejected"),
        ("deleted", None, "rejected"),
        ("merged", {"decision": "same"}, "merged"),
        ("merged", {"decision": "open", "from": "different"}, "rejoined"),
        ("unmerged", {"decision": "open", "from": "same"}, "parted"),
        ("published", {"form": "visit"}, "definition"),
        ("settings", {"counts": "approved"}, "definition"),
        ("places", None, "definition"),
        ("rebuilt", None, "definition"),
    ],
)
def test_each_kind_of_event_is_told_as_one_cause_of_the_list(kind: str, details: Any, cause: str) -> None:
    assert cause_of(kind, details) == cause
    assert cause in CAUSES


def test_where_approved_ones_count_approval_restores_and_its_end_rejects(engine: Engine, tmp_path: Path) -> None:
    desk = a_desk(engine, tmp_path / "files", counts="approved")
    desk.send([a_sale(1, sacks=4), a_sale(2, sacks=5)])
    sent = now(desk)
    decide(desk, 1, "approved")
    decide(desk, 2, "approved")
    approved = now(desk)
    decide(desk, 2, "hasIssues")

    assert effects(desk, sent, approved) == {"restored": (2, 9)}
    assert effects(desk, approved, now(desk)) == {"rejected": (1, -5)}
    assert behind(desk) == ["restored"]
    assert seen(desk, 2) == [("restored", "rejected")]


def test_each_approval_and_the_correction_between_them_is_told_with_what_it_did(engine: Engine, tmp_path: Path) -> None:
    desk = a_desk(engine, tmp_path / "files", counts="approved")
    desk.send([a_sale(1, sacks=4)])
    sent = now(desk)
    decide(desk, 1, "approved")
    desk.send([a_sale(2, edits=1, sacks=6)])
    decide(desk, 1, "approved")

    assert since(desk, sent) == [4, -4, 6]
    assert effects(desk, sent, now(desk)) == {"edited": (1, -4), "restored": (1, 10)}


def test_a_second_copy_is_out_by_the_visit_of_which_it_is_one_whatever_came_after_it(
    engine: Engine, tmp_path: Path
) -> None:
    desk = a_desk(engine, tmp_path / "files")
    late = a_sale(1, price=7)
    early = late | {"instance_id": instance_id(2), "recorded_at": "2026-10-22T00:01:00+00:00"}
    desk.send([late | {"recorded_at": "2026-10-22T08:00:00+00:00"}])
    desk.send([early, a_sale(3)])

    assert {row.closed.event for row in parts(desk, 1) if row.closed} == {row.opened.event for row in parts(desk, 2)}


def test_a_second_copy_counts_again_by_the_correction_of_its_original(engine: Engine, tmp_path: Path) -> None:
    desk = a_desk(engine, tmp_path / "files")
    desk.send([*saved_again(1, hours=(1, 2)), a_sale(9)])
    sent = now(desk)

    desk.send([a_sale(11, edits=1, sacks=100), a_sale(19, edits=9, sacks=5)])

    assert since(desk, sent) == [100, 1]
    assert seen(desk, 2) == [("edited", None)]


def test_a_second_copy_counts_again_by_the_rejection_of_its_original_among_many(engine: Engine, tmp_path: Path) -> None:
    desk = a_desk(engine, tmp_path / "files")
    desk.send([*saved_again(1, hours=(1, 2)), a_sale(9, sacks=5)])
    sent = now(desk)

    bulk = change(desk, lambda journal: review_many(journal, ids_of(desk, 1, 9), "rejected")).bulk
    rejected = now(desk)
    change(desk, lambda journal: undo_review(journal, bulk))

    assert since(desk, sent, rejected) == [0, -5]
    assert since(desk, rejected) == [0, 5]
    assert seen(desk, 2) == [("rejected", "restored")]


def test_a_second_copy_of_one_that_becomes_one_counts_again_by_the_same_visit(engine: Engine, tmp_path: Path) -> None:
    desk = a_desk(engine, tmp_path / "files")
    first, second, third = saved_again(1, hours=(1, 20, 30))
    desk.send([second, third])

    desk.send([first, a_sale(9)])

    [brought], [out], [again] = (
        [row for row in parts(desk, number) if row.indicator == "sacks"] for number in (1, 2, 3)
    )
    assert out.closed is not None
    assert out.closed.event == again.opened.event == brought.opened.event


def saved_again(number: int, hours: Sequence[int]) -> list[dict[str, Any]]:
    """One visit, saved at these hours."""
    at = [f"2026-10-{21 + hour // 24}T{hour % 24:02}:00:00+00:00" for hour in hours]
    same = a_sale(number, price=7)
    return [same | {"instance_id": instance_id(number + count), "recorded_at": when} for count, when in enumerate(at)]


def since(desk: Desk, first: int, last: int | None = None) -> list[Any]:
    """What each event did to the sacks."""
    with desk.sessions() as session:
        before, after = (
            Reading(session, desk.project_id, resolve_as_of(session, desk.project_id, str(event), NOON))
            for event in (first, last or now(desk))
        )
        return [event["effect"] for event in changes(before, after, "sacks", sees_small_cells=True).to_json()["events"]]


def ids_of(desk: Desk, *numbers: int) -> list[int]:
    ids = {one.instance_id: one.id for one in desk.submissions()}
    return [ids[instance_id(number)] for number in numbers]


def change(desk: Desk, act: Callable[[Journal], Any]) -> Any:
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, None, NOON)
        found = act(journal)
        journal.close()
        session.commit()
    return found


def decide(desk: Desk, number: int, state: str) -> None:
    change(desk, lambda journal: set_review_state(journal, *ids_of(desk, number), state))


def now(desk: Desk) -> int:
    with desk.sessions() as session:
        return resolve_as_of(session, desk.project_id, None, NOON).event


def effects(desk: Desk, since: int, until: int) -> dict[str, tuple[int, Any]]:
    with desk.sessions() as session:
        before, after = (
            Reading(session, desk.project_id, resolve_as_of(session, desk.project_id, str(event), NOON))
            for event in (since, until)
        )
        told = changes(before, after, "sacks", sees_small_cells=True).to_json()
    causes = {cause["cause"]: (cause["contributions"], cause["effect"]) for cause in told["causes"]}
    assert {event["cause"] for event in told["events"]} == causes.keys()
    return causes


def behind(desk: Desk) -> list[str]:
    """The causes of the evidence."""
    with desk.sessions() as session:
        reading = Reading(session, desk.project_id, resolve_as_of(session, desk.project_id, None, NOON))
        return [row["opened"]["cause"] for row in evidence(reading, "sacks", sees_small_cells=True).rows]


def seen(desk: Desk, number: int) -> list[tuple[str, str | None]]:
    """The causes by which a submission's sacks came into the figures and went."""
    rows = parts(desk, number)
    return [(row.opened.cause, row.closed.cause if row.closed else None) for row in rows if row.indicator == "sacks"]


def parts(desk: Desk, number: int) -> Sequence[Any]:
    """What a submission ever counted for."""
    with desk.sessions() as session:
        return submission_view(session, desk.project_id, "sale", instance_id(number)).contributions
