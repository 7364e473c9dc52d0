"""Where another server hands out the last state of a submission alone: what that continues of what is here."""

from __future__ import annotations

import datetime as dt

from lxml import etree
from sqlalchemy import select

from forms.findings import Faulty
from forms.xforms.corrections import ROOT
from forms.xforms.instance import read_instance
from forms.xforms.xml import parser
from server.db import session
from server.moving.found import FoundInstance
from sync.intake.prepare import unpack
from sync.models import Actor, Submission, SubmissionVersion


def continuing(project_id: int, found: FoundInstance, origin: str) -> tuple[bytes, dt.datetime | None]:
    """What to file: a correction of the state that is here, or, if none is, a submission of its own that remembers its
    `root`. And when it was received, if somebody knows: of corrections nobody does.

    It is left as it is where the state that is here did not come from `origin`: it is not known to be a correction of
    that, and waits in quarantine.
    """
    try:
        instance = read_instance(found.xml)
    except Faulty:
        return found.xml, found.sent_at
    if instance.deprecated_id is None:
        return found.xml, found.sent_at
    corrected = session().get(SubmissionVersion, (project_id, instance.form_id, instance.deprecated_id))
    stored = session().get(SubmissionVersion, (project_id, instance.form_id, found.instance_id))
    here = stored.parent if stored is not None else None
    session().rollback()
    if corrected is not None:
        return found.xml, None
    if stored is None:
        here = _current_of(project_id, instance.form_id, found)
        if here is not None and not _came_from(origin, project_id, instance.form_id, here):
            return found.xml, None
    document = etree.fromstring(found.xml, parser())
    for meta in document.iterfind("{*}meta"):
        for said in meta.findall("{*}deprecatedID"):
            if here is not None:
                said.text = here
            elif meta.find(f"{{*}}{ROOT}") is None:
                said.tag, said.text = str(said.tag).replace("deprecatedID", ROOT), found.root
            else:
                meta.remove(said)
    return etree.tostring(document, xml_declaration=True, encoding="utf-8"), None if here else found.sent_at


def _current_of(project_id: int, form_id: str, found: FoundInstance) -> str | None:
    """The current instance of the submission that it is a state of. That came under the id that it had then, but both
    servers know when the first of it was received."""
    first = (
        (SubmissionVersion.project_id == Submission.project_id)
        & (SubmissionVersion.form_id == Submission.form_id)
        & (SubmissionVersion.instance_id == Submission.instance_id)
    )
    same_root, same_moment = Submission.instance_id == found.root, Submission.received_at == found.sent_at
    rows = session().execute(
        select(Submission.current_instance_id, Submission.instance_id, SubmissionVersion.xml)
        .join(SubmissionVersion, first)
        .where(Submission.project_id == project_id, Submission.form_id == form_id, same_root | same_moment)
    )
    here = next(
        (row.current_instance_id for row in rows if _bare(found.root) in _roots(row.instance_id, row.xml)), None
    )
    session().rollback()
    return here


def _came_from(origin: str, project_id: int, form_id: str, instance_id: str) -> bool:
    """Whether it is as it was moved here, by one of those who stand for people there."""
    version = session().get_one(SubmissionVersion, (project_id, form_id, instance_id))
    sender = session().get_one(Actor, version.actor_id)
    found = sender.kind == "device" and sender.name.endswith(f"({origin})")
    session().rollback()
    return found


def _roots(instance_id: str, xml: bytes) -> set[str]:
    said = read_instance(unpack(xml)).root.iterfind(f"meta/{ROOT}")
    return {_bare(instance_id), *(_bare(element.text) for element in said)}


def _bare(uuid: str | None) -> str:
    return (uuid or "").strip().removeprefix("uuid:")
