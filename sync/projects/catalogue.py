"""The published forms of a project, compiled once per process and kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from weakref import ref

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session, aliased

from forms.indicators.contributing import Feeds, compile_feeds
from forms.indicators.sheets import Sheets
from forms.xforms.xform import Form, compile_form
from sync.models import NEWEST, FormDraft, FormVersion, Project
from sync.models import Form as FormRow
from sync.models.probing import look_up

Kept = TypeVar("Kept")

DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Published:
    """One version of a form, ready to read submissions. `sheets` and `feeds` are those of the form's latest version."""

    form: Form
    sheets: Sheets
    feeds: Feeds
    state: str  # of the form: open | closing | closed | deleted
    outside: frozenset[str]  # the lists outside the form that its questions choose from
    time_zone: str  # of the project


@dataclass(frozen=True, slots=True)
class Unpublished:
    """There is no such version: the form itself is unknown, or only this version of it."""

    form_known: bool


class OutOfDate(Exception):
    """What a catalogue recalled is not so any more, or nobody will confirm it."""


class Catalogue:
    """The forms of a project as they stand now, each looked up once: for one batch or one portion of a rebuild.

    With `living`, there are none in it that were deleted: what arrives for them waits. With `recalling`, a form is
    taken to be as this process last saw it; whoever builds on that asks for `recalled` too, and has it `confirm`ed.
    """

    def __init__(self, session: Session, project_id: int, living: bool = False, recalling: bool = False) -> None:
        self._session = session
        self._project_id = project_id
        self._living = living
        self._recalling = recalling
        self._found: dict[tuple[str, str], Published | Unpublished] = {}
        self._recalled: list[tuple[Mapping[str, Any], Sequence[Any]]] = []
        self._asked: list[tuple[Mapping[str, Any], Sequence[Any]]] = []
        self.time_zone: str | None = None  # of the project, once a form of it was found

    @property
    def recalled(self) -> list[tuple[Any, Mapping[str, Any]]]:
        """The statements that show how what was recalled is now, each with what it is to be given."""
        return [(_PUBLISHED, asked) for asked, _ in self._recalled]

    def confirm(self, found: Sequence[Sequence[Any]]) -> None:
        """`found` are the rows of each of the statements. Raises OutOfDate if anything is no more as it was."""
        for rows, (_, told) in zip(found, self._recalled, strict=True):
            if rows != told:
                raise OutOfDate

    def stands(self) -> bool:
        """Whether the database still says of each form what it said when it was asked."""
        return all(look_up(self._session, _PUBLISHED, asked) == rows for asked, rows in self._asked)

    def published(self, form_id: str, version: str) -> Published | Unpublished:
        """The version that a submission names."""
        found = self._found.get((form_id, version))
        if found is None:
            found = self._look_up(form_id, version)
            if isinstance(found, Published):
                self.time_zone = found.time_zone
            if self._living and isinstance(found, Published) and found.state == DELETED:
                found = Unpublished(form_known=False)
            self._found[(form_id, version)] = found
        return found

    def _look_up(self, form_id: str, version: str) -> Published | Unpublished:
        asked = {"project_id": self._project_id, "form_id": form_id, "version": version}
        key = (ref(self._session.get_bind().engine), self._project_id, form_id, version)
        if self._recalling and (seen := _last_seen.find(key)) is not None:
            self._recalled.append((asked, seen[0]))
            return seen[1]
        rows = look_up(self._session, _PUBLISHED, asked)
        self._asked.append((asked, rows))
        found = _published(self._session, self._project_id, form_id, version, rows)
        if isinstance(found, Published):
            _last_seen.put(key, (rows, found))
        return found


def published(session: Session, project_id: int, form_id: str, version: str) -> Published | Unpublished:
    """The version that a submission names. Texts are read from the database only when this process has not met them.

    A deleted form is there too, for what it has in store; it feeds nothing.
    """
    asked = {"project_id": project_id, "form_id": form_id, "version": version}
    return _published(session, project_id, form_id, version, look_up(session, _PUBLISHED, asked))


