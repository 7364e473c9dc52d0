"""One person of a list: the records behind him or her, the visits that name them, and what was decided about them."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from sync.dedup.pairs import OPEN, ties_of
from sync.entities.reading import one_entity
from sync.models import Attachment, Contribution, Entity, EntityStep, Match, MatchDecision, Membership, Submission
from sync.models.probing import rows_of_ids, rows_of_keys
from sync.review.matches import COLUMNS, Pair, chosen_among, matching_list
from sync.review.people import Person
from sync.review.records import compared, records_of, standing_for

VISITS = 50
_MOST_RECORDS = 200
_PHOTO = "image/"
_PHOTO_NAMES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True, slots=True)
class Visit:
    """A submission that names a record. `indicators` are those, by id, in which it counts for the record now; `photos`
    are the names of its pictures."""

    id: int
    form_id: str
    instance_id: str
    recorded_at: dt.datetime
    place: str | None
    actor_id: int
    counts: bool
    indicators: Collection[int]
    photos: Sequence[str]
    records: Collection[str] = field(default=())


def person_of(session: Session, project_id: int, list_name: str, entity_id: str) -> Person:
    """The person whose record this is. Raises NotFound, EntityNotFound."""
    known = matching_list(session, project_id, list_name)
    first = one_entity(session, project_id, list_name, entity_id).id
    person, ids = _records_of_same(session, project_id, list_name, first)
    records = list(records_of(session, project_id, list_name, ids).values())
    chosen = chosen_among(session, project_id, list_name, ids)
    stands = standing_for(records, chosen)
    ordered = [stands, *sorted((one for one in records if one.id != stands.id), key=lambda one: one.created_at)]
    return Person(person, stands, ordered[1:], compared(known, ordered))


def pairs_about(session: Session, project_id: int, list_name: str, entity_ids: Collection[str]) -> list[Pair]:
    """The pairs in which any of these records stands that were decided or may be one person, the likeliest first."""
    ties = ties_of(session.connection(), project_id, list_name, entity_ids)
    keys = [(tie.a, tie.b) for tie in ties.values()]
    at = (Match.project_id, project_id), (Match.list_name, list_name)
    found = [Pair(*row) for row in rows_of_keys(session.connection(), COLUMNS, [Match.a, Match.b], keys, *at)]
    some = [pair for pair in found if pair.state != OPEN or pair.probability is not None]
    return sorted(some, key=lambda pair: (pair.state == OPEN, -(pair.probability or 0), pair.id))


def last_decisions(
    session: Session, project_id: int, list_name: str, pairs: Sequence[Pair]
) -> Mapping[int, MatchDecision]:
    """What was said last about each of these pairs, by the id of the pair."""
    keys = [(pair.a, pair.b) for pair in pairs]
    at = (MatchDecision.project_id, project_id), (MatchDecision.list_name, list_name)
    columns = [MatchDecision.a, MatchDecision.b, MatchDecision.id]
    last: dict[tuple[str, str], int] = {}
    for a, b, number in rows_of_keys(session.connection(), columns, columns[:2], keys, *at):
        last[a, b] = max(number, last.get((a, b), 0))
    query = select(MatchDecision).where(
        MatchDecision.project_id == project_id, MatchDecision.id.in_(sorted(last.values()))
    )
    said = {decision.id: decision for decision in session.scalars(query)} if last else {}
    return {pair.id: said[last[pair.a, pair.b]] for pair in pairs if (pair.a, pair.b) in last}


def labels_of(session: Session, project_id: int, list_name: str, entity_ids: Collection[str]) -> dict[str, str]:
    """What the records of a list are called, by id."""
    fixed = [(Entity.project_id, project_id), (Entity.list_name, list_name)]
    rows = rows_of_ids(session.connection(), [Entity.id, Entity.label], fixed, Entity.id, sorted(set(entity_ids)))
    return {row.id: row.label for row in rows}


def visits_of(
    session: Session, project_id: int, list_name: str, entity_ids: Collection[str], limit: int = VISITS
) -> tuple[list[Visit], int]:
    """The last submissions that made or changed one of these records, chiefly name it, or count for it in a figure, as
    a training does in which it was ticked; and how many there are in all."""
    naming = _naming(session, project_id, list_name, entity_ids)
    last = sorted(naming, reverse=True)[:limit]
    fixed = [(Submission.project_id, project_id)]
    rows = rows_of_ids(session.connection(), _SUBMISSION, fixed, Submission.id, last)
    parts, photos = _parts(session, project_id, last, entity_ids), _photos(session, project_id, rows)
    visits = [
        Visit(
            row.id,
            row.form_id,
            row.instance_id,
            row.recorded_at,
            row.place,
            row.actor_id,
            row.counts,
            parts.get(row.id, ()),
            photos.get(row.id, ()),
            naming[row.id],
        )
        for row in rows
        if row.deleted_at is None
    ]
    return sorted(visits, key=lambda visit: (visit.recorded_at, visit.id), reverse=True), len(naming)


_SUBMISSION = [
    Submission.id,
    Submission.form_id,
    Submission.instance_id,
    Submission.current_instance_id,
    Submission.recorded_at,
    Submission.place,
    Submission.actor_id,
    Submission.counts,
    Submission.deleted_at,
]


def _records_of_same(session: Session, project_id: int, list_name: str, first: str) -> tuple[str, set[str]]:
    """All records of the person of a record: they hang together by matches, so only these are followed."""
    person = _persons(session, project_id, list_name, {first}).get(first, first)
    found, new = {first}, {first}
    while new and len(found) < _MOST_RECORDS:
        ties = ties_of(session.connection(), project_id, list_name, new)
        others = {end for tie in ties.values() for end in (tie.a, tie.b)} - found
        persons = _persons(session, project_id, list_name, others)
        new = {other for other in others if persons.get(other, other) == person}
        found |= new
    return person, found


def _persons(session: Session, project_id: int, list_name: str, ids: Collection[str]) -> dict[str, str]:
    """Whose records these are; one that stands for itself alone is left out."""
    rows = rows_of_keys(
        session.connection(),
        [Membership.entity_id, Membership.person_id, Membership.closed],
        [Membership.entity_id],
        [(one,) for one in sorted(ids)],
        (Membership.project_id, project_id),
        (Membership.list_name, list_name),
    )
    return {row.entity_id: row.person_id for row in rows if row.closed is None}


def _naming(session: Session, project_id: int, list_name: str, ids: Collection[str]) -> dict[int, set[str]]:
    """The submissions that name these records, each with those it names."""
    connection, found = session.connection(), defaultdict(set)
    subjects = [(f"{list_name}/{one}",) for one in sorted(ids)]
    columns = [Submission.id, Submission.subject]
    for row in rows_of_keys(connection, columns, columns[1:], subjects, (Submission.project_id, project_id)):
        found[row.id].add(row.subject.partition("/")[2])
    steps = rows_of_keys(
        connection,
        [EntityStep.submission_id, EntityStep.entity_id],
        [EntityStep.entity_id],
        [(one,) for one in sorted(ids)],
        (EntityStep.project_id, project_id),
        (EntityStep.list_name, list_name),
    )
    for row in steps:
        found[row.submission_id].add(row.entity_id)
    counted = rows_of_keys(
        connection,
        [Contribution.submission_id, Contribution.subject],
        [Contribution.subject],
        [(one,) for one in sorted(ids)],
        (Contribution.project_id, project_id),
        Contribution.closed.is_(None),
    )
    for row in counted:
        found[row.submission_id].add(row.subject)
    there = rows_of_ids(
        connection,
        [Submission.id, Submission.deleted_at],
        [(Submission.project_id, project_id)],
        Submission.id,
        sorted(found),
    )
    return {row.id: found[row.id] for row in there if row.deleted_at is None}


def _parts(
    session: Session, project_id: int, submission_ids: Sequence[int], ids: Collection[str]
) -> Mapping[int, set[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    rows = rows_of_keys(
        session.connection(),
        [Contribution.submission_id, Contribution.indicator_id, Contribution.subject, Contribution.closed],
        [Contribution.submission_id],
        [(one,) for one in submission_ids],
        (Contribution.project_id, project_id),
    )
    for row in rows:
        if row.closed is None and row.subject in ids:
            found[row.submission_id].add(row.indicator_id)
    return found


def _photos(session: Session, project_id: int, submissions: Sequence[Submission]) -> Mapping[int, list[str]]:
    current = {row.id: row.current_instance_id for row in submissions}
    rows = rows_of_keys(
        session.connection(),
        [Attachment.submission_id, Attachment.instance_id, Attachment.name, Attachment.type, Attachment.present],
        [Attachment.submission_id],
        [(one,) for one in current],
        (Attachment.project_id, project_id),
    )
    found: dict[int, list[str]] = defaultdict(list)
    for row in rows:
        pictures = (row.type or "").startswith(_PHOTO) or row.name.lower().endswith(_PHOTO_NAMES)
        if row.present and pictures and row.instance_id == current[row.submission_id]:
            found[row.submission_id].append(row.name)
    return found
