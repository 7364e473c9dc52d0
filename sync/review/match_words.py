"""What is said of pairs that wait, in French and in English."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from sync.indicators.wording import cut, number_words, percent_words
from sync.review.lookalikes import CO_WIVES, COUSINS, ELDER, TWINS
from sync.review.match_bulk import CHAIN
from sync.review.match_queue import Doubt

_DOUBT = {
    "en": "{pairs} could change “{figure}” by up to {by}",
    "fr": "{pairs} : « {figure} » peut changer de {by} au plus",
}
_PAIRS = {"en": ("1 pair", "{n} pairs"), "fr": ("1 paire", "{n} paires")}
_WHY: Mapping[str, Mapping[str, str]] = {
    "en": {
        TWINS: "They may be twins: same year of birth, place and last name, another first name.",
        COUSINS: "They may be cousins of one name: nothing agrees but names, place and age.",
        ELDER: "One may be named after the other: same first name, ages far apart.",
        CO_WIVES: "They may be two people of one household: same telephone, another first name.",
        CHAIN: "Together with other pairs it would make one person of records of which nothing says that they are one.",
    },
    "fr": {
        TWINS: "Ce sont peut-être des jumeaux : mêmes année de naissance, lieu et nom, un autre prénom.",
        COUSINS: "Ce sont peut-être des cousins homonymes : seuls les noms, le lieu et l’âge concordent.",
        ELDER: "L’un porte peut-être le nom de l’autre : même prénom, âges éloignés.",
        CO_WIVES: "Ce sont peut-être deux personnes d’un même ménage : même téléphone, un autre prénom.",
        CHAIN: "Avec d’autres paires, elle réunirait des fiches dont rien ne dit qu’elles désignent la même personne.",
    },
}


def why_words(why: str, language: str) -> str:
    """Why a pair that is sure by its numbers was left for somebody to look at."""
    return _WHY[_known(language)][why]


def doubt_words(doubt: Doubt, language: str) -> str:
    """`61 pairs could change “people trained” by up to 50`."""
    one, several = _PAIRS[_known(language)]
    pairs = one if doubt.pairs == 1 else several.format(n=number_words(doubt.pairs, language))
    row = doubt.figure.definition.row
    write = percent_words if row.unit == "%" else number_words
    by = write(_said(doubt, row.decimals_shown + (2 if row.unit == "%" else 0)), language, row.decimals_shown)
    return _DOUBT[_known(language)].format(pairs=pairs, figure=doubt.figure.definition.label(language), by=by)


def _said(doubt: Doubt, decimals: int) -> Fraction:
    """How far the bounds lie apart as they are said beside it; as they are, where they read the same."""
    high, low = (cut(bound or Fraction(0), decimals) for bound in (doubt.figure.high, doubt.figure.low))
    return Fraction(high - low) or doubt.span


def _known(language: str) -> str:
    return language if language in _WHY else "en"
