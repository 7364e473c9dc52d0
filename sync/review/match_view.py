"""A pair as a coordinator sees it: both records, the reasons in words, and what was decided before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from sync.dedup.scoring.model import Part
from sync.dedup.scoring.wording import sentences
from sync.models import MatchDecision
from sync.review.matches import Pair, chosen_among, decisions_about, matching_list, pair_of
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


def reasons_of(stored: Sequence[Any], language: str) -> list[Reason]:
    """The parts of a score in French or in English; of a pair that nobody but people proposed there are none."""
    parts = [Part(*part) for part in stored]
    return [Reason(part, words) for part, words in zip(parts, sentences(parts, language), strict=True)]
