"""Submissions as the wire shows them: the keys of ODK's REST, and our own beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from forms.form import Flag
from server import current
from server.api.users import show_actor
from server.db import session
from server.language.sentences import flags_said
from server.language.words import words
from server.wire.answers import wants_more
from sync.indicators.amounts import json_number
from sync.models import Actor, Attachment
from sync.review.listing import Listed
from sync.review.view import AttachmentSeen, CommentSeen, ContributionSeen, SubmissionSeen, VersionSeen

Shown = dict[str, Any]


def actors_shown(numbers: Iterable[int]) -> dict[int, Shown]:
    """Who is behind the numbers, as actors on the wire; nothing is looked up unless the client wants it."""
    asked = set(numbers) if wants_more() else set()
    if not asked:
        return {}
    return {actor.id: show_actor(actor) for actor in session().scalars(select(Actor).where(Actor.id.in_(asked)))}


def who_sees() -> tuple[bool, int]:
    """What the shape of a submission hangs on, of whoever asks: the rights, and which device is one's own."""
    return current.has_right("submissions.read"), current.visitor().actor_id


def show_listed(listed: Listed, actors: Mapping[int, Shown]) -> Shown:
    """A submission without its answers. Who may not see who is who hears no names of instances or foreign devices."""
    names = current.has_right("submissions.read")
    device = names or listed.actor_id == current.visitor().actor_id
    newest = listed.current
    shown: Shown = {
        "instanceId": listed.instance_id,
        "submitterId": listed.actor_id,
        "createdAt": listed.received_at,
        "updatedAt": listed.updated_at if listed.updated_at > listed.received_at else None,
        "deletedAt": listed.deleted_at,
        "deviceId": listed.device if device else None,
        "userAgent": listed.user_agent,
        "reviewState": listed.review_state,
        "instanceName": listed.instance_name if names else None,
        "currentVersion": {
            "instanceId": newest.instance_id,
            "instanceName": newest.instance_name if names else None,
            "submitterId": newest.actor_id,
            "deviceId": newest.device if device else None,
            "userAgent": newest.user_agent,
            "createdAt": newest.received_at,
            "current": True,
        },
        "id": str(listed.id),
        "form": listed.form_id,
        "version": listed.form_version,
        "missing": listed.missing,
        "counts": listed.counts,
        "event": listed.event,
    }
    if actors and names:
        shown["submitter"] = actors.get(listed.actor_id)
        shown["currentVersion"]["submitter"] = actors.get(newest.actor_id)
    return shown


def show_submission(seen: SubmissionSeen) -> Shown:
    """A submission with all that belongs to it."""
    versions = show_versions(seen)
    first, newest = seen.versions[0], seen.versions[-1]
    shown = {
        "instanceId": seen.instance_id,
        "submitterId": first.actor_id,
        "createdAt": first.received_at,
        "updatedAt": seen.updated_at if seen.updated_at > first.received_at else None,
        "deletedAt": None,
        "deviceId": seen.device,
        "userAgent": seen.user_agent,
        "reviewState": seen.review_state,
        "instanceName": seen.instance_name,
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
        "encrypted": newest.encrypted,
        "flags": show_flags([seen.flags])[0],
        "answers": newest.answers,
        "versions": versions,
        "attachments": [show_attachment(file) for file in files_of(seen)],
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
    if versions and "submitter" in versions[0]:
        shown["submitter"] = versions[-1]["submitter"]
    return shown


def show_versions(seen: SubmissionSeen) -> list[Shown]:
    """Its versions, the newest first."""
    actors = actors_shown(version.actor_id for version in seen.versions)
    return [_version(version, seen, actors) for version in reversed(seen.versions)]


def show_comment(comment: CommentSeen, actors: Mapping[int, Shown]) -> Shown:
    """What somebody said."""
    shown: Shown = {
        "id": str(comment.id),
        "body": comment.body,
        "actorId": comment.actor_id,
        "createdAt": comment.at,
    }
    return shown | {"actor": actors[comment.actor_id]} if comment.actor_id in actors else shown


def show_flags(of_each: Iterable[Sequence[Flag]]) -> list[list[Shown]]:
    """The flags of each submission, with messages in the language that was asked for."""
    return [
        [{"code": flag.code, "place": flag.place, "message": flag.message} for flag in flags]
        for flags in flags_said(words().locale, of_each)
    ]


def show_attachment(file: AttachmentSeen | Attachment) -> Shown:
    """A file of a version, whether or not it has arrived. `extra` is one that no answer names."""
    return {
        "name": file.name,
        "exists": file.present,
        "sha256": file.sha256,
        "size": file.size,
        "type": file.type,
        "extra": file.extra,
        "rivalOf": file.rival_of,
    }


def files_of(seen: SubmissionSeen) -> list[AttachmentSeen]:
    """The files of the current version."""
    return [file for file in seen.attachments if file.instance_id == seen.current_instance_id]


def _version(version: VersionSeen, seen: SubmissionSeen, actors: Mapping[int, Shown]) -> Shown:
    shown: Shown = {
        "instanceId": version.instance_id,
        "instanceName": version.instance_name,
        "submitterId": version.actor_id,
        "deviceId": version.device,
        "userAgent": version.user_agent,
        "createdAt": version.received_at,
        "current": version.instance_id == seen.current_instance_id,
        "number": version.number,
        "edits": version.parent,
        "version": version.form_version,
        "recorded_at": version.recorded_at,
        "event": version.event,
    }
    if actors:
        shown |= {"submitter": actors.get(version.actor_id), "formVersion": version.form_version}
    return shown


def _contribution(row: ContributionSeen) -> Shown:
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
