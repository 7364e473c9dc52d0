"""What speaks for a match and what against it, in words: French and English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sync.dedup.scoring.model import Part

# By field and level; {a} and {b} are the values as they stand in the records.
_EN: Mapping[str, Mapping[str, str]] = {
    "start": {"": "two records of this list are seldom one"},
    "alike": {"": "only what relatives share agrees: twins, cousins or wives of one man may be meant"},
    "place": {
        "village": "to begin with, for two records of one village ({a})",
        "commune": "same commune, not the same village or none given ({a}, {b})",
        "elsewhere": "different communes ({a}, {b})",
        "same": "same place ({a})",
        "different": "different places ({a}, {b})",
    },
    "first_name": {
        "same": "first name same ({a})",
        "short": "one first name is part of the other ({a}, {b})",
        "close": "first name spelt almost alike ({a}, {b})",
        "near": "first name similar ({a}, {b})",
        "different": "first name differs ({a}, {b})",
    },
    "last_name": {
        "same": "last name same ({a})",
        "short": "one last name is part of the other ({a}, {b})",
        "close": "last name spelt almost alike ({a}, {b})",
        "near": "last name similar ({a}, {b})",
        "different": "last name differs ({a}, {b})",
    },
    "name": {
        "same": "name same ({a})",
        "acronym": "one name is the other’s in initials ({a}, {b})",
        "short": "one name is part of the other ({a}, {b})",
        "close": "name spelt almost alike ({a}, {b})",
        "different": "name differs ({a}, {b})",
    },
    "order": {"kept": "names in the usual order", "swapped": "first and last name in each other’s place"},
    "sex": {"same": "same sex", "different": "sex differs ({a}, {b})"},
    "birth_year": {
        "same": "same year of birth ({a})",
        "1": "years of birth one apart ({a}, {b})",
        "3": "years of birth two or three apart ({a}, {b})",
        "far": "years of birth far apart ({a}, {b})",
    },
    "age": {
        "same": "ages agree, as far as an age is known ({a}, {b})",
        "close": "ages nearly agree ({a}, {b})",
        "near": "ages somewhat apart ({a}, {b})",
        "apart": "ages apart, even for guesses ({a}, {b})",
        "far": "ages far apart ({a}, {b})",
    },
    "phone": {
        "same": "same telephone ({a})",
        "typo": "telephone differs by one digit ({a}, {b})",
        "household": "same telephone under another first name: the household’s",
        "different": "telephone differs ({a}, {b})",
    },
    "group": {"same": "same group ({a})", "different": "group differs ({a}, {b})"},
    "id_number": {
        "same": "same number ({a})",
        "close": "number differs by one sign ({a}, {b})",
        "different": "number differs ({a}, {b})",
    },
    "birth_date": {
        "same": "same date of birth ({a})",
        "close": "date of birth almost the same ({a}, {b})",
        "year": "dates of birth in one year ({a}, {b})",
        "different": "date of birth differs ({a}, {b})",
    },
    "address": {
        "same": "same address ({a})",
        "close": "address almost the same ({a}, {b})",
        "near": "address similar ({a}, {b})",
        "different": "address differs ({a}, {b})",
    },
}
_FR: Mapping[str, Mapping[str, str]] = {
    "start": {"": "deux fiches de cette liste en font rarement une"},
    "alike": {"": "seul concorde ce que des parents partagent : jumeaux, cousins ou coépouses peut-être"},
    "place": {
        "village": "au départ, pour deux fiches d’un même village ({a})",
        "commune": "même commune, villages différents ou inconnus ({a}, {b})",
        "elsewhere": "communes différentes ({a}, {b})",
        "same": "même lieu ({a})",
        "different": "lieux différents ({a}, {b})",
    },
    "first_name": {
        "same": "même prénom ({a})",
        "short": "un prénom fait partie de l’autre ({a}, {b})",
        "close": "prénom écrit presque pareil ({a}, {b})",
        "near": "prénoms proches ({a}, {b})",
        "different": "prénom différent ({a}, {b})",
    },
    "last_name": {
        "same": "même nom ({a})",
        "short": "un nom fait partie de l’autre ({a}, {b})",
        "close": "nom écrit presque pareil ({a}, {b})",
        "near": "noms proches ({a}, {b})",
        "different": "nom différent ({a}, {b})",
    },
    "name": {
        "same": "même nom ({a})",
        "acronym": "un nom est l’autre en initiales ({a}, {b})",
        "short": "un nom fait partie de l’autre ({a}, {b})",
        "close": "nom écrit presque pareil ({a}, {b})",
        "different": "nom différent ({a}, {b})",
    },
    "order": {"kept": "noms dans l’ordre habituel", "swapped": "prénom et nom intervertis"},
    "sex": {"same": "même sexe", "different": "sexe différent ({a}, {b})"},
    "birth_year": {
        "same": "même année de naissance ({a})",
        "1": "années de naissance à un an près ({a}, {b})",
        "3": "années de naissance à deux ou trois ans près ({a}, {b})",
        "far": "années de naissance éloignées ({a}, {b})",
    },
    "age": {
        "same": "âges concordants, autant qu’un âge est connu ({a}, {b})",
        "close": "âges presque concordants ({a}, {b})",
        "near": "âges quelque peu différents ({a}, {b})",
        "apart": "âges différents, même pour des estimations ({a}, {b})",
        "far": "âges éloignés ({a}, {b})",
    },
    "phone": {
        "same": "même téléphone ({a})",
        "typo": "téléphone différent d’un chiffre ({a}, {b})",
        "household": "même téléphone sous un autre prénom : celui du ménage",
        "different": "téléphone différent ({a}, {b})",
    },
    "group": {"same": "même groupe ({a})", "different": "groupe différent ({a}, {b})"},
    "id_number": {
        "same": "même numéro ({a})",
        "close": "numéro différent d’un signe ({a}, {b})",
        "different": "numéro différent ({a}, {b})",
    },
    "birth_date": {
        "same": "même date de naissance ({a})",
        "close": "date de naissance presque la même ({a}, {b})",
        "year": "dates de naissance de la même année ({a}, {b})",
        "different": "date de naissance différente ({a}, {b})",
    },
    "address": {
        "same": "même adresse ({a})",
        "close": "adresse presque la même ({a}, {b})",
        "near": "adresses proches ({a}, {b})",
        "different": "adresse différente ({a}, {b})",
    },
}
_COMMON = {
    "en": ("“{a}” is common here", "“{a}” is rare here"),
    "fr": ("« {a} » est courant ici", "« {a} » est rare ici"),
}
_BLANK = {"en": "none", "fr": "rien"}


def sentences(parts: Sequence[Part], language: str) -> list[str]:
    """One for each part, with its weight: “first name same (Awa) +5.1”. Other languages than French get English."""
    return [f"{_words(part, 'fr' if language == 'fr' else 'en')} {_signed(part.weight, language)}" for part in parts]


def _words(part: Part, language: str) -> str:
    if part.field == "common":
        return _COMMON[language][part.weight >= 0].format(a=part.a)
    table = _FR if language == "fr" else _EN
    blank = _BLANK[language]
    return table[part.field][part.level].format(a=part.a or blank, b=part.b or blank)


def _signed(weight: float, language: str) -> str:
    text = f"{round(weight, 1) + 0.0:+.1f}".replace("-", "−")  # no −0
    return text.replace(".", ",") if language == "fr" else text
