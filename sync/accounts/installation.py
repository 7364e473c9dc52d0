"""What this installation is: one row with its epoch and its secret."""

from __future__ import annotations

import datetime as dt
import secrets

from sqlalchemy.orm import Session

from sync.models import Server

_ONLY = 1


def found_installation(session: Session, now: dt.datetime) -> Server:
    """The installation's row, made when there is none. The session must have begun to write."""
    row = session.get(Server, _ONLY)
    if row is None:
        row = Server(id=_ONLY, epoch=new_epoch(), secret=secrets.token_bytes(32), created_at=now)
        session.add(row)
        session.flush()
    return row


def installation(session: Session) -> Server | None:
    """The installation's row, None before `siby init`."""
    return session.get(Server, _ONLY)


def new_epoch() -> str:
    """A name for the time until the next restore; devices compare it, nothing is hidden in it."""
    return secrets.token_hex(8)
