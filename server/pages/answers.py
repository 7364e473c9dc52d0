"""The answers of a submission as its collector saw them: questions with their labels, choices by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from forms.form import Field
from forms.instance import Instance
from forms.xform import Form
from sync.indicators.definitions import by_code, label_in

_HIDDEN = frozenset({"instanceID", "deprecatedID"})
_SEVERAL = frozenset({"select", "rank"})


@dataclass(frozen=True, slots=True)
class Line:
    """A question with its answer, or the heading of a group or of one turn of a repeat."""

    depth: int
    label: str
    value: str | None
    heading: bool = False
    file: bool = False


def lines_of(form: Form, instance: Instance, language: str) -> list[Line]:
    """In the order of the form; questions without an answer are left out."""
    return list(_inside(form, instance.root, "/data", 0, language))


def _inside(form: Form, element: etree._Element, path: str, depth: int, language: str) -> Iterator[Line]:
    turns: dict[str, int] = {}
    for child in element:
        name = str(child.tag)
        child_path = f"{path}/{name}"
        field = form.fields.get(child_path)
        if len(child):
            below = list(_inside(form, child, child_path, depth + 1, language))
            if not below or name == "meta":
                continue
            turns[name] = turns.get(name, 0) + 1
            number = f" {turns[name]}" if child_path in form.repeats else ""
            yield Line(depth, f"{_label(field, name, language)}{number}", None, heading=True)
            yield from below
        elif child.text and child.text.strip() and name not in _HIDDEN:
            value = child.text.strip()
            shown = _shown(form, field, value, language)
            yield Line(depth, _label(field, name, language), shown, file=field is not None and field.type == "binary")


def _label(field: Field | None, name: str, language: str) -> str:
    return (label_in(by_code(field.labels), language) if field and field.labels else None) or name


def _shown(form: Form, field: Field | None, value: str, language: str) -> str:
    if field is None or field.itemset is None or field.external:
        return value
    choices = form.choices.get(field.itemset, {})
    keys = value.split() if field.type in _SEVERAL else [value]
    return ", ".join(
        (label_in(by_code(choices[key].labels), language) or key) if key in choices else key for key in keys
    )
