"""Who was registered twice by two teams, and who only looks like it."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from demo.names import Crowd, Person

TWICE, VOLUNTEERS_TWICE = 380, 6
_ASKED = 2025  # where nobody knows the year, an age is guessed, in steps of five
TWINS, ELDERS, COUSINS, CO_WIVES = 10, 10, 20, 10
# What another hand writes for the same sound.
_HANDS = [
    (re.compile(pattern, re.IGNORECASE), written)
    for pattern, written in (
        ("ou", "u"),
        ("ou(?=[aeé])", "w"),
        ("dj(?=[aeéo])", "di"),
        ("di(?=[aeéo])", "dj"),
        ("c(?=[aou])", "k"),
        ("k(?=[aou])", "c"),
        ("aï", "ay"),
        ("gn", "ny"),
        ("(?<=[bdgklmnst])y|y(?=[bdgklmnst])", "i"),
        ("ss", "s"),
        ("ll", "l"),
        ("(?<=[aeiou])h|^h", ""),
        ("[éèê]", "e"),
        ("ï", "i"),
    )
]


@dataclass(slots=True)
class Doubles:
    """`twice` is entity → the entity under which the same person was registered first; `alike` names the pairs of two
    persons who look like one, by what they are."""

    twice: dict[str, str] = field(default_factory=dict)
    alike: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def person(self, entity: str) -> str:
        """Who an entity is: what somebody knows who rings the village up."""
        return self.twice.get(entity, entity)


def register_again(rng: random.Random, crowd: Crowd, people: Sequence[Person], doubles: Doubles) -> dict[str, Person]:
    """What a second team writes down of each of these people, by the id of the first registration."""
    found = {}
    for person in people:
        again = _again(rng, person, crowd.id())
        doubles.twice[again.id] = person.id
        found[person.id] = again
    return found


def with_lookalikes(rng: random.Random, crowd: Crowd, people: Sequence[Person], doubles: Doubles) -> list[Person]:
    """The same people, of whom some pairs now look like one person each: twins, somebody named after an elder, cousins
    of one name, wives of one man."""
    found = list(people)
    places: dict[tuple[object, str], list[int]] = {}
    for index, person in enumerate(found):
        places.setdefault((person.area, person.sex), []).append(index)
    for kind, count in (("twins", TWINS), ("elder", ELDERS), ("cousins", COUSINS), ("co_wives", CO_WIVES)):
        pools = [pool for (_, sex), pool in places.items() if len(pool) > 1 and (sex == "female" or kind != "co_wives")]
        for number in range(count):
            pool = pools[number % len(pools)]
            one, other = (pool.pop(rng.randrange(len(pool))) for _ in range(2))
            like = _like(rng, kind, found[one], found[other])
            if kind in ("twins", "co_wives") and not crowd.names(like):
                pool += [one, other]  # a third person has that name
                continue
            found[other] = like
            doubles.alike.setdefault(kind, []).append((found[one].id, like.id))
    return found


def _again(rng: random.Random, person: Person, id_: str) -> Person:
    chance = rng.random
    assert person.birth_year is not None
    # Whoever is written down in another village with another year is beyond anybody's finding, as are volunteers, who
    # have no village: their passports tell their years.
    moved = chance() < 0.05 or person.area is None
    year = person.birth_year + rng.choice((-3, -2, -1, 1, 2)) if chance() < 0.35 and not moved else person.birth_year
    villages = person.area.villages if person.area else (person.village,)
    first, last = (_by_another_hand(rng, name) for name in (person.first_name, person.last_name))
    forgotten = chance() < 0.15 and not moved
    return replace(
        person,
        id=id_,
        first_name=first,
        last_name=last,
        birth_year=None if forgotten else year,
        age_guess=round((_ASKED - year) / 5) * 5 if forgotten else None,
        phone=person.phone if chance() < 0.5 or moved else None,
        village=rng.choice(villages) if moved else person.village,
    )


def _by_another_hand(rng: random.Random, name: str) -> str:
    """The name with one or two of its sounds written otherwise, one time in four as it was."""
    if rng.random() < 0.25:
        return name
    hands = [(sound, otherwise) for sound, otherwise in _HANDS if sound.search(name)]
    for sound, otherwise in rng.sample(hands, min(len(hands), rng.choice((1, 1, 2)))):
        name = sound.sub(otherwise, name).capitalize()
    return name


def _like(rng: random.Random, kind: str, one: Person, other: Person) -> Person:
    assert one.birth_year is not None
    if kind == "twins":
        return replace(other, last_name=one.last_name, village=one.village, birth_year=one.birth_year, phone=one.phone)
    if kind == "elder":
        year = one.birth_year - rng.randint(20, 30)
        return replace(other, first_name=one.first_name, last_name=one.last_name, village=one.village, birth_year=year)
    if kind == "cousins":
        year = one.birth_year + rng.choice((-2, -1, 1, 2))
        return replace(other, first_name=one.first_name, last_name=one.last_name, village=one.village, birth_year=year)
    return replace(other, first_name=one.first_name, village=one.village, phone=one.phone)
