"""Commands about who may come in: people and devices."""

from __future__ import annotations

import click

from server import clock, current
from server.commands.common import (
    HERE,
    account_of,
    address_of,
    device_named,
    give_role,
    installation_opened,
    project_named,
    server_option,
)
from server.db import session
from server.wire.qr import device_setup, settings_text, show_code
from sync.accounts.audit import NO_PROJECT, record_act
from sync.accounts.people import add_device, add_user, disable
from sync.accounts.roles import ROLES
from sync.accounts.tokens import LINK_LASTS, issue_token
from sync.models.database import begin_writing
from sync.projects.places import places_at


@click.group()
def user() -> None:
    """People with an account."""


@user.command(name="add")
@click.argument("email")
@click.option("--name", help="How pages call them.")
@click.option("--admin", is_flag=True, help="May do everything, in every project.")
@click.option("--project", help="Number or name of the project for --role; not needed if there is one only.")
@click.option("--role", type=click.Choice(ROLES), help="Role in the project.")
@click.option("--password", "asks", is_flag=True, help="Ask for a password; without one, siby login-link lets them in.")
@click.option("--token", is_flag=True, help="Print an API token, alone on the last line. It is shown this once.")
def user_add(
    email: str, name: str | None, admin: bool, project: str | None, role: str | None, asks: bool, token: bool
) -> None:
    """Make an account."""
    with installation_opened():
        at = project_named(project) if project or role else None
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True) if asks else None
        begin_writing(session())
        actor = add_user(session(), email, clock.now(), name=name, password=password, admin=admin)
        record_act(session(), NO_PROJECT, HERE, "user.added", clock.now(), str(actor.id), {"admin": admin})
        if at is not None:
            give_role(actor, at.id, role or "viewer")
        issued = issue_token(session(), actor.id, "api", clock.now()) if token else None
        session().commit()
        click.echo(f"{email} has an account{', and administers this installation' if admin else ''}.")
        if issued is not None:
            click.echo(issued.token)


@user.command(name="token")
@click.argument("email")
def user_token(email: str) -> None:
    """Print another API token for an account, alone on the last line. It is shown this once."""
    with installation_opened():
        begin_writing(session())
        actor = account_of(email)
        issued = issue_token(session(), actor.id, "api", clock.now())
        record_act(session(), NO_PROJECT, HERE, "token.made", clock.now(), str(actor.id))
        session().commit()
        click.echo(issued.token)


@user.command(name="role")
@click.argument("email")
@click.argument("role", type=click.Choice(ROLES))
@click.option("--project", help="Number or name; not needed if there is one project only.")
def user_role(email: str, role: str, project: str | None) -> None:
    """Give an account this role in a project, in place of any other."""
    with installation_opened():
        at = project_named(project)
        begin_writing(session())
        give_role(account_of(email), at.id, role)
        session().commit()
        click.echo(f"{email} is now {role} in {at.name}.")


@user.command(name="disable")
@click.argument("email")
def user_disable(email: str) -> None:
    """Shut an account out at once; every session and token of it ends."""
    with installation_opened():
        begin_writing(session())
        actor = account_of(email)
        disable(session(), actor, clock.now())
        record_act(session(), NO_PROJECT, HERE, "user.disabled", clock.now(), str(actor.id))
        session().commit()
        click.echo(f"{email} is shut out.")


@click.command(name="login-link")
@click.argument("email")
@server_option(help="Address of the server; else the public one, or this machine's.")
def login_link(email: str, address: str) -> None:
    """Print an address that signs an account in once, within 15 minutes."""
    with installation_opened():
        begin_writing(session())
        actor = account_of(email)
        issued = issue_token(session(), actor.id, "link", clock.now())
        record_act(session(), NO_PROJECT, HERE, "link.made", clock.now(), str(actor.id))
        session().commit()
        minutes = int(LINK_LASTS.total_seconds() // 60)
        click.echo(f"This signs {email} in once, within {minutes} minutes:", err=True)
        click.echo(f"{address_of(current.settings(), address)}/sign-in/link/{issued.token}")


# Devices


@click.group()
def device() -> None:
    """Devices that send data."""


@device.command(name="add")
@click.argument("name")
@click.option("--project", help="Number or name; not needed if there is one project only.")
@click.option("--place", "places", multiple=True, help="Only rows of lists below this place reach it; repeatable.")
@server_option(help="Address of the server in the code; else the public one.")
@click.option("--code/--no-code", default=True, help="Show a QR code.")
def device_add(name: str, project: str | None, places: tuple[str, ...], address: str, code: bool) -> None:
    """Make a device and print its token, alone on the last line, and a QR code that sets ODK Collect up with it.

    Both are shown this once.
    """
    with installation_opened():
        at = project_named(project)
        project_id, project_name = at.id, at.name
        tree = places_at(session(), project_id, None)
        if unknown := [place for place in places if tree.code_of(place) is None]:
            raise click.UsageError(f"{unknown[0]} is not a place of {project_name}; a place is given by its code.")
        places = tuple(str(tree.code_of(place)) for place in places)
        begin_writing(session())
        actor, issued = add_device(session(), project_id, name, clock.now(), places)
        record_act(session(), project_id, HERE, "device.added", clock.now(), str(actor.id))
        session().commit()
        if code:
            base = address_of(current.settings(), address)
            if not address and not current.settings().public_url:
                click.echo(f"The code leads to {base}, this machine; say --to or set SIBY_PUBLIC_URL.", err=True)
            show_code(settings_text(device_setup(base, project_id, project_name, name, issued.token)))
        click.echo(f"{name} may send to project {project_id}. Its token, which is shown this once:", err=True)
        click.echo(issued.token)


@device.command(name="revoke")
@click.argument("name")
@click.option("--project", help="Number or name; not needed if there is one project only.")
def device_revoke(name: str, project: str | None) -> None:
    """Shut a device out at once, and take it off the list. What it sent stays."""
    with installation_opened():
        at = project_named(project)
        project_id = at.id
        begin_writing(session())
        actor = device_named(project_id, name, shut_out=True)
        disable(session(), actor, clock.now())
        record_act(session(), project_id, HERE, "device.revoked", clock.now(), str(actor.id))
        session().commit()
        click.echo(f"{name} is shut out.")
