"""The fields of a form in the order of its instance, as ODK's REST lists them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from forms.xforms.model import Form


@dataclass(frozen=True, slots=True)
class LaidOut:
    """`path` begins below the root element (`/visit/people/age`). `type` is that of the bind; groups are of type
    `structure`, repeats of type `repeat`, and what has no bind is `unknown`."""

    path: str
    name: str
    type: str
    binary: bool
    select_multiple: bool


def fields_of(form: Form) -> list[LaidOut]:
    """Every node of the instance but the root, each group before what is in it."""
    return list(_below(form, form.root, "/data"))


def _below(form: Form, element: etree._Element, path: str) -> Iterator[LaidOut]:
    for child in element:
        below = f"{path}/{child.tag}"
        yield _one(form, child, below)
        yield from _below(form, child, below)


def _one(form: Form, element: etree._Element, path: str) -> LaidOut:
    field, bind = form.fields.get(path), form.binds.get(path)
    if path in form.repeats:
        kind = "repeat"
    elif len(element):
        kind = "structure"
    elif field is not None and field.type == "binary":
        kind = "binary"
    else:
        kind = bind.type if bind is not None else "unknown"
    several = field is not None and field.type == "select"
    return LaidOut(path.removeprefix("/data"), str(element.tag), kind, kind == "binary", several)
