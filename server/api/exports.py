"""Exports of a form's submissions: CSV as ODK Central lays it out, spreadsheets, maps, SPSS, JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate

from server import current
from server.acts.exporting import PATIENCE_SECONDS, deliver, described, forgo, is_known, kept_for, resume
from server.api.schemas import Strict, text
from server.db import db, release, session
from server.door.guards import needs
from server.logs import log
from server.wire.answers import done
from server.wire.bodies import has_body, holds_what_no_text_has, load, parse_json, read_body
from server.wire.documents import documented
from sync.accounts.audit import record_act
from sync.errors import Forbidden, NotImplementedHere, Unexpected
from sync.exports.exporting import prepare_export, wish_of
from sync.exports.options import Options
from sync.exports.source import open_snapshot
from sync.intake.content import session_info
from sync.models.database import begin_writing

bp = Blueprint("exports", __name__, url_prefix="/v1/projects/<int:pid>/forms/<fid>")

_CENTRAL = ("csv", "csv.zip")
_LONGEST_PASSPHRASE = 1000
_MOST_KEYS = 5
_OF_FORMS = ("", "application/x-www-form-urlencoded", "multipart/form-data")
_NEITHER = "The body is a form or a JSON object: options by name, passphrases by the number of their key."


class ExportQuery(Strict):
    """What of the submissions, and in which words. `{keyId}={passphrase}` come in the body of a POST."""

    attachments = fields.Boolean()
    groupPaths = fields.Boolean(load_default=True)  # noqa: N815 — the wire's names
    splitSelectMultiples = fields.Boolean(load_default=False)  # noqa: N815
    deletedFields = fields.Boolean()  # noqa: N815
    identifying = fields.Boolean()
    pseudonyms = fields.Boolean(load_default=False)
    safeCells = fields.Boolean(load_default=True)  # noqa: N815
    bom = fields.Boolean(load_default=False)
    labels = text()
    fieldpath = text()
    limit = fields.Integer(validate=validate.Range(min=1, max=2**31))
    filter = fields.String(data_key="$filter", validate=validate.Length(max=10_000))


@bp.route(
    "/submissions.<any('csv', 'csv.zip', xlsx, geojson, kml, sav, 'sav.zip', jsonl):kind>", methods=["GET", "POST"]
)
@needs("data.export")
@documented("exports", query=ExportQuery, answer="application/octet-stream")
def export_submissions(pid: int, fid: str, kind: str) -> ResponseReturnValue:
    """All submissions in one file. X-Total-Rows says how many; with If-Range and Range a cut download goes on."""
    return export_file(pid, fid, kind)


@bp.delete("/submissions.<any('csv', 'csv.zip', xlsx, geojson, kml, sav, 'sav.zip', jsonl):kind>")
@needs("data.export")
@documented("exports", query=ExportQuery, answer="application/json")
def delete_export(pid: int, fid: str, kind: str) -> ResponseReturnValue:
    """Whoever was told to ask again wants the file no more. Unless others wait for it, no more of it is made."""
    forgo_file(pid, fid, kind)
    return done()


@bp.get("/submissions/<iid>.geojson")
@needs("data.export")
@documented("exports", query=ExportQuery, answer="application/geo+json")
def export_submission(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """One submission on the map."""
    return export_file(pid, fid, "geojson", iid)


def export_file(
    pid: int, fid: str, kind: str, iid: str | None = None, *, patience: float = PATIENCE_SECONDS
) -> Response:
    """What the request asks for. Raises BeingMade if so many seconds bring no first byte; it is made nevertheless,
    for the time when they ask again."""
    given, passphrases = _given()
    options = _options(kind, given, iid)
    current.store().require_room()
    release()
    snapshot = open_snapshot(db.engine, session_info(current.store()))
    with ExitStack() as opened:
        opened.callback(snapshot.close)
        export = prepare_export(snapshot, pid, fid, options, current.now(), passphrases)
        if is_known(export) or request.method == "HEAD":
            return described(export, 304 if is_known(export) else 200)
        earlier = kept_for(export)
        said = {"decrypted": export.facts.once, "resumed": earlier is not None}
        note_export(pid, fid, options, export.facts.rows, **said)
        if earlier is not None and (rest := resume(export, earlier, patience)) is not None:
            return rest
        opened.pop_all()  # whoever makes the export ends its snapshot
    return deliver(export, patience)


def forgo_file(pid: int, fid: str, kind: str) -> None:
    """Asked by whoever waits for what the same request, as a GET, asks for. Raises NotFound if nobody told them to."""
    given, _ = _given()
    forgo(wish_of(pid, fid, _options(kind, given, None)))


def note_export(pid: int, fid: str, options: Options, rows: int, **more: bool) -> None:
    """Write down who exports what, before the first byte leaves. The filter may hold names, and is left out."""
    details = {
        "format": options.format,
        "rows": rows,
        "identifying": options.identifying,
        "pseudonyms": options.pseudonyms,
        "attachments": options.attachments,
        "filtered": options.filter is not None,
        **more,
    }
    begin_writing(session())
    record_act(session(), pid, current.origin(), "data.exported", current.now(), fid, details)
    session().commit()
    release()
    log("exported", project=pid, form=fid, format=options.format, rows=rows)


def asked_of_draft(kind: str) -> Options:
    """What the request asks of a file of this kind that holds no other files. Raises NotImplementedHere where it is to
    hold them."""
    given, _ = _given()
    if given.get("attachments"):
        raise NotImplementedHere("The export of a draft holds no photos and other files; ask without attachments=true.")
    return _options(kind, given | {"attachments": False}, None)


def _options(kind: str, given: dict[str, Any], iid: str | None) -> Options:
    sees_all = current.has_right("submissions.read")
    pseudonyms: bool = given["pseudonyms"]
    identifying: bool = given.get("identifying", sees_all and not pseudonyms)
    if identifying and not sees_all:
        raise Forbidden("You may export no columns that tell who somebody is.")
    if identifying and pseudonyms:
        raise Unexpected("Pseudonyms stand in place of what identifies people: ask for one of both.")
    attachments = given.get("attachments", kind == "csv.zip") and kind == "csv.zip"
    if given.get("attachments") and not identifying:
        raise Forbidden("Photos and other files tell who somebody is; export them with identifying=true.")
    return Options(
        format=kind,
        attachments=attachments and identifying,
        group_paths=given["groupPaths"],
        split=given["splitSelectMultiples"],
        deleted_fields=given.get("deletedFields", kind not in _CENTRAL),
        identifying=identifying,
        pseudonyms=pseudonyms,
        guarded=given["safeCells"],
        bom=given["bom"],
        labels=given.get("labels"),
        filter=given.get("filter") or None,
        field=given.get("fieldpath") or None,
        limit=given.get("limit"),
        instance_id=iid,
    )


def _given() -> tuple[dict[str, Any], dict[int, str]]:
    """The options, from the address or the body, and the passphrases, from the body alone."""
    plain, passphrases = dict[str, str](), dict[int, str]()
    said = [(True, name, values) for name, values in request.args.lists()]
    for in_address, name, values in [*said, *((False, name, values) for name, values in _in_body())]:
        if name in ("st", "lang", "__csrf"):
            continue
        if len(values) > 1 or name in plain:
            raise Unexpected(f"Given more than once: {name}.")
        if not (name.isascii() and name.isdecimal()):
            plain[name] = values[0]
        elif in_address:
            raise Unexpected("Passphrases come in the body of a POST: addresses end up in logs.")
        elif values[0]:
            passphrases[int(name[:18])] = values[0][:_LONGEST_PASSPHRASE]
    if len(passphrases) > _MOST_KEYS:
        raise Unexpected(f"At most {_MOST_KEYS} passphrases in one export.")
    return load(ExportQuery(), plain), passphrases


def _in_body() -> Iterator[tuple[str, list[str]]]:
    """What a form or a JSON object says; ruODK sends an empty list where it has nothing to say."""
    if not request.is_json or request.method in ("GET", "HEAD"):
        if has_body() and request.mimetype not in _OF_FORMS:
            raise Unexpected(_NEITHER)
        return iter(request.form.lists())
    body = read_body()
    current.give_slot_back()  # the export is made elsewhere
    given = parse_json(body) if body.strip() else {}
    if holds_what_no_text_has(given) or not (isinstance(given, dict) or given == []):
        raise Unexpected(_NEITHER)
    odd = [name for name, value in dict(given).items() if not isinstance(value, str | int | None)]
    if odd:
        raise Unexpected(f"Of each option the body says a text, a number, true or false: {', '.join(odd)}.")
    return ((name, [_text(value)]) for name, value in dict(given).items() if value is not None)


def _text(value: str | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
