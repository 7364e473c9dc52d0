"""Laws of telling people apart: neither order nor detour leaves a trace, and what is stored is what comparing gives."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from forms.xforms.entities import EntityAction
from sync.dedup import persons, yardsticks
from sync.dedup.scoring import bulk
from sync.entities.writing import delete_entities, restore_entities
from sync.errors import EntityNotFound
from sync.journal import Journal
from sync.models import Match, Membership
from sync.review.matches import decide, decide_pair
from tests.support.matching import (
    a_people_registry,
    a_person,
    all_in,
    an_id,
    differences_in,
    matches_in,
    members_in,
)
from tests.support.registry import Registry, an_update

PEOPLE = 6
MOST = 2  # entities with one key, so that few people outgrow it
slowly = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# Most are alike: of people who have nothing to do with each other there is little to get wrong.
first_names = st.sampled_from(["Awa", "Awa", "Awa", "Awa", "Awa", "Hawa", "Aua", "Fanta", "", "🌍", "a" * 10_000])
last_names = st.sampled_from(["Diarra", "Diarra", "Jara", "Traoré", ""])
phones = st.sampled_from(["", "", "70 11 22 33", "76000000"])
places = st.sampled_from(["Siby", "Siby", "Siby", "Siby", "Siby", "Siby", "Kati", ""])
born = st.sampled_from(["1990", "1990", "1991", "1960", ""])
Deed = tuple[str, int, EntityAction]


@pytest.fixture(params=["few", "many", "tangled"], autouse=True)
def cap(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that find at most two, keys that find everybody here, and a tangle that nobody reads whole."""
    if request.param == "few":
        monkeypatch.setattr(yardsticks, "CAP", MOST)
        monkeypatch.setattr(bulk, "CAP", MOST)
    elif request.param == "tangled":
        monkeypatch.setattr(persons, "_FEW", -1000)


def said() -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries(
        {"first": first_names, "last": last_names, "phone": phones, "village": places, "commune": places, "born": born}
    )


@st.composite
def creations(draw: st.DrawFn) -> list[tuple[str, EntityAction]]:
    count = draw(st.integers(1, PEOPLE))
    return [(f"registration {number}", a_person(number, **draw(said()))) for number in range(count)]


@st.composite
def deeds(draw: st.DrawFn) -> list[Deed]:
    """People who register, and then more of them, changing, rejecting, restoring, deleting and bringing back."""
    kinds = st.sampled_from(["register", "change", "change", "reject", "restore", "delete", "undelete"])
    found: list[Deed] = [("register", number, a_person(number, **draw(said()))) for number in range(PEOPLE - 2)]
    for kind in draw(st.lists(kinds, max_size=12)):
        number = draw(st.integers(0, PEOPLE - 1))
        words = draw(said())
        if kind == "change":
            changed = {"first_name": words["first"], "phone": words["phone"], "village": words["village"]}
            found.append((kind, number, an_update(an_id(number), **changed)))
        else:
            found.append((kind, number, a_person(number, **words)))
    return found


def do(registry: Registry, several: list[Deed]) -> dict[int, EntityAction]:
    """Do all that can be done of this; gives what the registrations that were not rejected want now."""
    wanted: dict[int, EntityAction] = {}
    rejected: dict[int, EntityAction] = {}
    for count, (kind, number, action) in enumerate(several):
        name = f"registration {number}"
        if kind == "register" and number not in rejected:
            registry.arrive((name, action))
            wanted[number] = action
        elif kind == "change" and number in wanted:
            registry.arrive((f"visit {count}", action))
        elif kind == "reject" and number in wanted:
            registry.withdraw(name)
            rejected[number] = wanted.pop(number)
        elif kind == "restore" and number in rejected:
            wanted[number] = rejected.pop(number)
            registry.restore(name, wanted[number])
        elif kind in ("delete", "undelete"):
            mark = delete_entities if kind == "delete" else restore_entities
            with suppress(EntityNotFound):  # it was never there, or was marked before
                registry.change(partial(mark, name="people", entity_ids=[an_id(number)]))
    return wanted


@slowly
@given(named=creations(), data=st.data())
def test_any_order_of_arrival_ends_in_the_same_matches_and_persons(
    engine: Engine, named: list[Any], data: st.DataObject
) -> None:
    one_by_one, shuffled = a_people_registry(engine), a_people_registry(engine)
    for one in named:
        one_by_one.arrive(one)

    order = data.draw(st.permutations(named))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(order)), max_size=3)))
    for start, end in pairwise([0, *cuts, len(order)]):
        if start < end:
            shuffled.arrive(*order[start:end])

    assert all_in(shuffled) == all_in(one_by_one)


