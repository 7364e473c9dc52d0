"""What is said in English outside the pages, in the reader's language: refusals, findings, flags, reasons to wait.

Such sentences are made in `forms` and `sync`, go over the wire and lie in the database in English. Where a person reads
one, it is found again in the catalogues `refusals*.po` by the texts around its values: `%(name)s` there stands for any
text. What becomes of a value is told by how its name begins:

- `said`: it is a sentence or a word of ours, and is said in the language as well; `told`: it may be one
- `number`, `day`, `moment`: it is written as the language writes it
- `quoted`: the quotation marks in it are
- all others stay as they are.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache, lru_cache
from itertools import islice

from babel.messages.pofile import read_po

from forms.form import Flag
from server.language.catalogues import FOLDER, INSTEAD, REFUSALS
from server.language.words import Words, tied

_HOLE = re.compile(r"%\((\w+)\)s")
_NUMBER = re.compile(r"-?\d{1,15}(,\d{3})*(\.\d{1,6})?")
# Texts between quotation marks, one after the other; within them may stand an apostrophe.
_QUOTED = re.compile(r"‘(.*?)’(?=$|, ‘| → | in ‘)")
_MOMENT = "%Y-%m-%d %H:%M"
# Where one sentence ends and the next begins.
_BETWEEN = re.compile(r"(?<=[.?!…]) (?=\S)")
_ENDS = ".?!…:"
_MOST_SENTENCES = 8
_DEEPEST = 4  # sentences within sentences
_LONGEST = 4000
MOST_SAID = 2000  # flags of an answer; what has more was not filled in by a person
# Patterns are looked for by how they begin.
_BEGINNING = 3


@lru_cache(1024)
def said_in(language: str, english: str) -> str:
    """The sentence, or several in a row, in the language; a line as it is where one in it is not known."""
    if language == "en" or len(english) > _LONGEST:
        return english
    return "\n".join(_said(language, line) or line for line in english.split("\n"))


def flags_said(language: str, of_each: Iterable[Sequence[Flag]]) -> Iterator[list[Flag]]:
    """The flags of each, with messages in the language; beyond MOST_SAID in English, for to find one takes a while."""
    many = 0
    for flags in of_each:
        many += len(flags)
        if many > MOST_SAID:
            yield [*flags]
        else:
            yield [replace(flag, message=said_in(language, flag.message)) for flag in flags]


def _said(language: str, english: str, at_most: int = _MOST_SENTENCES, depth: int = _DEEPEST) -> str | None:
    """None where there is no translation of all of it. Several sentences are tried before one, whose last value might
    swallow the next."""
    known = _sentences_of(language)
    for between in islice(_BETWEEN.finditer(english), at_most):
        first = known.find(english[: between.start()], depth)
        if first is None:
            continue
        rest = _said(language, english[between.end() :], at_most - 1, depth)
        if rest is not None:
            return f"{first} {rest}"
    return known.find(english, depth)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A sentence with values in it: the texts around them, what they are called, and how it is said."""

    pieces: tuple[str, ...]
    names: tuple[str, ...]
    translation: str

    def values_in(self, english: str) -> dict[str, str] | None:
        """What stands in the places of the values; None where the texts around them are others.

        Each text is looked for once, from where the last one ended, so that no value can make it slow.
        """
        first, *middle, last = self.pieces
        if not (english.startswith(first) and english.endswith(last)):
            return None
        at, end = len(first), len(english) - len(last)
        values = []
        for piece in middle:
            found = english.find(piece, at + 1, end)
            if found < 0:
                return None
            values.append(english[at:found])
            at = found + len(piece)
        if at >= end:
            return None
        return dict(zip(self.names, [*values, english[at:end]], strict=True))


class _Sentences:
    """The sentences of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.words = Words(language)
        self.known: dict[str, str] = {}
        self.patterns: dict[str, list[Pattern]] = defaultdict(list)
        for english, translation in _written(language):
            pieces = pieces_of(english)
            if len(pieces) == 1:
                self.known.setdefault(english, translation)
            else:
                names = tuple(_HOLE.findall(english))
                self.patterns[pieces[0][:_BEGINNING]].append(Pattern(pieces, names, translation))
        for patterns in self.patterns.values():
            patterns.sort(key=lambda pattern: -sum(map(len, pattern.pieces)))

    def find(self, english: str, depth: int) -> str | None:
        plain = english.removesuffix(".")
        said = self._found(plain, depth)
        # What is a part of other sentences may stand alone.
        return f"{said}." if said and plain != english and said[-1] not in _ENDS else said

    def _found(self, plain: str, depth: int) -> str | None:
        if (known := self.known.get(plain)) is not None:
            return known
        for length in range(_BEGINNING, -1, -1):
            for pattern in self.patterns.get(plain[:length], ()):
                values = pattern.values_in(plain)
                if values is not None and (said := self.say(pattern, values, depth - 1)) is not None:
                    return said
        return None

    def say(self, pattern: Pattern, values: Mapping[str, str], depth: int) -> str | None:
        """None where something else than words of ours stands in their place."""
        shown = {name: self.shown(name, value, depth) for name, value in values.items()}
        if None in shown.values():
            return None
        return _HOLE.sub(lambda hole: str(shown[hole[1]]), pattern.translation)

    def shown(self, name: str, value: str, depth: int) -> str | None:
        if name.startswith("said"):
            return _said(self.language, value, 2, depth) if depth else None
        if name.startswith("told"):
            return (_said(self.language, value, 2, depth) if depth else None) or value
        if name.startswith("quoted"):
            return _QUOTED.sub("« \\1 »", value)
        if name.startswith("number") and _NUMBER.fullmatch(value):
            return self.words.number(Decimal(value.replace(",", "")))
        try:
            if name.startswith("moment"):
                return self.words.moment(dt.datetime.strptime(value, _MOMENT).replace(tzinfo=dt.UTC))
            if name.startswith("day"):
                return self.words.day(value)
        except ValueError:
            pass  # something else stands there, and stays
        return value


@cache
def _sentences_of(language: str) -> _Sentences:
    return _Sentences(language)


def _written(language: str) -> Iterator[tuple[str, str]]:
    """English, without the full stop at its end, and the translation."""
    for path in sorted((FOLDER / language).glob(f"{REFUSALS}*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=language):
                if message.id:
                    said = str(message.string)
                    yield str(message.id).removesuffix("."), tied(said) if language == "fr" else said
    if language in INSTEAD:
        yield from _written(INSTEAD[language])


def pieces_of(english: str) -> tuple[str, ...]:
    """The texts around the values."""
    return tuple(_HOLE.split(english)[::2])
