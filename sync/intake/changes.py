"""What changed for one device since it asked last: forms, their files, its rows of the lists, and what to correct."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from forms.xforms.corrections import OWN_LISTS
from sync.accounts.roles import fillable_forms
from sync.entities.delivery import DeviceRow, change_for, is_changed, state_for
from sync.errors import NotFound
from sync.models import Actor, Comment, Event, Form, FormFile, FormVersion, Project, Server, Submission

_GIVEN_OUT = (Form.state == "open", Form.deleted_at.is_(None))


@dataclass(frozen=True, slots=True)
class Changes:
    """The answer to `changes`, whose urls the web layer makes whole; `etag` stays while nothing is different."""

    body: Mapping[str, Any]
    etag: str


def changes_for(session: Session, project_id: int, actor: Actor, since: str | None) -> Changes:
    """Everything since the cursor; everything at all if it is absent, unknown or of another epoch."""
    epoch = session.scalars(select(Server.epoch)).one()
    last = session.scalars(select(Project.last_event).where(Project.id == project_id)).one()
    after = _event_of(since, epoch, last)
    fillable = fillable_forms(session, actor, project_id)
    body = {
        "epoch": epoch,
        "cursor": cursor_at(epoch, last),
        "forms": _forms(session, project_id, fillable, after),
        "removed_forms": _removed(session, project_id, fillable, after),
        "files": _files(session, project_id, fillable, after),
        "lists": _lists(session, project_id, actor, fillable, after),
        "corrections": _corrections(session, project_id, actor, fillable, after),
    }
    told = {key: value for key, value in body.items() if key != "cursor"} if after is not None else body
    return Changes(body, hashlib.sha256(orjson.dumps(told)).hexdigest()[:32])


def cursor_at(epoch: str, event: int) -> str:
    """The cursor of a device that has seen everything up to an event."""
    return f"{epoch}.{event}"


def _event_of(cursor: str | None, epoch: str, last: int) -> int | None:
    if not cursor:
        return None
    before, _, number = cursor.rpartition(".")
    if before != epoch or not number.isascii() or not number.isdecimal() or len(number) > 18 or int(number) > last:
        return None
    return int(number)


def _forms(
    session: Session, project_id: int, fillable: frozenset[str] | None, after: int | None
) -> list[dict[str, Any]]:
    """Those of a device that is bound to some of them are told each time: which they are is not in the journal."""
    query = (
        select(Form.form_id, Form.version, FormVersion.md5)
        .join(
            FormVersion,
            (FormVersion.project_id == Form.project_id)
            & (FormVersion.form_id == Form.form_id)
            & (FormVersion.version == Form.version),
        )
        .where(Form.project_id == project_id, *_GIVEN_OUT)
        .order_by(Form.form_id)
    )
    if fillable is not None:
        query = query.where(Form.form_id.in_(fillable))
    elif after is not None:
        query = query.where(Form.event > after)
    return [
        {"form": form_id, "version": version, "hash": f"md5:{md5}", "url": f"forms/{form_id}.xml"}
        for form_id, version, md5 in session.execute(query)
    ]


def _removed(session: Session, project_id: int, fillable: frozenset[str] | None, after: int | None) -> list[str]:
    gone = (Form.state != "open") | Form.deleted_at.is_not(None)
    query = select(Form.form_id).where(Form.project_id == project_id, gone).order_by(Form.form_id)
    if fillable is not None:
        query = query.where(Form.form_id.in_(fillable))
    if after is not None:
        query = query.where(Form.event > after)
    return list(session.scalars(query))


def _files(
    session: Session, project_id: int, fillable: frozenset[str] | None, after: int | None
) -> list[dict[str, Any]]:
    """Those of a form that was closed or deleted meanwhile too: a device may have thrown them away with it."""
    query = (
        select(FormFile.form_id, FormFile.name, FormFile.sha256)
        .join(Form, (Form.project_id == FormFile.project_id) & (Form.form_id == FormFile.form_id))
        .where(FormFile.project_id == project_id, FormFile.sha256.is_not(None), *_GIVEN_OUT)
        .order_by(FormFile.form_id, FormFile.name)
    )
    if fillable is not None:
        query = query.where(FormFile.form_id.in_(fillable))
    elif after is not None:
        query = query.where(or_(FormFile.event > after, Form.event > after))
    return [
        {"form": form_id, "name": name, "hash": f"sha256:{sha256}", "url": f"forms/{form_id}/attachments/{name}"}
        for form_id, name, sha256 in session.execute(query)
    ]


def _lists(
    session: Session, project_id: int, actor: Actor, fillable: frozenset[str] | None, after: int | None
) -> list[dict[str, Any]]:
    """The lists that the device's forms select from, as far as its rows are different; its own ones for each form. One
    that no form asked for before comes whole."""
    query = (
        select(FormFile.list_name, FormFile.form_id, FormFile.name, FormFile.event, Form.event)
        .join(Form, (Form.project_id == FormFile.project_id) & (Form.form_id == FormFile.form_id))
        .where(FormFile.project_id == project_id, FormFile.list_name.is_not(None), *_GIVEN_OUT)
        .order_by(FormFile.list_name, FormFile.form_id)
    )
    if fillable is not None:
        query = query.where(FormFile.form_id.in_(fillable))
    asked = session.execute(query).all()
    again = frozenset[str]()
    if after is not None and any(changed > after for *_, changed in asked):
        again = _given_again(session, project_id, after)
    named: dict[tuple[str, str | None], str] = {}
    asked_before: set[tuple[str, str | None]] = set()
    for list_name, form_id, name, event, _ in asked:
        key = str(list_name), form_id if list_name in OWN_LISTS else None
        named.setdefault(key, f"forms/{form_id}/attachments/{name}")
        if after is not None and event <= after and form_id not in again:
            asked_before.add(key)
    found = []
    for (name, asking), url in named.items():
        try:
            since = after if (name, asking) in asked_before else None
            change = change_for(session, project_id, name, actor, since, asking)
        except NotFound:  # a list that was deleted, and whose form still names it
            continue
        if change is not None:
            told = {
                "name": name,
                "hash": state_for(session, project_id, name, actor, asking),
                "url": url,
                "whole": change.whole,
                "upserts": [_row(row) for row in change.upserts],
                "deletes": change.deletes,
            }
            found.append(told | {"form": asking} if asking is not None else told)
    return found


def _given_again(session: Session, project_id: int, after: int) -> frozenset[str]:
    """The forms that were closed, opened, deleted or restored since."""
    told = session.scalars(
        select(Event.details).where(Event.project_id == project_id, Event.number > after, Event.kind == "form")
    )
    return frozenset(details["form"] for details in told if details)


def _row(row: DeviceRow) -> dict[str, Any]:
    return {**row.data, "name": row.name, "label": row.label, "__version": row.version}


def _corrections(
    session: Session, project_id: int, actor: Actor, fillable: frozenset[str] | None, after: int | None
) -> list[dict[str, Any]]:
    """What a coordinator sent back to this device's submissions, with the last comment and what a correction has to
    name in `edits`: the version that stands now."""
    query = (
        select(Submission)
        .join(Form, (Form.project_id == Submission.project_id) & (Form.form_id == Submission.form_id))
        .where(
            Submission.project_id == project_id,
            Submission.actor_id == actor.id,
            Submission.review_state.in_(("hasIssues", "rejected")),
            Submission.deleted_at.is_(None),
            Form.deleted_at.is_(None),
        )
        .order_by(Submission.id)
    )
    if fillable is not None:
        query = query.where(Submission.form_id.in_(fillable))
    if after is not None and not is_changed(session, project_id, actor, after):
        query = query.where(or_(Submission.event > after, Form.event > after))
    found = list(session.scalars(query))
    comments = _last_comments(session, project_id, [submission.id for submission in found])
    return [
        {
            "instance_id": submission.instance_id,
            "edits": submission.current_instance_id,
            "form": submission.form_id,
            "state": submission.review_state,
            "message": comments.get(submission.id),
            "at": submission.updated_at.isoformat(),
        }
        for submission in found
    ]


def _last_comments(session: Session, project_id: int, submission_ids: list[int]) -> dict[int, str]:
    if not submission_ids:
        return {}
    comments: dict[int, str] = defaultdict(str)
    for submission_id, body in session.execute(
        select(Comment.submission_id, Comment.body)
        .where(Comment.project_id == project_id, Comment.submission_id.in_(submission_ids))
        .order_by(Comment.id)
    ):
        comments[submission_id] = body
    return comments
