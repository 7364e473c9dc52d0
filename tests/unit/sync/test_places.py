"""Places: versions, aliases, and what lies below."""

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sync.models import Place
from sync.projects.places import places_at, put_places
from tests.support.figures import World, a_place

MALI = a_place("ML", "country")
KOULIKORO = a_place("ML-2", "region", "ML", aliases=["Koulikoro"])
KATI = a_place("ML-21", "cercle", "ML-2", aliases=["Káti", "Koulikoro"])


@pytest.fixture
def world(session: Session) -> World:
    return World(session)


def test_the_same_places_again_write_nothing(world: World) -> None:
    world.places(MALI, KOULIKORO, KATI)
    with world.change("places") as (journal, event):
        again = put_places(journal, [KATI, MALI, KOULIKORO], event)

    assert not again
    assert world.session.scalar(select(func.count()).select_from(Place)) == 3


def test_a_change_a_new_place_and_one_that_is_gone_are_versions(world: World) -> None:
    before = world.places(MALI, KOULIKORO, KATI)
    moved = a_place("ML-21", "cercle", "ML")
    with world.change("places") as (journal, event):
        changed = put_places(journal, [MALI, moved, a_place("ML-9", "region", "ML")], event)

    then, now = places_at(world.session, 1, before), places_at(world.session, 1, None)
    assert changed
    assert sorted(now.places) == ["ML", "ML-21", "ML-9"]
    assert sorted(then.places) == ["ML", "ML-2", "ML-21"]
    assert (then.places["ML-21"], now.places["ML-21"]) == (KATI, moved)


def test_putting_places_twice_at_one_event_keeps_the_last(world: World) -> None:
    with world.change("places") as (journal, event):
        put_places(journal, [MALI, KOULIKORO], event)
        put_places(journal, [MALI, KATI], event)

    assert sorted(places_at(world.session, 1, None).places) == ["ML", "ML-21"]


def test_below_a_place_lies_everything_inside_it(world: World) -> None:
    world.places(MALI, KOULIKORO, KATI)

    tree = places_at(world.session, 1, None)

    assert tree.below("ML") == ["ML", "ML-2", "ML-21"]
    assert tree.below("ML-21") == ["ML-21"]


def test_a_place_is_known_by_code_and_alias_whatever_accents_and_capitals(world: World) -> None:
    world.places(MALI, KOULIKORO, KATI)
    tree = places_at(world.session, 1, None)

    written = {name: tree.code_of(name) for name in ("ml-21", " KATI ", "káti", "elsewhere", None)}

    assert written == {
        "ml-21": "ML-21",
        " KATI ": "ML-21",
        "káti": "ML-21",
        "elsewhere": None,
        None: None,
    }
    assert tree.at_level("ML-21", "region") == "ML-2"
    assert tree.code_of("Koulikoro") is None, "two places would be called so"
    assert tree.at_level("ML-2", "cercle") is None
