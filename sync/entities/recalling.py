"""What steps said before their submissions were corrected, read from the raw instances."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

from sqlalchemy.orm import Session

from forms.xforms.entities import entity_actions
from forms.xforms.instance import read_instance
from sync.entities.folding import Former, Step
from sync.entities.stored import LIST_FILE
from sync.intake.prepare import unpack
from sync.models import Submission, SubmissionVersion
from sync.models.probing import rows_of_ids, rows_of_keys
from sync.projects.catalogue import Catalogue, Published

_Said = tuple[int, str | None, dict[str, str]]  # since which event
_VERSION = (
    SubmissionVersion.submission_id,
    SubmissionVersion.number,
    SubmissionVersion.form_id,
    SubmissionVersion.form_version,
    SubmissionVersion.xml,
    SubmissionVersion.event,
)


def recall(session: Session, project_id: int, steps: Iterable[Step]) -> None:
    """Set the `former` of these steps. What a version did not say of an entity is passed over."""
    of_submission: dict[int, list[Step]] = defaultdict(list)
    for step in steps:
        if step.submission_id != LIST_FILE:
            of_submission[step.submission_id].append(step)
    rows = rows_of_ids(
        session.connection(),
        [Submission.id, Submission.versions],
        [(Submission.project_id, project_id)],
        Submission.id,
        sorted(of_submission),
    )
    edited = [row.id for row in rows if row.versions > 1]
    said = _said(session, project_id, edited) if edited else {}
    for submission_id in edited:
        for step in of_submission[submission_id]:
            sayings = said.get((submission_id, step.list_name, step.entity_id, step.path), [])
            step.former = [Former(after[0], label, data) for (_, label, data), after in pairwise(sayings)]


def _said(session: Session, project_id: int, edited: list[int]) -> dict[tuple[int, str, str, str], list[_Said]]:
    """By submission, list, entity and path: what the versions said one after the other."""
    catalogue = Catalogue(session, project_id)
    versions = rows_of_keys(
        session.connection(),
        _VERSION,
        [SubmissionVersion.submission_id],
        [(submission_id,) for submission_id in edited],
        (SubmissionVersion.project_id, project_id),
    )
    found: dict[tuple[int, str, str, str], list[_Said]] = defaultdict(list)
    for submission_id, _, form_id, form_version, xml, event in sorted(versions):
        known = catalogue.published(form_id, form_version)
        actions = entity_actions(known.form, read_instance(unpack(xml))) if isinstance(known, Published) else []
        for action in actions:
            sayings = found[submission_id, action.list_name, action.entity_id, action.path]
            says = (action.label, dict(action.data))
            if not action.flags and (not sayings or sayings[-1][1:] != says):
                sayings.append((event, *says))
    return found
