"""A village whose people may be registered twice: for tests of matches, of decisions, and of figures that follow."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.indicators.sheets import Indicator
from server.db import session
from sync.dedup.pairs import Likeness, ordered, write_pairs
from sync.dedup.persons import settle
from sync.journal import open_journal
from sync.models import Entity, EntityList, Match, MatchDecision, Membership
from sync.projects.publish import publish_form
from sync.review.matches import decide, decide_pair
from tests.support.figures import START, World, a_contribution
from tests.support.projects import NOON, workbook_of
from tests.support.web import House

ROLES = {
    "first_name": "first_name",
    "last_name": "last_name",
    "birth_year": "birth_year",
    "birth_date": "birth_date",
    "phone": "phone",
    "village": "village",
    "commune": "commune",
    "group": "group",
    "id_number": "id_number",
}
Figure = tuple[Any, Any, Any]


class Village(World):
    """A project that counts the people who were trained, and those who sell. Entities are called by short names here;
    `a` and `b` of a match are in their order."""

    def __init__(self, session: Session, project_id: int = 1, roles: Mapping[str, str] = ROLES) -> None:
        super().__init__(session, project_id)
        known = EntityList(
            project_id=project_id, name="people", properties=list(roles), matching=dict(roles), created_at=START
        )
        session.add(known)
        session.commit()
        trained = Indicator("people_trained", {"en": "People trained"}, aggregate="distinct", subject="people")
        self.publish(trained, Indicator("sellers", {"en": "Sellers"}, aggregate="distinct", subject="people"))

    def register(self, *ids: str, trained: bool = True, sells: bool = False, **data: Any) -> None:
        """These entities, each with a visit of its own."""
        for id_ in ids:
            with self.change() as (journal, event):
                journal.session.add(self._entity(id_, {"first_name": id_, "last_name": "Diarra", **data}, event))
            names = ["people_trained"] * trained + ["sellers"] * sells
            self.submit(*(a_contribution(name, subject=id_, ordinal=number) for number, name in enumerate(names)))

    def match(self, one: str, other: str, probability: float | None, parts: Sequence[Any] = ()) -> int:
        """The machine finds them alike, or for None no more so; gives the id."""
        pair = ordered(one, other)
        with self.change() as (journal, event):
            likeness = Likeness(None if probability is None else 1.0, probability, list(parts), 1)
            write_pairs(journal, "people", {pair: likeness}, (), (), event)
            settle(journal, "people", pair, event)
        return self.id_of(one, other)

    def id_of(self, one: str, other: str) -> int:
        a, b = ordered(one, other)
        found = self.session.scalars(select(Match.id).where(Match.a == a, Match.b == b)).one()
        return int(found)

    def row(self, match_id: int) -> Match | None:
        self.session.expire_all()
        return self.session.get(Match, (self.project_id, match_id))

    def seen(self, match_id: int) -> int:
        """What somebody who looks at the pair now gives back."""
        row = self.row(match_id)
        return row.event if row else 0

    def decide(
        self,
        match_id: int,
        decision: str,
        seen: int | None = None,
        reason: str | None = None,
        by: int | None = None,
        stands: str | None = None,
    ) -> int | None:
        """As somebody who has just looked, unless told otherwise."""
        seen = self.seen(match_id) if seen is None else seen
        with self.change("noted") as (journal, _):
            journal.actor_id = by
            return decide(journal, match_id, decision, seen, reason, stands)

    def decide_pair(self, one: str, other: str, decision: str, stands: str | None = None) -> tuple[int, int | None]:
        with self.change("noted") as (journal, _):
            return decide_pair(journal, "people", one, other, decision, stands=stands)

    def ranges(self, *names: str) -> dict[str, Figure]:
        """Value, low and high of these indicators, or of both."""
        found = [self.figures(name)[0].to_json() for name in names or ("people_trained", "sellers")]
        return {figure["indicator"]: (figure["value"], figure["low"], figure["high"]) for figure in found}

    def trained(self) -> Figure:
        return self.ranges("people_trained")["people_trained"]

    def state(self) -> list[Any]:
        """What matters of matches and memberships: what a decision and its undoing have to leave as it was."""
        matches = self.session.execute(
            select(Match.a, Match.b, Match.weight, Match.probability, Match.state).order_by(Match.a, Match.b)
        )
        members = self.session.execute(
            select(Membership.entity_id, Membership.person_id, Membership.fewest_id, Membership.most_id)
            .where(Membership.closed.is_(None))
            .order_by(Membership.entity_id)
        )
        return [*matches, *members]

    def decisions(self) -> list[MatchDecision]:
        return list(self.session.scalars(select(MatchDecision).order_by(MatchDecision.id)))

    def _entity(self, id_: str, data: Mapping[str, str], event: int) -> Entity:
        return Entity(
            project_id=self.project_id,
            list_name="people",
            id=id_,
            label=f"{data['first_name']} {data['last_name']}",
            data=dict(data),
            version=1,
            event=event,
            created_at=self.now,
        )


GATHERING = """
    | survey  |           |            |             |
    | type    | name      | label      | save_to     |
    | date    | day       | Day        |             |
    | text    | first     | First name | first_name  |
    | text    | last      | Last name  | last_name   |
    | text    | sex       | Sex        | sex         |
    | text    | born      | Born       | birth_year  |
    | text    | phone     | Phone      | phone       |
    | text    | village   | Village    | village     |
    | text    | commune   | Commune    | commune     |
    | text    | group     | Group      | group       |
    | entities |          |            |             |
    | list_name | label   |            |             |
    | people  | concat(${first}, ' ', ${last}, ' (', ${village}, ')') | | |
    | matching |          |            |             |
    | list_name | property | role      |             |
    | people  | first_name | first_name |            |
    | people  | last_name | last_name  |             |
    | people  | sex       | sex        |             |
    | people  | birth_year | birth_year |            |
    | people  | phone     | phone      |             |
    | people  | village   | village    |             |
    | people  | commune   | commune    |             |
    | people  | group     | group      |             |
    | indicators |        |            |             |           |         |
    | name    | label     | aggregate  | subject     | date      | unit    |
    | reached | People reached | distinct | people   | ${day}    | people  |
"""
AWA = {
    "first": "Djénéba",
    "last": "Coulibaly",
    "sex": "female",
    "born": "1990",
    "phone": "76 00 00 01",
    "village": "Siby",
    "commune": "Siby",
    "group": "Benkadi",
}


def a_gathering(number: int, **answers: str) -> dict[str, Any]:
    """A visit that registers somebody; the same number is the same visit, and the same entity."""
    return {
        "instance_id": f"uuid:{uuid.UUID(int=0x1000 + number)}",
        "form": "gathering",
        "version": "1",
        "recorded_at": (START + dt.timedelta(days=number)).isoformat(),
        "answers": {"day": f"2026-01-{number:02}", **AWA, **answers},
    }


def publish_gathering(house: House, workbook: str = GATHERING) -> None:
    """The form that registers people, in the project of the house."""
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, workbook_of("gathering", "1", workbook))
        journal.close()
        session().commit()
