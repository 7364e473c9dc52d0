"""What changed for one device since it asked last: forms, their files, its rows of the lists, and what to correct."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sync.models import Actor, Comment, Entity, EntityList, Form, FormFile, FormVersion, Project, Server, Submission
from sync.projects.places import codes_below

PLACE_PROPERTIES = ("place", "village_code", "commune", "cercle", "region")


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
    forms = _forms(session, project_id, after)
    body = {
        "epoch": epoch,
        "cursor": cursor_at(epoch, last),
        "forms": forms,
        "removed_forms": _removed(session, project_id, after),
        "files": _files(session, project_id, after),
        "lists": _lists(session, project_id, actor, after),
        "corrections": _corrections(session, project_id, actor, after),
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


def _forms(session: Session, project_id: int, after: int | None) -> list[dict[str, Any]]:
    query = (
        select(Form.form_id, Form.version, FormVersion.md5)
        .join(
            FormVersion,
            (FormVersion.project_id == Form.project_id)
            & (FormVersion.form_id == Form.form_id)
            & (FormVersion.version == Form.version),
        )
        .where(Form.project_id == project_id, Form.state == "open")
        .order_by(Form.form_id)
    )
    if after is not None:
        query = query.where(Form.event > after)
    return [
        {"form": form_id, "version": version, "hash": f"md5:{md5}", "url": f"forms/{form_id}.xml"}
        for form_id, version, md5 in session.execute(query)
    ]


def _removed(session: Session, project_id: int, after: int | None) -> list[str]:
    query = select(Form.form_id).where(Form.project_id == project_id, Form.state != "open").order_by(Form.form_id)
    if after is not None:
        query = query.where(Form.event > after)
    return list(session.scalars(query))


def _files(session: Session, project_id: int, after: int | None) -> list[dict[str, Any]]:
    query = (
        select(FormFile.form_id, FormFile.name, FormFile.sha256)
        .where(FormFile.project_id == project_id, FormFile.sha256.is_not(None))
        .order_by(FormFile.form_id, FormFile.name)
    )
    if after is not None:
        query = query.where(FormFile.event > after)
    return [
        {"form": form_id, "name": name, "hash": f"sha256:{sha256}", "url": f"forms/{form_id}/attachments/{name}"}
        for form_id, name, sha256 in session.execute(query)
    ]


def _lists(session: Session, project_id: int, actor: Actor, after: int | None) -> list[dict[str, Any]]:
    """The lists that the project's forms select from; only rows below the device's places, if it has any."""
    named = {
        str(list_name): f"forms/{form_id}/attachments/{name}"
        for list_name, form_id, name in session.execute(
            select(FormFile.list_name, FormFile.form_id, FormFile.name)
            .where(FormFile.project_id == project_id, FormFile.list_name.is_not(None))
            .order_by(FormFile.form_id.desc())
        )
    }
    codes = _codes_of(session, project_id, actor)
    found = []
    for name, url in sorted(named.items()):
        upserts, deletes = _rows(session, project_id, name, codes, after)
        if after is None or upserts or deletes:
            state = _state_of(session, project_id, name, actor.places)
            found.append({"name": name, "hash": state, "url": url, "upserts": upserts, "deletes": deletes})
    return found


def _rows(
    session: Session, project_id: int, name: str, codes: set[str] | None, after: int | None
) -> tuple[list[dict[str, Any]], list[str]]:
    query = (
        select(Entity.id, Entity.label, Entity.version, Entity.data, Entity.withdrawn)
        .where(Entity.project_id == project_id, Entity.list_name == name)
        .order_by(Entity.id)
    )
    query = query.where(Entity.event > after) if after is not None else query.where(Entity.withdrawn.is_(False))
    upserts: list[dict[str, Any]] = []
    deletes: list[str] = []
    for entity_id, label, version, data, withdrawn in session.execute(query):
        if withdrawn or not concerns(data, codes):
            deletes.append(entity_id)
        else:
            upserts.append({**data, "name": entity_id, "label": label, "__version": version})
    return upserts, (deletes if after is not None else [])


def concerns(data: Mapping[str, Any], codes: Iterable[str] | None) -> bool:
    """Whether a row with these properties is for a device of these places; a row that names no place is for all."""
    if codes is None:
        return True
    places = [data[name] for name in PLACE_PROPERTIES if data.get(name)]
    return not places or any(place in codes for place in places)


def _codes_of(session: Session, project_id: int, actor: Actor) -> set[str] | None:
    if not actor.places:
        return None
    return {code for place in actor.places for code in codes_below(session, project_id, place, None)}


def _state_of(session: Session, project_id: int, name: str, places: Iterable[Any]) -> str:
    last = session.scalar(
        select(func.max(Entity.event)).where(Entity.project_id == project_id, Entity.list_name == name)
    )
    properties = session.scalar(
        select(EntityList.properties).where(EntityList.project_id == project_id, EntityList.name == name)
    )
    said = orjson.dumps([last, properties, sorted(places)])
    return f"sha256:{hashlib.sha256(said).hexdigest()}"


def _corrections(session: Session, project_id: int, actor: Actor, after: int | None) -> list[dict[str, Any]]:
    """What a coordinator sent back to this device's submissions, with the last comment."""
    query = (
        select(Submission)
        .where(
            Submission.project_id == project_id,
            Submission.actor_id == actor.id,
            Submission.review_state.in_(("hasIssues", "rejected")),
            Submission.deleted_at.is_(None),
        )
        .order_by(Submission.id)
    )
    if after is not None:
        query = query.where(Submission.event > after)
    found = list(session.scalars(query))
    comments = _last_comments(session, project_id, [submission.id for submission in found])
    return [
        {
            "instance_id": submission.instance_id,
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
