"""What people decide about two records that may be one person: same, different, or open again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from sync.dedup.pairs import DIFFERENT, OPEN, SAME
from sync.dedup.persons import settle
from sync.dedup.yardsticks import compared_simply
from sync.entities.reading import lists_of_project
from sync.entities.registers import list_of
from sync.errors import AlreadyDecided, EntityNotFound, NotFound, Stale, Unexpected
from sync.intake.items import storable
from sync.journal import Journal
from sync.models import Entity, EntityList, Match, MatchDecision
from sync.models.database import insert_rows
from sync.models.probing import rows_of_ids, rows_of_keys

DECISIONS = (SAME, DIFFERENT, OPEN)
_LONGEST_REASON = 10_000
# How close a decision brings two records: to rise is to merge, to fall is to split.
_CLOSENESS = {DIFFERENT: 0, OPEN: 1, SAME: 2}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two entities of a list, as a row of `matches` has them. `event` is what to give back as `seen`."""

    project_id: int
    id: int
    list_name: str
    a: str
    b: str
    weight: float | None
    probability: float | None
    parts: Sequence[Any]
    model: int
    state: str
    event: int


def matching_list(session: Session, project_id: int, list_name: str) -> EntityList:
    """A list whose entities are compared. Raises NotFound for one that there is not, or that nobody wants compared."""
    known = list_of(session, project_id, list_name)
    if not known.matching:
        raise NotFound(
            f"The entities of {list_name} are not compared. A sheet ‘matching’ in a workbook that saves to it says how."
        )
    return known


def compared_lists(session: Session, project_id: int) -> list[EntityList]:
    """The lists whose entities are compared: those of people first, and of these the one called so."""
    found = [known for known in lists_of_project(session, project_id) if known.matching]
    return sorted(found, key=lambda known: (compared_simply(known.matching), known.name != "people"))


