"""Rows are found by their keys, the same on both databases."""

import datetime as dt

import pytest
from sqlalchemy import Engine, bindparam, func, select, text, update
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from sync.intake.tally import TALLY, counted
from sync.models import Entity, Event, Submission
from sync.models.database import insert_rows, open_engine
from sync.models.probing import look_up, rows_of, rows_of_ids, rows_of_keys
from tests.support.registry import AWA, FANTA, NOW, Registry, a_creation

DAY = dt.date(2026, 11, 20)
RECEIPT = select(*TALLY)
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def registry(engine: Engine) -> Registry:
    return Registry.make(engine)


def test_only_rows_with_exactly_these_ids_are_found(registry: Registry, session: Session) -> None:
    registry.arrive(("one", a_creation(AWA)), ("two", a_creation(FANTA, "Fanta")))
    registry.arrive(("three", a_creation(AWA, list_name="volunteers", label="Awa too")))

    def found(list_name: str, *ids: str) -> set[str]:
        fixed = [(Entity.project_id, registry.project_id), (Entity.list_name, list_name)]
        return {row.label for row in rows_of_ids(session.connection(), [Entity.label], fixed, Entity.id, ids)}

    assert found("people", AWA, FANTA, UNKNOWN) == {"Awa", "Fanta"}
    assert found("people", UNKNOWN) == set()
    assert found("volunteers", AWA, FANTA) == {"Awa too"}
    assert found("nobody", AWA) == set()
    assert found("people") == set()


def test_a_single_look_begins_no_transaction_and_in_one_sees_what_that_has_written(
    registry: Registry, session: Session
) -> None:
    registry.arrive(("one", a_creation(AWA)))

    def labels() -> list[str]:
        asked = select(Entity.label).where(Entity.project_id == bindparam("project"))
        return [row.label for row in look_up(session, asked, {"project": registry.project_id})]

    assert labels() == ["Awa"]
    assert not session.in_transaction()
    session.execute(update(Entity).values(label="Awa D."))
    assert labels() == ["Awa D."]
    session.rollback()
    assert labels() == ["Awa"]


def test_all_rows_that_share_a_key_are_found(registry: Registry, session: Session) -> None:
    for name, subject, day in (
        ("a", "people/1", DAY),
        ("b", "people/1", DAY),
        ("c", "people/2", DAY),
        ("d", None, DAY),
    ):
        registry.store(name, subject=subject, day=day, recorded_at=NOW)

    rows = rows_of_keys(
        session.connection(),
        [Submission.instance_id],
        [Submission.subject, Submission.day],
        [("people/1", DAY), ("people/2", DAY + dt.timedelta(days=1)), ("people/3", DAY)],
        Submission.project_id == registry.project_id,
    )

    assert sorted(row.instance_id for row in rows) == ["a", "b"]


def test_more_keys_than_fit_into_one_statement_are_asked_for_in_portions(registry: Registry, session: Session) -> None:
    registry.store("a", fingerprint=b"a" * 16)
    values = [(number.to_bytes(16, "big"),) for number in range(4500)] + [(b"a" * 16,)]

    rows = rows_of_keys(
        session.connection(),
        [Submission.instance_id],
        [Submission.fingerprint],
        values,
        Submission.project_id == registry.project_id,
    )

    assert [row.instance_id for row in rows] == ["a"]


@pytest.mark.parametrize("count", [1, 2, 6, 7, 40])
def test_few_rows_and_many_are_stored_alike(registry: Registry, session: Session, count: int) -> None:
    def row(number: int) -> dict[str, object]:
        details = {"said": ["é", number, None]} if number % 3 else None
        moment = NOW + dt.timedelta(milliseconds=number)
        return {"project_id": registry.project_id, "number": number, "kind": "x", "at": moment, "details": details}

    rows = [row(number) for number in range(1000, 1000 + count)]
    insert_rows(session.connection(), Event.__table__, rows)  # type: ignore[arg-type]

    events = session.scalars(select(Event).where(Event.number >= 1000).order_by(Event.number))
    stored = [(event.number, event.at, event.actor_id, event.details) for event in events]
    assert stored == [(row["number"], row["at"], None, row["details"]) for row in rows]


@pytest.mark.parametrize("count", [2, 40])
@pytest.mark.parametrize(("fault", "raised"), [({"actor_id": 2**63}, DataError), ({"number": 1000}, IntegrityError)])
def test_of_few_rows_and_of_many_one_that_the_database_refuses_is_raised_alike(
    registry: Registry, session: Session, count: int, fault: dict[str, int], raised: type[Exception]
) -> None:
    row = {"project_id": registry.project_id, "kind": "x", "at": NOW, "actor_id": 1}
    rows = [row | {"number": number} for number in range(1000, 1000 + count)]
    spoilt = [*rows[:-1], rows[-1] | fault]

    with pytest.raises((raised, OverflowError) if session.get_bind().dialect.name == "sqlite" else raised):
        insert_rows(session.connection(), Event.__table__, spoilt)  # type: ignore[arg-type]
    session.rollback()
    insert_rows(session.connection(), Event.__table__, rows)  # type: ignore[arg-type]

    assert session.scalar(select(func.count()).select_from(Event).where(Event.number >= 1000)) == count


def test_postgresql_makes_no_plan_for_each_receipt_however_little_came_today(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    registry = Registry.make(engine)
    row = {"project_id": registry.project_id, "form_id": "f", "form_version": "1", "actor_id": 1, "recorded_at": NOW}
    rows = [
        row
        | {"id": 10_000 + number, "instance_id": f"{number}", "current_instance_id": f"{number}"}
        | {"received_at": NOW - dt.timedelta(minutes=number), "updated_at": NOW, "flags": [], "event": 1}
        | {"versions": 1, "missing": 0, "counts": True}
        for number in range(3000)
    ]
    given = {"project": registry.project_id} | counted(1, NOW + dt.timedelta(days=1), dt.UTC)
    with Session(engine) as session:
        insert_rows(session.connection(), Submission.__table__, rows)  # type: ignore[arg-type]
        session.commit()
        session.execute(text("ANALYZE"))

        told = [tuple(rows_of(session.connection(), RECEIPT, given)[0]) for _ in range(30)]
        planned = session.scalar(text("SELECT custom_plans FROM pg_prepared_statements WHERE statement ~ 'count'"))
    engine.dispose()

    assert told == [(0, 0)] * 30
    assert planned == 5  # PostgreSQL tries that often whether it would be of use


def test_rows_hold_what_was_stored(registry: Registry, session: Session) -> None:
    registry.arrive(("one", a_creation(AWA, village="Siby")))
    registry.store("a", subject="people/1", day=DAY, recorded_at=NOW, fingerprint=b"a" * 16)
    at = (Submission.project_id, registry.project_id)

    [entity] = rows_of_ids(
        session.connection(),
        [Entity.data, Entity.withdrawn, Entity.created_at, Entity.deleted_at],
        [(Entity.project_id, registry.project_id), (Entity.list_name, "people")],
        Entity.id,
        [AWA],
    )
    columns = [Submission.day, Submission.recorded_at, Submission.fingerprint]
    keys = [("people/1", DAY), ("people/2", DAY)]
    [visit] = rows_of_keys(session.connection(), columns, [Submission.subject, Submission.day], keys, at)

    assert (entity.data, entity.withdrawn, entity.deleted_at) == ({"village": "Siby"}, False, None)
    assert entity.created_at.tzinfo is dt.UTC
    assert visit == (DAY, NOW, b"a" * 16)
