"""Fixtures that every test may ask for: fresh databases of both kinds, with or without the tables."""

import contextlib
import datetime as dt
import functools
import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from server.settings import Settings
from sync.accounts.installation import found_installation
from sync.models import Base
from sync.models.database import begin_writing, open_engine
from tests.support.databases import PostgresMissing, Run, Server, new_name, share_statements

RUN = pytest.StashKey[Run]()

# Databases on a busy machine have no deadline; in continuous integration Hypothesis has a profile of its own.
hypothesis.settings.register_profile("patient", deadline=None)
if not os.environ.get("CI"):
    hypothesis.settings.load_profile("patient")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RUN] = Run.begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    if RUN in config.stash:
        config.stash[RUN].end()


def pytest_collection_finish() -> None:
    """Thousands of tests were loaded and stay: the garbage collector need not go through them again and again."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(scope="session")
def run(request: pytest.FixtureRequest) -> Run:
    """What all processes of this test run share."""
    return request.config.stash[RUN]


@pytest.fixture(scope="session")
def postgres(run: Run) -> Server:
    """The PostgreSQL server of this test run."""
    try:
        return run.postgres()
    except PostgresMissing as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """The address of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'siby.sqlite'}"


@pytest.fixture
def empty_postgres_url(postgres: Server) -> Iterator[str]:
    """The address of a PostgreSQL database without tables."""
    name = new_name()
    yield postgres.create(name)
    postgres.drop(name)


@pytest.fixture
def template(request: pytest.FixtureRequest) -> str:
    """What the databases of this test are copied from: one with all tables, or one that people live in already."""
    return "house" if "house" in request.fixturenames else "tables"


@pytest.fixture
def sqlite_url(run: Run, template: str, tmp_path: Path) -> str:
    """The address of a SQLite file with all tables."""

    def make() -> str:
        file = run.folder / f"{template}.sqlite"
        fill(run, template, "sqlite", f"sqlite:///{file}")
        return str(file)

    shutil.copyfile(run.once(f"sqlite-{template}", make), tmp_path / "siby.sqlite")
    return f"sqlite:///{tmp_path / 'siby.sqlite'}"


@pytest.fixture
def postgres_url(run: Run, template: str, postgres: Server) -> Iterator[str]:
    """The address of a PostgreSQL database with all tables."""

    def make() -> str:
        fill(run, template, "postgresql", postgres.create(template))
        return template

    name = new_name()
    yield postgres.create(name, template=run.once(f"postgresql-{template}", make))
    postgres.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a database with all tables; the test runs once on SQLite and once on PostgreSQL."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """The address of a database without tables, once of each kind."""
    name = "empty_sqlite_url" if request.param == "sqlite" else "empty_postgres_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """The product's own engine on a database with all tables, once of each kind."""
    engine = open_engine(database_url)
    share_statements(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session on `engine`, rolled back at the end unless the test commits."""
    with Session(engine) as session:
        yield session


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """An installation in a temporary folder, on a database with all tables, once of each kind."""
    return Settings(folder=tmp_path / "siby-data", database=database_url, reserve_mb=0)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The web application, as after `siby init`."""
    with opened(settings) as app:
        yield app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Somebody who speaks to the application and has not signed in."""
    return app.test_client()


def fill(run: Run, template: str, kind: str, url: str) -> None:
    """Makes every table in the database at `url`, and lets people move in where that is wanted."""
    create_tables(url)
    if template == "house":
        with opened(Settings(folder=run.folder / f"{kind}-{template}-files", database=url, reserve_mb=0)) as app:
            from tests.support.web import move_in  # noqa: PLC0415

            (run.folder / f"{kind}-{template}.json").write_text(move_in(app))


def create_tables(url: str) -> None:
    """Makes every table in the database at `url`."""
    engine = open_engine(url)
    Base.metadata.create_all(engine)
    engine.dispose()


@functools.cache
def spare() -> None:
    """Once the web is loaded, what is loaded stays, as in the server: going through it again and again would be a sixth
    of what the tests cost."""
    from server.serve import spare_what_is_loaded  # noqa: PLC0415

    spare_what_is_loaded()


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[Flask]:
    """The web application, as after `siby init`."""
    # Most tests need no web, and loading it takes longer than they do.
    from server.app import create_app  # noqa: PLC0415
    from server.db import engine_of  # noqa: PLC0415
    from tests.support.once import quick_hashing, share  # noqa: PLC0415

    spare()
    app = create_app(settings)
    app.testing = True
    share(app)
    engine = engine_of(app)
    with Session(engine) as session:
        begin_writing(session)
        found_installation(session, dt.datetime.now(dt.UTC))
        session.commit()
    with quick_hashing():
        try:
            yield app
        finally:
            engine.dispose()