def pair_of(session: Session, project_id: int, match_id: int) -> Pair:
    """Raises NotFound for a pair that is not, or not any more, a match."""
    row = session.execute(select(*COLUMNS).where(Match.project_id == project_id, Match.id == match_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such pair; its records may have been changed, so that it is none any more.")
    return Pair(*row)


def decide(
    journal: Journal, match_id: int, decision: str, seen: int, reason: str | None = None, stands: str | None = None
) -> int | None:
    """Say what a pair is; persons and figures follow. Gives the event, None if it was decided so before.

    `seen` is the event of the pair that the coordinator was looking at. Raises AlreadyDecided if somebody has decided
    since, Stale if a record was changed since. `open` takes back what was said, as if it had never been. A decision
    sent again by the same person, as after a lost answer, is done once. `stands` is the id of the one of two that are
    the same which stands for the person; None leaves that to the newest, or to what was said before.
    """
    _require_decision(decision)
    pair = pair_of(journal.session, journal.project_id, match_id)
    chosen = _chosen(pair, decision, stands)
    last = decisions_about(journal.session, pair)[-1:]
    said = pair.state == decision and (chosen is None or [one.stands for one in last] == [chosen])
    if seen != pair.event:
        if last and said and last[0].actor_id == journal.actor_id:
            return None
        raise AlreadyDecided(details=_standing(pair)) if last and last[0].event > seen else Stale
    if said:
        return None
    return write_decisions(journal, [pair], decision, reason, stands=chosen)


def decide_pair(
    journal: Journal,
    list_name: str,
    one: str,
    other: str,
    decision: str,
    reason: str | None = None,
    stands: str | None = None,
) -> tuple[int, int | None]:
    """The same for two entities that the machine may not have proposed; gives the id of their match, and the event.

    Raises AlreadyDecided if something else was decided about them, EntityNotFound for one that there is not.
    """
    _require_decision(decision)
    matching_list(journal.session, journal.project_id, list_name)
    a, b = sorted(map(_plain, (one, other)))
    if a == b:
        raise Unexpected("These are one and the same record; a pair has two.")
    pair = _pair_between(journal.session, journal.project_id, list_name, a, b)
    if pair is not None and pair.state == decision and (stands is None or _plain(stands) == _stands(journal, pair)):
        return pair.id, None
    if pair is not None and pair.state != OPEN:
        raise AlreadyDecided(details=_standing(pair))
    if pair is None:
        if decision == OPEN:
            raise Unexpected("Nothing has been decided about these two, so there is nothing to take back.")
        pair = _new_pair(journal, list_name, a, b)
    chosen = _chosen(pair, decision, stands)
    return pair.id, write_decisions(journal, [pair], decision, reason, stands=chosen)


def write_decisions(
    journal: Journal,
    pairs: Sequence[Pair],
    decision: str,
    reason: str | None = None,
    *,
    bulk: int | None = None,
    stands: str | None = None,
) -> int:
    """Decide about these pairs of one list in the same way, as one event; gives its number.

    `bulk` is the id for the first of the decisions, by which all of them are known.
    """
    said = _reason(reason)
    mark = journal.mark()
    rises = _CLOSENESS[decision] > min(_CLOSENESS[pair.state] for pair in pairs)
    details: dict[str, Any] = {"list": pairs[0].list_name, "decision": decision, "pairs": len(pairs)}
    if len(pairs) == 1:
        details |= {"match": str(pairs[0].id), "from": pairs[0].state}
    event = journal.record("merged" if rises else "unmerged", None, details)
    _write_down(journal, pairs, {"decision": decision, "reason": said, "bulk": bulk, "stands": stands}, event)
    _set_states(journal, pairs, decision, event)
    if not settle(journal, pairs[0].list_name, {id_ for pair in pairs for id_ in (pair.a, pair.b)}, event):
        # Nobody has become another person, so it is the cause of no change in a figure.
        journal.return_to((mark[0], journal.mark()[1], mark[2]))
        journal.record("decided", None, details)
    return event


def decisions_about(session: Session, pair: Pair) -> list[MatchDecision]:
    """Everything that was said about a pair, the first first."""
    query = select(MatchDecision).where(
        MatchDecision.project_id == pair.project_id,
        MatchDecision.list_name == pair.list_name,
        MatchDecision.a == pair.a,
        MatchDecision.b == pair.b,
    )
    return list(session.scalars(query.order_by(MatchDecision.id)))


def chosen_among(session: Session, project_id: int, list_name: str, entity_ids: Collection[str]) -> dict[str, int]:
    """The entities of whom a decision that is in force says that they stand for a person who is another one of these
    as well, with the number of the last such decision."""
    wanted = set(entity_ids)
    rows = rows_of_keys(
        session.connection(),
        _SAID,
        [MatchDecision.a],
        [(entity_id,) for entity_id in sorted(wanted)],
        (MatchDecision.project_id, project_id),
        (MatchDecision.list_name, list_name),
    )
    last: dict[tuple[str, str], Any] = {}
    for row in sorted(rows, key=lambda row: row.id):
        last[row.a, row.b] = row
    found: dict[str, int] = {}
    for row in last.values():
        if row.decision == SAME and row.stands is not None and row.b in wanted:
            found[row.stands] = max(row.id, found.get(row.stands, 0))
    return found


_SAID = [MatchDecision.id, MatchDecision.a, MatchDecision.b, MatchDecision.decision, MatchDecision.stands]
COLUMNS = [getattr(Match, field.name) for field in fields(Pair)]
_SET_STATE = (
    update(Match)
    .where(Match.project_id == bindparam("project"), Match.id == bindparam("match"))
    .values(state=bindparam("decision"), event=bindparam("number"))
)


def _require_decision(decision: str) -> None:
    if decision not in DECISIONS:
        raise Unexpected(f"{decision!r} is not a decision; it is {', '.join(DECISIONS)}.")


def _reason(given: str | None) -> str | None:
    text: str = storable((given or "").strip())
    if len(text) > _LONGEST_REASON:
        raise Unexpected(f"A reason has at most {_LONGEST_REASON} characters.")
    return text or None


def _plain(entity_id: str) -> str:
    return entity_id.strip().lower().removeprefix("uuid:")


def _chosen(pair: Pair, decision: str, stands: str | None) -> str | None:
    if stands is None:
        return None
    if decision != SAME:
        raise Unexpected("Only of two that are the same one stands for the person; leave ‘stands’ out.")
    chosen = _plain(stands)
    if chosen not in (pair.a, pair.b):
        raise Unexpected(f"‘stands’ is one of the two records of the pair, {pair.a} or {pair.b}.")
    return chosen


def _stands(journal: Journal, pair: Pair) -> str | None:
    """The one that was chosen when they were last called the same."""
    return next((one.stands for one in decisions_about(journal.session, pair)[-1:]), None)


def _standing(pair: Pair) -> dict[str, Any]:
    return {"id": str(pair.id), "state": pair.state, "event": pair.event}


def _pair_between(session: Session, project_id: int, list_name: str, a: str, b: str) -> Pair | None:
    row = session.execute(
        select(*COLUMNS).where(Match.project_id == project_id, Match.list_name == list_name, Match.a == a, Match.b == b)
    ).one_or_none()
    return Pair(*row) if row is not None else None


def _new_pair(journal: Journal, list_name: str, a: str, b: str) -> Pair:
    """A pair that is none of the machine's: it is there for the sake of what people say of it."""
    living = select(Entity.id).where(
        Entity.project_id == journal.project_id,
        Entity.list_name == list_name,
        Entity.id.in_([a, b]),
        Entity.withdrawn.is_(False),
        Entity.deleted_at.is_(None),
    )
    if missing := sorted({a, b} - set(journal.session.scalars(living))):
        raise EntityNotFound(f"There is no entity {missing[0][:80]} in the list {list_name}.")
    pair = Pair(journal.project_id, journal.new_id(), list_name, a, b, None, None, [], 0, OPEN, 0)
    row = {field.name: getattr(pair, field.name) for field in fields(Pair)}
    insert_rows(journal.connection, Match.__table__, [row])  # type: ignore[arg-type]
    return pair


def _write_down(journal: Journal, pairs: Sequence[Pair], said: Mapping[str, Any], event: int) -> None:
    versions = _versions_of(journal, pairs[0].list_name, {id_ for pair in pairs for id_ in (pair.a, pair.b)})
    rows = [
        {
            "project_id": journal.project_id,
            "id": said["bulk"] if said["bulk"] is not None and number == 0 else journal.new_id(),
            "list_name": pair.list_name,
            "a": pair.a,
            "b": pair.b,
            **said,
            "a_version": versions.get(pair.a, 0),
            "b_version": versions.get(pair.b, 0),
            "weight": pair.weight,
            "actor_id": journal.actor_id,
            "event": event,
            "at": journal.now,
        }
        for number, pair in enumerate(pairs)
    ]
    insert_rows(journal.connection, MatchDecision.__table__, rows)  # type: ignore[arg-type]


def _set_states(journal: Journal, pairs: Sequence[Pair], decision: str, event: int) -> None:
    """A pair that no machine proposes and about which nothing is said any more is no match."""
    gone = [pair.id for pair in pairs if decision == OPEN and pair.weight is None]
    kept = [pair.id for pair in pairs if not (decision == OPEN and pair.weight is None)]
    if kept:
        said = {"project": journal.project_id, "decision": decision, "number": event}
        journal.connection.execute(_SET_STATE, [{"match": match_id, **said} for match_id in kept])
    for match_id in gone:
        journal.connection.execute(delete(Match).where(Match.project_id == journal.project_id, Match.id == match_id))


def _versions_of(journal: Journal, list_name: str, entity_ids: Collection[str]) -> Mapping[str, int]:
    """The version at which each of these entities stands, whatever became of it."""
    fixed = [(Entity.project_id, journal.project_id), (Entity.list_name, list_name)]
    rows = rows_of_ids(journal.connection, [Entity.id, Entity.version], fixed, Entity.id, sorted(entity_ids))
    return dict(map(tuple, rows))
