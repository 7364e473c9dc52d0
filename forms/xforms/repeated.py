"""The iterations of a form's repeats, each as a row of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from forms.xforms.model import Form


@dataclass(frozen=True, slots=True)
class Iteration:
    """One iteration of a repeat, which `repeat` names by its identity.

    `number` counts the iterations of this repeat in the record, in document order from 0; `places` has the position of
    each repeat on the way, from 0. `answers` are without those of the repeats inside.
    """

    repeat: str
    number: int
    places: tuple[int, ...]
    answers: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Repeat:
    identity: str
    within: tuple[str, ...]  # the path from the row around it
    inside: tuple[_Repeat, ...]


def iterations_of(form: Form, answers: Mapping[str, Any] | None) -> list[Iteration]:
    """Those of all repeats, from answers as `answers_of` gives them; none of an encrypted record."""
    if not form.repeats or not answers:
        return []
    repeats = form.derived.get("repeats")
    if not isinstance(repeats, tuple):
        repeats = form.derived["repeats"] = _repeats_in(form, "/data")
    return list(_iterations(repeats, answers, (), {}))


def _repeats_in(form: Form, outer: str) -> tuple[_Repeat, ...]:
    return tuple(
        _Repeat(form.renames.get(path, path), tuple(path[len(outer) + 1 :].split("/")), _repeats_in(form, path))
        for path in form.repeats
        if repeat_around(form, path) == outer
    )


def repeat_around(form: Form, path: str) -> str:
    """The path of the innermost repeat around it, or /data."""
    return max((other for other in form.repeats if path.startswith(f"{other}/")), key=len, default="/data")


def _iterations(
    repeats: tuple[_Repeat, ...], row: Mapping[str, Any], places: tuple[int, ...], numbers: dict[str, int]
) -> Iterator[Iteration]:
    for repeat in repeats:
        found: Any = row
        for name in repeat.within:
            found = found.get(name) if isinstance(found, Mapping) else None
        for place, answers in enumerate(found if isinstance(found, list) else ()):
            number = numbers.get(repeat.identity, 0)
            numbers[repeat.identity] = number + 1
            here = (*places, place)
            yield Iteration(repeat.identity, number, here, _without(answers, repeat.inside))
            yield from _iterations(repeat.inside, answers, here, numbers)


def _without(answers: dict[str, Any], repeats: tuple[_Repeat, ...]) -> dict[str, Any]:
    for repeat in repeats:
        answers = _dropped(answers, repeat.within)
    return answers


def _dropped(answers: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    name, *below = path
    if name not in answers:
        return answers
    if not below:
        return {key: value for key, value in answers.items() if key != name}
    inner = answers[name]
    return {**answers, name: _dropped(inner, tuple(below))} if isinstance(inner, dict) else answers
