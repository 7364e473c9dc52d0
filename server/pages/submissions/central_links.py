"""The addresses of a submission and its files on ODK Central's pages, as they stand in spreadsheets made with it."""

from __future__ import annotations

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from server.api.submission_files import send_attachment
from server.db import session
from server.door.guards import needs
from sync.review.view import find_submission

bp = Blueprint("central_links", __name__)

_SUBMISSION = "/projects/<int:pid>/forms/<fid>/submissions/<iid>"


@bp.get(_SUBMISSION)
@needs("submissions.read")
def submission(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """On to the page of the submission."""
    number = find_submission(session(), pid, fid, iid).id
    return redirect(url_for("submission_pages.submission", pid=pid, number=number), 302)


@bp.get(f"/dl{_SUBMISSION}/attachments/<path:name>")
@needs("submissions.read")
def attachment(pid: int, fid: str, iid: str, name: str) -> ResponseReturnValue:
    """One of its files; a picture is shown, everything else saved."""
    return send_attachment(pid, fid, iid, name, shows=True)
