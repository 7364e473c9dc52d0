"""The database behind the web: Flask-SQLAlchemy over the tables of `sync.models`."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from server import current
from server.logs import warn
from sync.intake.content import session_info
from sync.journal import OUTGROWN, Outgrown
from sync.models import Base
from sync.models.database import engine_options, prepare_engine


class _Session(FlaskSession):
    """A session that reaches the content store, and does not look for the app's only engine each time."""

    def __init__(self, db: SQLAlchemy, **options: Any) -> None:
        super().__init__(db, **options)
        self._engine = db.engine
        self.info.update(session_info(current.store()))

    def get_bind(self, *_asked: object, **_more: object) -> Engine:
        return self._engine

    def commit(self) -> None:
        """Whoever commits logs which keys were outgrown, by whichever door the records came."""
        super().commit()
        found: Outgrown | None = self.info.pop(OUTGROWN, None)
        if found is not None:
            for list_name, keys in found.keys.items():
                warn("match_keys_outgrown", project=found.project_id, list=list_name, keys=keys)


db = SQLAlchemy(metadata=Base.metadata, session_options={"class_": _Session})

# Threads that wait for a connection longer than this are turned away; those of a slow upload hold none.
_PATIENCE_SECONDS = 10
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
