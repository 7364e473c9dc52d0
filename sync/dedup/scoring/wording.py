"""What speaks for a match and what against it, in words: French and English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sync.dedup.scoring.comparing import SWAPPED
from sync.dedup.scoring.model import NAMES, Part

# By field and level; {values} are those that were compared as they stand in the records, one where they are the same.
_EN: Mapping[str, Mapping[str, str]] = {
    "start": {"": "two records of this list are seldom one"},
    "alike": {"": "only what relatives share agrees: twins, cousins or wives of one man may be meant"},
    "place": {
        "village": "to begin with, for two records of one village ({values})",
        "commune": "same commune, not the same village or none given ({values})",
        "elsewhere": "different communes ({values})",
        "same": "same place ({values})",
        "different": "different places ({values})",
    },
    "first_name": {
        "same": "first name same ({values})",
        "short": "one first name is part of the other ({values})",
        "close": "first name spelt almost alike ({values})",
        "near": "first name similar ({values})",
        "different": "first name differs ({values})",
    },
    "last_name": {
        "same": "last name same ({values})",
        "short": "one last name is part of the other ({values})",
        "close": "last name spelt almost alike ({values})",
        "near": "last name similar ({values})",
        "different": "last name differs ({values})",
    },
    "name": {
        "same": "name same ({values})",
        "acronym": "one name is the other’s in initials ({values})",
        "short": "one name is part of the other ({values})",
        "close": "name spelt almost alike ({values})",
        "different": "name differs ({values})",
    },
    "order": {"kept": "names in the usual order", "swapped": "first and last name in each other’s place"},
    "sex": {"same": "same sex", "different": "sex differs ({values})"},
    "birth_year": {
        "same": "same year of birth ({values})",
        "1": "years of birth one apart ({values})",
        "3": "years of birth two or three apart ({values})",
        "far": "years of birth far apart ({values})",
    },
    "age": {
        "same": "ages agree, as far as an age is known ({values})",
        "close": "ages nearly agree ({values})",
        "near": "ages somewhat apart ({values})",
        "apart": "ages apart, even for guesses ({values})",
        "far": "ages far apart ({values})",
    },
    "phone": {
        "same": "same telephone ({values})",
        "typo": "telephone differs by one digit ({values})",
        "household": "same telephone under another first name: the household’s",
        "different": "telephone differs ({values})",
    },
    "group": {"same": "same group ({values})", "different": "group differs ({values})"},
    "id_number": {
        "same": "same number ({values})",
        "close": "number differs by one sign ({values})",
        "different": "number differs ({values})",
    },
    "birth_date": {
        "same": "same date of birth ({values})",
        "close": "date of birth almost the same ({values})",
        "year": "dates of birth in one year ({values})",
        "different": "date of birth differs ({values})",
    },
    "address": {
        "same": "same address ({values})",
        "close": "address almost the same ({values})",
        "near": "address similar ({values})",
        "different": "address differs ({values})",
    },
}
_FR: Mapping[str, Mapping[str, str]] = {
    "start": {"": "deux fiches de cette liste en font rarement une"},
    "alike": {"": "seul concorde ce que des parents partagent : jumeaux, cousins ou coépouses peut-être"},
    "place": {
        "village": "au départ, pour deux fiches d’un même village ({values})",
        "commune": "même commune, villages différents ou inconnus ({values})",
        "elsewhere": "communes différentes ({values})",
        "same": "même lieu ({values})",
        "different": "lieux différents ({values})",
    },
    "first_name": {
        "same": "même prénom ({values})",
        "short": "un prénom fait partie de l’autre ({values})",
        "close": "prénom écrit presque pareil ({values})",
        "near": "prénoms proches ({values})",
        "different": "prénom différent ({values})",
    },
    "last_name": {
        "same": "même nom ({values})",
        "short": "un nom fait partie de l’autre ({values})",
        "close": "nom écrit presque pareil ({values})",
        "near": "noms proches ({values})",
        "different": "nom différent ({values})",
    },
    "name": {
        "same": "même nom ({values})",
        "acronym": "un nom est l’autre en initiales ({values})",
        "short": "un nom fait partie de l’autre ({values})",
        "close": "nom écrit presque pareil ({values})",
        "different": "nom différent ({values})",
    },
    "order": {"kept": "noms dans l’ordre habituel", "swapped": "prénom et nom intervertis"},
    "sex": {"same": "même sexe", "different": "sexe différent ({values})"},
    "birth_year": {
        "same": "même année de naissance ({values})",
        "1": "années de naissance à un an près ({values})",
        "3": "années de naissance à deux ou trois ans près ({values})",
        "far": "années de naissance éloignées ({values})",
    },
    "age": {
        "same": "âges concordants, autant qu’un âge est connu ({values})",
        "close": "âges presque concordants ({values})",
        "near": "âges quelque peu différents ({values})",
        "apart": "âges différents, même pour des estimations ({values})",
        "far": "âges éloignés ({values})",
    },
    "phone": {
        "same": "même téléphone ({values})",
        "typo": "téléphone différent d’un chiffre ({values})",
        "household": "même téléphone sous un autre prénom : celui du ménage",
        "different": "téléphone différent ({values})",
    },
    "group": {"same": "même groupe ({values})", "different": "groupe différent ({values})"},
    "id_number": {
        "same": "même numéro ({values})",
        "close": "numéro différent d’un signe ({values})",
        "different": "numéro différent ({values})",
    },
    "birth_date": {
        "same": "même date de naissance ({values})",
        "close": "date de naissance presque la même ({values})",
        "year": "dates de naissance de la même année ({values})",
        "different": "date de naissance différente ({values})",
    },
    "address": {
        "same": "même adresse ({values})",
        "close": "adresse presque la même ({values})",
        "near": "adresses proches ({values})",
        "different": "adresse différente ({values})",
    },
}
# Of names in each other's place, whichever of the two is called the first name.
_CROSSED: Mapping[str, Mapping[str, str]] = {
    "en": {
        "same": "first name of the one, last name of the other: the same ({values})",
        "short": "first name of the one, last name of the other: one is part of the other ({values})",
        "close": "first name of the one, last name of the other: spelt almost alike ({values})",
        "near": "first name of the one, last name of the other: similar ({values})",
        "different": "first name of the one, last name of the other: they differ ({values})",
    },
    "fr": {
        "same": "prénom de l’une et nom de l’autre : les mêmes ({values})",
        "short": "prénom de l’une et nom de l’autre : l’un fait partie de l’autre ({values})",
        "close": "prénom de l’une et nom de l’autre : écrits presque pareil ({values})",
        "near": "prénom de l’une et nom de l’autre : proches ({values})",
        "different": "prénom de l’une et nom de l’autre : différents ({values})",
    },
}
_COMMON = {
    "en": ("“{a}” is common here", "“{a}” is rare here"),
    "fr": ("« {a} » est courant ici", "« {a} » est rare ici"),
}
_BLANK = {"en": "none", "fr": "rien"}


def sentences(parts: Sequence[Part], language: str) -> list[str]:
    """One for each part, with its weight: “first name same (Awa) +5.1”. Other languages than French get English."""
    known = "fr" if language == "fr" else "en"
    crossed = any(part.level == SWAPPED for part in parts)
    return [f"{_words(part, known, crossed)} {_signed(part.weight, language)}" for part in parts]


_ALIKE = frozenset({"same", "village", "commune"})  # of which values that are the same are told once


def _words(part: Part, language: str, crossed: bool) -> str:
    if part.field == "common":
        return _COMMON[language][part.weight >= 0].format(a=part.a)
    table = _FR if language == "fr" else _EN
    said = _CROSSED[language] if crossed and part.field in NAMES else table[part.field]
    values = [value or _BLANK[language] for value in (part.a, part.b)]
    if part.level in _ALIKE:
        values = [*dict.fromkeys(values)]
    return said[part.level].format(values=", ".join(values))


def _signed(weight: float, language: str) -> str:
    text = f"{round(weight, 1) + 0.0:+.1f}".replace("-", "−")  # no −0
    return text.replace(".", ",") if language == "fr" else text
