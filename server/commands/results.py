"""Commands about what comes of the visits: statements, what is derived, and batches from a file."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from server import clock, current
from server.api.batches import read_batch
from server.commands.common import installation_opened, project_named, sender_of
from server.db import session
from server.queries.submissions import how_many
from server.serve import spare_what_is_loaded
from server.wire.bodies import parse_batch, unpack
from sync.accounts.roles import fillable_forms
from sync.errors import TooLarge
from sync.indicators.moments import resolve_as_of
from sync.indicators.reading import Reading
from sync.indicators.recount import rebuild_from, verify_portion
from sync.intake.prepare import sha256_of
from sync.intake.receive import prepare_batch, store_batch
from sync.statements.statements import compose, head_of, on_paper, statements_at

_NOT_ALL_FILED = 3
# So long, for each second at it, a rebuild lets go: who waits for the lock of SQLite's file only looks now and then.
_REST, _LONGEST_REST = 0.1, 1.0


@click.command()
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
    with installation_opened():
        project_id = project_named(project).id
        reading = Reading(session(), project_id, resolve_as_of(session(), project_id, as_of, clock.now()))
        language = lang or next(iter(reading.settings["languages"]), "en")
        known = statements_at(session(), project_id, reading.as_of.event).get(name, [])
        if lang is not None and known and lang not in known:
            raise click.UsageError(f"‘{name}’ is not written in ‘{lang}’; it is in {', '.join(known)}.")
        written = compose(reading, name, language, period=period, place=place, sees_small_cells=True)
        click.echo(written.to_markdown(head_of(written, on_paper(reading, written))).rstrip())


@click.group()
def indicators() -> None:
    """Everything that is worked out from submissions."""
    spare_what_is_loaded()


@indicators.command()
@click.option("--project", help="Number or name; not needed if there is one project only.")
@click.option("--restart", is_flag=True, help="Begin at the first submission, not where an earlier run stopped.")
def rebuild(project: str | None, restart: bool) -> None:
    """Work everything out anew from the raw submissions. It may be stopped, and goes on where it was."""
    with installation_opened():
        at = project_named(project)
        project_id, after = at.id, 0 if restart else (at.rebuilt_to or 0)
        total, done, wrong = _submissions(project_id), 0, 0
        with _progress(total, "Rebuilding") as progress:
            began = time.monotonic()
            for portion in rebuild_from(session(), project_id, after, clock.now):
                session().commit()
                done, wrong = done + portion.submissions, wrong + len(portion.differences)
                progress.update(portion.submissions)
                time.sleep(min(_REST * (time.monotonic() - began), _LONGEST_REST))
                began = time.monotonic()
        click.echo(f"{done} submissions; {wrong} things were different.")


@indicators.command()
@click.option("--project", help="Number or name; not needed if there is one project only.")
def verify(project: str | None) -> None:
    """Compare everything with what the raw submissions say; changes nothing, and fails if anything differs."""
    with installation_opened():
        project_id = project_named(project).id
        done, differences, after = 0, list[str](), 0
        with _progress(_submissions(project_id), "Verifying") as progress:
            going = True
            while going:
                portion = verify_portion(session(), project_id, after)
                done += portion.submissions
                differences += portion.differences
                progress.update(portion.submissions)
                going, after = portion.upto is not None, portion.upto or 0
        for difference in differences[:50]:
            click.echo(difference)
        if differences:
            raise click.ClickException(f"{len(differences)} things differ. siby indicators rebuild mends them.")
        click.echo(f"{done} submissions are as their raw instances say.")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--device", "name", help="Name of the device that filled it; else the one that the batch names.")
@click.option("--project", help="Number or name; not needed if there is one project only.")
def intake(file: Path, name: str | None, project: str | None) -> None:
    """Take a batch from a file, as from a USB stick: JSON, or packed as .gz or .zst. Taking it again is safe.

    Ends with 3 if something of it was not filed: it waits in quarantine, or was refused. Photos and other files are
    not in it; what is still missing is told.
    """
    with installation_opened():
        project_id = project_named(project).id
        body, batch = _batch_in(file)
        actor = sender_of(project_id, name, batch.get("device"))
        actor_id, bound = actor.id, fillable_forms(session(), actor, project_id)
        prepared = prepare_batch(session(), project_id, batch, sha256_of(body), clock.now(), bound)
        result = store_batch(session(), prepared, actor_id, clock.now)
        session().commit()
        for outcome, count in sorted(result.counts.items()):
            click.echo(f"{count} {outcome}")
        for number, receipt in enumerate(result.receipts, 1):
            named = f"item {number} ({receipt['instance_id']})" if receipt["instance_id"] else f"item {number}"
            if receipt["reason"]:
                click.echo(f"{named}: {receipt['outcome']}: {receipt['reason']}")
            if receipt["missing"]:
                click.echo(f"{named}: files still missing: {len(receipt['missing'])}")
    if any(receipt["reason"] for receipt in result.receipts):
        sys.exit(_NOT_ALL_FILED)


def _batch_in(file: Path) -> tuple[bytes, dict[str, object]]:
    """The bytes of a batch, unpacked, and what they say."""
    packing = {".gz": "gzip", ".zst": "zstd"}.get(file.suffix, "")
    limits = current.settings()
    try:
        body = unpack(file.read_bytes(), packing, limits.max_batch)
        return body, read_batch(parse_batch(body))
    except TooLarge:
        most = f"at most {limits.batch_items} items and {limits.batch_mb} MB, unpacked"
        raise click.ClickException(f"A batch may have {most} (SIBY_BATCH_ITEMS, SIBY_BATCH_MB).") from None


def _submissions(project_id: int) -> int:
    return sum(how_many(session(), project_id).values())


def _progress(total: int, label: str) -> Any:
    return click.progressbar(length=total, label=label, file=sys.stderr)
