"""Flat rows: what each column of an export is called, and how an answer becomes the cells under it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

from sync.exports.cells import Cell
from sync.exports.fields import Column, Table

Take = Callable[[Any], Cell]
Answers = Mapping[str, Any]
POINT = ("Latitude", "Longitude", "Altitude", "Accuracy")
_EMPTY: Mapping[str, Any] = {}
_CELLS = frozenset({type(None), str, int, float})


@dataclass(frozen=True, slots=True)
class Outlet:
    """One column of a file. `kind` is text, number, date, dateTime or flag (1 or 0), whatever takes an answer gives."""

    header: str
    kind: str
    path: tuple[str, ...]
    take: Take | None  # None: the answer is the cell, whatever it is
    column: Column
    choice: str | None = None  # of a select_multiple in columns: the one that it is about
    part: str | None = None  # of a position: the one that it takes


@dataclass(frozen=True, slots=True)
class Words:
    """How columns and choices are called."""

    group_paths: bool = True
    language: str | None = None  # None: names and values; else labels, "" in the form's first language

    def header(self, column: Column) -> str:
        """The name of a column."""
        if self.language is not None and (label := label_in(column.labels, self.language)):
            return label
        return "-".join(column.path) if self.group_paths else column.name


def label_in(labels: Mapping[str, str], language: str) -> str:
    """The label in a language; else in the form's own, else in the first that there is; blank without any."""
    for name, label in labels.items():
        if language and is_called(name, language) and label:
            return label
    return labels.get("") or next((label for label in labels.values() if label), "")


def is_called(name: str, language: str) -> bool:
    """Whether a workbook's name of a language, such as `Français (fr)`, is this one, or this code's."""
    return name == language or name.endswith(f"({language})")


def outlets_of(columns: Sequence[Column], words: Words, *, split: bool) -> list[Outlet]:
    """The columns of a file for these questions: a position takes four, a select_multiple one more for each choice if
    `split`."""
    return [outlet for column in columns for outlet in _outlets(column, words, split)]


def row_maker(outlets: Sequence[Outlet]) -> Callable[[Answers], list[Cell]]:
    """A function that gives the cells of an answered row; blank for what was not asked."""
    groups = [(around, list(some)) for around, some in groupby(outlets, lambda outlet: outlet.path[:-1])]
    runs = [(around, [outlet.path[-1] for outlet in some], _takers(some)) for around, some in groups]

    def row(answers: Answers) -> list[Cell]:
        cells: list[Cell] = []
        for around, names, takers in runs:
            values = [*map((_group(answers, around) if around else answers).get, names)]
            for index, take in takers:
                if (value := values[index]) is not None:
                    values[index] = take(value)
            cells += values if _CELLS.issuperset(map(type, values)) else map(plain, values)
        return cells

    return row


def _takers(outlets: Sequence[Outlet]) -> list[tuple[int, Take]]:
    return [(index, outlet.take) for index, outlet in enumerate(outlets) if outlet.take is not None]


def key_of(table: Table, instance_id: str, places: Sequence[int]) -> str:
    """How Central names a row of a repeat: `uuid:…/group/repeat[1]`, counted from 1 at each repeat on the way."""
    return "/".join([instance_id, *_steps(table, list(places))])


def _steps(table: Table, places: list[int]) -> list[str]:
    if table.parent is None:
        return []
    position = places[-1] if places else 0
    *groups, name = table.within
    return [*_steps(table.parent, places[:-1]), *groups, f"{name}[{position + 1}]"]


def instant(text: Any) -> Any:
    """A moment as it is in UTC, `2026-11-20T08:00:00.000Z`; what is none, or has no zone, stays as it is."""
    if not isinstance(text, str):
        return plain(text)
    if text.endswith("+00:00") and len(text) == 29:
        return f"{text[:-6]}Z"
    moment = moment_of(text)
    return text if moment is None else moment_text(moment)


def moment_of(text: Any) -> dt.datetime | None:
    """The moment that a text names, in UTC; None if it names none."""
    try:
        moment = dt.datetime.fromisoformat(text)
        return None if moment.tzinfo is None else moment.astimezone(dt.UTC)
    except (ValueError, TypeError, OverflowError):
        return None


@lru_cache(1000)  # what came in one batch came at one moment
def moment_text(moment: dt.datetime) -> str:
    """A moment as exports write it: UTC, to the millisecond."""
    at = moment.astimezone(dt.UTC)
    parts = (at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond // 1000)
    return "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ" % parts  # noqa: UP031 — it takes half the time of the other ways


def plain(value: Any) -> Cell:
    """Any answer as one cell, also one that is not what its question asks for."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, list):
        return " ".join(str(plain(one)) for one in value if one is not None)
    return None


def _listed(value: Any) -> Cell:
    return " ".join(map(str, value)) if type(value) is list else plain(value)


def _group(answers: Answers, path: tuple[str, ...]) -> Mapping[str, Any]:
    for name in path:
        found = answers.get(name)
        if not isinstance(found, dict):
            return _EMPTY
        answers = found
    return answers


def _outlets(column: Column, words: Words, split: bool) -> list[Outlet]:
    header = words.header(column)
    match column.kind:
        case "geopoint":
            return [
                Outlet(f"{header}-{part}", "number", column.path, take, column, part=part)
                for part, take in zip(POINT, _PARTS, strict=True)
            ]
        case "select" | "rank":
            labelled = _labelled_list(column, words)
            whole = Outlet(header, "text", column.path, labelled or _listed, column)
            if not split or column.kind == "rank":
                return [whole]
            return [whole, *(_flag(header, column, value, words) for value, _ in column.choices)]
        case "select_one":
            return [Outlet(header, "text", column.path, _labelled(column, words), column)]
        case "dateTime":
            return [Outlet(header, "dateTime", column.path, instant, column)]
        case "int" | "decimal":
            return [Outlet(header, "number", column.path, None, column)]
        case "date":
            return [Outlet(header, "date", column.path, None, column)]
        case _:
            return [Outlet(header, "text", column.path, None, column)]


def _part(index: int) -> Take:
    """Of a position: what it has of latitude, longitude, altitude and accuracy."""

    def take(value: Any) -> Cell:
        numbers = value.split() if isinstance(value, str) else value
        return numbers[index] if isinstance(numbers, list) and index < len(numbers) else None

    return take


def _labels(column: Column, words: Words) -> dict[str, str]:
    if words.language is None:
        return {}
    return {value: label_in(labels, words.language) or value for value, labels in column.choices}


def _labelled(column: Column, words: Words) -> Take | None:
    labels = _labels(column, words)
    if not labels:
        return None
    return lambda value: labels.get(value, value) if isinstance(value, str) else plain(value)


def _labelled_list(column: Column, words: Words) -> Take | None:
    labels = _labels(column, words)
    if not labels:
        return None
    return lambda value: (
        ", ".join(labels.get(one, str(one)) for one in value) if isinstance(value, list) else plain(value)
    )


def _flag(header: str, column: Column, choice: str, words: Words) -> Outlet:
    """Whether a choice was among the answers; blank where there is none."""
    labels = _labels(column, words)

    def take(value: Any) -> Cell:
        chosen = value.split() if isinstance(value, str) else value
        return int(choice in chosen) if isinstance(chosen, list) else None

    return Outlet(f"{header}/{labels.get(choice, choice)}", "flag", column.path, take, column, choice)


_PARTS = [_part(index) for index in range(len(POINT))]
