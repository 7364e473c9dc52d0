"""A pair as a coordinator sees it: both records, the reasons in words, and what was decided before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from sync.dedup.scoring.model import Part
from sync.dedup.scoring.wording import sentences
from sync.models import Match, MatchDecision
from sync.models.probing import rows_of_ids
from sync.review.matches import Pair, chosen_among, decisions_about, matching_list, pair_of
from sync.review.one_person import labels_of
from sync.review.records import Compared, Record, compared, records_of, standing_for


@dataclass(frozen=True, slots=True)
class Reason:
    """One of the things that speak for a pair (a weight above 0) or against it, in words."""

    part: Part
    words: str


@dataclass(frozen=True, slots=True)
class MatchSeen:
    """A pair side by side. `stands` is the record that stands for the person, or would."""

    pair: Pair
    a: Record
    b: Record
    compared: Sequence[Compared]
    reasons: Sequence[Reason]
    stands: str
    decisions: Sequence[MatchDecision]

    @property
    def name(self) -> str:
        """What the two are called."""
        return _both(*(record.label or record.id for record in (self.a, self.b)))


def view(session: Session, project_id: int, match_id: int, language: str) -> MatchSeen:
    """One pair. Raises NotFound."""
    pair = pair_of(session, project_id, match_id)
    known = matching_list(session, project_id, pair.list_name)
    records = records_of(session, project_id, pair.list_name, [pair.a, pair.b])
    a, b = records[pair.a], records[pair.b]
    return MatchSeen(
        pair,
        a,
        b,
        compared(known, [a, b]),
        reasons_of(pair.parts, language),
        standing_for([a, b], chosen_among(session, project_id, pair.list_name, records)).id,
        decisions_about(session, pair),
    )


def names_of_pairs(session: Session, project_id: int, ids: Collection[int]) -> dict[int, str]:
    """What the two of each of these pairs are called, by the id of the pair, without those that are none any more."""
    fixed = [(Match.project_id, project_id)]
    rows = rows_of_ids(session.connection(), _ENDS, fixed, Match.id, sorted(set(ids)))
    ends: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        ends[row.list_name] |= {row.a, row.b}
    labels = {name: labels_of(session, project_id, name, some) for name, some in ends.items()}
    return {row.id: _both(*(labels[row.list_name].get(end) or end for end in (row.a, row.b))) for row in rows}


def reasons_of(stored: Sequence[Any], language: str) -> list[Reason]:
    """The parts of a score in French or in English; of a pair that nobody but people proposed there are none."""
    parts = [Part(*part) for part in stored]
    return [Reason(part, words) for part, words in zip(parts, sentences(parts, language), strict=True)]


def _both(one: str, other: str) -> str:
    return f"{one} / {other}"


_ENDS = [Match.id, Match.list_name, Match.a, Match.b]
