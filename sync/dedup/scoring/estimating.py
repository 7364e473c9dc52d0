"""Learning the model of a list from its records alone.

Expectation maximisation (A. P. Dempster, N. M. Laird and D. B. Rubin, 1977) for the mixture of Fellegi and Sunter, with
guards without which it collapsed when it was measured (indicators.md §5): u comes from pairs drawn in the same village,
the same commune and elsewhere, and is held; m starts from expectation and is held to it as by 300 pairs; pairs that no
blocking key brings together count as two persons.
"""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sync.dedup.scoring.bulk import Compared, Weighing
from sync.dedup.scoring.comparing import COMMUNE, ELSEWHERE, LEVELS, STRATA, VILLAGE, Pattern, compare, stratum_of
from sync.dedup.scoring.model import DEFAULT, Levels, Model, Score, Term, crowding, scopes_of, weigh
from sync.dedup.scoring.profiles import Profile

_DRAWN, _DRAWN_EACH = 40_000, 20  # the most pairs for u, per stratum, and how many for each record
_HELD_M, _HELD_U = 300.0, 40.0
_ROUNDS, _REFINEMENTS = 40, 2
_FEWEST = 50  # records below which nothing can be learnt
_LEAST, _MOST = -20.0, -3.0  # log2 odds between which a prior stays
_MOST_PAIRS = 600_000  # that are learnt from; of long lists a part teaches as much as all


@dataclass(frozen=True, slots=True)
class Trained:
    """A model, the counts of names that belong to it, the numbers behind both for people to read, and the pairs that
    it was learnt from."""

    model: Model
    terms: dict[Term, int]
    explanation: dict[str, Any]
    compared: Compared = field(compare=False, repr=False)

    def matches(self) -> Iterator[tuple[str, str, Score]]:
        """The pairs worth keeping, with their scores."""
        return self.compared.matches(self.model)


def train(profiles: Sequence[Profile]) -> Trained:
    """Learn from these records. The same records in any order give the same; so few that nothing can be learnt keep
    expectation and get the counts of their names alone."""
    terms = count_terms(profiles)
    compared = Compared(profiles, terms)
    ordered = compared.profiles
    if len(ordered) < _FEWEST:
        return Trained(DEFAULT, terms, _explain(DEFAULT, {}, len(ordered), 0, 0.0), compared)
    totals = _pairs_in_strata(ordered)
    draws = {stratum: _draw(ordered, stratum) for stratum in STRATA}
    patterns = {stratum: [compare(a, b) for a, b in drawn] for stratum, drawn in draws.items()}
    u = {stratum: _estimate_u(patterns[stratum], None, DEFAULT.u[stratum]) for stratum in STRATA}
    observed = _Observed(compared)
    model = Model(DEFAULT.m, u, _priors({}, totals))
    for _ in range(_REFINEMENTS):
        model = _maximise(observed, model, totals)
        # Some of the pairs drawn are one person; by what is known now they count the less.
        weights = {
            stratum: [
                1 - model.probability(weigh(model, terms, a, b, stratum, pattern))
                for (a, b), pattern in zip(drawn, patterns[stratum], strict=True)
            ]
            for stratum, drawn in draws.items()
        }
        u = {stratum: _estimate_u(patterns[stratum], weights[stratum], DEFAULT.u[stratum]) for stratum in STRATA}
        model = Model(model.m, u, model.prior)
    model = _maximise(observed, model, totals)
    explanation = _explain(model, totals, len(ordered), observed.size, observed.expected(model))
    return Trained(model, terms, explanation, compared)


def count_terms(profiles: Sequence[Profile]) -> dict[Term, int]:
    """How many records each village, commune and the country has, and how often each name occurs there."""
    counts: Counter[Term] = Counter()
    for profile in profiles:
        counts.update((scope, "", "") for scope in scopes_of(profile))
        for part, name in (("first", profile.first_name), ("last", profile.last_name)):
            if name:
                for scope in scopes_of(profile):
                    counts[(scope, part, name)] += 1
                    counts[(scope, part, "")] += 1
    return dict(counts)


class _Observed:
    """The pairs that blocking brings together. Of very long lists they are a part."""

    def __init__(self, compared: Compared) -> None:
        self.size = min(compared.size, _MOST_PAIRS)
        self._part = 1.0
        if self.size < compared.size:
            # Pairs come by their smaller id, so all those of so many records have been seen.
            seen = int(compared.a[self.size]) / len(compared.profiles)
            self._part = 1 - (1 - seen) ** 2
        self._weighing = Weighing(compared, 0, self.size)
        columns = compared.levels[:, : self.size]
        known = [np.flatnonzero(column >= 0) for column in columns]
        self._known = [(rows, column[rows]) for rows, column in zip(known, columns, strict=True)]

    def probabilities(self, model: Model) -> Any:
        """Of each pair, that it is one person."""
        return 1 / (1 + np.exp2(-np.clip(self._weighing.weights(model), -200, 200)))

    def expected(self, model: Model) -> float:
        """How many of the pairs are one person."""
        return float(self.probabilities(model).sum()) / self._part

    def counts(self, probabilities: Any) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
        """How many pairs of one person stand at each level, and how many there are in each stratum."""
        by_level = {}
        for (name, names), (rows, levels) in zip(LEVELS.items(), self._known, strict=True):
            sums = np.bincount(levels, weights=probabilities[rows], minlength=len(names))
            by_level[name] = dict(zip(names, map(float, sums), strict=True))
        strata = self._weighing.strata
        in_strata = np.bincount(strata, weights=probabilities, minlength=len(STRATA)) / self._part
        return by_level, dict(zip(STRATA, map(float, in_strata), strict=True))


