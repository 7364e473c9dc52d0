"""Commands that move a project in from another server."""

from __future__ import annotations

import click

from server.commands.common import installation_opened, project_named
from server.language.plurals import counted
from server.moving.central import Central
from server.moving.fetching import Stopped
from server.moving.found import Elsewhere
from server.moving.kobo import Kobo
from server.moving.moving import Moved, move_in
from server.moving.openrosa import OpenRosa
from sync.errors import Refusal

_INTO = "Number or name of the project here that it goes into; else a new one is made."


@click.group()
def move() -> None:
    """Move in from another server. It may be stopped and begun again; nothing comes twice."""


@move.command()
@click.argument("url")
@click.option("--number", type=int, required=True, help="Number of the project on ODK Central.")
@click.option("--email", required=True, help="Account there; it has to be a manager of the project.")
@click.password_option("--password", envvar="SIBY_MOVE_PASSWORD", confirmation_prompt=False, help="Asked for.")
@click.option("--project", help=_INTO)
def central(url: str, number: int, email: str, password: str, project: str | None) -> None:
    """A project on ODK Central at URL: forms, submissions, entity lists, people."""
    with installation_opened():
        _move(Central.signed_in(url, number, email, password), url, project)


@move.command()
@click.argument("url")
@click.password_option(
    "--token",
    envvar="SIBY_MOVE_TOKEN",
    confirmation_prompt=False,
    help="Of an account; its server shows it at /token/.",
)
@click.option("--form", "forms", multiple=True, metavar="UID", help="Only this form; may be given again.")
@click.option("--project", help=_INTO)
def kobo(url: str, token: str, forms: tuple[str, ...], project: str | None) -> None:
    """The deployed forms on KoboToolbox at URL, where forms are made: with submissions, files and people."""
    with installation_opened():
        _move(Kobo(url, token, forms), url, project)


@move.command()
@click.argument("url")
@click.option("--name", required=True, help="User name there.")
@click.password_option("--password", envvar="SIBY_MOVE_PASSWORD", confirmation_prompt=False, help="Asked for.")
@click.option("--project", help=_INTO)
def openrosa(url: str, name: str, password: str, project: str | None) -> None:
    """What Ona, ODK Aggregate or an older KoboToolbox has at URL, its OpenRosa address: forms and submissions."""
    with installation_opened():
        _move(OpenRosa(url, name, password), url, project)


def _move(elsewhere: Elsewhere, url: str, project: str | None) -> None:
    into = project_named(project).id if project else None
    host = url.split("://")[-1].partition("#")[0].strip("/")
    try:
        moved = move_in(elsewhere, into, host, lambda line: click.echo(line, err=True))
    except (Refusal, Stopped) as problem:
        raise click.ClickException(str(problem)) from problem
    _tell(moved)
    if moved.problems:
        raise SystemExit(1)


def _tell(moved: Moved) -> None:
    for problem in moved.problems:
        click.echo(f"NOT moved: {problem}", err=True)
    for form_id, (there, here) in moved.counted.items():
        click.echo(f"{form_id}: {counted(there, 'submission')} there, {here:,} here.")
    click.echo(
        f"Project {moved.project_id}: {counted(moved.versions, 'form version')}, "
        f"{counted(moved.submissions, 'submission')} with {counted(moved.files, 'file')}, "
        f"{counted(moved.entities, 'entity', 'entities')}, {counted(moved.users, 'person', 'people')}. "
        f"Here before: {counted(moved.here_before, 'submission')}."
    )
    if moved.stand_ins:
        click.echo(
            f"Older versions that nobody has any more are filed by the last one: {', '.join(moved.stand_ins)}. What "
            "they asked beyond it stays in the raw submission."
        )
    for form_id, address in moved.sent_elsewhere.items():
        if address:
            click.echo(
                f"{form_id}: tablets send what is filled in to {address}, not here. Publish a version without "
                "submission_url."
            )
    if moved.without_role:
        click.echo(
            f"Without a role here: {', '.join(moved.without_role)}. No address of theirs is told there, they have no "
            "right to some of the forms, or the project here has other forms too. siby user add gives them one."
        )
    if moved.users:
        click.echo("People have no password yet: siby login-link EMAIL lets each of them in.")
    click.echo(f"What arrives there from now on comes with the same command and --project {moved.project_id}.")
    click.echo("Tablets need a new code: siby device add NAME shows one.")
