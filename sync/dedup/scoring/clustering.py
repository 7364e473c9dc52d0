"""Who is one person, when all pairs are seen together: average linkage under what people decided.

Average linkage (UPGMA; R. R. Sokal and C. D. Michener, 1958) rather than connected components: one doubtful link does
not join two families.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

Pair = tuple[str, str]

POSSIBLE, PROBABLE, SURE = 0.05, 0.5, 0.9  # probabilities from which a link joins in `fewest`, `person` and `most`


@dataclass(frozen=True, slots=True)
class Standing:
    """For whom an entity stands: in the value of a figure, in its low bound and in its high one.

    Each is the smallest id of the entities that are one then. Whoever is one in `most` is one in `person`, and whoever
    is one in `person` is one in `fewest`.
    """

    person: str
    fewest: str
    most: str


def partition(links: Mapping[Pair, float], same: Mapping[Pair, float], different: Set[Pair]) -> dict[str, Standing]:
    """The standing of every entity that is named, by the probabilities of open pairs and by decided ones.

    `same` gives the strength of each: what was decided to be one is one, unless that would join two that were decided
    to be different; then the weakest of the decisions in between gives way. Each pair has the smaller id first. The
    order of the arguments makes no difference, nor does what other connected components there are.
    """
    clusters = _Clusters(different)
    for pair in {*links, *same, *different}:
        clusters.know(*pair)
    for pair in sorted(same, key=lambda pair: (-same[pair], pair)):
        clusters.join(*pair)
    open_links = {pair: p for pair, p in links.items() if pair not in same and pair not in different}
    agglomeration = _Agglomeration(clusters, open_links)
    agglomeration.join_down_to(SURE)
    most = clusters.persons()
    agglomeration.join_down_to(PROBABLE)
    person = clusters.persons()
    for pair in sorted(open_links, key=lambda pair: (-open_links[pair], pair)):
        if open_links[pair] < POSSIBLE:
            break
        clusters.join(*pair)
    fewest = clusters.persons()
    return {entity: Standing(person[entity], fewest[entity], most[entity]) for entity in person}


class _Clusters:
    """Disjoint sets that know which of them must stay apart."""

    def __init__(self, different: Iterable[Pair]) -> None:
        self._above: dict[str, str] = {}
        self._size: dict[str, int] = {}
        self._smallest: dict[str, str] = {}
        self._apart: dict[str, set[str]] = defaultdict(set)
        for a, b in different:
            self._apart[a].add(b)
            self._apart[b].add(a)

    def know(self, *entities: str) -> None:
        for entity in entities:
            if entity not in self._above:
                self._above[entity] = self._smallest[entity] = entity
                self._size[entity] = 1

    def of(self, entity: str) -> str:
        top = entity
        while self._above[top] != top:
            top = self._above[top]
        while self._above[entity] != top:
            self._above[entity], entity = top, self._above[entity]
        return top

    def size(self, cluster: str) -> int:
        return self._size[cluster]

    def may_join(self, one: str, other: str) -> bool:
        return other not in self._apart.get(one, ())

    def join(self, a: str, b: str) -> tuple[str, str] | None:
        """The cluster that stays and the one that goes into it; None if they are one, or must not become one."""
        one, other = self.of(a), self.of(b)
        if one == other or not self.may_join(one, other):
            return None
        if (self._size[one], other) < (self._size[other], one):
            one, other = other, one
        self._above[other] = one
        self._size[one] += self._size.pop(other)
        self._smallest[one] = min(self._smallest[one], self._smallest.pop(other))
        for far in self._apart.pop(other, ()):
            self._apart[far].discard(other)
            self._apart[far].add(one)
            self._apart[one].add(far)
        return one, other

    def persons(self) -> dict[str, str]:
        return {entity: self._smallest[self.of(entity)] for entity in self._above}


class _Agglomeration:
    """Joining by the greatest average probability first.

    An average can only fall as clusters grow, so what lies in the heap is at least what is true now: a pair is looked
    at again when its turn comes, and put back if it has fallen.
    """

    def __init__(self, clusters: _Clusters, links: Mapping[Pair, float]) -> None:
        self._clusters = clusters
        self._sums: dict[str, dict[str, float]] = defaultdict(dict)
        for (a, b), probability in sorted(links.items()):
            one, other = clusters.of(a), clusters.of(b)
            if one != other and clusters.may_join(one, other):
                self._sums[one][other] = self._sums[one].get(other, 0.0) + probability
                self._sums[other][one] = self._sums[one][other]
        self._heap = [
            (-self._average(one, other), one, other)
            for one, others in self._sums.items()
            for other in others
            if one < other
        ]
        heapq.heapify(self._heap)

    def join_down_to(self, least: float) -> None:
        """Join all whose average probability is at least this."""
        clusters = self._clusters
        while self._heap and -self._heap[0][0] >= least:
            negative, a, b = heapq.heappop(self._heap)
            one, other = clusters.of(a), clusters.of(b)
            if one == other or other not in self._sums[one] or not clusters.may_join(one, other):
                continue
            average = self._average(one, other)
            if average < -negative - 1e-12:
                heapq.heappush(self._heap, (-average, a, b))
            elif joined := clusters.join(one, other):
                self._join_sums(*joined)

    def _average(self, one: str, other: str) -> float:
        return self._sums[one][other] / (self._clusters.size(one) * self._clusters.size(other))

    def _join_sums(self, kept: str, gone: str) -> None:
        for far, amount in self._sums.pop(gone).items():
            del self._sums[far][gone]
            if far != kept:
                self._sums[kept][far] = self._sums[far][kept] = self._sums[kept].get(far, 0.0) + amount
