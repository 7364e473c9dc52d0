"""Records of people for tests of how they are told apart, and a village of them whose truth is known."""

from __future__ import annotations

import datetime as dt
import random
import re
from collections.abc import Iterator

from sync.dedup.scoring.profiles import Profile, profile_of

TODAY = dt.date(2026, 3, 31)
ROLES = {
    name: name
    for name in (
        *("first_name", "last_name", "full_name", "sex", "birth_year", "age"),
        *("phone", "village", "commune", "group", "id_number", "asked_on", "birth_date", "address"),
    )
}
_names = re.compile(r"\w+").findall
FIRST = _names("Awa Fatoumata Mariam Oumou Kadiatou Djénéba Rokia Bintou Salimata Safiatou Maïmouna Nana Assétou Sira")
LAST = _names("Traoré Coulibaly Diarra Keïta Diallo Koné Dembélé Konaté Touré Sidibé Sangaré Cissé Samaké Doumbia")
SPELLINGS = [("ou", "u"), ("dj", "di"), ("c", "k"), ("é", "e"), ("ï", "i"), ("ss", "s")]


def a_profile(id_: str = "a", **said: str) -> Profile:
    """Awa Traoré of Siby, born in 1980, unless told otherwise; what is blank is missing."""
    values = {
        "first_name": "Awa",
        "last_name": "Traoré",
        "sex": "female",
        "birth_year": "1980",
        "village": "Siby",
        "commune": "Siby",
        **said,
    }
    return profile_of(id_, ROLES, values, TODAY)


def registered(people: int, seed: int = 1) -> Iterator[tuple[str, Profile]]:
    """Who (a number) and the record, of women in twelve villages; a third of them are registered a second time."""
    rng = random.Random(f"registered:{seed}")
    count = 0
    for number in range(people):
        village = f"{rng.choice(['Sira', 'Kolo', 'Bana'])}{rng.choice(['koro', 'bougou', 'dala', 'ni'])}"
        said = {
            "first_name": rng.choice(FIRST),
            "last_name": rng.choice(LAST),
            "sex": "female",
            "birth_year": str(rng.randrange(1950, 2005)),
            "phone": f"7{rng.randrange(10**7):07}" if rng.random() < 0.5 else "",
            "village": village,
            "commune": village[:4],
        }
        for _ in range(2 if rng.random() < 1 / 3 else 1):
            count += 1
            yield str(number), a_profile(f"{rng.randrange(16**8):08x}-{count}", **said)
            said = {
                **said,
                "first_name": respelt(rng, said["first_name"]),
                "last_name": respelt(rng, said["last_name"]),
            }
            said["phone"] = said["phone"] if rng.random() < 0.7 else ""


def respelt(rng: random.Random, name: str) -> str:
    """As another hand might write it."""
    old, new = rng.choice(SPELLINGS)
    return name.replace(old, new)
