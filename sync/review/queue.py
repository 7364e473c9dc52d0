"""The submissions that a coordinator goes through, newest first."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, Text, cast, func, literal_column, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from forms.form import Flag
from sync.entities.reach import tree_of
from sync.errors import Unexpected
from sync.models import CURRENT, Form, Submission, SubmissionVersion
from sync.models.database import is_sqlite
from sync.review.paging import PAGE, Page, cursor_to, id_at

STATES = ("received", "edited", "hasIssues", "rejected", "approved", "flagged", "undecided")
_DECIDED = ("hasIssues", "rejected", "approved")
# Words are looked for in portions of so many submissions: no index holds the answers.
SEARCHED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Sought:
    """What is to be listed. `place` includes everything below it, `collector` is an actor's id.

    The state `received` is that of what nobody has looked at, `undecided` includes what was edited since; `flagged`
    stands for any state. `since` and `until` are moments of arrival, the second one not included. `words` all have to
    stand in the answers, in any order and in capitals or not.
    """

    state: str | None = None
    form_id: str | None = None
    place: str | None = None
    collector: int | None = None
    flagged: bool = False
    device: str | None = None
    flag: str | None = None  # the code of one
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    words: str | None = None
    from_id: int | None = None  # no older ones than this
    among: Sequence[int] | None = None  # none but these


@dataclass(frozen=True, slots=True)
class Waiting:
    """A submission in the queue. Give `event` back as `seen` when deciding."""

    id: int
    form_id: str
    instance_id: str
    current_instance_id: str
    form_version: str
    versions: int
    review_state: str | None
    actor_id: int
    device: str | None
    instance_name: str | None
    received_at: dt.datetime
    recorded_at: dt.datetime
    updated_at: dt.datetime
    subject: str | None
    day: dt.date | None
    place: str | None
    missing: int
    counts: bool
    double_of: str | None  # the first instance id of the copy that counts
    event: int
    flags: Sequence[Flag]


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search has found, and how far it has come: so many were `looked_at`, `back_to` when the last of them was
    received. `cursor` is None when it is through."""

    items: Sequence[Waiting]
    cursor: str | None
    looked_at: int
    back_to: dt.datetime | None


def review_queue(
    session: Session, project_id: int, sought: Sought, cursor: str | None = None, limit: int = PAGE
) -> Page[Waiting]:
    """A page of what is sought; deleted ones, and those of deleted forms, are left out.

    A page costs the same however far down it lies. Raises Unexpected for an unknown state or cursor. An unknown place
    has no submissions.
    """
    rows = session.execute(_newest_first(session, project_id, sought, cursor).limit(limit + 1)).mappings().all()
    items = [_waiting(row) for row in rows[:limit]]
    return Page(items, cursor_to(items[-1].id) if len(rows) > limit else None)


def search(
    session: Session,
    project_id: int,
    sought: Sought,
    cursor: str | None,
    limit: int,
    enough: Callable[[], bool] = lambda: True,
) -> Searched:
    """The same where words are sought: from the newest on, a portion of what else is sought after the other is looked
    through, until there are so many, nothing is left or it is `enough` for this time."""
    reach = select(Submission.id, Submission.received_at).where(
        *_in_order(session, project_id, replace(sought, words=None))
    )
    found: list[Waiting] = []
    looked_at, back_to = 0, None
    while True:
        before = id_at(cursor)
        following = reach if before is None else reach.where(Submission.id < before)
        portion = session.execute(following.order_by(Submission.id.desc()).limit(SEARCHED_AT_ONCE)).all()
        if not portion:
            return Searched(found, None, looked_at, back_to)
        held = replace(sought, from_id=portion[-1].id)
        page = review_queue(session, project_id, held, cursor, limit - len(found))
        found += page.items
        cursor = page.cursor or cursor_to(portion[-1].id)
        passed = [row for row in portion if row.id >= (id_at(cursor) or 0)]
        looked_at, back_to = looked_at + len(passed), passed[-1].received_at
        if page.cursor is None and len(portion) < SEARCHED_AT_ONCE:
            return Searched(found, None, looked_at, back_to)
        if len(found) >= limit or enough():
            return Searched(found, cursor, looked_at, back_to)


def words_of(sought: str | None) -> list[str]:
    """The words that are looked for, where so many were written."""
    return (sought or "").split()[:_MOST_WORDS]


