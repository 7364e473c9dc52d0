"""The forms of a project with their versions, drafts and files."""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, null, select
from sqlalchemy.orm import Session

from sync.errors import NotFound, VersionUnknown
from sync.models import NEWEST, Actor, Event, Form, FormDraft, FormFile, FormVersion, StoredFile, Submission

OLD_EXCEL = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, slots=True)
class FormSeen:
    """A form as one of its versions, or as its draft. `number` and `state` are those of the form.

    `sha` and `sha256` are of the XForm. `source` is what came: "xlsx", "xls" or nothing. A draft has a token. A form
    `has_entities` if it makes or changes any.
    """

    form_id: str
    number: int | None
    title: str
    version: str
    md5: str
    sha: str
    sha256: str
    has_entities: bool
    state: str
    key_id: int | None
    source: str | None
    actor_id: int | None
    created_at: dt.datetime
    updated_at: dt.datetime | None
    published_at: dt.datetime | None
    deleted_at: dt.datetime | None
    draft_token: str | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """What came in for a form."""

    submissions: int
    last: dt.datetime | None
    by_review: dict[str | None, int]


def forms_of(
    session: Session, project_id: int, *, deleted: bool = False, bound: frozenset[str] | None = None
) -> list[FormSeen]:
    """Each form as its current version, by id; those in the bin instead, if they are asked for."""
    there = Form.deleted_at.is_not(None) if deleted else Form.deleted_at.is_(None)
    found = _seen(session, project_id, _of_current_version().where(Form.project_id == project_id, there))
    return [form for form in found if bound is None or form.form_id in bound]


def form_of(session: Session, project_id: int, form_id: str) -> FormSeen:
    """The form as its current version. Raises NotFound, also for one in the bin."""
    query = _of_current_version().where(
        Form.project_id == project_id, Form.form_id == form_id, Form.deleted_at.is_(None)
    )
    found = _seen(session, project_id, query)
    if not found:
        raise NotFound
    return found[0]


def drafts_of(session: Session, project_id: int, form_id: str | None = None) -> list[FormSeen]:
    """The drafts, by id of their form."""
    query = (
        select(
            FormDraft.form_id,
            Form.number,
            FormDraft.title,
            FormDraft.version,
            FormDraft.md5,
            FormDraft.sha256.label("content"),
            func.coalesce(Form.state, "open").label("state"),
            null().label("key_id"),
            func.substr(FormDraft.source, 1, 4).label("source"),
            FormDraft.actor_id,
            FormDraft.created_at,
            FormDraft.updated_at,
            null().label("published_at"),
            Form.deleted_at,
            FormDraft.token.label("draft_token"),
        )
        .outerjoin(Form, (Form.project_id == FormDraft.project_id) & (Form.form_id == FormDraft.form_id))
        .where(FormDraft.project_id == project_id, Form.deleted_at.is_(None))
        .order_by(FormDraft.form_id)
    )
    return _seen(session, project_id, query if form_id is None else query.where(FormDraft.form_id == form_id))


def draft_only(session: Session, project_id: int) -> list[FormSeen]:
    """The forms that were never published, each as its draft."""
    published = set(session.scalars(select(Form.form_id).where(Form.project_id == project_id)))
    return [draft for draft in drafts_of(session, project_id) if draft.form_id not in published]


def version_of(session: Session, project_id: int, form_id: str, version: str | None = None) -> FormVersion:
    """A version, by default the one that devices get. Raises NotFound for an unknown form, VersionUnknown otherwise."""
    form = session.get(Form, (project_id, form_id))
    if form is None or form.deleted_at is not None:
        raise NotFound
    found = session.get(FormVersion, (project_id, form_id, form.version if version is None else version))
    if found is None:
        raise VersionUnknown
    return found


def versions_of(
    session: Session, project_id: int, form_id: str, version: str | None = None
) -> list[tuple[int, FormSeen]]:
    """All versions with their place in the order of publishing, the newest first; or one. Raises as `version_of`."""
    version_of(session, project_id, form_id, version)
    query = (
        select(*_COLUMNS, FormVersion.number.label("place"))
        .join(Form, _SAME_FORM)
        .where(FormVersion.project_id == project_id, FormVersion.form_id == form_id)
        .order_by(FormVersion.number.desc())
    )
    if version is not None:
        query = query.where(FormVersion.version == version)
    rows = session.execute(query).all()
    return [(row.place, seen) for row, seen in zip(rows, _shown(session, project_id, rows), strict=True)]


def files_of_form(session: Session, project_id: int, form_id: str) -> dict[str, tuple[FormFile, Any, Any]]:
    """What the form's versions name, by name: the file, its stored content if any, and when it last changed."""
    rows = session.execute(
        select(FormFile, StoredFile, Event.at)
        .outerjoin(StoredFile, (StoredFile.project_id == FormFile.project_id) & (StoredFile.sha256 == FormFile.sha256))
        .outerjoin(Event, (Event.project_id == FormFile.project_id) & (Event.number == FormFile.event))
        .where(FormFile.project_id == project_id, FormFile.form_id == form_id)
        .order_by(FormFile.name)
    ).all()
    return {file.name: (file, stored, at) for file, stored, at in rows}


