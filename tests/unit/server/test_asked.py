"""Of what there is to choose, what was chosen is never missing."""

import pytest
from sqlalchemy.orm import Session

from forms.programmes.places import Place
from server.pages.asked import places_to_choose
from tests.support.figures import World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_a_place_that_was_chosen_is_among_those_to_choose_however_many_there_are(session: Session) -> None:
    world = World(session)
    around = [Place(f"R{number:03}", f"Region {number:03}", "region", None, None, None, ()) for number in range(400)]
    world.places(*around, Place("C", "Siby", "commune", "R399", None, None, ()))

    choices = places_to_choose(world.reading(), "C")

    assert [choice.code for choice in choices[-2:]] == ["R399", "C"]
    assert len(choices) == 302
    assert len(places_to_choose(world.reading(), None)) == 300