def count_sought(session: Session, project_id: int, sought: Sought, most: int | None) -> int:
    """How many are sought; `most` stands for that many or more. All are counted for None."""
    if most is None:
        of_project = _COPY.project_id == project_id
        deleted = select(_COPY.id).where(of_project, _COPY.deleted_at.is_not(None))
        of_deleted = select(_COPY.id).where(of_project, _COPY.form_id.in_(deleted_forms(project_id)))
        apart, whole = [deleted, of_deleted], sought
        if sought.state == "undecided" and (sought.since or sought.until):
            # The index of the time says no state: those of other states are among what is left out.
            apart.append(select(_COPY.id).where(of_project, _COPY.review_state.in_(_DECIDED)))
            whole = replace(sought, state=None)
        gone = session.scalars(union_all(*apart).limit(_MOST_GONE)).all()
        if len(gone) < _MOST_GONE:  # for most filters an index says it all: no row of a submission is read but of these
            every = select(func.count(Submission.id)).where(*_filters(session, project_id, whole))
            left_out = session.scalar(every.where(Submission.id.in_(gone))) if gone else 0
            return (session.scalar(every) or 0) - (left_out or 0)
    some = select(Submission.id).where(*_where(session, project_id, sought)).limit(most).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def flags_sought(session: Session, project_id: int, sought: Sought) -> tuple[dict[str, int], bool]:
    """How many of what is sought have each flag, whichever flag and words are sought; and whether there may be more,
    for none but the newest that have any are looked at."""
    flagged = select(Submission.id).where(Submission.project_id == project_id, _FLAGGED)
    ids = session.scalars(flagged.order_by(Submission.id.desc()).limit(_MOST_FLAGGED + 1)).all()
    among = replace(sought, flag=None, words=None, since=None, until=None, place=None, among=ids[:_MOST_FLAGGED])
    # They are read by their ids: in the indexes of times and places stand all that came then and there.
    where = _where(session, project_id, among) + _came(func.coalesce(Submission.received_at, None), sought)
    if sought.place is not None:
        where.append(func.coalesce(Submission.place, None).in_(_codes_below(session, project_id, sought.place)))
    several = session.scalars(select(Submission.flags).where(*where))
    return Counter(code for flags in several for code in {flag[0] for flag in flags}), len(ids) > _MOST_FLAGGED


def next_waiting(
    session: Session, project_id: int, sought: Sought, cursor: str | None, avoided: Sequence[int]
) -> Waiting | None:
    """The next one to look at that is not among those avoided: others have them before them."""
    query = _newest_first(session, project_id, sought, cursor)
    if avoided:
        query = query.where(Submission.id.not_in(avoided))
    row = session.execute(query.limit(1)).mappings().one_or_none()
    return None if row is None else _waiting(row)


def ids_sought(session: Session, project_id: int, sought: Sought, limit: int) -> list[int]:
    """The ids of what is sought, the oldest first, at most `limit`."""
    query = select(Submission.id).where(*_in_order(session, project_id, sought))
    return list(session.scalars(query.order_by(Submission.id).limit(limit)))


_MOST_WORDS = 5
# Of a place with fewer, SQLite is handed all; of one with so many, some are soon found in the order of the page.
_FEW_IN_PLACE = 1000
_MOST_GONE = 10_000
_MOST_FLAGGED = 1000
# Written as the index has it, or SQLite would not use it.
_FLAGGED: ColumnElement[bool] = literal_column("submissions.flags <> '[]'")
_COPY = aliased(Submission)
_DOUBLE_OF = (
    select(_COPY.instance_id)
    .where(_COPY.project_id == Submission.project_id, _COPY.id == Submission.double_of)
    .correlate(Submission)
    .scalar_subquery()
    .label("double_of")
)
_COLUMNS = [_DOUBLE_OF if field.name == "double_of" else getattr(Submission, field.name) for field in fields(Waiting)]


def _waiting(row: RowMapping) -> Waiting:
    return Waiting(**dict(row) | {"flags": [Flag(*flag) for flag in row["flags"]]})


def _newest_first(session: Session, project_id: int, sought: Sought, cursor: str | None) -> Select[Any]:
    """What follows the cursor: by id; of a time alone as it came, which its index has in order, however many came."""
    before = id_at(cursor)
    if not _by_arrival(sought):
        query = select(*_COLUMNS).where(*_in_order(session, project_id, sought)).order_by(Submission.id.desc())
        return query if before is None else query.where(Submission.id < before)
    came = Submission.received_at
    query = select(*_COLUMNS).where(*_where(session, project_id, sought)).order_by(came.desc(), Submission.id.desc())
    if before is None:
        return query
    seen = select(came).where(Submission.project_id == project_id, Submission.id == before)
    if (until := session.scalar(seen)) is None:  # It was erased since.
        return query.where(Submission.id < before)
    return query.where(came <= until, or_(came < until, Submission.id < before))


def _by_arrival(sought: Sought) -> bool:
    """Whether nothing else is sought by which few might be left, for which another index has them together."""
    if sought.state not in (None, "undecided") or (sought.since or sought.until) is None:
        return False
    return sought == Sought(sought.state, since=sought.since, until=sought.until)


