"""Secrets that stand for an actor: API tokens, device tokens, sessions and one-time links. Only hashes are stored."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from forms.records import record
from sync.models import Actor, Assignment, Project, Token
from sync.models.probing import look_up

SESSION_IDLE = dt.timedelta(minutes=30)
SESSION_LASTS = dt.timedelta(hours=12)
LINK_LASTS = dt.timedelta(minutes=15)
HALF_LASTS = dt.timedelta(minutes=10)
_LASTS: dict[str, dt.timedelta | None] = {
    "api": None,
    "device": None,
    "public_link": None,
    "session": SESSION_LASTS,
    "link": LINK_LASTS,
    "half": HALF_LASTS,
}
# What stands for nobody yet: a link signs in once, a password without its code does not sign in.
_NOT_SHOWN = ("link", "half")
# How far `last_used_at` may lag behind, so that most requests write nothing.
_NOTED_EVERY = {"session": dt.timedelta(minutes=1)}
NOTED_OTHERWISE = dt.timedelta(minutes=15)

# The prefix lets scanners of leaked secrets recognise ours; 32 random bytes follow.
_SHAPE = re.compile(r"siby_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Issued:
    """A token at the only moment at which it can be read."""

    token: str
    csrf: str | None
    created_at: dt.datetime
    expires_at: dt.datetime | None


@record
class Inside:
    """That there is a project, not deleted, and which role was given to an actor in it, if any."""

    project_id: int
    role: str | None


@record
class Owner:
    """Whom a token stands for: of an actor's row what each request asks for."""

    id: int
    kind: str
    email: str | None
    name: str
    admin: bool
    project_id: int | None
    form_id: str | None
    assigned_only: bool
    places: Sequence[Any]
    language: str | None
    link_bytes: int | None
    link_at: dt.datetime | None


@record
class Known:
    """A token that is good now, and whom it stands for."""

    sha256: bytes
    kind: str
    csrf: str | None
    expires_at: dt.datetime | None
    last_used_at: dt.datetime | None
    created_at: dt.datetime
    actor: Owner
    inside: Inside | None = None  # the project that was asked about


def issue_token(
    session: Session,
    actor_id: int,
    kind: str,
    now: dt.datetime,
    *,
    name: str | None = None,
    address: str | None = None,
    agent: str | None = None,
) -> Issued:
    """`kind` is api, device or public_link (until revoked), session (12 hours, 30 minutes idle), link (15 minutes) or
    half (10 minutes).

    A link signs in once. A half is given for a password to which a code belongs as well.
    """
    token = f"siby_{secrets.token_urlsafe(32)}"
    csrf = secrets.token_urlsafe(32) if kind == "session" else None
    lasts = _LASTS[kind]
    expires_at = now + lasts if lasts else None
    session.add(
        Token(
            sha256=digest(token),
            actor_id=actor_id,
            kind=kind,
            csrf=csrf,
            name=name,
            address=address,
            agent=agent,
            created_at=now,
            expires_at=expires_at,
        )
    )
    session.flush()
    return Issued(token, csrf, now, expires_at)


def find_token(session: Session, token: str, now: dt.datetime, project_id: int | None = None) -> Known | None:
    """None for a token that is unknown, revoked, expired or idle too long, or whose owner was disabled.

    A one-time link or a half is never found here; `use_link` and `half_way` take them. What the owner is in a project
    is looked up along the way.
    """
    if not is_well_formed(token):
        return None
    sha256 = digest(token)
    found = look_up(session, _FOUND, {"sha256": sha256, "project": project_id})
    if not found:
        return None
    stored, kind, csrf, created_at, expires_at, last_used_at, revoked_at, disabled_at, inside, role, *owner = found[0]
    if kind in _NOT_SHOWN or not hmac.compare_digest(stored, sha256):
        return None
    if revoked_at or disabled_at or (expires_at and expires_at <= now):
        return None
    if kind == "session" and now - (last_used_at or created_at) > SESSION_IDLE:
        return None
    known = Inside(inside, role) if inside is not None else None
    return Known(sha256, kind, csrf, expires_at, last_used_at, created_at, Owner(*owner), known)


