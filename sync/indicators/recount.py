"""Working out anew, from the raw instances, what derives from them: after a decision, or for everything."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.orm import Session

from forms.indicators.contributing import Contribution, contributions_of
from forms.xforms.instance import read_instance
from sync.dedup.doubles import Former, doubles_differing, settle_doubles
from sync.dedup.rematching import all_differences, compared_lists, rematch
from sync.dedup.rematching import differences as differences_of_list
from sync.entities.lists import DatabaseLists
from sync.entities.reach import tree_of
from sync.entities.steps import Arrived, apply_actions, entities_differ, rebuild_entities, steps_differ
from sync.exports.repeats import Repeated, differing_repeats, replace_repeat_rows
from sync.indicators.contributions import Wanted, differing, replace_contributions
from sync.intake.prepare import Derived, clock_flags, derive_all, fetch_entities, time_zone_of, unpack
from sync.journal import Journal, When, open_journal
from sync.models import Project, Submission, SubmissionVersion
from sync.models.database import begin_one_state, begin_writing
from sync.models.probing import Attribute, rows_of_ids
from sync.projects.catalogue import Catalogue, Published, Unpublished
from sync.projects.lookups import lists_of
from sync.projects.places import PlaceTree
from sync.review.flags import OF_NEIGHBOURS
from sync.review.names import fill_names, names_lacking
from sync.review.placed import place_flags

_AT_ONCE = 500
_WAITED_FOR = 100  # submissions of a portion of a rebuild, for which the writers of a project wait


@dataclass(slots=True)
class Stored:
    """A submission with its current version, as far as either takes part."""

    id: int
    form_id: str
    actor_id: int
    review_state: str | None
    deleted_at: dt.datetime | None
    counts: bool
    recorded_at: dt.datetime
    flags: list[Any]
    fingerprint: bytes | None
    subject: str | None
    day: dt.date | None
    place: str | None
    current: str  # instance id of the version, of which is all that follows
    form_version: str
    version_event: int
    version_recorded_at: dt.datetime
    version_received_at: dt.datetime
    dated: bool
    answers: dict[str, Any] | None
    xml: bytes


@dataclass(frozen=True, slots=True)
class Derivation:
    """A stored submission, and what follows from the raw bytes of its current version."""

    submission: Stored
    derived: Derived
    tree: PlaceTree

    def wanted(self, event: int) -> Wanted:
        """The contributions that should be open for it."""
        contributions = self.derived.contributions if self.submission.counts else ()
        return Wanted(self.submission.id, event, self.submission.recorded_at, contributions, new=False)

    def arrived(self) -> Arrived:
        """What it does to entities: nothing while it is rejected or deleted."""
        living = self.submission.review_state != "rejected" and self.submission.deleted_at is None
        actions = self.derived.actions if living else ()
        approved = self.submission.review_state == "approved"
        return Arrived(self.submission.id, self.submission.version_event, actions, self.submission.actor_id, approved)

    def repeated(self) -> Repeated:
        """The rows of its repeats."""
        return Repeated(self.submission.id, self.submission.form_id, self.derived.iterations, new=False)

    def columns(self) -> dict[str, Any]:
        """The derived columns of the submission as they should be."""
        kept = [flag for flag in self.submission.flags if flag[0] in OF_NEIGHBOURS]
        found = [
            *self.derived.flags,
            *clock_flags(self.submission.version_recorded_at, self.derived.day, self.submission.version_received_at),
            *place_flags(self.derived.place, self.tree),
        ]
        return {
            "flags": [*([flag.code, flag.place, flag.message] for flag in found), *kept],
            "fingerprint": self.derived.fingerprint,
            "subject": self.derived.subject,
            "day": self.derived.day,
            "place": self.derived.place,
        }


@dataclass(frozen=True, slots=True)
class Portion:
    """How far a rebuild or a verification has come. `differences` are sentences, empty when all was as it should be."""

    upto: int | None  # None when it is through with the submissions
    submissions: int
    differences: Sequence[str]


def recount(
    journal: Journal, submission_ids: Collection[int], event: int, events: Mapping[int, int] | None = None
) -> int:
    """Replace the contributions of these submissions by what they should be; gives how many rows closed or opened.

    `events` says by which event a submission changed; the others changed by `event`.
    """
    own = events or {}
    changed = 0
    ids = sorted(submission_ids)
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        wanted = [
            Wanted(id_, own.get(id_, event), recorded_at, contributions, new=False)
            for id_, recorded_at, contributions in _contributed(journal.session, journal.project_id, some)
        ]
        changed += replace_contributions(journal, wanted)
    return changed


def contributed(
    session: Session, project_id: int, ids: Sequence[int]
) -> Iterator[tuple[int, dt.datetime, Sequence[Contribution]]]:
    """Id, moment and contributions of each, as if it counted. The form is read, but not held against its rules."""
    lists, tz = lists_of(session, project_id), time_zone_of(session, project_id)
    for one, found, raw in _raws(session, project_id, ids, lists):
        instance, recorded_at = read_instance(raw), one.version_recorded_at
        contributions = contributions_of(
            found.feeds, instance, recorded_at=recorded_at, tz=tz, lists=lists, dated=one.dated
        )
        yield one.id, one.recorded_at, contributions


def recount_form(journal: Journal, form_id: str, event: int, anew: bool = True) -> None:
    """Work out anew what follows from each submission of a form, as when its indicators were defined anew or the
    project's days begin at another hour: contributions, subject, day, flags, and which copies count. Not `anew`, only
    the contributions, as when others count than before."""
    session, after = journal.session, 0
    while ids := _next_ids(session, journal.project_id, after, form_id):
        if anew:
            derivations, _, recounted, _ = _mended(journal, ids, event)
            replace_contributions(journal, [each.wanted(event) for each in derivations])
            recount(journal, recounted - set(ids), event)
        else:
            recount(journal, ids, event)
        after = ids[-1]


def rebuild_from(session: Session, project_id: int, after: int, now: When) -> Iterator[Portion]:
    """Rebuild what derives from the submissions after this id, in portions, each of which the caller commits: whoever
    writes meanwhile waits for no more than one.

    Then the entities are worked out anew from their steps, and who may be whom. These are looked through without
    keeping anybody waiting. Where all is as it should be, nothing is written and no event recorded. What arrives
    meanwhile is left as it is.
    """
    last = session.scalar(select(func.max(Submission.id)).where(Submission.project_id == project_id)) or 0
    while ids := [id_ for id_ in _next_ids(session, project_id, after, at_once=_WAITED_FOR) if id_ <= last]:
        tree_of(session, project_id)  # kept, and read while nobody waits
        journal = open_journal(session, project_id, None, now)
        differences = _rebuild_submissions(journal, ids)
        after = ids[-1]
        session.execute(update(Project).where(Project.id == project_id).values(rebuilt_to=after))
        journal.close()
        yield Portion(after, len(ids), differences)
    yield from _rebuild_lists(session, project_id, now)
    begin_writing(session).execute(update(Project).where(Project.id == project_id).values(rebuilt_to=None))
    yield Portion(None, 0, ())


def _rebuild_submissions(journal: Journal, ids: Sequence[int]) -> list[str]:
    session, project_id = journal.session, journal.project_id
    mark = journal.mark()
    event = journal.record("definition", None, {"rebuilt": True})
    derivations, differences, recounted, flagged = _mended(journal, ids, event)
    wrong_steps = steps_differ(session, project_id, [each.arrived() for each in derivations])
    if wrong_steps:
        apply_actions(journal, [each.arrived() for each in derivations if each.submission.id in wrong_steps])
    unnamed = names_lacking(session, project_id, ids)
    fill_names(session, project_id, unnamed)
    wrong_repeats = differing_repeats(session, project_id, [each.repeated() for each in derivations])
    replace_repeat_rows(journal, [each.repeated() for each in derivations if each.submission.id in wrong_repeats])
    stale = differing(session, project_id, [each.wanted(event) for each in derivations])
    replace_contributions(journal, [each.wanted(event) for each in derivations if each.submission.id in stale])
    recount(journal, recounted - set(ids), event)
    differences += [f"submission {submission_id}: second copies" for submission_id in sorted(recounted)]
    differences += [f"submission {submission_id}: flags among neighbours" for submission_id in sorted(flagged)]
    differences += [f"submission {submission_id}: entities" for submission_id in sorted(wrong_steps)]
    differences += [f"submission {submission_id}: rows of repeats" for submission_id in sorted(wrong_repeats)]
    differences += [f"submission {lacking.submission_id}: instance name" for lacking in unnamed]
    differences += [f"submission {submission_id}: contributions" for submission_id in sorted(stale)]
    if not differences:
        journal.return_to(mark)
    return differences


def _rebuild_lists(session: Session, project_id: int, now: When) -> Iterator[Portion]:
    """What is wrong is looked for as the project stands at that moment, and looked at again before it is mended."""
    wrong = sorted(entities_differ(session, project_id))
    for start in range(0, len(wrong), _AT_ONCE):
        journal = open_journal(session, project_id, None, now)
        mended = rebuild_entities(journal, wrong[start : start + _AT_ONCE])
        journal.close()
        yield Portion(None, 0, [f"{mended} entities"] if mended else ())
    for list_name in compared_lists(session.connection(), project_id):
        session.rollback()
        connection = begin_one_state(session)  # or whoever comes meanwhile would seem to be wrong
        roles = compared_lists(connection, project_id)[list_name]
        if differences_of_list(connection, project_id, list_name, roles).sentences(list_name):
            journal = open_journal(session, project_id, None, now)
            told = rematch(journal, list_name, compared_lists(journal.connection, project_id)[list_name])
            journal.close()
            yield Portion(None, 0, told)


def verify_portion(session: Session, project_id: int, after: int) -> Portion:
    """Compare the next submissions after this id with what their raw instances say, and with the last portion all
    entities with what was said of them, and who may be whom; writes nothing. All of a portion is as of one moment, so
    that what arrives meanwhile does not seem to be wrong; what the session has not committed is lost."""
    session.rollback()
    begin_one_state(session)
    ids = _next_ids(session, project_id, after)
    derivations = list(_derivations(session, project_id, ids))
    differences = [fault for derivation in derivations for fault in _column_faults(derivation)]
    wrong_steps = steps_differ(session, project_id, [each.arrived() for each in derivations])
    wrong_repeats = differing_repeats(session, project_id, [each.repeated() for each in derivations])
    stale = differing(session, project_id, [each.wanted(0) for each in derivations])
    rule = session.scalars(select(Project.counts).where(Project.id == project_id)).one()
    miscounted, misflagged = doubles_differing(session.connection(), project_id, rule, ids)
    differences += [f"submission {submission_id}: second copies" for submission_id in sorted(miscounted)]
    differences += [f"submission {submission_id}: flags among neighbours" for submission_id in sorted(misflagged)]
    differences += [f"submission {submission_id}: entities" for submission_id in sorted(wrong_steps)]
    differences += [f"submission {submission_id}: rows of repeats" for submission_id in sorted(wrong_repeats)]
    differences += [
        f"submission {lacking.submission_id}: instance name" for lacking in names_lacking(session, project_id, ids)
    ]
    differences += [f"submission {submission_id}: contributions" for submission_id in sorted(stale)]
    upto = ids[-1] if len(ids) == _AT_ONCE else None
    if upto is None:
        wrong = sorted(entities_differ(session, project_id))
        differences += [f"entity {entity_id} of {list_name}" for list_name, entity_id in wrong]
        differences += all_differences(session.connection(), project_id)
    return Portion(upto, len(ids), differences)


def _mended(journal: Journal, ids: Sequence[int], event: int) -> tuple[list[Derivation], list[str], set[int], set[int]]:
    """What follows from these submissions, once their derived columns say so and it is decided anew which copies count;
    what was wrong in the columns, whose counting changed, and whose flags alone."""
    session, project_id = journal.session, journal.project_id
    derivations = list(_derivations(session, project_id, ids))
    former = [Former(each.submission.fingerprint, each.submission.subject, each.submission.day) for each in derivations]
    differences = _mend_columns(session, project_id, derivations)
    changed, flagged = settle_doubles(journal, ids, event, former)
    recounted = set(changed)
    _read_counts(session, project_id, [each.submission for each in derivations if each.submission.id in recounted])
    return derivations, differences, recounted, flagged


def _column_faults(derivation: Derivation) -> list[str]:
    submission = derivation.submission
    faults = [
        f"submission {submission.id}: {name}"
        for name, value in derivation.columns().items()
        if getattr(submission, name) != value
    ]
    if submission.answers != _json(derivation.derived):
        faults.append(f"submission {submission.id}: answers")
    return faults


def _mend_columns(session: Session, project_id: int, derivations: Iterable[Derivation]) -> list[str]:
    """Set the derived columns right; what was wrong."""
    faults: list[str] = []
    columns, answers = [], []
    for derivation in derivations:
        wrong, stored = _column_faults(derivation), derivation.submission
        faults += wrong
        if wrong:
            columns.append({"at_project": project_id, "at_id": stored.id, **derivation.columns()})
        if stored.answers != (told := _json(derivation.derived)):
            at = {"at_project": project_id, "at_form": stored.form_id, "at_instance": stored.current}
            answers.append({**at, "answers": told})
    if columns:
        session.connection().execute(_MEND, columns)
    if answers:
        session.connection().execute(_MEND_ANSWERS, answers)
    return faults


_MEND = (
    update(Submission)
    .where(Submission.project_id == bindparam("at_project"), Submission.id == bindparam("at_id"))
    .values({name: bindparam(name) for name in ("flags", "fingerprint", "subject", "day", "place")})
)
_MEND_ANSWERS = (
    update(SubmissionVersion)
    .where(
        SubmissionVersion.project_id == bindparam("at_project"),
        SubmissionVersion.form_id == bindparam("at_form"),
        SubmissionVersion.instance_id == bindparam("at_instance"),
    )
    .values(answers=bindparam("answers"))
)


def _read_counts(session: Session, project_id: int, stored: Sequence[Stored]) -> None:
    """Whether they count, as others have decided meanwhile."""
    by_id = {one.id: one for one in stored}
    rows = rows_of_ids(
        session.connection(),
        [Submission.id, Submission.counts, Submission.flags],
        [(Submission.project_id, project_id)],
        Submission.id,
        list(by_id),
    )
    for id_, counts, flags in rows:
        by_id[id_].counts, by_id[id_].flags = counts, flags


def _json(derived: Derived) -> dict[str, Any] | None:
    return dict(derived.answers) if derived.answers is not None else None


def _next_ids(
    session: Session, project_id: int, after: int, form_id: str | None = None, at_once: int = _AT_ONCE
) -> list[int]:
    query = select(Submission.id).where(Submission.project_id == project_id, Submission.id > after)
    if form_id is not None:
        query = query.where(Submission.form_id == form_id)
    return list(session.scalars(query.order_by(Submission.id).limit(at_once)))


def _contributed(
    session: Session, project_id: int, ids: Sequence[int]
) -> Iterator[tuple[int, dt.datetime, Sequence[Contribution]]]:
    """Id, moment and contributions of each; of one that does not count, none."""
    columns = [Submission.id, Submission.counts, Submission.recorded_at]
    rows = rows_of_ids(session.connection(), columns, [(Submission.project_id, project_id)], Submission.id, ids)
    yield from ((row.id, row.recorded_at, ()) for row in rows if not row.counts)
    yield from contributed(session, project_id, [row.id for row in rows if row.counts])


def _derivations(session: Session, project_id: int, ids: Sequence[int]) -> Iterator[Derivation]:
    lists, tz = lists_of(session, project_id), time_zone_of(session, project_id)
    stored = _raws(session, project_id, ids, lists)
    raws = ((found, raw, one.version_recorded_at, one.dated) for one, found, raw in stored)
    derived = derive_all(raws, lists, tz)
    tree = tree_of(session, project_id)
    for (one, _, _), each in zip(stored, derived, strict=True):
        yield Derivation(one, each, tree)


def _raws(
    session: Session, project_id: int, ids: Sequence[int], lists: DatabaseLists
) -> list[tuple[Stored, Published, bytes]]:
    """The submissions, each with its form and current instance; what these may select of lists is fetched before."""
    catalogue = Catalogue(session, project_id)
    stored = []
    for one in _stored_rows(session.connection(), project_id, ids):
        found = catalogue.published(one.form_id, one.form_version)
        if isinstance(found, Unpublished):
            raise RuntimeError(f"{one.form_id} {one.form_version} was published once and is gone")
        stored.append((one, found, unpack(one.xml)))
    fetch_entities(lists, ((found, raw) for _, found, raw in stored))
    return stored


def _stored_rows(connection: Connection, project_id: int, ids: Sequence[int]) -> list[Stored]:
    """In the order of their ids."""
    columns = [*_OF_SUBMISSION, Submission.current_instance_id]
    found = rows_of_ids(connection, columns, [(Submission.project_id, project_id)], Submission.id, ids)
    current: dict[str, list[str]] = defaultdict(list)
    for row in found:
        current[row.form_id].append(row.current_instance_id)
    versions: dict[tuple[str, str], Any] = {}
    for form_id, instance_ids in current.items():
        at: list[tuple[Attribute, Any]] = [
            (SubmissionVersion.project_id, project_id),
            (SubmissionVersion.form_id, form_id),
        ]
        rows = rows_of_ids(connection, _OF_VERSION, at, SubmissionVersion.instance_id, instance_ids)
        versions |= {(form_id, row.instance_id): row for row in rows}
    found.sort(key=lambda row: row.id)
    return [Stored(*row[:-1], *versions[row.form_id, row.current_instance_id]) for row in found]


_OF_SUBMISSION = [
    Submission.id,
    Submission.form_id,
    Submission.actor_id,
    Submission.review_state,
    Submission.deleted_at,
    Submission.counts,
    Submission.recorded_at,
    Submission.flags,
    Submission.fingerprint,
    Submission.subject,
    Submission.day,
    Submission.place,
]
_OF_VERSION = [
    SubmissionVersion.instance_id,
    SubmissionVersion.form_version,
    SubmissionVersion.event,
    SubmissionVersion.recorded_at,
    SubmissionVersion.received_at,
    SubmissionVersion.dated,
    SubmissionVersion.answers,
    SubmissionVersion.xml,
]
