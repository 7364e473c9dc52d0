"""The model: how much each agreement says, after Fellegi and Sunter, in the place where the two records live.

I. P. Fellegi and A. B. Sunter, A Theory for Record Linkage, Journal of the American Statistical Association 64 (1969):
the weight of a level is log2(m/u), where m is how often one person's two records stand so, and u how often two persons
do. Here u and the prior depend on where the two live, and that of a name that is the same is how common it is there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple

from sync.dedup.scoring.comparing import (
    CLOSE,
    COMMUNE,
    DIFFERENT,
    ELSEWHERE,
    LEVELS,
    NEAR,
    SAME,
    SWAPPED,
    VILLAGE,
    Pattern,
    compare,
    first_crossed,
    stratum_of,
)
from sync.dedup.scoring.profiles import Profile

Levels = Mapping[str, Mapping[str, float]]  # field → level → probability
Term = tuple[str, str, str]  # scope ("", "c:<commune>", "v:<commune>/<village>"), part, folded text ("" for all)
Terms = Mapping[Term, int]

FLOOR = -6.6  # log2 odds of about 0.01: a pair of less weight is not kept
PLACE, COMMON, ALIKE = "place", "common", "alike"
NAMES = {"first_name": "first", "last_name": "last"}  # field → part of a term
# Cousins of one name, twins, somebody named after an elder and wives of one man cannot be told apart by what all of a
# family have in common, so that alone makes nobody sure (indicators.md §5).
ALIKE_AT_MOST = 2.5
_OWN = {
    "phone": (SAME, "typo"),
    "birth_year": (SAME,),
    "birth_date": (SAME, CLOSE),
    "id_number": (SAME, CLOSE),
    "address": (SAME, CLOSE),
}
# How many names a place has to have before its own frequencies outweigh those of what lies around it.
_SHRINK = 20.0
_RAREST = 0.0003
# How many records the places have for which the priors stand, and how many are too few to say how big a place is.
_USUAL: Mapping[str, float] = {VILLAGE: 128.0, COMMUNE: 512.0}
_FEW = 4.0
_CERTAIN = 6.0  # no more log2 odds than this are believed, either way: cousins of one name are beyond any evidence


class Part(NamedTuple):
    """One step of the waterfall: the field, the two values as written, the level, and its weight in log2."""

    field: str
    a: str
    b: str
    level: str
    weight: float


@dataclass(frozen=True, slots=True)
class Score:
    """How alike two records are: log2 odds that they are one person, and the probability that follows once calibrated.

    The weights of the parts add up to that of the score.
    """

    weight: float
    probability: float
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Model:
    """m by field and level, u by stratum, field and level, prior log2 odds by stratum, and two numbers of calibration.

    `version` 0 is the default, which has seen no data.
    """

    m: Levels
    u: Mapping[str, Levels]
    prior: Mapping[str, float]
    slope: float = 1.0
    intercept: float = 0.0
    version: int = 0

    def to_json(self) -> dict[str, Any]:
        """As `match_models` keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Model:
        """What `to_json` wrote."""
        return cls(**stored)

    @cached_property
    def weights(self) -> dict[str, dict[str, dict[str, float]]]:
        """log2(m/u) by stratum, field and level. Under another first name a telephone never speaks for one person."""
        weights = {
            stratum: {
                name: {level: math.log2(self.m[name][level] / u[name][level]) for level in levels}
                for name, levels in LEVELS.items()
            }
            for stratum, u in self.u.items()
        }
        for levels in weights.values():
            levels["phone"]["household"] = min(0.0, levels["phone"]["household"])
        return weights

    def probability(self, weight: float) -> float:
        """What the weight says once calibrated."""
        return 1 / (1 + math.exp2(-(self.slope * believed(weight) + self.intercept)))


def believed(weight: float) -> float:
    """As much of a weight as is believed."""
    return max(-2 * _CERTAIN, min(_CERTAIN, weight))


def terms_wanted(profile: Profile) -> set[Term]:
    """The counts that scoring the record may ask for."""
    return {(scope, "", "") for scope in scopes_of(profile)} | {
        (scope, part, text)
        for scope in scopes_of(profile)
        for part, name in (("first", profile.first_name), ("last", profile.last_name))
        if name
        for text in (name, "")
    }


