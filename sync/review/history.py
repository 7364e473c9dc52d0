"""What happened to one submission: how its versions differ, and who did what with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from lxml import etree
from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.xforms.instance import Instance, read_instance
from sync.intake.prepare import unpack
from sync.models import Event, Submission, SubmissionVersion

# How ODK's REST calls what the journal records about a submission.
_ACTIONS = {
    "submitted": "submission.create",
    "edited": "submission.update.version",
    "reviewed": "submission.update",
    "rejected": "submission.update",
    "restored": "submission.update",
    "deleted": "submission.delete",
    "completed": "submission.attachment.update",
    "attached": "submission.attachment.update",
    "commented": "comment.create",
}


Step = str | tuple[str, int]


@dataclass(frozen=True, slots=True)
class Difference:
    """One answer that is not what it was; None where there is none. `path` has the names from the form's root on, and a
    name with a position, from 0, where there are several of it."""

    path: Sequence[Step]
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that was done, as ODK's REST calls it. `event` is its number in the journal."""

    event: int
    action: str
    actor_id: int | None
    at: dt.datetime
    details: Mapping[str, Any]


def state_under(session: Session, project_id: int, submission_id: int, instance_id: str) -> str | None:
    """What had been decided about a version when the next one came: the review state to which an undone edit leads
    back."""
    versions = session.execute(
        select(SubmissionVersion.instance_id, SubmissionVersion.event)
        .where(SubmissionVersion.project_id == project_id, SubmissionVersion.submission_id == submission_id)
        .order_by(SubmissionVersion.number)
    ).all()
    position = [row.instance_id for row in versions].index(instance_id)
    until = [row.event for row in versions[position + 1 : position + 2]]
    decided = select(Event.details).where(
        Event.project_id == project_id,
        Event.submission_id == submission_id,
        Event.kind.in_(("reviewed", "rejected", "restored")),
        Event.number > versions[position].event,
        *(Event.number < event for event in until),
    )
    told = (details or {} for details in session.scalars(decided.order_by(Event.number.desc())))
    undecided = "edited" if position else None
    return next((details["to"] for details in told if "to" in details), undecided)


def differences_of(session: Session, project_id: int, submission_id: int) -> dict[str, list[Difference]]:
    """What each version but the first changed, by its instance id; nothing is known of encrypted ones."""
    rows = session.execute(
        select(SubmissionVersion.instance_id, SubmissionVersion.xml)
        .where(SubmissionVersion.project_id == project_id, SubmissionVersion.submission_id == submission_id)
        .order_by(SubmissionVersion.number)
    ).all()
    instances = [(name, read_instance(unpack(packed))) for name, packed in rows]
    return {name: differences_between(before, after) for (_, before), (name, after) in pairwise(instances)}


def differences_between(before: Instance, after: Instance) -> list[Difference]:
    """What one version says otherwise than another."""
    return [] if before.encrypted or after.encrypted else list(_differing(before.root, after.root, ()))


def deeds_of(session: Session, project_id: int, submission_id: int) -> list[Deed]:
    """Everything that the journal tells of a submission, the newest first."""
    first, last = _bounds(session, project_id, submission_id)
    rows = session.scalars(
        select(Event)
        .where(
            Event.project_id == project_id,
            Event.number.between(first, last),
            Event.submission_id == submission_id,
            Event.kind.in_(_ACTIONS),
        )
        .order_by(Event.number.desc())
    )
    names = _instances_by_event(session, project_id, submission_id)
    return [
        Deed(event.number, _action(event), event.actor_id, event.at, _details(event, names.get(event.number)))
        for event in rows
    ]


def _differing(old: etree._Element, new: etree._Element, path: tuple[Step, ...]) -> Iterator[Difference]:
    before, after = _children(old), _children(new)
    several = {name for name, position in before.keys() | after.keys() if position > 0}
    for name, position in list(dict.fromkeys([*before, *after])):
        was, now = before.get((name, position)), after.get((name, position))
        here = (*path, (name, position) if name in several else name)
        if was is not None and now is not None and (len(was) or len(now)):
            yield from _differing(was, now, here)
        elif (said := _said(was)) != (says := _said(now)):
            yield Difference(here, said, says)


def _children(element: etree._Element) -> dict[tuple[str, int], etree._Element]:
    found: dict[tuple[str, int], etree._Element] = {}
    counts: dict[str, int] = {}
    for child in element:
        if "template" in child.attrib:
            continue
        position = counts.get(child.tag, 0)
        counts[child.tag] = position + 1
        found[(child.tag, position)] = child
    return found


def _said(element: etree._Element | None) -> Any:
    """An answer as a text; a group, or an iteration that was added or taken away, as an object."""
    if element is None:
        return None
    if not len(element):
        return element.text or None
    said: dict[str, Any] = {}
    for (name, _), child in _children(element).items():
        value = _said(child)
        if name in said:
            known = said[name]
            said[name] = [*known, value] if isinstance(known, list) else [known, value]
        else:
            said[name] = value
    return said


def _bounds(session: Session, project_id: int, submission_id: int) -> tuple[int, int]:
    """The events between which everything about a submission lies; the journal has no index of submissions."""
    last = session.scalar(
        select(Submission.event).where(Submission.project_id == project_id, Submission.id == submission_id)
    )
    first = session.scalar(
        select(SubmissionVersion.event)
        .where(SubmissionVersion.project_id == project_id, SubmissionVersion.submission_id == submission_id)
        .order_by(SubmissionVersion.number)
        .limit(1)
    )
    return first or 0, last or 0


def _instances_by_event(session: Session, project_id: int, submission_id: int) -> dict[int, str]:
    rows = session.execute(
        select(SubmissionVersion.event, SubmissionVersion.instance_id).where(
            SubmissionVersion.project_id == project_id, SubmissionVersion.submission_id == submission_id
        )
    )
    return dict(rows.all())


def _action(event: Event) -> str:
    if event.kind == "restored" and (event.details or {}).get("deleted"):
        return "submission.restore"
    return _ACTIONS[event.kind]


def _details(event: Event, instance_id: str | None) -> dict[str, Any]:
    details = dict(event.details or {})
    if event.kind in ("reviewed", "rejected", "restored") and "to" in details:
        details["reviewState"] = details["to"]
    if instance_id is not None:
        details["instanceId"] = instance_id
    return details
