"""How two records agree, field by field, in levels."""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler
from rapidfuzz.fuzz import ratio, token_set_ratio

from sync.dedup.scoring.names import skeleton
from sync.dedup.scoring.profiles import Profile

MISSING = "missing"
SAME, SHORT, CLOSE, NEAR, DIFFERENT = "same", "short", "close", "near", "different"
SWAPPED = "swapped"
# The levels of each field, from the one that says most for one person to the one that says most against it.
LEVELS: dict[str, tuple[str, ...]] = {
    "first_name": (SAME, SHORT, CLOSE, NEAR, DIFFERENT),
    "last_name": (SAME, SHORT, CLOSE, NEAR, DIFFERENT),
    "order": ("kept", SWAPPED),
    "sex": (SAME, DIFFERENT),
    # A year that was given and an age that was guessed are different evidence.
    "birth_year": (SAME, "1", "3", "far"),
    "age": (SAME, CLOSE, NEAR, "apart", "far"),
    "birth_date": (SAME, CLOSE, "year", DIFFERENT),
    "phone": (SAME, "typo", "household", DIFFERENT),
    "group": (SAME, DIFFERENT),
    "id_number": (SAME, CLOSE, DIFFERENT),
    "address": (SAME, CLOSE, NEAR, DIFFERENT),
}
VILLAGE, COMMUNE, ELSEWHERE = "village", "commune", "elsewhere"
STRATA = (VILLAGE, COMMUNE, ELSEWHERE)
# Field → level, of those that can be compared at all.
Pattern = dict[str, str]


def stratum_of(a: Profile, b: Profile) -> str:
    """Where the two stand to each other: in one village, in one commune, or neither, as far as is known."""
    if a.commune != b.commune:
        return ELSEWHERE
    return VILLAGE if a.village and b.village and _one_village(*sorted((a.village, b.village))) else COMMUNE


def compare(a: Profile, b: Profile) -> Pattern:
    """The level of each field that both records have. The same for both orders of the two."""
    pattern: Pattern = {}
    first, last = _names(a.first, b.first), _names(a.last, b.last)
    if a.first and a.last and b.first and b.last:
        pattern["order"] = "kept"
        if (straight := _RANK[first] + _RANK[last]) > 2:  # else nothing can be better by more than two
            crossed = _names(a.first, b.last), _names(a.last, b.first)
            if _RANK[crossed[0]] + _RANK[crossed[1]] < straight - 2:
                first, last = sorted(crossed, key=_RANK.__getitem__)  # `first_crossed` says which is which
                pattern["order"] = SWAPPED
    if first != MISSING:
        pattern["first_name"] = first
    if last != MISSING:
        pattern["last_name"] = last
    if a.sex and b.sex:
        pattern["sex"] = SAME if a.sex == b.sex else DIFFERENT
    if a.birth_date and b.birth_date:
        pattern["birth_date"] = _dates(a.birth_date, b.birth_date)
    elif a.birth is not None and b.birth is not None:
        between = abs(a.birth - b.birth)
        if a.birth_given and b.birth_given:
            pattern["birth_year"] = _years(between)
        else:
            pattern["age"] = _ages(between, a.roughness + b.roughness)
    if a.phone and b.phone:
        pattern["phone"] = _phone(a.phone, b.phone, first)
    if a.group and b.group:
        pattern["group"] = SAME if _one_group(a.group, b.group) else DIFFERENT
    if a.id_number and b.id_number:
        pattern["id_number"] = _number(a.id_number, b.id_number)
    if a.address and b.address:
        pattern["address"] = _address(a.address, b.address)
    return pattern


def first_crossed(a: Profile, b: Profile) -> bool:
    """Of two whose names stand in each other's place: whether the first name of `a` and the last one of `b` are what
    the pattern calls their first name. Nobody can say which it is, so it is the nearer of the two, for either order."""
    one, other = (a.first, b.last), (a.last, b.first)
    return (_RANK[_names(*one)], sorted(one)) <= (_RANK[_names(*other)], sorted(other))


