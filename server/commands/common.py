"""What commands share: an opened installation, and finding what a name means."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial

import click
from sqlalchemy import select

from server import clock
from server.app import create_app
from server.db import session
from server.settings import Settings, load_settings, read_address
from server.upkeep.schema import require_up_to_date
from sync.accounts.audit import Origin, record_act
from sync.accounts.people import add_stand_in, find_device, find_user
from sync.accounts.roles import assign
from sync.errors import NotFound
from sync.models import Actor, Project
from sync.models.database import begin_writing

HERE = Origin(None, None, "command line")
BY_HAND = "batches from files"


@contextlib.contextmanager
def installation_opened(checked: bool = True) -> Iterator[None]:
    """The application with a database session; `checked` refuses one that was not set up or is not up to date."""
    settings = load_settings()
    app = create_app(settings)
    with app.app_context():
        if checked:
            require_up_to_date()
        yield


def project_named(named: str | None) -> Project:
    """The project of this number or name, or the only one."""
    rows = session().scalars(select(Project).where(Project.archived_at.is_(None)).order_by(Project.id)).all()
    if named is not None:
        rows = [row for row in rows if named in (str(row.id), row.name)]
        if not rows:
            raise click.UsageError(f"There is no project {named!r}.")
    if not rows:
        raise click.UsageError("There is no project yet; siby load DIR makes one.")
    if len(rows) > 1:
        known = ", ".join(f"{row.id} ({row.name})" for row in rows)
        raise click.UsageError(f"There are several projects: {known}. Say which with --project.")
    return rows[0]


def account_of(email: str) -> Actor:
    """The account for an address. Raises NotFound, also for one that was shut out."""
    actor = find_user(session(), email)
    if actor is None or actor.disabled_at:
        raise NotFound(f"There is no account for {email}; siby user add makes one.")
    return actor


def device_named(project_id: int, name: str, *, shut_out: bool = False) -> Actor:
    """The device of this name; if there is none, one that is `shut_out` and still listed. Raises NotFound."""
    actor = find_device(session(), project_id, name)
    if actor is None and shut_out:
        actor = find_device(session(), project_id, name, shut_out=True)
    if actor is None:
        raise NotFound(f"The project has no device called {name}; siby device add makes one.")
    return actor


def sender_of(project_id: int, name: str | None, written: object) -> Actor:
    """The device that filled a batch: the one named, else the one whose name is written in the batch, else a stand-in.

    Raises NotFound for a named one that there is not.
    """
    if name is not None:
        return device_named(project_id, name)
    for known in (written, BY_HAND):
        if isinstance(known, str) and (actor := find_device(session(), project_id, known)):
            return actor
    begin_writing(session())
    actor = add_stand_in(session(), project_id, BY_HAND, clock.now())
    record_act(session(), project_id, HERE, "device.added", clock.now(), str(actor.id))
    session().commit()
    return actor


def give_role(actor: Actor, project_id: int, role: str) -> None:
    """Assign the role, and write it into the audit trail."""
    assign(session(), actor.id, project_id, role)
    record_act(session(), project_id, HERE, "role.given", clock.now(), str(actor.id), {"role": role})


def _told(_context: click.Context, _option: click.Parameter, address: str) -> str:
    try:
        return read_address(address)
    except ValueError as wanted:
        raise click.BadParameter(f"‘{address}’ is not {wanted}.") from None


# Looked at before anything is made that is shown only once.
server_option = partial(click.option, "--to", "address", default="", callback=_told)


def address_of(settings: Settings, address: str) -> str:
    """Where the server is reached: as told, else the public address, else this machine."""
    return address or settings.public_url or f"http://{settings.host}:{settings.port}"
