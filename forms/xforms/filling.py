"""Makes the instance XML that an XForms client would have made of answers that came as JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from lxml import etree

from forms.findings import Faulty
from forms.form import ENTITIES_NS, Lists
from forms.spelling import did_you_mean
from forms.xforms.leaves import kind_of, plain_text, text_of
from forms.xforms.making import Filling, act, parent_of, preload, work_out
from forms.xforms.xform import Form
from forms.xpath.expressions import Context

OPENROSA_NS = "http://openrosa.org/xforms"
_MOST_FINDINGS = 100
_ENTITY_KEYS = ("id", "create", "update", "baseVersion", "trunkVersion", "branchId", "label")


def instance_from(
    form: Form,
    answers: Mapping[str, Any],
    *,
    instance_id: str,
    deprecated_id: str | None = None,
    recorded_at: dt.datetime,
    tz: dt.tzinfo,
    lists: Lists,
    device_id: str | None = None,
    first_id: str | None = None,
) -> bytes:
    """Canonical XML: defaults filled in, calculations worked out, irrelevant questions left out, entities named.

    `answers` is as `answers_of` gives it; a key that is absent takes the form's default, null is a question left blank.
    Of calculations that were sent, those are kept which nobody can work out again: `once(…)`, the clock, chance, lists.
    Times come from `recorded_at` in `tz`. Ids of new entities are UUIDs (version 5) of instance id and path, unless
    they were sent in `meta.entity.id`; of an edit, `first_id` is the instance that its chain began with, so that the
    entities stay the same. Raises Faulty with each unknown key and wrong type, by its JSON path.
    """
    filling = Filling(form, first_id or instance_id)
    root = etree.Element(form.root.tag, id=form.form_id)
    if form.version:
        root.set("version", form.version)
    for name, text in (
        ("instance_id", instance_id),
        ("edits", deprecated_id),
        ("device", device_id),
        ("edits", first_id),
    ):
        plain_text(filling.findings, text, name)
    _object(filling, form.root, root, "/data", answers, "answers")
    if filling.findings:
        raise Faulty(filling.findings[:_MOST_FINDINGS])
    context = Context(root, root, lists, form, recorded_at, tz, filling.seed)
    preload(filling, recorded_at.astimezone(tz), device_id)
    act(filling, context)
    work_out(filling, context)
    return _written(root, instance_id, deprecated_id)


def _object(
    filling: Filling,
    template: etree._Element,
    element: etree._Element,
    path: str,
    given: Any,
    place: str,
) -> None:
    """Makes the children of a group, a repeat's iteration or the whole, in the order of the form."""
    if not isinstance(given, Mapping):
        filling.fault(place, f"This is {kind_of(given)}, not an object.", "Groups and iterations are objects.")
        return
    known = {str(child.tag): child for child in reversed(template)}  # the first of a name is the repeat's template
    for name in given:
        if name not in known:
            filling.fault(f"{place}.{name}", "The form has no such question.", _near(filling, name, known))
    for name in dict.fromkeys(str(child.tag) for child in template):
        _child(filling, known[name], element, f"{path}/{name}", given, f"{place}.{name}")


def _child(
    filling: Filling,
    template: etree._Element,
    parent: etree._Element,
    path: str,
    given: Mapping[str, Any],
    place: str,
) -> None:
    name = str(template.tag)
    form = filling.form
    if path in form.repeats:
        _iterations(filling, template, parent, path, given.get(name), place)
        return
    element = etree.SubElement(parent, name)
    filling.elements.setdefault(path, []).append(element)
    if name == "entity" and path.endswith("/meta/entity"):
        _entity(filling, template, element, path, given.get(name), place)
    elif path in form.fields or not len(template):
        _leaf(filling, template, element, path, given, place)
    else:
        inner = given.get(name)
        _object(filling, template, element, path, {} if inner is None else inner, place)


def _iterations(
    filling: Filling,
    template: etree._Element,
    parent: etree._Element,
    path: str,
    given: Any,
    place: str,
) -> None:
    if given is None:
        return
    if not isinstance(given, list):
        filling.fault(place, f"This is {kind_of(given)}, not a list.", "A repeat is a list of objects.")
        return
    for index, row in enumerate(given):
        element = etree.SubElement(parent, str(template.tag))
        filling.elements.setdefault(path, []).append(element)
        _object(filling, template, element, path, row, f"{place}[{index}]")


def _leaf(
    filling: Filling,
    template: etree._Element,
    element: etree._Element,
    path: str,
    given: Mapping[str, Any],
    place: str,
) -> None:
    name = str(template.tag)
    if name not in given:
        element.text = template.text
        return
    asked = filling.form.fields.get(path)
    text = text_of(filling.findings, given[name], asked.type if asked else "string", place)
    if text is not None:
        element.text = text or None
        filling.sent.add((element, ""))


def _near(filling: Filling, name: object, known: Iterable[str]) -> str:
    """The remedy for a name that there is not. Looking for one takes long, and only the first faults are told."""
    return did_you_mean(str(name), known) if len(filling.findings) < _MOST_FINDINGS else ""


def _entity(
    filling: Filling,
    template: etree._Element,
    element: etree._Element,
    path: str,
    given: Any,
    place: str,
) -> None:
    """The entity block: what was sent of it, and what the form says for the rest."""
    if given is not None and not isinstance(given, Mapping):
        filling.fault(place, f"This is {kind_of(given)}, not an object.", "An entity is an object.")
        given = None
    sent: Mapping[str, Any] = given or {}
    for name in sent:
        if name not in _ENTITY_KEYS:
            filling.fault(f"{place}.{name}", "An entity has nothing called so.", _near(filling, name, _ENTITY_KEYS))
    for key, value in template.attrib.items():
        element.set(str(key), str(value))
    for name in _ENTITY_KEYS[:-1]:
        if name in sent:
            text = plain_text(filling.findings, sent[name], f"{place}.{name}")
            element.set(name, text or "")
            filling.sent.add((element, name))
    for child in template:
        made = etree.SubElement(element, str(child.tag))
        filling.elements.setdefault(f"{path}/{child.tag}", []).append(made)
        if child.tag in sent:
            made.text = plain_text(filling.findings, sent[child.tag], f"{place}.{child.tag}") or None
            filling.sent.add((made, ""))


def _written(root: etree._Element, instance_id: str, deprecated_id: str | None) -> bytes:
    """Puts the meta block last and into its namespaces, as clients write it."""
    old = root.find("meta")
    meta = etree.SubElement(root, f"{{{OPENROSA_NS}}}meta", nsmap={"orx": OPENROSA_NS})
    etree.SubElement(meta, f"{{{OPENROSA_NS}}}instanceID").text = instance_id
    if deprecated_id:
        etree.SubElement(meta, f"{{{OPENROSA_NS}}}deprecatedID").text = deprecated_id
    if old is not None:
        for child in old:
            if child.tag not in ("instanceID", "deprecatedID"):
                meta.append(child)
        root.remove(old)
        for element in meta.iterdescendants():
            if "{" not in element.tag and element.tag != "entity" and parent_of(element).tag != "entity":
                element.tag = f"{{{OPENROSA_NS}}}{element.tag}"
    for entity in root.iter("entity"):
        if str(parent_of(entity).tag).endswith("meta"):
            for element in entity.iter():
                element.tag = f"{{{ENTITIES_NS}}}{element.tag}"
    etree.cleanup_namespaces(root, top_nsmap={"orx": OPENROSA_NS, "entities": ENTITIES_NS}, keep_ns_prefixes=["orx"])
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)