_FOUND = (
    select(
        Token.sha256,
        Token.kind,
        Token.csrf,
        Token.created_at,
        Token.expires_at,
        Token.last_used_at,
        Token.revoked_at,
        Actor.disabled_at,
        Project.id,
        Assignment.role,
        *(getattr(Actor, field.name) for field in fields(Owner)),
    )
    .join(Actor, Actor.id == Token.actor_id)
    .outerjoin(Project, (Project.id == bindparam("project")) & Project.deleted_at.is_(None))
    .outerjoin(Assignment, (Assignment.project_id == Project.id) & (Assignment.actor_id == Actor.id))
    .where(Token.sha256 == bindparam("sha256"))
)


def is_well_formed(token: str) -> bool:
    """Whether it could be a token of ours at all."""
    return _SHAPE.fullmatch(token) is not None


def digest(token: str) -> bytes:
    """What is stored of a token: it is random enough that a plain hash cannot be turned back."""
    return hashlib.sha256(token.encode()).digest()


def is_due(known: Known, now: dt.datetime) -> bool:
    """Whether the last use of the token should be written down anew."""
    every = _NOTED_EVERY.get(known.kind, NOTED_OTHERWISE)
    return known.last_used_at is None or now - known.last_used_at >= every


def note_use(session: Session, sha256: bytes, now: dt.datetime) -> None:
    """Write down that the token was used."""
    session.execute(update(Token).where(Token.sha256 == sha256).values(last_used_at=now))


def revoke(session: Session, sha256: bytes, now: dt.datetime) -> bool:
    """From now on the token opens nothing; False if it did not before."""
    done = session.execute(
        update(Token).where(Token.sha256 == sha256, Token.revoked_at.is_(None)).values(revoked_at=now)
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]


def revoke_all(
    session: Session, actor_id: int, now: dt.datetime, kind: str | None = None, keep: bytes | None = None
) -> None:
    """End every session and token of an actor: those of one kind, if it is given, and not the one to `keep`."""
    query = update(Token).where(Token.actor_id == actor_id, Token.revoked_at.is_(None))
    if kind is not None:
        query = query.where(Token.kind == kind)
    if keep is not None:
        query = query.where(Token.sha256 != keep)
    session.execute(query.values(revoked_at=now))


def use_link(session: Session, token: str, now: dt.datetime) -> Actor | None:
    """Whom a one-time link signs in; it works once, also when two requests bring it at the same instant."""
    if not is_well_formed(token):
        return None
    row = session.get(Token, digest(token))
    if row is None or row.kind != "link" or row.expires_at is None or row.expires_at <= now:
        return None
    actor = session.get(Actor, row.actor_id)
    if actor is None or actor.disabled_at or not revoke(session, row.sha256, now):
        return None
    return actor


def is_session(session: Session, token: str) -> bool:
    """Whether this is the token of a session, which may have ended."""
    if not is_well_formed(token):
        return False
    return session.scalar(select(Token.kind).where(Token.sha256 == digest(token))) == "session"


def same_person(session: Session, sha256: bytes, csrf: str) -> bool:
    """Whether the one whom a token stands for had the session of this `csrf`, which may have ended."""
    now, before = aliased(Token), aliased(Token)
    query = select(before.csrf).join(now, now.actor_id == before.actor_id)
    return session.scalar(query.where(now.sha256 == sha256, before.csrf == csrf).limit(1)) is not None


def half_way(session: Session, token: str, now: dt.datetime) -> Actor | None:
    """Whose password was right a short while ago; the token stays good for another try until `revoke` ends it."""
    row = session.get(Token, digest(token)) if is_well_formed(token) else None
    if row is None or row.kind != "half" or row.revoked_at or row.expires_at is None or row.expires_at <= now:
        return None
    actor = session.get(Actor, row.actor_id)
    return None if actor is None or actor.disabled_at else actor


def tokens_of(session: Session, actor_id: int, kind: str, now: dt.datetime) -> list[Token]:
    """An actor's tokens of a kind that are good now, the newest first."""
    query = select(Token).where(
        Token.actor_id == actor_id,
        Token.kind == kind,
        Token.revoked_at.is_(None),
        or_(Token.expires_at.is_(None), Token.expires_at > now),
    )
    if kind == "session":
        query = query.where(func.coalesce(Token.last_used_at, Token.created_at) >= now - SESSION_IDLE)
    return list(session.scalars(query.order_by(Token.created_at.desc(), Token.sha256).limit(200)))
