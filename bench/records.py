"""Records of people in Malian villages, many registered more than once, with the truth about who is who.

Everybody here is invented. How often things go wrong is a setting, not a census: what is measured on these records
holds for lists as these. The names are those of the demonstration.
"""

from __future__ import annotations

import csv
import datetime as dt
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from demo.names import FAMILIES, MEN, WOMEN
from forms.spelling import unaccented
from sync.dedup.scoring.profiles import Profile, profile_of

DIFFICULTIES = {"easy": 0.5, "normal": 1.0, "hard": 1.7}  # by how much more or less goes wrong
OTHER_ROLES = {"cooperative": "group", "submitted_on": "asked_on"}
FIRST_DAY, DAYS = dt.date(2022, 4, 1), 1095
_PER_VILLAGE, _VILLAGES = 120, 6  # people in a village, villages in a commune
_TIMES = (0.70, 0.21, 0.06, 0.03)  # how many of the people are registered once, twice, …
_HEADS = [
    "Ban",
    "Dia",
    "Dou",
    "Fa",
    "Fara",
    "Go",
    "Ka",
    "Kala",
    "Kéné",
    "Kolo",
    "Ma",
    "Ména",
    "N’Go",
    "Nia",
    "Sama",
    "San",
    "Séné",
    "Si",
    "Sira",
    "Ta",
    "Tién",
    "Tomi",
    "Wolo",
    "Zan",
]
_TAILS = [
    "bala",
    "bougou",
    "coro",
    "dala",
    "dougou",
    "fing",
    "gué",
    "kila",
    "koro",
    "la",
    "ma",
    "ni",
    "niéna",
    "wéré",
    "ssoba",
    "togola",
]
_GROUPS = ["Benkadi", "Jigiya", "Sabali", "Yiriwaton", "Sinsibere", "Nieta", "Faso-Jigi", "Badenya"]
_SPELLINGS = [
    (re.compile(pattern, re.IGNORECASE), others)
    for pattern, others in (
        (r"ou", ("u", "o")),
        (r"^c(?=[oa])|k", ("k", "c")),
        (r"dj|di(?=[aoé])|^j", ("j", "di", "dj")),
        (r"ss", ("s",)),
        (r"gn|ni(?=[aé])", ("gn", "ni", "ny")),
        (r"ï|y", ("y", "i")),
        (r"g(?=o)", ("k", "gh")),
        (r"(?<=[aou])h?$", ("", "h")),
        (r"ta$", ("tou", "ta")),
    )
]


@dataclass(frozen=True, slots=True)
class Registration:
    """One record: whose it is in truth, and what was written, by role."""

    id: str
    person: str
    said: dict[str, str]
    day: dt.date

    def profile(self) -> Profile:
        return profile_of(self.id, {role: role for role in self.said}, self.said, self.day)


@dataclass(slots=True)
class _Person:
    id: str
    first: str
    last: str
    sex: str
    born: int
    phone: str
    village: str
    commune: str
    group: str