def scopes_of(profile: Profile) -> tuple[str, str, str]:
    """Village, commune and country of a record, as terms name them."""
    return f"v:{profile.commune}/{profile.village}", f"c:{profile.commune}", ""


def score(model: Model, terms: Terms, a: Profile, b: Profile) -> Score:
    """How alike the two are. Which is which makes no difference but to the order of the values in the parts."""
    return score_compared(model, terms, a, b, stratum_of(a, b), compare(a, b))


def score_compared(model: Model, terms: Terms, a: Profile, b: Profile, stratum: str, pattern: Pattern) -> Score:
    """The same of two that have been compared already."""
    weights = model.weights[stratum]
    parts = [Part(PLACE, _place(a), _place(b), stratum, _prior(model, terms, a, b, stratum))]
    names = _names_compared(a, b, pattern)
    for name, level in pattern.items():
        one, other = names.get(name) or (_written(a, name), _written(b, name))
        parts.append(Part(name, one, other, level, weights[name][level]))
        if level == SAME and name in NAMES and pattern.get("order") != SWAPPED:
            part = NAMES[name]
            text = a.first_name if part == "first" else a.last_name
            rarity = math.log2(model.u[stratum][name][SAME] / frequency(terms, a, b, stratum, part, text))
            if terms:
                parts.append(Part(COMMON, one, other, name, rarity))
    total = 0.0  # added up as `weigh` does, to the last digit
    for step in parts:
        total += step.weight
    if total > ALIKE_AT_MOST and only_alike(pattern):
        parts.append(Part(ALIKE, "", "", "", ALIKE_AT_MOST - total))
        total = ALIKE_AT_MOST
    return Score(total, model.probability(total), tuple(parts))


def weigh(model: Model, terms: Terms, a: Profile, b: Profile, stratum: str, pattern: Pattern) -> float:
    """The weight of `score_compared` alone, which is all that most pairs are asked for."""
    weights, total = model.weights[stratum], _prior(model, terms, a, b, stratum)
    for name, level in pattern.items():
        total += weights[name][level]
        if terms and level == SAME and name in NAMES and pattern.get("order") != SWAPPED:
            part = NAMES[name]
            text = a.first_name if part == "first" else a.last_name
            total += math.log2(model.u[stratum][name][SAME] / frequency(terms, a, b, stratum, part, text))
    return min(total, ALIKE_AT_MOST) if total > ALIKE_AT_MOST and only_alike(pattern) else total


def only_alike(pattern: Pattern) -> bool:
    """Whether nothing agrees that is a person's own: a telephone, a date, a number, or a year of birth that was given;
    under another last name only a number or a whole date is, and under another first name only a number."""
    own = {name for name, levels in _OWN.items() if pattern.get(name) in levels}
    if pattern.get("first_name") in (NEAR, DIFFERENT):
        own &= {"id_number"}
    elif pattern.get("last_name") in (NEAR, DIFFERENT):
        own &= {"id_number", "birth_date"}
    return not own


def crowding(stratum: str, records: int) -> float:
    """How many times as many records as usual a place has; 1 if it is not known to have any."""
    usual = _USUAL.get(stratum)
    return (records + _FEW) / (usual + _FEW) if usual and records else 1.0


def records_around(terms: Terms, a: Profile, b: Profile, stratum: str) -> int:
    """How many records the place had that both are of; 0 if it is not one, or was not known."""
    if stratum == VILLAGE and a.village == b.village:
        return terms.get((f"v:{a.commune}/{a.village}", "", ""), 0)
    return terms.get((f"c:{a.commune}", "", ""), 0) if stratum == COMMUNE else 0


def frequency(terms: Terms, a: Profile, b: Profile, stratum: str, part: str, text: str) -> float:
    """The share of people around the two who have this name, not counting one of them.

    That of the village is drawn towards the commune's, and the commune's towards the country's, the more so the fewer
    names they have. Of a village that is spelt in two ways nothing is asked: the counts would be those of one spelling,
    and which one would depend on the order of the two.
    """
    share = _share(terms, "", part, text, 1 / (1 + terms.get(("", part, ""), 0)))
    if stratum != ELSEWHERE:
        share = _share(terms, f"c:{a.commune}", part, text, share)
    if stratum == VILLAGE and a.village == b.village:
        share = _share(terms, f"v:{a.commune}/{a.village}", part, text, share)
    return max(share, _RAREST)


