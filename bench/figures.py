"""How long figures take at 10,000, 100,000 and a million contributions."""

from __future__ import annotations

import datetime as dt
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from bench.report import Line, middle, p95, shown
from forms.indicators.sheets import Indicator, Keep, Sheets
from server.serve import spare_what_is_loaded
from sync.indicators import days
from sync.indicators.definitions import indicator_ids, publish_indicators
from sync.indicators.figures import figures
from sync.indicators.moments import resolve_as_of
from sync.indicators.reading import Reading
from sync.journal import open_journal
from sync.models import Base, Contribution, Place, Project
from sync.models.database import insert_rows, open_engine
from tests.support.databases import Run, new_name
from tests.support.figures import a_form

RUNS = 60
LEAST_RUNS = 20
SECONDS = 20  # what takes longer than this is not measured more often than that
ONE_FIGURE = {"sqlite": 50.0, "postgresql": 20.0}  # most milliseconds for one, at a million contributions
STATEMENT = 300.0  # for thirty, at a hundred thousand
NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
_FIRST_DAY = dt.date(2024, 12, 1)
_DAYS = 730
_PLACES = 800
_AT_ONCE = 20_000
_QUARTER = "2026-Q2"
_TWICE = Keep(">=", Decimal(2))


def indicators() -> list[Indicator]:
    """Twenty: ten of people, and others of each costlier kind."""
    people = [Indicator(f"people_{n}", aggregate="distinct", subject="people", by=("sex", "topic")) for n in range(10)]
    return [
        *people,
        Indicator("visits", by=("sex",)),
        Indicator("sold", aggregate="sum", value="${sold}", by=("sex",)),
        Indicator("contracted", aggregate="sum", subject="contract", value="${tonnes}"),
        Indicator("days", aggregate="sum", subject="mandate", value="${days}", until="${end}", by=("sex",)),
        Indicator("doubled", aggregate="distinct", subject="people", value="${r}", per_subject="growth", keep=_TWICE),
        Indicator("income", aggregate="median", subject="people", value="${r}", by=("sex",)),
        Indicator("centres", aggregate="distinct", subject="centres"),
        Indicator("equipped", aggregate="sum", subject="centres", value="${lab}", per_subject="latest_known"),
        Indicator("mean_score", aggregate="mean", subject="people", value="${score}", by=("level",)),
        Indicator("share_of_share", aggregate="ratio", numerator="share", denominator="people_2"),
        Indicator("share", aggregate="ratio", numerator="people_0", denominator="people_1", by=("sex",), unit="%"),
    ]


