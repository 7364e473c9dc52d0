"""Matching a whole list from scratch: the same pairs and weights as one by one, sooner."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from sync.dedup.scoring.blocking import CAP, keys_of
from sync.dedup.scoring.model import FLOOR, Model, Score, Terms, score, weigh
from sync.dedup.scoring.profiles import Profile


def candidate_pairs(profiles: Sequence[Profile]) -> Iterator[tuple[Profile, Profile]]:
    """Each pair of records that share a key which no more than CAP records have, once, the smaller id first.

    Records are taken in the order of their ids, so memory holds the keys and one record's candidates.
    """
    ordered = sorted(profiles, key=lambda profile: profile.id)
    keys = [keys_of(profile) for profile in ordered]
    blocks: dict[int, list[int]] = defaultdict(list)
    for index, found in enumerate(keys):
        for key in found:
            blocks[key].append(index)
    for index, profile in enumerate(ordered):
        others: set[int] = set()
        for key in keys[index]:
            block = blocks[key]
            if 1 < len(block) <= CAP:
                others.update(block)
        for other in sorted(others):
            if other > index:
                yield profile, ordered[other]


def match_all(model: Model, terms: Terms, profiles: Iterable[Profile]) -> Iterator[tuple[str, str, Score]]:
    """The pairs worth keeping, with their scores, by the smaller id."""
    for a, b in candidate_pairs(list(profiles)):
        if weigh(model, terms, a, b) >= FLOOR:
            yield a.id, b.id, score(model, terms, a, b)
