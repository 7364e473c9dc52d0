"""What was worked out is worked out once for all processes, and brought up to date by one of them at a time."""

import datetime as dt
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from server.kept import remembered
from server.kept.remembered import Recalled, Shared, forget_worked
from sync.models import Project, WorkedOut
from sync.models.database import begin_writing
from tests.support.figures import World

LATER = dt.timedelta(days=30)


@pytest.fixture
def world(session: Session, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(remembered, "KEPT_SECONDS", 0.0)
    monkeypatch.setattr(remembered, "DEAR_SECONDS", 0.0)
    return World(session)


class Asking:
    """A process of the server, which answers with how often it was asked to work."""

    def __init__(self, session: Session, answers: Iterator[int], name: str = "figures") -> None:
        self.session, self.answers, self.kept = session, answers, Shared[int](name)

    def __call__(self, *, fresh: bool = False, kind: str = "all") -> Recalled[int]:
        found = self.kept.recall(self.session, 1, [kind], lambda: next(self.answers), fresh=fresh)
        self.session.rollback()
        return found


def something_happens(session: Session) -> None:
    session.execute(update(Project).values(last_event=Project.last_event + 1))
    session.commit()


def test_what_one_process_worked_out_another_one_has(world: World) -> None:
    answers = iter(range(9))
    one, other = (Asking(world.session, answers) for _ in range(2))

    assert [one().worked, other().worked, other().worked] == [0, 0, 0]
    assert one(kind="another").worked == 1
    assert Asking(world.session, answers, name="statements")().worked == 2


def test_what_is_dear_is_told_as_it_stood_until_it_is_brought_up_to_date_for_everybody(world: World) -> None:
    answers = iter(range(9))
    one, other = (Asking(world.session, answers) for _ in range(2))
    one()
    something_happens(world.session)

    assert [(found.worked, found.behind) for found in (one(), other())] == [(0, True), (0, True)]
    assert [(found.worked, found.behind) for found in (one(fresh=True), other(), one())] == [(1, False)] * 3


def test_one_process_at_a_time_brings_it_up_to_date(world: World) -> None:
    answers = iter(range(9))
    one = Asking(world.session, answers)
    one()
    something_happens(world.session)
    began = dt.datetime.now(dt.UTC)
    world.session.execute(update(WorkedOut).values(taken_at=began))
    world.session.commit()

    busy = one(fresh=True)

    assert (busy.worked, busy.behind, busy.due) == (0, True, False)
    world.session.execute(update(WorkedOut).values(taken_at=began - LATER))
    world.session.commit()
    assert one(fresh=True).worked == 1


def test_pages_ask_again_by_themselves_only_after_ten_times_what_it_took(world: World) -> None:
    one = Asking(world.session, iter(range(9)))
    one()
    something_happens(world.session)
    now = dt.datetime.now(dt.UTC)

    def due(seconds: float, ago: float) -> bool:
        values = {"seconds": seconds, "at": now - dt.timedelta(seconds=ago)}
        world.session.execute(update(WorkedOut).values(values))
        world.session.commit()
        return Asking(world.session, iter(()))().due

    assert not due(seconds=30, ago=100)
    assert due(seconds=30, ago=400)


def test_what_is_cheap_is_worked_out_anew_and_not_written_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "KEPT_SECONDS", 60.0)
    monkeypatch.setattr(remembered, "DEAR_SECONDS", 60.0)
    one = Asking(world.session, iter(range(9)))
    one()
    something_happens(world.session)

    assert one().worked == 1
    assert world.session.query(WorkedOut).count() == 0


def test_another_version_works_out_for_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(range(9))
    Asking(world.session, answers)()
    monkeypatch.setattr(remembered, "VERSION", "another")

    assert Asking(world.session, answers)().worked == 1


def test_what_was_read_before_something_happened_is_not_taken_for_what_is_now(world: World) -> None:
    kept, answers = Shared[int]("figures"), iter(range(9))
    before = world.session.scalars(select(Project.last_event)).one()
    world.session.rollback()
    something_happens(world.session)

    def asked(event: int) -> int:
        found = kept.exactly(world.session, 1, ["all"], lambda: next(answers), event=event).worked
        world.session.rollback()
        return found

    assert [asked(before), asked(before + 1), asked(before + 1)] == [0, 1, 1]


def test_no_page_waits_for_whoever_writes(world: World) -> None:
    one = Asking(world.session, iter(range(9)))
    one()
    something_happens(world.session)
    engine = world.session.get_bind()
    assert isinstance(engine, Engine)
    with Session(engine) as writer:
        begin_writing(writer)
        writer.execute(update(Project).values(name="Busy"))
        began = time.monotonic()

        assert one(fresh=True).worked == 1
        assert time.monotonic() - began < 5
        writer.rollback()

    assert one(fresh=True).worked == 1


def test_what_nobody_has_looked_at_for_weeks_is_forgotten(world: World) -> None:
    one = Asking(world.session, iter(range(9)))
    one()
    now = dt.datetime.now(dt.UTC)

    assert forget_worked(world.session, now + LATER / 2) == 0
    world.session.execute(update(WorkedOut).values(at=now - LATER, used_at=now - LATER / 2))
    world.session.commit()
    Asking(world.session, iter(()))()
    assert forget_worked(world.session, now + LATER * 0.9) == 0, "somebody has looked at it today"
    assert forget_worked(world.session, now + 2 * LATER) == 1


def test_of_too_much_in_a_project_what_was_used_longest_ago_is_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, now = Asking(world.session, iter(range(9))), dt.datetime.now(dt.UTC)
    for kind in "abc":
        one(kind=kind)
    used = (WorkedOut.kind.contains('"b"'), now), (~WorkedOut.kind.contains('"b"'), now - dt.timedelta(days=1))
    for which, at in used:
        world.session.execute(update(WorkedOut).where(which).values(used_at=at))
    world.session.commit()
    monkeypatch.setattr(remembered, "_MOST_KEPT", 1)

    assert forget_worked(world.session, now) == 2
    assert '"b"' in world.session.scalars(select(WorkedOut.kind)).one()


def test_what_was_worked_out_as_of_an_event_is_found_until_it_is_brought_up_to_date(world: World) -> None:
    asking = Asking(world.session, iter(range(9)))
    event = asking().event

    assert asking.kept.worked_at(world.session, 1, ["all"], event) == 0
    assert asking.kept.worked_at(world.session, 1, ["all"], event + 1) is None
    assert asking.kept.worked_at(world.session, 1, ["another"], event) is None
    something_happens(world.session)
    asking(fresh=True)
    assert asking.kept.worked_at(world.session, 1, ["all"], event) is None
