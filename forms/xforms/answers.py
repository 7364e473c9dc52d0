"""A submission's answers as JSON, what of them tells a double save, and the files that they name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from lxml import etree

from forms.form import Field
from forms.xforms.filling import instance_from
from forms.xforms.instance import Instance
from forms.xforms.xform import Form

__all__ = ["answers_of", "attachments_named", "fingerprint", "instance_from"]

FEWEST_ANSWERS = 5
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_DECIMAL = re.compile(r"-?[0-9]+\.[0-9]+")
_MOST = 2**63
# Said beside the answers in our wire, and worked out again from them.
_NOT_ANSWERS = frozenset({"/data/meta/instanceID", "/data/meta/deprecatedID", "/data/meta/instanceName"})
_OF_ENTITIES = ("id", "create", "update", "baseVersion", "trunkVersion", "branchId")


def answers_of(form: Form, instance: Instance) -> dict[str, Any]:
    """As batch-api.md §1 says: groups are objects, repeats lists of objects, a select_multiple is a list, a geopoint
    `[lat, lon, alt, accuracy]`.

    A question that was asked and left blank is null; one that was not relevant is not there. A number is a JSON number
    where that says exactly the same, else its text, as is everything that is not of its question's type. `meta` holds
    the entities that the submission writes. Nothing for an encrypted submission.
    """
    if instance.encrypted:
        return {}
    return _object(form, frozenset(form.repeats), _entity_paths(form), instance.root, "/data")


def fingerprint(form: Form, instance: Instance) -> bytes | None:
    """16 bytes over all answered questions, those of metadata and calculations left out; None under five answers.

    Two saves of one visit have the same one (indicators.md §7.1), whatever version of the form made them.
    """
    if instance.encrypted:
        return None
    answered = sorted(_answered(form, frozenset(form.repeats), instance.root, "/data", ""))
    if len(answered) < FEWEST_ANSWERS:
        return None
    content = "\0".join(f"{identity}\0{position}\0{text}" for identity, position, text in answered)
    return blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def attachments_named(form: Form, instance: Instance) -> list[str]:
    """The file names in questions for files, the audit log and an encrypted submission's media, each once."""
    root = instance.root
    if instance.encrypted:
        named = [element.text for element in root.iter("file", "encryptedXmlFile")]
    else:
        files = [field for field in form.fields.values() if field.type == "binary"]
        named = [element.text for field in files for element in root.iterfind(field.path.removeprefix("/data/"))]
        if "/data/meta/audit" not in form.fields:
            named.append(root.findtext("meta/audit"))
    return list(dict.fromkeys(name.strip() for name in named if name and name.strip()))


def _object(
    form: Form, repeats: frozenset[str], entities: frozenset[str], element: etree._Element, path: str
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    fields = form.fields
    for child in element:
        tag = child.tag
        here = f"{path}/{tag}"
        field = fields.get(here)
        if here in entities:
            found[tag] = _entity(child)
        elif field is not None:
            if tag not in found and here not in _NOT_ANSWERS:
                found[tag] = _value(child.text, field)
        elif here in repeats:
            found.setdefault(tag, []).append(_object(form, repeats, entities, child, here))
        elif len(child) and tag not in found:
            inner = _object(form, repeats, entities, child, here)
            if inner:
                found[tag] = inner
    return found


def _entity_paths(form: Form) -> frozenset[str]:
    return frozenset([entity.path for entity in form.entities])


def _entity(element: etree._Element) -> dict[str, str]:
    """The entity's attributes that say something, and its label."""
    found = {name: element.get(name, "") for name in _OF_ENTITIES if element.get(name)}
    label = element.findtext("label")
    return {**found, "label": label} if label else found


def _value(text: str | None, field: Field) -> Any:
    if not text or text.isspace():
        return None
    match field.type:
        case "int" | "decimal":
            return _number(text)
        case "boolean":
            return {"true": True, "false": False}.get(text, text)
        case "select" | "rank":
            return text.split()
        case "geopoint":
            return _point(text)
        case _:
            return text


def _number(text: str) -> int | float | str:
    if _INTEGER.fullmatch(text):
        whole = int(text)
        return whole if -_MOST <= whole < _MOST else text
    if _DECIMAL.fullmatch(text):
        number = float(text)
        if Decimal(repr(number)) == Decimal(text):
            return number
    return text


def _point(text: str) -> list[int | float] | str:
    numbers = [_number(part) for part in text.split()]
    if 2 <= len(numbers) <= 4 and not any(isinstance(number, str) for number in numbers):
        return [number for number in numbers if not isinstance(number, str)]
    return text


def _answered(
    form: Form, repeats: frozenset[str], element: etree._Element, path: str, position: str
) -> Iterator[tuple[str, str, str]]:
    """Identity, place among the iterations, and text of each answer."""
    fields = form.fields
    count: dict[str, int] = {}
    for child in element:
        here = f"{path}/{child.tag}"
        field = fields.get(here)
        if field is not None:
            text = child.text
            if text and not field.metadata and not field.calculated and not text.isspace():
                yield field.identity, position, text
        elif here in repeats:
            count[here] = count.get(here, 0) + 1
            yield from _answered(form, repeats, child, here, f"{position}.{count[here]}")
        elif len(child) and here != "/data/meta":
            yield from _answered(form, repeats, child, here, position)
