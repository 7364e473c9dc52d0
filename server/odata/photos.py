"""Addresses that show one file for a while without a sign-in, so that Power BI can show pictures from the feed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import exists, select

from server import current
from server.db import session
from server.door.guards import public
from server.wire.answers import download
from server.wire.documents import documented
from sync.accounts.audit import Origin, record_act
from sync.accounts.installation import installation
from sync.accounts.roles import may, role_in
from sync.errors import Forbidden, NotFound
from sync.models import ATTACHED, Actor, Attachment, Form, Project, Submission
from sync.models.database import begin_writing

bp = Blueprint("photos", __name__, url_prefix="/v1/shown")

LASTS = dt.timedelta(days=7)


def linker(pid: int, fid: str) -> Callable[[str, str], str]:
    """Makes the address of a file of a submission, by the submission's first instance id and the file's name.

    It says who asked for it, and shows nothing once they may see files no more; it lasts for seven days at least.
    """
    signer = _signer()
    # By whole days, so that a feed which has not changed is the same for a day.
    until = int((current.now().date() + LASTS + dt.timedelta(days=1) - dt.date(1970, 1, 1)).days)
    asker = current.visitor().actor_id
    base = current.public_address()

    def link(instance_id: str, name: str) -> str:
        signed = signer.dumps([pid, fid, instance_id, name, asker, until])
        return f"{base}/v1/shown/{quote(name, safe='')}?sig={signed if isinstance(signed, str) else signed.decode()}"

    return link


@bp.get("/<path:name>")
@public
@documented("odata", answer="application/octet-stream")
def get_shown(name: str) -> ResponseReturnValue:
    """A file by an address of the feed (`links=true`). It needs no sign-in and holds for a week."""
    try:
        pid, fid, instance_id, signed, asker, until = _signer().loads(request.args.get("sig", ""))
    except (BadData, ValueError, TypeError) as error:
        raise Forbidden("This address was not made here.") from error
    if signed != name:
        raise NotFound
    if (current.now().date() - dt.date(1970, 1, 1)).days >= until:
        raise Forbidden("This address has expired; refresh the feed.")
    actor = session().get(Actor, asker)
    role = role_in(session(), actor, pid) if actor and not actor.disabled_at else None
    if role is None or not may(role, "submissions.read"):
        raise Forbidden("Whoever asked for this address may see files no more.")
    file = _file(pid, fid, instance_id, name)
    if file is None or not file.sha256 or not current.store().holds(file.sha256):
        raise NotFound
    begin_writing(session())
    here = current.origin()
    subject = f"{file.submission_id}/{name}"
    by_link = Origin(asker, here.request_id, here.address)
    record_act(session(), pid, by_link, "submission.shown", current.now(), subject, {"by": "link"})
    session().commit()
    response = download(current.store().open(file.sha256), name, file.type, file.sha256, shows=True)
    # Programs that show pictures load them from another site than ours.
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def _file(pid: int, fid: str, instance_id: str, name: str) -> Any:
    """What and where a file of a submission is that stands; None for one that is not there, or not any more."""
    query = (
        select(Attachment.submission_id, Attachment.sha256, Attachment.type)
        .join(Submission, ATTACHED)
        .where(
            Submission.project_id == pid,
            Submission.form_id == fid,
            Submission.instance_id == instance_id,
            Submission.deleted_at.is_(None),
            exists().where(Project.id == pid, Project.deleted_at.is_(None)),
            exists().where(Form.project_id == pid, Form.form_id == fid, Form.deleted_at.is_(None)),
            Attachment.name == name,
            Attachment.present,
        )
    )
    return session().execute(query).one_or_none()


def _signer() -> URLSafeSerializer:
    row = installation(session())
    if row is None:
        raise NotFound
    return URLSafeSerializer(row.secret, salt="siby.shown")
