"""The command `siby`: setting an installation up, filling it, serving it, and looking after it."""

from __future__ import annotations

import contextlib
import hashlib
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from forms.findings import Faulty, Finding
from forms.programme import files_of, read_programme
from server import clock, current
from server.api.batches import read_batch
from server.app import create_app
from server.bodies import parse_json, unpack
from server.checkup import examine
from server.db import session
from server.logs import set_logs_up
from server.qr import show_code
from server.queries.submissions import how_many
from server.schema import migrate, require_up_to_date
from server.serve import is_free, serve
from server.settings import Settings, SettingsFaulty, describe_settings, load_settings
from sync.accounts.audit import NO_PROJECT, Origin, record_act
from sync.accounts.installation import found_installation
from sync.accounts.people import add_device, add_user, disable, find_user
from sync.accounts.roles import ROLES, assign
from sync.accounts.tokens import LINK_LASTS, issue_token
from sync.errors import NotFound, Refusal
from sync.indicators.figures import resolve_as_of
from sync.indicators.reading import Reading
from sync.indicators.recount import rebuild_portion, verify_portion
from sync.indicators.statements import compose
from sync.intake.receive import prepare_batch, store_batch
from sync.journal import open_journal
from sync.models import Actor, Project
from sync.models.database import begin_writing
from sync.projects.publish import load_programme

_HERE = Origin(None, None, "command line")


def main() -> None:
    """Run the command; whatever goes wrong for a reason becomes a sentence and an exit code."""
    warnings.filterwarnings("ignore", category=DeprecationWarning)
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
        _end("\n".join([refusal.detail, *_sentences(refusal.findings)]))
    except Faulty as faulty:
        _end("\n".join([f"{len(faulty.findings)} faults:", *_sentences(faulty.findings)]))
    except DBAPIError as error:
        _end(f"The database did not answer as it should: {str(error.orig).strip()}\nsiby doctor looks into it.")
    except OSError as error:
        _end(f"{error.strerror or error}: {error.filename}" if error.filename else str(error))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="siby", message="%(version)s")
def siby() -> None:
    """Siby turns village visits into figures that can be defended.

    Settings come from SIBY_… variables and siby.toml; `siby settings` lists them.
    """


@siby.command()
def init() -> None:
    """Make the database and the folder for files."""
    with _app(checked=False):
        migrate(current.settings())
        begin_writing(session())
        found_installation(session(), clock.now())
        session().commit()
        click.echo(f"Ready: {_shown_database(current.settings())}")
        click.echo("Next: siby load DIR, then siby user add EMAIL --admin, then siby serve.")


@siby.command(name="migrate")
def migrate_command() -> None:
    """Bring the database up to date with this version of the program."""
    with _app(checked=False):
        done = migrate(current.settings())
        click.echo(f"Done: {', '.join(done)}." if done else "Nothing to do.")


@siby.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--project", help="Load it into this project (number or name); else into the one of its name.")
def load(folder: Path, project: str | None) -> None:
    """Make or update a project from a programme folder. Doing it again changes nothing."""
    with _app():
        programme = read_programme(files_of(folder))
        project_id = _project(project).id if project else None
        journal, report = load_programme(session(), programme, None, clock.now(), project_id)
        details = {"published": report.published, "changed": report.changed}
        record_act(session(), journal.project_id, _HERE, "programme.loaded", clock.now(), details=details)
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


# People


@siby.group()
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
    with _app():
        at = _project(project) if project or role else None
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True) if asks else None
        begin_writing(session())
        actor = add_user(session(), email, clock.now(), name=name, password=password, admin=admin)
        record_act(session(), NO_PROJECT, _HERE, "user.added", clock.now(), str(actor.id), {"admin": admin})
        if at is not None:
            _assign(actor, at.id, role or "viewer")
        issued = issue_token(session(), actor.id, "api", clock.now()) if token else None
        session().commit()
        click.echo(f"{email} has an account{', and administers this installation' if admin else ''}.")
        if issued is not None:
            click.echo(issued.token)


@user.command(name="token")
@click.argument("email")
def user_token(email: str) -> None:
    """Print another API token for an account, alone on the last line. It is shown this once."""
    with _app():
        begin_writing(session())
        actor = _user(email)
        issued = issue_token(session(), actor.id, "api", clock.now())
        record_act(session(), NO_PROJECT, _HERE, "token.made", clock.now(), str(actor.id))
        session().commit()
        click.echo(issued.token)


@user.command(name="role")
@click.argument("email")
@click.argument("role", type=click.Choice(ROLES))
@click.option("--project", help="Number or name; not needed if there is one project only.")
def user_role(email: str, role: str, project: str | None) -> None:
    """Give an account this role in a project, in place of any other."""
    with _app():
        at = _project(project)
        begin_writing(session())
        _assign(_user(email), at.id, role)
        session().commit()
        click.echo(f"{email} is now {role} in {at.name}.")


