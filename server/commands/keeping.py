"""Commands that keep an installation safe: backup, and back."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from server import clock
from server.commands.common import HERE, installation_opened
from server.language.plurals import counted
from server.upkeep.keeping import backing_up, restore
from sync.errors import Exists
from sync.keeping.archive import Archive, Origin, Tally, save

VERIFY = "verify"


@click.command()
@click.argument("target")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def backup(target: str, file: Path | None) -> None:
    """Save everything into one file, while the server works: siby backup FILE (a folder: under a name with the time; -:
    to standard output).

    siby backup verify FILE reads a backup through and says whether it is whole.
    """
    if target == VERIFY:
        if file is None:
            raise click.UsageError("Say which backup: siby backup verify FILE.")
        _verify(file)
    elif file is not None:
        raise click.UsageError("Say siby backup FILE, or siby backup verify FILE.")
    else:
        _back_up(target)


@click.command(name="restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore_command(file: Path) -> None:
    """Read a backup into an empty installation: all of it or nothing. Stop the server before."""
    with installation_opened(checked=False), file.open("rb") as source:
        done = restore(source, HERE)
    click.echo(f"Restored what was saved on {done.origin.moment:%Y-%m-%d %H:%M} UTC: {_counted(done.tally)}.")
    _tell_lacking(done.tally)
    if done.migrated:
        click.echo(f"Brought up to date: {', '.join(done.migrated)}. Next: siby indicators rebuild.")
    click.echo(f"The epoch is {done.epoch} now: devices offer again what they still hold, and send what is missing.")
    if done.held:
        click.echo(
            f"{counted(done.held, 'webhook')} paused, so that a copy for practice tells nobody. If this is the server "
            "that everybody uses from now on, an administrator of each project lets them go on: Data, Webhooks."
        )


def _back_up(target: str) -> None:
    with installation_opened(checked=False):  # it is made before the migrations
        tally = Tally()
        pieces = backing_up(HERE, tally)
        if target == "-":
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        path = _path(Path(target))
        size = save(pieces, path)
        click.echo(f"Saved to {path}: {_counted(tally)}, {size / 2**20:,.1f} MB.")
        _tell_lacking(tally)
        click.echo(f"It is not encrypted. Next: siby backup verify {path}, and take it elsewhere.")


def _verify(file: Path) -> None:
    with file.open("rb") as source:
        whole = Archive(source)
        members = whole.members()
        origin = next(members)
        for _ in members:
            pass
    if isinstance(origin, Origin):
        age = clock.now() - origin.moment
        click.echo(f"Whole: {_counted(whole.tally)}.")
        click.echo(
            f"Saved on {origin.moment:%Y-%m-%d %H:%M} UTC, {age.days} days and {age.seconds // 3600} hours ago, "
            f"by Siby {origin.program} (migration {origin.migration})."
        )
    _tell_lacking(whole.tally)


def _path(target: Path) -> Path:
    if target.is_dir():
        return target / f"siby-{clock.now():%Y-%m-%dT%H%M%S}.tar.zst"
    if target.exists():
        raise Exists(f"{target} is there already; a backup never replaces another.")
    return target


def _counted(tally: Tally) -> str:
    rows = tally.rows
    return (
        f"{counted(rows.get('projects', 0), 'project')}, {counted(rows.get('submissions', 0), 'submission')}, "
        f"{rows.get('actors', 0):,} people and devices, {counted(tally.files, 'file')}"
    )


def _tell_lacking(tally: Tally) -> None:
    if tally.lacking:
        click.echo(f"Files that were not in the folder and could not be saved: {', '.join(tally.lacking)}", err=True)
