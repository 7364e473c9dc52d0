"""The law of the whole house: whatever tablets send and coordinators do, in any order, nothing is left for a rebuild to
mend."""

from __future__ import annotations

import datetime as dt
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from sync.errors import Refusal
from sync.indicators.recount import verify_portion
from sync.journal import Journal, open_journal
from sync.models import Match, Submission
from sync.projects.publish import change_project
from sync.review.decide import STATES, set_review_state
from sync.review.matches import decide
from sync.review.removing import delete_submission, restore_submission
from tests.support.projects import NOON, Desk, a_desk

VISIT = """
    | survey  |           |              |                 |             |
    | type    | name      | label        | constraint      | save_to     |
    | date    | day       | Day          |                 |             |
    | csv-external | people | |                 |             |
    | text    | who       | Who          |                 |             |
    | text    | new       | New          |                 |             |
    | text    | first     | First name   |                 | first_name  |
    | text    | last      | Last name    |                 | last_name   |
    | text    | phone     | Phone        |                 | phone       |
    | text    | village   | Village      |                 | village     |
    | integer | sacks     | Sacks        | . < 9           |             |
    | entities |          |              |                 |             |
    | list_name | label   | entity_id    | create_if       | update_if   |
    | people  | concat(${first}, ' ', ${last}) | ${who} | ${new} = 'yes' | ${new} != 'yes' |
    | matching |          |              |                 |             |
    | list_name | property | role        |                 |             |
    | people  | first_name | first_name |                 |             |
    | people  | last_name | last_name   |                 |             |
    | people  | phone     | phone        |                 |             |
    | people  | village   | village      |                 |             |
    | indicators |        |              |                 |             |
    | name    | label     | aggregate    | subject         | date        | value    | by      |
    | reached | Reached   | distinct     | people           | ${day}      |          | village |
    | sacks   | Sacks     | sum          | people           | ${day}      | ${sacks} | village |
"""
WOMEN = [str(uuid.UUID(int=(0x6A << 120) + number)) for number in range(1, 4)]


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return a_desk(engine, tmp_path / "files")


@st.composite
def visits(draw: st.DrawFn) -> dict[str, Any]:
    """A visit to one of three women, new or a correction of another one, under one of few ids."""
    number = draw(st.integers(1, 8))
    answers = {
        "day": draw(st.sampled_from(["2026-10-01", "2026-11-01", ""])),
        "who": draw(st.sampled_from(WOMEN)),
        "new": draw(st.sampled_from(["yes", "yes", "no", ""])),
        "first": draw(st.sampled_from(["Awa", "Awa", "Hawa", "Fanta", ""])),
        "last": draw(st.sampled_from(["Diarra", "Diarra", "Jara", ""])),
        "phone": draw(st.sampled_from(["76 00 00 01", "76 00 00 02", ""])),
        "village": draw(st.sampled_from(["Siby", "Kati"])),
        "sacks": draw(st.sampled_from(["1", "4", "12"])),
    }
    visit = {
        "instance_id": f"uuid:{uuid.UUID(int=number)}",
        "form": "visit",
        "version": "1",
        "recorded_at": (NOON - dt.timedelta(hours=draw(st.integers(1, 30)))).isoformat(),
        "answers": {name: value for name, value in answers.items() if value},
    }
    if draw(st.booleans()):
        visit["edits"] = f"uuid:{uuid.UUID(int=draw(st.integers(1, 8)))}"
    return visit


DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.lists(visits(), min_size=1, max_size=4)),
        st.tuples(st.just("send"), st.lists(visits(), min_size=1, max_size=4)),
        st.tuples(st.just("review"), st.integers(0, 9), st.sampled_from(STATES)),
        st.tuples(st.just("delete"), st.integers(0, 9)),
        st.tuples(st.just("restore"), st.integers(0, 9)),
        st.tuples(st.just("pair"), st.integers(0, 2), st.sampled_from(["same", "different", "open"])),
        st.tuples(st.just("zone"), st.sampled_from(["Africa/Bamako", "Asia/Tokyo", "Pacific/Apia"])),
        st.tuples(st.just("define"), st.sampled_from(["${day}", "'2026-10-05'", "''"])),
    ),
    min_size=2,
    max_size=9,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(deeds=DEEDS)
def test_whatever_is_done_leaves_nothing_for_a_rebuild_to_mend(desk: Desk, deeds: list[Any]) -> None:
    project = desk.another()
    project.publish("visit", "1", VISIT)
    for number, (deed, *rest) in enumerate(deeds, 2):
        if deed == "send":
            project.send(rest[0])
        elif deed == "define":
            project.publish("visit", str(number), VISIT.replace("| ${day}      |", f"| {rest[0]} |"))
        elif deed == "zone":
            change(project, time_zone=rest[0])
        else:
            act(project, deed, *rest)

    with project.sessions() as session:
        verified = verify_portion(session, project.project_id, 0)
    rebuilt = project.rebuild()

    assert rebuilt == []
    assert list(verified.differences) == []


def change(project: Desk, **setting: str) -> None:
    with project.sessions() as session:
        journal = open_journal(session, project.project_id, None, NOON)
        change_project(journal, setting)
        journal.close()
        session.commit()


def act(project: Desk, deed: str, position: int, to: Any = None) -> None:
    """Do it to the submission, or the pair, at this position, if there is one and it can be done."""
    with project.sessions() as session:
        journal = open_journal(session, project.project_id, 9, NOON)
        try:
            if deed == "pair":
                pairs = session.scalars(select(Match).where(Match.project_id == project.project_id)).all()
                if pairs:
                    pair = pairs[position % len(pairs)]
                    decide(journal, pair.id, to, pair.event)
            else:
                to_submission(journal, deed, position, to)
        except Refusal:
            return
        journal.close()
        session.commit()


def to_submission(journal: Journal, deed: str, position: int, to: str | None) -> None:
    known = journal.session.scalars(
        select(Submission.id).where(Submission.project_id == journal.project_id).order_by(Submission.id)
    ).all()
    if not known:
        return
    chosen = known[position % len(known)]
    if deed == "review":
        set_review_state(journal, chosen, to)
    elif deed == "delete":
        delete_submission(journal, chosen)
    else:
        restore_submission(journal, chosen)
