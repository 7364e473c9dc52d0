"""The tables of a form's draft as an OData service: what people filled in to try it out."""

from __future__ import annotations

from urllib.parse import quote

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from server import current
from server.db import session
from server.door.guards import needs
from server.odata.answers import XML, counted, data, rows_document, speak_odata, tag_of
from server.odata.feed import Feed, Shown
from server.odata.forms import Target, find_target, is_meant, note_read, require_expandable, sought_by
from server.odata.metadata import form_metadata, service_document
from server.odata.options import COUNT, MOST_INSIDE, read_options, require_type, require_version, to_count
from server.wire.answers import known_already, tagged
from server.wire.documents import documented
from sync.errors import NotFound
from sync.exports.fields import Table, tables_of_draft
from sync.exports.naming import wire_table
from sync.exports.trials import trial_page, trial_repeat_page
from sync.models import DraftSubmission

bp = Blueprint("odata_drafts", __name__, url_prefix="/v1/projects/<int:pid>/forms/<fid>")
speak_odata(bp)


@bp.get("/draft.svc")
@needs("submissions.read")
@documented("odata", answer="application/json")
def get_draft_service(pid: int, fid: str) -> ResponseReturnValue:
    """The tables of a form's draft."""
    require_version()
    require_type("application/json")
    tables = tables_of_draft(session(), pid, fid)
    document = service_document(_root(pid, fid), [wire_table(tables, table) for table in tables])
    return data(tag_of(0, repr(document)), lambda: document)


@bp.get("/draft.svc/$metadata")
@needs("submissions.read")
@documented("odata", answer="application/xml")
def get_draft_metadata(pid: int, fid: str) -> ResponseReturnValue:
    """The schema of the draft's tables, EDMX 4.0."""
    require_version()
    require_type(XML)
    tables = tables_of_draft(session(), pid, fid)
    shown = {table.identity: [column.path for column in table.columns] for table in tables}
    return tagged(form_metadata(fid, tables, shown), XML)


@bp.get("/draft.svc/<path:resource>")
@needs("submissions.read")
@documented("odata", answer="application/json")
def get_draft_rows(pid: int, fid: str, resource: str) -> ResponseReturnValue:
    """Rows of what was filled in to try the draft out, newest first; with `/$count` at the end how many there are."""
    require_version()
    options, counting = read_options(), resource.endswith(COUNT)
    if counting:
        options = to_count(options, MOST_INSIDE)
    else:
        require_type("application/json")
    tables = tables_of_draft(session(), pid, fid)
    target = find_target(tables, resource.removesuffix(COUNT))
    if counting and target.key is not None:
        raise NotFound
    require_expandable(tables, target, options)
    sought = sought_by(options, identifying=True, of=_number(pid, fid, target))
    feed = Feed(tables, target.table, Shown(True, options.wkt, options.chosen))
    name = wire_table(tables, target.table)
    if target.table.parent is None:
        page = trial_page(session(), pid, fid, tables, sought)
        rows = [feed.submission(row) for row in page.rows]
        following, count = page.next, page.count
    else:
        repeated = trial_repeat_page(session(), pid, fid, tables, target.table, sought)
        rows = [feed.iteration(row) for row in repeated.rows if is_meant(tables, target, row)]
        following, count = repeated.next, repeated.count
    if counting:
        return counted(count if target.instance_id is None else len(rows))
    document = rows_document(_root(pid, fid), name, resource, rows, options, following, count, len(rows))
    tag = _tag(pid, fid, tables, repr(document))
    if options.after is None and not known_already(tag):
        note_read(pid, f"{fid}/draft/{name}")
    return data(tag, lambda: document)


def _number(pid: int, fid: str, target: Target) -> int | None:
    if target.instance_id is None:
        return None
    number = session().scalar(
        select(DraftSubmission.number).where(
            DraftSubmission.project_id == pid,
            DraftSubmission.form_id == fid,
            DraftSubmission.instance_id == target.instance_id,
        )
    )
    if number is None:
        raise NotFound
    return number


def _tag(pid: int, fid: str, tables: list[Table], document: str) -> str:
    return tag_of(0, pid, fid, len(tables), document)


def _root(pid: int, fid: str) -> str:
    return current.own_address(f"/projects/{pid}/forms/{quote(fid, safe='')}/draft.svc")
