"""What decisions teach about how far a score is to be believed."""

import random

import pytest

from sync.dedup.scoring.calibrating import calibrate
from sync.dedup.scoring.model import DEFAULT


def test_without_decisions_nothing_changes() -> None:
    assert calibrate(DEFAULT, []) == DEFAULT


def test_decisions_that_agree_with_the_model_change_little() -> None:
    rng = random.Random(1)
    weights = [rng.uniform(-6, 6) for _ in range(300)]

    found = calibrate(DEFAULT, [(weight, rng.random() < DEFAULT.probability(weight)) for weight in weights])

    assert found.slope == pytest.approx(1, abs=0.25)
    assert found.intercept == pytest.approx(0, abs=0.6)


def test_a_model_that_believes_too_readily_is_held_back() -> None:
    rng = random.Random(2)
    weights = [rng.uniform(-6, 6) for _ in range(400)]

    found = calibrate(DEFAULT, [(weight, rng.random() < DEFAULT.probability(weight - 3)) for weight in weights])

    assert found.probability(0) < 0.3


@pytest.mark.parametrize("same", [True, False])
def test_decisions_of_one_kind_do_not_run_away(same: bool) -> None:
    found = calibrate(DEFAULT, [(2.0, same)] * 20)

    assert 0.2 <= found.slope < 2
    assert abs(found.intercept) < 4


def test_a_greater_weight_is_never_less_probable() -> None:
    found = calibrate(DEFAULT, [(5.0, False)] * 50 + [(-5.0, True)] * 50)

    assert [found.probability(weight) for weight in (-5, 0, 5)] == sorted(
        found.probability(weight) for weight in (-5, 0, 5)
    )
