"""What was decided last about the pairs of a list, as far as it stands: what somebody may want to take back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session, aliased

from sync.dedup.pairs import OPEN
from sync.models import Match, MatchDecision
from sync.models.probing import rows_of_keys
from sync.review.matches import COLUMNS, Pair

_LATER = aliased(MatchDecision)
# Nothing else was said of the pair since.
_STANDS = (MatchDecision.decision != OPEN) & ~exists().where(
    _LATER.project_id == MatchDecision.project_id,
    _LATER.list_name == MatchDecision.list_name,
    _LATER.a == MatchDecision.a,
    _LATER.b == MatchDecision.b,
    _LATER.id > MatchDecision.id,
)


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision that stands, the pair it is about, and of how many pairs one stands that was taken with it at once."""

    decision: MatchDecision
    pair: Pair
    pairs: int


def decided_last(session: Session, project_id: int, list_name: str, limit: int) -> list[Decided]:
    """The last decisions about pairs of a list, the newest first, without what was taken back or said anew since.

    Those that were taken at once are one, shown by the last of them.
    """
    found: list[Decided] = []
    bulks: list[int] = []
    which: list[ColumnElement[bool]] = [_STANDS]
    while len(found) < limit:
        said = _decisions(session, project_id, list_name, *which, limit=limit)
        if not said:
            break
        pairs = _pairs(session, project_id, list_name, {(one.a, one.b) for one in said})
        for one in said:
            if one.bulk in bulks or (pair := pairs.get((one.a, one.b))) is None:
                continue
            if one.bulk is not None:
                bulks.append(one.bulk)
            found.append(Decided(one, pair, _at_once(session, one)))
        others = MatchDecision.bulk.is_(None) | MatchDecision.bulk.not_in(bulks)
        which = [_STANDS, others, MatchDecision.id < said[-1].id]
    return found[:limit]


def history_of(session: Session, project_id: int, list_name: str, pairs: Sequence[Pair]) -> list[MatchDecision]:
    """All that was ever said about these pairs, the newest first."""
    keys = [(pair.a, pair.b) for pair in pairs]
    at = (MatchDecision.project_id, project_id), (MatchDecision.list_name, list_name)
    ends = [MatchDecision.a, MatchDecision.b]
    numbers = [row.id for row in rows_of_keys(session.connection(), [MatchDecision.id, *ends], ends, keys, *at)]
    return _decisions(session, project_id, list_name, MatchDecision.id.in_(sorted(numbers))) if numbers else []


def _decisions(
    session: Session, project_id: int, list_name: str, *which: ColumnElement[bool], limit: int | None = None
) -> list[MatchDecision]:
    query = select(MatchDecision).where(
        MatchDecision.project_id == project_id, MatchDecision.list_name == list_name, *which
    )
    return list(session.scalars(query.order_by(MatchDecision.id.desc()).limit(limit)))


def _pairs(
    session: Session, project_id: int, list_name: str, keys: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Pair]:
    at = (Match.project_id, project_id), (Match.list_name, list_name)
    rows = rows_of_keys(session.connection(), COLUMNS, [Match.a, Match.b], sorted(keys), *at)
    return {(row.a, row.b): Pair(*row) for row in rows}


def _at_once(session: Session, decision: MatchDecision) -> int:
    if decision.bulk is None:
        return 1
    query = select(func.count()).where(
        MatchDecision.project_id == decision.project_id,
        MatchDecision.id >= decision.bulk,  # the first of them has that id
        MatchDecision.bulk == decision.bulk,
        _STANDS,
    )
    return session.scalar(query) or 0
