"""A list in which nearly everybody looks alike: nobody reads all of it because somebody joins it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Engine

from forms.xforms.entities import EntityAction
from sync.dedup import pairs, persons
from sync.models import Match
from tests.support.lookalikes import FIRST, LAST
from tests.support.matching import a_people_registry, a_person, differences_in, members_in
from tests.support.registry import Registry


def lookalikes(count: int, seed: int = 1) -> Iterator[tuple[str, EntityAction]]:
    """Women of one village, in no order, with few names among them; as many as that hang together nearly all."""
    rng = random.Random(seed)
    for number in rng.sample(range(1, 10 * count), count):
        said = {"born": str(rng.randrange(1950, 2005)), "phone": f"7{rng.randrange(count):07}"}
        yield f"visit {number}", a_person(number, rng.choice(FIRST[:7]), rng.choice(LAST[:7]), **said)


def arrive_in_batches(registry: Registry, several: Sequence[tuple[str, EntityAction]], size: int) -> None:
    for start in range(0, len(several), size):
        registry.arrive(*several[start : start + size])


def test_who_joins_a_tangle_ends_as_comparing_from_scratch_says(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persons, "_FEW", -1000)
    registry = a_people_registry(engine)

    arrive_in_batches(registry, list(lookalikes(160)), 8)

    assert differences_in(registry) == []
    largest = max(Counter(row[1] for row in members_in(registry).values()).values())
    assert largest > 80


def test_what_is_read_for_one_who_joins_is_hers_and_not_the_tangle(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = a_people_registry(engine)
    *there, newcomer, another = lookalikes(302)
    arrive_in_batches(registry, there, 100)
    monkeypatch.setattr(persons, "_FEW", 20)
    read: list[Any] = []
    probe = pairs.rows_of_keys

    def counted(*asked: Any) -> list[Any]:
        found = probe(*asked)
        read.extend(found)
        return found

    monkeypatch.setattr(pairs, "rows_of_keys", counted)
    for one in (newcomer, another):
        read.clear()

        registry.arrive(one)

        # Of the tangle every match would be read twice, by either of its two.
        assert 0 < len(read) < 2 * len(registry.rows(Match)) / 4
    assert differences_in(registry) == []