class Drawn:
    """People drawn from a seed, and how they were registered: the same seed gives the same records.

    Their communes are numbered from `commune` on, so that several of these need have none in common.
    """

    def __init__(self, seed: int, difficulty: str = "normal", commune: int = 0) -> None:
        self._rng = random.Random(f"people:{seed}:{difficulty}")
        self._k = DIFFICULTIES[difficulty]
        self._commune = commune

    def registrations(self, count: int) -> list[Registration]:
        """So many of them, in no order that would tell anything."""
        found = [one for person in self._people(int(count / 1.42 * 1.1) + 10) for one in self._registered(person)]
        whole = self._rng.sample(found, min(count, len(found)))
        return sorted(whole, key=lambda one: one.day)

    def _people(self, count: int) -> Iterator[_Person]:
        made = 0
        while made < count:
            commune = f"{self._place()} {_in_syllables(self._commune)}"
            self._commune += 1
            usual = self._rng.sample(FAMILIES, 7)
            for village in dict.fromkeys(self._place() for _ in range(_VILLAGES)):
                families = [*self._rng.sample(usual, 4), *self._rng.sample(FAMILIES, 8)]
                for person in self._village(village, commune, families):
                    made += 1
                    yield person

    def _village(self, village: str, commune: str, families: Sequence[str]) -> Iterator[_Person]:
        rng = self._rng
        groups = rng.sample(_GROUPS, 3)
        made = 0
        while made < _PER_VILLAGE:
            family = rng.choices(families, [1 / (rank + 1) for rank in range(len(families))])[0]
            phone = self._phone() if rng.random() < 0.6 else ""
            household = []
            for _ in range(rng.randint(1, 5)):
                sex = "female" if rng.random() < 0.65 else "male"
                last = family if sex == "male" or rng.random() < 0.4 else rng.choice(families)
                own = self._phone() if rng.random() < 0.4 else phone
                group = f"Coopérative {rng.choice(groups)}" if rng.random() < 0.6 else ""
                place = (village, commune, group)
                household.append(_Person(self._id(), self._first(sex), last, sex, self._born(), own, *place))
            yield from (everybody := [*household, *self._mistakable(household[0])])
            made += len(everybody)

    def _mistakable(self, one: _Person) -> Iterator[_Person]:
        """A twin, or an elder of the same name, who lives in the same place and has the same telephone."""
        rng, place = self._rng, (one.phone, one.village, one.commune, one.group)
        chance = rng.random()
        if chance < 0.015:
            yield _Person(self._id(), self._first(one.sex), one.last, one.sex, one.born, *place)
        elif chance < 0.03 and one.born > 1975:
            yield _Person(self._id(), one.first, one.last, one.sex, one.born - rng.randint(20, 32), *place)

    def _registered(self, person: _Person) -> Iterator[Registration]:
        rng = self._rng
        phone = person.phone
        times = rng.choices((1, 2, 3, 4), _TIMES)[0]
        for day in sorted(FIRST_DAY + dt.timedelta(days=rng.randrange(DAYS)) for _ in range(times)):
            if self._happens(0.08):
                phone = self._phone()
            yield Registration(self._id(), person.id, self._written(person, phone, day), day)

    def _written(self, person: _Person, phone: str, day: dt.date) -> dict[str, str]:
        rng = self._rng
        first, last = self._name(person.first), self._name(person.last)
        if self._happens(0.04):
            first = first[: rng.randint(3, 4)]
        if self._happens(0.03):
            first = f"{first} {rng.choice(WOMEN if person.sex == 'female' else MEN)}"
        if self._happens(0.02):
            first, last = last, first
        if self._happens(0.01):
            last = ""
        said = {
            "first_name": first,
            "last_name": last,
            "sex": "" if self._happens(0.01) else person.sex,
            "phone": "" if not phone or self._happens(0.2) else self._typed(phone),
            "village": "" if self._happens(0.03) else self._name(person.village),
            "commune": person.commune,
            "group": "" if self._happens(0.25) else person.group,
            "asked_on": day.isoformat(),
        }
        if self._happens(0.05):
            return said
        if rng.random() < 0.5:
            wrong = rng.choice((-10, -2, -1, 1, 2)) if self._happens(0.08) else 0
            return {**said, "birth_year": str(person.born + wrong)}
        age = (day.year - person.born) * (1 + rng.gauss(0, 0.05 * self._k))
        return {**said, "age": str(round(age / 5) * 5 if self._happens(0.3) else max(12, round(age)))}

    def _name(self, name: str) -> str:
        """As somebody else would write it."""
        rng = self._rng
        for pattern, others in _SPELLINGS:
            if pattern.search(name) and self._happens(0.15):
                name = pattern.sub(rng.choice(others), name, count=1).capitalize()
        if rng.random() < 0.5:
            name = unaccented(name)
        if self._happens(0.02) and len(name) > 4:
            at = rng.randrange(1, len(name) - 1)
            name = name[:at] + name[at + 1] + name[at] + name[at + 2 :]
        return name.upper() if rng.random() < 0.1 else name

    def _typed(self, phone: str) -> str:
        if self._happens(0.015):
            at = self._rng.randrange(8)
            phone = phone[:at] + self._rng.choice("0123456789") + phone[at + 1 :]
        return f"+223 {phone}" if self._rng.random() < 0.2 else phone

    def _first(self, sex: str) -> str:
        names = WOMEN if sex == "female" else MEN
        return names[min(int(self._rng.expovariate(1 / 14)), len(names) - 1)]

    def _born(self) -> int:
        return self._rng.randint(1950, 2007)

    def _phone(self) -> str:
        return f"{self._rng.choice('679')}{self._rng.randrange(10**7):07}"

    def _place(self) -> str:
        return self._rng.choice(_HEADS) + self._rng.choice(_TAILS)

    def _id(self) -> str:
        return f"{self._rng.getrandbits(64):016x}"

    def _happens(self, chance: float) -> bool:
        return self._rng.random() < chance * self._k


def _in_syllables(number: int) -> str:
    """A number as a word, because numbers are no part of a name."""
    rest, last = divmod(number, 50)
    return (_in_syllables(rest) if rest else "") + "bdfklmnrst"[last % 10] + "aeiou"[last // 10]


@dataclass(frozen=True)
class Sample:
    """A list of records of which the truth is known."""

    name: str
    registrations: Sequence[Registration]

    @cached_property
    def profiles(self) -> list[Profile]:
        return [one.profile() for one in self.registrations]

    @cached_property
    def truth(self) -> dict[str, str]:
        return {one.id: one.person for one in self.registrations}


def own_sample(seed: int, difficulty: str, count: int) -> Sample:
    """Of the generator here."""
    return Sample(f"own, {difficulty}, seed {seed}", Drawn(seed, difficulty).registrations(count))


def other_sample(generator: Path, seed: int, difficulty: str, count: int) -> Sample:
    """Of another generator: a program that writes CSV with the truth beside each record, told by the same options."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "people.csv"
        chosen = ["--records", str(count), "--seed", str(seed), "--difficulty", difficulty, "--out", str(written)]
        subprocess.run([sys.executable, str(generator), *chosen], check=True, stdout=subprocess.DEVNULL)
        with written.open(encoding="utf-8", newline="") as file:
            return Sample(f"{difficulty}, seed {seed}", [_other_registration(row) for row in csv.DictReader(file)])


def _other_registration(row: dict[str, str]) -> Registration:
    said = {OTHER_ROLES.get(name, name): value for name, value in row.items()}
    # Of the columns that play no role none may tell anything.
    for name in ("record_id", "true_person_id", "trap_kind", "trap_group", "enumerator", "form", "cercle", "region"):
        said.pop(name)
    return Registration(row["record_id"], row["true_person_id"], said, dt.date.fromisoformat(row["submitted_on"]))
