"""An export from the request to the bytes: what it may hold, what it is called, how many rows, and the making of it."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, and_
from sqlalchemy.orm import Session

from sync.errors import Forbidden, NotFound, Unexpected
from sync.exports.cells import file_name
from sync.exports.csvfiles import Tally, entry, file_names, header_of, write_csv, write_csv_zip, zipped
from sync.exports.disguise import pseudonym_of, without_identity
from sync.exports.fields import Table, tables_of
from sync.exports.filters import compile_filter, hangs_on_time, names_in
from sync.exports.flat import is_called
from sync.exports.growing import Facts, Scratch, Sink
from sync.exports.lines import write_lines
from sync.exports.maps import position_column, write_geojson, write_kml
from sync.exports.naming import DELETED, among_of
from sync.exports.opening import Opener, unlock_keys
from sync.exports.options import FORMATS, Options
from sync.exports.source import Source
from sync.exports.spss import require_library, write_sav
from sync.exports.workbook import MOST_COLUMNS, write_workbook
from sync.intake.content import store_of
from sync.models import Form, Submission
from sync.review.view import find_submission


class RowsMissing(Exception):
    """Fewer or more rows were written than the database said there were: no whole export."""


@dataclass(frozen=True)
class Export:
    """An export that can be made. `tag` names its bytes, `line` what is common to those of all states of the data, and
    `wish` what was asked for, at whatever moment."""

    tag: str
    line: str
    wish: str
    facts: Facts
    source: Source

    def write(self, sink: Sink, scratch: Scratch) -> None:
        """Write all of it. Raises RowsMissing if it is not whole, and what says that it is not to be made further."""
        rows = _WRITERS[self.source.options.format](self.source, sink, scratch, self.facts.rows)
        if rows != self.facts.rows:
            raise RowsMissing(f"{rows} rows were written, {self.facts.rows} were there")
        sink.flush()


def prepare_export(
    session: Session,
    project_id: int,
    form_id: str,
    options: Options,
    now: dt.datetime,
    passphrases: Mapping[int, str] | None = None,
) -> Export:
    """Read what an export will be, in the snapshot that it will be made from.

    Raises NotFound for an unknown form or submission, Unexpected for what the form does not have, BadFilter, and
    Undecryptable for a wrong passphrase.
    """
    form = session.get(Form, (project_id, form_id))
    if form is None or form.deleted_at is not None:
        raise NotFound
    all_versions = tables_of(session, project_id, form_id)
    whole = all_versions if options.deleted_fields else _asked_now(all_versions)
    tables = whole if options.identifying else without_identity(whole, pseudonyms=options.pseudonyms)
    pseudonym = pseudonym_of(session, project_id) if options.pseudonyms else None
    keys = unlock_keys(session, project_id, passphrases or {})
    opener = Opener(session, project_id, form_id, all_versions, keys) if keys else None
    where = _narrowed(session, project_id, form_id, options, tables, now)
    deleted = bool(options.filter) and DELETED in names_in(options.filter or "")
    source = Source(session, project_id, form_id, options, tables, where, opener, pseudonym, deleted)
    require_possible(source, whole)
    state = source.state()
    moment = now if hangs_on_time(options.filter) else None
    # Whom an answer identifies may be said by another form, at any time.
    shown = [(table.identity, [(column.path, column.identifying) for column in table.columns]) for table in tables]
    line = options.digest(project_id, form_id, moment, shown, secrets.token_hex() if keys else None)
    # What was decrypted for one person is kept for nobody.
    facts = Facts(name_of(form_id, options), FORMATS[options.format], state.rows, once=bool(keys))
    tag = f"{line}-{options.digest(line, state.said)[:16]}"
    return Export(tag, line, wish_of(project_id, form_id, options), facts, source)


def wish_of(project_id: int, form_id: str, options: Options) -> str:
    """What tells a wish from others, whatever the data are."""
    return options.digest(project_id, form_id)


def name_of(form_id: str, options: Options) -> str:
    """What the file is called: as by Central, where an archive with files is `{form}.zip`."""
    stem = file_name(form_id if options.instance_id is None else f"{form_id}-{options.instance_id}")
    ending = "zip" if options.format == "csv.zip" and options.attachments else options.format
    return f"{stem}.{ending}"


def _asked_now(tables: Sequence[Table]) -> list[Table]:
    """What the newest version asks, with all that older ones know of it: other names, choices, whom it identifies."""
    newest = next(iter(tables[0].versions))
    found: dict[str, Table] = {}
    for table in tables:
        if newest in table.versions:
            columns = [column for column in table.columns if not column.deleted]
            parent = found[table.parent.identity] if table.parent else None
            found[table.identity] = replace(table, columns=columns, parent=parent)
    return list(found.values())


def _narrowed(
    session: Session, project_id: int, form_id: str, options: Options, tables: Sequence[Table], now: dt.datetime
) -> ColumnElement[bool] | None:
    """Which submissions are meant. One may filter by what one may see, and by nothing else."""
    found = []
    if options.instance_id is not None:
        found.append(Submission.id == find_submission(session, project_id, form_id, options.instance_id).id)
    if options.filter:
        seen = tables if options.identifying else without_identity(tables, pseudonyms=False)
        among = among_of(session, seen, seen[0], now=now, identifying=options.identifying)
        found.append(compile_filter(options.filter, among))
    return and_(*found) if found else None


def require_possible(source: Source, whole: list[Table]) -> None:
    """Raises Unexpected for what the form does not have, Forbidden for positions that the options leave out."""
    options = source.options
    languages = _languages(whole)
    if options.labels and languages and not any(is_called(name, options.labels) for name in languages):
        raise Unexpected(f"The form has no labels in ‘{options.labels}’. It has them in: {', '.join(languages)}.")
    if options.format in ("geojson", "kml"):
        try:
            position_column(source.tables, options.field)
        except Unexpected:
            if not options.identifying:
                position_column(whole, options.field)
                raise Forbidden("Positions tell where somebody lives; you may not export them.") from None
            raise
    if options.format == "xlsx":
        widest = max(len(header_of(table, source.outlets(table))) for table in source.tables)
        if widest > MOST_COLUMNS:
            raise Unexpected(f"This would be {widest:,} columns, and a sheet holds {MOST_COLUMNS:,}: ask for CSV.")
    if options.format.startswith("sav"):
        require_library()
    if options.format == "sav" and len(source.tables) > 1:
        raise Unexpected("This form has repeats, and a .sav file holds one table: ask for submissions.sav.zip.")


def _languages(tables: Sequence[Table]) -> list[str]:
    """Of the form's labels, as the workbook calls them; none where it has them in one that it does not name."""
    found = dict[str, None]()
    for table in tables:
        for column in table.columns:
            for labels in (column.labels, *(labels for _, labels in column.choices)):
                found |= dict.fromkeys(name for name in labels if name)
    return list(found)


