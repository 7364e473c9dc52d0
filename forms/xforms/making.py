"""An instance in the making: what a client fills in by itself, works out and leaves out."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from typing import cast

from lxml import etree

from forms.findings import Finding
from forms.xforms.leaves import NOT_XML
from forms.xforms.xform import Action, Bind, Form
from forms.xpath.expressions import Context, Expression, Unevaluable

# Ids made from instance id and path must come out the same for ever: never change this.
_NAMESPACE = uuid.UUID("0d9e2a44-3c1b-5f6e-8a57-61c7b0e4d2f3")
_FIRST_LOAD = frozenset({"odk-instance-first-load", "odk-new-repeat", "odk-instance-load"})
_CHANGED = "xforms-value-changed"
_ONCE = re.compile(r"\s*once\s*\(")


@dataclass(slots=True)
class Filling:
    """One instance in the making. `elements` holds its elements by path without positions, while they are relevant."""

    form: Form
    seed: str  # the instance id that new ids are made from
    findings: list[Finding] = field(default_factory=list)
    elements: dict[str, list[etree._Element]] = field(default_factory=dict)
    sent: set[tuple[etree._Element, str]] = field(default_factory=set)  # element, and attribute or ""
    gone: set[etree._Element] = field(default_factory=set)

    def fault(self, place: str, fault: str, remedy: str = "") -> None:
        self.findings.append(Finding(fault, remedy, place))

    def at(self, path: str) -> Iterator[tuple[etree._Element, str]]:
        """The elements at a path that are still there; of `…/@id` the element and the attribute's name."""
        above, mark, attribute = path.partition("/@")
        for element in self.elements.get(above, ()):
            if element not in self.gone:
                yield element, attribute if mark else ""


def preload(filling: Filling, now: dt.datetime | None, device_id: str | None) -> None:
    """The moment and the day (if known) and the device, where the form asks for them and they were not sent."""
    moment = now.isoformat(timespec="milliseconds") if now else None
    known = {
        ("timestamp", "start"): moment,
        ("timestamp", "end"): moment,
        ("date", "today"): now.date().isoformat() if now else None,
        ("property", "deviceid"): device_id,
    }
    for bind in filling.form.binds.values():
        text = known.get((bind.preload or "", bind.preload_params or ""))
        for element, _ in filling.at(bind.path) if text else ():
            if (element, "") not in filling.sent:
                element.text = text


def act(filling: Filling, context: Context) -> None:
    """Dynamic defaults, and what changes with another question's answer. What was sent stands."""
    for action in filling.form.actions:
        starts = _FIRST_LOAD.intersection(action.events)
        for element, attribute in filling.at(action.path):
            if (element, attribute) in filling.sent or not (starts or _changed(filling, action)):
                continue
            if attribute == "id":
                element.set("id", _entity_id(filling, element))
            elif action.name == "setvalue":
                bind = filling.form.binds.get(action.path)
                kind = bind.type if bind else "string"
                _set(element, attribute, _string(action.value, context, element, kind) if action.value else "")


def _changed(filling: Filling, action: Action) -> bool:
    if _CHANGED not in action.events or action.trigger is None:
        return False
    return any(element.text for element, _ in filling.at(action.trigger))


def _entity_id(filling: Filling, element: etree._Element) -> str:
    place = element.getroottree().getpath(element)
    return str(uuid.uuid5(_NAMESPACE, f"{filling.seed} {place}"))


def work_out(filling: Filling, context: Context) -> None:
    """Leaves out what is not relevant and sets the calculations, each after all that it depends on."""
    form = filling.form
    order = cast("list[tuple[str, str]] | None", form.derived.get("order"))
    if order is None:
        order = form.derived["order"] = _in_order(form)
    for kind, path in order:
        bind = form.binds[path]
        if kind == "relevant" and bind.relevant is not None:
            _leave_out(filling, bind, bind.relevant, context)
        elif kind == "calculate" and bind.calculate is not None:
            _calculate(filling, bind, bind.calculate, context)


def _leave_out(filling: Filling, bind: Bind, relevant: Expression, context: Context) -> None:
    for element, _ in list(filling.at(bind.path)):
        context.node = element
        if not _is_relevant(relevant, context):
            filling.gone.update(element.iter())
            parent_of(element).remove(element)


def _is_relevant(relevant: Expression, context: Context) -> bool:
    """What cannot be worked out is shown, as a question without a rule is."""
    try:
        return relevant.boolean(context)
    except Unevaluable:
        return True


def _calculate(filling: Filling, bind: Bind, calculation: Expression, context: Context) -> None:
    kept = calculation.volatile or bool(calculation.lists) or _ONCE.match(calculation.text) is not None
    for element, attribute in filling.at(bind.path):
        if kept and (element, attribute) in filling.sent and _get(element, attribute):
            continue
        if attribute == "id":  # A uuid() in it must not depend on what else was drawn before.
            context = replace(context, seed=f"{filling.seed} {element.getroottree().getpath(element)}", draws=0)
        text = _string(calculation, context, element, bind.type)
        if attribute in ("create", "update"):
            text = "1" if text in ("1", "true") else ""
        _set(element, attribute, text)


def _in_order(form: Form) -> list[tuple[str, str]]:
    """Every `relevant` and `calculate` of the form, each after those that its expression reads.

    A question is settled after the groups around it; a form whose rules go in a circle is taken in document order.
    """
    rules = [
        (kind, bind.path, expression)
        for bind in form.binds.values()
        for kind, expression in (("relevant", bind.relevant), ("calculate", bind.calculate))
        if expression is not None
    ]
    nodes = {(kind, path) for kind, path, _ in rules}
    graph: TopologicalSorter[tuple[str, str]] = TopologicalSorter()
    for kind, path, expression in rules:
        before = {node for read in expression.depends_on for node in _settling(read, nodes)}
        above = path if kind == "calculate" else path.rpartition("/")[0]
        before |= {node for node in _settling(above, nodes) if node[0] == "relevant"}
        graph.add((kind, path), *(before - {(kind, path)}))
    try:
        return list(graph.static_order())
    except CycleError:
        return [(kind, path) for kind, path, _ in rules]


def _settling(path: str, nodes: set[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """What decides the value at a path: its calculation, and the relevance of it and of everything around it."""
    if ("calculate", path) in nodes:
        yield "calculate", path
    while path:
        if ("relevant", path) in nodes:
            yield "relevant", path
        path = path.rpartition("/")[0]


def _string(expression: Expression, context: Context, element: etree._Element, kind: str) -> str:
    context.node = element
    try:
        return NOT_XML.sub("", expression.answer(context, kind))
    except Unevaluable:
        return ""


def _get(element: etree._Element, attribute: str) -> str | None:
    return element.get(attribute) if attribute else element.text


def _set(element: etree._Element, attribute: str, text: str) -> None:
    if attribute:
        element.set(attribute, text)
    else:
        element.text = text or None


def parent_of(element: etree._Element) -> etree._Element:
    """The parent of an element that is not the root."""
    parent = element.getparent()
    assert parent is not None  # The root is never asked for its parent.
    return parent
