"""The database behind the web: Flask-SQLAlchemy over the tables of `sync.models`."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import Session

from server import current
from server.logs import log, warn
from sync.intake.content import session_info
from sync.journal import CLOSED, Closed
from sync.models import Base
from sync.models.database import engine_options, learn_sizes, prepare_engine, writing_soon


class _Session(FlaskSession):
    """A session that reaches the content store, and does not look for the app's only engine each time."""

    def __init__(self, db: SQLAlchemy, **options: Any) -> None:
        super().__init__(db, **options)
        self._engine = db.engine
        self.info.update(session_info(current.store()))

    def get_bind(self, *_asked: object, **_more: object) -> Engine:
        return self._engine

    def commit(self) -> None:
        """Whoever commits logs which keys were outgrown, by whichever door the records came, and has the database look
        how large it has become."""
        super().commit()
        closed: Closed | None = self.info.pop(CLOSED, None)
        if closed is None:
            return
        for list_name, keys in closed.outgrown.items():
            warn("match_keys_outgrown", project=closed.project_id, list=list_name, keys=keys)
        if closed.tenfold:
            _look_at_sizes(self._engine)


def _look_at_sizes(engine: Engine) -> None:
    """What is committed is so whether or not this comes to be; it will be once more in ten times as many rows."""
    try:
        with writing_soon(engine, _PATIENCE_WITH_SIZES) as beside:
            learn_sizes(beside)
    except (DBAPIError, NoConnection):
        log("sizes_not_learnt")


db = SQLAlchemy(metadata=Base.metadata, session_options={"class_": _Session})

# Threads that wait for a connection longer than this are turned away; those of a slow upload hold none.
_PATIENCE_SECONDS = 10
_PATIENCE_WITH_SIZES = dt.timedelta(seconds=2)
_SQLITE_POOL, _POSTGRES_POOL = 20, 10


def connect_database(app: Flask, url: str) -> None:
    """Give the app its engine, set up so that commits are durable and savepoints hold."""
    size = _SQLITE_POOL if url.startswith("sqlite") else _POSTGRES_POOL
    options = engine_options(url, size) | {"pool_timeout": _PATIENCE_SECONDS}
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options
    db.init_app(app)
    prepare_engine(engine_of(app))


def session() -> Session:
    """The session of this request or command; it is rolled back at the end unless a route committed."""
    found: Session = db.session()
    return found


def engine_of(app: Flask) -> Engine:
    """The app's engine."""
    with app.app_context():
        return db.engine


def release() -> None:
    """Give the connection back and forget what was read: before waiting for a device that sends slowly."""
    db.session.rollback()
