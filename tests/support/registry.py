"""A project with nothing but its journal, in which tests let entity actions and submissions arrive directly."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from forms.xforms.entities import EntityAction
from sync.entities.steps import Arrived, apply_actions, rebuild_entities
from sync.entities.stored import all_keys
from sync.journal import Journal, open_journal
from sync.models import Entity, EntityStep, Project, Submission

NOW = dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC)
AWA = "6a000000-0000-4000-8000-000000000001"
FANTA = "6a000000-0000-4000-8000-000000000002"

Result = TypeVar("Result")


class Seen(NamedTuple):
    """An entity as a device would see it."""

    label: str
    data: Mapping[str, str]
    withdrawn: bool


def an_action(
    entity_id: str = AWA,
    *,
    create: bool = False,
    update: bool = False,
    label: str | None = None,
    base: int | None = None,
    trunk: int | None = None,
    branch: str | None = None,
    path: str = "/data/meta/entity",
    list_name: str = "people",
    **data: str,
) -> EntityAction:
    """What one row of a submission does to an entity."""
    return EntityAction(list_name, entity_id, create, update, label, data, base, trunk, branch, path)


def a_creation(entity_id: str = AWA, label: str = "Awa", **rest: Any) -> EntityAction:
    """An action that makes an entity."""
    return an_action(entity_id, create=True, label=label, **rest)


def an_update(entity_id: str = AWA, **rest: Any) -> EntityAction:
    """An action that changes an entity."""
    return an_action(entity_id, update=True, **rest)


@dataclass
class Registry:
    """One project; each call is a transaction of its own, as one batch would be."""

    engine: Engine
    project_id: int = 1
    now: dt.datetime = NOW
    ids: dict[str, int] = field(default_factory=dict)

    @classmethod
    def make(cls, engine: Engine, counts: str = "received") -> Registry:
        with Session(engine) as session:
            number = (session.scalar(select(func.max(Project.id))) or 0) + 1
            session.add(Project(id=number, name="Siby", counts=counts, created_at=NOW))
            session.commit()
        return cls(engine, number)

    def change(self, act: Callable[[Journal], Result]) -> Result:
        """Do something under the project's lock and commit it."""
        with Session(self.engine) as session:
            journal = open_journal(session, self.project_id, 7, self.now)
            result = act(journal)
            journal.close()
            session.commit()
        return result

    def arrive(self, *batch: tuple[str, EntityAction]) -> None:
        """Submissions, by names of the test's own, with an action each; several of one name are one submission's."""
        by_name: dict[str, list[EntityAction]] = {}
        for name, action in batch:
            by_name.setdefault(name, []).append(action)

        def act(journal: Journal) -> None:
            arrived = []
            for name, actions in by_name.items():
                known = name in self.ids
                if not known:
                    self.ids[name] = journal.new_id()
                event = journal.record("edited" if known else "submitted", self.ids[name])
                arrived.append(Arrived(self.ids[name], event, actions))
            apply_actions(journal, arrived)

        self.change(act)

    def withdraw(self, name: str) -> None:
        """As a rejection does."""

        def act(journal: Journal) -> None:
            event = journal.record("rejected", self.ids[name])
            apply_actions(journal, [Arrived(self.ids[name], event, [])])

        self.change(act)

    def restore(self, name: str, *actions: EntityAction) -> None:
        """As taking a rejection back does."""

        def act(journal: Journal) -> None:
            event = journal.record("restored", self.ids[name])
            apply_actions(journal, [Arrived(self.ids[name], event, actions)])

        self.change(act)

    def rebuild(self) -> int:
        return self.change(
            lambda journal: sum(
                rebuild_entities(journal, keys) for keys in all_keys(journal.connection, self.project_id)
            )
        )

    def entities(self) -> dict[str, Seen]:
        """What devices would see, by id."""
        return {row.id: Seen(row.label, row.data, row.withdrawn) for row in self.rows(Entity)}

    def entity(self, entity_id: str = AWA) -> Entity:
        return next(row for row in self.rows(Entity) if row.id == entity_id)

    def states(self) -> dict[str, str]:
        """The state of each submission's step; of its last one, where it has several."""
        names = {id_: name for name, id_ in self.ids.items()}
        return {names.get(row.submission_id, "file"): row.state for row in self.rows(EntityStep)}

    def rows(self, model: Any) -> list[Any]:
        with Session(self.engine) as session:
            return list(
                session.scalars(
                    select(model).where(model.project_id == self.project_id).order_by(*model.__table__.primary_key)
                )
            )

    def store(self, name: str, **values: Any) -> int:
        """A submission row by a name of the test's own, which is its instance id too."""

        def act(journal: Journal) -> int:
            self.ids[name] = journal.new_id()
            event = journal.record("submitted", self.ids[name])
            row = {
                "form_id": "sale",
                "instance_id": name,
                "current_instance_id": name,
                "form_version": "1",
                "versions": 1,
                "actor_id": 7,
                "received_at": self.now,
                "recorded_at": self.now,
                "updated_at": self.now,
                "flags": [],
                "event": event,
            }
            journal.session.add(Submission(project_id=self.project_id, id=self.ids[name], **row | values))
            journal.session.flush()
            return self.ids[name]

        return self.change(act)

    def submissions(self) -> dict[str, Submission]:
        return {row.instance_id: row for row in self.rows(Submission)}
