"""Commands about who is the same person: learning to tell people apart, the pairs that wait, and lists to load."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from server import clock
from server.commands.common import HERE, installation_opened, project_named
from server.db import session
from sync.accounts.audit import record_act
from sync.dedup.importing import OUTCOMES, Comparison, Judged, compare_list, load_list
from sync.dedup.training import calibrate_list, train_list
from sync.indicators.moments import resolve_as_of
from sync.indicators.reading import Reading
from sync.journal import open_journal
from sync.models.database import begin_writing
from sync.review.match_queue import matches, waiting
from sync.review.match_view import reasons_of
from sync.review.match_words import doubt_words
from sync.review.matches import matching_list
from sync.review.records import records_of

_ROWS_SHOWN = 100


@click.group()
def people() -> None:
    """Who is the same person."""


@people.command(name="matches")
@click.option("--list", "name", default="people", show_default=True, help="The entity list.")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="How many pairs to show.")
@click.option("--lang", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Language of the words.")
@click.option("--project", help="Number or name; not needed if there is one project only.")
def matches_command(name: str, limit: int, lang: str, project: str | None) -> None:
    """Print the pairs that wait for a decision, those first on which most figures hang."""
    with installation_opened():
        project_id = project_named(project).id
        matching_list(session(), project_id, name)
        reading = Reading(session(), project_id, resolve_as_of(session(), project_id, None, clock.now()))
        left, page = waiting(reading, name), matches(reading, name, limit=limit)
        ends = {entity_id for one in page.items for entity_id in (one.pair.a, one.pair.b)}
        records = records_of(session(), project_id, name, ends)
        lines = [f"Open pairs: {left.pairs}, of which figures hang on {left.deciding}."]
        lines += [doubt_words(doubt, lang) for doubt in left.doubts]
        for one in page.items:
            pair = one.pair
            lines.append(f"{pair.id}  {pair.probability:.2f}  {records[pair.a].label}  =?  {records[pair.b].label}")
            lines += [f"    {reason.words}" for reason in reasons_of(pair.parts, lang)]
        _note("match.viewed", project_id, name, {"shown": len(page.items)})
        click.echo("\n".join(lines))


@people.command()
@click.option("--list", "name", default="people", show_default=True, help="The entity list.")
@click.option("--project", help="Number or name; not needed if there is one project only.")
@click.option("--decisions", is_flag=True, help="Only how sure a score is, as decided pairs teach it.")
def train(name: str, project: str | None, decisions: bool) -> None:
    """Learn from the records of a list how they are to be compared, and compare them anew. Decisions stay."""
    with installation_opened():
        journal = open_journal(session(), project_named(project).id, None, clock.now)
        matching_list(session(), journal.project_id, name)
        learnt = (calibrate_list if decisions else train_list)(journal, name)
        told = [f"Version {learnt.version}:", *_explained(learnt.explanation)]
        record_act(session(), journal.project_id, HERE, "people.trained", clock.now(), name)
        journal.close()
        session().commit()
        click.echo("\n".join(told))


@people.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--list", "name", default="people", show_default=True, help="The entity list.")
@click.option("--preview", is_flag=True, help="Change nothing; print who each row would be.")
@click.option("--project", help="Number or name; not needed if there is one project only.")
def import_command(file: Path, name: str, preview: bool, project: str | None) -> None:
    """Load an existing list (CSV, .xlsx or .xls). Whom its rows look like waits to be decided; nobody is merged."""
    with installation_opened():
        project_id, data = project_named(project).id, file.read_bytes()
        if preview:
            known = matching_list(session(), project_id, name)
            found = compare_list(session(), project_id, known, data, file.name, clock.now())
            _note("people.viewed", project_id, name, {"compared": len(found.rows)})
            click.echo("\n".join(_told(found)))
            return
        journal = open_journal(session(), project_id, None, clock.now)
        known = matching_list(session(), project_id, name)
        loaded = load_list(journal, known, data, file.name, {"name": file.name, "size": len(data)})
        details = {"created": loaded.created, "changed": loaded.changed, "matches": loaded.matches}
        record_act(session(), project_id, HERE, "entity.bulk.create", clock.now(), name, details)
        journal.close()
        session().commit()
        click.echo(f"{loaded.created} made, {loaded.changed} changed, {loaded.unchanged} as they were.")
        click.echo(f"Pairs that wait for a decision because of it: {loaded.matches}.")


def _explained(numbers: Mapping[str, Any], indent: str = "  ") -> list[str]:
    """The numbers behind a model, a line each."""
    lines = []
    for name, value in numbers.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}{name}:", *_explained(value, f"{indent}  ")]
        else:
            shown = f"{value:.4g}" if isinstance(value, float) else str(value)
            lines.append(f"{indent}{name}: {shown}")
    return lines


def _told(found: Comparison) -> list[str]:
    lines = [f"{found.counts[outcome]} {outcome}" for outcome in OUTCOMES if found.counts[outcome]]
    if found.crowded:
        lines.append(f"{found.crowded} compared with nobody: what they have in common, too many have.")
    lines += [str(finding) for finding in found.findings]
    shown = [row for row in found.rows if row.likely or row.line.faults]
    for row in shown[:_ROWS_SHOWN]:
        lines += _row(row)
    if len(shown) > _ROWS_SHOWN:
        lines.append(f"{len(shown) - _ROWS_SHOWN} more rows.")
    return lines


def _row(row: Judged) -> list[str]:
    lines = [f"row {row.line.number}: {row.line.label or row.line.called} — {row.outcome}"]
    for likely in row.likely:
        who = f"row {likely.row}" if likely.row is not None else likely.entity_id
        lines.append(f"    {likely.likeness.probability:.2f}  {likely.label} ({who})")
    return lines + [f"    {fault}" for fault in row.line.faults]


def _note(action: str, project_id: int, subject: str, details: dict[str, int]) -> None:
    begin_writing(session())
    record_act(session(), project_id, HERE, action, clock.now(), subject, details)
    session().commit()
