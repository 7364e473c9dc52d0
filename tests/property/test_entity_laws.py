"""Laws of entities: the order of arrival, a decision taken back and a rebuild leave no trace."""

from __future__ import annotations

import uuid
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from forms.xforms.entities import EntityAction
from sync.models import Entity, EntityStep
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
