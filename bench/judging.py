"""How far what was found agrees with the truth."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sync.dedup.scoring.clustering import Standing
from sync.dedup.scoring.model import FLOOR

Weighed = tuple[str, str, float]  # two records and what says that they are one


@dataclass(frozen=True, slots=True)
class Verdict:
    """Shares, but for the numbers of people. B-cubed is the same averaged over records (Bagga and Baldwin, 1998)."""

    pair_precision: float
    pair_recall: float
    cubed_precision: float
    cubed_recall: float
    counted: int
    true: int
    fewest: int
    most: int

    @property
    def pair_f1(self) -> float:
        return _f1(self.pair_precision, self.pair_recall)

    @property
    def cubed_f1(self) -> float:
        return _f1(self.cubed_precision, self.cubed_recall)

    @property
    def error(self) -> float:
        """By how many per cent the number of people is wrong."""
        return 100 * (self.counted - self.true) / self.true

    @property
    def holds(self) -> bool:
        """Whether the truth lies in the range that is stated."""
        return self.fewest <= self.true <= self.most


def judge(truth: Mapping[str, str], standings: Mapping[str, Standing]) -> Verdict:
    """Who has no standing stands for itself."""
    alone = {record: Standing(record, record, record) for record in truth}
    standing = {**alone, **standings}
    found = {record: standing[record].person for record in truth}
    together = Counter((found[record], person) for record, person in truth.items())
    found_sizes, true_sizes = Counter(found.values()), Counter(truth.values())
    right = _pairs(together.values())
    return Verdict(
        pair_precision=right / max(_pairs(found_sizes.values()), 1),
        pair_recall=right / max(_pairs(true_sizes.values()), 1),
        cubed_precision=sum(n * n / found_sizes[cluster] for (cluster, _), n in together.items()) / len(truth),
        cubed_recall=sum(n * n / true_sizes[person] for (_, person), n in together.items()) / len(truth),
        counted=len(found_sizes),
        true=len(true_sizes),
        fewest=len({standing[record].fewest for record in truth}),
        most=len({standing[record].most for record in truth}),
    )


def best_pair_f1(truth: Mapping[str, str], pairs: Iterable[Weighed]) -> float:
    """The best that any threshold makes of the pairs, without clusters."""
    ranked = sorted(pairs, key=lambda pair: -pair[2])
    true = _pairs(Counter(truth.values()).values())
    best, right = 0.0, 0
    for number, (a, b, weight) in enumerate(ranked, 1):
        right += truth[a] == truth[b]
        # A threshold falls only between different weights.
        if number == len(ranked) or ranked[number][2] != weight:
            best = max(best, 2 * right / (number + true))
    return best


def spread_over_weights(pairs: Sequence[Weighed], count: int, seed: int) -> list[Weighed]:
    """So many of the pairs, as many as can be from each unit of weight."""
    rng = random.Random(seed)
    bins: dict[int, list[Weighed]] = {}
    for pair in sorted(pairs):
        bins.setdefault(int(pair[2] - FLOOR), []).append(pair)
    for some in bins.values():
        rng.shuffle(some)
    chosen: list[Weighed] = []
    while len(chosen) < min(count, len(pairs)):
        chosen += [some.pop() for _, some in sorted(bins.items()) if some]
    return chosen[:count]


def tenths(truth: Mapping[str, str], pairs: Iterable[Weighed]) -> list[tuple[int, float, float]]:
    """By tenths of the probability: how many pairs, what was predicted of them, and what is true."""
    cells: dict[int, list[float]] = {tenth: [0, 0.0, 0] for tenth in range(10)}
    for a, b, probability in pairs:
        cell = cells[min(9, int(probability * 10))]
        cell[0] += 1
        cell[1] += probability
        cell[2] += truth[a] == truth[b]
    return [(int(n), predicted / max(n, 1), true / max(n, 1)) for n, predicted, true in cells.values()]


def _pairs(sizes: Iterable[int]) -> int:
    return sum(n * (n - 1) // 2 for n in sizes)


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
