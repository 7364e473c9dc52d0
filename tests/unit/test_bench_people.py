"""The yardsticks by which the matching of people is measured are right themselves."""

import pytest

import bench.people
from bench.judging import best_pair_f1, judge, spread_over_weights, tenths
from bench.records import DIFFICULTIES, Drawn, own_sample
from sync.dedup.scoring.clustering import Standing

TRUTH = {"a": "Awa", "b": "Awa", "c": "Awa", "d": "Fanta", "e": "Oumou"}


def test_what_is_found_is_judged_pair_by_pair_and_record_by_record() -> None:
    verdict = judge(TRUTH, {"b": Standing("a", "a", "b"), "d": Standing("c", "c", "d")})

    assert (verdict.pair_precision, verdict.pair_recall) == (1 / 2, 1 / 3)
    assert verdict.cubed_precision == pytest.approx((1 + 1 + 1 / 2 + 1 / 2 + 1) / 5)
    assert verdict.cubed_recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 + 1) / 5)
    assert (verdict.counted, verdict.true, verdict.fewest, verdict.most) == (3, 3, 3, 5)
    assert verdict.error == 0
    assert verdict.holds


def test_the_best_threshold_falls_between_different_weights() -> None:
    assert best_pair_f1(TRUTH, [("a", "b", 0.9), ("b", "c", 0.5), ("c", "d", 0.5)]) == pytest.approx(2 * 2 / 6)


def test_pairs_to_decide_are_spread_over_the_weights() -> None:
    pairs = [(f"a{number}", f"b{number}", -5.5) for number in range(100)] + [("x", "y", 4.0), ("v", "w", 9.0)]

    chosen = spread_over_weights(pairs, 10, seed=1)

    assert {("x", "y", 4.0), ("v", "w", 9.0)} <= set(chosen)
    assert len(set(chosen)) == 10
    assert chosen == spread_over_weights(pairs[::-1], 10, seed=1)
    assert len(spread_over_weights(pairs, 1000, seed=1)) == 102


def test_a_table_of_calibration_sets_what_was_predicted_beside_what_is_true() -> None:
    table = tenths(TRUTH, [("a", "b", 0.95), ("c", "d", 1.0), ("d", "e", 0.0)])

    assert table[9] == (2, pytest.approx(0.975), 0.5)
    assert table[0] == (1, 0.0, 0.0)


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_the_same_seed_gives_the_same_records_of_which_some_are_of_one_person(difficulty: str) -> None:
    sample = own_sample(7, difficulty, 500)

    assert sample.registrations == own_sample(7, difficulty, 500).registrations
    assert sample.registrations != own_sample(8, difficulty, 500).registrations
    assert len(sample.truth) == 500
    assert 300 < len(set(sample.truth.values())) < 450


def test_people_of_different_numbers_of_communes_share_none() -> None:
    here, there = ({one.said["commune"] for one in Drawn(1, commune=at).registrations(5000)} for at in (0, 400))

    assert len(here) > 3
    assert here.isdisjoint(there)


def test_the_parts_that_need_nothing_installed_run_to_their_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = ["accuracy", "ranges", "calibration", "looking"]
    few = ["--records", "150", "--seeds", "1", "--ranges", "1", "--size", "300", "--on", "sqlite"]
    monkeypatch.setattr("sys.argv", ["bench.people", *parts, *few])

    bench.people.main()

    told = capsys.readouterr().out
    for title in (
        "own generator, hard, 150 records",
        "The stated range",
        "Calibration",
        "One record against 300, sqlite",
    ):
        assert f"### {title}" in told


def test_a_part_that_there_is_not_is_named_beside_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench.people", "everything"])

    with pytest.raises(SystemExit):
        bench.people.main()

    assert "there is no part everything; there are accuracy, ranges" in capsys.readouterr().err
