"""Trial answers to a draft: kept beside it, checked like others, and counted nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from forms.findings import Faulty
from forms.xforms.answers import answers_of, attachments_named
from forms.xforms.check import check
from forms.xforms.instance import read_instance
from sync.errors import ContentDiffers, DraftGone, NotFound, Unparseable, VersionUnknown
from sync.intake.items import LONGEST_ID, id_from_content, shortened
from sync.intake.posting import Post, keep_files, named_files, settle_bytes
from sync.intake.prepare import pack, time_zone_of, unpack
from sync.journal import When, open_journal
from sync.models import DraftSubmission, FormDraft
from sync.projects.catalogue import compiled_draft
from sync.projects.lookups import lists_of


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of it: the names of files that did not come, and whether anything was new."""

    instance_id: str
    missing: Sequence[str]
    news: bool


def receive_trial(
    session: Session, project_id: int, form_id: str, actor_id: int | None, post: Post, now: When
) -> Tried:
    """Keep a trial answer with its files. The caller commits.

    Raises DraftGone without a draft, Unparseable, NotFound or VersionUnknown for what is no answer to it, and
    ContentDiffers for other content under a known id.
    """
    settle_bytes(post.files, keep=True)
    journal = open_journal(session, project_id, actor_id, now)
    draft = session.get(FormDraft, (project_id, form_id))
    if draft is None:
        raise DraftGone
    try:
        instance = read_instance(post.xml)
    except Faulty as faulty:
        raise Unparseable(str(faulty)) from faulty
    if instance.form_id != form_id:
        raise NotFound(f"This is no answer to the draft of {form_id}.")
    if instance.version != draft.version:
        raise VersionUnknown("The draft has another version now; get the form anew.")
    form, _ = compiled_draft(draft)
    instance_id = instance.instance_id or id_from_content(post.xml)
    if shortened(instance_id) != instance_id:
        raise Unparseable(f"An instance id may have {LONGEST_ID} bytes at most.")
    named = attachments_named(form, instance)
    files = {said["name"]: said["sha256"] for said in named_files(named, post.files)}
    keep_files(journal, post.files)
    known = session.get(DraftSubmission, (project_id, form_id, instance_id))
    if known is None:
        flags = check(form, instance, lists_of(session, project_id), journal.now, time_zone_of(session, project_id))
        last = select(func.max(DraftSubmission.number)).where(
            DraftSubmission.project_id == project_id, DraftSubmission.form_id == form_id
        )
        session.add(
            DraftSubmission(
                project_id=project_id,
                form_id=form_id,
                instance_id=instance_id,
                number=(session.scalar(last) or 0) + 1,
                xml=pack(post.xml),
                answers=answers_of(form, instance),
                flags=[[flag.code, flag.place, flag.message] for flag in flags],
                files=files,
                device=post.device,
                user_agent=post.user_agent,
                received_at=journal.now,
            )
        )
        news = True
    else:
        if unpack(known.xml) != post.xml:
            raise ContentDiffers
        news = bool(files.keys() - known.files.keys())
        known.files = files = {**files, **known.files}
    journal.close()
    return Tried(instance_id, [name for name in named if name not in files], news)