def _prior(model: Model, terms: Terms, a: Profile, b: Profile, stratum: str) -> float:
    """Of two records of a hamlet it is likelier that they are one person than of two records of a town."""
    return model.prior[stratum] - math.log2(crowding(stratum, records_around(terms, a, b, stratum)))


def _share(terms: Terms, scope: str, part: str, text: str, around: float) -> float:
    total, count = terms.get((scope, part, ""), 0), terms.get((scope, part, text), 0)
    return (max(count - 1, 0) + _SHRINK * around) / (max(total - 1, 0) + _SHRINK)


def _names_compared(a: Profile, b: Profile, pattern: Pattern) -> dict[str, tuple[str, str]]:
    """What was compared with what, as it is written, by field."""
    (first_a, last_a), (first_b, last_b) = a.names_written, b.names_written
    if pattern.get("order") != SWAPPED:
        return {"first_name": (first_a, first_b), "last_name": (last_a, last_b)}
    crossed = (first_a, last_b), (last_a, first_b)
    nearer, farther = crossed if first_crossed(a, b) else crossed[::-1]
    return {"first_name": nearer, "last_name": farther}


def _written(profile: Profile, name: str) -> str:
    if name == "age" and not profile.birth_given:
        return profile.written.get("age", "")
    return profile.written.get(name, "") or (str(profile.birth) if name in ("birth_year", "age") else "")


def _place(profile: Profile) -> str:
    return profile.written.get("village", "") or profile.written.get("commune", "")


def _spread(names: str, *shares: float) -> dict[str, float]:
    return dict(zip(LEVELS[names], shares, strict=True))


_M = {
    "first_name": _spread("first_name", 0.62, 0.12, 0.16, 0.05, 0.05),
    "last_name": _spread("last_name", 0.70, 0.04, 0.15, 0.04, 0.07),
    "order": _spread("order", 0.96, 0.04),
    "sex": _spread("sex", 0.99, 0.01),
    "birth_year": _spread("birth_year", 0.80, 0.08, 0.05, 0.07),
    "age": _spread("age", 0.55, 0.27, 0.12, 0.04, 0.02),
    "phone": _spread("phone", 0.66, 0.03, 0.02, 0.29),
    "group": _spread("group", 0.92, 0.08),
    "birth_date": _spread("birth_date", 0.90, 0.05, 0.01, 0.04),
    "id_number": _spread("id_number", 0.95, 0.03, 0.02),
    "address": _spread("address", 0.60, 0.20, 0.08, 0.12),
}


def _u(first: float, last: float, phone: float, household: float, group: float) -> dict[str, dict[str, float]]:
    return {
        "first_name": _spread("first_name", first, 0.02, 0.03, 0.09, 0.86 - first),
        "last_name": _spread("last_name", last, 0.01, 0.03, 0.10, 0.86 - last),
        "order": _spread("order", 0.995, 0.005),
        "sex": _spread("sex", 0.55, 0.45),
        "birth_year": _spread("birth_year", 0.025, 0.05, 0.09, 0.835),
        "age": _spread("age", 0.08, 0.10, 0.14, 0.16, 0.52),
        "phone": _spread("phone", phone, 0.0001, household, 1 - phone - household - 0.0001),
        "group": _spread("group", group, 1 - group),
        "birth_date": _spread("birth_date", 0.0003, 0.001, 0.02, 0.9787),
        "id_number": _spread("id_number", 0.0001, 0.0001, 0.9998),
        "address": _spread("address", 0.0005, 0.001, 0.03, 0.9685),
    }


DEFAULT = Model(
    m=_M,
    u={
        VILLAGE: _u(0.035, 0.16, 0.0015, 0.02, 0.45),
        COMMUNE: _u(0.03, 0.08, 0.0002, 0.001, 0.10),
        ELSEWHERE: _u(0.03, 0.04, 0.0001, 0.0003, 0.02),
    },
    prior={VILLAGE: -7.0, COMMUNE: -12.0, ELSEWHERE: -17.0},
)
