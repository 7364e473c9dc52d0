"""Deciding who is the same person: what is said holds, can be taken back, and changes figures exactly."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from sync.dedup.pairs import NOTHING, Likeness, ordered, pairs_of, write_pairs
from sync.dedup.persons import settle
from sync.dedup.rematching import rematch
from sync.dedup.scoring.profiles import Profile, profile_of
from sync.errors import AlreadyDecided, EntityNotFound, NotFound, Stale, Unexpected
from sync.models import Entity, Event
from sync.review import match_queue
from sync.review.decided import decided_last
from sync.review.lookalikes import CO_WIVES, COUSINS, ELDER, TWINS, lookalike
from sync.review.match_bulk import CHAIN, Confirmed, Undone, confirm_surest, undo_bulk
from sync.review.match_queue import Wanted, matches, waiting
from sync.review.match_view import view
from sync.review.matches import pair_of, write_decisions
from sync.review.people import people
from tests.support.people import ROLES, Village


@pytest.fixture
def village(session: Session) -> Village:
    return Village(session)


def kinds(village: Village) -> list[str]:
    query = select(Event.kind).where(Event.kind.in_(["merged", "unmerged", "decided"])).order_by(Event.number)
    return list(village.session.scalars(query))


def test_the_same_person_counts_once_and_two_people_count_twice(village: Village) -> None:
    village.register("awa", "hawa")
    match = village.match("awa", "hawa", 0.4)
    assert village.trained()[0] == 2

    village.decide(match, "same")
    assert village.trained() == (1, 1, 1)

    village.decide(match, "different")
    assert village.trained() == (2, 2, 2)
    assert kinds(village) == ["merged", "unmerged"]


def test_a_decision_is_kept_with_who_took_it_when_and_why_and_on_which_versions(village: Village) -> None:
    village.register("awa", "hawa")
    match = village.match("awa", "hawa", 0.7)

    event = village.decide(match, "different", reason="  two sisters  ")

    [said] = village.decisions()
    assert (said.decision, said.reason, said.event, said.at) == ("different", "two sisters", event, village.now)
    assert (said.a_version, said.b_version, said.weight) == (1, 1, 1.0)


def test_what_is_taken_back_was_never_said_but_stays_in_the_history(village: Village) -> None:
    village.register("awa", "hawa")
    match = village.match("awa", "hawa", 0.7)
    before = village.state(), village.ranges()

    village.decide(match, "different")
    village.decide(match, "open")

    assert (village.state(), village.ranges()) == before
    assert [said.decision for said in village.decisions()] == ["different", "open"]


def test_whoever_comes_second_hears_that_it_was_decided(village: Village) -> None:
    village.register("awa", "hawa")
    match = village.match("awa", "hawa", 0.7)
    seen = village.seen(match)
    village.decide(match, "same", seen, by=8)

    for decision in ("same", "different", "open"):
        with pytest.raises(AlreadyDecided):
            village.decide(match, decision, seen, by=9)
        village.session.rollback()


def test_a_decision_sent_twice_by_one_person_is_done_once(village: Village) -> None:
    village.register("awa", "hawa")
    match = village.match("awa", "hawa", 0.7)
    seen = village.seen(match)

    assert village.decide(match, "same", seen, by=8) is not None
    assert village.decide(match, "same", seen, by=8) is None
    assert len(village.decisions()) == 1


def test_nobody_decides_about_a_record_that_has_changed_since(village: Village) -> None:
    village.register("awa", "hawa")
    match = village.match("awa", "hawa", 0.7)
    seen = village.seen(match)
    with village.change("edited") as (journal, event):
        known = pairs_of(journal.connection, 1, "people", ["awa"])["awa", "hawa"]
        write_pairs(journal, "people", {}, [(known, Likeness(0.1, 0.2, [], 1))], (), event)

    with pytest.raises(Stale):
        village.decide(match, "same", seen)


def test_a_decision_outlives_every_new_score(village: Village) -> None:
    village.register("awa", "hawa")
    match = village.match("awa", "hawa", 0.7)
    village.decide(match, "same")

    with village.change("edited") as (journal, event):
        known = pairs_of(journal.connection, 1, "people", ["awa"])["awa", "hawa"]
        write_pairs(journal, "people", {}, [(known, NOTHING)], (), event)
        settle(journal, "people", known.pair, event)

    assert village.trained() == (1, 1, 1)


def test_a_pair_that_no_machine_proposed_can_be_decided_and_goes_when_that_is_taken_back(village: Village) -> None:
    village.register("awa", "oumou")
    before = village.state(), village.ranges()

    match, event = village.decide_pair("oumou", "awa", "same")
    assert event is not None
    assert village.trained() == (1, 1, 1)
    assert village.decide_pair("awa", "oumou", "same") == (match, None)

    village.decide(match, "open")
    assert (village.state(), village.ranges()) == before
    assert village.row(match) is None


@pytest.mark.parametrize(
    ("one", "other", "decision", "refusal"),
    [
        ("awa", "awa", "same", Unexpected),
        ("awa", "nobody", "same", EntityNotFound),
        ("awa", "oumou", "open", Unexpected),
        ("awa", "oumou", "perhaps", Unexpected),
        ("awa", "hawa", "different", AlreadyDecided),
    ],
)
def test_what_cannot_be_decided_is_refused(
    village: Village, one: str, other: str, decision: str, refusal: type[Exception]
) -> None:
    village.register("awa", "hawa", "oumou")
    village.decide_pair("awa", "hawa", "same")

    with pytest.raises(refusal):
        village.decide_pair(one, other, decision)


def test_an_unknown_pair_is_not_found(village: Village) -> None:
    with pytest.raises(NotFound):
        village.decide(99, "same", 1)


def test_different_inside_a_person_splits_it_at_its_weakest_link(village: Village) -> None:
    village.register("a1", "a2", "b1", "b2")
    for one, other, probability in (("a1", "a2", 0.95), ("b1", "b2", 0.95), ("a2", "b1", 0.6), ("a1", "b2", 0.6)):
        village.match(one, other, probability)
    for one, other in (("a1", "a2"), ("b1", "b2"), ("a2", "b1")):
        village.decide(village.id_of(one, other), "same")
    assert village.trained()[0] == 1

    village.decide_pair("a1", "b1", "different")

    assert village.trained()[0] == 2
    persons = {entity_id: person for entity_id, person, *_ in village.state()[len(village.state()) - 4 :]}
    assert persons.get("a2", "a2") == persons.get("a1", "a1") != persons.get("b1", "b1")


def test_a_decision_that_makes_nobody_another_person_is_no_cause_of_a_figure(village: Village) -> None:
    village.register("awa", "oumou")

    village.decide_pair("awa", "oumou", "different")

    assert kinds(village) == ["decided"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    links=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from([0.03, 0.2, 0.5, 0.7, 0.93, 0.99])), max_size=8
    ),
    first=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans()), max_size=4),
    then=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans()), min_size=1, max_size=4),
)
def test_to_decide_and_to_undo_is_nothing(
    engine: Engine,
    links: list[tuple[int, int, float]],
    first: list[tuple[int, int, bool]],
    then: list[tuple[int, int, bool]],
) -> None:
    with Session(engine) as session:
        number = (session.scalar(select(Event.project_id).order_by(Event.project_id.desc()).limit(1)) or 0) + 1
        village = Village(session, number)
        ids = [f"{number:03}-{index}" for index in range(6)]
        village.register(*ids)
        for one, other, probability in links:
            if one != other and not pairs_of(session.connection(), number, "people", [ids[one]]).get(
                (min(ids[one], ids[other]), max(ids[one], ids[other]))
            ):
                village.match(ids[one], ids[other], probability)
        for one, other, same in first:
            _say(village, ids[one], ids[other], same)
        before = village.state(), village.ranges()
        undone = [village.id_of(ids[o], ids[p]) for o, p, same in then if _say(village, ids[o], ids[p], same)]
        for match in reversed(undone):
            village.decide(match, "open")

        assert (village.state(), village.ranges()) == before
        value, low, high = village.trained()
        assert low <= value <= high


def _say(village: Village, one: str, other: str, same: bool) -> bool:
    """Whether it was new."""
    if one == other:
        return False
    try:
        return village.decide_pair(one, other, "same" if same else "different")[1] is not None
    except AlreadyDecided:
        village.session.rollback()
        return False


# The queue


def ids_of(village: Village, **asked: object) -> list[int]:
    return [queued.pair.id for queued in matches(village.reading(), "people", **asked).items]  # type: ignore[arg-type]


def test_first_come_the_pairs_on_which_most_figures_hang_then_those_most_in_doubt(village: Village) -> None:
    village.register("a", "b", "c", "d", "e", "f")
    village.register("g", "h", sells=True)
    village.register("i", "j", trained=False)
    sure = village.match("a", "b", 0.97)
    doubted = village.match("c", "d", 0.45)
    less = village.match("e", "f", 0.8)
    twice = village.match("g", "h", 0.3)
    nowhere = village.match("i", "j", 0.5)

    # Of the sure pair too a figure would change, if somebody said that they are two.
    assert ids_of(village) == [twice, doubted, less, sure, nowhere]


def test_the_queue_comes_in_pages_that_hold_every_pair_once(village: Village) -> None:
    names = [f"p{number:02}" for number in range(12)]
    village.register(*names)
    for number, (one, other) in enumerate(zip(names[::2], names[1::2], strict=True)):
        village.match(one, other, 0.1 + number / 10)
    found: list[int] = []
    cursor = None
    while True:
        page = matches(village.reading(), "people", cursor=cursor, limit=2)
        found += [queued.pair.id for queued in page.items]
        if (cursor := page.cursor) is None:
            break

    assert found == ids_of(village)
    assert len(set(found)) == 6


def test_a_long_queue_keeps_its_order_for_a_while_but_not_what_is_in_it(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(match_queue, "_KEPT_FROM", 0)
    village.register(*"abcdefgh")
    first, second = village.match("a", "b", 0.6), village.match("c", "d", 0.7)
    assert ids_of(village) == [first, second]
    village.session.commit()
    assert ids_of(village) == [first, second]

    village.decide(first, "same")
    village.session.commit()
    assert ids_of(village) == [second]
    new = village.match("e", "f", 0.55)
    village.decide(first, "open")
    village.session.commit()

    assert ids_of(village) == [new, first, second]
    pages = [matches(village.reading(), "people", limit=1)]
    while (cursor := pages[-1].cursor) is not None:
        pages.append(matches(village.reading(), "people", cursor=cursor, limit=1))
    assert [queued.pair.id for page in pages for queued in page.items] == [new, first, second]


def test_a_pair_that_is_compared_otherwise_by_now_is_found_by_what_it_is_now(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(match_queue, "_KEPT_FROM", 0)
    village.register(*"abcd")
    first, second = village.match("a", "b", 0.6), village.match("c", "d", 0.3)
    assert ids_of(village) == [first, second]
    village.session.commit()
    assert ids_of(village) == [first, second]

    known = pairs_of(village.session.connection(), 1, "people", [ordered("c", "d")[0]])
    with village.change() as (journal, event):
        rescored = [(known[ordered("c", "d")], Likeness(5.0, 0.95, [], 2))]
        write_pairs(journal, "people", {}, rescored, (), event)
    village.session.commit()

    surest = matches(village.reading(), "people", wanted=Wanted(0.9)).items
    assert [queued.pair.id for queued in surest] == [second]
    assert ids_of(village) == [first, second]


def test_what_was_decided_last_is_shown_as_far_as_it_stands(village: Village) -> None:
    village.register(*"abcdefgh")
    ends = ["ab", "cd", "ef"]
    ids = [village.match(*pair, 0.99) for pair in ends]
    alone = village.match("g", "h", 0.6)
    village.decide(alone, "different")
    with village.change("noted") as (journal, _):
        pairs = [pair_of(village.session, 1, match_id) for match_id in ids]
        write_decisions(journal, pairs, "same", None, bulk=journal.new_id())

    def shown() -> list[tuple[bool, int]]:
        found = decided_last(village.session, 1, "people", 10)
        return [(one.decision.bulk is not None, one.pairs) for one in found]

    assert shown() == [(True, 3), (False, 1)]
    for left, match_id in zip((2, 1), ids, strict=False):
        village.decide(match_id, "open")
        assert shown() == [(True, left), (False, 1)]
    village.decide(ids[2], "open")
    village.decide(alone, "open")
    assert shown() == []


def test_decided_pairs_leave_the_queue_and_are_listed_the_last_first(village: Village) -> None:
    village.register("a", "b", "c", "d", "e", "f")
    ids = [village.match("a", "b", 0.6), village.match("c", "d", 0.6), village.match("e", "f", 0.6)]
    village.decide(ids[0], "same")
    village.decide(ids[2], "same")

    assert ids_of(village) == [ids[1]]
    first = matches(village.reading(), "people", "same", limit=1)
    assert [one.pair.id for one in first.items] == [ids[2]]
    assert [one.pair.id for one in matches(village.reading(), "people", "same", first.cursor).items] == [ids[0]]
    assert ids_of(village, state="different") == []


@pytest.mark.parametrize("cursor", ["x", "1_2_3_4", "1_inf_4", "1_0x1p9999999_3", "-1", "9" * 400, "1-2-3"])
@pytest.mark.parametrize("state", ["open", "same"])
def test_what_was_never_a_cursor_is_refused(village: Village, cursor: str, state: str) -> None:
    with pytest.raises(Unexpected):
        matches(village.reading(), "people", state, cursor)


def test_it_is_told_by_how_much_the_open_pairs_can_change_a_figure(village: Village) -> None:
    village.register("a", "b", "c", "d", "e")
    village.match("a", "b", 0.6)
    village.match("c", "d", 0.3)
    village.match("d", "e", 0.02)

    found = waiting(village.reading(), "people")

    assert (found.pairs, found.deciding) == (3, 2)
    [doubt] = found.doubts
    assert (doubt.figure.definition.name, doubt.pairs) == ("people_trained", 2)
    assert doubt.span == 2


def test_a_pair_is_seen_side_by_side_with_what_differs_first(village: Village) -> None:
    village.register("awa", village="Siby", phone="76000001")
    village.register("hawa", village="Siby")
    match = village.match("awa", "hawa", 0.7)
    village.decide(match, "same", reason="asked her")

    seen = view(village.session, 1, match, "en")

    assert [(one.name, tuple(one.values)) for one in seen.compared] == [
        ("first_name", ("awa", "hawa")),
        ("phone", ("76000001", "")),
        ("last_name", ("Diarra", "Diarra")),
        ("village", ("Siby", "Siby")),
    ]
    assert seen.stands == "hawa"  # the one that was written last
    assert [said.reason for said in seen.decisions] == ["asked her"]


# Which one stands for the person


def standing(village: Village, match_id: int) -> tuple[str, set[str]]:
    """Which record stands for the person, as the pair says, and those that do in the list of persons."""
    seen = view(village.session, village.project_id, match_id, "en").stands
    return seen, {person.stands.id for person in people(village.session, village.project_id, "people").items}


def test_whoever_decides_can_say_which_record_stands_for_the_person_and_take_it_back(village: Village) -> None:
    village.register("awa", "hawa", "oumou")
    match = village.match("awa", "hawa", 0.97)
    assert standing(village, match) == ("hawa", {"hawa", "oumou"})  # the newest

    village.decide(match, "same", stands="awa")
    assert standing(village, match) == ("awa", {"awa", "oumou"})

    village.decide(match, "same", stands=" uuid:HAWA ")
    assert standing(village, match) == ("hawa", {"hawa", "oumou"})
    village.decide(match, "same", stands="awa")
    village.decide(match, "open")
    assert standing(village, match) == ("hawa", {"hawa", "oumou"})
    village.decide(match, "same")
    assert standing(village, match) == ("hawa", {"hawa", "oumou"})
    assert [said.stands for said in village.decisions()] == ["awa", "hawa", "awa", None, None]
    assert kinds(village) == ["decided"] * 5


def test_who_stands_for_a_person_is_the_one_chosen_last_in_any_pair_of_hers(village: Village) -> None:
    village.register("a", "b", "c")
    first, second = village.match("a", "b", 0.97), village.match("b", "c", 0.97)

    village.decide(first, "same", stands="a")
    village.decide(second, "same", stands="b")
    assert standing(village, second)[1] == {"b"}

    village.decide(second, "open")
    assert standing(village, first)[1] == {"a", "c"}


def test_who_was_chosen_outlives_every_new_score_and_gives_way_only_when_gone(village: Village) -> None:
    village.register("awa", "hawa")
    match = village.match("awa", "hawa", 0.7)
    village.decide(match, "same", stands="awa")

    with village.change("edited") as (journal, event):
        known = pairs_of(journal.connection, 1, "people", ["awa"])["awa", "hawa"]
        write_pairs(journal, "people", {}, [(known, NOTHING)], (), event)
        settle(journal, "people", known.pair, event)
        rematch(journal, "people", ROLES)
    assert standing(village, match) == ("awa", {"awa"})

    with village.change("edited") as (journal, event):
        journal.session.get_one(Entity, (1, "people", "awa")).withdrawn = True
    assert standing(village, match)[0] == "hawa"


def test_the_same_choice_sent_again_is_done_once_and_another_needs_a_look(village: Village) -> None:
    village.register("awa", "hawa")
    match = village.match("awa", "hawa", 0.7)
    seen = village.seen(match)

    assert village.decide(match, "same", seen, by=8, stands="awa") is not None
    assert village.decide(match, "same", seen, by=8, stands="awa") is None
    with pytest.raises(AlreadyDecided):
        village.decide(match, "same", seen, by=8, stands="hawa")


@pytest.mark.parametrize(
    ("decision", "stands"), [("same", "oumou"), ("same", ""), ("different", "awa"), ("open", "awa")]
)
def test_only_one_of_two_that_are_the_same_can_stand_for_the_person(
    village: Village, decision: str, stands: str
) -> None:
    village.register("awa", "hawa", "oumou")
    match = village.match("awa", "hawa", 0.7)

    with pytest.raises(Unexpected, match="stands"):
        village.decide(match, decision, stands=stands)
    village.session.rollback()
    with pytest.raises(Unexpected, match="stands"):
        village.decide_pair("awa", "hawa", "same", stands="oumou")


# Confirming many at once


def confirm(village: Village, minimum: float = 0.95) -> Confirmed:
    with village.change("noted") as (journal, _):
        return confirm_surest(journal, "people", minimum)


def undo(village: Village, bulk: int | None) -> Undone:
    with village.change("noted") as (journal, _):
        return undo_bulk(journal, bulk or 0)


def a_pair_of(village: Village, name: str, probability: float = 0.97, **data: str) -> int:
    """Two records of one person, as sure as can be."""
    given: dict[str, Any] = {
        "first_name": "Awa",
        "village": "Siby",
        "commune": "Siby",
        "birth_year": "1990",
        "phone": "76000001",
    }
    village.register(f"{name}1", f"{name}2", **given | {"last_name": name} | data)
    return village.match(f"{name}1", f"{name}2", probability)


def test_the_surest_pairs_are_confirmed_at_once_and_opened_again_at_once(village: Village) -> None:
    a_pair_of(village, "Diarra")
    a_pair_of(village, "Keita")
    unsure = a_pair_of(village, "Traore", probability=0.8)
    before = village.state(), village.ranges()

    done = confirm(village)
    assert (len(done.pairs), done.left_out, done.more) == (2, [], False)
    assert ids_of(village) == [unsure]
    assert len({said.bulk for said in village.decisions()}) == 1

    undone = undo(village, done.bulk)
    assert (undone.opened, undone.kept) == (2, 0)
    assert (village.state(), village.ranges()) == before


def test_what_was_decided_again_since_is_not_opened(village: Village) -> None:
    ours, theirs = a_pair_of(village, "Diarra"), a_pair_of(village, "Keita")
    done = confirm(village)
    village.decide(theirs, "different")

    undone = undo(village, done.bulk)

    assert (undone.opened, undone.kept) == (1, 1)
    rows = village.row(ours), village.row(theirs)
    assert [row.state for row in rows if row] == ["open", "different"]
    with pytest.raises(NotFound):
        undo(village, 12345)


def test_it_is_told_what_a_confirmation_does_to_figures(village: Village) -> None:
    a_pair_of(village, "Diarra", probability=0.96)
    village.register("oumou")
    village.match("Diarra1", "oumou", 0.3)

    done = confirm(village)

    assert [shift.before.definition.name for shift in done.shifts] == ["people_trained"] * len(done.shifts)


def test_pairs_that_look_like_two_people_are_left_out_of_it(village: Village) -> None:
    village.register("hassan", "housseini", last_name="Coulibaly", village="Siby", commune="Siby", birth_year="1990")
    village.match("hassan", "housseini", 0.98)
    village.register("n1", "n2", first_name="Oumou", last_name="Keita", village="Siby", commune="Siby")
    village.match("n1", "n2", 0.98)

    done = confirm(village)

    assert not done.pairs
    assert done.reasons == {TWINS: 1, COUSINS: 1}
    assert village.decisions() == []


def test_nobody_is_made_one_by_way_of_a_third(village: Village) -> None:
    given: dict[str, Any] = {"first_name": "Awa", "village": "Siby", "commune": "Siby", "phone": "76000001"}
    village.register("a", "b", "c", **given)
    village.match("a", "b", 0.99)
    village.match("b", "c", 0.97)
    village.decide_pair("a", "c", "different")

    done = confirm(village)

    assert len(done.pairs) == 1
    assert done.reasons == {CHAIN: 1}


def test_organisations_are_decided_one_by_one(session: Session) -> None:
    village = Village(session, roles={"title": "name"})

    with pytest.raises(Unexpected):
        confirm(village)
    village.session.rollback()


@pytest.mark.parametrize("minimum", [0.3, 1.5])
def test_only_likely_pairs_are_confirmed_unseen(village: Village, minimum: float) -> None:
    with pytest.raises(Unexpected):
        confirm(village, minimum)


def a_profile(**data: str) -> Profile:
    given = {"first_name": "Awa", "last_name": "Diarra", "village": "Siby", "commune": "Siby"} | data
    return profile_of("x", ROLES, given, dt.date(2026, 11, 1))


@pytest.mark.parametrize(
    ("one", "other", "pattern"),
    [
        ({"birth_year": "1990"}, {"birth_year": "1990", "first_name": "Adama"}, TWINS),
        ({"birth_year": "1950", "phone": "76000001"}, {"birth_year": "1990", "phone": "76000001"}, ELDER),
        ({"phone": "76000001"}, {"phone": "76000001", "first_name": "Oumou", "last_name": "Keita"}, CO_WIVES),
        ({"birth_year": "1990"}, {"birth_year": "1991"}, COUSINS),
        ({}, {}, COUSINS),
        ({"phone": "76000001"}, {"phone": "76000001"}, None),
        ({"group": "Benkadi"}, {"group": "Benkadi"}, COUSINS),
        ({"group": "Benkadi", "birth_year": "1990"}, {"group": "Benkadi", "birth_year": "1990"}, None),
        ({"birth_date": "1990-03-08"}, {"birth_date": "1990-03-08"}, None),
        ({"birth_date": "1990-01-01"}, {"birth_date": "1990-01-01"}, COUSINS),
        ({"id_number": "ML-12345"}, {"id_number": "ML-12345", "birth_year": "1950"}, None),
        ({"village": "Kati", "commune": "Kati"}, {}, COUSINS),
        ({"village": "Sibi"}, {"first_name": "Adama", "birth_year": "1990"}, COUSINS),
        ({"village": "Sibi", "birth_year": "1990"}, {"first_name": "Adama", "birth_year": "1990"}, TWINS),
    ],
)
def test_two_people_who_look_like_one_are_known_by_their_pattern(
    one: dict[str, str], other: dict[str, str], pattern: str | None
) -> None:
    assert lookalike(a_profile(**one), a_profile(**other)) == pattern
    assert lookalike(a_profile(**other), a_profile(**one)) == pattern
