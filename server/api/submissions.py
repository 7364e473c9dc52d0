"""The submissions of a form: listed, sent, edited, decided about, deleted and restored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from flask import Blueprint, redirect, request
from flask.typing import ResponseReturnValue
from marshmallow import fields, validate

from forms.findings import Faulty
from forms.xforms.instance import Instance, read_instance
from server import current
from server.acts.reviewing import decide, delete, restore
from server.api.schemas import ListQuery, Strict
from server.api.submission_shapes import actors_shown, show_listed, show_submission, who_sees
from server.api.users import show_actor
from server.db import session
from server.door.guards import needs
from server.logs import log
from server.wire.answers import (
    AT_ONCE,
    answer,
    done,
    download_instance,
    json_pieces,
    streamed,
    tagged,
    to_json,
    wants_more,
)
from server.wire.bodies import read_body, read_json, read_query
from server.wire.documents import documented
from sync.accounts.audit import record_act
from sync.accounts.roles import fillable_forms
from sync.encryption.keys import keys_of_form
from sync.errors import Exists, NotAnEdit, NotFound, OriginalUnknown, Unexpected, Unparseable
from sync.exports.options import Options
from sync.exports.source import Source
from sync.intake.items import shortened, storable
from sync.intake.posting import Post, Posted, receive_post
from sync.intake.prepare import MAX_XML
from sync.models import Actor, EncryptionKey
from sync.models.database import begin_writing
from sync.review.decide import STATES
from sync.review.listing import (
    Listed,
    deleted_submission,
    is_known,
    require_form,
    submission_listed,
    submissions_of,
    submitters_of,
)
from sync.review.view import Named, find_submission, raw_instance, submission_view

bp = Blueprint("submissions", __name__, url_prefix="/v1/projects/<int:pid>/forms/<fid>/submissions")

_JSON = "application/json; charset=utf-8"


class SubmissionsQuery(ListQuery):
    """Which submissions to list."""

    deleted = fields.Boolean(load_default=False, metadata={"description": "those that were deleted, and no others"})


class ReviewSchema(Strict):
    """A decision; `seen` is the `event` of the submission that one looked at, so that nobody decides over another."""

    reviewState = fields.String(  # noqa: N815 — the wire's name
        required=True, allow_none=True, validate=validate.OneOf([state for state in STATES if state])
    )
    seen = fields.Integer(strict=True, validate=validate.Range(min=0, max=2**53))


@bp.get("")
@needs("data.export")
@documented("submissions", query=SubmissionsQuery, answer="application/json")
def get_submissions(pid: int, fid: str) -> ResponseReturnValue:
    """The form's submissions without their answers, the newest first."""
    asked = read_query(SubmissionsQuery())
    require_form(session(), pid, fid)

    def found() -> Iterator[Listed]:
        return submissions_of(session(), pid, fid, **asked)

    if asked["limit"] is not None and asked["limit"] <= AT_ONCE:
        return tagged(to_json(_shown(list(found()))), _JSON)
    options = Options(format="jsonl")
    state = Source(session(), pid, fid, options, (), deleted=True).state()
    tag = options.digest(pid, fid, state.said, asked, wants_more(), *who_sees())
    return streamed(json_pieces(found, _shown), _JSON, tag)


@bp.post("")
@needs("forms.fill")
@documented("submissions", body="application/xml", answer="application/json")
def post_submission(pid: int, fid: str) -> ResponseReturnValue:
    """File one filled form. An instance that is known already is refused, whatever it says."""
    instance = _instance(pid, fid)
    if instance.instance_id and is_known(session(), pid, fid, instance.instance_id):
        raise _known_already(pid, fid, instance.instance_id)
    posted = _receive(pid, instance)
    if posted.outcome == "duplicate":
        raise _known_already(pid, fid, posted.instance_id)
    named = find_submission(session(), pid, fid, str(posted.instance_id))
    return answer(_one(pid, fid, named))


@bp.get("/submitters")
@needs("submissions.read")
@documented("submissions", answer="application/json")
def get_submitters(pid: int, fid: str) -> ResponseReturnValue:
    """Who sent something to the form."""
    require_form(session(), pid, fid)
    return answer([show_actor(actor) for actor in submitters_of(session(), pid, fid)])


@bp.get("/keys")
@needs("data.export")
@documented("submissions", answer="application/json")
def get_keys(pid: int, fid: str) -> ResponseReturnValue:
    """The keys without which some of the form's submissions cannot be read."""
    require_form(session(), pid, fid)
    return answer([_key(key) for key in keys_of_form(session(), pid, fid)])


