"""A registry of people who may be registered twice, and what is stored of who may be whom."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from forms.indicators.sheets import Matching, Sheets
from forms.xforms.entities import EntityAction
from sync.dedup.rematching import all_differences
from sync.entities.steps import declare_lists
from sync.journal import Journal
from sync.models import Match, MatchKey, Membership
from tests.support.figures import a_form
from tests.support.registry import Registry, a_creation

PEOPLE = {
    "first_name": "first_name",
    "last_name": "last_name",
    "sex": "sex",
    "born": "birth_year",
    "phone": "phone",
    "village": "village",
    "commune": "commune",
}
GROUPS = {"group_name": "name", "village": "village", "number": "id_number"}


def a_people_registry(engine: Engine, roles: Mapping[str, str] = PEOPLE) -> Registry:
    """A project whose list `people` is compared by these roles."""
    registry = Registry.make(engine)
    with_roles(registry, roles)
    return registry


def with_roles(registry: Registry, roles: Mapping[str, str]) -> None:
    """Let properties of the list play these roles from now on."""
    sheets = Sheets("visit", matching=tuple(Matching("people", name, role) for name, role in roles.items()))

    def publish(journal: Journal) -> None:
        declare_lists(journal, a_form(), sheets, journal.record("published"))

    registry.change(publish)


def an_id(number: int) -> str:
    """The same number gives the same id; a greater one a greater."""
    return str(uuid.UUID(int=(0x6A << 120) + number))


def a_person(number: int, first: str = "Awa", last: str = "Diarra", **data: str) -> EntityAction:
    """Somebody is registered in Siby, born in 1990, unless told otherwise."""
    rest = {"village": "Siby", "commune": "Siby", "born": "1990", **data}
    return a_creation(an_id(number), f"{first} {last}"[:200] or "-", first_name=first, last_name=last, **rest)


def keys_in(registry: Registry) -> set[tuple[str, int]]:
    return {(row.entity_id, row.key) for row in registry.rows(MatchKey)}


def matches_in(registry: Registry) -> dict[tuple[str, str], tuple[Any, ...]]:
    """By pair: all that a match says."""
    return {
        (row.a, row.b): (row.weight, row.probability, row.parts, row.model, row.state) for row in registry.rows(Match)
    }


def members_in(registry: Registry) -> dict[str, tuple[str, str, str]]:
    """By entity: for whom it stands now, in the value, the low and the high bound."""
    rows = [row for row in registry.rows(Membership) if row.closed is None]
    assert len({row.entity_id for row in rows}) == len(rows)
    return {row.entity_id: (row.person_id, row.fewest_id, row.most_id) for row in rows}


def all_in(registry: Registry) -> list[Any]:
    """Everything that is stored of who may be whom."""
    return [keys_in(registry), matches_in(registry), members_in(registry)]


def differences_in(registry: Registry) -> list[str]:
    """What comparing from scratch finds otherwise."""
    with Session(registry.engine) as session:
        return all_differences(session.connection(), registry.project_id)
