"""A whole list from scratch: the same pairs and weights as one by one, sooner."""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sync.dedup.scoring.blocking import CAP, keys_of
from sync.dedup.scoring.comparing import LEVELS, SAME, STRATA, compare, stratum_of
from sync.dedup.scoring.model import FLOOR, NAMES, Model, Score, Terms, crowding, frequency, records_around, score
from sync.dedup.scoring.profiles import Profile

_AT_ONCE = 100_000
_SLACK = 1e-6  # far more than sums in another order may differ by
# Field → its column, and the number of each of its levels.
_INDEX = {
    name: (column, {level: number for number, level in enumerate(levels)})
    for column, (name, levels) in enumerate(LEVELS.items())
}
_STRATUM = {stratum: number for number, stratum in enumerate(STRATA)}


class Compared:
    """Each pair of records that share a key which no more than CAP records have, once, compared, as numbers.

    They come in the order of their ids, the smaller one first. Of each are kept: its records (`a`, `b`), stratum, how
    crowded the place is (log2), the level of each field (-1 where one is missing), and how common each name is that is
    the same (0 where none is, or where it is not known which).
    """

    def __init__(self, profiles: Iterable[Profile], terms: Terms) -> None:
        self.profiles = sorted(profiles, key=lambda profile: profile.id)
        self.terms = terms
        a, b, strata, levels = array("i"), array("i"), array("b"), array("b")
        crowded, shares = array("d"), array("d")
        none = [-1] * len(LEVELS)
        for first, second in _sharing_keys(self.profiles):
            one, other = self.profiles[first], self.profiles[second]
            pattern, stratum = compare(one, other), stratum_of(one, other)
            a.append(first)
            b.append(second)
            strata.append(_STRATUM[stratum])
            crowded.append(math.log2(crowding(stratum, records_around(terms, one, other, stratum))))
            row = none.copy()
            for name, level in pattern.items():
                column, numbers = _INDEX[name]
                row[column] = numbers[level]
            levels.extend(row)
            told = bool(terms) and pattern.get("order") != "swapped"
            for name, part in NAMES.items():
                known = told and pattern.get(name) == SAME
                text = one.first_name if part == "first" else one.last_name
                shares.append(frequency(terms, one, other, stratum, part, text) if known else 0.0)
        self.size = len(strata)
        self.a, self.b = np.asarray(a), np.asarray(b)
        self.strata, self.crowded = np.asarray(strata), np.asarray(crowded)
        # Each column by itself: all of it is gone through some forty times.
        self.levels = np.asarray(levels).reshape(self.size, len(LEVELS)).T.copy()
        self.shares = np.asarray(shares).reshape(self.size, len(NAMES)).T.copy()

    def matches(self, model: Model) -> Iterator[tuple[str, str, Score]]:
        """The pairs worth keeping, with their scores."""
        for start in range(0, self.size, _AT_ONCE):
            weights = Weighing(self, start, start + _AT_ONCE).weights(model)
            for row in start + np.flatnonzero(weights >= FLOOR - _SLACK):
                a, b = self.profiles[self.a[row]], self.profiles[self.b[row]]
                found = score(model, self.terms, a, b)
                if found.weight >= FLOOR:
                    yield a.id, b.id, found


class Weighing:
    """Some compared pairs that follow each other, made ready for being weighed again and again by other models.

    What all that agrees and is no person's own takes back at most is left out of account: it concerns the sure alone.
    """

    def __init__(self, compared: Compared, start: int, stop: int) -> None:
        some = slice(start, stop)
        self.strata = compared.strata[some]
        self._in_strata = []
        for number in range(len(STRATA)):
            rows = np.flatnonzero(self.strata == number)
            columns = [column[some][rows] for column in compared.levels]
            shares = []
            for column in compared.shares:
                found = column[some][rows]
                known = np.flatnonzero(found > 0)
                shares.append((known, found[known]))
            self._in_strata.append((rows, compared.crowded[some][rows], columns, shares))

    def weights(self, model: Model) -> Any:
        """What says of each pair that it is one person, in log2."""
        total = np.zeros(len(self.strata))
        for stratum, (rows, crowded, columns, shares) in zip(STRATA, self._in_strata, strict=True):
            weight = model.prior[stratum] - crowded
            for name, column in zip(LEVELS, columns, strict=True):
                weight += np.array([*model.weights[stratum][name].values(), 0.0])[column]
            for name, (known, found) in zip(NAMES, shares, strict=True):
                weight[known] += np.log2(model.u[stratum][name][SAME] / found)
            total[rows] = weight
        return total


def _sharing_keys(ordered: Sequence[Profile]) -> Iterator[tuple[int, int]]:
    """Places of the two records of each pair. Memory holds the keys and one record's candidates."""
    keys = [keys_of(profile) for profile in ordered]
    blocks: Mapping[int, list[int]] = defaultdict(list)
    for index, found in enumerate(keys):
        for key in found:
            blocks[key].append(index)
    for index, found in enumerate(keys):
        others: set[int] = set()
        for key in found:
            block = blocks[key]
            if 1 < len(block) <= CAP:
                others.update(block)
        for other in sorted(others):
            if other > index:
                yield index, other
