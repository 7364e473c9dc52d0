"""How an indicator was defined before: column by column, with the figure around each change."""

import pytest
from sqlalchemy.orm import Session

from forms.indicators.sheets import Indicator
from sync.indicators.past import Cell, around, past_of
from tests.support.figures import World
from tests.support.figures import a_contribution as row

RICE = Indicator("rice", labels={"": "Rice"}, aggregate="sum", value="${t}", where="${t} > 0")


@pytest.fixture
def world(session: Session) -> World:
    world = World(session)
    world.publish(RICE)
    world.submit(row("rice", value=10), row("rice", value=30, ordinal=1))
    return world


def test_a_change_is_told_by_the_columns_of_the_sheet(world: World) -> None:
    world.publish(Indicator("rice", labels={"": "Rice, paddy"}, aggregate="sum", value="${t} * 2", where="${t} > 0"))

    last, first = past_of(world.reading(), "rice")

    assert set(last.cells) >= {
        Cell("", "label", "Rice", "Rice, paddy"),
        Cell("visit", "value", "${t}", "${t} * 2"),
    }
    assert {cell.column for cell in last.cells} == {"label", "value"}
    assert (first.is_first, list(first.cells)) == (True, [])


def test_the_figure_stands_beside_the_change(world: World) -> None:
    world.publish(Indicator("rice", labels={"": "Rice"}, aggregate="mean", value="${t}", where="${t} > 0"))

    last, first = past_of(world.reading(), "rice")
    figures = around(world.reading(), "rice", last, period="all", place=None, sees_small_cells=True)

    assert figures is not None
    assert [figure.value for figure in figures] == [40, 20]
    assert around(world.reading(), "rice", first, period="all", place=None, sees_small_cells=True) is None


def test_as_of_an_earlier_day_later_changes_are_not_known(world: World) -> None:
    before = world.reading()
    world.publish(Indicator("rice", labels={"": "Paddy"}, aggregate="sum", value="${t}", where="${t} > 0"))

    assert len(past_of(before, "rice")) == 1
    assert len(past_of(world.reading(), "rice")) == 2
