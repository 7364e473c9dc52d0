"""Learning from a list how its people are told apart, and from decisions how sure a score is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, delete, func, select, update

from sync.dedup.pairs import DIFFERENT, SAME, all_pairs
from sync.dedup.persons import settle_all
from sync.dedup.rematching import compared_lists, portions, rematch
from sync.dedup.scoring.calibrating import calibrate
from sync.dedup.scoring.model import Model, Terms
from sync.dedup.scoring.profiles import Profile
from sync.dedup.yardsticks import Modelled, yardstick_of
from sync.errors import Unexpected
from sync.journal import Journal
from sync.models import Match, MatchModel, MatchTerm
from sync.models.database import insert_rows

_AT_ONCE = 2000


def train_list(journal: Journal, list_name: str) -> MatchModel:
    """Learn from the entities of a list as they are now, and score all its matches anew; the new model is in force.

    Decisions stay. The same entities give the same model, whatever the order in which they came. Raises Unexpected for
    a list that is compared simply, or not at all.
    """
    from sync.dedup.scoring.estimating import train  # noqa: PLC0415 — as bulk in rematching

    roles, yardstick = _modelled(journal, list_name)
    profiles = list(_profiles(journal, list_name, yardstick))
    trained = train(profiles)
    event = journal.record("trained", None, {"list": list_name})
    version = _last_version(journal, list_name) + 1
    model = replace(trained.model, version=version)
    numbers = {"version": version, "terms": version, "records": len(profiles), "event": event}
    row = _store(journal, list_name, model, trained.explanation, **numbers)
    _store_terms(journal, list_name, trained.terms, version)
    rematch(journal, list_name, roles, event, trained.compared)
    return row


def calibrate_list(journal: Journal, list_name: str) -> MatchModel:
    """Learn from what was decided how sure the scores are: probabilities change, and nothing else of any match.

    Raises Unexpected as `train_list` does.
    """
    _, yardstick = _modelled(journal, list_name)
    decided = [
        (known.weight, known.state == SAME)
        for known in all_pairs(journal.connection, journal.project_id, list_name)
        if known.weight is not None and known.state in (SAME, DIFFERENT)
    ]
    event = journal.record("trained", None, {"list": list_name, "decided": len(decided)})
    version = _last_version(journal, list_name) + 1
    model = replace(calibrate(yardstick.model, decided), version=version)
    explanation = {
        "decided": len(decided),
        "same": sum(same for _, same in decided),
        "slope": model.slope,
        "intercept": model.intercept,
    }
    numbers = {"version": version, "terms": yardstick.terms_version, "records": len(decided), "event": event}
    row = _store(journal, list_name, model, explanation, **numbers)
    changes = [
        {
            "the_project": journal.project_id,
            "the_id": known.id,
            "probability": model.probability(known.weight),
            "model": version,
        }
        for known in all_pairs(journal.connection, journal.project_id, list_name)
        if known.weight is not None
    ]
    for start in range(0, len(changes), _AT_ONCE):
        journal.connection.execute(_RECALIBRATE, changes[start : start + _AT_ONCE])
    settle_all(journal, list_name, event)
    return row


def _modelled(journal: Journal, list_name: str) -> tuple[Mapping[str, str], Modelled]:
    roles = compared_lists(journal.connection, journal.project_id).get(list_name)
    if roles is None:
        raise Unexpected(
            f"The entities of {list_name} are not compared. A sheet ‘matching’ in a workbook that saves to it says how."
        )
    yardstick = yardstick_of(journal.connection, journal.project_id, list_name, roles)
    if not isinstance(yardstick, Modelled):
        raise Unexpected(f"{list_name} has names of organisations or households; they are compared without a model.")
    return roles, yardstick


def _profiles(journal: Journal, list_name: str, yardstick: Modelled) -> Iterator[Profile]:
    for rows in portions(journal.connection, journal.project_id, list_name):
        for row in rows:
            if not row.withdrawn and row.deleted_at is None:
                yield yardstick.profile(row.id, row.data, row.created_at)


def _last_version(journal: Journal, list_name: str) -> int:
    query = select(func.max(MatchModel.version)).where(
        MatchModel.project_id == journal.project_id, MatchModel.list_name == list_name
    )
    return journal.session.scalar(query) or 0


def _store(
    journal: Journal, list_name: str, model: Model, explanation: Mapping[str, Any], **numbers: int
) -> MatchModel:
    row = MatchModel(
        project_id=journal.project_id,
        list_name=list_name,
        model=model.to_json(),
        explanation=dict(explanation),
        actor_id=journal.actor_id,
        at=journal.now,
        **numbers,
    )
    journal.session.add(row)
    journal.session.flush()
    return row


def _store_terms(journal: Journal, list_name: str, terms: Terms, version: int) -> None:
    """Those of earlier versions go: nothing is scored by them any more."""
    journal.session.execute(
        delete(MatchTerm).where(MatchTerm.project_id == journal.project_id, MatchTerm.list_name == list_name)
    )
    fixed = {"project_id": journal.project_id, "list_name": list_name, "version": version}
    rows = [
        fixed | {"scope": scope, "part": part, "term": term, "count": count}
        for (scope, part, term), count in sorted(terms.items())
    ]
    for start in range(0, len(rows), _AT_ONCE):
        insert_rows(journal.connection, MatchTerm.__table__, rows[start : start + _AT_ONCE])  # type: ignore[arg-type]


_RECALIBRATE = (
    update(Match)
    .where(Match.project_id == bindparam("the_project"), Match.id == bindparam("the_id"))
    .values(probability=bindparam("probability"), model=bindparam("model"))
)
