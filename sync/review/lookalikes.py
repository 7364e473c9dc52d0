"""People who look like one and often are two: pairs that nobody confirms without having looked at them."""

from __future__ import annotations

from sync.dedup.scoring.profiles import Profile

TWINS, COUSINS, ELDER, CO_WIVES = "twins", "cousins", "elder", "co_wives"
_GENERATION = 10  # years between an elder and whoever was named after him or her


def lookalike(a: Profile, b: Profile) -> str | None:
    """Which pattern of two people the pair fits, None for none. One number on both papers settles it.

    An elder has the same first name and another age. Twins have one year, place and last name, and first names that
    differ, however little. Co-wives share a telephone. Of cousins nothing agrees but names, place and age: no
    telephone, no day of birth, no group of people born in one year. A group alone is half a village.
    """
    if a.id_number and a.id_number == b.id_number:
        return None
    same_first = sorted(a.first) == sorted(b.first)
    same_phone = bool(a.phone) and a.phone == b.phone
    apart = abs(a.birth - b.birth) if a.birth is not None and b.birth is not None else None
    if same_first and apart is not None and apart >= _GENERATION:
        return ELDER
    if not same_first and apart == 0 and _same_place(a, b) and sorted(a.last) == sorted(b.last):
        return TWINS
    if not same_first and same_phone:
        return CO_WIVES
    same_group = bool(a.group) and a.group == b.group and apart == 0
    return None if same_phone or same_group or _same_day(a, b) else COUSINS


def _same_place(a: Profile, b: Profile) -> bool:
    """Villages are misspelt more often than communes."""
    return (bool(a.commune) and a.commune == b.commune) or (bool(a.village) and a.village == b.village)


def _same_day(a: Profile, b: Profile) -> bool:
    """The first of January is written where nobody knows the day."""
    return bool(a.birth_date) and a.birth_date == b.birth_date and not a.birth_date.endswith("0101")