def measure_figures(kind: str, sizes: Sequence[int]) -> list[Line]:
    """What a page asks for, at each size, in a process that is set up as the server's are.

    The bound is on the 95th percentile by the clock. That of the processor time of the process itself stands beside it:
    where the two are far apart, something else kept the machine busy (on PostgreSQL, the database's part is in it too).
    """
    lines: list[Line] = []
    with opened(kind) as engine:
        for size in sizes:
            fill(engine, size)
            spare_what_is_loaded()
            for what, ask, bounded_at, most in (
                ("distinct by sex, a quarter", _one, 1_000_000, ONE_FIGURE[kind]),
                ("the same below a place", _one_below, 0, 0),
                ("a statement of 30", _statement, 100_000, STATEMENT),
            ):
                bound = most if size == bounded_at else None
                lines.append(timed(engine, ask).line(f"{what}, {size:,} contributions", bound))
    return lines


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds of each answer, by the clock and of processor time."""

    wall: list[float]
    cpu: list[float]

    def line(self, what: str, most: float | None) -> Line:
        note = f"median {shown(middle(self.wall))}; processor {shown(middle(self.cpu))}, p95 {shown(p95(self.cpu))}"
        return Line(f"{what}, p95", p95(self.wall), "ms", most=most, note=note)


def fill(engine: Engine, size: int) -> None:
    """A project with so many contributions; a tenth of them were closed since."""
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    chance = random.Random(size)
    with Session(engine) as session:
        session.add(Project(id=1, name="Programme", created_at=NOW, fiscal_year_start=4))
        session.commit()
        journal = open_journal(session, 1, None, NOW)
        event = journal.record("published")
        publish_indicators(journal, "visit", Sheets("visit", tuple(indicators())), a_form(), event)
        for row in _places():
            session.add(
                Place(project_id=1, opened=event, closed=None, aliases=[], latitude=None, longitude=None, **row)
            )
        journal.close()
        session.commit()
        ids = indicator_ids(session, 1)
        rows = _rows(chance, [ids[one.name] for one in indicators()[:-2]], size)
        while batch := [row for _, row in zip(range(_AT_ONCE), rows, strict=False)]:
            insert_rows(session.connection(), Contribution.__table__, batch)  # type: ignore[arg-type]
        session.execute(text("UPDATE projects SET last_event = :last"), {"last": size + 2})
        session.commit()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE" if engine.dialect.name == "sqlite" else "VACUUM ANALYZE"))


def timed(engine: Engine, ask: Callable[[Reading], object]) -> Timings:
    """Each answer from a reading of its own: places, definitions and settings are read anew, and nothing is kept of the
    days. The first, for which statements are compiled, is not among them."""
    found, end = Timings([], []), time.monotonic() + SECONDS
    with Session(engine) as session:
        for run in range(RUNS + 1):
            if run > LEAST_RUNS and time.monotonic() > end:
                break
            days._kept.clear()
            wall, cpu = time.perf_counter(), time.process_time()
            ask(Reading(session, 1, resolve_as_of(session, 1, None, NOW)))
            if run:
                found.wall.append((time.perf_counter() - wall) * 1000)
                found.cpu.append((time.process_time() - cpu) * 1000)
            session.rollback()
    return found


def _one(reading: Reading) -> object:
    return figures(reading, ["people_3"], period=_QUARTER, by=["sex"], sees_small_cells=True)


def _one_below(reading: Reading) -> object:
    return figures(reading, ["people_3"], period=_QUARTER, by=["sex"], place="R1", sees_small_cells=True)


def _statement(reading: Reading) -> object:
    """Each of the indicators for a year, and ten shares."""
    names = [one.name for one in indicators()]
    whole = figures(reading, names, period="FY2025", sees_small_cells=True)
    parts = [
        figures(reading, [f"people_{n}"], period="FY2025", cells={"sex": "female"}, sees_small_cells=True)
        for n in range(10)
    ]
    return whole, parts


def _places() -> Iterator[dict[str, Any]]:
    for number in range(_PLACES):
        level = "region" if number < 8 else "cercle" if number < 60 else "commune"
        parent = None if number < 8 else f"R{number % 8}" if number < 60 else f"R{8 + number % 52}"
        yield {"code": f"R{number}", "name": f"Place {number}", "level": level, "parent": parent}


def _rows(chance: random.Random, ids: Sequence[int], size: int) -> Iterator[dict[str, Any]]:
    for number in range(size):
        day = _FIRST_DAY + dt.timedelta(days=number * _DAYS // size)
        sex = chance.choice(["female", "female", "male", None])
        yield {
            "project_id": 1,
            "submission_id": number // 5 + 1,
            "opened": number + 3,
            "indicator_id": chance.choice(ids),
            "ordinal": 0,
            "closed": None if chance.random() < 0.9 else min(number + 3 + chance.randrange(10_000), size + 2),
            "day": day - dt.timedelta(days=chance.randrange(20)),
            "until": day + dt.timedelta(days=60),
            "place": f"R{chance.randrange(60, _PLACES)}",
            "subject": f"{chance.randrange(size // 40 + 1):032x}-abcd",
            "value": chance.randrange(1, 500) * 1_000_000,
            "text": "done",
            "baseline": None,
            "recorded": number,
            "by1": sex,
            "by2": chance.choice(["governance", " governance marketing ", "marketing"]),
            **{f"by{position}": None for position in range(3, 7)},
        }


@contextmanager
def opened(kind: str) -> Iterator[Engine]:
    """An empty database that is gone afterwards."""
    with ExitStack() as stack:
        if kind == "sqlite":
            url = f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory())}/bench.sqlite"
        else:
            run = Run.begin()
            stack.callback(run.end)
            name = new_name()
            url = run.postgres().create(name)
            stack.callback(run.postgres().drop, name)
        engine = open_engine(url)
        stack.callback(engine.dispose)
        yield engine