@slowly
@given(named=creations(), visits=st.lists(st.tuples(st.integers(0, PEOPLE - 1), said()), max_size=6), data=st.data())
def test_at_no_event_of_a_batch_is_anybody_one_in_a_bound_and_several_in_a_closer_one(
    engine: Engine, named: list[Any], visits: list[Any], data: st.DataObject
) -> None:
    registry = a_people_registry(engine)
    changes = [
        (f"visit {count}", an_update(an_id(number), first_name=words["first"], phone=words["phone"]))
        for count, (number, words) in enumerate(visits)
    ]
    batch = data.draw(st.permutations([*named, *changes]))
    cut = data.draw(st.integers(0, len(batch) - 1))

    for some in (batch[:cut], batch[cut:]):
        registry.arrive(*some)

    rows = registry.rows(Membership)
    for event in range(max((row.opened for row in rows), default=0) + 1):
        standing = {an_id(number): (an_id(number),) * 3 for number in range(PEOPLE)}
        for row in rows:
            if row.opened <= event and (row.closed is None or row.closed > event):
                standing[row.entity_id] = row.person_id, row.fewest_id, row.most_id
        for one, other in combinations(standing.values(), 2):
            assert one[2] != other[2] or one[0] == other[0]
            assert one[0] != other[0] or one[1] == other[1]


@slowly
@given(several=deeds())
def test_what_is_stored_is_what_comparing_from_scratch_gives(engine: Engine, several: list[Deed]) -> None:
    registry = a_people_registry(engine)

    do(registry, several)

    assert differences_in(registry) == []


@slowly
@given(several=deeds(), data=st.data())
def test_rejecting_and_restoring_leaves_no_trace(engine: Engine, several: list[Deed], data: st.DataObject) -> None:
    registry = a_people_registry(engine)
    wanted = do(registry, several)
    if not wanted:
        return
    number = data.draw(st.sampled_from(sorted(wanted)))
    before = all_in(registry)

    registry.withdraw(f"registration {number}")
    registry.restore(f"registration {number}", wanted[number])

    assert all_in(registry) == before


@slowly
@given(named=creations(), words=said(), data=st.data())
def test_an_edit_taken_back_leaves_no_trace(
    engine: Engine, named: list[Any], words: dict[str, str], data: st.DataObject
) -> None:
    registry = a_people_registry(engine)
    registry.arrive(*named)
    before = all_in(registry)
    name, action = data.draw(st.sampled_from(named))

    registry.arrive((name, a_person(named.index((name, action)), **words)))
    registry.arrive((name, action))

    assert all_in(registry) == before


def decide_on(registry: Registry, one: int, other: int, decision: str) -> None:
    """Whether the machine proposed the pair or not; nothing, for what cannot be said of them."""
    a, b = sorted((an_id(one), an_id(other)))

    def act(journal: Journal) -> None:
        known = select(Match).where(Match.project_id == registry.project_id, Match.a == a, Match.b == b)
        match = journal.session.scalar(known)
        if match is not None:
            decide(journal, match.id, decision, match.event)
        elif decision != "open":
            with suppress(EntityNotFound):
                decide_pair(journal, "people", a, b, decision)

    registry.change(act)


said_of_pairs = st.lists(
    st.tuples(
        st.sets(st.integers(0, PEOPLE - 1), min_size=2, max_size=2).map(sorted),
        st.sampled_from(["same", "different", "open"]),
    ),
    max_size=6,
)


@slowly
@given(before=deeds(), decisions=said_of_pairs, data=st.data())
def test_a_decision_taken_back_leaves_no_trace(
    engine: Engine, before: list[Deed], decisions: list[Any], data: st.DataObject
) -> None:
    registry = a_people_registry(engine)
    do(registry, before)
    for (one, other), decision in decisions:
        decide_on(registry, one, other, decision)
    undecided = [
        (one, other)
        for one, other in combinations(range(PEOPLE), 2)
        if matches_in(registry).get((an_id(one), an_id(other)), ("open",))[-1] == "open"
    ]
    if not undecided:
        return
    one, other = data.draw(st.sampled_from(undecided))
    was = all_in(registry)

    decide_on(registry, one, other, data.draw(st.sampled_from(["same", "different"])))
    decide_on(registry, one, other, "open")

    assert all_in(registry) == was


@slowly
@given(before=deeds(), decisions=said_of_pairs, after=deeds())
def test_decisions_hold_whatever_happens_to_those_they_are_about(
    engine: Engine, before: list[Deed], decisions: list[Any], after: list[Deed]
) -> None:
    registry = a_people_registry(engine)
    do(registry, before)
    for (one, other), decision in decisions:
        decide_on(registry, one, other, decision)
    said = {pair: row[-1] for pair, row in matches_in(registry).items() if row[-1] != "open"}

    do(registry, after)

    assert {pair: row[-1] for pair, row in matches_in(registry).items() if row[-1] != "open"} == said
    assert differences_in(registry) == []
    standing = members_in(registry)
    for (a, b), decision in said.items():
        if decision == "different":
            both = zip(standing.get(a, (a, a, a)), standing.get(b, (b, b, b)), strict=True)
            assert all(one != other for one, other in both)


@slowly
@given(several=deeds(), decisions=said_of_pairs)
def test_who_is_one_at_the_most_is_one_in_the_value_and_at_the_fewest(
    engine: Engine, several: list[Deed], decisions: list[Any]
) -> None:
    registry = a_people_registry(engine)
    do(registry, several)
    for (one, other), decision in decisions:
        decide_on(registry, one, other, decision)

    standing = {an_id(number): (an_id(number),) * 3 for number in range(PEOPLE)} | members_in(registry)

    persons, fewest, most = (len({said[bound] for said in standing.values()}) for bound in range(3))
    assert fewest <= persons <= most
    for one, other in combinations(standing.values(), 2):
        assert one[2] != other[2] or one[0] == other[0]
        assert one[0] != other[0] or one[1] == other[1]
