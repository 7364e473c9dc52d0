"""The actors: people with an e-mail address, and devices that belong to one project."""

from __future__ import annotations

import datetime as dt
import re
import secrets
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from sync.accounts.passwords import hash_password
from sync.accounts.roles import assign
from sync.accounts.tokens import Issued, issue_token, revoke_all
from sync.errors import Exists, NotFound, Unexpected
from sync.models import Actor, Project

_EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+")
_EPOCH = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


def canonical_email(email: str) -> str:
    """The form in which addresses are compared. Raises Unexpected for what is none."""
    email = email.strip().lower()
    if not _EMAIL.fullmatch(email) or len(email) > 320:
        raise Unexpected("This is not an e-mail address.")
    return email


def add_user(
    session: Session,
    email: str,
    now: dt.datetime,
    *,
    name: str | None = None,
    password: str | None = None,
    admin: bool = False,
) -> Actor:
    """Make an account. Without a password it can be entered by token or one-time link only. Raises Exists."""
    email = canonical_email(email)
    if find_user(session, email) is not None:
        raise Exists(f"There is an account for {email} already.")
    actor = Actor(
        id=_new_id(session, now),
        kind="user",
        email=email,
        name=name or email.split("@")[0],
        password_hash=hash_password(password) if password is not None else None,
        admin=admin,
        places=[],
        created_at=now,
    )
    session.add(actor)
    session.flush()
    return actor


def find_user(session: Session, email: str) -> Actor | None:
    """The account for an address, also one that was disabled."""
    return session.scalar(select(Actor).where(Actor.email == email.strip().lower(), Actor.kind == "user"))


def add_device(
    session: Session, project_id: int, name: str, now: dt.datetime, places: Sequence[str] = ()
) -> tuple[Actor, Issued]:
    """A device that may send to one project, with its one token. `places` bounds which rows of lists reach it."""
    name = name.strip()
    if not name or not name.isprintable() or len(name) > 200:
        raise Unexpected("A device's name is a text of at most 200 characters on one line.")
    if session.get(Project, project_id) is None:
        raise NotFound("There is no such project.")
    if find_device(session, project_id, name) is not None:
        raise Exists(f"The project has a device called {name} already; give this one another name.")
    actor = _new_device(session, project_id, name, now, places)
    assign(session, actor.id, project_id, "collector")
    return actor, issue_token(session, actor.id, "device", now)


def find_device(session: Session, project_id: int, name: str) -> Actor | None:
    """The project's device of this name; none that was shut out."""
    return session.scalar(
        select(Actor).where(
            Actor.kind == "device", Actor.project_id == project_id, Actor.name == name, Actor.disabled_at.is_(None)
        )
    )


def add_stand_in(session: Session, project_id: int, name: str, now: dt.datetime) -> Actor:
    """A device for what came without one. It has neither token nor role: nobody can sign in as it."""
    return _new_device(session, project_id, name, now)


def disable(session: Session, actor: Actor, now: dt.datetime) -> None:
    """Shut an actor out at once: every session and token ends. What they did stays."""
    actor.disabled_at = now
    revoke_all(session, actor.id, now)


def _new_device(session: Session, project_id: int, name: str, now: dt.datetime, places: Sequence[str] = ()) -> Actor:
    actor = Actor(
        id=_new_id(session, now),
        kind="device",
        name=name,
        admin=False,
        project_id=project_id,
        places=list(places),
        created_at=now,
    )
    session.add(actor)
    session.flush()
    return actor


def _new_id(session: Session, now: dt.datetime) -> int:
    """Sorted by time, and below 2^53, so that it is exact as a number in any client."""
    milliseconds = (now - _EPOCH) // dt.timedelta(milliseconds=1)
    new = (milliseconds << 12) | secrets.randbits(12)
    while session.get(Actor, new) is not None:  # several were made at one moment
        new += 1
    return new
