"""The databases that tests get are fresh, have all tables and are of the kind asked for."""

import datetime as dt

from sqlalchemy import Engine, func, inspect, select
from sqlalchemy.orm import Session

from sync.models import Base, Project
from sync.models.database import begin_writing, is_sqlite, learn_sizes

NOW = dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC)


def test_each_test_gets_a_database_with_all_tables(engine: Engine) -> None:
    assert set(inspect(engine).get_table_names()) == set(Base.metadata.tables)


def test_what_one_test_stores_the_next_does_not_see_first(session: Session) -> None:
    see_nothing_and_store(session)


def test_what_one_test_stores_the_next_does_not_see_second(session: Session) -> None:
    see_nothing_and_store(session)


def see_nothing_and_store(session: Session) -> None:
    assert session.scalar(select(func.count()).select_from(Project)) == 0

    session.add(Project(id=1, name="Siby", created_at=NOW))
    session.commit()


def test_how_large_tables_are_is_looked_at_once_until_they_have_grown(session: Session) -> None:
    begin_writing(session)
    session.add_all([Project(id=number, name=f"project {number}", created_at=NOW) for number in range(1, 200)])
    session.commit()
    begin_writing(session)

    looked_at, again = learn_sizes(session), learn_sizes(session)

    assert again == 0
    assert (looked_at > 0) == is_sqlite(session)