def _in_order(session: Session, project_id: int, sought: Sought) -> list[ColumnElement[bool]]:
    """As `_where`, for what is read by id: from the first to the last that came in the time that is sought, which need
    not be near either end."""
    where = _where(session, project_id, replace(sought, since=None, until=None))
    arrived = _COPY.project_id == project_id, *_came(_COPY.received_at, sought)
    # A sum has no index: the moments are gone through in theirs, which says the ids as well …
    ids = _COPY.id + 0
    if sought.since is not None:
        where.append(Submission.id >= select(func.min(ids)).where(*arrived).scalar_subquery())
    if sought.until is not None:
        where.append(Submission.id <= select(func.max(ids)).where(*arrived).scalar_subquery())
    # … and here it is not to be taken, for all that it finds would have to be put in order.
    return where + _came(func.coalesce(Submission.received_at, None), sought)


def _came(received_at: Any, sought: Sought) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if sought.since is not None:
        where.append(received_at >= sought.since)
    if sought.until is not None:
        where.append(received_at < sought.until)
    return where


def _where(session: Session, project_id: int, sought: Sought) -> list[ColumnElement[bool]]:
    return [
        *_filters(session, project_id, sought),
        Submission.deleted_at.is_(None),
        Submission.form_id.not_in(deleted_forms(project_id)),
    ]


def deleted_forms(project_id: int) -> Select[str]:
    """Which forms are in the bin."""
    return select(Form.form_id).where(Form.project_id == project_id, Form.deleted_at.is_not(None))


def _filters(session: Session, project_id: int, sought: Sought) -> list[ColumnElement[bool]]:
    if sought.state is not None and sought.state not in STATES:
        raise Unexpected(f"{sought.state!r} is not a state; it is one of {', '.join(STATES)}.")
    where: list[ColumnElement[bool]] = [Submission.project_id == project_id]
    if sought.state == "received":
        where.append(Submission.review_state.is_(None))
    elif sought.state == "undecided":
        where.append(or_(Submission.review_state.is_(None), Submission.review_state == "edited"))
    elif sought.state not in (None, "flagged"):
        where.append(Submission.review_state == sought.state)
    if sought.flagged or sought.flag or sought.state == "flagged":
        where.append(_FLAGGED)
    if sought.flag:
        # In the stored text of the flags a code stands first in its brackets.
        where.append(cast(Submission.flags, Text).contains(f'["{sought.flag}"', autoescape=True))
    if sought.form_id is not None:
        where.append(Submission.form_id == sought.form_id)
    if sought.collector is not None:
        where.append(_sent_by(session, project_id, sought.collector))
    if sought.device is not None:
        where.append(Submission.device == sought.device)
    if sought.place is not None:
        where.append(_in_place(session, project_id, sought.place))
    where += _came(Submission.received_at, sought)
    if sought.from_id is not None:
        where.append(Submission.id >= sought.from_id)
    if sought.among is not None:
        where.append(Submission.id.in_(sought.among))
    return where + [_says(session, word) for word in words_of(sought.words)]


def _in_place(session: Session, project_id: int, place: str) -> ColumnElement[bool]:
    codes = _codes_below(session, project_id, place)
    if is_sqlite(session):
        # As below. To fetch all of a place with many would be the dearer way.
        here = select(_COPY.id).where(_COPY.project_id == project_id, _COPY.place.in_(codes)).limit(_FEW_IN_PLACE)
        if len(ids := session.scalars(here).all()) < _FEW_IN_PLACE:
            return Submission.id.in_(ids)
    return Submission.place.in_(codes)


def _codes_below(session: Session, project_id: int, place: str) -> list[str]:
    tree = tree_of(session, project_id)
    code = tree.code_of(place)
    return [] if code is None else tree.below(code)


def _sent_by(session: Session, project_id: int, actor_id: int) -> ColumnElement[bool]:
    if not is_sqlite(session):
        return Submission.actor_id == actor_id
    # SQLite would look through all submissions in the order of the page, however few are this sender's.
    return Submission.id.in_(select(_COPY.id).where(_COPY.project_id == project_id, _COPY.actor_id == actor_id))


def _says(session: Session, word: str) -> ColumnElement[bool]:
    """Whether the word stands in the current answers or in the name of the instance. Names of questions are found too:
    the answers are one text."""
    version = select(SubmissionVersion.answers).where(CURRENT)
    texts = cast(version.scalar_subquery(), Text), Submission.instance_name
    # SQLite's LIKE takes capitals for small letters by itself, in half the time.
    if is_sqlite(session):
        return or_(*(text.contains(word, autoescape=True) for text in texts))
    return or_(*(text.icontains(word, autoescape=True) for text in texts))
