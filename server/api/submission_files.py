"""The files of a submission and of each of its versions."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from server import current
from server.acts.changing import begin, finish
from server.api.schemas import ListQuery
from server.api.submission_shapes import show_attachment
from server.api.submissions import note_view, to_version
from server.db import release, session
from server.door.guards import needs
from server.logs import log
from server.openrosa.answers import of_openrosa_too
from server.wire.answers import answer, done, download
from server.wire.bodies import read_query
from server.wire.documents import documented
from sync.accounts.audit import record_act
from sync.errors import NotFound, TooLarge
from sync.models import Attachment
from sync.review.files import attach_file, detach_file, files_of_version
from sync.review.listing import submission_listed
from sync.review.view import Named, find_submission

bp = Blueprint("submission_files", __name__, url_prefix="/v1/projects/<int:pid>/forms/<fid>/submissions/<iid>")

_PIECE = 1 << 16


@bp.get("/attachments")
@needs("submissions.read")
@documented("submissions", query=ListQuery, answer="application/json")
def get_attachments(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """The files of its current version, also those that are still on their way."""
    named = find_submission(session(), pid, fid, iid)
    if iid != named.instance_id:
        return to_version(pid, fid, named, iid, "/attachments")
    return _listed(files_of_version(session(), pid, fid, named.current_instance_id))


@bp.get("/attachments/<path:name>")
@needs("submissions.read")
@of_openrosa_too
@documented("submissions", answer="application/octet-stream")
def get_attachment(pid: int, fid: str, iid: str, name: str) -> ResponseReturnValue:
    """One file, to be saved: it comes from a stranger."""
    return send_attachment(pid, fid, iid, name)


@bp.post("/attachments/<path:name>")
@needs("data.send")
@documented("submissions", body="application/octet-stream")
def post_attachment(pid: int, fid: str, iid: str, name: str) -> ResponseReturnValue:
    """Put a file there. The staff may replace one; whoever collects gives his own submissions what they lack."""
    named = find_submission(session(), pid, fid, iid)
    replaces = current.has_right("submissions.review")
    if not replaces and submission_listed(session(), pid, fid, named.instance_id).actor_id != _visitor_id():
        raise NotFound
    release()  # the body may take its time
    sha256, size = _body()
    current.take_slot()
    journal = begin(pid)
    if attach_file(journal, named.id, name, sha256, size, request.mimetype or None, replace=replaces):
        details = {"sha256": sha256}
        subject = f"{named.id}/{name}"
        record_act(session(), pid, current.origin(), "submission.file_added", current.now(), subject, details)
    journal.close()
    session().commit()
    log("submission_file_added", project=pid, submission=named.id, bytes=size)
    return done()


@bp.delete("/attachments/<path:name>")
@needs("submissions.review")
@documented("submissions")
def delete_attachment(pid: int, fid: str, iid: str, name: str) -> ResponseReturnValue:
    """Take a file away."""
    journal = begin(pid)
    named = find_submission(session(), pid, fid, iid)
    detach_file(journal, named.id, name)
    finish(journal, "submission.file_removed", f"{named.id}/{name}")
    log("submission_file_removed", project=pid, submission=named.id)
    return done()


@bp.get("/versions/<version>/attachments")
@needs("submissions.read")
@documented("submissions", query=ListQuery, answer="application/json")
def get_version_attachments(pid: int, fid: str, iid: str, version: str) -> ResponseReturnValue:
    """The files of one version."""
    _require_version(pid, fid, iid, version)
    return _listed(files_of_version(session(), pid, fid, version))


@bp.get("/versions/<version>/attachments/<path:name>")
@needs("submissions.read")
@documented("submissions", answer="application/octet-stream")
def get_version_attachment(pid: int, fid: str, iid: str, version: str, name: str) -> ResponseReturnValue:
    """One file of one version."""
    named = _require_version(pid, fid, iid, version)
    return _sent(pid, named, files_of_version(session(), pid, fid, version), name)


def send_attachment(pid: int, fid: str, iid: str, name: str, *, shows: bool = False) -> ResponseReturnValue:
    """A file of a submission's current version, or of the version that `iid` names; for `shows` see `download`."""
    named = find_submission(session(), pid, fid, iid)
    version = named.current_instance_id if iid == named.instance_id else iid
    return _sent(pid, named, files_of_version(session(), pid, fid, version), name, shows=shows)


def _require_version(pid: int, fid: str, iid: str, version: str) -> Named:
    named = find_submission(session(), pid, fid, iid)
    if find_submission(session(), pid, fid, version).id != named.id:
        raise NotFound
    return named


def _listed(files: list[Attachment]) -> ResponseReturnValue:
    asked = read_query(ListQuery())
    end = None if asked["limit"] is None else asked["offset"] + asked["limit"]
    return answer([show_attachment(file) for file in files[asked["offset"] : end]])


def _sent(pid: int, named: Named, files: list[Attachment], name: str, *, shows: bool = False) -> ResponseReturnValue:
    file = next((file for file in files if file.name == name), None)
    if file is None or not file.present or not file.sha256 or not current.store().holds(file.sha256):
        raise NotFound
    note_view(pid, named.id, name)
    return download(current.store().open(file.sha256), name, file.type, file.sha256, shows=shows)


def _body() -> tuple[str, int]:
    """The body as it is, a packed file too: its hash and size, once it is in the store."""
    most = request.max_content_length = current.settings().max_file
    incoming = current.store().incoming()
    try:
        while piece := request.stream.read(_PIECE):
            if incoming.size + len(piece) > most:
                raise TooLarge(f"A file may have {most} bytes at most.", details={"max_bytes": most})
            incoming.write(piece)
    except BaseException:
        incoming.drop()
        raise
    return incoming.keep(), incoming.size


def _visitor_id() -> int:
    return current.visitor().actor_id
