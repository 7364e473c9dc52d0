"""The command `siby`: setting an installation up, filling it, serving it, and looking after it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from stat import S_IMODE

import click
from sqlalchemy.exc import DBAPIError

from forms.findings import Faulty, Finding
from forms.programmes.programme import files_of, read_programme
from server import clock, current
from server.app import create_app
from server.commands.common import HERE, installation_opened, project_named
from server.commands.forms import form
from server.commands.keeping import backup, restore_command
from server.commands.matching import people
from server.commands.moving import move
from server.commands.people import device, login_link, user
from server.commands.practice import clock_command
from server.commands.results import indicators, intake, statement
from server.db import session
from server.logs import set_logs_up
from server.serve import serve, why_not_free
from server.settings import Settings, SettingsFaulty, describe_settings, load_settings
from server.upkeep.checkup import examine, unwritable
from server.upkeep.schema import migrate, require_up_to_date
from sync.accounts.audit import record_act
from sync.accounts.installation import found_installation
from sync.errors import Refusal
from sync.models.database import begin_writing
from sync.projects.publish import load_programme
from sync.statements.unloaded import read_over

_NOBODY_ELSE = 0o077


def main() -> None:
    """Run the command; whatever goes wrong for a reason becomes a sentence and an exit code."""
    try:
        siby.main(prog_name="siby", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except click.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except SettingsFaulty as error:
        _end(str(error))
    except Refusal as refusal:
        told = [sentence for sentence in _sentences(refusal.findings) if sentence not in refusal.detail]
        _end("\n".join([refusal.detail, *told]))
    except Faulty as faulty:
        found = len(faulty.findings)
        _end("\n".join([f"{found} fault{'' if found == 1 else 's'}:", *_sentences(faulty.told)]))
    except DBAPIError as error:
        _end(f"The database did not answer as it should: {str(error.orig).strip()}\nsiby doctor looks into it.")
    except OSError as error:
        what = f"{error.strerror or error}: {error.filename}" if error.filename else str(error)
        _end(f"{what}\nIs this the account that it belongs to?" if isinstance(error, PermissionError) else what)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="siby", message="%(version)s")
def siby() -> None:
    """Siby turns village visits into figures that can be defended.

    Settings come from SIBY_… variables and siby.toml; `siby settings` lists them.
    """
    os.umask(_NOBODY_ELSE)  # answers and passwords are nobody else's on this machine


_BESIDE = (
    user,
    device,
    form,
    login_link,
    statement,
    indicators,
    intake,
    people,
    move,
    backup,
    restore_command,
    clock_command,
)
for command in _BESIDE:
    siby.add_command(command)


@siby.command()
def init() -> None:
    """Make the database and the folder for files."""
    with installation_opened(checked=False):
        _keep_private(current.settings().folder)
        migrate(current.settings())
        begin_writing(session())
        found_installation(session(), clock.now())
        session().commit()
        click.echo(f"Ready: {_shown_database(current.settings())}")
        click.echo("Next: siby load DIR, then siby user add EMAIL --admin, then siby serve.")


@siby.command(name="migrate")
def migrate_command() -> None:
    """Bring the database up to date with this version of the program."""
    with installation_opened(checked=False):
        _keep_private(current.settings().folder)
        done = migrate(current.settings())
        click.echo(f"Done: {', '.join(done)}." if done else "Nothing to do.")


@siby.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--project", help="Load it into this project (number or name); else into the one of its name.")
def load(folder: Path, project: str | None) -> None:
    """Make or update a project from a programme folder. Doing it again changes nothing."""
    with installation_opened():
        project_id = project_named(project).id if project else None
        programme = read_programme(files_of(folder), partial(read_over, session(), project_id, clock.now()))
        journal, report = load_programme(session(), programme, None, clock.now, project_id)
        details = {"published": report.published, "changed": report.changed}
        record_act(session(), journal.project_id, HERE, "programme.loaded", clock.now(), details=details)
        journal.close()
        session().commit()
        for finding in report.warnings:
            click.echo(f"Warning: {finding}", err=True)
        for published in report.published:
            click.echo(f"Published {published}")
        for changed in report.changed:
            click.echo(f"Changed {changed}")
        if not report.published and not report.changed:
            click.echo("Nothing was different.")
        if report.released:
            click.echo(f"Released {report.released} from quarantine.")
        click.echo(f"Project {report.project_id}: {programme.settings.name}")


@siby.command(name="serve")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option("--workers", type=click.IntRange(1, 64), help="Server processes.")
def serve_command(host: str | None, port: int | None, workers: int | None) -> None:
    """Serve people and devices until Ctrl-C."""
    chosen = {"host": host, "port": port, "workers": workers}
    settings = load_settings().but(**{name: value for name, value in chosen.items() if value is not None})
    set_logs_up(settings.log_format)
    app = create_app(settings)
    _keep_private(settings.folder)
    with app.app_context():
        require_up_to_date()
    if (closed := unwritable(settings)) is not None:
        raise click.ClickException(f"Nothing can be written to {closed}. Is this the account that it belongs to?")
    if (why := why_not_free(settings.host, settings.port)) is not None:
        raise click.ClickException(
            f"{settings.host}:{settings.port} cannot be listened on: {why}. Choose another with --port or --host."
        )
    serve(app, settings)


@siby.command()
def doctor() -> None:
    """Versions, the database, free space, pending migrations: what an installation needs to be well."""
    with installation_opened(checked=False):
        well = True
        for line in examine(current.settings()):
            click.echo(f"{'BAD ' if not line.good else 'todo' if line.advises else 'ok  '} {line.text}")
            well = well and line.good
        if not well:
            raise click.ClickException("Something needs to be looked at.")


@siby.command(name="settings")
def settings_command() -> None:
    """All settings, with their defaults and meanings."""
    for variable, _, default, meaning in describe_settings():
        click.echo(f"{variable:<24} {meaning}" + (f" Default: {default}." if default else ""))


def _keep_private(folder: Path) -> None:
    """Whoever else could look into the folder, as it was made by hand or by an earlier release, no longer can."""
    with suppress(PermissionError):  # another account's, who knows why they may
        folder.chmod(S_IMODE(folder.stat().st_mode) & ~_NOBODY_ELSE)


def _shown_database(settings: Settings) -> str:
    return settings.folder.as_posix() if not settings.database else "the database in SIBY_DATABASE"


def _sentences(findings: list[Finding]) -> list[str]:
    return [str(finding) for finding in findings]


def _end(words: str) -> None:
    click.echo(f"Error: {words}", err=True)
    sys.exit(1)
