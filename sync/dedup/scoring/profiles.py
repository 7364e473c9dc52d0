"""What is known of one record, as far as it helps to tell people apart."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync.dedup.scoring.names import LONGEST, words

_FEMALE = frozenset({"f", "female", "femme", "feminin", "féminin", "fille", "woman", "w", "muso", "2"})
_MALE = frozenset({"m", "male", "homme", "masculin", "garçon", "garcon", "man", "h", "cɛ", "ce", "1"})
_DIGITS = re.compile(r"\d+")
_NO_DIGIT = re.compile(r"[^0-9]+")
_WORDS = re.compile(r"\w+")
_YEAR = re.compile(r"(?<!\d)(1[89]\d\d|20\d\d)(?!\d)")


@dataclass(frozen=True, slots=True)
class Profile:
    """A record with its names folded. `written` holds the values as they stand in the record, by role.

    `birth_given`: the year was given; else it was worked out from an age, which is often a guess, and `roughness` is
    how far off it may be, as a variance. `birth_date` is eight digits, year first. Without a value a text is empty and
    a year None.
    """

    id: str
    first: tuple[str, ...]
    last: tuple[str, ...]
    sex: str
    birth: int | None
    birth_given: bool
    roughness: float
    phone: str
    village: str
    commune: str
    group: tuple[str, ...]
    id_number: str
    birth_date: str
    address: str
    written: Mapping[str, str]

    @property
    def first_name(self) -> str:
        return "".join(self.first)

    @property
    def last_name(self) -> str:
        return "".join(self.last)

    @property
    def names_written(self) -> tuple[str, str]:
        """First and last name as the record has them, parted where `profile_of` parts them; each is empty for none."""
        first, last = self.written.get("first_name", ""), self.written.get("last_name", "")
        if (words(first), words(last)) == (self.first, self.last):
            return first, last
        whole = self.written.get("full_name", "") or first or last
        before, _space, family = whole.rpartition(" ")
        return (before, family) if before and self.last else (whole, whole if self.last else "")


def profile_of(entity_id: str, roles: Mapping[str, str], data: Mapping[str, Any], created: dt.date) -> Profile:
    """The profile of an entity with these properties, which play these roles (property → role).

    `created` is when an age without a date was asked. A full name is split before its last word, which is the family's
    where nobody says otherwise. No value is refused: what cannot be read counts as missing.
    """
    written = {role: str(data.get(name) or "").strip()[:LONGEST] for name, role in roles.items()}
    first, last = words(written.get("first_name", "")), words(written.get("last_name", ""))
    if not (first and last) and (whole := words(written.get("full_name", "")) or first or last)[1:]:
        first, last = whole[:-1], whole[-1:]
    elif not (first or last):
        first = words(written.get("full_name", ""))
    birth, given, roughness = _birth(written, created)
    return Profile(
        id=entity_id,
        first=first,
        last=last,
        sex=_sex(written.get("sex", "")),
        birth=birth,
        birth_given=given,
        roughness=roughness,
        phone=_phone(written.get("phone", "")),
        village="".join(words(written.get("village", ""))) or written.get("village", "").casefold(),
        commune="".join(words(written.get("commune", ""))) or written.get("commune", "").casefold(),
        group=words(written.get("group", "")),
        id_number="".join(letter for letter in written.get("id_number", "").casefold() if letter.isalnum()),
        birth_date=_date(written.get("birth_date", "")),
        address=" ".join(_WORDS.findall(written.get("address", "").casefold())),
        written=written,
    )


def _sex(text: str) -> str:
    plain = text.casefold()
    return "f" if plain in _FEMALE else "m" if plain in _MALE else ""


def _phone(text: str) -> str:
    """The last eight digits, which are a whole number in Mali; fewer are none."""
    digits = _NO_DIGIT.sub("", text)
    return digits[-8:] if len(digits) >= 8 else ""


def _date(text: str) -> str:
    """Of `1980-05-31` and `19800531` the digits; of what is no date nothing."""
    digits = _NO_DIGIT.sub("", text[:10])
    return digits if len(digits) == 8 and digits[:2] in ("18", "19", "20") else ""


def _birth(written: Mapping[str, str], created: dt.date) -> tuple[int | None, bool, float]:
    """The year, whether it was given, and its roughness."""
    if said := _YEAR.search(written.get("birth_year", "")):
        return int(said[0]), True, 0.0
    if date := _date(written.get("birth_date", "")):
        return int(date[:4]), True, 0.0
    found = _DIGITS.search(written.get("age", ""))
    if found is None or len(found[0]) > 3 or (age := int(found[0])) > 120:
        return None, False, 0.0
    asked = _YEAR.search(written.get("asked_on", ""))
    # The older somebody is, the farther off is the guess; and whoever asks before the birthday is a year off.
    return (int(asked[0]) if asked else created.year) - age, False, 0.8 + (0.6 + 0.035 * age) ** 2
