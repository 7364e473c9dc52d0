"""The door for filled forms from ODK Collect, Enketo and their like, posted with their files in one or more goes."""

from __future__ import annotations

from typing import BinaryIO, cast

from flask import Blueprint, Response, g, request
from flask.typing import ResponseReturnValue

from server import current
from server.db import release, session
from server.door.guards import needs
from server.logs import log
from server.openrosa.answers import language, openrosa_message, speak_as_the_project, speak_openrosa
from server.openrosa.multipart import Arrived, Body, Limits, Part, receive_parts
from server.openrosa.receipts import receipt, trial_receipt
from server.wire.bodies import user_agent
from server.wire.documents import documented
from sync.errors import FieldMissing
from sync.intake.items import shortened, storable
from sync.intake.luck import after_post, note_luck
from sync.intake.posting import Post, Posted, PostedFile, receive_post
from sync.intake.prepare import MAX_XML
from sync.intake.trying import receive_trial
from sync.models.database import begin_writing

bp = Blueprint("openrosa_submission", __name__)
speak_openrosa(bp)

XML_FIELD, MORE_FIELD = "xml_submission_file", "*isIncomplete*"
_LIMITLESS = 2**62


@bp.get("/submission")
@bp.get("/v1/projects/<int:pid>/submission")
@needs("forms.fill")
@documented("openrosa")
def get_submission_door(pid: int) -> ResponseReturnValue:
    """How much may be sent at once: X-OpenRosa-Accept-Content-Length. Clients ask by HEAD before they post."""
    return Response(status=204)


@bp.post("/submission")
@bp.post("/v1/projects/<int:pid>/submission")
@needs("forms.fill")
@documented("openrosa", body="multipart/form-data", answer="text/xml", status=201)
def post_submission(pid: int) -> ResponseReturnValue:
    """Send a filled form, or more files of one: xml_submission_file, and a part for each file.

    What arrived whole is kept even when the connection breaks. The message is a receipt for the device's user.
    """
    arrived = receive_body()
    try:
        post = post_of(arrived)
    except FieldMissing:
        _note_luck(arrived)
        if arrived.fault is not None:
            raise arrived.fault from None
        raise
    posted = receive_post(session(), pid, current.visitor().actor_id, post, current.writing_now)
    _note_luck(arrived)
    _tell_log(pid, posted, arrived)
    g.project_languages = posted.languages
    if arrived.fault is not None:
        raise arrived.fault
    if posted.refusal is not None:
        raise posted.refusal
    return openrosa_message(receipt(posted, language()), 201 if posted.news else 202)


@bp.get("/v1/projects/<int:pid>/forms/<fid>/draft/submission")
@needs("drafts.try")
@documented("openrosa")
def get_draft_submission_door(pid: int, fid: str) -> ResponseReturnValue:
    """The same for a draft that is being tried out."""
    return Response(status=204)


@bp.post("/v1/projects/<int:pid>/forms/<fid>/draft/submission")
@needs("drafts.try")
@documented("openrosa", body="multipart/form-data", answer="text/xml", status=201)
def post_draft_submission(pid: int, fid: str) -> ResponseReturnValue:
    """Send a trial answer to a draft; it counts nowhere, and goes with the draft."""
    arrived = receive_body()
    try:
        post = post_of(arrived)
    except FieldMissing:
        raise arrived.fault or FieldMissing(_NO_XML) from None
    tried = receive_trial(session(), pid, fid, current.visitor().actor_id or None, post, current.writing_now)
    session().commit()
    if arrived.fault is not None:
        raise arrived.fault
    speak_as_the_project()
    return openrosa_message(trial_receipt(tried.missing, language()), 201 if tried.news else 202)


_NO_XML = "xml_submission_file is missing: the part with the filled form."


def receive_body(**fields: int) -> Arrived:
    """The parts of the body, as far as they came; afterwards the request waits for its turn to be worked on.

    `fields` are those of which fewer bytes are taken than of others.
    """
    limits = current.settings()
    request.max_content_length = _LIMITLESS  # it is counted as it comes, so that what came in time is kept
    whole = limits.max_file + limits.max_request
    bounds = Limits(limits.max_file, whole, {XML_FIELD: MAX_XML} | fields)
    kind = request.headers.get("Content-Type", "")
    body = Body(cast(BinaryIO, request.stream), kind, request.content_length, _hurry)
    arrived = receive_parts(body, current.store(), bounds)
    release()
    current.take_slot()
    return arrived


def _hurry() -> None:
    """Wait no longer for a connection that has died."""
    connection = request.environ.get("gunicorn.socket")
    if connection is not None:
        connection.settimeout(0.01)


def post_of(arrived: Arrived) -> Post:
    """What is to be filed. Raises FieldMissing when the form itself did not come whole; then nothing is kept."""
    filled = next((part for part in arrived.parts if part.field == XML_FIELD), None)
    if filled is None:
        arrived.drop()
        raise FieldMissing(_NO_XML)
    xml = filled.content.read()
    filled.content.drop()
    others = [part for part in arrived.parts if part is not filled]
    files = [_posted_file(part) for part in others if _is_kept(part, xml)]
    more = next((part.content.read() for part in others if part.field == MORE_FIELD), b"")
    return Post(
        xml=xml,
        files=tuple(files),
        device=_device(),
        user_agent=user_agent(),
        incomplete=more.strip().lower() in (b"yes", b"true"),
        forms=g.get("fillable"),
        anonymous=current.visitor().kind == "public_link",
        dated=current.has_right("submissions.review"),
    )


def _is_kept(part: Part, xml: bytes) -> bool:
    """Files are, and whatever the form may name; other fields that clients send along are of no use to anybody."""
    return part.field != MORE_FIELD and (part.is_file or any(name.encode() in xml for name in part.names))


def _posted_file(part: Part) -> PostedFile:
    content = part.content
    return PostedFile(part.names, content.sha256, content.size, part.type, content)


def _device() -> str | None:
    return shortened(storable(request.args.get("deviceID", "").strip())) or None


def _note_luck(arrived: Arrived) -> None:
    """How the link did, for what the device is advised to send next."""
    visitor = current.visitor()
    luck = after_post(visitor.luck, current.now(), arrived.received, arrived.seconds, cut=arrived.cut)
    if luck is not None:
        begin_writing(session())
        note_luck(session(), visitor.actor_id, luck)
        session().commit()
        g.luck = luck


def _tell_log(pid: int, posted: Posted, arrived: Arrived) -> None:
    log(
        "post_received",
        project=pid,
        actor=current.visitor().actor_id,
        outcome=posted.outcome,
        bytes=arrived.received,
        parts=len(arrived.parts),
        missing=len(posted.missing),
        cut=arrived.cut or None,
    )