@user.command(name="disable")
@click.argument("email")
def user_disable(email: str) -> None:
    """Shut an account out at once; every session and token of it ends."""
    with _app():
        begin_writing(session())
        actor = _user(email)
        disable(session(), actor, clock.now())
        record_act(session(), NO_PROJECT, _HERE, "user.disabled", clock.now(), str(actor.id))
        session().commit()
        click.echo(f"{email} is shut out.")


@siby.command(name="login-link")
@click.argument("email")
@click.option("--to", "address", default="", help="Address of the server; else the public one, or this machine's.")
def login_link(email: str, address: str) -> None:
    """Print an address that signs an account in once, within 15 minutes."""
    with _app():
        begin_writing(session())
        actor = _user(email)
        issued = issue_token(session(), actor.id, "link", clock.now())
        record_act(session(), NO_PROJECT, _HERE, "link.made", clock.now(), str(actor.id))
        session().commit()
        minutes = int(LINK_LASTS.total_seconds() // 60)
        click.echo(f"This signs {email} in once, within {minutes} minutes:", err=True)
        click.echo(f"{_base(current.settings(), address)}/sign-in/link/{issued.token}")


# Devices


@siby.group()
def device() -> None:
    """Devices that send data."""


@device.command(name="add")
@click.argument("name")
@click.option("--project", help="Number or name; not needed if there is one project only.")
@click.option("--place", "places", multiple=True, help="Only rows of lists below this place reach it; repeatable.")
@click.option("--to", "address", default="", help="Address of the server in the code; else the public one.")
@click.option("--code/--no-code", default=True, help="Show a QR code.")
def device_add(name: str, project: str | None, places: tuple[str, ...], address: str, code: bool) -> None:
    """Make a device and print its token, alone on the last line, and as a QR code. It is shown this once."""
    with _app():
        at = _project(project)
        project_id = at.id
        begin_writing(session())
        actor, issued = add_device(session(), project_id, name, clock.now(), places)
        record_act(session(), project_id, _HERE, "device.added", clock.now(), str(actor.id))
        session().commit()
        if code:
            show_code(f"{_base(current.settings(), address)}/v1/key/{issued.token}/projects/{project_id}")
        click.echo(f"{name} may send to project {project_id}. Its token, which is shown this once:", err=True)
        click.echo(issued.token)


@device.command(name="revoke")
@click.argument("name")
@click.option("--project", help="Number or name; not needed if there is one project only.")
def device_revoke(name: str, project: str | None) -> None:
    """Shut a device out at once. What it sent stays."""
    with _app():
        at = _project(project)
        project_id = at.id
        begin_writing(session())
        actor = _device(project_id, name)
        disable(session(), actor, clock.now())
        record_act(session(), project_id, _HERE, "device.revoked", clock.now(), str(actor.id))
        session().commit()
        click.echo(f"{name} is shut out.")


# Serving


@siby.command(name="serve")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option("--workers", type=click.IntRange(1, 64), help="Server processes.")
def serve_command(host: str | None, port: int | None, workers: int | None) -> None:
    """Serve people and devices until Ctrl-C."""
    chosen = {"host": host, "port": port, "workers": workers}
    settings = load_settings().but(**{name: value for name, value in chosen.items() if value is not None})
    set_logs_up(settings.log_format)
    if not is_free(settings.host, settings.port):
        raise click.ClickException(
            f"{settings.host}:{settings.port} cannot be listened on; it may be taken. Choose another with --port."
        )
    app = create_app(settings)
    with app.app_context():
        require_up_to_date()
    serve(app, settings)


# Figures


@siby.command()
@click.argument("name")
@click.option("--lang", help="Language of the text; else the project's first.")
@click.option("--as-of", help="An event's number, a date or a time; else now.")
@click.option("--period", default="all", show_default=True, help="2026, 2026-Q3, FY2026, 2026-01-01/2026-06-30 …")
@click.option("--place", help="Code of a place; everything below it is included.")
@click.option("--project", help="Number or name; not needed if there is one project only.")
def statement(
    name: str, lang: str | None, as_of: str | None, period: str, place: str | None, project: str | None
) -> None:
    """Print a statement, as Markdown."""
    with _app():
        project_id = _project(project).id
        reading = Reading(session(), project_id, resolve_as_of(session(), project_id, as_of, clock.now()))
        language = lang or next(iter(reading.settings["languages"]), "en")
        written = compose(reading, name, language, period=period, place=place, sees_small_cells=True)
        click.echo(written.to_markdown().rstrip())


@siby.group()
def indicators() -> None:
    """Everything that is worked out from submissions."""


@indicators.command()
@click.option("--project", help="Number or name; not needed if there is one project only.")
@click.option("--restart", is_flag=True, help="Begin at the first submission, not where an earlier run stopped.")
def rebuild(project: str | None, restart: bool) -> None:
    """Work everything out anew from the raw submissions. It may be stopped, and goes on where it was."""
    with _app():
        at = _project(project)
        project_id, after = at.id, 0 if restart else (at.rebuilt_to or 0)
        total, done, wrong = _submissions(project_id), 0, 0
        with _progress(total, "Rebuilding") as progress:
            going = True
            while going:
                journal = open_journal(session(), project_id, None, clock.now())
                portion = rebuild_portion(journal, after)
                journal.close()
                session().commit()
                done, wrong = done + portion.submissions, wrong + len(portion.differences)
                progress.update(portion.submissions)
                going, after = portion.upto is not None, portion.upto or 0
        click.echo(f"{done} submissions; {wrong} things were different.")


@indicators.command()
@click.option("--project", help="Number or name; not needed if there is one project only.")
def verify(project: str | None) -> None:
    """Compare everything with what the raw submissions say; changes nothing, and fails if anything differs."""
    with _app():
        project_id = _project(project).id
        done, differences, after = 0, list[str](), 0
        with _progress(_submissions(project_id), "Verifying") as progress:
            going = True
            while going:
                portion = verify_portion(session(), project_id, after)
                session().rollback()
                done += portion.submissions
                differences += portion.differences
                progress.update(portion.submissions)
                going, after = portion.upto is not None, portion.upto or 0
        for difference in differences[:50]:
            click.echo(difference)
        if differences:
            raise click.ClickException(f"{len(differences)} things differ. siby indicators rebuild mends them.")
        click.echo(f"{done} submissions are as their raw instances say.")


@siby.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--device", "name", required=True, help="Name of the device that filled it.")
@click.option("--project", help="Number or name; not needed if there is one project only.")
def intake(file: Path, name: str, project: str | None) -> None:
    """Take a batch from a file, as from a USB stick: JSON, or packed as .gz or .zst. Taking it again is safe."""
    with _app():
        project_id = _project(project).id
        actor_id = _device(project_id, name).id
        packing = {".gz": "gzip", ".zst": "zstd"}.get(file.suffix, "")
        body = unpack(file.read_bytes(), packing, current.settings().max_batch)
        batch = read_batch(parse_json(body))
        now = clock.now()
        prepared = prepare_batch(session(), project_id, batch, hashlib.sha256(body).digest(), now)
        result = store_batch(session(), prepared, actor_id, now)
        session().commit()
        for outcome, count in sorted(result.counts.items()):
            click.echo(f"{count} {outcome}")
        for receipt in result.receipts:
            if receipt["reason"]:
                click.echo(f"{receipt['instance_id'] or 'An item'}: {receipt['outcome']}: {receipt['reason']}")


# Looking after


@siby.command()
def doctor() -> None:
    """Versions, the database, free space, pending migrations: what an installation needs to be well."""
    with _app(checked=False):
        well = True
        for line in examine(current.settings()):
            click.echo(f"{'ok  ' if line.good else 'BAD '} {line.text}")
            well = well and line.good
        if not well:
            raise click.ClickException("Something needs to be looked at.")


@siby.command(name="settings")
def settings_command() -> None:
    """All settings, with their defaults and meanings."""
    for variable, _, default, meaning in describe_settings():
        click.echo(f"{variable:<24} {meaning}" + (f" Default: {default}." if default else ""))


@contextlib.contextmanager
def _app(checked: bool = True) -> Iterator[None]:
    """The application with a database session; `checked` refuses one that was not set up or is not up to date."""
    settings = load_settings()
    app = create_app(settings)
    with app.app_context():
        if checked:
            require_up_to_date()
        yield


def _project(named: str | None) -> Project:
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


def _user(email: str) -> Actor:
    actor = find_user(session(), email)
    if actor is None or actor.disabled_at:
        raise NotFound(f"There is no account for {email}; siby user add makes one.")
    return actor


def _device(project_id: int, name: str) -> Actor:
    actor = session().scalar(
        select(Actor).where(
            Actor.kind == "device", Actor.project_id == project_id, Actor.name == name, Actor.disabled_at.is_(None)
        )
    )
    if actor is None:
        raise NotFound(f"The project has no device called {name}; siby device add makes one.")
    return actor


def _assign(actor: Actor, project_id: int, role: str) -> None:
    assign(session(), actor.id, project_id, role)
    record_act(session(), project_id, _HERE, "role.given", clock.now(), str(actor.id), {"role": role})


def _submissions(project_id: int) -> int:
    return sum(how_many(session(), project_id).values())


def _progress(total: int, label: str) -> Any:
    return click.progressbar(length=total, label=label, file=sys.stderr)


def _base(settings: Settings, address: str) -> str:
    return address.rstrip("/") or settings.public_url or f"http://{settings.host}:{settings.port}"


def _shown_database(settings: Settings) -> str:
    return settings.folder.as_posix() if not settings.database else "the database in SIBY_DATABASE"


def _sentences(findings: list[Finding]) -> list[str]:
    return [str(finding) for finding in findings]


def _end(words: str) -> None:
    click.echo(f"Error: {words}", err=True)
    sys.exit(1)
