"""Migrations go up and down on both databases, lose nothing on the way, and leave nothing to be done."""

import datetime as dt
import random
from pathlib import Path

import pytest
from sqlalchemy import insert, inspect, text
from sqlalchemy.orm import Session

from migrations import schema
from sync.models import Base, Project, Quarantined
from sync.models.database import open_engine


def test_migrations_make_the_tables_of_the_models(empty_database_url: str) -> None:
    schema.upgrade(empty_database_url)

    schema.check(empty_database_url)


def test_migrations_make_what_postgresql_fills_by_itself_as_the_models_do(
    empty_postgres_url: str, postgres_url: str
) -> None:
    schema.upgrade(empty_postgres_url)
    look = text(
        "SELECT attrelid::regclass::text, attname, atttypid::regtype::text, attstorage::text, attnotnull,"
        " pg_get_expr(adbin, adrelid) FROM pg_attribute"
        " LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
        " WHERE attname IN ('answers', 'searched')"
        " AND attrelid IN ('submission_versions'::regclass, 'repeat_rows'::regclass)"
        " ORDER BY 1, 2"
    )
    found = []
    for url in (empty_postgres_url, postgres_url):
        engine = open_engine(url)
        with engine.begin() as connection:
            found.append([tuple(row) for row in connection.execute(look)])
        engine.dispose()

    assert found[0] == found[1]
    assert [row[1] for row in found[0]] == ["answers", "searched"] * 2


def test_migrations_go_up_down_and_up_again(empty_database_url: str) -> None:
    schema.upgrade(empty_database_url)
    schema.downgrade(empty_database_url, "base")
    left = tables_in(empty_database_url)
    schema.upgrade(empty_database_url)

    assert left == {"alembic_version"}
    assert tables_in(empty_database_url) == {*Base.metadata.tables, "alembic_version"}


def test_migrating_what_is_up_to_date_changes_nothing(empty_database_url: str) -> None:
    schema.upgrade(empty_database_url)
    engine = open_engine(empty_database_url)
    with Session(engine) as session:
        session.add(Project(id=1, name="Siby", created_at=dt.datetime(2026, 11, 24, tzinfo=dt.UTC)))
        session.commit()

    schema.upgrade(empty_database_url)

    with Session(engine) as session:
        assert session.get_one(Project, 1).name == "Siby"
    engine.dispose()


def test_an_empty_database_lacks_every_migration_and_a_migrated_one_none(empty_database_url: str) -> None:
    engine = open_engine(empty_database_url)
    before = schema.pending(engine)
    schema.upgrade(empty_database_url)
    after = schema.pending(engine)
    engine.dispose()

    versions = Path(schema.__file__).parent / "versions"
    assert len(before) == len(list(versions.glob("[0-9]*.py")))
    assert before[0] == "0001"
    assert after == []


