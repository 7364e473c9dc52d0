"""A small project for tests of the intake: a form about sacks sold, with people who are registered in it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from forms.workbooks.workbook import Workbook, read_workbook
from sync.indicators.recount import rebuild_from
from sync.intake.content import ContentStore, session_info
from sync.intake.receive import BatchAnswer, prepare_batch, store_batch
from sync.journal import open_journal
from sync.models import Actor, Quarantined, Server, Submission
from sync.models.database import begin_writing
from sync.projects.publish import create_project, publish_form
from tests.support.workbooks import a_workbook

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
KEPT_FOR = dt.timedelta(days=30)  # what a project threw away, unless it chose otherwise

SALE = """
    | survey  |           |           |               |              |
    | type    | name      | label     | constraint    | save_to      |
    | date    | day       | Day       |               |              |
    | text    | seller    | Seller    |               | seller       |
    | text    | village   | Village   |               |              |
    | integer | sacks     | Sacks     | . >= 0        |              |
    | integer | price     | Price     |               |              |
    | text    | remark    | Remark    |               |              |
    | image   | photo     | Photo     |               |              |
    | entities |          |           |               |              |
    | list_name | label   |           |               |              |
    | people  | ${seller} |           |               |              |
    | indicators |        |           |               |              |
    | name    | label     | aggregate | date          | value        | by |
    | sacks   | Sacks     | sum       | ${day}        | ${sacks}     | village |
    | sales   | Sales     | count     | ${day}        |              |         |
"""


@dataclass(frozen=True)
class Desk:
    """A project and a device of it, driven as the server would: prepare, store, commit."""

    sessions: sessionmaker[Session]
    project_id: int
    device: int

    def send(self, items: Sequence[object], batch: str | None = None, now: dt.datetime = NOON) -> BatchAnswer:
        body = {"batch": batch or str(uuid.uuid4()), "items": list(items)}
        sha256 = hashlib.sha256(json.dumps(body, default=str).encode()).digest()
        with self.sessions() as session:
            prepared = prepare_batch(session, self.project_id, body, sha256, now)
            answer = store_batch(session, prepared, self.device, now)
            session.commit()
        return answer

    def outcomes(self, *items: object) -> list[str]:
        return [receipt["outcome"] for receipt in self.send(items).receipts]

    def publish(self, form_id: str, version: str, markdown: str, subject: str = "") -> None:
        with self.sessions() as session:
            journal = open_journal(session, self.project_id, None, NOON)
            publish_form(journal, workbook_of(form_id, version, markdown, subject))
            journal.close()
            session.commit()

    def another(self, **settings: Any) -> Desk:
        """A second project in the same database, with the form `sale` and the same device."""
        with self.sessions() as session:
            journal = create_project(session, {"name": "Another", "time_zone": "Africa/Bamako", **settings}, None, NOON)
            publish_form(journal, workbook_of("sale", "1", SALE))
            journal.close()
            session.commit()
        return replace(self, project_id=journal.project_id)

    def rebuild(self) -> list[str]:
        """Work everything out anew; what was different."""
        differences: list[str] = []
        with self.sessions() as session:
            for portion in rebuild_from(session, self.project_id, 0, NOON):
                session.commit()
                differences += portion.differences
        return differences

    def submissions(self) -> list[Submission]:
        with self.sessions() as session:
            return list(session.scalars(select(Submission).order_by(Submission.instance_id)))

    def quarantine(self) -> list[Quarantined]:
        with self.sessions() as session:
            return list(session.scalars(select(Quarantined).order_by(Quarantined.id)))


@cache
def workbook_of(form_id: str, version: str, markdown: str, subject: str = "") -> Workbook:
    return read_workbook(a_workbook(form_id, version, markdown, subject), f"{form_id}.xlsx")


def a_desk(engine: Engine, folder: Path, **settings: Any) -> Desk:
    """A project with the form `sale` and one device."""
    sessions = sessionmaker(engine, info=session_info(ContentStore(folder, reserve=0)), expire_on_commit=False)
    with sessions() as session:
        begin_writing(session)
        session.add(Server(id=1, epoch="epoch", secret=b"secret", created_at=NOON))
        session.add(
            Actor(id=7, kind="device", name="Amina's tablet", admin=False, places=[], project_id=1, created_at=NOON)
        )
        session.commit()
        journal = create_project(session, {"name": "Siby", "time_zone": "Africa/Bamako", **settings}, None, NOON)
        journal.close()
        session.commit()
    desk = Desk(sessions, journal.project_id, 7)
    desk.publish("sale", "1", SALE)
    return desk


def a_sale(
    number: int = 1, *, edits: int | str | None = None, version: str = "1", form: str = "sale", **answers: Any
) -> dict[str, Any]:
    """An item of the form `sale`; the same number is the same instance."""
    item: dict[str, Any] = {
        "instance_id": instance_id(number),
        "form": form,
        "version": version,
        "recorded_at": (NOON - dt.timedelta(days=30) + dt.timedelta(days=number % 25, minutes=number)).isoformat(),
        "answers": {"day": "2026-11-01", "seller": f"Awa {number}", "village": "Siby", "sacks": 4, **answers},
    }
    if edits is not None:
        item["edits"] = instance_id(edits) if isinstance(edits, int) else edits
    return item


def instance_id(number: int) -> str:
    """The instance id of the sale with this number."""
    return f"uuid:{uuid.UUID(int=number)}"