def _csv(source: Source, sink: Sink, _scratch: Scratch, _rows: int) -> int:
    return write_csv(source, sink)


def _csv_zip(source: Source, sink: Sink, _scratch: Scratch, rows: int) -> int:
    return write_csv_zip(source, sink, store_of(source.session), rows)


def _sav(source: Source, sink: Sink, scratch: Scratch, _rows: int) -> int:
    tally = Tally()
    write_sav(source, source.tables[0], sink, scratch, tally)
    return tally.rows


def _sav_zip(source: Source, sink: Sink, scratch: Scratch, rows: int) -> int:
    tally = Tally()
    with zipped(sink) as archive:
        for table, name in file_names(source.form_id, source.tables, ".sav"):
            with entry(archive, name, large=True) as file:
                write_sav(source, table, file, scratch, tally)
        archive.comment = f"rows={tally.rows}".encode()
    return tally.rows


_WRITERS: dict[str, Callable[[Source, Sink, Scratch, int], int]] = {
    "csv": _csv,
    "csv.zip": _csv_zip,
    "xlsx": lambda source, sink, _scratch, rows: write_workbook(source, sink, rows),
    "geojson": lambda source, sink, _scratch, _rows: write_geojson(source, sink),
    "kml": lambda source, sink, _scratch, _rows: write_kml(source, sink),
    "sav": _sav,
    "sav.zip": _sav_zip,
    "jsonl": lambda source, sink, _scratch, _rows: write_lines(source, sink),
}
