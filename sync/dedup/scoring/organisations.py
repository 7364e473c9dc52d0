"""Organisations and households, compared simply: by the words of their names, acronyms, numbers and places.

The weights are set, not learnt: these lists are too short to learn from, and a person decides always.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from sync.dedup.scoring.blocking import key_of
from sync.dedup.scoring.comparing import CLOSE, DIFFERENT, SAME, SHORT
from sync.dedup.scoring.model import PLACE, Part, Score
from sync.dedup.scoring.names import LONGEST, words

ALL, ALL_CAP = "all", 500  # a list up to this long is compared all with all: one more costs some 10 ms then
WORD_CAP = 500
ACRONYM = "acronym"
# Words that say what kind of thing it is; two of a kind are not one for that.
_KINDS = frozenset(
    word
    for text in (
        "de du des la le les d l et of the and pour",
        "association cooperative coopérative groupement union federation fédération organisation societe société",
        "simplifiée simplifiee scoops coop ong gie asaco cscom centre sante santé communautaire femmes women",
    )
    for word in words(text)
)
_PRIOR = -6.0
_NAME = {SAME: 9.0, ACRONYM: 6.5, SHORT: 5.5, CLOSE: 4.5, DIFFERENT: -6.0}
_NUMBER = {SAME: 10.0, CLOSE: 3.0, DIFFERENT: -5.0}
_PLACE = {SAME: 2.0, DIFFERENT: -3.0}
_PHONE = {SAME: 4.0, DIFFERENT: -1.0}


@dataclass(frozen=True, slots=True)
class Organisation:
    """A record of one; `distinctive` are the words of its name that do not only say what kind it is."""

    id: str
    name: tuple[str, ...]
    distinctive: frozenset[str]
    number: str
    place: str
    phone: str
    written: Mapping[str, str]

    @property
    def acronyms(self) -> frozenset[str]:
        """What it may be called in short: the first letters of its name's words, with the small ones and without."""
        if len(self.name) < 2:
            return frozenset()
        whole = "".join(word[0] for word in self.name)
        short = "".join(word[0] for word in self.name if len(word) > 3)
        return frozenset(text for text in (whole, short) if len(text) >= 3)


def organisation_of(entity_id: str, roles: Mapping[str, str], data: Mapping[str, Any]) -> Organisation:
    """The record of an entity with these properties, which play these roles. No value is refused."""
    written = {role: str(data.get(name) or "").strip()[:LONGEST] for name, role in roles.items()}
    name = _named(written.get("name", ""))
    return Organisation(
        id=entity_id,
        name=name,
        distinctive=frozenset(name) - _KINDS or frozenset(name),
        number="".join(letter for letter in written.get("id_number", "").casefold() if letter.isalnum()),
        place="".join(_named(written.get("village", "") or written.get("commune", ""))),
        phone="".join(letter for letter in written.get("phone", "") if letter.isascii() and letter.isdigit())[-8:],
        written=written,
    )


def _named(text: str) -> tuple[str, ...]:
    """Its folded words, and its numbers, by which alone a second centre of a town may be told from the first."""
    return (*words(text), *re.findall(r"\d+", text))


def keys_of(organisation: Organisation) -> tuple[int, ...]:
    """By what it is found: with all others while they are few, by the words of its name when they are many."""
    texts = {ALL, *(f"word\x1f{word}" for word in organisation.distinctive)}
    texts |= {f"word\x1f{acronym}" for acronym in organisation.acronyms}
    if organisation.number:
        texts.add(f"number\x1f{organisation.number}")
    return tuple(sorted(map(key_of, texts)))


def cap_of(key: int) -> int:
    """How many may have the key until it finds nobody any more."""
    return ALL_CAP if key == key_of(ALL) else WORD_CAP


def score(a: Organisation, b: Organisation) -> Score:
    """How alike two are; the same for both orders but for that of the values."""
    level = _name_level(a, b)
    parts = [
        Part("start", "", "", "", _PRIOR),
        Part("name", a.written.get("name", ""), b.written.get("name", ""), level, _NAME[level]),
    ]
    for name, one, other, weights in (
        ("id_number", a.number, b.number, _NUMBER),
        (PLACE, a.place, b.place, _PLACE),
        ("phone", a.phone, b.phone, _PHONE),
    ):
        if one and other:
            found = _level(one, other, weights)
            parts.append(Part(name, _written(a, name), _written(b, name), found, weights[found]))
    weight = sum(part.weight for part in parts)
    return Score(weight, 1 / (1 + math.exp2(-weight)), tuple(parts))


def _name_level(a: Organisation, b: Organisation) -> str:
    if not (a.name and b.name):
        return DIFFERENT
    if a.distinctive == b.distinctive:
        return SAME
    if not (a.acronyms.isdisjoint(b.name) and b.acronyms.isdisjoint(a.name)):
        return ACRONYM
    if a.distinctive < b.distinctive or b.distinctive < a.distinctive:
        return SHORT
    one, other = ("".join(sorted(each.distinctive)) for each in (a, b))
    return CLOSE if JaroWinkler.similarity(*sorted((one, other))) >= 0.92 else DIFFERENT


def _level(one: str, other: str, weights: Mapping[str, float]) -> str:
    if one == other:
        return SAME
    near = CLOSE in weights and min(len(one), len(other)) >= 4
    return CLOSE if near and DamerauLevenshtein.distance(one, other, score_cutoff=1) <= 1 else DIFFERENT


def _written(organisation: Organisation, name: str) -> str:
    if name == PLACE:
        return organisation.written.get("village", "") or organisation.written.get("commune", "")
    return organisation.written.get(name, "")