def _maximise(observed: _Observed, model: Model, totals: Mapping[str, float]) -> Model:
    for _ in range(_ROUNDS):
        by_level, by_stratum = observed.counts(observed.probabilities(model))
        m = {name: _held(by_level[name], DEFAULT.m[name], _HELD_M) for name in LEVELS}
        found = Model(m, model.u, _priors(by_stratum, totals))
        moved = max(abs(found.m[name][level] - model.m[name][level]) for name in LEVELS for level in LEVELS[name])
        model = found
        if moved < 1e-5:
            break
    return model


def _held(counts: Mapping[str, float], expected: Mapping[str, float], pairs: float) -> dict[str, float]:
    total = sum(counts.values()) + pairs
    return {level: (counts[level] + pairs * expected[level]) / total for level in expected}


def _estimate_u(patterns: Sequence[Pattern], weights: Sequence[float] | None, expected: Levels) -> Levels:
    found: dict[str, dict[str, float]] = {name: dict.fromkeys(levels, 0.0) for name, levels in LEVELS.items()}
    for index, pattern in enumerate(patterns):
        weight = 1.0 if weights is None else weights[index]
        for name, level in pattern.items():
            found[name][level] += weight
    return {name: _held(found[name], expected[name], _HELD_U) for name in LEVELS}


def _priors(matches: Mapping[str, float], totals: Mapping[str, float]) -> dict[str, float]:
    """log2 odds that two records of a stratum are one person, held to expectation as by 20 pairs of one person."""
    prior = {}
    for stratum in STRATA:
        total = max(totals[stratum], 1)
        usual = 2.0 ** DEFAULT.prior[stratum]
        held = min(20.0, total * usual)
        share = (matches.get(stratum, total * usual) + held) / (total + held / usual)
        prior[stratum] = min(_MOST, max(_LEAST, math.log2(share)))
    return prior


def _pairs_in_strata(profiles: Sequence[Profile]) -> dict[str, float]:
    """How many pairs each stratum has, those of a crowded place counting the less as the prior is less there."""

    def pairs(count: int) -> int:
        return count * (count - 1) // 2

    villages = Counter((profile.commune, profile.village) for profile in profiles if profile.village)
    communes = Counter(profile.commune for profile in profiles)
    inside: Counter[str] = Counter()
    for (commune, _), records in villages.items():
        inside[commune] += pairs(records)
    around = {commune: pairs(records) - inside[commune] for commune, records in communes.items()}
    return {
        VILLAGE: sum(pairs(records) / crowding(VILLAGE, records) for records in villages.values()),
        COMMUNE: sum(around[commune] / crowding(COMMUNE, records) for commune, records in communes.items()),
        ELSEWHERE: float(pairs(len(profiles)) - sum(map(pairs, communes.values()))),
    }


def _draw(profiles: Sequence[Profile], stratum: str) -> list[tuple[Profile, Profile]]:
    """Pairs of the stratum, drawn with a seed of their own from the records in the order of their ids."""
    rng = random.Random(f"pairs:{stratum}")  # noqa: S311 — a sample that has to be the same each time
    around: Callable[[Profile], Any] = {
        VILLAGE: lambda profile: (profile.commune, profile.village),
        COMMUNE: lambda profile: profile.commune,
        ELSEWHERE: lambda profile: None,
    }[stratum]
    groups: dict[Any, list[Profile]] = defaultdict(list)
    for profile in profiles:
        groups[around(profile)].append(profile)
    several = [group for group in groups.values() if len(group) > 1]
    if not several:
        return []
    weights = [len(group) * (len(group) - 1) for group in several]
    wanted = min(_DRAWN, _DRAWN_EACH * len(profiles), sum(weights))
    return list(_drawn(rng, several, weights, stratum, wanted))


def _drawn(
    rng: random.Random, groups: Sequence[Sequence[Profile]], weights: Sequence[int], stratum: str, wanted: int
) -> Iterator[tuple[Profile, Profile]]:
    for group in rng.choices(groups, weights, k=wanted):
        a, b = rng.sample(range(len(group)), 2)
        if stratum_of(group[a], group[b]) == stratum:
            yield group[a], group[b]


def _explain(model: Model, totals: Mapping[str, float], records: int, compared: int, expected: float) -> dict[str, Any]:
    return {
        "records": records,
        "pairs": {stratum: round(pairs) for stratum, pairs in totals.items()},
        "compared": compared,
        "expected_matches": round(expected, 1),
        "prior": {stratum: round(odds, 2) for stratum, odds in model.prior.items()},
        "m": {name: {level: round(p, 4) for level, p in levels.items()} for name, levels in model.m.items()},
        "u": {
            stratum: {name: {level: round(p, 4) for level, p in levels.items()} for name, levels in u.items()}
            for stratum, u in model.u.items()
        },
    }
