"""Laws of entities: the order of arrival, a decision taken back and a rebuild leave no trace."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from forms.xforms.entities import EntityAction
from sync.indicators.recount import verify_portion
from sync.journal import open_journal
from sync.models import Entity, EntityStep, Submission
from sync.review.decide import set_review_state
from tests.property.test_delivery_laws import deliveries, state
from tests.support.projects import NOON, Desk, a_desk
from tests.support.registry import AWA, FANTA, Registry, a_creation, an_action, an_update

IDS = [AWA, FANTA]
BRANCHES = [str(uuid.UUID(int=number)) for number in (1, 2)]
slowly = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
Named = tuple[str, EntityAction]


@st.composite
def peaceful(draw: st.DrawFn) -> list[Named]:
    """What submissions want of an entity without getting in each other's way: each touches properties of its own, but
    for the steps of one offline branch."""
    actions: list[EntityAction] = []
    for entity_id in IDS:
        if draw(st.booleans()):
            actions.append(a_creation(entity_id, "Awa", village="Siby"))
        else:
            actions.append(an_action(entity_id, create=True, update=True, label="Awa", village="Siby"))
        for number in range(draw(st.integers(0, 3))):
            may_create = draw(st.booleans())
            actions.append(an_action(entity_id, create=may_create, update=True, base=1, **{f"p{number}": "x"}))
        for branch in draw(st.sets(st.sampled_from(BRANCHES))):
            trunk = draw(st.sampled_from([None, 1]))
            for step in range(1, draw(st.integers(1, 4)) + 1):
                actions.append(
                    an_update(entity_id, base=step, trunk=trunk, branch=branch, **{f"visits-{branch[-1]}": str(step)})
                )
    return [(f"submission {number}", action) for number, action in enumerate(actions)]


@st.composite
def batches(draw: st.DrawFn, named: list[Named]) -> list[list[Named]]:
    """The submissions in some order, cut into batches."""
    order = draw(st.permutations(named))
    cuts = sorted(draw(st.sets(st.integers(1, max(len(order), 1)), max_size=4)))
    edges = [0, *cuts, len(order)]
    return [list(order[start:end]) for start, end in pairwise(edges) if start < end]


def an_argument() -> st.SearchStrategy[EntityAction]:
    """Anything that a submission may want, conflicts and broken branches included."""
    return st.builds(
        an_action,
        st.sampled_from(IDS),
        create=st.booleans(),
        update=st.booleans(),
        label=st.sampled_from([None, "", "Awa", "Binta"]),
        base=st.sampled_from([None, 1, 2, 3]),
        trunk=st.sampled_from([None, 1, 2]),
        branch=st.sampled_from([None, *BRANCHES]),
        p=st.sampled_from(["x", "y"]),
    )


Deed = tuple[str, str, EntityAction]
deeds = st.lists(
    st.tuples(
        st.sampled_from(["arrive", "arrive", "withdraw", "restore"]),
        st.sampled_from(["one", "two", "three", "four", "five"]),
        an_argument(),
    ),
    max_size=12,
)


def after(engine: Engine, several: list[Deed]) -> tuple[Registry, dict[str, EntityAction]]:
    """A registry in which all this has happened, and what each submission that is not rejected wants now."""
    registry = Registry.make(engine)
    wanted: dict[str, EntityAction] = {}
    rejected: dict[str, EntityAction] = {}
    for deed, name, action in several:
        if deed == "arrive":
            registry.arrive((name, action))
            wanted[name] = action
            rejected.pop(name, None)
        elif deed == "withdraw" and name in wanted:
            registry.withdraw(name)
            rejected[name] = wanted.pop(name)
        elif deed == "restore" and name in rejected:
            wanted[name] = rejected.pop(name)
            registry.restore(name, wanted[name])
    return registry, wanted


def seen(registry: Registry) -> object:
    entities = {row.id: (row.label, row.data, row.withdrawn, row.conflict) for row in registry.rows(Entity)}
    steps = {(row.entity_id, row.submission_id, row.path): row.state for row in registry.rows(EntityStep)}
    return entities, steps


@slowly
@given(data=st.data())
def test_any_order_of_arrival_ends_in_the_same_entities(engine: Engine, data: st.DataObject) -> None:
    named = data.draw(peaceful())
    in_order, shuffled = Registry.make(engine), Registry.make(engine)
    for one in named:
        in_order.arrive(one)

    for batch in data.draw(batches(named)):
        shuffled.arrive(*batch)

    assert shuffled.entities() == in_order.entities()
    assert set(shuffled.states().values()) == {"applied"}


@slowly
@given(several=deeds, data=st.data())
def test_rejecting_and_restoring_is_nothing(engine: Engine, several: list[Deed], data: st.DataObject) -> None:
    registry, wanted = after(engine, several)
    if not wanted:
        return
    name = data.draw(st.sampled_from(sorted(wanted)))
    before = seen(registry)

    registry.withdraw(name)
    registry.restore(name, wanted[name])

    assert seen(registry) == before


@slowly
@given(several=deeds)
def test_a_rebuild_changes_nothing(engine: Engine, several: list[Deed]) -> None:
    registry, _ = after(engine, several)
    before = [(row.id, row.version, row.event) for row in registry.rows(Entity)], seen(registry)

    assert registry.rebuild() == 0
    assert ([(row.id, row.version, row.event) for row in registry.rows(Entity)], seen(registry)) == before


@slowly
@given(several=deeds)
def test_a_version_never_falls_and_rises_when_the_content_changes(engine: Engine, several: list[Deed]) -> None:
    registry = Registry.make(engine)
    before: dict[str, Entity] = {}
    for _, name, action in several:
        registry.arrive((name, action))

        now = {row.id: row for row in registry.rows(Entity)}
        for entity_id, entity in now.items():
            was = before.get(entity_id)
            if was is None:
                continue
            same = (was.label, was.data, was.withdrawn) == (entity.label, entity.data, entity.withdrawn)
            assert entity.version >= was.version if same else entity.version > was.version
            assert entity.version == was.version or entity.event > was.event
        before = now


PROPERTIES = ["village", "phone", "p0", "p1", "p2", "visits", "n1", "n2", "n3"]
VISIT = "\n".join(
    [
        "| survey | | | |",
        "| type | name | label | save_to |",
        *(f"| text | {name} | {name} | {name} |" for name in PROPERTIES),
        "| entities | | | |",
        "| list_name | label | | |",
        "| people | ${village} | | |",
    ]
)
Item = dict[str, Any]


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return a_desk(engine, tmp_path / "files")


def a_visit(number: int, attributes: str, said: Mapping[str, str], edits: int | None = None) -> Item:
    """An item that makes or changes Awa, saying all of this of her."""
    meta = f"<instanceID>uuid:{uuid.UUID(int=number)}</instanceID>"
    if edits is not None:
        meta += f"<deprecatedID>uuid:{uuid.UUID(int=edits)}</deprecatedID>"
    meta += f'<e:entity dataset="people" id="{AWA}" {attributes}><e:label>Awa</e:label></e:entity>'
    answers = "".join(f"<{name}>{value}</{name}>" for name, value in said.items())
    namespace = "http://www.opendatakit.org/xforms/entities"
    xml = f'<data id="visit" version="1" xmlns:e="{namespace}">{answers}<meta>{meta}</meta></data>'
    item = {"instance_id": f"uuid:{uuid.UUID(int=number)}", "form": "visit", "version": "1", "xml": xml}
    return item | {"recorded_at": NOON.isoformat()} | ({"edits": f"uuid:{uuid.UUID(int=edits)}"} if edits else {})


@st.composite
def corrected(draw: st.DrawFn) -> tuple[list[Item], dict[str, str]]:
    """Visits that say again all that their tablets had before their eyes, each with something new of its own, then
    corrected up to twice; and what Awa is in the end."""
    numbers = itertools.count(1)
    items: list[Item] = []
    in_the_end: dict[str, str] = {}

    def visit(attributes: str, eyes: Mapping[str, str], own: list[str]) -> dict[str, str]:
        first: dict[str, str] = {}
        edits: int | None = None
        for _ in range(1 + draw(st.integers(0, 2))):
            number = next(numbers)
            said = {name: draw(st.sampled_from(["w", "x", "y", ""])) for name in own}
            items.append(a_visit(number, attributes, {**eyes, **said}, edits))
            first, edits = first or said, number
            in_the_end.update(said)
        return {**eyes, **first}

    made = visit('create="1"', {}, ["village", "phone"])
    for one in range(draw(st.integers(0, 3))):
        visit('update="1" baseVersion="1"', made, [f"p{one}"])
    trunk, eyes = draw(st.sampled_from(["", "1"])), made
    for step in range(1, draw(st.integers(0, 3)) + 1):
        branch = f'update="1" baseVersion="{step}" trunkVersion="{trunk}" branchId="{BRANCHES[0]}"'
        eyes = visit(branch, eyes, [f"n{step}"])
    return items, in_the_end


def of_awa(desk: Desk) -> dict[str, str]:
    with desk.sessions() as session:
        data = session.get_one(Entity, (desk.project_id, "people", AWA)).data
    return {name: value for name, value in data.items() if value}


def found_wrong(desk: Desk) -> list[str]:
    with desk.sessions() as session:
        return list(verify_portion(session, desk.project_id, 0).differences)


@slowly
@given(data=st.data())
def test_a_correction_reaches_what_was_built_on_it_for_any_order_of_arrival(desk: Desk, data: st.DataObject) -> None:
    items, in_the_end = data.draw(corrected())
    in_order, shuffled = desk.another(), desk.another()
    for project in (in_order, shuffled):
        project.publish("visit", "1", VISIT)
    for item in items:
        in_order.send([item])

    for batch in data.draw(deliveries(items)):
        shuffled.send(batch)

    assert of_awa(in_order) == {name: value for name, value in in_the_end.items() if value}
    assert of_awa(shuffled) == of_awa(in_order)
    assert state(shuffled) == state(in_order)
    assert found_wrong(shuffled) == []


def test_two_corrections_at_once_of_which_the_second_takes_the_first_back_leave_nothing_to_rebuild(desk: Desk) -> None:
    branch = f'update="1" baseVersion="{{}}" trunkVersion="" branchId="{BRANCHES[0]}"'
    desk.publish("visit", "1", VISIT)
    desk.send([a_visit(1, 'create="1"', {"village": "w"})])
    desk.send([a_visit(2, branch.format(1), {"village": "w", "n1": ""})])
    desk.send([a_visit(3, branch.format(2), {"village": "w", "n1": "", "n2": "w"})])

    again = a_visit(5, branch.format(1), {"village": "w", "n1": ""}, edits=4)
    desk.send([again, a_visit(4, branch.format(1), {"village": "w", "n1": "w"}, edits=2)])

    assert of_awa(desk) == {"village": "w", "n2": "w"}
    assert found_wrong(desk) == []


def anything_said() -> st.SearchStrategy[tuple[str, dict[str, str]]]:
    """Any attributes of an entity, conflicts and broken branches included, with what is said of it."""
    attributes = st.builds(
        lambda act, base, trunk, branch: f'{act} baseVersion="{base}" trunkVersion="{trunk}" branchId="{branch}"',
        st.sampled_from(['create="1"', 'update="1"', 'update="1"', 'create="1" update="1"']),
        st.sampled_from(["", "1", "2", "3"]),
        st.sampled_from(["", "1", "2"]),
        st.sampled_from(["", BRANCHES[0]]),
    )
    value = st.sampled_from(["w", "x", "y"])
    return st.tuples(attributes, st.fixed_dictionaries({"village": value}, optional={"phone": value}))


@slowly
@given(
    several=st.lists(
        st.tuples(
            st.sampled_from(["new", "new", "edit", "edit", "reject", "restore"]), st.integers(0, 4), anything_said()
        ),
        max_size=10,
    ),
    apart=st.lists(st.booleans(), min_size=10, max_size=10),
)
def test_whatever_was_corrected_a_rebuild_changes_nothing(
    desk: Desk, several: list[tuple[str, int, tuple[str, dict[str, str]]]], apart: list[bool]
) -> None:
    project = desk.another()
    project.publish("visit", "1", VISIT)
    chains: list[list[int]] = []
    waiting: list[Item] = []
    for number, ((deed, which, (attributes, said)), alone) in enumerate(zip(several, apart, strict=False), start=1):
        chain = chains[which % len(chains)] if chains else None
        if deed == "new" or chain is None:
            waiting.append(a_visit(number, attributes, said))
            chains.append([number])
        elif deed == "edit":
            waiting.append(a_visit(number, attributes, said, chain[-1]))
            chain.append(number)
        if alone or deed in ("reject", "restore"):
            project.send(waiting)
            waiting = []
        if deed in ("reject", "restore") and chain is not None:
            review(project, chain[0], "rejected" if deed == "reject" else None)
    project.send(waiting)

    assert found_wrong(project) == []


def review(desk: Desk, number: int, wanted: str | None) -> None:
    with desk.sessions() as session:
        known = session.query(Submission).filter_by(
            project_id=desk.project_id, instance_id=f"uuid:{uuid.UUID(int=number)}"
        )
        journal = open_journal(session, desk.project_id, None, NOON)
        set_review_state(journal, known.one().id, wanted)
        journal.close()
        session.commit()
