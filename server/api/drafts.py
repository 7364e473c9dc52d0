"""Drafts of forms: handed in, tried out through a door of their own, published or thrown away."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate
from sqlalchemy import select

from forms.form import Flag
from server import current
from server.acts.changing import begin
from server.acts.uploads import XLS, XLSX, Handed, read_handed, require_no_warnings, since_published
from server.api.exports import ExportQuery, asked_of_draft, note_export
from server.api.form_files import send_file
from server.api.forms import finish, workbook_of, xform_of
from server.api.schemas import ListQuery, Strict
from server.api.shapes import kinds_in, show_fields, show_file, show_forms
from server.db import session
from server.door.guards import needs
from server.language.sentences import flags_said
from server.language.words import words
from server.openrosa.answers import of_openrosa_too
from server.openrosa.formlist import form_path, maker_of
from server.queries.forms import drafts_of
from server.wire.answers import answer, disposition, done, download_instance
from server.wire.bodies import has_body, read_body, read_json, read_query
from server.wire.documents import documented
from server.wire.problems import as_json
from server.wire.qr import Setup, code_png, code_svg, settings_text
from sync.errors import FormDeleted, NotFound, Unexpected
from sync.exports.csvfiles import write_csv, write_csv_zip
from sync.exports.exporting import name_of
from sync.exports.options import FORMATS
from sync.exports.trials import trials_for
from sync.intake.prepare import unpack
from sync.journal import Journal
from sync.models import DraftFile, DraftSubmission, Form, FormDraft, StoredFile
from sync.projects.catalogue import compiled_draft
from sync.projects.drafts import (
    copy_to_draft,
    discard_draft,
    draft_files,
    draft_of,
    empty_draft_file,
    fill_draft_file,
    link_draft_file,
    publish_draft,
    put_draft,
)
from sync.projects.manifest import hashes_of
from sync.projects.media import type_of
from sync.review.flags import as_stored

bp = Blueprint("drafts", __name__, url_prefix="/v1/projects/<int:pid>/forms/<fid>")


class DraftQuery(ListQuery):
    """Whether to pass over warnings."""

    ignoreWarnings = fields.Boolean(load_default=False)  # noqa: N815 — the wire's name


class PublishQuery(ListQuery):
    """The version to publish it under, if it is to be another."""

    version = fields.String(load_default=None, validate=validate.Length(max=500))


class FieldsQuery(ListQuery):
    """Whether names are to be as OData has them."""

    odata = fields.Boolean(load_default=False)


class LinkSchema(Strict):
    """Whether the entity list of its name stands for a file."""

    dataset = fields.Boolean(required=True)


@bp.post("/draft")
@needs("project.manage")
@documented("drafts", query=DraftQuery, body=XLSX)
def post_draft(pid: int, fid: str) -> ResponseReturnValue:
    """Make a draft from a workbook or an XForm; without a body, from what is published."""
    ignored = read_query(DraftQuery())["ignoreWarnings"]
    _require_form(pid, fid)
    if not has_body():
        journal = begin(pid)
        copy_to_draft(journal, fid)
        finish(journal, "form.drafted", fid)
        return done()
    handed = read_handed(pid, fid)
    require_same_form(handed, fid)
    require_no_warnings(handed, since_published(pid, handed.workbook), ignored)
    journal = begin(pid)
    put_draft(journal, handed.workbook)
    finish(journal, "form.drafted", fid)
    warnings = [as_json(finding) for finding in (*handed.warnings, *handed.notes)]
    return answer({"success": True} | ({"warnings": warnings} if warnings else {}))


@bp.get("/draft")
@needs("project.manage")
@documented("drafts", answer="application/json")
def get_draft(pid: int, fid: str) -> ResponseReturnValue:
    """The draft, with the token that opens it for trying out."""
    found = drafts_of(session(), pid, fid)
    if not found:
        raise NotFound
    return answer(show_forms(pid, found)[0])


@bp.delete("/draft")
@needs("project.manage")
@documented("drafts")
def delete_draft(pid: int, fid: str) -> ResponseReturnValue:
    """Throw the draft away, with the answers that were given to try it out."""
    journal = begin(pid)
    discard_draft(journal, fid)
    finish(journal, "form.draft_discarded", fid)
    return done()


@bp.post("/draft/publish")
@needs("project.manage")
@documented("drafts", query=PublishQuery)
def publish(pid: int, fid: str) -> ResponseReturnValue:
    """Publish the draft: from now on devices get it. What was sent to try it out goes."""
    version = read_query(PublishQuery())["version"]
    journal = begin(pid)
    released = publish_draft(journal, fid, version)
    details = {"version": session().get_one(Form, (pid, fid)).version, "released": released}
    finish(journal, "form.published", fid, details)
    return done()


@bp.get("/draft.xml")
@needs("drafts.try")
@of_openrosa_too
@documented("drafts", answer="text/xml")
def get_draft_xml(pid: int, fid: str) -> ResponseReturnValue:
    """The XForm of the draft."""
    return xform_of(draft_of(session(), pid, fid))


@bp.get("/draft.xlsx")
@needs("project.manage")
@documented("drafts", answer=XLSX)
def get_draft_workbook(pid: int, fid: str) -> ResponseReturnValue:
    """The workbook that the draft was made from."""
    return workbook_of(draft_of(session(), pid, fid), "xlsx")


@bp.get("/draft.xls")
@needs("project.manage")
@documented("drafts", answer=XLS)
def get_old_draft_workbook(pid: int, fid: str) -> ResponseReturnValue:
    """The same where it came as .xls."""
    return workbook_of(draft_of(session(), pid, fid), "xls")


@bp.get("/draft/qr.png")
@needs("project.manage")
@documented("drafts", answer="image/png")
def get_draft_png(pid: int, fid: str) -> ResponseReturnValue:
    """The code with which ODK Collect tries the draft out, as a picture."""
    return Response(code_png(_settings_of_draft(pid, fid)), content_type="image/png")


@bp.get("/draft/qr.svg")
@needs("project.manage")
@documented("drafts", answer="image/svg+xml")
def get_draft_svg(pid: int, fid: str) -> ResponseReturnValue:
    """The same, for a page."""
    return Response(code_svg(_settings_of_draft(pid, fid)), content_type="image/svg+xml")


@bp.get("/draft/fields")
@needs("project.manage")
@documented("drafts", query=FieldsQuery, answer="application/json")
def get_draft_fields(pid: int, fid: str) -> ResponseReturnValue:
    """The fields of the draft, in the order of its instance."""
    odata = read_query(FieldsQuery())["odata"]
    form, _ = compiled_draft(draft_of(session(), pid, fid))
    return answer(show_fields(form, odata))


@bp.get("/draft/attachments")
@needs("project.manage")
@documented("drafts", answer="application/json")
def get_draft_files(pid: int, fid: str) -> ResponseReturnValue:
    """The files that the draft names, and what stands behind each."""
    draft = draft_of(session(), pid, fid)
    return answer([show_draft_file(pid, draft, file) for file in draft_files(session(), pid, fid)])


@bp.get("/draft/attachments/<name>")
@needs("drafts.try")
@of_openrosa_too
@documented("drafts", answer="application/octet-stream")
def get_draft_file(pid: int, fid: str, name: str) -> ResponseReturnValue:
    """One of them."""
    draft = draft_of(session(), pid, fid)
    file = session().get(DraftFile, (pid, fid, name))
    if file is None:
        raise NotFound
    return send_file(pid, fid, file, maker_of(draft.actor_id))


@bp.post("/draft/attachments/<name>")
@needs("project.manage")
@documented("drafts", body="application/octet-stream", answer="application/json")
def post_draft_file(pid: int, fid: str, name: str) -> ResponseReturnValue:
    """Give the draft a file that it names."""
    if session().get(DraftFile, (pid, fid, name)) is None:
        raise NotFound
    content = read_body(min(current.settings().max_file, current.settings().max_request))
    journal = begin(pid)
    file = fill_draft_file(journal, fid, name, content, (request.mimetype or type_of(name))[:200])
    return _finish_file(journal, file, "form.file_given")


@bp.patch("/draft/attachments/<name>")
@needs("project.manage")
@documented("drafts", body=LinkSchema, answer="application/json")
def patch_draft_file(pid: int, fid: str, name: str) -> ResponseReturnValue:
    """Let the entity list of its name stand for a file, or no more."""
    to_list = read_json(LinkSchema())["dataset"]
    journal = begin(pid)
    return _finish_file(journal, link_draft_file(journal, fid, name, to_list), "form.file_linked")


@bp.delete("/draft/attachments/<name>")
@needs("project.manage")
@documented("drafts")
def delete_draft_file(pid: int, fid: str, name: str) -> ResponseReturnValue:
    """Take away what stands behind a file's name."""
    journal = begin(pid)
    empty_draft_file(journal, fid, name)
    finish(journal, "form.file_taken", fid, {"file": name})
    return done()