@bp.get("/<iid>")
@needs("submissions.read")
@documented("submissions", answer="application/json")
def get_submission(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """A submission with its answers, versions, flags, files and contributions; a later version's id leads there."""
    named = find_submission(session(), pid, fid, iid)
    if iid != named.instance_id:
        return to_version(pid, fid, named, iid)
    note_view(pid, named.id)
    return answer(show_submission(submission_view(session(), pid, fid, iid)))


@bp.get("/<iid>.xml")
@needs("submissions.read")
@documented("submissions", answer="application/xml")
def get_submission_xml(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """The current instance, the very bytes that arrived; a later version's id leads to that version."""
    named = find_submission(session(), pid, fid, iid)
    if iid != named.instance_id:
        return to_version(pid, fid, named, iid, ".xml")
    return raw_xml(pid, fid, named.id, named.current_instance_id)


@bp.patch("/<iid>")
@needs("submissions.review")
@documented("submissions", body=ReviewSchema, answer="application/json")
def patch_submission(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """Decide on a submission; null takes a decision back. Figures, entities and second copies follow at once."""
    given = read_json(ReviewSchema())
    named = find_submission(session(), pid, fid, iid)
    decide(pid, named.id, given["reviewState"], given.get("seen"))
    return answer(show_submission(submission_view(session(), pid, fid, iid)))


@bp.put("/<iid>")
@needs("submissions.review")
@documented("submissions", body="application/xml", answer="application/json")
def put_submission(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """Correct a submission: the body is its next version, whose deprecatedID names the current one."""
    instance = _instance(pid, fid)
    named = find_submission(session(), pid, fid, iid)
    if not instance.deprecated_id:
        raise NotAnEdit(details={"expected": named.current_instance_id})
    if not is_known(session(), pid, fid, instance.deprecated_id):
        raise OriginalUnknown
    if find_submission(session(), pid, fid, instance.deprecated_id).id != named.id:
        raise Unexpected("meta/deprecatedID names an instance of another submission than the address does.")
    _receive(pid, instance, edited=named.id)
    return answer(show_submission(submission_view(session(), pid, fid, named.instance_id)))


@bp.delete("/<iid>")
@needs("submissions.delete")
@documented("submissions")
def delete_one(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """Delete a submission: it leaves figures and lists at once, can be restored for 30 days
    (or as many as the project says), and is then erased."""
    delete(pid, find_submission(session(), pid, fid, iid).id)
    return done()


@bp.post("/<iid>/restore")
@needs("submissions.delete")
@documented("submissions")
def post_restore(pid: int, fid: str, iid: str) -> ResponseReturnValue:
    """Take a deletion back."""
    restore(pid, deleted_submission(session(), pid, fid, iid))
    return done()


def note_view(pid: int, submission_id: int, subject: str | None = None) -> None:
    """Write into the audit trail that somebody looked at what may identify people."""
    begin_writing(session())
    name = f"{submission_id}/{subject}" if subject else str(submission_id)
    record_act(session(), pid, current.origin(), "submission.viewed", current.now(), name)
    session().commit()


def to_version(pid: int, fid: str, named: Named, iid: str, rest: str = "") -> ResponseReturnValue:
    """The way to a version that was asked for as if it were a submission."""
    form, first, version = (quote(name, safe="") for name in (fid, named.instance_id, iid))
    path = f"/projects/{pid}/forms/{form}/submissions/{first}/versions/{version}{rest}"
    return redirect(current.own_address(path), 302)


def raw_xml(pid: int, fid: str, submission_id: int, instance_id: str) -> ResponseReturnValue:
    """One instance, byte for byte."""
    raw = raw_instance(session(), pid, fid, instance_id)
    note_view(pid, submission_id)
    tag = hashlib.sha256(raw).hexdigest()[:32]
    return download_instance(raw, instance_id, tag)


def _instance(pid: int, fid: str) -> Instance:
    """What the body says, which has to be of the form in the address, and of one that the visitor may fill in."""
    actor = session().get_one(Actor, current.visitor().actor_id)
    bound = fillable_forms(session(), actor, pid)
    if bound is not None and fid not in bound:
        raise NotFound
    try:
        instance = read_instance(read_body(MAX_XML))
    except Faulty as error:
        raise Unparseable(str(error)) from error
    if instance.form_id != fid:
        raise Unexpected(f"The instance is one of the form ‘{storable(instance.form_id)[:200]}’, and not of ‘{fid}’.")
    return instance


def _receive(pid: int, instance: Instance, edited: int | None = None) -> Posted:
    """`edited` is the submission that somebody corrects, which is an act of its own."""
    device = request.args.get("deviceID")
    post = Post(
        xml=instance.raw,
        device=shortened(storable(device)) if device else None,
        user_agent=storable(request.user_agent.string)[:1000] or None,
        anonymous=current.visitor().kind == "public_link",
    )

    def note_edit(posted: Posted) -> None:
        if edited is not None and posted.outcome == "edited":
            details = {"instance": instance.instance_id}
            record_act(session(), pid, current.origin(), "submission.edited", current.now(), str(edited), details)

    posted = receive_post(session(), pid, current.visitor().actor_id, post, current.writing_now, note_edit)
    log("submission_posted", project=pid, outcome=posted.outcome)
    if posted.refusal is not None:
        raise posted.refusal
    return posted


def _known_already(pid: int, fid: str, instance_id: str | None) -> Exists:
    values = [str(pid), fid, instance_id]
    return Exists(
        f"There is a submission with the instance id {instance_id} already.",
        details={"fields": ["projectId", "formId", "instanceId"], "values": values},
    )


def _one(pid: int, fid: str, named: Named) -> dict[str, Any]:
    return _shown([submission_listed(session(), pid, fid, named.instance_id)])[0]


def _shown(listed: list[Listed]) -> list[dict[str, Any]]:
    actors = actors_shown(number for one in listed for number in (one.actor_id, one.current.actor_id))
    return [show_listed(one, actors) for one in listed]


def _key(key: EncryptionKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "public": key.public,
        "managed": key.private is not None,
        "hint": key.hint,
        "createdAt": key.created_at,
    }