def _names(a: tuple[str, ...], b: tuple[str, ...]) -> str:
    if not a or not b:
        return MISSING
    if a == b:
        return SAME
    if len(a) == 1 and len(b) == 1:
        return _words(a[0], b[0]) if a[0] < b[0] else _words(b[0], a[0])
    whole = _words(*sorted(("".join(a), "".join(b))))
    best = min((_words(*sorted((one, other))) for one in a[:3] for other in b[:3]), key=_RANK.__getitem__)
    # A second name that one record leaves out takes a step from certainty.
    return min(whole, SHORT if best == SAME else best, key=_RANK.__getitem__)


@lru_cache(maxsize=20_000)
def _words(a: str, b: str) -> str:
    """The level of two different folded words; `a` sorts before `b`."""
    if a == b:
        return SAME
    likeness = JaroWinkler.similarity(a, b)
    shorter, longer = (a, b) if len(a) < len(b) else (b, a)
    if len(shorter) >= 3 and (longer.startswith(shorter) or longer.endswith(shorter)):
        return SHORT
    if likeness >= 0.92 or (len(shorter) >= 4 and _one_slip(a, b)):
        return CLOSE
    if likeness >= 0.8 or (len(shorter) == 1 and longer[0] == shorter):
        return NEAR
    return DIFFERENT


def _one_slip(a: str, b: str) -> bool:
    """One letter more, less, other or in its neighbour's place; or the same consonants."""
    return DamerauLevenshtein.distance(a, b, score_cutoff=1) <= 1 or skeleton(a) == skeleton(b)


def _years(between: int) -> str:
    return SAME if between == 0 else "1" if between == 1 else "3" if between <= 3 else "far"


def _ages(between: int, roughness: float) -> str:
    """Three years are much between two of twenty, and nothing between two of seventy."""
    return LEVELS["age"][bisect_left(_AGES, between * between / roughness)]


def _dates(a: str, b: str) -> str:
    if a == b:
        return SAME
    turned = b[:4] + b[6:] + b[4:6]  # day and month in each other's place
    if a == turned or DamerauLevenshtein.distance(a, b, score_cutoff=1) <= 1:
        return CLOSE
    return "year" if a[:4] == b[:4] else DIFFERENT


def _address(a: str, b: str) -> str:
    if a == b:
        return SAME
    # A part that one of them leaves out, and words that ran together, take little from an address.
    likeness = max(token_set_ratio(a, b), ratio(a.replace(" ", ""), b.replace(" ", "")))
    if likeness >= 85:
        return CLOSE
    return NEAR if likeness >= 70 or _same_numbers(a, b) else DIFFERENT


def _same_numbers(a: str, b: str) -> bool:
    """House, street and post code say where somebody lives even if all words between them are others."""
    one, other = (re.findall(r"\d+", text) for text in (a, b))
    return len(one) >= 2 and one == other


def _phone(a: str, b: str, first: str) -> str:
    if a == b:
        # The telephone is the household's: under another first name it tells a relative as well.
        return "household" if first == DIFFERENT else SAME
    return "typo" if DamerauLevenshtein.distance(a, b, score_cutoff=1) <= 1 else DIFFERENT


@lru_cache(maxsize=20_000)
def _one_village(a: str, b: str) -> bool:
    return a == b or (len(a) >= 4 and (b.startswith(a) or JaroWinkler.similarity(a, b) >= 0.92))


def _one_group(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """A group is often called by its own name alone, without what kind of group it is."""
    return a == b or (not set(a).isdisjoint(b) and (set(a) <= set(b) or set(b) <= set(a)))


def _number(a: str, b: str) -> str:
    if a == b:
        return SAME
    return CLOSE if min(len(a), len(b)) >= 5 and DamerauLevenshtein.distance(a, b, score_cutoff=1) <= 1 else DIFFERENT


# In standard deviations of what two guesses may be off: the most for each level but the last. Squared.
_AGES = [most * most for most in (0.6, 1.3, 2.2, 3.5)]
_RANK = {SAME: 0, SHORT: 1, CLOSE: 2, NEAR: 3, MISSING: 4, DIFFERENT: 5}
