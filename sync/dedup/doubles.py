"""The same visit saved twice, and two visits to one subject on one day: flagged among neighbours, one copy counts."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.orm import InstrumentedAttribute

from forms.form import Flag
from forms.indicators.subjects import NOBODY
from sync.journal import Journal
from sync.models import Form, FormVersion, Submission
from sync.models.probing import rows_of_ids, rows_of_keys
from sync.review.counting import REJECTED, counts
from sync.review.flags import DOUBLE_SAVE, SAME_DAY, as_stored, replace_code

WITHIN = dt.timedelta(hours=24)
_PLACE = "/data"
_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Former:
    """What an edit took away from a submission: by this, those that were compared with it are found again."""

    fingerprint: bytes | None
    subject: str | None
    day: dt.date | None


@dataclass(slots=True)
class Saved:
    """A submission as far as its neighbours are concerned."""

    id: int
    form_id: str
    instance_id: str
    actor_id: int
    device: str | None
    recorded_at: dt.datetime
    fingerprint: bytes | None
    subject: str | None
    day: dt.date | None
    review_state: str | None
    deleted_at: dt.datetime | None
    double_of: int | None
    counts: bool
    flags: list[Any]

    @property
    def stored(self) -> tuple[int | None, bool]:
        """Of what it is a second copy, and whether it counts."""
        return self.double_of, self.counts

    @property
    def stands(self) -> bool:
        """Whether it takes part at all: neither rejected nor deleted."""
        return self.review_state != REJECTED and self.deleted_at is None


def settle_doubles(
    journal: Journal,
    submission_ids: Collection[int],
    event: int,
    former: Iterable[Former] = (),
    stored: Mapping[int, Saved] | None = None,
) -> tuple[dict[int, int | None], set[int]]:
    """Decide `double_of`, `counts` and the flags `double_save` and `same_day` of submissions and their neighbours.

    To be called once their rows are stored, after every change of answers or review state; `former` is what edits took
    away. Of `stored` ones the rows are known and not fetched; they follow what is written. Of one visit saved twice the
    earlier counts, by `recorded_at`, then instance id; any order of arrival ends the same. Gives the ids of those whose
    `counts` or `double_of` changed, each with that of which it is a second copy now, or was one; and those of which
    only flags changed.
    """
    left = list(former)
    ids = list(dict.fromkeys(submission_ids))
    changed: dict[int, int | None] = {}
    flagged: set[int] = set()
    for start in range(0, max(len(ids), 1), _AT_ONCE):
        settling = _Settling(journal.connection, journal.project_id, journal.seen.absent, stored or {})
        settling.settle(ids[start : start + _AT_ONCE], left if start == 0 else ())
        changed |= settling.write(journal, event)
        flagged |= settling.flagged.keys()
    return changed, flagged - changed.keys()


def doubles_differing(
    connection: Connection, project_id: int, rule: str, submission_ids: Sequence[int]
) -> tuple[set[int], set[int]]:
    """Those of which it would be decided otherwise, by the project's rule, whether they count or are second copies; and
    the others that would be flagged otherwise as second copies."""
    settling = _Settling(connection, project_id, (), {})
    settling.find_doubles(submission_ids, ())
    wrong = {one.id for one, original, counted in settling.decided(rule) if (original, counted) != one.stored}
    return wrong.intersection(submission_ids), (settling.flagged.keys() - wrong).intersection(submission_ids)


def causing_events(changed: Mapping[int, int | None], events: Mapping[int, int]) -> dict[int, int]:
    """By which of a transaction's events, given by submission, each that `settle_doubles` gives changed: its own or
    that of its original, whichever is later."""
    found = {}
    for id_, original in changed.items():
        behind = [id_]
        while original is not None and original not in behind:
            behind.append(original)
            # An original that has no event counts otherwise because of its own one.
            original = None if original in events else changed.get(original)
        numbers = [events[one] for one in behind if one in events]
        if numbers:
            found[id_] = max(numbers)
    return found


def doubles_among(saved: Iterable[Saved]) -> dict[int, Saved]:
    """Which submission is a second copy of which counting one. All have the same form and fingerprint.

    In the order of `recorded_at` and instance id the first counts; each within 24 hours of a counting one of the same
    collector or device is its double, any other counts itself.
    """
    counting: list[Saved] = []
    doubles: dict[int, Saved] = {}
    for one in sorted(filter(lambda one: one.stands, saved), key=_order):
        original = next(
            (other for other in counting if one.recorded_at - other.recorded_at <= WITHIN and _same_hand(one, other)),
            None,
        )
        if original is None:
            counting = [other for other in counting if one.recorded_at - other.recorded_at <= WITHIN]
            counting.append(one)
        else:
            doubles[one.id] = original
    return doubles


def same_day_flags(saved: Iterable[Saved]) -> dict[int, Flag]:
    """The flags on those that say something else than an earlier one. All have the same form, subject and day.

    Second copies must not be among them: they are flagged as what they are.
    """
    before: list[Saved] = []
    flags: dict[int, Flag] = {}
    for one in sorted(filter(lambda one: one.stands, saved), key=_order):
        other = next((other for other in before if not _same_answers(one, other)), None)
        if other is not None:
            message = f"On the same day {other.instance_id} says something else about the same subject. Both count."
            flags[one.id] = Flag(SAME_DAY, _PLACE, message)
        before.append(one)
    return flags


class _Settling:
    """Some submissions with all their neighbours, and what is found out about them."""

    def __init__(
        self, connection: Connection, project_id: int, absent: Container[Any], stored: Mapping[int, Saved]
    ) -> None:
        self._connection = connection
        self._project_id = project_id
        self._absent = absent
        self._stored = stored
        self._known: dict[int, Saved] = {}
        self._originals: dict[int, Saved | None] = {}
        self.flagged: dict[int, list[Any]] = {}  # those whose flags become others
        self._about: dict[str, str | None] = {}

    def find_doubles(self, ids: Sequence[int], former: Sequence[Former]) -> list[Saved]:
        """Find the second copies among them and those that were saved like them; gives the submissions themselves."""
        given = self._load_given(ids)
        self._settle_doubles(given, [one.fingerprint for one in former])
        return given

    def settle(self, ids: Sequence[int], former: Sequence[Former]) -> None:
        given = self.find_doubles(ids, former)
        # Whoever became a double, or is none any more, leaves or joins those of its day.
        moved = [one for one in self._known.values() if self._original_id(one) != one.double_of]
        self._settle_days([*given, *moved], [(one.subject, one.day) for one in former])

    def decided(self, rule: str) -> Iterator[tuple[Saved, int | None, bool]]:
        """Of each, what it is a second copy of, and whether it counts."""
        for one in self._known.values():
            original_id = self._original_id(one)
            yield one, original_id, counts(rule, one.review_state, original_id, one.deleted_at)

    def write(self, journal: Journal, event: int) -> dict[int, int | None]:
        rows = []
        changed: dict[int, int | None] = {}
        for one, original_id, counted in self.decided(journal.counts):
            flags = self.flagged.get(one.id, one.flags)
            if (original_id, counted) != one.stored:
                changed[one.id] = one.double_of if original_id is None else original_id
            elif flags == one.flags:
                continue
            rows.append(
                {
                    "b_project_id": self._project_id,
                    "b_id": one.id,
                    "b_double_of": original_id,
                    "b_counts": counted,
                    "b_flags": flags,
                    "b_event": event,
                    "b_updated_at": journal.now,
                }
            )
            one.double_of, one.counts, one.flags = original_id, counted, flags
        if rows:
            self._connection.execute(_UPDATE, rows)
        return changed

    def _settle_doubles(self, given: Sequence[Saved], former: Iterable[bytes | None]) -> None:
        prints = {one.fingerprint for one in given} | set(former)
        prints.discard(None)
        self._load_others([Submission.fingerprint], [(one,) for one in prints])
        groups: dict[tuple[str, bytes], list[Saved]] = defaultdict(list)
        for one in self._known.values():
            self._originals[one.id] = None
            if one.fingerprint is not None:
                groups[(one.form_id, one.fingerprint)].append(one)
        for group in groups.values():
            if len(group) > 1:
                self._originals |= doubles_among(group)
        for id_, original in self._originals.items():
            message = f"The same visit was saved before as {original.instance_id}." if original else ""
            self._put_flag(id_, DOUBLE_SAVE, Flag(DOUBLE_SAVE, _PLACE, message) if original else None)

    def _settle_days(self, given: Sequence[Saved], former: Iterable[tuple[str | None, dt.date | None]]) -> None:
        days = {
            (subject, day)
            for subject, day in [*((one.subject, one.day) for one in given), *former]
            if subject is not None and day is not None
        }
        if not days:
            return
        self._load_others([Submission.subject, Submission.day], days)
        groups: dict[tuple[str, str, dt.date], list[Saved]] = defaultdict(list)
        for one in self._known.values():
            if one.subject is not None and one.day is not None and (one.subject, one.day) in days:
                groups[(one.form_id, one.subject, one.day)].append(one)
        for group in groups.values():
            compared = len(group) > 1 and self._once_a_day(group[0].form_id)
            flags = same_day_flags([one for one in group if self._original_id(one) is None] if compared else ())
            for one in group:
                self._put_flag(one.id, SAME_DAY, flags.get(one.id))

    def _once_a_day(self, form_id: str) -> bool:
        """Whether two visits of one day to one subject deserve a look, by the form's latest version."""
        if form_id not in self._about:
            of_form = {"project": self._project_id, "form": form_id}
            self._about[form_id] = self._connection.scalar(_ABOUT, of_form)
        return self._about[form_id] != NOBODY

    def _original_id(self, one: Saved) -> int | None:
        if one.id not in self._originals:
            return one.double_of
        original = self._originals[one.id]
        return original.id if original else None

    def _put_flag(self, id_: int, code: str, flag: Flag | None) -> None:
        stored, wanted = self.flagged.get(id_, self._known[id_].flags), [flag] if flag else []
        if [one for one in stored if one[0] == code] != [as_stored(one) for one in wanted]:
            self.flagged[id_] = replace_code(stored, code, wanted)

    def _load_given(self, ids: Sequence[int]) -> list[Saved]:
        fixed = [(Submission.project_id, self._project_id)]
        found = [self._stored[id_] for id_ in ids if id_ in self._stored]
        others = [id_ for id_ in ids if id_ not in self._stored]
        found += [Saved(*row) for row in rows_of_ids(self._connection, _COLUMNS, fixed, Submission.id, others)]
        self._known |= {one.id: one for one in found}
        return found

    def _load_others(self, keys: Sequence[InstrumentedAttribute[Any]], values: Collection[tuple[Any, ...]]) -> None:
        """Fetch those that have such a key and are not known yet: most often there is none."""
        at = (Submission.project_id, self._project_id)
        values = [value for value in values if (Submission, *value) not in self._absent]
        there = {row.id for row in rows_of_keys(self._connection, [Submission.id], keys, values, at)}
        self._load_given(sorted(there - self._known.keys()))


_COLUMNS = [getattr(Submission, field.name) for field in fields(Saved)]
_ABOUT = (
    select(FormVersion.sheets["subject"].as_string())
    .join(
        Form,
        (Form.project_id == FormVersion.project_id)
        & (Form.form_id == FormVersion.form_id)
        & (Form.version == FormVersion.version),
    )
    .where(Form.project_id == bindparam("project"), Form.form_id == bindparam("form"))
)
_UPDATE = (
    update(Submission)
    .where(Submission.project_id == bindparam("b_project_id"), Submission.id == bindparam("b_id"))
    .values(
        {
            name: bindparam(f"b_{name}", type_=Submission.__table__.c[name].type)
            for name in ("double_of", "counts", "flags", "event", "updated_at")
        }
    )
)


def _order(one: Saved) -> tuple[dt.datetime, str]:
    return one.recorded_at, one.instance_id


def _same_hand(one: Saved, other: Saved) -> bool:
    return one.actor_id == other.actor_id or bool(one.device and one.device == other.device)


def _same_answers(one: Saved, other: Saved) -> bool:
    return one.fingerprint is not None and one.fingerprint == other.fingerprint
