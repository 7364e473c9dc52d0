"""Commands about forms."""

from __future__ import annotations

from pathlib import Path

import click

from server import clock
from server.acts.uploads import require_no_warnings, since_published, tried
from server.commands.common import HERE, installation_opened, project_named
from server.db import release, session
from server.language.plurals import counted
from sync.accounts.audit import record_act
from sync.encryption.keys import keep_private, lock_key, private_key
from sync.journal import open_journal
from sync.models.database import begin_writing
from sync.projects.catalogue import latest_sheets
from sync.projects.publish import publish_form


@click.group()
def form() -> None:
    """Forms that devices fill in."""


@form.command(name="publish")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--project", help="Number or name; not needed if there is one project only.")
@click.option(
    "--media",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file that the form names; repeatable.",
)
@click.option("--ignore-warnings", is_flag=True, help="Publish it whatever there is to be looked at.")
def form_publish(file: Path, project: str | None, media: tuple[Path, ...], ignore_warnings: bool) -> None:
    """Publish a form from a workbook (.xlsx, .xls) or an XForm (.xml). The same again changes nothing."""
    with installation_opened():
        project_id = project_named(project).id
        neighbours = latest_sheets(session(), project_id)
        release()
        handed = tried(project_id, file.read_bytes(), file.stem, neighbours)
        require_no_warnings(handed, (), ignore_warnings)  # it tells them itself
        made = handed.workbook.form
        for finding in (*handed.warnings, *since_published(project_id, handed.workbook), *handed.notes):
            click.echo(f"Warning: {finding}", err=True)
        journal = open_journal(session(), project_id, None, clock.now)
        released = publish_form(journal, handed.workbook, {path.name: path.read_bytes() for path in media})
        record_act(session(), project_id, HERE, "form.published", clock.now(), made.form_id, {"version": made.version})
        journal.close()
        session().commit()
        if released is None:
            click.echo(f"{made.form_id} {made.version} is published already.")
            return
        click.echo(f"Published {made.form_id} {made.version}")
        if released:
            click.echo(f"{counted(released, 'submission')} waiting for it: filed.")


@form.command(name="key")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--project", help="Number or name; not needed if there is one project only.")
def form_key(file: Path, project: str | None) -> None:
    """Keep the private half of a key that forms brought along (PEM), locked with a passphrase that is asked for, so
    that whoever knows it can have the answers opened in exports."""
    key = private_key(file.read_bytes())
    passphrase = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True)
    with installation_opened():
        project_id = project_named(project).id
        release()
        locked = lock_key(key, passphrase)
        begin_writing(session())
        kept = keep_private(session(), project_id, locked)
        record_act(session(), project_id, HERE, "key.brought", clock.now(), str(kept.id))
        session().commit()
        click.echo(f"Exports open with it now, as key {kept.id}. Take the file away from this machine.")