def test_a_database_of_a_newer_version_is_told_apart(empty_database_url: str) -> None:
    schema.upgrade(empty_database_url)
    engine = open_engine(empty_database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(schema.NewerDatabase):
        schema.pending(engine)
    engine.dispose()


def test_of_the_same_bytes_in_quarantine_the_one_that_waits_outlives_a_downgrade(empty_database_url: str) -> None:
    schema.upgrade(empty_database_url, "0018")
    park(empty_database_url, "discarded", "open", "resolved")

    schema.downgrade(empty_database_url, "0017")

    assert parked_in(empty_database_url) == ["open"]


def test_a_downgrade_that_would_lose_what_waits_is_refused(empty_database_url: str) -> None:
    schema.upgrade(empty_database_url, "0018")
    park(empty_database_url, "discarded", "open", "open")

    with pytest.raises(RuntimeError, match="the same bytes wait for several instances"):
        schema.downgrade(empty_database_url, "0017")

    assert parked_in(empty_database_url) == ["discarded", "open", "open"]
    schema.upgrade(empty_database_url)


def test_what_is_too_wide_for_an_index_is_told_apart_and_goes_down_again(empty_database_url: str) -> None:
    schema.upgrade(empty_database_url, "0019")
    chance = random.Random(1)  # what repeats itself would be pressed together in an index
    long = "".join(chr(chance.randrange(0x10000, 0x20000)) for _ in range(100))
    engine = open_engine(empty_database_url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO contributions (project_id, submission_id, opened, indicator_id, ordinal, day, recorded,"
                " place, by1, by2, by3, by4, by5, by6)"
                " VALUES (1, :id, 1, 1, 0, '2026-11-30', 0, :long, :long, :long, :long, :long, :long, :last)"
            ),
            [
                {"id": 1, "long": None, "last": "x"},
                *({"id": id_, "long": long, "last": "x" * (id_ - 2)} for id_ in (2, 3)),
            ],
        )

    schema.upgrade(empty_database_url, "0020")
    with engine.connect() as connection:
        wide = connection.scalars(text("SELECT wide FROM contributions ORDER BY submission_id")).all()
    schema.downgrade(empty_database_url, "0019")
    with engine.connect() as connection:
        left = connection.scalar(text("SELECT count(*) FROM contributions"))
    indexes = {index["name"] for index in inspect(engine).get_indexes("contributions")}
    engine.dispose()

    assert [*map(bool, wide)] == [False, False, True]
    assert left == 3
    assert indexes == {f"ix_contributions_{name}" for name in ("open", "closed", "subject")}


def test_answers_become_text_that_filters_look_into_and_jsonb_again(empty_postgres_url: str) -> None:
    schema.upgrade(empty_postgres_url, "0021")
    engine = open_engine(empty_postgres_url)
    columns = "project_id, form_id, path, submission_id, number, places, answers"
    kept = '{"amount": 3.10, "name": "Awa \\"Touré\\"", "gone": null}'
    with engine.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))  # the submission is not there
        connection.execute(
            text(f"INSERT INTO repeat_rows ({columns}) VALUES (1, 'sale', '/data/sacks', 1, 0, '[0]', :kept)"),
            {"kept": kept},
        )
    look = text("SELECT answers::jsonb = (:kept)::jsonb, answers->>'amount' FROM repeat_rows")
    look_into = text("SELECT searched->>'name', searched->'gone' = 'null' FROM repeat_rows")

    schema.upgrade(empty_postgres_url, "0022")
    with engine.connect() as connection:
        after = connection.execute(look, {"kept": kept}).one()
        found = connection.execute(look_into).one()
    schema.downgrade(empty_postgres_url, "0021")
    with engine.connect() as connection:
        again = connection.execute(look, {"kept": kept}).one()
    engine.dispose()

    assert tuple(after) == tuple(again) == (True, "3.10")
    assert tuple(found) == ('Awa "Touré"', True)


def test_a_migration_waits_for_whoever_holds_a_table(empty_postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    schema.upgrade(empty_postgres_url)
    engine = open_engine(empty_postgres_url)
    holder = engine.connect()
    holder.execute(text("LOCK TABLE projects"))
    monkeypatch.setattr("time.sleep", lambda _: holder.close())

    schema.downgrade(empty_postgres_url, "base")

    engine.dispose()
    assert tables_in(empty_postgres_url) == {"alembic_version"}


def park(url: str, *states: str) -> None:
    """The same emptied record in quarantine, once in each of these states."""
    moment = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
    with open_engine(url).begin() as connection:
        connection.execute(
            insert(Quarantined),
            [
                {
                    **{"project_id": 1, "id": number, "instance_id": f"uuid:{number}", "actor_id": 1},
                    **{"reason": "unreadable", "message": "", "raw": b"", "envelope": {}, "sha256": b"x"},
                    **{"received_at": moment, "state": state},
                }
                for number, state in enumerate(states, 1)
            ],
        )


def parked_in(url: str) -> list[str]:
    with open_engine(url).connect() as connection:
        return list(connection.scalars(text("SELECT state FROM quarantine ORDER BY id")))


def tables_in(url: str) -> set[str]:
    """The names of all tables of the database at `url`."""
    engine = open_engine(url)
    names = set(inspect(engine).get_table_names())
    engine.dispose()
    return names
