"""The shapes of charts say what the numbers say."""

import itertools
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from server.pages.charts import Measured, bars, sparkline, waterfall

numbers = st.integers(-(10**6), 10**6)


def test_bars_share_one_scale_with_their_ranges_and_targets() -> None:
    first, second = bars([Measured(50, 40, 60, 200), Measured(Fraction(100))])

    assert (first.length, first.low, first.high, first.target) == (25, 20, 30, 100)
    assert (second.length, second.low, second.high, second.target) == (50, None, None, None)


def test_a_point_has_no_whisker_and_nothing_has_no_bar() -> None:
    first, second = bars([Measured(5, 5, 5), Measured(None, target=None)])

    assert (first.length, first.low, first.high) == (100, None, None)
    assert second.length == 0
    assert [bar.length for bar in bars([Measured(0), Measured(-3)])] == [0, 0]


def test_a_line_is_broken_where_there_is_no_value() -> None:
    lines = sparkline([1, None, 2, 3], width=90)

    assert [line.split()[0].split(",")[0] for line in lines] == ["0.0", "60.0"]
    assert sparkline([None, None]) == []


def test_a_small_change_of_a_large_total_can_be_seen() -> None:
    found = waterfall(4026, [-30, 4], 4000)

    assert found.cut
    assert found.steps[1].way == "down"
    assert found.steps[1].length > 20
    assert not waterfall(0, [4000], 4000).cut


@given(numbers, st.lists(numbers, max_size=8))
def test_each_step_begins_where_the_one_before_ended(before: int, effects: list[int]) -> None:
    found = waterfall(before, effects, before + sum(effects))

    assert len(found.steps) == len(effects) + 2
    assert all(step.start >= -0.01 and step.start + step.length <= 100.01 for step in found.steps)
    assert [step.way for step in found.steps[1:-1]] == [
        "up" if effect > 0 else "down" if effect < 0 else "still" for effect in effects
    ]
    ends = [(step.start, step.start + step.length) for step in found.steps[1:-1]]
    for one, following in itertools.pairwise(ends):
        assert any(abs(a - b) < 0.03 for a in one for b in following)