def counts_of(session: Session, project_id: int, form_ids: Sequence[str]) -> dict[str, Counted]:
    """How much came in for these forms."""
    rows = session.execute(
        select(Submission.form_id, Submission.review_state, func.count(), func.max(Submission.received_at))
        .where(Submission.project_id == project_id, Submission.form_id.in_(form_ids), Submission.deleted_at.is_(None))
        .group_by(Submission.form_id, Submission.review_state)
    ).all()
    found = {form_id: Counted(0, None, {}) for form_id in form_ids}
    for form_id, state, number, last in rows:
        before = found[form_id]
        latest = max((at for at in (before.last, last) if at is not None), default=None)
        found[form_id] = Counted(before.submissions + number, latest, before.by_review | {state: number})
    return found


def with_lists(session: Session, project_id: int) -> set[str]:
    """The forms that choose from an entity list."""
    rows = select(FormFile.form_id).where(FormFile.project_id == project_id, FormFile.list_name.is_not(None))
    return set(session.scalars(rows))


def links_of(session: Session, project_id: int) -> dict[str, int]:
    """How many public links each form has."""
    rows = session.execute(
        select(Actor.form_id, func.count())
        .where(Actor.kind == "public_link", Actor.project_id == project_id, Actor.disabled_at.is_(None))
        .group_by(Actor.form_id)
    ).all()
    return {form_id: number for form_id, number in rows if form_id is not None}


def makers_of(session: Session, actor_ids: Sequence[int | None]) -> dict[int, Actor]:
    """The actors behind these numbers."""
    wanted = {actor_id for actor_id in actor_ids if actor_id is not None}
    return {actor.id: actor for actor in session.scalars(select(Actor).where(Actor.id.in_(wanted)))}


_COLUMNS: tuple[ColumnElement[Any] | Any, ...] = (
    Form.form_id,
    Form.number,
    func.coalesce(FormVersion.title, Form.title).label("title"),
    FormVersion.version,
    FormVersion.md5,
    FormVersion.sha256.label("content"),
    Form.state,
    FormVersion.key_id,
    func.substr(FormVersion.source, 1, 4).label("source"),
    Form.actor_id,
    Form.created_at,
    Form.updated_at,
    FormVersion.published_at,
    Form.deleted_at,
)
_SAME_FORM = (FormVersion.project_id == Form.project_id) & (FormVersion.form_id == Form.form_id)


def _of_current_version() -> Select[Any]:
    return select(*_COLUMNS).join(FormVersion, NEWEST).order_by(Form.form_id)


def _seen(session: Session, project_id: int, query: Select[Any]) -> list[FormSeen]:
    return _shown(session, project_id, session.execute(query).all())


def _shown(session: Session, project_id: int, rows: Sequence[Any]) -> list[FormSeen]:
    return [
        FormSeen(
            form_id=row.form_id,
            number=row.number,
            title=row.title,
            version=row.version,
            md5=row.md5,
            sha=told[0],
            sha256=told[1],
            has_entities=told[2],
            state=row.state,
            key_id=row.key_id,
            source=None if not row.source else "xls" if bytes(row.source) == OLD_EXCEL else "xlsx",
            actor_id=row.actor_id,
            created_at=row.created_at,
            updated_at=row.updated_at,
            published_at=row.published_at,
            deleted_at=row.deleted_at,
            draft_token=getattr(row, "draft_token", None),
        )
        for row in rows
        for told in [_told_by_text(session, project_id, row)]
    ]


def _told_by_text(session: Session, project_id: int, row: Any) -> _Told:
    """SHA-1 and SHA-256 of the XForm, and whether it knows entities; it is read only if this process has not met it."""
    with _lock:
        if row.content in _kept:
            return _kept[row.content]
    if getattr(row, "draft_token", None) is not None:
        query = select(FormDraft.xform).where(FormDraft.project_id == project_id, FormDraft.form_id == row.form_id)
    else:
        query = select(FormVersion.xform).where(
            FormVersion.project_id == project_id,
            FormVersion.form_id == row.form_id,
            FormVersion.version == row.version,
        )
    xform = session.scalars(query).one()
    sha1, sha256 = hashlib.sha1(xform, usedforsecurity=False), hashlib.sha256(xform)
    told = sha1.hexdigest(), sha256.hexdigest(), b"entities-version" in xform
    with _lock:
        _kept[row.content] = told
        while len(_kept) > 5000:
            _kept.popitem(last=False)
    return told


_Told = tuple[str, str, bool]
_kept: OrderedDict[str, _Told] = OrderedDict()
_lock = threading.Lock()
