"""One look for an item that is filed by itself: most often nothing that could concern it is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from sync.entities.reach import LAST_CHANGES
from sync.intake.prepare import Ready
from sync.journal import Journal, When, open_journal_and_look
from sync.models import (
    Attachment,
    Entity,
    EntityList,
    EntityStep,
    Indicator,
    Quarantined,
    StoredFile,
    Submission,
    SubmissionVersion,
)
from sync.models.probing import Attribute, Probe, look
from sync.projects.catalogue import Catalogue

_MOST = 4  # entities, or files; those of a form with more are looked for when they are needed


def open_and_look_ahead(
    session: Session,
    project_id: int,
    actor_id: int,
    now: When,
    item: Ready,
    catalogue: Catalogue,
    also: tuple[Any, ...],
    given: Mapping[str, Any],
) -> tuple[Journal, list[Any]]:
    """A journal in which is noted what there is not, under the project's lock and before anything is written: of a
    dozen look-ups, each of which would find nothing, one is left. Gives the scalars `also` too, which take the project
    and what is `given`.

    For an item that corrects nothing. Raises OutOfDate if it was prepared by what the catalogue recalled wrongly.
    """
    asked: list[tuple[tuple[Attribute, ...], tuple[Any, ...], bool]] = [
        (_VERSION, (item.form, item.instance_id), True),
        (_WAITING, (item.instance_id,), False),
    ]
    entities = sorted({(action.list_name, action.entity_id) for action in item.actions})
    for key in entities if len(entities) <= _MOST else ():
        asked += [(_ENTITY, key, True), (_STEPS, key, True)]
    files = sorted({file["sha256"] for file in item.attachments})
    for sha256 in files if len(files) <= _MOST else ():
        asked += [(_FILE, (sha256,), True), (_NAMED, (sha256,), False)]
    if item.fingerprint is not None:
        asked.append((_FINGERPRINT, (item.fingerprint,), False))
    if item.subject is not None:
        asked.append((_DAY, (item.subject, item.day), False))
    probes = [Probe(columns, (project_id, *values), by_id) for columns, values, by_id in asked]
    dialect = session.get_bind().dialect.name
    asking = look(dialect, probes, (*_STAMPS, *also), {"project": project_id, **given})
    journal, ((found,), *forms) = open_journal_and_look(session, project_id, actor_id, now, asking, *catalogue.recalled)
    catalogue.confirm(forms)
    seen = journal.seen
    seen.absent = {
        (columns[0].class_, *values) for (columns, values, _), there in zip(asked, found, strict=False) if not there
    }
    opened, closed, lists, indicators, *others = found[len(asked) :]
    seen.places, seen.lists, seen.indicators = max(opened or 0, closed or 0), lists or 0, indicators or 0
    return journal, others


_VERSION = (SubmissionVersion.project_id, SubmissionVersion.form_id, SubmissionVersion.instance_id)
_WAITING = (Quarantined.project_id, Quarantined.edits)
_ENTITY = (Entity.project_id, Entity.list_name, Entity.id)
_STEPS = (EntityStep.project_id, EntityStep.list_name, EntityStep.entity_id)
_FILE = (StoredFile.project_id, StoredFile.sha256)
_NAMED = (Attachment.project_id, Attachment.sha256)
_FINGERPRINT = (Submission.project_id, Submission.fingerprint)
_DAY = (Submission.project_id, Submission.subject, Submission.day)
_STAMPS = (
    *LAST_CHANGES,
    select(func.max(EntityList.event)).where(EntityList.project_id == bindparam("project")).scalar_subquery(),
    select(func.max(Indicator.id)).where(Indicator.project_id == bindparam("project")).scalar_subquery(),
)
