"""The Word templates that a project keeps: one for all its statements, and one for a statement that needs its own."""

from __future__ import annotations

import datetime as dt
import hashlib

from sqlalchemy import select
from sqlalchemy.orm import Session

from sync.errors import NotFound, TooLarge
from sync.models.indicators import WordTemplate
from sync.statements.word import check_template
from sync.statements.word_tags import MOST_BYTES

ALL = ""


def put_template(
    session: Session, project_id: int, statement: str, file_name: str, data: bytes, actor_id: int, now: dt.datetime
) -> WordTemplate:
    """Keep a template in place of the one before. Raises TooLarge, or Unexpected with all that is wrong with it."""
    if len(data) > MOST_BYTES:
        raise TooLarge("The file is larger than 4 MB.")
    check_template(data)
    kept = session.get(WordTemplate, (project_id, statement))
    if kept is None:
        kept = WordTemplate(project_id=project_id, statement=statement)
        session.add(kept)
    kept.file_name, kept.content, kept.sha256 = file_name[:200], data, hashlib.sha256(data).hexdigest()
    kept.actor_id, kept.at = actor_id, now
    session.flush()
    return kept


def remove_template(session: Session, project_id: int, statement: str) -> None:
    """Raises NotFound."""
    session.delete(template_at(session, project_id, statement))
    session.flush()


def template_at(session: Session, project_id: int, statement: str) -> WordTemplate:
    """Raises NotFound."""
    kept = session.get(WordTemplate, (project_id, statement))
    if kept is None:
        raise NotFound
    return kept


def template_for(session: Session, project_id: int, statement: str) -> bytes | None:
    """What a statement is written into: its own template, else that of all, else none."""
    kept = session.get(WordTemplate, (project_id, statement)) or session.get(WordTemplate, (project_id, ALL))
    return None if kept is None else kept.content


def templates_of(session: Session, project_id: int) -> list[WordTemplate]:
    """That of all statements first."""
    query = select(WordTemplate).where(WordTemplate.project_id == project_id).order_by(WordTemplate.statement)
    return list(session.scalars(query))
