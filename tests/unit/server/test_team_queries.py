"""What the pages of a team and its devices are read from: parts that follow on each other and lose nothing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy.orm import Session

from server.queries import team
from server.queries.team import acts_of, devices_page, how_many_devices, names_of, rows_given
from sync.accounts.audit import Origin, record_act
from sync.accounts.people import add_device
from sync.models import EntityAssignment, EntityList
from sync.projects.publish import create_project
from tests.support.projects import NOON

DAY = dt.timedelta(days=1)


@pytest.fixture
def pid(session: Session) -> int:
    """A project in whose trail ten acts of two people follow, one a day."""
    journal = create_project(session, {"name": "Siby", "time_zone": "Africa/Bamako"}, None, NOON - DAY * 30)
    journal.close()
    for day in range(10):
        action = "role.given" if day % 5 == 0 else "data.exported"
        record_act(session, journal.project_id, Origin(7 if day % 2 else 8), action, NOON + DAY * day, str(day))
    session.commit()
    return journal.project_id


def test_the_parts_of_the_trail_follow_on_each_other_from_the_newest_to_the_oldest(session: Session, pid: int) -> None:
    seen, below = [], None
    while True:
        part = acts_of(session, pid, below=below, limit=3)
        seen += [act.subject for act in part.rows]
        if (below := part.below) is None:
            break

    assert seen[:10] == [str(day) for day in reversed(range(10))]
    assert len(seen) == len(set(seen))


def test_the_trail_is_searched_by_person_by_act_and_up_to_a_moment(session: Session, pid: int) -> None:
    assert [act.subject for act in acts_of(session, pid, actor_id=7).rows] == ["9", "7", "5", "3", "1"]
    assert [act.subject for act in acts_of(session, pid, action="role.given").rows] == ["5", "0"]
    until = acts_of(session, pid, until=NOON + DAY * 3, actor_id=8)
    assert [act.subject for act in until.rows] == ["2", "0"]
    assert acts_of(session, pid, until=NOON - DAY * 60).rows == []


def test_what_is_rare_is_found_in_a_later_stretch(session: Session, pid: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(team, "_LOOKED_THROUGH", 4)

    first = acts_of(session, pid, action="role.given")
    second = acts_of(session, pid, action="role.given", below=first.below)
    third = acts_of(session, pid, action="role.given", below=second.below)

    found = [act.subject for part in (first, second, third) for act in part.rows]
    assert found == ["5", "0"]


def test_the_acts_are_counted_as_far_as_one_page_looks(
    session: Session, pid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(**asked: Any) -> tuple[int, bool]:
        found = acts_of(session, pid, limit=2, **asked)
        return found.count, found.or_more

    whole, of_one, further = told(action="data.exported"), told(actor_id=8), told(actor_id=8, below=5)
    monkeypatch.setattr(team, "_LOOKED_THROUGH", 4)

    assert (whole, of_one, further) == ((8, False), (5, False), (5, False))
    assert told(action="data.exported") == (4, True)


def test_the_parts_of_the_devices_follow_on_each_other_by_name(session: Session, pid: int) -> None:
    names = ["Tab 2", "Tab 10", "aminata", "Éva", "Zan", "Ŋɔ", "100%"]
    for name in names:
        add_device(session, pid, name, NOON)
    session.commit()

    seen: list[str] = []
    after = None
    while part := devices_page(session, pid, after, 2):
        seen += [device.name for device in part]
        after = (part[-1].name, part[-1].id)

    assert sorted(seen) == sorted(names)
    assert how_many_devices(session, pid) == 7
    assert set(names_of(session, [device.id for device in devices_page(session, pid, None, 50)]).values()) == set(names)


def test_rows_given_by_hand_are_counted_list_by_list_for_one_device(session: Session, pid: int) -> None:
    one, other = (add_device(session, pid, name, NOON)[0].id for name in ("Tab 1", "Tab 2"))
    session.add_all(
        EntityList(project_id=pid, name=name, properties=[], created_at=NOON)
        for name in ("people", "plots", "villages")
    )
    given = [("people", "a", one), ("people", "b", one), ("plots", "c", one), ("plots", "c", other)]
    session.add_all(
        EntityAssignment(project_id=pid, list_name=name, entity_id=row, actor_id=actor, event=1)
        for name, row, actor in given
    )
    session.flush()

    assert rows_given(session, pid, one) == {"people": 2, "plots": 1}
    assert rows_given(session, pid, other) == {"plots": 1}
