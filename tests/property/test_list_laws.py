"""Laws of lists on devices: the hash is that of the rows one gets, and changes lead to the same rows as the file."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from forms.programmes.places import Place
from sync.entities.delivery import change_for, csv_for, state_for
from sync.entities.registers import assign_rows, change_list, change_places, make_list, unassign_rows
from sync.entities.writing import NewEntity, create_entities, delete_entities, restore_entities, update_entity
from sync.errors import Refusal
from sync.journal import Journal
from sync.models import Actor, Entity, EntityAssignment, EntityList, Project
from sync.projects.places import places_at
from tests.support.figures import a_place
from tests.support.registry import NOW, Registry

LIST = "villages"
IDS = [str(uuid.UUID(int=number, version=4)) for number in range(1, 6)]
PLACES = ["K", "K-1", "K-2", "S", "S-1", "elsewhere", ""]
DEVICES = {11: ["K"], 12: ["K-1", "S"], 13: []}
slowly = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
an_id = st.sampled_from(IDS)
a_device = st.sampled_from(sorted(DEVICES))
Deed = tuple[Any, ...]
deeds: st.SearchStrategy[list[Deed]] = st.lists(
    st.one_of(
        st.tuples(st.just("create"), an_id, st.sampled_from(PLACES), st.sampled_from([11, 12, 5])),
        st.tuples(st.just("update"), an_id, st.sampled_from(["place", "title"]), st.sampled_from(PLACES)),
        st.tuples(st.just("delete"), an_id),
        st.tuples(st.just("restore"), an_id),
        st.tuples(st.just("filter"), st.sampled_from([None, "ownerOnly", "assigned", "property"])),
        st.tuples(st.just("assign"), a_device, an_id),
        st.tuples(st.just("unassign"), a_device, an_id),
        st.tuples(st.just("move"), st.sampled_from(["K", "S"])),
        st.tuples(st.just("send"), a_device, st.sampled_from([["K"], ["S-1"], []])),
    ),
    max_size=12,
)


def places(parent: str) -> list[Place]:
    """The commune K-2 may lie in either cercle."""
    return [
        a_place("K", "cercle"),
        a_place("S", "cercle"),
        a_place("K-1", "commune", "K"),
        a_place("K-2", "commune", parent),
        a_place("S-1", "commune", "S"),
    ]


def prepared(engine: Engine) -> Registry:
    registry = Registry.make(engine)
    with Session(engine) as session:
        for number, codes in DEVICES.items():
            device = session.get(Actor, number)
            if device is None:
                device = Actor(id=number, kind="device", name=str(number), admin=False, created_at=NOW)
                session.add(device)
            device.project_id, device.places, device.updated_at = registry.project_id, codes, None
            device.properties = {"zone": (codes or ["S"])[0]}
        session.commit()

    def begin(journal: Journal) -> None:
        journal.project.device_properties = ["zone"]
        change_places(journal, places("K"), journal.record("places"))
        make_list(journal, LIST)
        known = journal.session.get_one(EntityList, (journal.project_id, LIST))
        known.properties = ["place", "title"]

    registry.change(begin)
    return registry


def act_of(deed: Deed, moment: dt.datetime) -> Callable[[Journal], object]:
    """What one deed does under the project's lock."""
    kind, *said = deed

    def act(journal: Journal) -> object:
        if kind == "create":
            journal.actor_id = said[2]
            return create_entities(journal, LIST, [NewEntity("x", {"place": said[1]}, said[0])])
        if kind == "update":
            update_entity(journal, LIST, said[0], data={said[1]: said[2]}, force=True)
            return None
        if kind == "delete":
            return delete_entities(journal, LIST, [said[0]])
        if kind == "restore":
            return restore_entities(journal, LIST, [said[0]])
        if kind == "filter":
            rules = [{"datasetProperty": "place", "actorProperty": "zone"}]
            wanted = said[0] and {"type": said[0]} | ({"rules": rules} if said[0] == "property" else {})
            return change_list(journal, LIST, {"accessFilter": wanted, "ownerOnly": said[0] == "ownerOnly"})
        if kind == "assign":
            return assign_rows(journal, LIST, said[0], [said[1]])
        if kind == "unassign":
            return unassign_rows(journal, LIST, said[0], [said[1]])
        if kind == "move":
            return change_places(journal, places(said[0]), journal.record("places"))
        device = journal.session.get_one(Actor, said[0])
        device.places, device.updated_at = said[1], moment
        return None

    return act


