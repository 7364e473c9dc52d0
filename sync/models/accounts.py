"""Who may come in: people and devices, their tokens, and the throttle on wrong passwords. Shared by all projects."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey, Index, false
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base


class Server(Base):
    """One row: what this installation is.

    The epoch is new after every restore, so that devices offer their records again.
    """

    __tablename__ = "servers"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    epoch: Mapped[str]
    secret: Mapped[bytes]
    created_at: Mapped[dt.datetime]


class Actor(Base):
    """A person with an e-mail address, or a device that belongs to one project."""

    __tablename__ = "actors"
    __table_args__ = (Index("ix_actors_project_id", "project_id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]  # user | device | public_link
    email: Mapped[str | None] = mapped_column(unique=True)  # canonical: trimmed, lower case
    name: Mapped[str]
    password_hash: Mapped[str | None]
    admin: Mapped[bool] = mapped_column(default=False)  # of the whole installation
    project_id: Mapped[int | None]  # of a device or a public link
    form_id: Mapped[str | None]  # of a public link: the one form that it opens
    assigned_only: Mapped[bool] = mapped_column(
        default=False, server_default=false()
    )  # of a device: see FormAssignment
    once: Mapped[bool] = mapped_column(default=False, server_default=false())  # of a public link: one answer a browser
    places: Mapped[list[Any]] = mapped_column(default=list)  # of a device: only rows below these codes reach it
    properties: Mapped[dict[str, Any]] = mapped_column(
        default=dict, server_default="{}"
    )  # of a device, named by the project
    language: Mapped[str | None]
    link_bytes: Mapped[int | None]  # how much it was last advised to send at once
    link_at: Mapped[dt.datetime | None]  # and when
    totp_secret: Mapped[str | None]  # of the second factor
    totp_since: Mapped[dt.datetime | None]  # since when a code is asked for; before that the secret is only offered
    totp_step: Mapped[int | None]  # of the last code that was used: none is good twice
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime | None]
    disabled_at: Mapped[dt.datetime | None]


class Token(Base):
    """A secret that stands for an actor; only its SHA-256 is kept."""

    __tablename__ = "tokens"

    sha256: Mapped[bytes] = mapped_column(primary_key=True)
    actor_id: Mapped[int] = mapped_column(ForeignKey("actors.id"), index=True)
    kind: Mapped[str]  # session | api | device | link | public_link | half (the password was right, the code lacks)
    name: Mapped[str | None]  # what its owner calls an API token
    address: Mapped[str | None]  # of a session: from where it began
    agent: Mapped[str | None]  # and with which browser
    csrf: Mapped[str | None]
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime | None]
    last_used_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]


class RecoveryCode(Base):
    """Opens an account with a second factor once, in place of the phone; only its SHA-256 is kept."""

    __tablename__ = "recovery_codes"

    sha256: Mapped[bytes] = mapped_column(primary_key=True)
    actor_id: Mapped[int] = mapped_column(ForeignKey("actors.id"), index=True)
    used_at: Mapped[dt.datetime | None]


class Invitation(Base):
    """A link by which a person makes an account and gets a role; only its SHA-256 is kept."""

    __tablename__ = "invitations"

    sha256: Mapped[bytes] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    email: Mapped[str]
    role: Mapped[str]
    actor_id: Mapped[int]  # who invited
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]


class LoginFailures(Base):
    """Wrong passwords in a row, per account and per address; the wait doubles up to 15 minutes, never more."""

    __tablename__ = "login_failures"

    key: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
    until: Mapped[dt.datetime]