@bp.get("/draft/submissions")
@needs("project.manage")
@documented("drafts", query=ListQuery, answer="application/json")
def get_trials(pid: int, fid: str) -> ResponseReturnValue:
    """The answers that were sent to try the draft out, the newest first."""
    asked = read_query(ListQuery())
    draft = draft_of(session(), pid, fid)
    query = (
        select(DraftSubmission)
        .where(DraftSubmission.project_id == pid, DraftSubmission.form_id == fid)
        .order_by(DraftSubmission.number.desc())
        .offset(asked["offset"])
        .limit(asked["limit"])
    )
    return answer(_trials(draft, session().scalars(query).all()))


@bp.get("/draft/submissions.<any('csv', 'csv.zip'):kind>")
@needs("submissions.read")
@documented("drafts", query=ExportQuery, answer="application/octet-stream")
def export_trials(pid: int, fid: str, kind: str) -> ResponseReturnValue:
    """The same as a file of rows, laid out as ODK Central does. The files that were sent along are not in it."""
    options = asked_of_draft(kind)
    source, file = trials_for(session(), pid, fid, options, current.now()), io.BytesIO()
    rows = write_csv(source, file) if kind == "csv" else write_csv_zip(source, file, current.store(), 0)
    note_export(pid, fid, options, rows, draft=True)
    response = Response(file.getvalue(), content_type=FORMATS[kind])
    response.headers["Content-Disposition"] = disposition(name_of(fid, source.options))
    return response


