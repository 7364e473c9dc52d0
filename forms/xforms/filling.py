"""Makes the instance XML that an XForms client would have made of answers that came as JSON."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
    dated: bool = True,
    tz: dt.tzinfo,
    lists: Lists,
    device_id: str | None = None,
    first_id: str | None = None,
) -> bytes:
    """Canonical XML: defaults filled in, calculations worked out, irrelevant questions left out, entities named.

    `answers` is as `answers_of` gives it; a key that is absent takes the form's default, null is a question left blank.
    Of calculations that were sent, those are kept which nobody can work out again: `once(…)`, the clock, chance, lists.
    Times come from `recorded_at` in `tz`; where it is not `dated`, that is only when it arrived, and the form's today,
    start and end stay as they were sent. Ids of new entities are UUIDs (version 5) of instance id and path, unless they
    were sent in `meta.entity.id`; of an edit, `first_id` is the instance that its chain began with, so that the
    entities stay the same. Raises Faulty with each unknown key and wrong type, by its JSON path.
    """
    filling = Filling(form, first_id or instance_id)
    blank = _blank_of(form)
    root = copy.copy(blank.element)
    root.set("id", form.form_id)
    if form.version:
        root.set("version", form.version)
    for name, text in (
        ("instance_id", instance_id),
        ("edits", deprecated_id),
        ("device", device_id),
        ("edits", first_id),
    ):
        plain_text(filling.findings, text, name)
    _fill(filling, blank, root, answers, "answers")
    if filling.findings:
        raise Faulty(filling.findings[:_MOST_FINDINGS])
    for element, _ in filling.at("/data/meta/instanceID"):
        element.text = instance_id
    context = Context(root, root, lists, form, recorded_at, tz, filling.seed)
    preload(filling, recorded_at.astimezone(tz) if dated else None, device_id)
    act(filling, context)
    work_out(filling, context)
    return _written(root, instance_id, deprecated_id)


@dataclass(frozen=True, slots=True)
class _Blank:
    """An element of the form before it is filled in. `element` is copied with everything in it, in the order of
    `inside`; of a repeat there is one iteration."""

    path: str
    element: etree._Element
    inside: Mapping[str, _Blank]  # nothing in a question or an entity block
    repeat: bool
    entity: bool
    type: str  # of its question; `calculated` for what is worked out and has no type of its own


def _blank_of(form: Form) -> _Blank:
    """The whole form, worked out once."""
    blank = form.derived.get("blank")
    if not isinstance(blank, _Blank):
        blank = form.derived["blank"] = _blank(form, form.root, "/data")
    return blank


def _blank(form: Form, template: etree._Element, path: str) -> _Blank:
    asked, repeat = form.fields.get(path), path in form.repeats
    entity = path.endswith("/meta/entity") and not repeat
    inside: dict[str, _Blank] = {}
    if entity:
        element = etree.Element(template.tag, {str(name): str(value) for name, value in template.attrib.items()})
        for child in template:
            etree.SubElement(element, child.tag)
    else:
        element = etree.Element(template.tag)
        for child in template if repeat or asked is None else ():
            inside.setdefault(str(child.tag), _blank(form, child, f"{path}/{child.tag}"))
        element.extend([below.element for below in inside.values()])
        if not inside:
            element.text = template.text
    kind = asked.type if asked else "string"
    return _Blank(
        path, element, inside, repeat, entity, "calculated" if asked and asked.calculated and kind == "string" else kind
    )


def _fill(filling: Filling, blank: _Blank, element: etree._Element, given: Any, place: str) -> None:
    """Fills in a group, a repeat's iteration or the whole."""
    if not isinstance(given, Mapping):
        filling.fault(place, f"This is {kind_of(given)}, not an object.", "Groups and iterations are objects.")
        return
    for name in given:
        if name not in blank.inside:
            filling.fault(f"{place}.{name}", "The form has no such question.", _near(filling, name, blank.inside))
    for (name, below), child in zip(blank.inside.items(), list(element), strict=True):
        if below.repeat:
            _iterations(filling, below, child, given.get(name), f"{place}.{name}")
            continue
        filling.elements.setdefault(below.path, []).append(child)
        if below.entity:
            _entity(filling, below, child, given.get(name), f"{place}.{name}")
        elif below.inside:
            inner = given.get(name)
            _fill(filling, below, child, {} if inner is None else inner, f"{place}.{name}")
        elif name in given:
            text = text_of(filling.findings, given[name], below.type, f"{place}.{name}")
            if text is not None:
                child.text = text or None
                filling.sent.add((child, ""))


def _iterations(filling: Filling, blank: _Blank, first: etree._Element, given: Any, place: str) -> None:
    """Puts as many copies of the iteration as were sent in its stead."""
    if given is not None and not isinstance(given, list):
        filling.fault(place, f"This is {kind_of(given)}, not a list.", "A repeat is a list of objects.")
        return
    for index, row in enumerate(given or ()):
        element = copy.copy(first)
        first.addprevious(element)
        filling.elements.setdefault(blank.path, []).append(element)
        _fill(filling, blank, element, row, f"{place}[{index}]")
    parent_of(first).remove(first)


def _near(filling: Filling, name: object, known: Iterable[str]) -> str:
    """The remedy for a name that there is not. Looking for one takes long, and only the first faults are told."""
    return did_you_mean(str(name), known) if len(filling.findings) < _MOST_FINDINGS else ""


def _entity(filling: Filling, blank: _Blank, element: etree._Element, given: Any, place: str) -> None:
    """The entity block: what was sent of it, and what the form says for the rest."""
    if given is not None and not isinstance(given, Mapping):
        filling.fault(place, f"This is {kind_of(given)}, not an object.", "An entity is an object.")
        given = None
    sent: Mapping[str, Any] = given or {}
    for name in sent:
        if name not in _ENTITY_KEYS:
            filling.fault(f"{place}.{name}", "An entity has nothing called so.", _near(filling, name, _ENTITY_KEYS))
    for name in _ENTITY_KEYS[:-1]:
        if name in sent:
            text = plain_text(filling.findings, sent[name], f"{place}.{name}")
            element.set(name, text or "")
            filling.sent.add((element, name))
    for child in element:
        name = str(child.tag)
        filling.elements.setdefault(f"{blank.path}/{name}", []).append(child)
        if name in sent:
            child.text = plain_text(filling.findings, sent[name], f"{place}.{name}") or None
            filling.sent.add((child, ""))


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