def expected(session: Session, registry: Registry, device: Actor) -> dict[str, tuple[Any, ...]]:
    """The rule in the plainest words, over all rows."""
    project_id = registry.project_id
    known = session.get_one(EntityList, (project_id, LIST))
    codes = {code for place in device.places for code in below(session, project_id, place)}
    given_rows = set(
        session.scalars(
            select(EntityAssignment.entity_id).where(
                EntityAssignment.project_id == project_id, EntityAssignment.actor_id == device.id
            )
        )
    )
    access = known.access_filter or ""
    found = {}
    for row in session.scalars(select(Entity).where(Entity.project_id == project_id, Entity.deleted_at.is_(None))):
        place = row.data.get("place") or ""
        if known.owner_only:
            gets = row.creator_id == device.id
        elif "assigned" in access:
            gets = row.id in given_rows or row.creator_id == device.id
        else:
            gets = not device.places or not place or place in codes
            gets = gets and ("property" not in access or place == device.properties["zone"])
        if gets:
            found[row.id] = (row.label, row.version, place, row.data.get("title") or "")
    return found


def below(session: Session, project_id: int, code: str) -> set[str]:
    tree = places_at(session, project_id, None)
    return set(tree.below(code)) if code in tree.places else set()


def rows_in(content: bytes) -> dict[str, tuple[Any, ...]]:
    header, *rows = csv.reader(io.StringIO(content.decode(), newline=""))
    assert header == ["name", "label", "__version", "place", "title"]
    return {row[0]: (row[1], int(row[2]), *row[3:]) for row in rows}


@slowly
@given(several=deeds)
@example(several=[("create", IDS[0], "K", 5), ("assign", 12, IDS[0]), ("unassign", 12, IDS[0])])
def test_the_hash_of_a_list_changes_if_and_only_if_the_rows_of_the_device_do(
    engine: Engine, several: list[Deed]
) -> None:
    registry = prepared(engine)
    before: dict[int, tuple[Mapping[str, Any], str]] = {}
    held: dict[int, dict[str, tuple[Any, ...]]] = {number: {} for number in DEVICES}
    cursors: dict[int, int | None] = dict.fromkeys(DEVICES)
    for minute, deed in enumerate([("move", "K"), *several]):
        registry.now = NOW + dt.timedelta(minutes=minute)
        try:
            registry.change(act_of(deed, registry.now))
        except Refusal:
            continue
        with Session(engine) as session:
            for number in DEVICES:
                device = session.get_one(Actor, number)
                rows, content = expected(session, registry, device), csv_for(session, registry.project_id, LIST, device)
                state = state_for(session, registry.project_id, LIST, device)

                assert rows_in(content) == rows
                assert state == f"md5:{hashlib.md5(content, usedforsecurity=False).hexdigest()}"
                if number in before:
                    assert (state == before[number][1]) == (rows == before[number][0])
                before[number] = rows, state
                if minute % (number - 9):  # devices ask at times of their own
                    continue
                change = change_for(session, registry.project_id, LIST, device, cursors[number])
                follow(held[number], change)
                cursors[number] = registry_event(session, registry)
                assert held[number] == rows


def follow(held: dict[str, tuple[Any, ...]], change: Any) -> None:
    """As a device does."""
    if change is None:
        return
    if change.whole:
        held.clear()
    for id_ in change.deletes:
        held.pop(id_, None)
    for row in change.upserts:
        held[row.name] = (row.label, row.version, *row.data.values())


def registry_event(session: Session, registry: Registry) -> int:
    return session.get_one(Project, registry.project_id).last_event