def _published(
    session: Session, project_id: int, form_id: str, version: str, rows: Sequence[Any]
) -> Published | Unpublished:
    if not rows or rows[0][4] is None:
        return Unpublished(form_known=bool(rows))
    state, deleted_at, latest_version, latest_sha256, sha256, time_zone = rows[0]

    def compile_version() -> Form:
        stored = _stored(session, project_id, form_id, version)
        return compile_form(stored.xform, Sheets.from_json(stored.sheets).renames)

    def feed() -> tuple[Sheets, Feeds]:
        sheets = Sheets.from_json(_stored(session, project_id, form_id, latest_version).sheets)
        return sheets, compile_feeds(form, sheets)

    form = _forms.get(sha256, compile_version)
    if deleted_at is not None:
        state, sheets = DELETED, Sheets(form_id)
        feeds = compile_feeds(form, sheets)
    else:
        sheets, feeds = _feeds.get((sha256, latest_sha256), feed)
    form = feeds.form  # the very one: an instance remembers its walk along one form
    outside = {field.itemset for field in form.fields.values() if field.external and field.itemset is not None}
    return Published(form, sheets, feeds, state, frozenset(outside), time_zone)


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One version of a form, read and compiled when somebody asks."""

    version: str
    sha256: str
    form: Callable[[], Form]
    sheets: Callable[[], Sheets]


def form_versions(session: Session, project_id: int, form_id: str) -> list[StoredVersion]:
    """All versions of a form, the last one published first; none of an unknown form."""
    rows = look_up(session, _VERSIONS, {"project_id": project_id, "form_id": form_id})
    return [_version(session, project_id, form_id, version, sha256) for version, sha256 in rows]


def _version(session: Session, project_id: int, form_id: str, version: str, sha256: str) -> StoredVersion:
    def sheets() -> Sheets:
        return Sheets.from_json(_stored(session, project_id, form_id, version).sheets)

    def form() -> Form:
        stored = _stored(session, project_id, form_id, version)
        return _forms.get(sha256, lambda: compile_form(stored.xform, Sheets.from_json(stored.sheets).renames))

    return StoredVersion(version, sha256, form, sheets)


def current_forms(session: Session, project_id: int) -> Iterator[tuple[Published, str]]:
    """Each form that is not deleted in its newest version, with its title, by id."""
    rows = session.execute(
        select(FormRow.form_id, FormRow.version, FormRow.title)
        .where(FormRow.project_id == project_id, FormRow.deleted_at.is_(None))
        .order_by(FormRow.form_id)
    ).all()
    for form_id, version, title in rows:
        known = published(session, project_id, form_id, version)
        if isinstance(known, Published):
            yield known, title


def compiled_draft(draft: FormDraft) -> tuple[Form, Sheets]:
    """A form that is being tried out, and its sheets."""
    sheets = Sheets.from_json(draft.sheets)
    return _forms.get(draft.sha256, lambda: compile_form(draft.xform, sheets.renames)), sheets


_LATEST, _ASKED = aliased(FormVersion), aliased(FormVersion)
# Made once: putting it together costs more than running it.
_PUBLISHED = (
    select(FormRow.state, FormRow.deleted_at, FormRow.version, _LATEST.sha256, _ASKED.sha256, Project.time_zone)
    .join(Project, Project.id == FormRow.project_id)
    .join(
        _LATEST,
        (_LATEST.project_id == FormRow.project_id)
        & (_LATEST.form_id == FormRow.form_id)
        & (_LATEST.version == FormRow.version),
    )
    .outerjoin(
        _ASKED,
        (_ASKED.project_id == FormRow.project_id)
        & (_ASKED.form_id == FormRow.form_id)
        & (_ASKED.version == bindparam("version")),
    )
    .where(FormRow.project_id == bindparam("project_id"), FormRow.form_id == bindparam("form_id"))
)
_VERSIONS = (
    select(FormVersion.version, FormVersion.sha256)
    .where(FormVersion.project_id == bindparam("project_id"), FormVersion.form_id == bindparam("form_id"))
    .order_by(FormVersion.number.desc())
)


def projects_called(session: Session, name: str) -> list[int]:
    """The projects of this name that are not archived."""
    return list(session.scalars(select(Project.id).where(Project.name == name, Project.archived_at.is_(None))))


def latest_sheets(session: Session, project_id: int) -> dict[str, Sheets]:
    """The sheets of every form's latest version, by form id."""
    rows = session.execute(
        select(FormVersion.form_id, FormVersion.sheets)
        .join(FormRow, NEWEST)
        .where(FormVersion.project_id == project_id, FormRow.deleted_at.is_(None))
        .order_by(FormVersion.form_id)
    )
    return {form_id: Sheets.from_json(sheets) for form_id, sheets in rows}


def _stored(session: Session, project_id: int, form_id: str, version: str) -> Any:
    return session.execute(
        select(FormVersion.xform, FormVersion.sheets).where(
            FormVersion.project_id == project_id, FormVersion.form_id == form_id, FormVersion.version == version
        )
    ).one()


class Shelf(Generic[Kept]):
    """What was compiled last, up to a bound, shared by the threads of the process."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        kept = self.find(key)
        if kept is not None:
            return kept
        made = make()  # two threads may make the same; that is dearer only once, and all go on with the first
        with self._lock:
            kept = self._kept.setdefault(key, made)
            self._let_go()
        return kept

    def find(self, key: Hashable) -> Kept | None:
        """What is kept; None if nothing is."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: Hashable, kept: Kept) -> None:
        """Keep it instead of what was kept before."""
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            self._let_go()

    def _let_go(self) -> None:
        if len(self._kept) > self._bound:
            self._kept.popitem(last=False)


_forms: Shelf[Form] = Shelf(200)
# By database, project, form and version: what the database said of it last, and what that came to.
_last_seen: Shelf[tuple[Sequence[Any], Published]] = Shelf(200)
_feeds: Shelf[tuple[Sheets, Feeds]] = Shelf(200)
