"""What a programme folder says that its project does not say yet, for whoever looks before it is loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.programmes.places import Place as PlaceRow
from forms.programmes.programme import Programme
from forms.workbooks.differences import Change, changes_between
from forms.workbooks.workbook import Workbook
from forms.xforms.xform import Form
from sync.errors import WorkbookFaulty
from sync.models import Form as FormRow
from sync.models.projects import Place, Project
from sync.projects.catalogue import StoredVersion, form_versions
from sync.projects.identities import carried_on, forms_before
from sync.projects.publish import SETTINGS

NEW, VERSION, SAME = "new", "version", "same"


@dataclass(frozen=True, slots=True)
class FormCompared:
    """A workbook: of a form that is `new`, a new `version`, or the `same` as is published. `changes` are against the
    version before it."""

    form_id: str
    title: str
    version: str
    state: str
    changes: list[Change]


@dataclass(frozen=True, slots=True)
class Compared:
    """Settings with what they are and what they would be; how many places are added, changed, removed; the forms."""

    settings: dict[str, tuple[Any, Any]]
    places: Counter[str]
    forms: list[FormCompared]


def compare_programme(session: Session, project_id: int, programme: Programme) -> Compared:
    """Only reads. Rows of lists and texts of statements are not gone into here: `load_programme` knows whether they
    are different."""
    return Compared(
        _settings(session.get_one(Project, project_id), programme),
        _places(session, project_id, programme.places),
        list(_forms(session, project_id, programme)),
    )


def _settings(project: Project, programme: Programme) -> dict[str, tuple[Any, Any]]:
    pairs = {name: (getattr(project, name), getattr(programme.settings, name)) for name in SETTINGS}
    pairs["languages"] = (list(pairs["languages"][0]), list(pairs["languages"][1]))
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _places(session: Session, project_id: int, places: tuple[PlaceRow, ...]) -> Counter[str]:
    query = select(Place).where(Place.project_id == project_id, Place.closed.is_(None))
    before = {row.code: _said(row) for row in session.scalars(query)}
    after = {place.code: _said(place) for place in places}
    found: Counter[str] = Counter()
    found["added"] = len(after.keys() - before.keys())
    found["removed"] = len(before.keys() - after.keys())
    found["changed"] = sum(before[code] != after[code] for code in before.keys() & after.keys())
    return found


def _said(place: Place | PlaceRow) -> tuple[Any, ...]:
    return place.name, place.level, place.parent, place.latitude, place.longitude, list(place.aliases)


def _forms(session: Session, project_id: int, programme: Programme) -> Iterator[FormCompared]:
    titles = dict(session.execute(select(FormRow.form_id, FormRow.title).where(FormRow.project_id == project_id)).all())
    last: dict[str, Workbook | StoredVersion] = {}
    for workbook in programme.workbooks:
        form = workbook.form
        versions = form_versions(session, project_id, form.form_id)
        if form.version in {one.version for one in versions}:
            yield FormCompared(form.form_id, form.title, form.version, SAME, [])
            continue
        before = last.get(form.form_id) or next(iter(versions), None)
        workbook = _carried_on(workbook, before, forms_before(session, project_id, form.form_id))
        state = VERSION if form.form_id in titles or form.form_id in last else NEW
        yield FormCompared(form.form_id, form.title, form.version, state, _changes(before, workbook))
        last[form.form_id] = workbook


def _carried_on(workbook: Workbook, before: Workbook | StoredVersion | None, stored: list[Form]) -> Workbook:
    """As it will be published, after others of the folder that come before it; as it is where that is refused."""
    try:
        own = [before.form] if isinstance(before, Workbook) else []
        return carried_on(workbook, [*own, *stored])
    except WorkbookFaulty:
        return workbook


def _changes(before: Workbook | StoredVersion | None, after: Workbook) -> list[Change]:
    if before is None:
        return []
    old = (before.form(), before.sheets()) if isinstance(before, StoredVersion) else (before.form, before.sheets)
    return changes_between(old, (after.form, after.sheets))
