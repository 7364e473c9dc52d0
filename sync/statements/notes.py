"""Where the figures of a statement come from, as numbered notes for paper, where nothing can be clicked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sync.indicators.definitions import Definition
from sync.indicators.figures import Figure, parts_of
from sync.indicators.reading import Reading
from sync.indicators.wording import number_words, period_words, phrase
from sync.statements.marks import MARK, Mark


@dataclass(frozen=True, slots=True)
class Note:
    """A figure of a statement, or another `fact` about it, the words that stand for it where it is named first, and a
    sentence on what it is; `brief` without its period. What the sentence is made of stands beside it."""

    number: int
    figure: Figure
    fact: str
    words: str
    sentence: str
    brief: str
    label: str
    period: str
    place: str
    target: str


@dataclass(frozen=True, slots=True)
class Paper:
    """What stands around a statement on paper: its notes, the numbers of the notes of marks, their `heading`, what
    holds `of_all` of them and what each says besides; and in words the project, the period and place that it was read
    for, the day as of which it reads, and the one on which it was issued."""

    notes: Sequence[Note]
    of_marks: Mapping[int, int]
    heading: str
    of_all: str
    sentences: Sequence[str]
    project: str
    period: str
    place: str
    as_of: str
    issued: str = ""

    @property
    def lines(self) -> list[str]:
        """The notes as paragraphs, numbered."""
        numbered = [f"{number}. {sentence}" for number, sentence in enumerate(self.sentences, 1)]
        return [*([self.of_all] if self.of_all else []), *numbered]


def notes_of(reading: Reading, text: str, marks: Sequence[Mark], language: str) -> tuple[list[Note], Mapping[int, int]]:
    """The notes in the order of the text, each figure, and what else is told of it, once; and the number of the note of
    each mark that has one."""
    numbers: dict[object, int] = {}
    notes: list[Note] = []
    of_marks: dict[int, int] = {}
    for found in MARK.finditer(text):
        position = int(found[1])
        mark = marks[position]
        if mark.figure is None:
            continue
        figure = mark.figure
        what = (figure.definition.name, figure.period.text, figure.place, tuple(figure.by.items()), mark.fact)
        if what not in numbers:
            numbers[what] = len(notes) + 1
            notes.append(_note(reading, len(notes) + 1, mark, figure, language))
        of_marks[position] = numbers[what]
    return notes, of_marks


def _note(reading: Reading, number: int, mark: Mark, figure: Figure, language: str) -> Note:
    label, period = label_of(reading, figure, language), period_words(figure.period, language)
    place = reading.tree.places[figure.place].name if figure.place in reading.tree.places else ""
    how = _how(reading, figure, mark.fact, language)
    target = None if mark.fact else figure.target
    return Note(
        number,
        figure,
        mark.fact,
        mark.words,
        _sentence(how, language, label, period, place),
        _sentence(how, language, label, place),
        label,
        period,
        place,
        number_words(target, language, figure.definition.row.decimals_shown) if target is not None else "",
    )


def beneath(notes: Sequence[Note], language: str) -> tuple[str, list[str]]:
    """The notes as they stand beneath a text: what holds for all of them, the period if they share one, and what each
    says besides."""
    periods = {note.figure.period.text for note in notes}
    if len(notes) < 2 or len(periods) > 1:
        return "", [note.sentence for note in notes]
    return phrase("period_of_all", language, period=notes[0].period), [note.brief for note in notes]


def label_of(reading: Reading, figure: Figure, language: str) -> str:
    """`People trained (female)`."""
    ways = reading.breakings(figure.definition)
    cells = []
    for name, key in figure.by.items():
        place = reading.tree.places.get(key or "")
        cells.append((ways[name].label_of(key, language) if name in ways else None) or (place.name if place else key))
    label = figure.definition.label(language)
    named = ", ".join(cell for cell in cells if cell)
    return f"{label} ({named})" if named else label


def _sentence(how: tuple[str, str], language: str, *about: str) -> str:
    """`People trained (female), fiscal year 2026, Siby: each is counted once …; 1,204 contributions.`"""
    said, behind = how
    named = ", ".join(part for part in about if part)
    return phrase("note_of" if behind else "note", language, about=named, how=said, behind=behind)


def _how(reading: Reading, figure: Figure, fact: str, language: str) -> tuple[str, str]:
    """How a figure is counted, and out of how much, if that can be said; of another `fact` than its value, what that
    is."""
    said = [phrase(f"how_{fact}", language)] if fact else []
    if fact in ("n", "without"):
        return said[0], ""
    if figure.definition.aggregate == "ratio":
        # Of a share that is shown no part is hidden.
        parts = () if figure.hidden else parts_of(reading, figure, sees_small_cells=True)
        said.append(" ÷ ".join(_with_behind(part, language) for part in parts) or _divided(reading, figure, language))
        return ", ".join(said), ""
    how = ", ".join([*said, how_counted(figure.definition, language)])
    return how, "" if figure.hidden or figure.n is None else _behind(figure.n, language)


def _divided(reading: Reading, ratio: Figure, language: str) -> str:
    return " ÷ ".join(part.label(language) for part in reading.parts(ratio.definition))


def _with_behind(part: Figure, language: str) -> str:
    label = part.definition.label(language)
    return label if part.n is None else f"{label} ({_behind(part.n, language)})"


def _behind(n: int, language: str) -> str:
    return phrase("contribution" if n == 1 else "contributions", language, n=number_words(n, language))


def how_counted(definition: Definition, language: str) -> str:
    """`each is counted once, however many visits, of each the last value, only where it is ≥ 2`."""
    said = [phrase(f"how_{definition.aggregate}", language)]
    keep = definition.row.keep
    if definition.counts_subjects and definition.has_value and (keep or definition.aggregate != "distinct"):
        said.append(phrase(f"each_{definition.row.per_subject}", language))
    if keep:
        sign = {">=": "≥", "<=": "≤", "!=": "≠"}.get(keep.operator, keep.operator)
        decimals = max(0, -int(keep.bound.normalize().as_tuple().exponent))
        said.append(phrase("kept", language, keep=f"{sign} {number_words(keep.bound, language, decimals)}"))
    return ", ".join(said)
