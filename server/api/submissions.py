"""One submission: its answers, versions, flags, files and contributions, and what a coordinator decides about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate

from server import current
from server.answers import answer, download
from server.api.schemas import Strict
from server.bodies import read_json
from server.db import session
from server.documents import documented
from server.guards import needs
from server.logs import log
from sync.accounts.audit import record_act
from sync.errors import NotFound
from sync.indicators.amounts import json_number
from sync.journal import open_journal
from sync.models.database import begin_writing
from sync.review.decide import STATES, add_comment, set_review_state
from sync.review.view import (
    AttachmentSeen,
    CommentSeen,
    ContributionSeen,
    SubmissionSeen,
    VersionSeen,
    find_submission,
    raw_instance,
    submission_view,
)

bp = Blueprint("submissions", __name__, url_prefix="/v1/projects/<int:pid>/forms/<fid>/submissions")


class ReviewSchema(Strict):
    """A decision; `seen` is the `event` of the submission that one looked at, so that nobody decides over another."""

    reviewState = fields.String(  # noqa: N815 — the wire's name
        required=True, allow_none=True, validate=validate.OneOf([state for state in STATES if state])
    )
    seen = fields.Integer(strict=True, validate=validate.Range(min=0, max=2**53))


class CommentSchema(Strict):
    """What a coordinator says."""

    body = fields.String(required=True, validate=validate.Length(min=1, max=10_000))


@bp.get("/<iid>")
@needs("submissions.read")
@documented("submissions", answer="application/json")
def get_submission(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """The submission with its answers, versions, flags, files and contributions; any of its instance ids names it."""
    seen = submission_view(session(), pid, fid, iid)
    note_view(pid, seen.id)
    return answer(show_submission(seen))


@bp.get("/<iid>.xml")
@needs("submissions.read")
@documented("submissions", answer="text/xml")
def get_submission_xml(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """The instance, the very bytes that arrived; the submission's first id stands for its current version.

    `versions/{id}.xml` has each version under its own id.
    """
    named = find_submission(session(), pid, fid, iid)
    return _raw(pid, fid, named.id, named.current_instance_id if iid == named.instance_id else iid)


@bp.get("/<iid>/versions/<version>.xml")
@needs("submissions.read")
@documented("submissions", answer="text/xml")
def get_version_xml(pid: int, fid: str, iid: str, version: str) -> ResponseReturnValue:
    """One version, the very bytes that arrived."""
    named = find_submission(session(), pid, fid, iid)
    if find_submission(session(), pid, fid, version).id != named.id:
        raise NotFound
    return _raw(pid, fid, named.id, version)


@bp.patch("/<iid>")
@needs("submissions.review")
@documented("submissions", body=ReviewSchema, answer="application/json")
def patch_submission(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """Decide on a submission; null takes a decision back. Figures, entities and second copies follow at once."""
    given = read_json(ReviewSchema())
    journal = open_journal(session(), pid, current.visitor().actor_id, current.now())
    named = find_submission(session(), pid, fid, iid)
    event = set_review_state(journal, named.id, given["reviewState"], given.get("seen"))
    if event is not None:
        details = {"state": given["reviewState"], "event": event}
        record_act(session(), pid, current.origin(), "submission.reviewed", current.now(), str(named.id), details)
    journal.close()
    session().commit()
    log("submission_reviewed", project=pid, submission=named.id, state=given["reviewState"])
    return answer(show_submission(submission_view(session(), pid, fid, iid)))


@bp.get("/<iid>/comments")
@needs("submissions.read")
@documented("submissions", answer="application/json")
def get_comments(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """What was said about it, the oldest first."""
    return answer([_comment(comment) for comment in submission_view(session(), pid, fid, iid).comments])


@bp.post("/<iid>/comments")
@needs("submissions.review")
@documented("submissions", body=CommentSchema, answer="application/json")
def post_comment(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """Say something about it; whoever collected it is told when there is something to correct."""
    body = read_json(CommentSchema())["body"]
    journal = open_journal(session(), pid, current.visitor().actor_id, current.now())
    named = find_submission(session(), pid, fid, iid)
    comment_id = add_comment(journal, named.id, body)
    record_act(session(), pid, current.origin(), "submission.commented", current.now(), str(named.id))
    journal.close()
    session().commit()
    comments = submission_view(session(), pid, fid, iid).comments
    return answer(_comment(next(comment for comment in comments if comment.id == comment_id)))


@bp.get("/<iid>/versions")
@needs("submissions.read")
@documented("submissions", answer="application/json")
def get_versions(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """Its versions, the newest first."""
    return answer(_versions(submission_view(session(), pid, fid, iid)))


@bp.get("/<iid>/attachments")
@needs("submissions.read")
@documented("submissions", answer="application/json")
def get_attachments(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """The files of its current version, also those that are still on their way."""
    return answer([_attachment(file) for file in files_of(submission_view(session(), pid, fid, iid))])


@bp.get("/<iid>/attachments/<name>")
@needs("submissions.read")
@documented("submissions", answer="application/octet-stream")
def get_attachment(pid: int, fid: str, iid: str, name: str) -> ResponseReturnValue:
    """One file, to be saved: it comes from a stranger."""
    seen = submission_view(session(), pid, fid, iid)
    file = next((file for file in files_of(seen) if file.name == name), None)
    if file is None or not file.present or not file.sha256 or not current.store().holds(file.sha256):
        raise NotFound
    note_view(pid, seen.id, name)
    return download(current.store().open(file.sha256), name, file.type, file.sha256)


def files_of(seen: SubmissionSeen) -> list[AttachmentSeen]:
    """The files of the current version."""
    return [file for file in seen.attachments if file.instance_id == seen.current_instance_id]


def note_view(pid: int, submission_id: int, subject: str | None = None) -> None:
    """Write into the audit trail that somebody looked at what may identify people."""
    begin_writing(session())
    name = f"{submission_id}/{subject}" if subject else str(submission_id)
    record_act(session(), pid, current.origin(), "submission.viewed", current.now(), name)
    session().commit()


def show_submission(seen: SubmissionSeen) -> dict[str, Any]:
    """As the wire has it: ODK's keys, and our own beside them."""
    versions = _versions(seen)
    newest = seen.versions[-1]
    return {
        "instanceId": seen.instance_id,
        "submitterId": seen.versions[0].actor_id,
        "createdAt": seen.versions[0].received_at,
        "updatedAt": seen.updated_at,
        "deletedAt": None,
        "deviceId": seen.device,
        "userAgent": None,
        "reviewState": seen.review_state,
        "instanceName": _instance_name(newest.answers),
        "currentVersion": versions[0],
        "id": str(seen.id),
        "form": seen.form_id,
        "version": seen.form_version,
        "recorded_at": seen.recorded_at,
        "place": seen.place,
        "event": seen.event,
        "counts": seen.counts,
        "double_of": seen.double_of,
        "missing": seen.missing,
        "flags": [{"code": flag.code, "place": flag.place, "message": flag.message} for flag in seen.flags],
        "answers": newest.answers,
        "versions": versions,
        "attachments": [_attachment(file) for file in files_of(seen)],
        "contributions": [_contribution(row) for row in seen.contributions],
        "entities": [
            {
                "list": step.list_name,
                "id": step.entity_id,
                "create": step.create,
                "update": step.update,
                "state": step.state,
                "version": step.version,
            }
            for step in seen.entities
        ],
    }


