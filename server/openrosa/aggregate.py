"""What Briefcase and older tools ask of an ODK Aggregate, KoboToolbox or Ona server: forms and submissions, one by one.

At the root for whoever has one project, and below /v1/projects/{pid}. `POST /submission` is the ordinary door.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from urllib.parse import quote
from xml.sax.saxutils import escape

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from lxml import etree
from sqlalchemy import select

from forms.xforms.corrections import name_as_first
from forms.xforms.files import named_files
from server import current
from server.acts.changing import begin, finish
from server.acts.uploads import tried
from server.api.submissions import note_view
from server.current import own_address
from server.db import release, session
from server.door.guards import needs
from server.openrosa.answers import XML, openrosa_message, speak_openrosa
from server.openrosa.formlist import form_path
from server.openrosa.submission import receive_body
from server.queries.forms import version_of
from server.wire.answers import tagged
from server.wire.documents import documented
from sync.errors import FieldMissing, Missing, NotFound, Unexpected
from sync.intake.prepare import unpack
from sync.models import CURRENT, Attachment, Submission, SubmissionVersion
from sync.projects.catalogue import latest_sheets
from sync.projects.manifest import hashes_of
from sync.projects.publish import publish_form

bp = Blueprint("openrosa_aggregate", __name__)
speak_openrosa(bp)

_NAMESPACE = "http://opendatakit.org/submissions"
_MOST_ENTRIES = 1000
_NAMED = re.compile(r"(?P<form>[^\[]+?)(?:\[[^\]]*\])?/(?P<root>[^/\[]+)\[@key=['\"]?(?P<key>[^\]'\"]+)['\"]?\]")
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A submission as it is given back."""

    id: int
    instance_id: str
    current: str
    received_at: dt.datetime
    whole: bool
    xml: bytes


@bp.get("/formXml")
@bp.get("/v1/projects/<int:pid>/formXml")
@needs("forms.fill")
@documented("openrosa", answer="text/xml")
def get_form_xml(pid: int) -> ResponseReturnValue:
    """The XForm of `formId`, in its newest version."""
    form_id = _asked("formId")
    bound = current.fillable()
    if bound is not None and form_id not in bound:
        raise NotFound
    version = version_of(session(), pid, form_id)
    return tagged(version.xform, XML, version.md5)


@bp.get("/upload")
@bp.get("/v1/projects/<int:pid>/upload")
@needs("project.manage")
@documented("openrosa")
def get_upload_door(pid: int) -> ResponseReturnValue:
    """Whether forms may be uploaded."""
    return Response(status=204)


@bp.post("/formUpload")
@bp.post("/v1/projects/<int:pid>/formUpload")
@needs("project.manage")
@documented("openrosa", body="multipart/form-data", answer="text/xml", status=201)
def post_form_upload(pid: int) -> ResponseReturnValue:
    """Publish a form (form_def_file) with its media files, once ODK Validate can load it; the same again changes
    nothing."""
    arrived = receive_body()
    parts = {part.field: part for part in arrived.parts}
    if arrived.fault is not None or (given := parts.get("form_def_file")) is None:
        arrived.drop()
        raise arrived.fault or FieldMissing("form_def_file is missing: the part with the XForm.")
    files = [(part.names, part.content.read()) for part in arrived.parts if part.is_file and part is not given]
    form = given.content.read()
    arrived.drop()
    neighbours = latest_sheets(session(), pid)
    release()  # ODK Validate takes its time
    workbook = tried(pid, form, given.names[-1].removesuffix(".xml"), neighbours).workbook
    wanted = {file.name for file in named_files(workbook.xform)}
    media = {name: content for names, content in files for name in names if name in wanted}
    journal = begin(pid)
    publish_form(journal, workbook, media)
    finish(journal, "form.published", workbook.form.form_id)
    return openrosa_message(f"{workbook.form.form_id} {workbook.form.version}".strip(), 201)


