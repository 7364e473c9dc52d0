"""Names as they are compared: Malian and French spellings of one sound become one.

One woman is Djénéba, Dieneba and Jeneba on three tablets, her family Coulibaly, Koulibaly and Kulibali. Folding before
comparing made more difference than any measure of distance (indicators.md §5).
"""

from __future__ import annotations

import re
from functools import lru_cache

from forms.spelling import unaccented

LONGEST = 200  # characters of a value that are looked at
_VOWELS = frozenset("aeiou")
_TITLES = frozenset({"mme", "mlle", "mr", "m", "madame", "monsieur", "el", "elhadj", "elhaj", "dite", "dit"})
_BORN = frozenset({"nee", "ne", "ep", "epse", "epouse", "veuve", "vve"})
_NO_LETTER = re.compile(r"[\W\d_]+")
# In this order: the longer spellings first, and what softens a letter before the letter itself.
_SOUNDS = [
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"dj|d[iy](?=[aeou])|gi(?=[aou])", "j"),
        (r"gn|ny|ni(?=[aou])", "n"),
        (r"ou|w", "u"),
        (r"ph", "f"),
        (r"qu|ck|q", "k"),
        (r"c(?=[eiy])|ç", "s"),
        (r"ch(?=[aeiou])", "s"),
        (r"c", "k"),
        (r"h", ""),
        (r"y", "i"),
        (r"z", "s"),
        (r"m(?=[bp])", "n"),
        (r"(.)\1+", r"\1"),
    )
]


def fold(text: str) -> str:
    """The sound of one name in plain letters; what is no letter goes. Names in other scripts keep their letters.

    >>> fold("Djénéba"), fold("Dieneba"), fold("KOULIBALY"), fold("Coulibali")
    ('jeneba', 'jeneba', 'kulibali', 'kulibali')
    """
    return "".join(words(text))


def words(text: str) -> tuple[str, ...]:
    """The folded words of a name, without titles; empty for a text without a letter."""
    return _words(text[:LONGEST])


def skeleton(folded: str) -> str:
    """What is left of a folded name when vowels are misheard: its consonants, and a vowel that it begins with.

    G and k are not told apart (Sanogo, Sanoko).
    """
    rest = "".join(letter for letter in folded[1:] if letter not in _VOWELS)
    return (folded[:1] + rest).replace("g", "k")


@lru_cache(maxsize=20_000)
def _words(text: str) -> tuple[str, ...]:
    plain = re.sub(r"['’ʼ`´.]", "", unaccented(text.casefold()))
    found = [word for word in _NO_LETTER.split(plain) if word]
    kept = [word for word in found if word not in _TITLES] or found
    return tuple(filter(None, (_sound(word) for word in kept)))


def _sound(word: str) -> str:
    if word in _BORN:
        return ""
    for pattern, sound in _SOUNDS:
        word = pattern.sub(sound, word)
    return word
