"""A written statement as JSON: whatever words are written later on, it reads as it did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from fractions import Fraction
from typing import Any

from sync.indicators.figures import Figure, Item
from sync.indicators.reading import Reading
from sync.statements.marks import Mark, Pairs, read_asked, write_asked
from sync.statements.notes import Note, Paper
from sync.statements.statements import Statement

# What may be a fraction is kept exactly, as its text.
_AMOUNTS = ("value", "low", "high", "target", "baseline")
_AS_IT_IS = ("place", "n", "without", "hidden")


def freeze(statement: Statement, paper: Paper) -> dict[str, Any]:
    """The text with its marks, its figures, and what stands around it."""
    position = {id(figure): number for number, figure in enumerate(statement.figures.values())}

    def which(figure: Figure | None) -> int | None:
        return None if figure is None else position[id(figure)]

    return {
        "period": statement.period,
        "place": statement.place,
        "text": statement.text,
        "basis": statement.basis,
        "figures": [[write_asked(asked), _written(figure)] for asked, figure in statement.figures.items()],
        "marks": [[mark.words, which(mark.figure), mark.fact, mark.decimals] for mark in statement.marks],
        "paper": _plain(
            paper,
            notes=[_plain(note, figure=which(note.figure)) for note in paper.notes],
            of_marks=[*paper.of_marks.items()],
        ),
    }


def thaw(reading: Reading, name: str, language: str, pairs: Pairs, frozen: Mapping[str, Any]) -> Statement:
    """What `freeze` wrote, with its reading as of the same event."""
    figures = {read_asked(*asked): _figure(reading, written) for asked, written in frozen["figures"]}
    of_number: list[Figure] = [*figures.values()]
    marks = [
        Mark(words, None if number is None else of_number[number], fact, decimals=decimals)
        for words, number, fact, decimals in frozen["marks"]
    ]
    around = frozen["paper"]
    own = {
        "notes": tuple(Note(**{**note, "figure": of_number[note["figure"]]}) for note in around["notes"]),
        "of_marks": dict(around["of_marks"]),
        "sentences": tuple(around["sentences"]),
    }
    return Statement(
        name,
        language,
        reading.as_of,
        frozen["period"],
        frozen["place"],
        frozen["text"],
        marks,
        figures,
        frozen["basis"],
        pairs,
        Paper(**{**around, **own}),
    )


def _plain(known: Any, **otherwise: Any) -> dict[str, Any]:
    return {one.name: getattr(known, one.name) for one in fields(known)} | otherwise


def _written(figure: Figure) -> dict[str, Any]:
    return {
        "indicator": figure.definition.name,
        "period": figure.period.text,
        "by": [*figure.by.items()],  # in this order, which objects need not keep
        "items": None if figure.items is None else [item.to_json() for item in figure.items],
        **{name: getattr(figure, name) for name in _AS_IT_IS},
        **{name: _exact(getattr(figure, name)) for name in _AMOUNTS},
    }


def _figure(reading: Reading, written: Mapping[str, Any]) -> Figure:
    amounts: dict[str, Any] = {name: None if written[name] is None else Fraction(written[name]) for name in _AMOUNTS}
    return Figure(
        definition=reading.definition(written["indicator"]),
        period=reading.period(written["period"]),
        by=dict(written["by"]),
        items=_items(written["items"]),
        **{name: written[name] for name in _AS_IT_IS},
        **amounts,
    )


def _items(written: Iterable[Mapping[str, Any]] | None) -> tuple[Item, ...] | None:
    return None if written is None else tuple(Item(**item) for item in written)


def _exact(amount: Fraction | None) -> str | None:
    return None if amount is None else str(amount)