def _raw(pid: int, fid: str, submission_id: int, instance_id: str) -> ResponseReturnValue:
    raw = raw_instance(session(), pid, fid, instance_id)
    note_view(pid, submission_id)
    response = download(raw, f"{instance_id.replace(':', '-')}.xml", None)
    # Without a charset: the bytes may be in any encoding, and say so themselves.
    response.headers["Content-Type"] = "text/xml"
    return response


def _versions(seen: SubmissionSeen) -> list[dict[str, Any]]:
    return [_version(version, seen) for version in reversed(seen.versions)]


def _version(version: VersionSeen, seen: SubmissionSeen) -> dict[str, Any]:
    return {
        "instanceId": version.instance_id,
        "instanceName": _instance_name(version.answers),
        "submitterId": version.actor_id,
        "deviceId": version.device,
        "userAgent": None,
        "createdAt": version.received_at,
        "current": version.instance_id == seen.current_instance_id,
        "number": version.number,
        "edits": version.parent,
        "version": version.form_version,
        "recorded_at": version.recorded_at,
        "event": version.event,
    }


def _contribution(row: ContributionSeen) -> dict[str, Any]:
    return {
        "indicator": row.indicator,
        "subject": row.subject,
        "date": row.date.isoformat(),
        "until": row.until.isoformat() if row.until else None,
        "place": row.place,
        "value": json_number(row.value),
        "text": row.text,
        "baseline": json_number(row.baseline),
        "by": {name: keys[0] if len(keys) == 1 else list(keys) for name, keys in row.by.items()},
        "opened": {"event": row.opened.event, "cause": row.opened.cause, "at": row.opened.at},
        "closed": {"event": row.closed.event, "cause": row.closed.cause, "at": row.closed.at} if row.closed else None,
    }


def _instance_name(answers: Mapping[str, Any] | None) -> str | None:
    meta = (answers or {}).get("meta")
    name = meta.get("instanceName") if isinstance(meta, Mapping) else None
    return name if isinstance(name, str) else None


def _attachment(file: AttachmentSeen) -> dict[str, Any]:
    return {"name": file.name, "exists": file.present, "sha256": file.sha256, "size": file.size, "type": file.type}


def _comment(comment: CommentSeen) -> dict[str, Any]:
    return {"id": str(comment.id), "body": comment.body, "actorId": comment.actor_id, "createdAt": comment.at}
