"""The audit trail: who did what, written in the transaction of the act, each row hashed with the one before."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import and_, bindparam, func, select, update
from sqlalchemy.orm import Session

from sync.models import Audit, Project, Server
from sync.models.database import insert_rows
from sync.models.probing import change_ahead, rows_of

NO_PROJECT = 0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an act came from: who, through which request, from which address. A command line has no request."""

    actor_id: int | None
    request_id: str | None = None
    address: str | None = None


def record_act(
    session: Session,
    project_id: int,
    origin: Origin,
    action: str,
    now: dt.datetime,
    subject: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> int:
    """Write an act down, and give its number. `action` is a word such as `submission.reviewed`, `subject` what it was
    done to.

    The session must have begun to write, and the caller commits. Details hold no answers and no names of people.
    """
    session.flush()  # the project itself may be new
    number, before = _next(session, project_id)
    row: dict[str, Any] = {
        "project_id": project_id,
        "number": number,
        "at": now,
        "actor_id": origin.actor_id,
        "action": action,
        "subject": subject,
        "details": dict(details) if details is not None else None,
        "request_id": origin.request_id,
        "address": origin.address,
    }
    said = {name: value for name, value in row.items() if value is not None}
    insert_rows(session.connection(), Audit.__table__, [{**said, "chain": _link(before, row)}])  # type: ignore[arg-type]
    return number


def first_broken(session: Session, project_id: int) -> int | None:
    """The number of the first row that does not follow from the one before it; None if the whole trail holds."""
    before, expected = b"", 1
    rows = session.scalars(select(Audit).where(Audit.project_id == project_id).order_by(Audit.number))
    for row in rows.yield_per(1000):
        fields = {name: getattr(row, name) for name in _FIELDS}
        if row.number != expected or row.chain != _link(before, fields):
            return expected
        before, expected = row.chain, expected + 1
    return None


_FIELDS = ("project_id", "number", "at", "actor_id", "action", "subject", "details", "request_id", "address")


def _next(session: Session, project_id: int) -> tuple[int, bytes]:
    """The next number and the hash to build on. The row that is locked keeps other writers of the trail out."""
    if project_id != NO_PROJECT:
        change_ahead(session.connection(), _COUNT, {"project": project_id})
        [(number, before)] = rows_of(session.connection(), _NUMBER, {"project": project_id})
        return number, before or b""
    session.execute(select(Server.id).with_for_update()).all()
    last = session.scalar(select(func.max(Audit.number)).where(Audit.project_id == NO_PROJECT)) or 0
    before = session.scalar(select(Audit.chain).where(Audit.project_id == NO_PROJECT, Audit.number == last))
    return last + 1, before or b""


_COUNT = update(Project).where(Project.id == bindparam("project")).values(last_audit=Project.last_audit + 1)
_NUMBER = (
    select(Project.last_audit, Audit.chain)
    .outerjoin(Audit, and_(Audit.project_id == Project.id, Audit.number == Project.last_audit - 1))
    .where(Project.id == bindparam("project"))
)


def _link(before: bytes, row: Mapping[str, Any]) -> bytes:
    shown = dict(row) | {"at": row["at"].astimezone(dt.UTC).isoformat()}
    return hashlib.sha256(before + orjson.dumps(shown, option=orjson.OPT_SORT_KEYS)).digest()
