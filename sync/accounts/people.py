"""The actors: people with an e-mail address, and devices that belong to one project."""

from __future__ import annotations

import datetime as dt
import re
import secrets
from collections.abc import Sequence

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from sync.accounts.passwords import hash_password
from sync.accounts.roles import assign
from sync.accounts.tokens import Issued, issue_token, revoke_all
from sync.errors import Exists, NotFound, Unexpected
from sync.models import Actor, Project, Token

_EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+")
# A device that is shut out and still listed. Those that only stand for what came without one never had a token.
_OWN = aliased(Token)
_TOKENS = exists().where(_OWN.actor_id == Actor.id, _OWN.kind == "device")
HAS_LOST_ITS_TOKEN = _TOKENS & ~_TOKENS.where(_OWN.revoked_at.is_(None))
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
    session: Session,
    project_id: int,
    name: str,
    now: dt.datetime,
    places: Sequence[str] = (),
    *,
    assigned_only: bool = False,
) -> tuple[Actor, Issued]:
    """A device that may send to one project, with its one token. `places` bounds which rows of lists reach it.

    With `assigned_only` it gets no forms but those that it is given. Raises Exists for a name that is taken.
    """
    name = on_one_line(name)
    if session.get(Project, project_id) is None:
        raise NotFound("There is no such project.")
    if find_device(session, project_id, name) is not None:
        raise Exists(f"The project has a device called {name} already; give this one another name.")
    actor = _new_device(session, project_id, name, now, places)
    actor.assigned_only = assigned_only
    assign(session, actor.id, project_id, "collector")
    return actor, issue_token(session, actor.id, "device", now)


def add_public_link(
    session: Session, project_id: int, form_id: str, name: str, once: bool, now: dt.datetime
) -> tuple[Actor, Issued]:
    """A link by which anybody may fill in one form, with its token."""
    actor = Actor(
        id=_new_id(session, now),
        kind="public_link",
        name=on_one_line(name),
        admin=False,
        project_id=project_id,
        form_id=form_id,
        once=once,
        places=[],
        created_at=now,
    )
    session.add(actor)
    session.flush()
    return actor, issue_token(session, actor.id, "public_link", now)


def on_one_line(name: str) -> str:
    """The name of a device or link as it is kept. Raises Unexpected."""
    name = name.strip()
    if not name or not name.isprintable() or len(name) > 200:
        raise Unexpected("A name is a text of at most 200 characters on one line.")
    return name


def change_email(session: Session, actor: Actor, email: str) -> None:
    """Raises Unexpected for what is no address, Exists for one that another account has."""
    email = canonical_email(email)
    other = find_user(session, email)
    if other is not None and other.id != actor.id:
        raise Exists(f"There is an account for {email} already.")
    actor.email = email


def change_password(session: Session, actor: Actor, password: str, now: dt.datetime, keep: bytes | None) -> None:
    """A new password ends every session of the account but the one that `keep` names; its API tokens stay."""
    actor.password_hash = hash_password(password)
    actor.updated_at = now
    revoke_all(session, actor.id, now, kind="session", keep=keep)


def find_device(session: Session, project_id: int, name: str, *, shut_out: bool = False) -> Actor | None:
    """The project's device of this name: the one that may come in, or the last that is `shut_out` and still listed."""
    return session.scalar(
        select(Actor)
        .where(
            Actor.kind == "device",
            Actor.project_id == project_id,
            Actor.name == name,
            Actor.disabled_at.is_(None),
            HAS_LOST_ITS_TOKEN if shut_out else ~HAS_LOST_ITS_TOKEN,
        )
        .order_by(Actor.id.desc())
        .limit(1)
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
