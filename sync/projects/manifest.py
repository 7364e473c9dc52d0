"""What a device is to fetch beside a form: each file that there is, with a hash that changes when its content does."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from forms.xforms.files import NamedFile, named_files
from sync.entities.delivery import list_names_of, list_type, state_for
from sync.errors import NotFound
from sync.intake.content import store_of
from sync.models import NEWEST, Actor, DraftFile, Form, FormDraft, FormFile, FormVersion, StoredFile

_WORKED_OUT = "md5"


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """A file as a manifest names it. `type` tells Collect of an entity list; None is a plain file."""

    name: str
    type: str | None
    hash: str
    list_name: str | None = None


@dataclass(frozen=True, slots=True)
class Fillable:
    """A form as a form list names it. `has_files` says whether its manifest has anything in it."""

    form_id: str
    title: str
    version: str
    md5: str
    has_files: bool


def fillable(session: Session, project_id: int, bound: frozenset[str] | None, form_id: str | None) -> list[Fillable]:
    """The forms that may be filled in now, by id: the open ones, of those to which somebody is `bound`."""
    query = (
        select(Form.form_id, FormVersion.title, Form.title, Form.version, FormVersion.md5, FormVersion.sha256)
        .join(FormVersion, NEWEST)
        .where(Form.project_id == project_id, Form.state == "open", Form.deleted_at.is_(None))
        .order_by(Form.form_id)
    )
    if form_id is not None:
        query = query.where(Form.form_id == form_id)
    rows = [row for row in session.execute(query).all() if bound is None or row[0] in bound]
    filled = _filled(session, project_id, [row[0] for row in rows])
    return [
        Fillable(
            id_,
            title or of_form,
            version,
            md5,
            any((id_, file.name) in filled for file in named_in_version(session, project_id, id_, version, sha256)),
        )
        for id_, title, of_form, version, md5, sha256 in rows
    ]


def files_for(session: Session, project_id: int, form_id: str, actor: Actor, draft: bool = False) -> list[ManifestFile]:
    """The files that this actor is to have beside the form, by name. Raises NotFound for a form without such a version.

    The hash of a list is that of the rows that the actor gets.
    """
    rows: Mapping[str, Any]
    if draft:
        names, rows = _of_draft(session, project_id, form_id)
    else:
        names, rows = _of_form(session, project_id, form_id)
    wanted = [rows[file.name] for file in names if file.name in rows]
    hashes = hashes_of(session, project_id, [row.sha256 for row in wanted if row.sha256 is not None])
    return [found for row in wanted if (found := _listed(session, project_id, form_id, actor, row, hashes)) is not None]


def named_in_version(session: Session, project_id: int, form_id: str, version: str, sha256: str) -> Sequence[NamedFile]:
    """The files that a version names; its text is read only when this process has not met it."""
    known = _names.get(sha256)
    if known is not None:
        return known
    xform = session.scalar(
        select(FormVersion.xform).where(
            FormVersion.project_id == project_id, FormVersion.form_id == form_id, FormVersion.version == version
        )
    )
    return _names.put(sha256, named_files(xform or b""))


def hashes_of(session: Session, project_id: int, sha256s: Iterable[str]) -> dict[str, str]:
    """SHA-256 → MD5 of files that the project has and whose bytes are here.

    What has to be worked out waits in the session for `keep_hashes`.
    """
    stored = session.execute(
        select(StoredFile.sha256, StoredFile.md5).where(
            StoredFile.project_id == project_id, StoredFile.sha256.in_(sorted(set(sha256s)))
        )
    ).all()
    found = {}
    for sha256, md5 in stored:
        if md5 is not None:
            found[sha256] = md5
        elif store_of(session).holds(sha256):
            found[sha256] = hashlib.md5(store_of(session).read(sha256), usedforsecurity=False).hexdigest()
            session.info.setdefault(_WORKED_OUT, {})[sha256] = found[sha256]
    return found


def has_new_hashes(session: Session) -> bool:
    """Whether `hashes_of` had to work anything out in this session."""
    return bool(session.info.get(_WORKED_OUT))


def keep_hashes(session: Session, project_id: int) -> None:
    """Write down what had to be worked out. The session must have begun to write, and the caller commits."""
    for sha256, md5 in session.info.pop(_WORKED_OUT, {}).items():
        session.execute(
            update(StoredFile)
            .where(StoredFile.project_id == project_id, StoredFile.sha256 == sha256)
            .values(md5=md5)
            .execution_options(synchronize_session=False)
        )


def _of_form(session: Session, project_id: int, form_id: str) -> tuple[Sequence[NamedFile], Mapping[str, FormFile]]:
    row = session.execute(
        select(Form.version, FormVersion.sha256)
        .join(FormVersion, NEWEST)
        .where(Form.project_id == project_id, Form.form_id == form_id, Form.deleted_at.is_(None))
    ).one_or_none()
    if row is None:
        raise NotFound
    files = session.scalars(select(FormFile).where(FormFile.project_id == project_id, FormFile.form_id == form_id))
    names = named_in_version(session, project_id, form_id, row.version, row.sha256)
    return names, {file.name: file for file in files}


def _of_draft(session: Session, project_id: int, form_id: str) -> tuple[Sequence[NamedFile], Mapping[str, DraftFile]]:
    draft = session.get(FormDraft, (project_id, form_id))
    if draft is None:
        raise NotFound
    files = session.scalars(select(DraftFile).where(DraftFile.project_id == project_id, DraftFile.form_id == form_id))
    return named_files(draft.xform), {file.name: file for file in files}


def _listed(
    session: Session,
    project_id: int,
    form_id: str,
    actor: Actor,
    row: FormFile | DraftFile,
    hashes: Mapping[str, str],
) -> ManifestFile | None:
    """None for what has nothing behind it: a list that was deleted, content that is not here."""
    if row.list_name is None:
        md5 = hashes.get(row.sha256 or "")
        return ManifestFile(row.name, None, f"md5:{md5}") if md5 is not None else None
    try:
        kind = list_type(session, project_id, row.list_name)
        state = state_for(session, project_id, row.list_name, actor, form_id)
    except NotFound:
        return None
    return ManifestFile(row.name, kind, state, row.list_name)


def _filled(session: Session, project_id: int, form_ids: Sequence[str]) -> set[tuple[str, str]]:
    """Form and name of the files with something behind them."""
    lists = set(list_names_of(session, project_id))
    rows = session.execute(
        select(FormFile.form_id, FormFile.name, FormFile.sha256, FormFile.list_name).where(
            FormFile.project_id == project_id, FormFile.form_id.in_(form_ids)
        )
    )
    return {(form_id, name) for form_id, name, sha256, listed in rows if sha256 is not None or listed in lists}


class _Names:
    """The files that versions name, by the version's hash: the last ones that this process has met."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._kept: OrderedDict[str, Sequence[NamedFile]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Sequence[NamedFile] | None:
        with self._lock:
            return self._kept.get(key)

    def put(self, key: str, names: Sequence[NamedFile]) -> Sequence[NamedFile]:
        with self._lock:
            self._kept[key] = names
            while len(self._kept) > self._bound:
                self._kept.popitem(last=False)
        return names


_names = _Names(2000)
