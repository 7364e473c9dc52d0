"""Corrections that a tablet makes by choosing what was sent back to it from its own list `a_corriger.csv`."""

from __future__ import annotations

import re

from lxml import etree

from forms.findings import Finding
from forms.form import EntityDeclaration
from forms.xforms.instance import Instance
from forms.xforms.xform import Form

# The lists that every device has for itself, without their suffix: what became of what it sent, what it is to correct.
SENT, TO_CORRECT = "mes_envois", "a_corriger"
OWN_LISTS = (SENT, TO_CORRECT)
# In the meta block, by KoboToolbox and by us: the id of a submission's first instance.
ROOT = "rootUuid"
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_PREFIX, _BARE = "uuid:", "id:"


def correction_questions(form: Form) -> list[str]:
    """The paths of the questions that choose from the list; one inside a repeat cannot make the whole form an edit."""
    return [
        field.path
        for field in form.fields.values()
        if field.external and field.itemset == TO_CORRECT and field.repeat is None and field.type == "select1"
    ]


def corrected_instance(form: Form, instance: Instance) -> str | None:
    """The instance that this one corrects by the row it chose; None if it chose none, or says so by itself.

    A chosen row makes the submission an edit, as `deprecatedID` does, which goes before it. One that says that it is
    its own root, such as the last state of a submission that was moved here without the ones before, corrects nothing.
    """
    if instance.encrypted or instance.deprecated_id or _is_a_root(instance):
        return None
    for path in correction_questions(form):
        chosen = (instance.root.findtext(path.split("/", 2)[2]) or "").strip()
        if chosen:
            return instance_of_row(chosen)
    return None


def _is_a_root(instance: Instance) -> bool:
    said = (instance.root.findtext(f"meta/{ROOT}") or "").strip()
    return bool(said) and said.removeprefix(_PREFIX) == (instance.instance_id or "").removeprefix(_PREFIX)


def name_as_first(root: etree._Element, instance_id: str) -> None:
    """Give the latest version of a submission the id of the first, as it is handed on without those before: it is no
    edit of anything where it comes to, also if it became one by what was chosen in it."""
    root.set("instanceID", instance_id)
    for meta in root.iterfind("{*}meta"):
        for said in meta.findall("{*}instanceID"):
            if said.text != instance_id and meta.find(f"{{*}}{ROOT}") is None:
                etree.SubElement(meta, str(said.tag).replace("instanceID", ROOT)).text = instance_id
            said.text = instance_id
        for said in meta.findall("{*}deprecatedID"):
            meta.remove(said)


def not_filled_in(form: Form) -> list[Finding]:
    """What a correction by a row of the list cannot bring along, or does not, because nothing fills it in."""
    asked = correction_questions(form)
    if not asked:
        return []
    given = {action.path for action in form.actions if action.value and TO_CORRECT in action.value.lists}
    open_questions = [
        field.name
        for field in form.fields.values()
        if field.repeat is None
        and not (field.metadata or field.calculated or field.readonly or field.type == "binary")
        and field.path not in {*asked, *given}
    ]
    files = [field.name for field in form.fields.values() if field.repeat is None and field.type == "binary"]
    beyond = [*files, *(_last(path) for path in form.repeats)]
    findings = []
    if beyond:
        fault = f"A correction by a row of a_corriger.csv brings no files and no rows along: {', '.join(beyond)}."
        remedy = "Tell enumerators to give them again; the coordinator is told when they do not."
        findings.append(Finding(fault, remedy, form.form_id))
    if open_questions:
        fault = f"A correction by a row of a_corriger.csv begins without an answer to: {', '.join(open_questions)}."
        remedy = "Fill them in from the row by a calculation with a trigger, where that is wanted."
        findings.append(Finding(fault, remedy, form.form_id))
    if names := ", ".join(dict.fromkeys(entity.list_name for entity in form.entities if _only_creates(form, entity))):
        fault = f"A correction by a row of a_corriger.csv makes new entities in place of the former ones: {names}."
        remedy = "Have enumerators edit the sent form in Collect instead: what was built on the entities then stays."
        findings.append(Finding(fault, remedy, form.form_id))
    return findings


def _only_creates(form: Form, entity: EntityDeclaration) -> bool:
    """Whether each record has a new one; what may also update has an id that the form itself gives."""
    element = form.root.find(entity.path.split("/", 2)[2])
    return element is not None and "create" in element.attrib and "update" not in element.attrib


def left_out(form: Form, instance: Instance, form_before: Form, before: Instance) -> list[str]:
    """The files and the repeats, by name, of which the version before had more than this one."""
    if instance.encrypted or before.encrypted:
        return []
    names = []
    for old in form_before.fields.values():
        new = form.by_identity.get(old.identity)
        if old.type == "binary" and new is not None and _count(before, old.path) > _count(instance, new.path):
            names.append(old.name)
    now = {form.renames.get(path, path): path for path in form.repeats}
    for path in form_before.repeats:
        here = now.get(form_before.renames.get(path, path))
        if here is not None and _count(before, path) > _count(instance, here):
            names.append(_last(path))
    return names


def _count(instance: Instance, path: str) -> int:
    """How many elements there are at the path that are not blank."""
    found = instance.root.iterfind(path.split("/", 2)[2])
    return sum(any(text.strip() for text in element.itertext()) for element in found)


def _last(path: str) -> str:
    return path.rsplit("/", 1)[1]


def row_of_instance(instance_id: str) -> str:
    """How the row of an instance is called: by its UUID without a prefix, or by its id as it is after `id:`."""
    bare = instance_id.removeprefix(_PREFIX)
    return bare if bare != instance_id and _UUID.fullmatch(bare) else _BARE + instance_id


def instance_of_row(name: str) -> str:
    """The instance that a row stands for."""
    return name.removeprefix(_BARE) if name.startswith(_BARE) else _PREFIX + name.removeprefix(_PREFIX)
