"""The tables of a form as an OData service."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from flask import Blueprint
from flask.typing import ResponseReturnValue
from orjson import Fragment
from sqlalchemy import select

from server import current
from server.db import session
from server.door.guards import needs
from server.kept.remembered import state_of
from server.odata.answers import (
    JSON,
    XML,
    counted,
    data,
    paged,
    rows_document,
    speak_odata,
    tag_of,
    written,
)
from server.odata.feed import Feed, Shown
from server.odata.metadata import form_metadata, service_document
from server.odata.options import (
    COUNT,
    MOST_INSIDE,
    Options,
    read_options,
    require_type,
    require_version,
    to_count,
)
from server.odata.photos import linker
from server.wire.answers import known_already, tagged
from server.wire.documents import documented
from sync.accounts.audit import record_act
from sync.errors import NotFound, NotImplementedHere
from sync.exports.fields import SUBMISSIONS, Table, repeats_in, tables_of
from sync.exports.filters import hangs_on_time
from sync.exports.naming import WireNames, wire_table
from sync.exports.pages import RowsPage, Sought, repeat_page, submission_page
from sync.exports.row_ids import parent_id, row_id, steps
from sync.exports.rows import RepeatedRow
from sync.models import SubmissionVersion
from sync.models.database import begin_reading, begin_writing

bp = Blueprint("odata_forms", __name__, url_prefix="/v1/projects/<int:pid>/forms")
speak_odata(bp)

_KEYED = re.compile(r"(?P<name>[^('/]+)\('(?P<key>(?:[^']|'')*)'\)")


@dataclass(frozen=True, slots=True)
class Target:
    """What an address below the service root means: a table, and of it perhaps one submission's part, or one row.

    `around` is the id of the row in which the rows lie, `key` that of the one row that is wanted.
    """

    table: Table
    instance_id: str | None = None
    around: str | None = None
    key: str | None = None


@bp.get("/<fid>.svc")
@needs("data.export")
@documented("odata", answer="application/json")
def get_service(pid: int, fid: str) -> ResponseReturnValue:
    """The tables of a form: its submissions, and its repeats."""
    require_version()
    require_type("application/json")
    tag = _tag(pid)  # before the tables: what is newer than its tag is asked for once more, what is older never again
    tables = tables_of(session(), pid, fid)
    root = _root(pid, fid)
    return data(tag, lambda: service_document(root, [wire_table(tables, table) for table in tables]))


@bp.get("/<fid>.svc/$metadata")
@needs("data.export")
@documented("odata", answer="application/xml")
def get_metadata(pid: int, fid: str) -> ResponseReturnValue:
    """The schema of the tables, EDMX 4.0."""
    require_version()
    require_type(XML)
    tables, sees = tables_of(session(), pid, fid), _sees_people()
    shown = {
        table.identity: [column.path for column in table.columns if sees or not column.identifying] for table in tables
    }
    return tagged(form_metadata(fid, tables, shown), XML)


@bp.get("/<fid>.svc/<path:resource>")
@needs("data.export")
@documented("odata", answer="application/json")
def get_rows(pid: int, fid: str, resource: str) -> ResponseReturnValue:
    """Rows of a table, one submission, or the repeats in it.

    `$filter` and `$orderby` take any field, `$top`, `$skip`, `$count`, `$select`, `$expand=*`, `$search` and `$wkt` as
    OData has them. More than fits one answer goes on at `@odata.nextLink`, each row once while new ones arrive.
    `links=true` puts addresses that show files in place of their names, for those who may see files. With `/$count` at
    the end it is how many rows there are, as plain text.
    """
    require_version()
    if resource.endswith(COUNT):
        return _count(pid, fid, resource.removesuffix(COUNT))
    require_type("application/json")
    options = read_options()
    begin_reading(session())
    sees = _sees_people()
    links = options.links and sees
    # Before the tables: what is newer than its tag is asked for once more, what is older never again.
    tag = _tag(pid, sees, current.now() if _moves(options) else None, current.now().date() if links else None)
    tables = tables_of(session(), pid, fid)
    target = find_target(tables, resource)
    require_expandable(tables, target, options)
    if known_already(tag):
        return tagged(b"", JSON, tag)
    shown = Shown(sees, options.wkt, options.chosen, linker(pid, fid) if links else None)
    page = _page(pid, fid, tables, target, options, shown)
    name = wire_table(tables, target.table)
    if options.after is None:
        note_read(pid, f"{fid}/{name}")

    root = _root(pid, fid)
    return paged(
        tag,
        page,
        options,
        lambda asked: _page(pid, fid, tables, target, asked, shown),
        lambda rows, following, sent: rows_document(root, name, resource, rows, options, following, page.count, sent),
    )


def _count(pid: int, fid: str, resource: str) -> ResponseReturnValue:
    options = read_options()
    begin_reading(session())
    tables = tables_of(session(), pid, fid)
    target = find_target(tables, resource)
    if target.key is not None:
        raise NotFound
    whole = target.instance_id is None
    page = _page(pid, fid, tables, target, to_count(options, 0 if whole else MOST_INSIDE), Shown(_sees_people()))
    return counted(page.count if whole else len(page.rows))


def find_target(tables: Sequence[Table], resource: str) -> Target:
    """Raises NotFound for what leads nowhere."""
    for table in tables:
        if resource == wire_table(tables, table):
            return Target(table)
    first = _KEYED.match(resource)
    if first is None or first["name"] != SUBMISSIONS:
        raise NotFound
    key = _unquoted(first["key"])
    target, rest = Target(tables[0], key, key=key), resource[first.end() :]
    while rest:
        target, rest = _step(tables, target, rest)
    return target


def _step(tables: Sequence[Table], target: Target, rest: str) -> tuple[Target, str]:
    """One repeat further in: `/visit/people`, `/visit/people('…')`."""
    if target.key is None:
        raise NotFound
    repeats = repeats_in(tables, target.table)
    names = WireNames(target.table, repeats)
    for repeat in repeats:
        way = "/" + "/".join(names.of(repeat.within))
        if not rest.startswith(way):
            continue
        after = rest[len(way) :]
        if keyed := re.match(r"\('((?:[^']|'')*)'\)", after):
            return Target(repeat, target.instance_id, target.key, _unquoted(keyed[1])), after[keyed.end() :]
        if not after:
            return Target(repeat, target.instance_id, target.key), ""
    raise NotFound


def _page(
    pid: int, fid: str, tables: Sequence[Table], target: Target, options: Options, shown: Shown
) -> RowsPage[Fragment]:
    of = _submission_id(pid, fid, target.instance_id) if target.instance_id is not None else None
    sought = sought_by(options, identifying=shown.identifying, of=of)
    feed = Feed(tables, target.table, shown)
    if target.table.parent is None:
        page = submission_page(session(), pid, fid, tables, sought, lambda row: written(feed.submission(row)))
        if of is not None and not page.rows:
            raise NotFound
        return page
    if of is None:
        return repeat_page(session(), pid, fid, tables, target.table, sought, lambda row: written(feed.iteration(row)))
    inside = repeat_page(session(), pid, fid, tables, target.table, sought, lambda row: row)
    kept = [written(feed.iteration(row)) for row in inside.rows if is_meant(tables, target, row)]
    if target.key is not None and not kept:
        raise NotFound
    return RowsPage(kept, inside.next, inside.count)


def require_expandable(tables: Sequence[Table], target: Target, options: Options) -> None:
    """Rows of a repeat hold nothing of the repeats inside. Raises NotImplementedHere where those are wanted."""
    if options.chosen.expand and target.table.parent is not None and repeats_in(tables, target.table):
        raise NotImplementedHere("$expand is done in Submissions: $expand=* brings all repeats, each in its place.")


def sought_by(options: Options, *, identifying: bool, of: int | None = None) -> Sought:
    """What the request asks for, as `sync` takes it."""
    return Sought(
        limit=options.page,
        now=current.now(),
        filter=options.filter,
        search=options.search,
        orderby=options.orderby,
        skip=options.skip,
        after=options.after,
        count=options.count,
        identifying=identifying,
        of=of,
    )


def is_meant(tables: Sequence[Table], target: Target, row: RepeatedRow) -> bool:
    """Whether a row of the repeat is one of those that the address means."""
    table = target.table
    if target.around is not None and parent_id(row.instance_id, tables, table, row.places) != target.around:
        return False
    return target.key is None or row_id(row.instance_id, steps(tables, table), row.places) == target.key


def _submission_id(pid: int, fid: str, instance_id: str) -> int:
    found = session().scalar(
        select(SubmissionVersion.submission_id).where(
            SubmissionVersion.project_id == pid,
            SubmissionVersion.form_id == fid,
            SubmissionVersion.instance_id == instance_id,
        )
    )
    if found is None:
        raise NotFound
    return found


def _root(pid: int, fid: str) -> str:
    return current.own_address(f"/projects/{pid}/forms/{quote(fid, safe='')}.svc")


def _sees_people() -> bool:
    """Whether what identifies people is for this visitor."""
    return current.has_right("submissions.read")


def _tag(pid: int, *more: object) -> str:
    return tag_of(state_of(session(), pid), current.own_address(""), *more)


def _moves(options: Options) -> bool:
    """Whether the same question has another answer a moment later."""
    return hangs_on_time(options.filter, options.orderby)


def _unquoted(text: str) -> str:
    return text.replace("''", "'")


def note_read(pid: int, table: str) -> None:
    """Somebody took rows along: it goes into the audit trail with the first page."""
    begin_writing(session())
    record_act(session(), pid, current.origin(), "odata.read", current.now(), table)
    session().commit()
