"""Invitations: a link by which a person without an account makes one and gets a role in a project."""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sync.accounts.people import add_user, canonical_email, find_user
from sync.accounts.roles import ROLES, assign
from sync.accounts.tokens import digest, is_well_formed
from sync.errors import Exists, Gone, NotFound, Unexpected
from sync.models import Actor, Invitation, Project

LASTS = dt.timedelta(days=7)


class State(StrEnum):
    OPEN = "open"
    USED = "used"
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation at the only moment at which its link can be read."""

    invitation: Invitation
    token: str


def invite(session: Session, project_id: int, email: str, role: str, by: int, now: dt.datetime) -> Invited:
    """An open invitation of the same person to the project ends: one link is good. Raises Exists for an account."""
    email = canonical_email(email)
    if role not in ROLES:
        raise Unexpected(f"‘{role}’ is not a role. There are {', '.join(ROLES)}.")
    if find_user(session, email) is not None:
        raise Exists(f"There is an account for {email} already.")
    same = (Invitation.project_id == project_id) & (Invitation.email == email) & Invitation.used_at.is_(None)
    session.execute(update(Invitation).where(same, Invitation.revoked_at.is_(None)).values(revoked_at=now))
    token = f"siby_{secrets.token_urlsafe(32)}"
    made = Invitation(
        sha256=digest(token),
        project_id=project_id,
        email=email,
        role=role,
        actor_id=by,
        created_at=now,
        expires_at=now + LASTS,
    )
    session.add(made)
    session.flush()
    return Invited(made, token)


def open_invitations(session: Session, project_id: int, now: dt.datetime) -> list[Invitation]:
    """Those that can still be used, the newest first."""
    query = select(Invitation).where(
        Invitation.project_id == project_id,
        Invitation.used_at.is_(None),
        Invitation.revoked_at.is_(None),
        Invitation.expires_at > now,
    )
    return list(session.scalars(query.order_by(Invitation.created_at.desc(), Invitation.sha256).limit(200)))


def find_invitation(session: Session, token: str) -> Invitation | None:
    """None for a link that never was."""
    return session.get(Invitation, digest(token)) if is_well_formed(token) else None


def state_of(invitation: Invitation, now: dt.datetime) -> State:
    if invitation.used_at is not None:
        return State.USED
    if invitation.revoked_at is not None:
        return State.REVOKED
    return State.EXPIRED if invitation.expires_at <= now else State.OPEN


def revoke_invitation(session: Session, project_id: int, sha256: bytes, now: dt.datetime) -> Invitation:
    """Raises NotFound for one that is not open."""
    found = session.get(Invitation, sha256)
    if found is None or found.project_id != project_id or state_of(found, now) is not State.OPEN:
        raise NotFound
    found.revoked_at = now
    session.flush()
    return found


def accept(session: Session, token: str, name: str, password: str, now: dt.datetime) -> tuple[Actor, Invitation]:
    """Make the account with its role. Works once. Raises NotFound, Gone, Exists, Unexpected for the password."""
    found = find_invitation(session, token)
    if found is None or session.get_one(Project, found.project_id).deleted_at is not None:
        raise NotFound
    unused = update(Invitation).where(
        Invitation.sha256 == found.sha256,
        Invitation.used_at.is_(None),
        Invitation.revoked_at.is_(None),
        Invitation.expires_at > now,
    )
    if not session.execute(unused.values(used_at=now)).rowcount:  # type: ignore[attr-defined]
        raise Gone("This invitation has been used, was withdrawn or has expired.")
    actor = add_user(session, found.email, now, name=name.strip() or None, password=password)
    assign(session, actor.id, found.project_id, found.role)
    return actor, found
