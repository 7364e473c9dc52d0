"""What happened to a submission: its versions and how they differ, what was said about it, and who did what."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flask import Blueprint, redirect
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate

from server import current
from server.acts.reviewing import say
from server.api.schemas import ListQuery, Strict
from server.api.submission_shapes import actors_shown, show_comment, show_versions
from server.api.submissions import note_view, raw_xml
from server.db import session
from server.door.guards import needs
from server.wire.answers import answer
from server.wire.bodies import read_json, read_query
from server.wire.documents import documented
from sync.errors import NotFound, NotImplementedHere
from sync.review.history import Difference, deeds_of, differences_of
from sync.review.view import find_submission, submission_view

bp = Blueprint("submission_history", __name__, url_prefix="/v1/projects/<int:pid>/forms/<fid>/submissions/<iid>")


class CommentSchema(Strict):
    """What a coordinator says."""

    body = fields.String(required=True, validate=validate.Length(min=1, max=10_000))


@bp.get("/versions")
@needs("submissions.read")
@documented("submissions", query=ListQuery, answer="application/json")
def get_versions(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """Its versions, the newest first."""
    return answer(_part(show_versions(submission_view(session(), pid, fid, iid))))


@bp.get("/versions/<version>")
@needs("submissions.read")
@documented("submissions", answer="application/json")
def get_version(pid: int, fid: str, iid: str, version: str) -> ResponseReturnValue:
    """One version, with what it answered."""
    seen = submission_view(session(), pid, fid, iid)
    shown = next((shown for shown in show_versions(seen) if shown["instanceId"] == version), None)
    if shown is None:
        raise NotFound
    note_view(pid, seen.id)
    answers = next(one.answers for one in seen.versions if one.instance_id == version)
    return answer(shown | {"answers": answers})


@bp.get("/versions/<version>.xml")
@needs("submissions.read")
@documented("submissions", answer="application/xml")
def get_version_xml(pid: int, fid: str, iid: str, version: str) -> ResponseReturnValue:
    """One version, the very bytes that arrived."""
    named = find_submission(session(), pid, fid, iid)
    if find_submission(session(), pid, fid, version).id != named.id:
        raise NotFound
    return raw_xml(pid, fid, named.id, version)


@bp.get("/diffs")
@needs("submissions.read")
@documented("submissions", answer="application/json")
def get_diffs(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """What each version changed, by its instance id."""
    named = find_submission(session(), pid, fid, iid)
    found = differences_of(session(), pid, named.id)
    note_view(pid, named.id)
    return answer({name: [_difference(one) for one in several] for name, several in found.items()})


@bp.get("/audits")
@needs("submissions.read")
@documented("submissions", query=ListQuery, answer="application/json")
def get_submission_audits(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """Who did what with it, the newest first."""
    named = find_submission(session(), pid, fid, iid)
    deeds = deeds_of(session(), pid, named.id)
    actors = actors_shown(deed.actor_id for deed in deeds if deed.actor_id is not None)
    shown: list[dict[str, Any]] = []
    for deed in deeds:
        one = {
            "actorId": deed.actor_id,
            "action": deed.action,
            "acteeId": f"form:{pid}/{fid}",
            "details": {"submissionId": str(named.id), **deed.details},
            "loggedAt": deed.at,
            "event": deed.event,
        }
        shown.append(one | ({"actor": actors.get(deed.actor_id)} if actors and deed.actor_id else {}))
    return answer(_part(shown))


@bp.get("/comments")
@needs("submissions.read")
@documented("submissions", query=ListQuery, answer="application/json")
def get_comments(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """What was said about it, the oldest first."""
    comments = submission_view(session(), pid, fid, iid).comments
    actors = actors_shown(comment.actor_id for comment in comments)
    return answer(_part([show_comment(comment, actors) for comment in comments]))


@bp.post("/comments")
@needs("submissions.review")
@documented("submissions", body=CommentSchema, answer="application/json")
def post_comment(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """Say something about it; whoever collected it is told when there is something to correct."""
    body = read_json(CommentSchema())["body"]
    comment_id = say(pid, find_submission(session(), pid, fid, iid).id, body)
    comments = submission_view(session(), pid, fid, iid).comments
    said = next(comment for comment in comments if comment.id == comment_id)
    return answer(show_comment(said, actors_shown([said.actor_id])))


@bp.get("/edit")
@needs("submissions.review")
@documented("submissions", status=302)
def get_edit(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """The web form in which it can be corrected, where the installation has one."""
    named = find_submission(session(), pid, fid, iid)
    pattern = current.settings().web_form
    if not pattern:
        raise NotImplementedHere("This installation has no web form to correct submissions with.")
    values = {"project": str(pid), "form": fid, "instance": named.instance_id}
    for name, value in values.items():
        pattern = pattern.replace(f"{{{name}}}", quote(value, safe=""))
    return redirect(pattern, 302)


def _part(shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
    asked = read_query(ListQuery())
    end = None if asked["limit"] is None else asked["offset"] + asked["limit"]
    return shown[asked["offset"] : end]


def _difference(one: Difference) -> dict[str, Any]:
    return {"new": one.new, "old": one.old, "path": [*one.path]}
