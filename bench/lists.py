"""What an entity list costs a device that gets a few of its rows: by those rows, and next to nothing when unchanged."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from bench.figures import opened
from bench.report import Line, middle
from sync.entities.delivery import csv_for, state_for
from sync.models import Actor, Base, Entity, EntityList, Place, Project
from sync.models.database import begin_writing, insert_rows

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
ROWS_OF_DEVICE = 300
VILLAGES = 3
GROWS_AT_MOST = 1.5  # times, from the smallest list to the largest
UNCHANGED = 5.0  # most milliseconds of a refresh
LISTS_OF_REFRESH = 20
_PROPERTIES = ["village_code", "phone", "sex", "born", "household", "group"]
_DEVICE = 7


def measure_lists(kind: str, sizes: Sequence[int], runs: int) -> list[Line]:
    """The processor time of the process that serves, for one device, at each size of the list."""
    lines: list[Line] = []
    whole: list[float] = []
    for size in sizes:
        with opened(kind) as engine:
            Base.metadata.create_all(engine)
            fill(engine, size)
            costs = _cost(engine, runs)
            whole.append(costs["file"])
            lines += [
                Line(f"the file for {ROWS_OF_DEVICE} of {size:,} rows", costs["file"], "ms CPU"),
                Line(f"its hash when another row of {size:,} changed", costs["changed"], "ms CPU"),
                Line(
                    f"{LISTS_OF_REFRESH} hashes when nothing changed, of {size:,} rows",
                    costs["same"],
                    "ms CPU",
                    UNCHANGED,
                ),
            ]
    lines.append(Line("the largest list beside the smallest", whole[-1] / whole[0], "times", GROWS_AT_MOST))
    return lines


def fill(engine: Engine, size: int) -> None:
    """A project with one list, spread over villages so that those of the device hold its rows."""
    villages = max(VILLAGES, size * VILLAGES // ROWS_OF_DEVICE)
    with Session(engine) as session:
        begin_writing(session)
        session.add(Project(id=1, name="Siby", created_at=NOW, last_event=2))
        codes = [f"V-{number}" for number in range(villages)]
        session.add(
            Actor(
                id=_DEVICE,
                kind="device",
                name="x",
                project_id=1,
                places=codes[:VILLAGES],
                properties={},
                created_at=NOW,
            )
        )
        session.flush()
        session.add(EntityList(project_id=1, name="people", properties=_PROPERTIES, created_at=NOW, event=1))
        session.add_all(
            Place(project_id=1, code=code, opened=1, name=code, level="village", aliases=[]) for code in codes
        )
        session.flush()
        rows = [_row(number, codes[number % villages]) for number in range(size)]
        insert_rows(session.connection(), Entity.__table__, rows)  # type: ignore[arg-type]
        session.commit()


def _row(number: int, village: str) -> dict[str, Any]:
    data = {
        "village_code": village,
        "phone": f"7{number:07d}",
        "sex": "female",
        "born": "1988",
        "household": str(number % 9),
    }
    return {
        "project_id": 1,
        "list_name": "people",
        "id": str(uuid.UUID(int=number + 1, version=4)),
        "label": f"Awa Traoré {number}",
        "data": data,
        "version": 1,
        "withdrawn": False,
        "place": village,
        "creator_id": _DEVICE + 1,
        "event": 1,
        "created_at": NOW,
    }


def _cost(engine: Engine, runs: int) -> dict[str, float]:
    event = 2

    def file(session: Session, device: Actor) -> None:
        assert csv_for(session, 1, "people", device).count(b"\n") == ROWS_OF_DEVICE + 1

    def same(session: Session, device: Actor) -> None:
        for _ in range(LISTS_OF_REFRESH):
            state_for(session, 1, "people", device)

    def changed(session: Session, device: Actor) -> None:
        state_for(session, 1, "people", device)

    def elsewhere() -> None:
        nonlocal event
        event += 1
        with Session(engine) as session:
            begin_writing(session)
            last = str(uuid.UUID(int=VILLAGES + 1, version=4))
            session.execute(update(Entity).where(Entity.project_id == 1, Entity.id == last).values(event=event))
            session.execute(update(Project).where(Project.id == 1).values(last_event=event))
            session.commit()

    return {
        "file": _timed(engine, file, runs),
        "same": _timed(engine, same, runs),
        "changed": _timed(engine, changed, runs, elsewhere),
    }


def _timed(
    engine: Engine, work: Callable[[Session, Actor], None], runs: int, before: Callable[[], None] | None = None
) -> float:
    """Milliseconds of the process, the median of many; each in a session of its own, as a request has one."""
    costs = []
    for _ in range(20 * runs):
        if before is not None:
            before()
        with Session(engine) as session:
            began = time.process_time()
            work(session, session.get_one(Actor, _DEVICE))
            costs.append((time.process_time() - began) * 1000)
    return middle(costs)