@bp.get("/view/submissionList")
@bp.get("/v1/projects/<int:pid>/view/submissionList")
@needs("submissions.read")
@documented("openrosa", answer="text/xml")
def get_submission_list(pid: int) -> ResponseReturnValue:
    """The ids of a form's submissions, so many after the `cursor`, with the cursor to go on from."""
    version_of(session(), pid, _asked("formId"))
    after, most = _number("cursor", 0), min(_number("numEntries", 100), _MOST_ENTRIES)
    query = (
        select(Submission.id, Submission.instance_id)
        .where(
            Submission.project_id == pid,
            Submission.form_id == _asked("formId"),
            Submission.deleted_at.is_(None),
            Submission.id > after,
        )
        .order_by(Submission.id)
        .limit(most)
    )
    if request.args.get("includeIncomplete", "").lower() not in ("true", "yes", "1"):
        query = query.where(Submission.more_to_come.is_(False))
    found = session().execute(query).all()
    ids = "".join(f"<id>{escape(row.instance_id)}</id>" for row in found)
    cursor = found[-1].id if found else after
    return _xml(
        f'<idChunk xmlns="{_NAMESPACE}"><idList>{ids}</idList><resumptionCursor>{cursor}</resumptionCursor></idChunk>'
    )


@bp.get("/view/downloadSubmission")
@bp.get("/v1/projects/<int:pid>/view/downloadSubmission")
@needs("submissions.read")
@documented("openrosa", answer="text/xml")
def get_submission(pid: int) -> ResponseReturnValue:
    """One submission, by `form[@version=null and @uiVersion=null]/root[@key=uuid:…]`, with where its files lie."""
    named = _NAMED.fullmatch(_asked("formId"))
    if named is None:
        raise Unexpected("formId has to be of the form id[@version=null and @uiVersion=null]/root[@key=uuid:…].")
    form_id = named["form"]
    version_of(session(), pid, form_id)
    kept = _find(pid, form_id, named["key"])
    note_view(pid, kept.id)
    body = _data(kept) + _media(pid, form_id, kept)
    return _xml(f'<submission xmlns="{_NAMESPACE}">{body}</submission>')


def _find(pid: int, form_id: str, instance_id: str) -> _Kept:
    row = session().execute(
        select(
            Submission.id,
            Submission.instance_id,
            Submission.current_instance_id,
            Submission.received_at,
            Submission.more_to_come,
            SubmissionVersion.xml,
        )
        .join(SubmissionVersion, CURRENT)
        .where(
            Submission.project_id == pid,
            Submission.form_id == form_id,
            Submission.instance_id == instance_id,
            Submission.deleted_at.is_(None),
        )
    )
    found = row.one_or_none()
    if found is None:
        raise NotFound
    return _Kept(
        id=found.id,
        instance_id=found.instance_id,
        current=found.current_instance_id,
        received_at=found.received_at,
        whole=not found.more_to_come,
        xml=found.xml,
    )


def _data(kept: _Kept) -> str:
    """The instance, under the id by which it was asked for, with what the server knows about it in its root."""
    root = etree.fromstring(unpack(kept.xml), _PARSER)
    received = kept.received_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    name_as_first(root, kept.instance_id)
    root.set("submissionDate", received)
    root.set("isComplete", "true" if kept.whole else "false")
    if kept.whole:
        root.set("markedAsCompleteDate", received)
    return f"<data>{etree.tostring(root, encoding='unicode', with_tail=False)}</data>"


def _media(pid: int, form_id: str, kept: _Kept) -> str:
    files = session().execute(
        select(Attachment.name, Attachment.sha256)
        .where(
            Attachment.project_id == pid,
            Attachment.submission_id == kept.id,
            Attachment.instance_id == kept.current,
            Attachment.present.is_(True),
        )
        .order_by(Attachment.name)
    )
    hashes = {name: str(sha256) for name, sha256 in files}
    md5s = hashes_of(session(), pid, set(hashes.values()))
    base = f"{form_path(pid, form_id)}/submissions/{quote(kept.instance_id, safe='')}/attachments"
    return "".join(
        f"<mediaFile><filename>{escape(name)}</filename><hash>md5:{md5s[sha256]}</hash>"
        f"<downloadUrl>{escape(own_address(f'{base}/{quote(name)}'))}</downloadUrl></mediaFile>"
        for name, sha256 in hashes.items()
        if sha256 in md5s
    )


def _xml(body: str) -> Response:
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>\n{body}', content_type=XML)


def _asked(name: str) -> str:
    value = request.args.get(name, "")
    if not value or "\0" in value:
        raise Missing(f"{name} is missing.")
    return value


def _number(name: str, otherwise: int) -> int:
    text = request.args.get(name) or str(otherwise)
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise Unexpected(f"{name} has to be a whole number.")
    return int(text)