@bp.get("/draft/submissions/<iid>")
@needs("project.manage")
@documented("drafts", answer="application/json")
def get_trial(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """One of them."""
    return answer(_trials(draft_of(session(), pid, fid), [_trial_row(pid, fid, iid)])[0])


@bp.get("/draft/submissions/<iid>.xml")
@needs("project.manage")
@documented("drafts", answer="application/xml")
def get_trial_xml(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """The same as it was sent."""
    return download_instance(unpack(_trial_row(pid, fid, iid).xml), iid)


def address_of(draft: FormDraft) -> str:
    """Where whoever has this address tries the draft out."""
    base = current.public_address()
    return f"{base}/v1/test/{draft.token}{form_path(draft.project_id, draft.form_id)}/draft"


def show_draft_file(pid: int, draft: FormDraft, file: DraftFile) -> dict[str, Any]:
    """A file that the draft names, with what stands behind it."""
    stored = session().get(StoredFile, (pid, file.sha256)) if file.sha256 else None
    return show_file(
        file.name,
        kinds_in(draft.xform).get(file.name, "file"),
        sha256=file.sha256,
        md5=hashes_of(session(), pid, [file.sha256]).get(file.sha256) if file.sha256 else None,
        size=stored.size if stored else None,
        list_name=file.list_name,
        at=file.updated_at,
    )


def _settings_of_draft(pid: int, fid: str) -> str:
    draft = draft_of(session(), pid, fid)
    return settings_text(Setup(address_of(draft), f"[Draft] {draft.title}", autosend="wifi_and_cellular"))


def require_same_form(handed: Handed, fid: str) -> None:
    """Raises Unexpected for a workbook of another form."""
    form_id = handed.workbook.form.form_id
    if form_id != fid:
        raise Unexpected(f"The form's id is ‘{form_id}’; a draft of ‘{fid}’ has to have the same.")


def _require_form(pid: int, fid: str) -> None:
    """A draft is one of a form that there is already; another one begins with POST forms."""
    form = session().get(Form, (pid, fid))
    if form is not None and form.deleted_at is not None:
        raise FormDeleted(details={"form": fid})
    if form is None and session().get(FormDraft, (pid, fid)) is None:
        raise NotFound


def _finish_file(journal: Journal, file: DraftFile, action: str) -> ResponseReturnValue:
    pid, fid, name = file.project_id, file.form_id, file.name
    finish(journal, action, fid, {"file": name})
    stored = session().get_one(DraftFile, (pid, fid, name))
    return answer(show_draft_file(pid, draft_of(session(), pid, fid), stored))


def _trial_row(pid: int, fid: str, iid: str) -> DraftSubmission:
    row = session().get(DraftSubmission, (pid, fid, iid))
    if row is None:
        raise NotFound
    return row


def _trials(draft: FormDraft, rows: Sequence[DraftSubmission]) -> list[dict[str, Any]]:
    flags = flags_said(words().locale, ([Flag(*flag) for flag in row.flags] for row in rows))
    return [_trial(draft, row, said) for row, said in zip(rows, flags, strict=True)]


def _trial(draft: FormDraft, row: DraftSubmission, flags: list[Flag]) -> dict[str, Any]:
    """As a submission; whoever tried the draft out is not known, so its maker stands for them."""
    maker = draft.actor_id or 0
    return {
        "instanceId": row.instance_id,
        "submitterId": maker,
        "deviceId": row.device,
        "userAgent": row.user_agent,
        "createdAt": row.received_at,
        "updatedAt": None,
        "deletedAt": None,
        "reviewState": None,
        "instanceName": None,
        "currentVersion": {
            "instanceId": row.instance_id,
            "instanceName": None,
            "submitterId": maker,
            "deviceId": row.device,
            "userAgent": row.user_agent,
            "createdAt": row.received_at,
            "current": True,
        },
        "flags": [as_stored(flag) for flag in flags],
        "attachments": sorted(row.files),
    }
