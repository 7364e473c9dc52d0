"""The published forms of a project, compiled once per process and kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from forms.indicators.contributing import Feeds, compile_feeds
from forms.indicators.sheets import Sheets
from forms.xforms.xform import Form, compile_form
from sync.models import Form as FormRow
from sync.models import FormVersion

Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class Published:
    """One version of a form, ready to read submissions. `sheets` and `feeds` are those of the form's latest version."""

    form: Form
    sheets: Sheets
    feeds: Feeds
    state: str  # of the form: open | closing | closed
    outside: frozenset[str]  # the lists outside the form that its questions choose from


@dataclass(frozen=True, slots=True)
class Unpublished:
    """There is no such version: the form itself is unknown, or only this version of it."""

    form_known: bool


class Catalogue:
    """The forms of a project as they stand now, each looked up once: for one batch or one portion of a rebuild."""

    def __init__(self, session: Session, project_id: int) -> None:
        self._session = session
        self._project_id = project_id
        self._found: dict[tuple[str, str], Published | Unpublished] = {}

    def published(self, form_id: str, version: str) -> Published | Unpublished:
        """The version that a submission names."""
        found = self._found.get((form_id, version))
        if found is None:
            found = self._found[(form_id, version)] = published(self._session, self._project_id, form_id, version)
        return found


def published(session: Session, project_id: int, form_id: str, version: str) -> Published | Unpublished:
    """The version that a submission names. Texts are read from the database only when this process has not met them."""
    latest, asked = aliased(FormVersion), aliased(FormVersion)
    row = session.execute(
        select(FormRow.state, FormRow.version, latest.sha256, asked.sha256)
        .join(
            latest,
            (latest.project_id == FormRow.project_id)
            & (latest.form_id == FormRow.form_id)
            & (latest.version == FormRow.version),
        )
        .outerjoin(
            asked,
            (asked.project_id == FormRow.project_id) & (asked.form_id == FormRow.form_id) & (asked.version == version),
        )
        .where(FormRow.project_id == project_id, FormRow.form_id == form_id)
    ).one_or_none()
    if row is None or row[3] is None:
        return Unpublished(form_known=row is not None)
    state, latest_version, latest_sha256, sha256 = row

    def compile_version() -> Form:
        stored = _stored(session, project_id, form_id, version)
        return compile_form(stored.xform, Sheets.from_json(stored.sheets).renames)

    def feed() -> tuple[Sheets, Feeds]:
        sheets = Sheets.from_json(_stored(session, project_id, form_id, latest_version).sheets)
        return sheets, compile_feeds(form, sheets)

    form = _forms.get(sha256, compile_version)
    sheets, feeds = _feeds.get((sha256, latest_sha256), feed)
    outside = {field.itemset for field in form.fields.values() if field.external and field.itemset is not None}
    return Published(form, sheets, feeds, state, frozenset(outside))


def latest_sheets(session: Session, project_id: int) -> dict[str, Sheets]:
    """The sheets of every form's latest version, by form id."""
    rows = session.execute(
        select(FormVersion.form_id, FormVersion.sheets)
        .join(
            FormRow,
            (FormRow.project_id == FormVersion.project_id)
            & (FormRow.form_id == FormVersion.form_id)
            & (FormRow.version == FormVersion.version),
        )
        .where(FormVersion.project_id == project_id)
        .order_by(FormVersion.form_id)
    )
    return {form_id: Sheets.from_json(sheets) for form_id, sheets in rows}


def _stored(session: Session, project_id: int, form_id: str, version: str) -> Any:
    return session.execute(
        select(FormVersion.xform, FormVersion.sheets).where(
            FormVersion.project_id == project_id, FormVersion.form_id == form_id, FormVersion.version == version
        )
    ).one()


class _Shelf(Generic[Kept]):
    """What was compiled last, up to a bound, shared by the threads of the process."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()  # two threads may make the same; that is dearer only once
        with self._lock:
            self._kept[key] = made
            if len(self._kept) > self._bound:
                self._kept.popitem(last=False)
        return made


_forms: _Shelf[Form] = _Shelf(200)
_feeds: _Shelf[tuple[Sheets, Feeds]] = _Shelf(200)
