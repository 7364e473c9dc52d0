"""An installation of the product for the demo: its folder, database, programme, tokens of tablets and of a reader."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from forms.programmes.programme import Programme
from migrations.schema import upgrade
from server import clock
from server.commands.practice import last_change, turn_clock
from server.settings import Settings
from sync.accounts.installation import found_installation
from sync.accounts.passwords import hash_password
from sync.accounts.people import add_device, add_user, find_user
from sync.accounts.tokens import issue_token, revoke_all
from sync.intake.content import ContentStore, session_info
from sync.models import Actor
from sync.models.database import begin_writing, open_engine
from sync.projects.publish import Report, load_programme

READER = "demo@example.org"


class FolderInUse(Exception):
    """Another demo runs in this folder."""


class Installation:
    """What lies in one folder. Doing any of it again, after whatever happened in between, is safe."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self.settings = Settings(folder=folder / "siby")
        clock.follow(self.settings.folder)
        self._lock = _locked(folder / "lock")
        self._engine: Engine | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """The same settings for the server's process, with none of the caller's own in between."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("SIBY_")}
        return own | {"SIBY_FOLDER": str(self.settings.folder.resolve())}

    def prepare(self) -> None:
        """What `siby init` does."""
        self.settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        upgrade(self.settings.database_url)
        with self._writing() as session:
            found_installation(session, clock.now())

    def let_it_be(self, moment: dt.datetime) -> None:
        """What `siby clock` does, but never backwards: whoever starts an ended demo again goes on where it stood."""
        moment = min(moment, clock.true_now())
        with self._session() as session:
            if moment > clock.now() or last_change(session) is None:
                turn_clock(session, moment)

    def load(self, programme: Programme) -> Report:
        """What `siby load` does."""
        with self._session() as session:
            journal, report = load_programme(session, programme, None, clock.now())
            journal.close()
            session.commit()
        return report

    def tablet_tokens(self, project: int, count: int) -> list[str]:
        """One new token for each tablet: they are shown once, so that those of an earlier run are lost."""
        now, tokens = clock.now(), []
        with self._writing() as session:
            for number in range(1, count + 1):
                name = f"tablet-{number:02}"
                known = session.scalar(
                    select(Actor).where(
                        Actor.kind == "device",
                        Actor.project_id == project,
                        Actor.name == name,
                        Actor.disabled_at.is_(None),
                    )
                )
                if known is None:
                    tokens.append(add_device(session, project, name, now)[1].token)
                else:
                    revoke_all(session, known.id, now)
                    tokens.append(issue_token(session, known.id, "device", now).token)
        return tokens

    def reader_token(self, kind: str) -> str:
        """A token of the person who reads the results: `api`, or `link` to sign in with a browser, once."""
        now = clock.now()
        with self._writing() as session:
            reader = find_user(session, READER) or add_user(session, READER, now, name="Demo", admin=True)
            return issue_token(session, reader.id, kind, now).token

    def reader_password(self) -> str:
        """A new password of the same person, for those who come back after the link has expired."""
        password = secrets.token_urlsafe(12)
        with self._writing() as session:
            reader = find_user(session, READER)
            assert reader is not None, "reader_token comes first"
            reader.password_hash = hash_password(password)
        return password

    def close(self) -> None:
        """Let go of the database and the folder."""
        if self._engine is not None:
            self._engine.dispose()
        self._lock.close()

    def _session(self) -> Session:
        if self._engine is None:
            self._engine = open_engine(self.settings.database_url)
        store = ContentStore(self.settings.files_folder, self.settings.reserve)
        return Session(self._engine, info=session_info(store))

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        with self._session() as session:
            begin_writing(session)
            yield session
            session.commit()


def first_versions(programme: Programme) -> Programme:
    """The programme as it was before any of its forms had a second version."""
    first: dict[str, object] = {}
    for workbook in programme.workbooks:
        first.setdefault(workbook.form.form_id, workbook)
    return replace(programme, workbooks=tuple(book for book in programme.workbooks if book in first.values()))


def _locked(path: Path) -> IO[str]:
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise FolderInUse from None
    return file
