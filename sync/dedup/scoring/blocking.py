"""Blocking keys: two records are compared only if they share one.

The keys are those that found 98 of 100 true duplicates among a million records (indicators.md §5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b
from itertools import combinations

from sync.dedup.scoring.names import skeleton
from sync.dedup.scoring.profiles import Profile

CAP = 200  # a key that more records have says nothing, and finds nobody
_BIN = 5  # years of birth
_HOUSE = re.compile(r"(\d+)\W+([^\W\d]{3})")  # a number and how the word behind it begins


def keys_of(profile: Profile) -> tuple[int, ...]:
    """The keys of a record, in order, each once."""
    return tuple(sorted({key_of("\x1f".join(key)) for key in _keys(profile)}))


def _keys(profile: Profile) -> Iterator[tuple[str, ...]]:
    firsts = [skeleton(word) for word in profile.first[:2]]
    lasts = [skeleton(word) for word in profile.last[:2]]
    commune, village = profile.commune, skeleton(profile.village)[:3]
    for first in firsts or [""]:
        for last in lasts or [""]:
            yield "names", commune, *sorted((first, last))
            if profile.village:
                yield "village", village, *sorted((first, last))
    for first in firsts:
        yield "first", commune, village, first
    for last in lasts:
        if profile.birth is not None:
            yield "birth", commune, village, last, str(profile.birth // _BIN)
            yield "birth+", commune, village, last, str((profile.birth + _BIN // 2) // _BIN)
    initial, family = profile.first_name[:1], profile.last_name[:1]
    if lasts:
        yield "initial", commune, village, lasts[-1], initial
        if profile.birth is not None:
            yield "year", commune, lasts[-1], initial, str(profile.birth // _BIN)
            yield "year+", commune, lasts[-1], initial, str((profile.birth + _BIN // 2) // _BIN)
    if firsts:
        # The same of a record whose names were written in each other's place.
        yield "initial", commune, village, firsts[0], family
    if profile.group:
        if lasts:
            yield "group", commune, profile.group[-1], lasts[-1], initial
        if firsts:
            yield "member", commune, profile.group[-1], firsts[0]
    if profile.phone:
        yield "phone", profile.phone
    if profile.id_number:
        yield "number", profile.id_number
    if profile.birth_date:
        yield "date", profile.birth_date
    telling = sorted(sorted(map(skeleton, profile.address.split()), key=len, reverse=True)[:4])
    for one, other in combinations(telling, 2):
        yield "address", one, other
    for one in telling:
        yield "street", village, one, initial
    if house := _HOUSE.search(profile.address):
        yield "house", village, house[1], house[2]


def key_of(text: str) -> int:
    """A signed number of 64 bits, the same for the same text for ever."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big", signed=True)
