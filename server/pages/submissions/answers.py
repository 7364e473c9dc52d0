"""The answers of a submission as its collector saw them: questions with their labels, choices by name."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

from lxml import etree

from forms.form import Field
from forms.xforms.entities import plain_id
from forms.xforms.instance import Instance
from forms.xforms.persons import asks_who, words_of
from forms.xforms.xform import Form
from server.language.words import tied, words
from sync.indicators.definitions import by_code, label_in

_SEVERAL = frozenset({"select", "rank"})
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
# Of a question that is called so, the digits are a name.
_CODES = frozenset({"code", "id", "numero", "matricule"})


@dataclass(frozen=True, slots=True)
class Line:
    """A question with its answer, or the heading of one turn of a repeat.

    `chosen` holds what was picked from a list outside the form: places or entities, by their keys. `place` is the path
    with positions of repeats, as flags name it. By its `anchors` addresses lead to it: an answer's are its place and
    what was picked; those of a turn are `attendance:3` for the third of that name, and the entities that it makes or
    changes. Each leads to where it stands first.
    """

    depth: int
    label: str
    value: str = ""
    chosen: Sequence[str] = ()
    heading: bool = False
    file: bool = False
    place: str = ""
    anchors: Sequence[str] = ()


def lines_of(form: Form, instance: Instance, language: str) -> list[Line]:
    """In the order of the form. Questions without an answer are left out, and so is what nobody was asked: metadata and
    calculations without a label stand in the raw instance."""
    return list(_anchored(_inside(form, instance.root, "/data", "/data", 0, language, Counter())))


def _anchored(lines: Iterable[Line]) -> Iterator[Line]:
    seen: set[str] = set()
    for line in lines:
        new = [one for one in dict.fromkeys(line.anchors) if one not in seen]
        seen.update(new)
        yield replace(line, anchors=new)


def _inside(
    form: Form, element: etree._Element, path: str, place: str, depth: int, language: str, named: Counter[str]
) -> Iterator[Line]:
    turns: dict[str, int] = {}
    for child in element:
        name = str(child.tag)
        child_path, child_place = f"{path}/{name}", f"{place}/{name}"
        field = form.fields.get(child_path)
        if name == "meta":
            continue
        if len(child):
            turns[name] = turns.get(name, 0) + 1
            yield from _group(form, child, child_path, child_place, turns[name], depth, language, named)
        elif child.text and child.text.strip() and _was_asked(field):
            line = _answer(form, child_path, child.text.strip(), depth, language)
            yield replace(line, place=child_place, anchors=[child_place, *map(plain_id, line.chosen)])


def _group(
    form: Form,
    element: etree._Element,
    path: str,
    place: str,
    turn: int,
    depth: int,
    language: str,
    named: Counter[str],
) -> Iterator[Line]:
    if path not in form.repeats:
        yield from _inside(form, element, path, place, depth, language, named)
        return
    name, at = str(element.tag), f"{place}[{turn}]"
    named[name] += 1
    anchors = [f"{name}:{named[name]}", *_entities_in(form, element, path)]
    below = list(_inside(form, element, path, at, depth + 1, language, named))
    if below:
        heading = f"{label_of(form, path, language)} {turn}"
        yield Line(depth, heading, heading=True, place=at, anchors=anchors)
        yield from below


def _entities_in(form: Form, turn: etree._Element, path: str) -> Iterator[str]:
    """The entities that this turn of a repeat makes or changes."""
    for declared in form.entities:
        entity = turn.find(declared.path.removeprefix(f"{path}/")) if declared.repeat == path else None
        if entity is not None and (named := plain_id(entity.get("id", ""))):
            yield named


def _was_asked(field: Field | None) -> bool:
    """What the form does not know at all is shown too: somebody sent it."""
    return field is None or bool(field.labels) or not (field.calculated or field.metadata)


def _answer(form: Form, path: str, value: str, depth: int, language: str) -> Line:
    field, label = form.fields.get(path), label_of(form, path, language)
    if field is None or field.itemset is None:
        file = field is not None and field.type == "binary"
        return Line(depth, label, _written(field, value) if field is not None else value, file=file)
    keys = value.split() if field.type in _SEVERAL else [value]
    if field.external:
        return Line(depth, label, value, chosen=keys)
    return Line(depth, label, ", ".join(choice_said(form, field, key, language) for key in keys))


def said_of(form: Form, path: str, value: str, language: str) -> str:
    """An answer to the question at `path`, choices by name."""
    field = form.fields.get(path)
    if field is None or field.external:
        return value
    if field.itemset is None:
        return _written(field, value)
    keys = value.split() if field.type in _SEVERAL else [value]
    return ", ".join(choice_said(form, field, key, language) for key in keys)


def _written(field: Field, value: str) -> str:
    """A number, a day or a time as the page's language writes it; as it was sent where it is none, or somebody or
    something is called by its digits."""
    try:
        if field.type in ("int", "decimal") and _NUMBER.fullmatch(value):
            return value if _is_called_by(field.name, *field.labels.values()) else words().exact(Decimal(value))
        if field.type == "date":
            return words().day(value[:10])
        if field.type == "dateTime":
            return words().moment_as_told(dt.datetime.fromisoformat(value))
    except ValueError:
        return value
    return value


@lru_cache(maxsize=10_000)
def _is_called_by(name: str, *labels: str) -> bool:
    """Whether the answer to a question is a number by which people and things are called, such as a telephone's."""
    return asks_who(name, labels) or not _CODES.isdisjoint(words_of(" ".join((name, *labels))))


def label_of(form: Form, path: str, language: str) -> str:
    """What the question, group or repeat at `path` is called."""
    field = form.fields.get(path)
    labels = field.labels if field is not None else form.headings.get(path, {})
    return tied(label_in(by_code(labels), language) or path.rpartition("/")[2])


def choice_said(form: Form, field: Field, key: str, language: str) -> str:
    """A choice of a list inside the form by its name, or as it was sent."""
    choice = form.choices.get(field.itemset or "", {}).get(key)
    return (label_in(by_code(choice.labels), language) if choice is not None else None) or key
